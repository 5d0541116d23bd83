package convex

import (
	"math"
	"runtime"
	"sync"
)

// smallStep bounds alpha max|g_ik|/Delta for the fast step in one and two
// dimensions, see [rates].
const smallStep = 0.25

// parallelStates is the number of states of one coordinate block that is worth a
// goroutine: some 20 microseconds of work.
const parallelStates = 1 << 14

// rates are the coefficients of a step in the regime a = alpha reach <= 1/4, in
// which every coordinate stays or moves to a neighbour. With h the drift divided by
// reach = max|drift|, h+ = max(h, 0) and h- = max(-h, 0), averaged over the m terms,
//
//	d = 1:  P(x -> x+s) = a E h^s
//	d = 2:  P(x -> x+(s,r)) = a^2 E h_0^s h_1^r
//	        P(x -> x+(s,0)) = a E h_0^s - (P(x -> x+(s,+)) + P(x -> x+(s,-)))
//
// s and r in {+, -}; what is left stays. So 2 or 8 numbers per state replace the m d
// drifts, and dst(y) is a sum over the neighbours of y: a step streams a few arrays,
// whatever m is, and ranges of y are computed independently with the same result.
//
// For d = 1 the step is as fast as memory nearly allows, for d = 2 its some 40
// operations per state take longer than its 80 bytes (BenchmarkLawStep).
//
// The differences lose little: they are taken of numbers that are at most
// 1/(1-a)^d <= 16/9 times what is left, so that every transition has a relative error
// of a few 2^-53, and all later additions are of numbers of one sign. The tests
// tolerate 24 2^-53 per step against the reference.
//
// In three dimensions there are 26 neighbours: their coefficients would be 208 bytes
// per state against 24 m of the drifts, and the differences some 150 operations.
// There the step scatters as [Law.scatter3] does, for a < 1 and without branches, at
// a cost that grows with m; its results are those of scatter3 to the bit.
type rates struct {
	reach float64
	of    []float64 // d = 1: all E h^+, then all E h^-; d = 2: [x*8+k]
	tasks []func()
	wait  sync.WaitGroup
	job   struct {
		dst, src []float64
		alpha, a float64
	}
}

func (l *Law) prepare() {
	r := &l.rates
	for _, h := range l.drift {
		r.reach = max(r.reach, math.Abs(h))
	}
	unit := r.reach
	if unit == 0 {
		unit = 1
	}
	split := func(h float64) (up, down float64) { return max(h/unit, 0), max(-h/unit, 0) }
	inv := 1 / float64(l.m)
	switch l.d {
	case 1:
		r.of = make([]float64, 2*l.states)
		for x := range l.states {
			for _, h := range l.drift[x*l.m:][:l.m] {
				up, down := split(h)
				r.of[x] += up * inv
				r.of[l.states+x] += down * inv
			}
		}
	case 2:
		r.of = make([]float64, 8*l.states)
		for x := range l.states {
			c := r.of[8*x:][:8]
			for h := l.drift[2*x*l.m:][:2*l.m]; len(h) > 0; h = h[2:] {
				u0, d0 := split(h[0])
				u1, d1 := split(h[1])
				for k, v := range [8]float64{u0, d0, u1, d1, u0 * u1, u0 * d1, d0 * u1, d0 * d1} {
					c[k] += v
				}
			}
			for k := range c {
				c[k] *= inv
			}
		}
	}
	l.factors = l.factor()
	l.share(min(runtime.GOMAXPROCS(0), max(1, l.states/parallelStates)))
}

// share divides the step among workers. A step's result does not depend on it.
func (l *Law) share(workers int) {
	r := &l.rates
	r.tasks = nil
	workers = min(workers, l.n)
	if l.factors != nil {
		l.factors.share(l, workers)
	}
	for w := range workers {
		from, to := w*l.n/workers, (w+1)*l.n/workers // of the first coordinate, not empty
		scratch := make([]float64, [...]int{1: 0, 2: 3 * l.n, 3: (to-from+4)*l.n*l.n + l.n + 1}[l.d])
		r.tasks = append(r.tasks, func() {
			switch l.d {
			case 1:
				gather1(r.job.dst, r.job.src, r.of[:l.states], r.of[l.states:], r.job.a, from, to)
			case 2:
				gather2(r.job.dst, r.job.src, r.of, r.job.a, l.n, from, to, scratch)
			default:
				l.near3(r.job.dst, r.job.src, r.job.alpha, from, to, scratch)
			}
			r.wait.Done()
		})
	}
}

// gather sets dst = src P_alpha if alpha is small enough, and reports whether it did.
func (l *Law) gather(dst, src []float64, alpha float64) bool {
	r := &l.rates
	a := alpha * r.reach
	if l.d < 3 && !(a <= smallStep) || !(a < 1) {
		return false
	}
	r.job.dst, r.job.src, r.job.alpha, r.job.a = dst, src, alpha, a
	r.wait.Add(len(r.tasks))
	for _, task := range r.tasks[1:] {
		go task()
	}
	r.tasks[0]()
	r.wait.Wait()
	return true
}

