package markov

import (
	"fmt"
	"math"
	"slices"
	"sort"

	"gonum.org/v1/gonum/integrate/quad"
)

// Law is the law of one coordinate g_k of the stochastic gradient at one point.
// All that SR needs of it are partial expectations.
type Law interface {
	// Excess returns E[(g-a)+].
	Excess(a float64) float64
	// Shortfall returns E[(a-g)+].
	Shortfall(a float64) float64
	// Tent returns E[(1 - |g-c|/h)+], h > 0, with a small relative error: the
	// probability that stochastic rounding to a grid with step h takes g to c.
	Tent(c, h float64) float64
	// TailConstant returns a C1 with P(g > v) <= C1/v^2 and P(g < -v) <= C1/v^2
	// for all v > 0, the assumption of Theorem 5, or +Inf if there is none.
	TailConstant() float64
	// CDF returns P(g <= a).
	CDF(a float64) float64
}

var (
	_ Law = Discrete{}
	_ Law = Gaussian{}
	_ Law = Uniform{}
	_ Law = Laplace{}
	_ Law = Lomax{}
	_ Law = Density{}
)

// Discrete is a law on finitely many values. Make it with NewDiscrete.
type Discrete struct {
	value, prob []float64 // increasing values, probabilities that sum to one
}

// NewDiscrete returns the law with P(g = value[i]) proportional to weight[i]. It
// is an error if lengths differ, a value is not finite, a weight is negative or
// not finite, or all weights are zero.
func NewDiscrete(value, weight []float64) (Discrete, error) {
	if len(value) != len(weight) {
		return Discrete{}, fmt.Errorf("markov: %d values and %d weights", len(value), len(weight))
	}
	sum := 0.0
	for i, w := range weight {
		if math.IsNaN(value[i]) || math.IsInf(value[i], 0) {
			return Discrete{}, fmt.Errorf("markov: value %d of a law is %g; want a finite number", i, value[i])
		}
		if !(w >= 0) || math.IsInf(w, 1) {
			return Discrete{}, fmt.Errorf("markov: weight %d of a law is %g; want a finite number >= 0", i, w)
		}
		sum += w
	}
	if !(sum > 0) || math.IsInf(sum, 1) {
		return Discrete{}, fmt.Errorf("markov: the weights of a law sum to %g", sum)
	}
	order := make([]int, len(value))
	for i := range order {
		order[i] = i
	}
	slices.SortStableFunc(order, func(i, j int) int {
		switch {
		case value[i] < value[j]:
			return -1
		case value[i] > value[j]:
			return 1
		}
		return 0
	})
	d := Discrete{make([]float64, len(value)), make([]float64, len(value))}
	for k, i := range order {
		d.value[k], d.prob[k] = value[i], weight[i]/sum
	}
	return d, nil
}

// Point returns the law of a gradient without noise.
func Point(g float64) Discrete { return Discrete{[]float64{g}, []float64{1}} }

// Excess returns the sum of p_i (v_i - a)+.
func (d Discrete) Excess(a float64) float64 {
	s := 0.0
	for i := sort.SearchFloat64s(d.value, a); i < len(d.value); i++ {
		s += d.prob[i] * (d.value[i] - a)
	}
	return s
}

// Shortfall returns the sum of p_i (a - v_i)+.
func (d Discrete) Shortfall(a float64) float64 {
	s := 0.0
	for i := 0; i < len(d.value) && d.value[i] < a; i++ {
		s += d.prob[i] * (a - d.value[i])
	}
	return s
}

// Tent returns the sum of p_i (1 - |v_i-c|/h)+.
func (d Discrete) Tent(c, h float64) float64 {
	s := 0.0
	for i := sort.SearchFloat64s(d.value, c-h); i < len(d.value) && d.value[i] < c+h; i++ {
		// The distance to the nearer foot, not one minus the distance to c: a
		// gradient just inside the foot keeps its relative accuracy.
		if d.value[i] < c {
			s += d.prob[i] * ((d.value[i] - (c - h)) / h)
		} else {
			s += d.prob[i] * ((c + h - d.value[i]) / h)
		}
	}
	return s
}

