package convex

import (
	"fmt"
	"math"

	"tqn/evidence"
	"tqn/quantize"
)

// MaxStates bounds the number of grid points of an exact law: 2e5 states of a
// problem with two terms take 20 to 30 MB.
const MaxStates = 200_000

// Law is the exact law of the SR iterate w^t on a finite grid in d = 1, 2 or 3
// dimensions:
//
//	p_{t+1}(y) = sum_x p_t(x) (1/m) sum_i prod_k P(Q_s(P(x_k - alpha g_ik(x))) = y_k),
//
// g_i = grad f_i. Given x and i the coordinates are rounded independently and each
// goes to at most two points, so a step costs N m 2^d additions for N grid points;
// the transition matrix is never formed. Separable problems (see [factors]) and steps short against Delta (see
// [rates]) cost less. The probabilities are those of
// quantize.Grid.Move, hence right in relative terms for steps of any size, and all
// additions are of nonnegative numbers: after T steps every probability has a
// relative error of order T times 1e-15.
//
// If the problem is Curved, the law also carries the vectors
// M_t(x) = E[(w^1 + ... + w^t - t w*) 1{w^t = x}], from which E F(wbar_t) follows.
type Law struct {
	problem Problem
	grid    quantize.Grid
	d, n    int // dimension, points per coordinate
	states  int
	m       int
	stride  [3]int
	drift   []float64 // -g_ik(x)/Delta at [(x*m + i)*d + k]; 0 where it points out of the box
	gap     []float64 // F(x) - F*
	far     []float64 // |x - w*|^2
	p, next []float64
	t       int
	rates   rates
	factors *factors // nil if the terms are not separable

	curved   bool
	hessian  [][]float64
	slope    []float64   // grad F(w*): not 0 if w* is on the boundary of W
	offset   [][]float64 // offset[k][x] = x_k - w*_k
	moment   [][]float64 // M_t, one slice per coordinate
	scratch  []float64
	hsum     [][]float64 // sum_l H[k][l] offset[l][x], per k
	pathMean []float64   // E (w^1 + ... + w^t - t w*)
	pathQuad float64     // E |w^1 + ... + w^t - t w*|^2_H
}

// NewLaw returns the law of w^1, the instance's start. track asks for E F(wbar_t)
// as well, at d+1 times the cost, and needs a Curved problem. It is an error if
// d > 3 or if the grid has more than MaxStates points.
func NewLaw(in Instance, track bool) (*Law, error) {
	p, g := in.Problem, in.Grid
	d, n := p.Dim(), g.Len()
	states := 1
	for range d {
		if d > 3 || n < 2 || states > MaxStates/n {
			return nil, fmt.Errorf("convex: %s: no exact law for d = %d with %d points per coordinate: want d <= 3 and at most %d states", p.Name(), d, n, MaxStates)
		}
		states *= n
	}
	l := &Law{problem: p, grid: g, d: d, n: n, states: states, m: p.Terms(), t: 1}
	for k, s := d-1, 1; k >= 0; k-- {
		l.stride[k] = s
		s *= n
	}
	l.drift = make([]float64, states*l.m*d)
	l.gap, l.far = make([]float64, states), make([]float64, states)
	l.p, l.next = make([]float64, states), make([]float64, states)
	best := p.Minimiser()
	least := p.Value(best)
	w := make([]float64, d)
	for x := range states {
		l.point(w, x)
		l.gap[x] = max(p.Value(w)-least, 0)
		for k := range w {
			l.far[x] += (w[k] - best[k]) * (w[k] - best[k])
		}
		for i := range l.m {
			h := l.drift[(x*l.m+i)*d:][:d]
			p.TermGradient(h, w, i)
			for k := range h {
				h[k] = -h[k] / g.Delta
				// P(w - alpha g) = w in a coordinate that is at its bound and pushed outwards.
				if j := l.index(x, k); (j == 0 && h[k] < 0) || (j == n-1 && h[k] > 0) {
					h[k] = 0
				}
			}
		}
	}
	start := 0
	for k, v := range in.Start {
		j, ok := g.Index(v)
		if !ok {
			return nil, fmt.Errorf("convex: %s: the start's coordinate %d is %g, not a grid point", p.Name(), k, v)
		}
		start += j * l.stride[k]
	}
	l.p[start] = 1
	l.prepare()
	if track {
		c, ok := p.(Curved)
		if !ok {
			return nil, fmt.Errorf("convex: %s: E F(wbar) is exact only for a constant Hessian", p.Name())
		}
		l.trackAverage(c, best, start)
	}
	return l, nil
}

