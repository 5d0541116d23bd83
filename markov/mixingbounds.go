package markov

import (
	"fmt"
	"math"
	"slices"
)

// MixingBounds holds bounds Lower <= M_eps <= Upper, in steps.
type MixingBounds struct {
	Eps          float64
	Lower, Upper float64 // Upper is +Inf where no bound is known
	LowerBy      string
	UpperBy      string
}

// MixingBounds returns rigorous bounds on the eps-mixing time, 0 < eps < 1/2, of an
// irreducible chain of any size, given its stationary law (from Stationary or
// Multilevel; the bounds are as right as pi is).
//
// Below: from every start in the list (the least likely state if it is empty) the
// law of the chain is carried for at most steps steps; as long as its distance
// from pi exceeds eps the mixing time is larger. And by the bottleneck ratio of the
// best set seen, M >= (1/2 - eps)/Phi (D. Levin, Y. Peres, Markov Chains and
// Mixing Times, 2nd ed., proof of Theorem 7.4).
//
// Above: with delta the smallest holding probability and gamma the gap of the
// additive reversibilisation (P+P*)/2, the distance after n steps is at most
// (1/2) sqrt(1/min pi) (1-2 delta gamma)^(n/2) for 2 delta gamma <= 1
// (R. Montenegro, P. Tetali, Mathematical Aspects of Mixing Times in Markov
// Chains, 2006, Sections 1.3 and 1.5). gamma is bounded below by paths in a
// spanning tree of large flows (P. Diaconis, D. Stroock, Ann. Appl. Probab. 1
// (1991) 36-61): 1/gamma <= max over tree edges e of
// (1/Q(e)) sum over pairs {x,y} whose path uses e of |path| pi(x) pi(y).
func (c *Chain) MixingBounds(pi []float64, eps float64, steps int, starts ...int) (MixingBounds, error) {
	b := MixingBounds{Eps: eps, Upper: math.Inf(1), UpperBy: "none: some state never holds"}
	if !(eps > 0 && eps < 0.5) {
		return b, fmt.Errorf("markov: eps is %g; want a number between 0 and 1/2", eps)
	}
	if len(pi) != c.n {
		panic("markov: MixingBounds: the law and the chain have different numbers of states")
	}
	smallest := slices.Min(pi)
	if !(smallest > 0) {
		return b, fmt.Errorf("markov: a stationary probability is zero: the chain is not irreducible or the law underflows")
	}
	if len(starts) == 0 {
		starts = []int{slices.Index(pi, smallest)}
	}
	b.LowerBy = "law after some steps"
	for _, x := range starts {
		p, next := make([]float64, c.n), make([]float64, c.n)
		p[x] = 1
		for n := 0; n <= steps; n++ {
			if TotalVariation(p, pi) <= eps {
				break
			}
			b.Lower = max(b.Lower, float64(n+1))
			c.Step(next, p)
			p, next = next, p
		}
	}
	tree := c.tree(pi)
	if phi := tree.conductance; phi > 0 {
		if l := (0.5 - eps) / (c.alpha * phi); l > b.Lower {
			b.Lower, b.LowerBy = math.Ceil(l), "bottleneck ratio"
		}
	}
	hold := 1.0
	for x := range c.n {
		hold = min(hold, c.holding(x))
	}
	if hold > 0 {
		// log(1-u) <= -u: n >= log(1/(4 eps^2 min pi))/u is enough.
		u := 2 * min(hold, 0.5/(c.alpha*tree.gap)) * c.alpha * tree.gap
		b.Upper = math.Ceil(max(0, -math.Log(smallest)-2*math.Log(2*eps)) / u)
		b.UpperBy = "paths in a tree"
	}
	return b, nil
}

type treeBounds struct {
	gap         float64 // lower bound on the gap of -(Q+Q*)/2
	conductance float64 // Q(S, not S)/pi(S) of the best cut of the tree, rates
}

