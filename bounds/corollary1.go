package bounds

import "math"

var corollary1 = Claim{
	Name: "corollary1", Title: "Corollary 1", Algorithm: "BC (7), alpha_t = 1/(mu*(t+1))",
	Bounds:      "E[F(wbar_T) - F*] of the real-valued weights w_r",
	Assumptions: []string{"F is quadratic and mu-strongly convex", "E|g|^2 <= G^2 at grid points", "w^1 on the grid"},
	Statement:   "(1+log(T+1))*G^2/(2*mu*T)",
	Proved: map[Rounding]string{
		Stochastic: "(1+log(T+1))*G^2/(2*mu*T)",
		Nearest:    "(1+log(T+1))*G^2/(2*mu*T) + L*D*sqrt(d)*Delta/2"},
	Improved: map[Rounding]string{
		Stochastic: "((mu/2)*min(G/mu, D)^2 + (H_{T+1}-1)*G^2/(2*mu))/T",
		Nearest:    theorem4.Improved[Nearest]},
	Others: map[Form]map[Rounding]string{Limit: {Nearest: "L*d*Delta^2/8"}},
	Tight:  "Q_d: the limit is attained (L = mu, w* next to a grid point: the gap of the threshold is L*Delta^2/8), the sharp floor is within a factor of 2 of it. Q_s: there is no floor.",
	Source: "Section 4.2, from Theorem 4 with L2 = 0",
	Forms:  []Form{Printed, Derived, Sharp}, Further: []Form{Limit}, Roundings: []Rounding{Stochastic, Nearest},
}

