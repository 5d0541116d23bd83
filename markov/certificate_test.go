package markov

import (
	"context"
	"math"
	"math/rand/v2"
	"testing"
)

// The bound on the law's error holds against rational arithmetic, whatever solver
// is used, and says something.
func TestErrorBoundHolds(t *testing.T) {
	for name, c := range hostile() {
		want := exactStationary(c)
		solvers := map[string]CertifiedLaw{"chosen": must(c.Certified(context.Background()))}
		if r, core, ok := c.eliminate(context.Background()); ok {
			pi, n, ok := r.law(c.n, core)
			if !ok {
				t.Fatalf("%s: sparse elimination without a law", name)
			}
			solvers["sparse"] = CertifiedLaw{Law: pi, ErrorBound: errorBound(n)}
		}
		pi, ok := gthWide(c)
		if !ok {
			t.Fatalf("%s: gthWide failed", name)
		}
		solvers["wide"] = CertifiedLaw{Law: pi, ErrorBound: errorBound(wideRoundings(c.n) + wideDepth(c.n))}
		for solver, law := range solvers {
			if e := worstRelative(law.Law, want); e > law.ErrorBound || law.ErrorBound > 1e-12 {
				t.Errorf("%s: %s: error %.2g, bound %.2g", name, solver, e, law.ErrorBound)
			}
		}
	}
}

// cycles is a chain of clusters whose law is known by construction: all flows are
// sums of cycles and of moves there and back. Clusters are joined by rings of the
// given strength; probabilities spread over the given number of decades.
func cycles(n, clusters, rings int, coupling, spread float64, seed uint64) (*Chain, []float64) {
	r := rand.New(rand.NewPCG(seed, 1))
	pi := make([]float64, n)
	for i := range pi {
		pi[i] = math.Pow(10, -spread*r.Float64())
	}
	normalise(pi)
	flow := map[[2]int]float64{}
	ring := func(f float64, states ...int) {
		for i, x := range states {
			flow[[2]int{x, states[(i+1)%len(states)]}] += f
		}
	}
	member := make([][]int, clusters)
	for i := range n {
		k := i * clusters / n
		member[k] = append(member[k], i)
	}
	for _, m := range member {
		for i := range len(m) - 1 {
			ring(min(pi[m[i]], pi[m[i+1]])*r.Float64()*0.1, m[i], m[i+1])
		}
		for range len(m) {
			a, b, d := m[r.IntN(len(m))], m[r.IntN(len(m))], m[r.IntN(len(m))]
			if a != b && b != d && d != a {
				ring(min(pi[a], pi[b], pi[d])*r.Float64()*0.05, a, b, d)
			}
		}
	}
	for range rings {
		states := make([]int, clusters)
		least := 1.0
		for k, m := range member {
			states[k] = m[r.IntN(len(m))]
			least = min(least, pi[states[k]])
		}
		ring(coupling*least, states...)
	}
	return flowChain(pi, flow), pi
}

// flowChain returns the chain whose flow from x to y under the law pi is flow[x,y].
func flowChain(pi []float64, flow map[[2]int]float64) *Chain {
	rates := make([]Rate, 0, len(flow))
	for e, f := range flow {
		rates = append(rates, Rate{e[0], e[1], f / pi[e[0]]})
	}
	// The order of a map is random; the chain's is not.
	c := must(FromRates(len(pi), rates, 1e-9))
	return must(c.WithAlpha(min(1, c.MaxAlpha()/2)))
}

// difference returns the largest |a/b - 1|.
func difference(a, b []float64) float64 {
	d := 0.0
	for i := range a {
		d = max(d, math.Abs(a[i]/b[i]-1))
	}
	return d
}

func TestNearlyDecoupledClusters(t *testing.T) {
	for _, k := range []struct {
		n, clusters, rings int
		coupling, spread   float64
	}{
		{4200, 6, 6, 1e-10, 6}, {4200, 6, 6, 1e-13, 6}, {6000, 6, 6, 1e-13, 6}, {6000, 6, 2, 1e-7, 2}, {5000, 20, 1, 1e-5, 2}, {6000, 60, 1, 1e-100, 3},
	} {
		c, want := cycles(k.n, k.clusters, k.rings, k.coupling, k.spread, 3)
		law, err := c.Certified(context.Background())
		if err != nil {
			t.Errorf("%+v: %v", k, err)
			continue
		}
		d := difference(law.Law, want)
		t.Logf("%+v: %s, error %.2g, bound %.2g", k, law.Method, d, law.ErrorBound)
		if d > 1e-10 || d > law.ErrorBound+1e-12 {
			t.Errorf("%+v: error %.2g, bound %.2g", k, d, law.ErrorBound)
		}
	}
}
