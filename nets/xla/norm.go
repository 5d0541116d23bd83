package xla

import (
	"slices"

	"tqn/nets/network"
)

// Batch norm together with what follows it. A GPU computes each step of a batch norm on layers of CIFAR's size in a few microseconds, and waits as long between two of them.
// XLA makes four kernels of a batch norm's forward pass (parts of the sums, the sums, what each channel needs of them, the normalised values) and three
// of its backward pass. The kernels of this file do each pass in two: the first makes parts of the sums, and in the second every program adds up all parts for itself, which are so few that they come
// from the caches.

// unit is a layer of batch norm on (N,H,W,C) with the ReLU behind it. It may also have one of these: the shortcut of a residual block, which is added before the ReLU (sum), or the
// maxima over windows of 2x2 pixels behind the ReLU (pool).
//
//	z = max(0, gamma (x-mean)/sqrt(variance+epsilon) + beta [+ shortcut]),  mean and variance over M = N*H*W pixels
type unit struct {
	batch, h, w, c int
	elem           elem // the type of what lies in memory between layers
	sum, pool      bool
	averages
}

// averages are the hyperparameters of a unit: the epsilon that is added to the variance, and how the running averages follow those of the batch,
//
//	r <- (1-momentum) r + momentum*batch's,
//
// where the batch's variance is multiplied by unbiased before: M/(M-1), or 1.
type averages struct{ epsilon, momentum, unbiased float64 }

// normUnit is the unit that begins with the batch norm norm, if the layers behind it make one and the kernels fit its size. With sum the batch norm ends the body of a residual block, and next
// are the layers behind that block.
func normUnit(norm network.Layer, next []network.Layer, sum bool, batch int, e elem) (unit, bool) {
	u := unit{batch: batch, h: norm.Out.H, w: norm.Out.W, c: norm.Out.C, elem: e, sum: sum}
	if len(next) == 0 || next[0].Kind != network.ReLU {
		return u, false
	}
	if len(next) > 1 && next[1].Kind == network.MaxPool && !sum {
		p := next[1]
		if p.Kernel != 2 || p.Stride != 2 || p.Pad != 0 || u.h%2 != 0 || u.w%2 != 0 {
			return u, false
		}
		u.pool = true
	}
	fits := isSide(u.c) || u.c > 0 && u.c%maxChannels == 0
	if !fits || u.h*u.w == 1 || u.batch*u.h*u.w*u.c > maxValues { // of single pixels, as a linear layer has them, there are too few
		return u, false
	}
	s := u.split()
	return u, s.parts*s.groups >= minPrograms
}

// layers is how many layers the unit takes from a list that begins with it: the batch norm, or the residual block that it ends, the ReLU, and the pooling if there is one.
func (u unit) layers() int {
	if u.pool {
		return 3
	}
	return 2
}

// maxChannels is how many channels a program takes at most. maxPrograms is how many programs there are at most, about one for each of an H100's or H200's 132 multiprocessors;
// with fewer than minPrograms most of them would be idle, and XLA's kernels are left to do the work.
const (
	maxChannels = 64
	maxPrograms = 128
	minPrograms = 32
)

// rows is how many results there are of a channel: as many as pixels, or as windows of them.
func (u unit) rows() int {
	if u.pool {
		return u.batch * u.h * u.w / 4
	}
	return u.batch * u.h * u.w
}

// split says how a unit's kernels divide the work. There is a program for each group of channels and each part of the rows; in a turn it takes a block of rows. The last of them may be beyond the last row.
type split struct {
	channels, groups    int // the channels of a group, and the number of groups
	block, turns, parts int // the rows of a block, the turns of a program, and the number of parts
	warps               int // of a program
}

// split makes blocks as large as leaves work for all programs. A thread holds 16 numbers of each matrix.
func (u unit) split() split {
	s := split{channels: min(u.c, maxChannels)}
	s.groups = u.c / s.channels
	pixels := 1 // of a row
	if u.pool {
		pixels = 4
	}
	size := 8 * 1024 // of a block, in numbers
	for size > 1024 && u.rows()*u.c*pixels < size*maxPrograms {
		size /= 2
	}
	s.block, s.warps = size/s.channels/pixels, size/512
	s.parts, s.turns = shares(over(u.rows(), s.block), max(1, maxPrograms/s.groups))
	return s
}