// tree builds a spanning tree of largest symmetrised flows (Kruskal) and reads the two bounds off it.
func (c *Chain) tree(pi []float64) treeBounds {
	type edge struct {
		x, y int32
		flow float64
	}
	var edges []edge
	for x := range c.n {
		cols, vals := c.row(x)
		for i, y := range cols {
			back := c.Rate(int(y), x)
			if int(y) > x || back == 0 {
				edges = append(edges, edge{int32(x), y, (pi[x]*vals[i] + pi[y]*back) / 2})
			}
		}
	}
	slices.SortStableFunc(edges, func(a, b edge) int {
		switch {
		case a.flow > b.flow:
			return -1
		case a.flow < b.flow:
			return 1
		}
		return 0
	})
	root := make([]int32, c.n)
	for x := range root {
		root[x] = int32(x)
	}
	find := func(x int32) int32 {
		for root[x] != x {
			root[x] = root[root[x]]
			x = root[x]
		}
		return x
	}
	type link struct {
		to   int32
		flow float64
	}
	near := make([][]link, c.n)
	for _, e := range edges {
		if a, b := find(e.x), find(e.y); a != b {
			root[a] = b
			near[e.x] = append(near[e.x], link{e.y, e.flow})
			near[e.y] = append(near[e.y], link{e.x, e.flow})
		}
	}
	// Depth-first order from state 0; then masses and path lengths of subtrees.
	parent := make([]int32, c.n)
	up := make([]float64, c.n)
	order := make([]int32, 0, c.n)
	stack := []int32{0}
	parent[0] = -1
	for len(stack) > 0 {
		x := stack[len(stack)-1]
		stack = stack[:len(stack)-1]
		order = append(order, x)
		for _, l := range near[x] {
			if l.to != parent[x] {
				parent[l.to], up[l.to] = x, l.flow
				stack = append(stack, l.to)
			}
		}
	}
	mass := slices.Clone(pi)     // of the subtree of x
	dist := make([]float64, c.n) // sum of pi(z)*length(z, x) in the subtree of x
	for i := c.n - 1; i > 0; i-- {
		x := order[i]
		p := parent[x]
		mass[p] += mass[x]
		dist[p] += dist[x] + mass[x]
	}
	total := make([]float64, c.n) // sum of pi(z)*length(z, x) over all z
	total[0] = dist[0]
	var worst float64
	t := treeBounds{conductance: math.Inf(1)}
	for _, x := range order[1:] {
		p := parent[x]
		total[x] = total[p] + mass[0] - 2*mass[x]
		// Pairs z in the subtree, v outside: length(z,v) = length(z,x) + 1 + length(p,v).
		rest := max(0, mass[0]-mass[x])
		outside := max(0, total[p]-dist[x]-mass[x])
		load := dist[x]*rest + mass[x]*rest + mass[x]*outside
		worst = max(worst, load/up[x])
	}
	t.gap = 1 / worst
	t.conductance = c.cuts(pi, order, parent, mass)
	return t
}

// cuts returns the smallest true ratio flow/mass over the subtrees of a few of
// the least loaded tree edges; the flow counts all moves, not only those of the tree.
func (c *Chain) cuts(pi []float64, order, parent []int32, mass []float64) float64 {
	// flow out of the subtree of x = sum over its states of (flow to non-descendants).
	// With preorder numbers, y is a descendant of x iff first[x] <= first[y] < last[x].
	first, last := make([]int32, c.n), make([]int32, c.n)
	for i, x := range order {
		first[x] = int32(i)
		last[x] = int32(i) + 1
	}
	for i := c.n - 1; i > 0; i-- {
		x := order[i]
		last[parent[x]] = max(last[parent[x]], last[x])
	}
	// A move x -> y leaves the subtrees of x and its ancestors up to the lowest
	// one that contains y.
	flow := make([]float64, c.n)
	for x := range int32(c.n) {
		cols, vals := c.row(int(x))
		for i, y := range cols {
			climbed := 0
			for a := x; a >= 0 && !(first[a] <= first[y] && first[y] < last[a]); a = parent[a] {
				flow[a] += pi[x] * vals[i]
				if climbed++; climbed > 1<<14 {
					// Too deep to be worth it: no bound from this subtree, nor from those above it.
					for ; a >= 0; a = parent[a] {
						if math.IsInf(flow[a], 1) {
							break
						}
						flow[a] = math.Inf(1)
					}
					break
				}
			}
		}
	}
	best := math.Inf(1)
	for _, x := range order[1:] {
		if m := min(mass[x], mass[0]-mass[x]); m > 1e-12 {
			best = min(best, flow[x]/m)
		}
	}
	return best
}

func sortBy(order []int, key []float64) {
	slices.SortStableFunc(order, func(a, b int) int {
		switch {
		case key[a] < key[b]:
			return -1
		case key[a] > key[b]:
			return 1
		}
		return 0
	})
}
