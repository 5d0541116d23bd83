package bounds

import "math"

const corollary1Title = "Corollary 1"

var corollary1 = Claim{
	Name: "corollary1", Title: corollary1Title, Algorithm: "BC (7), alpha_t = 1/(mu*(t+1))",
	Bounds:      "E[F(wbar_T) - F*] of the real-valued weights w_r",
	Assumptions: []string{"F is quadratic and mu-strongly convex", "E|g|^2 <= G^2 at grid points", "w^1 on the grid"},
	Statement:   "(1+log(T+1))*G^2/(2*mu*T)",
	Proved: map[Rounding]string{
		Stochastic: "(1+log(T+1))*G^2/(2*mu*T)",
		Nearest:    "(1+log(T+1))*G^2/(2*mu*T) + L*D*sqrt(d)*Delta/2"},
	Improved: map[Rounding]string{
		Stochastic: "((mu/2)*min(G/mu,D)^2 + (H_{T+1}-1)*G^2/(2*mu))/T",
		Nearest:    "the sharp form of Theorem 4 for Q_d"},
	Tight:  "Q_d: the sharp floor within a factor of 2 (L = mu, w* next to a grid point: the gap of the threshold is L*Delta^2/8). Q_s: there is no floor.",
	Source: "Section 4.2, from Theorem 4 with L2 = 0",
	Forms:  []Form{Printed, Derived, Sharp}, Roundings: []Rounding{Stochastic, Nearest},
	Bound: Corollary1,
}

// Corollary1 bounds the gap of BinaryConnect on a quadratic.
// It implements Corollary 1 (Section 4.2, from Theorem 4 with L2 = 0).
//
// Assumptions: F quadratic and mu-strongly convex, E|g|^2 <= G^2 at the grid
// points, w^1 on the grid. With Q_d the derived form also needs L and D.
//
// Algorithm: BC (7) with alpha_t = 1/(mu(t+1)).
//
// Statement: E[F(wbar_T) - F*] <= (1+log(T+1)) G^2/(2 mu T), plus
//
//	printed       nothing, for both roundings; false for Q_d, see docs/errata.md
//	derived, Q_s  nothing: Theorem 4 with L2 = 0
//	derived, Q_d  L D sqrt(d) Delta/2
//	sharp         Theorem 4's sharp forms with L2 = 0
//
// Proof. Theorem 4. The gradient of a quadratic is affine, so rhat = 0 and, for Q_s,
// E grad F(w+r) = grad F(w) exactly; for Q_d the rounding error has a bias.
//
// Tight: for Q_d the sharp floor is within a factor of 2 of the truth (L = mu, w* next to a
// grid point: BC settles at the threshold, whose gap is L Delta^2/8). For Q_s there is no floor.
func Corollary1(f Form, r Rounding, p Parameters) (Value, error) {
	k := check{title: corollary1Title}
	k.form(f, []Form{Printed, Derived, Sharp}, r, []Rounding{Stochastic, Nearest})
	k.dim(p.Dim)
	k.delta(p.Delta)
	k.gradient(p.G)
	k.strong(p.Mu)
	k.steps(p.T)
	if known(p.L2) && p.L2 != 0 {
		k.failf("assumes a quadratic F, whose L2 is 0, not %v", p.L2)
	}
	if f == Sharp {
		k.optionalDiameter(p.Diameter)
	}
	if r == Nearest && f != Printed {
		k.smooth(p.L)
		k.ordered(p.Mu, p.L)
		if f == Derived {
			k.bounded(p.Diameter)
		}
	}
	return k.value(func() Value {
		p.L2 = 0
		switch {
		case f == Sharp:
			return strongSharp(r, p)
		case f == Derived && r == Nearest:
			return Value{Decay: decayStrong(p), Floor: p.L * p.Diameter * math.Sqrt(float64(p.Dim)) * p.Delta / 2}
		}
		return Value{Decay: decayStrong(p)}
	})
}
