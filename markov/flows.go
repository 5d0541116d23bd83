package markov

import (
	"math"
	"slices"
)

// candidate is an approximate law in doubled precision with what is needed to
// certify and to better it.
type candidate struct {
	c    *Chain
	top  *level // moves by the state they lead to
	x    []doubled
	exit []doubled // the exact row sums, but for doubledUnit a term
	r    []doubled // flow in minus flow out
	err  []float64 // bound on the error of r
}

func newCandidate(c *Chain, top *level, x []float64) *candidate {
	d := &candidate{c: c, top: top, x: make([]doubled, c.n), exit: make([]doubled, c.n), r: make([]doubled, c.n), err: make([]float64, c.n)}
	for i, v := range x {
		d.x[i].hi = v
	}
	for x := range c.n {
		_, vals := c.row(x)
		for _, v := range vals {
			d.exit[x] = d.exit[x].add(doubled{v, 0})
		}
	}
	return d
}

// residual computes r = in - out of every state.
func (d *candidate) residual() {
	parallel(d.c.n, d.c.n > 10_000, func(lo, hi int) {
		for y := lo; y < hi; y++ {
			var s doubled
			begin, end := d.top.ptr[y], d.top.ptr[y+1]
			for e := begin; e < end; e++ {
				s = s.add(d.x[d.top.src[e]].times(d.top.val[e]))
			}
			out := d.x[y].mul(d.exit[y])
			d.r[y] = s.add(out.neg())
			terms := float64(end-begin) + float64(d.c.ptr[y+1]-d.c.ptr[y]) + 4
			d.err[y] = terms * (doubledUnit*(s.hi+out.hi) + 0x1p-1060) // the last term: what underflows
		}
	})
}

// better multiplies x by 1 + g. Corrections beyond a factor of two are cut: they
// come from a linearisation that does not hold there.
func (d *candidate) better(g []float64) {
	for y := range d.x {
		d.x[y] = d.x[y].mul(twoSum(1, max(-0.5, min(1, g[y]))))
	}
}

// flowTree is a spanning tree of moves with large flows.
type flowTree struct {
	order  []int32   // states, parents before children
	parent []int32   // -1 for the first
	flow   []float64 // of the move between a state and its parent, in whichever direction it is larger
	apart  []int32   // states whose edge to their parent joins two nearly decoupled groups, in the order of order
}

// isolated are ratios of the flow over an edge to the largest flow through a state on
// either side of it, below which the edge joins two nearly decoupled groups; the
// sides are what the edges with larger flows join. The first leaves to correct what it can
// tell from rounding errors; where that gains little the others take turns, since
// couplings that come in all strengths have no ratio that fits them all.
var isolated = []float64{1e-7, 1e-5, 1e-6, 1e-4}

// spanningTree returns a spanning tree of largest flows, up to a factor of two
// (Kruskal, with the flows sorted by their binary exponents).
func (d *candidate) spanningTree(isolated float64) flowTree {
	c := d.c
	const span = 2200
	start := make([]int32, span+1)
	bin := func(f float64) int { // largest flows first
		if f == 0 {
			return span - 1
		}
		_, e := math.Frexp(f)
		return min(span-1, max(0, 1050-e))
	}
	for x := range c.n {
		cols, vals := c.row(x)
		for i := range cols {
			start[bin(d.x[x].hi*vals[i])+1]++
		}
	}
	for k := range span {
		start[k+1] += start[k]
	}
	from, entry := make([]int32, len(c.col)), make([]int32, len(c.col))
	for x := range c.n {
		for i := c.ptr[x]; i < c.ptr[x+1]; i++ {
			k := bin(d.x[x].hi * c.val[i])
			from[start[k]], entry[start[k]] = int32(x), int32(i)
			start[k]++
		}
	}
	parts := newSets(c.n)
	through := make([]float64, c.n) // of a part, the largest flow through a state
	for x, e := range c.exit {
		through[x] = d.x[x].hi * e
	}
	degree := make([]int32, c.n+1)
	chosen := make([]int32, 0, c.n)
	weak := make([]bool, 0, c.n)
	for j, x := range from {
		y := c.col[entry[j]]
		a, b := parts.find(x), parts.find(y)
		if a == b {
			continue
		}
		chosen = append(chosen, int32(j))
		weak = append(weak, d.x[x].hi*c.val[entry[j]] < isolated*min(through[a], through[b]))
		degree[x+1]++
		degree[y+1]++
		parts.join(a, b)
		through[parts.find(a)] = max(through[a], through[b])
	}
	for x := range c.n {
		degree[x+1] += degree[x]
	}
	near := make([]neighbour, 2*len(chosen))
	next := slices.Clone(degree[:c.n])
	for i, j := range chosen {
		x, y := from[j], c.col[entry[j]]
		f := d.x[x].hi * c.val[entry[j]]
		near[next[x]] = neighbour{y, weak[i], f}
		near[next[y]] = neighbour{x, weak[i], f}
		next[x]++
		next[y]++
	}
	return d.rooted(degree, near)
}

