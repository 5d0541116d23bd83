//go:build amd64 && !purego

package kernel

import (
	"bytes"
	"unsafe"
)

// winogradChanges keeps packed binary weights up to date. Few of them change in a step (about 0.05 alpha of them with SR, less later), so that
// most vectors of filters, which are packed together, can stay: those of one input channel and the pass's block of output channels. The
// packed weights are the same bits as when all are packed.
type winogradChanges struct {
	c          *winogradConv
	have       []float32 // the binary weights that the passes have packed; empty: others
	next       []float32
	forw, back []bool // vectors to pack: [c][block of k], [k][block of c]
	count      []int  // by block of c

	markPart, packPart func(part, worker int)
}

// reset says that all of w has been packed.
func (h *winogradChanges) reset(w []float32, binary bool) {
	if !binary {
		h.have = h.have[:0]
		return
	}
	if h.forw == nil { // nothing is kept for real-valued weights
		f, b := h.c.forw, h.c.back
		h.have, h.forw, h.back, h.count = make([]float32, len(w)), make([]bool, f.c*f.k/f.tile.k), make([]bool, b.c*b.k/b.tile.k), make([]int, b.k/b.tile.k)
	}
	h.have = append(h.have[:0], w...)
}

// follow packs what has changed. It reports false, and leaves the work to be done, if other weights are packed or more than a quarter of the vectors have changed.
func (h *winogradChanges) follow(w []float32) bool {
	if len(h.have) == 0 {
		return false
	}
	h.next = w
	h.c.ws.Do(len(h.count), h.markPart)
	total := 0
	for _, n := range h.count {
		total += n
	}
	few := total <= (len(h.forw)+len(h.back))/4
	if few {
		h.c.ws.Do(len(h.count), h.packPart)
	} else {
		clear(h.forw)
		clear(h.back)
		h.have = h.have[:0]
	}
	h.next = nil
	return few
}

// mark finds the changes in the weights of a block of input channels, the back pass's outputs.
func (h *winogradChanges) mark(block, _ int) {
	s, f, b := h.c.ConvShape, h.c.forw, h.c.back
	count := 0
	set := func(flag *bool) {
		if !*flag {
			*flag = true
			count++
		}
	}
	for c := block * b.tile.k; c < (block+1)*b.tile.k; c++ {
		for tap := range 9 {
			at := (tap*s.C + c) * s.K
			have, next := h.have[at:][:s.K], h.next[at:][:s.K]
			if sameBits(have, next) {
				continue
			}
			for k := 0; k < s.K; k += 16 {
				if sameBits(have[k:][:16], next[k:][:16]) {
					continue
				}
				set(&h.forw[(c*s.K+k)/f.tile.k])
				for i := k; i < k+16; i++ {
					if have[i] != next[i] {
						have[i] = next[i]
						set(&h.back[i*(s.C/b.tile.k)+block])
					}
				}
			}
		}
	}
	h.count[block] = count
}

// pack packs the marked vectors of a block of input channels.
func (h *winogradChanges) pack(block, worker int) {
	if h.count[block] == 0 {
		return
	}
	s, f, b := h.c.ConvShape, h.c.forw, h.c.back
	scratch := h.c.ws.scratch[worker]
	turned := take[float32](&scratch, 9*b.tile.k)
	for c := block * b.tile.k; c < (block+1)*b.tile.k; c++ {
		for fb := range s.K / f.tile.k {
			if flag := &h.forw[c*(s.K/f.tile.k)+fb]; *flag {
				*flag = false
				f.packVectors(h.next[c*s.K+fb*f.tile.k:], s.C*s.K, 0, fb, c, 1, scratch)
			}
		}
	}
	for k := range s.K {
		flag := &h.back[k*(s.C/b.tile.k)+block]
		if !*flag {
			continue
		}
		*flag = false
		for tap := range 9 {
			src, dst := h.next[(tap*s.C+block*b.tile.k)*s.K+k:], turned[(8-tap)*b.tile.k:][:b.tile.k]
			for i := range dst {
				dst[i] = src[i*s.K]
			}
		}
		b.packVectors(turned, b.tile.k, 0, block, k, 1, scratch)
	}
}

func sameBits(a, b []float32) bool {
	raw := func(x []float32) []byte { return unsafe.Slice((*byte)(unsafe.Pointer(unsafe.SliceData(x))), 4*len(x)) }
	return bytes.Equal(raw(a), raw(b))
}
