package evidence

import (
	"fmt"
	"math"
	"os"
	"strconv"
	"testing"

	"gonum.org/v1/gonum/stat/distuv"

	"tqn/quantize"
)

// seed is the seed of the sampled tests: 1, or TQN_SEED.
func seed(t *testing.T) uint64 {
	text := os.Getenv("TQN_SEED")
	if text == "" {
		return 1
	}
	s, err := strconv.ParseUint(text, 10, 64)
	if err != nil {
		t.Fatalf("TQN_SEED=%q: want a whole number", text)
	}
	return s
}

func sequences(alpha float64) map[string]func() Sequence {
	return map[string]func() Sequence{
		"Bernstein": func() Sequence { return NewBernstein(Support{0, 1}, alpha) },
		"Betting":   func() Sequence { return NewBetting(Support{0, 1}, alpha) },
	}
}

// The laws are extreme on purpose: rare events, point masses at the ends.
var laws = []struct {
	name string
	mean float64
	draw func(u float64) float64
	coin bool
}{
	{"fair coin", 0.5, func(u float64) float64 { return step(u < 0.5) }, true},
	{"one in a hundred", 0.01, func(u float64) float64 { return step(u < 0.01) }, true},
	{"one in ten thousand", 1e-4, func(u float64) float64 { return step(u < 1e-4) }, true},
	{"all but one in fifty", 0.98, func(u float64) float64 { return step(u >= 0.02) }, true},
	{"uniform", 0.5, func(u float64) float64 { return u }, false},
	{"always 0", 0, func(float64) float64 { return 0 }, true},
	{"always 1", 1, func(float64) float64 { return 1 }, true},
	{"always 0.3", 0.3, func(float64) float64 { return 0.3 }, false},
	{"u^8", 1. / 9, func(u float64) float64 { return math.Pow(u, 8) }, false},
}

func step(b bool) float64 {
	if b {
		return 1
	}
	return 0
}

// misses counts how many of runs sequences ever exclude the mean. Looking after
// every value is dear for Betting, so all sequences are looked at after each of
// the first ten values and then at every 30th.
func misses(t *testing.T, runs, n int, mean float64, stream uint32, draw func(float64) float64, fresh func() Sequence) int {
	noise := quantize.NewNoise(seed(t))
	count := 0
	for run := range runs {
		s := fresh()
		d := noise.At(stream, uint64(run))
		for i := range n {
			s.Add(draw(d.Uniform(i)))
			if i < 10 || i%30 == 29 {
				if r := s.Result(); r.Lower > mean+1e-12 || r.Upper < mean-1e-12 {
					count++
					break
				}
			}
		}
	}
	return count
}

// tolerated is the smallest count k with P(Binomial(runs, alpha) > k) < 1e-9:
// a correct sequence exceeds it in one test of 1e9.
func tolerated(runs int, alpha float64) int {
	b := distuv.Binomial{N: float64(runs), P: alpha}
	k := int(alpha * float64(runs))
	for 1-b.CDF(float64(k)) > 1e-9 {
		k++
	}
	return k
}

func TestConfidenceSequencesCoverTheMeanAtAllTimes(t *testing.T) {
	if testing.Short() {
		t.Skip("many sequences: seconds, and minutes under the race detector, for code without goroutines")
	}
	const runs, n, alpha = 200, 300, 0.1
	limit := tolerated(runs, alpha)
	for i, law := range laws {
		for name, fresh := range sequences(alpha) {
			if got := misses(t, runs, n, law.mean, uint32(i), law.draw, fresh); got > limit {
				t.Errorf("%s, %s: %d of %d sequences missed the mean %v at some time; at most %d are tolerated", name, law.name, got, runs, law.mean, limit)
			}
		}
		if law.coin {
			fresh := func() Sequence { return NewProportion(alpha) }
			if got := misses(t, runs, n, law.mean, uint32(i), law.draw, fresh); got > limit {
				t.Errorf("Proportion, %s: %d of %d missed", law.name, got, runs)
			}
		}
	}
}

// fixedTime is the planted defect: the interval of the central limit theorem,
// valid at one n only, looked at again and again.
type fixedTime struct{ n, sum, sumsq float64 }

func (f *fixedTime) Add(x float64) { f.n++; f.sum += x; f.sumsq += x * x }
func (f *fixedTime) Result() Result {
	mean := f.sum / f.n
	radius := 1.645 * math.Sqrt(max(f.sumsq/f.n-mean*mean, 0)/f.n)
	return Result{Lower: mean - radius, Upper: mean + radius}
}

