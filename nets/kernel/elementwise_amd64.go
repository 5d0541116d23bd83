//go:build !purego

package kernel

import (
	"tqn/quantize"
)

// The layouts of these structs are known to the generator, _asm/elementwise.

type finiteArgs struct {
	x                *float32
	n                int
	magnitude, carry uint32
	bad              int
}

type addArgs struct {
	to, from *float32
	n        int
}

type widenArgs struct {
	to   *float32
	from *uint16
	n    int
}

type addHalfArgs struct {
	to   *uint16
	from *float32
	n    int
}

type addHalfGridArgs struct {
	to, from                         *uint16
	torow, fromrow, tostep, fromstep int // bytes
	rows, columns, groups, tail      int
}

// In the arguments of functions with Half in their names activations and their gradients point to halves, but for y of sumsHalf, dz of backSumsJoinHalf and y of averageHalf; c of an
// average is in bytes of float32.

type maxPoolArgs struct {
	x       *float32
	row, c  int // bytes of a row of pixels, of a pixel
	windows int
	y, dx   *float32
	mean    *float32 // of the functions with Norm in their names; scale and beta lie c bytes behind each other
}

// windowArgs are one window's: the bytes of a pixel's channels, and where its pixels lie in x and dx, in bytes.
type windowArgs struct {
	x       *float32
	offsets *int
	n, c    int
	y, dx   *float32
}

type averageArgs struct {
	x, y    *float32
	rows, c int // c in bytes
	scale   float32
	_       uint32
}

type sumsArgs struct {
	y                             *float32
	rows, c, tail                 int
	part, squares                 *float64
	dz, z, mean, inv, scale, beta *float32
	shortcut                      *float32
}

type normArgs struct {
	y                              *float32
	rows, c, tail                  int
	block                          int // rows that AVX-512 does for one group of channels before it turns to the next
	z, residual, mean, scale, beta *float32
}

type normBackArgs struct {
	y                                                            *float32
	rows, c, tail, block                                         int
	dy, dres, dz, z, mean, inv, coef0, coef1, coef2, scale, beta *float32
}

// normPoolArgs are pairs of rows of an image of y, and the gradient dp behind the pooling.
type normPoolArgs struct {
	y                                           *float32
	row, c                                      int // bytes of a row of pixels, of a pixel
	windows, pairs                              int // in a pair of rows; of rows
	dp, dy                                      *float32
	mean, inv, scale, beta, coef0, coef1, coef2 *float32
	part, squares                               *float64
	later                                       *float32 // room for two vectors for each window
}

//go:noescape
func adamStepAVX512(a *adamArgs)

//go:noescape
func adamClipAVX512(a *adamArgs)

//go:noescape
func adamRAVX512(a *adamArgs)

//go:noescape
func adamSRAVX512(a *adamArgs)

//go:noescape
func adamStepAVX2(a *adamArgs)

//go:noescape
func adamClipAVX2(a *adamArgs)

//go:noescape
func adamRAVX2(a *adamArgs)

//go:noescape
func adamSRAVX2(a *adamArgs)

//go:noescape
func finiteAVX512(a *finiteArgs)

//go:noescape
func finiteAVX2(a *finiteArgs)

//go:noescape
func addAVX512(a *addArgs)

//go:noescape
func addAVX2(a *addArgs)

//go:noescape
func maxPoolAVX512(a *maxPoolArgs)

//go:noescape
func maxPoolAVX2(a *maxPoolArgs)

//go:noescape
func maxPoolBackAVX512(a *maxPoolArgs)

//go:noescape
func maxPoolBackAVX2(a *maxPoolArgs)

//go:noescape
func maxPoolNormAVX512(a *maxPoolArgs)

//go:noescape
func maxPoolNormAVX2(a *maxPoolArgs)

//go:noescape
func maxPoolNormReLUAVX512(a *maxPoolArgs)

//go:noescape
func maxPoolNormReLUAVX2(a *maxPoolArgs)

//go:noescape
func maxPoolBackNormAVX512(a *maxPoolArgs)

//go:noescape
func maxPoolBackNormAVX2(a *maxPoolArgs)

