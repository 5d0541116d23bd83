//go:build amd64 && !purego

package kernel

// winogradConv computes 3x3 convolutions of stride 1 by Winograd's algorithm F(4x4, 3x3): an output tile of 4x4
// pixels comes from an input tile d of 6x6 and a filter g as
//
//	y = A^T [ sum over c of (G g G^T) * (B^T d B) ] A
//
// with 36 products for each pair of channels instead of 144. For each of the 36 positions, the products with their sum
// over c are a matrix product of (tiles, C) and (C, K), computed by the micro-kernel of [directConv]. The gradient
// of the input is the same of dy with filters turned and channels exchanged. That of the weights is the adjoint, for which one of x and dy comes in tiles of 6x6 pixels
// and the other in tiles of 4x4. Taking those of 6x6 from dy, which the gradient of the input has transformed already, gives the weights turned by 180 degrees:
//
//	dw turned = G^T [ sum over tiles of (A x A^T) * (B^T dy B) ] G.
//
// B, G and A interpolate in the points 0, +-5/8, +-3/2 and infinity; the usual 0, +-1, +-2 have about twice their
// rounding error (docs/performance-history.md). Tiles beyond the image's edge count as zero.
//
// A worker takes a group of images through all steps while their tiles lie in its cache. Of layers of 8 channels conv_winograd_narrow.go has what is different.
type winogradConv struct {
	ConvShape
	ws         *Workers
	forw, back *winogradPass
	weights    *winogradGrad
	changes    winogradChanges

	filters  []float32 // to be packed
	packPart func(part, worker int)
}

func newWinogradConv(ws *Workers, s ConvShape) *winogradConv {
	c := &winogradConv{ConvShape: s, ws: ws, forw: newWinogradPass(ws, s, s.C, s.K), back: newWinogradPass(ws, s, s.K, s.C)}
	c.weights = newWinogradGrad(ws, s, c.back)
	c.packPart = c.pack
	c.changes.c = c
	c.changes.markPart, c.changes.packPart = c.changes.mark, c.changes.pack
	return c
}

func (c *winogradConv) setWeights(w []float32, binary bool) {
	if binary && c.changes.follow(w) {
		return
	}
	c.filters = w
	for _, p := range []*winogradPass{c.forw, c.back} {
		if p.packed == nil {
			p.packed = NewArena(winogradTile * p.apart)
		}
	}
	c.ws.Do(c.forw.strips()+c.back.strips(), c.packPart)
	c.filters = nil
	c.changes.reset(w, binary && !winogradNarrow(c.ConvShape)) // so few are all packed again
}

// pack packs a strip of one of the passes' weights.
func (c *winogradConv) pack(part, worker int) {
	if n := c.forw.strips(); part >= n {
		c.back.packStrip(c.filters, true, part-n, worker)
		return
	}
	c.forw.packStrip(c.filters, false, part, worker)
}

func (c *winogradConv) forward(y, x []float32, n int, sums *Sums) {
	c.forw.run(Floats(y), Floats(x), n, nil, sums)
}
func (c *winogradConv) gradInput(dx, dy []float32, n int) {
	c.back.run(Floats(dx), Floats(dy), n, nil, nil)
}
func (c *winogradConv) gradWeights(dw, x, dy []float32, n int) {
	c.weights.dy = dy
	c.weights.run(dw, Floats(x), n)
	c.weights.dy = nil
}

func (c *winogradConv) forwardNorm(y, x Values, norm *BatchNorm, n int, sums *Sums) {
	c.forw.run(y, x, n, norm, sums)
}

func (c *winogradConv) fusesBackward() bool { return true }

func (c *winogradConv) backward(dw []float32, x Values, j backwardJob, n int) {
	g := c.weights
	g.backwardJob = j
	g.run(dw, x, n)
	g.backwardJob = backwardJob{}
}

// winogradA and winogradB are the points' absolute values.
const winogradA, winogradB = 5. / 8, 3. / 2

