//go:build !purego

package kernel

// The argument structs' layouts are known to the generator: 8 bytes a field.

type amxConvArgs struct {
	a               *uint16 // first of three planes of pixels
	plane           int     // bytes between planes
	astride         int     // bytes between the pixels of a tile
	b               *uint16 // packed weights
	offsets         *int    // byte offset of each chunk in a plane
	chunks          int
	y               *float32
	ystride         int  // bytes between output pixels
	columns         *int // byte offset in y of each 16 channels
	tiles           *int // pairs: byte offset in a plane, byte offset in y
	mblocks, kblock int
	config          *tileConfig
	ahead           *float32 // what is needed next
	lines           int      // of the cache, of those values
	each            int      // lines to fetch with a chunk
}

type amxGradArgs struct {
	a               *uint16 // first of three planes of rows of positions
	plane           int
	astride         int // bytes between rows
	b               *uint16
	bchunk          int // bytes between chunks of 32 positions
	chunks          int
	dw              *float32
	dwstride        int
	tiles           *int
	mblocks, kblock int
	config          *tileConfig
}

type amxTapsArgs struct {
	a       *uint16 // rows of positions
	astride int
	b       *uint16 // pairs of positions
	chunks  int
	dw      *float32 // tiles, one for each entry
	fresh   int      // not 0: dw holds nothing yet
	entries *int     // byte offsets in b
	blocks  int
	config  *tileConfig
}

type splitArgs struct {
	src                  *float32
	dst                  *uint16
	plane                int
	rows                 int
	srcstride, dststride int
	n                    int
	tail                 int // mask of the last n%16 values (or all 16)
}

type pairArgs struct {
	src, zero                            *float32
	positions                            *int
	blocks, groups                       int
	tail                                 int
	dst                                  *uint16
	dstpiece, dstblock, dstgroup, dstrow int
}

// tileConfig is the operand of LDTILECFG: palette 1.
type tileConfig struct {
	palette uint8
	_       [15]uint8 // start row and reserved
	bytes   [16]uint16
	rows    [16]uint8
}

// newTileConfig gives the first tiles (accumulators and left operands) that many rows.
func newTileConfig(rows, first int) *tileConfig {
	c := &tileConfig{palette: 1}
	for i := range 8 {
		c.bytes[i], c.rows[i] = 64, 16
		if i < first {
			c.rows[i] = uint8(rows)
		}
	}
	return c
}

// columns gives some tiles n columns of 32 bits.
func (c *tileConfig) columns(n int, tiles ...int) {
	for _, i := range tiles {
		c.bytes[i] = uint16(4 * n)
	}
}

//go:noescape
func amxConv2x2(a *amxConvArgs)

//go:noescape
func amxConv4x1(a *amxConvArgs)

//go:noescape
func amxConv2x2Full(a *amxConvArgs)

//go:noescape
func amxConv4x1Full(a *amxConvArgs)

//go:noescape
func amxGrad2x2(a *amxGradArgs)

//go:noescape
func amxGrad4x1(a *amxGradArgs)

//go:noescape
func split(a *splitArgs)

//go:noescape
func split16(a *splitArgs)

//go:noescape
func pairs(a *pairArgs)

//go:noescape
func pairsTransposed(a *pairArgs)

//go:noescape
func pairsSingle(a *pairArgs)

// transposeArgs: groups of 16 rows and columns of src.
type transposeArgs struct {
	src           *float32
	srcstride     int
	dst           *float32
	dststride     int
	rows, columns int
}

//go:noescape
func transpose(a *transposeArgs)

// signsArgs: 64 floats for each word of signs; see the generator.
type signsArgs struct {
	src     *float32
	have    *uint64
	words   int
	differs uint64
}

//go:noescape
func signs(a *signsArgs)

//go:noescape
func amxConv2x2One(a *amxConvArgs)

//go:noescape
func amxConv4x1One(a *amxConvArgs)

//go:noescape
func amxTaps6(a *amxTapsArgs)

//go:noescape
func amxTaps3(a *amxTapsArgs)

//go:noescape
func pairsBoth(a *pairArgs)

//go:noescape
func pairsHalfTransposed(a *pairArgs)

//go:noescape
func pairsBothHalf(a *pairArgs)

//go:noescape
func splitRound(a *splitArgs)

//go:noescape
func pairsRound(a *pairArgs)

//go:noescape
func pairsRoundTransposed(a *pairArgs)

// interleave is the order in which the assembly takes words from two vectors in turn.
//
//lint:ignore U1000 the assembly reads it
var interleave = func() (order [32]uint16) {
	for i := range order {
		order[i] = uint16(i/2 + i%2*16)
	}
	return order
}()

// interleaveOdd takes the upper half of the vector before and the lower half of this one.
//
//lint:ignore U1000 the assembly reads it
var interleaveOdd = func() (order [32]uint16) {
	for i := range order {
		order[i] = uint16(16 + i/2 + i%2*16)
	}
	return order
}()
