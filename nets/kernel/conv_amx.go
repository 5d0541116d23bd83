//go:build amd64 && !purego

package kernel

import "unsafe"

// amxConv computes float32 convolutions with the bf16 tile multiplier. A float32
// is exactly the sum of three bf16: x = x1 + x2 + x3, with |x2| <= 2^-8 |x| and
// |x3| <= 2^-17 |x| or so. If all weights are +-1 the three products x1 w, x2 w, x3 w are exact;
// otherwise six of nine are computed, and the largest left out, x2 w3 and x3 w2,
// are below 2^-24 |x w|. Sums are float32 in the tile registers.
//
// At bf16 ([Workers.SetPrecision]) x, w and dy are rounded to one piece each, and there is one product.
//
// An image is split in the second-level cache into zero-padded planes of pixels,
// so that a tile of 16 pixels by 32 values of the reduction is read from it
// directly: the values (s, c) of one filter row are neighbours in NHWC order. Where rows are shorter than a tile
// a plane holds the image once for each column of the filter, shifted by it, so that a tile's pixels
// are neighbours from one row to the next ([passShape.narrow]).
type amxConv struct {
	*tilePasses
	ws      *Workers
	weights *amxGradPass // at float32
	taps    *amxTapsGrad // at bf16
}

func newAMXConv(ws *Workers, s ConvShape) *amxConv {
	c := &amxConv{tilePasses: newTilePasses(ws, s), ws: ws}
	if ws.precision == BF16 {
		c.taps = newAMXTapsGrad(ws, s, c.back)
	} else {
		c.weights = newAMXGradPass(ws, s, c.back)
	}
	return c
}

func (c *amxConv) forward(y, x []float32, n int, sums *Sums) {
	c.forw.run(Floats(y), Floats(x), n, sums)
}
func (c *amxConv) gradInput(dx, dy []float32, n int) { c.back.run(Floats(dx), Floats(dy), n, nil) }
func (c *amxConv) gradWeights(dw, x, dy []float32, n int) {
	if c.taps != nil {
		c.taps.run(dw, Floats(x), dy, n)
		return
	}
	c.weights.run(dw, x, dy, n)
}

// fusesBackward: with more than one range of channels dy would be computed for each.
func (c *amxConv) fusesBackward() bool { return c.taps != nil || len(c.weights.ranges) == 1 }

func (c *amxConv) backward(dw []float32, x Values, j backwardJob, n int) {
	if g := c.taps; g != nil {
		g.backwardJob = j
		g.run(dw, x, nil, n)
		g.backwardJob = backwardJob{}
		return
	}
	g := c.weights
	g.backwardJob = j
	g.run(dw, x.floats, nil, n)
	g.backwardJob = backwardJob{}
}

type amxPass struct {
	passShape
	ws         *Workers
	one        bool // one product: operands are rounded to bf16
	planes     int  // pieces of the source
	planeBytes int
	scratch    int // bytes that an image takes
	kp         int // output channels, padded
	width      int // of them, those that are stored
	mt, nt     int
	binary     bool
	pieces     int   // of the packed weights: 1 or 3
	values     []int // byte offset in w of each value of the reduction, two for each row of a tile, or -1
	chunks     int   // of 32 in the reduction
	perRow     int   // chunks of a filter row
	ends       []int // folded: of each block of channels, the end of the chunks with weights that are not zeros
	offsets    []int
	tiles      []int
	pixels     int // in a row of a tile: 1 or 2, see [amxPass.sharesRows]
	reduction  int // values of a filter row
	copies     int // see [passShape.narrow]; else 1
	copyBytes  int // bytes between copies
	outPitch   int
	outPixels  int
	direct     bool  // tiles are stored to the result itself
	apartY     int   // floats between the pixels of a tile in what is stored to
	columns    []int // byte offset there of each 16 channels
	grouped    bool  // c is a multiple of 16: split16
	packed     []uint16
	config     *tileConfig
	w, source  []float32
	stack      *amxPass // of images of few pixels, or nil
	stacked    int      // stack: how many images
	reach      [][2]int // stack: the chunks of each pixel of the output
	images     int      // how many there are in all
	parts      int      // of their images
	group      int      // images at a time, at most

	dst, src           Values
	norm               *BatchNorm // src is still to be normalised
	sums               *Sums
	image              func(part, worker int)
	packPart, turnPart func(part, worker int)
}

func newAMXPass(ws *Workers, s passShape) *amxPass {
	p := &amxPass{passShape: s, ws: ws, one: ws.precision == BF16, planes: 3, pixels: 1, copies: 1}
	if p.one {
		p.planes = 1
	}
	p.setReduction()
	p.setChannels()
	size, tiles := p.tilesOfImage()
	p.setPlanes()
	p.placeTiles(tiles)
	p.config = newTileConfig(size, 8-p.nt)
	if p.nt == 1 {
		p.config.columns(p.width, 0, 1, 2, 3, 7) // accumulators and weights: no other channels are stored
	}
	p.setEnds()
	p.setGroup()
	p.scratch = p.group*p.planes*p.planeBytes + 64
	if !p.direct {
		p.scratch += p.outPixels*p.width*4 + 64
	}
	p.setValues()
	ws.reserve(roundUp(p.scratch, 64)+p.buffers(), (s.side*s.side*s.c*s.k+s.side*p.reduction*p.pixels*s.k)*4+128)
	p.image, p.packPart, p.turnPart = p.runPart, p.packGroup, p.turn
	if s.outH*s.outW <= mostStacked && p.copies == 1 && !s.folded {
		p.stack = p.newStack()
	}
	return p
}

