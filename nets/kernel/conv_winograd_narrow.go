//go:build amd64 && !purego

package kernel

// Winograd's algorithm for 8 channels on both sides. AVX2's vectors hold a tile, as they do of more channels. AVX-512's hold two neighbouring tiles of a row, channel k of the left one
// in lane 2k and of the right one in lane 2k+1: a row of transformed tiles, of their products and of both gradients' is such a pair, which takes as much memory as two tiles by
// themselves. In packed weights each number then stands twice, so that the two lanes that a step of the micro-kernel takes of a pair meet the same weight.
//
// The sums of the gradient of the weights are those of left and of right tiles, each by themselves, which are added at the end. AVX2 makes the same sums, so that the bits are the same.

// winogradPairs says whether vectors hold pairs of tiles.
func winogradPairs(impl implementation, s ConvShape) bool {
	return impl != avx2 && winogradNarrow(s)
}

// pairsTile is the tile of the micro-kernel for pairs: 16 of them, of 8 channels.
var pairsTile = directTile{32, 8}

// pairBytes is the size of a pair of tiles' values at a position.
const pairBytes = 2 * 8 * 4

// narrowSums is the number of sums of a position of the gradient of the weights: by AVX-512 (c, k, left or right), by AVX2 (left or right, c, k).
const narrowSums = 2 * 8 * 8

// packNarrow is packStrip for 8 channels.
func (p *winogradPass) packNarrow(w []float32, turn bool, scratch []byte) {
	taps, n := w, p.c*p.k
	if turn {
		taps = take[float32](&scratch, 9*n)
		for tap := range 9 {
			from, to := w[tap*n:][:n], taps[(8-tap)*n:][:n]
			for i, v := range from {
				to[i%8*8+i/8] = v
			}
		}
	}
	if p.pairs {
		twice := take[float32](&scratch, 2*9*n)
		for i, v := range taps {
			twice[2*i], twice[2*i+1] = v, v
		}
		taps = twice
	}
	columns := p.columns()
	p.packVectors(taps, p.c*columns, columns, 0, 0, p.c, scratch)
}

// multiplyNarrow is multiply for 8 channels; n is even.
func (g *winogradGrad) multiplyNarrow(sums []float32, u, v transformed, xi, times, n, accumulate int, next *ahead) {
	a := directArgs{times: times, anext: u.stride * 4, bnext: v.stride * 4, cnext: narrowSums * 4, astep: pairBytes, segs: 1, n: n / 2, bstep: pairBytes, accumulate: accumulate, blocks: 1}
	next.give(&a, times*n/2)
	if g.pairs {
		a.a, a.b, a.c, a.astride, a.cstride = &u.values[xi*u.stride], &v.values[xi*v.stride], &sums[xi*narrowSums], 8, pairBytes
		directZ8x1DownPairs(&a)
		return
	}
	a.astride, a.cstride = 4, pairBytes/2
	for side := range 2 {
		a.a, a.b, a.c = &u.values[xi*u.stride+8*side], &v.values[xi*v.stride+8*side], &sums[xi*narrowSums+narrowSums/2*side]
		a.run(g.tile)
	}
}

// filterNarrow is filter for 8 channels: it adds the gradients of left and of right tiles.
func (g *winogradGrad) filterNarrow(_, worker int) {
	scratch := g.ws.scratch[worker]
	temp, both := take[float32](&scratch, g.temporary()), take[float32](&scratch, 9*narrowSums)
	columns := g.back.columns()
	sums, weights := g.partial(0), g.c*g.k
	a := winogradArgs{row: 6 * narrowSums * 4, column: narrowSums * 4, next: columns * 4, dstrow: -3 * narrowSums * 4, dstcolumn: -narrowSums * 4, dstnext: columns * 4,
		temp: &temp[0], tiles: narrowSums / columns, bytes: columns * 4, points: &winogradPoints[0]}
	a.src, a.dst = &sums[0], &both[8*narrowSums]
	a.filter(g.ws.impl)
	for tap := range 9 {
		dw, from := g.dw[tap*weights:][:weights], both[tap*narrowSums:][:narrowSums]
		for i := range dw {
			if g.pairs {
				dw[i] = from[2*i] + from[2*i+1]
			} else {
				dw[i] = from[i] + from[weights+i]
			}
		}
	}
}

// runPairs is run for pairs of tiles.
func (a *winogradImageArgs) runPairs() {
	a.tile, a.tiles = pairBytes, a.tiles/2
	winogradImagePairsZ(a)
}

// gradientPairs is gradient for pairs of tiles.
func (a *winogradArgs) gradientPairs() {
	a.next, a.dstnext, a.tiles = 2*a.next, pairBytes, a.tiles/2
	winogradGradientPairsZ(a)
}

// outputPairs is output for pairs of tiles.
func (a *winogradArgs) outputPairs() {
	a.next, a.dstnext, a.tiles = pairBytes, 2*a.dstnext, a.tiles/2
	winogradOutputPairsZ(a)
}
