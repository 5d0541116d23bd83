package markov

import (
	"errors"
	"fmt"
	"math"
	"math/big"
	"runtime"
	"testing"

	"gonum.org/v1/gonum/mat"

	"tqn/quantize"
)

// hostile returns small irreducible chains that defeat ordinary solvers: rates
// from 1e-150 to 1e5, blocks that hardly communicate, a cycle, dense noise.
func hostile() map[string]*Chain {
	s := testNoise(7)
	chains := map[string]*Chain{}
	for _, e := range []float64{1e-3, 1e-12, 1e-17, 1e-150} {
		chains[fmt.Sprintf("three states, e=%g", e)] = must(FromDense([][]float64{{0, 0.3, e}, {0.3, 0, e}, {e, e, 0}}, 1))
		// Two blocks of four, a cycle in each, joined by e and 3e.
		var rates []Rate
		for b := range 2 {
			for i := range 4 {
				rates = append(rates, Rate{4*b + i, 4*b + (i+1)%4, 0.4 + 0.1*float64(i)})
			}
		}
		rates = append(rates, Rate{1, 6, e}, Rate{7, 0, 3 * e}, Rate{2, 4, e / 7})
		chains[fmt.Sprintf("two cycles, e=%g", e)] = must(FromRates(8, rates, 1e-3))
	}
	for k := range 6 {
		n := 3 + k
		q := make([][]float64, n)
		for x := range q {
			q[x] = make([]float64, n)
			for y := range q[x] {
				if x != y && (s.next() < 0.6 || y == (x+1)%n) {
					q[x][y] = math.Pow(10, -20*s.next())
				}
			}
		}
		chains[fmt.Sprintf("random exponents, n=%d", n)] = must(FromDense(q, 1e-3))
	}
	wide := [][]float64{{0, 1e5, 0}, {1e-140, 0, 1e-3}, {0, 1e-130, 0}}
	chains["145 orders of magnitude"] = must(FromDense(wide, 1e-6))
	return chains
}

// Every direct solver gets every entry right on every hostile chain.
func TestStationaryIsEntrywiseExact(t *testing.T) {
	for name, c := range hostile() {
		want := exactStationary(c)
		dense, ok := gth(c.denseRates(), c.n)
		if !ok {
			t.Fatalf("%s: gth failed", name)
		}
		below, above := c.bandwidth()
		band, _, ok := gthBand(c, below, above)
		if !ok {
			t.Fatalf("%s: gthBand failed", name)
		}
		for solver, pi := range map[string][]float64{"gth": dense, "gthBand": band, "Stationary": must(c.Stationary())} {
			if e := worstRelative(pi, want); e > 1e-14 {
				t.Errorf("%s: %s: worst relative error %.2g", name, solver, e)
			}
		}
	}
}

// Planted defects: elimination with the pivot 1 - P(k,k) and an ordinary linear
// solver both fail on a nearly decoupled chain that GTH solves.
func TestStationaryDefectsAreSeen(t *testing.T) {
	c := must(FromDense([][]float64{{0, 0.3, 1e-17}, {0.3, 0, 1e-17}, {1e-17, 1e-17, 0}}, 1))
	want := exactStationary(c)
	if e := worstRelative(naiveElimination(c), want); e < 1e-3 {
		t.Errorf("elimination with a subtracted pivot: error %.2g, expected it to fail", e)
	}
	if e := worstRelative(linearSolve(c), want); e < 1e-3 {
		t.Errorf("LU on P - I: error %.2g, expected it to fail", e)
	}
}

// naiveElimination is GTH with the wrong pivot: one minus the diagonal of P.
func naiveElimination(c *Chain) []float64 {
	p := c.Dense()
	n := c.n
	for k := n - 1; k > 0; k-- {
		pivot := 1 - p[k][k]
		for i := range k {
			p[i][k] /= pivot
			for j := range k {
				p[i][j] += p[i][k] * p[k][j]
			}
		}
	}
	x := make([]float64, n)
	x[0] = 1
	for k := 1; k < n; k++ {
		for i := range k {
			x[k] += x[i] * p[i][k]
		}
	}
	normalise(x)
	return x
}

