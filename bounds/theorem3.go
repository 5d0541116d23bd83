package bounds

import "math"

var theorem3 = Claim{
	Name: "theorem3", Title: "Theorem 3", Algorithm: "BC (7), alpha_t = c/sqrt(t)",
	Bounds:      "E[F(wbar_T) - F*] of the real-valued weights w_r",
	Assumptions: []string{"F is convex", "grad F is L-Lipschitz (form sharp with Q_s: on R^d, not only on W)", "W has diameter D", "E|g|^2 <= G^2 at grid points"},
	Statement:   "D^2/(2*c*sqrt(T)) + sqrt(T+1)*c*G^2/(2*T) + sqrt(d)*Delta*L*D",
	Proved: map[Rounding]string{
		Stochastic: "D^2/(2*c*sqrt(T)) + c*G^2*(2*sqrt(T)-1)/(2*T) + sqrt(d)*Delta*L*D/2",
		Nearest:    "D^2/(2*c*sqrt(T)) + c*G^2*(2*sqrt(T)-1)/(2*T) + sqrt(d)*Delta*L*D/2"},
	Improved: map[Rounding]string{
		Stochastic: "D^2/(2*c*sqrt(T)) + c*G^2*sum_t(1/sqrt(t))/(2*T) + min(L*d*Delta^2/16, sqrt(d)*Delta*L*D/2)",
		Nearest:    "D^2/(2*c*sqrt(T)) + c*G^2*sum_t(1/sqrt(t))/(2*T) + min(L*d*Delta^2/8, sqrt(d)*Delta*L*D/2)"},
	Others: map[Form]map[Rounding]string{Moving: {Stochastic: movingText, Nearest: movingText}, Separable: {
		Stochastic: "D^2/(2*c*sqrt(T)) + c*G^2*sum_t(1/sqrt(t))/(2*T) + min(L*d*Delta^2/(2*phi^5), sqrt(d)*Delta*L*D/2)"}},
	Tight: "Q_d: the sharp floor L*d*Delta^2/8 is attained in the limit: F = (L/2)|w-w*|^2, every coordinate of w* just above a grid point. " +
		"Q_s: no instance in d dimensions is below the sharp floor by more than a factor of min(phi^5/8, d/(d-1)), at most 1.386, phi the golden ratio; the floor L*(d-1)*Delta^2/16 is attained in the limit " +
		"(a cone above a cell), so 1/16 is the best constant that does not know d. The separable floor is attained, for d = 1 too.",
	Source: "Section 4.2; proof in Appendix D",
	Forms:  []Form{Printed, Derived, Sharp}, Further: []Form{Moving, Separable}, Roundings: []Rounding{Stochastic, Nearest},
}