//go:noescape
func maxPoolBackNormReLUAVX512(a *maxPoolArgs)

//go:noescape
func maxPoolBackNormReLUAVX2(a *maxPoolArgs)

//go:noescape
func windowMaxAVX512(a *windowArgs)

//go:noescape
func windowMaxAVX2(a *windowArgs)

//go:noescape
func windowMaxBackAVX512(a *windowArgs)

//go:noescape
func windowMaxBackAVX2(a *windowArgs)

//go:noescape
func averageAVX512(a *averageArgs)

//go:noescape
func averageAVX2(a *averageArgs)

//go:noescape
func spreadAVX512(a *averageArgs)

//go:noescape
func spreadAVX2(a *averageArgs)

//go:noescape
func sumsAVX512(a *sumsArgs)

//go:noescape
func sumsAVX2(a *sumsArgs)

//go:noescape
func backSumsAVX512(a *sumsArgs)

//go:noescape
func backSumsMaskAVX512(a *sumsArgs)

//go:noescape
func backSumsAgainAVX512(a *sumsArgs)

//go:noescape
func backSumsJoinAVX512(a *sumsArgs)

//go:noescape
func backSumsCutAVX512(a *sumsArgs)

//go:noescape
func backSumsAVX2(a *sumsArgs)

//go:noescape
func backSumsJoinAVX2(a *sumsArgs)

//go:noescape
func backSumsCutAVX2(a *sumsArgs)

//go:noescape
func backSumsMaskAVX2(a *sumsArgs)

//go:noescape
func backSumsAgainAVX2(a *sumsArgs)

//go:noescape
func normPoolBackAVX512(a *normPoolArgs)

//go:noescape
func normPoolSumsAVX512(a *normPoolArgs)

//go:noescape
func normPoolBackHalfAVX512(a *normPoolArgs)

//go:noescape
func normPoolSumsHalfAVX512(a *normPoolArgs)

//go:noescape
func sumsTwoAVX512(a *sumsArgs)

//go:noescape
func backSumsTwoAVX512(a *sumsArgs)

//go:noescape
func backSumsMaskTwoAVX512(a *sumsArgs)

//go:noescape
func backSumsAgainTwoAVX512(a *sumsArgs)

//go:noescape
func backSumsJoinTwoAVX512(a *sumsArgs)

//go:noescape
func backSumsCutTwoAVX512(a *sumsArgs)

//go:noescape
func normAVX512(a *normArgs)

//go:noescape
func normReLUAVX512(a *normArgs)

//go:noescape
func normResidualAVX512(a *normArgs)

//go:noescape
func normResidualReLUAVX512(a *normArgs)

//go:noescape
func normAVX2(a *normArgs)

//go:noescape
func normReLUAVX2(a *normArgs)

//go:noescape
func normResidualAVX2(a *normArgs)

//go:noescape
func normResidualReLUAVX2(a *normArgs)

//go:noescape
func normBackAVX512(a *normBackArgs)

//go:noescape
func normBackMaskAVX512(a *normBackArgs)

//go:noescape
func normBackAgainAVX512(a *normBackArgs)

//go:noescape
func normBackResidualAVX512(a *normBackArgs)

//go:noescape
func normBackResidualMaskAVX512(a *normBackArgs)

//go:noescape
func normBackAVX2(a *normBackArgs)

//go:noescape
func normBackMaskAVX2(a *normBackArgs)

//go:noescape
func normBackAgainAVX2(a *normBackArgs)

//go:noescape
func normBackResidualAVX2(a *normBackArgs)

//go:noescape
func normBackResidualMaskAVX2(a *normBackArgs)

//go:noescape
func roundAVX512(a *addArgs)

//go:noescape
func roundAVX2(a *addArgs)

//go:noescape
func widenAVX512(a *widenArgs)

//go:noescape
func addHalfAVX512(a *addHalfArgs)

//go:noescape
func addHalfGridAVX512(a *addHalfGridArgs)

//go:noescape
func maxPoolNormHalfAVX512(a *maxPoolArgs)

//go:noescape
func maxPoolNormReLUHalfAVX512(a *maxPoolArgs)

