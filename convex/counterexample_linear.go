package convex

import (
	"cmp"
	"context"
	"fmt"
	"math"
	"slices"

	"tqn/bounds"
	"tqn/evidence"
)

// slope is phi(z) = e z.
type slope struct{ e float64 }

func (s slope) value(z float64) float64               { return s.e * z }
func (s slope) slope(float64) float64                 { return s.e }
func (s slope) bend(_, _ float64) (mu, l, l2 float64) { return 0, 0, 0 }
func (s slope) zero() float64                         { return math.Copysign(math.Inf(1), -s.e) }

type linearProblem struct{ *Separable }

// Hessian is 0.
func (l *linearProblem) Hessian() [][]float64 { return l.hessian }

// NewLinear returns F(w) = e (w_1 + ... + w_d) on [lo, hi]^d, e != 0, with the noise of
// [Separable]: f_0 and f_1 are linear with slopes e +- noise, G^2 = d (e^2 + noise^2), mu = L =
// L2 = 0. Under SR it is a random walk between two walls. Since F is linear,
// E F(wbar) = (1/T) sum E F(w^t): Jensen's inequality is an equality, and so is every
// other line of the proof of Theorem 2 away from the walls.
func NewLinear(lo, hi, e float64, d int, noise float64) Curved {
	if e == 0 {
		panic("convex: NewLinear: want e != 0")
	}
	curves, hessian := make([]curve, d), make([][]float64, d)
	for k := range curves {
		curves[k], hessian[k] = slope{e}, make([]float64, d)
	}
	s := newSeparable("linear", lo, hi, curves, make([]float64, d), noise)
	s.hessian = hessian
	return &linearProblem{s}
}

// The family of Theorem 2: F = e w on [0, n], noise 1, Delta = 1, step sizes c/sqrt(t), start
// at n; x = (n, T, c, 20 e).
func linearInstance(x []int) Instance {
	p := NewLinear(0, float64(x[0]), float64(x[3])/20, 1, 1)
	return build(p, 1, []float64{float64(x[0])}, Root(float64(x[2])), x[1])
}

// walkMean is (1/T) sum_{t<=T} E w^t of the SR walk of F = e w on [0, n], noise 1, from n: exact up to
// rounding, faster than Law since every interior point moves alike. Law confirms
// what the search finds.
func walkMean(n, T int, c, e float64) float64 {
	p, q := make([]float64, n+1), make([]float64, n+1)
	p[n] = 1
	var sum float64
	for t := 1; ; t++ {
		for i, v := range p {
			sum += v * float64(i)
		}
		if t == T {
			return sum / float64(T)
		}
		clear(q)
		alpha := c / math.Sqrt(float64(t))
		for side, s := range [2]float64{alpha * (1 + e), alpha * (1 - e)} { // towards 0, away from 0
			if s < 0 { // e > 1: both slopes point to 0
				side, s = 0, -s
			}
			s = min(s, float64(n))
			k := int(s)
			far := (s - float64(k)) / 2
			near := 0.5 - far
			// Sources that stay clear of the wall, then those that end on it.
			clearOf := n + 1 - k
			if far > 0 {
				clearOf--
			}
			if side == 0 {
				for i := n + 1 - clearOf; i <= n; i++ {
					v := p[i]
					q[i-k] += v * near
					if far > 0 {
						q[i-k-1] += v * far
					}
				}
				for _, v := range p[:n+1-clearOf] {
					q[0] += v / 2
				}
			} else {
				for i := range clearOf {
					v := p[i]
					q[i+k] += v * near
					if far > 0 {
						q[i+k+1] += v * far
					}
				}
				for _, v := range p[clearOf:] {
					q[n] += v / 2
				}
			}
		}
		p, q = q, p
	}
}

func theorem2Ratio(form bounds.Form, x []int) float64 {
	v, err := bounds.Theorem2(form, bounds.Stochastic, linearInstance(x).Parameters(x[1]))
	if err != nil {
		panic(err)
	}
	return float64(x[3]) / 20 * walkMean(x[0], x[1], float64(x[2]), float64(x[3])/20) / v.Total()
}

