package network

import (
	"fmt"
	"slices"
	"strings"

	"tqn/nets/kernel"
)

// Plan says how the CPU engine carries a model out: its stages in the order of the forward pass (the backward pass runs them
// from last to first), which layers each performs, and the buffers that it reads and writes. [PlanCPU] makes it once for a
// model; nothing is decided later.
type Plan struct {
	Batch   int      `json:"batch"`
	Stages  []Stage  `json:"stages"`
	Buffers []Buffer `json:"buffers"`
	// Gradients are the buffers of the backward pass. Each is as large as the largest activation, and all stages share them.
	Gradients []string `json:"gradients"`
	// GradientValues is the number of values in each of them, for one image.
	GradientValues int `json:"gradient_values"`

	workers *kernel.Workers
}

// Buffer is an activation that is kept from the forward to the backward pass.
type Buffer struct {
	Shape  Shape  `json:"shape"`  // of one image
	Writer string `json:"writer"` // the layer that writes it
	// Rounded buffers hold bf16 numbers: at that precision what convolutions write, and what is made of it by batch norms, poolings and shortcuts that subsample, with the gradients of all these.
	Rounded bool `json:"bf16,omitempty"`
	// Unused buffers belong to activations that a fusion has made unnecessary: they are not allocated.
	Unused bool `json:"unused,omitempty"`
}

// What a stage's In, Out or Residual is if it is no buffer.
const (
	TheBatch = -1 // the images of the batch
	Nothing  = -2
)

// The kinds of stages that are no kinds of layers.
const (
	Join Kind = "join" // where a residual block begins: the backward pass adds the shortcut's gradient to the body's
	Swap Kind = "swap" // before and behind a projection, whose backward pass works on the gradient that is held for the shortcut
)

// Stage is one step of the forward pass together with its transpose in the backward pass.
type Stage struct {
	Kind     Kind   `json:"kind"`
	Layer    string `json:"layer"`
	In       int    `json:"in"`       // buffer read
	Out      int    `json:"out"`      // buffer written; Nothing if every reader computes the values itself
	Residual int    `json:"residual"` // BatchNorm: the buffer that is added to the normalised values

	// Of a convolution and the batch norm behind it:
	SumsFor      string `json:"sums_for,omitempty"`      // Conv: the batch norm whose sums are made while the outputs are in cache
	BackwardOf   string `json:"backward_of,omitempty"`   // Conv: the batch norm whose backward pass is finished image by image, in cache
	FinishedBy   string `json:"finished_by,omitempty"`   // BatchNorm: the convolution that does so
	Normalises   string `json:"normalises,omitempty"`    // Conv: the batch norm before it, applied to the input where it is read, in both passes
	NormalisedBy string `json:"normalised_by,omitempty"` // BatchNorm: the convolution that does so

	Writes    string `json:"writes,omitempty"`     // Conv: the batch norm before it whose output it computes, reads and writes, image by image
	WrittenBy string `json:"written_by,omitempty"` // BatchNorm: the convolution that does so
	Joins     string `json:"joins,omitempty"`      // Conv: the block or subsampling whose shortcut's gradient it adds to its input's while that is in cache: no stage joins them
	JoinedBy  string `json:"joined_by,omitempty"`  // Subsample: the convolution that does so
	SumsBack  string `json:"sums_back,omitempty"`  // Conv: the batch norm before it, the sums of whose backward pass it makes at that moment

	ReLU string `json:"relu,omitempty"` // BatchNorm: the ReLU that is performed with it
	Sum  string `json:"sum,omitempty"`  // BatchNorm: the block whose sum is performed with it
	Pool string `json:"pool,omitempty"` // BatchNorm: the pooling that is performed with it, in both passes

	Normed bool `json:"-"` // Linear: a batch norm follows, and leaves the gradient in this stage's Out

	input          int   // Join: the buffer of the block's input
	joined         Layer // Conv: the subsampling that it joins
	layer, pooling Layer
	conv           *kernel.Conv
	norm           *kernel.BatchNorm
	pool           *kernel.MaxPool
}

// PlanCPU plans a model for batches of that many images on the given workers. It is an error if the model has layers in an
// order that the engine cannot carry out: behind every convolution stands a batch norm, and every ReLU stands behind a
// batch norm or a sum.
func PlanCPU(m Model, batch int, workers *kernel.Workers, normEpsilon float64) (*Plan, error) {
	p := &planner{plan: &Plan{Batch: batch, Gradients: []string{"grad", "spare"}, workers: workers}, workers: workers, epsilon: normEpsilon}
	m.Each(func(l Layer) { p.plan.GradientValues = max(p.plan.GradientValues, l.Out.Len()) })
	if _, err := p.layers(m.Layers, TheBatch, Nothing, Layer{}, ""); err != nil {
		return nil, err
	}
	p.fuse()
	return p.plan, nil
}

