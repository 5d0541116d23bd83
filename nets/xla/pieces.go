package xla

import (
	"slices"

	"tqn/nets/network"
	"tqn/quantize"
)

// Two kernels that go through many tensors at once: one takes the weights of all layers out of the vectors of the state, the other looks at all gradients. XLA has a kernel for each of the
// slices at the head of a step, dozens in a residual net, and chooses among the gradients again for each value that it reads. Here every program has a piece of one tensor, and chooses once.

// pieceSize is how many values of a tensor a program takes at most, and pieceWarps by how many warps.
const (
	pieceSize  = 4096
	pieceWarps = 8
)

// pieces says which program has which piece of some tensors: those of tensor i have the programs from first[i] on, in the order of its values.
type pieces struct {
	lengths, first []int
	programs       int
}

func cut(lengths []int) pieces {
	c := pieces{lengths: lengths}
	for _, n := range lengths {
		c.first = append(c.first, c.programs)
		c.programs += over(n, pieceSize)
	}
	return c
}

// kernel is a kernel of which each program has a piece. The body gets the program's number and the arguments.
func (c pieces) kernel(name string, arguments []elem, body func(k *tiles, program tile, a []tile)) tileKernel {
	one := tileKernel{name: name, grid: [3]int{c.programs, 1, 1}, warps: pieceWarps, stages: 1}
	return newKernel(one, arguments, func(k *tiles, a []tile) { body(k, k.program("x"), a) })
}

// choose is, of one value for each of the tensors from to on, that of the tensor of which this program has a piece; of the first of them if it has none.
func (c pieces) choose(k *tiles, program tile, from int, values []tile) tile {
	chosen := values[0]
	for i, v := range values[1:] {
		chosen = k.choose(k.within(program, c.first[from+i+1]), chosen, v)
	}
	return chosen
}

// place is where the values of this program's piece lie in its tensor, one of the tensors [from, to), and which of them the tensor has: none if the program has a piece of another one.
func (c pieces) place(k *tiles, program tile, from, to int) (at, has tile) {
	var first, lengths []tile
	for i := from; i < to; i++ {
		first, lengths = append(first, k.constant(c.first[i])), append(lengths, k.constant(c.lengths[i]))
	}
	start := k.times(k.binary("subi", program, c.choose(k, program, from, first)), pieceSize)
	length := c.choose(k, program, from, lengths)
	if to < len(c.first) {
		length = k.choose(k.within(program, c.first[to]), length, k.constant(0))
	}
	at = k.add(k.splat(start, pieceSize), k.count(pieceSize)) // below zero, which is none of the tensor's, if the program's piece is of a tensor before from
	return at, k.below(at, k.splat(length, pieceSize))
}

// taken says which tensors the kernel that takes weights out of the state takes, in their order: weights of convolutions and of linear layers, in the type of the factors. Batch norms' parameters are read
// where they lie, and XLA takes biases, and the weights whose channels are filled up.
func (o Options) taken(l layout) (tensors []int) {
	for _, vector := range []int{stateB, stateF} {
		for i, p := range l.params {
			filled := p.Role == network.ConvWeight && p.Shape[2] < o.fullChannels()
			if l.vector[i] == vector && (p.Role == network.ConvWeight || p.Role == network.LinearWeight) && !filled {
				tensors = append(tensors, i)
			}
		}
	}
	return tensors
}

