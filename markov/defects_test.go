package markov

import (
	"math"
	"math/rand/v2"
	"testing"

	"tqn/quantize"
)

// One step of Multilevel's theory: with the stationary law as weights, the law of the aggregates is
// stationary for their chain, so the law is a fixed point of every cycle. Planted defect: aggregates weighted
// evenly, as in multigrid for equations, make another chain.
func TestMultilevelDefectIsSeen(t *testing.T) {
	c := must(waves(25).Limit(1e-4))
	pi, _ := gth(c.denseRates(), c.n)
	// moved is how far one sweep of the chain of aggregates moves the law of the aggregates.
	moved := func(weights []float64) float64 {
		l := newLevel(c)
		l.restrict(weights)
		law := make([]float64, l.next.n)
		for x, a := range l.agg {
			law[a] += pi[x]
		}
		y := append([]float64(nil), law...)
		l.next.sweep(y, true)
		normalise(y)
		return TotalVariation(law, y)
	}
	even := make([]float64, c.n)
	for x := range even {
		even[x] = 1 / float64(c.n)
	}
	if d := moved(pi); d > 1e-12 {
		t.Errorf("aggregates weighted by the law: their law moves by %.2g", d)
	}
	if d := moved(even); d < 1e-3 {
		t.Errorf("aggregates weighted evenly: their law moves by %.2g, expected it to fail", d)
	}
	x := append([]float64(nil), pi...)
	l := newLevel(c)
	l.cycle(x)
	normalise(x)
	if d := TotalVariation(x, pi); d > 1e-12 {
		t.Errorf("a cycle moves the stationary law by %.2g", d)
	}
}

// clusters is a chain of 2m states in which even and odd states are two groups, joined by one weak pair of moves.
func clusters(m int, weak float64, r *rand.Rand) *Chain {
	q := make([][]float64, 2*m)
	for x := range q {
		q[x] = make([]float64, 2*m)
		for y := range q[x] {
			if x != y && x%2 == y%2 {
				q[x][y] = (0.5 + r.Float64()) / float64(4*m)
			}
		}
	}
	q[0][1], q[1][0] = weak, weak
	return must(FromDense(q, 1))
}

// The conductance is the least ratio over all sets, by enumeration here. Planted defects: a sweep in the
// order in which the states are numbered misses the bottleneck, and dividing by the mass of either side,
// without pi(S) <= 1/2, is below the minimum.
func TestConductanceDefectsAreSeen(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	for _, m := range []int{5, 8} {
		c := clusters(m, 1e-6, r)
		pi := must(c.Stationary())
		exact := must(c.Conductance())
		if !exact.Exact {
			t.Fatalf("%d states are enumerated", c.n)
		}
		order := make([]int, c.n)
		for x := range order {
			order[x] = x
		}
		numbered := c.sweep(pi, order)
		mode, err := c.slowMode(pi)
		if err != nil {
			t.Fatal(err)
		}
		sortBy(order, mode)
		if s := c.sweep(pi, order); math.Abs(s.Value/exact.Value-1) > 1e-9 {
			t.Errorf("%d states: the sweep along the slow mode has %g, the minimum is %g", c.n, s.Value, exact.Value)
		}
		if numbered.Value < 100*exact.Value {
			t.Errorf("%d states: the sweep in numbered order has %g against %g, expected it to fail", c.n, numbered.Value, exact.Value)
		}
	}
	// Above the enumeration's size the sweep finds the same bottleneck: the pair of weak moves.
	c := clusters(15, 1e-6, r)
	pi := must(c.Stationary())
	mass := 0.0
	for x := 0; x < c.n; x += 2 {
		mass += pi[x]
	}
	want := pi[0] * 1e-6 / min(mass, 1-mass)
	if got := must(c.Conductance()); math.Abs(got.Value/want-1) > 1e-9 || got.Exact {
		t.Errorf("two groups of 15: %+v, want the upper bound %g", got, want)
	}
	// A line that climbs: nearly all mass is at its end.
	line := make([][]float64, 8)
	for x := range line {
		line[x] = make([]float64, 8)
		if x > 0 {
			line[x][x-1] = 0.1
		}
		if x < 7 {
			line[x][x+1] = 0.4
		}
	}
	climb := must(FromDense(line, 1))
	pi = must(climb.Stationary())
	phi := must(climb.Conductance())
	if all := climb.allSets(pi); math.Abs(phi.Value/all.Value-1) > 1e-12 {
		t.Errorf("climbing line: %g, all sets %g", phi.Value, all.Value)
	}
	heavy, without := 0.0, math.Inf(1)
	for x := 7; x > 0; x-- {
		heavy += pi[x]
		without = min(without, pi[x]*0.1/heavy)
	}
	if without > 0.9*phi.Value {
		t.Errorf("without pi(S) <= 1/2 the ratio is %g against %g, expected it to fail", without, phi.Value)
	}
}

// Ulam's chain keeps the drift of BC even where a step is far shorter than a cell. Planted defect: the usual shortcut, to
// follow the centre of each cell, loses it.
func TestUlamDefectIsSeen(t *testing.T) {
	g := must(quantize.NewGrid(0.5, -2, 2))
	const alpha, mean, sigma, perStep = 0.01, 1.0, 0.1, 20
	const h = 0.5 / perStep
	u := must(BinaryConnect(g, func(float64) Law { return Gaussian{mean, sigma} }, alpha, perStep, 0))
	x := u.n / 2
	drift := func(moves func(func(d float64, p float64))) float64 {
		s := 0.0
		moves(func(d, p float64) { s += d * p })
		return s
	}
	ulam := drift(func(add func(d, p float64)) {
		u.Moves(x, func(y int, p float64) { add(float64(y-x)*h, p) })
	})
	if math.Abs(ulam+alpha*mean) > 1e-12 {
		t.Errorf("drift %g, want %g", ulam, -alpha*mean)
	}
	cdf := func(d float64) float64 { return 0.5 * math.Erfc(-(d+alpha*mean)/(alpha*sigma*math.Sqrt2)) }
	centre := drift(func(add func(d, p float64)) {
		for k := -5; k <= 5; k++ {
			add(float64(k)*h, cdf((float64(k)+0.5)*h)-cdf((float64(k)-0.5)*h))
		}
	})
	if math.Abs(centre+alpha*mean) < 0.5*alpha*mean {
		t.Errorf("following the centres has drift %g of %g, expected it to lose it", centre, -alpha*mean)
	}
}
