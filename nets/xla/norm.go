package xla

import (
	"slices"

	"tqn/nets/network"
)

// Batch norm together with what follows it. On the layers of CIFAR's size a GPU computes each step of a batch norm in a few microseconds, and waits as long between two of them.
// XLA makes four kernels of a batch norm forward (parts of the sums, the sums, what is computed of them for each channel, the normalised values) and three
// backward. These kernels make two of each: every program of the second adds up the parts for itself, which are so few that they come from the caches.

// unit is a layer of batch norm on (N,H,W,C), the ReLU behind it, and one of these: the shortcut of a residual block, which is added before the ReLU, or maxima over
// windows of 2x2 pixels behind it.
//
//	z = max(0, gamma (x-mean)/sqrt(variance+epsilon) + beta [+ shortcut]),  mean and variance over M = N*H*W pixels
type unit struct {
	batch, h, w, c int
	elem           elem // of what lies in memory between layers
	sum, pool      bool
	averages
}

// averages are how a unit computes: epsilon, and its running averages, r <- (1-momentum) r + momentum*batch's. The batch's variance is multiplied by unbiased before.
type averages struct{ epsilon, momentum, unbiased float64 }

// normUnit is the unit that begins with a layer of batch norm, if the kernels are made for its size: the layers behind it are relu and, if there is one, next.
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
	fits := u.c >= 16 && u.c&(u.c-1) == 0 || u.c > 0 && u.c%maxChannels == 0
	if !fits || u.h*u.w == 1 { // a linear layer's results are float32, and few
		return u, false
	}
	_, _, groups, parts, _ := u.split()
	return u, parts*groups >= 32
}

// layers is how many layers the unit takes of a list that begins with it, the block that is summed being one.
func (u unit) layers() int {
	if u.pool {
		return 3
	}
	return 2
}

// maxChannels is how many channels a program takes at most, and programs how many there are at most: about one for each of an H100's or H200's 132 multiprocessors.
const (
	maxChannels = 64
	programs    = 128
)

// rows is how many results there are of a channel: pixels, or windows of them.
func (u unit) rows() int {
	if u.pool {
		return u.batch * u.h * u.w / 4
	}
	return u.batch * u.h * u.w
}

// split says how the kernels divide the work: a program takes a group of channels and one of so many parts of the rows, of which it takes a block in each turn. A thread holds 16 numbers of each kind.
func (u unit) split() (channels, block, groups, parts, warps int) {
	channels = min(u.c, maxChannels)
	groups = u.c / channels
	pixels := 1 // of a row
	if u.pool {
		pixels = 4
	}
	size := 8 * 1024 // numbers that a program takes at once
	for size > 1024 && (u.rows()*u.c*pixels < size*programs || u.rows()%(size/channels/pixels) != 0) {
		size /= 2
	}
	block = size / channels / pixels
	if u.rows()%block != 0 {
		return channels, block, groups, 0, 1
	}
	for parts = 1; parts*2*groups <= programs && u.rows()/block%(parts*2) == 0; parts *= 2 {
	}
	return channels, block, groups, parts, size / 512
}

// unitKernel is what the kernels of a unit have in common while their text is written.
type unitKernel struct {
	unit
	*tiles
	channels, block, turns int
	channel                tile // numbers of this program's channels
}

// kernel writes a kernel of the unit. The body gets the arguments.
func (u unit) kernel(name string, arguments []elem, body func(k unitKernel, a []tile)) tileKernel {
	channels, block, groups, parts, warps := u.split()
	one := tileKernel{name: name, grid: [3]int{parts, groups, 1}, warps: warps, stages: 1}
	return newKernel(one, arguments, func(t *tiles, a []tile) {
		k := unitKernel{unit: u, tiles: t, channels: channels, block: block, turns: u.rows() / block / parts}
		k.channel = t.add(t.splat(t.times(t.program("y"), channels), channels), t.count(channels))
		body(k, a)
	})
}

// row numbers the rows of a turn.
func (k unitKernel) row(turn tile) tile {
	first := k.times(k.add(k.times(k.program("x"), k.turns), turn), k.block)
	return k.add(k.splat(first, k.block), k.tiles.count(k.block))
}

// place says where the numbers of a row's channels lie; pixels are the places of the pixels of a row's window, of which there is one without pooling.
func (k unitKernel) place(row tile) tile {
	return k.add(k.down(k.times(row, k.c), k.channels), k.across(k.channel, k.block))
}