// linearSolve replaces one equation of pi (P - I) = 0 by sum pi = 1.
func linearSolve(c *Chain) []float64 {
	n := c.n
	p := c.Dense()
	a := mat.NewDense(n, n, nil)
	b := mat.NewVecDense(n, nil)
	for i := range n {
		for j := range n {
			v := p[j][i]
			if i == j {
				v--
			}
			if i == n-1 {
				v = 1
			}
			a.Set(i, j, v)
		}
	}
	b.SetVec(n-1, 1)
	var x mat.VecDense
	if err := x.SolveVec(a, b); err != nil && x.Len() == 0 {
		return make([]float64, n)
	}
	return x.RawVector().Data
}

// The blocked elimination equals the plain one across block borders, and a law
// that spans more than the range of float64 keeps the well behind the barrier.
func TestGTHBlocks(t *testing.T) {
	s := testNoise(3)
	for _, n := range []int{1, 2, 63, 64, 65, 66, 129, 200, 300} {
		q := make([][]float64, n)
		for x := range q {
			q[x] = make([]float64, n)
			for y := range q[x] {
				if x != y {
					q[x][y] = math.Pow(10, -6*s.next())
				}
			}
		}
		c := must(FromDense(q, 1e-4))
		if n == 1 {
			continue
		}
		got, _ := gth(c.denseRates(), n)
		want := plainGTH(c)
		for x := range got {
			if math.Abs(got[x]/want[x]-1) > 1e-13 {
				t.Fatalf("n = %d: pi[%d] = %g, want %g", n, x, got[x], want[x])
			}
		}
	}
}

// plainGTH is the textbook loop.
func plainGTH(c *Chain) []float64 {
	n := c.n
	q := c.denseRates()
	for k := n - 1; k > 0; k-- {
		sum := 0.0
		for j := range k {
			sum += q[k*n+j]
		}
		for i := range k {
			q[i*n+k] /= sum
			for j := range k {
				if i != j {
					q[i*n+j] += q[i*n+k] * q[k*n+j]
				}
			}
		}
	}
	x := make([]float64, n)
	x[0] = 1
	for k := 1; k < n; k++ {
		for i := range k {
			x[k] += x[i] * q[i*n+k]
		}
	}
	normalise(x)
	return x
}

func TestLawBeyondTheRangeOfFloat64(t *testing.T) {
	// Up with rate 1e-3, down with 1, ten to the minus 450 down to the barrier; then the mirror image.
	n := 301
	var rates []Rate
	for x := range n - 1 {
		up, down := 1e-3, 1.0
		if x >= n/2 {
			up, down = 1.0, 1e-3
		}
		rates = append(rates, Rate{x, x + 1, up}, Rate{x + 1, x, down})
	}
	c := must(FromRates(n, rates, 1e-2))
	pi := must(c.Stationary())
	want := 1 / (2 * (1 + 1e-3/(1-1e-3)))
	if math.Abs(pi[0]/want-1) > 1e-12 || math.Abs(pi[n-1]/want-1) > 1e-12 || pi[n/2] != 0 {
		t.Errorf("wells %g and %g, want %g each; barrier %g, want 0", pi[0], pi[n-1], want, pi[n/2])
	}
}

// Hitting times and Kemeny's constant against rational arithmetic; the constant does
// not depend on the start.
func TestHittingAndKemenyAreExact(t *testing.T) {
	for name, c := range hostile() {
		pi := exactStationary(c)
		kemeny := make([]*big.Rat, c.n)
		for x := range kemeny {
			kemeny[x] = new(big.Rat)
		}
		for y := range c.n {
			exact := exactHitting(c, y)
			h := must(c.HittingTimes(y))
			for x := range h {
				h[x] *= c.alpha
				kemeny[x].Add(kemeny[x], new(big.Rat).Mul(pi[y], exact[x]))
			}
			if e := worstRelative(h, exact); e > 1e-13 {
				t.Errorf("%s: hitting times of %d: worst relative error %.2g", name, y, e)
			}
		}
		for x := 1; x < c.n; x++ {
			if kemeny[x].Cmp(kemeny[0]) != 0 {
				t.Errorf("%s: the oracle's Kemeny constant depends on the start", name)
			}
		}
		got, err := c.Kemeny()
		if err != nil {
			t.Fatal(err)
		}
		if e := relative(got*c.alpha, kemeny[0]); e > 1e-10 {
			t.Errorf("%s: Kemeny's constant %g: relative error %.2g", name, got*c.alpha, e)
		}
	}
}