// neighbour is a state at the other end of an edge of a tree.
type neighbour struct {
	state int32
	apart bool
	flow  float64
}

// rooted orders a tree, given as adjacency lists, from the likeliest state on.
func (d *candidate) rooted(ptr []int32, near []neighbour) flowTree {
	n := d.c.n
	t := flowTree{order: make([]int32, 0, n), parent: make([]int32, n), flow: make([]float64, n)}
	root := int32(0)
	for x := range n {
		if d.x[x].hi > d.x[root].hi {
			root = int32(x)
		}
	}
	t.parent[root] = -1
	t.order = append(t.order, root)
	for i := 0; i < len(t.order); i++ {
		x := t.order[i]
		for _, y := range near[ptr[x]:ptr[x+1]] {
			if y.state == t.parent[x] {
				continue
			}
			t.parent[y.state], t.flow[y.state] = x, y.flow
			t.order = append(t.order, y.state)
			if y.apart {
				t.apart = append(t.apart, y.state)
			}
		}
	}
	return t
}

// certificate bounds the entrywise relative error of the candidate.
//
// Adding to the flows along the edges of a spanning tree the imbalance of the states
// beyond each edge makes x an exact law: of a chain whose rates differ from the
// given ones by at most the relative amount delta(e) = |imbalance beyond e| / flow(e),
// on one move for each edge e. By the tree theorem (errorBound) the law of the given chain
// then differs from x by a factor of at most the square of the product of
// 1/(1-delta(e)).
//
// The imbalance of the states beyond an edge is the sum of their r. Where that
// cancels, because hardly any flow crosses the edge, the edge is weak: the flows
// that cross are added up themselves (weakEdges).
type certificate struct {
	bound float64
	weak  []int32   // states whose edge to their parent is weak
	delta []float64 // delta of the weak edges by the sum of r
	tree  flowTree
}

// tolerated is the relative error of an imbalance by the sum of r above which an
// edge is looked at as a weak one.
const tolerated = 1e-16

func (d *candidate) certify() certificate {
	t := certificate{tree: d.spanningTree(0)}
	n := d.c.n
	sum, err := slices.Clone(d.r), slices.Clone(d.err)
	total := 0.0
	for i := n - 1; i > 0; i-- {
		x := t.tree.order[i]
		p := t.tree.parent[x]
		sum[p] = sum[p].add(sum[x])
		err[p] += err[x] + 2*doubledUnit*(math.Abs(sum[p].hi)+math.Abs(sum[x].hi))
		flow := t.tree.flow[x] * (1 - 8*unit)
		delta := (math.Abs(sum[x].hi)*(1+4*unit) + err[x]) / flow
		if err[x] > tolerated*flow {
			t.weak, t.delta = append(t.weak, x), append(t.delta, delta)
			continue
		}
		total -= math.Log1p(-delta)
	}
	if len(t.weak) > 0 {
		total += d.weakEdges(&t)
	}
	t.bound = math.Expm1(2*total*(1+1e-9)) + 8*unit
	if math.IsNaN(t.bound) {
		t.bound = math.Inf(1)
	}
	return t
}
