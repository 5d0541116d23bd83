//go:build amd64 && !purego

package kernel

// directConv computes convolutions by the definition with one micro-kernel: a
// tile of pixels (or of filter rows, for the gradient of the weights) by a tile
// of output channels stays in registers while the reduction runs.
//
// An image is copied into zero padding first, so that one filter row of a pixel,
// the values (s, c), are neighbours in memory.
type directConv struct {
	ConvShape
	forw, back *directPass
	weights    *directGrad
}

func newDirectConv(ws *Workers, s ConvShape) *directConv {
	forw, back := s.passes()
	if folded, ok := s.foldedBack(); ok {
		back = folded
	}
	c := &directConv{
		ConvShape: s,
		forw:      newDirectPass(ws, forw, newPassTile(ws.impl, &forw)),
		back:      newDirectPass(ws, back, newPassTile(ws.impl, &back)),
		weights:   newDirectGrad(ws, s, newGradWay(ws.impl, s)),
	}
	c.weights.reserve(c.back.bytes())
	return c
}

func (c *directConv) setWeights(w []float32, _ bool) {
	c.forw.pack(w, false)
	c.back.pack(w, true)
}
func (c *directConv) forward(y, x []float32, n int, sums *Sums) {
	c.forw.run(Floats(y), Floats(x), n, sums)
}
func (c *directConv) gradInput(dx, dy []float32, n int)      { c.back.run(Floats(dx), Floats(dy), n, nil) }
func (c *directConv) gradWeights(dw, x, dy []float32, n int) { c.weights.run(dw, Floats(x), dy, n) }

func (c *directConv) forwardNorm(y, x Values, norm *BatchNorm, n int, sums *Sums) {
	c.forw.norm = norm
	c.forw.run(y, x, n, sums)
	c.forw.norm = nil
}

// fusesBackward: where there are few pixels, the reduction of the weights' gradient runs over the images, and reads all dy from memory, as they lie there if nothing is fused. Of activations
// in two bytes they do not lie there as float32 anyway.
func (c *directConv) fusesBackward() bool { return !c.weights.few || c.weights.ws.keepsHalves() }

func (c *directConv) backward(dw []float32, x Values, j backwardJob, n int) {
	c.weights.runFused(dw, x, j, c.back, n)
}

// directPass computes a source's products with the filter: the rows of a tile are pixels, its columns the channels of the result.
//
// With up to half as many channels as columns, two neighbouring pixels share a row: x at s is multiplied with the weights at s for the left one and, in the next
// columns, with those at s-1 for the right one. That takes side+1 products for two pixels, not 2*side, in the same order but for some with zeros.
type directPass struct {
	passShape
	ws                  *Workers
	tile                directTile
	kp                  int
	pixels              int // in a row of a tile: 1 or 2
	reduction           int // products in a filter row
	tiles               [][2]int
	outPitch, outPixels int
	inPlace             bool // tiles are stored to the result itself
	padded              int  // floats
	packed, w, source   []float32

	dst, src                  Values
	norm                      *BatchNorm // src is still to be normalised
	sums                      *Sums
	image, packPart, turnPart func(part, worker int)
}

func newDirectPass(ws *Workers, s passShape, tile directTile) *directPass {
	p := &directPass{passShape: s, ws: ws, tile: tile, pixels: 1, reduction: s.side * s.c}
	p.kp = roundUp(s.k, p.tile.k)
	p.tiles, p.outPitch, p.outPixels = s.tilesOf(p.tile.m)
	if s.sharesRows(p.tile) {
		p.pixels, p.reduction = 2, (s.side+1)*s.c
		p.tiles, p.outPitch, p.outPixels = s.pairsOf(p.tile.m)
	}
	p.inPlace = !s.folded && p.kp == p.pixels*s.k && p.outPitch*p.pixels == s.outW && p.outPixels*p.pixels == s.outH*s.outW
	p.padded = roundUp(s.paddedPixels(p.tile.m*p.pixels)*s.c+64, 16)
	p.packed = make([]float32, s.side*p.reduction*p.kp)
	ws.reserve(roundUp(p.bytes(), 64)+2*roundUp(s.ph*s.pw*s.c*4, 64)+roundUp(s.outH*s.outW*s.k*4, 64), s.side*s.side*s.c*s.k*4+64)
	p.image, p.packPart, p.turnPart = p.runImage, p.packBlock, p.turn
	return p
}