func (l *Law) trackAverage(c Curved, best []float64, start int) {
	l.curved, l.hessian = true, c.Hessian()
	l.slope = make([]float64, l.d)
	c.Gradient(l.slope, best)
	l.scratch = make([]float64, l.states)
	w := make([]float64, l.d)
	for range l.d {
		l.offset = append(l.offset, make([]float64, l.states))
		l.moment = append(l.moment, make([]float64, l.states))
		l.hsum = append(l.hsum, make([]float64, l.states))
	}
	for x := range l.states {
		l.point(w, x)
		for k := range w {
			l.offset[k][x] = w[k] - best[k]
		}
		for k := range w {
			for j := range w {
				l.hsum[k][x] += l.hessian[k][j] * l.offset[j][x]
			}
		}
	}
	l.pathMean = make([]float64, l.d)
	for k := range w {
		l.moment[k][start] = l.offset[k][start]
		l.pathMean[k] = l.offset[k][start]
		l.pathQuad += l.offset[k][start] * l.hsum[k][start]
	}
}

// point sets w to the coordinates of state x.
func (l *Law) point(w []float64, x int) {
	for k := range w {
		w[k] = l.grid.Point(l.index(x, k))
	}
}

func (l *Law) index(x, k int) int { return x / l.stride[k] % l.n }

// States is the number of grid points.
func (l *Law) States() int { return l.states }

// Probabilities is the law of w^t over the grid points in lexicographic order,
// the last coordinate fastest. The caller does not write to it; it changes with Step.
func (l *Law) Probabilities() []float64 { return l.p }

// Gap is E F(w^t) - F*.
func (l *Law) Gap() float64 { return dot(l.p, l.gap) }

// Distance is E|w^t - w*|^2.
func (l *Law) Distance() float64 { return dot(l.p, l.far) }

// AverageGap is E F(wbar_t) - F*, wbar_t the mean of w^1..w^t. It panics if the law
// was made without track.
//
// F(w) - F* = grad F(w*).(w - w*) + (w-w*)'H(w-w*)/2 for a constant Hessian.
func (l *Law) AverageGap() float64 {
	if !l.curved {
		panic("convex: Law.AverageGap: the law was made without track")
	}
	t := float64(l.t)
	return dot(l.slope, l.pathMean)/t + l.pathQuad/(2*t*t)
}

// Step moves the law from w^t to w^{t+1} with step size alpha > 0. It allocates
// nothing.
func (l *Law) Step(alpha float64) {
	l.apply(l.next, l.p, alpha)
	l.p, l.next = l.next, l.p
	l.t++
	if !l.curved {
		return
	}
	// With u = w^{t+1} - w* and U the old sum: E|U+u|^2_H = E|U|^2_H + 2 E U'Hu + E u'Hu,
	// where E[U 1{w^{t+1} = y}] = (M_t P)(y).
	for k := range l.moment {
		l.apply(l.scratch, l.moment[k], alpha)
		l.pathQuad += 2 * dot(l.scratch, l.hsum[k])
		for x, q := range l.p {
			u := q * l.offset[k][x]
			l.pathQuad += u * l.hsum[k][x]
			l.pathMean[k] += u
			l.scratch[x] += u
		}
		l.moment[k], l.scratch = l.scratch, l.moment[k]
	}
}

// apply sets dst = src P_alpha for a row vector src of any sign.
func (l *Law) apply(dst, src []float64, alpha float64) {
	// With more terms the rates of a short step cost less than a pass for each.
	if l.factors != nil && (l.m == 1 || l.d == 3 || alpha*l.rates.reach > smallStep) {
		l.factors.step(l, dst, src, alpha)
	} else if !l.gather(dst, src, alpha) {
		l.scatter(dst, src, alpha)
	}
}

// scatter is apply for steps of any size: every state gives to up to 2^d others per
// term. It is the reference for [Law.gather]. In one dimension a state and term take about 3.6 ns on one CPU (BenchmarkLawStep), for some
// 25 instructions; adding up in parts of their own, by two workers, was tried and took 3.0.
func (l *Law) scatter(dst, src []float64, alpha float64) {
	clear(dst)
	switch l.d {
	case 1:
		l.scatter1(dst, src, alpha)
	case 2:
		l.scatter2(dst, src, alpha)
	default:
		l.scatter3(dst, src, alpha)
	}
}

// move is the law of one coordinate: index offset near with probability 1-p, far
// with probability p, for the step s = alpha*drift (in grid steps) from index j. It
// is quantize.Grid.Move in index form.
func (l *Law) move(s float64, j int, stride int) (near, far int, p float64) {
	room := l.n - 1 - j
	if s < 0 {
		s, room, stride = -s, j, -stride
	}
	if r := float64(room); s > r {
		s = r
	}
	k := int(s)
	near = k * stride
	return near, near + stride, s - float64(k)
}

