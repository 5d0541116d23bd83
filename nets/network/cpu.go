package network

import (
	"fmt"
	"math"
	"slices"

	"tqn/nets/kernel"
	"tqn/quantize"
)

// CPU is the [Engine] on nets/kernel. Everything is allocated when it is built; a step allocates nothing. Its results are the same
// bits for any number of threads.
//
// A [Plan], made once, says which operation performs which layers. A batch norm also performs the residual addition and the
// ReLU that follow it: a convolution writes y, its batch norm z = relu(norm(y) + residual), and both stay for the backward
// pass, which writes dy over y and needs two buffers besides:
//
//	grad   the gradient of the current activation; every operation turns its output's into its input's
//	held   inside a residual block, the gradient of the sum, which the shortcut will take
type CPU struct {
	model   Model
	hyper   Hyper
	workers *kernel.Workers
	params  []Param
	state   map[string][]float32 // by state tensor name
	tensors []cpuTensor          // trained tensors, in order
	ops     []operation
	stale   bool // weights changed since the convolutions packed them

	n           int       // images in the current batch
	input       []float32 // of the current batch
	logits      []float32 // (Batch, Classes)
	grad, spare []float32
	held        []float32
	third       []float32 // where a fused convolution writes its input's gradient while it reads its output's in grad
}

// cpuTensor is what one trained tensor needs for an update.
type cpuTensor struct {
	Param
	w, grad, m, v []float32
	wb            []float32 // bc's binarised weights; else nil
	conv          *kernel.Conv
}

// operation is one compiled step of the forward pass and its transpose.
type operation interface {
	layer() string
	output() []float32 // of the current batch, for finding what is not finite; nil if it makes none
	forward(train bool)
	backward()
}

var _ Engine = (*CPU)(nil)

// NewCPU plans a model for batches of h.Batch images on the given workers. It is an error if the model has layers in an
// order this engine cannot fuse (every convolution must be followed by a batch norm, every ReLU stand behind a batch norm or a sum).
func NewCPU(m Model, h Hyper, workers *kernel.Workers) (*CPU, error) {
	if h.Batch < 1 {
		return nil, fmt.Errorf("network: NewCPU: batch of %d", h.Batch)
	}
	c := &CPU{model: m, hyper: h, workers: workers, params: m.Params(), state: map[string][]float32{}, stale: true}
	for _, t := range StateTensors(m) {
		c.state[t.Name] = make([]float32, t.Len())
	}
	for _, p := range c.params {
		if !p.Trained() {
			continue
		}
		t := cpuTensor{Param: p, w: c.state[p.Name], grad: make([]float32, p.Len()),
			m: c.state[p.Name+FirstMoment], v: c.state[p.Name+SecondMoment]}
		if p.Binarised() && h.Rule == quantize.BC {
			t.wb = make([]float32, p.Len())
		}
		c.tensors = append(c.tensors, t)
	}
	plan, err := PlanCPU(m, h.Batch, workers, h.NormEpsilon)
	if err != nil {
		return nil, err
	}
	c.build(plan)
	return c, nil
}