// sharesRows says whether two pixels fit into a row of the tile.
func (s *passShape) sharesRows(t directTile) bool {
	return s.stride == 1 && !s.folded && s.outW%2 == 0 && 2*s.k <= t.k
}

// copyPairs is copyRows of pairs: in a row of the output the pixels of a pair lie side by side, and so do pairs without what fills their tile.
func (s *passShape) copyPairs(dst, out []float32, outPitch, kp int) {
	for row := range s.outH {
		copyPixels(dst[row*s.outW*s.k:][:s.outW*s.k], out[row*outPitch*kp:], 2*s.k, kp, 2*s.k)
	}
}

// pairsOf is tilesOf for pairs of pixels, within rows of the output. outPitch and outPixels count pairs.
func (s *passShape) pairsOf(size int) (tiles [][2]int, outPitch, outPixels int) {
	outPitch = roundUp(s.outW/2, size)
	for row := range s.outH {
		for q := 0; q < s.outW/2; q += size {
			tiles = append(tiles, [2]int{row*s.pitch() + 2*q, row*outPitch + q})
		}
	}
	return tiles, outPitch, s.outH * outPitch
}

// pack arranges the weights: for each block of output channels, the reduction (r, s, c), the block's channels. w is (side, side, c, k); for the transposed
// convolution (side, side, k, c), which is first turned, or folded.
func (p *directPass) pack(w []float32, transposed bool) {
	p.w = w
	if transposed && (p.side > 1 || p.c > 1) {
		shared := p.ws.shared
		p.w, p.source = take[float32](&shared, p.side*p.side*p.c*p.k), w
		p.ws.Do(p.side*p.side, p.turnPart)
		p.source = nil
	}
	p.ws.Do(p.kp/p.tile.k*p.side, p.packPart)
	p.w = nil
}

func (p *directPass) packBlock(part, _ int) {
	block, r := part/p.side, part%p.side
	run, nk := p.side*p.c, p.tile.k
	k := min(nk, p.k-block*nk)
	to, from := p.packed[(block*p.side+r)*p.reduction*nk:][:p.reduction*nk], p.w[r*run*p.k+block*nk:]
	for t := range run { // what is never written here stays 0
		copy(to[t*nk:], from[t*p.k:][:k])
	}
	if p.pixels == 2 {
		for t := range run {
			copy(to[(t+p.c)*nk+k:], from[t*p.k:][:k])
		}
	}
}

// turn packs a tap for the transposed convolution, as turnTap does.
func (p *directPass) turn(tap, _ int) { p.turnTap(p.w, p.source, tap, p.ws.impl >= avx512) }

func (p *directPass) run(dst, src Values, n int, sums *Sums) {
	p.dst, p.src, p.sums = dst, src, sums
	p.clearPadding()
	p.ws.Do(n, p.image)
	p.dst, p.src, p.sums = Values{}, Values{}, nil
}

// clearPadding makes the beginning of every worker's scratch ready for convolve.
func (p *directPass) clearPadding() {
	for w := range p.ws.scratch {
		clear(p.ws.scratch[w][:p.padded*4])
	}
}

// bytes is what convolve takes of scratch.
func (p *directPass) bytes() int { return (p.padded + p.outPixels*p.kp) * 4 }

func (p *directPass) runImage(img, worker int) {
	scratch, in, out := p.ws.scratch[worker], p.ph*p.pw*p.c, p.outH*p.outW*p.k
	after := scratch[roundUp(p.bytes(), 64):]
	src, z, wide := p.src.Of(img*in, (img+1)*in), take[float32](&after, in), take[float32](&after, in)
	if p.norm != nil {
		src = p.norm.normalised(z, img)
	}
	dst := p.dst.room(take[float32](&after, out), out, img, img+1)
	p.convolve(dst, p.ws.factors(src, wide), nil, scratch)
	p.ws.finishImage(p.dst, p.sums, img, dst)
}

// convolve computes one image. The beginning of scratch must hold zeros where the padding is.
func (p *directPass) convolve(dst, src []float32, _ *ahead, scratch []byte) {
	padded := take[float32](&scratch, p.padded)
	p.padImage(padded, src)
	out := dst
	if !p.inPlace {
		out = take[float32](&scratch, p.outPixels*p.kp)
	}
	a := directArgs{astride: p.pixels * p.stride * p.c * 4, astep: 4, aseg: p.pitch() * p.c * 4, segs: p.side, n: p.reduction,
		bstep: p.tile.k * 4, cstride: p.kp * 4, blocks: 1}
	for block := range p.kp / p.tile.k {
		a.b = &p.packed[block*p.side*p.reduction*p.tile.k]
		for _, t := range p.tiles {
			a.a, a.c = &padded[t[0]*p.c], &out[t[1]*p.kp+block*p.tile.k]
			a.run(p.tile)
		}
	}
	switch {
	case p.inPlace:
	case p.pixels == 2:
		p.copyPairs(dst, out, p.outPitch, p.kp)
	default:
		p.copyRows(dst, out, p.outPitch, p.kp)
	}
}

