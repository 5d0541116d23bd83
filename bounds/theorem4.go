package bounds

import "math"

const theorem4Title = "Theorem 4"

var theorem4 = Claim{
	Name: "theorem4", Title: theorem4Title, Algorithm: "BC (7), alpha_t = 1/(mu*(t+1))",
	Bounds:      "E[F(wbar_T) - F*] of the real-valued weights w_r",
	Assumptions: []string{"F is mu-strongly convex", "the Hessian is L2-Lipschitz", "W has diameter D", "E|g|^2 <= G^2 at grid points", "w^1 on the grid"},
	Statement:   "(1+log(T+1))*G^2/(2*mu*T) + D*L2*sqrt(d)*Delta/2",
	Proved: map[Rounding]string{
		Stochastic: "(1+log(T+1))*G^2/(2*mu*T) + D*L2*d*Delta^2/8",
		Nearest:    "(1+log(T+1))*G^2/(2*mu*T) + L*D*sqrt(d)*Delta/2"},
	Improved: map[Rounding]string{
		Stochastic: "((mu/2)*min(G/mu,D)^2 + (H_{T+1}-1)*G^2/(2*mu))/T + min(D*L2, L-mu)*d*Delta^2/8",
		Nearest: "the smallest of A + L*D*sqrt(d)*Delta/2, (1+sqrt(mu/L))*A + (sqrt(L)+sqrt(mu))^2*d*Delta^2/8 and A + A' + L*d*Delta^2/4, A the decay of the stochastic form, " +
			"A' = (H_T*(mu/2)*min(G/mu,D)^2 + sum_{k=2..T} (H_k-1)/k*G^2/(2*mu))/T"},
	Tight:  "Q_d: the sharp floor within a factor of 2 (F''=L around w* next to a grid point: the gap of the threshold is L*Delta^2/8). Q_s: the sharp floor within a factor of phi^5/4 = 2.78, phi the golden ratio, as mu/L -> 0 (F'' jumps from L to mu at phi^-2*Delta in the cell, w* at phi^-3*Delta).",
	Source: "Section 4.2; proof in Appendix E",
	Forms:  []Form{Printed, Derived, Sharp}, Roundings: []Rounding{Stochastic, Nearest},
	Bound: Theorem4,
}

