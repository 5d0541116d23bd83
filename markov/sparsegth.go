package markov

import (
	"context"
	"math"
	"slices"
)

// elimination holds what sparse GTH leaves behind: for every eliminated state
// the states that led to it and the factors with which they took over its law.
type elimination struct {
	order []int32   // eliminated states, first to last
	ptr   []int     // factors of order[t] are ptr[t]..ptr[t+1]
	from  []int32   // state that led to order[t] ...
	f     []float64 // ... and q(from, order[t]) / (exit of order[t])
	sums  []int32   // number of rates that were added to the exit of order[t]
	core  []int32   // states that were not eliminated, in increasing order
	// roundings is the exponent that the certificate of errorBound needs: the sum
	// over the eliminated states of roundingsOf(exit) times the states that led there.
	roundings float64
	scale     []int // the rates of row x were divided by 2^scale[x]
	work      int
	tiny      bool // a rate came so near to the smallest float64 that it may have lost digits
}

// sparseWork is the number of entries that an elimination may touch, some four
// seconds. A chain whose graph fills more than that is left to iteration.
const sparseWork = 600_000_000

// tooMuch reports that the elimination meets its limit, will meet it by a rough
// estimate from the smallest degree, or has made too many roundings already for
// the certificate.
func (e *eliminator) tooMuch(degree, left int, roundings float64) bool {
	half := degree / 2
	return e.moves > e.most || e.work > sparseWork || half*half*(left/2) > sparseWork || errorBound(roundings) > CertifiedError
}

// roundingsOf bounds the relative roundings in one rate q + (q1/s)*q2 of the chain
// without a state whose exit s was added up from n rates: one each for the
// quotient, the product and the sum, and those of s. Short sums are added in
// order; compensated ones have at most two units in the last place.
func roundingsOf(n int) float64 {
	if n <= plainSum {
		return 3 + float64(max(0, n-1))
	}
	return 5
}

// plainSum is the length up to which exits are added in order.
const plainSum = 16

// positiveSum adds non-negative numbers: in order up to plainSum of them, with
// Neumaier's compensation beyond (Z. angew. Math. Mech. 54 (1974) 39-51).
func positiveSum(x []float64) float64 {
	sum := 0.0
	if len(x) <= plainSum {
		for _, v := range x {
			sum += v
		}
		return sum
	}
	lost := 0.0
	for _, v := range x {
		t := sum + v
		if sum >= v {
			lost += (sum - t) + v
		} else {
			lost += (v - t) + sum
		}
		sum = t
	}
	return sum + lost
}

// eliminator is the state of an elimination under way.
type eliminator struct {
	col    [][]int32 // moves that are left, unordered
	val    [][]float64
	in     [][]int32 // states with a move to this one, and states that are gone
	indeg  []int32
	gone   []bool
	bucket [][]int32 // states by degree, first in first out; entries may be out of date
	head   []int
	lowest int
	place  []int32 // scratch: position of a state in the row under elimination, plus one
	used   []int32 // scratch: the last row in which a position was met
	live   []int32 // scratch: states that lead to the one eliminated
	scale  []int   // rates of row x are kept divided by 2^scale[x]
	work   int
	moves  int  // moves that are left
	most   int  // of them: a graph that fills by more is left to iteration, for its memory
	tiny   bool // as in elimination
}

// smallestRate is 2^-960: a rate at least as large has not lost digits by an
// underflow of a product, whose error is at most 2^-1075.
const smallestRate = 0x1p-960

// rowScale returns the binary exponents of the exit rates. Multiplying the rates
// of row x by 2^-s[x] multiplies the probability of x by as much, 2^s[x].
func (c *Chain) rowScale() []int {
	s := make([]int, c.n)
	for x, e := range c.exit {
		_, s[x] = math.Frexp(e)
	}
	return s
}

// eliminate removes states in the order of smallest degree (in plus out, ties in
// the order in which they reached it) as GTH does: with k leave all moves to it,
// and q(i,j) becomes q(i,j) + q(i,k) q(k,j) / sum_j q(k,j). Only positive numbers are
// added, multiplied and divided. It stops where a dense elimination of what is
// left, the core, is cheaper, and reports ok = false where that core has more
// than denseLimit states or the limits are met.
func (c *Chain) eliminate(ctx context.Context) (r *elimination, core []float64, ok bool) {
	e := newEliminator(c)
	r = &elimination{ptr: []int{0}, scale: e.scale}
	left := c.n
	for left > 1 {
		k, degree := e.next()
		if left <= denseLimit && (left <= 64 || degree*5 >= left) {
			break
		}
		if len(r.order)&1023 == 0 && (e.tooMuch(degree, left, r.roundings) || ctx.Err() != nil) {
			return nil, nil, false
		}
		if !e.remove(k, r) {
			return nil, nil, false
		}
		left--
	}
	if left > denseLimit {
		return nil, nil, false
	}
	r.tiny, r.work = e.tiny, e.work
	return r, e.dense(r, left), true
}