func theorem2Exhibit(name string, form bounds.Form, witness ...int) Exhibit {
	return Exhibit{
		Name: name, Witness: witness, starts: 6,
		family: func() family {
			return family{
				low: []int{1, 1, 1, 1}, high: []int{300, 1 << 13, 4000, 40},
				ratio: func(x []int) float64 { return theorem2Ratio(form, x) },
				size:  func(x []int) float64 { return float64(x[0]) * float64(x[1]) },
			}
		},
		Check: func(_ context.Context, x []int) (Counterexample, error) {
			in := linearInstance(x)
			measured := meanGap(in) // E F(wbar_T) - F*, since F is linear
			p := in.Parameters(in.T)
			e := float64(x[3]) / 20
			return Counterexample{
				Name: name, Claim: "theorem2", Form: form, Rounding: bounds.Stochastic,
				Instance: fmt.Sprintf("F(w) = %.2f w on [0, %d], two linear terms of slopes %.2f and %.2f, Delta = 1, c = %d = %.2f D/G, T = %d, start %d",
					e, x[0], e+1, e-1, x[2], p.C*p.G/p.Diameter, x[1], x[0]),
				Left: "E F(wbar_T) - F*", Parameters: p,
				Measured: evidence.Exact(measured, Roundoff(in, measured)),
				Coverage: "F = e w on [0, n Delta] with gradients e-1 and e+1: n <= 300, T <= 8192, c <= 4000, e in multiples of 1/20 up to 2; 6 random starts, then smaller n T for as long as the ratio stays above 1",
			}.fill()
		},
	}
}

// theorem2Printed refutes Theorem 2 as Section 4.1 prints it, for c > D/G.
var theorem2Printed = theorem2Exhibit("theorem2-large-c", bounds.Printed, 148, 3800, 624, 5)

// theorem2Appendix refutes Theorem 2 as Appendix C prints it.
var theorem2Appendix = theorem2Exhibit("theorem2-appendix", bounds.Appendix, 146, 1835, 431, 5)

// OpenTheorem2 is what a search of the range where Theorem 2 as Section 4.1 prints it is neither proved nor refuted, D/G < c <= sqrt(2) D/G,
// has found.
type OpenTheorem2 struct {
	Searched int
	Ratio    float64 // largest measured/printed: above 1 would refute
	Instance string  // where
	Coverage string
}

// SearchOpenTheorem2 measures F = e w on [0, n Delta] with gradients e-1 and e+1, started at n Delta, by the exact law, on a grid of n, T, e and
// k = c G/D, and climbs from the ten best: e, then k, by ever smaller factors, n and T by 2.
func SearchOpenTheorem2(ctx context.Context) (OpenTheorem2, error) {
	o := OpenTheorem2{Coverage: "F = e w on [0, n Delta] with gradients e-1 and e+1: n = 1, 2, 4, ..., 64, T = 1, 4, 16, ..., 4096, e = 1/32, 1/16, ..., 2, " +
		"c G/D = 1.02, 1.1, 1.2, 1.3, sqrt 2, then climbing from the ten best with n <= 256 and T <= 16384"}
	type point struct {
		n, t  int
		e, k  float64
		ratio float64
	}
	measure := func(p *point) error {
		o.Searched++
		in := build(NewLinear(0, float64(p.n), p.e, 1, 1), 1, []float64{float64(p.n)}, Root(p.k*float64(p.n)/math.Sqrt(1+p.e*p.e)), p.t)
		v, err := bounds.Theorem2(bounds.Printed, bounds.Stochastic, in.Parameters(p.t))
		if err != nil {
			return err
		}
		p.ratio = p.e * walkMean(p.n, p.t, p.k*float64(p.n)/math.Sqrt(1+p.e*p.e), p.e) / v.Total()
		return ctx.Err()
	}
	var points []point
	for n := 1; n <= 64; n *= 2 {
		for t := 1; t <= 4096; t *= 4 {
			for e := 1. / 32; e <= 2; e *= 2 {
				for _, k := range []float64{1.02, 1.1, 1.2, 1.3, math.Sqrt2} {
					p := point{n: n, t: t, e: e, k: k}
					if err := measure(&p); err != nil {
						return o, err
					}
					points = append(points, p)
				}
			}
		}
	}
	best := func(a, b point) int { return cmp.Compare(b.ratio, a.ratio) }
	slices.SortStableFunc(points, best)
	points = points[:10]
	for i, p := range points {
		for factor := 1.5; factor > 1.01; {
			up := p
			for _, q := range []point{
				{n: p.n, t: p.t, e: p.e * factor, k: p.k}, {n: p.n, t: p.t, e: p.e / factor, k: p.k},
				{n: p.n, t: p.t, e: p.e, k: min(p.k*factor, math.Sqrt2)}, {n: p.n, t: p.t, e: p.e, k: max(p.k/factor, 1.02)},
				{n: min(2*p.n, 256), t: p.t, e: p.e, k: p.k}, {n: max(p.n/2, 1), t: p.t, e: p.e, k: p.k},
				{n: p.n, t: min(2*p.t, 16384), e: p.e, k: p.k}, {n: p.n, t: max(p.t/2, 1), e: p.e, k: p.k},
			} {
				if err := measure(&q); err != nil {
					return o, err
				}
				if q.ratio > up.ratio {
					up = q
				}
			}
			if up == p {
				factor = math.Sqrt(factor)
			}
			p = up
		}
		points[i] = p
	}
	slices.SortStableFunc(points, best)
	p := points[0]
	o.Ratio = p.ratio
	o.Instance = fmt.Sprintf("F(w) = %.4g w on [0, %d], c = %.4g D/G, T = %d, start %d", p.e, p.n, p.k, p.t, p.n)
	return o, nil
}