func (k unitKernel) pixels(row tile) []tile {
	if !k.pool {
		return []tile{k.place(row)}
	}
	y, x := k.over(row, k.w/2), k.modulo(row, k.w/2) // y counts rows of windows through all images
	first := k.place(k.add(k.times(y, 2*k.w), k.times(x, 2)))
	return []tile{first, k.plus(first, k.c), k.plus(first, k.w*k.c), k.plus(first, (k.w+1)*k.c)}
}

// vector reads a number for each channel, from a vector of the state that begins with the layer's number number in places (see [net.places]) or, without places, from one of the layer's own; wide
// makes it a matrix. write stores one; only the programs of the first part do.
func (k unitKernel) vector(a tile) tile { return k.load(a, k.channel, nil) }
func (k unitKernel) stateVector(a, places tile, number int) tile {
	return k.load(a, k.add(k.channel, k.load(places, k.constant(number, k.channels), nil)), nil)
}
func (k unitKernel) wide(v tile) tile { return k.across(v, k.block) }
func (k unitKernel) write(a, v tile) {
	first := k.splat(k.within(k.program("x"), 1), k.channels)
	k.store(a, k.channel, v, &first)
}

// read reads a matrix as float32.
func (k unitKernel) read(a, at tile) tile { return k.convert(k.load(a, at, nil), f32) }

// totals adds up the parts of a channel's sums: of two kinds, each (parts, C).
func (k unitKernel) totals(parts int, kinds ...tile) []tile {
	rows := parts & -parts // the largest power of two in it
	for rows*k.channels > 8192 {
		rows /= 2
	}
	zeros := make([]tile, len(kinds))
	for i := range zeros {
		zeros[i] = k.zeros(f32, rows, k.channels)
	}
	sums := k.loop(parts/rows, zeros, func(turn tile, sums []tile) []tile {
		row := k.add(k.splat(k.times(turn, rows), rows), k.tiles.count(rows))
		at := k.add(k.down(k.times(row, k.c), k.channels), k.across(k.channel, rows))
		out := make([]tile, len(kinds))
		for i, a := range kinds {
			out[i] = k.plusf(sums[i], k.load(a, at, nil))
		}
		return out
	})
	for i := range sums {
		sums[i] = k.columnSums(sums[i])
	}
	return sums
}

// sums runs a loop over the turns that adds two matrices to what it has, and stores the sums of their columns as this program's part.
func (k unitKernel) sums(to []tile, body func(row tile) (first, second tile)) {
	none := k.zeros(f32, k.block, k.channels)
	sums := k.loop(k.turns, []tile{none, none}, func(turn tile, sums []tile) []tile {
		first, second := body(k.row(turn))
		return []tile{k.plusf(sums[0], first), k.plusf(sums[1], second)}
	})
	at := k.add(k.splat(k.times(k.program("x"), k.c), k.channels), k.channel)
	for i, sum := range sums {
		k.store(to[i], at, k.columnSums(sum), nil)
	}
}

// statistics computes parts of the sums over x less the running mean, and its square.
//
//	arguments  x, running averages, places
//	results    sums, squares: f32 (parts, C)
func (u unit) statistics() tileKernel {
	u.pool = false // every pixel counts
	return u.kernel("norm_sums", []elem{u.elem, f32, i32, f32, f32}, func(k unitKernel, a []tile) {
		shift := k.wide(k.stateVector(a[1], a[2], placeMean))
		k.sums(a[3:], func(row tile) (sum, square tile) {
			shifted := k.minus(k.read(a[0], k.place(row)), shift)
			return shifted, k.product(shifted, shifted)
		})
	})
}

