package kernel

import "unsafe"

// hugePage is the size of a page of the larger kind. An activation of a batch lies in thousands of small ones, whose addresses the processor's tables do not hold at once.
const hugePage = 2 << 20

// NewArena allocates that many float32 zeros, on huge pages where the system has them and n fills some.
func NewArena(n int) []float32 {
	b := alignedBytes(4 * n)
	return unsafe.Slice((*float32)(unsafe.Pointer(unsafe.SliceData(b))), n)
}

const page = 4096

// alignedBytes allocates bytes from the beginning of a page on; several megabytes on huge pages.
func alignedBytes(n int) []byte {
	align := page
	if n >= 2*hugePage {
		align = hugePage
	}
	b := make([]byte, n+align)
	off := -int(uintptr(unsafe.Pointer(unsafe.SliceData(b)))) & (align - 1)
	if b = b[off : off+n : off+n]; align == hugePage {
		useHugePages(b[:n/hugePage*hugePage])
	}
	return b
}
