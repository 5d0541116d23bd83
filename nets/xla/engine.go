package xla

import (
	"fmt"
	"math"
	"path/filepath"

	"tqn/nets"
	"tqn/nets/network"
	"tqn/pjrt"
)

// Engine is a [network.Engine] whose state lives on a PJRT device. Programs are compiled
// when they are first needed, once for all engines of a client that need the same. An Engine is used by one goroutine, several
// engines by several; Close frees an engine's state and data.
type Engine struct {
	client  *pjrt.Client
	devices []pjrt.Device
	model   network.Model
	hyper   network.Hyper
	options Options
	layout  layout

	state [stateVectors]*pjrt.Buffer
	host  [stateVectors][]float32 // copies of state, nil where the device has moved on

	constants []*pjrt.Buffer // the constantArguments
	step      *pjrt.Executable
	evaluate  *pjrt.Executable
	resident  *resident
}

var _ nets.BlockEngine = (*Engine)(nil)

// New returns an engine with zero state on one device of the client, or on several. Several devices share the images of each
// batch, and New returns an error if the batch cannot be divided evenly among them.
func New(c *pjrt.Client, devices []pjrt.Device, m network.Model, h network.Hyper, precision Precision) (*Engine, error) {
	if h.Batch%len(devices) != 0 {
		return nil, fmt.Errorf("xla: a batch of %d images cannot be shared equally by %d devices", h.Batch, len(devices))
	}
	if h.Partial {
		return nil, fmt.Errorf(`xla: last_batch is "keep"; want "drop": a program is compiled for batches of one size (--engine cpu takes both)`)
	}
	e := &Engine{client: c, devices: devices, model: m, hyper: h, layout: newLayout(m), options: Options{Precision: precision, Devices: len(devices), Kernels: true}}
	narrows, units := e.options.ownLayers(m.Layers, h.Batch)
	e.options.Kernels = narrows+units > 0 && compilesKernels(c, devices[0])
	for i := range e.state {
		e.host[i] = make([]float32, e.layout.size[i])
	}
	k0, k1 := h.Noise.Key()
	var err error
	if e.constants, err = e.upload([]uint32{k0, k1}, []uint32{math.MaxUint32}, []uint64{math.MaxUint64}, e.layout.places()); err != nil {
		e.Close()
		return nil, err
	}
	return e, nil
}

// upload puts slices on the device: those of one element as scalars, others as vectors.
func (e *Engine) upload(data ...any) ([]*pjrt.Buffer, error) {
	var buffers []*pjrt.Buffer
	for _, x := range data {
		var b *pjrt.Buffer
		var err error
		switch x := x.(type) {
		case []uint32:
			b, err = pjrt.Replicate(e.client, e.devices, x, vectorDims(len(x))...)
		case []uint64:
			b, err = pjrt.Replicate(e.client, e.devices, x, vectorDims(len(x))...)
		case []int32:
			b, err = pjrt.Replicate(e.client, e.devices, x, vectorDims(len(x))...)
		case []float64:
			b, err = pjrt.Replicate(e.client, e.devices, x, vectorDims(len(x))...)
		case []float32:
			b, err = pjrt.Replicate(e.client, e.devices, x, vectorDims(len(x))...)
		default:
			panic(fmt.Sprintf("xla: upload of a %T", x))
		}
		if err != nil {
			destroy(buffers...)
			return nil, err
		}
		buffers = append(buffers, b)
	}
	return buffers, nil
}

func vectorDims(n int) []int {
	if n == 1 {
		return nil
	}
	return []int{n}
}

func destroy(buffers ...*pjrt.Buffer) {
	for _, b := range buffers {
		b.Destroy()
	}
}

// Model implements [network.Engine].
func (e *Engine) Model() network.Model { return e.model }

// compilesKernels says whether the client's plug-in compiles kernels of our own for its device. XLA's for NVIDIA's GPUs do.
func compilesKernels(c *pjrt.Client, d pjrt.Device) bool {
	if c.Platform != "cuda" {
		return false
	}
	_, err := c.CompileOnce(kernelProbe(), d)
	return err == nil
}

// kernelProbe is a program of the smallest kernels of two kinds: one multiplies matrices, the other chooses among its arguments.
func kernelProbe() string {
	k := narrow{batch: 1, h: 8, w: 8, in: 16, out: 16, elem: bf16}
	images, weights := argument{elem: bf16, dims: []int{1, 8, 8, 16}}, argument{elem: bf16, dims: []int{16, 3, 3, 16}}
	return function("probe", []argument{images, weights}, func(p *program, a []value) []value {
		y := p.run(k.forward(false), []argument{images}, a...)[0]
		c := cut([]int{y.len(), a[1].len()})
		return p.run(finiteKernel(c, 2), []argument{{elem: f32, dims: []int{c.programs, 1}}}, y, a[1])
	})
}

