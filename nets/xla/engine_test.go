package xla

import (
	"bytes"
	"errors"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"golang.org/x/sync/errgroup"

	"tqn/nets"
	"tqn/nets/dataset"
	"tqn/nets/kernel"
	"tqn/nets/network"
	"tqn/pjrt"
	"tqn/quantize"
)

var client = sync.OnceValues(func() (*pjrt.Client, error) { return OpenClient("", pjrt.Memory{}) })

// TestOpenClientPassesMemoryOn: a CPU's plug-in has no card, so a limit of its memory is refused before it is started. The same
// file under a CUDA plug-in's name is told what it may take even unasked: it then says that it knows no such options.
func TestOpenClientPassesMemoryOn(t *testing.T) {
	c := need(t)
	if c.Platform != "cpu" {
		t.Skipf("platform %s has a card's memory to limit", c.Platform)
	}
	if _, err := OpenClient(c.Plugin.Path, pjrt.Memory{Fraction: 0.5}); err == nil || !strings.Contains(err.Error(), "only CUDA plug-ins") {
		t.Errorf("half of a card that is not there: %v", err)
	}
	cuda := filepath.Join(t.TempDir(), "xla_cuda_plugin.so")
	if err := os.Symlink(c.Plugin.Path, cuda); err != nil {
		t.Skip(err)
	}
	if _, err := OpenClient(cuda, pjrt.Memory{}); err == nil || !strings.Contains(err.Error(), "preallocate") && !strings.Contains(err.Error(), "memory_fraction") {
		t.Errorf("a plug-in with a CUDA plug-in's name: %v; want its complaint about an option for memory", err)
	}
}

