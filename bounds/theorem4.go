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
		Nearest:    "the smaller of A + L*D*sqrt(d)*Delta/2 and (1+sqrt(mu/L))*A + (sqrt(L)+sqrt(mu))^2*d*Delta^2/8, A the decay of the stochastic form"},
	Tight:  "Q_d: the sharp floor within a factor of 4 (L = mu, w* next to a grid point: the gap of the threshold is L*Delta^2/8). Q_s: the sharp floor within a factor of phi^5/4 = 2.78, phi the golden ratio, as mu/L -> 0 (F'' jumps from L to mu at phi^-2*Delta in the cell, w* at phi^-3*Delta).",
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
//	              (sqrt L + sqrt mu)^2 d Delta^2/8       with decay (1+sqrt(mu/L)) A
//
// A = ((mu/2) min(G/mu, D)^2 + (H_{T+1}-1) G^2/(2 mu))/T <= A_0. The sharp forms take
// the smaller of what the known constants allow.
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
// Tight: for Q_d the sharp floor is within a factor of 4 of the truth (L = mu, w* next to a
// grid point: BC settles at the threshold, whose gap is L Delta^2/8). For Q_s
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
	best = Value{Decay: decay * (1 + math.Sqrt(p.Mu/p.L)), Floor: s * s * cell}
	if known(p.Diameter) {
		best = smaller(best, Value{Decay: decay, Floor: p.L * p.Diameter * math.Sqrt(float64(p.Dim)) * p.Delta / 2})
	}
	return best
}