// planner appends stages.
type planner struct {
	plan    *Plan
	workers *kernel.Workers
	epsilon float64
}

func (p *planner) add(s Stage, l Layer) {
	s.Kind, s.Layer, s.layer = first(s.Kind, l.Kind), l.Name, l
	p.plan.Stages = append(p.plan.Stages, s)
}

func first(a, b Kind) Kind {
	if a != "" {
		return a
	}
	return b
}

func (p *planner) buffer(l Layer, rounded bool) int {
	p.plan.Buffers = append(p.plan.Buffers, Buffer{Shape: l.Out, Writer: l.Name, Rounded: rounded})
	return len(p.plan.Buffers) - 1
}

// layers plans a chain of layers that reads the buffer x, and returns the buffer of its output. If residual is a buffer, the
// chain is the body of a block: its last batch norm adds that buffer and performs the ReLU of that name behind the sum, if any.
func (p *planner) layers(layers []Layer, x, residual int, block Layer, reluBehind string) (int, error) {
	for i := 0; i < len(layers); i++ {
		l := layers[i]
		next := func(k Kind) bool { return i+1 < len(layers) && layers[i+1].Kind == k }
		switch l.Kind {
		case Conv:
			if l.Kernel%2 == 0 || l.Pad != l.Kernel/2 || !next(BatchNorm) {
				return 0, fmt.Errorf("network: NewCPU: %s: want an odd kernel, padding kernel/2 and a batch norm behind it", l.Name)
			}
			y := p.buffer(l, p.workers.Precision() == kernel.BF16)
			p.add(Stage{In: x, Out: y, Residual: Nothing, SumsFor: layers[i+1].Name, conv: kernel.NewConv(p.workers, kernel.ConvShape{
				N: p.plan.Batch, H: l.In.H, W: l.In.W, C: l.In.C, K: l.Out.C, Side: l.Kernel, Stride: l.Stride})}, l)
			x = y
		case Linear:
			y := p.buffer(l, false)
			p.add(Stage{In: x, Out: y, Residual: Nothing, Normed: next(BatchNorm)}, l)
			x = y
		case BatchNorm:
			if i == 0 || layers[i-1].Kind != Conv && layers[i-1].Kind != Linear {
				return 0, fmt.Errorf("network: NewCPU: %s: want a convolution or linear layer before it", l.Name)
			}
			z := p.buffer(l, p.plan.rounded(x))
			s := Stage{In: x, Out: z, Residual: Nothing,
				norm: kernel.NewBatchNorm(p.workers, p.plan.Batch, l.Out.H*l.Out.W, l.Out.C, p.epsilon)}
			if i == len(layers)-1 && residual != Nothing {
				s.Residual, s.Sum, s.ReLU = residual, block.Name, reluBehind
			} else if next(ReLU) {
				s.ReLU = layers[i+1].Name
				i++
			}
			p.add(s, l)
			x = z
		case MaxPool, GlobalAvgPool:
			if residual != Nothing {
				return 0, fmt.Errorf("network: NewCPU: %s: pooling inside a residual block", l.Name)
			}
			y := p.buffer(l, l.Kind == MaxPool && p.plan.rounded(x))
			s := Stage{In: x, Out: y, Residual: Nothing}
			if l.Kind == MaxPool {
				s.pool = kernel.NewMaxPool(p.workers, l.In.H, l.In.W, l.In.C, l.Kernel, l.Stride, l.Pad)
			}
			p.add(s, l)
			x = y
		case Residual:
			relu := ""
			if next(ReLU) {
				relu = layers[i+1].Name
				i++
			}
			var err error
			if x, err = p.block(l, x, residual != Nothing, relu); err != nil {
				return 0, err
			}
		default:
			return 0, fmt.Errorf("network: NewCPU: %s: a %s layer cannot stand here", l.Name, l.Kind)
		}
	}
	return x, nil
}