// directGrad computes gradients of weights: the rows of a tile are values of a filter, its columns channels of dy; the reduction runs over the pixels of a few
// rows of the output, whose dy stay in the first-level cache. A weight's sum has the same order in all three ways of filling the tiles; where there are few pixels it has another.
type directGrad struct {
	passShape
	ws         *Workers
	way        gradWay
	tile       directTile
	kp         int // columns
	rp         int // rows of a pass
	passes     int
	rows       int  // of the output at a time
	padded     int  // floats of an image
	wide       int  // floats of a dy that is copied
	woven      int  // floats of an interleaved row
	window     bool // byFilter: one channel's window of 3x3 pixels is read where it lies, and its values come in the order (r, s)
	imageParts int
	few        bool // pixels: the reduction runs over the images, see fewPixels

	backwardJob // what is computed on the way; with yNorm there is no dy
	back        imagePass
	behind      int // bytes of a worker's scratch that are back's
	dw, dy      []float32
	x           Values
	images      int

	partFunc, reduceFn  func(part, worker int)
	padFunc, columnFunc func(part, worker int)
}

// gradWay is what the rows and columns of a pass are.
type gradWay int

const (
	// The values (s, c) of a row r of the filter, which are neighbours in the padded image; a pass for each r.
	byRow gradWay = iota
	// All values (s, r, c) of the filter, in one pass. For them the rows of the padded image that an output row reads are interleaved, unless there is one channel: see window. With few
	// channels, as in a net's first layer, tiles by rows would be nearly empty.
	byFilter
	// As byRow with s from 1 on, and in the columns the k channels of a pixel of dy, then those of the next pixel: what x contributes to a weight
	// at the pixel is what it contributes to the one at s-1 at the next pixel. So the first columns have the weights at s, the next k those at s-1. Rows of dy
	// are copied with a pixel of zeros before and behind them.
	byPair
)

// newGradWay is the way with the fewest products; interleaving rows must save a third.
func newGradWay(impl implementation, s ConvShape) gradWay {
	products := func(passes, values int) int { return passes * roundUp(values, newGradTile(impl, s.K, values).m) }
	row := products(s.Side, s.Side*s.C)
	switch {
	case 3*products(1, s.Side*s.Side*s.C) <= 2*row:
		return byFilter
	case s.Stride == 1 && s.Side > 1 && 2*s.K <= newDirectTile(impl, s.K).k && products(s.Side, (s.Side-1)*s.C) < row:
		return byPair
	}
	return byRow
}

func newDirectGrad(ws *Workers, s ConvShape, way gradWay) *directGrad {
	ph, pw := s.Out()
	g := &directGrad{ws: ws, way: way, passes: s.Side,
		passShape: passShape{ph: s.H, pw: s.W, c: s.C, dilate: 1, h: s.H, w: s.W, side: s.Side, stride: s.Stride, outH: ph, outW: pw, k: s.K}}
	values := s.Side * s.C
	switch way {
	case byFilter:
		values, g.passes = s.Side*s.Side*s.C, 1
	case byPair:
		values = (s.Side - 1) * s.C
	}
	g.tile = newGradTile(ws.impl, s.K, values)
	g.kp, g.rp = roundUp(s.K, g.tile.k), roundUp(values, g.tile.m)
	g.rows = max(1, min(ph, 24<<10/(pw*g.tile.k*4)))
	g.padded = roundUp(g.paddedPixels(1)*s.C+64, 16)
	g.wide = roundUp(ph*pw*g.kp, 16)
	switch way {
	case byFilter:
		if g.window = s.C == 1 && s.Side == 3 && windowTile(g.tile); g.window {
			break
		}
		g.woven = roundUp((s.W+2*(s.Side/2))*s.Side*s.C+g.tile.m, 16)
	case byPair:
		g.wide = roundUp(ph*(pw+1)*s.K+g.tile.k, 16)
	}
	g.imageParts = max(2, min(8, s.N, 4<<20/(s.Weights()*4)))
	g.imageParts = min(g.imageParts, s.N)
	g.partFunc, g.reduceFn, g.padFunc, g.columnFunc = g.part, g.reduce, g.pad, g.column
	g.few = way == byRow && fewPixels(s) && g.k == g.kp
	if g.reserve(0); g.few {
		if g.tile == (directTile{14, 32}) {
			g.tile = directTile{8, 32} // divides more numbers of channels
		}
		ws.reserve((values+g.tile.m)*g.tile.k*4, s.N*(g.padded+s.Outputs())*4+64)
	}
	return g
}