//go:noescape
func maxPoolBackNormHalfAVX512(a *maxPoolArgs)

//go:noescape
func maxPoolBackNormReLUHalfAVX512(a *maxPoolArgs)

//go:noescape
func averageHalfAVX512(a *averageArgs)

//go:noescape
func sumsHalfAVX512(a *sumsArgs)

//go:noescape
func backSumsHalfAVX512(a *sumsArgs)

//go:noescape
func backSumsMaskHalfAVX512(a *sumsArgs)

//go:noescape
func backSumsAgainHalfAVX512(a *sumsArgs)

//go:noescape
func backSumsJoinHalfAVX512(a *sumsArgs)

//go:noescape
func backSumsCutHalfAVX512(a *sumsArgs)

//go:noescape
func normHalfAVX512(a *normArgs)

//go:noescape
func normReLUHalfAVX512(a *normArgs)

//go:noescape
func normResidualHalfAVX512(a *normArgs)

//go:noescape
func normResidualReLUHalfAVX512(a *normArgs)

//go:noescape
func normBackHalfAVX512(a *normBackArgs)

//go:noescape
func normBackMaskHalfAVX512(a *normBackArgs)

//go:noescape
func normBackAgainHalfAVX512(a *normBackArgs)

//go:noescape
func normBackResidualHalfAVX512(a *normBackArgs)

//go:noescape
func normBackResidualMaskHalfAVX512(a *normBackArgs)

// mxcsr is for tests.
func mxcsr() uint32

// The functions below do the part of the work that vectors can, and leave the
// rest to the generic code, which gives the same bits.

func adamUpdate(impl implementation, w, g, m, v []float32, a *adamArgs, rule quantize.Rule) {
	n := 0
	if impl >= avx2 {
		unit := 32
		if impl == avx2 {
			unit = 16
		}
		n = len(w) &^ (unit - 1)
	}
	if n > 0 {
		a.w, a.g, a.m, a.v, a.n = &w[0], &g[0], &m[0], &v[0], int64(n)
		a.prepare(impl)
		a.run(impl, rule)
		a.block += uint32(n / 4)
	}
	adamGeneric(w[n:], g[n:], m[n:], v[n:], a, rule)
}

// prepare fills in what the assembly needs besides.
func (a *adamArgs) prepare(impl implementation) {
	k0, k1 := a.k0, a.k1
	for round := range 10 {
		a.keys[2*round], a.keys[2*round+1] = k0, k1
		k0 += quantize.PhiloxW0
		k1 += quantize.PhiloxW1
	}
	// Lane 2i holds block i, lane 2i+1 block i + half the lanes.
	a.advance = uint64(lanes(impl) / 2)
	for i := range a.advance / 2 {
		a.order[2*i], a.order[2*i+1] = i, i+a.advance/2
	}
	a.two, a.half, a.sign, a.m0, a.m1 = 2, 0x1p31, 1<<31, quantize.PhiloxM0, quantize.PhiloxM1
}

// run is the assembly for whole vectors, two at a time.
func (a *adamArgs) run(impl implementation, rule quantize.Rule) {
	wide := impl >= avx512
	switch rule {
	case stepOnly:
		if wide {
			adamStepAVX512(a)
		} else {
			adamStepAVX2(a)
		}
	case quantize.R:
		if wide {
			adamRAVX512(a)
		} else {
			adamRAVX2(a)
		}
	case quantize.SR:
		if wide {
			adamSRAVX512(a)
		} else {
			adamSRAVX2(a)
		}
	default:
		if wide {
			adamClipAVX512(a)
		} else {
			adamClipAVX2(a)
		}
	}
}

func allFinite(impl implementation, x []float32) bool {
	n := len(x) &^ 15
	if impl < avx2 || n == 0 {
		return finite(x)
	}
	a := finiteArgs{x: &x[0], n: n, magnitude: 0x7fffffff, carry: 0x00800000}
	if impl >= avx512 {
		finiteAVX512(&a)
	} else {
		finiteAVX2(&a)
	}
	return a.bad == 0 && finite(x[n:])
}

