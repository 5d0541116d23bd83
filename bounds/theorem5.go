package bounds

const theorem5Title = "Theorem 5"

var theorem5 = Claim{
	Name: "theorem5", Title: theorem5Title, Algorithm: "SR (6) as a Markov chain, constant alpha",
	Bounds:      "max_{x,y} |T_alpha(x,y) - T~_alpha(x,y)|, whence pi_alpha -> pi~ as alpha -> 0",
	Assumptions: []string{"finite grid", "P(Z > v) <= C1/v^2 and P(Z < -v) <= C1/v^2 for every coordinate Z of the stochastic gradient", "independent coordinates", "every coordinate is positive and negative with positive probability"},
	Statement:   "C*alpha^2, C not given",
	Proved:      map[Rounding]string{Stochastic: "(4*d^2-2*d)*C1*alpha^2/Delta^2"},
	Tight:       "In 1-d with alpha*|Z| <= Delta the difference is exactly 0.",
	Source:      "Section 5.2; proof in Appendix F, (16) to (21)",
	Forms:       []Form{Derived}, Roundings: []Rounding{Stochastic},
	Bound: Theorem5,
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
// Statement: |T_alpha(x,y) - T~_alpha(x,y)| <= (4d^2-2d) C1 alpha^2/Delta^2 for all x, y.
//
// Proof. u = alpha Z_k/Delta. Coordinate k goes up by one with probability E h(u),
// h(u) = u on [0,1], 2-u on [1,2], and u+ - h(u) <= 2(u-1)+, so
// 0 <= E u+ - E h(u) <= 2 int_1^inf P(u > s) ds <= 2 C1 a^2, a = alpha/Delta. A jump of two
// or more has probability <= P(u > 1) <= C1 a^2. Integrating the tails, E|Z_k| <= 2 sqrt(2 C1),
// so coordinate j moves with probability m_j <= a 2 sqrt(2 C1), two coordinates both move with
// probability <= m_i m_j <= 8 C1 a^2. The diagonal is prod (1-m_j) against 1 - sum a E|Z_j|:
// the difference is at most sum_j E(|u_j|-1)+ + sum_{i<j} m_i m_j <= (2d + 4d(d-1)) C1 a^2,
// and this is the largest of all entries. Projection at the ends of the box
// only removes moves.
//
// Tight: no; in one dimension with alpha|Z| <= Delta the difference is exactly 0.
func Theorem5(f Form, r Rounding, p Parameters) (Value, error) {
	k := check{title: theorem5Title}
	k.form(f, []Form{Derived}, r, []Rounding{Stochastic})
	k.dim(p.Dim)
	k.delta(p.Delta)
	k.positive("alpha", "the step size", p.Alpha)
	k.positive("C1", "P(|Z| > v) <= C1/v^2 on either side", p.Tail)
	return k.value(func() Value {
		d, a := float64(p.Dim), p.Alpha/p.Delta
		return Value{Decay: (4*d*d - 2*d) * p.Tail * a * a}
	})
}
