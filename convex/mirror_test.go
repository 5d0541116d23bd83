package convex

import (
	"math"
	"testing"

	"tqn/bounds"
)

// BC with Q_d on quadratics in one to three dimensions, correlated coordinates and both step sizes: w_r goes to the thresholds around w*, with the gap that bounds.TrueLimit says and below L d Delta^2/8; Psi falls to its
// minimum; the mean of w_b goes to w*.
func TestMirror(t *testing.T) {
	if testing.Short() {
		t.Skip("several seconds")
	}
	a := [][]float64{{1, 0.9, 0.3}, {0.8, 1.1, -0.2}, {-1, 0.5, 0.7}, {0.3, -1, 1}}
	b := []float64{0.31, 0.2, -0.45, 0.12}
	for d := 1; d <= 3; d++ {
		rows := make([][]float64, len(a))
		for i := range a {
			rows[i] = a[i][:d]
		}
		ls, err := NewLeastSquares("correlated", rows, b, 0.05, -1, 1)
		if err != nil {
			t.Fatal(err)
		}
		p := Noiseless(ls)
		c := p.Constants()
		for _, s := range []Schedule{Strong(c.Mu), Root(0.5)} {
			const delta = 0.5
			in, err := NewInstance(p, delta, []float64{1, -1, 1}[:d], s, 400_000)
			if err != nil {
				t.Fatal(err)
			}
			m := MirrorRun(in)
			want := bounds.TrueLimit(p.Minimiser(), -1, delta, func(dst, x []float64) {
				for k := range x {
					dst[k] = dot(ls.Hessian()[k], x)
				}
			})
			q := in.Parameters(in.T)
			limit, err := bounds.Corollary1(bounds.Limit, bounds.Nearest, q)
			if err != nil || want > limit.Floor || math.Abs(m.Gap-want) > 0.05*want {
				t.Errorf("d = %d, %v: gap %v, the limit is %v, at most %v, %v", d, s, m.Gap, want, limit.Floor, err)
			}
			if m.Last > 0.5+1e-2 || m.Psi > 1e-2*m.From || !m.Walls && m.Read > m.Bound*(1+1e-6) || s.mu == 0 && m.Read > 0.01 {
				t.Errorf("d = %d, %v: %+v", d, s, m)
			}
		}
	}
}
