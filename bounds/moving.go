package bounds

import (
	"math"
)

// This file has the form moving of Theorems 2 and 3, and with it the answer to how far Theorem 2 of Section 4.1 is true.
//
// The paper's proof compares every iterate with w*. The bound here compares w^t with a reference point z_t that starts at w* and follows the
// iterates,
//
//	z_0 = w*,   z_t = (1-p_t) z_{t-1} + p_t w^t,   0 <= p_t < 1,   q_t = p_t/(1-p_t),
//
// as Zamani and Glineur (2023) do for the last iterate. z_t lies in W and depends on the past only, so gradient noise and rounding errors have mean zero against it.
//
// # The bound for any q_1, ..., q_T >= 0
//
// Let n_t = T-t+1, omega_t = 1 + q_t n_t and lambda_t = omega_t/(2 alpha_t). Then, with S_t what a step costs by the sharp Lemma 1 (see [Theorem1]),
//
//	sum_{t<=T} E[F(w^t) - F*] <= sum_t omega_t S_t + D^2 sum_t pos(lambda_t/(1+q_t)^2 - lambda_{t-1}),   lambda_0 = 0.
//
// Proof. Convexity, E r = 0 and the projection give, as in Appendix C but with z_t for w*,
//
//	E[F(w^t) - F(z_t)] <= (E|w^t - z_t|^2 - E|w^{t+1} - z_t|^2)/(2 alpha_t) + S_t.
//
// |w^t - z_t| = (1-p_t)|w^t - z_{t-1}| = |w^t - z_{t-1}|/(1+q_t). Multiply by omega_t and add up: the coefficient of B_t = E|w^t - z_{t-1}|^2 <= D^2 is
// lambda_t/(1+q_t)^2 - lambda_{t-1}, and a negative one may be left out. On the left, convexity gives F(z_t) <= (1-p_t) F(z_{t-1}) + p_t F(w^t), so F(z_t) - F* is at most
// P_t sum_{s<=t} (p_s/P_s)(F(w^s) - F*) with P_t = (1-p_1)...(1-p_t), and F(w^s) - F* keeps the weight
//
//	omega_s - p_s Q_s,   Q_s = sum_{t>=s} omega_t P_t/P_s = omega_s + (1-p_{s+1}) Q_{s+1}.
//
// That is 1 for every s: if it is so from s+1 on, Q_s = omega_s + n_s - 1 (since (1-p) Q = n by induction), and omega_s - p_s (omega_s + n_s - 1) = 1 says omega_s = 1 + q_s n_s.
//
// The last step is not carried out, so alpha_T may be any number in this line; alpha_{T-1} is used, and S_T = alpha_T G^2/2 has no rounding error.
//
// # The choice of q
//
// q_t = 0 for t < m, and from m on the largest that keeps lambda_t <= lambda_{t-1} (1+q_t)^2, which is computed from t = T downwards; the best m is taken. For c <= D/G the result is the
// worst case itself as Delta -> 0, over all functions and all W, as far as the certificates of package worst go (docs/worst-cases.md): equal to 3e-7 at every T up to 30 for which there
// is one, but for T = 24, c = D/G, where it is 2e-5 too large. As T grows it is the worst case for every c > 0.4915 D/G (convex.StaircaseLimit has the functions that reach it); at a finite T and c > D/G, where the first steps are
// longer than W, it is a little larger.
//
// # Large T
//
// With u_t = sqrt(t/T), any 0 < s < 1, m = ceil(s^2 T) + 1 and for t >= m
//
//	lambda_t = sqrt(T) l(u_t)/c,   l(u) = (3/8)(1+u)^2/(2+u) = (3/8)(u + 1/(2+u)),   q_t = (2 l(u_t)/u_t - 1)/n_t,
//
// which solves the limit of the recursion. l is concave in t, with dl/d(u^2) = h(u) = (3/16)(1+u)(3+u)/(u (2+u)^2), which decreases, and 2 q_t l(u_t) = h(u_t)(n_t-1)/(T n_t). So, for t > m,
//
//	lambda_t/(1+q_t)^2 - lambda_{t-1} <= (sqrt(T)/c)(l(u_t) - l(u_{t-1}) - 2 q_t l(u_t) + 3 q_t^2 l(u_t))
//	                                  <= (sqrt(T)/(c T))(h(u_{t-1}) - h(u_t) + h(u_t)/n_t + 3 h(u_t)^2/(4 l(u_t) T)),
//
// and lambda_m <= (sqrt(T)/c)(l(s) + 2 h(s)/T), so that the factor of D^2 is at most (sqrt(T)/c) times
//
//	l(s) + (h(s)/T)(3 + H_T + (3/8)(3+s)(1-s)/(s(2+s))).
//
// sum_t omega_t alpha_t/2 is at most c sqrt(T) (A(s) - 1/(2 sqrt T)), A(s) = s + (3/4)(1-s) + (3/8) log((2+s)/(3s)): the terms up to m-1 by sum t^(-1/2) <= 2 sqrt(m-1) - 1, the others by an integral,
// since l(u)/u^2 decreases, and A decreases. So, as sqrt(d) Delta -> 0 and then T -> infinity,
//
//	sqrt(T) E[F(wbar_T) - F*]/(G D) <= phi(k) = min_s (k A(s) + l(s)/k),   k = c G/D.
//
// phi(1) = 1.4036 where the proof of Appendix C, mended, has 3/2, and so has the printed form.
type movingSum struct {
	gradient float64 // sum_t omega_t S_t/(c G^2)
	start    float64 // c times the factor of D^2
	weight   float64 // the mean of omega_t, which multiplies what a step of BC costs
}

