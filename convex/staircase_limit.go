package convex

import (
	"fmt"
	"math"
)

// StaircaseLimit is what [Staircase] tends to as T grows, and the proof of this theorem: for every k > 0.4915
//
//	sqrt(T)/(G D) sup E[F(wbar_T) - F*]  ->  phi(k) = min_s k A(s) + l(s)/k   as first sqrt(d) Delta -> 0 and then T -> infinity,
//
// the supremum being over all d, all convex F and all convex W with the constants G and D, with SR's steps c/sqrt(t), c = k D/G, and with gradient noise or without. That phi is not exceeded is the form moving of Theorem 2
// (bounds/moving.go, which has A and l); the family reaches it. Three consequences:
//
//   - The bound of the form moving cannot be improved as T grows.
//   - Section 4.1's Theorem 2, whose bound is (1/k + k/2) G D/sqrt(T) in the limit, is false for every c > 1.0837 D/G (bounds.CriticalStep) from some T on: k phi(k) - k^2/2 = min_s k^2 (A(s) - 1/2) + l(s) rises with k,
//     because A >= 1, and it is 1 at the critical step.
//   - Appendix C's form, (1/(2k) + k/2) G D/sqrt(T), is false for every c > 0.5762 D/G (bounds.CriticalStepAppendix) from some T on, and so is Theorem 3: a maximum of affine functions is made smooth without changing a step (theorem3Smooth),
//     by an L that grows as T does, on a grid so fine that sqrt(d) Delta L D is as small as one likes.
//
// # The limit of the family
//
// Given k, let s, 0 < s < 1, be where k A + l/k is smallest, k^2 = (3/2) s (1+s)/((1-s)(2+s)). With
//
//	e(u) = (1+u)/(u sqrt(2+u)),   E(u) = int_u^1 e(v) 2v dv = (4/3) sqrt(2+u) (1-u),   y = e/(E + (4/3) slack),
//
// u = sqrt(t/T), and slack > 0 and the width b of W kept while T -> infinity, alpha_t = k/(u sqrt T), c_t T -> kappa(u), gamma_t T -> Gamma(u) = kappa - y and f_t sqrt(T) -> psi(u), uniformly on [s, 1], because y is
// smooth there:
//
//	kappa(s) = (k/(2s))^2/(1-b^2),   dkappa/du = 2u y^2,   psi(s) = k/(2s),   dpsi/du = -2k Gamma,
//
// and, on the swing, sqrt(T) F(w^t) tends to k/(2u), but for the finitely many first steps that are longer than 2b. So what [Staircase.Mean] checks holds for all large T if it holds strictly for these functions. Their integrals
// are continuous where b and slack -> 0, since dGamma/du = 2u (y^2 - dy/d(u^2)) = -e'(u)/(E + (4/3) slack) is at most its value for slack = 0, which is of order 1/(1-u). So it is enough to look at b = slack = 0:
//
//	y = (3/4) (1+u)/(u (1-u)(2+u)),   kappa(s) = k^2/(4 s^2) = y(s)/2,   Gamma(s) = -y(s)/2.
//
// Let J(u) = int_u^1 (1+w)/(w (2+w)^2) dw > 0. Exchanging integrals, with 2w y^2 (1-w) - y = -(3/8)(1+w)/(w (2+w)^2),
//
//	int_u^1 Gamma dv = Gamma(u)(1-u) + B(u),   B(u) = (3/4)(1+u)/(u(2+u)) - (3/8) J(u) - 1/2 = int_u^1 (3/8)(w^2+3w+4)/(w^2 (2+w)^2) dw,
//
// where -1/2 is what kappa's pole at u = 1 contributes ((1-u) kappa and (1-u) y tend to 1/2 there).
//
// (1) gamma increases: e falls, so Gamma rises.
//
// (2) f_t > 0, and |w^{t+1}|^2 = |w^t|^2 - 2 alpha_t f_t + alpha_t^2 stays below 1, as it is 1 - b^2 where the staircase begins: psi(u) >= k/(2u) is enough. There is equality at s, where psi rises with slope k y(s), and psi is concave by (1), and psi(1)/k = 1/(2s) - 2 (B(s) - y(s)(1-s)/2) = 1 + (1-s)/(4s(2+s)) + (3/4) J(s) > 1, so
// psi is above the chord of the convex function k/(2u). (A small b, and a slack below b^2, lower psi by a multiple of b^2 (u-s) at most
// and raise |w^t|^2 by one of b^2 (u-s)^2: where u is near s the b^2 at the beginning pays for that, elsewhere what psi exceeds k/(2u) by.)
//
// (3) No piece comes back:
//
//	1/u - 2 int_u^1 (Gamma(v) - Gamma(u)) dv = 1/u - 2 B(u) = (1-u)/(2u(2+u)) + 1 + (3/4) J(u) > 0.
//
// (4) c_T < 1: kappa is bounded for every slack > 0.
//
// (5) |w^t - w^j| falls as j rises: k/u + 4k (1-u) Gamma(u) > 0, or G(u) = 4u(1-u) kappa(u) - (1+2u)/(2+u) > 0 for s <= u < 1. At u = s it is (1-s)/(2(2+s)). For u <= 1/2 it increases: dG/du >= (9/2)(1+u)^2/((1-u)(2+u)^2) - 3/(2+u)^2 > 0. For
// s >= 1/2, Gamma(u) >= -y(s)/2 and u(1-u) <= s(1-s), so that G(u) = 1 + 4u(1-u) Gamma(u) >= 1 - (3/2)(1+s)/(2+s) > 0. For s < 1/2 < u compare with s = 1/2: kappa(u) falls as s rises, by y(s)(1/s + 1/(1-s) - 1/(1+s))/2.
//
// (6) So the largest distance is one from w^From, and |w^t - w^From|^2 -> D(u) with dD/du = 2k^2 N, N = 1/u + 1/s - 2 psi/k. Here psi/k <= (1 + 1/s)/2, so that N >= 0: psi/k is at most 1/(2s) + y(s)(u-s) by concavity, which is enough
// up to u_0 = s + 1/(2 y(s)); and where Gamma <= 0, so up to its maximum, it is at most psi(1)/k + 2 B(u), which falls, so it is enough that psi(1)/k + 2 B(u_0) <= (1+1/s)/2. With p(w) = 1/(w^2 (2+w)) that says
//
//	int_s^1 p dw >= int_{u_0}^1 (w + 1 + 2/(w+2)) p dw,   which follows from   int_s^{u_0} p dw >= (5/3) int_{u_0}^1 p dw,
//
// w + 1 + 2/(w+2) being at most 8/3. Replacing 2+w by 2+u_0 on both sides, 1/s - 1/u_0 >= (5/3)(1/u_0 - 1) is enough, which is (1-s)(10 s^2 + 11 s - 3) >= 0: true for s >= 0.22621, and s is larger for k > 0.4915. At the end
//
//	D(1) = k^2 (log(1/s)/8 + (3/8) log(3/(2+s)) + (3/4)(1-s)/s) <= ((1+s)/(2+s)) (21/16 + (9/16) s/(2+s)) < 1,
//
// by k^2 as above and log x <= x-1; the last is 1 at s = 1 and rises with s. From an iterate of the swing the square of a distance is larger by b^2 in the limit.
//
// # The gap
//
// sqrt(T) times the mean of the F(w^t) tends to k s + int_s^1 psi(u) 2u du. By parts the integral is (1-s^2) psi(s) - 2k int_s^1 (1-v^2) Gamma dv, and exchanging integrals as above
//
//	int_s^1 (1-v^2) Gamma dv = kappa(s) (1-s)^2 (2+s)/3 - (3/8)(1-s) - (3/16) log((2+s)/(3s)).
//
// Together, k (s + (3/4)(1-s) + (3/8) log((2+s)/(3s))) + k (1-s^2)/(4s), which is k A(s) + l(s)/k. TestStaircaseLimit evaluates every line.
//
// # The gradient on all of W
//
// G bounds the gradients that SR takes, as the paper assumes; the affine function that supports F at the average (see [Staircase]) may be steeper. The limit is the same where G is to bound the gradient on all of W: let u = 1/log T for the
// directions of the steps' own and b = u^2. What these directions add to a squared distance, at most u^2 k^2 (1 + log T), vanishes, and so does that function's squared slope: it is at most of order b^2 along the height and c_T + b^2 on the staircase,
// and on the swing the sum of ((v_t - v_{t+1})/(u alpha_t))^2, which is of order 1/(u t)^2 summed from t = (k/(2b))^2 on, so b^2/u^2.
type StaircaseLimit struct {
	K     float64 // k
	Start float64 // s: the staircase begins at step s^2 T
	Slack float64
}

// leastStaircase is the smallest k of the proof, rounded up.
const leastStaircase = 0.4915

// NewStaircaseLimit returns the limit for c = k D/G. It is an error if the proof does not cover k or slack is negative.
func NewStaircaseLimit(k, slack float64) (StaircaseLimit, error) {
	if !(k > leastStaircase && k < 1e3) || !(slack >= 0 && slack < 1) {
		return StaircaseLimit{}, fmt.Errorf("convex: staircase for c = %v D/G with slack %v: want c between %v and 1000 D/G and a slack in [0, 1)", k, slack, leastStaircase)
	}
	q := 2 * k * k / (k*k + 1.5) // s^2 + s
	return StaircaseLimit{K: k, Start: 2 * q / (1 + math.Sqrt(1+4*q)), Slack: slack}, nil
}

// steepness is y(u).
func (l StaircaseLimit) steepness(u float64) float64 {
	return 0.75 * (1 + u) / (u * ((2+u)*(1-u) + l.Slack*math.Sqrt(2+u)))
}
