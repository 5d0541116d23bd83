package xla

import (
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"tqn/nets/network"
	"tqn/quantize"
)

// ownCall is a call of a kernel of our own in a program: which kernel, on which values, and how the values and the results look.
type ownCall struct {
	kernel            string
	ids               []string
	operands, results []value
}

var (
	callsOwn  = regexp.MustCompile(`(?m)^(%\d+:\d+) = stablehlo\.custom_call @` + regexp.QuoteMeta(ownKernel) + `\(([^)]*)\) \{.*? \{name = "(\w+)",.*\} : \((.*)\) -> \((.*)\)$`)
	tensorDim = regexp.MustCompile(`\d+x`)
)

// valuesLike are values of these types, "tensor<2x3xf32>, ...".
func valuesLike(types string) (vs []value) {
	for _, t := range strings.Split(types, ", ") {
		t = strings.TrimSuffix(strings.TrimPrefix(t, "tensor<"), ">")
		v := value{dims: []int{}}
		for _, d := range tensorDim.FindAllString(t, -1) {
			n, _ := strconv.Atoi(strings.TrimSuffix(d, "x"))
			v.dims = append(v.dims, n)
		}
		v.elem = elem(t[strings.LastIndex(t, "x")+1:])
		vs = append(vs, v)
	}
	return vs
}

// definition computes what kernels of our own compute, with the operations of XLA that compute it without such kernels.
type definition struct {
	network.Hyper
	Options
	layout layout
}

// program replaces the kernels that a program calls by functions that are their definition, so that a plug-in without such kernels can run it, after edit has changed the calls. It counts them.
func (d definition) program(text string, edit func(*ownCall)) (defined string, calls int) {
	var functions strings.Builder
	defined = callsOwn.ReplaceAllStringFunc(text, func(line string) string {
		m := callsOwn.FindStringSubmatch(line)
		call := ownCall{m[3], strings.Split(m[2], ", "), valuesLike(m[4]), valuesLike(m[5])}
		edit(&call)
		arguments := make([]argument, len(call.operands))
		for i, v := range call.operands {
			arguments[i] = argument{elem: v.elem, dims: v.dims}
		}
		module := function("own", arguments, func(p *program, a []value) []value {
			n := &net{program: p, hyper: d.Hyper, Options: d.Options, weights: map[string]value{}, gradients: map[string]value{}, computed: map[string]value{}}
			switch {
			case strings.HasPrefix(call.kernel, "narrow_"):
				return n.narrowKernel(call, a)
			case strings.HasPrefix(call.kernel, "pieces_"):
				return n.piecesKernel(call, d.layout, a)
			}
			return n.normKernel(call, a)
		})
		_, body, _ := strings.Cut(module, "@main")
		calls++
		fmt.Fprintf(&functions, "func.func private @own%d%s", calls, strings.ReplaceAll(strings.TrimSuffix(body, "}\n"), " {"+whole+"}", ""))
		return fmt.Sprintf("%s = func.call @own%d(%s) : (%s) -> (%s)", m[1], calls, strings.Join(call.ids, ", "), m[4], m[5])
	})
	return strings.TrimSuffix(defined, "}\n") + functions.String() + "}\n", calls
}

// inParts is a sum as the first of so many parts, of which the others are zeros.
func (n *net) inParts(sum value, parts int) value {
	none := make([]int, len(sum.dims)+1)
	more := slices.Clone(none)
	more[0] = parts - 1
	return n.pad(n.reshape(sum, append([]int{1}, sum.dims...)...), 0, none, more, none)
}

// pixelSums is the sums over all pixels of a and of a times b, as a kernel returns them.
func (n *net) pixelSums(a, b value, parts int) []value {
	total := func(v value) value { return n.inParts(n.reduce("add", v, 0, 0, 1, 2), parts) }
	return []value{total(a), total(n.mul(a, b))}
}

// normOf is the tensor of a batch norm that lies in a vector of the state.
func (n *net) normOf(state, offsets value, tensor, channels int) value {
	return n.dynamicSlice(state, n.number(offsets, tensor, i32), channels)
}