// Mixing times against rational powers: the exact smallest n.
func TestMixingTimeIsExact(t *testing.T) {
	s := testNoise(11)
	for n := 2; n <= 5; n++ {
		for range 3 {
			q := make([][]float64, n)
			for x := range q {
				q[x] = make([]float64, n)
				for y := range q[x] {
					if x != y {
						q[x][y] = math.Round(64*s.next()+1) / 64 / float64(n)
					}
				}
			}
			c := must(FromDense(q, 0.5))
			d := exactDistances(c, 0.03)
			for _, eps := range []float64{0.4, 0.25, 0.1, 0.03} {
				want := 0
				for d[want].Cmp(rat(eps)) > 0 {
					want++
				}
				m := must(c.MixingTime(eps))
				if int(m.Steps) != want {
					t.Errorf("n = %d, eps = %g: M = %d, want %d", n, eps, m.Steps, want)
				}
				if e := relative(m.Distance, d[want]); e > 1e-12 {
					t.Errorf("n = %d, eps = %g: distance off by %.2g", n, eps, e)
				}
			}
		}
	}
}

// The mixing time of a two-state chain has a closed form; at alpha = 1e-12 naive
// powers of P lose it (planted defect), the carried ones do not.
func TestMixingTimeOfTinyAlpha(t *testing.T) {
	const a, b, eps = 0.3, 0.7, 0.01
	for _, alpha := range []float64{1e-3, 1e-9, 1e-12, 1e-15} {
		c := must(FromDense([][]float64{{0, a}, {b, 0}}, alpha))
		// worst start: distance (1-alpha(a+b))^n * max(pi)
		want := math.Ceil(math.Log(eps/0.7) / math.Log1p(-alpha*(a+b)))
		m := must(c.MixingTime(eps))
		if math.Abs(float64(m.Steps)/want-1) > 1e-12+1.5/want {
			t.Errorf("alpha = %g: M = %d, want %.17g", alpha, m.Steps, want)
		}
		if alpha == 1e-12 {
			if naive := naiveMixing(c, eps); math.Abs(naive/want-1) < 1e-6 {
				t.Errorf("naive powers of P give %g, want %g: expected them to fail", naive, want)
			}
		}
	}
	// Nearly decoupled: two pairs exchange 1e-13 a step, each pair mixes at once.
	e := 1e-13
	c := must(FromDense([][]float64{{0, .5, e, 0}, {.5, 0, 0, e}, {e, 0, 0, .5}, {0, e, .5, 0}}, 1))
	want := math.Ceil(math.Log(2*0.1) / math.Log1p(-2*e))
	if m := must(c.MixingTime(0.1)); math.Abs(float64(m.Steps)/want-1) > 1e-11 {
		t.Errorf("two pairs: M = %d, want %.17g", m.Steps, want)
	}
}

// naiveMixing squares P itself, its diagonal rounded to 1 - alpha*exit, and
// never puts the rows right.
func naiveMixing(c *Chain, eps float64) float64 {
	pi := must(c.Stationary())
	n := c.n
	p := c.Dense()
	dist := func(p [][]float64) float64 {
		d := 0.0
		for x := range p {
			d = max(d, TotalVariation(p[x], pi))
		}
		return d
	}
	mul := func(a, b [][]float64) [][]float64 {
		r := make([][]float64, n)
		for x := range r {
			r[x] = make([]float64, n)
			for y := range n {
				for z := range n {
					r[x][y] += a[x][z] * b[z][y]
				}
			}
		}
		return r
	}
	powers := [][][]float64{p}
	for dist(powers[len(powers)-1]) > eps && len(powers) < 62 {
		last := powers[len(powers)-1]
		powers = append(powers, mul(last, last))
	}
	var current [][]float64
	steps := 0.0
	for i := len(powers) - 2; i >= 0; i-- {
		trial := powers[i]
		if current != nil {
			trial = mul(current, powers[i])
		}
		if dist(trial) > eps {
			current = trial
			steps += math.Ldexp(1, i)
		}
	}
	return steps + 1
}

