package convex

import (
	"fmt"
	"math"

	"gonum.org/v1/gonum/mat"
)

// Logistic is ridge logistic regression: F(w) = (1/m) sum_i f_i(w) with
// f_i(w) = log(1 + exp(-y_i a_i.w)) + (ridge/2)|w|^2 and y_i in {-1, +1}.
//
// Constants, with s(z) = 1/(1+exp(-z)), H = A'A/m and z_i the largest |a_i.w| on W
// (at a vertex: |a_i.c| + r|a_i|_1):
//
//	L  = ridge + lambda_max(H)/4                  since s' <= 1/4
//	Mu = ridge + s'(max_i z_i) lambda_min(H)      since s' is even and falls with |z|
//	L2 = max_i |a_i|^3/(6 sqrt 3)                 since |s''| <= 1/(6 sqrt 3)
//	G^2 = (1/m) sum (|a_i| s(z_i) + ridge sup|w|)^2
//	Sup = (1/m) sum log(1 + exp(z_i)) + (ridge/2) sup|w|^2
//
// L2 holds for every f_i, as Section 4.2 assumes. |s”| = s(1-s)|1-2s| has its
// maximum 1/(6 sqrt 3) where s = 1/2 +- 1/(2 sqrt 3).
type Logistic struct {
	name      string
	a         [][]float64
	y         []float64
	ridge     float64
	lo, hi    float64
	constants Constants
	minimiser []float64
}

var _ Problem = (*Logistic)(nil)

// NewLogistic takes m rows of length d and m labels -1 or +1; it keeps the
// slices. It is an error in the cases of [NewLeastSquares], if a label is neither
// -1 nor +1, or if Mu = 0 (dependent columns and no ridge).
func NewLogistic(name string, a [][]float64, y []float64, ridge, lo, hi float64) (*Logistic, error) {
	d, err := checkData(name, a, y, ridge, lo, hi)
	if err != nil {
		return nil, err
	}
	for i, v := range y {
		if v != 1 && v != -1 {
			return nil, fmt.Errorf("convex: %s: label %d is %g: want -1 or +1", name, i+1, v)
		}
	}
	p := &Logistic{name: name, a: a, y: y, ridge: ridge, lo: lo, hi: hi}
	small, large := spectrum(secondMoments(a, d, 0))
	c := &p.constants
	var z float64
	for _, row := range a {
		n := norm(row)
		c.L2 = max(c.L2, n*n*n/(6*math.Sqrt(3)))
	}
	c.G, c.Sup = boxBounds(a, lo, hi, ridge, func(i int, margin, radius float64) (slope, value float64) {
		zi := math.Abs(margin) + radius
		z = max(z, zi)
		return sigmoid(zi), softplus(zi)
	})
	s := sigmoid(z)
	c.L = ridge + large/4
	c.Mu = ridge + s*(1-s)*max(small, 0)
	c.G *= 1 + 1e-13
	c.Sup *= 1 + 1e-13
	c.L2 *= 1 + 1e-13
	if !(c.Mu > 0) {
		return nil, fmt.Errorf("convex: %s: the columns are linearly dependent: give a ridge > 0", name)
	}
	if p.minimiser, err = minimise(p, d, lo, hi, c.Mu, 1e-12*c.Sup); err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	return p, nil
}

// sigmoid is 1/(1+exp(-z)), without overflow.
func sigmoid(z float64) float64 {
	if z >= 0 {
		return 1 / (1 + math.Exp(-z))
	}
	e := math.Exp(z)
	return e / (1 + e)
}

// softplus is log(1+exp(z)), without overflow.
func softplus(z float64) float64 {
	if z > 0 {
		return z + math.Log1p(math.Exp(-z))
	}
	return math.Log1p(math.Exp(z))
}

// Name identifies the problem in reports.
func (p *Logistic) Name() string { return p.name }

// Dim is d.
func (p *Logistic) Dim() int { return len(p.a[0]) }

// Box is W = [lo, hi]^d.
func (p *Logistic) Box() (lo, hi float64) { return p.lo, p.hi }

// Terms is m, the number of rows.
func (p *Logistic) Terms() int { return len(p.a) }

// Value is F(w).
func (p *Logistic) Value(w []float64) float64 {
	var s float64
	for i, row := range p.a {
		s += softplus(-p.y[i] * dot(row, w))
	}
	return s/float64(len(p.a)) + p.ridge/2*dot(w, w)
}

// Gradient sets dst to the gradient of F at w.
func (p *Logistic) Gradient(dst, w []float64) {
	for k := range dst {
		dst[k] = p.ridge * w[k]
	}
	for i, row := range p.a {
		r := -p.y[i] * sigmoid(-p.y[i]*dot(row, w)) / float64(len(p.a))
		for k, x := range row {
			dst[k] += r * x
		}
	}
}

// TermGradient sets dst to the gradient of f_i at w.
func (p *Logistic) TermGradient(dst, w []float64, i int) {
	r := -p.y[i] * sigmoid(-p.y[i]*dot(p.a[i], w))
	for k, x := range p.a[i] {
		dst[k] = r*x + p.ridge*w[k]
	}
}

// Constants are derived in the type's comment.
func (p *Logistic) Constants() Constants { return p.constants }

// Minimiser is w*, by projected Newton.
func (p *Logistic) Minimiser() []float64 { return p.minimiser }

func (p *Logistic) value(w []float64) float64 { return p.Value(w) }
func (p *Logistic) gradient(dst, w []float64) { p.Gradient(dst, w) }
func (p *Logistic) hessian(dst *mat.SymDense, w []float64) {
	d := p.Dim()
	for k := range d {
		for l := range k + 1 {
			dst.SetSym(k, l, 0)
		}
		dst.SetSym(k, k, p.ridge)
	}
	for _, row := range p.a {
		s := sigmoid(dot(row, w))
		f := s * (1 - s) / float64(len(p.a))
		for k := range d {
			for l := range k + 1 {
				dst.SetSym(k, l, dst.At(k, l)+f*row[k]*row[l])
			}
		}
	}
}