// setReduction divides the values of a filter row, those of two rows of a tile's pixels where pixels share one, into chunks of 32.
func (p *amxPass) setReduction() {
	p.reduction = p.side * p.c
	if p.sharesRows() {
		p.pixels, p.reduction = 2, (p.side+1)*p.c
	}
	p.perRow = (p.reduction + 31) / 32
	p.chunks = p.side * p.perRow
	p.grouped = p.c%16 == 0 && !p.one
}

// setChannels chooses how many tiles of pixels and of channels are multiplied at a time: 4 by 1 for at most 16 channels, else 2 by 2.
func (p *amxPass) setChannels() {
	p.kp, p.width, p.nt, p.mt = 16, p.pixels*p.k, 1, 4
	if p.k > 16 {
		p.kp, p.nt, p.mt = roundUp(p.k, 32), 2, 2
		p.width = p.kp
	}
}

// tilesOfImage chooses how many rows a tile has, each for a pixel of the output or two, and lists the tiles of an image: the pixel of a plane where
// each begins to read, and the pixel of the output where it is stored. It decides how many copies a plane holds.
func (p *amxPass) tilesOfImage() (size int, tiles [][2]int) {
	if p.narrow() {
		p.copies, p.outPitch, p.outPixels = p.side, p.outW, p.outH*p.outW
		for t := range p.outPixels / 16 {
			tiles = append(tiles, [2]int{16 * t, 16 * t})
		}
		return 16, tiles
	}
	size = 16
	if p.outW/p.pixels <= 8 {
		size = 8
	}
	of := p.tilesOf
	if p.pixels == 2 {
		of = p.pairsOf
	}
	tiles, p.outPitch, p.outPixels = of(size)
	return size, tiles
}

// setPlanes sets the sizes of the planes and where in them, from a tile's first pixel, each chunk of the reduction lies.
func (p *amxPass) setPlanes() {
	pixels := p.paddedPixels(16 * p.pixels) // the last tile reads up to 16 pixels and a chunk beyond its first
	if p.copies > 1 {
		pixels = (p.h + 2*(p.side/2)) * p.passShape.w
	}
	p.copyBytes = roundUp((pixels*p.c+64)*2, 128) + 64 // odd multiples of 64 bytes spread over the cache's sets
	p.planeBytes = p.copies * p.copyBytes
	for r := range p.side {
		for j := range p.perRow {
			at := (r*p.pitch()*p.c + j*32) * 2
			if p.copies > 1 {
				at = j*32/p.c*p.copyBytes + (r*p.passShape.w*p.c+j*32%p.c)*2
			}
			p.offsets = append(p.offsets, at)
		}
	}
}

// setEnds finds, if the pass is folded, behind which chunk all weights of a block of channels are zeros: of the four pixels of dx, the one at (0, 0) takes the window's first pixel, that at (0, 1) its
// first row, and that at (1, 0) nothing behind the second row's first pixel.
func (p *amxPass) setEnds() {
	if !p.folded {
		return
	}
	first := (p.c + 31) / 32 // chunks of a row that has one pixel
	for at := 0; at < p.kp; at += 16 * p.nt {
		pixel := min(at+16*p.nt, p.k) - 1
		p.ends = append(p.ends, []int{first, p.perRow, p.perRow + first, 2 * p.perRow}[pixel/(p.k/4)])
	}
}

// placeTiles decides whether tiles are stored to the result itself, and lists in bytes where each tile reads and is stored.
func (p *amxPass) placeTiles(tiles [][2]int) {
	p.direct = p.width == p.pixels*p.k && p.outPitch*p.pixels == p.outW && p.outPixels*p.pixels == p.outH*p.outW && (!p.folded || p.copies == 1 && p.k%32 == 0)
	p.apartY = p.width
	for at := 0; at < p.kp; at += 16 {
		p.columns = append(p.columns, at*4)
	}
	row := p.outPitch * p.apartY // floats from a row of the output to the next
	if p.direct && p.folded {    // of the channels of a pixel the first half belongs to one row, the second to the next
		p.apartY, row = p.k/2, p.outW*p.k
		for j := range p.columns {
			p.columns[j] = (16*j/p.apartY*row/2 + 16*j%p.apartY) * 4
		}
	}
	for _, t := range tiles {
		at := t[1] * p.apartY
		if p.direct {
			at = t[1]/p.outPitch*row + t[1]%p.outPitch*p.apartY
		}
		p.tiles = append(p.tiles, t[0]*p.c*2, at*4)
	}
	for len(p.tiles)%(2*p.mt) != 0 { // repeat the last tile: the same values again
		p.tiles = append(p.tiles, p.tiles[len(p.tiles)-2:]...)
	}
}