// The continuous-time mixing time of two states is a logarithm; the limit of
// alpha*M is it (Theorem 6 sharpened), also for nearly decoupled chains.
func TestContinuousMixingTime(t *testing.T) {
	for _, scale := range []float64{1e-200, 1e-12, 1, 1e100} {
		c := must(FromDense([][]float64{{0, 0.3 * scale}, {0.7 * scale, 0}}, 1e-3/scale))
		want := math.Log(70) / scale
		if m := must(c.ContinuousMixingTime(0.01)); math.Abs(m.Scaled/want-1) > 2e-12 {
			t.Errorf("scale %g: t = %.15g, want %.15g", scale, m.Scaled, want)
		}
	}
	e := 1e-10
	c := must(FromDense([][]float64{{0, .5, e, 0}, {.5, 0, 0, e}, {e, 0, 0, .5}, {0, e, .5, 0}}, 1))
	want := -math.Log(0.2) / (2 * e)
	if m := must(c.ContinuousMixingTime(0.1)); math.Abs(m.Scaled/want-1) > 1e-11 {
		t.Errorf("two pairs: t = %.15g, want %.15g", m.Scaled, want)
	}
}

// Gaps with closed forms, at alpha down to 1e-12 and coupling down to 1e-14: an
// eigenvalue solver on P (planted defect) loses them.
func TestGap(t *testing.T) {
	check := func(name string, c *Chain, want float64) {
		t.Helper()
		got, err := c.Gap()
		if err != nil {
			t.Fatal(err)
		}
		if math.Abs(got/want-1) > 1e-10 {
			t.Errorf("%s: gap %.15g, want %.15g (relative error %.2g)", name, got, want, got/want-1)
		}
	}
	for _, alpha := range []float64{0.4, 1e-6, 1e-12} {
		for _, e := range []float64{1e-2, 1e-8, 1e-14} {
			c := must(FromDense([][]float64{{0, 0.9, e}, {0.9, 0, e}, {e, e, 0}}, alpha))
			check(fmt.Sprintf("three states, alpha=%g, e=%g", alpha, e), c, alpha*3*e)
			if alpha == 1e-12 && e == 1e-8 {
				if g := symmetricGap(c); math.Abs(g/(alpha*3*e)-1) < 1e-3 {
					t.Errorf("EigenSym on P gives %g: expected it to fail", g)
				}
			}
			// Two directed cycles of three whose states all cross with e and 2e:
			// lumpable, slowest eigenvalue 3e; not reversible.
			var rates []Rate
			for b := range 2 {
				for i := range 3 {
					rates = append(rates, Rate{3*b + i, 3*b + (i+1)%3, 1})
					for j := range 3 {
						rates = append(rates, Rate{3*b + i, 3*(1-b) + j, float64(b+1) * e / 3})
					}
				}
			}
			cycle := must(FromRates(6, rates, alpha))
			if r := must(cycle.Reversible()); r {
				t.Error("two cycles pass as reversible")
			}
			if e < 1e-2 { // slower than the cycles' own modes
				check(fmt.Sprintf("two cycles, alpha=%g, e=%g", alpha, e), cycle, alpha*3*e)
			}
		}
		// A directed cycle: lambda = 1 - alpha + alpha w^k.
		const n = 12
		var rates []Rate
		for x := range n {
			rates = append(rates, Rate{x, (x + 1) % n, 1})
		}
		w := 2 * math.Pi / n
		re, im := alpha*(1-math.Cos(w)), alpha*math.Sin(w)
		want := (2*re - re*re - im*im) / (1 + math.Hypot(1-re, im))
		check(fmt.Sprintf("cycle, alpha=%g", alpha), must(FromRates(n, rates, alpha)), want)
		// A path: gap 2 alpha (1 - cos(pi/n)).
		rates = rates[:0]
		for x := range n - 1 {
			rates = append(rates, Rate{x, x + 1, 1}, Rate{x + 1, x, 1})
		}
		s := math.Sin(math.Pi / (2 * n))
		check(fmt.Sprintf("path, alpha=%g", alpha), must(FromRates(n, rates, alpha)), 4*alpha*s*s)
	}
	// Close to periodic: the eigenvalue near -1 decides.
	check("flip", must(FromDense([][]float64{{0, 1}, {1, 0}}, 0.9)), 0.2)
}