// forward computes the unit from the sums of so many parts, of x less the running mean and its square.
//
//	arguments  x, sums, squares, running averages, parameters, places, and the shortcut if there is one
//	results    z; mean, 1/sqrt(variance+epsilon), the new running mean and variance: f32 (C)
func (u unit) forward(parts int) tileKernel {
	arguments := []elem{u.elem, f32, f32, f32, f32, i32}
	name := "norm_forward"
	switch {
	case u.sum:
		arguments, name = append(arguments, u.elem), "norm_forward_sum"
	case u.pool:
		name = "norm_forward_pool"
	}
	z := len(arguments)
	return u.kernel(name, append(arguments, u.elem, f32, f32, f32, f32), func(k unitKernel, a []tile) {
		sums := k.totals(parts, a[1], a[2])
		constant := func(c float64) tile { return k.number(c, k.channels) }
		running, runningVar, one := k.stateVector(a[3], a[5], placeMean), k.stateVector(a[3], a[5], placeVariance), constant(1/float64(u.batch*u.h*u.w))
		offset := k.product(sums[0], one)
		mean := k.plusf(running, offset)
		variance := k.maximum(k.minus(k.product(sums[1], one), k.product(offset, offset)), k.zeros(f32, k.channels))
		inverse := k.quotient(constant(1), k.root(k.plusf(variance, constant(u.epsilon))))
		k.write(a[z+1], mean)
		k.write(a[z+2], inverse)
		k.write(a[z+3], k.plusf(running, k.product(offset, constant(u.momentum))))
		stored := k.product(variance, constant(u.unbiased*u.momentum))
		k.write(a[z+4], k.plusf(k.product(runningVar, constant(1-u.momentum)), stored))
		c := k.coefficients(mean, inverse, a[4], a[5])
		k.loop(k.turns, nil, func(turn tile, _ []tile) []tile {
			row := k.row(turn)
			var result tile
			for i, at := range k.pixels(row) {
				value := c.normalised(k, k.minus(k.read(a[0], at), c.mean))
				if u.sum {
					value = k.plusf(value, k.read(a[6], at))
				}
				if i > 0 {
					value = k.maximum(result, value)
				}
				result = value
			}
			k.store(a[z], k.place(row), k.convert(k.maximum(result, k.zeros(f32, k.block, k.channels)), u.elem), nil)
			return nil
		})
	})
}

// coefficients are matrices with a number for each channel: y = (x-mean)*factor + beta.
type coefficients struct{ mean, factor, beta tile }

func (k unitKernel) coefficients(mean, inverse, parameters, places tile) coefficients {
	gamma := k.stateVector(parameters, places, placeGamma)
	return coefficients{k.wide(mean), k.wide(k.product(gamma, inverse)), k.wide(k.stateVector(parameters, places, placeBeta))}
}

func (c coefficients) normalised(k unitKernel, centred tile) tile {
	return k.plusf(k.product(centred, c.factor), c.beta)
}