// winogradPoints are the transforms' constants, in the order of the generator's list of that name.
var winogradPoints = func() [15]float32 {
	const a, b = winogradA, winogradB
	const a2, b2 = a * a, b * b
	const n0, na, nb = a2 * b2, 2 * a2 * (a2 - b2), 2 * b2 * (b2 - a2)
	return [15]float32{a, b, a2, b2, a2 * a, b2 * b, a2 * b2, a2 + b2, 1 / n0, 1 / na, 1 / nb, a / na, b / nb, a2 / na, b2 / nb}
}()

const winogradTile = 36 // values of a transformed tile

// winogradShape is what tiles of images of c channels look like.
type winogradShape struct {
	h, w, th, tw int // pixels, tiles
	zeros        []float32
	pairs        bool // vectors hold two tiles: see winogradPairs
}

func newWinogradShape(impl implementation, s ConvShape, channels int) winogradShape {
	return winogradShape{h: s.H, w: s.W, th: (s.H + 3) / 4, tw: (s.W + 3) / 4, zeros: make([]float32, s.W*channels), pairs: winogradPairs(impl, s)}
}

func (s *winogradShape) tiles() int { return s.th * s.tw }

// exact says that tiles do not reach over the image's edge.
func (s *winogradShape) exact() bool { return s.h%4 == 0 && s.w%4 == 0 }

// winogradStride is the distance of the positions of transformed tiles with c channels; 16 more than a multiple of 128 spread them over the cache's sets.
func winogradStride(tiles, c int) int { return roundUp(tiles, 8)*c + 16 }

// temporary is the number of floats that transforms work in.
func (s *winogradShape) temporary() int { return max(winogradTile, (4*s.tw+2)*6) * 16 }

// transform writes B^T d B of an image's tiles to u from tile first on.
func (s *winogradShape) transform(impl implementation, u transformed, first int, src []float32, c int, temp []float32) {
	a := winogradImageArgs{src: &src[0], zeros: &s.zeros[0], pitch: s.w * c * 4, h: s.h, column: c * 4, columns: s.w, right: 4*s.tw + 1 - s.w, temp: &temp[0],
		dst: &u.values[first*u.pitch], down: s.tw * u.pitch * 4, xi: u.stride * 4, tile: u.pitch * 4, tiles: s.tw, bytes: c * 4, points: &winogradPoints[0]}
	if s.pairs {
		a.runPairs()
		return
	}
	a.run(impl)
}

type winogradPass struct {
	winogradShape
	ws     *Workers
	c, k   int
	tile   directTile
	group  int // images at a time, at most
	packed []float32
	apart  int // floats from a position's packed weights to the next one's

	dst, src         Values
	n, groups, parts int
	norm             *BatchNorm
	sums             *Sums
	groupPart        func(part, worker int)
}

func newWinogradTile(impl implementation, k int) directTile {
	switch {
	case impl == avx2 && k == 8:
		return directTile{8, 8}
	case impl == avx2:
		return directTile{6, 16}
	case k == 8:
		return pairsTile
	case k%32 != 0:
		return directTile{16, 16}
	}
	return directTile{8, 32}
}

func newWinogradPass(ws *Workers, s ConvShape, c, k int) *winogradPass {
	p := &winogradPass{winogradShape: newWinogradShape(ws.impl, s, c), ws: ws, c: c, k: k, tile: newWinogradTile(ws.impl, k)}
	p.group = min(s.N, max(1, max(winogradTiles(c, k), c*k/1024)/p.tiles()))
	// A line more than a power of two, or all positions of a filter would be written to the same set of the caches.
	p.apart = c*k/p.tile.k*p.columns() + 16
	ws.reserve(max(p.scratch(p.group)+p.buffers(), p.temporary()+9*strip*p.tile.k)*4+256, 0)
	p.groupPart = p.runPart
	return p
}

// winogradTiles is the least number of tiles in a group. 64 use a weight that has come from afar, or a sum of the gradient of the weights; with 64 channels the second-level cache then
// overflows, and 32 are faster.
func winogradTiles(c, k int) int {
	weights, tiles := winogradTile*c*k*4, winogradTile*64*(c+k)*4
	if weights+tiles > secondLevel/4*3 && weights < secondLevel/2 {
		return 32
	}
	return 64
}

