package xla

import (
	"fmt"

	"tqn/nets/network"
	"tqn/quantize"
)

// The state on the device is seven vectors: the binarised weights with Adam's two moments, the other trained parameters with
// theirs, and batch norm's running averages. Each is the concatenation of the model's tensors in the order of
// [network.Model.Params], so that one update serves all tensors, whatever their number.
//
// Within a convolution's weights the output channel comes first, as the libraries of GPUs want it: (O, K, K, I) instead of the (K, K, I, O)
// of package network. The gradient, the moments and the weights that the convolution reads then lie in one order, and no tensor is
// transposed in a step. [Engine.Get] and [Engine.Set] transpose.
const (
	stateB = iota // binarised weights
	stateBm
	stateBv
	stateF // other trained parameters
	stateFm
	stateFv
	stateR // running averages
	stateVectors
)

// layout says where in the state vectors each tensor lies.
type layout struct {
	params []network.Param
	vector []int // of params[i]: stateB, stateF or stateR
	offset []int
	size   [stateVectors]int
}

func newLayout(m network.Model) layout {
	l := layout{params: m.Params()}
	for _, p := range l.params {
		v := stateF
		switch {
		case !p.Trained():
			v = stateR
		case p.Binarised():
			v = stateB
		}
		l.vector, l.offset = append(l.vector, v), append(l.offset, l.size[v])
		l.size[v] += p.Len()
	}
	l.size[stateBm], l.size[stateBv] = l.size[stateB], l.size[stateB]
	l.size[stateFm], l.size[stateFv] = l.size[stateF], l.size[stateF]
	if l.size[stateB] == 0 || l.size[stateF] == 0 || l.size[stateR] == 0 {
		panic("xla: a model without convolution, batch norm or linear layer")
	}
	return l
}

// outputsFirst copies a convolution's weights from the order (K, K, I, O) to (O, K, K, I), and outputsLast copies them back.
func outputsFirst(dst, src []float32, outputs int) { transpose(dst, src, len(src)/outputs, outputs) }
func outputsLast(dst, src []float32, outputs int)  { transpose(dst, src, outputs, len(src)/outputs) }

// transpose writes the rows x columns matrix src as its transpose to dst.
func transpose(dst, src []float32, rows, columns int) {
	for i := range rows {
		for j, v := range src[i*columns : (i+1)*columns] {
			dst[j*rows+i] = v
		}
	}
}

// places says which random word belongs to each binarised weight on the device: the tensor's stream in the high 32 bits, and below it the
// weight's index in the order of package network, which numbers the words.
func (l layout) places() []uint64 {
	places := make([]uint64, l.size[stateB])
	for i, p := range l.params {
		if l.vector[i] != stateB {
			continue
		}
		outputs := p.Shape[len(p.Shape)-1]
		terms := p.Len() / outputs
		for j := range p.Len() {
			places[l.offset[i]+j] = uint64(p.Index)<<32 | uint64(j%terms*outputs+j/terms)
		}
	}
	return places
}

// at returns the vector that holds a state tensor, the tensor's offset in it, and the parameter it belongs to.
func (l layout) at(name string) (vector, offset int, p network.Param, ok bool) {
	for i, p := range l.params {
		switch name {
		case p.Name:
			return l.vector[i], l.offset[i], p, true
		case p.Name + network.FirstMoment:
			return l.vector[i] + 1, l.offset[i], p, p.Trained()
		case p.Name + network.SecondMoment:
			return l.vector[i] + 2, l.offset[i], p, p.Trained()
		}
	}
	return 0, 0, network.Param{}, false
}

// dims is a parameter's shape on the device.
func dims(p network.Param) []int {
	if p.Role == network.ConvWeight {
		return []int{p.Shape[3], p.Shape[0], p.Shape[1], p.Shape[2]}
	}
	return p.Shape
}

// unpack cuts the parameters out of the state vectors, convolution weights as the
// rule reads them.
func (n *net) unpack(l layout, b, f, r value) {
	n.weights, n.averages, n.gradients, n.sums = map[string]value{}, map[string]value{}, map[string]value{}, map[string][2]value{}
	n.addends, n.offsets, n.parameters, n.running, n.computed = map[string][]value{}, map[string]int{}, f, r, map[string]value{}
	from := map[int]value{stateB: n.read(b), stateF: f, stateR: r}
	for i, p := range l.params {
		n.offsets[p.Name] = l.offset[i]
		n.weights[p.Name] = n.reshape(n.sliceAxis(from[l.vector[i]], 0, l.offset[i], l.offset[i]+p.Len(), 1), dims(p)...)
	}
	if n.train && n.own() {
		n.take(l, b, f)
	}
}

