package markov

import (
	"fmt"
	"math"
)

// Iterative is a stationary law with the residual it was found to have.
type Iterative struct {
	Law      []float64
	Residual float64 // Chain.Residual of Law, computed after the last step
	Cycles   int
}

// coarsest is the number of states at which the recursion ends in dense GTH.
const coarsest = 200

// maxCycles ends an iteration that does not converge.
const maxCycles = 400

// Multilevel returns the stationary law of an irreducible chain with many states
// to a residual (Chain.Residual) of at most tol, or an error that says which
// residual was reached. Memory, the chain included, is about
// 110 bytes an entry (BenchmarkMultilevel).
//
// It is multilevel aggregation-disaggregation: Gauss-Seidel sweeps, then the
// chain of aggregates with the conditional law inside each aggregate held fixed
// (G. Horton, S. Leutenegger, Proc. ACM SIGMETRICS 1994, 191-200), recursively in
// a W-cycle; aggregates are pairs of pairs matched along large flows. Each cycle
// ends with the combination of the last few iterates that has the smallest
// residual (H. De Sterck, K. Miller, G. Sanders, M. Winlaw, Numer. Linear Algebra
// Appl. 17 (2010) 705-732), unless it has a negative entry.
func (c *Chain) Multilevel(tol float64) (Iterative, error) {
	if !(tol > 0) {
		panic("markov: Multilevel: the tolerance must be positive")
	}
	if !c.Irreducible() {
		return Iterative{}, fmt.Errorf("%w or transient states: Multilevel solves irreducible chains", ErrReducible)
	}
	if c.n <= coarsest {
		pi, err := c.stationary()
		if err != nil {
			return Iterative{}, err
		}
		return Iterative{pi, c.Residual(pi), 0}, nil
	}
	top := newLevel(c)
	x := make([]float64, c.n)
	for i := range x {
		x[i] = 1 / float64(c.n)
	}
	top.initial(x)
	best := Iterative{Residual: math.Inf(1)}
	var window recombination
	for cycle := 1; cycle <= maxCycles; cycle++ {
		top.cycle(x)
		normalise(x)
		window.add(top, x)
		if window.residual() < best.Residual || cycle%8 == 0 {
			best.Residual, best.Cycles = c.Residual(x), cycle
			if best.Residual <= tol {
				best.Law = x
				return best, nil
			}
		}
	}
	return Iterative{}, fmt.Errorf("markov: no convergence: residual %.2g after %d cycles, want %.2g", c.Residual(x), maxCycles, tol)
}

// level is a chain with its rates sorted by the state they lead to.
type level struct {
	n    int
	ptr  []int32 // moves into y are ptr[y]..ptr[y+1]
	src  []int32
	val  []float64
	exit []float64
	// flows says that val are flows, to be matched by, rather than rates.
	flows bool
	// The next level: state i belongs to aggregate agg[i], entry e to entry
	// into[e] of the coarse chain (-1: inside an aggregate).
	next *level
	agg  []int32
	into []int32
	mass []float64 // of the aggregates before the coarse solve
	y    []float64 // of the aggregates after it
}

// newLevel returns the hierarchy of a chain with aggregates that follow its rates.
func newLevel(c *Chain) *level {
	l := transposed(c)
	l.coarsen(nil, nil)
	return l
}

// transposed returns the chain's rates sorted by the state they lead to, as a level
// without a next one.
func transposed(c *Chain) *level {
	l := &level{n: c.n, exit: c.exit, ptr: make([]int32, c.n+1), src: make([]int32, len(c.col)), val: make([]float64, len(c.col))}
	for _, y := range c.col {
		l.ptr[y+1]++
	}
	for y := range c.n {
		l.ptr[y+1] += l.ptr[y]
	}
	next := append([]int32(nil), l.ptr[:c.n]...)
	for x := range c.n {
		cols, vals := c.row(x)
		for i, y := range cols {
			l.src[next[y]], l.val[next[y]] = int32(x), vals[i]
			next[y]++
		}
	}
	return l
}