// build allocates the plan's buffers and makes an operation of each of its stages.
func (c *CPU) build(plan *Plan) {
	arena := kernel.NewArena(plan.arenaValues())
	values := func(n int) []float32 {
		x := arena[:n:n]
		arena = arena[apart(n):]
		return x
	}
	gradient := func() []float32 { return values(plan.gradientSize()) }
	c.grad, c.spare = gradient(), gradient()
	if slices.Contains(plan.Gradients, "third") {
		c.third = gradient()
	}
	buffers := make([]kernel.Values, len(plan.Buffers))
	for i, b := range plan.Buffers {
		if !b.Unused {
			buffers[i] = plan.values(b, values(plan.size(b)))
		}
	}
	at := func(b int) kernel.Values {
		if b < 0 {
			return kernel.Values{} // operations take none for the batch
		}
		return buffers[b]
	}
	norms, read := map[string]*kernel.BatchNorm{"": nil}, map[string]kernel.Values{} // read: a batch norm's input
	for _, s := range plan.Stages {
		if s.Kind == BatchNorm {
			norms[s.Layer], read[s.Layer] = s.norm, at(s.In)
		}
	}
	for i, s := range plan.Stages {
		switch s.Kind {
		case Conv:
			t := c.trained(s.Layer + ".weight")
			t.conv = s.conv
			op := &convOp{c: c, l: s.layer, conv: s.conv, x: at(s.In), y: at(s.Out), dw: t.grad,
				sums: norms[s.SumsFor].Sums(), xNorm: norms[s.Normalises], before: norms[s.SumsBack], joins: s.Joins != ""}
			if s.joined.Kind == Subsample {
				op.subsampled, op.grid = s.joined.Out, subsampleGrid(s.joined).Inverse()
			}
			if s.Writes != "" {
				op.writes, op.unwritten = norms[s.Writes], read[s.Writes]
				op.writes.LeaveToReader()
			}
			c.ops = append(c.ops, op)
		case Linear:
			t := c.trained(s.Layer + ".weight")
			op := &linearOp{c: c, l: s.layer, linear: kernel.NewLinear(c.workers, plan.Batch, s.layer.In.Len(), s.layer.Out.C),
				x: at(s.In), y: at(s.Out).Float32(nil), w: t.w, dw: t.grad, normed: s.Normed}
			if s.layer.Bias {
				b := c.trained(s.Layer + ".bias")
				op.bias, op.dbias = b.w, b.grad
			}
			c.ops = append(c.ops, op)
		case BatchNorm:
			op := c.newNormOp(s, at)
			if i > 0 {
				if conv, ok := c.ops[i-1].(*convOp); ok {
					op.sums = conv.sums
					if s.FinishedBy != "" {
						conv.norm = op
					}
				}
			}
			c.ops = append(c.ops, op)
		case MaxPool:
			op := &maxPoolOp{c: c, l: s.layer, pool: s.pool, x: newWide(at(s.In)), y: at(s.Out), wideY: newWide(at(s.Out)).floats}
			if plan.rounded(s.In) {
				op.wideX = make([]float32, at(s.In).Len())
			}
			c.ops = append(c.ops, op)
		case GlobalAvgPool:
			c.ops = append(c.ops, &avgPoolOp{c: c, l: s.layer, x: at(s.In), y: at(s.Out).Float32(nil)})
		case Subsample:
			op := newSubsampleOp(c, s.layer, at(s.In), at(s.Out))
			op.joined = s.JoinedBy != ""
			c.ops = append(c.ops, op)
		case Join:
			c.ops = append(c.ops, &joinOp{c, s.layer, at(s.input)})
		case Swap:
			c.ops = append(c.ops, swapOp{c})
		}
		if out := at(s.Out); out.IsFloat32() {
			c.logits = out.Float32(nil) // of the last stage in the end, a linear layer
		}
	}
}

// wide are values that an operation wants as float32.
type wide struct {
	values kernel.Values
	floats []float32 // where there is room for that
}

func newWide(v kernel.Values) wide {
	if v.IsFloat32() {
		return wide{v, v.Float32(nil)}
	}
	return wide{v, make([]float32, v.Len())}
}

// read is the current batch's, nil if they are the images.
func (c *CPU) read(w wide, s Shape) []float32 {
	if w.values.None() {
		return c.input
	}
	return c.activation(w.values, s).Float32(w.floats)
}

func (c *CPU) newNormOp(s Stage, at func(int) kernel.Values) *normOp {
	gamma, beta := c.trained(s.Layer+".gamma"), c.trained(s.Layer+".beta")
	op := &normOp{c: c, l: s.layer, norm: s.norm, y: at(s.In), residual: at(s.Residual), out: s.layer.Out, relu: s.ReLU != "",
		fused: s.FinishedBy != "", gamma: gamma.w, beta: beta.w, dgamma: gamma.grad, dbeta: beta.grad,
		mean: c.state[s.Layer+".mean"], variance: c.state[s.Layer+".variance"]}
	if s.Pool != "" {
		s.norm.SetPool(s.pool)
		op.pooled, op.out = at(s.Out), s.pooling.Out
	} else {
		op.z = at(s.Out)
	}
	return op
}

