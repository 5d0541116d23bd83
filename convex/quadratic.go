package convex

import "math"

// parabola is phi(z) = h z^2/2, h > 0.
type parabola struct{ h float64 }

func (p parabola) value(z float64) float64               { return p.h * z * z / 2 }
func (p parabola) slope(z float64) float64               { return p.h * z }
func (p parabola) bend(a, b float64) (mu, l, l2 float64) { return p.h, p.h, 0 }
func (p parabola) zero() float64                         { return 0 }

type quadraticProblem struct{ *Separable }

// Hessian is diag(h).
func (q *quadraticProblem) Hessian() [][]float64 { return q.hessian }

// NewQuadratic returns F(w) = sum_k h_k (w_k - center_k)^2/2 on [lo, hi]^d with the
// noise of [Separable]. Mu = min h, L = max h, L2 = 0; every h_k is positive.
func NewQuadratic(lo, hi float64, h, center []float64, noise float64) Curved {
	curves := make([]curve, len(h))
	hessian := make([][]float64, len(h))
	for k := range h {
		if !(h[k] > 0) {
			panic("convex: NewQuadratic: want h > 0")
		}
		curves[k] = parabola{h[k]}
		hessian[k] = make([]float64, len(h))
		hessian[k][k] = h[k]
	}
	s := newSeparable("quadratic", lo, hi, curves, center, noise)
	s.hessian = hessian
	return &quadraticProblem{s}
}

// halfCubic is the function of the counterexample to Theorem 4 with Q_s:
// phi'(z) = mu z + (l2/2) max(0, z)^2.
type halfCubic struct{ mu, l2 float64 }

func (c halfCubic) value(z float64) float64 {
	q := max(z, 0)
	return c.mu*z*z/2 + c.l2*q*q*q/6
}

func (c halfCubic) slope(z float64) float64 {
	q := max(z, 0)
	return c.mu*z + c.l2*q*q/2
}

// bend: phi” = mu + l2 max(0, z) is non-decreasing and l2-Lipschitz.
func (c halfCubic) bend(a, b float64) (mu, l, l2 float64) {
	return c.mu + c.l2*max(a, 0), c.mu + c.l2*max(b, 0), c.l2
}

func (c halfCubic) zero() float64 { return 0 }

// NewHalfCubic returns F(w) = sum_k phi(w_k - center_k) on [lo, hi]^d with
// phi(z) = mu z^2/2 + l2 max(0,z)^3/6: strongly convex with a Hessian that changes
// at rate l2 on one side only, which is what makes the rounding error of Theorem 4
// show. On W its constants are Mu = mu, L = mu + l2 max(hi - center), L2 = l2.
func NewHalfCubic(lo, hi, mu, l2 float64, center []float64, noise float64) *Separable {
	if !(mu > 0 && l2 >= 0) {
		panic("convex: NewHalfCubic: want mu > 0 and l2 >= 0")
	}
	curves := make([]curve, len(center))
	for k := range curves {
		curves[k] = halfCubic{mu, l2}
	}
	return newSeparable("half-cubic", lo, hi, curves, center, noise)
}

// kinked is l z^2/2 up to the kink at z = k >= 0 and curves with mu beyond:
//
//	phi(z) = l z^2/2 for z <= k,  l k^2/2 + l k (z-k) + mu (z-k)^2/2 beyond.
type kinked struct{ mu, l, k float64 }

func (c kinked) value(z float64) float64 {
	u := min(z, c.k)
	v := z - u
	return c.l*u*u/2 + c.l*c.k*v + c.mu*v*v/2
}

func (c kinked) slope(z float64) float64 {
	u := min(z, c.k)
	return c.l*u + c.mu*(z-u)
}

// bend: the second derivative is l before the kink and mu behind it; it jumps.
func (c kinked) bend(a, b float64) (mu, l, l2 float64) {
	switch {
	case b <= c.k:
		return c.l, c.l, 0
	case a >= c.k:
		return c.mu, c.mu, 0
	}
	return c.mu, c.l, math.NaN()
}

func (c kinked) zero() float64 { return 0 }

// NewKinked returns F(w) = sum_k phi(w_k - center_k) on [lo, hi]^d, whose phi has second derivative l up to kink >= 0 and 0 <= mu <= l
// beyond. It is the function on which BC with Q_s is farthest from the minimum, see [WorstKink].
func NewKinked(lo, hi, mu, l, kink float64, center []float64, noise float64) *Separable {
	if !(mu >= 0 && l >= mu && l > 0 && kink >= 0) {
		panic("convex: NewKinked: want 0 <= mu <= l, l > 0 and kink >= 0")
	}
	curves := make([]curve, len(center))
	for k := range curves {
		curves[k] = kinked{mu, l, kink}
	}
	return newSeparable("kinked", lo, hi, curves, center, noise)
}

// huber is g|z| rounded off on [-w, w], plus mu z^2/2:
//
//	phi(z) = g z^2/(2w) for |z| <= w,  g(|z| - w/2) beyond,  + mu z^2/2.
type huber struct{ g, w, mu float64 }

func (h huber) value(z float64) float64 {
	q := h.mu * z * z / 2
	if a := math.Abs(z); a > h.w {
		return q + h.g*(a-h.w/2)
	}
	return q + h.g*z*z/(2*h.w)
}

func (h huber) slope(z float64) float64 {
	return h.mu*z + h.g*min(max(z/h.w, -1), 1)
}

// bend: phi” is mu + g/w inside (-w, w) and mu outside; it jumps.
func (h huber) bend(a, b float64) (mu, l, l2 float64) {
	mu, l = h.mu, h.mu
	if a < h.w && b > -h.w {
		l += h.g / h.w
	}
	if a >= -h.w && b <= h.w {
		mu = l
	}
	return mu, l, math.NaN()
}

func (h huber) zero() float64 { return 0 }

// NewHuber returns F(w) = sum_k phi(w_k - center_k) on [lo, hi]^d, where phi is g|z|
// rounded off within width of 0, plus mu z^2/2. With mu = 0 it is convex and not
// strongly convex. As width goes to 0 it becomes g|z|, the function on which the
// floors of Theorems 1 and 2 are attained. L = mu + g/width; L2 does not exist.
func NewHuber(lo, hi, g, width, mu float64, center []float64, noise float64) *Separable {
	if !(g > 0 && width > 0 && mu >= 0) {
		panic("convex: NewHuber: want g > 0, width > 0 and mu >= 0")
	}
	curves := make([]curve, len(center))
	for k := range curves {
		curves[k] = huber{g, width, mu}
	}
	name := "huber"
	if mu > 0 {
		name = "huber+quadratic"
	}
	return newSeparable(name, lo, hi, curves, center, noise)
}
