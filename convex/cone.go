package convex

import "math"

// Cone is the function on which no method that takes its gradients at grid points gets below L (d-1) Delta^2/16 in the limit, BinaryConnect with Q_s among them: the sharp floor of Theorem 3 up to
// the factor d/(d-1). With w = (x, y), x = w_1 and y = (w_2, ..., w_d) seen from the middle of W,
//
//	F(w) = min_{u,v} max(slope |v|, tilt u) + (L/2) |(x,y) - (u,v)|^2,
//
// on W = [0, cells Delta]^d with an odd number of cells, so that the middle of W is the middle of a cell and every grid point has |y| >= R = sqrt(d-1) Delta/2. With slope = L R/2 and tilt = L R^2/(4 cells Delta),
// the minimising v of a grid point is y (1 - R/(2|y|)), at least R/2 long, so slope |v| >= L R^2/4 >= tilt x: the term tilt u is not active, and the gradient has no x part. A run that starts at x = cells Delta stays there, where
// F(w) >= tilt x - tilt^2/(2L) = L R^2/4 - tilt^2/(2L) whatever y is, and the minimum of F is 0, at x = y = 0.
//
// Constants. F is the Moreau envelope of a convex function: convex and L-smooth on R^d, with gradients no longer than that function's, max(slope, tilt), and values no larger.
type Cone struct {
	d           int
	hi, l       float64
	slope, tilt float64
	minimiser   []float64
}

var _ Problem = (*Cone)(nil)

// NewCone makes the function in d >= 2 dimensions with Lipschitz constant l > 0 on an odd number of cells of width delta > 0 in every direction.
func NewCone(d, cells int, l, delta float64) *Cone {
	if d < 2 || cells < 1 || cells%2 == 0 || !(l > 0 && delta > 0) {
		panic("convex: NewCone: want d >= 2, an odd number of cells, l > 0 and delta > 0")
	}
	r := math.Sqrt(float64(d-1)) * delta / 2
	c := &Cone{d: d, hi: float64(cells) * delta, l: l, slope: l * r / 2}
	c.tilt = l * r * r / (4 * c.hi)
	c.minimiser = make([]float64, d)
	for k := 1; k < d; k++ {
		c.minimiser[k] = c.hi / 2
	}
	return c
}

// Floor is what F(w) - F* is at least on all of x = cells Delta: L (d-1) Delta^2/16 - tilt^2/(2L).
func (c *Cone) Floor() float64 { return c.tilt*c.hi - c.tilt*c.tilt/(2*c.l) }

// Start is a corner of the middle cell with x = cells Delta.
func (c *Cone) Start(delta float64) []float64 {
	w := make([]float64, c.d)
	w[0] = c.hi
	for k := 1; k < c.d; k++ {
		w[k] = c.hi/2 - delta/2
	}
	return w
}

// nearest returns |y|, and the minimising u and |v|; v is parallel to y.
func (c *Cone) nearest(w []float64) (y, u, v float64) {
	for _, x := range w[1:] {
		y += (x - c.hi/2) * (x - c.hi/2)
	}
	x, y := w[0], math.Sqrt(y)
	if v = max(y-c.slope/c.l, 0); c.slope*v >= c.tilt*x {
		return y, x, v // only the first term is active
	}
	if u = x - c.tilt/c.l; c.tilt*u >= c.slope*y {
		return y, u, y // only the second
	}
	// Both: u = slope v/tilt, and v minimises slope v + (L/2) ((x - slope v/tilt)^2 + (y - v)^2).
	k := c.slope / c.tilt
	v = max((y+k*x-c.slope/c.l)/(1+k*k), 0)
	return y, k * v, v
}

// Name identifies the problem in reports.
func (c *Cone) Name() string { return "cone" }

// Dim is d.
func (c *Cone) Dim() int { return c.d }

// Box is W = [0, cells Delta]^d.
func (c *Cone) Box() (lo, hi float64) { return 0, c.hi }

// Terms is 1.
func (c *Cone) Terms() int { return 1 }

// Value is F(w).
func (c *Cone) Value(w []float64) float64 {
	y, u, v := c.nearest(w)
	return max(c.slope*v, c.tilt*u) + c.l/2*((w[0]-u)*(w[0]-u)+(y-v)*(y-v))
}

// Gradient sets dst to L ((x,y) - (u,v)).
func (c *Cone) Gradient(dst, w []float64) {
	y, u, v := c.nearest(w)
	dst[0] = c.l * (w[0] - u)
	for k := 1; k < c.d; k++ {
		dst[k] = 0
		if y > 0 {
			dst[k] = c.l * (w[k] - c.hi/2) * (1 - v/y)
		}
	}
}

// TermGradient is Gradient.
func (c *Cone) TermGradient(dst, w []float64, _ int) { c.Gradient(dst, w) }

// Constants are derived in the type's comment.
func (c *Cone) Constants() Constants {
	far := math.Sqrt(float64(c.d-1)) * c.hi / 2
	return Constants{G: max(c.slope, c.tilt) * (1 + 1e-14), L: c.l * (1 + 1e-14), L2: math.NaN(), Sup: max(c.slope*far, c.tilt*c.hi) * (1 + 1e-14)}
}

// Minimiser is (0, the middle).
func (c *Cone) Minimiser() []float64 { return c.minimiser }