// ownKernels is what [Engine.Kernel] says where the plug-in compiles kernels of our own for the layers for which there are any.
const ownKernels = " and own kernels"

// Kernel names platform, device, precision and plug-in with its version, and whether kernels of our own compute some layers, for the manifest.
func (e *Engine) Kernel() string {
	kind, own := e.devices[0].Kind, ""
	if e.options.Kernels {
		own = ownKernels
	}
	if len(e.devices) > 1 {
		kind = fmt.Sprintf("%d x %s", len(e.devices), kind)
	}
	return fmt.Sprintf("pjrt %s, %s, %s%s (%s, %s)", e.client.Platform, kind, e.options.Precision, own, filepath.Base(e.client.Plugin.Path), e.client.Plugin.Version())
}

// Tensors implements [network.Engine].
func (e *Engine) Tensors() []network.Tensor { return network.StateTensors(e.model) }

// find locates a state tensor in the host's copy, fetching it if need be. outputs is the number of outputs of a convolution's weights, whose order
// is the device's, and 0 for other tensors.
func (e *Engine) find(name string, n int, caller string) (vector int, part []float32, outputs int) {
	vector, offset, p, ok := e.layout.at(name)
	if !ok || p.Len() != n {
		panic(fmt.Sprintf("xla: Engine.%s: tensor %q of %d values; have %d", caller, name, n, p.Len()))
	}
	if e.host[vector] == nil {
		data, err := pjrt.ToHost[float32](e.state[vector])
		if err != nil {
			panic(fmt.Sprintf("xla: Engine.%s: reading %s: %v", caller, name, err)) // nets.Engine has no error here: the device is lost
		}
		e.host[vector] = data
	}
	if p.Role == network.ConvWeight {
		outputs = p.Shape[len(p.Shape)-1]
	}
	return vector, e.host[vector][offset : offset+n], outputs
}

// Get implements [network.Engine].
func (e *Engine) Get(name string, dst []float32) {
	_, part, outputs := e.find(name, len(dst), "Get")
	if outputs > 0 {
		outputsLast(dst, part, outputs)
	} else {
		copy(dst, part)
	}
}

// Set implements [network.Engine].
func (e *Engine) Set(name string, src []float32) {
	vector, part, outputs := e.find(name, len(src), "Set")
	if outputs > 0 {
		outputsFirst(part, src, outputs)
	} else {
		copy(part, src)
	}
	e.state[vector].Destroy() // the host's copy is now the state, see settle
	e.state[vector] = nil
}

// settle uploads the state vectors that Set has changed in the host's copy.
func (e *Engine) settle() error {
	for i, b := range e.state {
		if b == nil {
			var err error
			if e.state[i], err = pjrt.Replicate(e.client, e.devices, e.host[i], e.layout.size[i]); err != nil {
				return err
			}
		}
	}
	return nil
}

// adopt makes the results of a program the new state. The program was given the old state's memory for them.
func (e *Engine) adopt(results []*pjrt.Buffer) {
	for i := range e.state {
		e.state[i].Destroy()
		e.state[i], e.host[i] = results[i], nil
	}
}

// adamScalars are alpha/(1-beta1^t) and 1/(1-beta2^t) in float32, as kernel.Adam has them.
func adamScalars(alpha float64, t uint64) (scale, c2 float32) {
	return float32(alpha / (1 - math.Pow(network.AdamBeta1, float64(t)))), float32(1 / (1 - math.Pow(network.AdamBeta2, float64(t))))
}

func (e *Engine) compile(program **pjrt.Executable, text func(network.Model, network.Hyper, Options) string) error {
	if *program != nil {
		return nil
	}
	x, err := e.client.CompileOnce(text(e.model, e.hyper, e.options), e.devices...)
	if err != nil {
		return fmt.Errorf("xla: compiling %s: %w", e.model.Name, err)
	}
	*program = x
	return nil
}

