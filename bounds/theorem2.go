package bounds

import (
	"math"
	"math/big"
)

var theorem2 = Claim{
	Name: "theorem2", Title: "Theorem 2", Algorithm: "SR (6), alpha_t = c/sqrt(t)",
	Bounds:      "E[F(wbar_T) - F*]",
	Assumptions: []string{"F is convex", "W has diameter D", "E|g|^2 <= G^2", "w^1 on the grid"},
	Statement:   "D^2/(c*sqrt(T)) + sqrt(T+1)*c*G^2/(2*T) + sqrt(d)*Delta*G/2",
	Proved:      map[Rounding]string{Stochastic: "D^2/(2*c*sqrt(T)) + c*G^2*(2*sqrt(T)-1)/(2*T) + sqrt(d)*Delta*G/2"},
	Improved:    map[Rounding]string{Stochastic: "D^2/(2*c*sqrt(T)) + sum_t(pos(alpha_t*G - k)^2/(2*alpha_t*T)) + k*G, k = sqrt(d)*Delta/2"},
	Others: map[Form]map[Rounding]string{
		Appendix: {Stochastic: "D^2/(2*c*sqrt(T)) + sqrt(T+1)*c*G^2/(2*T) + sqrt(d)*Delta*G/2"},
		Noise: {Stochastic: "min(D^2/(2*c*sqrt(T)) + sum_t(pos(alpha_t*G - k)^2/(2*alpha_t*T)) + k*G, B + k*(L*k + sqrt(L^2*k^2 + s^2 + 2*L*B))), " +
			"k = sqrt(d)*Delta/2, s = sigma/sqrt(b), B = D^2/(2*c*sqrt(T)) + c*G^2*sum_t(1/sqrt(t))/(2*T)"},
		Moving: {Stochastic: movingText}},
	Tight: "Form moving: the decay is the worst case for c <= D/G to 2e-5 of it, as far as the certificates go. The floor is attained in the limit: F = e*(w_1+...+w_d) on [0, D/sqrt(d)]^d, g_i = +-G/sqrt(d), e -> 0. " +
		"Form noise: its floor tends to sqrt(d)*Delta*sigma/2 as L -> 0, and the same instance, put together with its mirror image at w*, attains that.",
	Source: "Section 4.1; proof in Appendix C",
	Forms:  []Form{Printed, Appendix, Derived, Sharp}, Further: []Form{Moving, Noise}, Roundings: []Rounding{Stochastic},
}