// Theorem3 bounds the gap of BinaryConnect on a smooth convex objective.
// It implements Theorem 3 (Section 4.2; proof in Appendix D).
//
// Assumptions: F convex, grad F L-Lipschitz on W, W of diameter D, E|g|^2 <= G^2
// at the grid points (the only places where BC takes a gradient). The sharp form for Q_s asks that F is convex and L-smooth on R^d and not only on W: it uses
// F(y) >= F(x) + <grad F(x), y-x> + |grad F(x)-grad F(y)|^2/(2L), which can fail on a part of R^d. In one dimension, and for a separable F on a box, an F that is so
// on W has such an extension (continue the derivative as a constant).
//
// Algorithm: BC (7) with alpha_t = c/sqrt(t); Q_s or Q_d. The bound is for the
// real-valued weights w_r.
//
// Statement: E[F(wbar_T) - F*] is at most the formulas of the claim above.
//
// Range: d >= 1, T >= 1, Delta > 0, c > 0, G >= 0, L >= 0, D >= sqrt(d) Delta. Where mu is given it has to agree: L >= mu, G >= mu D/2.
//
// Proof of the derived form: Appendix D with the true sum of 1/sqrt(t) and with
// E|r| <= sqrt(d) Delta/2, which holds for both roundings (|r_i| <= Delta/2 for
// Q_d, E r_i^2 <= Delta^2/4 for Q_s). The printed form is true for c <= TrueUpTo(Appendix, T) D/G, and for every c > CriticalStepAppendix D/G it is false from some T on:
// docs/errata.md.
//
// Proof of the sharp floor for Q_d. Write q = Q(w) = w + r. Convexity at q, then the
// descent lemma F(w) <= F(q) + <grad F(q), w-q> + (L/2)|r|^2, give
//
//	<w-w*, grad F(q)> = <q-w*, grad F(q)> + <w-q, grad F(q)>
//	                 >= F(q) - F* + <grad F(q), w-q> >= F(w) - F* - (L/2)|r|^2,
//
// and E|r|^2 <= d Delta^2/4 for both roundings. No diameter, and Delta squared.
//
// Proof of the sharp floor for Q_s, half of it. Write g = grad F(q), h = grad F(w), g* = grad F(w*) and expect over r, E r = 0. The inequality named under
// Assumptions, at (q, w*) and at (q, w), gives
//
//	E<q-w*, g> >= E F(q) - F* + E|g-g*|^2/(2L),   E F(q) >= F(w) + E|g-h|^2/(2L)
//
// and so, for every c that does not depend on r,
//
//	<w-w*, E g> >= F(w) - F* + E[|g-g*|^2 + |g-h|^2]/(2L) - E<g-c, r>.
//
// With c = (h+g*)/2 the squares add up to at least 2|g-c|^2, and |v|^2/L - <v, r> >= -(L/4)|r|^2: what is left is F(w) - F* - (L/4) E|r|^2.
//
// Proof of the separable floor. Coordinates add up, so let d = 1, Delta = L = 1, w at theta in the cell [0, 1], w* < w (else reflect), F'(0) = 0 (else subtract
// a linear function, which changes nothing below), a = F'(1). BC's mean gradient is theta a, and F' <= min(x, a) on the cell. The cost
//
//	F(w) - F* - (w-w*) theta a = int_{w*}^theta (F'(x) - theta a) dx <= int_{theta a}^theta (min(x, a) - theta a) dx,
//
// since the integrand is negative before theta a. For a <= theta the last integral is a(1-theta)(theta - a(1+theta)/2), at most, with a = theta/(1+theta),
//
//	theta^2 (1-theta)/(2(1+theta)) = theta/(2(1+theta)) E r^2,
//
// and for a > theta it is at most theta^2 (1-theta)^2/2, which is less. That is the exact constant at the position theta; it tends to the 1/4 above as theta -> 1. It is largest where
// 1 - theta - theta^2 = 0, at theta = 1/phi, and phi^-5/2 = 0.0451 there, against 1/16 = 0.0625.
//
// Tight: the sharp floor for Q_d, in the limit named in Claims. Separable: convex.WorstKink attains it. Sharp, Q_s: F(x, y) = min_{u,v} max(c|v|, e u) + (L/2)|(x,y)-(u,v)|^2 with x in one
// dimension, y in d-1 seen from the centre of a cell, c = L R/2 and R = sqrt(d-1) Delta/2, the distance of a cell's corners from its centre. F is convex and L-smooth on R^d, F* = 0 at the origin. A grid point (x, y) has |y| >= R, so its minimising v is
// at least R/2 long, and as long as e x <= c R/2 the gradient there has no x part: BC never moves from x = c R/(2e) = L R^2/(4e), where F >= e x - e^2/(2L) = L (d-1) Delta^2/16 - e^2/(2L).
// So neither more steps nor other step sizes help, and e -> 0 (with D ~ 1/e) gives the constant ([tqn/convex.NewCone]).
func Theorem3(f Form, r Rounding, p Parameters) (Value, error) {
	k := theorem3.begin(f, r)
	k.dim(p.Dim)
	k.delta(p.Delta)
	k.gradient(p.G)
	k.smooth(p.L)
	k.bounded(p.Diameter)
	k.step(p.C)
	k.steps(p.T)
	k.consistent(p)
	return k.value(func() parts {
		t := float64(p.T)
		switch f {
		case Printed:
			return parts{decayRoot(p, math.Sqrt(t+1)), times(wide(2), floorBias(p))}
		case Derived:
			return parts{decayRoot(p, 2*math.Sqrt(t)-1), floorBias(p)}
		}
		v := parts{decayRoot(p, rootSum(p.T)), least(floorBias(p), floorCell(p, p.L, cellShare(f, r)))}
		if f == Moving {
			v = movingForm(p, v, func() parts { return v })
		}
		return v
	})
}

// cellShare is x in the floor x L d Delta^2 of BC.
func cellShare(f Form, r Rounding) float64 {
	switch {
	case r == Nearest:
		return 1. / 8
	case f == Separable:
		return 0.5 / math.Pow(math.Phi, 5)
	}
	return 1. / 16
}
