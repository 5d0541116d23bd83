//go:build amd64 && !purego

package kernel

// amxLinear computes linear layers at bf16 with the tile multiplier, in the order of [bf16Linear]. A part of the forward pass and of the gradient of the input is linearColumns columns
// of the result: the worker packs the weights that it needs into its scratch, where all rows use them. The rows of x or dy are rounded once, for all parts. A part of
// the gradient of the weights is as many of its rows.
type amxLinear struct {
	ws            *Workers
	in, out, rows int
	config        *tileConfig

	positions []int // of rows of w in the reduction of the forward pass, in bytes, or -1
	images    []int // of rows of x in the reduction over them, likewise; of dy: imagesOut
	imagesOut []int
	offsets   []int     // of the chunks of a row of operands
	columns   []int     // of groups of 16 columns in a part's results
	results   []int     // the same in rows of dw
	tiles     []int     // of a part's results
	zero      []float32 // what fills up the last chunk of a reduction, in every column that a call packs

	dw, w, dy      []float32 // of the current call
	x, y           Values    // dx is y
	n              int
	operands       []uint16 // shared: rows of x or dy, stride bytes apart
	stride         int
	pairs          []uint16 // shared: pairs of rows of dy
	roundPart      func(part, worker int)
	pairPart       func(part, worker int)
	forwardPart    func(part, worker int)
	inputPart      func(part, worker int)
	weightsPart    func(part, worker int)
	from           Values // what roundPart rounds, in rows of length
	length, padded int
}

// linearColumns is the number of columns of a part: two blocks of the multiplier.
const linearColumns = 64

func newAMXLinear(ws *Workers, rows, in, out int) *amxLinear {
	l := &amxLinear{ws: ws, in: in, out: out, rows: rows, config: newTileConfig(16, 8), zero: make([]float32, linearColumns)}
	inP, outP, rowsP := roundUp(in, 32), roundUp(out, 32), roundUp(rows, 32)
	l.positions, l.images, l.imagesOut = make([]int, inP), make([]int, rowsP), make([]int, rowsP)
	for i := range l.positions {
		if l.positions[i] = i * out * 4; i >= in {
			l.positions[i] = -1
		}
	}
	for j := range max(inP, outP, rowsP) / 32 {
		l.offsets = append(l.offsets, 64*j)
	}
	for j := range max(linearColumns, outP) / 16 {
		l.columns, l.results = append(l.columns, 64*j), append(l.results, 64*j)
	}
	l.roundPart, l.pairPart, l.forwardPart, l.inputPart, l.weightsPart = l.roundRow, l.pairColumns, l.forwardColumns, l.inputColumns, l.weightsRows
	results := rowsP*linearColumns*4 + 64
	ws.reserve(max(linearColumns*inP*2+results, 2*linearColumns*outP*2+results, linearColumns*rowsP*2+rows*linearColumns*4+linearColumns*outP*4)+256,
		rowsP*(max(l.apart(in), l.apart(out), outP*2))+64)
	return l
}

// apart is the number of bytes between rows of n operands: an odd number of cache lines spreads them over the cache's sets.
func (l *amxLinear) apart(n int) int { return (roundUp(n, 32)/32 | 1) * 64 }

// share rounds n rows of x or dy for all workers.
func (l *amxLinear) share(from Values, n, length int) {
	l.from, l.n, l.length, l.padded, l.stride = from, n, length, roundUp(length, 32), l.apart(length)
	shared := l.ws.shared
	l.operands = take[uint16](&shared, roundUp(n, 32)*l.stride/2)
	l.ws.Do(n, l.roundPart)
	l.from = Values{}
	l.tiles = l.tiles[:0]
	for row := 0; row < roundUp(n, 32); row += 16 {
		l.tiles = append(l.tiles, row*l.stride, row*linearColumns*4)
	}
}

func (l *amxLinear) roundRow(row, _ int) {
	to, from := l.operands[row*l.stride/2:][:l.padded], l.from.Of(row*l.length, (row+1)*l.length)
	if from.halves != nil {
		copy(to, from.halves)
	} else {
		roundImage(nil, 0, to, from.floats)
	}
	clear(to[l.length:])
}

// block is a part's product of the shared rows with packed weights, in chunks of the reduction, of which so many columns from k0 on go to rows of y of so many values.
func (l *amxLinear) block(packed []uint16, chunks int, results []float32, k0, columns int) {
	a := amxConvArgs{a: &l.operands[0], astride: l.stride, b: &packed[0], offsets: &l.offsets[0], chunks: chunks, y: &results[0], ystride: linearColumns * 4,
		columns: &l.columns[0], tiles: &l.tiles[0], mblocks: len(l.tiles) / 4, kblock: (min(linearColumns, columns-k0) + 31) / 32, config: l.config}
	amxConv2x2One(&a)
	n := min(linearColumns, columns-k0)
	for row := range l.n {
		to, from := l.y.Of(row*columns+k0, row*columns+k0+n), results[row*linearColumns:][:n]
		if to.halves != nil {
			roundImage(nil, 0, to.halves, from)
		} else {
			copy(to.floats, from)
		}
	}
}

func (l *amxLinear) forward(y []float32, x Values, w []float32, n int) {
	l.share(x, n, l.in)
	l.y, l.w = Floats(y), w
	l.ws.Do((l.out+linearColumns-1)/linearColumns, l.forwardPart)
	l.y, l.w = Values{}, nil
}