func add(impl implementation, to, from []float32) {
	n := len(to) &^ 15
	if impl < avx2 || n == 0 {
		n = 0
	} else if a := (addArgs{&to[0], &from[0], n}); impl >= avx512 {
		addAVX512(&a)
	} else {
		addAVX2(&a)
	}
	addGeneric(to[n:], from[n:])
}

// lanes is the number of float32 in a vector.
func lanes(impl implementation) int {
	switch {
	case impl >= avx512:
		return 16
	case impl == avx2:
		return 8
	}
	return 1
}

// poolsFast reports whether the image is one of whole 2x2 windows and whole vectors.
func (m *MaxPool) poolsFast() bool {
	return m.ws.impl >= avx2 && m.side == 2 && m.stride == 2 && m.pad == 0 && m.h%2 == 0 && m.w%2 == 0 && m.c%lanes(m.ws.impl) == 0
}

func maxPoolImage(m *MaxPool, y, x []float32) {
	if !m.poolsFast() {
		if m.ws.impl < avx2 || m.c%lanes(m.ws.impl) > 0 {
			m.forwardGeneric(y, x)
			return
		}
		for i, w := range m.windows {
			a := windowArgs{x: &x[w.first], offsets: &w.offsets[0], n: len(w.offsets), c: m.c * 4, y: &y[i*m.c]}
			if m.ws.impl >= avx512 {
				windowMaxAVX512(&a)
			} else {
				windowMaxAVX2(&a)
			}
		}
		return
	}
	row := m.w * m.c
	for p := range m.ph {
		a := maxPoolArgs{x: &x[2*p*row], row: row * 4, c: m.c * 4, windows: m.pw, y: &y[p*m.pw*m.c]}
		if m.ws.impl >= avx512 {
			maxPoolAVX512(&a)
		} else {
			maxPoolAVX2(&a)
		}
	}
}

func maxPoolBackImage(m *MaxPool, dx, dy, x []float32) {
	if !m.poolsFast() {
		if m.ws.impl < avx2 || m.c%lanes(m.ws.impl) > 0 {
			m.backwardGeneric(dx, dy, x)
			return
		}
		clear(dx)
		for i, w := range m.windows {
			a := windowArgs{x: &x[w.first], offsets: &w.offsets[0], n: len(w.offsets), c: m.c * 4, y: &dy[i*m.c], dx: &dx[w.first]}
			if m.ws.impl >= avx512 {
				windowMaxBackAVX512(&a)
			} else {
				windowMaxBackAVX2(&a)
			}
		}
		return
	}
	row := m.w * m.c
	for p := range m.ph {
		a := maxPoolArgs{x: &x[2*p*row], row: row * 4, c: m.c * 4, windows: m.pw, y: &dy[p*m.pw*m.c], dx: &dx[2*p*row]}
		if m.ws.impl >= avx512 {
			maxPoolBackAVX512(&a)
		} else {
			maxPoolBackAVX2(&a)
		}
	}
}

// poolImage is the fused pooling's z of an image of y; see [BatchNorm.SetPool].
func (b *BatchNorm) poolImage(z, y Values) {
	m, wide := b.pool, b.ws.impl >= avx512
	row := m.w * m.c
	size := y.bytes()
	for p := range m.ph {
		a := maxPoolArgs{x: y.at(2 * p * row), row: row * size, c: m.c * size, windows: m.pw, y: z.at(p * m.pw * m.c), mean: &b.mean[0]}
		switch {
		case y.halves != nil && b.relu:
			maxPoolNormReLUHalfAVX512(&a)
		case y.halves != nil:
			maxPoolNormHalfAVX512(&a)
		case wide && b.relu:
			maxPoolNormReLUAVX512(&a)
		case wide:
			maxPoolNormAVX512(&a)
		case b.relu:
			maxPoolNormReLUAVX2(&a)
		default:
			maxPoolNormAVX2(&a)
		}
	}
}