func symmetricGap(c *Chain) float64 {
	p := c.Dense()
	s := mat.NewSymDense(c.n, nil)
	for x := range p {
		for y := x; y < c.n; y++ {
			s.SetSym(x, y, p[x][y])
		}
	}
	var e mat.EigenSym
	e.Factorize(s, false)
	v := e.Values(nil)
	return 1 - v[c.n-2]
}

func TestReducibleAndPeriodic(t *testing.T) {
	// 0 is transient; {1,2} alternates; {3} absorbs; {4,5,6} is a cycle.
	c := must(FromRates(7, []Rate{{0, 1, .25}, {0, 3, .25}, {1, 2, 1}, {2, 1, 1}, {4, 5, 1}, {5, 6, 1}, {6, 4, 1}, {0, 4, .5}}, 1))
	var got []string
	for _, k := range c.Classes() {
		got = append(got, fmt.Sprint(k.States, k.Closed, k.Period))
	}
	want := "[[0] false 0 [1 2] true 2 [3] true 1 [4 5 6] true 3]"
	if fmt.Sprint(got) != want {
		t.Errorf("classes %v, want %v", got, want)
	}
	if _, err := c.Stationary(); !errors.Is(err, ErrReducible) {
		t.Errorf("Stationary: %v, want ErrReducible", err)
	}
	if _, err := c.MixingTime(0.1); !errors.Is(err, ErrReducible) {
		t.Errorf("MixingTime: %v, want ErrReducible", err)
	}
	laws := must(c.StationaryLaws())
	if len(laws) != 3 || fmt.Sprint(laws[0].Law) != "[0 0.5 0.5 0 0 0 0]" || laws[1].Law[3] != 1 {
		t.Errorf("laws %v", laws)
	}
	flip := must(FromDense([][]float64{{0, 1}, {1, 0}}, 1))
	if _, err := flip.MixingTime(0.1); !errors.Is(err, ErrPeriodic) {
		t.Errorf("flip: %v, want ErrPeriodic", err)
	}
	// One closed class and a transient state: everything exists.
	one := must(FromRates(3, []Rate{{0, 1, .5}, {1, 2, .5}, {2, 1, .25}}, 1))
	pi := must(one.Stationary())
	if pi[0] != 0 || math.Abs(pi[1]-1./3) > 1e-16 {
		t.Errorf("pi = %v, want 0, 1/3, 2/3", pi)
	}
	h := must(c.HittingTimes(3))
	if !math.IsInf(h[0], 1) || !math.IsInf(h[4], 1) || h[3] != 0 {
		t.Errorf("hitting times %v: 0 may be lost for ever", h)
	}
}