// buffers is the number of floats that runGroup takes before scratch: an image of the source, normalised, and where activations lie in two bytes also its factors and its result before that is rounded.
func (p *winogradPass) buffers() int {
	in, out := roundUp(p.h*p.w*p.c, 16), roundUp(p.h*p.w*p.k, 16)
	if !p.ws.keepsHalves() {
		return in
	}
	return 2*in + out
}

func (p *winogradPass) rows(images int) int { return roundUp(images*p.tiles(), p.tile.m) }

// scratch is the number of floats that convolve takes for so many images.
func (p *winogradPass) scratch(images int) int {
	t := p.rows(images)
	n := transformedFloats(t, p.c) + winogradTile*winogradStride(t, p.k) + p.temporary() + 64
	if !p.exact() {
		n += 16*p.tiles()*p.k + 16
	}
	return n
}

// columns is the number of floats of a row of packed weights.
func (p *winogradPass) columns() int {
	if p.pairs {
		return 2 * p.tile.k
	}
	return p.tile.k
}

// strip is the number of input channels whose filters one part of a job packs, if there are more than 8.
const strip = 16

func (p *winogradPass) strips() int { return max(1, p.k/p.tile.k*(p.c/strip)) }

// packStrip transforms filters of weights (3, 3, c, k): of a strip of input channels and a block of output channels. Packed weights are, for each position and block of output
// channels, (c, the block's channels). Weights to be turned are (3, 3, k, c): taps are turned by 180 degrees and channels exchanged.
func (p *winogradPass) packStrip(w []float32, turn bool, part, worker int) {
	nk, scratch := p.tile.k, p.ws.scratch[worker]
	if p.c < strip {
		p.packNarrow(w, turn, scratch)
		return
	}
	block, c := part/(p.c/strip), part%(p.c/strip)*strip
	if !turn {
		p.packVectors(w[c*p.k+block*nk:], p.c*p.k, p.k, block, c, strip, scratch)
		return
	}
	turned := take[float32](&scratch, 9*strip*nk)
	for tap := range 9 {
		transposed(turned[(8-tap)*strip*nk:], w[(tap*p.k+block*nk)*p.c+c:], nk, p.c, nk, strip, p.ws.impl >= avx512)
	}
	p.packVectors(turned, strip*nk, nk, block, c, strip, scratch)
}

// packVectors transforms filters of n input channels, from channel c on, and a block of output channels. In src taps are tap floats apart,
// input channels next.
func (p *winogradPass) packVectors(src []float32, tap, next, block, c, n int, scratch []byte) {
	temp := take[float32](&scratch, p.temporary())
	nk := p.columns()
	a := winogradArgs{src: &src[0], row: 3 * tap * 4, column: tap * 4, next: next * 4,
		dst: &p.packed[(block*p.c+c)*nk], dstrow: 6 * p.apart * 4, dstcolumn: p.apart * 4, dstnext: nk * 4,
		temp: &temp[0], tiles: n, bytes: nk * 4, points: &winogradPoints[0]}
	a.weights(p.ws.impl)
}

func (p *winogradPass) run(dst, src Values, n int, norm *BatchNorm, sums *Sums) {
	p.dst, p.src, p.norm, p.sums, p.n = dst, src, norm, sums, n
	each := min(p.group, (n+p.ws.threads-1)/p.ws.threads)
	p.groups = (n + each - 1) / each
	p.parts = partsOf(p.groups, p.ws.threads)
	p.ws.Do(p.parts, p.groupPart)
	p.dst, p.src, p.norm, p.sums = Values{}, Values{}, nil, nil
}

func (p *winogradPass) runPart(part, worker int) {
	first, end := span(p.groups, 1, part, p.parts)
	for group := first; group < end; group++ {
		p.runGroup(group, group+1 < end, worker)
	}
}