// poolBackImage writes the gradient of an image before the fused pooling, dz, from that behind it, dp.
func (b *BatchNorm) poolBackImage(dz, dp, y Values) {
	m, wide := b.pool, b.ws.impl >= avx512
	row, size := m.w*m.c, y.bytes()
	for p := range m.ph {
		a := maxPoolArgs{x: y.at(2 * p * row), row: row * size, c: m.c * size, windows: m.pw, y: dp.at(p * m.pw * m.c), dx: dz.at(2 * p * row), mean: &b.mean[0]}
		switch {
		case y.halves != nil && b.relu:
			maxPoolBackNormReLUHalfAVX512(&a)
		case y.halves != nil:
			maxPoolBackNormHalfAVX512(&a)
		case wide && b.relu:
			maxPoolBackNormReLUAVX512(&a)
		case wide:
			maxPoolBackNormAVX512(&a)
		case b.relu:
			maxPoolBackNormReLUAVX2(&a)
		default:
			maxPoolBackNormAVX2(&a)
		}
	}
}

// poolsAtOnce says whether the backward pass with the fused pooling goes window by window, which with AVX-512 it does for the ReLU that stands between the two in all our nets.
func (b *BatchNorm) poolsAtOnce() bool { return b.ws.impl >= avx512 && b.relu }

// mostWindows is how many windows of two rows poolSums has room for.
const mostWindows = sumBlock / 4

// sumsPoolAtOnce says whether poolSums does, too: the blocks of the sums must be pairs of rows.
func (b *BatchNorm) sumsPoolAtOnce() bool {
	return b.poolsAtOnce() && sumBlock%(2*b.pool.w) == 0 && b.rows%sumBlock == 0
}

func (b *BatchNorm) normPoolArgs(dp, y Values) normPoolArgs {
	m, size := b.pool, y.bytes()
	return normPoolArgs{y: y.at(0), row: m.w * m.c * size, c: m.c * size, windows: m.pw, pairs: m.ph, dp: dp.at(0), mean: &b.mean[0], inv: &b.inv[0], scale: &b.scale[0], beta: &b.beta[0],
		coef0: &b.coef[0], coef1: &b.coef[b.c], coef2: &b.coef[2*b.c]}
}

// poolGrad writes an image's dy, which may be y, from the gradient dp behind the pooling.
func (b *BatchNorm) poolGrad(dy, dp, y Values) {
	a := b.normPoolArgs(dp, y)
	if a.dy = dy.at(0); y.halves != nil {
		normPoolBackHalfAVX512(&a)
	} else {
		normPoolBackAVX512(&a)
	}
}

// poolSums makes an image's sums of BackwardSums from the gradient dp behind the pooling. Only pixels with a gradient count: where xhat of another one is beyond float32's range, two passes would add 0 times that,
// a NaN. Such an activation's dy is not finite, either way.
func (b *BatchNorm) poolSums(part []float64, dp, y Values) {
	var later [mostWindows * 2 * 16]float32
	clear(part)
	a := b.normPoolArgs(dp, y)
	a.pairs, a.part, a.squares, a.later = sumBlock/(2*b.pool.w), &part[0], &part[b.c], &later[0]
	for from := 0; from < b.rows; from += sumBlock {
		if a.y, a.dp = y.at(from*b.c), dp.at(from/4*b.c); y.halves != nil {
			normPoolSumsHalfAVX512(&a)
		} else {
			normPoolSumsAVX512(&a)
		}
	}
}

func averageImage(impl implementation, y []float32, x Values, scale float32) {
	c := len(y)
	if impl < avx2 || c%lanes(impl) != 0 {
		averageGeneric(y, x.Float32(make([]float32, len(x.halves))), scale)
		return
	}
	a := averageArgs{x: x.at(0), y: &y[0], rows: x.Len() / c, c: c * 4, scale: scale}
	if x.halves != nil {
		averageHalfAVX512(&a)
	} else if impl >= avx512 {
		averageAVX512(&a)
	} else {
		averageAVX2(&a)
	}
}

func spreadImage(impl implementation, dx, dy []float32, scale float32) {
	c := len(dy)
	if impl < avx2 || c%lanes(impl) != 0 {
		spreadGeneric(dx, dy, scale)
		return
	}
	a := averageArgs{x: &dx[0], y: &dy[0], rows: len(dx) / c, c: c * 4, scale: scale}
	if impl >= avx512 {
		spreadAVX512(&a)
	} else {
		spreadAVX2(&a)
	}
}

