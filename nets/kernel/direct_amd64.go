//go:build !purego

package kernel

type directArgs struct {
	a                    *float32
	astride, astep, aseg int // bytes
	segs, n              int
	b                    *float32
	bstep                int
	c                    *float32
	cstride              int
	accumulate           int
	blocks               int     // of rows
	times                int     // that often, or once
	anext, bnext, cnext  int     // bytes
	ahead, end           uintptr // what is fetched meanwhile; see [ahead]
}

//go:noescape
func directZ14x2(a *directArgs)

//go:noescape
func directZ14x2Down(a *directArgs)

//go:noescape
func directZ28x1(a *directArgs)

//go:noescape
func directZ28x1Down(a *directArgs)

//go:noescape
func directZ8x2(a *directArgs)

//go:noescape
func directZ8x2Down(a *directArgs)

//go:noescape
func directZ24x1Down(a *directArgs)

//go:noescape
func directZ21x1Down(a *directArgs)

//go:noescape
func directZ16x1(a *directArgs)

//go:noescape
func directZ16x1Down(a *directArgs)

//go:noescape
func directZ3x3x1(a *directArgs)

//go:noescape
func directZ9x1Down(a *directArgs)

//go:noescape
func directZ16x1Pairs(a *directArgs)

//go:noescape
func directZ8x1DownPairs(a *directArgs)

//go:noescape
func directY6x2(a *directArgs)

//go:noescape
func directY6x2Down(a *directArgs)

//go:noescape
func directY8x1(a *directArgs)

// run calls the micro-kernel: c = or += a times b.
func (a *directArgs) run(t directTile) {
	if a.astride == 4 {
		a.runDown(t)
		return
	}
	switch t {
	case directTile{14, 32}:
		directZ14x2(a)
	case directTile{28, 16}:
		directZ28x1(a)
	case directTile{8, 32}:
		directZ8x2(a)
	case directTile{16, 16}:
		directZ16x1(a)
	case directTile{6, 16}:
		directY6x2(a)
	case directTile{8, 8}:
		directY8x1(a)
	case pairsTile:
		directZ16x1Pairs(a)
	default:
		panic("kernel: no such micro-kernel")
	}
}

// runDown is run with rows that are neighbours in memory.
func (a *directArgs) runDown(t directTile) {
	switch t {
	case directTile{14, 32}:
		directZ14x2Down(a)
	case directTile{28, 16}:
		directZ28x1Down(a)
	case directTile{8, 32}:
		directZ8x2Down(a)
	case directTile{24, 16}:
		directZ24x1Down(a)
	case directTile{21, 16}:
		directZ21x1Down(a)
	case directTile{16, 16}:
		directZ16x1Down(a)
	case directTile{9, 16}:
		directZ9x1Down(a)
	case directTile{6, 16}:
		directY6x2Down(a)
	case directTile{8, 8}:
		directY8x1(a)
	default:
		panic("kernel: no such micro-kernel")
	}
}

// runWindow is run with a window of 3x3 values as rows, whose own rows are astride bytes apart; it can do so where windowTile says so.
func (a *directArgs) runWindow() { directZ3x3x1(a) }

func windowTile(t directTile) bool { return t == directTile{9, 16} }

// directTile is a micro-kernel's number of rows and of columns.
type directTile struct{ m, k int }

func newDirectTile(impl implementation, k int) directTile {
	switch {
	case impl == avx2:
		return directTile{6, 16}
	case k <= 16:
		return directTile{28, 16}
	}
	return directTile{14, 32}
}

// newGradTile is the tile for rows values of a filter and k channels of the output: a lower one where it saves an eighth of the products.
func newGradTile(impl implementation, k, rows int) directTile {
	t := newDirectTile(impl, k)
	for _, low := range map[directTile][]directTile{{14, 32}: {{8, 32}}, {28, 16}: {{24, 16}, {21, 16}, {16, 16}, {9, 16}}}[t] {
		if 8*roundUp(rows, low.m) <= 7*roundUp(rows, t.m) {
			t = low
		}
	}
	return t
}

// newPassTile is the tile of a convolution's pixels: rows of 8, 16 or 32 pixels are computed without waste by tiles of
// 8 or 16. An output's sum has the same order in every tile.
func newPassTile(impl implementation, s *passShape) directTile {
	t := newDirectTile(impl, s.k)
	low := map[directTile]directTile{{14, 32}: {8, 32}, {28, 16}: {16, 16}}[t]
	if low.m == 0 {
		return t
	}
	count := s.tilesOf
	if s.sharesRows(t) {
		count = s.pairsOf
	}
	_, _, pixels := count(t.m)
	if _, _, fewer := count(low.m); fewer < pixels {
		return low
	}
	return t
}

type pixelsArgs struct {
	to, from         *float32
	tostep, fromstep int // bytes
	pixels, bytes    int // in a row; of a pixel
	rows             int
	torow, fromrow   int // bytes
}

//go:noescape
func pixelsCopy(a *pixelsArgs)

//go:noescape
func pixelsAdd(a *pixelsArgs)

// hasVectors is asked for every row of an image.
var hasVectors = available(avx2)

// vectorPixels copies or adds a [Grid] with vectors, if it can.
func vectorPixels(to, from []float32, g Grid, add bool) bool {
	if g.N%8 > 0 || g.N < 1 || g.Columns < 1 || g.Rows < 1 || !hasVectors {
		return false
	}
	last := func(row, step int) int { return (g.Rows-1)*row + (g.Columns-1)*step }
	_, _ = to[last(g.ToRow, g.ToStep):][:g.N], from[last(g.FromRow, g.FromStep):][:g.N]
	a := pixelsArgs{&to[0], &from[0], g.ToStep * 4, g.FromStep * 4, g.Columns, g.N * 4, g.Rows, g.ToRow * 4, g.FromRow * 4}
	if add {
		pixelsAdd(&a)
	} else {
		pixelsCopy(&a)
	}
	return true
}

type peakZArgs struct{ iterations int }
type peakYArgs struct{ iterations int }

//go:noescape
func peakZ(a *peakZArgs)

//go:noescape
func peakY(a *peakYArgs)

// peakDot is peakZ with VDPBF16PS in the place of multiply-adds: what BenchmarkPeakVDPBF16 asks of a processor.
//
//go:noescape
func peakDot(a *peakZArgs)

// peakLoop does about n rounds of multiply-adds and returns the operations done.
func peakLoop(impl implementation, n int) float64 {
	switch {
	case impl >= avx512:
		peakZ(&peakZArgs{n})
		return float64(n) * 24 * 16 * 2
	case impl == avx2:
		peakY(&peakYArgs{n})
		return float64(n) * 12 * 8 * 2
	}
	return peakGeneric(n)
}
