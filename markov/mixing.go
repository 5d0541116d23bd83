package markov

import (
	"context"
	"fmt"
	"math"
)

// Mixing is the eps-mixing time of a chain and the distances that prove it.
type Mixing struct {
	Eps    float64
	Steps  uint64  // M_eps: the smallest n with Distance(n) <= eps
	Scaled float64 // alpha * M_eps; for a chain in continuous time, t_eps
	// Distance(n) = max_x max_A |P^n(x, A) - pi(A)| at n = Steps and Steps-1.
	Distance, Before float64
	Products         int // matrix products it took
	// Estimated says that Steps rests on the error that the distances are likely to
	// have: the bound on it leaves more than one integer. It concerns eps below 1e-3; of
	// larger eps the error is some 1e-14 of the distance, which is not proven either.
	Estimated bool
}

// mixingLimit keeps the some 60 dense powers within 2 GiB.
const mixingLimit = 2048

// maxSteps is the largest mixing time that is searched for: beyond, steps no longer
// fit into a uint64.
const maxSteps = 1 << 62

// MixingTime returns M_eps of equation (10), 0 < eps < 1: the smallest n such that
// |P^n(x, A) - pi(A)| <= eps for every start x and every set A. The maximum over A
// is the total variation distance sum_y (pi(y) - P^n(x,y))+.
//
// Doubling finds a power of two that is enough, bisection the smallest n; the
// distance does not increase with n. Carried is E_n = P^n - I by its
// off-diagonal entries, which stay right to a few units in their last place; its
// diagonal is minus their sum. (E_2n = 2E_n + E_n^2 is computed as P^n P^n with
// the diagonal put right afterwards: the same matrix without a cancellation.)
//
// Steps is the exact integer while it is below about 1e13; the distances carry a
// relative error of some 1e-14, so that of a larger M the leading 13 digits count.
// Below eps = 1e-3 the powers of P - 1 pi are carried instead (deviation), with a
// bound on their error that decides the integer, down to SmallestEps.
//
// It is ErrReducible or ErrPeriodic if the chain does not converge, ErrUndecided if
// the error of the distances leaves more than one integer, and an error for more
// than 2048 states: see MixingBounds.
func (c *Chain) MixingTime(eps float64) (Mixing, error) {
	return c.mixingTime(context.Background(), eps)
}

func (c *Chain) mixingTime(ctx context.Context, eps float64) (Mixing, error) {
	if err := c.mixes(eps); err != nil {
		return Mixing{}, err
	}
	for _, class := range c.Classes() {
		if class.Closed && class.Period != 1 {
			return Mixing{}, fmt.Errorf("%w: period %d", ErrPeriodic, class.Period)
		}
	}
	law, err := c.Certified(ctx)
	if err != nil {
		return Mixing{}, err
	}
	m, err := c.power().mixing(ctx, law, eps, maxSteps)
	m.Scaled = c.alpha * float64(m.Steps)
	return m, err
}

// timeBits is the resolution of ContinuousMixingTime: t_eps is found as a
// whole number, above 2^(timeBits-1), of small steps.
const timeBits = 44

// ContinuousMixingTime returns t_eps, the smallest t for which exp(tQ) is within
// eps of pi in the sense of equation (10), in the field Scaled and to a relative
// error of about 1e-12. It does not depend on Alpha. By Theorem 6 sharpened,
// alpha*M_eps(T~_alpha) tends to it. Steps counts the small steps of the search.
func (c *Chain) ContinuousMixingTime(eps float64) (Mixing, error) {
	if err := c.mixes(eps); err != nil {
		return Mixing{}, err
	}
	law, err := c.Certified(context.Background())
	if err != nil {
		return Mixing{}, err
	}
	// A power of two over the largest exit rate, so that the scale of the rates
	// does not matter.
	tau := math.Ldexp(1/maxOf(c.exit), -20)
	coarse, err := c.exponential(tau).doubling(law, eps)
	if err != nil {
		return Mixing{}, err
	}
	var fine *power
	if coarse <= timeBits {
		tau = math.Ldexp(tau, coarse-timeBits)
		fine = c.exponential(tau)
	} else {
		fine = c.exponential(tau)
		for range coarse - timeBits {
			next := newPower(c.n)
			fine.times(fine, next)
			fine = next
			tau *= 2
		}
	}
	m, err := fine.mixing(context.Background(), law, eps, maxSteps)
	m.Scaled = tau * float64(m.Steps)
	return m, err
}

// exponential returns exp(tau Q) for tau at most 2^-20 over the largest exit rate
// by its Taylor polynomial of degree 3: what is left out is below 2^-60 of the
// rates.
func (c *Chain) exponential(tau float64) *power {
	n := c.n
	q := c.denseRates()
	for x := range n {
		q[x*n+x] = -c.exit[x]
	}
	q2, q3 := make([]float64, n*n), make([]float64, n*n)
	for i := range q {
		q[i] *= tau
	}
	gemm(n, n, n, panel{q, n}, panel{q, n}, panel{q2, n})
	gemm(n, n, n, panel{q2, n}, panel{q, n}, panel{q3, n})
	a := newPower(n)
	for i := range q {
		a.p[i] = max(0, q[i]+q2[i]/2+q3[i]/6)
	}
	for x := range n {
		a.p[x*n+x] = 0 // complete puts it to one minus the rest
	}
	a.complete()
	return a
}

