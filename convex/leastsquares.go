package convex

import (
	"fmt"
	"math"

	"gonum.org/v1/gonum/mat"
)

// LeastSquares is F(w) = (1/m) sum_i (a_i.w - b_i)^2/2 + (ridge/2)|w|^2, with
// f_i(w) = (a_i.w - b_i)^2/2 + (ridge/2)|w|^2.
//
// Constants. The Hessian H = A'A/m + ridge I is constant: L2 = 0, Mu and L are its
// extreme eigenvalues. |grad f_i(w)|^2 is convex in w (the square of the norm of an
// affine map), so E|grad f_i|^2 and F are largest at vertices of W, which are
// enumerated for d <= 12; above that |a_i.w - b_i| <= |a_i.c - b_i| + r|a_i|_1 with c
// and r the centre and half width of W.
type LeastSquares struct {
	name      string
	a         [][]float64
	b         []float64
	ridge     float64
	lo, hi    float64
	h         *mat.SymDense
	rows      [][]float64
	constants Constants
	minimiser []float64
}

var _ Curved = (*LeastSquares)(nil)

// NewLeastSquares takes m rows a_i of length d and m targets b_i; it keeps the
// slices. It is an error if there are no rows, if lengths differ, if a number is
// not finite, if ridge < 0, or if H is singular (the columns are dependent and
// ridge = 0): Mu = 0, the minimiser is not unique.
func NewLeastSquares(name string, a [][]float64, b []float64, ridge, lo, hi float64) (*LeastSquares, error) {
	d, err := checkData(name, a, b, ridge, lo, hi)
	if err != nil {
		return nil, err
	}
	p := &LeastSquares{name: name, a: a, b: b, ridge: ridge, lo: lo, hi: hi, h: secondMoments(a, d, ridge)}
	for k := range d {
		p.rows = append(p.rows, mat.Row(nil, k, p.h))
	}
	c := &p.constants
	c.Mu, c.L = spectrum(p.h)
	if !(c.Mu > 0) {
		return nil, fmt.Errorf("convex: %s: the columns are linearly dependent (smallest eigenvalue %g of the Hessian): give a ridge > 0", name, c.Mu)
	}
	if d <= maxVertices {
		g := make([]float64, d)
		c.G = math.Sqrt(overVertices(d, lo, hi, func(w []float64) float64 {
			var s float64
			for i := range a {
				p.TermGradient(g, w, i)
				s += dot(g, g)
			}
			return s / float64(len(a))
		}))
		c.Sup = overVertices(d, lo, hi, p.Value)
	} else {
		c.G, c.Sup = boxBounds(a, lo, hi, ridge, func(i int, margin, radius float64) (slope, value float64) {
			r := math.Abs(margin-b[i]) + radius
			return r, r * r / 2
		})
	}
	c.G *= 1 + 1e-13
	c.Sup *= 1 + 1e-13
	if p.minimiser, err = minimise(p, d, lo, hi, c.Mu, 1e-12*c.Sup); err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	return p, nil
}

// checkData refuses data from which no problem can be made and returns d.
func checkData(name string, a [][]float64, b []float64, ridge, lo, hi float64) (int, error) {
	switch {
	case len(a) == 0 || len(a[0]) == 0:
		return 0, fmt.Errorf("convex: %s: no data: want at least one row with one feature", name)
	case len(a) != len(b):
		return 0, fmt.Errorf("convex: %s: %d rows and %d targets", name, len(a), len(b))
	case !(ridge >= 0) || math.IsInf(ridge, 1):
		return 0, fmt.Errorf("convex: %s: ridge = %g: want a finite number >= 0", name, ridge)
	case !(lo < hi) || math.IsInf(lo, 0) || math.IsInf(hi, 0):
		return 0, fmt.Errorf("convex: %s: W = [%g, %g]^d is not a bounded box: G and D do not exist", name, lo, hi)
	}
	for i, row := range a {
		if len(row) != len(a[0]) {
			return 0, fmt.Errorf("convex: %s: row %d has %d features, row 1 has %d", name, i+1, len(row), len(a[0]))
		}
		for k, x := range append(row[:len(row):len(row)], b[i]) {
			if math.IsNaN(x) || math.IsInf(x, 0) {
				return 0, fmt.Errorf("convex: %s: row %d, column %d is %g: want a finite number", name, i+1, k+1, x)
			}
		}
	}
	return len(a[0]), nil
}