// Theorem2 bounds the gap of SR on a convex objective over a bounded domain.
// It implements Theorem 2 (Section 4.1; proof in Appendix C).
//
// Assumptions: F convex, W of diameter D, E|g|^2 <= G^2, w^1 on the grid; Q_s only. Form noise: also F convex and L-smooth on R^d, grad F(w*) = 0 (as where w* lies inside W), and
// E|g - grad F(w)|^2 <= sigma^2 for one sample; a step averages b independent samples (b = 1 unless given).
//
// Algorithm: SR (6) with alpha_t = c/sqrt(t), t = 1..T.
//
// Statement: E[F(wbar_T) - F*] is at most the formulas of the claim above.
//
// Range: d >= 1, T >= 1, Delta > 0, c > 0, G >= 0, D >= sqrt(d) Delta; form noise: L >= 0, sigma >= 0, b >= 1. Where mu or L are given they have to agree: L >= mu, G >= mu D/2.
//
// Proof of the derived form: Appendix C with sum_{t<=T} 1/sqrt(t) <= 2 sqrt(T) - 1
// in place of the false sqrt(T+1), and with the telescoped sum from t = 2 (the
// paper's starts at t = 1 and uses 1/alpha_0). The sharp form puts the sharp
// Lemma 1 in the same place, as in Theorem 1.
//
// Proof of the form noise. Let x = (1/T) sum_t E F(w^t) - F*. Lemma 1 given w^t is E|r|^2 <= sqrt(d) Delta alpha E|g|, so the proof of the derived form, with E|g| kept, gives
//
//	x <= B + (k/T) sum_t E|g_t|,  k = sqrt(d) Delta/2.
//
// Given w, (E|g|)^2 <= E|g|^2 <= |grad F(w)|^2 + sigma^2/b <= 2L (F(w)-F*) + s^2: the middle step since the b samples are independent, the last
// since F* <= F(w - grad F(w)/L) <= F(w) - |grad F(w)|^2/(2L). The square root is concave, so x <= B + k sqrt(s^2 + 2 L x). Solved for x (a quadratic
// inequality in y = sqrt(s^2 + 2Lx), y^2 - 2Lk y <= s^2 + 2LB), this is the second argument of min; as B -> 0 it leaves the floor
//
//	k (L k + sqrt(L^2 k^2 + s^2)) <= sqrt(d) Delta sigma/(2 sqrt(b)) + L d Delta^2/2,
//
// of order Delta^2 where there is no noise: Section 4.1's remark that an error linear in Delta "is unavoidable" is wrong for smooth F without noise. As b
// grows the floor falls to L d Delta^2/2, which is Section 6.1's advice to use big batches with SR, for convex F a theorem.
// No dimension is left where the coordinates know more: with sigma_1 >= E|g - grad F|_1 and L_1 the Lipschitz constant of the gradient from the maximum norm to the 1-norm
// (trace of the Hessian if that is diagonal), the same proof has Delta/2 for k, sigma_1 for s and L_1 for L: evaluate this form with d = 1, sigma_1 and L_1.
//
// The printed form follows from the derived one when c <= D/G, since
// 2 sqrt(T) - 1 - sqrt(T+1) < sqrt(T), and more exactly from the proof's own sum when
//
//	c^2 <= (D/G)^2 sqrt(T)/(sum_{t<=T} t^(-1/2) - sqrt(T+1))    (always true for T <= 2),
//
// because printed minus (D^2/(2c sqrt T) + c G^2 sum/(2T) + floor) is D^2/(2c sqrt T) - c G^2 (sum - sqrt(T+1))/(2T). For c <= sqrt(2) D/G that covers T <= 8.
// The form moving says more: [TrueUpTo]. For every c > CriticalStep D/G the printed form is false from some T on, and the appendix form for every c > CriticalStepAppendix D/G: package convex has
// counterexamples (convex.StaircaseLimit has the proof), docs/errata.md explains them.
//
// Tight: the floor, in the limit named in Claims.
func Theorem2(f Form, r Rounding, p Parameters) (Value, error) {
	k := theorem2.begin(f, r)
	k.dim(p.Dim)
	k.delta(p.Delta)
	k.gradient(p.G)
	k.bounded(p.Diameter)
	k.step(p.C)
	k.steps(p.T)
	if f == Noise {
		k.noise(p)
	}
	k.consistent(p)
	return k.value(func() parts {
		t := float64(p.T)
		v := parts{floor: floorSR(p)}
		switch f {
		case Printed:
			v.decay = plus(decayRoot(p, math.Sqrt(t+1)), decayRoot(p, 0))
		case Appendix:
			v.decay = decayRoot(p, math.Sqrt(t+1))
		case Derived:
			v.decay = decayRoot(p, 2*math.Sqrt(t)-1)
		default:
			rho := budget(p, nil, factors{p.C})
			v.decay = decayRoot(p, excess(p.T, rho,
				func(t float64) float64 { return 1 / math.Sqrt(t) },
				func(t float64) float64 {
					r := math.Sqrt(t)
					return 2*r - 2*rho*t + 2*rho*rho*t*r/3
				}, 1/rho/rho))
			switch f {
			case Noise:
				v = smaller(v, noiseAware(p, decayRoot(p, rootSum(p.T))))
			case Moving:
				v = movingForm(p, v, nil)
			}
		}
		return v
	})
}

// ownSumUpTo is the largest c for which the proof of Theorem 2, with its own sum of step sizes, implies Section 4.1's printed form, in units of D/G:
// sqrt(sqrt(T)/(sum_{t<=T} t^(-1/2) - sqrt(T+1))), +Inf for T <= 2. It falls to 1 as T grows.
func ownSumUpTo(T int) float64 {
	t := float64(T)
	over := rootSum(T) - math.Sqrt(t+1)
	if over <= 0 {
		return math.Inf(1)
	}
	return math.Sqrt(math.Sqrt(t) / over)
}

// noise wants the constants of the form noise.
func (k *check) noise(p Parameters) {
	k.smooth(p.L)
	k.nonNegative("sigma", "E|g - grad F|^2 <= sigma^2", p.Sigma)
	if p.Batch < 0 {
		k.failf("assumes b >= 1 (the batch size), not %d", p.Batch)
	}
}

// noiseAware is the bound b + k (L k + sqrt(L^2 k^2 + s^2 + 2 L b)), k = sqrt(d) Delta/2, s = sigma/sqrt(batch), split into its value at b = 0, the floor, and
//
//	decay = b + k (sqrt(q + 2 L b) - sqrt(q)) = b (1 + 2 L k/(sqrt(q + 2 L b) + sqrt(q))),  q = L^2 k^2 + s^2,
//
// without cancellation.
func noiseAware(p Parameters, b *big.Float) parts {
	half := product(math.Sqrt(float64(p.Dim)), p.Delta, 0.5)
	lk := times(wide(p.L), half)
	q := plus(times(lk, lk), ratio(factors{p.Sigma, p.Sigma}, factors{max(float64(p.Batch), 1)}))
	v := parts{decay: b, floor: times(half, plus(lk, root(q)))}
	if rise := plus(root(plus(q, times(wide(2), wide(p.L), b))), root(q)); rise.Sign() > 0 {
		more := times(wide(2), lk, b)
		v.decay = plus(b, more.Quo(more, rise))
	}
	return v
}
