//go:build amd64 && !purego

package kernel

import (
	"math"
	"math/bits"
)

// tilePasses are a convolution's forward pass and gradient of the input by tiles, whose packed weights it keeps up to date. Of binary weights few change in a
// step (see [winogradChanges]); each stands in one place of a pass's packed weights, or in two where pixels share a row, and is written there. The packed weights
// are the same bits as when all are packed.
type tilePasses struct {
	ConvShape
	forw, back *amxPass // back is nil where only the forward pass is by tiles
	follows    bool     // both passes have packed binary weights, whose signs are in have
	have       []uint64 // a bit for each weight, set for -1
	next       []float32
	forwAt     []int // by value of the reduction, see [amxPass.places]
	backAt     []int
	many       [signParts]bool // too many weights of the part have changed
	signPart   func(part, worker int)
}

// signParts is into how many parts the comparison of a convolution's weights is divided.
const signParts = 4

func newTilePasses(ws *Workers, s ConvShape) *tilePasses {
	_, b := s.passes()
	if folded, ok := s.foldedBack(); ok && ws.precision == F32 { // at bf16 its arithmetic is cheaper than what folding costs
		b = folded
	}
	h := newForwardTiles(ws, s)
	h.back = newAMXPass(ws, b)
	return h
}

// newForwardTiles is newTilePasses without the gradient of the input.
func newForwardTiles(ws *Workers, s ConvShape) *tilePasses {
	f, _ := s.passes()
	h := &tilePasses{ConvShape: s, forw: newAMXPass(ws, f)}
	h.signPart = h.followPart
	return h
}

// setWeights packs w for the passes.
func (h *tilePasses) setWeights(w []float32, binary bool) {
	if binary && h.follow(w) {
		return
	}
	h.forw.pack(w, binary, false)
	if h.back != nil {
		h.back.pack(w, binary, true)
	}
	h.follows = binary
}

func (h *tilePasses) forwardNorm(y, x Values, norm *BatchNorm, n int, sums *Sums) {
	h.forw.norm = norm
	h.forw.run(y, x, n, sums)
	h.forw.norm = nil
}

// forget says that a pass has packed other weights.
func (h *tilePasses) forget() { h.follows = false }

// follow takes note of w, and writes what has changed. It reports false, and leaves the work to be done, if other weights are packed or if of a part more than one in
// 64 has changed: from about one in 50 on, packing all of them takes less time.
func (h *tilePasses) follow(w []float32) bool {
	if h.have == nil { // nothing is kept for real-valued weights
		h.have, h.forwAt = make([]uint64, (len(w)+63)/64), h.forw.places()
		if h.back != nil {
			h.backAt = h.back.places()
		}
	}
	h.next = w
	h.forw.ws.Do(signParts, h.signPart)
	h.next = nil
	h.follows = h.follows && h.many == [signParts]bool{}
	return h.follows
}

// followPart takes note of a part's signs and, as long as the changes are few, writes them.
func (h *tilePasses) followPart(part, _ int) {
	first, end := span(len(h.next), 64, part, signParts)
	most := 0
	if h.follows {
		most = (end - first) / 64
	}
	count := 0
	for at := first; at < end; {
		var signs uint64
		if at, signs = h.differing(at, end); at >= end {
			break
		}
		changed := signs ^ h.have[at/64]
		h.have[at/64] = signs
		if count += bits.OnesCount64(changed); count <= most {
			for ; changed != 0; changed &= changed - 1 {
				i := at + bits.TrailingZeros64(changed)
				h.write(i/(h.C*h.K), i/h.K%h.C, i%h.K, h.next[i])
			}
		}
		at += 64
	}
	h.many[part] = count > most
}

// differing finds the first 64 weights from at on, a multiple of 64, whose signs have changed, and their signs; end or more if there are none.
func (h *tilePasses) differing(at, end int) (int, uint64) {
	if whole := (end - at) / 64; whole > 0 {
		a := signsArgs{src: &h.next[at], have: &h.have[at/64], words: whole}
		signs(&a)
		if at += 64 * (whole - a.words); a.words > 0 {
			return at, a.differs
		}
	}
	if at >= end {
		return end, 0
	}
	last := uint64(0)
	for i, w := range h.next[at:end] {
		last |= uint64(math.Float32bits(w)>>31) << i
	}
	if last == h.have[at/64] {
		return end, 0
	}
	return at, last
}

// write puts the binary weight of input channel c and output channel k into the packed weights.
func (h *tilePasses) write(tap, c, k int, w float32) {
	v := uint16(math.Float32bits(w) >> 16)
	row, column := tap/h.Side, tap%h.Side
	h.forw.write(h.forwAt, row, column, c, k, v)
	if h.back == nil {
		return
	}
	if h.back.folded { // the inverse of foldTap
		ofRow, ofColumn := (row+1)%2, (column+1)%2
		h.back.write(h.backAt, (ofRow+1-row)/2, (ofColumn+1-column)/2, k, (2*ofRow+ofColumn)*h.C+c, v)
		return
	}
	h.back.write(h.backAt, h.Side-1-row, h.Side-1-column, k, c, v)
}

// write puts a weight of one piece from channel in to channel out of the pass where [amxPass.pack] would.
func (p *amxPass) write(places []int, row, column, in, out int, v uint16) {
	value := row*p.reduction + column*p.c + in
	p.packed[places[value]+p.columnPlace(out)] = v
	if p.pixels == 2 {
		p.packed[places[value+p.c]+p.columnPlace(p.k+out)] = v
	}
}

// places are the places in the packed weights, of one piece, of each value of the reduction for output channel 0. It inverts values.
func (p *amxPass) places() []int {
	to := make([]int, p.side*p.reduction)
	for i, at := range p.values {
		if at >= 0 {
			to[at/(4*p.pixels*p.k)] = i/32*p.nt*512 + i%32/2*32 + i%2
		}
	}
	return to
}

// columnPlace is how far behind output channel 0's place that of a column of the products lies.
func (p *amxPass) columnPlace(column int) int {
	group := column / 16
	return (group/p.nt*p.chunks*p.nt+group%p.nt)*512 + column%16*2
}