// need skips the test where no plug-in is installed, unless TQN_REQUIRE_PJRT is set.
func need(t testing.TB) *pjrt.Client {
	t.Helper()
	c, err := client()
	if errors.Is(err, pjrt.ErrNoPlugin) && os.Getenv("TQN_REQUIRE_PJRT") == "" {
		t.Skip(err)
	}
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// small has every kind of layer, odd sizes, strides and shortcuts.
var small = []network.Spec{
	{Net: "vgg9", Input: network.Shape{H: 8, W: 8, C: 2}, Classes: 5, Width: 1. / 16, Depth: 0.5},
	{Net: "vgg-bc", Input: network.Shape{H: 8, W: 16, C: 1}, Classes: 3, Width: 1. / 32, Depth: 0.5},
	{Net: "resnet56", Input: network.Shape{H: 8, W: 8, C: 3}, Classes: 4, Width: 1. / 4, Depth: 1. / 9},
	{Net: "wrn56-2", Input: network.Shape{H: 9, W: 7, C: 1}, Classes: 3, Width: 1. / 4, Depth: 1. / 9},
	{Net: "resnet18", Input: network.Shape{H: 17, W: 15, C: 3}, Classes: 6, Width: 1. / 16, Depth: 0.5},
}

var rules = []quantize.Rule{quantize.Float, quantize.SR, quantize.BC, quantize.R}

func model(t testing.TB, s network.Spec) network.Model {
	t.Helper()
	m, err := network.NewModel(s)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func hyper(batch int, rule quantize.Rule) network.Hyper {
	return network.Hyper{Batch: batch, Rule: rule, Noise: quantize.NewNoise(0x1234567890), NormMomentum: 0.1, NormEpsilon: 1e-5, UnbiasedState: true}
}

func engine(t testing.TB, m network.Model, h network.Hyper) *Engine {
	t.Helper()
	c := need(t)
	e, err := New(c, c.Devices[:1], m, h, F32)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { e.Close() })
	return e
}

func randomBatch(m network.Model, n int, seed uint64) ([]float32, []int32) {
	noise := quantize.NewNoise(seed)
	x, labels := make([]float32, n*m.Input.Len()), make([]int32, n)
	for i := range x {
		x[i] = float32(noise.At(0, 0).Normal(i))
	}
	for i := range labels {
		labels[i] = int32(noise.At(1, 0).Bits(i) % uint32(m.Classes))
	}
	return x, labels
}

// randomState sets every tensor to something a step can be wrong about: no scale is 1, no
// shift or moment is 0.
func randomState(e network.Engine, rule quantize.Rule, seed uint64) {
	network.Initialise(e, rule, seed)
	noise := quantize.NewNoise(seed + 1)
	for _, p := range e.Model().Params() {
		draw := noise.At(uint32(p.Index), 0)
		uniform := func(name string, lo, hi float64) {
			w := make([]float32, p.Len())
			for i := range w {
				w[i] = float32(lo + (hi-lo)*draw.Uniform(i))
			}
			e.Set(name, w)
		}
		switch p.Role {
		case network.Gamma, network.RunningVar:
			uniform(p.Name, 0.5, 1.5)
		case network.Beta, network.RunningMean, network.LinearBias:
			uniform(p.Name, -0.5, 0.5)
		}
		if p.Trained() {
			uniform(p.Name+network.FirstMoment, -1e-3, 1e-3)
			uniform(p.Name+network.SecondMoment, 1e-7, 1e-5)
		}
	}
}

func get(e network.Engine, name string) []float32 {
	for _, ts := range e.Tensors() {
		if ts.Name == name {
			w := make([]float32, ts.Len())
			e.Get(name, w)
			return w
		}
	}
	panic("no tensor " + name)
}

// distance is |a-b|/|b| in the Euclidean norm.
func distance(a, b []float32) float64 {
	var num, den float64
	for i := range a {
		d := float64(a[i]) - float64(b[i])
		num += d * d
		den += float64(b[i]) * float64(b[i])
	}
	return math.Sqrt(num) / max(math.Sqrt(den), 1e-30)
}

// tolerance is the normwise relative error a step in float32 may have against float64. With
// u = 2^-24, a sum of K products has relative error at most sqrt(K)*4u but for one case in
// thousands (Higham and Mary, "A New Approach to Probabilistic Rounding Error Analysis",
// SISC 2019); ten roundings a layer come from batch norm and the activation. Batch norm rescales after every
// layer, so that relative errors add, over the layers forward and back:
//
//	2 * layers * 4u * (sqrt(largest fan-in or row) + 10)
//
// It is about 1e-4 here. A ReLU or a maximum within rounding of its kink would exceed it; the fixed inputs
// of these tests have none on the plug-ins named in pjrt's documentation.
func tolerance(m network.Model) float64 {
	layers, k := 0.0, 0.0
	for _, p := range m.Params() {
		if p.FanIn > 0 {
			layers++
			k = max(k, float64(p.FanIn), float64(m.Input.W))
		}
	}
	return 2 * layers * 4 * 0x1p-24 * (math.Sqrt(k) + 10)
}

// checkStep takes one step on e, on the float64 reference and on the CPU engine from the same state
// and returns what is wrong: loss, both moments of every trained tensor and running averages within the
// tolerance of either's; every stored weight exactly the rule's result of Adam's step made of the
// engine's own moments, with quantize's random words. The learning rate makes one weight in some ten flip.
func checkStep(t *testing.T, e *Engine, step uint64) (wrong []string) {
	t.Helper()
	m, h := e.Model(), e.hyper
	ref := network.NewReference(m, h)
	randomState(ref, h.Rule, 7)
	randomState(e, h.Rule, 7)
	old := map[string][]float32{}
	for _, p := range m.Params() {
		old[p.Name] = get(e, p.Name)
	}
	x, labels := randomBatch(m, h.Batch, 3)
	workers, err := kernel.NewWorkers(1, "")
	if err != nil {
		t.Fatal(err)
	}
	defer workers.Close()
	cpu, err := network.NewCPU(m, h, workers)
	if err != nil {
		t.Fatal(err)
	}
	randomState(cpu, h.Rule, 7)
	const alpha = 5
	got, err := e.Step(x, labels, alpha, step)
	if err != nil {
		return []string{err.Error()}
	}
	trained := map[string]bool{} // weights: their moments are compared here, they themselves below
	for _, p := range m.Params() {
		trained[p.Name] = p.Trained()
	}
	tol := tolerance(m)
	worst, worstName := 0.0, ""
	for _, other := range []network.Engine{ref, cpu} {
		want, err := other.Step(x, labels, alpha, step)
		if err != nil {
			t.Fatal(err)
		}
		if math.Abs(got.Sum-want.Sum) > tol*want.Sum || got.Wrong != want.Wrong || got.Images != want.Images {
			wrong = append(wrong, fmt.Sprintf("loss %+v, want %+v of %s", got, want, other.Kernel()))
		}
		for _, ts := range e.Tensors() {
			if trained[ts.Name] {
				continue
			}
			d := distance(get(e, ts.Name), get(other, ts.Name))
			if d > worst {
				worst, worstName = d, ts.Name
			}
			if !(d <= tol) {
				wrong = append(wrong, fmt.Sprintf("%s: relative error %.2g to %s, tolerance %.2g", ts.Name, d, other.Kernel(), tol))
			}
		}
	}
	flipped, apart := 0, 0
	for _, p := range m.Params() {
		if p.Binarised() && h.Rule.Discrete() {
			c := get(cpu, p.Name)
			for i, w := range get(e, p.Name) {
				if w != old[p.Name][i] {
					flipped++
				}
				if w != c[i] {
					apart++
				}
			}
		}
	}
	scale, c2 := adamScalars(alpha, step)
	for _, p := range m.Params() {
		if !p.Trained() {
			continue
		}
		w, mom, v := slices.Clone(old[p.Name]), get(e, p.Name+network.FirstMoment), get(e, p.Name+network.SecondMoment)
		steps := make([]float32, len(w))
		length := scale * float32(h.Scale(p))
		for i := range steps {
			root := float32(math.Sqrt(float64(float32(v[i] * c2))))
			steps[i] = float32(length*mom[i]) / (root + network.AdamEpsilon)
		}
		rule, grid := quantize.Float, quantize.Grid{Delta: 1, Lo: math.Inf(-1), Hi: math.Inf(1)}
		if p.Binarised() && h.Rule != quantize.Float && !h.Unclipped {
			rule, grid = h.Rule, quantize.Binary()
		}
		quantize.Update(rule, grid, w, steps, h.Noise.At(uint32(p.Index), step))
		differ := 0
		for i, g := range get(e, p.Name) {
			if math.Float32bits(g) != math.Float32bits(w[i]) {
				differ++
			}
		}
		if differ > 0 {
			wrong = append(wrong, fmt.Sprintf("%s: %d of %d weights are not the rule's", p.Name, differ, len(w)))
		}
	}
	t.Logf("%s %s: worst relative error %.2g (%s), tolerance %.2g; %d binarised weights changed, %d differ from the CPU engine's",
		m.Name, h.Rule, worst, worstName, tol, flipped, apart)
	return wrong
}

func TestStepOfEveryNetAndMethod(t *testing.T) {
	need(t)
	for i, spec := range small {
		for j, rule := range rules {
			if testing.Short() && (i > 0 || j > 1) {
				continue
			}
			t.Run(fmt.Sprintf("%s/%s", spec.Net, rule), func(t *testing.T) {
				h := hyper(6, rule)
				if rule == quantize.BC {
					h.WeightDecay = 1e-2
					h.Unclipped, h.FanScale = i%2 == 1, i > 1
				}
				for _, w := range checkStep(t, engine(t, model(t, spec), h), 3) {
					t.Error(w)
				}
			})
		}
	}
}

// TestPrecisions: bfloat16 factors, 2^-9 relative rounding, must show and must not be wrong.
func TestPrecisions(t *testing.T) {
	need(t)
	m := model(t, small[0])
	tf32 := engine(t, m, hyper(6, quantize.Float))
	tf32.options.Precision = TF32
	if tf32.client.Platform == "cpu" { // where DEFAULT is float32
		for _, w := range checkStep(t, tf32, 3) {
			t.Error(w)
		}
	}
	if _, err := ParsePrecision("f16"); err == nil {
		t.Error("f16 was accepted")
	}
}

// TestBF16 bounds what rounding to bfloat16 changes in a step, against the same program in float32: in the loss, and in the gradients (the first
// moments, whose old values are zero here).
//
// An activation passes three roundings a layer, of relative size u = 2^-9 at most: as a factor, as the convolution's weight and as its result. Taken as
// independent they make an error of delta = u sqrt(3 L) after L layers. So large a part of the ReLUs' inputs lies so near to zero, in
// units of the inputs' size, that it may change sides, and a gradient that passes where it should not, or the other way round, is an error of its
// own size: sqrt(delta) of the gradient's norm in each layer, sqrt(L delta) in all. The bound on the gradients is this estimate. Rounding that went missing would be seen too:
// the difference has to be at least u.
func TestBF16(t *testing.T) {
	need(t)
	const u = 0x1p-9
	for _, spec := range []network.Spec{small[0], small[2]} {
		if testing.Short() && spec.Net != "vgg9" {
			continue
		}
		m := model(t, spec)
		const batch = 16
		x, labels := randomBatch(m, batch, 3)
		step := func(program func(string) string) (*Engine, network.Loss) {
			e := engine(t, m, hyper(batch, quantize.SR))
			e.options.Precision = BF16
			text := stepProgram(m, e.hyper, e.options)
			if program == nil {
				text = stepProgram(m, e.hyper, Options{Precision: F32})
			} else {
				text = program(text)
			}
			var err error
			if e.step, err = e.client.Compile(text, e.devices...); err != nil {
				t.Fatal(err)
			}
			randomState(e, quantize.SR, 7)
			for _, p := range m.Params() {
				if p.Trained() {
					e.Set(p.Name+network.FirstMoment, make([]float32, p.Len()))
				}
			}
			loss, err := e.Step(x, labels, 0.01, 1)
			if err != nil {
				t.Fatal(err)
			}
			return e, loss
		}
		exact, want := step(nil)
		layers := 0
		for _, p := range m.Params() {
			if p.FanIn > 0 {
				layers++
			}
		}
		delta := u * math.Sqrt(3*float64(layers))
		bound := math.Sqrt(float64(layers) * delta)
		check := func(program func(string) string) error {
			e, got := step(program)
			sum, tensors := 0.0, 0
			for _, p := range m.Params() {
				if p.Trained() {
					d := distance(get(e, p.Name+network.FirstMoment), get(exact, p.Name+network.FirstMoment))
					sum, tensors = sum+d*d, tensors+1
				}
			}
			gradients := math.Sqrt(sum / float64(tensors))
			loss := math.Abs(got.Sum-want.Sum) / want.Sum
			t.Logf("%s: relative error of the loss %.2g, bound %.2g; of the gradients %.2g, bound %.2g", m.Name, loss, delta, gradients, bound)
			if !(loss <= delta && gradients <= bound && gradients >= u) {
				return fmt.Errorf("%s: relative error of the loss %.2g, bound %.2g; of the gradients %.2g, bounds %.2g and %.2g", m.Name, loss, delta, gradients, u, bound)
			}
			return nil
		}
		if err := check(func(text string) string { return text }); err != nil {
			t.Error(err)
		}
		if !testing.Short() && check(func(text string) string {
			return strings.ReplaceAll(text, "dims = [1, 2] : tensor<", "dims = [1] : tensor<")
		}) == nil {
			t.Errorf("%s: a kernel that is not mirrored in the input's gradient is within the bound", m.Name)
		}
	}
}

// TestPlantedDefects changes the emitted program, or builds the engine with another setting than
// the reference, and expects the check above to see it.
func TestPlantedDefects(t *testing.T) {
	need(t)
	if testing.Short() {
		t.Skip("a compilation for each defect")
	}
	m := model(t, small[0])
	edits := map[string][2]string{
		"kernel not mirrored in the input gradient": {"dims = [1, 2] : tensor<", "dims = [1] : tensor<"},
		"Philox multiplier off by two":              {fmt.Sprint(quantize.PhiloxM0), fmt.Sprint(quantize.PhiloxM0 + 2)},
		"largest logit found as the smallest":       {"applies stablehlo.minimum across dimensions = [1]", "applies stablehlo.maximum across dimensions = [1]"},
		"ReLU passes all gradients":                 {"stablehlo.compare GT", "stablehlo.compare NE"},
		"no exponent in the softmax":                {"stablehlo.exponential", "stablehlo.abs"},
	}
	for name, edit := range edits {
		h := hyper(6, quantize.SR)
		e := engine(t, m, h)
		text := stepProgram(m, h, e.options)
		changed := strings.ReplaceAll(text, edit[0], edit[1])
		if changed == text {
			t.Fatalf("%s: %q is not in the program", name, edit[0])
		}
		var err error
		if e.step, err = e.client.Compile(changed, e.devices...); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		wrong := checkStep(t, e, 3)
		if len(wrong) == 0 {
			t.Errorf("%s was not seen", name)
		} else {
			t.Logf("%s: seen in %d tensors, first: %s", name, len(wrong), wrong[0])
		}
	}
	settings := map[string]func(*network.Hyper){
		"another seed":             func(h *network.Hyper) { h.Noise = quantize.NewNoise(1) },
		"epsilon of batch norm":    func(h *network.Hyper) { h.NormEpsilon = 1e-3 },
		"momentum of batch norm":   func(h *network.Hyper) { h.NormMomentum = 0.11 },
		"biased running variance":  func(h *network.Hyper) { h.UnbiasedState = false },
		"weight decay left out":    func(h *network.Hyper) { h.WeightDecay = 0 },
		"rounded to the nearest":   func(h *network.Hyper) { h.Rule = quantize.R },
		"weights read as they are": func(h *network.Hyper) { h.Rule = quantize.Float },
	}
	for name, change := range settings {
		h := hyper(6, quantize.SR)
		if name == "weights read as they are" {
			h.Rule = quantize.BC
		}
		h.WeightDecay = 1e-2
		other := h
		change(&other)
		e := engine(t, m, other)
		if err := e.compile(&e.step, stepProgram); err != nil {
			t.Fatal(err)
		}
		// The engine now compares itself with the right setting, but runs the wrong program.
		e.hyper = h
		if name == "another seed" {
			k0, k1 := other.Noise.Key()
			b, err := e.upload([]uint32{k0, k1})
			if err != nil {
				t.Fatal(err)
			}
			e.constants[0].Destroy()
			e.constants[0] = b[0]
		}
		wrong := checkStep(t, e, 3)
		if len(wrong) == 0 {
			t.Errorf("%s was not seen", name)
		} else {
			t.Logf("%s: seen in %d tensors, first: %s", name, len(wrong), wrong[0])
		}
	}
}

// TestUpdateIsExact feeds the same gradients to the emitted update and to the CPU engine's fused
// kernel (its generic form): weights and moments must have the same bits, over several steps. Gradients
// are of all sizes from 1e-12 to 1e3 and zero; subnormal numbers are left out, XLA's CPU flushes them.
// With [program.exact] returning its argument, XLA contracts a product and a sum, and this test fails at the first step.
func TestUpdateIsExact(t *testing.T) {
	c := need(t)
	m := model(t, network.Spec{Net: "vgg9", Input: network.Shape{H: 8, W: 8, C: 3}, Classes: 5, Width: 0.3, Depth: 0.5})
	workers, err := kernel.NewWorkers(1, "generic")
	if err != nil {
		t.Fatal(err)
	}
	defer workers.Close()
	for _, rule := range rules {
		h := hyper(2, rule)
		h.WeightDecay = 1e-3
		l := newLayout(m)
		args := append(stateArguments(l, false), argument{elem: f32, dims: []int{l.size[stateB]}}, argument{elem: f32, dims: []int{l.size[stateF]}},
			argument{elem: f32}, argument{elem: f32}, argument{elem: ui64})
		args = append(args, constantArguments(l)...)
		text := function("update", args, func(p *program, a []value) []value {
			n := &net{program: p, hyper: h, Options: Options{Precision: F32}}
			in := a[stateVectors:]
			low, high := p.words64(in[4])
			return n.update(l, a[:stateVectors], in[0], in[1], scalars{in[2], in[3], low, high, p.key(in[5]), in[6], in[7], in[8]})
		})
		program, err := c.Compile(text, c.Devices[0])
		if err != nil {
			t.Fatal(err)
		}
		e := engine(t, m, h)
		randomState(e, rule, 11)
		if err := e.settle(); err != nil {
			t.Fatal(err)
		}
		cpu := map[string][]float32{}
		for _, ts := range e.Tensors() {
			cpu[ts.Name] = get(e, ts.Name)
		}
		const first = 1<<32 - 2 // the step's number crosses 32 bits
		for k := range uint64(4) {
			step := first + k
			grads := [stateVectors][]float32{stateB: make([]float32, l.size[stateB]), stateF: make([]float32, l.size[stateF])}
			for v, g := range grads {
				draw := quantize.NewNoise(99).At(uint32(v), step)
				for i := range g {
					if i%17 != 0 {
						g[i] = float32(draw.Normal(2*i) * math.Pow(10, 15*draw.Uniform(2*i+1)-12))
					}
				}
			}
			scale, c2 := adamScalars(0.01, step)
			buffers, err := e.upload(grads[stateB], grads[stateF], []float32{scale}, []float32{c2}, []uint64{step})
			if err != nil {
				t.Fatal(err)
			}
			results, err := program.Run(append(append(append([]*pjrt.Buffer{}, e.state[:]...), buffers...), e.constants...)...)
			if err != nil {
				t.Fatal(err)
			}
			destroy(buffers...)
			e.adopt(results)
			for i, p := range m.Params() {
				if !p.Trained() {
					continue
				}
				adam := kernel.Adam{Alpha: 0.01, Beta1: network.AdamBeta1, Beta2: network.AdamBeta2, Epsilon: network.AdamEpsilon, T: step}
				if p.Role == network.ConvWeight || p.Role == network.LinearWeight {
					adam.Decay = h.WeightDecay
				}
				r, grid := quantize.Float, quantize.Grid{Delta: 1, Lo: math.Inf(-1), Hi: math.Inf(1)}
				if p.Binarised() && rule != quantize.Float {
					r, grid = rule, quantize.Binary()
				}
				g := slices.Clone(grads[l.vector[i]][l.offset[i]:][:p.Len()])
				if p.Role == network.ConvWeight {
					outputsLast(g, grads[l.vector[i]][l.offset[i]:][:p.Len()], p.Shape[3])
				}
				workers.AdamRule(cpu[p.Name], g, cpu[p.Name+network.FirstMoment], cpu[p.Name+network.SecondMoment], adam, r, grid, h.Noise.At(uint32(p.Index), step))
				for _, name := range []string{p.Name, p.Name + network.FirstMoment, p.Name + network.SecondMoment} {
					for j, got := range get(e, name) {
						if want := cpu[name][j]; math.Float32bits(got) != math.Float32bits(want) {
							t.Fatalf("%s: step %d: %s[%d] is %v, the kernel's is %v", rule, step, name, j, got, want)
						}
					}
				}
			}
		}
		program.Destroy()
	}
}

// TestAugmentationIsTheLoaders compares the images on the device with dataset.Loader's, bit for bit.
func TestAugmentationIsTheLoaders(t *testing.T) {
	c := need(t)
	for _, name := range []string{"embedded", "textures"} {
		set, err := dataset.Open(name, dataset.Options{TrainImages: 200, TestImages: 30})
		if err != nil {
			t.Fatal(err)
		}
		for _, augment := range []dataset.Augmentation{set.Augment, {}, {Pad: 4, Flip: true}, {Pad: set.Width}} {
			const batch, seed, epoch = 32, 0xabcdef0123, 5
			m := model(t, network.Spec{Net: "vgg9", Input: network.Shape{H: set.Height, W: set.Width, C: set.Channels}, Classes: len(set.Classes), Width: 1. / 64})
			e := engine(t, m, hyper(batch, quantize.Float))
			if err := e.LoadSet(set, seed, augment); err != nil {
				t.Fatal(err)
			}
			pixels, labels, mean, inverse := pixelArguments(m, set.Train.Len())
			args := []argument{pixels, labels, mean, inverse, {elem: i32, dims: []int{batch}}, {elem: ui32}, {elem: ui32, dims: []int{2}}}
			text := function("images", args, func(p *program, a []value) []value {
				n := &net{program: p}
				return []value{n.augmented(m.Input, a[0], a[2], a[3], a[4], augment, a[5], p.key(a[6])), p.reshape(p.rows(a[1], a[4]), batch)}
			})
			program, err := c.Compile(text, c.Devices[0])
			if err != nil {
				t.Fatal(err)
			}
			loader, err := dataset.NewLoader(set, dataset.LoaderOptions{Train: true, Batch: batch, Seed: seed, Epoch: epoch, Augment: augment})
			if err != nil {
				t.Fatal(err)
			}
			order := dataset.Order(seed, epoch, set.Train.Len())
			for i := range loader.Batches() {
				b, err := loader.Next()
				if err != nil {
					t.Fatal(err)
				}
				in, err := e.upload(order[i*batch:(i+1)*batch], []uint32{epoch})
				if err != nil {
					t.Fatal(err)
				}
				r := e.resident
				results, err := program.Run(r.train, r.trainLabels, r.mean, r.inverse, in[0], in[1], r.key)
				if err != nil {
					t.Fatal(err)
				}
				x, err := pjrt.ToHost[float32](results[0])
				if err != nil {
					t.Fatal(err)
				}
				classes, err := pjrt.ToHost[int32](results[1])
				if err != nil {
					t.Fatal(err)
				}
				if !slices.Equal(x, b.X) || !slices.Equal(classes, b.Labels) {
					t.Errorf("%s, %+v: batch %d differs from the loader's", name, augment, i)
				}
				destroy(append(in, results...)...)
				loader.Release(b)
			}
			loader.Close()
			program.Destroy()
		}
	}
}

// TestBlock: a block of steps is the same whatever it is cut into, bit for bit, and agrees with single
// steps on the loader's batches; the test split likewise.
func TestBlock(t *testing.T) {
	need(t)
	set, err := dataset.Open("embedded", dataset.Options{TrainImages: 80, TestImages: 30})
	if err != nil {
		t.Fatal(err)
	}
	m := model(t, network.Spec{Net: "vgg9", Input: network.Shape{H: 32, W: 32, C: 1}, Classes: 10, Width: 1. / 16, Depth: 0.5})
	h := hyper(16, quantize.Float)
	whole, cut, single := engine(t, m, h), engine(t, m, h), engine(t, m, h)
	for _, e := range []*Engine{whole, cut, single} {
		network.Initialise(e, h.Rule, 3)
		if err := e.LoadSet(set, 9, set.Augment); err != nil {
			t.Fatal(err)
		}
	}
	const epoch = 2
	var a, b, s network.Loss
	if err := whole.Block(epoch, 1, 3, 0.01, 1, &a); err != nil {
		t.Fatal(err)
	}
	for i, n := range []int{1, 2} {
		if err := cut.Block(epoch, 1+i, n, 0.01, uint64(1+i), &b); err != nil {
			t.Fatal(err)
		}
	}
	loader, err := dataset.NewLoader(set, dataset.LoaderOptions{Train: true, Batch: 16, Seed: 9, Epoch: epoch, Index: 1, Augment: set.Augment})
	if err != nil {
		t.Fatal(err)
	}
	defer loader.Close()
	for i := range 3 {
		batch, err := loader.Next()
		if err != nil {
			t.Fatal(err)
		}
		loss, err := single.Step(batch.X, batch.Labels, 0.01, uint64(1+i))
		if err != nil {
			t.Fatal(err)
		}
		s.Add(loss)
		loader.Release(batch)
	}
	if a != b {
		t.Errorf("cut block: %+v, whole: %+v", b, a)
	}
	// Adam's first steps are alpha*sign(gradient) wherever the gradient is not small, so the weights of two
	// programs agree but for gradients near zero: only the losses are compared, three steps amplify rounding.
	if math.Abs(a.Sum-s.Sum) > 1e-2*s.Sum || a.Images != s.Images {
		t.Errorf("block: %+v, single steps: %+v", a, s)
	}
	for _, ts := range whole.Tensors() {
		if !slices.Equal(get(whole, ts.Name), get(cut, ts.Name)) {
			t.Errorf("%s depends on how the block is cut", ts.Name)
		}
	}
	for _, p := range m.Params() {
		single.Set(p.Name, get(whole, p.Name))
	}
	onDevice, err := whole.EvaluateSet()
	if err != nil {
		t.Fatal(err)
	}
	onHost, err := nets.EvaluateOn(t.Context(), single, set, 16)
	if err != nil {
		t.Fatal(err)
	}
	if math.Abs(onDevice.Sum-onHost.Sum) > tolerance(m)*onHost.Sum || onDevice.Wrong != onHost.Wrong || onDevice.Images != onHost.Images {
		t.Errorf("test split: %+v on the device, %+v by batches", onDevice, onHost)
	}
	// A step that fails is the block's last: those behind it change nothing.
	name := m.Params()[len(m.Params())-1].Name
	bad := get(cut, name)
	bad[0] = float32(math.NaN())
	cut.Set(name, bad)
	before := map[string][]float32{}
	for _, ts := range cut.Tensors() {
		before[ts.Name] = get(cut, ts.Name)
	}
	var n *network.NonFiniteError
	var loss network.Loss
	if err := cut.Block(epoch, 0, 4, 0.01, 9, &loss); !errors.As(err, &n) || n.Step != 9 || loss.Images != h.Batch {
		t.Errorf("a block with NaN: %v, %+v; want a NonFiniteError at step 9 and %d images", err, loss, h.Batch)
	}
	for name, want := range before {
		if got := get(cut, name); !slices.EqualFunc(got, want, func(a, b float32) bool { return math.Float32bits(a) == math.Float32bits(b) }) {
			t.Errorf("%s changed in a block that failed", name)
		}
	}
	// So does one that could be taken, behind a step that failed.
	r := whole.resident
	var numbers [2][maxBlock]float32
	for i := range maxBlock {
		numbers[0][i], numbers[1][i] = adamScalars(0.01, uint64(i+1))
	}
	given, err := whole.upload([]float64{3, 2, statusLoss, 1}, numbers[0][:], numbers[1][:], []int32{0}, []uint64{1}, []uint32{epoch})
	if err != nil {
		t.Fatal(err)
	}
	defer destroy(given...)
	results, err := r.block.Run(slices.Concat(whole.state[:], given[:1], []*pjrt.Buffer{r.train, r.trainLabels, r.order, r.mean, r.inverse},
		given[1:], []*pjrt.Buffer{r.key}, whole.constants)...)
	if err != nil {
		t.Fatal(err)
	}
	defer destroy(results[stateVectors:]...)
	whole.adopt(results)
	sum, err := readEvaluation(results[stateVectors], 0)
	if err != nil {
		t.Fatal(err)
	}
	if sum.Sum != 3 || sum.Wrong != 2 {
		t.Errorf("behind a step that failed a loss was added: %+v", sum)
	}
	for _, p := range m.Params() {
		if !slices.Equal(get(whole, p.Name), get(single, p.Name)) { // which has whole's parameters
			t.Errorf("%s changed behind a step that failed", p.Name)
		}
	}
}

// TestPooling: the gradient goes to the first of equal maxima.
func TestPooling(t *testing.T) {
	c := need(t)
	for _, l := range []network.Layer{
		{Kind: network.MaxPool, In: network.Shape{H: 4, W: 6, C: 2}, Out: network.Shape{H: 2, W: 3, C: 2}, Kernel: 2, Stride: 2},
		{Kind: network.MaxPool, In: network.Shape{H: 7, W: 5, C: 2}, Out: network.Shape{H: 4, W: 3, C: 2}, Kernel: 3, Stride: 2, Pad: 1},
		{Kind: network.MaxPool, In: network.Shape{H: 6, W: 5, C: 2}, Out: network.Shape{H: 3, W: 3, C: 2}, Kernel: 3, Stride: 2, Pad: 1},
	} {
		const batch = 3
		x, dy := make([]float32, batch*l.In.Len()), make([]float32, batch*l.Out.Len())
		draw := quantize.NewNoise(4).At(0, 0)
		for i := range x {
			x[i] = float32(draw.Bits(i)%3) - 1 // many ties
		}
		for i := range dy {
			dy[i] = float32(1 + i)
		}
		workers, err := kernel.NewWorkers(1, "generic")
		if err != nil {
			t.Fatal(err)
		}
		pool := kernel.NewMaxPool(workers, l.In.H, l.In.W, l.In.C, l.Kernel, l.Stride, l.Pad)
		y, dx := make([]float32, len(dy)), make([]float32, len(x))
		pool.Forward(y, x)
		pool.Backward(dx, dy, x)
		workers.Close()
		args := []argument{{elem: f32, dims: []int{batch, l.In.H, l.In.W, l.In.C}}, {elem: f32, dims: []int{batch, l.Out.H, l.Out.W, l.Out.C}}}
		text := function("pool", args, func(p *program, a []value) []value {
			y, back := (&net{program: p}).layer(l, nil, a[0])
			return []value{y, back(a[1])}
		})
		run := func(text string) (outY, outDx []float32) {
			program, err := c.Compile(text, c.Devices[0])
			if err != nil {
				t.Fatal(err)
			}
			defer program.Destroy()
			in := make([]*pjrt.Buffer, 2)
			for i, data := range [][]float32{x, dy} {
				if in[i], err = pjrt.FromHost(c, c.Devices[0], data, args[i].dims...); err != nil {
					t.Fatal(err)
				}
			}
			out, err := program.Run(in...)
			if err != nil {
				t.Fatal(err)
			}
			defer destroy(append(in, out...)...)
			if outY, err = pjrt.ToHost[float32](out[0]); err != nil {
				t.Fatal(err)
			}
			if outDx, err = pjrt.ToHost[float32](out[1]); err != nil {
				t.Fatal(err)
			}
			return outY, outDx
		}
		if gotY, gotDx := run(text); !slices.Equal(gotY, y) || !slices.Equal(gotDx, dx) {
			t.Errorf("pooling %d/%d of %v: output equal %v, gradient equal %v", l.Kernel, l.Stride, l.In, slices.Equal(gotY, y), slices.Equal(gotDx, dx))
		}
		if _, gotDx := run(strings.ReplaceAll(text, "compare EQ", "compare LE")); slices.Equal(gotDx, dx) {
			t.Error("planted: a gradient to the first pixel of each window was not seen")
		}
	}
}

// TestNotFinite: a step that cannot be taken names the tensor and leaves the state alone.
func TestNotFinite(t *testing.T) {
	need(t)
	m := model(t, small[0])
	e := engine(t, m, hyper(6, quantize.SR))
	randomState(e, quantize.SR, 5)
	x, labels := randomBatch(m, 6, 1)
	x[10] = float32(math.Inf(1))
	before := map[string][]float32{}
	for _, ts := range e.Tensors() {
		before[ts.Name] = get(e, ts.Name)
	}
	_, err := e.Step(x, labels, 0.01, 17)
	var n *network.NonFiniteError
	if !errors.As(err, &n) || n.Step != 17 {
		t.Fatalf("infinite pixel: %v; want a NonFiniteError at step 17", err)
	}
	for _, ts := range e.Tensors() {
		if !slices.Equal(get(e, ts.Name), before[ts.Name]) {
			t.Errorf("%s changed in a step that failed", ts.Name)
		}
	}
	l := e.layout
	if got := l.describe(statusGrad+int32(l.size[stateB]), 2).(*network.NonFiniteError); got.Tensor != "bn_1.gamma" {
		t.Errorf("first gradient behind the binarised ones: %v", got)
	}
	if got := l.describe(statusGrad, 2).(*network.NonFiniteError); got.Tensor != "conv_1.weight" {
		t.Errorf("first gradient: %v", got)
	}
}

// TestCellsSideBySide: runs of one process on one client, and on another one beside it, at the same time, give the bytes that they give one after the other, and
// those of the same net and method share their programs.
func TestCellsSideBySide(t *testing.T) {
	c := need(t)
	other, err := c.Beside()
	if err != nil {
		t.Fatal(err)
	}
	defer other.Destroy()
	var configs []nets.Config
	for _, method := range []string{"sr", "bc"} {
		for seed := uint64(1); seed <= 2; seed++ {
			config, err := nets.Config{Net: "vgg9", Method: method, Data: "textures", Classes: 3, Size: 8, Width: 1. / 16, Depth: 0.5,
				Epochs: 3, Batch: 8, TrainImages: 40, TestImages: 9, Seed: seed}.Resolve()
			if err != nil {
				t.Fatal(err)
			}
			configs = append(configs, config)
		}
	}
	train := func(on *pjrt.Client, config nets.Config, dir string) error {
		_, err := nets.Train(t.Context(), config, nets.Where{Dir: dir, NewEngine: func(m network.Model, h network.Hyper) (network.Engine, error) {
			return New(on, on.Devices[:1], m, h, F32)
		}})
		return err
	}
	alone, together := t.TempDir(), t.TempDir()
	var all errgroup.Group
	for i, config := range configs {
		if err := train(c, config, filepath.Join(alone, fmt.Sprint(i))); err != nil {
			t.Fatal(err)
		}
		on := []*pjrt.Client{c, other, other, c}[i] // each has a run of each method
		all.Go(func() error { return train(on, config, filepath.Join(together, fmt.Sprint(i))) })
	}
	if err := all.Wait(); err != nil {
		t.Fatal(err)
	}
	var results [][]byte
	for i := range configs {
		for _, name := range []string{"result.json", "weights.safetensors"} {
			a, err := os.ReadFile(filepath.Join(alone, fmt.Sprint(i), name))
			if err != nil {
				t.Fatal(err)
			}
			b, err := os.ReadFile(filepath.Join(together, fmt.Sprint(i), name))
			if err != nil {
				t.Fatal(err)
			}
			if !bytes.Equal(a, b) {
				t.Errorf("run %d: %s depends on what runs beside it", i, name)
			}
			if name == "result.json" {
				results = append(results, a)
			}
		}
	}
	if bytes.Equal(results[0], results[1]) {
		t.Error("two seeds give the same result: the comparison sees nothing")
	}
}

// TestDevicesShareTheBatch: steps whose images two devices share agree with one device's, tensor by tensor, for every net and rule, with the
// same random words. A batch norm of each device's own images (here: of a half of the batch) would be seen.
func TestDevicesShareTheBatch(t *testing.T) {
	c := need(t)
	if len(c.Devices) < 2 {
		t.Skip("the plug-in has one device")
	}
	const batch = 6
	specs := small
	if testing.Short() {
		specs = []network.Spec{small[0], small[2]}
	}
	for _, spec := range specs {
		m := model(t, spec)
		x, labels := randomBatch(m, batch, 5)
		for _, rule := range rules {
			t.Run(fmt.Sprintf("%s/%s", spec.Net, rule), func(t *testing.T) {
				one, two := engine(t, m, hyper(batch, rule)), engineOn(t, c.Devices[:2], m, hyper(batch, rule))
				if err := stepsAgree(m, one, two, x, labels, x, labels); err != nil {
					t.Error(err)
				}
				for _, ts := range one.Tensors() { // from the same state
					two.Set(ts.Name, get(one, ts.Name))
				}
				a, err := one.Evaluate(x, labels)
				if err != nil {
					t.Fatal(err)
				}
				if b, err := two.Evaluate(x, labels); err != nil || math.Abs(a.Sum-b.Sum) > tolerance(m)*a.Sum {
					t.Errorf("evaluation: one device %+v, two %+v, %v", a, b, err)
				}
			})
		}
		// What a device would compute that saw only its own half, twice: the other half replaced by it.
		pixels := m.Input.Len()
		half, halfLabels := slices.Repeat(x[:batch/2*pixels], 2), slices.Repeat(labels[:batch/2], 2)
		one, two := engine(t, m, hyper(batch, quantize.Float)), engineOn(t, c.Devices[:2], m, hyper(batch, quantize.Float))
		if stepsAgree(m, one, two, x, labels, half, halfLabels) == nil {
			t.Error("half of the batch agrees with all of it: the comparison sees nothing")
		}
	}
	if _, err := New(c, c.Devices[:2], model(t, small[0]), hyper(7, quantize.SR), F32); err == nil || !strings.Contains(err.Error(), "batch of 7 images cannot be shared equally by 2 devices") {
		t.Errorf("a batch of 7 for 2 devices: %v", err)
	}
}

func engineOn(t testing.TB, devices []pjrt.Device, m network.Model, h network.Hyper) *Engine {
	t.Helper()
	e, err := New(need(t), devices, m, h, F32)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { e.Close() })
	return e
}