// greedy is a second planted defect: betting intervals at ten times their alpha.
type greedy struct{ *Betting }

func TestTooNarrowIntervalsAreCaught(t *testing.T) {
	const runs, n, alpha = 200, 300, 0.1
	limit := tolerated(runs, alpha)
	if got := misses(t, runs, n, 0.5, 100, laws[0].draw, func() Sequence { return &fixedTime{} }); got <= limit {
		t.Errorf("the fixed-time interval missed only %d of %d times: the coverage test has no power", got, runs)
	}
	narrow := func() Sequence { return greedy{NewBetting(Support{0, 1}, 10*alpha*0.9)} }
	if got := misses(t, runs, n, 0.5, 101, laws[0].draw, narrow); got <= limit {
		t.Errorf("betting at nine times alpha missed only %d of %d times: the coverage test has no power", got, runs)
	}
}

// The reference values were computed with NumPy straight from equation (15) and
// Theorems 2 and 3 of Waudby-Smith and Ramdas (2024): intersections over
// all n for Bernstein, the n-th set on a mesh of 5e-6 for Betting.
func TestReferenceValues(t *testing.T) {
	series := map[int]func(i int) float64{
		50:   func(i int) float64 { return float64(i*7%10) / 9 },
		200:  func(i int) float64 { return float64(i*i%11) / 10 * 0.2 },
		1000: func(i int) float64 { return step(i%100 == 0) },
	}
	for _, c := range []struct {
		n         int
		alpha     float64
		bernstein [2]float64
		betting   [2]float64
	}{
		{50, 0.05, [2]float64{0.30924442240751515, 0.6896860674079175}, [2]float64{0.36619, 0.62546}},
		{50, 1e-6, [2]float64{0, 1}, [2]float64{0.235655, 0.75948}},
		{200, 0.05, [2]float64{0.040963624040406627, 0.11807873201214708}, [2]float64{0.06464, 0.113215}},
		{200, 1e-6, [2]float64{0, 0.2262765148562499}, [2]float64{0.051555, 0.200545}},
		{1000, 0.05, [2]float64{0, 0.02263583718299244}, [2]float64{0.004005, 0.022295}},
		{1000, 1e-6, [2]float64{0, 0.04311922582883326}, [2]float64{0, 0.041945}},
	} {
		b, k := NewBernstein(Support{0, 1}, c.alpha), NewBetting(Support{0, 1}, c.alpha)
		for i := range c.n {
			x := series[c.n](i)
			b.Add(x)
			k.Add(x)
		}
		check := func(name string, r Result, want [2]float64, tol float64) {
			if math.Abs(r.Lower-want[0]) > tol || math.Abs(r.Upper-want[1]) > tol {
				t.Errorf("%s, n=%d, alpha=%g: [%.9f, %.9f], want %v", name, c.n, c.alpha, r.Lower, r.Upper, want)
			}
		}
		check("Bernstein", b.Result(), c.bernstein, 1e-12)
		check("Betting", k.Result(), c.betting, 1.1e-5)
	}
}

// With no success in n trials the mixture gives (1-p)^n = alpha/(n+1) at its end.
func TestProportionClosedForm(t *testing.T) {
	for _, n := range []int{1, 10, 1000} {
		p, q := NewProportion(0.01), NewProportion(0.01)
		for range n {
			p.Add(0)
			q.Add(1)
		}
		want := 1 - math.Pow(0.01/float64(n+1), 1/float64(n))
		if got := p.Result(); math.Abs(got.Upper-want) > 1e-9 || got.Lower != 0 {
			t.Errorf("n=%d: [%v, %v], want [0, %v]", n, got.Lower, got.Upper, want)
		}
		if got := q.Result(); math.Abs(got.Lower-(1-want)) > 1e-9 || got.Upper != 1 {
			t.Errorf("n=%d: [%v, %v], want [%v, 1]", n, got.Lower, got.Upper, 1-want)
		}
	}
}