// pack concatenates the tensors of one vector in their order.
func (n *net) pack(l layout, vector int, tensors map[string]value) value {
	var parts []value
	for i, p := range l.params {
		if l.vector[i] == vector {
			v, ok := tensors[p.Name]
			if !ok {
				panic("xla: no value for " + p.Name)
			}
			parts = append(parts, n.reshape(v, p.Len()))
		}
	}
	return n.concat(0, parts...)
}

// scalars are the inputs of a step other than state, images and labels.
type scalars struct {
	scale, c2            value    // f32: alpha/(1-beta1^t), 1/(1-beta2^t), as kernel.Adam computes them
	stepLow, stepHigh    value    // ui32: the step's number t
	key                  [2]value // ui32: of the rule's noise
	allOnes32, allOnes64 value    // ui32, ui64: all bits set, see exact
	places               value    // ui64: which random word is whose, see layout.places
}

// The status of a step.
const (
	statusFine = 0
	statusLoss = 1 // the loss is not finite
	statusGrad = 2 // plus the index of the first gradient that is not finite, in B then F
)

// trainStep emits one step on a batch: the new state, the sum of losses (f64), the number
// of wrong images (i32) and the status (i32), which is the earlier one unless that is fine. If
// the status is not fine, the new state is the old one.
func (n *net) trainStep(m network.Model, l layout, state []value, x, labels, earlier value, s scalars) (newState []value, loss, wrong, status value) {
	n.train = true
	n.unpack(l, state[stateB], state[stateF], state[stateR])
	logits, backward := n.forward(m.Layers, x)
	loss, wrong, gradient := n.crossEntropy(logits, labels)
	backward(gradient)
	gB, gF := n.pack(l, stateB, n.gradients), n.pack(l, stateF, n.gradients)

	status = n.choose(n.isFinite(loss), n.constant(i32, statusFine), n.constant(i32, statusLoss))
	const none = 1<<31 - 1
	var first value
	if n.own() {
		first = n.firstNotFinite(l, none)
	} else {
		all := n.concat(0, gB, gF)
		first = n.reduce("minimum", n.choose(n.isFinite(all), n.like(n.iota(i32, 0, all.dims...), none), n.iota(i32, 0, all.dims...)), none, 0)
	}
	badGradient := n.compareConst("NE", first, none)
	status = n.choose(n.and(badGradient, n.compareConst("EQ", status, statusFine)), n.addConst(first, statusGrad), status)
	status = n.choose(n.compareConst("EQ", earlier, statusFine), status, earlier)
	fine := n.compareConst("EQ", status, statusFine)

	newState = n.update(l, state, gB, gF, s)
	newState[stateR] = n.pack(l, stateR, n.averages)
	for i := range newState {
		newState[i] = n.choose(fine, newState[i], state[i])
	}
	return newState, loss, wrong, status
}

// update takes Adam's step with gradients gB and gF and applies the rule; the running averages
// are left as they were.
func (n *net) update(l layout, state []value, gB, gF value, s scalars) []value {
	updated := append([]value{}, state...)
	var step value
	updated[stateBm], updated[stateBv], step = n.adam(n.decayed(l, stateB, gB, state[stateB], s), state[stateBm], state[stateBv], n.factors(l), s)
	updated[stateB] = n.rule(l, state[stateB], step, s)
	updated[stateFm], updated[stateFv], step = n.adam(n.decayed(l, stateF, gF, state[stateF], s), state[stateFm], state[stateFv], nil, s)
	updated[stateF] = n.sub(state[stateF], step)
	return updated
}

// isFinite emits, for each entry of a, whether it is finite.
func (p *program) isFinite(a value) value {
	return p.emit(i1, a.dims, "stablehlo.is_finite %s : (%s) -> %s", a.id, a.tensor(), tensorOf(i1, a.dims))
}

// exact keeps the compiler from fusing a with the operation that uses it: where it turns x*y+z into a fused multiply-add,
// the result is rounded once, and the CPU engine rounds it twice. exact takes the bits of a through an AND with a word of
// ones. That word is an argument of the program, so the compiler cannot see that the AND changes nothing.
func (p *program) exact(a value, s scalars) value {
	word, ones := ui32, s.allOnes32
	if a.elem == f64 {
		word, ones = ui64, s.allOnes64
	}
	return p.bitcast(p.and(p.bitcast(a, word), p.broadcast(ones, a.dims)), a.elem)
}