// gather1 sets dst[y] for from <= y < to:
//
//	dst(y) = src(y) - (up(y) + down(y)) + (up(y-1) + down(y+1)),
//	up = a src E h^+,  down = a src E h^-.
func gather1(dst, src, plus, minus []float64, a float64, from, to int) {
	var before float64 // up(y-1)
	if from > 0 {
		before = a * src[from-1] * plus[from-1]
	}
	q := a * src[from]
	up, down := q*plus[from], q*minus[from]
	stay := src[from] - (up + down)
	n := min(to, len(src)-1) - from // the state after the last has nothing to give
	out, next, plus, minus := dst[from:][:n], src[from+1:][:n], plus[from+1:][:n], minus[from+1:][:n]
	for y, v := range next {
		q := a * v
		u, d := q*plus[y], q*minus[y]
		out[y] = stay + (before + d)
		before, stay = up, v-(u+d)
		up = u
	}
	if to == len(src) {
		dst[to-1] = stay + before
	}
}

// gather2 sets rows from <= i < to of dst, n columns each. It passes once over rows
// from-1..to of src; row i gives to rows i-1, i and i+1 of dst, which are summed as
//
//	dst(i) = (from row i-1 + from row i) + from row i+1,
//
// and within a row likewise from column j-1, j and j+1. rows is scratch of 3n.
func gather2(dst, src, rate []float64, a float64, n, from, to int, rows []float64) {
	partial, above, unused := rows[:n], rows[n:2*n], rows[2*n:3*n]
	clear(rows)
	for i := max(from-1, 0); i < min(to+1, n); i++ {
		out := unused // of a row that is another worker's
		if i > from {
			out = dst[(i-1)*n:][:n]
		}
		spread2(out, partial, above, src[i*n:][:n], rate[8*i*n:][:8*n], a)
	}
	if to == n {
		copy(dst[(n-1)*n:], partial)
	}
}

// spread2 adds what one row of src gives: out = partial + its moves down,
// partial = above + its moves within the row, above = its moves up.
func spread2(out, partial, above, src, rate []float64, a float64) {
	n := len(src)
	out, partial, above = out[:n], partial[:n], above[:n]
	// From column j-1 upwards and from column j, per row of the target.
	var up, mid, down float64
	var upRight, midRight, downRight float64 // what column j gives to column j+1
	for j, v := range src {
		c := rate[8*j:][:8]
		q := a * v
		q2 := a * q
		pp, pm, mp, mm := q2*c[4], q2*c[5], q2*c[6], q2*c[7]
		ps, ms := pp+pm, mp+mm
		p0, m0 := q*c[0]-ps, q*c[1]-ms
		zp, zm := q*c[2]-(pp+mp), q*c[3]-(pm+mm)
		z := v - (((p0 + m0) + (zp + zm)) + (ps + ms))
		if j > 0 {
			out[j-1] = partial[j-1] + (down + mm)
			partial[j-1] = above[j-1] + (mid + zm)
			above[j-1] = up + pm
		}
		up, mid, down = upRight+p0, midRight+z, downRight+m0
		upRight, midRight, downRight = pp, zp, mp
	}
	out[n-1] = partial[n-1] + down
	partial[n-1] = above[n-1] + mid
	above[n-1] = up
}

// near3 sets planes from <= i < to of dst, n^2 states each, if no step reaches one
// grid step. It adds up what planes from-1..to of src give in sum, which has room for
// all that they reach: planes from-2..to+1, and n+1 more. A drift of 0 at a bound moves the
// probability 0 upwards out of the box, to a state that is not a neighbour or to that room.
func (l *Law) near3(dst, src []float64, alpha float64, from, to int, sum []float64) {
	drift, m, n := l.drift, l.m, l.n
	plane := n * n
	origin := (from - 2) * plane // the state of sum[0]
	clear(sum)
	inv := 1 / float64(m)
	for x := max(from-1, 0) * plane; x < min(to+1, n)*plane; x++ {
		v := src[x]
		if v == 0 {
			continue
		}
		v *= inv
		y := x - origin
		for h := drift[3*x*m:][:3*m]; len(h) >= 3; h = h[3:] {
			s0, s1, s2 := alpha*h[0], alpha*h[1], alpha*h[2]
			f0, f1, f2 := plane, n, 1
			if s0 < 0 {
				f0 = -plane
			}
			if s1 < 0 {
				f1 = -n
			}
			if s2 < 0 {
				f2 = -1
			}
			p0, p1, p2 := math.Abs(s0), math.Abs(s1), math.Abs(s2)
			a, b := v*(1-p0), v*p0
			aa, ab, ba, bb := a*(1-p1), a*p1, b*(1-p1), b*p1
			q2 := 1 - p2
			sum[y] += aa * q2
			sum[y+f2] += aa * p2
			sum[y+f1] += ab * q2
			sum[y+f1+f2] += ab * p2
			sum[y+f0] += ba * q2
			sum[y+f0+f2] += ba * p2
			sum[y+f0+f1] += bb * q2
			sum[y+f0+f1+f2] += bb * p2
		}
	}
	copy(dst[from*plane:to*plane], sum[2*plane:])
}