// Raising every value can only raise a betting interval; reflecting the values
// reflects it; a wider support and a smaller alpha widen it.
func TestIntervalsFollowTheData(t *testing.T) {
	noise := quantize.NewNoise(seed(t)).At(7, 0)
	run := func(s Sequence, f func(x float64) float64) Result {
		for i := range 400 {
			s.Add(f(noise.Uniform(i)))
		}
		return s.Result()
	}
	for name, fresh := range sequences(0.05) {
		low := run(fresh(), func(x float64) float64 { return x / 2 })
		high := run(fresh(), func(x float64) float64 { return x/2 + 0.4 })
		if !(low.Lower <= high.Lower && low.Upper <= high.Upper && low.Estimate < high.Estimate) {
			t.Errorf("%s: raising the data by 0.4 moved [%v, %v] to [%v, %v]", name, low.Lower, low.Upper, high.Lower, high.Upper)
		}
		mirror := run(fresh(), func(x float64) float64 { return 1 - x/2 })
		if math.Abs(mirror.Lower-(1-low.Upper)) > 1e-9 || math.Abs(mirror.Upper-(1-low.Lower)) > 1e-9 {
			t.Errorf("%s: [%v, %v] reflected is [%v, %v]", name, low.Lower, low.Upper, mirror.Lower, mirror.Upper)
		}
	}
	id := func(x float64) float64 { return x }
	width := func(s Sequence) float64 { r := run(s, id); return r.Upper - r.Lower }
	if a, b := width(NewBetting(Support{0, 1}, 0.05)), width(NewBetting(Support{0, 1}, 1e-9)); a >= b {
		t.Errorf("alpha 0.05 gives width %v, 1e-9 gives %v", a, b)
	}
	if a, b := width(NewBetting(Support{0, 1}, 0.05)), width(NewBetting(Support{-5, 5}, 0.05)); a >= b {
		t.Errorf("support [0,1] gives width %v, [-5,5] gives %v", a, b)
	}
	if bet, bern := width(NewBetting(Support{0, 1}, 1e-6)), width(NewBernstein(Support{0, 1}, 1e-6)); bet >= bern {
		t.Errorf("betting, width %v, is not tighter than Bernstein, width %v", bet, bern)
	}
}

// The interval of a constant near the end of the support shrinks like 1/n, not
// like 1/sqrt(n): the bets adapt to the variance.
func TestIntervalsShrink(t *testing.T) {
	s := NewBetting(Support{0, 1}, 1e-9)
	for range 20000 {
		s.Add(0.001)
	}
	if r := s.Result(); r.Upper > 0.004 || r.Lower < 0.0005 {
		t.Errorf("after 20000 values 0.001: [%v, %v]", r.Lower, r.Upper)
	}
}

func TestVerdictHasThreeValues(t *testing.T) {
	for _, c := range []struct {
		r     Result
		bound float64
		want  Verdict
	}{
		{Result{Method: SampledMethod, Lower: 1, Upper: 2}, 2, Holds},
		{Result{Method: SampledMethod, Lower: 1, Upper: 2}, 1.5, Undecided},
		{Result{Method: SampledMethod, Lower: 1, Upper: 2}, 1, Undecided},
		{Result{Method: SampledMethod, Lower: 1, Upper: 2}, 0.5, Violated},
		{Result{Method: SampledMethod, Lower: 1, Upper: 1 + 1e-12}, 1, Undecided}, // sampled: never called equal
		{Exact(1, 0), 1, Holds},
		{Exact(1, 1e-15), 1, Holds}, // equal up to rounding
		{Exact(1, 1e-3), 1, Undecided},
		{Exact(1+1e-12, 1e-15), 1, Violated},
		{Exact(1, 0), math.NaN(), Undecided},
		{Exact(1, 0), math.Inf(1), Holds},
	} {
		if got := c.r.AtMost(c.bound); got != c.want {
			t.Errorf("[%v, %v] (%s) at most %v: %v, want %v", c.r.Lower, c.r.Upper, c.r.Method, c.bound, got, c.want)
		}
	}
	if (Verdict(0)) != Undecided {
		t.Error("the zero verdict must decide nothing")
	}
}

func TestBudgetNeverOverspends(t *testing.T) {
	b := NewBudget(FalseAlarm, 40)
	total := 0.0
	for range 40 {
		total += b.Spend()
	}
	if total > FalseAlarm*(1+1e-12) || b.Spent() > FalseAlarm*(1+1e-12) {
		t.Errorf("40 claims spent %v of %v", total, FalseAlarm)
	}
	mustPanic(t, "the 41st claim", func() { b.Spend() })
}

