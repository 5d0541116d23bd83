package markov

import (
	"errors"
	"math"
	"reflect"
	"testing"

	"github.com/leanovate/gopter"
	"github.com/leanovate/gopter/gen"
	"github.com/leanovate/gopter/prop"
)

// sample is an irreducible chain as gopter draws it: exponents of the rates, 0 for
// no rate except round the ring that keeps it irreducible.
type sample struct {
	n         int
	exponents []float64 // n*n, in [-200, 0]
}

func (s sample) chain() *Chain {
	var rates []Rate
	for x := range s.n {
		for y := range s.n {
			e := s.exponents[x*s.n+y]
			if x != y && (e > -150 || y == (x+1)%s.n) {
				rates = append(rates, Rate{x, y, math.Pow(10, e/10)})
			}
		}
	}
	return must(FromRates(s.n, rates, 0.5/float64(s.n)))
}

// samples draws 2 to 9 states; it shrinks by dropping the last state.
func samples() gopter.Gen {
	return func(p *gopter.GenParameters) *gopter.GenResult {
		n := 2 + int(p.Rng.Int31n(8))
		s := sample{n, make([]float64, n*n)}
		for i := range s.exponents {
			s.exponents[i] = -200 * p.Rng.Float64()
		}
		r := gopter.NewGenResult(s, func(v any) gopter.Shrink {
			s := v.(sample)
			return func() (any, bool) {
				if s.n <= 2 {
					return nil, false
				}
				t := sample{s.n - 1, nil}
				for x := range t.n {
					t.exponents = append(t.exponents, s.exponents[x*s.n:x*s.n+t.n]...)
				}
				s = t
				return t, true
			}
		})
		r.ResultType = reflect.TypeOf(s)
		return r
	}
}

// Invariants of every chain, and symmetries its answers must have.
func TestProperties(t *testing.T) {
	parameters := gopter.DefaultTestParametersWithSeed(20171204) // the year and month of NIPS 2017
	parameters.MinSuccessfulTests = 200
	p := gopter.NewProperties(parameters)

	p.Property("pi is a positive law with pi P = pi, entry by entry", prop.ForAll(func(s sample) bool {
		c := s.chain()
		pi := must(c.Stationary())
		next := c.Step(nil, pi)
		sum := 0.0
		for x, v := range pi {
			sum += v
			if !(v > 0) || math.Abs(next[x]/v-1) > 1e-12 {
				return false
			}
		}
		return math.Abs(sum-1) < 1e-14 && c.Residual(pi) < 1e-13
	}, samples()))

	p.Property("alpha and the unit of time change nothing in pi", prop.ForAll(func(s sample, e float64) bool {
		c := s.chain()
		a := must(must(c.WithAlpha(c.alpha * e)).Stationary())
		b := must(c.Stationary())
		for x := range a {
			if a[x] != b[x] {
				return false
			}
		}
		return true
	}, samples(), gen.Float64Range(1e-12, 1)))

	p.Property("numbering the states backwards reverses pi", prop.ForAll(func(s sample) bool {
		c := s.chain()
		var rates []Rate
		for x := range c.n {
			c.Moves(x, func(y int, r float64) { rates = append(rates, Rate{c.n - 1 - x, c.n - 1 - y, r}) })
		}
		a := must(c.Stationary())
		b := must(must(FromRates(c.n, rates, c.alpha)).Stationary())
		for x := range a {
			if math.Abs(a[x]/b[c.n-1-x]-1) > 1e-13 {
				return false
			}
		}
		return true
	}, samples()))

	p.Property("Kemeny's constant is the same from every start", prop.ForAll(func(s sample) bool {
		c := s.chain()
		pi := must(c.Stationary())
		want := must(c.Kemeny())
		from := make([]float64, c.n)
		for y := range c.n {
			for x, h := range must(c.HittingTimes(y)) {
				from[x] += pi[y] * h
			}
		}
		for _, k := range from {
			if math.Abs(k/want-1) > 1e-9 {
				return false
			}
		}
		return true
	}, samples()))

	p.Property("M is where the distance passes eps, and alpha M is within two steps of its value at alpha/2", prop.ForAll(func(s sample, eps float64) bool {
		c := s.chain()
		m, err := c.MixingTime(eps)
		if errors.Is(err, ErrTooSlow) {
			return must(c.ContinuousMixingTime(eps)).Scaled/c.alpha > 4e18
		}
		h := must(must(c.WithAlpha(c.alpha / 2)).MixingTime(eps))
		t := must(c.ContinuousMixingTime(eps))
		near := math.Abs(h.Scaled-t.Scaled) <= 2*c.alpha+0.2*t.Scaled
		return m.Distance <= eps && (m.Before > eps || m.Steps == 0) && near
	}, samples(), gen.Float64Range(0.01, 0.4)))

	p.Property("the relaxation time and the mixing time bound each other for reversible chains", prop.ForAll(func(s sample) bool {
		c := symmetrised(s)
		gap := must(c.Gap())
		pi := must(c.Stationary())
		m, err := c.MixingTime(0.25)
		if errors.Is(err, ErrTooSlow) {
			return gap < 1e-17
		}
		low := math.Inf(1)
		for _, v := range pi {
			low = min(low, v)
		}
		// Levin and Peres, Theorems 12.4 and 12.5.
		return float64(m.Steps) >= (1/gap-1)*math.Log(2)*(1-1e-9) && float64(m.Steps) <= math.Ceil(math.Log(4/low)/gap*(1+1e-9))
	}, samples()))

	p.TestingRun(t)
}

// symmetrised returns the reversible chain with flows q(x,y)+q(y,x).
func symmetrised(s sample) *Chain {
	c := s.chain()
	var rates []Rate
	for x := range c.n {
		for y := range c.n {
			if x != y && c.Rate(x, y)+c.Rate(y, x) > 0 {
				weight := math.Pow(2, float64(x%5))
				rates = append(rates, Rate{x, y, (c.Rate(x, y) + c.Rate(y, x)) / weight})
			}
		}
	}
	return must(FromRates(c.n, rates, 0.2/float64(c.n)))
}
