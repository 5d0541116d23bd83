package kernel

import (
	"fmt"
	"runtime/debug"
	"syscall"
	"testing"
	"unsafe"
)

// atFence returns n float32 whose last one lies right before a page that may be neither read nor written.
func atFence(t *testing.T, n int) []float32 {
	t.Helper()
	page := syscall.Getpagesize()
	size := (4*n + page - 1) / page * page
	memory, err := syscall.Mmap(-1, 0, size+page, syscall.PROT_READ|syscall.PROT_WRITE, syscall.MAP_PRIVATE|syscall.MAP_ANON)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { syscall.Munmap(memory) })
	if err := syscall.Mprotect(memory[size:], syscall.PROT_NONE); err != nil {
		t.Fatal(err)
	}
	return unsafe.Slice((*float32)(unsafe.Pointer(&memory[size-4*n])), n)
}

// within reports a panic of f, such as that of a touched fence. It must do all its work in the calling goroutine.
func within(f func()) (err error) {
	defer debug.SetPanicOnFault(debug.SetPanicOnFault(true))
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("%v", r)
		}
	}()
	f()
	return nil
}

// Nothing is read or written behind the end of an operand, however tiles and vectors divide it. Planted: a sum that is a value longer than the memory
// of its result.
func TestNothingIsTouchedBehindTheOperands(t *testing.T) {
	filled := func(seed, n int) []float32 {
		v := atFence(t, n)
		noise(uint64(seed), v)
		return v
	}
	for _, name := range Implementations() {
		for _, precision := range []Precision{F32, BF16} {
			ws := newWorkers(t, 1, name) // no other goroutines
			ws.SetPrecision(precision)
			for _, s := range []ConvShape{
				{N: 3, H: 8, W: 8, C: 16, K: 32, Side: 3, Stride: 1},
				{N: 2, H: 16, W: 16, C: 8, K: 8, Side: 3, Stride: 1},
				{N: 2, H: 5, W: 7, C: 3, K: 20, Side: 3, Stride: 1},
				{N: 2, H: 6, W: 6, C: 48, K: 16, Side: 3, Stride: 2},
				{N: 2, H: 9, W: 4, C: 10, K: 7, Side: 5, Stride: 1},
				{N: 3, H: 4, W: 4, C: 33, K: 65, Side: 1, Stride: 1},
				{N: 5, H: 8, W: 9, C: 1, K: 16, Side: 3, Stride: 1},
				{N: 9, H: 4, W: 4, C: 32, K: 64, Side: 3, Stride: 2},
				{N: 3, H: 2, W: 2, C: 5, K: 3, Side: 3, Stride: 1}, // a tile of dy's channels is wider than an image
				{N: 19, H: 1, W: 1, C: 20, K: 1, Side: 1, Stride: 1},
			} {
				for _, binary := range []bool{false, true} {
					c := NewConv(ws, s)
					x, w, dy := filled(1, s.N*s.Inputs()), filled(2, s.Weights()), filled(3, s.N*s.Outputs())
					if binary {
						for i, v := range w {
							w[i] = 1
							if v < 0 {
								w[i] = -1
							}
						}
					}
					y, dx, dw := atFence(t, len(dy)), atFence(t, len(x)), atFence(t, len(w))
					check := func(pass string, f func()) {
						if err := within(f); err != nil {
							t.Errorf("%s, precision %v, %+v, binary %v: %s: %v", name, precision, s, binary, pass, err)
						}
					}
					check("weights", func() { c.SetWeights(w, binary) })
					check("y", func() { c.Forward(y, x, nil) })
					check("dx", func() { c.GradInput(Floats(dx), dy) })
					check("dw", func() { c.GradWeights(dw, x, dy) })
				}
			}
			for _, s := range [][3]int{{1, 1, 1}, {3, 5, 10}, {17, 300, 33}, {16, 513, 64}, {29, 120, 16}} {
				rows, in, out := s[0], s[1], s[2]
				l := NewLinear(ws, rows, in, out)
				if tiles, ok := l.algo.(interface{ zeros() *[]float32 }); ok {
					*tiles.zeros() = atFence(t, len(*tiles.zeros()))
				}
				x, w, dy, bias := filled(1, rows*in), filled(2, in*out), filled(3, rows*out), filled(4, out)
				y, dx, dw, db := atFence(t, len(dy)), atFence(t, len(x)), atFence(t, len(w)), atFence(t, out)
				for pass, f := range map[string]func(){
					"y": func() { l.Forward(y, Floats(x), w, bias) }, "dx": func() { l.GradInput(Floats(dx), dy, w) }, "dw": func() { l.GradWeights(dw, db, Floats(x), dy) },
				} {
					if err := within(f); err != nil {
						t.Errorf("%s, precision %v, linear %v: %s: %v", name, precision, s, pass, err)
					}
				}
			}
		}
	}
	ws := newWorkers(t, 1, "")
	short := atFence(t, 96)
	if err := within(func() { ws.Add(Floats(make([]float32, 97)), Floats(unsafe.Slice(&short[0], 97))) }); err == nil {
		t.Error("a value behind the fence is touched, and nobody notices")
	}
}