// decayed adds the L2 term to the gradients of convolution and linear weights.
func (n *net) decayed(l layout, vector int, g, w value, s scalars) value {
	if n.hyper.WeightDecay == 0 {
		return g
	}
	var factors []value
	for i, p := range l.params {
		if l.vector[i] == vector {
			decay := 0.0
			if p.Role == network.ConvWeight || p.Role == network.LinearWeight {
				decay = n.hyper.WeightDecay
			}
			factors = append(factors, n.fill(f32, decay, p.Len()))
		}
	}
	return n.add(g, n.exact(n.mul(n.concat(0, factors...), w), s))
}

// factors are the factors of the binarised weights' steps, nil if all are 1.
func (n *net) factors(l layout) *value {
	if !n.hyper.FanScale || n.hyper.Rule != quantize.BC {
		return nil
	}
	var all []value
	for i, p := range l.params {
		if l.vector[i] == stateB {
			all = append(all, n.fill(f32, float64(float32(n.hyper.Scale(p))), p.Len()))
		}
	}
	v := n.concat(0, all...)
	return &v
}

// adam is kernel.Adam, the same operations in the same order, each rounded to float32:
//
//	m <- b1 m + (1-b1) g,  v <- b2 v + (1-b2) g^2,  step = scale*m / (sqrt(c2*v) + eps)
//
// The root and the quotient are taken in float64 and then rounded, which gives the correctly
// rounded float32 result (53 >= 2*24+2 bits); float32 division and root on GPUs may be approximate.
//
// factors, if there are any, multiply the step: kernel.Adam's Factor.
func (n *net) adam(g, m, v value, factors *value, s scalars) (newM, newV, step value) {
	times := func(c float64, a value) value { return n.exact(n.scale(a, c), s) }
	newM = n.add(times(network.AdamBeta1, m), times(1-network.AdamBeta1, g))
	newV = n.add(times(network.AdamBeta2, v), times(1-network.AdamBeta2, n.exact(n.mul(g, g), s)))
	scale := n.broadcast(s.scale, m.dims)
	if factors != nil {
		scale = n.exact(n.mul(scale, *factors), s)
	}
	scaled := n.exact(n.mul(scale, newM), s)
	under := n.exact(n.mul(newV, n.broadcast(s.c2, v.dims)), s)
	root := n.convert(n.exact(n.unary("sqrt", n.convert(under, f64)), s), f32)
	quotient := n.div(n.convert(scaled, f64), n.convert(n.addConst(root, network.AdamEpsilon), f64))
	return newM, newV, n.convert(n.exact(quotient, s), f32)
}

// rule stores binarised weights, [quantize.Update] on the grid {-1,+1} for float32.
func (n *net) rule(l layout, w, step value, s scalars) value {
	switch n.hyper.Rule {
	case quantize.Float:
		return n.sub(w, step)
	case quantize.BC:
		if n.hyper.Unclipped {
			return n.sub(w, step)
		}
		return n.min(n.max(n.sub(w, step), n.like(w, -1)), n.like(w, 1))
	case quantize.R:
		return n.sign(n.sub(w, step))
	case quantize.SR:
		// The displacement towards the other point; it is reached with probability
		// inward/2, certainly from 2 on: word < floor(inward/2 * 2^32).
		inward := n.choose(n.compareConst("GE", w, 0), step, n.unary("negate", step))
		threshold := n.convert(n.scale(n.min(n.max(inward, n.like(inward, 0)), n.like(inward, 1.9999998807907104)), 0x1p31), ui32)
		flip := n.or(n.compareConst("GE", inward, 2), n.compare("LT", n.words(s), threshold))
		return n.choose(flip, n.unary("negate", w), w)
	}
	panic("xla: no training step for rule " + n.hyper.Rule.String())
}

// words are the random words of all binarised weights in the order of the state: each weight computes the block of four words in which its
// own is, which costs less than a table of all words in memory.
func (n *net) words(s scalars) value {
	index, stream := n.words64(s.places)
	wide := func(v value) value { return n.broadcast(v, index.dims) }
	four := n.philox(n.shift("shift_right_logical", index, 2), stream, wide(s.stepLow), wide(s.stepHigh), s.key)
	bit := func(mask float64) value { return n.compareConst("NE", n.and(index, n.like(index, mask)), 0) }
	odd := bit(1)
	return n.choose(bit(2), n.choose(odd, four[3], four[2]), n.choose(odd, four[1], four[0]))
}