func (l *amxLinear) forwardColumns(part, worker int) {
	k0, chunks, scratch := part*linearColumns, len(l.positions)/32, l.ws.scratch[worker]
	packed, results := take[uint16](&scratch, linearColumns*chunks*32), take[float32](&scratch, roundUp(l.n, 32)*linearColumns)
	for k := k0; k < min(l.out, k0+linearColumns); k += 32 {
		to := packed[(k-k0)*chunks*32:][:chunks*1024]
		l.packPairs(to, l.w, l.positions, chunks, k, l.out)
	}
	l.block(packed, chunks, results, k0, l.out)
}

// packPairs packs 32 of so many columns of rows that lie at positions, from column k on.
func (l *amxLinear) packPairs(to []uint16, from []float32, positions []int, chunks, k, columns int) {
	if columns-k <= 16 {
		clear(to) // there is no second group
	}
	width := min(32, columns-k)
	pairsRound(&pairArgs{src: &from[k], zero: &l.zero[0], positions: &positions[0], blocks: chunks, groups: (width + 15) / 16, tail: tailMask(width),
		dst: &to[0], dstblock: 2048, dstgroup: 1024})
}

func (l *amxLinear) gradInput(dx Values, dy, w []float32, n int) {
	l.share(Floats(dy), n, l.out)
	l.y, l.w = dx, w
	l.ws.Do((l.in+linearColumns-1)/linearColumns, l.inputPart)
	l.y, l.w = Values{}, nil
}

func (l *amxLinear) inputColumns(part, worker int) {
	c0, length, scratch := part*linearColumns, roundUp(l.out, 32), l.ws.scratch[worker]
	rows, packed := take[uint16](&scratch, linearColumns*length), take[uint16](&scratch, linearColumns*length)
	results := take[float32](&scratch, roundUp(l.n, 32)*linearColumns)
	columns := min(linearColumns, l.in-c0)
	for c := range roundUp(columns, 32) {
		to := rows[c*length:][:length]
		if c >= columns {
			clear(to)
			continue
		}
		roundImage(nil, 0, to, l.w[(c0+c)*l.out:][:l.out])
		clear(to[l.out:])
	}
	words := Values{halves: rows}.memory()
	for group := range roundUp(columns, 32) / 16 {
		for chunk := range length / 32 {
			to := Values{halves: packed[group/2*32*length+chunk*1024+group%2*512:]}
			transpose(&transposeArgs{src: &words[group*16*length/2+chunk*16], srcstride: length * 2, dst: to.at(0), dststride: 64, rows: 1, columns: 1})
		}
	}
	l.block(packed, length/32, results, c0, l.in)
}

func (l *amxLinear) gradWeights(dw []float32, x Values, dy []float32, n int) {
	l.dw, l.x, l.dy, l.n = dw, x, dy, n
	for i := range l.images {
		if l.images[i], l.imagesOut[i] = i*linearColumns*4, i*l.out*4; i >= n {
			l.images[i], l.imagesOut[i] = -1, -1
		}
	}
	shared := l.ws.shared
	l.pairs = take[uint16](&shared, roundUp(n, 32)*roundUp(l.out, 32))
	l.ws.Do(roundUp(l.out, 32)/32, l.pairPart)
	l.ws.Do((l.in+linearColumns-1)/linearColumns, l.weightsPart)
	l.dw, l.x, l.dy = nil, Values{}, nil
}

func (l *amxLinear) pairColumns(part, _ int) {
	chunks := roundUp(l.n, 32) / 32
	l.packPairs(l.pairs[part*chunks*1024:][:chunks*1024], l.dy, l.imagesOut, chunks, part*32, l.out)
}

// weightsRows computes linearColumns rows of dw; 32 at a time, and not where they belong if dw has fewer, or no whole blocks of columns.
func (l *amxLinear) weightsRows(part, worker int) {
	c0, chunks, outP, scratch := part*linearColumns, roundUp(l.n, 32)/32, roundUp(l.out, 32), l.ws.scratch[worker]
	rows, x := take[uint16](&scratch, linearColumns*chunks*32), take[float32](&scratch, l.n*linearColumns)
	results := take[float32](&scratch, linearColumns*outP)
	columns := min(linearColumns, l.in-c0)
	for i := range l.n {
		from, to := l.x.Of(i*l.in+c0, i*l.in+c0+columns), x[i*linearColumns:][:columns]
		copy(to, from.Float32(to))
	}
	pairsRoundTransposed(&pairArgs{src: &x[0], zero: &l.zero[0], positions: &l.images[0], blocks: chunks, groups: (columns + 15) / 16, tail: tailMask(columns),
		dst: &rows[0], dstblock: 64, dstgroup: 16 * chunks * 64, dstrow: chunks * 64})
	to, apart := l.dw[c0*l.out:], l.out
	direct := l.out == outP && columns%32 == 0
	if !direct {
		to, apart = results, outP
	}
	var tiles [linearColumns / 16 * 2]int
	blocks := (columns + 31) / 32
	for t := range 2 * blocks {
		tiles[2*t], tiles[2*t+1] = t*16*chunks*64, t*16*apart*4
	}
	amxConv2x2One(&amxConvArgs{a: &rows[0], astride: chunks * 64, b: &l.pairs[0], offsets: &l.offsets[0], chunks: chunks, y: &to[0], ystride: apart * 4,
		columns: &l.results[0], tiles: &tiles[0], mblocks: blocks, kblock: outP / 32, config: l.config})
	if !direct {
		for c := range columns {
			copy(l.dw[(c0+c)*l.out:][:l.out], results[c*outP:])
		}
	}
}