// stepsAgree takes a step with each engine, from the same weights, and compares losses, gradients (first moments) and running averages.
func stepsAgree(m network.Model, a, b *Engine, xa []float32, la []int32, xb []float32, lb []int32) error {
	network.Initialise(a, a.hyper.Rule, 3)
	network.Initialise(b, b.hyper.Rule, 3)
	one, err := a.Step(xa, la, 0.01, 1)
	if err != nil {
		return err
	}
	two, err := b.Step(xb, lb, 0.01, 1)
	if err != nil {
		return err
	}
	if !(math.Abs(one.Sum-two.Sum) <= tolerance(m)*one.Sum) || one.Images != two.Images || one.Wrong != two.Wrong {
		return fmt.Errorf("losses %+v and %+v", one, two)
	}
	for _, p := range m.Params() {
		name := p.Name
		if p.Trained() {
			name += network.FirstMoment
		}
		got, want := get(b, name), get(a, name)
		largest := 0.0
		for _, v := range want {
			largest = max(largest, math.Abs(float64(v)))
		}
		for i := range got {
			if d := math.Abs(float64(got[i] - want[i])); !(d <= tolerance(m)*largest) {
				return fmt.Errorf("%s[%d] is %v and %v", name, i, want[i], got[i])
			}
		}
	}
	return nil
}