// normsFast reports whether the vectors of impl can hold c channels: AVX-512 has masks.
func normsFast(impl implementation, c int) bool {
	return impl >= avx512 || impl == avx2 && c%8 == 0
}

// normBlock is a number of rows whose activations stay in the first-level cache while a batch norm goes from one group of channels to the next.
func normBlock(c int) int { return max(4, 2048/c) }

func addImage(impl implementation, s *Sums, img int, y []float32) {
	if !normsFast(impl, s.c) {
		s.addImageGeneric(img, y)
		return
	}
	part := s.part[img*2*s.c:][:2*s.c]
	clear(part)
	a := sumsArgs{c: s.c, tail: tailMask(s.c), part: &part[0], squares: &part[s.c]}
	for from := 0; from < s.rows; from += sumBlock {
		a.y, a.rows = &y[from*s.c], min(sumBlock, s.rows-from)
		switch {
		case takesTwoBlocks(impl, s.c, s.rows-from):
			sumsTwoAVX512(&a)
			from += sumBlock
		case impl >= avx512:
			sumsAVX512(&a)
		default:
			sumsAVX2(&a)
		}
	}
}

// takesTwoBlocks says whether the sums of two blocks of 8 channels, which fill a vector, are made at once. Each is what it is alone.
func takesTwoBlocks(impl implementation, c, rows int) bool {
	return impl >= avx512 && c == 8 && rows >= 2*sumBlock
}

// roundAll rounds x to bf16 into the beginning of to.
func roundAll(impl implementation, to, x []float32) {
	n := len(x) &^ 15
	if impl < avx2 || n == 0 {
		n = 0
	} else if a := (addArgs{&to[0], &x[0], n}); impl >= avx512 {
		roundAVX512(&a)
	} else {
		roundAVX2(&a)
	}
	roundAllGeneric(to[n:], x[n:])
}

// bytes is the size of a value.
func (v Values) bytes() int {
	if v.halves != nil {
		return 2
	}
	return 4
}

// addHalves adds float32, rounded to bf16, to bf16 numbers, and rounds the sum.
func addHalves(to []uint16, from []float32) {
	n := len(from) &^ 15
	if n > 0 {
		addHalfAVX512(&addHalfArgs{&to[0], &from[0], n})
	}
	addHalvesGeneric(to[n:], from[n:])
}

// addHalfGrid adds a grid of bf16 numbers and rounds the sums.
func addHalfGrid(to, from []uint16, g Grid) {
	if g.Rows < 1 || g.Columns < 1 || g.N < 1 {
		return
	}
	last := func(row, step int) int { return (g.Rows-1)*row + (g.Columns-1)*step + g.N - 1 }
	_, _ = to[last(g.ToRow, g.ToStep)], from[last(g.FromRow, g.FromStep)]
	addHalfGridAVX512(&addHalfGridArgs{to: &to[0], from: &from[0], torow: 2 * g.ToRow, fromrow: 2 * g.FromRow, tostep: 2 * g.ToStep, fromstep: 2 * g.FromStep,
		rows: g.Rows, columns: g.Columns, groups: (g.N + 15) / 16, tail: tailMask(g.N)})
}

// widened writes bf16 numbers, which only a processor with AVX-512 keeps, as float32.
func widened(to []float32, from []uint16) {
	n := len(from) &^ 15
	if n > 0 {
		widenAVX512(&widenArgs{&to[0], &from[0], n})
	}
	widenedGeneric(to[n:], from[n:])
}

// roundImage writes an image of y, rounded to halves, and, unless s is nil, the sums of what it writes.
func roundImage(s *Sums, img int, to []uint16, y []float32) {
	if s == nil {
		a := splitArgs{src: &y[0], dst: &to[0], rows: 1, n: len(y)}
		a.split(false, true)
		return
	}
	part := s.part[img*2*s.c:][:2*s.c]
	clear(part)
	a := sumsArgs{c: s.c, tail: tailMask(s.c), part: &part[0], squares: &part[s.c]}
	for from := 0; from < s.rows; from += sumBlock {
		at := from * s.c
		a.y, a.z, a.rows = &y[at], Values{halves: to}.at(at), min(sumBlock, s.rows-from)
		sumsHalfAVX512(&a)
	}
}