func TestProgrammerErrorsPanic(t *testing.T) {
	mustPanic(t, "empty support", func() { NewBetting(Support{1, 1}, 0.1) })
	mustPanic(t, "infinite support", func() { NewBernstein(Support{0, math.Inf(1)}, 0.1) })
	mustPanic(t, "alpha 0", func() { NewBetting(Support{0, 1}, 0) })
	mustPanic(t, "value outside", func() { NewBetting(Support{0, 1}, 0.1).Add(1.01) })
	mustPanic(t, "NaN", func() { NewBernstein(Support{0, 1}, 0.1).Add(math.NaN()) })
	mustPanic(t, "half a success", func() { NewProportion(0.1).Add(0.5) })
	mustPanic(t, "NaN exact", func() { Exact(math.NaN(), 0) })
	mustPanic(t, "a rounding error below 0", func() { Exact(1, -1e-300) })
	mustPanic(t, "a rounding error of NaN", func() { Exact(1, math.NaN()) })
	mustPanic(t, "support from -Inf", func() { NewBernstein(Support{math.Inf(-1), 0}, 0.1) })
	mustPanic(t, "no claims", func() { NewBudget(1e-6, 0) })
	for _, total := range []float64{0, 1, math.NaN()} {
		mustPanic(t, "an error budget outside (0, 1)", func() { NewBudget(total, 1) })
	}
	for _, c := range [][2]int{{-1, 3}, {4, 3}, {0, 0}} {
		mustPanic(t, "successes that are no part of the trials", func() { ClopperPearson(c[0], c[1], 0.1) })
	}
	for _, wrong := range [][2]float64{{-1, 1}, {1, -1}, {11, 1}, {1, 11}, {math.NaN(), 1}} {
		mustPanic(t, "more or fewer wrong images than there are", func() { ErrorDifference(wrong[0], wrong[1], 10, 0.1) })
	}
	for _, mean := range [][2]float64{{-0.1, 5}, {1.1, 5}, {0.5, 0}, {math.NaN(), 5}} {
		mustPanic(t, "no average of values in [0, 1]", func() { Mean(mean[0], mean[1], 0.1) })
	}
}

func mustPanic(t *testing.T, what string, f func()) {
	t.Helper()
	defer func() {
		if recover() == nil {
			t.Errorf("%s did not panic", what)
		}
	}()
	f()
}

// A law that changes midway has no single mean; the sequence must say so and
// decide nothing.
func TestChangingLawIsReported(t *testing.T) {
	if testing.Short() {
		t.Skip("many sequences: seconds, and minutes under the race detector, for code without goroutines")
	}
	s := NewBetting(Support{0, 1}, 0.01)
	for i := range 4000 {
		s.Add(step(i >= 1000))
		s.Result()
	}
	r := s.Result()
	if len(r.Warnings) == 0 || r.AtMost(0.01) != Undecided || r.Confidence != 0 {
		t.Errorf("values 0 and then 1: %+v", r)
	}
}

func ExampleBetting() {
	// Is the mean of these values at most 1/2? One wrong answer in a million.
	s := NewBetting(Support{0, 1}, 1e-6)
	for i := range 500 {
		s.Add(float64(i%10) / 20)
	}
	r := s.Result()
	fmt.Printf("%v: %.3f in [%.3f, %.3f] after %d values\n", r.AtMost(0.5), r.Estimate, r.Lower, r.Upper, r.Samples)
	// Output: holds: 0.225 in [0.185, 0.275] after 500 values
}

func BenchmarkBernstein(b *testing.B) {
	s := NewBernstein(Support{0, 1}, 1e-6)
	b.ReportAllocs()
	for b.Loop() {
		s.Add(0.25)
	}
}

func BenchmarkBettingResult(b *testing.B) {
	s := NewBetting(Support{0, 1}, 1e-6)
	for i := range 10000 {
		s.Add(float64(i%7) / 10)
	}
	for b.Loop() {
		s.seen, s.lower, s.upper = 0, 0, 1
		s.Result()
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/10000, "ns/value")
}

func TestRecordsThatContradictTheirExpectation(t *testing.T) {
	low, wide, high := Exact(1, 0), Result{Method: SampledMethod, Estimate: 2, Lower: 1, Upper: 3}, Exact(3, 0)
	for _, c := range []struct {
		r        Result
		expected Verdict
		want     bool
	}{
		{low, Holds, true}, {wide, Holds, true}, {high, Holds, false},
		{low, Violated, false}, {wide, Violated, false}, {high, Violated, true},
	} {
		if got := NewRecord(c.r, 2, c.expected).AsExpected(); got != c.want {
			t.Errorf("[%v, %v] at most 2, expected %v: as expected = %v, want %v", c.r.Lower, c.r.Upper, c.expected, got, c.want)
		}
	}
}