// theorem2Averaged refutes inequality (14), the averaged form of Theorem 2 in Appendix C,
// already at a small T: a function |w| whose minimum lies between two grid points,
// without gradient noise, so that the iterate swings from side to side.
// x = (n, T, 4c, start): W = [0, n], w* = floor(n/2) + 1/2.
var theorem2Averaged = Exhibit{
	Name: "theorem2-averaged", Witness: []int{12, 17, 118, 0}, starts: 8,
	family: func() family {
		return family{
			low: []int{1, 1, 1, 0}, high: []int{100, 100, 4000, 100},
			ratio: func(x []int) float64 {
				in := swing(x)
				v, err := bounds.Theorem2(bounds.Appendix, bounds.Stochastic, in.Parameters(in.T))
				if err != nil {
					panic(err)
				}
				return meanGap(in) / v.Total()
			},
			size: func(x []int) float64 { return float64(x[0]) * float64(x[1]) },
		}
	},
	Check: func(_ context.Context, x []int) (Counterexample, error) {
		in := swing(x)
		measured := meanGap(in)
		p := in.Parameters(in.T)
		return Counterexample{
			Name: "theorem2-averaged", Claim: "theorem2", Form: bounds.Appendix, Rounding: bounds.Stochastic,
			Instance: fmt.Sprintf("F(w) = |w - %g| rounded off within 1/2, on [0, %d], no gradient noise, Delta = 1, c = %g = %.2f D/G, T = %d, start %g",
				math.Floor(float64(x[0])/2)+0.5, x[0], p.C, p.C*p.G/p.Diameter, x[1], in.Start[0]),
			Left: "(1/T) sum_t E F(w^t) - F*", Parameters: p,
			Measured: evidence.Exact(measured, Roundoff(in, measured)),
			Coverage: "F = |w - w*| rounded off, w* midway between grid points: n <= 100, T <= 100, c in multiples of 1/4 up to 1000, every start; 8 random starts, then smaller n T",
		}.fill()
	},
}

func swing(x []int) Instance {
	n := float64(x[0])
	p := NewHuber(0, n, 1, 0.5, 0, []float64{math.Floor(n/2) + 0.5}, 0)
	return build(p, 1, []float64{min(float64(x[3]), n)}, Root(float64(x[2])/4), x[1])
}

func meanGap(in Instance) float64 {
	tr, err := Follow(in, false)
	if err != nil {
		panic(err)
	}
	return tr.MeanGap[len(tr.MeanGap)-1]
}

// wall brackets (1/T) sum_t E w^t of projected SGD on F = e w over [0, D] with gradients
// e-1 and e+1 and steps 1/sqrt(t), from D. w -> P(w - alpha g) does not decrease, so
// the walk that is rounded down to a lattice after each step stays below the walk,
// and the one rounded up above it. One lattice walk is a sum over N+1 points.
func wall(d, e float64, T, N int, up bool) float64 {
	h := d / float64(N)
	p, q := make([]float64, N+1), make([]float64, N+1)
	p[N] = 1
	var sum float64
	for t := 1; ; t++ {
		for i, v := range p {
			sum += v * float64(i)
		}
		if t == T {
			return sum * h / float64(T)
		}
		clear(q)
		alpha := 1 / math.Sqrt(float64(t))
		for _, g := range [2]float64{e - 1, e + 1} {
			// A few ulps to the side, so that the bracket is one in floating point too.
			s := -alpha * g / h
			var k int
			if up {
				k = int(math.Ceil(s + 1e-12*math.Abs(s)))
			} else {
				k = int(math.Floor(s - 1e-12*math.Abs(s)))
			}
			k = max(min(k, N), -N)
			switch {
			case k >= 0:
				for i, v := range p[:N+1-k] {
					q[i+k] += v / 2
				}
				for _, v := range p[N+1-k:] {
					q[N] += v / 2
				}
			default:
				for i, v := range p[-k:] {
					q[i] += v / 2
				}
				for _, v := range p[:-k] {
					q[0] += v / 2
				}
			}
		}
		p, q = q, p
	}
}