func (l *Law) scatter1(dst, src []float64, alpha float64) {
	inv := 1 / float64(l.m)
	for x, v := range src {
		if v == 0 {
			continue
		}
		v *= inv
		for _, h := range l.drift[x*l.m:][:l.m] {
			near, far, p := l.move(alpha*h, x, 1)
			dst[x+near] += v * (1 - p)
			if p > 0 {
				dst[x+far] += v * p
			}
		}
	}
}

func (l *Law) scatter2(dst, src []float64, alpha float64) {
	inv := 1 / float64(l.m)
	n := l.n
	for i := range n {
		for j := range n {
			x := i*n + j
			v := src[x]
			if v == 0 {
				continue
			}
			v *= inv
			h := l.drift[2*x*l.m:][:2*l.m]
			for len(h) >= 2 {
				n0, f0, p0 := l.move(alpha*h[0], i, n)
				n1, f1, p1 := l.move(alpha*h[1], j, 1)
				h = h[2:]
				stay, go1 := v*(1-p1), v*p1
				dst[x+n0+n1] += stay * (1 - p0)
				if p1 > 0 {
					dst[x+n0+f1] += go1 * (1 - p0)
				}
				if p0 > 0 {
					dst[x+f0+n1] += stay * p0
					if p1 > 0 {
						dst[x+f0+f1] += go1 * p0
					}
				}
			}
		}
	}
}

func (l *Law) scatter3(dst, src []float64, alpha float64) {
	inv := 1 / float64(l.m)
	n := l.n
	for x, v := range src {
		if v == 0 {
			continue
		}
		v *= inv
		i, j, k := x/(n*n), x/n%n, x%n
		h := l.drift[3*x*l.m:][:3*l.m]
		for len(h) >= 3 {
			n0, f0, p0 := l.move(alpha*h[0], i, n*n)
			n1, f1, p1 := l.move(alpha*h[1], j, n)
			n2, f2, p2 := l.move(alpha*h[2], k, 1)
			h = h[3:]
			// A zero probability may belong to a point outside the box.
			if p0 == 0 {
				f0 = n0
			}
			if p1 == 0 {
				f1 = n1
			}
			if p2 == 0 {
				f2 = n2
			}
			a, b := v*(1-p0), v*p0
			aa, ab, ba, bb := a*(1-p1), a*p1, b*(1-p1), b*p1
			q2 := 1 - p2
			dst[x+n0+n1+n2] += aa * q2
			dst[x+n0+n1+f2] += aa * p2
			dst[x+n0+f1+n2] += ab * q2
			dst[x+n0+f1+f2] += ab * p2
			dst[x+f0+n1+n2] += ba * q2
			dst[x+f0+n1+f2] += ba * p2
			dst[x+f0+f1+n2] += bb * q2
			dst[x+f0+f1+f2] += bb * p2
		}
	}
}

// Trace is what the law says along a run.
type Trace struct {
	T        []int     // checkpoints, increasing, the last is the instance's T
	MeanGap  []float64 // (1/t) sum_{s<=t} E F(w^s) - F*
	Average  []float64 // E F(wbar_t) - F*; NaN where it is not known exactly
	Distance []float64 // E|w^t - w*|^2
	// OneStep is the largest ratio, over t, of the two sides of the proof's one-step
	// inequality, with the sides where it is attained:
	// E|w^{t+1}-w*|^2 <= (1 - mu alpha)E|w^t-w*|^2 - 2 alpha E[F(w^t)-F*] + alpha^2 G^2 + sqrt(d) Delta alpha G.
	OneStep Sides
	// Summed is sum_{t<=T} E[F(w^t)-F*] against the telescoped right side.
	Summed Sides
}

// Sides are both sides of an inequality Left <= Right at iteration T.
type Sides struct {
	T           int
	Left, Right float64
	Error       float64 // bound of the rounding error of either side
}

// Quotient is Left/Right with what rounding leaves of it, for a record of Left/Right <= 1. Both sides are differences, such as F(w) - F*, that can be as small as
// their rounding errors; dividing by them makes those large. The interval says so, and if it is too wide to tell the sides apart a warning
// gives the reason.
func (s Sides) Quotient() evidence.Result {
	r := evidence.Result{Method: evidence.ExactMethod, Confidence: 1}
	r.Lower, r.Upper = s.interval()
	r.Estimate = min(max(s.Left/s.Right, r.Lower), r.Upper)
	if math.IsNaN(r.Estimate) {
		r.Estimate = r.Lower // 0/0
	}
	if r.AtMost(1) == evidence.Undecided {
		r.Warnings = []string{fmt.Sprintf("the two sides, %.3g and %.3g, are differences whose rounding errors, up to %.1g, are not small against them: float64 cannot tell which is larger", s.Left, s.Right, s.Error)}
	}
	return r
}