// block plans a residual block and the ReLU behind it. In the backward pass the body's last batch norm leaves the gradient of
// the sum in the buffer held; when the body is done, the shortcut turns held into a share of the input's gradient.
func (p *planner) block(l Layer, x int, nested bool, relu string) (int, error) {
	if x == TheBatch || nested || len(l.Body) < 2 || l.Body[len(l.Body)-1].Kind != BatchNorm {
		return 0, fmt.Errorf("network: NewCPU: %s: want a body that ends in a batch norm, not first and not inside another block", l.Name)
	}
	if !slices.Contains(p.plan.Gradients, "held") {
		p.plan.Gradients = append(p.plan.Gradients, "held")
	}
	none := Stage{In: Nothing, Out: Nothing, Residual: Nothing}
	kind := func(k Kind) Stage { s := none; s.Kind, s.input = k, x; return s }
	shortcut := x
	switch {
	case len(l.Shortcut) == 0:
		p.add(kind(Join), l)
	case l.Shortcut[0].Kind == Subsample && len(l.Shortcut) == 1:
		shortcut = p.buffer(l.Shortcut[0], p.plan.rounded(x))
		p.add(Stage{In: x, Out: shortcut, Residual: Nothing}, l.Shortcut[0])
	default:
		p.add(kind(Join), l)
		p.add(kind(Swap), l)
		var err error
		if shortcut, err = p.layers(l.Shortcut, x, Nothing, Layer{}, ""); err != nil {
			return 0, err
		}
		p.add(kind(Swap), l)
	}
	return p.layers(l.Body, x, shortcut, l, relu)
}

// fuse lets convolutions perform parts of the batch norms around them where the kernels can.
//
// Behind a convolution: the batch norm's backward pass stops at its sums, and the convolution computes the gradient of its
// outputs from them image by image, in cache; the outputs stay as they are. Before a convolution: if nothing else reads
// a batch norm's output, it is not written, but computed where the convolution reads it, in both passes; the same with a
// pooling. An operation between the two would be a second reader, hence only neighbours are looked at.
func (p *planner) fuse() {
	for i := 1; i < len(p.plan.Stages); i++ {
		conv, norm := &p.plan.Stages[i-1], &p.plan.Stages[i]
		if norm.Kind != BatchNorm || conv.Kind != Conv || !conv.conv.FusesBackward() {
			continue
		}
		norm.FinishedBy, conv.BackwardOf = conv.Layer, norm.Layer
		if !slices.Contains(p.plan.Gradients, "third") {
			p.plan.Gradients = append(p.plan.Gradients, "third")
		}
		if i+1 == len(p.plan.Stages) || norm.Residual != Nothing {
			continue
		}
		next := &p.plan.Stages[i+1]
		if next.In != norm.Out {
			continue
		}
		switch {
		case next.Kind == Conv && next.conv.FusesForward() && next.conv.FusesBackward():
			p.plan.Buffers[norm.Out].Unused = true
			next.Normalises, norm.NormalisedBy = norm.Layer, next.Layer
			next.In, norm.Out = norm.In, Nothing
		case next.Kind == MaxPool && norm.norm.FusesPool(next.pool):
			p.plan.Buffers[norm.Out].Unused = true
			norm.Pool, norm.pool, norm.pooling, norm.Out = next.Layer, next.pool, next.layer, next.Out
			p.plan.Stages = slices.Delete(p.plan.Stages, i+1, i+2)
		}
	}
	p.fuseInputs()
}

// fuseInputs lets a convolution do what is to be done about its input while an image of it is in cache. If the batch norm right before it made the input and others read that
// too, the convolution computes, reads and writes it. In the backward pass it adds the gradient of a shortcut around it; if its input's gradient is then complete, it also makes
// the sums of that batch norm's backward pass.
func (p *planner) fuseInputs() {
	for i := 1; i < len(p.plan.Stages); i++ {
		join, conv := &p.plan.Stages[i-1], &p.plan.Stages[i]
		if join.Kind == Join && conv.BackwardOf != "" {
			conv.Joins = join.Layer
			p.plan.Stages = slices.Delete(p.plan.Stages, i-1, i)
		}
	}
	p.fuseSubsampling()
	for i := 1; i < len(p.plan.Stages); i++ {
		norm, conv := &p.plan.Stages[i-1], &p.plan.Stages[i]
		if norm.Kind != BatchNorm || norm.Pool != "" || conv.Kind != Conv || conv.Normalises == "" && conv.In != norm.Out {
			continue
		}
		if conv.BackwardOf != "" {
			conv.SumsBack = norm.Layer
		}
		if conv.Normalises == "" && conv.conv.FusesForward() {
			conv.Writes, norm.WrittenBy = norm.Layer, conv.Layer
		}
	}
}

