package xla

import "tqn/nets/network"

// Convolutions of few channels, of which residual nets on images of CIFAR's size consist. A layer of 16 channels does so little arithmetic for each byte that the
// time to read and write its images is what it has to take; NVIDIA's library takes about eight times as long, since its kernels are made for wide
// layers. These kernels read each image from memory once and its eight shifted copies from the caches. docs/performance.md has the times.

// narrow is a 3x3 convolution of stride 1 whose output is as large as its input, (N,H,W,In) to (N,H,W,Out), with weights (Out,3,3,In).
type narrow struct {
	batch, h, w, in, out int
	elem                 elem // of images, weights and gradients
}

// narrowConv says whether a layer is one that the kernels are faster at than the library, for this number of images and type of factors.
func narrowConv(l network.Layer, batch int, e elem) (narrow, bool) {
	c := narrow{batch, l.In.H, l.In.W, l.In.C, l.Out.C, e}
	widest := 64
	if e == f32 || l.In.H*l.In.W > 256 {
		widest = 32 // float32's rows are twice as wide
	}
	return c, c.computes(l) && isSide(c.in) && max(c.in, c.out) <= widest
}

// firstConv is the same for the gradient of the weights alone where a layer's images have few channels, as in a net's first layer, and are filled up to so many.
func firstConv(l network.Layer, batch, channels int, e elem) (narrow, bool) {
	c := narrow{batch, l.In.H, l.In.W, channels, l.Out.C, e}
	return c, c.computes(l) && l.In.C <= channels && c.out <= 64
}

// computes says whether the kernels are made for a layer's filter and size, however many channels its images have.
func (c narrow) computes(l network.Layer) bool {
	return l.Kernel == 3 && l.Stride == 1 && l.Pad == 1 && isSide(c.out) && c.pixels()%gradientBlock == 0 && c.pixels()*max(c.in, c.out) <= maxValues
}

func (c narrow) pixels() int { return c.batch * c.h * c.w }

// position splits the numbers of pixels, (n*H+y)*W+x, into y and x.
func (c narrow) position(k *tiles, pixel tile) (y, x tile) {
	return k.modulo(k.over(pixel, c.w), c.h), k.modulo(pixel, c.w)
}

// forward is y[p,o] = sum over taps and i of x[p+tap,i] w[o,tap,i]. With sums each of its programs also returns two sums over its pixels, of which it has at most 256: of y[p,o] less the running mean, and
// of the square of that, where y is rounded as it is stored. Batch norm has its statistics from them without reading y again.
func (c narrow) forward(sums bool) tileKernel {
	return c.convolution("narrow_forward", c.in, c.out, sums, func(k *tiles, tap int, from, to tile) tile {
		return k.add(k.times(to, 9*c.in), k.plus(from, tap*c.in))
	})
}

// backward is the gradient of the input, dx[p,i] = sum over taps and o of dy[p-tap,o] w[o,tap,i].
func (c narrow) backward() tileKernel {
	return c.convolution("narrow_backward", c.out, c.in, false, func(k *tiles, tap int, from, to tile) tile {
		return k.add(k.times(from, 9*c.in), k.plus(to, (8-tap)*c.in))
	})
}

// convolution is a kernel of which each program computes a block of pixels of the result: the sum over the nine taps of the shifted source times a matrix of weights. weight locates that matrix: it says, for a
// tap, where the factor between channel from of the source and channel to of the result lies.
//
//	arguments  source, weights; with sums: running averages, offsets
//	results    result; with sums: the sums of [narrow.forward]
func (c narrow) convolution(name string, source, result int, sums bool, weight func(k *tiles, tap int, from, to tile) tile) tileKernel {
	block, warps := c.block(source)
	one := tileKernel{name: name, grid: [3]int{c.pixels() / block, 1, 1}, warps: warps, stages: 2}
	arguments := []elem{c.elem, c.elem, c.elem}
	if sums {
		one.name, arguments = name+"_sums", []elem{c.elem, c.elem, f32, i32, c.elem, f32, f32}
	}
	return newKernel(one, arguments, func(k *tiles, a []tile) {
		pixel := k.add(k.splat(k.times(k.program("x"), block), block), k.count(block))
		y, x := c.position(k, pixel)
		from, to := k.count(source), k.count(result)
		sum := k.zeros(f32, block, result)
		ahead := c.ahead(block, warps, source, result)
		for first := 0; first < 9; first += ahead {
			var shifted, factors []tile
			for tap := first; tap < first+ahead; tap++ {
				up, left := tap/3-1, tap%3-1
				inside := k.down(k.and(k.within(k.plus(y, up), c.h), k.within(k.plus(x, left), c.w)), source)
				at := k.add(k.down(k.times(k.plus(pixel, up*c.w+left), source), source), k.across(from, block))
				shifted = append(shifted, k.load(a[0], at, &inside))
				factors = append(factors, k.load(a[1], weight(k, tap, k.down(from, result), k.across(to, source)), nil))
			}
			for i := range shifted {
				sum = k.dot(shifted[i], factors[i], sum)
			}
		}
		at := k.add(k.down(k.times(pixel, result), result), k.across(to, block))
		kept := k.convert(sum, c.elem)
		if !sums {
			k.store(a[2], at, kept, nil)
			return
		}
		k.store(a[4], at, kept, nil)
		shift := k.load(a[2], k.add(to, k.load(a[3], k.constant(offsetMean, result), nil)), nil)
		shifted := k.minus(k.convert(kept, f32), k.across(shift, block))
		place := k.add(k.splat(k.times(k.program("x"), result), result), to)
		k.store(a[5], place, k.columnSums(shifted), nil)
		k.store(a[6], place, k.columnSums(k.product(shifted, shifted)), nil)
	})
}

