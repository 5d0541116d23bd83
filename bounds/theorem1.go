package bounds

import "math"

const theorem1Title = "Theorem 1"

var theorem1 = Claim{
	Name: "theorem1", Title: theorem1Title, Algorithm: "SR (6), alpha_t = 1/(mu*(t+1))",
	Bounds:      "E[F(wbar_T) - F*]",
	Assumptions: []string{"F is mu-strongly convex", "E|g|^2 <= G^2", "w^1 on the grid"},
	Statement:   "(1+log(T+1))*G^2/(2*mu*T) + sqrt(d)*Delta*G/2",
	Proved:      map[Rounding]string{Stochastic: "(1+log(T+1))*G^2/(2*mu*T) + sqrt(d)*Delta*G/2"},
	Improved:    map[Rounding]string{Stochastic: "((mu/2)*min(G/mu,D)^2 + sum_t (alpha_t*G - k)+^2/(2*alpha_t))/T + k*G, k = sqrt(d)*Delta/2"},
	Tight:       "The floor is attained in the limit: F = e*w + mu*w^2/2 on [0, D], g = +-G, e and mu -> 0.",
	Source:      "Section 4.1; proof in Appendix B",
	Forms:       []Form{Printed, Derived, Sharp}, Roundings: []Rounding{Stochastic},
	Bound: Theorem1,
}

// Theorem1 bounds the gap of SR on a strongly convex objective.
// It implements Theorem 1 (Section 4.1; proof in Appendix B).
//
// Assumptions: F mu-strongly convex on W, E|g|^2 <= G^2, w^1 on the grid; Q_s only.
//
// Algorithm: SR (6) with alpha_t = 1/(mu(t+1)), t = 1..T.
//
// Statement: E[F(wbar_T) - F*] <=
//
//	printed  (1+log(T+1)) G^2/(2 mu T) + sqrt(d) Delta G/2
//	derived  the same
//	sharp    (1/T) [ (mu/2) min(G/mu, D)^2 + sum_{t<=T} (alpha_t G - k)+^2/(2 alpha_t) ] + k G,
//	         k = sqrt(d) Delta/2
//
// Proof. With a_t = E|w^t-w*|^2 and strong convexity,
//
//	E F(w^t) - F* <= (1/(2 alpha_t) - mu/2) a_t - a_{t+1}/(2 alpha_t) + S_t,
//	S_t = (alpha_t^2 E|g|^2 + E|r|^2)/(2 alpha_t).
//
// 1/(2 alpha_t) = mu(t+1)/2 telescopes and leaves (mu/2) a_1 <= G^2/(2 mu), because
// mu|w^1-w*| <= |grad F(w^1)| <= G. Lemma 1 as printed gives S_t <= alpha_t G^2/2 +
// k G and sum_{t=1..T} 1/(t+1) + 1 = H_{T+1} <= 1+log(T+1): the printed line. Its
// sharp form gives S_t <= k G + (alpha_t G - k)+^2/(2 alpha_t); the sum then stops
// growing once alpha_t G <= k, so the decay is O(1/T), without the logarithm.
//
// Tight: the floor, in the limit named in Claims.
func Theorem1(f Form, r Rounding, p Parameters) (Value, error) {
	k := check{title: theorem1Title}
	k.form(f, []Form{Printed, Derived, Sharp}, r, []Rounding{Stochastic})
	k.dim(p.Dim)
	k.delta(p.Delta)
	k.gradient(p.G)
	k.strong(p.Mu)
	k.steps(p.T)
	if f == Sharp {
		k.optionalDiameter(p.Diameter)
	}
	return k.value(func() Value {
		v := Value{Decay: decayStrong(p), Floor: floorSR(p)}
		if f == Sharp {
			kk := math.Sqrt(float64(p.Dim)) * p.Delta / 2
			g, mu := p.G, p.Mu
			s := excess(p,
				func(t float64) float64 { return 1 / (mu * (t + 1)) },
				func(t float64) float64 {
					u := t + 1
					return g*g/(2*mu)*math.Log(u) - kk*g*u + kk*kk*mu*u*u/4
				}, g/(mu*kk)-1)
			v.Decay = (startStrong(p) + s) / float64(p.T)
		}
		return v
	})
}