// imagePass is a pass that can be made image by image: [directPass] or [amxPass].
type imagePass interface {
	bytes() int // of scratch
	clearPadding()
	convolve(dst, src []float32, next *ahead, scratch []byte) // next is only fetched, if at all
}

// reserve makes room for one's own work and, at the beginning of a worker's scratch, for that many bytes of a pass.
func (g *directGrad) reserve(pass int) {
	g.behind = max(g.behind, roundUp(pass, 64))
	own := g.padded + g.wide + g.rows*g.woven + roundUp(g.outH*g.outW*g.k+g.tile.k, 16) + 3*roundUp(g.ph*g.pw*g.c, 16) + roundUp(g.outH*g.outW*g.k, 16)
	g.ws.reserve(g.behind+own*4, g.imageParts*g.floats()*4)
}

// runFused is run of the dy that j.yNorm computes; back makes the gradient of the input of it.
func (g *directGrad) runFused(dw []float32, x Values, j backwardJob, back imagePass, n int) {
	g.backwardJob, g.back = j, back
	if !j.dx.None() {
		back.clearPadding()
	}
	g.run(dw, x, nil, n)
	g.backwardJob, g.back = backwardJob{}, nil
}

// fewPixels says whether an image has so few pixels, and the filter so many weights, that adding an image's products to all the weights' sums takes longer than
// the products. Then the reduction runs over the images, for one pixel of the output after the other.
func fewPixels(s ConvShape) bool {
	h, w := s.Out()
	return h*w <= 8 && s.Weights() >= 8<<10
}

func (g *directGrad) floats() int { return roundUp(g.passes*g.rp*g.kp, 16) }

func (g *directGrad) partial(part int) []float32 {
	shared := g.ws.shared[part*g.floats()*4:]
	return take[float32](&shared, g.floats())
}

func (g *directGrad) run(dw []float32, x Values, dy []float32, n int) {
	g.dw, g.x, g.dy, g.images = dw, x, dy, n
	defer func() { g.dw, g.x, g.dy = nil, Values{}, nil }()
	if g.few {
		g.ws.Do(n, g.padFunc)
		if g.ws.keepsHalves() {
			g.dy = g.made()
		}
		g.ws.Do(g.side*g.kp/g.tile.k, g.columnFunc)
		return
	}
	zeros := g.padded
	if g.k != g.kp {
		zeros += g.wide
	}
	for w := range g.ws.scratch {
		clear(g.ws.scratch[w][g.behind:][:zeros*4])
	}
	g.ws.Do(g.imageParts, g.partFunc)
	g.ws.Do(g.side*g.side, g.reduceFn)
}

// pad is the first half of the work where there are few pixels: an image's places in the shared scratch.
func (g *directGrad) pad(img, worker int) {
	scratch, outputs := g.ws.scratch[worker], g.outH*g.outW*g.k
	forBack := take[byte](&scratch, g.behind)
	padded := g.paddedImage(img)
	clear(padded)
	g.operands(img, g.made()[img*outputs:][:outputs], padded, forBack, scratch)
}

func (g *directGrad) paddedImage(img int) []float32 {
	shared := g.ws.shared[img*g.padded*4:]
	return take[float32](&shared, g.padded)
}

// made is, where there are few pixels, the dy of all images as factors, if they do not lie in memory.
func (g *directGrad) made() []float32 {
	shared := g.ws.shared[g.images*g.padded*4:]
	return take[float32](&shared, g.images*g.outH*g.outW*g.k)
}