// unitKernel is what the kernels of a unit have in common while their text is written.
type unitKernel struct {
	unit
	*tiles
	split
	channel tile // the numbers of this program's channels
}

// kernel writes a kernel of the unit. The body gets the arguments.
func (u unit) kernel(name string, arguments []elem, body func(k unitKernel, a []tile)) tileKernel {
	s := u.split()
	one := tileKernel{name: name, grid: [3]int{s.parts, s.groups, 1}, warps: s.warps, stages: 1}
	return newKernel(one, arguments, func(t *tiles, a []tile) {
		k := unitKernel{unit: u, tiles: t, split: s}
		k.channel = t.add(t.splat(t.times(t.program("y"), s.channels), s.channels), t.count(s.channels))
		body(k, a)
	})
}

// named is the name of a kernel that differs with what the unit takes along.
func (u unit) named(name string) string {
	switch {
	case u.sum:
		return name + "_sum"
	case u.pool:
		return name + "_pool"
	}
	return name
}

// turn is the numbers of the rows of a turn, and which values of them there are: nil if all of every turn's.
func (k unitKernel) turn(n tile) (row tile, has *tile) {
	first := k.times(k.add(k.times(k.program("x"), k.turns), n), k.block)
	row = k.add(k.splat(first, k.block), k.count(k.block))
	if k.block*k.turns*k.parts != k.rows() {
		within := k.down(k.within(row, k.rows()), k.channels)
		has = &within
	}
	return row, has
}

// place is where the numbers lie that the channels have in these rows.
func (k unitKernel) place(row tile) tile {
	return k.add(k.down(k.times(row, k.c), k.channels), k.across(k.channel, k.block))
}

// pixels are the places of the four pixels of each row's window or, without pooling, of its one pixel.
func (k unitKernel) pixels(row tile) []tile {
	if !k.pool {
		return []tile{k.place(row)}
	}
	y, x := k.over(row, k.w/2), k.modulo(row, k.w/2) // y counts rows of windows through all images
	first := k.place(k.add(k.times(y, 2*k.w), k.times(x, 2)))
	return []tile{first, k.plus(first, k.c), k.plus(first, k.w*k.c), k.plus(first, (k.w+1)*k.c)}
}

// vector reads a number for each channel from a vector of the layer's own, and stateVector from a vector of the state, in which the numbers begin where offsets says for the tensor, see [net.offsetsOf].
func (k unitKernel) vector(a tile) tile { return k.load(a, k.channel, nil) }
func (k unitKernel) stateVector(a, offsets tile, tensor int) tile {
	return k.load(a, k.add(k.channel, k.load(offsets, k.constant(tensor, k.channels), nil)), nil)
}

// wide makes a matrix of a number for each channel.
func (k unitKernel) wide(v tile) tile { return k.across(v, k.block) }

// write stores a number for each channel. All programs of a group have computed the same; that of the first part writes it.
func (k unitKernel) write(a, v tile) {
	first := k.splat(k.within(k.program("x"), 1), k.channels)
	k.store(a, k.channel, v, &first)
}

// read reads those values of a matrix that there are, and widens them to float32.
func (k unitKernel) read(a, at tile, has *tile) tile { return k.convert(k.load(a, at, has), f32) }

// totals adds up, for each channel, the parts that another kernel made of each of these sums: f32 (parts, C).
func (k unitKernel) totals(parts int, kinds ...tile) []tile {
	rows := 1 // of a turn
	for rows < parts && rows < 8192/k.channels {
		rows *= 2
	}
	zeros := make([]tile, len(kinds))
	for i := range zeros {
		zeros[i] = k.zeros(f32, rows, k.channels)
	}
	sums := k.loop(over(parts, rows), zeros, func(turn tile, sums []tile) []tile {
		row := k.add(k.splat(k.times(turn, rows), rows), k.count(rows))
		var has *tile
		if parts%rows != 0 {
			within := k.down(k.within(row, parts), k.channels)
			has = &within
		}
		at := k.add(k.down(k.times(row, k.c), k.channels), k.across(k.channel, rows))
		out := make([]tile, len(kinds))
		for i, a := range kinds {
			out[i] = k.plusf(sums[i], k.load(a, at, has))
		}
		return out
	})
	for i := range sums {
		sums[i] = k.columnSums(sums[i])
	}
	return sums
}