func newEliminator(c *Chain) *eliminator {
	n := c.n
	e := &eliminator{
		col: make([][]int32, n), val: make([][]float64, n), in: make([][]int32, n),
		indeg: make([]int32, n), gone: make([]bool, n), place: make([]int32, n), used: make([]int32, n),
		scale: c.rowScale(), moves: len(c.col), most: 5*len(c.col) + 1_000_000,
	}
	cols, vals := slices.Clone(c.col), slices.Clone(c.val)
	for x := range n { // powers of two are exact and keep products of small rates in range
		for i := c.ptr[x]; i < c.ptr[x+1]; i++ {
			vals[i] = math.Ldexp(vals[i], -e.scale[x])
			e.tiny = e.tiny || vals[i] < smallestRate
		}
	}
	for _, y := range c.col {
		e.indeg[y]++
	}
	start := 0
	from := make([]int32, len(c.col))
	for x := range n {
		lo, hi := c.ptr[x], c.ptr[x+1]
		e.col[x], e.val[x] = cols[lo:hi:hi], vals[lo:hi:hi]
		end := start + int(e.indeg[x])
		e.in[x] = from[start:start:end]
		start = end
	}
	for x := range n {
		for _, y := range e.col[x] {
			e.in[y] = append(e.in[y], int32(x))
		}
	}
	for x := range n {
		e.push(int32(x))
	}
	return e
}

func (e *eliminator) degree(x int32) int { return len(e.col[x]) + int(e.indeg[x]) }

func (e *eliminator) push(x int32) {
	d := e.degree(x)
	for len(e.bucket) <= d {
		e.bucket = append(e.bucket, nil)
		e.head = append(e.head, 0)
	}
	e.bucket[d] = append(e.bucket[d], x)
	e.lowest = min(e.lowest, d)
}

// next takes the state of smallest degree out of its bucket.
func (e *eliminator) next() (int32, int) {
	for {
		d := e.lowest
		if e.head[d] == len(e.bucket[d]) {
			e.bucket[d], e.head[d] = e.bucket[d][:0], 0
			e.lowest++
			continue
		}
		x := e.bucket[d][e.head[d]]
		e.head[d]++
		if !e.gone[x] && e.degree(x) == d {
			return x, d
		}
	}
}

// remove eliminates state k. It is false if k has no way out or a rate overflows.
func (e *eliminator) remove(k int32, r *elimination) bool {
	kc, kv := e.col[k], e.val[k]
	sum := positiveSum(kv)
	if !(sum > 0) || math.IsInf(sum, 1) {
		return false
	}
	e.gone[k] = true
	e.moves -= len(kc)
	e.live = e.live[:0]
	for _, i := range e.in[k] {
		if !e.gone[i] {
			e.live = append(e.live, i)
		}
	}
	for j, y := range kc {
		e.place[y] = int32(j) + 1
		e.used[y] = -1
		e.indeg[y]--
	}
	for _, i := range e.live {
		f := e.redirect(i, k, kc, kv, sum)
		e.tiny = e.tiny || f < smallestRate
		r.from, r.f = append(r.from, i), append(r.f, f)
	}
	for _, y := range kc {
		e.place[y] = 0
		e.push(y)
	}
	for _, i := range e.live { // a state of both kinds is pushed twice: harmless
		e.push(i)
	}
	r.order = append(r.order, k)
	r.ptr = append(r.ptr, len(r.f))
	r.sums = append(r.sums, int32(len(kc)))
	r.roundings += roundingsOf(len(kc)) * float64(len(e.live))
	e.col[k], e.val[k], e.in[k] = nil, nil, nil
	return true
}