// runGroup computes a group of images, whose worker may go on with the group behind.
func (p *winogradPass) runGroup(group int, goesOn bool, worker int) {
	from, to := span(p.n, 1, group, p.groups)
	scratch := p.ws.scratch[worker]
	in, out := p.h*p.w*p.c, p.h*p.w*p.k
	z := take[float32](&scratch, in)
	var wide, y []float32
	if p.ws.keepsHalves() {
		wide, y = take[float32](&scratch, in), take[float32](&scratch, out)
	}
	next := p.newAhead()
	next.addValues(p.dst, out, from, to)
	if goesOn {
		first, last := span(p.n, 1, group+1, p.groups)
		next.addValues(p.src, in, first, last)
		if p.norm != nil {
			next.addValues(p.norm.residual, in, first, last)
			next.addValues(p.norm.z, in, first, last)
		}
	}
	p.convolve(to-from, transformed{}, &next, scratch, func(img int) []float32 {
		src := p.src.Of((from+img)*in, (from+img+1)*in)
		if p.norm != nil {
			src = p.norm.normalised(z, from+img)
		}
		return p.ws.factors(src, wide)
	}, func(img int) []float32 { return p.dst.room(y, out, from+img, from+img+1) }, func(img int, y []float32) {
		p.ws.finishImage(p.dst, p.sums, from+img, y)
	})
}

// transformed are the tiles of some images, transformed: those of each position stride values behind those of the last. Behind the last position's there is room for a
// tile of the micro-kernel.
type transformed struct {
	values        []float32
	stride, pitch int // floats from a position to the next, from a tile to the next
}

// from is the part from a tile on.
func (t transformed) from(tile int) transformed {
	return transformed{t.values[tile*t.pitch:], t.stride, t.pitch}
}

// of is what lies at a position of so many tiles; nothing behind the last position.
func (t transformed) of(xi, tiles int) []float32 {
	if xi == winogradTile {
		return nil
	}
	return t.values[xi*t.stride:][:tiles*t.pitch]
}

// takeTransformed takes so many tiles of c channels from scratch.
func takeTransformed(scratch *[]byte, tiles, c int) transformed {
	t := transformed{stride: winogradStride(tiles, c), pitch: c}
	t.values = take[float32](scratch, winogradTile*t.stride+mostRows*c)
	return t
}

// mostRows is the most rows that a tile of the micro-kernel has.
const mostRows = 32

// transformedFloats is what takeTransformed takes.
func transformedFloats(tiles, c int) int {
	return roundUp(winogradTile*winogradStride(tiles, c)+mostRows*c, 16)
}

// convolve computes images of which source gives each, and hands each result, in the place that result gives, to done. Their transformed tiles stay in u, unless that is empty. While it multiplies it fetches what is
// needed next.
func (p *winogradPass) convolve(images int, u transformed, next *ahead, scratch []byte, source, result func(img int) []float32, done func(img int, y []float32)) {
	impl, rows := p.ws.impl, p.rows(images)
	sm := winogradStride(rows, p.k)
	var m []float32
	switch {
	case u.values != nil:
		m = take[float32](&scratch, winogradTile*sm)
	case p.c == p.k && p.k == p.tile.k: // a tile of the micro-kernel has read all of its rows when it writes them: products take their factors' place
		u = takeTransformed(&scratch, rows, p.c)
		m, sm = u.values, u.stride
	default:
		u, m = takeTransformed(&scratch, images*p.tiles(), p.c), take[float32](&scratch, winogradTile*sm)
	}
	temp := take[float32](&scratch, p.temporary())
	for img := range images {
		p.transform(impl, u, img*p.tiles(), source(img), p.c, temp)
	}
	sums := transformed{m, sm, p.k}
	if p.overflows() {
		p.multiplyFetching(u, sums, rows, next)
	} else {
		p.multiply(u, sums, rows, next)
	}
	var whole []float32
	if !p.exact() {
		whole = take[float32](&scratch, 16*p.tiles()*p.k)
	}
	for img := range images {
		y := result(img)
		to, width := y, p.w
		if whole != nil {
			to, width = whole, 4*p.tw
		}
		b := winogradArgs{src: &m[img*p.tiles()*p.k], row: 6 * sm * 4, column: sm * 4, next: p.k * 4,
			dst: &to[0], dstrow: width * p.k * 4, dstcolumn: p.k * 4, dstnext: 4 * p.k * 4,
			temp: &temp[0], tiles: p.tw, bytes: p.k * 4, points: &winogradPoints[0],
			high: p.th, down: p.tw * p.k * 4, dstdown: 4 * width * p.k * 4}
		if p.pairs {
			b.outputPairs()
		} else {
			b.output(impl)
		}
		if whole != nil {
			for row := range p.h {
				copy(y[row*p.w*p.k:][:p.w*p.k], whole[row*width*p.k:])
			}
		}
		done(img, y)
	}
}

