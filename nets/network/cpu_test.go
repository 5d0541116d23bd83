package network

import (
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"

	"tqn/nets/kernel"
	"tqn/quantize"
)

// rules are those of Table 1's methods.
var rules = []quantize.Rule{quantize.Float, quantize.BC, quantize.SR, quantize.R}

// newCPU is an engine on an implementation of the kernels; with -bf16 behind its name, at that precision.
func newCPU(t testing.TB, m Model, h Hyper, threads int, implementation string) *CPU {
	t.Helper()
	implementation, bf16 := strings.CutSuffix(implementation, "-bf16")
	ws, err := kernel.NewWorkers(threads, implementation)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(ws.Close)
	if bf16 {
		ws.SetPrecision(kernel.BF16)
	}
	c, err := NewCPU(m, h, ws)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func copyState(to, from Engine) {
	for _, ts := range from.Tensors() {
		v := make([]float32, ts.Len())
		from.Get(ts.Name, v)
		to.Set(ts.Name, v)
	}
}

// single is the relative error a float32 gradient of m may have: every layer's sum of K terms adds a random walk of
// sqrt(K) roundings of 2^-24, forward and backward; batch norm and cancellation in sums of both signs cost a factor taken as 4.
func single(m Model) float64 {
	sum := 0.0
	m.Each(func(l Layer) {
		terms := 1
		switch l.Kind {
		case Conv:
			terms = l.Kernel * l.Kernel * max(l.In.C, l.Out.C)
		case Linear:
			terms = max(l.In.Len(), l.Out.C)
		case BatchNorm:
			terms = 64
		}
		sum += 2 * math.Sqrt(float64(terms)) * 0x1p-24
	})
	return 4 * sum
}

// gradientError is the largest difference of two gradients, relative to the reference's largest entry.
func gradientError(got []float32, want []float64) float64 {
	scale, worst := 1e-6, 0.0
	for i := range want {
		scale = max(scale, math.Abs(want[i]))
		worst = max(worst, math.Abs(float64(got[i])-want[i]))
	}
	if slices.ContainsFunc(got, func(v float32) bool { return v != v }) {
		return math.Inf(1)
	}
	return worst / scale
}

// compareGradients runs one forward and backward pass on both engines and returns the largest error over all tensors.
func compareGradients(c *CPU, r *Reference, x []float32, labels []int32) (worst float64, where string, loss float64) {
	want, grads := r.gradients(x, labels)
	got, err := c.Step(x, labels, 0, 1)
	if err != nil {
		return math.Inf(1), err.Error(), 0
	}
	for _, t := range c.tensors {
		if e := gradientError(t.grad, grads[t.Name]); e >= worst {
			worst, where = e, t.Name
		}
	}
	return worst, where, math.Abs(got.Mean() - want.Mean())
}

// TestGradientsMatchReference: every gradient of the CPU engine, tensor by tensor, in every implementation of the kernels and for
// every rule, is the float64 reference's.
func TestGradientsMatchReference(t *testing.T) {
	for _, implementation := range kernel.Implementations() {
		for name, m := range small(t) {
			for _, rule := range []quantize.Rule{quantize.Float, quantize.BC, quantize.SR} {
				c, r := newCPU(t, m, hyper(6, rule), 2, implementation), NewReference(m, hyper(6, rule))
				randomState(r, rule, 3)
				copyState(c, r)
				x, labels := randomBatch(m, 6, 4)
				e, where, loss := compareGradients(c, r, x, labels)
				t.Logf("%-8s %-9s %-6v largest error %.2g of the largest gradient (%s), loss off by %.2g; allowed %.2g",
					implementation, name, rule, e, where, loss, single(m))
				if !(e < single(m)) || !(loss < single(m)) {
					t.Errorf("%s %s %v: gradient of %s is off by %.2g, loss by %.2g", implementation, name, rule, where, e, loss)
				}
			}
		}
	}
}

// Planted defects: a CPU engine with a wrong model or a wrong constant must not pass the comparison above.
func TestGradientComparisonSeesDefects(t *testing.T) {
	type defect struct {
		net    string
		change func(*Model, *Hyper)
	}
	for name, d := range map[string]defect{
		"missing relu":            {"vgg9", func(m *Model, _ *Hyper) { m.Layers = slices.Delete(slices.Clone(m.Layers), 2, 3) }},
		"batch-norm epsilon 1e-3": {"vgg9", func(_ *Model, h *Hyper) { h.NormEpsilon = 1e-3 }},
		"missing shortcut": {"resnet56", func(m *Model, _ *Hyper) {
			m.Layers = slices.Clone(m.Layers)
			for i, l := range m.Layers {
				if l.Kind == Residual && len(l.Shortcut) == 1 {
					l.Shortcut = []Layer{l.Shortcut[0]}
					l.Shortcut[0].In.C = 0 // nothing is copied
					m.Layers[i] = l
					return
				}
			}
		}},
		"unclipped read": {"resnet18", func(_ *Model, h *Hyper) { h.Rule = quantize.Float }},
	} {
		m, h := small(t)[d.net], hyper(6, quantize.BC)
		r := NewReference(m, h)
		randomState(r, quantize.BC, 3)
		x, labels := randomBatch(m, 6, 4)
		wrong := m
		d.change(&wrong, &h)
		c := newCPU(t, wrong, h, 1, "")
		copyState(c, r)
		if e, _, _ := compareGradients(c, r, x, labels); e < single(m) {
			t.Errorf("%s: not seen, error %.2g", name, e)
		} else {
			t.Logf("%s: seen, error %.2g against %.2g allowed", name, e, single(m))
		}
	}
}

// TestOneStepRegression: a step of every method leaves the parameters, moments and running averages of the reference.
func TestOneStepRegression(t *testing.T) {
	for name, m := range small(t) {
		for _, rule := range rules {
			h := hyper(6, rule)
			h.WeightDecay = 1e-3
			c, r := newCPU(t, m, h, 2, "generic"), NewReference(m, h)
			randomState(r, rule, 11)
			copyState(c, r)
			const alpha = 0.01
			worst, flipped, differ := 0.0, 0, 0
			for step := uint64(1); step <= 2; step++ {
				x, labels := randomBatch(m, 6, 20+step)
				if _, err := c.Step(x, labels, alpha, step); err != nil {
					t.Fatal(err)
				}
				if _, err := r.Step(x, labels, alpha, step); err != nil {
					t.Fatal(err)
				}
				copyState(r, c) // one step at a time: errors do not add up, signs do not part
			}
			x, labels := randomBatch(m, 6, 30)
			if _, err := c.Step(x, labels, alpha, 3); err != nil {
				t.Fatal(err)
			}
			if _, err := r.Step(x, labels, alpha, 3); err != nil {
				t.Fatal(err)
			}
			tolerance := 4 * single(m) // three gradients enter the moments
			for _, p := range m.Params() {
				w, want := pull(c, p.Name, p.Len()), pull(r, p.Name, p.Len())
				if !p.Trained() {
					worst = max(worst, relative(w, want, 0))
					continue
				}
				m1, m1want := pull(c, p.Name+FirstMoment, p.Len()), pull(r, p.Name+FirstMoment, p.Len())
				worst = max(worst, relative(m1, m1want, 1e-6))
				worst = max(worst, relative(pull(c, p.Name+SecondMoment, p.Len()), pull(r, p.Name+SecondMoment, p.Len()), 1e-12))
				if p.Binarised() && rule.Discrete() {
					start := Start{Rule: rule, Init: "he", Seed: 11}.Values(p)
					for i := range w {
						if w[i] != want[i] {
							differ++
						}
						if want[i] != start[i] {
							flipped++
						}
					}
					continue
				}
				// A step is alpha*m/sqrt(v), at most about alpha: where m is small against the tensor's largest, so is its relative
				// accuracy.
				scale := largest(m1want)
				for i := range w {
					allowed := 1e-6*largest(want) + alpha*min(2, 10*tolerance*scale/(math.Abs(float64(m1want[i]))+1e-30))
					if e := math.Abs(float64(w[i] - want[i])); e > allowed {
						t.Errorf("%s %v: %s[%d] is %v, want %v +- %.2g", name, rule, p.Name, i, w[i], want[i], allowed)
						break
					}
				}
			}
			t.Logf("%-9s %-6v largest error %.2g, %d signs differ, %d flipped", name, rule, worst, differ, flipped)
			if !(worst < tolerance) || differ > 0 {
				t.Errorf("%s %v: error %.2g, %d signs differ", name, rule, worst, differ)
			}
			if rule == quantize.SR && flipped == 0 {
				t.Errorf("%s: SR flipped nothing in three steps: the comparison of signs is empty", name)
			}
		}
	}
}

func pull(e Engine, name string, n int) []float32 {
	v := make([]float32, n)
	e.Get(name, v)
	return v
}

func largest(v []float32) float64 {
	m := 0.0
	for _, x := range v {
		m = max(m, math.Abs(float64(x)))
	}
	return m
}

// relative is the largest difference, relative to want's largest value, or to floor where that is smaller.
func relative(got, want []float32, floor float64) float64 {
	worst := 0.0
	for i := range got {
		worst = max(worst, math.Abs(float64(got[i])-float64(want[i])))
	}
	return worst / max(floor, largest(want))
}

// stateAfter is the state after three steps of ten images.
func stateAfter(t *testing.T, m Model, rule quantize.Rule, threads int, implementation string) string {
	t.Helper()
	c := newCPU(t, m, hyper(10, rule), threads, implementation)
	Initialise(c, rule, 1)
	for step := uint64(1); step <= 3; step++ {
		x, labels := randomBatch(m, 10, step)
		if _, err := c.Step(x, labels, 0.01, step); err != nil {
			t.Fatal(err)
		}
	}
	return stateHash(c)
}

// TestThreadsDoNotMatter: the state after some steps is the same bits for 1, 2, 3 and 8 workers.
func TestThreadsDoNotMatter(t *testing.T) {
	for _, implementation := range append(kernel.Implementations(), "-bf16") {
		for name, m := range small(t) {
			var want string
			for _, threads := range []int{1, 2, 3, 8} {
				got := stateAfter(t, m, quantize.SR, threads, implementation)
				if want == "" {
					want = got
				} else if got != want {
					t.Errorf("%s %s: %d threads end in another state than 1", implementation, name, threads)
				}
			}
		}
	}
}

// TestBF16Gradients: at bf16 the gradients of the second step are, by tiles, those of the generic kernels, which are their definition. Other kernels' sums of products are rounded
// otherwise. Generic sums over binary weights are often exact, and about one in two hundred lies in the middle of two bf16 numbers, where Winograd's algorithm, which only wrn56-2 has a layer for
// here, decides by its rounding error: its gradients then differ visibly, in such small batches. From float32's they differ visibly in every state: the precision reaches the layers. (In these random states, where many ReLUs are near their kink, by a tenth of the largest gradient and more.)
func TestBF16Gradients(t *testing.T) {
	states, agreed := 0, 0
	for name, m := range small(t) {
		for seed := range uint64(5) {
			engines := map[string]*CPU{}
			for _, implementation := range []string{"-bf16", "generic-bf16", "generic"} {
				c := newCPU(t, m, hyper(6, quantize.SR), 2, implementation)
				Initialise(c, quantize.SR, seed)
				x, labels := randomBatch(m, 6, 4)
				for step := range uint64(2) {
					if _, err := c.Step(x, labels, 0.01, step+1); err != nil {
						t.Fatal(err)
					}
				}
				engines[implementation] = c
			}
			apart := func(other string) (worst float64) {
				for i, p := range engines["-bf16"].tensors {
					worst = max(worst, gradientError(p.grad, widen(engines[other].tensors[i].grad)))
				}
				return worst
			}
			same, single := apart("generic-bf16"), apart("generic")
			t.Logf("%-9s %.2g from the generic kernels at bf16, %.2g from float32", name, same, single)
			if states++; same < 0x1p-16 {
				agreed++
			}
			if single < 0x1p-9 || engines["-bf16"].Kernel() == "amx-bf16" && same != 0 {
				t.Errorf("%s, seed %d: gradients are %.2g from the generic kernels at bf16, %.2g from float32", name, seed, same, single)
			}
		}
	}
	if 2*agreed <= states {
		t.Errorf("in %d of %d states the gradients are the generic kernels' at bf16", agreed, states)
	}
}

// TestTwoBytesAreRounded: at bf16 AVX-512's kernels, which keep activations in two bytes and fuse, reach the state of AVX2's, which keep float32, round it in passes of its own and fuse nothing.
func TestTwoBytesAreRounded(t *testing.T) {
	if !slices.Contains(kernel.Implementations(), "avx512") {
		t.Skip("no avx512")
	}
	for name, m := range small(t) {
		for _, rule := range rules {
			var states []string
			for _, implementation := range []string{"avx2-bf16", "avx512-bf16"} {
				states = append(states, stateAfter(t, m, rule, 2, implementation))
			}
			if states[0] != states[1] {
				t.Errorf("%s, %v: another state in two bytes than in four", name, rule)
			}
		}
	}
}

// TestStepAllocatesNothing in the steady state, in training and evaluation.
func TestStepAllocatesNothing(t *testing.T) {
	for name, m := range small(t) {
		for _, rule := range rules {
			c := newCPU(t, m, hyper(4, rule), 2, "")
			Initialise(c, rule, 1)
			x, labels := randomBatch(m, 4, 1)
			step := uint64(0)
			if n := testing.AllocsPerRun(5, func() {
				step++
				if _, err := c.Step(x, labels, 0.01, step); err != nil {
					t.Fatal(err)
				}
				if _, err := c.Evaluate(x, labels); err != nil {
					t.Fatal(err)
				}
			}); n != 0 {
				t.Errorf("%s %v: %v allocations a step", name, rule, n)
			}
		}
	}
}

// A short last batch of a test pass costs what its images cost in a full one.
func TestEvaluateTakesShortBatches(t *testing.T) {
	for name, m := range small(t) {
		c := newCPU(t, m, hyper(7, quantize.BC), 2, "")
		randomState(c, quantize.BC, 2)
		x, labels := randomBatch(m, 7, 5)
		all, err := c.Evaluate(x, labels)
		if err != nil {
			t.Fatal(err)
		}
		var sum Loss
		for i := range labels {
			one, err := c.Evaluate(x[i*m.Input.Len():(i+1)*m.Input.Len()], labels[i:i+1])
			if err != nil {
				t.Fatal(err)
			}
			sum.Add(one)
		}
		if sum.Wrong != all.Wrong || math.Abs(sum.Sum-all.Sum) > 1e-4 {
			t.Errorf("%s: one by one %+v, together %+v", name, sum, all)
		}
	}
}

// A step that meets something not finite names it and changes no parameter.
func TestNonFiniteIsNamed(t *testing.T) {
	m := small(t)["vgg9"]
	c := newCPU(t, m, hyper(4, quantize.SR), 1, "")
	Initialise(c, quantize.SR, 1)
	x, labels := randomBatch(m, 4, 1)
	before := paramsOnly(c)
	x[17] = float32(math.Inf(1))
	if _, err := c.Step(x, labels, 0.01, 9); err == nil || !strings.Contains(err.Error(), "the input images") || !strings.Contains(err.Error(), "step 9") {
		t.Errorf("infinite pixel: error %v", err)
	}
	x[17] = 0
	// An infinite shift is cut by no ReLU: the batch norm's output is the first that is not finite.
	bad := make([]float32, c.trained("bn_2.beta").Len())
	bad[0] = float32(math.Inf(1))
	c.Set("bn_2.beta", bad)
	if _, err := c.Step(x, labels, 0.01, 10); err == nil || !strings.Contains(err.Error(), "bn_2") {
		t.Errorf("infinite shift: error %v", err)
	}
	c.Set("bn_2.beta", make([]float32, len(bad)))
	if paramsOnly(c) != before {
		t.Error("a refused step changed parameters")
	}
}

func paramsOnly(e Engine) string {
	s := ""
	for _, p := range e.Model().Params() {
		if p.Trained() {
			w := make([]float32, p.Len())
			e.Get(p.Name, w)
			s += fmt.Sprint(w)
		}
	}
	return s
}

// The engine's fast reading of bc's weights is quantize.Read.
func TestBinarisedReadIsQuantizes(t *testing.T) {
	m := small(t)["vgg9"]
	c := newCPU(t, m, hyper(2, quantize.BC), 1, "")
	randomState(c, quantize.BC, 2)
	w := c.trained("conv_1.weight")
	w.w[0], w.w[1], w.w[2] = 0, float32(math.Copysign(0, -1)), -math.SmallestNonzeroFloat32
	c.pack()
	want := make([]float32, len(w.w))
	quantize.Read(quantize.BC, quantize.Binary(), want, w.w, quantize.Draw{})
	if !slices.Equal(want, w.wb) {
		t.Errorf("packed %v, quantize reads %v", w.wb[:4], want[:4])
	}
}

// A model the engine cannot fuse is refused, not computed wrongly.
func TestUnfusableModelsAreRefused(t *testing.T) {
	ws, _ := kernel.NewWorkers(1, "generic")
	defer ws.Close()
	m := small(t)["vgg9"]
	m.Layers = slices.Delete(slices.Clone(m.Layers), 1, 2) // conv, relu
	if _, err := NewCPU(m, hyper(2, quantize.Float), ws); err == nil || !strings.Contains(err.Error(), "conv_1") {
		t.Errorf("error %v", err)
	}
}