// coarsen builds the next level's pattern from two rounds of matching, and so on
// down, in place of what was there. With a law it matches by flows, which sum over
// aggregates as they are, else by rates. Where each state's group is given, moves between
// groups are left out.
func (l *level) coarsen(law []float64, group []int32) {
	l.next, l.agg, l.into, l.mass, l.y = nil, nil, nil, nil, nil
	if l.n <= coarsest {
		return
	}
	guide := l
	if law != nil {
		guide = &level{n: l.n, ptr: l.ptr, src: l.src, val: make([]float64, len(l.val)), flows: true}
		for y := range l.n {
			for e := l.ptr[y]; e < l.ptr[y+1]; e++ {
				if z := l.src[e]; group == nil || group[z] == group[y] {
					guide.val[e] = l.val[e] * law[z]
				}
			}
		}
	}
	first, m1, bond := guide.match(make([]float64, l.n))
	half := guide.contract(first, m1)
	second, m, _ := half.match(bond)
	l.agg = make([]int32, l.n)
	for i := range l.agg {
		l.agg[i] = second[first[i]]
	}
	if int(m)*10 > l.n*9 { // hardly anything to aggregate
		return
	}
	half = nil
	l.next = guide.contract(l.agg, m)
	l.into = make([]int32, len(l.src))
	slot := make([]int32, m) // entry of the coarse chain from a state to the one at hand
	start, member := members(l.agg, m)
	for to := range m {
		for k := l.next.ptr[to]; k < l.next.ptr[to+1]; k++ {
			slot[l.next.src[k]] = k
		}
		slot[to] = -1
		for _, y := range member[start[to]:start[to+1]] {
			for e := l.ptr[y]; e < l.ptr[y+1]; e++ {
				l.into[e] = slot[l.agg[l.src[e]]]
			}
		}
	}
	l.mass, l.y = make([]float64, m), make([]float64, m)
	l.next.coarsen(nil, nil)
}

// strong is the smallest ratio of an exchange to the largest one of either state for
// which two states are paired.
const strong = 0.1

// match gives each state an aggregate, and returns how many there are. Two states
// are paired, in the order of the states, if what they exchange is at least strong
// times the most that either exchanges with any state. A state that is left over
// joins the aggregate of the one that it exchanges most with. So moves are inside
// an aggregate only where they are strong for both states or the strongest of one
// of them, and groups that hardly communicate become single states of some level,
// whose masses that level balances.
//
// bond is the strongest exchange inside each state where it is an aggregate of a
// match before, zero elsewhere: a match after a match must not tie up groups that
// exchange much less, because no level balances them in between. The bonds of the
// new aggregates are returned.
func (l *level) match(bond []float64) (agg []int32, m int32, bonds []float64) {
	e := l.exchanges()
	pair := make([]int32, l.n)
	for i := range pair {
		pair[i] = -1
	}
	most, host := make([]float64, l.n), make([]int32, l.n)
	for y := range int32(l.n) {
		host[y] = -1
		e.around(y, func(x int32, s float64) {
			if s > most[y]*(1+1e-9) {
				most[y], host[y] = s, x
			}
		})
	}
	for y := range int32(l.n) {
		if pair[y] >= 0 {
			continue
		}
		free, partner := 0.0, int32(-1)
		e.around(y, func(x int32, s float64) {
			if pair[x] < 0 && s >= strong*max(most[x], most[y], bond[x], bond[y]) && s > free*(1+1e-9) {
				free, partner = s, x
			}
		})
		if partner >= 0 {
			pair[y], pair[partner] = m, m
			bonds = append(bonds, max(free, bond[y], bond[partner]))
			m++
		}
	}
	var path []int32
	for y := range int32(l.n) {
		path = path[:0]
		x := y
		for pair[x] < 0 && host[x] >= 0 && most[x] >= strong*bond[x] {
			path = append(path, x)
			pair[x] = math.MaxInt32 // on the path
			x = host[x]
		}
		if pair[x] < 0 || pair[x] == math.MaxInt32 {
			pair[x] = m
			bonds = append(bonds, bond[x])
			m++
		}
		for _, z := range path {
			pair[z] = pair[x]
			bonds[pair[x]] = max(bonds[pair[x]], most[z], bond[z])
		}
	}
	return pair, m, bonds
}

// exchanges answers what a state exchanges with its neighbours, both ways.
type exchanges struct {
	l               *level
	ptr, dst, entry []int32 // moves by the state they leave
	sum             []float64
	near            []int32
}

func (l *level) exchanges() *exchanges {
	e := &exchanges{l: l, ptr: make([]int32, l.n+1), dst: make([]int32, len(l.src)), entry: make([]int32, len(l.src)), sum: make([]float64, l.n)}
	for _, x := range l.src {
		e.ptr[x+1]++
	}
	for x := range l.n {
		e.ptr[x+1] += e.ptr[x]
	}
	next := append([]int32(nil), e.ptr[:l.n]...)
	for y := range int32(l.n) {
		for k := l.ptr[y]; k < l.ptr[y+1]; k++ {
			i := next[l.src[k]]
			e.dst[i], e.entry[i] = y, k
			next[l.src[k]]++
		}
	}
	return e
}