// multiply computes the products of so many tiles.
func (p *winogradPass) multiply(u, sums transformed, rows int, next *ahead) {
	a := p.products(u, sums, rows)
	a.anext, a.bnext, a.cnext = u.stride*4, p.apart*4, sums.stride*4
	a.times = positionsAtOnce(p.k)
	for xi := 0; xi < winogradTile; xi += a.times {
		for block := range p.k / p.tile.k {
			next.give(&a, a.times*a.blocks*a.n)
			a.a, a.b, a.c = &u.values[xi*u.stride], &p.packed[xi*p.apart+block*p.tile.k*p.c], &sums.values[xi*sums.stride+block*p.tile.k]
			a.run(p.tile)
		}
	}
}

func (p *winogradPass) products(u, sums transformed, rows int) directArgs {
	a := directArgs{astride: u.pitch * 4, astep: 4, segs: 1, n: p.c, bstep: p.tile.k * 4, cstride: sums.pitch * 4, blocks: rows / p.tile.m}
	if p.pairs {
		a.astride, a.astep, a.bstep, a.cstride = pairBytes, 8, pairBytes, pairBytes
	}
	return a
}

// mostReduced is the number of channels whose weights, for a block of output channels, stay in the first-level cache beside a block of tiles.
const mostReduced = 256

// multiplyFetching is multiply where the second-level cache does not hold the weights and the transformed tiles: while it multiplies it fetches the weights and tiles that come next, and the places of the next sums.
func (p *winogradPass) multiplyFetching(u, sums transformed, rows int, next *ahead) {
	a, blocks := p.products(u, sums, rows), p.k/p.tile.k
	for xi := range winogradTile {
		for block := range blocks {
			tiles, places := piece(u.of(xi+1, rows), block, blocks), piece(sums.of(xi+1, rows), block, blocks)
			weights := p.packed[xi*p.apart+block*p.tile.k*p.c:]
			for from := 0; from < p.c; from += mostReduced {
				a.n, a.accumulate = min(mostReduced, p.c-from), min(from, 1)
				a.a, a.b, a.c = &u.values[xi*u.stride+from], &weights[from*p.tile.k], &sums.values[xi*sums.stride+block*p.tile.k]
				following := weights[(from+a.n)*p.tile.k:]
				a.runFetching(p.tile, next, following[:min(len(following), a.n*p.tile.k)], tiles, places)
				tiles, places = nil, nil
			}
		}
	}
}

// overflows says that the second-level cache does not hold the weights and the transformed tiles of a group.
func (p *winogradPass) overflows() bool { return p.newAhead().room < 0 }

// newAhead leaves in the second-level cache room for the transformed tiles of a group and for the packed weights.
func (p *winogradPass) newAhead() ahead {
	return ahead{room: secondLevel/4*3 - winogradTile*(p.rows(p.group)*(p.c+p.k)+p.c*p.k)*4}
}

// positionsAtOnce is the number of positions whose products one call of the micro-kernel makes: several where one is soon done, with few output channels. It divides 36.
func positionsAtOnce(k int) int {
	switch k {
	case 8:
		return 12
	case 16:
		return 4
	}
	return 1
}

// winogradGrad computes gradients of weights and, for [Conv.Backward], of the input on the way. A part is a range of
// images; the parts' sums over tiles are added in order at the end.
type winogradGrad struct {
	winogradShape
	ws     *Workers
	c, k   int
	back   *winogradPass
	tile   directTile
	rp     int // rows of a position's sums: c, rounded up to tiles
	each   int // floats of a position's sums
	group  int
	parts  int
	floats int // of a part's sums
	whole  int // floats of x's image set into whole tiles
	behind int // bytes of scratch before the transformed tiles of a group

	// together: all images are transformed first, to u and v, and each position's sums are then made at once, whole. That is less traffic where sums are
	// large and tiles few. At most so many images at a time: the sums of the next are added to theirs.
	together bool
	chunk    int
	u, v     transformed
	from, to int // the images whose tiles are there

	backwardJob

	dw, dy                        []float32
	x                             Values
	n                             int
	partFunc, addPart, filterPart func(part, worker int)
	groupPart, positionPart       func(part, worker int)
}

