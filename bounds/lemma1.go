package bounds

import "math"

var lemma1 = Claim{
	Name: "lemma1", Title: "Lemma 1", Algorithm: "one step of SR (6)",
	Bounds:      "E|r|^2, r = Q_s(w - alpha*g) - (w - alpha*g)",
	Assumptions: []string{"w lies on the grid of spacing Delta", "E|g|^2 <= G^2", "alpha > 0"},
	Statement:   "sqrt(d)*Delta*alpha*G",
	Proved:      map[Rounding]string{Stochastic: "min(sqrt(d)*Delta*alpha*G, d*Delta^2/4)"},
	Improved:    map[Rounding]string{Stochastic: "d*Delta^2*s*(1-s), s = min(alpha*G/(sqrt(d)*Delta), 1/2)"},
	Tight:       "The printed form in the limit alpha -> 0 with all |g_i| equal; the sharp form is attained for every alpha.",
	Source:      "Section 4.1; proof in Appendix A",
	Forms:       []Form{Printed, Derived, Sharp}, Roundings: []Rounding{Stochastic},
}

// Lemma1 bounds the squared error of stochastic rounding in one step.
// It implements Lemma 1 (Section 4.1; proof in Appendix A).
//
// Assumptions: w on the grid, E|g|^2 <= G^2, alpha > 0; Q_s only.
//
// Algorithm: one step of SR (6), r = Q_s(w - alpha g) - (w - alpha g).
//
// Statement: E|r|^2 is at most the formulas of the claim above.
//
// Range: d >= 1, Delta > 0, alpha > 0, G >= 0, all finite; any of them together.
//
// Proof. With u_i = alpha|g_i|/Delta and q = frac(u_i), E r_i^2 = Delta^2 q(1-q)
// <= Delta^2 phi(u_i), phi(u) = u(1-u) for u <= 1/2 and 1/4 beyond. As a function
// of u^2, phi is concave (sqrt(y) - y, then constant) and does not decrease, so
// Jensen over the coordinates and over g gives d Delta^2 phi at the mean square
// alpha^2 G^2/(d Delta^2): the sharp form. phi(u) <= min(u, 1/4) gives the derived
// one. Projection on W before rounding only shortens the step u_i.
//
// Consequence, used by the sharp forms of Theorems 1 and 2: the mean squared
// length of a step is alpha^2 E|g|^2 + E|r|^2 <= sqrt(d) Delta alpha G as long as
// alpha G <= sqrt(d) Delta/2: rounding and gradient share one budget.
//
// Tight: yes, the sharp form is attained by |g_i| = min(G/sqrt(d), Delta/(2 alpha)).
//
// The bound has no T; it vanishes with alpha and is all Decay.
func Lemma1(f Form, r Rounding, p Parameters) (Value, error) {
	k := lemma1.begin(f, r)
	k.dim(p.Dim)
	k.delta(p.Delta)
	k.gradient(p.G)
	k.positive("alpha", "the step size", p.Alpha)
	return k.value(func() parts {
		side := math.Sqrt(float64(p.Dim))
		v := product(side, p.Delta, p.Alpha, p.G)
		switch f {
		case Derived:
			v = least(v, floorCell(p, 0.25))
		case Sharp:
			s := least(ratio(factors{p.Alpha, p.G}, factors{side, p.Delta}), wide(0.5))
			v = times(floorCell(p, 1), s, plus(wide(1), times(wide(-1), s)))
		}
		return parts{decay: v, floor: wide(0)}
	})
}
