package quantize

import (
	"fmt"
	"math"
	"math/big"
	"strings"
	"testing"

	"github.com/leanovate/gopter"
	"github.com/leanovate/gopter/gen"
	"github.com/leanovate/gopter/prop"
)

// seed of every property in this package.
const seed = 20170602

func mustGrid(t testing.TB, delta, lo, hi float64) Grid {
	t.Helper()
	g, err := NewGrid(delta, lo, hi)
	if err != nil {
		t.Fatal(err)
	}
	return g
}

// testGrids are grids with a dyadic step, where every operation is exact, and
// with steps such as 0.1, where grid points are themselves rounded.
func testGrids(t testing.TB) map[string]Grid {
	grids := map[string]Grid{
		"binary":        Binary(),
		"quarters":      mustGrid(t, 0.25, -2, 2),
		"eighths up":    mustGrid(t, 0.125, 3, 5),
		"tenths":        mustGrid(t, 0.1, -2, 2),
		"tenths up":     mustGrid(t, 0.1, 0.3, 1.7),
		"thirds":        mustGrid(t, 1.0/3, -2, 2),
		"sevenths":      mustGrid(t, 0.7, -2.1, 4.9),
		"zero is none":  mustGrid(t, 0.2, -0.25, 0.75),
		"tiny":          mustGrid(t, 1e-300, -5e-300, 5e-300),
		"huge":          mustGrid(t, 1e300, -5e300, 5e300),
		"far from zero": mustGrid(t, 0.1, 1e6, 1e6+5),
		"one cell":      mustGrid(t, 1000, 0, 1000),
	}
	for name, delta := range map[string]float64{"unbounded half": 0.5, "unbounded tenth": 0.1} {
		g, err := Unbounded(delta)
		if err != nil {
			t.Fatal(err)
		}
		grids[name] = g
	}
	return grids
}

func dyadic(x float64) bool { f, _ := math.Frexp(x); return f == 0.5 }

// indices are the points of the grid that are examined: all of a bounded one.
func indices(g Grid) (from, to int) {
	if !g.Bounded() {
		return -40, 40
	}
	return 0, g.Len() - 1
}

// examined calls f at every grid point, every midpoint, and the three
// floating-point neighbours of each on either side, with the cell they lie in.
func examined(g Grid, f func(w float64)) {
	from, to := indices(g)
	around := func(w float64) {
		f(w)
		for _, side := range []float64{math.Inf(-1), math.Inf(1)} {
			x := w
			for range 3 {
				x = math.Nextafter(x, side)
				if x >= g.Lo && x <= g.Hi {
					f(x)
				}
			}
		}
	}
	for i := from; i <= to; i++ {
		around(g.Point(i))
		if i < to {
			low, high := g.Point(i), g.Point(i+1)
			around(low + (high-low)/2)
			around(low + (high-low)*0.3)
		}
	}
}

func rat(x float64) *big.Rat { return new(big.Rat).SetFloat64(x) }

// neighbours is the exact model: the grid points around w by comparison alone.
func neighbours(g Grid, w float64) (low, high float64) {
	from, to := indices(g)
	if !g.Bounded() {
		from, to = from-1, to+1
	}
	for i := from; i < to; i++ {
		if p, q := g.Point(i), g.Point(i+1); p <= w && w < q {
			return p, q
		}
	}
	return g.Point(to), g.Point(to)
}

func TestPointsAreDistinctAndFound(t *testing.T) {
	for name, g := range testGrids(t) {
		from, to := indices(g)
		for i := from; i <= to; i++ {
			p := g.Point(i)
			if i > from && p <= g.Point(i-1) {
				t.Errorf("%s: point %d = %v is not above point %d", name, i, p, i-1)
			}
			if got, ok := g.Index(p); got != i || !ok || !g.Contains(p) {
				t.Errorf("%s: Index(Point(%d)) = %d, %v", name, i, got, ok)
			}
			for _, q := range []float64{math.Nextafter(p, math.Inf(-1)), math.Nextafter(p, math.Inf(1))} {
				if g.Contains(q) {
					t.Errorf("%s: the neighbour %v of point %d counts as a point", name, q, i)
				}
			}
			// Lo + i*Delta in rational arithmetic, up to two roundings.
			exact := new(big.Rat).Mul(rat(g.Delta), new(big.Rat).SetInt64(int64(i)))
			exact.Add(exact, rat(g.origin()))
			diff, _ := new(big.Rat).Sub(exact, rat(p)).Float64()
			if scale := math.Abs(g.origin()) + float64(max(i, -i))*g.Delta; math.Abs(diff) > 4*0x1p-53*scale {
				t.Errorf("%s: point %d = %v is off by %v", name, i, p, diff)
			}
		}
		if g.Bounded() && (g.Point(0) != g.Lo || g.Point(g.Len()-1) != g.Hi) {
			t.Errorf("%s: the corners are not grid points", name)
		}
	}
}