// doubling returns the smallest k with distance(a^(2^k)) <= eps.
func (a *power) doubling(law CertifiedLaw, eps float64) (int, error) {
	current, next := a, newPower(a.n)
	for k := range 1100 {
		if current.distance(law.Law) <= max(eps, mixedEnough) {
			v := current.deviates(law.Law, law.ErrorBound, 0, 0)
			for v.distance() > eps {
				v = v.times(v)
				k++
			}
			return k, nil
		}
		current.times(current, next)
		if current == a {
			current = newPower(a.n)
		}
		current, next = next, current
	}
	return 0, fmt.Errorf("markov: no convergence in 2^1100 steps")
}

func (c *Chain) mixes(eps float64) error {
	if err := checkEps(eps); err != nil {
		return err
	}
	if c.n > mixingLimit {
		return fmt.Errorf("markov: the exact mixing time of %d states needs some 60 dense matrices; %d states is the limit, MixingBounds has none", c.n, mixingLimit)
	}
	_, err := c.closed()
	return err
}

func maxOf(x []float64) float64 {
	m := math.Inf(-1)
	for _, v := range x {
		m = max(m, v)
	}
	return m
}

// power is P^k as a dense matrix with accurate off-diagonal entries and rows that
// sum to one by construction.
type power struct {
	n int
	p []float64
}

func newPower(n int) *power { return &power{n, make([]float64, n*n)} }

// complete puts the rows right: the diagonal becomes one minus the rest where
// the rest is small, and the whole row is scaled where it is not. Without it
// the rounding of the diagonal, 1e-16 a step, would grow with the number of
// steps to 1e-4 at alpha = 1e-12.
func (a *power) complete() {
	parallel(a.n, a.n > 200, func(lo, hi int) {
		for x := lo; x < hi; x++ {
			row := a.p[x*a.n : (x+1)*a.n]
			off := 0.0
			for y, v := range row {
				if y != x {
					off += v
				}
			}
			if off <= 0.5 {
				row[x] = 1 - off
				continue
			}
			scale := 1 / (off + row[x])
			for y := range row {
				row[y] *= scale
			}
		}
	})
}

// times sets dst to a*b.
func (a *power) times(b, dst *power) {
	clear(dst.p)
	gemm(a.n, a.n, a.n, panel{a.p, a.n}, panel{b.p, a.n}, panel{dst.p, a.n})
	dst.complete()
}

// distance returns max_x sum_y (pi(y) - P(x,y))+.
func (a *power) distance(pi []float64) float64 {
	d := 0.0
	for x := range a.n {
		row := a.p[x*a.n : (x+1)*a.n][:len(pi)]
		s := 0.0
		for y, v := range pi {
			if v > row[y] {
				s += v - row[y]
			}
		}
		d = max(d, s)
	}
	return d
}

// mixing finds the smallest k with distance(a^k) <= eps.
func (a *power) mixing(ctx context.Context, law CertifiedLaw, eps float64, limit uint64) (Mixing, error) {
	pi := law.Law
	if eps < smallEps {
		return a.smallMixing(ctx, law, eps, limit)
	}
	m := Mixing{Eps: eps}
	identity := newPower(a.n)
	for x := range a.n {
		identity.p[x*a.n+x] = 1
	}
	if d := identity.distance(pi); d <= eps {
		m.Distance, m.Before = d, math.NaN()
		return m, nil
	}
	powers := []*power{a}
	steps := uint64(1)
	for powers[len(powers)-1].distance(pi) > eps {
		if steps >= limit {
			return m, fmt.Errorf("%w: eps = %g, more than %d steps", ErrTooSlow, eps, limit)
		}
		if err := ctx.Err(); err != nil {
			return m, err
		}
		next := newPower(a.n)
		last := powers[len(powers)-1]
		last.times(last, next)
		m.Products++
		powers = append(powers, next)
		steps *= 2
	}
	// Invariant: distance(current) > eps at n steps, and at n + 2^(i+1) it is not.
	current, trial := identity, newPower(a.n)
	n, before := uint64(0), identity.distance(pi)
	after := powers[len(powers)-1].distance(pi)
	spare := newPower(a.n)
	for i := len(powers) - 2; i >= 0; i-- {
		if err := ctx.Err(); err != nil {
			return m, err
		}
		if n == 0 {
			copy(trial.p, powers[i].p)
		} else {
			current.times(powers[i], trial)
			m.Products++
		}
		if d := trial.distance(pi); d > eps {
			if n == 0 {
				current = spare
			}
			current, trial = trial, current
			n += 1 << i
			before = d
		} else {
			after = d
		}
	}
	m.Steps, m.Distance, m.Before = n+1, after, before
	return m, nil
}
