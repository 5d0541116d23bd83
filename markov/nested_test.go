package markov

import (
	"context"
	"math"
	"math/rand/v2"
	"slices"
	"testing"
)

// nesting is one level of a nested chain: the parts that a cluster falls into and how
// strongly they are joined.
type nesting struct {
	parts    int
	coupling float64
	rings    int // through all parts
}

// nested is a chain of clusters within clusters, from the weakest coupling down to the
// strongest, whose law is known by construction: its flows are sums of cycles. The
// parts of a cluster are joined by rings of the given coupling, times the least
// probability that a ring passes. Innermost clusters are joined by paths and
// triangles, degree of them a state. Probabilities spread over the given number
// of decades. Directed cycles make it irreversible; with reversible every ring is run
// both ways.
func nested(n int, levels []nesting, degree int, spread float64, reversible bool, seed uint64) (*Chain, []float64) {
	r := rand.New(rand.NewPCG(seed, 2))
	pi, flow := spreadLaw(n, spread, r), flows{}
	ring := func(f float64, states ...int) {
		flow.ring(f, states...)
		if reversible {
			back := slices.Clone(states)
			slices.Reverse(back)
			flow.ring(f, back...)
		}
	}
	order := r.Perm(n)
	var divide func(states []int, levels []nesting)
	divide = func(states []int, levels []nesting) {
		if len(levels) == 0 {
			for i := range len(states) - 1 {
				ring(min(pi[states[i]], pi[states[i+1]])*(0.05+0.1*r.Float64()), states[i], states[i+1])
			}
			for range degree * len(states) {
				a, b, d := states[r.IntN(len(states))], states[r.IntN(len(states))], states[r.IntN(len(states))]
				if a != b && b != d && d != a {
					ring(min(pi[a], pi[b], pi[d])*r.Float64()*0.05, a, b, d)
				}
			}
			return
		}
		l := levels[0]
		parts := make([][]int, l.parts)
		for k := range parts {
			parts[k] = states[k*len(states)/l.parts : (k+1)*len(states)/l.parts]
			divide(parts[k], levels[1:])
		}
		for range l.rings {
			through := make([]int, l.parts)
			least := math.Inf(1)
			for k, p := range parts {
				through[k] = p[r.IntN(len(p))]
				least = min(least, pi[through[k]])
			}
			r.Shuffle(len(through), func(i, j int) { through[i], through[j] = through[j], through[i] })
			ring(l.coupling*least*(0.1+r.Float64()), through...)
		}
	}
	divide(order, levels)
	return flowChain(pi, flow), pi
}

// Clusters within clusters, coupled at every strength down to 1e-200: by iteration,
// as if there were too many states for elimination, entries are right to 1e-10
// and the bound holds.
func TestNestedClusters(t *testing.T) {
	five := []nesting{{2, 1e-15, 3}, {2, 1e-12, 3}, {2, 1e-9, 3}, {2, 1e-6, 3}, {2, 1e-3, 3}}
	eight := []nesting{{2, 1e-8, 3}, {2, 1e-7, 3}, {2, 1e-6, 3}, {2, 1e-5, 3}, {2, 1e-4, 3}, {2, 1e-3, 3}, {2, 1e-2, 3}, {2, 1e-1, 3}}
	cases := []struct {
		n          int
		levels     []nesting
		spread     float64
		reversible bool
	}{
		{6000, five, 3, false},
		{6000, eight, 3, true},
		{5000, []nesting{{3, 1e-200, 1}, {3, 1e-150, 2}, {3, 1e-100, 1}, {3, 1e-50, 3}}, 2, true},
		{5000, []nesting{{3, 1e-100, 3}, {3, 1e-50, 3}}, 3, false},
		{9000, []nesting{{900, 1e-30, 8}}, 2, false}, // the chain of groups is large itself
	}
	if testing.Short() {
		cases = cases[1:3]
	}
	if !testing.Short() {
		cases = append(cases, cases[0], cases[0], cases[0])
		cases[5].n, cases[5].levels = 100_000, []nesting{{30, 1e-15, 3}, {10, 1e-7, 3}, {3, 1e-3, 3}}
		cases[6].spread = 6
		cases[7].reversible = true
	}
	for _, k := range cases {
		c, want := nested(k.n, k.levels, 2, k.spread, k.reversible, 1)
		law, err := c.iterative(context.Background(), CertifiedLaw{})
		if err != nil {
			t.Errorf("%+v: %v", k, err)
			continue
		}
		d := difference(law.Law, want)
		t.Logf("%+v: error %.2g, bound %.2g", k, d, law.ErrorBound)
		if d > 1e-10 || d > law.ErrorBound+1e-11 {
			t.Errorf("%+v: error %.2g, bound %.2g", k, d, law.ErrorBound)
		}
	}
}

// Planted defect: where the masses of groups are left to corrections by the residual,
// as if couplings of 1e-100 could be told from rounding errors, they stay wrong, and the
// certificate says so.
func TestNestedClustersNeedSettling(t *testing.T) {
	c, want := nested(3000, []nesting{{3, 1e-100, 3}, {3, 1e-50, 3}}, 2, 2, false, 1)
	x := slices.Clone(want)
	for y := range x {
		x[y] *= 1 + 1e-4*math.Sin(float64(y))
	}
	normalise(x)
	top := transposed(c)
	top.coarsen(x, nil)
	d := newCandidate(c, top, x)
	for range 3 {
		d.residual()
		if err := d.correct(context.Background(), d.partition(d.spanningTree(0)), 1e-9); err != nil {
			t.Fatal(err)
		}
	}
	d.residual()
	x = d.law(x)
	if e, bound := difference(x, want), d.certify().bound; e < 1e-7 || bound < e {
		t.Errorf("without settling the error is %.2g, the bound %.2g: expected it to fail and the bound to tell", e, bound)
	}
	settled, err := c.refine(context.Background(), x)
	if err != nil || difference(settled.Law, want) > 1e-12 {
		t.Errorf("settled: error %.2g, %v", difference(settled.Law, want), err)
	}
}