// around calls f for each neighbour x of y with what they exchange.
func (e *exchanges) around(y int32, f func(x int32, s float64)) {
	e.near = e.near[:0]
	for k := e.l.ptr[y]; k < e.l.ptr[y+1]; k++ {
		e.note(e.l.src[k], e.l.val[k])
	}
	for i := e.ptr[y]; i < e.ptr[y+1]; i++ {
		e.note(e.dst[i], e.l.val[e.entry[i]])
	}
	for _, x := range e.near {
		s := e.sum[x]
		e.sum[x] = 0
		if x != y {
			f(x, s)
		}
	}
}

func (e *exchanges) note(x int32, v float64) {
	if v == 0 {
		return
	}
	if e.sum[x] == 0 {
		e.near = append(e.near, x)
	}
	e.sum[x] += v
}

// members lists the states of each of m aggregates.
func members(agg []int32, m int32) (start, member []int32) {
	start = make([]int32, m+1)
	for _, a := range agg {
		start[a+1]++
	}
	for a := range m {
		start[a+1] += start[a]
	}
	member = make([]int32, len(agg))
	next := append([]int32(nil), start[:m]...)
	for i, a := range agg {
		member[next[a]] = int32(i)
		next[a]++
	}
	return start, member
}

// contract returns the chain of aggregates: its pattern, with values that only
// guide the matching: sums of flows, or rates for uniform weights.
func (l *level) contract(agg []int32, m int32) *level {
	c := &level{n: int(m), ptr: make([]int32, m+1), exit: make([]float64, m), flows: l.flows}
	start, member := members(agg, m)
	slot := make([]int32, m)
	for i := range slot {
		slot[i] = -1
	}
	for a := range m {
		lo := int32(len(c.src))
		for _, y := range member[start[a]:start[a+1]] {
			for e := l.ptr[y]; e < l.ptr[y+1]; e++ {
				b := agg[l.src[e]]
				if b == a {
					continue
				}
				if slot[b] < lo {
					slot[b] = int32(len(c.src))
					c.src = append(c.src, b)
					c.val = append(c.val, 0)
				}
				v := l.val[e]
				if !l.flows {
					v /= float64(start[b+1] - start[b])
				}
				c.val[slot[b]] += v
			}
		}
		c.ptr[a+1] = int32(len(c.src))
	}
	return c
}

// smallest keeps states whose probability underflows in the weights of their
// aggregate; what it adds to the law is far below any residual.
const smallest = 1e-280

// sweep is one Gauss-Seidel sweep of x(y) exit(y) = sum x(z) q(z,y).
func (l *level) sweep(x []float64, forward bool) {
	step, y := 1, 0
	if !forward {
		step, y = -1, l.n-1
	}
	for range l.n {
		lo, hi := l.ptr[y], l.ptr[y+1]
		src, val := l.src[lo:hi], l.val[lo:hi]
		s := 0.0
		for i, z := range src {
			s += x[z] * val[i]
		}
		x[y] = max(s/l.exit[y], smallest)
		y += step
	}
}

// restrict fills the next level with the rates of the aggregates for weights x.
func (l *level) restrict(x []float64) {
	c := l.next
	clear(l.mass)
	for i, a := range l.agg {
		l.mass[a] += x[i]
	}
	clear(c.val)
	for e, k := range l.into {
		if k >= 0 {
			c.val[k] += x[l.src[e]] * l.val[e]
		}
	}
	clear(c.exit)
	for e, a := range c.src {
		c.val[e] /= l.mass[a]
		c.exit[a] += c.val[e]
	}
}

// prolong multiplies each aggregate to its new mass.
func (l *level) prolong(x []float64) {
	for a := range l.mass {
		l.mass[a] = l.y[a] / l.mass[a]
	}
	for i, a := range l.agg {
		x[i] = max(x[i]*l.mass[a], smallest)
	}
}

// bottom solves by GTH.
func (l *level) bottom(x []float64) {
	if l.n > 8*coarsest { // matching got stuck: sweep instead
		for k := range 40 {
			l.sweep(x, k%2 == 0)
		}
		return
	}
	q := make([]float64, l.n*l.n)
	for y := range l.n {
		for e := l.ptr[y]; e < l.ptr[y+1]; e++ {
			q[int(l.src[e])*l.n+y] += l.val[e]
		}
	}
	total := 0.0
	for _, v := range x {
		total += v
	}
	if pi, ok := gth(q, l.n); ok {
		for i, p := range pi {
			x[i] = max(p*total, smallest)
		}
	}
}