// narrowKernel is the definition of the kernels in narrow.go.
func (n *net) narrowKernel(call ownCall, a []value) []value {
	result := call.results[0].dims
	l := network.Layer{Name: "own", Kernel: 3, Stride: 1, Pad: 1}
	set := func(images value, in, out int) {
		l.In, l.Out = network.Shape{H: images.dims[1], W: images.dims[2], C: in}, network.Shape{H: images.dims[1], W: images.dims[2], C: out}
	}
	switch call.kernel {
	case "narrow_backward":
		dy, w := a[0], a[1]
		set(dy, w.dims[3], w.dims[0])
		n.weights["own.weight"] = w
		_, back := n.conv(l, n.fill(dy.elem, 0, result...))
		return []value{back(dy)}
	case "narrow_weights":
		x, dy := a[0], a[1]
		set(x, x.dims[3], dy.dims[3])
		n.weights["own.weight"] = n.fill(x.elem, 0, result[1:]...)
		_, back := n.conv(l, x)
		back(dy)
		return []value{n.inParts(n.gradients["own.weight"], result[0])}
	}
	x, w := a[0], a[1]
	set(x, w.dims[3], w.dims[0])
	n.weights["own.weight"] = w
	y, _ := n.conv(l, x)
	if call.kernel == "narrow_forward" {
		return []value{y}
	}
	shift := n.normOf(a[2], a[3], offsetMean, w.dims[0])
	shifted := n.sub(n.convert(y, f32), n.broadcast(shift, y.dims, 3))
	return append([]value{y}, n.pixelSums(shifted, shifted, call.results[1].dims[0])...)
}

// piecesKernel is the definition of the kernels in pieces.go.
func (n *net) piecesKernel(call ownCall, l layout, a []value) (results []value) {
	if call.kernel == "pieces_take" {
		n.unpack(l, a[0], a[1], n.fill(f32, 0, l.size[stateR]))
		for _, i := range n.taken(l) {
			results = append(results, n.factor(n.weights[l.params[i].Name]))
		}
		return results
	}
	var flags []value
	for _, g := range a {
		axes := make([]int, len(g.dims))
		for i := range axes {
			axes[i] = i
		}
		wrong := n.reduce("add", n.scale(n.convert(g, f32), 0), 0, axes...)
		flags = append(flags, n.broadcast(wrong, []int{(g.len() + pieceSize - 1) / pieceSize, 1}))
	}
	return []value{n.concat(0, flags...)}
}

