package bounds

import "math"

const theorem2Title = "Theorem 2"

var theorem2 = Claim{
	Name: "theorem2", Title: theorem2Title, Algorithm: "SR (6), alpha_t = c/sqrt(t)",
	Bounds:      "E[F(wbar_T) - F*]",
	Assumptions: []string{"F is convex", "W has diameter D", "E|g|^2 <= G^2", "w^1 on the grid"},
	Statement:   "D^2/(c*sqrt(T)) + sqrt(T+1)*c*G^2/(2*T) + sqrt(d)*Delta*G/2",
	Proved:      map[Rounding]string{Stochastic: "D^2/(2*c*sqrt(T)) + c*G^2*(2*sqrt(T)-1)/(2*T) + sqrt(d)*Delta*G/2"},
	Improved:    map[Rounding]string{Stochastic: "D^2/(2*c*sqrt(T)) + sum_t (alpha_t*G - k)+^2/(2*alpha_t*T) + k*G, k = sqrt(d)*Delta/2"},
	Tight:       "The floor is attained in the limit: F = e*(w_1+...+w_d) on [0, D/sqrt(d)]^d, g_i = +-G/sqrt(d), e -> 0.",
	Source:      "Section 4.1; proof in Appendix C",
	Forms:       []Form{Printed, Appendix, Derived, Sharp}, Roundings: []Rounding{Stochastic},
	Bound: Theorem2,
}

// Theorem2 bounds the gap of SR on a convex objective over a bounded domain.
// It implements Theorem 2 (Section 4.1; proof in Appendix C).
//
// Assumptions: F convex, W of diameter D, E|g|^2 <= G^2, w^1 on the grid; Q_s only.
//
// Algorithm: SR (6) with alpha_t = c/sqrt(t), t = 1..T.
//
// Statement: E[F(wbar_T) - F*] <=
//
//	printed   D^2/(c sqrt T) + c G^2 sqrt(T+1)/(2T) + sqrt(d) Delta G/2
//	appendix  D^2/(2c sqrt T) + c G^2 sqrt(T+1)/(2T) + sqrt(d) Delta G/2
//	derived   D^2/(2c sqrt T) + c G^2 (2 sqrt T - 1)/(2T) + sqrt(d) Delta G/2
//	sharp     D^2/(2c sqrt T) + (1/T) sum_{t<=T} (alpha_t G - k)+^2/(2 alpha_t) + k G,
//	          k = sqrt(d) Delta/2
//
// Proof of the derived form: Appendix C with sum_{t<=T} 1/sqrt(t) <= 2 sqrt(T) - 1
// in place of the false sqrt(T+1), and with the telescoped sum from t = 2 (the
// paper's starts at t = 1 and uses 1/alpha_0). The sharp form puts the sharp
// Lemma 1 in the same place, as in Theorem 1.
//
// The printed form follows from the derived one when c <= D/G, since
// 2 sqrt(T) - 1 - sqrt(T+1) < sqrt(T). For large c it is false, and so is the appendix
// form: package convex has counterexamples, docs/errata.md explains them.
//
// Tight: the floor, in the limit named in Claims.
func Theorem2(f Form, r Rounding, p Parameters) (Value, error) {
	k := check{title: theorem2Title}
	k.form(f, []Form{Printed, Appendix, Derived, Sharp}, r, []Rounding{Stochastic})
	k.dim(p.Dim)
	k.delta(p.Delta)
	k.gradient(p.G)
	k.bounded(p.Diameter)
	k.step(p.C)
	k.steps(p.T)
	return k.value(func() Value {
		t, c, g := float64(p.T), p.C, p.G
		v := Value{Decay: p.Diameter * p.Diameter / (2 * c * math.Sqrt(t)), Floor: floorSR(p)}
		switch f {
		case Printed:
			v.Decay = 2*v.Decay + c*g*g*math.Sqrt(t+1)/(2*t)
		case Appendix:
			v.Decay += c * g * g * math.Sqrt(t+1) / (2 * t)
		case Derived:
			v.Decay += c * g * g * (2*math.Sqrt(t) - 1) / (2 * t)
		case Sharp:
			kk := math.Sqrt(float64(p.Dim)) * p.Delta / 2
			v.Decay += excess(p,
				func(t float64) float64 { return c / math.Sqrt(t) },
				func(t float64) float64 {
					r := math.Sqrt(t)
					return c*g*g*r - kk*g*t + kk*kk*t*r/(3*c)
				}, (c*g/kk)*(c*g/kk)) / t
		}
		return v
	})
}
