package convex

import (
	"errors"
	"fmt"
	"math"

	"tqn/bounds"
	"tqn/quantize"
)

// Problem is equation (1) on a box, with certified constants. [Probe] checks an
// implementation at random points; package referee refuses one that fails.
//
// Methods must be safe for concurrent use. Slices have length Dim; w lies in W.
type Problem interface {
	// Name identifies the problem in reports.
	Name() string
	// Dim is d >= 1.
	Dim() int
	// Box is W = [lo, hi]^d.
	Box() (lo, hi float64)
	// Terms is m >= 1.
	Terms() int
	// Value is F(w).
	Value(w []float64) float64
	// Gradient sets dst to the gradient of F at w. dst is not w.
	Gradient(dst, w []float64)
	// TermGradient sets dst to the gradient of f_i at w, 0 <= i < m. dst is not w.
	TermGradient(dst, w []float64, i int)
	// Constants are the constants of the assumptions, valid on all of W.
	Constants() Constants
	// Minimiser is w*, the minimiser of F over W, with a gap below 1e-12 of
	// Sup - F*. The caller does not write to it.
	Minimiser() []float64
}

// Constants are what Section 4 assumes. NaN stands for "does not exist" or "not
// known": a bound that needs it then says so.
type Constants struct {
	G   float64 // E|grad f_i(w)|^2 <= G^2 for all w in W
	Mu  float64 // F is Mu-strongly convex on W; 0 if only convex
	L   float64 // |grad F(x) - grad F(y)| <= L|x-y| on W
	L2  float64 // |Hess F(x) - Hess F(y)| <= L2|x-y| on W (operator norm)
	Sup float64 // F <= Sup on W: the range that sampling needs
}

// Curved is a problem with a constant Hessian H (d x d, symmetric): a quadratic.
// For it E F(wbar_T) is exact (see [Law]).
type Curved interface {
	Problem
	// Hessian returns H[k][l]. The caller does not write to it.
	Hessian() [][]float64
}

// Diameter is D, the Euclidean diameter of W.
func Diameter(p Problem) float64 {
	lo, hi := p.Box()
	return (hi - lo) * math.Sqrt(float64(p.Dim()))
}

// stochasticGradient sets dst to grad f_i(w) with i drawn from d, and returns i.
func stochasticGradient(p Problem, dst, w []float64, d quantize.Draw) int {
	m := p.Terms()
	i := 0
	if m > 1 {
		// 53 bits over m <= 2^20 terms: each i has its probability within 2^-33.
		i = min(int(d.Uniform(0)*float64(m)), m-1)
	}
	p.TermGradient(dst, w, i)
	return i
}

// Gap is F(w) - F(w*).
func Gap(p Problem, w []float64) float64 { return p.Value(w) - p.Value(p.Minimiser()) }

// Schedule is a sequence of step sizes alpha_t, t = 1, 2, ...
type Schedule struct {
	mu float64 // > 0: 1/(mu(t+1))
	c  float64 // > 0: c/sqrt(t)
}

// Strong is alpha_t = 1/(mu(t+1)), of Theorems 1 and 4 and Corollary 1.
func Strong(mu float64) Schedule { return Schedule{mu: mu} }

// Root is alpha_t = c/sqrt(t), of Theorems 2 and 3.
func Root(c float64) Schedule { return Schedule{c: c} }

// Alpha is alpha_t for t >= 1.
func (s Schedule) Alpha(t int) float64 {
	if s.mu > 0 {
		return 1 / (s.mu * float64(t+1))
	}
	return s.c / math.Sqrt(float64(t))
}

func (s Schedule) String() string {
	if s.mu > 0 {
		return fmt.Sprintf("1/(%.4g(t+1))", s.mu)
	}
	return fmt.Sprintf("%.4g/sqrt(t)", s.c)
}

// Instance is a problem with everything a run needs.
type Instance struct {
	Problem  Problem
	Grid     quantize.Grid
	Start    []float64 // w^1, on the grid
	Schedule Schedule
	T        int // averaged iterates
}

// NewInstance returns the instance with step Delta = delta, from the grid point
// nearest to start in every coordinate (start nil: the corner Lo). It is an error
// if the corners of W are not on the grid, if T < 1, or if a schedule's constant is
// not positive, which is what Theorems 1 to 4 assume of mu and c.
func NewInstance(p Problem, delta float64, start []float64, s Schedule, t int) (Instance, error) {
	lo, hi := p.Box()
	g, err := quantize.NewGrid(delta, lo, hi)
	if err != nil {
		return Instance{}, fmt.Errorf("convex: %s: the corners of W must lie on the grid: %w", p.Name(), err)
	}
	if !(s.mu > 0) && !(s.c > 0) {
		return Instance{}, fmt.Errorf("convex: %s: alpha_t = 1/(mu(t+1)) of Theorems 1 and 4 needs strong convexity, mu > 0, and c/sqrt(t) of Theorems 2 and 3 needs c > 0", p.Name())
	}
	if t < 1 {
		return Instance{}, fmt.Errorf("convex: %s: T = %d: want at least one averaged iterate", p.Name(), t)
	}
	w := make([]float64, p.Dim())
	for k := range w {
		w[k] = lo
		if start != nil {
			w[k] = g.Nearest(start[k])
		}
	}
	return Instance{Problem: p, Grid: g, Start: w, Schedule: s, T: t}, nil
}

// Parameters are the constants of the instance as the bounds want them, for t
// averaged iterates.
func (in Instance) Parameters(t int) bounds.Parameters {
	c := in.Problem.Constants()
	q := bounds.Unknown()
	q.Dim, q.T = in.Problem.Dim(), t
	q.Delta, q.G, q.Mu, q.L, q.L2 = in.Grid.Delta, c.G, c.Mu, c.L, c.L2
	q.Diameter = Diameter(in.Problem)
	if in.Schedule.c > 0 {
		q.C = in.Schedule.c
	}
	return q
}

// String names the instance in a report: problem, d, Delta, T, and c if the steps
// are c/sqrt(t).
func (in Instance) String() string {
	if in.Schedule.c > 0 {
		return fmt.Sprintf("%s d=%d Delta=%.4g c=%.4g T=%d", in.Problem.Name(), in.Problem.Dim(), in.Grid.Delta, in.Schedule.c, in.T)
	}
	return fmt.Sprintf("%s d=%d Delta=%.4g T=%d", in.Problem.Name(), in.Problem.Dim(), in.Grid.Delta, in.T)
}

// errConstants is wrapped by the errors of Probe.
var errConstants = errors.New("stated constants are wrong")

func dot(a, b []float64) float64 {
	var s float64
	for i, x := range a {
		s += x * b[i]
	}
	return s
}

func norm(a []float64) float64 { return math.Sqrt(dot(a, a)) }

func distance(a, b []float64) float64 {
	var s float64
	for i, x := range a {
		s += (x - b[i]) * (x - b[i])
	}
	return math.Sqrt(s)
}