// interval holds Left/Right; both sides are known not to be negative.
func (s Sides) interval() (lower, upper float64) {
	if s.Left == 0 && s.Right == 0 && s.Error == 0 {
		return 0, 0 // nothing is at most nothing
	}
	upper = math.MaxFloat64
	if up := s.Right + s.Error; up > 0 {
		lower = max(0, s.Left-s.Error) / up
	} else if s.Left > s.Error {
		lower = upper // something is not at most nothing
	}
	if down := s.Right - s.Error; down > 0 {
		upper = min(max(0, s.Left+s.Error)/down, upper)
	}
	return lower, upper
}

// worse reports whether s speaks more against Left <= Right than t does: it refutes it, or it leaves more room for that.
func (s Sides) worse(t Sides) bool {
	a, up := s.interval()
	b, top := t.interval()
	if (a > 1) != (b > 1) {
		return a > 1
	}
	return up > top
}

// Follow runs the law over the instance's T iterates and records it at
// checkpoints. track asks for E F(wbar_t) (see [NewLaw]).
//
// The lines of the proof use mu if the schedule is 1/(mu(t+1)) and 0 if it is
// c/sqrt(t), as Appendices B and C do. Telescoped, with alpha_t as scheduled:
//
//	B: (mu/2)E|w^1-w*|^2 - (mu(T+1)/2)E|w^{T+1}-w*|^2 + sum_t (alpha_t G^2/2 + sqrt(d) Delta G/2)
//	C: D^2/(2 alpha_T) + sum_t (alpha_t G^2/2 + sqrt(d) Delta G/2)
func Follow(in Instance, track bool) (*Trace, error) {
	l, err := NewLaw(in, track)
	if err != nil {
		return nil, err
	}
	tr := &Trace{OneStep: Sides{Right: 1}}
	c := in.Problem.Constants()
	mu := in.Schedule.mu
	floor := math.Sqrt(float64(l.d)) * in.Grid.Delta * c.G
	next := 0
	checks := checkpoints(in.T)
	first := l.Distance()
	var sum, noise float64
	dist := first
	for t := 1; ; t++ {
		gap := l.Gap()
		sum += gap
		alpha := in.Schedule.Alpha(t)
		noise += alpha*c.G*c.G/2 + floor/2
		if t == checks[next] {
			next++
			tr.T = append(tr.T, t)
			tr.MeanGap = append(tr.MeanGap, sum/float64(t))
			tr.Distance = append(tr.Distance, dist)
			average := math.NaN()
			if track {
				average = l.AverageGap()
			}
			tr.Average = append(tr.Average, average)
		}
		l.Step(alpha)
		after := l.Distance()
		right := (1-mu*alpha)*dist - 2*alpha*gap + alpha*alpha*c.G*c.G + alpha*floor
		far := errorOfDistance(in, max(dist, after))
		if s := (Sides{t, after, right, far + 2*alpha*Roundoff(in, gap) + 4*0x1p-53*(alpha*alpha*c.G*c.G+alpha*floor)}); s.worse(tr.OneStep) {
			tr.OneStep = s
		}
		dist = after
		if t == in.T {
			break
		}
	}
	tr.Summed = Sides{T: in.T, Left: sum, Error: float64(in.T) * (Roundoff(in, sum/float64(in.T)) + 4*0x1p-53*noise/float64(in.T))}
	if mu > 0 {
		tr.Summed.Right = mu/2*first - mu*float64(in.T+1)/2*dist + noise
		tr.Summed.Error += mu * float64(in.T+1) / 2 * errorOfDistance(in, max(first, dist))
	} else {
		D := Diameter(in.Problem)
		tr.Summed.Right = D*D/(2*in.Schedule.Alpha(in.T)) + noise
	}
	return tr, nil
}

// checkpoints are about eight per octave up to t, which is included.
func checkpoints(t int) []int {
	var c []int
	for x := 1.0; int(x) < t; x *= math.Pow(2, 0.25) {
		if n := int(x); len(c) == 0 || n > c[len(c)-1] {
			c = append(c, n)
		}
	}
	return append(c, t)
}

// errorOfDistance bounds the rounding error of E|w^t - w*|^2, whose value is value: relative errors as in [Roundoff], and the differences w - w* of
// coordinates as large as the ends of W.
func errorOfDistance(in Instance, value float64) float64 {
	lo, hi := in.Problem.Box()
	ulp := 2 * 0x1p-53 * max(math.Abs(lo), math.Abs(hi))
	d := float64(in.Problem.Dim())
	return (float64(in.T)+100)*16*0x1p-53*math.Abs(value) + 2*ulp*math.Sqrt(d*math.Abs(value)) + d*ulp*ulp
}

// Roundoff bounds the rounding error of an expectation after t exact-law steps:
// T relative errors of a few ulps each, plus that of F itself.
func Roundoff(in Instance, value float64) float64 {
	return (float64(in.T)+100)*16*0x1p-53*math.Abs(value) + 8*0x1p-53*math.Abs(in.Problem.Constants().Sup)
}