// setValues lists where in the weights the values of the reduction lie that a tile of packed weights takes, two for each of its 16 rows.
func (p *amxPass) setValues() {
	for r := range p.side {
		for j := range p.perRow {
			for i := range 32 {
				t := 32*j + i
				if p.grouped { // as split16 leaves them
					t = 32*j + i/16*16 + i%16/2 + i%2*8
				}
				at := -1
				if t < p.reduction {
					at = (r*p.reduction + t) * p.pixels * p.k * 4
				}
				p.values = append(p.values, at)
			}
		}
	}
}

// buffers are the bytes behind scratch: of an image of the source, normalised, and of the results of a group of images before they are rounded.
func (p *amxPass) buffers() int {
	return roundUp(p.ph*p.pw*p.c*4, 64) + roundUp(p.group*p.outH*p.outW*p.k*4, 64)
}

// sharesRows says whether two neighbouring pixels share a row of a tile, as in [directPass]: they then take one product where they took two, of values from one pixel further with the
// right one's weights shifted by a pixel. At bf16 every sum keeps its order: the row's values must fit one chunk, and the shift must not part a pair.
func (p *amxPass) sharesRows() bool {
	chunks, more := (p.side*p.c+31)/32, ((p.side+1)*p.c+31)/32
	return p.stride == 1 && !p.folded && !p.narrow() && p.outW%2 == 0 && p.outW >= 16 && 2*p.k <= 16 && more == chunks && (!p.one || chunks == 1 && p.c%2 == 0)
}

// mostStacked is the most pixels that an image's result has in a stack.
const mostStacked = 12

// newStack is the same pass for several images, one below the other with a common padding between them: each of few pixels, they would fill a tile badly, and the weights
// would be read for each. A tile is one pixel of 16 images, mt tiles at a time, and of the reduction the chunks before the first and behind the last that reaches into the image are left out, all
// of whose factors are zeros; a pixel's sum is the same as in an image by itself.
func (p *amxPass) newStack() *amxPass {
	t := *p
	t.stacked, t.direct, t.outPitch = 16*t.mt, false, t.outW
	t.outPixels = t.stacked * t.outH * t.outW
	t.tiles = nil
	for at := range t.outH * t.outW {
		t.reach = append(t.reach, t.reachOf(at/t.outW, at%t.outW))
		for m := range t.mt {
			t.tiles = append(t.tiles, (16*m*t.apart()+t.stride*(at/t.outW*t.pitch()+at%t.outW))*t.c*2, (16*m*t.outH*t.outW+at)*t.width*4)
		}
	}
	t.config = newTileConfig(16, 8-t.nt)
	if t.nt == 1 {
		t.config.columns(t.width, 0, 1, 2, 3, 7)
	}
	pixels := t.stacked*t.apart() + t.paddedPixels(16)
	t.planeBytes = roundUp((pixels*t.c+64)*2, 128) + 64
	t.scratch = t.planes*t.planeBytes + t.outPixels*t.width*4 + 128
	t.ws.reserve(roundUp(t.scratch, 64)+t.buffers(), 0)
	t.image = t.runStack
	return &t
}

// reachOf is the first chunk of the reduction in which a pixel of the output meets one of the image, and the end of the last one.
func (p *amxPass) reachOf(row, column int) (reach [2]int) {
	reach[0] = p.chunks
	for chunk := range p.chunks {
		r, first := chunk/p.perRow, chunk%p.perRow*32
		if in := row*p.stride + r - p.lead(); in < 0 || in >= p.h {
			continue
		}
		from, to := column*p.stride+first/p.c-p.lead(), column*p.stride+min(first+31, p.reduction-1)/p.c-p.lead()
		if to >= 0 && from < p.passShape.w {
			reach[0], reach[1] = min(reach[0], chunk), chunk+1
		}
	}
	return reach
}

// apart is the number of pixels from an image of a stack to the next.
func (p *amxPass) apart() int { return (p.h + p.side/2) * p.pitch() }

// pack splits the weights and arranges them as the multiplier wants: for each
// block of nt*16 output channels, each chunk, each piece: nt tiles of 16 rows
// of 16 channels of 2 values of the reduction.
//
// w is (side, side, c, k); for the transposed convolution (side, side, k, c),
// which is first transposed in its channels, or folded.
func (p *amxPass) pack(w []float32, binary, transposed bool) {
	p.pieces = 3
	if binary || p.one {
		p.pieces = 1
	}
	need := p.kp / 16 * p.chunks * p.pieces * 512
	if cap(p.packed) < need {
		b := alignedBytes(need * 2)
		p.packed = take[uint16](&b, need)
	}
	p.packed = p.packed[:need]
	p.binary, p.w = binary, w
	if transposed && (p.side > 1 || p.c > 1) {
		shared := p.ws.shared
		p.w = take[float32](&shared, p.side*p.side*p.c*p.k)
		p.source = w
		p.ws.Do(p.side*p.side, p.turnPart)
		p.source = nil
	}
	if p.pixels == 2 {
		shared := p.ws.shared
		take[float32](&shared, len(w))
		p.w = p.pairedWeights(take[float32](&shared, p.side*p.reduction*2*p.k))
	}
	p.ws.Do(p.kp/16, p.packPart)
	p.w = nil
}