// sums adds up the two matrices that body makes in each turn, and stores the sums of their columns as this program's parts.
func (k unitKernel) sums(to []tile, body func(row tile, has *tile) (first, second tile)) {
	none := k.zeros(f32, k.block, k.channels)
	sums := k.loop(k.turns, []tile{none, none}, func(turn tile, sums []tile) []tile {
		first, second := body(k.turn(turn))
		return []tile{k.plusf(sums[0], first), k.plusf(sums[1], second)}
	})
	at := k.add(k.splat(k.times(k.program("x"), k.c), k.channels), k.channel)
	for i, sum := range sums {
		k.store(to[i], at, k.columnSums(sum), nil)
	}
}

// statistics computes parts of the sums of x less the running mean, and of its square.
//
//	arguments  x, running averages, offsets
//	results    sums, squares: f32 (parts, C)
func (u unit) statistics() tileKernel {
	u.pool = false // every pixel counts
	return u.kernel("norm_sums", []elem{u.elem, f32, i32, f32, f32}, func(k unitKernel, a []tile) {
		shift := k.wide(k.stateVector(a[1], a[2], offsetMean))
		k.sums(a[3:], func(row tile, has *tile) (sum, square tile) {
			shifted := k.minus(k.read(a[0], k.place(row), has), shift)
			if has != nil {
				shifted = k.choose(*has, shifted, k.zeros(f32, k.block, k.channels))
			}
			return shifted, k.product(shifted, shifted)
		})
	})
}

// forward computes the unit from the sums of [unit.statistics], or of [narrow.forward], which come in so many parts.
//
//	arguments  x, sums, squares, running averages, parameters, offsets, and the shortcut if there is one
//	results    z; mean, 1/sqrt(variance+epsilon), the new running mean and variance: f32 (C)
func (u unit) forward(parts int) tileKernel {
	arguments := []elem{u.elem, f32, f32, f32, f32, i32}
	if u.sum {
		arguments = append(arguments, u.elem)
	}
	z := len(arguments)
	return u.kernel(u.named("norm_forward"), append(arguments, u.elem, f32, f32, f32, f32), func(k unitKernel, a []tile) {
		sums := k.totals(parts, a[1], a[2])
		constant := func(c float64) tile { return k.number(c, k.channels) }
		running, runningVar := k.stateVector(a[3], a[5], offsetMean), k.stateVector(a[3], a[5], offsetVariance)
		share := constant(1 / float64(u.batch*u.h*u.w))
		offset := k.product(sums[0], share)
		mean := k.plusf(running, offset)
		variance := k.maximum(k.minus(k.product(sums[1], share), k.product(offset, offset)), k.zeros(f32, k.channels))
		inverse := k.quotient(constant(1), k.root(k.plusf(variance, constant(u.epsilon))))
		k.write(a[z+1], mean)
		k.write(a[z+2], inverse)
		k.write(a[z+3], k.plusf(running, k.product(offset, constant(u.momentum))))
		stored := k.product(variance, constant(u.unbiased*u.momentum))
		k.write(a[z+4], k.plusf(k.product(runningVar, constant(1-u.momentum)), stored))
		c := k.coefficients(mean, inverse, a[4], a[5])
		k.loop(k.turns, nil, func(turn tile, _ []tile) []tile {
			row, has := k.turn(turn)
			var largest tile
			for i, at := range k.pixels(row) {
				value := c.normalised(k, k.minus(k.read(a[0], at, has), c.mean))
				if u.sum {
					value = k.plusf(value, k.read(a[6], at, has))
				}
				if i > 0 {
					value = k.maximum(largest, value)
				}
				largest = value
			}
			k.store(a[z], k.place(row), k.convert(k.maximum(largest, k.zeros(f32, k.block, k.channels)), u.elem), has)
			return nil
		})
	})
}

// coefficients are matrices of a number for each channel, of which the normalised value is made: (x-mean)*factor + beta.
type coefficients struct{ mean, factor, beta tile }

func (k unitKernel) coefficients(mean, inverse, parameters, offsets tile) coefficients {
	gamma := k.stateVector(parameters, offsets, offsetGamma)
	return coefficients{k.wide(mean), k.wide(k.product(gamma, inverse)), k.wide(k.stateVector(parameters, offsets, offsetBeta))}
}

func (c coefficients) normalised(k unitKernel, centred tile) tile {
	return k.plusf(k.product(centred, c.factor), c.beta)
}