// movingText stands for the formula of the form.
const movingText = "the smaller of sharp and (min over m of c*G^2*sum_t(omega_t*S_t/(c*G^2)) + D^2*lambda_m)/T, q_t, omega_t, lambda_t and S_t as in bounds/moving.go"

// movingExact is the largest T for which the recursion is carried out.
const movingExact = 1 << 14

// moving is the form's sum with the smallest k2*gradient + start, for k2 = (c G/D)^2 and rho = sqrt(d) Delta/(2 c G): one iterate's rounding error is as
// large as its gradient step where rho sqrt(t) = 1. It needs T >= 2.
func moving(T int, k2, rho float64) movingSum {
	best, least := movingSum{}, math.Inf(1)
	try := func(sum movingSum, _ float64) {
		if cost := k2*sum.gradient + sum.start; cost < least {
			best, least = sum, cost
		}
	}
	if T <= movingExact {
		movingChoices(T, rho, try)
	} else {
		t, harmonic := float64(T), harmonic(T)
		for _, s := range movingStarts { // the same s whatever the constants, so that the bound is monotone in them
			try(movingLimit(t, harmonic, s, rho), 0)
		}
	}
	return best
}

// movingChoices calls yield with the sums for every m and with the largest omega_t.
func movingChoices(T int, rho float64, yield func(sum movingSum, top float64)) {
	step := func(t int) float64 { // S_t/(c G^2)
		r := math.Sqrt(float64(t))
		if x := rho * r; x > 1 {
			return rho
		} else if t < T {
			return (1 + x*x) / (2 * r)
		}
		return 0.5 / math.Sqrt(float64(T-1))
	}
	before := make([]float64, T+1) // sum of the steps up to t
	for t := 1; t < T; t++ {
		before[t] = before[t-1] + step(t)
	}
	before[T] = before[T-1]
	lambda, q, omega := math.Sqrt(float64(T-1))/2, 0.0, 1.0 // c lambda_T, q_T, omega_T
	top := 1.0
	var after, weights float64
	for m := T; ; m-- {
		after += omega * step(m)
		weights += omega
		top = max(top, omega)
		next := lambda / (1 + q) / (1 + q)
		yield(movingSum{before[m-1] + after, max(next, math.Sqrt(float64(m-1))/2), (float64(m-1) + weights) / float64(T)}, top)
		if m == 1 {
			return
		}
		n := float64(T - m + 2)
		lambda = next
		omega = 2 * lambda / math.Sqrt(float64(m-1))
		if omega < 1-1e-12 {
			return
		}
		omega = max(omega, 1)
		q = (omega - 1) / n
	}
}