// pairedWeights writes, for each value of a filter row and of the pixel behind it, the weights of the left one of two pixels and those of the right one, whose filter begins a pixel later.
func (p *amxPass) pairedWeights(to []float32) []float32 {
	clear(to)
	run := p.side * p.c
	for r := range p.side {
		row, from := to[r*p.reduction*2*p.k:], p.w[r*run*p.k:][:run*p.k]
		copyPixels(row[:run*2*p.k], from, 2*p.k, p.k, p.k)
		copyPixels(row[p.c*2*p.k+p.k:][:(run-1)*2*p.k+p.k], from, 2*p.k, p.k, p.k)
	}
	return to
}

func (p *amxPass) turn(tap, _ int) { p.turnTap(p.w, p.source, tap, true) }

// packGroup packs 16 output channels.
func (p *amxPass) packGroup(group, _ int) {
	to := p.packed[(group/p.nt*p.chunks*p.pieces*p.nt+group%p.nt)*512:]
	if group*16 >= p.k { // the products of whatever lies there go to columns that nobody reads
		return
	}
	tail := 0xffff
	if n := p.pixels * p.k; group*16+16 > n {
		tail = tailMask(n)
	}
	a := pairArgs{src: &p.w[group*16], zero: &zeros[0], positions: &p.values[0], blocks: p.chunks, groups: 1, tail: tail,
		dst: &to[0], dstpiece: p.nt * 1024, dstblock: p.pieces * p.nt * 1024}
	if p.one {
		pairsRound(&a)
	} else if p.binary {
		pairsSingle(&a)
	} else {
		pairs(&a)
	}
}

// zeros stands for the values of the reduction that fill up a chunk.
var zeros [16]float32

func (p *amxPass) run(dst, src Values, n int, sums *Sums) {
	p.dst, p.src, p.sums, p.images = dst, src, sums, n
	if t := p.stack; t != nil && n > 1 {
		t.packed, t.pieces, t.binary, t.norm = p.packed, p.pieces, p.binary, p.norm
		t.dst, t.src, t.sums, t.images = dst, src, sums, n
		t.clearPadding()
		p.ws.Do((n+t.stacked-1)/t.stacked, t.image)
		t.norm, t.dst, t.src, t.sums = nil, Values{}, Values{}, nil
	} else {
		p.clearPadding()
		p.parts = partsOf((n+p.group-1)/p.group, p.ws.threads)
		p.ws.Do(p.parts, p.image)
	}
	p.dst, p.src, p.sums = Values{}, Values{}, nil
}

// clearPadding makes the beginning of every worker's scratch ready for convolve.
func (p *amxPass) clearPadding() {
	for w := range p.ws.scratch {
		clear(p.ws.scratch[w][:p.group*p.planes*p.planeBytes])
	}
}

// bytes is what convolve takes of scratch.
func (p *amxPass) bytes() int { return roundUp(p.scratch, 64) }

// runPart computes some images, one group behind the other.
func (p *amxPass) runPart(part, worker int) {
	from, to := span(p.images, p.group, part, p.parts)
	for img := from; img < to; img += p.group {
		n := min(p.group, to-img)
		p.runGroup(img, n, min(p.group, to-img-n), worker)
	}
}

// newAhead has the room that the images and the weights leave in a second-level cache.
func (p *amxPass) newAhead() ahead {
	room := secondLevel/4*3 - p.scratch - 2*len(p.packed)
	if p.dst.halves != nil { // results lie in scratch first
		room -= p.group * p.outH * p.outW * p.k * 4
	}
	return ahead{room: room}
}

// runGroup computes n images, behind which the worker goes on with so many others.
func (p *amxPass) runGroup(img, n, others, worker int) {
	scratch := p.ws.scratch[worker]
	next, in, out := p.newAhead(), p.ph*p.pw*p.c, p.outH*p.outW*p.k
	next.addValues(p.dst, out, img, img+n)
	if others > 0 {
		first, last := img+n, img+n+others
		next.addValues(p.src, in, first, last)
		if p.norm != nil {
			next.addValues(p.norm.residual, in, first, last)
			next.addValues(p.norm.z, in, first, last)
		}
	}
	for i := range n {
		if p.norm != nil && p.norm.y.halves != nil && p.norm.z.None() && p.copies == 1 {
			p.loadNormalised(i, img+i, scratch)
			continue
		}
		p.load(i, p.operand(img+i, scratch), scratch)
	}
	dst := p.results(img, n, scratch)
	p.compute(dst, n, &next, scratch)
	for i := range n {
		p.ws.finishImage(p.dst, p.sums, img+i, dst[i*out:][:out])
	}
}

// operand is an image of src, normalised.
func (p *amxPass) operand(img int, scratch []byte) Values {
	in := p.ph * p.pw * p.c
	if p.norm != nil {
		after := scratch[roundUp(p.scratch, 64):]
		return p.norm.normalised(take[float32](&after, in), img)
	}
	return p.src.Of(img*in, (img+1)*in)
}

// results are where the float32 results of n images go: to dst or, if that is of halves, to the end of scratch.
func (p *amxPass) results(img, n int, scratch []byte) []float32 {
	out := p.outH * p.outW * p.k
	after := scratch[roundUp(p.scratch, 64)+roundUp(p.ph*p.pw*p.c*4, 64):]
	return p.dst.room(take[float32](&after, n*out), out, img, img+n)
}