// operands takes an image of x to padded, makes dx if there is one, and returns the image's dy, in made unless it lies in memory.
func (g *directGrad) operands(img int, made, padded []float32, forBack, scratch []byte) []float32 {
	inputs, outputs := g.ph*g.pw*g.c, g.outH*g.outW*g.k
	narrow := take[float32](&scratch, outputs)
	z, factors, products := take[float32](&scratch, inputs), take[float32](&scratch, inputs), take[float32](&scratch, inputs)
	dy := made
	if g.yNorm == nil {
		dy = g.ws.factors(Floats(g.dy[img*outputs:][:outputs]), dy)
	} else {
		g.yNorm.gradFactors(dy[:outputs], narrow, img)
	}
	if !g.dx.None() {
		dx := g.products(products, inputs, img, img+1)
		g.back.convolve(dx, dy[:outputs], nil, forBack)
		g.finish(g.ws.impl, img, dx)
	}
	g.padImage(padded, g.xNorm.factors(g.ws, g.x.Of(img*inputs, (img+1)*inputs), z, factors))
	return dy
}

// column is the second half: a block of dy's channels and a row of the filter, of all images. The reduction runs over the images for one pixel of the output after the other. Taps that lie in
// the padding are left out.
func (g *directGrad) column(part, worker int) {
	r, column := part%g.side, part/g.side*g.tile.k
	to, step := g.dw[r*g.side*g.c*g.k+column:], g.k
	beyond := g.c%g.tile.m > 0
	if beyond { // tiles reach beyond the row
		scratch := g.ws.scratch[worker]
		to, step = take[float32](&scratch, (g.side*g.c+g.tile.m)*g.tile.k), g.tile.k
	}
	for row := range g.side * g.c {
		clear(to[row*step:][:g.tile.k])
	}
	a := directArgs{astride: 4, astep: g.padded * 4, segs: 1, n: g.images, bstep: g.outH * g.outW * g.k * 4, cstride: step * 4, accumulate: 1}
	padded := g.paddedImage(0)
	for p := range g.outH {
		if row := p*g.stride + r - g.side/2; row < 0 || row >= g.h {
			continue
		}
		for q := range g.outW {
			first := max(0, g.side/2-q*g.stride) // taps of the row
			end := min(g.side, g.w+g.side/2-q*g.stride)
			if first >= end {
				continue
			}
			a.a, a.b, a.c = &padded[((p*g.stride+r)*g.pitch()+q*g.stride+first)*g.c], &g.dy[(p*g.outW+q)*g.k+column], &to[first*g.c*step]
			a.blocks = ((end-first)*g.c + g.tile.m - 1) / g.tile.m
			a.run(g.tile)
		}
	}
	if beyond {
		for row := range g.side * g.c {
			copy(g.dw[(r*g.side*g.c+row)*g.k+column:][:g.tile.k], to[row*step:])
		}
	}
}

func (g *directGrad) part(part, worker int) {
	from, to := span(g.images, 1, part, g.imageParts)
	dw := g.partial(part)
	if from == to {
		clear(dw)
	}
	scratch := g.ws.scratch[worker]
	forBack := take[byte](&scratch, g.behind)
	padded, wide, woven := take[float32](&scratch, g.padded), take[float32](&scratch, g.wide), take[float32](&scratch, g.rows*g.woven)
	outputs := g.outH * g.outW * g.k
	made := take[float32](&scratch, outputs+g.tile.k) // there is room behind it for a tile that is wider than a pixel
	for img := from; img < to; img++ {
		dy := g.operands(img, made, padded, forBack, scratch)
		pixels, step := g.outW, g.k // of a row
		switch {
		case g.way == byPair:
			pixels++
			for row := range g.outH {
				copy(wide[(row*pixels+1)*g.k:], dy[row*g.outW*g.k:][:g.outW*g.k])
			}
			dy = wide
		case g.yNorm == nil && (g.images-1-img)*outputs < g.kp-g.k:
			// A tile wider than a pixel of dy reads into the next pixels, for sums that nobody looks at. Behind the last image is nothing to read.
			copyPixels(wide, dy, g.kp, g.k, g.k)
			dy, step = wide, g.kp
		}
		g.image(dw, padded, woven, dy, pixels, step, img > from)
	}
}