func (c *CPU) Model() Model      { return c.model }
func (c *CPU) Kernel() string    { return c.workers.Implementation() }
func (c *CPU) Tensors() []Tensor { return StateTensors(c.model) }

func (c *CPU) Get(name string, dst []float32) { copy(dst, c.named("Get", name, len(dst))) }

func (c *CPU) Set(name string, src []float32) {
	copy(c.named("Set", name, len(src)), src)
	c.stale = true
}

func (c *CPU) named(caller, name string, n int) []float32 {
	t, ok := c.state[name]
	if !ok || len(t) != n {
		panic(fmt.Sprintf("network: CPU.%s: tensor %q of %d values; have %d", caller, name, n, len(t)))
	}
	return t
}

// Step implements [Engine].
func (c *CPU) Step(x []float32, labels []int32, alpha float64, step uint64) (Loss, error) {
	if n := len(labels); n != c.hyper.Batch && !(c.hyper.Partial && n >= 2 && n < c.hyper.Batch) {
		panic(fmt.Sprintf("network: CPU.Step: %d labels for batches of %d", len(labels), c.hyper.Batch))
	}
	c.run(x, len(labels), true)
	loss := Loss{Images: len(labels)}
	grad := c.grad[:len(labels)*c.model.Classes]
	loss.Sum, loss.Wrong = kernel.CrossEntropy(grad, c.logits[:len(grad)], labels, c.model.Classes)
	if math.IsNaN(loss.Sum) || math.IsInf(loss.Sum, 0) {
		return loss, &NonFiniteError{What: "loss", Tensor: c.culprit(), Step: step}
	}
	for i := len(c.ops) - 1; i >= 0; i-- {
		c.ops[i].backward()
	}
	for i := len(c.tensors) - 1; i >= 0; i-- { // in the order in which the backward pass made them
		if !c.workers.Finite(c.tensors[i].grad) {
			return loss, c.blame(i, step)
		}
	}
	c.update(alpha, step)
	return loss, nil
}

// update is one step of Adam and the rule for every trained tensor.
func (c *CPU) update(alpha float64, step uint64) {
	adam := kernel.Adam{Alpha: alpha, Beta1: AdamBeta1, Beta2: AdamBeta2, Epsilon: AdamEpsilon, T: step}
	unbounded := quantize.Grid{Delta: 1, Lo: math.Inf(-1), Hi: math.Inf(1)}
	for i := range c.tensors {
		t := &c.tensors[i]
		rule, grid := quantize.Float, unbounded
		if t.Binarised() && c.hyper.Rule != quantize.Float {
			rule, grid = c.hyper.Rule, quantize.Binary()
			if c.hyper.Unclipped {
				rule, grid = quantize.Float, unbounded // what bc stores without its box
			}
		}
		adam.Factor = c.hyper.Scale(t.Param)
		adam.Decay = 0
		if t.Role == ConvWeight || t.Role == LinearWeight {
			adam.Decay = c.hyper.WeightDecay
		}
		c.workers.AdamRule(t.w, t.grad, t.m, t.v, adam, rule, grid, c.hyper.Noise.At(uint32(t.Index), step))
	}
	c.stale = true
}

// Evaluate implements [Engine].
func (c *CPU) Evaluate(x []float32, labels []int32) (Loss, error) {
	if len(labels) < 1 || len(labels) > c.hyper.Batch {
		panic(fmt.Sprintf("network: CPU.Evaluate: %d labels for batches of up to %d", len(labels), c.hyper.Batch))
	}
	c.run(x, len(labels), false)
	loss := Loss{Images: len(labels)}
	loss.Sum, loss.Wrong = kernel.CrossEntropy(nil, c.logits[:len(labels)*c.model.Classes], labels, c.model.Classes)
	if math.IsNaN(loss.Sum) || math.IsInf(loss.Sum, 0) {
		return loss, &NonFiniteError{What: "loss", Tensor: c.culprit()}
	}
	return loss, nil
}

