//go:build amd64 && !purego

package kernel

// directLinear computes linear layers with the micro-kernel of [directConv].
// Panels of the right factor, a block of columns wide, are packed into the
// worker's scratch, where all rows use them.
type directLinear struct {
	ws      *Workers
	in, out int
	rows    int // at most

	forw, back, grad directTile
	y, x, w          []float32
	n                int
	forwardPart      func(part, worker int)
	inputPart        func(part, worker int)
	weightsPart      func(part, worker int)
}

// panel is the length of the reduction that a panel covers at a time: 256 rows of 32 floats are 32 KB.
const panel = 256

func newDirectLinear(ws *Workers, rows, in, out int) *directLinear {
	impl := min(ws.impl, avx512)
	l := &directLinear{ws: ws, in: in, out: out, rows: rows,
		forw: newRowTile(impl, rows, out), back: newRowTile(impl, rows, in), grad: newDirectTile(impl, out)}
	wide := max(l.forw.k, l.back.k)
	tall := max(roundUp(rows, l.forw.m), roundUp(rows, l.back.m))
	l.forwardPart = func(part, worker int) {
		l.block(worker, l.forw, l.y, l.x, l.out, l.in, part*l.forw.k, func(b []float32, k0, from, to int) (*float32, int) {
			nk := l.forw.k
			width := min(nk, l.out-k0)
			if width == nk && l.n <= 2*l.forw.m { // read where it lies: too few rows use it for a copy to pay
				return &l.w[from*l.out+k0], l.out
			}
			for i := from; i < to; i++ { // the columns behind hold what lies there: their products are left behind, too
				copy(b[(i-from)*nk:], l.w[i*l.out+k0:][:width])
			}
			return &b[0], nk
		})
	}
	l.inputPart = func(part, worker int) {
		l.block(worker, l.back, l.x, l.y, l.in, l.out, part*l.back.k, func(b []float32, c0, from, to int) (*float32, int) {
			nk := l.back.k
			if c0+nk <= l.in {
				transposed(b, l.w[c0*l.out+from:], nk, l.out, nk, to-from, ws.impl >= avx512)
				return &b[0], nk
			}
			for c := range l.in - c0 {
				for k, w := range l.w[(c0+c)*l.out:][from:to] {
					b[k*nk+c] = w
				}
			}
			return &b[0], nk
		})
	}
	l.weightsPart = l.weightsBlock
	gradChunk := gradTiles * l.grad.m
	ws.reserve(max((panel*wide+tall*wide+(tall+16)*panel)*4+256, (rows*(gradChunk+l.grad.k)+l.grad.m*l.grad.k)*4+256), 0)
	return l
}

// newRowTile is the tile for that many rows and k columns: the lower one where it computes fewer rows that there are not.
func newRowTile(impl implementation, rows, k int) directTile {
	t := newDirectTile(impl, k)
	if low := (directTile{8, 32}); t == (directTile{14, 32}) && roundUp(rows, low.m) < roundUp(rows, t.m) {
		return low
	}
	return t
}

// block computes tile.k columns from k0 of the product of x (rows, reduction) and
// a matrix. factor returns the place of its rows from to to at these columns, and how far apart they are; it may use b.
func (l *directLinear) block(worker int, tile directTile, y, x []float32, columns, reduction, k0 int, factor func(b []float32, k0, from, to int) (*float32, int)) {
	scratch := l.ws.scratch[worker]
	b := take[float32](&scratch, panel*tile.k)
	tall := roundUp(l.n, tile.m)
	c := take[float32](&scratch, tall*tile.k)
	last := take[float32](&scratch, tile.m*panel) // the rows of an incomplete tile
	a := directArgs{astride: reduction * 4, astep: 4, segs: 1, cstride: tile.k * 4, blocks: 1}
	for from := 0; from < reduction; from += panel {
		to := min(from+panel, reduction)
		a.b, a.bstep = factor(b, k0, from, to)
		a.bstep *= 4
		a.n = to - from
		for m := 0; m < l.n; m += tile.m {
			t := a
			t.a = &x[m*reduction+from]
			if m+tile.m > l.n {
				for i := range l.n - m {
					copy(last[i*panel:], x[(m+i)*reduction+from:][:to-from])
				}
				t.a, t.astride = &last[0], panel*4
			}
			t.c = &c[m*tile.k]
			if from > 0 {
				t.accumulate = 1
			}
			t.run(tile)
		}
	}
	width := min(tile.k, columns-k0)
	for i := range l.n {
		copy(y[i*columns+k0:][:width], c[i*tile.k:])
	}
}

func (l *directLinear) forward(y []float32, x Values, w []float32, rows int) {
	l.y, l.x, l.w, l.n = y, x.floats, w, rows
	l.ws.Do((l.out+l.forw.k-1)/l.forw.k, l.forwardPart)
}

func (l *directLinear) gradInput(dx Values, dy, w []float32, rows int) {
	l.y, l.x, l.w, l.n = dy, dx.floats, w, rows
	l.ws.Do((l.in+l.back.k-1)/l.back.k, l.inputPart)
}

func (l *directLinear) gradWeights(dw []float32, x Values, dy []float32, rows int) {
	l.y, l.x, l.w, l.n = dy, x.floats, dw, rows
	chunk := gradTiles * l.grad.m
	l.ws.Do((l.in+chunk-1)/chunk, l.weightsPart)
}

// gradTiles is the number of tiles of inputs of a part of the gradient of the weights.
const gradTiles = 8

func (l *directLinear) weightsBlock(part, worker int) {
	tile := l.grad
	chunk := gradTiles * tile.m
	from, to := part*chunk, min((part+1)*chunk, l.in)
	scratch := l.ws.scratch[worker]
	x := take[float32](&scratch, l.n*chunk)
	b := take[float32](&scratch, l.n*tile.k)
	c := take[float32](&scratch, tile.m*tile.k)
	for i := range l.n {
		copy(x[i*chunk:], l.x[i*l.in:][from:to])
	}
	a := directArgs{astride: 4, astep: chunk * 4, segs: 1, n: l.n, b: &b[0], bstep: tile.k * 4}
	for k0 := 0; k0 < l.out; k0 += tile.k {
		width := min(tile.k, l.out-k0)
		for i := range l.n {
			copy(b[i*tile.k:], l.y[i*l.out+k0:][:width])
		}
		m := from
		if whole := (to - from) / tile.m; whole > 0 && width == tile.k { // stored where they belong
			a.a, a.c, a.cstride, a.blocks = &x[0], &l.w[m*l.out+k0], l.out*4, whole
			a.run(tile)
			m += whole * tile.m
		}
		a.c, a.cstride, a.blocks = &c[0], tile.k*4, 1
		for ; m < to; m += tile.m {
			a.a = &x[m-from]
			a.run(tile)
			for i := range min(tile.m, to-m) {
				copy(l.w[(m+i)*l.out+k0:][:width], c[i*tile.k:])
			}
		}
	}
}