// runStack computes the images of a stack.
func (p *amxPass) runStack(part, worker int) {
	scratch := p.ws.scratch[worker]
	at := scratch
	planes, out := take[uint16](&at, p.planes*p.planeBytes/2), take[float32](&at, p.outPixels*p.width)
	first := part * p.stacked
	images := min(p.stacked, p.images-first)
	for i := range images {
		p.splitImage(planes[i*p.apart()*p.c:], p.operand(first+i, scratch))
	}
	p.multiplyStack(out, planes)
	for i := range images {
		dst := p.results(first+i, 1, scratch)
		p.copyRows(dst, out[i*p.outH*p.outW*p.width:], p.outPitch, p.width)
		p.ws.finishImage(p.dst, p.sums, first+i, dst)
	}
}

// multiplyStack computes a stack's tiles, a pixel of the output and a block of channels at a time.
func (p *amxPass) multiplyStack(out []float32, planes []uint16) {
	args := amxConvArgs{a: &planes[0], plane: p.planeBytes, astride: p.apart() * p.c * 2, y: &out[0], ystride: p.outH * p.outW * p.width * 4, config: p.config, mblocks: 1, kblock: 1}
	for block := range p.kp / 16 / p.nt {
		args.columns = &p.columns[block*p.nt]
		for pixel, reach := range p.reach {
			args.offsets, args.chunks, args.tiles = &p.offsets[reach[0]], reach[1]-reach[0], &p.tiles[2*p.mt*pixel]
			args.b = &p.packed[(block*p.chunks+reach[0])*p.pieces*p.nt*512]
			p.multiplyTiles(&args)
		}
	}
}

// convolve computes one image. The planes at the beginning of scratch must hold zeros where the padding is. While it multiplies it fetches what is needed next.
func (p *amxPass) convolve(dst, src []float32, next *ahead, scratch []byte) {
	p.load(0, Floats(src), scratch)
	p.compute(dst, 1, next, scratch)
}

// load makes planes of the i'th image of a group.
func (p *amxPass) load(i int, src Values, scratch []byte) {
	planes := take[uint16](&scratch, p.group*p.planes*p.planeBytes/2)
	p.splitImage(planes[i*p.planes*p.planeBytes/2:], src)
}

// loadNormalised is load of an image that the batch norm writes nowhere else: its rows go straight to their places among the padding.
func (p *amxPass) loadNormalised(i, img int, scratch []byte) {
	planes := take[uint16](&scratch, p.group*p.planes*p.planeBytes/2)[i*p.planeBytes/2:]
	y, row, pad := p.norm.image(p.norm.y, img), p.pw*p.c, p.lead()
	for at := range p.ph {
		to := planes[((pad+at)*p.pitch()+pad)*p.c:][:row]
		p.norm.applyImage(Values{halves: to, rounded: true}, y.Of(at*row, (at+1)*row), Values{})
	}
}

// compute computes n loaded images.
func (p *amxPass) compute(dst []float32, n int, next *ahead, scratch []byte) {
	planes := take[uint16](&scratch, p.group*p.planes*p.planeBytes/2)
	if p.group > 1 {
		p.multiplyGroup(dst, n, planes)
		return
	}
	out := dst
	if !p.direct {
		out = take[float32](&scratch, p.outPixels*p.width)
	}
	p.multiply(out, planes, next)
	switch {
	case p.direct:
	case p.pixels == 2:
		p.copyPairs(dst, out, p.outPitch, p.width)
	default:
		p.copyRows(dst, out, p.outPitch, p.width)
	}
}

// setGroup lets images of few pixels share weights of which there are more than a second-level cache holds, and lists the tiles of all of them.
func (p *amxPass) setGroup() {
	p.group = 1
	if !p.direct || p.copies == 1 || p.nt != 2 || p.kp*p.chunks*64 <= secondLevel {
		return
	}
	p.group = max(1, min(mostGrouped, secondLevel/2/(p.planes*p.planeBytes)))
	tiles := p.tiles
	for i := 1; i < p.group; i++ {
		for t := 0; t < len(tiles); t += 2 {
			p.tiles = append(p.tiles, tiles[t]+i*p.planes*p.planeBytes, tiles[t+1]+i*p.outH*p.outW*p.k*4)
		}
	}
}

// mostGrouped is the most images in a group.
const mostGrouped = 4

// multiplyGroup computes n images side by side: each 32 channels' weights, which come from the third-level cache, serve all of them. Meanwhile the next ones are fetched. A sum is
// the same bits as in an image by itself.
func (p *amxPass) multiplyGroup(dst []float32, n int, planes []uint16) {
	args := amxConvArgs{
		a: &planes[0], plane: p.planeBytes, astride: p.stride * p.c * 2, offsets: &p.offsets[0], chunks: p.chunks, y: &dst[0], ystride: p.apartY * 4, config: p.config,
		tiles: &p.tiles[0], mblocks: len(p.tiles) / p.group * n / 2 / p.mt, kblock: 1,
	}
	size := p.chunks * p.pieces * p.nt * 512
	for at := 0; at < len(p.packed); at += size {
		args.b, args.columns, args.lines = &p.packed[at], &p.columns[at/size*p.nt], 0
		if next := at + size; next < len(p.packed) {
			args.ahead, args.lines = (*float32)(unsafe.Pointer(&p.packed[next])), size/32
			args.each = (args.lines + args.mblocks*p.chunks - 1) / (args.mblocks * p.chunks)
		}
		p.multiplyTiles(&args)
	}
}

