package markov

import (
	"math"
	"testing"

	"tqn/quantize"
)

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

// nine is the 9-state chain of theory.md's kind: SR on a non-convex objective.
func nine() SR {
	return OnGrid(must(quantize.NewGrid(0.5, -2, 2)), func(w float64) Law {
		return Gaussian{w*w*w - w, 1}
	})
}

func TestThreeStateChainNearlyDecoupled(t *testing.T) {
	const p = 0.3
	for _, e := range []float64{1e-1, 1e-8, 1e-17, 1e-300} {
		c := must(FromDense([][]float64{{0, p, e}, {p, 0, e}, {e, e, 0}}, 1))
		for _, pi := range [][]float64{must(c.Stationary()), must2(gth(c.denseRates(), 3))} {
			for _, v := range pi {
				if math.Abs(v-1./3) > 1e-16 {
					t.Errorf("e = %g: pi = %v, want 1/3 each", e, pi)
				}
			}
		}
	}
}

func must2[T any](v T, ok bool) T {
	if !ok {
		panic("not ok")
	}
	return v
}

func TestSmoke(t *testing.T) {
	s := nine()
	r, err := Theorem5(s, []float64{0.2, 0.1, 0.05, 0.02, 0.01, 0.001})
	t.Logf("%+v %v", r, err)
	r6, err := Theorem6(s, 0.1, []float64{8e-2, 1e-2, 1e-3, 1e-4, 1e-6, 1e-9, 1e-12})
	t.Logf("%+v %v", r6, err)
}