// normKernel is the definition of the kernels in norm.go.
func (n *net) normKernel(call ownCall, a []value) []value {
	name, sum := strings.CutSuffix(call.kernel, "_sum")
	name, pool := strings.CutSuffix(name, "_pool")
	at := map[string]int{"norm_gradient_sums": 1, "norm_backward": 1}[name] // of x
	if name == "norm_gradient_sums" && sum {
		at = len(a) - 3
	}
	x := n.convert(a[at], f32)
	channels := x.dims[3]
	pixels := float64(x.len() / channels)
	wide := func(v value) value { return n.broadcast(v, x.dims, 3) }
	added := func(parts value) value { return n.reduce("add", parts, 0, 0) }
	pooling := network.Layer{Kernel: 2, Stride: 2, In: network.Shape{H: x.dims[1], W: x.dims[2], C: channels}, Out: network.Shape{H: x.dims[1] / 2, W: x.dims[2] / 2, C: channels}}
	normalised := func(mean, inverse, parameters, offsets value) (y, factor value) {
		factor = wide(n.mul(n.normOf(parameters, offsets, offsetGamma, channels), inverse))
		return n.add(n.mul(n.sub(x, wide(mean)), factor), wide(n.normOf(parameters, offsets, offsetBeta, channels))), factor
	}
	// through is the gradient of y from that of the result.
	through := func(y, dy value) value {
		z, back := n.relu(y)
		if pool {
			_, backPool := n.maxPool(pooling, z)
			dy = backPool(dy)
		}
		return back(n.convert(dy, f32))
	}
	switch name {
	case "norm_sums":
		shifted := n.sub(x, wide(n.normOf(a[1], a[2], offsetMean, channels)))
		return n.pixelSums(shifted, shifted, call.results[0].dims[0])
	case "norm_forward":
		running, runningVar := n.normOf(a[3], a[5], offsetMean, channels), n.normOf(a[3], a[5], offsetVariance, channels)
		offset := n.scale(added(a[1]), 1/pixels)
		mean := n.add(running, offset)
		variance := n.max(n.sub(n.scale(added(a[2]), 1/pixels), n.mul(offset, offset)), n.like(offset, 0))
		inverse := n.unary("rsqrt", n.addConst(variance, n.hyper.NormEpsilon))
		k, unbiased := n.hyper.NormMomentum, pixels/(pixels-1)
		y, _ := normalised(mean, inverse, a[4], a[5])
		if sum {
			y = n.add(y, n.convert(a[6], f32))
		}
		z, _ := n.relu(y)
		if pool {
			z, _ = n.maxPool(pooling, z)
		}
		return []value{z, mean, inverse, n.add(running, n.scale(offset, k)), n.add(n.scale(runningVar, 1-k), n.scale(variance, k*unbiased))}
	case "norm_gradient_sums":
		if !sum {
			y, _ := normalised(a[2], a[3], a[4], a[5])
			return n.pixelSums(through(y, a[0]), n.sub(x, wide(a[2])), call.results[0].dims[0])
		}
		dy := n.convert(a[0], f32)
		for _, addend := range a[1:at] {
			dy = n.add(dy, n.convert(addend, f32))
		}
		g := n.kept(n.choose(n.compareConst("GT", a[at+2], 0), dy, n.like(dy, 0)))
		return append([]value{g}, n.pixelSums(n.convert(g, f32), n.sub(x, wide(a[at+1])), call.results[1].dims[0])...)
	case "norm_backward":
		y, factor := normalised(a[2], a[3], a[4], a[5])
		g := n.convert(a[0], f32)
		if !sum {
			g = through(y, a[0])
		}
		dbeta, dgamma := added(a[6]), n.mul(added(a[7]), a[3])
		dx := n.sub(n.sub(g, wide(n.scale(dbeta, 1/pixels))), n.mul(n.sub(x, wide(a[2])), wide(n.scale(n.mul(dgamma, a[3]), 1/pixels))))
		return []value{n.kept(n.mul(dx, factor)), dgamma, dbeta}
	}
	panic("no such kernel: " + call.kernel)
}

// definedStep is [stepFromRandom] with a program whose kernels, if it has any, are replaced by their definition. calls is how many there were.
func definedStep(t *testing.T, m network.Model, h network.Hyper, o Options, edit func(*ownCall)) (tensors map[string][]float32, calls int) {
	t.Helper()
	e := engine(t, m, h)
	text, calls := definition{h, Options{Precision: o.Precision, Devices: 1}, newLayout(m)}.program(stepProgram(m, h, o), edit)
	var err error
	if e.step, err = e.client.CompileOnce(text, e.devices...); err != nil {
		t.Fatal(err)
	}
	return stepFromRandom(t, e), calls
}

// stepFromRandom takes a step from a random state and returns, by each parameter's name, its gradient (a tenth of it) or the new running average.
func stepFromRandom(t *testing.T, e *Engine) map[string][]float32 {
	t.Helper()
	m := e.Model()
	randomState(e, quantize.Float, 7)
	for _, p := range m.Params() {
		if p.Trained() {
			e.Set(p.Name+network.FirstMoment, make([]float32, p.Len()))
		}
	}
	x, labels := randomBatch(m, e.hyper.Batch, 3)
	if _, err := e.Step(x, labels, 0.01, 1); err != nil {
		t.Fatal(err)
	}
	tensors := map[string][]float32{}
	for _, p := range m.Params() {
		tensor := p.Name
		if p.Trained() {
			tensor += network.FirstMoment // of zeros before: a tenth of the gradient
		}
		tensors[p.Name] = get(e, tensor)
	}
	return tensors
}