// run is the forward pass.
func (c *CPU) run(x []float32, n int, train bool) {
	if len(x) != n*c.model.Input.Len() {
		panic(fmt.Sprintf("network: CPU: batch of %d values for %d images of %v", len(x), n, c.model.Input))
	}
	c.input, c.n = x, n
	if c.stale {
		c.pack()
		c.stale = false
	}
	for _, op := range c.ops {
		op.forward(train)
	}
}

// pack hands the convolutions the weights the gradient is taken at.
func (c *CPU) pack() {
	for i := range c.tensors {
		t := &c.tensors[i]
		switch {
		case t.conv == nil:
		case t.wb != nil:
			for k, w := range t.w {
				t.wb[k] = signOf(w)
			}
			t.conv.SetWeights(t.wb, true)
		default:
			t.conv.SetWeights(t.w, c.hyper.Rule.Discrete())
		}
	}
}

// signOf is quantize.Read of BC on the binary grid, +1 at 0, without a branch, which random signs would mispredict half the time.
func signOf(w float32) float32 {
	const one, sign = 0x3F800000, 1 << 31
	return math.Float32frombits(math.Float32bits(w+0)&sign | one) // -0 + 0 = +0
}

// blame reports where a gradient that is not finite began: at an activation, whose NaN a ReLU may have cut before the
// loss saw it, or else at tensor i, the first in the backward pass. (The convolutions' outputs hold gradients by now.)
func (c *CPU) blame(i int, step uint64) error {
	if !c.workers.Finite(c.input) {
		return &NonFiniteError{What: "value", Tensor: "the input images", Step: step}
	}
	for _, op := range c.ops {
		if _, norm := op.(*normOp); norm && !c.workers.Finite(op.output()) {
			return &NonFiniteError{What: "output", Tensor: op.layer(), Step: step}
		}
	}
	return &NonFiniteError{What: "gradient", Tensor: c.tensors[i].Name, Step: step}
}

// culprit names the first layer whose output is not finite, or the input.
func (c *CPU) culprit() string {
	if !c.workers.Finite(c.input) {
		return "the input images"
	}
	for _, op := range c.ops {
		if y := op.output(); y != nil && !c.workers.Finite(y) {
			return op.layer()
		}
	}
	return "the loss"
}

func (c *CPU) trained(name string) *cpuTensor {
	for i := range c.tensors {
		if c.tensors[i].Name == name {
			return &c.tensors[i]
		}
	}
	panic("network: CPU: no tensor " + name)
}

// of cuts a gradient, or what else is float32, to the current batch.
func (c *CPU) of(x []float32, s Shape) []float32 { return x[:c.n*s.Len()] }

// activation cuts an activation, or the batch's input if there is none, to the current batch.
func (c *CPU) activation(x kernel.Values, s Shape) kernel.Values {
	if x.None() {
		return kernel.Floats(c.input)
	}
	return x.Of(0, c.n*s.Len())
}

// like is a gradient in memory, of the kind of its activation.
func (c *CPU) like(x kernel.Values, memory []float32, s Shape) kernel.Values {
	return x.Like(memory, c.n*s.Len())
}

// float32s is an activation of the current batch for finding out what went wrong: it may allocate.
func (c *CPU) float32s(x kernel.Values, s Shape) []float32 {
	return c.activation(x, s).Float32(make([]float32, c.n*s.Len()))
}

// convOp computes y = conv(x). In the backward pass the batch norm behind it leaves the gradient of y in y itself.
type convOp struct {
	c    *CPU
	l    Layer
	conv *kernel.Conv
	x, y kernel.Values
	dw   []float32
	sums *kernel.Sums

	norm  *normOp           // the fused batch norm behind, or nil
	xNorm *kernel.BatchNorm // not nil: x is this batch norm's input, still to be normalised

	writes    *kernel.BatchNorm // not nil: x is this batch norm's output, which forward computes of unwritten
	unwritten kernel.Values
	before    *kernel.BatchNorm // not nil: backward makes the sums of its backward pass
	joins     bool              // backward adds the shortcut's gradient, in held
	// Where that is the gradient of a subsampling, its shape and place.
	subsampled Shape
	grid       kernel.Grid
}