// gradients returns, for each pixel of a turn's windows, its place, x-mean there, and the gradient of the normalised value. That is the result's gradient dy where the value is positive and the first
// maximum of its window, and 0 elsewhere. The values are computed again from x, which has to be read anyway; to read them, too, would cost more.
func (k unitKernel) gradients(c coefficients, dy, x, row tile, has *tile) (centred, gradient, places []tile) {
	none := k.zeros(f32, k.block, k.channels)
	left := k.read(dy, k.place(row), has) // of the windows whose maximum has not come yet
	var values []tile
	var largest tile
	places = k.pixels(row)
	for i, at := range places {
		centred = append(centred, k.minus(k.read(x, at, has), c.mean))
		value := k.convert(k.convert(c.normalised(k, centred[i]), k.elem), f32) // what a layer of pooling would find in memory
		values = append(values, value)
		if i == 0 {
			largest = value
		} else {
			largest = k.maximum(largest, value)
		}
	}
	for _, value := range values {
		g := k.choose(k.compared("ogt", value, none), left, none)
		if k.pool {
			is := k.compared("oeq", value, largest)
			g, left = k.choose(is, g, none), k.choose(is, none, left)
		}
		gradient = append(gradient, g)
	}
	return centred, gradient, places
}

// gradientSums computes parts of the sums of g and of g (x-mean), where g is the gradient of the normalised values. The unit has no shortcut.
//
//	arguments  dy, x, mean, inverse, parameters, offsets
//	results    sums, products: f32 (parts, C)
func (u unit) gradientSums() tileKernel {
	return u.kernel(u.named("norm_gradient_sums"), []elem{u.elem, u.elem, f32, f32, f32, i32, f32, f32}, func(k unitKernel, a []tile) {
		c := k.coefficients(k.vector(a[2]), k.vector(a[3]), a[4], a[5])
		k.sums(a[6:], func(row tile, has *tile) (sum, product tile) {
			centred, gradient, _ := k.gradients(c, a[0], a[1], row, has)
			sum, product = gradient[0], k.product(gradient[0], centred[0])
			for i := 1; i < len(gradient); i++ {
				sum, product = k.plusf(sum, gradient[i]), k.plusf(product, k.product(gradient[i], centred[i]))
			}
			return sum, product
		})
	})
}

// gradientSumsOfSum is [unit.gradientSums] with a shortcut. The result's gradient is given as so many addends, and g, which is the shortcut's gradient, too, is stored.
//
//	arguments  the addends of dy, x, mean, z
//	results    g; sums, products: f32 (parts, C)
func (u unit) gradientSumsOfSum(addends int) tileKernel {
	arguments := append(slices.Repeat([]elem{u.elem}, addends), u.elem, f32, u.elem, u.elem, f32, f32)
	return u.kernel(u.named("norm_gradient_sums"), arguments, func(k unitKernel, a []tile) {
		dy, a := a[:addends], a[addends:]
		mean, none := k.wide(k.vector(a[1])), k.zeros(f32, k.block, k.channels)
		k.sums(a[4:], func(row tile, has *tile) (sum, product tile) {
			at := k.place(row)
			g := k.read(dy[0], at, has)
			for _, more := range dy[1:] {
				g = k.plusf(g, k.read(more, at, has))
			}
			kept := k.convert(k.choose(k.compared("ogt", k.read(a[2], at, has), none), g, none), u.elem)
			k.store(a[3], at, kept, has)
			g = k.convert(kept, f32)
			return g, k.product(g, k.minus(k.read(a[0], at, has), mean))
		})
	})
}

