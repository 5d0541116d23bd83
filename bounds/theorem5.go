package bounds

var theorem5 = Claim{
	Name: "theorem5", Title: "Theorem 5", Algorithm: "SR (6) as a Markov chain, constant alpha",
	Bounds:      "max_{x,y} |T_alpha(x,y) - T~_alpha(x,y)|, whence pi_alpha -> pi~ as alpha -> 0",
	Assumptions: []string{"finite grid", "P(Z > v) <= C1/v^2 and P(Z < -v) <= C1/v^2 for every coordinate Z of the stochastic gradient", "independent coordinates", "every coordinate is positive and negative with positive probability"},
	Statement:   "C*alpha^2, C not given",
	Proved:      map[Rounding]string{Stochastic: "(4*d^2-2*d)*C1*alpha^2/Delta^2"},
	Tight:       "In 1-d with alpha*|Z| <= Delta the difference is exactly 0.",
	Source:      "Section 5.2; proof in Appendix F, (16) to (21)",
	Forms:       []Form{Derived}, Roundings: []Rounding{Stochastic},
}

// Theorem5 bounds the entries of T_alpha - T~_alpha, the step (21) on which
// pi_alpha -> pi~ rests; the paper leaves its constant open.
// It implements Theorem 5 (Section 5.2; proof in Appendix F).
//
// Assumptions: a finite grid; every coordinate Z_k of the step direction (minus the
// stochastic gradient) has both tails P(Z_k > v), P(Z_k < -v) <= C1/v^2 for all v > 0
// (the paper asks it of one tail only); independent coordinates (the paper's product
// formula needs them); the sign of each coordinate is random, P(Z_k > 0), P(Z_k < 0) > 0.
//
// Algorithm: SR (6) with constant alpha, a Markov chain T_alpha; T~_alpha = I + alpha Q
// with up-rate E[Z_k+]/Delta and down-rate E[Z_k-]/Delta.
//
// Statement: |T_alpha(x,y) - T~_alpha(x,y)| is at most the formula of the claim above, for all x, y.
//
// Range: d >= 1, Delta > 0, alpha > 0, C1 > 0, all finite. (The value says something where it is below 1.)
//
// Proof. u = alpha Z_k/Delta. Coordinate k goes up by one with probability E h(u),
// h(u) = u on [0,1], 2-u on [1,2], and u+ - h(u) <= 2(u-1)+, so
// 0 <= E u+ - E h(u) <= 2 int_1^inf P(u > s) ds <= 2 C1 a^2, a = alpha/Delta. A jump of two
// or more has probability <= P(u > 1) <= C1 a^2. Integrating the tails, E|Z_k| <= 2 sqrt(2 C1),
// so coordinate j moves with probability m_j <= a 2 sqrt(2 C1), two coordinates both move with
// probability <= m_i m_j <= 8 C1 a^2. The diagonal is prod (1-m_j) against 1 - sum a E|Z_j|:
// the difference is at most sum_j E(|u_j|-1)+ + sum_{i<j} m_i m_j <= (2d + 4d(d-1)) C1 a^2,
// and this is the largest of all entries. Projection at the ends of the box can move probability between these cases: a jump of 2.3 cells at a wall that is
// one cell away lands on the wall, which is a move by one. It cannot break the bound: the clipped step has |u'| <= |u| and the same sign, so E h(u') <= E u'+ <= E u+, and
// u+ - h(u') <= 2(u-1)+ where the clipping is at one or more cells (u' < u only if u > 1); at the wall itself both rates outwards are 0. The other events only become smaller.
//
// Tight: no; in one dimension with alpha|Z| <= Delta the difference is exactly 0.
func Theorem5(f Form, r Rounding, p Parameters) (Value, error) {
	k := theorem5.begin(f, r)
	k.dim(p.Dim)
	k.delta(p.Delta)
	k.positive("alpha", "the step size", p.Alpha)
	k.positive("C1", "P(|Z| > v) <= C1/v^2 on either side", p.Tail)
	return k.value(func() parts {
		d := float64(p.Dim)
		return parts{ratio(factors{2 * d, 2*d - 1, p.Tail, p.Alpha, p.Alpha}, factors{p.Delta, p.Delta}), wide(0)}
	})
}
