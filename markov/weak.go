package markov

import (
	"context"
	"math"
	"slices"
)

// groups are the parts into which a tree falls without its weak edges, with the
// flows between them.
type groups struct {
	of     []int32 // group of each state
	parent []int32 // parent of each group, -1 for the first
	depth  []int32
	edge   []float64 // flow of the tree's edge to the parent
	flows  []groupFlow
	terms  float64 // the largest number of flows that were added up to one
}

type groupFlow struct {
	from, to int32
	flow     float64
}

// groups cuts the tree at its weak edges. Flows between groups are sums of
// positive numbers.
func (d *candidate) groups(tree flowTree, weak []int32) groups {
	n := d.c.n
	g := groups{of: make([]int32, n)}
	cut := make([]bool, n)
	for _, x := range weak {
		cut[x] = true
	}
	for _, x := range tree.order {
		p := tree.parent[x]
		switch {
		case p < 0:
			g.parent, g.depth, g.edge = append(g.parent, -1), append(g.depth, 0), append(g.edge, 0)
		case cut[x]:
			g.of[x] = int32(len(g.parent))
			g.parent = append(g.parent, g.of[p])
			g.depth = append(g.depth, g.depth[g.of[p]]+1)
			g.edge = append(g.edge, tree.flow[x])
		default:
			g.of[x] = g.of[p]
		}
	}
	for x := range n {
		cols, vals := d.c.row(x)
		for i, y := range cols {
			if a, b := g.of[x], g.of[y]; a != b {
				g.flows = append(g.flows, groupFlow{a, b, d.x[x].hi * vals[i]})
			}
		}
	}
	slices.SortFunc(g.flows, func(a, b groupFlow) int {
		if a.from != b.from {
			return int(a.from - b.from)
		}
		return int(a.to - b.to)
	})
	out := g.flows[:0]
	run := 0.0
	for _, f := range g.flows {
		if k := len(out) - 1; k >= 0 && out[k].from == f.from && out[k].to == f.to {
			out[k].flow += f.flow
			run++
		} else {
			out = append(out, f)
			run = 1
		}
		g.terms = max(g.terms, run)
	}
	g.flows = out
	return g
}

// weakLimit is the number of weak edges up to which the flows over them are added
// up: more of them are a law that is far from stationary.
const weakLimit = 20_000

// weakSteps bounds the steps along the tree of groups that adding them up may take.
const weakSteps = 50_000_000

// weakEdges returns the sum of -log(1-delta) over the weak edges, each with the
// smaller of two bounds: the sum of r beyond the edge, and the flows that cross it
// added up one way and the other.
func (d *candidate) weakEdges(t *certificate) float64 {
	crossing := func(int) float64 { return math.Inf(1) }
	if len(t.weak) <= weakLimit {
		crossing = d.crossing(t)
	}
	total := 0.0
	for k, delta := range t.delta {
		delta = min(delta, crossing(k))
		if !(delta < 1) {
			return math.Inf(1)
		}
		total -= math.Log1p(-delta)
	}
	return total
}

// crossing returns delta of the k-th weak edge by the flows that cross it.
func (d *candidate) crossing(t *certificate) func(k int) float64 {
	g := d.groups(t.tree, t.weak)
	in, out := make([]float64, len(g.parent)), make([]float64, len(g.parent))
	count := make([]float64, len(g.parent))
	steps := 0
	for _, f := range g.flows {
		a, b := f.from, f.to
		if steps > weakSteps {
			return func(int) float64 { return math.Inf(1) }
		}
		for ; a != b; steps++ { // up from the deeper of the two to where the paths meet
			if g.depth[a] >= g.depth[b] {
				out[a] += f.flow
				count[a]++
				a = g.parent[a]
			} else {
				in[b] += f.flow
				count[b]++
				b = g.parent[b]
			}
		}
	}
	return func(i int) float64 {
		k := g.of[t.weak[i]]
		rounding := (count[k] + g.terms + 3) * unit * (in[k] + out[k])
		return (math.Abs(in[k]-out[k]) + rounding) / (g.edge[k] * (1 - 8*unit))
	}
}

// isolated is the ratio of the flow over an edge to the largest flow through a
// state beyond it below which the states beyond count as a group of their own.
const isolated = 1e-5

// groupEdges returns the edges of a tree beyond which there is a group that is nearly decoupled.
func (d *candidate) groupEdges(tree flowTree) []int32 {
	inside := make([]float64, d.c.n)
	for x, e := range d.c.exit {
		inside[x] = d.x[x].hi * e
	}
	var edges []int32
	for i := d.c.n - 1; i > 0; i-- {
		x := tree.order[i]
		if tree.flow[x] < isolated*inside[x] {
			edges = append(edges, x)
		}
		p := tree.parent[x]
		inside[p] = max(inside[p], inside[x])
	}
	return edges
}

// stiffness is the flow that stiffen puts between groups, as a fraction of the flow
// into the state where it arrives.
const stiffness = 1e-3

// stiffen raises the flow of each edge to a nearly decoupled group, so that a
// correction is nearly the same on both sides of it: the mass of a group is left
// to settle. The law that needs no correction is the same.
func (d *candidate) stiffen(tree flowTree, flow []float64) {
	top := d.top
	raise := func(from, to int32) bool {
		in := 0.0
		at := int32(-1)
		for e := top.ptr[to]; e < top.ptr[to+1]; e++ {
			in += flow[e]
			if top.src[e] == from {
				at = e
			}
		}
		if at < 0 {
			return false
		}
		flow[at] = max(flow[at], stiffness*in)
		return true
	}
	for _, x := range d.groupEdges(tree) {
		if p := tree.parent[x]; !raise(p, x) {
			raise(x, p)
		}
	}
}

// settle multiplies each nearly decoupled group by what the law of the chain of
// groups says: the exact answer to cut flows that do not balance. It is false if
// there are no such groups or that chain cannot be solved.
func (d *candidate) settle(ctx context.Context, tree flowTree) bool {
	edges := d.groupEdges(tree)
	if len(edges) == 0 {
		return false
	}
	g := d.groups(tree, edges)
	rates := make([]Rate, 0, len(g.flows))
	for _, f := range g.flows {
		if f.flow > 0 {
			rates = append(rates, Rate{int(f.from), int(f.to), f.flow})
		}
	}
	ptr := make([]int, len(g.parent)+1)
	for _, r := range rates {
		ptr[r.From+1]++
	}
	for k := range g.parent {
		ptr[k+1] += ptr[k]
	}
	col, val := make([]int32, len(rates)), make([]float64, len(rates))
	for i, r := range rates { // sorted by from and to
		col[i], val[i] = int32(r.To), r.Rate
	}
	c, err := fromCSR(len(g.parent), ptr, col, val, 0)
	if err != nil || !c.Irreducible() {
		return false
	}
	law, err := c.direct(ctx)
	if err != nil {
		return false
	}
	top := slices.Max(law.Law)
	if !(slices.Min(law.Law) > 1e-200*top) {
		return false
	}
	for x, a := range g.of {
		d.x[x] = d.x[x].times(law.Law[a] / top)
	}
	return true
}