func (l *level) cycle(x []float64) {
	if l.next == nil {
		l.bottom(x)
		return
	}
	l.sweep(x, true)
	l.restrict(x)
	copy(l.y, l.mass)
	l.next.cycle(l.y)
	if l.next.next != nil && 2*len(l.next.src) <= len(l.src) {
		l.next.cycle(l.y) // the W of the W-cycle, where the levels shrink fast enough
	}
	l.prolong(x)
	l.sweep(x, false)
}

// initial sets x to a first guess: the law of the aggregates, spread evenly,
// from the coarsest level up.
func (l *level) initial(x []float64) {
	if l.next == nil {
		l.bottom(x)
		return
	}
	l.restrict(x)
	copy(l.y, l.mass)
	l.next.initial(l.y)
	l.prolong(x)
	l.sweep(x, true)
	l.sweep(x, false)
}

// recombination keeps the last iterates and their residuals.
type recombination struct {
	x, r [][]float64
	norm float64
}

// windowSize: more iterates gain little for W-cycles (De Sterck et al., Section 4).
const windowSize = 4

// residual is the 2-norm of the residual of the last combination.
func (w *recombination) residual() float64 { return w.norm }

// add replaces x by the best combination of it and its predecessors.
func (w *recombination) add(l *level, x []float64) {
	var r []float64
	if len(w.x) == windowSize {
		r = w.r[0]
		old := w.x[0]
		copy(old, x)
		w.x = append(w.x[1:], old)
		w.r = append(w.r[1:], r)
	} else {
		r = make([]float64, l.n)
		w.x = append(w.x, append([]float64(nil), x...))
		w.r = append(w.r, r)
	}
	l.imbalance(x, r)
	k := len(w.x)
	last := w.r[k-1]
	weight := make([]float64, l.n) // imbalances count relative to the flow
	for y, e := range l.exit {
		weight[y] = 1 / (x[y] * e)
	}
	dot := func(u, v []float64) float64 {
		s := 0.0
		for y, w := range weight {
			s += u[y] * v[y] * w
		}
		return s
	}
	w.norm = math.Sqrt(dot(last, last))
	if k == 1 {
		return
	}
	// Minimise |r_last + sum z_j (r_j - r_last)| by the normal equations, scaled.
	m := k - 1
	a := make([][]float64, m)
	for i := range m {
		a[i] = make([]float64, m+1)
		for j := range m {
			a[i][j] = dot(w.r[i], w.r[j]) - dot(w.r[i], last) - dot(w.r[j], last) + dot(last, last)
		}
		a[i][m] = dot(last, last) - dot(w.r[i], last)
		a[i][i] *= 1 + 1e-12
	}
	z, ok := solveSmall(a)
	if !ok {
		return
	}
	zl := 1.0
	for _, v := range z {
		zl -= v
	}
	for i := range x {
		v := zl * w.x[k-1][i]
		for j := range m {
			v += z[j] * w.x[j][i]
		}
		if !(v > 0) {
			copy(x, w.x[k-1])
			return
		}
		x[i] = v
	}
	copy(w.x[k-1], x)
	l.imbalance(x, last)
	w.norm = math.Sqrt(dot(last, last))
}

// imbalance sets r to flow in minus flow out.
func (l *level) imbalance(x, r []float64) {
	for y := range l.n {
		s := 0.0
		for e := l.ptr[y]; e < l.ptr[y+1]; e++ {
			s += x[l.src[e]] * l.val[e]
		}
		r[y] = s - x[y]*l.exit[y]
	}
}

// solveSmall is Gaussian elimination with row pivots on an augmented matrix.
func solveSmall(a [][]float64) ([]float64, bool) {
	m := len(a)
	for k := range m {
		p := k
		for i := k; i < m; i++ {
			if math.Abs(a[i][k]) > math.Abs(a[p][k]) {
				p = i
			}
		}
		a[k], a[p] = a[p], a[k]
		if a[k][k] == 0 {
			return nil, false
		}
		for i := k + 1; i < m; i++ {
			f := a[i][k] / a[k][k]
			for j := k; j <= m; j++ {
				a[i][j] -= f * a[k][j]
			}
		}
	}
	z := make([]float64, m)
	for k := m - 1; k >= 0; k-- {
		s := a[k][m]
		for j := k + 1; j < m; j++ {
			s -= a[k][j] * z[j]
		}
		z[k] = s / a[k][k]
		if math.IsNaN(z[k]) || math.IsInf(z[k], 0) {
			return nil, false
		}
	}
	return z, true
}