// Q_d against the definition in rational arithmetic: the nearer neighbour, a tie
// away from zero, and the tie 0 up.
func TestNearestIsExact(t *testing.T) {
	for name, g := range testGrids(t) {
		examined(g, func(w float64) {
			low, high := neighbours(g, w)
			down, up := new(big.Rat).Sub(rat(w), rat(low)), new(big.Rat).Sub(rat(high), rat(w))
			want := high
			if c := down.Cmp(up); c < 0 || c == 0 && w < 0 {
				want = low
			}
			if got := g.Nearest(w); got != want {
				t.Errorf("%s: Nearest(%v) = %v, want %v between %v and %v", name, w, got, want, low, high)
			}
		})
	}
}

// A step so small that its reciprocal overflows is a step like any other.
func TestNearestOnSubnormalGrid(t *testing.T) {
	const delta = 0x1p-1050
	for _, g := range []Grid{mustGrid(t, delta, -4*delta, 4*delta), {delta, math.Inf(-1), math.Inf(1)}} {
		for i := -4.0; i <= 4; i++ {
			w := i * delta
			if got := g.Nearest(w + math.Copysign(delta/8, -w)); got != w {
				t.Errorf("%v: Q_d next to %g = %g", g, w, got)
			}
		}
	}
}

// Equation (3) itself, sign(w) Delta floor(|w|/Delta + 1/2), in rational arithmetic.
func TestNearestIsEquation3(t *testing.T) {
	for _, delta := range []float64{1, 0.5, 0x1p-20, 64} {
		g, err := Unbounded(delta)
		if err != nil {
			t.Fatal(err)
		}
		equation3 := func(w float64) float64 {
			x := new(big.Rat).Quo(new(big.Rat).Abs(rat(w)), rat(delta))
			x.Add(x, big.NewRat(1, 2))
			k := new(big.Int).Quo(x.Num(), x.Denom())
			v, _ := new(big.Rat).Mul(new(big.Rat).SetInt(k), rat(delta)).Float64()
			return math.Copysign(v, w)
		}
		examined(g, func(w float64) {
			if got, want := g.Nearest(w), equation3(w); got != want {
				t.Errorf("Delta %v: Q_d(%v) = %v, want %v", delta, w, got, want)
			}
		})
	}
	b := Binary()
	for w, want := range map[float64]float64{0: 1, math.Copysign(0, -1): 1, 5e-324: 1, -5e-324: -1, 0.3: 1, -7: -1, math.Inf(1): 1, math.Inf(-1): -1} {
		if got := b.Nearest(w); got != want {
			t.Errorf("binary Q_d(%v) = %v, want sign(w) = %v", w, got, want)
		}
	}
}

// lawError compares a law of Q_s, high with probability p and low otherwise, with
// the exact one and says what is wrong.
func lawError(g Grid, w float64, law func(w float64) (low, p float64)) error {
	low, high := neighbours(g, w)
	gotLow, p := law(w)
	if gotLow != low {
		return fmt.Errorf("Q_s(%v): low = %v, want %v", w, gotLow, low)
	}
	if !(p >= 0 && p < 1) {
		return fmt.Errorf("Q_s(%v): p = %v is not in [0, 1)", w, p)
	}
	if (p == 0) != (w == low) && (w-low)/(high-low) != 0 { // the quotient may underflow
		return fmt.Errorf("Q_s(%v): p = %v at distance %v from %v", w, p, w-low, low)
	}
	if low == high {
		return nil
	}
	// E[Q_s(w)] = low + p (high - low) = w: exactly where the step is a power of two
	// and the quotient representable, else up to the rounding of p.
	mean := new(big.Rat).Mul(rat(p), new(big.Rat).Sub(rat(high), rat(low)))
	mean.Add(mean, rat(low))
	bias, _ := mean.Sub(mean, rat(w)).Float64()
	tolerance := 3 * 0x1p-53 * (w - low) // difference, quotient and high - low
	if distance := new(big.Rat).Sub(rat(w), rat(low)); dyadic(high-low) && distance.Cmp(rat(w-low)) == 0 {
		tolerance = 0 // w - low is a float64, and dividing by Delta only changes its exponent
	}
	if (w-low)/(high-low) < 0x1p-1022 { // a subnormal quotient
		tolerance += math.SmallestNonzeroFloat64 * (high - low)
	}
	if math.Abs(bias) > tolerance {
		return fmt.Errorf("E[Q_s(%v)] - w = %v with p = %v, want at most %v", w, bias, p, tolerance)
	}
	return nil
}

