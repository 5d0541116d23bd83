package bounds

import "math"

var theorem6 = Claim{
	Name: "theorem6", Title: "Theorem 6", Algorithm: "SR (6) as a Markov chain, constant alpha",
	Bounds:      "the eps-mixing time M_eps(alpha), from below",
	Assumptions: []string{"Theorem 5's", "some state y has pi(y) + eps < 1"},
	Statement:   "infinity in the limit alpha -> 0, no rate",
	Proved:      map[Rounding]string{Stochastic: "log(1/(eps+pi(y)))/(-log(1-alpha*R(y)))"},
	Tight:       "The order 1/alpha: alpha*M_eps(alpha) tends to the mixing time of exp(tQ).",
	Source:      "Section 5.2; proof in Appendix G",
	Forms:       []Form{Derived}, Roundings: []Rounding{Stochastic},
}

// Theorem6 bounds the eps-mixing time of the SR chain from below: unlike the
// other results the measured value has to be at least the bound.
// It implements Theorem 6 (Section 5.2; proof in Appendix G).
//
// Assumptions: a state y with T_alpha(y,y) = 1 - alpha R(y), stationary mass pi(y)
// and pi(y) + eps < 1 (the paper: some set A not containing y with pi(A) > eps).
//
// Algorithm: SR (6) with constant alpha, a Markov chain.
//
// Statement: M_eps(alpha) is at least the formula of the claim above, ~ log(1/(eps+pi(y)))/(alpha R(y)) for small alpha.
//
// Range: eps > 0, pi(y) > 0, eps + pi(y) < 1, alpha > 0, R(y) > 0, alpha R(y) <= 1. For alpha R(y) = 1 the bound is 0 and says nothing.
//
// Proof. From y, P(x_n = y) >= (1-alpha R(y))^n: the chain may simply not have moved. (10)
// with A = {y} needs P(x_n = y) <= eps + pi(y). Take logarithms. As R(y) stays bounded and
// pi_alpha -> pi~ (Theorem 5), the right side grows like 1/alpha, which also turns the paper's
// argument by contradiction (it shows that M_eps is unbounded) into a limit.
//
// Tight: in the order 1/alpha.
//
// Value.Floor is 0 and Value.Decay is the bound, in steps.
func Theorem6(f Form, r Rounding, p Parameters) (Value, error) {
	k := theorem6.begin(f, r)
	k.positive("alpha", "the step size", p.Alpha)
	k.positive("eps", "accuracy of the mixing time", p.Epsilon)
	k.positive("pi(y)", "stationary mass of the start", p.Mass)
	k.positive("R(y)", "rate of leaving the start", p.Rate)
	if p.Epsilon+p.Mass >= 1 {
		k.failf("assumes pi(y) + eps < 1, not %v + %v", p.Mass, p.Epsilon)
	}
	leave := p.Alpha * p.Rate
	if leave > 1 {
		k.failf("alpha*R(y) is a probability, not %v", leave)
	}
	return k.value(func() parts {
		log := -math.Log(p.Epsilon + p.Mass)
		if leave < 1e-17 { // log(1-x) = -x to full precision, and x may be below the smallest float64
			return parts{ratio(factors{log}, factors{p.Alpha, p.Rate}), wide(0)}
		}
		if leave == 1 {
			return parts{wide(0), wide(0)}
		}
		return parts{ratio(factors{log}, factors{-math.Log1p(-leave)}), wide(0)}
	})
}