// ahead is for how many taps a program loads before it multiplies. Between two products its threads wait for each other and for what they load: the fewer such waits, the better. What is loaded stays in
// registers meanwhile, of which a thread has 255.
func (c narrow) ahead(block, warps, source, result int) int {
	words := (block*source + source*result) / (32 * warps) // that a thread loads for a tap
	if c.elem == bf16 {
		words /= 2
	}
	for _, ahead := range []int{9, 3} {
		if ahead*words <= 144 {
			return ahead
		}
	}
	return 1
}

// block is how many pixels a program takes, and by how many warps, as measured on an H100 with 128 images.
func (c narrow) block(source int) (pixels, warps int) {
	pixels, warps = 64, 4
	switch all := c.pixels(); {
	case c.elem == f32:
		pixels = 128
	case all >= 1<<17 && source == 16:
		pixels = 256
	case all >= 1<<17:
		pixels, warps = 256, 8
	case all >= 1<<15 && source == 64:
		pixels = 128
	}
	return powerOfTwo(c.pixels(), pixels), warps
}

// makesSums says whether the sums cost less in the convolution's kernel than in one of their own: they do where there are few channels, and much that would have to be read again.
func (c narrow) makesSums() bool { return c.in == 16 && c.pixels() >= 1<<16 }

// weights is the gradient of the weights in parts, one for each of so many programs, each from its own pixels p: part[o,tap,i] = sum over p of dy[p,o] x[p+tap,i].
func (c narrow) weights() (gradient tileKernel, parts int) {
	parts, turns, stages := c.parts()
	one := tileKernel{name: "narrow_weights", grid: [3]int{parts, 1, 1}, warps: 4, stages: stages}
	arguments := []elem{c.elem, c.elem, f32}
	if c.elem == bf16 && c.in <= 32 || c.in < 16 {
		return newKernel(one, arguments, func(k *tiles, a []tile) { c.rowsTogether(k, a, turns) }), parts
	}
	one.grid[1] = 3
	return newKernel(one, arguments, func(k *tiles, a []tile) { c.rowsApart(k, a, turns) }), parts
}

// gradientBlock is how many pixels a product of the gradient of the weights takes.
const gradientBlock = 64

// parts is into how many parts the gradient of the weights is cut, how many blocks of pixels each takes, and how many turns ahead its loop loads, as measured on an H100
// with 128 images.
func (c narrow) parts() (parts, turns, stages int) {
	most := 128
	switch {
	case c.in == 64:
		most = 32
	case c.in == 16 && c.elem == bf16:
		most = 256
	case c.in < 16 && c.elem == f32: // not measured: a turn has many instructions for what it loads, and two programs on a multiprocessor should fill each other's waits
		most = 256
	}
	stages = 3
	if c.elem == f32 {
		stages = 2
	}
	parts, turns = shares(c.pixels()/gradientBlock, most)
	return parts, turns, stages
}

// turn is what a turn of the loop over a program's pixels has: the pixels, their row and column, and dy there. Pixels beyond the last have a row beyond an image's last, so that no tap of theirs is inside, and a dy of 0.
func (c narrow) turn(k *tiles, dy tile, turns int, n tile) (pixel, y, x, gradient tile) {
	first := k.times(k.add(k.times(k.program("x"), turns), n), gradientBlock)
	pixel = k.add(k.splat(first, gradientBlock), k.count(gradientBlock))
	y, x = c.position(k, pixel)
	var has *tile
	if parts, _, _ := c.parts(); parts*turns*gradientBlock != c.pixels() {
		real := k.within(pixel, c.pixels())
		y = k.choose(real, y, k.constant(c.h+1, gradientBlock))
		wide := k.down(real, c.out)
		has = &wide
	}
	return pixel, y, x, k.load(dy, k.add(k.down(k.times(pixel, c.out), c.out), k.across(k.count(c.out), gradientBlock)), has)
}