// Corollary1 bounds the gap of BinaryConnect on a quadratic.
// It implements Corollary 1 (Section 4.2, from Theorem 4 with L2 = 0).
//
// Assumptions: F quadratic and mu-strongly convex, E|g|^2 <= G^2 at the grid
// points, w^1 on the grid. With Q_d the derived form also needs L and D. Form limit: the minimiser of F over R^d lies in W, and the gradient noise is bounded.
//
// Algorithm: BC (7) with alpha_t = 1/(mu(t+1)); form limit: any alpha_t = 1/(mu(t+1)) or c/sqrt(t).
//
// Statement: E[F(wbar_T) - F*] is at most the formulas of the claim above. The printed one is false for Q_d: docs/errata.md. Form limit bounds the limit superior of F(wbar_T) - F*
// as T grows, with probability one, and says nothing about any finite T.
//
// Range: d >= 1, T >= 1, Delta > 0, mu > 0, L >= mu where L is used or given, G >= mu D/2, D >= sqrt(d) Delta, L2 = 0 or unknown. Where D is unknown, G >= mu sqrt(d) Delta/2.
// Form limit: d >= 1, Delta > 0, L > 0.
//
// Proof. Theorem 4. The gradient of a quadratic is affine, so rhat = 0 and, for Q_s,
// E grad F(w+r) = grad F(w) exactly; for Q_d the rounding error has a bias.
//
// Proof of the limit: BC with Q_d is mirror descent, with the rounding as mirror map. Let A be the Hessian, F = (w-w*)'A(w-w*)/2, and phi the primitive of Q_d, a convex function since Q_d does not decrease:
//
//	Psi(w) = sum_i phi(w_i) - w*_i w_i,   p = Q_d(w) - w* is a subgradient of Psi at w,
//
// and BC steps along -A p: a subgradient step on Psi, not on F, in the metric of A. (a) Along w' = -A p, dPsi/dtau = -p'A p <= -mu|p|^2, negative off argmin Psi. (b) At a wall of W the
// projected flow is w' = -A p - nu with nu_i > 0 only where w_i = Hi, where p_i = Hi - w*_i >= 0, and nu_i < 0 only where w_i = Lo and p_i <= 0: dPsi/dtau = -p'A p - <p, nu> is no larger. (c) Psi is convex, so dPsi/dtau = <p, w'> for every subgradient
// p, at almost every time (the chain rule for convex functions). (d) So Psi(w^t) tends to its minimum, whence w^t approaches argmin Psi. Cut the steps into windows in which alpha_t adds up to about tau > 0; windows begin at ever later steps. In a window w^t moves by a bounded multiple of tau, and the noise
// moves it by less than any given number in all but finitely many of them, with probability one: it is a sum of bounded martingale differences times alpha_t, its variance is at most a multiple of tau alpha at the beginning, and by the Azuma-Hoeffding inequality the probabilities are summable. Joined by straight lines the iterates
// of a window are a Lipschitz path. If windows beginning at n_1 < n_2 < ... had Psi(w) >= min Psi + eta at their beginning and fell by less than 1/k, a subsequence of the paths would converge uniformly (Arzela-Ascoli) to a path x, and the p and nu along them weakly; since the graphs of the
// subdifferential of Psi and of the normal cone of W are closed and their values convex, x' is in -A dPsi(x) - N_W(x) at almost every time (Mazur's lemma), so that by (a) to (c) Psi would fall strictly along x: a contradiction. Hence there is a delta(eta) > 0 by which Psi falls in every late window that begins above
// min Psi + eta, and in the same way Psi rises by less than eta in every late window. So it comes below min Psi + eta, and then stays below min Psi + 3 eta.
// (e) argmin Psi is a box: in coordinate i the threshold between two grid points where w*_i lies between them, and the cell [w*_i - Delta/2, w*_i + Delta/2] of Q_d where w*_i is a grid point. All its points have
// |w_i - w*_i| <= Delta/2, so wbar_T, which approaches the same convex set, has a gap of at most L d Delta^2/8 in the limit; where no w*_i is a grid point it is (m-w*)'A(m-w*)/2, m the thresholds.
//
// The weights that BC hands out, w_b = Q_d(w_r), do not converge: they jump between the corners of the cell. But their mean tends to w*: sum_t alpha_t A (w_b^t - w*) = w_r^1 - w_r^{T+1} away from the walls, so
// |sum_t alpha_t w_b^t/sum_t alpha_t - w*| <= D/(mu sum_t alpha_t): averaging w_b finds the minimiser that averaging w_r misses.
//
// Tight: the limit, for Q_d, and the sharp floor within a factor of 2 of it (L = mu, w* next to a
// grid point: BC settles at the threshold, whose gap is L Delta^2/8). For Q_s there is no floor.
func Corollary1(f Form, r Rounding, p Parameters) (Value, error) {
	k := corollary1.begin(f, r)
	k.dim(p.Dim)
	k.delta(p.Delta)
	if known(p.L2) && p.L2 != 0 {
		k.failf("assumes a quadratic F, whose L2 is 0, not %v", p.L2)
	}
	if f == Limit {
		k.positive("L", "the largest eigenvalue of the Hessian", p.L)
	} else {
		k.gradient(p.G)
		k.strong(p.Mu)
		k.steps(p.T)
		if r == Nearest && f != Printed {
			k.smooth(p.L)
			if f == Derived {
				k.bounded(p.Diameter)
			}
		}
	}
	k.consistent(p)
	return k.value(func() parts {
		p.L2 = 0
		switch {
		case f == Limit:
			return parts{decay: wide(0), floor: floorCell(p, p.L, 1./8)}
		case f == Sharp:
			return strongSharp(f, r, p)
		case f == Derived && r == Nearest:
			return parts{decayStrong(p), floorBias(p)}
		}
		return parts{decayStrong(p), wide(0)}
	})
}

// TrueLimit is the limit of F(w_r) - F* of BC with Q_d on F = (w-w*)'A(w-w*)/2 whose minimiser w* lies in W and has no coordinate on the grid: (m-w*)'A(m-w*)/2 with m the thresholds
// around w*, the midpoints of its cell. apply sets dst = A x. It panics if delta <= 0.
func TrueLimit(best []float64, lo, delta float64, apply func(dst, x []float64)) float64 {
	if !(delta > 0) {
		panic("bounds: TrueLimit: want delta > 0")
	}
	x, y := make([]float64, len(best)), make([]float64, len(best))
	for i, b := range best {
		x[i] = lo + (math.Floor((b-lo)/delta)+0.5)*delta - b
	}
	apply(y, x)
	var s float64
	for i := range x {
		s += x[i] * y[i] / 2
	}
	return s
}
