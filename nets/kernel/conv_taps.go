//go:build amd64 && !purego

package kernel

// amxTapsGrad computes gradients of weights at bf16, in the order of [gradOrder]. A tile of the left factor is 16 channels of dy by 32 positions, one of the
// right factor 32 positions, in pairs, by 16 channels of x. x is kept twice, in pairs that begin at even and at odd positions, so that the tiles of every
// tap begin at a cache line.
type amxTapsGrad struct {
	gradOrder
	ws              *Workers
	back            *amxPass
	cp, kp          int // channels of x and of dy, padded
	rowBytes        int // of a channel of dy
	xBytes          int // of 16 channels of x, one of the two copies
	x32, dy32       []int
	zero            []float32
	blocks          []tapsBlock
	config          *tileConfig
	scratch, floats int

	backwardJob
	dw, dys              []float32
	xs                   Values
	n                    int
	partFunc, reduceFunc func(part, worker int)
}

// tapsBlock is all taps of some groups of 16 channels of x, which are multiplied with all channels of dy before the next block.
type tapsBlock struct {
	group         int   // the first one
	real          int   // entries of which the sums are read
	entries       []int // byte offset in x of each tap and group
	sixes, threes int   // how often so many entries are multiplied together
	at            int   // of its sums in a part's: a tile for each 16 channels of dy and entry
}

func newAMXTapsGrad(ws *Workers, s ConvShape, back *amxPass) *amxTapsGrad {
	g := &amxTapsGrad{gradOrder: newGradOrder(s), ws: ws, back: back, config: newTileConfig(16, 8)}
	g.cp, g.kp = roundUp(s.C, 16), roundUp(s.K, 16)
	// An odd row length in cache lines spreads the rows over the cache's sets.
	g.rowBytes = (g.chunks(g.group) | 1) * 64
	g.xBytes = g.xRows(g.group) * 64
	for i := range g.x {
		g.x32, g.dy32 = append(g.x32, max(-1, g.x[i]*s.C*4)), append(g.dy32, max(-1, g.dy[i]*s.K*4))
	}
	g.zero = make([]float32, max(g.cp, g.kp))
	g.addBlocks()
	g.scratch = g.kp*g.rowBytes + 2*g.cp/16*g.xBytes + 2*len(g.x)*8 + 256
	ws.reserve(g.scratch+back.bytes()+g.group*max(s.Inputs(), s.Outputs())*4+back.group*s.Inputs()*4+192, g.parts*(g.floats*4+64))
	g.partFunc, g.reduceFunc = g.part, g.reduce
	return g
}

// addBlocks makes blocks of so many channels that sixes suffice, and of the rest.
func (g *amxTapsGrad) addBlocks() {
	taps, wide := g.Side*g.Side, 1
	for wide*taps%6 != 0 {
		wide++
	}
	for group := 0; group < g.cp/16; group += wide {
		b := tapsBlock{group: group, at: g.floats}
		for c := group; c < min(group+wide, g.cp/16); c++ {
			for tap := range taps {
				shift := g.shift(tap)
				b.entries = append(b.entries, (shift%2*g.cp/16+c)*g.xBytes+(shift+1)/2*64)
			}
		}
		b.real = len(b.entries)
		for len(b.entries)%3 != 0 { // sums that nobody reads
			b.entries = append(b.entries, 0)
		}
		b.sixes, b.threes = len(b.entries)/6, len(b.entries)%6/3
		g.floats += g.kp / 16 * len(b.entries) * 256
		g.blocks = append(g.blocks, b)
	}
}

// xRows is the number of pairs of positions that tiles of so many images may read.
func (g *amxTapsGrad) xRows(images int) int {
	return g.chunks(images)*16 + (g.shift(g.Side*g.Side-1)+1)/2 + 1
}

func (g *amxTapsGrad) run(dw []float32, x Values, dy []float32, n int) {
	g.dw, g.xs, g.dys, g.n = dw, x, dy, n
	if !g.dx.None() {
		g.back.clearPadding()
	}
	g.ws.Do(g.parts, g.partFunc)
	g.ws.Do(len(g.blocks)*g.kp/16, g.reduceFunc)
	g.dw, g.xs, g.dys = nil, Values{}, nil
}

func (g *amxTapsGrad) partial(part int) []float32 {
	shared := g.ws.shared[part*roundUp(g.floats*4, 64):]
	return take[float32](&shared, g.floats)
}

func (g *amxTapsGrad) part(part, worker int) {
	from, to := span(g.n, g.group, part, g.parts)
	dw := g.partial(part)
	if from == to {
		clear(dw)
	}
	for img := from; img < to; img += g.group {
		g.images(dw, img, min(g.group, to-img), img == from, worker)
	}
}

