package evidence

import (
	"fmt"
	"math"
)

// Proportion is a confidence sequence for the success probability of
// independent Bernoulli trials.
//
// With S successes in n trials and the uniform mixture of likelihood ratios,
//
//	M_n(p) = B(S+1, n-S+1) / (p^S (1-p)^(n-S))
//
// is a nonnegative martingale at the true p with mean 1, hence
// C_n = {p : M_n(p) < 1/alpha} covers p for all n with probability at least
// 1 - alpha (Ville). B is the beta function. The interval is
// intersected over the moments at which Result was called.
//
// Source: Robbins (1970), Section 3 (the mixture of the binomial likelihood).
type Proportion struct {
	alpha        float64
	n, s         int
	lower, upper float64
}

// NewProportion panics unless alpha is in (0, 1).
func NewProportion(alpha float64) *Proportion {
	Support{0, 1}.check("NewProportion", alpha)
	return &Proportion{alpha: alpha, upper: 1}
}

// Add takes the outcome of the next trial, 0 or 1, and panics at anything else.
func (p *Proportion) Add(x float64) {
	if x != 0 && x != 1 {
		panic(fmt.Sprintf("evidence: Proportion.Add: outcome %v is neither 0 nor 1", x))
	}
	p.n++
	p.s += int(x)
}

// logMixture is log M_n(q).
func (p *Proportion) logMixture(q float64) float64 {
	s, f := float64(p.s), float64(p.n-p.s)
	a, _ := math.Lgamma(s + 1)
	b, _ := math.Lgamma(f + 1)
	c, _ := math.Lgamma(s + f + 2)
	log := a + b - c
	if s > 0 {
		log -= s * math.Log(q)
	}
	if f > 0 {
		log -= f * math.Log1p(-q)
	}
	return log
}

// Result is valid at every n at once.
func (p *Proportion) Result() Result {
	plug := plugin{n: p.n, sum: float64(p.s)}
	if p.n > 0 {
		// Lgamma's error grows like n log n ulps; a higher threshold only widens.
		rich := math.Log(1/p.alpha) + 1e-14*float64(p.n)*math.Log(float64(p.n)+2)
		hat := float64(p.s) / float64(p.n)
		refuted := func(q float64) bool { return p.logMixture(q) >= rich }
		p.lower = max(p.lower, boundary(0, hat, refuted))
		p.upper = min(p.upper, boundary(1, hat, refuted))
	}
	return Support{0, 1}.result(plug, p.lower, p.upper, p.alpha)
}