func TestStochasticIsUnbiased(t *testing.T) {
	for name, g := range testGrids(t) {
		examined(g, func(w float64) {
			if err := lawError(g, w, g.UpProbability); err != nil {
				t.Errorf("%s: %v", name, err)
			}
		})
	}
}

// The check above must be able to fail.
func TestPlantedRoundingDefectsAreSeen(t *testing.T) {
	g := mustGrid(t, 0.25, -2, 2)
	defects := map[string]func(w float64) (low, p float64){
		"truncation":        func(w float64) (float64, float64) { low, _ := g.UpProbability(w); return low, 0 },
		"biased coin":       func(w float64) (float64, float64) { low, p := g.UpProbability(w); return low, p * 0.999999 },
		"fair coin":         func(w float64) (float64, float64) { low, _ := g.UpProbability(w); return low, 0.5 },
		"down instead":      func(w float64) (float64, float64) { low, p := g.UpProbability(w); return low, 1 - p },
		"nearest as random": func(w float64) (float64, float64) { return g.Nearest(w), 0 },
		"one ulp":           func(w float64) (float64, float64) { low, p := g.UpProbability(w); return low, math.Nextafter(p, 1) },
		"next cell":         func(w float64) (float64, float64) { low, p := g.UpProbability(w); return low + g.Delta, p },
	}
	for name, law := range defects {
		seen := false
		examined(g, func(w float64) { seen = seen || lawError(g, w, law) != nil })
		if !seen {
			t.Errorf("%s passes as stochastic rounding", name)
		}
	}
}

// Stochastic goes up exactly for u < p: at u = p it stays, so a grid point (p = 0)
// never moves. The paper's "p <= w/Delta - floor(w/Delta)" in (5) moves it at u = 0.
func TestStochasticComparesStrictly(t *testing.T) {
	for name, g := range testGrids(t) {
		examined(g, func(w float64) {
			low, p := g.UpProbability(w)
			if got := g.Stochastic(w, p); got != low {
				t.Errorf("%s: Q_s(%v) at u = p is %v, want %v", name, w, got, low)
			}
			if got := g.Stochastic(w, math.Nextafter(1, 0)); p < math.Nextafter(1, 0) && got != low {
				t.Errorf("%s: Q_s(%v) at u close to 1 is %v, want %v", name, w, got, low)
			}
			if p > 0 {
				_, high := neighbours(g, w)
				if got := g.Stochastic(w, math.Nextafter(p, 0)); got != high {
					t.Errorf("%s: Q_s(%v) just below p is %v, want %v", name, w, got, high)
				}
			}
		})
	}
}

// outcome is a law on grid points.
type outcome map[float64]float64

func law(low, high, p float64) outcome {
	o := outcome{low: 1 - p}
	if p > 0 {
		o[high] += p
	}
	return o
}

func same(a, b outcome) bool {
	for x, p := range a {
		if q, ok := b[x]; p != 0 && (!ok || p != q) {
			return false
		}
	}
	return len(a) == len(b)
}