// images adds what n images from img on give to dw, or writes it there if they are the first ones.
func (g *amxTapsGrad) images(dw []float32, img, n int, first bool, worker int) {
	scratch := g.ws.scratch[worker]
	forBack := take[byte](&scratch, g.back.bytes()) // in front, where its padding has been cleared
	rows, pairs := take[uint16](&scratch, g.kp*g.rowBytes/2), take[uint16](&scratch, g.cp/16*g.xBytes)
	x32, dy32 := g.x32, g.dy32
	if n < g.group { // the images behind are not there
		x32, dy32 = take[int](&scratch, len(g.x32)), take[int](&scratch, len(g.dy32))
		for i := copy(x32, g.x32[:n*g.step]); i < len(x32); i++ {
			x32[i] = -1
		}
		for i := copy(dy32, g.dy32[:n*g.step]); i < len(dy32); i++ {
			dy32[i] = -1
		}
	}
	buffer, products := take[float32](&scratch, n*max(g.Inputs(), g.Outputs())), take[float32](&scratch, g.back.group*g.Inputs())
	dy := g.gradient(buffer, products, img, n, forBack)
	chunks := g.chunks(n)
	pairsOfDY := pairsRoundTransposed
	if dy.halves != nil {
		pairsOfDY = pairsHalfTransposed
	}
	pairsOfDY(&pairArgs{src: dy.at(0), zero: &g.zero[0], positions: &dy32[0], blocks: chunks, groups: (g.K + 15) / 16, tail: tailMask(g.K),
		dst: &rows[0], dstblock: 64, dstgroup: 16 * g.rowBytes, dstrow: g.rowBytes})
	x := g.xs.Of(img*g.Inputs(), (img+n)*g.Inputs())
	if g.xNorm != nil { // dy is no longer needed where x comes
		z := x.Like(buffer, x.Len())
		for i := range n {
			from, to := i*g.Inputs(), (i+1)*g.Inputs()
			g.xNorm.applyImage(z.Of(from, to), x.Of(from, to), Values{})
		}
		x = z
	}
	count := n*g.step/2 + 1
	pairsOf := pairsBoth
	if x.halves != nil {
		pairsOf = pairsBothHalf
	}
	pairsOf(&pairArgs{src: x.at(0), zero: &g.zero[0], positions: &x32[0], blocks: count, groups: g.cp / 16, tail: tailMask(g.C),
		dst: &pairs[0], dstpiece: g.cp / 16 * g.xBytes, dstgroup: g.xBytes})
	for copied := range 2 * g.cp / 16 {
		clear(pairs[copied*g.xBytes/2:][:g.xRows(n)*32][count*32:])
	}
	a := amxTapsArgs{astride: g.rowBytes, b: &pairs[0], chunks: chunks, config: g.config}
	if first {
		a.fresh = 1
	}
	for i := range g.blocks {
		for k := range g.kp / 16 {
			a.a = &rows[k*16*g.rowBytes/2]
			g.multiply(&a, &g.blocks[i], g.tiles(dw, i, k))
		}
	}
}

// tiles are the sums of a block and of 16 channels of dy.
func (g *amxTapsGrad) tiles(dw []float32, block, k int) []float32 {
	b := &g.blocks[block]
	n := len(b.entries) * 256
	return dw[b.at+k*n:][:n]
}

func (g *amxTapsGrad) multiply(a *amxTapsArgs, b *tapsBlock, sums []float32) {
	if a.entries, a.blocks, a.dw = &b.entries[0], b.sixes, &sums[0]; b.sixes > 0 {
		amxTaps6(a)
	}
	if at := 6 * b.sixes; b.threes > 0 {
		a.entries, a.blocks, a.dw = &b.entries[at], b.threes, &sums[at*256]
		amxTaps3(a)
	}
}

// gradient returns dy of images, computed into buffer if it is not there yet, and computes dx on the way, if need be through products.
func (g *amxTapsGrad) gradient(buffer, products []float32, img, n int, forBack []byte) Values {
	if g.yNorm == nil {
		return Floats(g.dys[img*g.Outputs():][:n*g.Outputs()])
	}
	all := g.yNorm.y.Like(buffer, n*g.Outputs())
	for i := 0; i < n; i += g.back.group {
		images := min(g.back.group, n-i)
		for j := i; j < i+images; j++ {
			dy := all.Of(j*g.Outputs(), (j+1)*g.Outputs())
			g.yNorm.gradImage(dy, img+j)
			if !g.dx.None() {
				g.back.load(j-i, dy, forBack)
			}
		}
		if g.dx.None() {
			continue
		}
		next := g.back.newAhead()
		g.fetchInput(&next, g.xs, g.Inputs(), img+i, img+i+images)
		dx := g.products(products, g.Inputs(), img+i, img+i+images)
		g.back.compute(dx, images, &next, forBack)
		for j := range images {
			g.finish(g.ws.impl, img+i+j, dx[j*g.Inputs():][:g.Inputs()])
		}
	}
	return all
}

// reduce adds the parts' sums of a block and 16 channels of dy, and turns them.
func (g *amxTapsGrad) reduce(part, _ int) {
	block, k := part/(g.kp/16), part%(g.kp/16)
	sums := g.tiles(g.partial(0), block, k)
	for p := 1; p < g.parts; p++ {
		add(g.ws.impl, sums, g.tiles(g.partial(p), block, k))
	}
	b, taps := &g.blocks[block], g.Side*g.Side
	for e := range b.real {
		c, tap := b.group+e/taps, e%taps
		transposed(g.dw[(tap*g.C+c*16)*g.K+k*16:], sums[e*256:], g.K, 16, min(16, g.K-k*16), min(16, g.C-c*16), true)
	}
}