// reference, climb and drift are l, h and A of the comment above.
func reference(u float64) float64 { return 3. / 8 * (u + 1/(2+u)) }
func climb(u float64) float64     { return 3. / 16 * (1 + u) * (3 + u) / (u * (2 + u) * (2 + u)) }
func drift(s float64) float64     { return s + 3./4*(1-s) + 3./8*math.Log((2+s)/(3*s)) }

// movingStarts are the s that are tried for large T. The last two are best at the critical steps: without them TrueUpTo would tend to something smaller.
var movingStarts = func() (all []float64) {
	for i := 1; i < 256; i++ {
		all = append(all, float64(i)/256)
	}
	return append(all, bestStart(CriticalStep), bestStart(CriticalStepAppendix))
}()

// bestStart is the s at which k A(s) + l(s)/k is smallest, where k^2 = (3/2) s (1+s)/((1-s)(2+s)).
func bestStart(k float64) float64 {
	q := 2 * k * k / (k*k + 1.5) // s^2 + s
	return 2 * q / (1 + math.Sqrt(1+4*q))
}

// movingLimit is the sum for a large T and one s; harmonic is H_T. With rounding errors S_t exceeds alpha_t G^2/2 by at most lambda_t (sqrt(d) Delta/2)^2/omega_t, l(u) being integrated over t, and by at most
// sqrt(d) Delta G/2; the better of the two is taken.
func movingLimit(t, harmonic, s, rho float64) movingSum {
	r := math.Sqrt(t)
	sum := movingSum{
		gradient: r*drift(s) - 0.5,
		start:    r * (reference(s) + climb(s)/t*(3+harmonic+3./8*(3+s)*(1-s)/(s*(2+s)))),
		weight:   min(1, s*s+2/t) + 1.5*((1-s*s)/2+math.Log(3/(2+s))),
	}
	x := rho * r
	sum.gradient += r * min(x*x*(s*s*s/3+0.75*((1-s*s*s)/3+(1-s)-2*math.Log(3/(2+s)))+1/t), x*sum.weight)
	return sum
}

// movingForm is the form moving of Theorem 2 or 3: the smaller of sharp and the bound above. floor is what each step costs BC, nil for SR.
func movingForm(p Parameters, sharp parts, floor func() parts) parts {
	if p.T < 2 || p.G == 0 {
		return sharp
	}
	k, _ := ratio(factors{p.C, p.G}, factors{p.Diameter}).Float64()
	k2 := min(max(k*k, 1e-300), 1e300)
	var rho float64
	if floor == nil {
		rho = budget(p, nil, factors{p.C})
	}
	sum := moving(p.T, k2, rho)
	if math.IsInf(sum.gradient, 0) || math.IsInf(sum.start, 0) {
		return sharp
	}
	t := float64(p.T)
	decay := plus(ratio(factors{p.C, p.G, p.G, sum.gradient}, factors{t}), ratio(factors{p.Diameter, p.Diameter, sum.start}, factors{p.C, t}))
	var v parts
	if floor != nil {
		v = parts{decay, times(wide(sum.weight), floor().floor)}
	} else { // what is left of the total beside the floor of the form sharp
		v = parts{decay, floorSR(p)}
		if v.decay.Sub(decay, v.floor); v.decay.Sign() < 0 {
			v.decay = wide(0)
		}
	}
	return smaller(sharp, v)
}

