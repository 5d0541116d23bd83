package convex

import "math"

// curve is a convex function of one variable with certified constants on an
// interval.
type curve interface {
	value(z float64) float64
	slope(z float64) float64
	// bend returns the least and the largest second derivative on [a, b] and its
	// Lipschitz constant there (NaN if the second derivative jumps).
	bend(a, b float64) (mu, l, l2 float64)
	// zero is the point where the slope vanishes.
	zero() float64
}

// Separable is F(w) = sum_k phi_k(w_k - center_k) with bounded gradient noise
//
//	f_0(w) = F(w) + noise sum_k w_k,   f_1(w) = F(w) - noise sum_k w_k  (m = 2),
//
// or m = 1 without noise. The noise is the same in all coordinates, so the law of
// the iterates is not a product.
//
// Constants, with a_k, b_k the ends of W seen from center_k:
//
//	G^2 = sum_k max(phi_k'(a_k)^2, phi_k'(b_k)^2) + d noise^2
//
// (slopes are monotone, so the ends are extreme; the noise has mean zero and
// squared length d noise^2). The Hessian is diagonal, diag(phi_k”), so
//
//	Mu = min_k min phi_k'',  L = max_k max phi_k'',  L2 = max_k Lip(phi_k''),
//
// the last since |phi_k”(x_k) - phi_k”(y_k)| <= L2|x_k - y_k| <= L2|x - y|. A convex
// function on an interval is largest at an end: Sup = sum_k max(phi_k(a_k), phi_k(b_k)).
type Separable struct {
	name      string
	lo, hi    float64
	curves    []curve
	center    []float64
	noise     float64
	constants Constants
	minimiser []float64
	hessian   [][]float64
}

var (
	_ Problem = (*Separable)(nil)
	_ Curved  = (*quadraticProblem)(nil)
)

func newSeparable(name string, lo, hi float64, curves []curve, center []float64, noise float64) *Separable {
	if len(curves) == 0 || len(curves) != len(center) || !(lo < hi) || noise < 0 {
		panic("convex: " + name + ": want one centre per coordinate, lo < hi and noise >= 0")
	}
	s := &Separable{name: name, lo: lo, hi: hi, curves: curves, center: center, noise: noise}
	c := Constants{Mu: math.Inf(1)}
	for k, phi := range curves {
		a, b := lo-center[k], hi-center[k]
		mu, l, l2 := phi.bend(a, b)
		c.Mu, c.L = min(c.Mu, mu), max(c.L, l)
		c.L2 = max(c.L2, l2) // max propagates NaN
		c.G += max(phi.slope(a)*phi.slope(a), phi.slope(b)*phi.slope(b)) + noise*noise
		c.Sup += max(phi.value(a), phi.value(b))
		s.minimiser = append(s.minimiser, min(max(center[k]+phi.zero(), lo), hi))
	}
	// A few ulps upwards, so that rounding in the sums cannot make a constant too small.
	c.G = math.Sqrt(c.G) * (1 + 1e-14)
	c.Sup += 1e-14 * math.Abs(c.Sup)
	s.constants = c
	return s
}

// Name identifies the problem in reports.
func (s *Separable) Name() string { return s.name }

// Dim is d.
func (s *Separable) Dim() int { return len(s.curves) }

// Box is W = [lo, hi]^d.
func (s *Separable) Box() (lo, hi float64) { return s.lo, s.hi }

// Terms is 2 with noise and 1 without.
func (s *Separable) Terms() int {
	if s.noise > 0 {
		return 2
	}
	return 1
}

// Value is F(w).
func (s *Separable) Value(w []float64) float64 {
	var f float64
	for k, phi := range s.curves {
		f += phi.value(w[k] - s.center[k])
	}
	return f
}

// Gradient sets dst to the gradient of F at w.
func (s *Separable) Gradient(dst, w []float64) {
	for k, phi := range s.curves {
		dst[k] = phi.slope(w[k] - s.center[k])
	}
}

// TermGradient sets dst to the gradient of f_i at w.
func (s *Separable) TermGradient(dst, w []float64, i int) {
	n := s.noise
	if i == 1 {
		n = -n
	}
	for k, phi := range s.curves {
		dst[k] = phi.slope(w[k]-s.center[k]) + n
	}
}

// Constants are derived in the type's comment.
func (s *Separable) Constants() Constants { return s.constants }

// Minimiser is the projection on W of the zero of each slope: exact, since F is
// separable and each phi_k convex.
func (s *Separable) Minimiser() []float64 { return s.minimiser }