// gradients returns, for each pixel of a turn's windows, x-mean and the gradient of the normalised value, which is the result's gradient dy where the ReLU let the value through and it was
// the first maximum of its window. Values are computed again, since reading x, which is needed anyway, costs less than reading more.
func (k unitKernel) gradients(c coefficients, dy, x tile, row tile) (centred, gradient, places []tile) {
	none := k.zeros(f32, k.block, k.channels)
	left := k.read(dy, k.place(row)) // of the windows whose maximum has not come yet
	var values []tile
	var largest tile
	places = k.pixels(row)
	for i, at := range places {
		centred = append(centred, k.minus(k.read(x, at), c.mean))
		value := k.convert(k.convert(c.normalised(k, centred[i]), k.elem), f32) // as it was compared with others forward
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

// gradientSums computes parts of the sums over the gradient g of the normalised values and over g (x-mean). With a shortcut it also stores g, which is the shortcut's gradient, too; dy is
// then the sum of so many addends.
//
//	arguments  dy, x, mean, inverse, parameters, places; with a shortcut: addends of dy, x, mean, z
//	results    sums, products: f32 (parts, C); with a shortcut: g before them
func (u unit) gradientSums(addends int) tileKernel {
	if u.sum {
		return u.gradientSumsOfSum(addends)
	}
	name := "norm_gradient_sums"
	if u.pool {
		name = "norm_gradient_sums_pool"
	}
	return u.kernel(name, []elem{u.elem, u.elem, f32, f32, f32, i32, f32, f32}, func(k unitKernel, a []tile) {
		c := k.coefficients(k.vector(a[2]), k.vector(a[3]), a[4], a[5])
		k.sums(a[6:], func(row tile) (sum, product tile) {
			centred, gradient, _ := k.gradients(c, a[0], a[1], row)
			sum, product = gradient[0], k.product(gradient[0], centred[0])
			for i := 1; i < len(gradient); i++ {
				sum, product = k.plusf(sum, gradient[i]), k.plusf(product, k.product(gradient[i], centred[i]))
			}
			return sum, product
		})
	})
}

func (u unit) gradientSumsOfSum(addends int) tileKernel {
	arguments := append(slices.Repeat([]elem{u.elem}, addends), u.elem, f32, u.elem, u.elem, f32, f32)
	return u.kernel("norm_gradient_sums_sum", arguments, func(k unitKernel, a []tile) {
		dy, a := a[:addends], a[addends:]
		mean, vanished := k.wide(k.vector(a[1])), k.zeros(f32, k.block, k.channels)
		k.sums(a[4:], func(row tile) (sum, product tile) {
			at := k.place(row)
			g := k.read(dy[0], at)
			for _, more := range dy[1:] {
				g = k.plusf(g, k.read(more, at))
			}
			kept := k.convert(k.choose(k.compared("ogt", k.read(a[2], at), vanished), g, vanished), u.elem)
			k.store(a[3], at, kept, nil)
			g = k.convert(kept, f32)
			return g, k.product(g, k.minus(k.read(a[0], at), mean))
		})
	})
}

// backward computes the gradients of x and of the parameters from the sums of [unit.gradientSums], with inverse = 1/sqrt(variance+epsilon):
//
//	dx = gamma*inverse (g - dbeta/M - (x-mean) dgamma*inverse/M),  dgamma = inverse * sum of g (x-mean),  dbeta = sum of g
//
//	arguments  dy (with a shortcut: g), x, mean, inverse, parameters, places, sums, products
//	results    dx; dgamma, dbeta: f32 (C)
func (u unit) backward() tileKernel {
	name := "norm_backward"
	switch {
	case u.sum:
		name = "norm_backward_sum"
	case u.pool:
		name = "norm_backward_pool"
	}
	_, _, _, parts, _ := u.split()
	return u.kernel(name, []elem{u.elem, u.elem, f32, f32, f32, i32, f32, f32, u.elem, f32, f32}, func(k unitKernel, a []tile) {
		sums := k.totals(parts, a[6], a[7])
		inverse, one := k.vector(a[3]), k.number(1/float64(u.batch*u.h*u.w), k.channels)
		dbeta, dgamma := sums[0], k.product(sums[1], inverse)
		k.write(a[9], dgamma)
		k.write(a[10], dbeta)
		constant, slope := k.wide(k.product(dbeta, one)), k.wide(k.product(k.product(dgamma, inverse), one))
		c := k.coefficients(k.vector(a[2]), inverse, a[4], a[5])
		k.loop(k.turns, nil, func(turn tile, _ []tile) []tile {
			row := k.row(turn)
			var centred, gradient, places []tile
			if u.sum {
				at := k.place(row)
				centred, gradient, places = []tile{k.minus(k.read(a[1], at), c.mean)}, []tile{k.read(a[0], at)}, []tile{at}
			} else {
				centred, gradient, places = k.gradients(c, a[0], a[1], row)
			}
			for i, at := range places {
				dx := k.product(k.minus(k.minus(gradient[i], constant), k.product(centred[i], slope)), c.factor)
				k.store(a[8], at, k.convert(dx, u.elem), nil)
			}
			return nil
		})
	})
}

// The numbers of a batch norm's tensors in what [net.places] lists.
const (
	placeGamma = iota
	placeBeta
	placeMean
	placeVariance
)

// places says where a batch norm's tensors lie in the vectors of the state, in an i32 (4). Kernels read them there: a slice of a vector would be copied, and a net has hundreds.
func (n *net) places(l network.Layer) value {
	var at []int
	for _, tensor := range []string{".gamma", ".beta", ".mean", ".variance"} {
		at = append(at, n.offsets[l.Name+tensor])
	}
	return n.integers(at...)
}

// unit emits a unit whose batch norm is layer l, and its gradients: back returns that of x, and that of the shortcut if there is one.
func (n *net) unit(l network.Layer, u unit, x value, shortcut *value) (z value, back func(dy value) (dx, dshortcut value)) {
	part := func(parts int) argument { return argument{elem: f32, dims: []int{parts, u.c}} }
	vector, places := argument{elem: f32, dims: []int{u.c}}, n.places(l)
	sums, made := n.sums[x.id]
	if !made {
		k := u.statistics()
		out := n.run(k, []argument{part(k.grid[0]), part(k.grid[0])}, x, n.running, places)
		sums = [2]value{out[0], out[1]}
	}
	images, result := argument{elem: u.elem, dims: x.dims}, argument{elem: u.elem, dims: x.dims}
	if u.pool {
		result.dims = []int{u.batch, u.h / 2, u.w / 2, u.c}
	}
	operands := []value{x, sums[0], sums[1], n.running, n.parameters, places}
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
			k := u.gradientSums(len(addends))
			out := n.run(k, []argument{images, part(k.grid[0]), part(k.grid[0])}, append(slices.Clone(addends), x, mean, z)...)
			g, sums = out[0], out[1:]
		} else {
			g = n.kept(dy)
			k := u.gradientSums(1)
			sums = n.run(k, []argument{part(k.grid[0]), part(k.grid[0])}, g, x, mean, inverse, n.parameters, places)
		}
		out := n.run(u.backward(), []argument{images, vector, vector}, g, x, mean, inverse, n.parameters, places, sums[0], sums[1])
		n.gradients[l.Name+".gamma"], n.gradients[l.Name+".beta"] = out[1], out[2]
		return out[0], g
	}
}