func newWinogradGrad(ws *Workers, s ConvShape, back *winogradPass) *winogradGrad {
	g := &winogradGrad{winogradShape: newWinogradShape(ws.impl, s, 0), ws: ws, c: s.C, k: s.K, back: back, tile: newWinogradTile(ws.impl, s.K)}
	g.rp = roundUp(g.c, g.tile.m)
	g.each = g.rp * g.k
	if winogradNarrow(s) {
		g.rp, g.each = g.c, narrowSums
	}
	g.floats = winogradTile * g.each
	// A part's sums pass through memory once for each 64 tiles or more; those of all parts take at most 64 MB, if two do.
	g.parts = min(s.N, max(2, min(8, s.N*g.winogradShape.tiles()/128, 64<<20/(g.floats*4))))
	g.group = min(back.group, (s.N+g.parts-1)/g.parts)
	if !g.exact() {
		g.whole = 16 * g.winogradShape.tiles() * g.c
	}
	all := s.N * g.winogradShape.tiles()
	tiles := winogradTile * (all*(g.c+g.k) + 32)
	// Floats through memory: each part's sums are cleared, read and written by each group, and added up; transformed tiles are written and read once.
	// The factor stands for what of the sums a cache holds.
	of64 := min(s.N, max(1, max(64, s.C*s.K/1024)/g.winogradShape.tiles()), (s.N+g.parts-1)/g.parts)
	groups := (s.N + of64 - 1) / of64
	apart := g.floats * (g.parts + 2*groups + 3*(g.parts-1))
	g.together = 5*(2*tiles+g.floats) < 3*apart
	if g.together {
		g.parts = 1
		g.chunk = (s.N + tiles/mostTogether) / (1 + tiles/mostTogether)
		g.group = min(back.group, g.chunk)
		all = g.chunk * g.winogradShape.tiles()
		ws.reserve(0, (g.floats+transformedFloats(all, g.c)+transformedFloats(all, g.k))*4+256)
	}
	g.reserve()
	g.partFunc, g.addPart, g.filterPart, g.groupPart, g.positionPart = g.part, g.add, g.filter, g.transformGroup, g.position
	if winogradNarrow(s) {
		g.filterPart = g.filterNarrow
	}
	return g
}

// mostTogether is about the most values that transformed tiles together take: 96 MB.
const mostTogether = 24 << 20

// reserve makes room for a group of images.
func (g *winogradGrad) reserve() {
	n := g.group * g.winogradShape.tiles()
	g.behind = 0
	for _, floats := range []int{g.h * g.w * g.c, g.h * g.w * g.c, g.temporary(), g.whole, g.h * g.w * g.k, g.h * g.w * g.k, g.h * g.w * g.c} {
		g.behind += roundUp(floats*4, 64)
	}
	g.ws.reserve(g.behind+(transformedFloats(n, g.k)+max(transformedFloats(n, g.c), g.back.scratch(g.group))+64)*4, g.parts*g.floats*4+64*g.parts)
}

func (g *winogradGrad) partial(part int) []float32 {
	shared := g.ws.shared[part*g.floats*4:]
	return take[float32](&shared, g.floats)
}

func (g *winogradGrad) run(dw []float32, x Values, n int) {
	g.dw, g.x, g.n = dw, x, n
	if g.together {
		g.runTogether()
	} else {
		g.ws.Do(g.parts, g.partFunc)
		g.ws.Do(winogradTile, g.addPart)
	}
	g.ws.Do(max(1, g.c/16), g.filterPart)
	g.dw, g.x = nil, Values{}
}