// theorem3Linear refutes Theorem 3: for linear F, L = 0 and the floor is 0, BC is
// projected SGD whatever Q is, and the printed decay is too small.
// x = (4D/c, T, 20 e).
var theorem3Linear = Exhibit{
	Name: "theorem3-linear", Witness: []int{2, 1195, 4}, Either: true, starts: 6,
	family: func() family {
		return family{
			low: []int{1, 1, 1}, high: []int{100, 4096, 40},
			ratio: func(x []int) float64 {
				v, err := bounds.Theorem3(bounds.Printed, bounds.Nearest, wallParameters(x))
				if err != nil {
					panic(err)
				}
				e := float64(x[2]) / 20
				return e * wall(float64(x[0])/4, e, x[1], 1000, false) / v.Total()
			},
			size: func(x []int) float64 { return float64(x[1]) },
		}
	},
	Check: func(_ context.Context, x []int) (Counterexample, error) {
		const lattice = 20000
		e, d := float64(x[2])/20, float64(x[0])/4
		lower, upper := e*wall(d, e, x[1], lattice, false), e*wall(d, e, x[1], lattice, true)
		p := wallParameters(x)
		return Counterexample{
			Name: "theorem3-linear", Claim: "theorem3", Form: bounds.Printed, Rounding: bounds.Nearest,
			Instance: fmt.Sprintf("F(w) = %.2f w on [0, %g], two linear terms of slopes %.2f and %.2f (so L = 0), c = 1 = %.2f D/G, T = %d, start %g",
				e, d, e+1, e-1, p.C*p.G/p.Diameter, x[1], d),
			Left: "E F(wbar_T) - F*", Parameters: p,
			Measured: evidence.Result{Method: evidence.ExactMethod, Estimate: (lower + upper) / 2, Lower: lower, Upper: upper, Confidence: 1},
			Coverage: "F = e w on [0, D] with gradients e-1 and e+1, c = 1: D in multiples of 1/4 up to 25, T <= 4096, e in multiples of 1/20 up to 2; 6 random starts, then smaller T",
		}.fill()
	},
}

func wallParameters(x []int) bounds.Parameters {
	e := float64(x[2]) / 20
	p := bounds.Unknown()
	p.Dim, p.T, p.C = 1, x[1], 1
	p.Diameter = float64(x[0]) / 4
	p.Delta = p.Diameter // the coarsest grid; it plays no part
	p.G, p.L, p.L2 = math.Sqrt(1+e*e), 0, 0
	return p
}

// Theorem2Growth follows the first counterexample to larger T, where the violation
// grows. The points were found by climbing at a fixed T. As T grows, for c = k D/G and e -> 0 slowly, measured/printed tends to
// k/(1/k + k/2), which exceeds 1 for k > sqrt(2) and tends to 2.
func Theorem2Growth(ctx context.Context) ([]Counterexample, error) {
	return members(ctx, theorem2Printed, []int{466, 16384, 2296, 4}, []int{700, 32768, 4000, 3})
}

// Theorem3Growth does the same for Theorem 3: the limit of the ratio is k/(1/(2k) + k/2),
// above 1 for every k > 1.
func Theorem3Growth(ctx context.Context) ([]Counterexample, error) {
	return members(ctx, theorem3Linear, []int{1, 4096, 5}, []int{1, 16384, 3})
}

func members(ctx context.Context, e Exhibit, points ...[]int) ([]Counterexample, error) {
	var all []Counterexample
	for _, x := range points {
		c, err := e.Check(ctx, x)
		if err != nil {
			return nil, err
		}
		all = append(all, c)
	}
	return all, nil
}