// applyImage normalises an image, or some of its pixels.
func (b *BatchNorm) applyImage(z, y, residual Values) {
	impl := b.ws.impl
	if !normsFast(impl, b.c) {
		normGeneric(z.floats, y.floats, residual.floats, b.mean, b.scale, b.beta, b.relu)
		if z.rounded {
			roundAll(impl, z.floats, z.floats)
		}
		return
	}
	rows := y.Len() / b.c
	a := normArgs{y: y.at(0), rows: rows, c: b.c, tail: tailMask(b.c), block: normBlock(b.c), z: z.at(0), residual: residual.at(0), mean: &b.mean[0], scale: &b.scale[0], beta: &b.beta[0]}
	var twice [3][16]float32
	if b.takesTwoPixels(rows) {
		a.rows, a.c, a.tail = rows/2, 16, tailMask(16)
		a.mean, a.scale, a.beta = doubled(&twice[0], b.mean), doubled(&twice[1], b.scale), doubled(&twice[2], b.beta)
	}
	if y.halves != nil {
		a.runHalf(!residual.None(), b.relu)
		return
	}
	a.run(impl, !residual.None(), b.relu)
	if z.rounded {
		roundAll(impl, z.floats, z.floats)
	}
}

func (a *normArgs) run(impl implementation, residual, relu bool) {
	wide := impl >= avx512
	switch {
	case residual && relu && wide:
		normResidualReLUAVX512(a)
	case residual && relu:
		normResidualReLUAVX2(a)
	case residual && wide:
		normResidualAVX512(a)
	case residual:
		normResidualAVX2(a)
	case relu && wide:
		normReLUAVX512(a)
	case relu:
		normReLUAVX2(a)
	case wide:
		normAVX512(a)
	default:
		normAVX2(a)
	}
}

func (a *normArgs) runHalf(residual, relu bool) {
	switch {
	case residual && relu:
		normResidualReLUHalfAVX512(a)
	case residual:
		normResidualHalfAVX512(a)
	case relu:
		normReLUHalfAVX512(a)
	default:
		normHalfAVX512(a)
	}
}

// takesTwoPixels says whether two pixels of 8 channels fill a vector, as one pixel of 16: where each value is computed by itself, that changes no bit.
func (b *BatchNorm) takesTwoPixels(rows int) bool {
	return b.c == 8 && rows%2 == 0 && lanes(b.ws.impl) == 16
}

// doubled writes the first 8 values of from twice.
func doubled(to *[16]float32, from []float32) *float32 {
	copy(to[:8], from)
	copy(to[8:], from)
	return &to[0]
}

// backSumImage makes an image's sums of dz, which m lets through. Only joined takes the shortcut, and z is none if m does not read it.
func (b *BatchNorm) backSumImage(part []float64, m mask, dz, shortcut, z, y Values) {
	impl := b.ws.impl
	if !normsFast(impl, b.c) {
		b.backSumsGeneric(part, m, dz.floats, shortcut.floats, z.floats, y.floats)
		return
	}
	clear(part)
	a := b.sumsArgs(part)
	for from := 0; from < b.rows; from += sumBlock {
		at := from * b.c
		a.y, a.dz, a.rows = y.at(at), dz.at(at), min(sumBlock, b.rows-from)
		a.z, a.shortcut = z.at(at), shortcut.at(at)
		if y.halves == nil && takesTwoBlocks(impl, b.c, b.rows-from) {
			a.runBackTwo(m)
			from += sumBlock
			continue
		}
		a.runBack(impl, m, y.halves != nil)
	}
}

func (b *BatchNorm) sumsArgs(part []float64) sumsArgs {
	return sumsArgs{c: b.c, tail: tailMask(b.c), part: &part[0], squares: &part[b.c],
		mean: &b.mean[0], inv: &b.inv[0], scale: &b.scale[0], beta: &b.beta[0]}
}

