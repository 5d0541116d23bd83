package markov

import (
	"context"
	"errors"
	"fmt"
	"math"
)

// SmallestEps is the smallest eps of a mixing time: distances below it are too
// close to the smallest float64 to be compared.
const SmallestEps = 1e-300

// smallEps is the eps below which mixing times are found from deviations: a
// distance that is the difference of P^n and pi would be lost in their rounding.
const smallEps = 1e-3

// mixedEnough is the distance from pi at which powers of P give way to deviations:
// large, so that the rounding of the powers is small beside the deviation, and
// below one half, from where on every squaring shrinks it.
const mixedEnough = 0.3

// ErrUndecided says that the error of the computed distances leaves more than one
// mixing time possible. The error's text names the range.
var ErrUndecided = errors.New("markov: the mixing time is undecided")

// deviation is D = P^n - 1 pi, whose powers are deviations again:
// (P^m - 1 pi)(P^n - 1 pi) = P^(m+n) - 1 pi. It keeps its digits however close to
// pi the chain has come. Errors are in the norm max_x sum_y |D(x,y)|, in which the
// norm of a product is at most the product of the norms.
type deviation struct {
	n      int
	d      []float64
	norm   float64
	proven float64 // bound on the error of d
	likely float64 // the same if errors of P^n do not double with n (power.complete)
}

// measured sets the norm.
func (v *deviation) measured() *deviation {
	v.norm = 0
	for x := range v.n {
		s := 0.0
		for _, e := range v.d[x*v.n : (x+1)*v.n] {
			s += math.Abs(e)
		}
		v.norm = max(v.norm, s)
	}
	return v
}

// distance returns max_x sum_y (pi(y) - P^n(x,y))+.
func (v *deviation) distance() float64 {
	worst := 0.0
	for x := range v.n {
		s := 0.0
		for _, e := range v.d[x*v.n : (x+1)*v.n] {
			s += max(0, -e)
		}
		worst = max(worst, s)
	}
	return worst
}

// rounding bounds the error of a product of n by n matrices with the given norms:
// n products and sums an entry, and what underflows.
func rounding(n int, a, b float64) float64 {
	return float64(n+2)*2*unit*a*b + float64(n)*float64(n)*0x1p-1074
}

// times returns the deviation at the sum of both times.
func (v *deviation) times(w *deviation) *deviation {
	r := &deviation{n: v.n, d: make([]float64, v.n*v.n)}
	gemm(v.n, v.n, v.n, panel{v.d, v.n}, panel{w.d, v.n}, panel{r.d, v.n})
	r.proven = v.proven*w.norm + v.norm*w.proven + v.proven*w.proven + rounding(v.n, v.norm, w.norm)
	r.likely = v.likely*w.norm + v.norm*w.likely + v.likely*w.likely + rounding(v.n, v.norm, w.norm)
	return r.measured()
}

// deviates returns P^n - 1 pi for a power of which the error is known.
func (a *power) deviates(pi []float64, piError, proven, likely float64) *deviation {
	v := &deviation{n: a.n, d: make([]float64, a.n*a.n), proven: proven + piError + 2*unit, likely: likely + piError + 2*unit}
	for x := range a.n {
		for y, p := range pi {
			v.d[x*a.n+y] = a.p[x*a.n+y] - p
		}
	}
	return v.measured()
}

// moved returns D P^n for a power that still matters as it is.
func (v *deviation) moved(a *power, proven, likely float64) *deviation {
	r := &deviation{n: v.n, d: make([]float64, v.n*v.n)}
	gemm(v.n, v.n, v.n, panel{v.d, v.n}, panel{a.p, v.n}, panel{r.d, v.n})
	r.proven = v.proven + v.norm*proven + rounding(v.n, v.norm, 1)
	r.likely = v.likely + v.norm*likely + rounding(v.n, v.norm, 1)
	return r.measured()
}

