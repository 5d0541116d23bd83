package bounds

import (
	"math"
	"math/big"
)

var theorem4 = Claim{
	Name: "theorem4", Title: "Theorem 4", Algorithm: "BC (7), alpha_t = 1/(mu*(t+1))",
	Bounds: "E[F(wbar_T) - F*] of the real-valued weights w_r",
	Assumptions: []string{"F is mu-strongly convex", "the Hessian is L2-Lipschitz", "W has diameter D", "E|g|^2 <= G^2 at grid points", "w^1 on the grid",
		"form sharp with Q_s and L: F is convex and L-smooth on R^d, not only on W"},
	Statement: "(1+log(T+1))*G^2/(2*mu*T) + D*L2*sqrt(d)*Delta/2",
	Proved: map[Rounding]string{
		Stochastic: "(1+log(T+1))*G^2/(2*mu*T) + D*L2*d*Delta^2/8",
		Nearest:    "(1+log(T+1))*G^2/(2*mu*T) + L*D*sqrt(d)*Delta/2"},
	Improved: map[Rounding]string{
		Stochastic: "A + min(D*L2*d*Delta^2/8, (L-mu)*d*Delta^2/16), A = ((mu/2)*min(G/mu, D)^2 + (H_{T+1}-1)*G^2/(2*mu))/T",
		Nearest: "min(A + L*D*sqrt(d)*Delta/2, (sqrt(A+L*d*Delta^2/8) + sqrt(mu*d*Delta^2/8))^2, A + B + L*d*Delta^2/4), " +
			"A = ((mu/2)*min(G/mu, D)^2 + (H_{T+1}-1)*G^2/(2*mu))/T, " +
			"B = (H_T*(mu/2)*min(G/mu, D)^2 + ((H_T^2 + pi^2/6 - 1/(T+1))/2 - H_T)*G^2/(2*mu))/T"},
	Others: map[Form]map[Rounding]string{Separable: {
		Stochastic: "A + min(D*L2*d*Delta^2/8, (L-mu)*d*Delta^2/(2*phi^5)), A = ((mu/2)*min(G/mu, D)^2 + (H_{T+1}-1)*G^2/(2*mu))/T"}},
	Tight: "Q_d: the sharp floor within a factor of 2 (F''=L around w* next to a grid point: the gap of the threshold is L*Delta^2/8). " +
		"Q_s: the sharp floor within a factor of phi^5/8 = 1.386, phi the golden ratio, as mu/L -> 0 (F'' jumps from L to mu at phi^-2*Delta in the cell, w* at phi^-3*Delta), and the separable floor is attained there; " +
		"the constant 1/16 is the best that does not know d (Theorem 3).",
	Source: "Section 4.2; proof in Appendix E",
	Forms:  []Form{Printed, Derived, Sharp}, Further: []Form{Separable}, Roundings: []Rounding{Stochastic, Nearest},
}