// image adds an image's products to dw, or sets dw to them. dy has rows of pixels of step values.
func (g *directGrad) image(dw, padded, woven, dy []float32, pixels, step int, add bool) {
	a := directArgs{astride: 4, astep: g.stride * g.c * 4, aseg: g.stride * g.pitch() * g.c * 4, n: pixels,
		bstep: step * 4, cstride: g.kp * 4, blocks: g.rp / g.tile.m}
	switch {
	case g.window:
		a.astride = g.pitch() * 4
	case g.way == byFilter:
		a.astep, a.aseg = g.stride*g.side*g.c*4, g.woven*4
	}
	for p := 0; p < g.outH; p += g.rows {
		a.segs = min(g.rows, g.outH-p)
		if add || p > 0 {
			a.accumulate = 1
		}
		if g.way == byFilter && !g.window {
			for row := range a.segs {
				g.weave(woven[row*g.woven:], padded[(p+row)*g.stride*g.pitch()*g.c:])
			}
		}
		for block := range g.kp / g.tile.k {
			a.b = &dy[p*pixels*step+block*g.tile.k]
			for r := range g.passes {
				a.a = &padded[(p*g.stride+r)*g.pitch()*g.c]
				a.c = &dw[r*g.rp*g.kp+block*g.tile.k]
				switch {
				case g.window:
					a.runWindow()
					continue
				case g.way == byFilter:
					a.a = &woven[0]
				}
				a.run(g.tile)
			}
		}
	}
}

// weave interleaves the rows of the padded image that a row of the output reads: to is (column, row, channel).
func (g *directGrad) weave(to, padded []float32) {
	columns := g.w + 2*(g.side/2)
	step := g.side * g.c
	for r := range g.side {
		from := padded[r*g.pitch()*g.c:][:columns*g.c]
		switch g.c {
		case 1:
			for q, v := range from {
				to[q*step+r] = v
			}
		case 3:
			for at := 3 * r; len(from) >= 3; at, from = at+step, from[3:] {
				*(*[3]float32)(to[at:]) = [3]float32(from)
			}
		default:
			copyPixels(to[r*g.c:][:(columns-1)*step+g.c], from, step, g.c, g.c)
		}
	}
}

// reduce adds the parts' sums of a tap.
func (g *directGrad) reduce(tap, _ int) {
	r, s := tap/g.side, tap%g.side
	at := r*g.rp + s*g.c
	switch {
	case g.window:
		at = tap
	case g.way == byFilter:
		at = (s*g.side + r) * g.c
	case g.way == byPair:
		if s == 0 {
			return // comes with the next tap
		}
		at -= g.c
	}
	first := g.partial(0)[at*g.kp:][:g.c*g.kp]
	for p := 1; p < g.imageParts; p++ {
		add(g.ws.impl, first, g.partial(p)[at*g.kp:][:g.c*g.kp])
	}
	each := g.c * g.k
	copyPixels(g.dw[tap*each:][:each], first, g.k, g.kp, g.k)
	if g.way == byPair && s == 1 {
		copyPixels(g.dw[(tap-1)*each:][:each], first[g.k:], g.k, g.kp, g.k)
	}
}

// turnTap transposes the channels of a tap of src, (side, side, k, c), into the place of the tap turned by 180 degrees of dst, (side, side, c, k). If the pass is folded it writes to the tap's place in dst,
// (2, 2, c, k), the weights of src, (3, 3, k/4, c), that [ConvShape.foldedBack] has there. fast needs AVX-512.
func (p *passShape) turnTap(dst, src []float32, tap int, fast bool) {
	n := p.c * p.k
	if !p.folded {
		transposed(dst[(p.side*p.side-1-tap)*n:][:n], src[tap*n:][:n], p.k, p.c, p.k, p.c, fast)
		return
	}
	to, channels := dst[tap*n:][:n], p.k/4
	clear(to)
	for of := range 4 {
		if r, s := foldTap(tap/2, of/2), foldTap(tap%2, of%2); r >= 0 && s >= 0 {
			transposed(to[of*channels:], src[(r*3+s)*n/4:][:n/4], p.k, p.c, channels, p.c, fast)
		}
	}
}

// transposed writes the transpose of src, (rows, columns) with its rows stride apart, to dst, (columns, rows) with its rows apart floats apart: blocks of 16 by 16 by the vector
// kernel where fast, which needs AVX-512, and the rest one by one.
func transposed(dst, src []float32, apart, stride, rows, columns int, fast bool) {
	high, wide := 0, 0 // what goes by blocks
	if fast {
		high, wide = rows/16*16, columns/16*16
	}
	if high > 0 && wide > 0 {
		transpose(&transposeArgs{src: &src[0], srcstride: stride * 4, dst: &dst[0], dststride: apart * 4, rows: high / 16, columns: wide / 16})
	}
	for r := range rows {
		from := wide
		if r >= high {
			from = 0
		}
		for c := from; c < columns; c++ {
			dst[c*apart+r] = src[r*stride+c]
		}
	}
}