// definedSteps have each kind of unit, both shortcuts, sums that a convolution's kernel makes, and layers that the kernels leave to XLA.
var definedSteps = []struct {
	spec      network.Spec
	precision Precision
	batch     int
	short     bool
}{
	{network.Spec{Net: "vgg9", Input: network.Shape{H: 16, W: 16, C: 3}, Width: 0.25, Depth: 0.5}, TF32, 16, true},
	{network.Spec{Net: "resnet56", Input: network.Shape{H: 16, W: 16, C: 3}, Depth: 1. / 9}, TF32, 19, true},
	{network.Spec{Net: "resnet56", Input: network.Shape{H: 32, W: 32, C: 3}, Depth: 1. / 9}, TF32, 64, false},
	{network.Spec{Net: "resnet18", Input: network.Shape{H: 32, W: 32, C: 3}, Width: 0.25, Depth: 0.5}, F32, 32, false},
	{network.Spec{Net: "vgg9", Input: network.Shape{H: 16, W: 16, C: 3}, Width: 0.25, Depth: 0.5}, BF16, 16, false},
	{network.Spec{Net: "resnet56", Input: network.Shape{H: 16, W: 16, C: 3}, Depth: 1. / 9, Shortcut: "B"}, BF16, 16, false},
}

// intact leaves a program's calls as they are.
func intact(*ownCall) {}

// TestStepWithOwnKernels: a step with kernels of our own, each replaced by its definition, changes the state as a step without them does. So the program gives each kernel the values that it is to get, in their order,
// and uses its results as what they are; that the kernels compute their definition is what the other tests say.
func TestStepWithOwnKernels(t *testing.T) {
	need(t)
	for _, c := range definedSteps {
		if testing.Short() && !c.short {
			continue
		}
		c.spec.Classes = 10
		m, h := model(t, c.spec), hyper(c.batch, quantize.Float)
		exact, _ := definedStep(t, m, h, Options{Precision: F32}, intact)
		without := exact // a CPU has no tf32
		if c.precision == BF16 {
			without, _ = definedStep(t, m, h, Options{Precision: BF16}, intact)
		}
		with, kernels := definedStep(t, m, h, Options{Precision: c.precision, Kernels: true}, intact)
		if kernels == 0 {
			t.Errorf("%+v, %s: no kernels", c.spec, c.precision)
		}
		for name := range exact {
			// The order of sums moves the last bits of float32. bfloat16's roundings come in other places, but add up to an error of the same size.
			if d, limit := distance(with[name], exact[name]), 1e-5+1.5*distance(without[name], exact[name]); !(d <= limit) {
				t.Errorf("%+v, %s: %s differs by %.2g of its norm, want at most %.2g", c.spec, c.precision, name, d, limit)
			}
		}
	}
}

// TestStepWithOwnKernelsDefects: the check of [TestStepWithOwnKernels] sees a kernel that gets another value than it is to get.
func TestStepWithOwnKernelsDefects(t *testing.T) {
	need(t)
	for _, d := range []struct {
		what   string
		step   int // of definedSteps
		kernel string
		to, as int // operand to of the kernel is what operand as is to be
	}{
		{"squares for sums", 0, "norm_forward_pool", 1, 2},
		{"x for the shortcut", 1, "norm_forward_sum", 6, 0},
		{"the first addend twice", 1, "norm_gradient_sums_sum", 1, 0},
	} {
		c := definedSteps[d.step]
		c.spec.Classes = 10
		m, h := model(t, c.spec), hyper(c.batch, quantize.Float)
		exact, _ := definedStep(t, m, h, Options{Precision: F32}, intact)
		changed := 0
		with, _ := definedStep(t, m, h, Options{Precision: c.precision, Kernels: true}, func(call *ownCall) {
			if call.kernel == d.kernel && len(call.ids) >= 5 {
				call.ids[d.to] = call.ids[d.as]
				changed++
			}
		})
		far := 0.0
		for name := range exact {
			far = max(far, distance(with[name], exact[name]))
		}
		if changed == 0 || far < 1e-3 {
			t.Errorf("%s: %d calls changed, but tensors differ by %.2g of their norm at most", d.what, changed, far)
		}
	}
}