// Theorem4 bounds the gap of BinaryConnect on a strongly convex objective.
// It implements Theorem 4 (Section 4.2; proof in Appendix E).
//
// Assumptions: F mu-strongly convex, Hessian L2-Lipschitz (for Q_d: grad F
// L-Lipschitz), W of diameter D, E|g|^2 <= G^2 at the grid points, w^1 on the grid. The sharp floor (L-mu) d Delta^2/16 for Q_s asks for F to be strongly convex and L-smooth
// on R^d, see [Theorem3].
//
// Algorithm: BC (7) with alpha_t = 1/(mu(t+1)). The rounding is independent of the gradient sample.
//
// Statement: E[F(wbar_T) - F*] is at most the formulas of the claim above. The printed one is false for both roundings: docs/errata.md.
//
// Range: d >= 1, T >= 1, Delta > 0, mu > 0, L2 >= 0, L >= mu, G >= mu D/2, D >= sqrt(d) Delta. The sharp and separable forms take the smallest of what the known constants allow: for Q_s they need
// L2 = 0, or L2 and D, or L; for Q_d they need L. Where D is unknown, G >= mu sqrt(d) Delta/2.
//
// Proof, derived. Taylor: grad F(w+r) = grad F(w) + Hess F(w) r + rhat, |rhat| <= (L2/2)|r|^2.
// For Q_s, E r = 0 and E|r|^2 <= d Delta^2/4, so the rounding costs at most
// D (L2/2) d Delta^2/4 per step. (The paper writes |r| for |r|^2 here.) For Q_d, E r = 0
// fails; |grad F(w+r) - grad F(w)| <= L sqrt(d) Delta/2 is what remains.
//
// Proof, sharp. Let K = F - (mu/2)|w-w*|^2, convex and (L-mu)-smooth. Theorem 3's
// arguments hold for K too (they use no property of w*), and grad F(q) = grad K(q) + mu(q-w*), q = w+r, with the one for Q_s gives
//
//	<w-w*, E grad F(q)> >= F(w) - F* + (mu/2)|w-w*|^2 - ((L-mu)/4) E|r|^2,
//
// so the floor (L-mu) d Delta^2/16, and in the separable case (L-mu) d Delta^2/(2 phi^5). With the one for Q_d there is one term more,
//
//	<w-w*, grad F(q)> >= F(w) - F* + (mu/2)|w-w*|^2 - ((L-mu)/2)|r|^2 + mu<w-w*, r>,
//
// and mu<w-w*, r> is at least -(theta mu/2)|w-w*|^2 - (mu/(2 theta))|r|^2 for every theta in (0, 1). Telescoping then leaves theta (mu/2) sum |w^t-w*|^2
// <= theta sum (F(w^t)-F*) on the right, so with e = d Delta^2/8
//
//	(1/T) sum E[F(w^t)-F*] <= (A + (L-mu) e + mu e/theta)/(1-theta).
//
// The right side is smallest where theta = sqrt(mu e)/(sqrt(mu e) + sqrt(A + L e)), and is (sqrt(A + L e) + sqrt(mu e))^2 there. That is A where Delta -> 0, and where A -> 0, as T grows, the floor
// (sqrt L + sqrt mu)^2 e. It increases with L, as it has to: an L-smooth function is L'-smooth for every L' > L, so a bound that falls as L grows could be improved by a larger L. (The theta that makes
// the floor smallest, sqrt(mu)/(sqrt(mu) + sqrt(L)), gives (1 + sqrt(mu/L)) A + (sqrt L + sqrt mu)^2 e, which is larger for A > 0 and does fall.)
//
// The last floor for Q_d, with y_t = (mu/2) E|w^t-w*|^2 and C = L d Delta^2/8: Theorem 3's argument alone, <w-w*, grad F(q)> >= F(w) - F* - (L/2)|r|^2, and
// the same telescoping without the strong convexity of F leave
//
//	sum_{t<=T} E[F(w^t)-F*] <= T (A_T + C) + sum_{t<=T} y_t - (T+1) y_{T+1}.
//
// Since y_t <= E[F(w^t)-F*], the last iterate has y_{T+1} <= T/(T+1) (A_T + C) for every T. Put into the same line, sum_{t<=T} y_t is at
// most y_1 + sum_{s<T} s/(s+1) (A_s + C) <= T (B + C).
//
// Tight: for Q_d the sharp floor is within a factor of 2 of the truth for all mu <= L (w* next to a grid point and second derivative L from there to the
// threshold, where BC settles: the gap there is L Delta^2/8; d copies give d times that). For Q_s
// within a factor of phi^5/8 = 1.386, phi = (1+sqrt 5)/2, as mu/L -> 0: d cells in which the second derivative jumps from L to mu at phi^-2 Delta,
// with w* at phi^-3 Delta, where BC ends with a gap of phi^-5 L d Delta^2/2 (convex.WorstKink): the separable floor, exactly.
func Theorem4(f Form, r Rounding, p Parameters) (Value, error) {
	k := theorem4.begin(f, r)
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
		k.bounded(p.Diameter)
	case r == Stochastic: // sharp, separable
		if !known(p.L) && p.L2 != 0 {
			k.hessian(p.L2)
			k.bounded(p.Diameter)
		}
	default:
		k.smooth(p.L)
	}
	k.consistent(p)
	return k.value(func() parts {
		if f == Sharp || f == Separable {
			return strongSharp(f, r, p)
		}
		v := parts{decay: decayStrong(p)}
		switch {
		case f == Printed:
			v.floor = product(p.Diameter, p.L2, math.Sqrt(float64(p.Dim)), p.Delta, 0.5)
		case r == Stochastic:
			v.floor = floorCell(p, p.Diameter, p.L2, 1./8)
		default:
			v.floor = floorBias(p)
		}
		return v
	})
}

// strongSharp is the form sharp or separable of Theorem 4 and of Corollary 1.
func strongSharp(f Form, r Rounding, p Parameters) parts {
	decay := decayStrongSharp(p)
	var all []parts
	switch {
	case r == Stochastic && p.L2 == 0:
		return parts{decay, wide(0)}
	case r == Stochastic:
		if known(p.L2) && known(p.Diameter) {
			all = append(all, parts{decay, floorCell(p, p.Diameter, p.L2, 1./8)})
		}
		if known(p.L) {
			all = append(all, parts{decay, floorCell(p, p.L-p.Mu, cellShare(f, r))})
		}
	default:
		all = append(all,
			balanced(p, decay),
			parts{plus(decay, decayStrongAgain(p)), floorCell(p, p.L, 1./4)})
		if known(p.Diameter) {
			all = append(all, parts{decay, floorBias(p)})
		}
	}
	best := all[0]
	for _, v := range all[1:] {
		best = smaller(best, v)
	}
	return best
}

// balanced is (sqrt(A + L e) + sqrt(mu e))^2, e = d Delta^2/8, split without cancellation into its value at A = 0, the floor, and
//
//	A + 2 sqrt(mu e) (sqrt(A + L e) - sqrt(L e)) = A + 2 sqrt(mu e) A/(sqrt(A + L e) + sqrt(L e)).
func balanced(p Parameters, a *big.Float) parts {
	q := math.Sqrt(p.Mu) / math.Sqrt(p.L) // at most 1
	v := parts{a, floorCell(p, p.L, (1+q)*(1+q)/8)}
	curved, strong := floorCell(p, p.L, 1./8), root(floorCell(p, p.Mu, 1./8))
	if rise := plus(root(plus(a, curved)), root(curved)); rise.Sign() > 0 {
		more := times(wide(2), strong, a)
		v.decay = plus(a, more.Quo(more, rise))
	}
	return v
}