func TestConductanceLumpReversible(t *testing.T) {
	// Exact for the line and by all sets; the sweep is no smaller.
	c := must(nine().Limit(1e-3))
	line := must(c.Conductance())
	pi := must(c.Stationary())
	if all := c.allSets(pi); !line.Exact || math.Abs(line.Value/all.Value-1) > 1e-12 {
		t.Errorf("line %v, all sets %v", line, all)
	}
	mode, err := c.slowMode(pi)
	if err != nil {
		t.Fatal(err)
	}
	order := []int{0, 1, 2, 3, 4, 5, 6, 7, 8}
	sortBy(order, mode)
	if s := c.sweep(pi, order); s.Value < line.Value*(1-1e-12) {
		t.Errorf("sweep %g below the minimum %g", s.Value, line.Value)
	}
	if r := must(c.Reversible()); !r {
		t.Error("a birth-death chain is reversible")
	}
	// Folding the symmetric objective: x and -x are one block.
	block := []int{0, 1, 2, 3, 4, 3, 2, 1, 0}
	folded, err := c.Lump(block)
	if err != nil {
		t.Fatal(err)
	}
	fp := must(folded.Stationary())
	if math.Abs(fp[0]-pi[0]-pi[8]) > 1e-15 {
		t.Errorf("lumped law %v of %v", fp, pi)
	}
	if _, err := c.Lump([]int{0, 0, 0, 1, 1, 1, 2, 2, 2}); err == nil {
		t.Error("thirds of the line pass as lumpable")
	}
}

// Bounds hold where the exact mixing time is known, and the two of a large
// lattice are in order.
func TestMixingBounds(t *testing.T) {
	for name, c := range map[string]*Chain{
		"line":    must(nine().Limit(1e-2)),
		"lattice": must(diffuse(9).Limit(1e-3)),
		"waves":   must(waves(7).Limit(1e-3)),
	} {
		pi := must(c.Stationary())
		for _, eps := range []float64{0.25, 0.01} {
			m := must(c.MixingTime(eps))
			b, err := c.MixingBounds(pi, eps, 100)
			if err != nil {
				t.Fatal(err)
			}
			t.Logf("%s, eps = %g: %g (%s) <= %d <= %g (%s)", name, eps, b.Lower, b.LowerBy, m.Steps, b.Upper, b.UpperBy)
			if b.Lower > float64(m.Steps) || b.Upper < float64(m.Steps) {
				t.Errorf("%s, eps = %g: M = %d outside [%g, %g]", name, eps, m.Steps, b.Lower, b.Upper)
			}
		}
	}
}

// waves is SR on a square lattice with side points a side and a non-convex
// objective whose gradient has a part that is no gradient, so that the chain is
// not reversible. Its law concentrates as the grid is refined.
func waves(side int) SR {
	g := quantize.Grid{Delta: 4 / float64(side-1), Lo: -2, Hi: 2}
	return SR{Axes: []quantize.Grid{g, g}, Gradient: func(w []float64, k int) Law {
		other := w[1-k]
		if k == 0 {
			return Gaussian{w[0]*(w[0]*w[0]-1) + 0.3*other, 1}
		}
		return Gaussian{0.8*w[1] - 0.3*other, 1.5}
	}}
}

// diffuse is the lattice whose law does not concentrate however fine the grid is:
// the drift is of the order of the grid step.
func diffuse(side int) SR {
	s := waves(side)
	d := s.Axes[0].Delta
	return SR{Axes: s.Axes, Gradient: func(w []float64, k int) Law {
		g := s.Gradient(w, k).(Gaussian)
		return Gaussian{d * g.Mean, g.Sigma}
	}}
}

// Multilevel agrees with GTH where both can be used.
func TestMultilevelAgreesWithGTH(t *testing.T) {
	for name, s := range map[string]SR{"waves": waves(25), "diffuse": diffuse(25)} {
		c := must(s.Limit(1e-4))
		want, _ := gth(c.denseRates(), c.n)
		got, err := c.Multilevel(1e-12)
		if err != nil {
			t.Fatal(err)
		}
		if d := TotalVariation(got.Law, want); d > 1e-9 || got.Residual > 1e-12 {
			t.Errorf("%s: distance from GTH %.2g, residual %.2g after %d cycles", name, d, got.Residual, got.Cycles)
		}
		if r := c.Residual(got.Law); r > 1e-12 {
			t.Errorf("%s: residual %.2g, reported %.2g", name, r, got.Residual)
		}
	}
}