func (o *convOp) layer() string     { return o.l.Name }
func (o *convOp) output() []float32 { return o.c.float32s(o.y, o.l.Out) }

func (o *convOp) forward(train bool) {
	sums, x, norm := o.sums, o.x, o.xNorm
	if !train {
		sums = nil
	}
	if o.writes != nil {
		x, norm = o.unwritten, o.writes
	}
	o.conv.ForwardNorm(o.c.activation(o.y, o.l.Out), o.c.activation(x, o.l.In), norm, sums)
}

func (o *convOp) backward() {
	if o.norm != nil {
		o.backwardFused()
		return
	}
	o.gradWeights()
	o.gradInput()
}

// backwardFused reads the gradient of the batch norm's output, in grad or, if the batch norm added a residual, in held. The shortcut's gradient becomes the input's where it lies.
func (o *convOp) backwardFused() {
	c, in := o.c, kernel.Input{Norm: o.xNorm, Before: o.before}
	var dx kernel.Values
	switch {
	case o.x.None(): // the images need no gradient
	case o.grid != (kernel.Grid{}):
		c.grad, c.third = c.third, c.grad
		dx, in.Shortcut, in.Grid = c.like(o.x, c.grad, o.l.In), c.like(o.x, c.held, o.subsampled), o.grid
		defer func() { c.held, c.spare = nil, c.held }()
	case o.joins && o.norm.residual.None():
		dx = c.like(o.x, c.held, o.l.In)
		in.Shortcut = dx
		defer func() { c.grad, c.held, c.spare = c.held, nil, c.grad }()
	case o.joins:
		dx, in.Shortcut = c.like(o.x, c.grad, o.l.In), c.like(o.x, c.held, o.l.In)
		defer func() { c.held, c.spare = nil, c.held }()
	default:
		if o.norm.residual.None() {
			c.grad, c.third = c.third, c.grad
		}
		dx = c.like(o.x, c.grad, o.l.In)
	}
	o.conv.Backward(dx, o.dw, c.activation(o.x, o.l.In), in, o.norm.norm)
}

// gradWeights and gradInput are the two halves of backward where the batch norm behind is not fused; activations are then float32.
func (o *convOp) gradWeights() {
	o.conv.GradWeights(o.dw, o.c.activation(o.x, o.l.In).Float32(nil), o.c.activation(o.y, o.l.Out).Float32(nil))
}

func (o *convOp) gradInput() {
	if !o.x.None() { // the images need no gradient
		o.conv.GradInput(o.c.like(o.x, o.c.grad, o.l.In), o.c.activation(o.y, o.l.Out).Float32(nil))
	}
}

// linearOp computes y = x w + bias. In the backward pass the gradient of y is in y itself if a batch norm follows, else in
// grad.
type linearOp struct {
	c           *CPU
	l           Layer
	linear      *kernel.Linear
	x           kernel.Values
	y           []float32
	w, dw       []float32
	bias, dbias []float32
	normed      bool
}

func (o *linearOp) layer() string     { return o.l.Name }
func (o *linearOp) output() []float32 { return o.c.of(o.y, o.l.Out) }
func (o *linearOp) forward(bool) {
	o.linear.Forward(o.c.of(o.y, o.l.Out), o.c.activation(o.x, o.l.In), o.w, o.bias)
}

func (o *linearOp) backward() {
	dy := o.c.of(o.y, o.l.Out)
	if !o.normed {
		dy = o.c.of(o.c.grad, o.l.Out)
		o.c.grad, o.c.spare = o.c.spare, o.c.grad
	}
	o.linear.GradWeights(o.dw, o.dbias, o.c.activation(o.x, o.l.In), dy)
	if !o.x.None() {
		o.linear.GradInput(o.c.like(o.x, o.c.grad, o.l.In), dy, o.w)
	}
}

