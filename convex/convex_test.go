package convex

import (
	"context"
	"encoding/json"
	"math"
	"os"
	"strconv"
	"strings"
	"testing"

	"tqn/evidence"
	"tqn/quantize"
)

// seed is the seed of everything random in these tests: 1, or TQN_SEED.
func seed(t testing.TB) uint64 {
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

// data returns m rows of d numbers in [-1, 1] and targets near a linear function.
func data(t testing.TB, stream uint32, m, d int) (a [][]float64, b []float64) {
	draw := quantize.NewNoise(seed(t)).At(stream, 0)
	for i := range m {
		row := make([]float64, d)
		target := 0.2 * (2*draw.Uniform(i*(d+1)) - 1)
		for k := range row {
			row[k] = 2*draw.Uniform(i*(d+1)+k+1) - 1
			target += row[k] * (0.3 - 0.2*float64(k))
		}
		a, b = append(a, row), append(b, target)
	}
	return a, b
}

func leastSquares(t testing.TB, m, d int) *LeastSquares {
	a, b := data(t, 11, m, d)
	p, err := NewLeastSquares("least squares", a, b, 0.05, -1, 1)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func logistic(t testing.TB, m, d int) *Logistic {
	a, b := data(t, 12, m, d)
	for i := range b {
		b[i] = math.Copysign(1, b[i])
	}
	p, err := NewLogistic("logistic", a, b, 0.1, -2, 2)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func problems(t testing.TB) []Problem {
	return []Problem{
		leastSquares(t, 8, 3), leastSquares(t, 30, 14), logistic(t, 10, 2), logistic(t, 30, 5),
		NewQuadratic(-1, 1, []float64{1, 0.5, 2}, []float64{0.3, -0.2, 1.5}, 0.3),
		NewHuber(-1, 1, 0.7, 0.05, 0, []float64{0.3, -0.2}, 0.3),
		NewHuber(-1, 1, 0.7, 0.05, 0.2, []float64{0.3}, 0),
		NewHalfCubic(0, 1000, 1, 0.1, []float64{500}, 0),
		NewHalfCubic(-1, 1, 1, 2, []float64{0.1, 0.2}, 0.1),
	}
}

func instance(t testing.TB, p Problem, delta float64, s Schedule, T int) Instance {
	t.Helper()
	in, err := NewInstance(p, delta, nil, s, T)
	if err != nil {
		t.Fatal(err)
	}
	return in
}

func TestStatedConstantsSurviveProbing(t *testing.T) {
	for _, p := range problems(t) {
		if err := Probe(p, seed(t), 2000); err != nil {
			t.Error(err)
		}
	}
}

// wrong is a problem with one planted defect.
type wrong struct {
	Problem
	constants Constants
	minimiser []float64
	bend      float64 // added to the gradient's first coordinate
}

func (w wrong) Constants() Constants { return w.constants }
func (w wrong) Minimiser() []float64 { return w.minimiser }
func (w wrong) Gradient(dst, x []float64) {
	w.Problem.Gradient(dst, x)
	dst[0] += w.bend
}

func TestEveryWrongConstantIsRefusedByName(t *testing.T) {
	for _, p := range []Problem{leastSquares(t, 8, 2), logistic(t, 10, 2), NewHalfCubic(-1, 1, 1, 2, []float64{0.1, 0.2}, 0.1)} {
		for name, spoil := range map[string]func(w *wrong){
			"G =":             func(w *wrong) { w.constants.G *= 0.5 },
			"Mu =":            func(w *wrong) { w.constants.Mu = w.constants.L * 0.99 },
			"L =":             func(w *wrong) { w.constants.L = w.constants.Mu * 1.01 },
			"L2 =":            func(w *wrong) { w.constants.L2 = -1 },
			"Sup =":           func(w *wrong) { w.constants.Sup *= 0.5 },
			"F(w*)":           func(w *wrong) { w.minimiser = []float64{0.9, 0.9} },
			"outside":         func(w *wrong) { w.minimiser = []float64{0, 7} },
			"coordinates":     func(w *wrong) { w.minimiser = []float64{0} },
			"term gradients":  func(w *wrong) { w.bend = 1e-6 },
			"want G, Mu >= 0": func(w *wrong) { w.constants.G = math.NaN() },
		} {
			w := wrong{Problem: p, constants: p.Constants(), minimiser: p.Minimiser()}
			spoil(&w)
			err := Probe(w, seed(t), 2000)
			if err == nil || !strings.Contains(err.Error(), name) {
				t.Errorf("%s with a wrong constant: got %v, want an error that names %q", p.Name(), err, name)
			}
		}
	}
	p := NewHalfCubic(-1, 1, 1, 2, []float64{0.1, 0.2}, 0.1)
	w := wrong{Problem: p, constants: p.Constants(), minimiser: p.Minimiser()}
	w.constants.L2 = 1
	if err := Probe(w, seed(t), 4000); err == nil || !strings.Contains(err.Error(), "L2 = 1") {
		t.Errorf("half the Lipschitz constant of the Hessian: got %v", err)
	}
}

// The minimiser satisfies the optimality conditions of the box to 1e-12 in value:
// by strong convexity, the gap is at most |projected gradient|^2/(2 Mu).
func TestMinimisersAreOptimal(t *testing.T) {
	for _, p := range problems(t) {
		c, w := p.Constants(), p.Minimiser()
		lo, hi := p.Box()
		g := make([]float64, p.Dim())
		p.Gradient(g, w)
		var s float64
		for k := range g {
			if !(w[k] == lo && g[k] >= 0) && !(w[k] == hi && g[k] <= 0) {
				s += g[k] * g[k]
			}
		}
		if mu := max(c.Mu, 1e-3); s/(2*mu) > 1e-12*(c.Sup-p.Value(w)) {
			t.Errorf("%s: projected gradient %g at the minimiser", p.Name(), math.Sqrt(s))
		}
	}
}

func TestBadDataIsRefused(t *testing.T) {
	for want, f := range map[string]func() error{
		"no data": func() error { _, err := NewLeastSquares("x", nil, nil, 0, -1, 1); return err },
		"targets": func() error { _, err := NewLeastSquares("x", [][]float64{{1}}, nil, 0, -1, 1); return err },
		"row 2": func() error {
			_, err := NewLeastSquares("x", [][]float64{{1}, {1, 2}}, []float64{1, 2}, 0, -1, 1)
			return err
		},
		"column 1": func() error {
			_, err := NewLeastSquares("x", [][]float64{{math.NaN()}}, []float64{1}, 0, -1, 1)
			return err
		},
		"dependent": func() error { _, err := NewLeastSquares("x", [][]float64{{1, 1}}, []float64{1}, 0, -1, 1); return err },
		"bounded box": func() error {
			_, err := NewLeastSquares("x", [][]float64{{1}}, []float64{1}, 0, 0, math.Inf(1))
			return err
		},
		"label 1": func() error { _, err := NewLogistic("x", [][]float64{{1}}, []float64{0}, 0.1, -1, 1); return err },
		"corners": func() error { _, err := NewInstance(leastSquares(t, 4, 2), 0.3, nil, Strong(1), 5); return err },
		"mu > 0":  func() error { _, err := NewInstance(leastSquares(t, 4, 2), 0.5, nil, Strong(0), 5); return err },
		"T = 0":   func() error { _, err := NewInstance(leastSquares(t, 4, 2), 0.5, nil, Strong(1), 0); return err },
	} {
		if err := f(); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, want an error with %q", err, want)
		}
	}
}

// dense is P_alpha from quantize.Grid.Move alone, the model that Law.Step has to equal.
func dense(in Instance, alpha float64) [][]float64 {
	p, g := in.Problem, in.Grid
	d, n := p.Dim(), g.Len()
	states := int(math.Pow(float64(n), float64(d)))
	P := make([][]float64, states)
	w, grad := make([]float64, d), make([]float64, d)
	for x := range P {
		P[x] = make([]float64, states)
		for k, r := d-1, x; k >= 0; k, r = k-1, r/n {
			w[k] = g.Point(r % n)
		}
		for i := range p.Terms() {
			p.TermGradient(grad, w, i)
			for corner := range 1 << d {
				prob, y := 1/float64(p.Terms()), 0
				for k := range w {
					near, far, q := g.Move(w[k], -alpha*grad[k])
					if corner>>k&1 == 1 {
						near = far
					} else {
						q = 1 - q
					}
					prob *= q
					j, _ := g.Index(near)
					y = y*n + j
				}
				P[x][y] += prob
			}
		}
	}
	return P
}

func TestExactLawEqualsTheTransitionMatrix(t *testing.T) {
	for _, p := range []Problem{
		NewHuber(-1, 1, 0.7, 0.05, 0.2, []float64{0.3}, 0.4),
		leastSquares(t, 4, 2), logistic(t, 3, 2), leastSquares(t, 5, 3),
	} {
		in := instance(t, p, 0.25, Root(3), 6) // c = 3: steps of many Delta, cut at the box
		l, err := NewLaw(in, false)
		if err != nil {
			t.Fatal(err)
		}
		want := append([]float64(nil), l.Probabilities()...)
		for s := 1; s <= 6; s++ {
			alpha := in.Schedule.Alpha(s)
			P := dense(in, alpha)
			next := make([]float64, len(want))
			for x, v := range want {
				for y, q := range P[x] {
					next[y] += v * q
				}
			}
			want = next
			l.Step(alpha)
			var sum float64
			for y, v := range l.Probabilities() {
				sum += v
				if math.Abs(v-want[y]) > 1e-14 {
					t.Fatalf("%s, step %d, state %d: probability %v, the matrix gives %v", p.Name(), s, y, v, want[y])
				}
			}
			if math.Abs(sum-1) > 1e-13 {
				t.Errorf("%s, step %d: the law sums to %v", p.Name(), s, sum)
			}
		}
	}
}

// Steps far below the last place of w still move the law at the right rate.
func TestExactLawOfTinySteps(t *testing.T) {
	p := NewQuadratic(0, 1, []float64{1}, []float64{1}, 0)
	in := instance(t, p, 1, Root(1e-18), 1)
	l, _ := NewLaw(in, false)
	for range 1000 {
		l.Step(1e-18)
	}
	if got, want := l.Probabilities()[1], 1000e-18; math.Abs(got-want) > 1e-12*want {
		t.Errorf("after 1000 steps of probability 1e-18 the mass moved is %v, want %v", got, want)
	}
}

func ksDistance(t *testing.T, in Instance, runs int) float64 {
	l, err := NewLaw(in, false)
	if err != nil {
		t.Fatal(err)
	}
	for s := 1; s < in.T; s++ {
		l.Step(in.Schedule.Alpha(s))
	}
	freq := make([]float64, l.States())
	r := NewRunner(in, quantize.SR)
	for i := range runs {
		r.run(quantize.NewNoise(seed(t)), uint32(i), func(s int, w, _ []float64) {
			if s == in.T {
				x := 0
				for k := range w {
					j, _ := in.Grid.Index(w[k])
					x += j * l.stride[k]
				}
				freq[x] += 1 / float64(runs)
			}
		}, false)
	}
	var worst, a, b float64
	for x, v := range l.Probabilities() {
		a, b = a+v, b+freq[x]
		worst = max(worst, math.Abs(a-b))
	}
	return worst
}

// The simulation and the exact law are two implementations of one chain. By the
// inequality of Dvoretzky, Kiefer, Wolfowitz and Massart the empirical distribution
// of n runs is within sqrt(log(2/1e-9)/(2n)) of the law in all but one of 1e9 seeds.
func TestSimulationFollowsTheExactLaw(t *testing.T) {
	const runs = 4000
	limit := math.Sqrt(math.Log(2/1e-9) / (2 * runs))
	for _, p := range []Problem{leastSquares(t, 4, 2), NewHuber(-1, 1, 0.7, 0.05, 0, []float64{0.3}, 0.4)} {
		if got := ksDistance(t, instance(t, p, 0.25, Root(0.8), 30), runs); got > limit {
			t.Errorf("%s: %d simulated runs are %v from the exact law, at most %v is tolerated", p.Name(), runs, got, limit)
		}
	}
}

// E F(wbar_T) three ways: moments carried along the law (quadratics), the joint law
// of iterate and sum (one dimension), and all paths enumerated.
func TestAverageIsExact(t *testing.T) {
	for _, noise := range []float64{0, 0.4} {
		p := NewQuadratic(-1, 1, []float64{1.5}, []float64{0.3}, noise)
		for _, T := range []int{1, 2, 5} {
			in := instance(t, p, 0.5, Root(0.7), T)
			tr, err := Follow(in, true)
			if err != nil {
				t.Fatal(err)
			}
			joint, err := AverageLaw(in)
			if err != nil {
				t.Fatal(err)
			}
			want := enumerate(in, 1, in.Start[0], in.Start[0])
			if got := tr.Average[len(tr.Average)-1]; math.Abs(got-want) > 1e-14 || math.Abs(joint-want) > 1e-14 {
				t.Errorf("noise %v, T=%d: moments give %v, the joint law %v, all paths %v", noise, T, got, joint, want)
			}
		}
	}
	// In two dimensions with correlated noise, against the largest T the paths allow.
	p := leastSquares(t, 3, 2)
	in := instance(t, p, 0.5, Root(0.5), 400)
	tr, err := Follow(in, true)
	if err != nil {
		t.Fatal(err)
	}
	r, err := MonteCarlo(context.Background(), in, quantize.SR, quantize.NewNoise(seed(t)), 0, nil, Sampling{Alpha: 1e-9, Max: 4000})
	if err != nil {
		t.Fatal(err)
	}
	if got := tr.Average[len(tr.Average)-1]; got < r.Lower || got > r.Upper {
		t.Errorf("E F(wbar) - F* = %v exactly, sampled in [%v, %v]", got, r.Lower, r.Upper)
	}
}

// enumerate is E F(wbar_T) - F* in one dimension by summing over all paths.
func enumerate(in Instance, s int, w, sum float64) float64 {
	if s == in.T {
		return Gap(in.Problem, []float64{sum / float64(in.T)})
	}
	var e float64
	g := []float64{0}
	m := in.Problem.Terms()
	for i := range m {
		in.Problem.TermGradient(g, []float64{w}, i)
		near, far, p := in.Grid.Move(w, -in.Schedule.Alpha(s)*g[0])
		e += (1 - p) / float64(m) * enumerate(in, s+1, near, sum+near)
		if p > 0 {
			e += p / float64(m) * enumerate(in, s+1, far, sum+far)
		}
	}
	return e
}

func TestSamplingDoesNotDependOnTheWorkers(t *testing.T) {
	in := instance(t, logistic(t, 10, 4), 0.5, Root(1), 40)
	noise := quantize.NewNoise(seed(t))
	one, err := MonteCarlo(context.Background(), in, quantize.BCStochastic, noise, 7, []float64{0.01}, Sampling{Alpha: 1e-6, Max: 1000, Workers: 1})
	if err != nil {
		t.Fatal(err)
	}
	for _, workers := range []int{2, 3, 7} {
		got, err := MonteCarlo(context.Background(), in, quantize.BCStochastic, noise, 7, []float64{0.01}, Sampling{Alpha: 1e-6, Max: 1000, Workers: workers})
		if err != nil || got.Estimate != one.Estimate || got.Lower != one.Lower || got.Upper != one.Upper || got.Samples != one.Samples {
			t.Errorf("%d workers: %+v (%v), one worker: %+v", workers, got, err, one)
		}
	}
}

func TestRunsAllocateNothing(t *testing.T) {
	in := instance(t, logistic(t, 10, 4), 0.5, Root(1), 50)
	for rule := quantize.Float; rule <= quantize.BCStochastic; rule++ {
		r := NewRunner(in, rule)
		if n := testing.AllocsPerRun(10, func() { r.Run(quantize.NewNoise(1), 0, nil) }); n != 0 {
			t.Errorf("a run under %v allocates %v times", rule, n)
		}
	}
	l, _ := NewLaw(instance(t, leastSquares(t, 4, 2), 0.25, Root(1), 5), true)
	if n := testing.AllocsPerRun(10, func() { l.Step(0.1) }); n != 0 {
		t.Errorf("a step of the law allocates %v times", n)
	}
}

func BenchmarkRun(b *testing.B) {
	for _, d := range []int{4, 64} {
		center := make([]float64, d)
		h := make([]float64, d)
		for k := range h {
			center[k], h[k] = 0.3, 1
		}
		in := instance(b, NewQuadratic(-1, 1, h, center, 0.3), 0.25, Root(0.1), 1000)
		for rule := quantize.Float; rule <= quantize.BCStochastic; rule++ {
			b.Run("rule="+rule.String()+"/d="+strconv.Itoa(d), func(b *testing.B) {
				r := NewRunner(in, rule)
				b.ReportAllocs()
				for b.Loop() {
					r.run(quantize.NewNoise(1), 0, nil, false)
				}
				b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/float64(in.T*d), "ns/coordinate-step")
			})
		}
	}
}

// A quotient of differences as small as their rounding errors decides nothing and says why; a clear one is judged, on either side.
func TestQuotient(t *testing.T) {
	for _, tt := range []struct {
		sides Sides
		want  evidence.Verdict
	}{
		{Sides{1, 0.5, 1, 1e-16}, evidence.Holds},
		{Sides{1, 1, 1, 1e-16}, evidence.Holds}, // an equality
		{Sides{1, 1.1, 1, 1e-3}, evidence.Violated},
		{Sides{1, 1e-12, 0.9e-12, 4e-16}, evidence.Violated}, // small, and still clear
		{Sides{1, 1.0001e-12, 1e-12, 4e-16}, evidence.Undecided},
		{Sides{1, 1e-20, 1e-21, 4e-16}, evidence.Undecided},
		{Sides{1, 1e-20, 0, 4e-16}, evidence.Undecided},
		{Sides{1, 0, 0, 4e-16}, evidence.Undecided},
		{Sides{1, -1e-17, -1e-18, 4e-16}, evidence.Undecided},
		{Sides{1, 0, 0, 0}, evidence.Holds},
		{Sides{1, 1, 0, 0}, evidence.Violated},
	} {
		q := tt.sides.Quotient()
		r := evidence.NewRecord(q, 1, evidence.Holds)
		if v := q.AtMost(1); v != tt.want || (v == evidence.Undecided) != (len(r.Warnings) == 1) || !(q.Lower <= q.Estimate && q.Estimate <= q.Upper) {
			t.Errorf("%+v: %+v is %v, want %v", tt.sides, q, v, tt.want)
		}
		if _, err := json.Marshal(r); err != nil {
			t.Errorf("%+v: %v", tt.sides, err)
		}
	}
	// Jensen's inequality on a box of every width: never refuted. (Its left side here is exact to a few ulps, its right side a mean of F(w) - F*.)
	a := [][]float64{{1, 0.3}, {-0.4, 1}, {0.2, -1}, {-1, 0.1}}
	b := []float64{0.5, -1, 0.7, 0.2}
	for _, half := range []float64{1, 1e-3, 1e-6, 1e-9, 1e-12, 1e6} {
		p, err := NewLeastSquares("data", a, b, 0.1, -half, half)
		if err != nil {
			t.Fatal(err)
		}
		in := build(p, half/8, p.Minimiser(), Root(Diameter(p)/p.Constants().G), 200)
		tr, err := Follow(in, true)
		if err != nil {
			t.Fatal(err)
		}
		n := len(tr.T) - 1
		jensen := Sides{200, tr.Average[n], tr.MeanGap[n], Roundoff(in, tr.MeanGap[n])}
		for name, s := range map[string]Sides{"Jensen": jensen, "one step": tr.OneStep, "telescoped": tr.Summed} {
			if v := s.Quotient().AtMost(1); v == evidence.Violated || half >= 1e-3 && v != evidence.Holds {
				t.Errorf("half width %g: %s: %+v is %v", half, name, s, v)
			}
		}
	}
}