// secondMoments is A'A/m + ridge I.
func secondMoments(a [][]float64, d int, ridge float64) *mat.SymDense {
	h := mat.NewSymDense(d, nil)
	for k := range d {
		for l := range k + 1 {
			var s float64
			for _, row := range a {
				s += row[k] * row[l]
			}
			s /= float64(len(a))
			if k == l {
				s += ridge
			}
			h.SetSym(k, l, s)
		}
	}
	return h
}

// boxBounds bounds G and sup F for f_i(w) = loss_i(a_i.w) + (ridge/2)|w|^2 by the
// triangle inequality. extreme returns bounds of |loss_i'| and loss_i over margins
// within radius of margin.
func boxBounds(a [][]float64, lo, hi, ridge float64, extreme func(i int, margin, radius float64) (slope, value float64)) (g, sup float64) {
	c, r := (lo+hi)/2, (hi-lo)/2
	far := math.Sqrt(float64(len(a[0]))) * max(math.Abs(lo), math.Abs(hi)) // sup |w|
	for i, row := range a {
		var sum, l1 float64
		for _, x := range row {
			sum += x
			l1 += math.Abs(x)
		}
		slope, value := extreme(i, c*sum, r*l1)
		t := norm(row)*slope + ridge*far
		g += t * t
		sup += value
	}
	m := float64(len(a))
	return math.Sqrt(g / m), sup/m + ridge*far*far/2
}

// Name identifies the problem in reports.
func (p *LeastSquares) Name() string { return p.name }

// Dim is d.
func (p *LeastSquares) Dim() int { return len(p.a[0]) }

// Box is W = [lo, hi]^d.
func (p *LeastSquares) Box() (lo, hi float64) { return p.lo, p.hi }

// Terms is m, the number of rows.
func (p *LeastSquares) Terms() int { return len(p.a) }

// Value is F(w).
func (p *LeastSquares) Value(w []float64) float64 {
	var s float64
	for i, row := range p.a {
		r := dot(row, w) - p.b[i]
		s += r * r
	}
	return s/(2*float64(len(p.a))) + p.ridge/2*dot(w, w)
}

// Gradient sets dst to the gradient of F at w.
func (p *LeastSquares) Gradient(dst, w []float64) {
	for k := range dst {
		dst[k] = p.ridge * w[k]
	}
	for i, row := range p.a {
		r := (dot(row, w) - p.b[i]) / float64(len(p.a))
		for k, x := range row {
			dst[k] += r * x
		}
	}
}

// TermGradient sets dst to the gradient of f_i at w.
func (p *LeastSquares) TermGradient(dst, w []float64, i int) {
	r := dot(p.a[i], w) - p.b[i]
	for k, x := range p.a[i] {
		dst[k] = r*x + p.ridge*w[k]
	}
}

// Constants are derived in the type's comment.
func (p *LeastSquares) Constants() Constants { return p.constants }

// Minimiser is w*, by projected Newton.
func (p *LeastSquares) Minimiser() []float64 { return p.minimiser }

// Hessian is A'A/m + ridge I.
func (p *LeastSquares) Hessian() [][]float64 { return p.rows }

func (p *LeastSquares) value(w []float64) float64              { return p.Value(w) }
func (p *LeastSquares) gradient(dst, w []float64)              { p.Gradient(dst, w) }
func (p *LeastSquares) hessian(dst *mat.SymDense, _ []float64) { dst.CopySym(p.h) }