func (a *sumsArgs) runBack(impl implementation, m mask, halves bool) {
	wide := impl >= avx512
	switch {
	case m == always && halves:
		backSumsHalfAVX512(a)
	case m == always && wide:
		backSumsAVX512(a)
	case m == always:
		backSumsAVX2(a)
	case m == again && halves:
		backSumsAgainHalfAVX512(a)
	case m == again && wide:
		backSumsAgainAVX512(a)
	case m == again:
		backSumsAgainAVX2(a)
	case m == joined && halves:
		backSumsJoinHalfAVX512(a)
	case m == joined && wide:
		backSumsJoinAVX512(a)
	case m == joined:
		backSumsJoinAVX2(a)
	case m == cut && halves:
		backSumsCutHalfAVX512(a)
	case m == cut && wide:
		backSumsCutAVX512(a)
	case m == cut:
		backSumsCutAVX2(a)
	case halves:
		backSumsMaskHalfAVX512(a)
	case wide:
		backSumsMaskAVX512(a)
	default:
		backSumsMaskAVX2(a)
	}
}

func (a *sumsArgs) runBackTwo(m mask) {
	switch m {
	case always:
		backSumsTwoAVX512(a)
	case again:
		backSumsAgainTwoAVX512(a)
	case joined:
		backSumsJoinTwoAVX512(a)
	case cut:
		backSumsCutTwoAVX512(a)
	default:
		backSumsMaskTwoAVX512(a)
	}
}

func (b *BatchNorm) backImage(dy, dres, dz, z, y Values) {
	impl := b.ws.impl
	if !normsFast(impl, b.c) || !dres.None() && b.mask == again {
		b.backGeneric(dy.floats, dres.floats, dz.floats, z.floats, y.floats)
		return
	}
	a := normBackArgs{y: y.at(0), rows: b.rows, c: b.c, tail: tailMask(b.c), block: normBlock(b.c), dy: dy.at(0), dres: dres.at(0), dz: dz.at(0), z: z.at(0),
		mean: &b.mean[0], inv: &b.inv[0], coef0: &b.coef[0], coef1: &b.coef[b.c], coef2: &b.coef[2*b.c], scale: &b.scale[0], beta: &b.beta[0]}
	var twice [7][16]float32
	if b.takesTwoPixels(b.rows) {
		a.rows, a.c, a.tail = b.rows/2, 16, tailMask(16)
		a.mean, a.inv, a.scale, a.beta = doubled(&twice[0], b.mean), doubled(&twice[1], b.inv), doubled(&twice[2], b.scale), doubled(&twice[3], b.beta)
		a.coef0, a.coef1, a.coef2 = doubled(&twice[4], b.coef), doubled(&twice[5], b.coef[8:]), doubled(&twice[6], b.coef[16:])
	}
	if y.halves != nil {
		a.runHalf(!dres.None(), b.mask)
		return
	}
	a.run(impl, !dres.None(), b.mask)
}

func (a *normBackArgs) run(impl implementation, residual bool, m mask) {
	wide := impl >= avx512
	switch {
	case residual && m == always && wide:
		normBackResidualAVX512(a)
	case residual && m == always:
		normBackResidualAVX2(a)
	case residual && wide:
		normBackResidualMaskAVX512(a)
	case residual:
		normBackResidualMaskAVX2(a)
	case m == always && wide:
		normBackAVX512(a)
	case m == always:
		normBackAVX2(a)
	case m == again && wide:
		normBackAgainAVX512(a)
	case m == again:
		normBackAgainAVX2(a)
	case wide:
		normBackMaskAVX512(a)
	default:
		normBackMaskAVX2(a)
	}
}

func (a *normBackArgs) runHalf(residual bool, m mask) {
	switch {
	case residual && m == always:
		normBackResidualHalfAVX512(a)
	case residual:
		normBackResidualMaskHalfAVX512(a)
	case m == always:
		normBackHalfAVX512(a)
	case m == again:
		normBackAgainHalfAVX512(a)
	default:
		normBackMaskHalfAVX512(a)
	}
}