// takeKernel copies these tensors of the state, those of the vector B first, and converts them to e. With signs it takes the signs of B's, as the rule BC reads them.
//
//	arguments  B, F
//	results    the tensors
func takeKernel(l layout, tensors []int, e elem, signs bool) tileKernel {
	var lengths []int
	binary := 0 // of the tensors are in B
	for _, i := range tensors {
		lengths = append(lengths, l.params[i].Len())
		if l.vector[i] == stateB {
			binary++
		}
	}
	c := cut(lengths)
	return c.kernel("pieces_take", append([]elem{f32, f32}, slices.Repeat([]elem{e}, len(tensors))...), func(k *tiles, program tile, a []tile) {
		var offsets []tile
		for _, i := range tensors {
			offsets = append(offsets, k.constant(l.offset[i]))
		}
		at, has := c.place(k, program, 0, len(tensors))
		source := a[0]
		if binary == 0 {
			source = a[1]
		} else if binary < len(tensors) {
			source = k.choose(k.within(program, c.first[binary]), a[0], a[1])
		}
		w := k.load(source, k.add(at, k.splat(c.choose(k, program, 0, offsets), pieceSize)), &has)
		if signs {
			one := k.number(1, pieceSize)
			sign := k.choose(k.compared("oge", w, k.zeros(f32, pieceSize)), one, k.minus(k.zeros(f32, pieceSize), one))
			isBinary := k.splat(k.within(program, c.first[binary]), pieceSize)
			w = k.choose(isBinary, sign, w)
		}
		k.store(c.choose(k, program, 0, a[2:]), at, k.convert(w, e), &has)
	})
}

// take emits the weights that [Options.taken] lists.
func (n *net) take(l layout, b, f value) {
	tensors := n.taken(l)
	if tensors == nil {
		return
	}
	e := f32
	if n.Precision == BF16 {
		e = bf16
	}
	var results []argument
	for _, i := range tensors {
		results = append(results, argument{elem: e, dims: dims(l.params[i])})
	}
	for i, w := range n.run(takeKernel(l, tensors, e, n.hyper.Rule == quantize.BC), results, b, f) {
		n.weights[l.params[tensors[i]].Name] = w
	}
}

// finiteKernel looks at gradients, of which the first narrow are bfloat16 and the others float32. For each program's piece it returns 0 if all values are finite, and NaN otherwise: the sum of their products with 0.
//
//	arguments  the gradients
//	results    f32 (programs, 1)
func finiteKernel(c pieces, narrow int) tileKernel {
	types := append(slices.Repeat([]elem{bf16}, narrow), slices.Repeat([]elem{f32}, len(c.first)-narrow)...)
	return c.kernel("pieces_finite", append(types, f32), func(k *tiles, program tile, a []tile) {
		sum := k.zeros(f32, 1)
		for _, part := range [][2]int{{0, narrow}, {narrow, len(c.first)}} {
			if part[0] == part[1] {
				continue
			}
			at, has := c.place(k, program, part[0], part[1])
			values := k.convert(k.load(c.choose(k, program, part[0], a[part[0]:part[1]]), at, &has), f32)
			sum = k.plusf(sum, k.columnSums(k.down(k.product(values, k.zeros(f32, pieceSize)), 1)))
		}
		k.store(a[len(c.first)], k.splat(program, 1), sum, nil)
	})
}

// firstNotFinite emits the number of a value, counted through B and then F, of the first tensor whose gradient is not finite, and none if all are finite.
func (n *net) firstNotFinite(l layout, none int) value {
	var narrow, wide, start []int // tensors; start[i] is the number of the first value of params[i]
	for i, p := range l.params {
		offset := l.offset[i]
		if l.vector[i] == stateF {
			offset += l.size[stateB]
		}
		start = append(start, offset)
		switch {
		case !p.Trained():
		case n.gradient(p).elem == bf16:
			narrow = append(narrow, i)
		default:
			wide = append(wide, i)
		}
	}
	var gradients []value
	var lengths, numbers []int
	for _, i := range append(narrow, wide...) {
		g := n.gradient(l.params[i])
		gradients, lengths = append(gradients, g), append(lengths, g.len())
		for range over(g.len(), pieceSize) {
			numbers = append(numbers, start[i])
		}
	}
	c := cut(lengths)
	flags := n.run(finiteKernel(c, len(narrow)), []argument{{elem: f32, dims: []int{c.programs, 1}}}, gradients...)[0]
	number := n.integers(numbers...)
	return n.reduce("minimum", n.choose(n.isFinite(n.reshape(flags, c.programs)), n.like(number, float64(none)), number), float64(none), 0)
}

// gradient is a parameter's gradient as it lies in memory: before it is widened to float32, and with the channels that are filled up.
func (n *net) gradient(p network.Param) value {
	if g, ok := n.computed[p.Name]; ok {
		return g
	}
	return n.gradients[p.Name]
}