// normOp computes z = act(norm(y) + residual), where act is the ReLU that follows or nothing.
type normOp struct {
	c              *CPU
	l              Layer
	norm           *kernel.BatchNorm
	sums           *kernel.Sums
	y, z           kernel.Values // there is no z if its only reader computes it
	residual       kernel.Values // none outside blocks
	fused          bool          // the convolution before finishes the backward pass
	pooled         kernel.Values // what the pooling behind makes of z, if it is done here
	out            Shape         // of z or pooled
	relu           bool
	gamma, beta    []float32
	dgamma, dbeta  []float32
	mean, variance []float32
}

func (o *normOp) layer() string { return o.l.Name }

// output allocates if z is not kept: it is called when something has gone wrong.
func (o *normOp) output() []float32 {
	if !o.z.None() {
		return o.c.float32s(o.z, o.l.Out)
	}
	z := make([]float32, o.c.n*o.l.Out.Len())
	o.norm.Materialise(z, o.c.activation(o.y, o.l.Out))
	return z
}

// kept is z of the current batch, pooled if the pooling is done here, or none.
func (o *normOp) kept() kernel.Values {
	switch {
	case !o.pooled.None():
		return o.c.activation(o.pooled, o.out)
	case o.z.None():
		return kernel.Values{}
	}
	return o.c.activation(o.z, o.l.Out)
}

func (o *normOp) forward(train bool) {
	y, z := o.c.activation(o.y, o.l.Out), o.kept()
	var residual kernel.Values
	if !o.residual.None() {
		residual = o.c.activation(o.residual, o.l.Out)
	}
	if !train {
		o.norm.Eval(z, y, o.mean, o.variance, o.gamma, o.beta, residual, o.relu)
		return
	}
	o.norm.Forward(z, y, o.sums, o.gamma, o.beta, residual, o.relu)
	count := float64(o.c.n * o.l.Out.H * o.l.Out.W)
	unbias := 1.0
	if o.c.hyper.UnbiasedState && count > 1 {
		unbias = count / (count - 1)
	}
	k := o.c.hyper.NormMomentum
	for i := range o.mean {
		o.mean[i] = float32((1-k)*float64(o.mean[i]) + k*o.norm.Mean[i])
		o.variance[i] = float32((1-k)*float64(o.variance[i]) + k*o.norm.Var[i]*unbias)
	}
}

func (o *normOp) backward() {
	dz := o.c.like(o.y, o.c.grad, o.out)
	var dresidual kernel.Values
	if !o.residual.None() {
		dresidual = dz
	}
	if o.fused {
		o.norm.BackwardSums(dresidual, o.dgamma, o.dbeta, dz)
	} else {
		o.norm.Backward(o.c.activation(o.y, o.l.Out), dresidual, o.dgamma, o.dbeta, dz)
	}
	if !o.residual.None() { // grad now holds the gradient of the sum
		o.c.held, o.c.grad, o.c.spare = o.c.grad, o.c.spare, nil
	}
}

// maxPoolOp computes y = maxpool(x).
type maxPoolOp struct {
	c     *CPU
	l     Layer
	pool  *kernel.MaxPool
	x     wide
	y     kernel.Values
	wideY []float32 // y as float32, or its gradient
	wideX []float32 // x's gradient as float32 where that is rounded; else nil
}

func (o *maxPoolOp) layer() string     { return o.l.Name }
func (o *maxPoolOp) output() []float32 { return o.c.float32s(o.y, o.l.Out) }
func (o *maxPoolOp) forward(bool) {
	y := o.c.of(o.wideY, o.l.Out)
	o.pool.Forward(y, o.c.read(o.x, o.l.In))
	if !o.y.IsFloat32() {
		o.c.activation(o.y, o.l.Out).Round(y)
	}
}
func (o *maxPoolOp) backward() {
	x := o.c.input
	if !o.x.values.None() {
		x = o.c.of(o.x.floats, o.l.In)
	}
	dy, memory := o.c.like(o.y, o.c.grad, o.l.Out).Float32(o.wideY), o.c.spare
	if o.wideX != nil {
		memory = o.wideX
	}
	dx := o.c.of(memory, o.l.In)
	o.pool.Backward(dx, dy, x)
	if o.wideX != nil {
		o.c.like(o.x.values, o.c.spare, o.l.In).Round(dx)
	}
	o.c.grad, o.c.spare = o.c.spare, o.c.grad
}