// TailConstant returns E g^2 (Markov's inequality).
func (d Discrete) TailConstant() float64 {
	s := 0.0
	for i, v := range d.value {
		s += d.prob[i] * v * v
	}
	return s
}

// CDF returns the sum of p_i over v_i <= a.
func (d Discrete) CDF(a float64) float64 {
	s := 0.0
	for i := 0; i < len(d.value) && d.value[i] <= a; i++ {
		s += d.prob[i]
	}
	return s
}

// Gaussian is the normal law with the given mean and standard deviation Sigma > 0.
type Gaussian struct{ Mean, Sigma float64 }

// Excess returns Sigma*(phi(z) - z*Phi(-z)), z = (a-Mean)/Sigma.
func (g Gaussian) Excess(a float64) float64 { return g.Sigma * normalLoss((a-g.Mean)/g.Sigma) }

// Shortfall returns Excess of the mirrored law.
func (g Gaussian) Shortfall(a float64) float64 { return g.Sigma * normalLoss((g.Mean-a)/g.Sigma) }

// Tent is the second difference of Excess where that does not cancel, and
// quadrature of the density over the tent where the tent is narrow.
func (g Gaussian) Tent(c, h float64) float64 {
	return tent(g, func(x float64) float64 {
		z := (x - g.Mean) / g.Sigma
		return math.Exp(-z*z/2) / (g.Sigma * math.Sqrt(2*math.Pi))
	}, c, h, g.Mean, g.Sigma/max(1, math.Abs(c-g.Mean)/g.Sigma))
}

// TailConstant returns E g^2 (Markov's inequality).
func (g Gaussian) TailConstant() float64 { return g.Mean*g.Mean + g.Sigma*g.Sigma }

// CDF returns Phi((a-Mean)/Sigma).
func (g Gaussian) CDF(a float64) float64 { return math.Erfc((g.Mean-a)/(g.Sigma*math.Sqrt2)) / 2 }

// normalLoss returns E[(X-z)+] for a standard normal X.
func normalLoss(z float64) float64 {
	phi := math.Exp(-z*z/2) / math.Sqrt(2*math.Pi)
	if z < 2 {
		return phi - z*math.Erfc(z/math.Sqrt2)/2
	}
	// With Mills' ratio R = 1/(z + k), k = 1/(z + 2/(z + 3/(z + ...))) (Laplace's
	// continued fraction), phi*(1 - z*R) = phi*k*R has no cancellation.
	k := z
	for i := 120; i >= 2; i-- {
		k = z + float64(i)/k
	}
	k = 1 / k
	return phi * k / (z + k)
}

// Uniform is the uniform law on [Lo, Hi], Lo < Hi.
type Uniform struct{ Lo, Hi float64 }

// Excess returns the integral of (x-a)+ over the interval, divided by its length.
func (u Uniform) Excess(a float64) float64 {
	lo := max(a, u.Lo)
	if lo >= u.Hi {
		return 0
	}
	return (u.Hi - lo) * ((lo - a) + (u.Hi - a)) / (2 * (u.Hi - u.Lo))
}

// Shortfall returns the integral of (a-x)+ over the interval, divided by its length.
func (u Uniform) Shortfall(a float64) float64 { return Uniform{-u.Hi, -u.Lo}.Excess(-a) }

// Tent integrates the two sides of the tent over what lies in [Lo, Hi].
func (u Uniform) Tent(c, h float64) float64 {
	s := 0.0
	if lo, hi := max(u.Lo, c-h), min(u.Hi, c); lo < hi {
		s += (hi - lo) * ((lo - (c - h)) + (hi - (c - h)))
	}
	if lo, hi := max(u.Lo, c), min(u.Hi, c+h); lo < hi {
		s += (hi - lo) * ((c + h - lo) + (c + h - hi))
	}
	return s / (2 * h * (u.Hi - u.Lo))
}

// TailConstant returns E g^2 (Markov's inequality).
func (u Uniform) TailConstant() float64 { return (u.Lo*u.Lo + u.Lo*u.Hi + u.Hi*u.Hi) / 3 }

