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
	flow     doubled
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
				g.flows = append(g.flows, groupFlow{a, b, d.x[x].times(vals[i])})
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
			out[k].flow = out[k].flow.add(f.flow)
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
	in, out := make([]doubled, len(g.parent)), make([]doubled, len(g.parent))
	count := make([]float64, len(g.parent))
	steps := 0
	for _, f := range g.flows {
		a, b := f.from, f.to
		if steps > weakSteps {
			return func(int) float64 { return math.Inf(1) }
		}
		for ; a != b; steps++ { // up from the deeper of the two to where the paths meet
			if g.depth[a] >= g.depth[b] {
				out[a] = out[a].add(f.flow)
				count[a]++
				a = g.parent[a]
			} else {
				in[b] = in[b].add(f.flow)
				count[b]++
				b = g.parent[b]
			}
		}
	}
	return func(i int) float64 {
		k := g.of[t.weak[i]]
		rounding := (count[k]+g.terms+3)*doubledUnit*(in[k].hi+out[k].hi) + (count[k]+1)*(g.terms+1)*0x1p-1060
		return (math.Abs(in[k].add(out[k].neg()).hi)*(1+4*unit) + rounding) / (g.edge[k] * (1 - 8*unit))
	}
}

// partition is the candidate's states in nearly decoupled groups.
type partition struct {
	groups
	// anchor is the state of each group with the largest flow through it, and through
	// is that flow.
	anchor  []int32
	through []float64
}

// partition cuts the states at the edges that join nearly decoupled groups.
func (d *candidate) partition(tree flowTree) partition {
	p := partition{groups: d.groups(tree, tree.apart)}
	p.anchor, p.through = make([]int32, len(p.parent)), make([]float64, len(p.parent))
	for x, a := range p.of {
		if f := d.x[x].hi * d.c.exit[x]; f > p.through[a] {
			p.anchor[a], p.through[a] = int32(x), f
		}
	}
	return p
}

// settle multiplies each nearly decoupled group by what the law of the chain of
// groups says: the exact answer to cut flows that do not balance. The rates of that
// chain are sums of flows, so that they have all their digits however weak the
// couplings are; where it is too large for elimination it is solved as any other
// chain is, which settles groups of groups. It is false if there is one group only or
// the chain of groups cannot be solved.
func (d *candidate) settle(ctx context.Context, p partition) bool {
	if len(p.parent) == 1 {
		return false
	}
	ptr := make([]int, len(p.parent)+1)
	col, val := make([]int32, 0, len(p.flows)), make([]float64, 0, len(p.flows))
	for _, f := range p.flows { // sorted by from and to
		if f.flow.hi > 0 {
			ptr[f.from+1]++
			col, val = append(col, f.to), append(val, f.flow.hi)
		}
	}
	for k := range p.parent {
		ptr[k+1] += ptr[k]
	}
	c, err := fromCSR(len(p.parent), ptr, col, val, 0)
	if err != nil || !c.Irreducible() {
		return false
	}
	c = c.rescaled()
	law, err := c.direct(ctx)
	if err != nil {
		if law, err = c.iterative(ctx, CertifiedLaw{}); err != nil && law.Law == nil {
			return false
		}
	}
	top := slices.Max(law.Law)
	if !(slices.Min(law.Law) > 1e-200*top) {
		return false
	}
	for x, a := range p.of {
		d.x[x] = d.x[x].times(law.Law[a] / top)
	}
	return true
}