// inPart locates rows of a product, whose place in (3,3,In) is given, in the part of this program.
func (c narrow) inPart(k *tiles, row tile) tile {
	start := k.splat(k.times(k.program("x"), c.out*9*c.in), row.dims[0], c.out)
	return k.add(start, k.add(k.across(k.times(k.count(c.out), 9*c.in), row.dims[0]), k.down(row, c.out)))
}

// rowsTogether is [narrow.weights] for few channels of bfloat16, and for the images of a first layer: a product takes the three taps of a row at once, and a fourth that is empty, since sides are powers of two.
func (c narrow) rowsTogether(k *tiles, a []tile, turns int) {
	rows := 4 * c.in
	row := k.count(rows)
	column, channel := k.over(row, c.in), k.modulo(row, c.in)
	sums := k.loop(turns, []tile{k.zeros(f32, rows, c.out), k.zeros(f32, rows, c.out), k.zeros(f32, rows, c.out)}, func(n tile, sums []tile) []tile {
		pixel, y, x, dy := c.turn(k, a[1], turns, n)
		inside := k.and(k.down(k.within(column, 3), gradientBlock), k.within(k.add(k.across(x, rows), k.down(k.plus(column, -1), gradientBlock)), c.w))
		source := k.add(k.across(k.times(pixel, c.in), rows), k.down(k.add(k.times(k.plus(column, -1), c.in), channel), gradientBlock))
		out := make([]tile, 3)
		for r := range out {
			mask := k.and(inside, k.across(k.within(k.plus(y, r-1), c.h), rows))
			out[r] = k.dot(k.load(a[0], k.plus(source, (r-1)*c.w*c.in), &mask), dy, sums[r])
		}
		return out
	})
	filled := k.down(k.within(column, 3), c.out)
	for r, sum := range sums {
		k.store(a[2], c.inPart(k, k.plus(row, r*3*c.in)), sum, &filled)
	}
}

// rowsApart is [narrow.weights] otherwise: a program takes one row of taps, and each tap by itself.
func (c narrow) rowsApart(k *tiles, a []tile, turns int) {
	channel, r := k.count(c.in), k.program("y")
	sums := k.loop(turns, []tile{k.zeros(f32, c.in, c.out), k.zeros(f32, c.in, c.out), k.zeros(f32, c.in, c.out)}, func(n tile, sums []tile) []tile {
		pixel, y, x, dy := c.turn(k, a[1], turns, n)
		up := k.splat(k.plus(r, -1), gradientBlock)
		here := k.within(k.add(y, up), c.h)
		source := k.add(k.across(k.times(k.add(pixel, k.times(up, c.w)), c.in), c.in), k.down(channel, gradientBlock))
		out := make([]tile, 3)
		for s := range out {
			mask := k.across(k.and(here, k.within(k.plus(x, s-1), c.w)), c.in)
			out[s] = k.dot(k.load(a[0], k.plus(source, (s-1)*c.in), &mask), dy, sums[s])
		}
		return out
	})
	first := k.splat(k.times(r, 3*c.in), c.in)
	for s, sum := range sums {
		k.store(a[2], c.inPart(k, k.plus(k.add(channel, first), s*c.in)), sum, nil)
	}
}

// narrow emits a narrow convolution, and its gradients. If there is a batch norm, which follows, the sums that it needs are made along with y.
func (n *net) narrow(l network.Layer, c narrow, x, w value, norm *network.Layer) (value, back) {
	images := func(channels int) argument { return argument{elem: c.elem, dims: []int{c.batch, c.h, c.w, channels}} }
	var y value
	if norm == nil {
		y = n.run(c.forward(false), []argument{images(c.out)}, x, w)[0]
	} else {
		k := c.forward(true)
		part := argument{elem: f32, dims: []int{k.grid[0], c.out}}
		out := n.run(k, []argument{images(c.out), part, part}, x, w, n.running, n.offsetsOf(*norm))
		y = out[0]
		n.sums[y.id] = [2]value{out[1], out[2]}
	}
	return y, func(dy value) value {
		dy = n.factor(dy)
		n.gradients[l.Name+".weight"] = n.weightGradient(c, x, dy)
		return n.run(c.backward(), []argument{images(c.in)}, dy, w)[0]
	}
}

// weightGradient emits the gradient of a narrow convolution's weights, f32 (Out,3,3,In).
func (n *net) weightGradient(c narrow, x, dy value) value {
	k, parts := c.weights()
	return n.reduce("add", n.run(k, []argument{{elem: f32, dims: []int{parts, c.out, 3, 3, c.in}}}, x, dy)[0], 0, 0)
}