func (g *winogradGrad) runTogether() {
	for g.from = 0; g.from < g.n; g.from = g.to {
		g.to = min(g.from+g.chunk, g.n)
		tiles := (g.to - g.from) * g.winogradShape.tiles()
		shared := g.ws.shared
		take[float32](&shared, g.floats)
		g.u, g.v = takeTransformed(&shared, tiles, g.c), takeTransformed(&shared, tiles, g.k)
		g.ws.Do(g.togetherGroups(), g.groupPart)
		g.ws.Do(winogradTile, g.positionPart)
	}
	g.u, g.v = transformed{}, transformed{}
}

// togetherGroups is the number of groups in which images are transformed: any number, since no sum depends on it.
func (g *winogradGrad) togetherGroups() int {
	n := g.to - g.from
	each := min(g.group, (n+g.ws.threads-1)/g.ws.threads)
	return (n + each - 1) / each
}

func (g *winogradGrad) transformGroup(group, worker int) {
	from, to := span(g.to-g.from, 1, group, g.togetherGroups())
	at, scratch := from*g.winogradShape.tiles(), g.ws.scratch[worker]
	g.transforms(g.u.from(at), g.v.from(at), g.from+from, g.from+to, scratch, scratch[g.behind:])
}

// positionPanel is the number of tiles whose products are added in one go: a block of channels of their v stays in the first-level cache.
const positionPanel = 128

// position adds to a position's sums, which the first images set.
func (g *winogradGrad) position(xi, _ int) {
	tiles, sums := (g.to-g.from)*g.winogradShape.tiles(), g.partial(0)
	for at := 0; at < tiles; at += positionPanel {
		u, v, n := g.u.from(at), g.v.from(at), min(positionPanel, tiles-at)
		following := min(positionPanel, tiles-at-n)
		g.multiply(sums, u, v, xi, 1, n, min(g.from+at, 1), nil, u.from(n).of(xi, following), v.from(n).of(xi, following))
	}
}

// multiply adds products of n tiles to the sums of so many positions, or with accumulate 0 sets them. It fetches soon, unless there are several positions, and next.
func (g *winogradGrad) multiply(sums []float32, u, v transformed, xi, times, n, accumulate int, next *ahead, soon ...[]float32) {
	if g.k == 8 {
		g.multiplyNarrow(sums, u, v, xi, times, n, accumulate, next)
		return
	}
	a := directArgs{times: times, anext: u.stride * 4, bnext: v.stride * 4, cnext: g.rp * g.k * 4, astride: 4, astep: u.pitch * 4, segs: 1, n: n, bstep: v.pitch * 4, cstride: g.k * 4, accumulate: accumulate, blocks: g.rp / g.tile.m}
	var pieces [3][]float32
	for block := range g.k / g.tile.k {
		a.a, a.b, a.c = &u.values[xi*u.stride], &v.values[xi*v.stride+block*g.tile.k], &sums[xi*g.rp*g.k+block*g.tile.k]
		if len(soon) == 0 {
			next.give(&a, times*a.blocks*n)
			a.run(g.tile)
			continue
		}
		for i, x := range soon {
			pieces[i] = piece(x, block, g.k/g.tile.k)
		}
		a.runFetching(g.tile, next, pieces[:len(soon)]...)
	}
}

func (g *winogradGrad) part(part, worker int) {
	first, last := span(g.n, 1, part, g.parts)
	sums := g.partial(part)
	if first == last {
		clear(sums)
	}
	for from := first; from < last; from += g.group {
		to := min(from+g.group, last)
		g.images(sums, from, to, min(to+g.group, last), min(from-first, 1), worker)
	}
}

// images adds what a group of images gives, or with accumulate 0 sets the sums. The next group ends at behind.
func (g *winogradGrad) images(sums []float32, from, to, behind, accumulate, worker int) {
	scratch := g.ws.scratch[worker]
	tiles := (to - from) * g.winogradShape.tiles()
	at := scratch[g.behind:]
	v := takeTransformed(&at, tiles, g.k)
	forBack := at // is done with when u is written
	u := takeTransformed(&at, tiles, g.c)
	g.transforms(u, v, from, to, scratch, forBack)
	next := g.back.newAhead()
	if g.yNorm != nil && behind > to {
		g.yNorm.fetchGradient(&next, to, behind)
	}
	times, fetches := positionsAtOnce(g.k), g.back.overflows()
	for xi := 0; xi < winogradTile; xi += times {
		if times > 1 || !fetches {
			g.multiply(sums, u, v, xi, times, tiles, accumulate, &next)
			continue
		}
		following := transformed{sums, g.rp * g.k, g.k}.of(xi+1, g.rp)
		g.multiply(sums, u, v, xi, times, tiles, accumulate, &next, u.of(xi+1, tiles), v.of(xi+1, tiles), following)
	}
}