// avgPoolOp computes y, the mean of x over the pixels of each image.
type avgPoolOp struct {
	c *CPU
	l Layer
	x kernel.Values
	y []float32
}

func (o *avgPoolOp) layer() string     { return o.l.Name }
func (o *avgPoolOp) output() []float32 { return o.c.of(o.y, o.l.Out) }
func (o *avgPoolOp) forward(bool) {
	o.c.workers.GlobalAvgPool(o.c.of(o.y, o.l.Out), o.c.activation(o.x, o.l.In), o.l.In.H*o.l.In.W, o.l.In.C)
}
func (o *avgPoolOp) backward() {
	o.c.workers.GlobalAvgPoolBackward(o.c.like(o.x, o.c.spare, o.l.In), o.c.of(o.c.grad, o.l.Out), o.l.In.H*o.l.In.W, o.l.In.C)
	o.c.grad, o.c.spare = o.c.spare, o.c.grad
}

// joinOp stands where a block begins, and so ends its backward pass: the gradient of the block's input is the body's (in
// grad) plus the shortcut's (in held).
type joinOp struct {
	c *CPU
	l Layer
	x kernel.Values // the block's input
}

func (o *joinOp) layer() string     { return o.l.Name }
func (o *joinOp) output() []float32 { return nil }
func (o *joinOp) forward(bool)      {}
func (o *joinOp) backward() {
	o.c.workers.Add(o.c.like(o.x, o.c.grad, o.l.In), o.c.like(o.x, o.c.held, o.l.In))
	o.c.held, o.c.spare = nil, o.c.held
}

// swapOp brackets a projection shortcut, whose backward pass works on held.
type swapOp struct{ c *CPU }

func (o swapOp) layer() string     { return "" }
func (o swapOp) output() []float32 { return nil }
func (o swapOp) forward(bool)      {}
func (o swapOp) backward()         { o.c.grad, o.c.held = o.c.held, o.c.grad }

// subsampleOp is the option-A shortcut, and ends its block's backward pass as joinOp does.
type subsampleOp struct {
	c                  *CPU
	l                  Layer
	x, y               kernel.Values
	copyPart, joinPart func(image, worker int)
	joined             bool // a convolution performs the backward pass
}

// subsampleGrid says where the pixels of a subsampled image lie in it and in the image that it is made of.
func subsampleGrid(l Layer) kernel.Grid {
	return kernel.Grid{Rows: l.Out.H, Columns: l.Out.W, ToRow: l.Out.W * l.Out.C, FromRow: l.Stride * l.In.W * l.In.C, ToStep: l.Out.C, FromStep: l.Stride * l.In.C, N: min(l.In.C, l.Out.C)}
}

func newSubsampleOp(c *CPU, l Layer, x, y kernel.Values) *subsampleOp {
	o := &subsampleOp{c: c, l: l, x: x, y: y} // the appended channels stay zero
	grid := subsampleGrid(l)
	in, out := l.In.Len(), l.Out.Len()
	o.copyPart = func(image, _ int) { grid.Copy(o.y.Of(image*out, (image+1)*out), o.x.Of(image*in, (image+1)*in)) }
	o.joinPart = func(image, _ int) {
		grad, held := c.like(o.x, c.grad, l.In), c.like(o.y, c.held, l.Out)
		c.workers.AddGrid(grad.Of(image*in, (image+1)*in), held.Of(image*out, (image+1)*out), grid.Inverse())
	}
	return o
}

func (o *subsampleOp) layer() string     { return o.l.Name }
func (o *subsampleOp) output() []float32 { return o.c.float32s(o.y, o.l.Out) }
func (o *subsampleOp) forward(bool)      { o.c.workers.Do(o.c.n, o.copyPart) }
func (o *subsampleOp) backward() {
	if o.joined {
		return
	}
	o.c.workers.Do(o.c.n, o.joinPart)
	o.c.held, o.c.spare = nil, o.c.held
}
