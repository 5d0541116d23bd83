package toy

import (
	"fmt"
	"math"

	"tqn/markov"
	"tqn/quantize"
)

// Objective is f of equation (8): three parabolas that meet at 1 (f = 3), and at
// 3.5 up to a jump from 1.75 to 1.7525.
func Objective(w float64) float64 {
	switch {
	case w < 1:
		return w*w + 2
	case w < 3.5:
		return (w-2.5)*(w-2.5) + 0.75
	default:
		return (w-4.75)*(w-4.75) + 0.19
	}
}

// Gradient is f' of equation (8), from the right at the borders.
func Gradient(w float64) float64 {
	switch {
	case w < 1:
		return 2 * w
	case w < 3.5:
		return 2 * (w - 2.5)
	default:
		return 2 * (w - 4.75)
	}
}

// Minimisers are the local minimisers of equation (8), the global one last.
var Minimisers = []float64{0, 2.5, 4.75}

// Basin returns the index in Minimisers of the parabola that w lies on.
func Basin(w float64) int {
	switch {
	case w < 1:
		return 0
	case w < 3.5:
		return 1
	default:
		return 2
	}
}

// Start is the first iterate of Section 5.1.
const Start = 4.0

// The box: the paper names none. At alpha = 1 the gradient step of each parabola
// overshoots to the mirror image of w, so that noise adds up until the box stops
// it; the reports print how much of each law lies at the corners.
const (
	BoxLo = -3.0
	BoxHi = 8.0
)

// Problem is equation (8) with a noisy gradient on a grid.
type Problem struct {
	Grid  quantize.Grid
	Noise float64 // standard deviation of the gradient, > 0; a batch of b has Noise/sqrt(b)
}

// NewProblem returns the problem on the grid with step delta in the box. It is an
// error if the box is no whole number of steps, Start is not on the grid, or the
// noise is not positive and finite (without noise the assumption of Theorem 5 fails).
func NewProblem(delta, noise float64) (Problem, error) {
	g, err := quantize.NewGrid(delta, BoxLo, BoxHi)
	if err != nil {
		return Problem{}, fmt.Errorf("toy: %w", err)
	}
	if !g.Contains(Start) {
		return Problem{}, fmt.Errorf("toy: the start %g is not on the grid %g + k*%g", Start, BoxLo, delta)
	}
	if !(noise > 0) || math.IsInf(noise, 1) {
		return Problem{}, fmt.Errorf("toy: noise %g; want a finite standard deviation > 0", noise)
	}
	return Problem{g, noise}, nil
}

// law returns the law of the stochastic gradient at w.
func (p Problem) law(w float64) markov.Law {
	return markov.Gaussian{Mean: Gradient(w), Sigma: p.Noise}
}

// SR returns stochastic rounding on the problem for package markov.
func (p Problem) SR() markov.SR { return markov.OnGrid(p.Grid, p.law) }

// Points returns the grid points.
func (p Problem) Points() []float64 {
	w := make([]float64, p.Grid.Len())
	for i := range w {
		w[i] = p.Grid.Point(i)
	}
	return w
}

// Entropy returns -sum p log p in nats.
func Entropy(law []float64) float64 {
	h := 0.0
	for _, v := range law {
		if v > 0 {
			h -= v * math.Log(v)
		}
	}
	return h
}

// GlobalMass returns the probability of the basin of the global minimiser.
func (p Problem) GlobalMass(law []float64) float64 {
	s := 0.0
	for i, v := range law {
		if Basin(p.Grid.Point(i)) == 2 {
			s += v
		}
	}
	return s
}

// Excess returns E f(w) - min f over the grid.
func (p Problem) Excess(law []float64) float64 {
	low := math.Inf(1)
	for i := range law {
		low = min(low, Objective(p.Grid.Point(i)))
	}
	s := 0.0
	for i, v := range law {
		s += v * (Objective(p.Grid.Point(i)) - low)
	}
	return s
}