// constantArguments are the arguments of a training step that stay the same in all steps of a run: key ui32[2], ones ui32, ones ui64, places ui64
// (binarised weights).
func constantArguments(l layout) []argument {
	return []argument{{elem: ui32, dims: []int{2}}, {elem: ui32}, {elem: ui64}, {elem: ui64, dims: []int{l.size[stateB]}}}
}

func (p *program) key(words value) [2]value {
	return [2]value{p.reshape(p.sliceAxis(words, 0, 0, 1, 1)), p.reshape(p.sliceAxis(words, 0, 1, 2, 1))}
}

// stateArguments are the state vectors; donated ones are taken over by the results
// in the same places.
func stateArguments(l layout, donate bool) []argument {
	args := make([]argument, stateVectors)
	for i := range args {
		args[i] = argument{elem: f32, dims: []int{l.size[i]}}
		if donate {
			args[i].donate = i + 1
		}
	}
	return args
}

// words64 splits ui64 numbers into their low and their high 32-bit words.
func (p *program) words64(a value) (low, high value) {
	return p.convert(a, ui32), p.convert(p.shift("shift_right_logical", a, 32), ui32)
}

// stepProgram is one training step on a batch from the host:
//
//	arguments  state (7 vectors, donated), x f32 (N,H,W,C), labels i32 (N), scale f32, c2 f32, step ui64,
//	           and the constantArguments
//	results    state, numbers f64[3]: sum of losses, wrong, status
func stepProgram(m network.Model, h network.Hyper, o Options) string {
	l := newLayout(m)
	args := stateArguments(l, true)
	args = append(args, argument{elem: f32, dims: []int{h.Batch, m.Input.H, m.Input.W, m.Input.C}}, argument{elem: i32, dims: []int{h.Batch}},
		argument{elem: f32}, argument{elem: f32}, argument{elem: ui64})
	args = append(args, constantArguments(l)...)
	return function(m.Name+"_step", args, func(p *program, a []value) []value {
		n := &net{program: p, hyper: h, Options: o}
		in := a[stateVectors:]
		low, high := p.words64(in[4])
		state, loss, wrong, status := n.trainStep(m, l, a[:stateVectors], in[0], in[1], p.constant(i32, statusFine),
			scalars{in[2], in[3], low, high, p.key(in[5]), in[6], in[7], in[8]})
		return append(state, p.numbers(loss, wrong, status))
	})
}

// evaluateProgram is the forward pass with running averages on a batch from the host, label
// -1 where there is no image:
//
//	arguments  B, F, R, x f32 (N,H,W,C), labels i32 (N)
//	results    numbers f64[2]: sum of losses, wrong
func evaluateProgram(m network.Model, h network.Hyper, o Options) string {
	l := newLayout(m)
	args := []argument{{elem: f32, dims: []int{l.size[stateB]}}, {elem: f32, dims: []int{l.size[stateF]}}, {elem: f32, dims: []int{l.size[stateR]}},
		{elem: f32, dims: []int{h.Batch, m.Input.H, m.Input.W, m.Input.C}}, {elem: i32, dims: []int{h.Batch}}}
	return function(m.Name+"_evaluate", args, func(p *program, a []value) []value {
		n := &net{program: p, hyper: h, Options: o}
		n.unpack(l, a[0], a[1], a[2])
		logits, _ := n.forward(m.Layers, a[3])
		loss, wrong, _ := n.crossEntropy(logits, a[4])
		return []value{p.numbers(loss, wrong)}
	})
}

// describe turns the status that a step ended with into the error that the step returns.
func (l layout) describe(status int32, step uint64) error {
	switch {
	case status == statusFine:
		return nil
	case status == statusLoss:
		return &network.NonFiniteError{What: "loss", Tensor: "the last layer", Step: step}
	}
	at := int(status) - statusGrad
	vector := stateB
	if at >= l.size[stateB] {
		at, vector = at-l.size[stateB], stateF
	}
	for i, p := range l.params {
		if l.vector[i] == vector && at >= l.offset[i] && at < l.offset[i]+p.Len() {
			return &network.NonFiniteError{What: "gradient", Tensor: p.Name, Step: step}
		}
	}
	panic(fmt.Sprintf("xla: status %d belongs to no tensor", status))
}