// Theorem4 bounds the gap of BinaryConnect on a strongly convex objective.
// It implements Theorem 4 (Section 4.2; proof in Appendix E).
//
// Assumptions: F mu-strongly convex, Hessian L2-Lipschitz (for Q_d: grad F
// L-Lipschitz), W of diameter D, E|g|^2 <= G^2 at the grid points, w^1 on the grid.
//
// Algorithm: BC (7) with alpha_t = 1/(mu(t+1)).
//
// Statement: E[F(wbar_T) - F*] <= A_0 + floor, A_0 = (1+log(T+1)) G^2/(2 mu T), with floor
//
//	printed       D L2 sqrt(d) Delta/2                   for both; false, see docs/errata.md
//	derived, Q_s  D L2 d Delta^2/8
//	derived, Q_d  L D sqrt(d) Delta/2
//	sharp, Q_s    min(D L2, L-mu) d Delta^2/8            with decay A
//	sharp, Q_d    L D sqrt(d) Delta/2                    with decay A, or
//	              (sqrt L + sqrt mu)^2 d Delta^2/8       with decay (1+sqrt(mu/L)) A, or
//	              L d Delta^2/4                          with decay A + A'
//
// A = ((mu/2) min(G/mu, D)^2 + (H_{T+1}-1) G^2/(2 mu))/T <= A_0 and
// A' = (H_T (mu/2) min(G/mu, D)^2 + sum_{k=2..T} (H_k-1)/k G^2/(2 mu))/T, of order log(T)^2/T. The sharp forms take
// the smallest of what the known constants allow.
//
// Proof, derived. Taylor: grad F(w+r) = grad F(w) + Hess F(w) r + rhat, |rhat| <= (L2/2)|r|^2.
// For Q_s, E r = 0 and E|r|^2 <= d Delta^2/4, so the rounding costs at most
// D (L2/2) d Delta^2/4 per step. (The paper writes |r| for |r|^2 here.) For Q_d, E r = 0
// fails; |grad F(w+r) - grad F(w)| <= L sqrt(d) Delta/2 is what remains.
//
// Proof, sharp. Let K = F - (mu/2)|w-w*|^2, convex and (L-mu)-smooth. Theorem 3's
// argument on K, and grad F(q) = grad K(q) + mu(q-w*), q = w+r, give
//
//	<w-w*, grad F(q)> >= F(w) - F* + (mu/2)|w-w*|^2 - ((L-mu)/2)|r|^2 + mu<w-w*, r>.
//
// For Q_s the last term has mean zero: floor (L-mu) d Delta^2/8. For Q_d it is at least
// -(theta mu/2)|w-w*|^2 - (mu/(2 theta))|r|^2. Telescoping then leaves theta (mu/2) sum |w^t-w*|^2
// <= theta sum (F(w^t)-F*) on the right, so (1-theta)(1/T) sum (F(w^t)-F*) <=
// A + (L-mu+mu/theta) d Delta^2/8; theta = 1/(1+sqrt(L/mu)) makes the floor smallest.
//
// The last floor for Q_d, with y_t = (mu/2) E|w^t-w*|^2 and B = L d Delta^2/8: Theorem 3's argument alone, <w-w*, grad F(q)> >= F(w) - F* - (L/2)|r|^2, and
// the same telescoping without the strong convexity of F leave
//
//	sum_{t<=T} E[F(w^t)-F*] <= T (A_T + B) + sum_{t<=T} y_t - (T+1) y_{T+1}.
//
// Since y_t <= E[F(w^t)-F*], the last iterate has y_{T+1} <= T/(T+1) (A_T + B) for every T. Put into the same line, sum_{t<=T} y_t is at
// most y_1 + sum_{s<T} s/(s+1) (A_s + B) <= T (A' + B).
//
// Tight: for Q_d the sharp floor is within a factor of 2 of the truth for all mu <= L (w* next to a grid point and second derivative L from there to the
// threshold, where BC settles: the gap there is L Delta^2/8; d copies give d times that). For Q_s
// within a factor of phi^5/4 = 2.78, phi = (1+sqrt 5)/2, as mu/L -> 0: d cells in which the second derivative jumps from L to mu at phi^-2 Delta,
// with w* at phi^-3 Delta, where BC ends with a gap of phi^-5 L d Delta^2/2 (convex.WorstKink).
func Theorem4(f Form, r Rounding, p Parameters) (Value, error) {
	k := check{title: theorem4Title}
	k.form(f, []Form{Printed, Derived, Sharp}, r, []Rounding{Stochastic, Nearest})
	k.dim(p.Dim)
	k.delta(p.Delta)
	k.gradient(p.G)
	k.strong(p.Mu)
	k.steps(p.T)
	switch {
	case f == Printed, f == Derived && r == Stochastic:
		k.hessian(p.L2)
		k.bounded(p.Diameter)
	case f == Derived:
		k.smooth(p.L)
		k.ordered(p.Mu, p.L)
		k.bounded(p.Diameter)
	case r == Stochastic: // sharp
		if !known(p.L) {
			k.hessian(p.L2)
			k.bounded(p.Diameter)
		}
		k.ordered(p.Mu, p.L)
		k.optionalDiameter(p.Diameter)
	default:
		k.smooth(p.L)
		k.ordered(p.Mu, p.L)
		k.optionalDiameter(p.Diameter)
	}
	return k.value(func() Value {
		if f == Sharp {
			return strongSharp(r, p)
		}
		d := float64(p.Dim)
		v := Value{Decay: decayStrong(p)}
		switch {
		case f == Printed:
			v.Floor = p.Diameter * p.L2 * math.Sqrt(d) * p.Delta / 2
		case r == Stochastic:
			v.Floor = p.Diameter * p.L2 * d * p.Delta * p.Delta / 8
		default:
			v.Floor = p.L * p.Diameter * math.Sqrt(d) * p.Delta / 2
		}
		return v
	})
}

// strongSharp is the sharp form of Theorem 4 and of Corollary 1.
func strongSharp(r Rounding, p Parameters) Value {
	cell := float64(p.Dim) * p.Delta * p.Delta / 8
	decay := decayStrongSharp(p)
	best := Value{Decay: math.Inf(1)}
	if r == Stochastic {
		if p.L2 == 0 {
			best = smaller(best, Value{Decay: decay})
		}
		if known(p.L2) && known(p.Diameter) {
			best = smaller(best, Value{Decay: decay, Floor: p.Diameter * p.L2 * cell})
		}
		if known(p.L) {
			best = smaller(best, Value{Decay: decay, Floor: (p.L - p.Mu) * cell})
		}
		return best
	}
	s := math.Sqrt(p.L) + math.Sqrt(p.Mu)
	best = smaller(Value{Decay: decay * (1 + math.Sqrt(p.Mu/p.L)), Floor: s * s * cell}, Value{Decay: decay + decayStrongAgain(p), Floor: 2 * p.L * cell})
	if known(p.Diameter) {
		best = smaller(best, Value{Decay: decay, Floor: p.L * p.Diameter * math.Sqrt(float64(p.Dim)) * p.Delta / 2})
	}
	return best
}
