package bounds

import (
	"math"
	"math/rand/v2"
	"testing"
)

// referenceBound is the line that the comment of movingSum proves, for any q >= 0 and any last step, in units c G^2/T and D^2/(c T): what multiplies them.
func referenceBound(q []float64, last, rho float64) (gradient, start float64) {
	T := len(q)
	var before float64 // c lambda_{t-1}
	for i, q := range q {
		t := float64(i + 1)
		root := math.Sqrt(t)
		if i == T-1 {
			root = 1 / last
		}
		step := 1 / (2 * root)
		if x := rho * root; i < T-1 && x <= 1 {
			step *= 1 + x*x
		} else if i < T-1 {
			step = rho
		}
		omega := 1 + q*(float64(T)-t+1)
		lambda := omega * root / 2
		gradient += omega * step
		start += max(0, lambda/(1+q)/(1+q)-before)
		before = lambda
	}
	return gradient, start
}

// The recursion is one of the choices of q: rebuilt from its definition, the sum is the same.
func TestMovingAgainstItsDefinition(t *testing.T) {
	for _, T := range []int{2, 3, 5, 24, 100, 1000} {
		for _, rho := range []float64{0, 0.01 / math.Sqrt(float64(T)), 0.5 / math.Sqrt(float64(T))} {
			i := 0
			last := 1 / math.Sqrt(float64(T-1))
			// q by the definition, from behind: lambda_{t-1} = lambda_t/(1+q_t)^2.
			q := make([]float64, T)
			lambda := 1 / (2 * last)
			movingChoices(T, rho, func(sum movingSum, _ float64) {
				m := T - i // q_t = 0 for t < m
				if i > 0 {
					lambda /= (1 + q[m]) * (1 + q[m])
					q[m-1] = (2*lambda/math.Sqrt(float64(m)) - 1) / float64(T-m+1)
				}
				gradient, start := referenceBound(q, last, rho)
				if math.Abs(gradient-sum.gradient) > 1e-12*gradient || math.Abs(start-sum.start) > 1e-9*start {
					t.Errorf("T = %d, rho = %v, m = %d: %v, %v; by the definition %v, %v", T, rho, m, sum.gradient, sum.start, gradient, start)
				}
				i++
			})
			if i < 2 {
				t.Errorf("T = %d: %d choices of m", T, i)
			}
		}
	}
}

// No q is much better: from the choice made, random changes of one or of all q lower the sum by less than 2e-5 of it for c <= D/G.
func TestMovingIsNearlyTheBestReference(t *testing.T) {
	noise := rand.New(rand.NewPCG(17, 6))
	for _, T := range []int{2, 3, 8, 24} {
		for _, k := range []float64{0.5, 1} {
			cost := func(q []float64, last float64) float64 {
				gradient, start := referenceBound(q, last, 0)
				return k*gradient + start/k
			}
			sum := moving(T, k*k, 0)
			made := k*sum.gradient + sum.start/k
			best, now, last := made, math.Inf(1), 1/math.Sqrt(float64(T-1))
			q := make([]float64, T)
			for range 40000 {
				x, l := append([]float64(nil), q...), last
				if i := noise.IntN(T + 1); i == T {
					l *= math.Exp(0.1 * noise.NormFloat64() * noise.Float64())
				} else {
					x[i] = max(0, x[i]+0.05*noise.NormFloat64()*noise.Float64()*noise.Float64())
				}
				if c := cost(x, l); c < now {
					now, q, last = c, x, l
				}
			}
			best = min(best, now)
			t.Logf("T = %d, k = %v: %v, after the search %v", T, k, made, now)
			if best < made*(1-2e-5) {
				t.Errorf("T = %d, k = %v: %v, but a search finds %v", T, k, made, best)
			}
		}
	}
}

// For large T the sums of the comment replace the recursion: not below it, and by little.
func TestMovingLimit(t *testing.T) {
	for _, T := range []int{1000, 4096, movingExact} {
		for _, k := range []float64{0.3, 0.7, 1, 1.0837, 2, 5} {
			for _, x := range []float64{0, 0.01, 0.5, 1} {
				rho := x / math.Sqrt(float64(T))
				exact, limit := moving(T, k*k, rho), movingSum{}
				for s := 1. / 256; s < 1; s += 1. / 256 {
					if sum := movingLimit(float64(T), harmonic(T), s, rho); limit.start == 0 || k*k*sum.gradient+sum.start < k*k*limit.gradient+limit.start {
						limit = sum
					}
				}
				a, b := k*exact.gradient+exact.start/k, k*limit.gradient+limit.start/k
				if b < a || b > a*(1+1e-4+x*0.004+3*math.Log(float64(T))/(min(k, 1)*min(k, 1)*float64(T))) {
					t.Errorf("T = %d, k = %v, x = %v: %v, by the recursion %v", T, k, x, b, a)
				}
			}
		}
	}
	// phi(1), and phi(k) = 1/k + k/2 at the critical step.
	for _, c := range []struct{ k, want float64 }{{1, 1.4036344601727}, {CriticalStep, 1/CriticalStep + CriticalStep/2}, {CriticalStepAppendix, 0.5/CriticalStepAppendix + CriticalStepAppendix/2}} {
		s := 0.5
		for step := 0.25; step > 1e-9; step /= 2 { // c.k^2 A + l is convex in s
			if cost := func(s float64) float64 { return c.k*c.k*drift(s) + reference(s) }; cost(s+step) < cost(s) {
				s += step
			} else if cost(s-step) < cost(s) {
				s -= step
			}
		}
		if got := c.k*drift(s) + reference(s)/c.k; math.Abs(got-c.want) > 1e-10 {
			t.Errorf("phi(%v) = %v, want %v", c.k, got, c.want)
		}
	}
}