// Move(w, step) and Stochastic(w + step) have the same law wherever w + step is
// exact: dyadic grids and steps.
func TestMoveIsStochasticRounding(t *testing.T) {
	for _, g := range []Grid{Binary(), mustGrid(t, 0.25, -2, 2), mustGrid(t, 8, -16, 24)} {
		for i := range g.Len() {
			w := g.Point(i)
			for k := -70; k <= 70; k++ {
				step := g.Delta * float64(k) / 16
				near, far, p := g.Move(w, step)
				low, q := g.UpProbability(w + step)
				if got, want := law(near, far, p), law(low, low+g.Delta, q); !same(got, want) {
					t.Errorf("Move(%v, %v) has law %v, Q_s(%v) %v", w, step, got, w+step, want)
				}
			}
		}
	}
}

// The point of Move: the probability keeps its relative accuracy however small
// the step, where w + step == w.
func TestMoveIsExactForTinySteps(t *testing.T) {
	g := mustGrid(t, 0.25, -2, 2)
	for _, step := range []float64{1e-17, 1e-30, 1e-300, -1e-17, -1e-300, 5e-324} {
		near, far, p := g.Move(1, step)
		if near != 1 || far != 1+math.Copysign(0.25, step) || p != math.Abs(step)/0.25 {
			t.Errorf("Move(1, %v) = %v, %v, %v", step, near, far, p)
		}
	}
	if _, p := g.UpProbability(1 + 1e-17); p != 0 {
		t.Errorf("1 + 1e-17 is not 1: this test compares nothing")
	}
	for _, w := range []float64{-2, 2} { // outward moves do not exist
		near, far, p := g.Move(w, math.Copysign(0.1, w))
		if near != w || far != w || p != 0 {
			t.Errorf("Move(%v, outward) = %v, %v, %v", w, near, far, p)
		}
	}
}

// Any step, any grid: the mean of the move is the step cut at the box, up to the
// rounding of the grid points themselves.
func TestMoveIsUnbiased(t *testing.T) {
	tp := gopter.DefaultTestParametersWithSeed(seed)
	tp.MinSuccessfulTests = 2000
	ps := gopter.NewProperties(tp)
	ps.Property("E[Move(w, step)] = P(w + step)", prop.ForAll(
		func(cells, at int, deltaExp, stepExp float64, up bool) bool {
			delta := math.Pow(10, deltaExp)
			g := mustGrid(t, delta, -3*delta, float64(cells)*delta)
			w := g.Point(at % g.Len())
			step := delta * math.Pow(10, stepExp)
			if !up {
				step = -step
			}
			near, far, p := g.Move(w, step)
			mean := near + p*(far-near)
			return math.Abs(mean-g.Project(w+step)) <= 1e-13*delta*float64(cells+3) && g.Contains(near) && g.Contains(far) && p >= 0 && p < 1
		}, gen.IntRange(1, 40), gen.IntRange(0, 43), gen.Float64Range(-12, 12), gen.Float64Range(-18, 2), gen.Bool()))
	ps.TestingRun(t)
}

func TestProjectionAndBox(t *testing.T) {
	g := mustGrid(t, 0.1, -2, 2)
	for w, want := range map[float64]float64{-5: -2, 5: 2, 0.03: 0.03, math.Inf(1): 2, math.Inf(-1): -2, -2: -2, 2: 2} {
		if got := g.Project(w); got != want {
			t.Errorf("Project(%v) = %v, want %v", w, got, want)
		}
		if n := g.Nearest(w); !g.Contains(n) {
			t.Errorf("Nearest(%v) = %v is no grid point", w, n)
		}
		for _, u := range []float64{0, 0.5, math.Nextafter(1, 0)} {
			if s := g.Stochastic(w, u); !g.Contains(s) {
				t.Errorf("Stochastic(%v, %v) = %v is no grid point", w, u, s)
			}
		}
	}
}

// Whether a value is clipped before it is rounded (here) or after (Section 4) makes no
// difference when the corners of the box are grid points.
func TestClippingAndRoundingCommute(t *testing.T) {
	box, free := mustGrid(t, 0.25, -2, 2), Grid{Delta: 0.25, Lo: math.Inf(-1), Hi: math.Inf(1)}
	for k := -300; k <= 300; k++ {
		w := float64(k) / 64
		if a, b := box.Nearest(w), box.Project(free.Nearest(w)); a != b {
			t.Errorf("Q_d(P(%v)) = %v, P(Q_d(%v)) = %v", w, a, w, b)
		}
		for u := 0.0; u < 1; u += 0.0625 {
			if a, b := box.Stochastic(w, u), box.Project(free.Stochastic(w, u)); a != b {
				t.Errorf("u = %v: Q_s(P(%v)) = %v, P(Q_s(%v)) = %v", u, w, a, w, b)
			}
		}
	}
}

