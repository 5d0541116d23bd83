package bounds

import "math"

var theorem1 = Claim{
	Name: "theorem1", Title: "Theorem 1", Algorithm: "SR (6), alpha_t = 1/(mu*(t+1))",
	Bounds:      "E[F(wbar_T) - F*]",
	Assumptions: []string{"F is mu-strongly convex", "E|g|^2 <= G^2", "w^1 on the grid"},
	Statement:   "(1+log(T+1))*G^2/(2*mu*T) + sqrt(d)*Delta*G/2",
	Proved:      map[Rounding]string{Stochastic: "(1+log(T+1))*G^2/(2*mu*T) + sqrt(d)*Delta*G/2"},
	Improved:    map[Rounding]string{Stochastic: "((mu/2)*min(G/mu, D)^2 + sum_t(pos(alpha_t*G - k)^2/(2*alpha_t)))/T + k*G, k = sqrt(d)*Delta/2"},
	Others: map[Form]map[Rounding]string{Noise: {Stochastic: "min(A + k*G, B + k*(L*k + sqrt(L^2*k^2 + s^2 + 2*L*B))), k = sqrt(d)*Delta/2, s = sigma/sqrt(b), " +
		"A = ((mu/2)*min(G/mu, D)^2 + sum_t(pos(alpha_t*G - k)^2/(2*alpha_t)))/T, B = ((mu/2)*min(G/mu, D)^2 + (H_{T+1}-1)*G^2/(2*mu))/T"}},
	Tight:  "The floor is attained in the limit, so its constant 1/2 is the best: F = e*w + mu*w^2/2 on [0, D], g = +-G, e and mu -> 0.",
	Source: "Section 4.1; proof in Appendix B",
	Forms:  []Form{Printed, Derived, Sharp}, Further: []Form{Noise}, Roundings: []Rounding{Stochastic},
}

// Theorem1 bounds the gap of SR on a strongly convex objective.
// It implements Theorem 1 (Section 4.1; proof in Appendix B).
//
// Assumptions: F mu-strongly convex on W, E|g|^2 <= G^2, w^1 on the grid; Q_s only. Form noise: those of [Theorem2]'s.
//
// Algorithm: SR (6) with alpha_t = 1/(mu(t+1)), t = 1..T.
//
// Statement: E[F(wbar_T) - F*] is at most the formulas of the claim above.
//
// Range: d >= 1, T >= 1, Delta > 0, mu > 0, G >= mu D/2, D >= sqrt(d) Delta, and L >= mu where L is given. D may be unknown; then G >= mu sqrt(d) Delta/2.
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
// The proof of the form noise is [Theorem2]'s with B from here.
//
// Tight: the floor, in the limit named in Claims. There the stationary mean of one coordinate is Delta (g-e)/(2e) up to the far wall (g = G), so that the gap tends to Delta (G-e)/2.
func Theorem1(f Form, r Rounding, p Parameters) (Value, error) {
	k := theorem1.begin(f, r)
	k.dim(p.Dim)
	k.delta(p.Delta)
	k.gradient(p.G)
	k.strong(p.Mu)
	k.steps(p.T)
	if f == Noise {
		k.noise(p)
	}
	k.consistent(p)
	return k.value(func() parts {
		v := parts{decayStrong(p), floorSR(p)}
		if f == Sharp || f == Noise {
			rho := budget(p, factors{p.Mu}, nil)
			s := excess(p.T, rho,
				func(t float64) float64 { return 1 / (t + 1) },
				func(t float64) float64 { return math.Log(t+1) - 2*rho*(t+1) + rho*rho*(t+1)*(t+1)/2 },
				1/rho-1)
			v.decay = times(energy(p), wide(startStrong(p)+s))
		}
		if f == Noise {
			v = smaller(v, noiseAware(p, decayStrongSharp(p)))
		}
		return v
	})
}