// multiply computes the tiles of out. What it fetches is divided over them: a call for each range, of some of the tiles or, if there are more of those, of the channels' blocks; with
// more ranges than of either the last ones are left out.
func (p *amxPass) multiply(out []float32, planes []uint16, next *ahead) {
	if next == nil {
		next = new(ahead)
	}
	args := amxConvArgs{
		a: &planes[0], plane: p.planeBytes, astride: p.pixels * p.stride * p.c * 2,
		b: &p.packed[0], offsets: &p.offsets[0], chunks: p.chunks,
		y: &out[0], ystride: p.apartY * 4, config: p.config,
	}
	blocks, kblocks := len(p.tiles)/2/p.mt, p.kp/16/p.nt
	if p.folded && kblocks > 1 {
		p.multiplyFolded(&args, blocks, next)
		return
	}
	args.each = (next.lines() + blocks*kblocks*p.chunks - 1) / (blocks * kblocks * p.chunks)
	units := max(blocks, kblocks)
	for at, n := 0, 0; at < units; at += n {
		n, args.lines = units-at, 0
		if next.n > 0 {
			x := next.take(len(next.ranges[0]))
			args.ahead, args.lines = &x[0], (len(x)+15)/16
			if perUnit := args.each * p.chunks * min(blocks, kblocks); next.n > 0 {
				n = min(n, (args.lines+perUnit-1)/perUnit)
			}
		}
		if blocks >= kblocks {
			args.mblocks, args.kblock, args.tiles, args.columns = n, kblocks, &p.tiles[2*p.mt*at], &p.columns[0]
		} else {
			args.mblocks, args.kblock, args.tiles, args.columns = blocks, n, &p.tiles[0], &p.columns[at*p.nt]
			args.b = &p.packed[at*p.chunks*p.pieces*p.nt*512]
		}
		p.multiplyTiles(&args)
	}
}

// multiplyFolded is multiply by blocks of channels, of each of which it leaves out the products with zeros. A block's calls fetch a range each, so that few are left out.
func (p *amxPass) multiplyFolded(args *amxConvArgs, blocks int, next *ahead) {
	args.kblock = 1
	for block, end := range p.ends {
		left := len(p.ends) - block
		calls := min(blocks, max(1, (next.n+left-1)/left))
		args.columns, args.chunks, args.b = &p.columns[block*p.nt], end, &p.packed[block*p.chunks*p.pieces*p.nt*512]
		for call := range calls {
			from, to := span(blocks, 1, call, calls)
			if args.lines = 0; next.n > 0 {
				x := next.take(len(next.ranges[0]))
				args.ahead, args.lines = &x[0], (len(x)+15)/16
				args.each = (args.lines + (to-from)*end - 1) / ((to - from) * end)
			}
			args.tiles, args.mblocks = &p.tiles[2*p.mt*from], to-from
			p.multiplyTiles(args)
		}
	}
}

func (p *amxPass) multiplyTiles(args *amxConvArgs) {
	switch {
	case p.one && p.nt == 2:
		amxConv2x2One(args)
	case p.one:
		amxConv4x1One(args)
	case p.binary && p.nt == 2:
		amxConv2x2(args)
	case p.binary:
		amxConv4x1(args)
	case p.nt == 2:
		amxConv2x2Full(args)
	default:
		amxConv4x1Full(args)
	}
}

// splitImage writes an image's pieces, or the image itself if it is of bf16 numbers, to their places among the padding.
func (p *amxPass) splitImage(planes []uint16, src Values) {
	pad := p.lead()
	if p.copies > 1 {
		for s := range p.copies {
			left, right := max(0, pad-s), max(0, s-pad) // columns of zeros before the row's pixels, pixels of the row left out
			to := planes[s*p.copyBytes/2+(pad*p.outW+left)*p.c:]
			p.splitRows(to, src.Of(right*p.c, src.Len()), p.ph, (p.outW-left-right)*p.c, p.outW*p.c, p.outW*p.c)
		}
		return
	}
	if p.dilate == 1 {
		p.splitRows(planes[(pad*p.pitch()+pad)*p.c:], src, p.ph, p.pw*p.c, p.pw*p.c, p.pitch()*p.c)
		return
	}
	for row := range p.ph {
		to := planes[((pad+row*p.dilate)*p.pitch()+pad)*p.c:]
		p.splitRows(to, src.Of(row*p.pw*p.c, (row+1)*p.pw*p.c), p.pw, p.c, p.c, p.dilate*p.c)
	}
}

// splitRows splits rows of n values that begin so many values apart.
func (p *amxPass) splitRows(to []uint16, src Values, rows, n, fromStep, toStep int) {
	if src.halves != nil {
		for row := range rows {
			copy(to[row*toStep:][:n], src.halves[row*fromStep:])
		}
		return
	}
	a := splitArgs{src: &src.floats[0], dst: &to[0], plane: p.planeBytes, rows: rows, n: n, srcstride: fromStep * 4, dststride: toStep * 2}
	a.split(p.grouped, p.one)
}