// Step implements [network.Engine].
func (e *Engine) Step(x []float32, labels []int32, alpha float64, step uint64) (network.Loss, error) {
	if n := e.hyper.Batch * e.model.Input.Len(); len(x) != n || len(labels) != e.hyper.Batch {
		panic(fmt.Sprintf("xla: Engine.Step: %d values and %d labels; want %d and %d", len(x), len(labels), n, e.hyper.Batch))
	}
	if err := e.compile(&e.step, stepProgram); err != nil {
		return network.Loss{}, err
	}
	if err := e.settle(); err != nil {
		return network.Loss{}, err
	}
	in := e.model.Input
	images, err := pjrt.Replicate(e.client, e.devices, x, e.hyper.Batch, in.H, in.W, in.C)
	if err != nil {
		return network.Loss{}, err
	}
	defer images.Destroy()
	classes, err := pjrt.Replicate(e.client, e.devices, labels, len(labels))
	if err != nil {
		return network.Loss{}, err
	}
	defer classes.Destroy()
	scale, c2 := adamScalars(alpha, step)
	numbers, err := e.upload([]float32{scale}, []float32{c2}, []uint64{step})
	if err != nil {
		return network.Loss{}, err
	}
	defer destroy(numbers...)
	args := append(append(append(append([]*pjrt.Buffer{}, e.state[:]...), images, classes), numbers...), e.constants...)
	results, err := e.step.Run(args...)
	if err != nil {
		return network.Loss{}, err
	}
	e.adopt(results)
	defer destroy(results[stateVectors:]...)
	total, err := pjrt.ToHost[float64](results[stateVectors])
	if err != nil {
		return network.Loss{}, err
	}
	return lossOf(total, e.hyper.Batch), e.layout.describe(int32(total[2]), step)
}

// lossOf reads the first two numbers that every program returns: the sum of losses and the number of wrong images.
func lossOf(numbers []float64, images int) network.Loss {
	return network.Loss{Images: images, Sum: numbers[0], Wrong: int(numbers[1])}
}

// readEvaluation fetches an evaluation's result. A loss that is not finite is an error.
func readEvaluation(numbers *pjrt.Buffer, images int) (network.Loss, error) {
	total, err := pjrt.ToHost[float64](numbers)
	if err != nil {
		return network.Loss{}, err
	}
	loss := lossOf(total, images)
	if math.IsNaN(loss.Sum) || math.IsInf(loss.Sum, 0) {
		return loss, &network.NonFiniteError{What: "loss", Tensor: "the last layer"}
	}
	return loss, nil
}

// Evaluate implements [network.Engine].
func (e *Engine) Evaluate(x []float32, labels []int32) (network.Loss, error) {
	pixels := e.model.Input.Len()
	if len(labels) < 1 || len(labels) > e.hyper.Batch || len(x) != len(labels)*pixels {
		panic(fmt.Sprintf("xla: Engine.Evaluate: %d values and %d labels; want 1 to %d images of %d values", len(x), len(labels), e.hyper.Batch, pixels))
	}
	if err := e.compile(&e.evaluate, evaluateProgram); err != nil {
		return network.Loss{}, err
	}
	if err := e.settle(); err != nil {
		return network.Loss{}, err
	}
	if len(labels) < e.hyper.Batch { // a short batch is filled up with images of label -1, which count nothing
		fullX, full := make([]float32, e.hyper.Batch*pixels), make([]int32, e.hyper.Batch)
		for i := copy(full, labels); i < len(full); i++ {
			full[i] = -1
		}
		copy(fullX, x)
		loss, err := e.evaluateFull(fullX, full)
		loss.Images = len(labels)
		return loss, err
	}
	return e.evaluateFull(x, labels)
}

func (e *Engine) evaluateFull(x []float32, labels []int32) (network.Loss, error) {
	in := e.model.Input
	images, err := pjrt.Replicate(e.client, e.devices, x, e.hyper.Batch, in.H, in.W, in.C)
	if err != nil {
		return network.Loss{}, err
	}
	defer images.Destroy()
	classes, err := pjrt.Replicate(e.client, e.devices, labels, len(labels))
	if err != nil {
		return network.Loss{}, err
	}
	defer classes.Destroy()
	results, err := e.evaluate.Run(e.state[stateB], e.state[stateF], e.state[stateR], images, classes)
	if err != nil {
		return network.Loss{}, err
	}
	defer destroy(results...)
	return readEvaluation(results[0], len(labels))
}

// Close frees memory on the device. A second call does nothing.
func (e *Engine) Close() error {
	destroy(e.state[:]...)
	destroy(e.constants...)
	if e.resident != nil {
		e.resident.destroy()
		e.resident = nil
	}
	return nil
}

// OpenClient finds, loads and starts a PJRT plug-in, see [pjrt.Find], which takes no more of a card than memory allows.
func OpenClient(plugin string, memory pjrt.Memory) (*pjrt.Client, error) {
	path, err := pjrt.Find(plugin)
	if err != nil {
		return nil, err
	}
	p, err := pjrt.Open(path)
	if err != nil {
		return nil, err
	}
	options, err := memory.Options(p)
	if err != nil {
		return nil, err
	}
	return p.NewClient(options)
}