// smallMixing is power.mixing for eps below smallEps. Powers of two are squared as they are until the chain is within mixedEnough of
// pi, as deviations from then on.
func (a *power) smallMixing(ctx context.Context, law CertifiedLaw, eps float64, limit uint64) (Mixing, error) {
	m := Mixing{Eps: eps}
	pi, piError := law.Law, law.ErrorBound
	powers := []*power{a}
	proven, likely := []float64{4 * unit}, []float64{4 * unit}
	for powers[len(powers)-1].distance(pi) > mixedEnough {
		k := len(powers) - 1
		if uint64(1)<<k >= limit {
			return m, fmt.Errorf("%w: eps = %g, more than %d steps", ErrTooSlow, eps, limit)
		}
		if err := ctx.Err(); err != nil {
			return m, err
		}
		next := newPower(a.n)
		powers[k].times(powers[k], next)
		m.Products++
		powers = append(powers, next)
		proven = append(proven, 2*proven[k]+proven[k]*proven[k]+rounding(a.n, 1, 1)+4*unit)
		likely = append(likely, likely[k]+rounding(a.n, 1, 1)+4*unit)
	}
	last := len(powers) - 1
	var small []*deviation // small[i] is at 2^(last+i) steps
	small = append(small, powers[last].deviates(pi, piError, proven[last], likely[last]))
	for small[len(small)-1].distance() > eps {
		k := len(small) - 1
		if uint64(1)<<(last+k) >= limit {
			return m, fmt.Errorf("%w: eps = %g, more than %d steps", ErrTooSlow, eps, limit)
		}
		small = append(small, small[k].times(small[k]))
		m.Products++
	}
	s := smallSearch{eps: eps, likelyUpper: math.MaxUint64, provenUpper: math.MaxUint64}
	s.note(uint64(1)<<(last+len(small)-1), small[len(small)-1])
	var current *deviation
	n := uint64(0)
	for i := last + len(small) - 2; i >= 0; i-- {
		if err := ctx.Err(); err != nil {
			return m, err
		}
		var trial *deviation
		switch {
		case i >= last && current == nil:
			trial = small[i-last]
		case i >= last:
			trial = current.times(small[i-last])
		case current == nil:
			trial = powers[i].deviates(pi, piError, proven[i], likely[i])
		default:
			trial = current.moved(powers[i], proven[i], likely[i])
		}
		m.Products++
		if s.note(n+1<<i, trial) {
			current = trial
			n += 1 << i
		}
	}
	m.Steps, m.Distance, m.Before = n+1, s.after, s.before
	if current == nil {
		m.Before = a.start(pi)
	}
	m.Estimated = s.provenLower+1 != s.provenUpper
	return m, s.verdict(m.Steps)
}

// start returns the distance after no step, 1 - min pi.
func (a *power) start(pi []float64) float64 {
	least := 1.0
	for _, p := range pi {
		least = min(least, p)
	}
	return 1 - least
}

// smallSearch collects what the distances say about the mixing time.
type smallSearch struct {
	eps                      float64
	before, after            float64
	likelyLower, likelyUpper uint64 // M is above the one and at most the other
	provenLower, provenUpper uint64
}

// note reports whether the distance at n steps is above eps.
func (s *smallSearch) note(n uint64, v *deviation) bool {
	d := v.distance()
	above := d > s.eps
	if above {
		s.before = d
	} else {
		s.after = d
	}
	if d-v.likely > s.eps {
		s.likelyLower = max(s.likelyLower, n)
	}
	if d+v.likely <= s.eps {
		s.likelyUpper = min(s.likelyUpper, n)
	}
	if d-v.proven > s.eps {
		s.provenLower = max(s.provenLower, n)
	}
	if d+v.proven <= s.eps {
		s.provenUpper = min(s.provenUpper, n)
	}
	return above
}

// verdict is nil if M is proven, or if the likely errors leave one M, or a range
// that is narrower than the 12 digits which a slow chain's M has.
func (s *smallSearch) verdict(steps uint64) error {
	if s.provenLower+1 == s.provenUpper || s.likelyLower+1 == s.likelyUpper {
		return nil
	}
	if lo, hi := float64(s.likelyLower+1), float64(s.likelyUpper); hi-lo < 1e-9*lo && steps > 1e12 {
		return nil
	}
	return fmt.Errorf("%w: eps = %g is too small for the error of the computed distances, it lies between %d and %d steps", ErrUndecided, s.eps, s.likelyLower+1, s.likelyUpper)
}

// checkEps refuses what is no eps of a mixing time.
func checkEps(eps float64) error {
	if !(eps > 0 && eps < 1) {
		return fmt.Errorf("markov: eps is %g; want a number between 0 and 1", eps)
	}
	if eps < SmallestEps {
		return fmt.Errorf("markov: eps is %g; the smallest that distances can be compared with is %g", eps, float64(SmallestEps))
	}
	return nil
}