func (a *splitArgs) split(grouped, one bool) {
	a.tail = tailMask(a.n)
	switch {
	case one:
		a.tail = 0xffffffff >> ((32 - a.n%32) % 32)
		splitRound(a)
	case grouped:
		split16(a)
	default:
		split(a)
	}
}

// tailMask has a bit for each of the values in the last group of 16 of n.
func tailMask(n int) int { return 0xffff >> ((16 - n%16) % 16) }

// amxGradPass computes gradients of weights. The reduction runs over the
// positions of the padded image, 32 at a time: x transposed to rows of
// positions, one for each channel, and dy as pairs of positions, zero where
// there is no output. A tap is a shift of the rows of x.
//
// A part of the work is a range of channels of x (so that its gradients stay in the
// second-level cache) times a range of images, whose partial sums are added in order at the end.
type amxGradPass struct {
	ConvShape
	ws         *Workers
	pitch      int
	blocksX    int // blocks of 32 positions in x and in dy of a group of images
	blocksY    int // of one image, if group > 1 the same as x's
	group      int
	rowBytes   int
	kp         int
	mt, nt     int
	ranges     []gradRange
	imageParts int
	tableX     []int // byte offset of each position's pixel, or -1
	tableY     []int
	zero       []float32
	config     *tileConfig
	scratch    int // bytes of a part's x and dy
	dwFloats   int // of one range, with a tile for what is not wanted

	// For [Conv.Backward]: the pass that computes dx, and what makes x and dy.
	back *amxPass
	backwardJob

	dw, x, dy          []float32
	n                  int
	partFunc, reduceFn func(part, worker int)
}

// gradRange is a range of groups of 16 channels.
type gradRange struct {
	from, to int
	tiles    []int
}

func newAMXGradPass(ws *Workers, s ConvShape, back *amxPass) *amxGradPass {
	g := &amxGradPass{ConvShape: s, ws: ws, back: back, config: newTileConfig(16, 8)}
	pad := s.Side / 2
	g.pitch = s.W + pad
	ph, pw := s.Out()
	g.kp, g.nt, g.mt = 16, 1, 4
	if s.K > 16 {
		g.kp, g.nt, g.mt = roundUp(s.K, 32), 2, 2
	}
	length := (s.H-1)*g.pitch + s.W
	shift := (s.Side-1)*g.pitch + s.Side - 1
	blocks := (length + shift + 31) / 32
	g.group, g.blocksX, g.blocksY = 1, blocks, (length+31)/32
	if length <= 128 {
		g.group = min(s.N, 4)
		g.blocksY = blocks
	}
	// The last chunk of dy reads x up to a shift beyond its positions.
	rowBlocks := max(g.group*g.blocksX, g.group*g.blocksY+(shift+31)/32)
	g.rowBytes = (rowBlocks | 1) * 64
	g.tableX, g.tableY = make([]int, g.group*g.blocksX*32), make([]int, g.group*g.blocksY*32)
	for i := range g.tableX {
		g.tableX[i] = -1
	}
	for i := range g.tableY {
		g.tableY[i] = -1
	}
	for img := range g.group {
		for i := range s.H {
			for j := range s.W {
				g.tableX[img*g.blocksX*32+(i+pad)*g.pitch+pad+j] = (img*s.H*s.W + i*s.W + j) * s.C * 4
			}
		}
		for p := range ph {
			for q := range pw {
				g.tableY[img*g.blocksY*32+p*s.Stride*g.pitch+q*s.Stride] = (img*ph*pw + p*pw + q) * s.K * 4
			}
		}
	}
	g.zero = make([]float32, max(s.C, s.K)+16)

	groups := (s.C + 15) / 16
	perGroup := s.Side * s.Side * 16 * g.kp * 4
	// Half of a second-level cache of 2 MB for the gradients.
	perRange := max(1, min(groups, (1<<20)/perGroup))
	for from := 0; from < groups; from += perRange {
		r := gradRange{from: from, to: min(from+perRange, groups)}
		n := r.to - r.from
		for c := range n {
			for tap := range s.Side * s.Side {
				r.tiles = append(r.tiles, c*16*g.rowBytes+((tap/s.Side)*g.pitch+tap%s.Side)*2, (tap*n+c)*16*g.kp*4)
			}
		}
		for len(r.tiles)%(2*g.mt) != 0 { // a tile that nobody reads
			r.tiles = append(r.tiles, 0, s.Side*s.Side*n*16*g.kp*4)
		}
		g.ranges = append(g.ranges, r)
	}
	g.dwFloats = roundUp((s.Side*s.Side*perRange*16+16)*g.kp, 16)
	g.imageParts = min((s.N+g.group-1)/g.group, max(2, min(8, 16/len(g.ranges))))
	g.scratch = roundUp(3*perRange*16*g.rowBytes+64+g.group*g.blocksY*g.kp/16*3072+64, 64)
	ws.reserve(g.scratch+roundUp(back.scratch, 64)+g.group*max(s.Inputs(), s.Outputs())*4+s.Inputs()*4+128, g.imageParts*len(g.ranges)*g.dwFloats*4)
	g.partFunc, g.reduceFn = g.part, g.reduce
	return g
}

