package markov

import (
	"context"
	"errors"
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
		pi, ok := gthWide(context.Background(), c, c.n-1, c.n-1)
		if !ok {
			t.Fatalf("%s: gthWide failed", name)
		}
		solvers["wide"] = CertifiedLaw{Law: pi, ErrorBound: errorBound(denseRoundings(c.n) + denseDepth(c.n))}
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
	pi, flow := spreadLaw(n, spread, r), flows{}
	member := make([][]int, clusters)
	for i := range n {
		k := i * clusters / n
		member[k] = append(member[k], i)
	}
	for _, m := range member {
		for i := range len(m) - 1 {
			flow.ring(min(pi[m[i]], pi[m[i+1]])*r.Float64()*0.1, m[i], m[i+1])
		}
		for range len(m) {
			a, b, d := m[r.IntN(len(m))], m[r.IntN(len(m))], m[r.IntN(len(m))]
			if a != b && b != d && d != a {
				flow.ring(min(pi[a], pi[b], pi[d])*r.Float64()*0.05, a, b, d)
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
		flow.ring(coupling*least, states...)
	}
	return flowChain(pi, flow), pi
}

// spreadLaw draws a law of n states whose probabilities spread over so many decades.
func spreadLaw(n int, decades float64, r *rand.Rand) []float64 {
	pi := make([]float64, n)
	for i := range pi {
		pi[i] = math.Pow(10, -decades*r.Float64())
	}
	normalise(pi)
	return pi
}

// flows are the stationary flows of a chain from state to state. Rings of flow leave a law stationary.
type flows map[[2]int]float64

// ring lets f flow around the states, in their order.
func (flow flows) ring(f float64, states ...int) {
	for i, x := range states {
		flow[[2]int{x, states[(i+1)%len(states)]}] += f
	}
}

// flowChain returns the chain whose flow from x to y under the law pi is flow[x,y].
func flowChain(pi []float64, flow flows) *Chain {
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

// Clusters so weakly coupled that no residual shows a wrong mass, by elimination
// and by iteration: entries are right to 1e-10 and the bound holds. (The
// constructed law is that of the chain up to the rounding of the rates, 1e-15 a
// tree edge.)
func TestNearlyDecoupledClusters(t *testing.T) {
	cases := []struct {
		n, clusters, rings int
		coupling, spread   float64
	}{
		{4200, 6, 6, 1e-13, 6}, {6000, 60, 1, 1e-100, 3}, {4200, 6, 6, 1e-10, 6}, {6000, 6, 2, 1e-7, 2}, {5000, 20, 1, 1e-5, 2},
	}
	if testing.Short() {
		cases = cases[:2]
	}
	for _, k := range cases {
		c, want := cycles(k.n, k.clusters, k.rings, k.coupling, k.spread, 3)
		for name, solve := range map[string]func(context.Context) (CertifiedLaw, error){
			"direct":    c.direct,
			"iterative": func(ctx context.Context) (CertifiedLaw, error) { return c.iterative(ctx, CertifiedLaw{}) },
		} {
			law, err := solve(context.Background())
			if err != nil {
				t.Errorf("%+v: %s: %v", k, name, err)
				continue
			}
			d := difference(law.Law, want)
			t.Logf("%+v: %s, error %.2g, bound %.2g", k, law.Method, d, law.ErrorBound)
			if d > 1e-10 || d > law.ErrorBound+1e-11 || law.ErrorBound > CertifiedError {
				t.Errorf("%+v: %s: error %.2g, bound %.2g", k, name, d, law.ErrorBound)
			}
		}
	}
}

// Planted defects: the certificate sees a cluster whose mass is wrong by 1e-6,
// which the residual does not, and an entry that is wrong by 1e-7.
func TestCertificateSeesWrongLaws(t *testing.T) {
	c, pi := cycles(3000, 5, 2, 1e-13, 3, 7)
	bound := func(x []float64) float64 {
		d := newCandidate(c, transposed(c), x)
		d.residual()
		return d.certify().bound
	}
	law := must(c.direct(context.Background())).Law
	cluster := append([]float64(nil), law...)
	for x := range 600 {
		cluster[x] *= 1 + 1e-6
	}
	normalise(cluster)
	if r := c.Residual(cluster); r > 1e-12 {
		t.Errorf("residual %.2g: this defect is meant to be invisible to it", r)
	}
	if b := bound(cluster); b < 1e-6*600/3000 {
		t.Errorf("a cluster's mass is off by 1e-6: bound %.2g", b)
	}
	entry := append([]float64(nil), law...)
	entry[1234] *= 1 + 1e-7
	if b := bound(entry); b < 1e-7 {
		t.Errorf("an entry is off by 1e-7: bound %.2g", b)
	}
	if difference(law, pi) > 1e-12 {
		t.Error("the law itself is wrong")
	}
}

// The bound of an iterated law holds against elimination where nothing is nearly
// decoupled: a lattice and a random graph.
func TestIterationIsCertified(t *testing.T) {
	for name, c := range map[string]*Chain{"lattice": must(diffuse(70).Limit(1e-5)), "random": randomSparse(3000, 4)} {
		law, err := c.iterative(context.Background(), CertifiedLaw{})
		if err != nil {
			t.Fatal(err)
		}
		d := difference(law.Law, must(c.direct(context.Background())).Law)
		t.Logf("%s: bound %.2g, differs from elimination by %.2g", name, law.ErrorBound, d)
		if law.ErrorBound > goodError || d > 1e-13 {
			t.Errorf("%s: bound %.2g, differs from elimination by %.2g", name, law.ErrorBound, d)
		}
	}
}

// randomSparse is an irreducible chain with some d moves out of each state, to anywhere.
func randomSparse(n, d int) *Chain {
	r := rand.New(rand.NewPCG(5, 6))
	var rates []Rate
	for x := range n {
		rates = append(rates, Rate{x, (x + 1) % n, r.Float64()})
		for range d - 1 {
			if y := r.IntN(n); y != x {
				rates = append(rates, Rate{x, y, r.Float64()})
			}
		}
	}
	return must(FromRates(n, rates, 0.01))
}

// A cancelled context ends the solvers.
func TestCertifiedEndsWithItsContext(t *testing.T) {
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if _, err := randomSparse(6000, 4).Certified(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("%v, want context.Canceled", err)
	}
}

// Rates from 1e-300 to 1e300, and a random walk in a random potential whose ways
// are less likely than the smallest float64.
func TestLawsOfExtremeRates(t *testing.T) {
	c := must(FromDense([][]float64{{0, 1e-300, 1e-10}, {1e300, 0, 1e-300}, {1e-200, 1e-300, 0}}, 1e-301))
	law := must(c.Certified(context.Background()))
	if e := worstRelative(law.Law[:1], exactStationary(c)[:1]); e > law.ErrorBound {
		t.Errorf("%v: error %.2g, bound %.2g", law, e, law.ErrorBound)
	}
	if testing.Short() {
		t.Skip("several seconds: a walk of 1e5 states")
	}
	const n = 100_000
	r := rand.New(rand.NewPCG(2, 3))
	p := r.Perm(n)
	rates := make([]Rate, 0, 2*n)
	log := make([]float64, n) // of pi by detailed balance
	for x := range n - 1 {
		up, down := r.Float64(), r.Float64()
		rates = append(rates, Rate{p[x], p[x+1], up}, Rate{p[x+1], p[x], down})
		log[x+1] = log[x] + math.Log(up/down)
	}
	law = must(must(FromRates(n, rates, 0.1)).Certified(context.Background()))
	top := 0
	for x := range log {
		if log[x] > log[top] {
			top = x
		}
	}
	for x := range log {
		ratio := law.Law[p[x]] / law.Law[p[top]]
		if want := math.Exp(log[x] - log[top]); want > 1e-250 && math.Abs(ratio/want-1) > 1e-8 {
			t.Fatalf("%s: state %d has %g of the largest probability, want %g", law.Method, x, ratio, want)
		}
	}
	if law.Law[p[top]] == 0 {
		t.Error("no mass at the bottom of the potential")
	}
}