// More planted defects on nearly decoupled chains: what subtracts or inverts I - P in the
// usual way is seen to fail where the solvers here are exact; a law that is off
// by 1e-6 is seen by Residual.
func TestMoreDefectsAreSeen(t *testing.T) {
	const e = 1e-15
	c := must(FromDense([][]float64{{0, 0.3, e}, {0.3, 0, e}, {e, e, 0}}, 1))
	p := c.Dense()
	// Hitting state 2 from 0 takes 1/e steps.
	h := must(c.HittingTimes(2))
	if math.Abs(h[0]*e-1) > 1e-14 {
		t.Errorf("hitting time %g, want %g", h[0], 1/e)
	}
	a := mat.NewDense(2, 2, []float64{1 - p[0][0], -p[0][1], -p[1][0], 1 - p[1][1]})
	var naive mat.VecDense
	_ = naive.SolveVec(a, mat.NewVecDense(2, []float64{1, 1}))
	if naive.Len() == 2 && math.Abs(naive.AtVec(0)*e-1) < 1e-3 {
		t.Errorf("LU on I - P gives the hitting time %g: expected it to fail", naive.AtVec(0))
	}
	// Kemeny's constant is 1/(3e) + 1/(0.6+e).
	want := 1/(3*e) + 1/(0.6+e)
	if k := must(c.Kemeny()); math.Abs(k/want-1) > 1e-13 {
		t.Errorf("Kemeny's constant %g, want %g", k, want)
	}
	z := mat.NewDense(3, 3, nil) // trace of (I - P + 1 pi)^-1 minus one
	for x := range 3 {
		for y := range 3 {
			v := 1./3 - p[x][y]
			if x == y {
				v++
			}
			z.Set(x, y, v)
		}
	}
	var inverse mat.Dense
	_ = inverse.Inverse(z)
	if k := mat.Trace(&inverse) - 1; math.Abs(k/want-1) < 1e-3 {
		t.Errorf("the inverse of I - P + 1 pi gives %g: expected it to fail", k)
	}

	line := must(nine().Limit(1e-3))
	pi := must(line.Stationary())
	if r := line.Residual(pi); r > 1e-15 {
		t.Errorf("residual %g of the law", r)
	}
	pi[4] *= 1 + 1e-6
	if r := line.Residual(pi); r < 1e-8 {
		t.Errorf("residual %g of a law that is off by 1e-6: expected it to be seen", r)
	}
}

// The closed form of a birth-death chain, on a long line.
func TestBirthDeathClosedForm(t *testing.T) {
	s := testNoise(5)
	const n = 20_000
	rates := make([]Rate, 0, 2*n)
	up, down := make([]float64, n), make([]float64, n)
	for x := range n - 1 {
		up[x], down[x+1] = 0.5+s.next(), 0.5+s.next()
		rates = append(rates, Rate{x, x + 1, up[x]}, Rate{x + 1, x, down[x+1]})
	}
	c := must(FromRates(n, rates, 1e-3))
	pi := must(c.Stationary())
	for x := range n - 1 {
		if want := up[x] / down[x+1]; math.Abs(pi[x+1]/pi[x]/want-1) > 1e-14 {
			t.Fatalf("pi(%d)/pi(%d) = %g, want %g", x+1, x, pi[x+1]/pi[x], want)
		}
	}
}

// Every number of processors gives the same bytes.
func TestResultsDoNotDependOnProcessors(t *testing.T) {
	c := benchChain(150)
	before := runtime.GOMAXPROCS(1)
	defer runtime.GOMAXPROCS(before)
	one := must(c.Stationary())
	m1 := must(c.MixingTime(0.1))
	for _, p := range []int{2, 3, 7} {
		runtime.GOMAXPROCS(p)
		pi := must(c.Stationary())
		for x := range pi {
			if pi[x] != one[x] {
				t.Fatalf("%d processors change pi[%d]", p, x)
			}
		}
		if m := must(c.MixingTime(0.1)); m != m1 {
			t.Errorf("%d processors: %+v, one: %+v", p, m, m1)
		}
	}
}