func wantPanic(t *testing.T, what, message string, f func()) {
	t.Helper()
	defer func() {
		if r := recover(); r == nil || !strings.Contains(fmt.Sprint(r), message) {
			t.Errorf("%s: panic %v, want one with %q", what, r, message)
		}
	}()
	f()
}

func TestWhatCannotBeRoundedIsRefused(t *testing.T) {
	box, free := mustGrid(t, 0.5, -1, 1), Grid{Delta: 0.5, Lo: math.Inf(-1), Hi: math.Inf(1)}
	nan, inf := math.NaN(), math.Inf(1)
	for _, g := range []Grid{box, free, Binary()} {
		wantPanic(t, "Nearest(NaN)", "NaN", func() { g.Nearest(nan) })
		wantPanic(t, "Stochastic(NaN)", "NaN", func() { g.Stochastic(nan, 0.5) })
		wantPanic(t, "UpProbability(NaN)", "NaN", func() { g.UpProbability(nan) })
		wantPanic(t, "Move(NaN, 0)", "Move", func() { g.Move(nan, 0) })
		wantPanic(t, "Move(1, NaN)", "Move", func() { g.Move(1, nan) })
	}
	for _, w := range []float64{inf, -inf, 0x1p53, -0x1p53, 1e300} {
		wantPanic(t, fmt.Sprintf("Nearest(%v)", w), "too large", func() { free.Nearest(w) })
		wantPanic(t, fmt.Sprintf("Stochastic(%v)", w), "too large", func() { free.Stochastic(w, 0.5) })
		wantPanic(t, fmt.Sprintf("Move(0, %v)", w), "too large", func() { free.Move(0, w) })
	}
	wantPanic(t, "Move from outside", "in the box", func() { box.Move(1.5, 0) })
	wantPanic(t, "Point(-1)", "Point(-1)", func() { box.Point(-1) })
	wantPanic(t, "Point(5)", "5 points", func() { box.Point(5) })
	if w := free.Nearest(0x1p50); w != 0x1p50 { // still within 2^52 steps
		t.Errorf("Nearest(2^50) = %v", w)
	}

	for _, tt := range []struct {
		delta, lo, hi float64
		want          string
	}{
		{0, -1, 1, "Delta"}, {-1, -1, 1, "Delta"}, {nan, -1, 1, "Delta"}, {inf, -1, 1, "Delta"},
		{0.5, 1, -1, "lo < hi"}, {0.5, 1, 1, "lo < hi"}, {0.5, nan, 1, "lo < hi"}, {0.5, -1, inf, "finite"}, {0.5, -inf, 1, "finite"},
		{0.3, -1, 1, "whole number"}, {3, -1, 1, "whole number"}, {1, 1, 1 + 0x1p-52, "whole number"},
		{1e-17, -1, 1, "2^52"}, {0x1p-40, 0x1p20, 0x1p20 + 1, "2^52"},
	} {
		if g, err := NewGrid(tt.delta, tt.lo, tt.hi); err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("NewGrid(%v, %v, %v) = %v, %v; want an error with %q", tt.delta, tt.lo, tt.hi, g, err, tt.want)
		}
	}
	for _, delta := range []float64{0, -1, nan, inf} {
		if _, err := Unbounded(delta); err == nil {
			t.Errorf("Unbounded(%v) is accepted", delta)
		}
	}
}

// ErrorSecondMoment is the variance of the law of Move.
func TestErrorSecondMomentIsTheVarianceOfMove(t *testing.T) {
	g := mustGrid(t, 0.25, -2, 2)
	for i := range g.Len() {
		for k := -40; k <= 40; k++ {
			w, step := g.Point(i), float64(k)/64
			near, far, p := g.Move(w, step)
			mean := near + p*(far-near)
			want := (1-p)*(near-mean)*(near-mean) + p*(far-mean)*(far-mean)
			if got := g.ErrorSecondMoment(w, step); got != want {
				t.Errorf("E|r|^2 at %v, step %v: %v, want %v", w, step, got, want)
			}
		}
	}
}