// CDF returns the part of the interval below a.
func (u Uniform) CDF(a float64) float64 { return min(1, max(0, (a-u.Lo)/(u.Hi-u.Lo))) }

// Laplace has density exp(-|x-Mean|/Scale)/(2 Scale), Scale > 0.
type Laplace struct{ Mean, Scale float64 }

// Excess is (Scale/2) exp(-z), z = (a-Mean)/Scale, for a above the mean.
func (l Laplace) Excess(a float64) float64 {
	z := (a - l.Mean) / l.Scale
	e := l.Scale / 2 * math.Exp(-math.Abs(z))
	if z < 0 {
		return e + (l.Mean - a)
	}
	return e
}

// Shortfall returns Excess of the mirrored law.
func (l Laplace) Shortfall(a float64) float64 { return Laplace{-l.Mean, l.Scale}.Excess(-a) }

// Tent returns 2 (Scale/h) exp(-|c-Mean|/Scale) sinh(h/(2 Scale))^2 for a tent on
// one side of the mean.
func (l Laplace) Tent(c, h float64) float64 {
	d := math.Abs(c - l.Mean)
	if d >= h && h < 100*l.Scale {
		s := math.Sinh(h / (2 * l.Scale))
		return 2 * l.Scale / h * math.Exp(-d/l.Scale) * s * s
	}
	return tent(l, func(x float64) float64 {
		return math.Exp(-math.Abs(x-l.Mean)/l.Scale) / (2 * l.Scale)
	}, c, h, l.Mean, l.Scale)
}

// TailConstant returns E g^2 (Markov's inequality).
func (l Laplace) TailConstant() float64 { return l.Mean*l.Mean + 2*l.Scale*l.Scale }

// CDF returns exp(z)/2 below the mean, 1 - exp(-z)/2 above.
func (l Laplace) CDF(a float64) float64 {
	z := (a - l.Mean) / l.Scale
	if z < 0 {
		return math.Exp(z) / 2
	}
	return 1 - math.Exp(-z)/2
}

// Lomax is the two-sided Pareto law P(|g-Mean| > v) = (1 + v/Scale)^-Index, Index
// > 1. Index = 2 is the edge of Theorem 5's assumption: the tail is of order
// 1/v^2 and the variance infinite. Below 2 the assumption fails.
type Lomax struct{ Mean, Scale, Index float64 }

// Excess is Scale (1+z)^(1-Index) / (2 (Index-1)), z = (a-Mean)/Scale, for a above the mean.
func (l Lomax) Excess(a float64) float64 {
	z := (a - l.Mean) / l.Scale
	e := l.Scale * math.Exp((1-l.Index)*math.Log1p(math.Abs(z))) / (2 * (l.Index - 1))
	if z < 0 {
		return e + (l.Mean - a)
	}
	return e
}

// Shortfall returns Excess of the mirrored law.
func (l Lomax) Shortfall(a float64) float64 { return Lomax{-l.Mean, l.Scale, l.Index}.Excess(-a) }

// Tent is the second difference of Excess, or quadrature for a narrow tent.
func (l Lomax) Tent(c, h float64) float64 {
	return tent(l, func(x float64) float64 {
		z := math.Abs(x-l.Mean) / l.Scale
		return l.Index / (2 * l.Scale) * math.Exp(-(l.Index+1)*math.Log1p(z))
	}, c, h, l.Mean, l.Scale+math.Abs(c-l.Mean))
}

// TailConstant returns (|Mean|+Scale)^2 for Index >= 2, +Inf below.
func (l Lomax) TailConstant() float64 {
	if l.Index < 2 {
		return math.Inf(1)
	}
	// For v <= |Mean|+Scale the bound is trivial. Beyond it v^2 P(g > v) is at most
	// (1/2) (v Scale/(v-|Mean|+Scale))^2, monotone in v between (|Mean|+Scale)^2/8
	// and Scale^2/2.
	m := math.Abs(l.Mean) + l.Scale
	return m * m
}

// CDF returns one minus half the tail above the mean, half the tail below.
func (l Lomax) CDF(a float64) float64 {
	z := (a - l.Mean) / l.Scale
	tail := math.Exp(-l.Index*math.Log1p(math.Abs(z))) / 2
	if z < 0 {
		return tail
	}
	return 1 - tail
}