// TrueUpTo is the largest c, in units of D/G, up to which Theorem 2 is proved here for T iterates, whatever Delta and with gradient noise, as Section 4.1 prints it (form Printed) or as Appendix C does (form Appendix): the larger of what
// the paper's own proof gives ([Theorem2]) and of what the moving reference point gives. Theorem 3 as printed is true up to TrueUpTo(Appendix, T), for both roundings. For every T it is above [CriticalStep] or
// [CriticalStepAppendix], to which it tends. It panics for another form and if T < 1.
//
// Proof for the moving reference point. Let a be 1 for Section 4.1 and 1/2 for Appendix C. Printed minus the bound, without rounding errors, is D^2 (a sqrt(T) - start)/(c T) - c G^2 (gradient - sqrt(T+1)/2)/T, which is the condition on c.
// With rounding errors let kappa = sqrt(d) Delta/2, so that the printed floor is kappa G. (a) kappa <= alpha_T G: then S_t = alpha_t G^2/2 + kappa^2/(2 alpha_t) with kappa <= alpha_t G, and omega_t <= 2, so omega_t S_t <= omega_t alpha_t G^2/2 + kappa G.
// (b) kappa > alpha_T G: the form sharp is D^2/(2c sqrt T) + kappa G + (1/T) sum_t pos(alpha_t G - kappa)^2/(2 alpha_t), whose last term is at most (c G^2/(2T)) sum_t t^(-1/2) (1 - sqrt(t/T))^2 <= c G^2/(3 sqrt T), below the printed
// c G^2 sqrt(T+1)/(2T). Theorem 3 has the decay of Appendix C and the floor sqrt(d) Delta L D; with omega_t <= 2 the rounding of BC costs at most that, twice sqrt(d) Delta L D/2 a step.
//
// Proof that it is above the critical step k. For T <= 5000 each T is computed (TestTheorem2IsTrueUpTo). Beyond, take the sums of movingLimit with the s of the critical step, which hold for every T. By its definition
// k^2 = (a - l(s))/(A(s) - 1/2). The condition on c is c^2 <= (a - start/sqrt(T))/((gradient - sqrt(T+1)/2)/sqrt(T)), and is met for a c > k if what the denominator is smaller by is worth more than what start is larger by:
//
//	k^2 (1/(2 sqrt T) + (sqrt(1+1/T) - 1)/2) > (h(s)/T)(3 + H_T + (3/8)(3+s)(1-s)/(s(2+s))).
//
// For that k^2 sqrt(T)/2 > h(s)(3 + H_T + ...) is enough. It is true at T = 5000 and hence beyond, since H_T grows more slowly than sqrt(T). And omega_t <= 2 l(s)/s < 2.
func TrueUpTo(form Form, T int) float64 {
	if T < 1 || form != Printed && form != Appendix {
		panic("bounds: TrueUpTo: want T >= 1 and the form printed or appendix")
	}
	t := float64(T)
	share, best := 1.0, ownSumUpTo(T)
	if form == Appendix {
		share = 0.5
		if !math.IsInf(best, 1) {
			best = 0
		}
	}
	if T < 2 || math.IsInf(best, 1) {
		return best
	}
	try := func(sum movingSum, top float64) {
		over := sum.gradient - math.Sqrt(t+1)/2
		if over > 0 && sum.start < share*math.Sqrt(t) && top <= 2 {
			best = max(best, math.Sqrt((share*math.Sqrt(t)-sum.start)/over))
		}
	}
	if T > movingExact {
		harmonic := harmonic(T)
		for _, s := range movingStarts {
			try(movingLimit(t, harmonic, s, 0), 2*reference(s)/s) // omega_t = 2 l(u_t)/u_t decreases
		}
	} else {
		movingChoices(T, 0, try)
	}
	return best
}

// CriticalStep is the limit of TrueUpTo(Printed, T), the k with min_s (k A(s) + l(s)/k) = 1/k + k/2, cut off after the last digit. The printed form is true for every T where c <= k D/G, and false from some T on where c > k D/G
// (convex.StaircaseLimit).
const CriticalStep = 1.0836978121729

// CriticalStepAppendix is the same for Appendix C's form and for Theorem 3: min_s (k A(s) + l(s)/k) = 1/(2k) + k/2.
const CriticalStepAppendix = 0.5761628949918