// redirect sends the moves i -> k on to the states where k goes, and returns the
// factor q(i,k)/sum.
func (e *eliminator) redirect(i, k int32, kc []int32, kv []float64, sum float64) float64 {
	ic, iv := e.col[i], e.val[i]
	e.work += len(ic) + len(kc)
	e.moves -= len(ic)
	at := 0
	for ic[at] != k {
		at++
	}
	f := iv[at] / sum
	largest := 0.0
	last := len(ic) - 1
	ic[at], iv[at] = ic[last], iv[last]
	ic, iv = ic[:last], iv[:last]
	met := 0
	for j, y := range ic {
		if p := e.place[y]; p > 0 {
			iv[j] += f * kv[p-1]
			e.tiny = e.tiny || iv[j] < smallestRate
			e.used[y] = i
			met++
		}
		largest = max(largest, iv[j])
	}
	if met < len(kc) {
		for j, y := range kc {
			if y != i && e.used[y] != i {
				v := f * kv[j]
				e.tiny = e.tiny || v < smallestRate
				if v == 0 {
					continue
				}
				largest = max(largest, v)
				ic, iv = append(ic, y), append(iv, v)
				e.in[y] = append(e.in[y], i)
				e.indeg[y]++
			}
		}
	}
	if largest < 0x1p-200 && largest > 0 { // far from everything: bring the row back to size one
		_, d := math.Frexp(largest)
		for j := range iv {
			iv[j] = math.Ldexp(iv[j], -d)
		}
		e.scale[i] += d
	}
	e.moves += len(ic)
	e.col[i], e.val[i] = ic, iv
	return f
}

// dense returns the rates among the states that are left, row-major.
func (e *eliminator) dense(r *elimination, left int) []float64 {
	index := e.place
	for x, gone := range e.gone {
		if !gone {
			index[x] = int32(len(r.core))
			r.core = append(r.core, int32(x))
		}
	}
	q := make([]float64, left*left)
	for i, x := range r.core {
		for j, y := range e.col[x] {
			q[i*left+int(index[y])] = e.val[x][j]
		}
	}
	return q
}

// law substitutes back and returns the law of all n states, each entry divided by
// 2^scale, with the roundings that it took. q holds the core's rates and is
// overwritten.
func (r *elimination) law(n int, q []float64) (pi []float64, roundings float64, ok bool) {
	m := len(r.core)
	core, tiny, ok := gthScaled(q, m)
	if !ok {
		return nil, 0, false
	}
	r.tiny = r.tiny || tiny
	roundings = r.roundings + denseRoundings(m) + r.depth(n)
	pi = make([]float64, n)
	lo, hi := 1.0, 0.0
	set := func(x int32, v float64) {
		pi[x] = v
		lo, hi = min(lo, v), max(hi, v)
	}
	for i, x := range r.core {
		set(x, core[i])
	}
	for t := len(r.order) - 1; t >= 0; t-- {
		v := 0.0
		from, f := r.from[r.ptr[t]:r.ptr[t+1]], r.f[r.ptr[t]:r.ptr[t+1]]
		for i, x := range from {
			v += pi[x] * f[i]
		}
		set(r.order[t], v)
	}
	if !(lo > 1e-250) || !(hi < 1e250) || slices.Max(r.scale)-slices.Min(r.scale) > 60 {
		return r.wideLaw(n, q, roundings)
	}
	for x := range pi {
		pi[x] = math.Ldexp(pi[x], r.scale[0]-r.scale[x])
	}
	normalise(pi)
	return pi, roundings, finite(pi)
}

// wideLaw is law for laws that leave the range of float64; q has been factored.
func (r *elimination) wideLaw(n int, q []float64, roundings float64) ([]float64, float64, bool) {
	core, ok := gthBackWide(len(r.core), denseFactors(q, len(r.core)))
	if !ok {
		return nil, 0, false
	}
	law := make([]wide, n)
	for i, x := range r.core {
		law[x] = core[i]
	}
	for t := len(r.order) - 1; t >= 0; t-- {
		var v wide
		for i := r.ptr[t]; i < r.ptr[t+1]; i++ {
			v = v.add(law[r.from[i]].mul(toWide(r.f[i])))
		}
		law[r.order[t]] = v
	}
	for x := range law {
		law[x].e -= int64(r.scale[x])
	}
	pi := fromWide(law)
	return pi, roundings, finite(pi)
}

// depth returns the largest number of roundings along a path of the substitution back.
func (r *elimination) depth(n int) float64 {
	deepest := denseDepth(len(r.core))
	depth := make([]float64, n)
	for _, x := range r.core {
		depth[x] = deepest
	}
	for t := len(r.order) - 1; t >= 0; t-- {
		d := 0.0
		for _, x := range r.from[r.ptr[t]:r.ptr[t+1]] {
			d = max(d, depth[x])
		}
		d += float64(r.ptr[t+1]-r.ptr[t]) + roundingsOf(int(r.sums[t]))
		depth[r.order[t]] = d
		deepest = max(deepest, d)
	}
	return deepest
}
