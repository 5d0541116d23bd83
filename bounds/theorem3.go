package bounds

import "math"

const theorem3Title = "Theorem 3"

var theorem3 = Claim{
	Name: "theorem3", Title: theorem3Title, Algorithm: "BC (7), alpha_t = c/sqrt(t)",
	Bounds:      "E[F(wbar_T) - F*] of the real-valued weights w_r",
	Assumptions: []string{"F is convex", "grad F is L-Lipschitz", "W has diameter D", "E|g|^2 <= G^2 at grid points"},
	Statement:   "D^2/(2*c*sqrt(T)) + sqrt(T+1)*c*G^2/(2*T) + sqrt(d)*Delta*L*D",
	Proved: map[Rounding]string{
		Stochastic: "D^2/(2*c*sqrt(T)) + c*G^2*(2*sqrt(T)-1)/(2*T) + sqrt(d)*Delta*L*D/2",
		Nearest:    "D^2/(2*c*sqrt(T)) + c*G^2*(2*sqrt(T)-1)/(2*T) + sqrt(d)*Delta*L*D/2"},
	Improved: map[Rounding]string{
		Stochastic: "D^2/(2*c*sqrt(T)) + c*G^2*sum_t t^(-1/2)/(2*T) + min(L*d*Delta^2/8, sqrt(d)*Delta*L*D/2)",
		Nearest:    "D^2/(2*c*sqrt(T)) + c*G^2*sum_t t^(-1/2)/(2*T) + min(L*d*Delta^2/8, sqrt(d)*Delta*L*D/2)"},
	Tight:  "The sharp floor L*d*Delta^2/8 is attained in the limit by Q_d: F = (L/2)|w-w*|^2, every coordinate of w* just above a grid point. Q_s: within a factor of phi^5/4 = 2.78, phi the golden ratio (as Theorem 4 with mu = 0).",
	Source: "Section 4.2; proof in Appendix D",
	Forms:  []Form{Printed, Derived, Sharp}, Roundings: []Rounding{Stochastic, Nearest},
	Bound: Theorem3,
}

// Theorem3 bounds the gap of BinaryConnect on a smooth convex objective.
// It implements Theorem 3 (Section 4.2; proof in Appendix D).
//
// Assumptions: F convex, grad F L-Lipschitz on W, W of diameter D, E|g|^2 <= G^2
// at the grid points (the only places where BC takes a gradient).
//
// Algorithm: BC (7) with alpha_t = c/sqrt(t); Q_s or Q_d. The bound is for the
// real-valued weights w_r.
//
// Statement: E[F(wbar_T) - F*] <=
//
//	printed  D^2/(2c sqrt T) + c G^2 sqrt(T+1)/(2T) + sqrt(d) Delta L D
//	derived  D^2/(2c sqrt T) + c G^2 (2 sqrt T - 1)/(2T) + sqrt(d) Delta L D/2
//	sharp    D^2/(2c sqrt T) + c G^2 (sum_{t<=T} 1/sqrt t)/(2T) + min(L d Delta^2/8, sqrt(d) Delta L D/2)
//
// Proof of the derived form: Appendix D with the true sum of 1/sqrt(t) and with
// E|r| <= sqrt(d) Delta/2, which holds for both roundings (|r_i| <= Delta/2 for
// Q_d, E r_i^2 <= Delta^2/4 for Q_s). The printed form is false for L = 0 and large c:
// docs/errata.md.
//
// Proof of the sharp floor. Write q = Q(w) = w + r. Convexity at q, then the
// descent lemma F(w) <= F(q) + <grad F(q), w-q> + (L/2)|r|^2, give
//
//	<w-w*, grad F(q)> = <q-w*, grad F(q)> + <w-q, grad F(q)>
//	                 >= F(q) - F* + <grad F(q), w-q> >= F(w) - F* - (L/2)|r|^2,
//
// and E|r|^2 <= d Delta^2/4 for both roundings. No diameter, and Delta squared.
//
// Tight: the sharp floor, for Q_d, in the limit named in Claims; for Q_s within a factor of phi^5/4 = 2.78 ([Theorem4] with mu = 0).
func Theorem3(f Form, r Rounding, p Parameters) (Value, error) {
	k := check{title: theorem3Title}
	k.form(f, []Form{Printed, Derived, Sharp}, r, []Rounding{Stochastic, Nearest})
	k.dim(p.Dim)
	k.delta(p.Delta)
	k.gradient(p.G)
	k.smooth(p.L)
	k.bounded(p.Diameter)
	k.step(p.C)
	k.steps(p.T)
	return k.value(func() Value {
		t, c, g := float64(p.T), p.C, p.G
		v := Value{
			Decay: p.Diameter * p.Diameter / (2 * c * math.Sqrt(t)),
			Floor: math.Sqrt(float64(p.Dim)) * p.Delta * p.L * p.Diameter,
		}
		switch f {
		case Printed:
			v.Decay += c * g * g * math.Sqrt(t+1) / (2 * t)
		case Derived:
			v.Decay += c * g * g * (2*math.Sqrt(t) - 1) / (2 * t)
			v.Floor /= 2
		case Sharp:
			v.Decay += c * g * g * rootSum(p.T) / (2 * t)
			v.Floor = min(v.Floor/2, p.L*float64(p.Dim)*p.Delta*p.Delta/8)
		}
		return v
	})
}