// backward computes the gradients of x and of the parameters from the sums of [unit.gradientSums] or [unit.gradientSumsOfSum], with inverse = 1/sqrt(variance+epsilon):
//
//	dx = gamma*inverse (g - dbeta/M - (x-mean) dgamma*inverse/M),  dgamma = inverse * sum of g (x-mean),  dbeta = sum of g
//
//	arguments  dy (with a shortcut: g), x, mean, inverse, parameters, offsets, sums, products
//	results    dx; dgamma, dbeta: f32 (C)
func (u unit) backward() tileKernel {
	parts := u.split().parts
	return u.kernel(u.named("norm_backward"), []elem{u.elem, u.elem, f32, f32, f32, i32, f32, f32, u.elem, f32, f32}, func(k unitKernel, a []tile) {
		sums := k.totals(parts, a[6], a[7])
		inverse, share := k.vector(a[3]), k.number(1/float64(u.batch*u.h*u.w), k.channels)
		dbeta, dgamma := sums[0], k.product(sums[1], inverse)
		k.write(a[9], dgamma)
		k.write(a[10], dbeta)
		constant, slope := k.wide(k.product(dbeta, share)), k.wide(k.product(k.product(dgamma, inverse), share))
		c := k.coefficients(k.vector(a[2]), inverse, a[4], a[5])
		k.loop(k.turns, nil, func(turn tile, _ []tile) []tile {
			row, has := k.turn(turn)
			var centred, gradient, places []tile
			if u.sum {
				at := k.place(row)
				centred, gradient, places = []tile{k.minus(k.read(a[1], at, has), c.mean)}, []tile{k.read(a[0], at, has)}, []tile{at}
			} else {
				centred, gradient, places = k.gradients(c, a[0], a[1], row, has)
			}
			for i, at := range places {
				dx := k.product(k.minus(k.minus(gradient[i], constant), k.product(centred[i], slope)), c.factor)
				k.store(a[8], at, k.convert(dx, u.elem), has)
			}
			return nil
		})
	})
}

// A batch norm's tensors in the order of [net.offsetsOf].
const (
	offsetGamma = iota
	offsetBeta
	offsetMean
	offsetVariance
)

var normTensors = [...]string{offsetGamma: ".gamma", offsetBeta: ".beta", offsetMean: ".mean", offsetVariance: ".variance"}

// offsetsOf says where a batch norm's tensors begin in the vectors of the state: i32 (4). Kernels read them there, since a slice of a vector would be copied, and a net has hundreds.
func (n *net) offsetsOf(l network.Layer) value {
	var offsets []int
	for _, tensor := range normTensors {
		offsets = append(offsets, n.offsets[l.Name+tensor])
	}
	return n.integers(offsets...)
}

// unit emits a unit whose batch norm is layer l. Its back returns the gradient of x, and that of the shortcut if there is one.
func (n *net) unit(l network.Layer, u unit, x value, shortcut *value) (z value, back func(dy value) (dx, dshortcut value)) {
	part := func(parts int) argument { return argument{elem: f32, dims: []int{parts, u.c}} }
	vector, offsets := argument{elem: f32, dims: []int{u.c}}, n.offsetsOf(l)
	sums, made := n.sums[x.id]
	if !made {
		k := u.statistics()
		out := n.run(k, []argument{part(k.grid[0]), part(k.grid[0])}, x, n.running, offsets)
		sums = [2]value{out[0], out[1]}
	}
	images, result := argument{elem: u.elem, dims: x.dims}, argument{elem: u.elem, dims: x.dims}
	if u.pool {
		result.dims = []int{u.batch, u.h / 2, u.w / 2, u.c}
	}
	operands := []value{x, sums[0], sums[1], n.running, n.parameters, offsets}
	if u.sum {
		operands = append(operands, *shortcut)
	}
	out := n.run(u.forward(sums[0].dims[0]), []argument{result, vector, vector, vector, vector}, operands...)
	z, mean, inverse := out[0], out[1], out[2]
	n.averages[l.Name+".mean"], n.averages[l.Name+".variance"] = out[3], out[4]
	return z, func(dy value) (dx, dshortcut value) {
		g := dy
		var sums []value
		if u.sum {
			addends, ok := n.addends[dy.id]
			if !ok {
				addends = []value{n.kept(dy)}
			}
			k := u.gradientSumsOfSum(len(addends))
			out := n.run(k, []argument{images, part(k.grid[0]), part(k.grid[0])}, append(slices.Clone(addends), x, mean, z)...)
			g, sums = out[0], out[1:]
		} else {
			g = n.kept(dy)
			k := u.gradientSums()
			sums = n.run(k, []argument{part(k.grid[0]), part(k.grid[0])}, g, x, mean, inverse, n.parameters, offsets)
		}
		out := n.run(u.backward(), []argument{images, vector, vector}, g, x, mean, inverse, n.parameters, offsets, sums[0], sums[1])
		n.gradients[l.Name+".gamma"], n.gradients[l.Name+".beta"] = out[1], out[2]
		return out[0], g
	}
}