func (g *amxGradPass) run(dw, x, dy []float32, n int) {
	g.dw, g.x, g.dy, g.n = dw, x, dy, n
	for w := range g.ws.scratch { // beyond the rows' blocks: anything finite, since dy is 0 there
		clear(g.ws.scratch[w][:3*(g.ranges[0].to-g.ranges[0].from)*16*g.rowBytes])
		if !g.dx.None() {
			clear(g.ws.scratch[w][g.scratch:][:3*g.back.planeBytes]) // the padding
		}
	}
	g.ws.Do(g.imageParts*len(g.ranges), g.partFunc)
	g.ws.Do(g.Side*g.Side*((g.C+15)/16), g.reduceFn)
	g.dw, g.x, g.dy = nil, nil, nil
}

func (g *amxGradPass) partial(part int) []float32 {
	shared := g.ws.shared[part*g.dwFloats*4:]
	return take[float32](&shared, g.dwFloats)
}

func (g *amxGradPass) part(part, worker int) {
	r := &g.ranges[part/g.imageParts]
	from, to := span(g.n, g.group, part%g.imageParts, g.imageParts)
	dw := g.partial(part)
	clear(dw)
	scratch := g.ws.scratch[worker]
	channels := (r.to - r.from) * 16
	planes := take[uint16](&scratch, 3*channels*g.rowBytes/2)
	b := take[uint16](&scratch, g.group*g.blocksY*g.kp/16*1536)
	groupsY := (g.K + 15) / 16
	bchunk := g.kp / 16 * 3072
	for img := from; img < to; img += g.group {
		n := min(g.group, to-img)
		x, dy := g.images(img, n, worker)
		pairs(&pairArgs{
			src: &dy[0], zero: &g.zero[0], positions: &g.tableY[0],
			blocks: n * g.blocksY, groups: groupsY, tail: tailMask(g.K),
			dst: &b[0], dstpiece: 1024, dstblock: bchunk, dstgroup: 3072,
		})
		if g.xNorm != nil { // dy is no longer needed where x comes
			for i := range n {
				g.xNorm.applyImage(Floats(x[i*g.Inputs():][:g.Inputs()]), Floats(g.x[(img+i)*g.Inputs():][:g.Inputs()]), Values{})
			}
		}
		tailX := 0xffff
		if r.to*16 > g.C {
			tailX = tailMask(g.C)
		}
		pairsTransposed(&pairArgs{
			src: &x[r.from*16], zero: &g.zero[0], positions: &g.tableX[0],
			blocks: n * g.blocksX, groups: r.to - r.from, tail: tailX,
			dst: &planes[0], dstpiece: channels * g.rowBytes, dstblock: 64, dstgroup: 16 * g.rowBytes, dstrow: g.rowBytes,
		})
		args := amxGradArgs{
			a: &planes[0], plane: channels * g.rowBytes, astride: g.rowBytes,
			b: &b[0], bchunk: bchunk, chunks: n * g.blocksY,
			dw: &dw[0], dwstride: g.kp * 4,
			tiles: &r.tiles[0], mblocks: len(r.tiles) / 2 / g.mt, kblock: g.kp / 16 / g.nt, config: g.config,
		}
		if g.nt == 2 {
			amxGrad2x2(&args)
		} else {
			amxGrad4x1(&args)
		}
	}
}

// images returns a group's x and dy; where they are still to be computed, in the
// worker's scratch, the same place for both: x only after dy has been read. dx of the images is computed on the way.
func (g *amxGradPass) images(img, n, worker int) (x, dy []float32) {
	x = g.x[img*g.Inputs():][:n*g.Inputs()]
	after := g.ws.scratch[worker][g.scratch:]
	back, after := after[:roundUp(g.back.scratch, 64)], after[roundUp(g.back.scratch, 64):]
	buffer, products := take[float32](&after, n*max(g.Inputs(), g.Outputs())), take[float32](&after, g.Inputs())
	if g.xNorm != nil {
		x = buffer[:n*g.Inputs()]
	}
	if g.yNorm == nil {
		return x, g.dy[img*g.Outputs():][:n*g.Outputs()]
	}
	dy = buffer[:n*g.Outputs()]
	for i := range n {
		one := dy[i*g.Outputs():][:g.Outputs()]
		g.yNorm.gradImage(Floats(one), img+i)
		if !g.dx.None() {
			dx := g.products(products, g.Inputs(), img+i, img+i+1)
			g.back.convolve(dx, one, nil, back)
			g.finish(g.ws.impl, img+i, dx)
		}
	}
	return x, dy
}

// reduce adds the parts of 16 channels at a tap.
func (g *amxGradPass) reduce(part, _ int) {
	groups := (g.C + 15) / 16
	tap, group := part/groups, part%groups
	for i := range g.ranges {
		r := &g.ranges[i]
		if group < r.from || group >= r.to {
			continue
		}
		n := min(16, g.C-group*16)
		at := (tap*(r.to-r.from) + group - r.from) * 16 * g.kp
		first := g.partial(i * g.imageParts)[at:][:n*g.kp]
		for p := 1; p < g.imageParts; p++ {
			add(g.ws.impl, first, g.partial(i*g.imageParts + p)[at:][:n*g.kp])
		}
		copyPixels(g.dw[(tap*g.C+group*16)*g.K:][:n*g.K], first, g.K, g.kp, g.K)
	}
}
