package markov

import (
	"testing"
	"time"

	"tqn/quantize"
)

// waves is SR on a square lattice with side points a side and a non-convex
// objective whose gradient has a part that is no gradient, so that the chain is
// not reversible.
func waves(side int) SR {
	g := must(quantize.NewGrid(4/float64(side-1), -2, 2))
	return SR{Axes: []quantize.Grid{g, g}, Gradient: func(w []float64, k int) Law {
		other := w[1-k]
		if k == 0 {
			return Gaussian{w[0]*(w[0]*w[0]-1) + 0.3*other, 1}
		}
		return Gaussian{0.8*w[1] - 0.3*other, 1.5}
	}}
}

// diffuse is a lattice whose law does not concentrate however fine the grid is:
// the drift is of the order of the grid step.
func diffuse(side int) SR {
	g := must(quantize.NewGrid(4/float64(side-1), -2, 2))
	d := g.Delta
	return SR{Axes: []quantize.Grid{g, g}, Gradient: func(w []float64, k int) Law {
		other := w[1-k]
		if k == 0 {
			return Gaussian{d * (w[0]*(w[0]*w[0]-1) + 0.3*other), 1}
		}
		return Gaussian{d * (0.8*w[1] - 0.3*other), 1.5}
	}}
}

func TestML(t *testing.T) {
	for _, side := range []int{100, 300, 1000} {
		for _, s := range []SR{waves(side), diffuse(side)} {
			c := must(s.Limit(1e-5))
			start := time.Now()
			r, err := c.Multilevel(1e-10)
			t.Log(side, r.Cycles, r.Residual, err, time.Since(start))
		}
	}
}