// transforms writes the transformed tiles of images and of their dy, and computes dx on the way, in forBack.
func (g *winogradGrad) transforms(u, v transformed, from, to int, scratch, forBack []byte) {
	impl := g.ws.impl
	in, out := g.h*g.w*g.c, g.h*g.w*g.k
	z, wide, temp := take[float32](&scratch, in), take[float32](&scratch, in), take[float32](&scratch, g.temporary())
	whole := take[float32](&scratch, g.whole)
	dy, narrow, products := take[float32](&scratch, out), take[float32](&scratch, out), take[float32](&scratch, in)
	gradient := func(img int) []float32 {
		if g.yNorm == nil {
			return g.ws.factors(Floats(g.dy[(from+img)*out:][:out]), dy)
		}
		g.yNorm.gradFactors(dy, narrow, from+img)
		return dy
	}
	if g.dx.None() {
		for img := range to - from {
			g.back.transform(impl, v, img*g.back.tiles(), gradient(img), g.k, temp)
		}
	} else {
		next := g.back.newAhead()
		g.fetchInput(&next, g.x, in, from, to)
		g.back.convolve(to-from, v, &next, forBack, gradient, func(img int) []float32 {
			return g.products(products, in, from+img, from+img+1)
		}, func(img int, dx []float32) {
			g.finish(impl, from+img, dx)
		})
	}
	for img := from; img < to; img++ {
		x := g.xNorm.factors(g.ws, g.x.Of(img*in, (img+1)*in), z, wide)
		g.transformInput(u, (img-from)*g.winogradShape.tiles(), x, whole, temp)
	}
}

// transformInput writes A x A^T of an image's tiles of 4x4 pixels to u from tile first on.
func (g *winogradGrad) transformInput(u transformed, first int, x, whole, temp []float32) {
	width := g.w
	if g.whole > 0 {
		clear(whole)
		width = 4 * g.tw
		for row := range g.h {
			copy(whole[row*width*g.c:], x[row*g.w*g.c:][:g.w*g.c])
		}
		x = whole
	}
	a := winogradArgs{src: &x[0], row: width * g.c * 4, column: g.c * 4, next: 4 * g.c * 4,
		dst: &u.values[first*u.pitch], dstrow: 6 * u.stride * 4, dstcolumn: u.stride * 4, dstnext: u.pitch * 4,
		temp: &temp[0], tiles: g.tw, bytes: g.c * 4, points: &winogradPoints[0],
		high: g.th, down: 4 * width * g.c * 4, dstdown: g.tw * u.pitch * 4}
	if g.pairs {
		a.gradientPairs()
		return
	}
	a.gradient(g.ws.impl)
}

// add adds the parts' sums of a position.
func (g *winogradGrad) add(xi, _ int) {
	n := g.each
	for part := 1; part < g.parts; part++ {
		add(g.ws.impl, g.partial(0)[xi*n:][:n], g.partial(part)[xi*n:][:n])
	}
}

// filter transforms the sums of 16 channels of x to gradients of weights, which it turns back.
func (g *winogradGrad) filter(part, worker int) {
	scratch := g.ws.scratch[worker]
	temp := take[float32](&scratch, g.temporary())
	sums, c := g.partial(0), part*16
	a := winogradArgs{src: &sums[c*g.k], row: 6 * g.rp * g.k * 4, column: g.rp * g.k * 4, next: g.k * 4,
		dst: &g.dw[(8*g.c+c)*g.k], dstrow: -3 * g.c * g.k * 4, dstcolumn: -g.c * g.k * 4, dstnext: g.k * 4,
		temp: &temp[0], tiles: 16, bytes: g.k * 4, points: &winogradPoints[0]}
	a.filter(g.ws.impl)
}