// Section 4.1's Theorem 2 is true up to the critical step for every T, and Appendix C's and Theorem 3 up to theirs: up to T = 5000 by the recursion for each T, beyond by what the sums for large T say of all larger T at once.
func TestTheorem2IsTrueUpTo(t *testing.T) {
	const from = 5000
	stride := 1
	if testing.Short() {
		stride = 37
	}
	for _, f := range []struct {
		form            Form
		share, critical float64
	}{{Printed, 1, CriticalStep}, {Appendix, 0.5, CriticalStepAppendix}} {
		least := math.Inf(1)
		for T := 1; T <= from; T += stride {
			least = min(least, TrueUpTo(f.form, T))
		}
		t.Logf("%s: at least %v for T <= %d", f.form, least, from)
		if !(least > f.critical*(1+1e-3)) {
			t.Errorf("%s: %v for some T <= %d: want more than %v", f.form, least, from, f.critical)
		}

		// The s of the critical step, and what is claimed of it.
		k2 := f.critical * f.critical
		s := bestStart(f.critical)
		if x := (f.share - reference(s)) / (drift(s) - 0.5); math.Abs(x-k2) > 1e-12 {
			t.Errorf("%s: (a-l)/(A-1/2) = %v, want %v", f.form, x, k2)
		}
		if top := 2 * reference(s) / s; !(top < 2) {
			t.Errorf("%s: omega up to %v", f.form, top)
		}
		over := func(T int) float64 {
			return k2*math.Sqrt(float64(T))/2 - climb(s)*(3+harmonic(T)+3./8*(3+s)*(1-s)/(s*(2+s)))
		}
		if !(over(from) > 1) {
			t.Errorf("%s: the inequality for all T from %d on leaves %v there", f.form, from, over(from))
		}
		for T := from; T < 1e15; T *= 3 {
			if !(over(3*T) > over(T)) {
				t.Errorf("%s: %v left at T = %d, %v at 3T", f.form, over(T), T, over(3*T))
			}
			n := float64(T)
			sum := movingLimit(n, harmonic(T), s, 0)
			if x := math.Sqrt((f.share*math.Sqrt(n) - sum.start) / (sum.gradient - math.Sqrt(n+1)/2)); !(x > f.critical) && n < 1e12 { // beyond, x and the limit agree to the last digits
				t.Errorf("%s: T = %d: true up to %v by the sums, want more than %v", f.form, T, x, f.critical)
			}
			if x := TrueUpTo(f.form, T); !(x > f.critical) {
				t.Errorf("%s: TrueUpTo(%d) = %v, want more than %v", f.form, T, x, f.critical)
			}
		}
		if over(300) > 0 && f.form == Appendix {
			t.Error("the inequality is said to hold at T = 300 too: it leaves nothing to compute")
		}
		if x := TrueUpTo(f.form, 1e15); math.Abs(x-f.critical) > 1e-7 {
			t.Errorf("%s: TrueUpTo(1e15) = %v, want about %v", f.form, x, f.critical)
		}
	}
}

// At TrueUpTo the form moving is at most the printed one, on every grid and so for every size of the rounding errors, Theorem 3 included. Beyond it the form is larger than the printed one where Delta -> 0: the proof gives no more.
func TestMovingImpliesWhatIsPrinted(t *testing.T) {
	for _, f := range []struct {
		claim Claim
		form  Form // of Theorem 2
		as    Form // of the claim
		r     Rounding
	}{{theorem2, Printed, Printed, Stochastic}, {theorem2, Appendix, Appendix, Stochastic}, {theorem3, Appendix, Printed, Stochastic}, {theorem3, Appendix, Printed, Nearest}} {
		for _, T := range []int{2, 3, 9, 24, 100, 400, 1000, 20000, 1e6} {
			k := min(TrueUpTo(f.form, T), 1e3)
			for _, L := range []float64{1e-9, 1, 1e9} {
				p := Unknown()
				p.Dim, p.T, p.Diameter, p.G, p.C, p.L = 1, T, 1, 1, k, L
				for x := 1e-9; x < 1e3; x *= 1.25 {
					p.Delta = min(2*k/math.Sqrt(float64(T))*x, 1) // sqrt(d) Delta/2 = x alpha_T G
					m, printed := value(f.claim, Moving, f.r, p).Total(), value(f.claim, f.as, f.r, p).Total()
					if m > printed*(1+1e-9) {
						t.Errorf("%s, T = %d, c = %v D/G, L = %v, x = %v: moving %v, printed %v", f.claim.Name, T, k, L, x, m, printed)
					}
				}
				if p.Delta, p.C, p.L = 1e-12, 1.01*k, 1; T > 2 && value(f.claim, Moving, f.r, p).Total() <= value(f.claim, f.as, f.r, p).Total() {
					t.Errorf("%s, T = %d, c = %v D/G: the form moving still implies the printed one", f.claim.Name, T, p.C)
				}
			}
		}
	}
}