// Density is a law given by its density on [Lo, Hi] (both finite), for which no
// closed form is known: partial expectations come from composite Gauss-Legendre
// quadrature on Panels panels of 16 points (0 means 64). PDF must be smooth
// inside the panels for the result to be right; it is normalised here.
type Density struct {
	PDF    func(float64) float64
	Lo, Hi float64
	Panels int
}

func (d Density) integrate(f func(float64) float64, a, b float64) float64 {
	a, b = max(a, d.Lo), min(b, d.Hi)
	if a >= b {
		return 0
	}
	panels := d.Panels
	if panels == 0 {
		panels = 64
	}
	s := 0.0
	for i := range panels {
		lo := a + (b-a)*float64(i)/float64(panels)
		hi := a + (b-a)*float64(i+1)/float64(panels)
		s += gauss16.integrate(f, lo, hi)
	}
	return s
}

func (d Density) mass() float64 { return d.integrate(d.PDF, d.Lo, d.Hi) }

// Excess integrates (x-a)+ against the density.
func (d Density) Excess(a float64) float64 {
	return d.integrate(func(x float64) float64 { return (x - a) * d.PDF(x) }, a, d.Hi) / d.mass()
}

// Shortfall integrates (a-x)+ against the density.
func (d Density) Shortfall(a float64) float64 {
	return d.integrate(func(x float64) float64 { return (a - x) * d.PDF(x) }, d.Lo, a) / d.mass()
}

// Tent integrates the tent against the density, side by side.
func (d Density) Tent(c, h float64) float64 {
	up := d.integrate(func(x float64) float64 { return (x - (c - h)) / h * d.PDF(x) }, c-h, c)
	down := d.integrate(func(x float64) float64 { return (c + h - x) / h * d.PDF(x) }, c, c+h)
	return (up + down) / d.mass()
}

// TailConstant returns max(|Lo|, |Hi|)^2: beyond, there is no tail.
func (d Density) TailConstant() float64 {
	m := max(math.Abs(d.Lo), math.Abs(d.Hi))
	return m * m
}

// CDF integrates the density up to a.
func (d Density) CDF(a float64) float64 { return d.integrate(d.PDF, d.Lo, a) / d.mass() }

// rule is a Gauss-Legendre rule on [-1, 1].
type rule struct{ x, w []float64 }

var gauss12, gauss16 = newRule(12), newRule(16)

func newRule(n int) rule {
	r := rule{make([]float64, n), make([]float64, n)}
	quad.Legendre{}.FixedLocations(r.x, r.w, -1, 1)
	return r
}

func (r rule) integrate(f func(float64) float64, lo, hi float64) float64 {
	mid, half := (lo+hi)/2, (hi-lo)/2
	s := 0.0
	for i, x := range r.x {
		s += r.w[i] * f(mid+half*x)
	}
	return s * half
}

// tent integrates the tent function against pdf. scale is a length over which
// log pdf changes by about one near c; kink is the only point where pdf may not
// be smooth.
func tent(l Law, pdf func(float64) float64, c, h, kink, scale float64) float64 {
	if h > 0.5*scale {
		// The second difference of the excess loses a factor of about (scale/h)^2
		// of the last place; taken from the side where the excess is small.
		var a, b, d float64
		if c >= kink {
			a, b, d = l.Excess(c-h), l.Excess(c), l.Excess(c+h)
		} else {
			a, b, d = l.Shortfall(c+h), l.Shortfall(c), l.Shortfall(c-h)
		}
		return max(0, ((a-b)-(b-d))/h)
	}
	s := 0.0
	side := func(lo, hi float64, weight func(float64) float64) {
		f := func(x float64) float64 { return weight(x) * pdf(x) }
		if lo < kink && kink < hi {
			s += gauss12.integrate(f, lo, kink)
			lo = kink
		}
		s += gauss12.integrate(f, lo, hi)
	}
	side(c-h, c, func(x float64) float64 { return (x - (c - h)) / h })
	side(c, c+h, func(x float64) float64 { return (c + h - x) / h })
	return s
}