// fuseSubsampling lets the convolution at the beginning of a block add the gradient of an option-A shortcut, too. The shortcut is subsampled once the convolution and its batch norm are done, so that the
// convolution stands right behind the batch norm that makes the input of both.
func (p *planner) fuseSubsampling() {
	stages := p.plan.Stages
	for i := 0; i+2 < len(stages); i++ {
		subsample, conv, norm := &stages[i], &stages[i+1], &stages[i+2]
		if subsample.Kind != Subsample || conv.BackwardOf != norm.Layer || conv.In != subsample.In || norm.Residual != Nothing {
			continue
		}
		conv.Joins, conv.joined, subsample.JoinedBy = subsample.Layer, subsample.layer, conv.Layer
		stages[i], stages[i+1], stages[i+2] = *conv, *norm, *subsample
		i += 2
	}
}

// Does says in words what a stage performs besides the layer that it is named after.
func (s Stage) Does() string {
	var parts []string
	say := func(what, format string) {
		if what != "" {
			parts = append(parts, fmt.Sprintf(format, what))
		}
	}
	say(s.Normalises, "applies %s to its input as it reads it")
	say(s.Writes, "computes the output of %s as it reads it, and writes it")
	say(s.SumsFor, "sums its output for %s")
	say(s.BackwardOf, "finishes the backward pass of %s")
	say(s.Joins, "adds the gradient of %s's shortcut, held, to its input's")
	say(s.SumsBack, "makes the sums of the backward pass of %s")
	say(s.Sum, "the sum of %s")
	say(s.ReLU, "%s")
	say(s.Pool, "%s")
	say(s.NormalisedBy, "writes nothing: %s computes it")
	say(s.WrittenBy, "leaves its output to %s")
	say(s.JoinedBy, "leaves its backward pass to %s")
	say(s.FinishedBy, "leaves the end of its backward pass to %s")
	switch s.Kind {
	case Join:
		parts = append(parts, "backward only: adds the gradient of the shortcut, held, to the body's")
	case Swap:
		parts = append(parts, "backward only: exchanges grad and held")
	case Subsample:
		if s.JoinedBy == "" {
			parts = append(parts, "backward: adds its share of held to grad")
		}
	}
	return strings.Join(parts, "; ")
}

// BufferName is how a plan is read: b0, b1, ..., "batch" for the images and "-" for nothing.
func BufferName(b int) string {
	switch b {
	case TheBatch:
		return "batch"
	case Nothing:
		return "-"
	}
	return fmt.Sprintf("b%d", b)
}

// Bytes is the memory of the plan's activations and gradients.
func (p *Plan) Bytes() int64 {
	total := int64(0)
	for _, n := range p.arrays() {
		total += 4 * int64(n)
	}
	return total
}

// arrays are the sizes of the plan's gradients and buffers, in float32.
func (p *Plan) arrays() (sizes []int) {
	for _, g := range p.Gradients {
		if g != "held" { // the name of whichever of the others holds the shortcut's gradient: no memory of its own
			sizes = append(sizes, p.gradientSize())
		}
	}
	for _, b := range p.Buffers {
		if !b.Unused {
			sizes = append(sizes, p.size(b))
		}
	}
	return sizes
}

// gradientSize is how many float32 the memory of a gradient of any buffer has room for.
func (p *Plan) gradientSize() (size int) {
	for _, b := range p.Buffers {
		size = max(size, p.size(b))
	}
	return size
}

// rounded says of which kind a buffer is.
func (p *Plan) rounded(buffer int) bool { return buffer >= 0 && p.Buffers[buffer].Rounded }

// size is how many float32 the memory of a buffer has room for.
func (p *Plan) size(b Buffer) int {
	n := p.Batch * b.Shape.Len()
	if b.Rounded {
		return p.workers.RoundedSize(n)
	}
	return n
}

// values are a buffer's in memory of that size.
func (p *Plan) values(b Buffer, memory []float32) kernel.Values {
	if b.Rounded {
		return p.workers.Rounded(memory, p.Batch*b.Shape.Len())
	}
	return kernel.Floats(memory)
}

// apart is where the next array begins behind one of n float32: on a page, and so that the same image of arrays of the same size does not fall into the same sets of the caches.
func apart(n int) int { return (n+1023)/1024*1024 + 5*1024 }

// arenaValues is the size of what holds them all.
func (p *Plan) arenaValues() (n int) {
	for _, size := range p.arrays() {
		n += apart(size)
	}
	return n
}
