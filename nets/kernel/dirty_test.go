package kernel

import (
	"math"
	"slices"
	"testing"
)

// dirt compares passes' results with what they are where the results' memory and the workers' scratch hold NaNs before each pass. build
// makes an operation on a pool, and returns its passes, each with the memory that it writes.
func dirt(t *testing.T, what, name string, precision Precision, build func(ws *Workers) (passes []func(), results [][]float32)) {
	t.Helper()
	run := func(dirty bool) [][]float32 {
		ws := newWorkers(t, 2, name)
		ws.SetPrecision(precision)
		passes, results := build(ws)
		for i, pass := range passes {
			if dirty {
				for _, scratch := range append(slices.Clone(ws.scratch), ws.shared) {
					for k := range scratch {
						scratch[k] = 0xff // a NaN of float32 and of bf16
					}
				}
				for k := range results[i] {
					results[i][k] = float32(math.NaN())
				}
			}
			pass()
		}
		return results
	}
	clean, dirty := run(false), run(true)
	for i := range clean {
		if !slices.Equal(clean[i], dirty[i]) {
			t.Errorf("%s, precision %v: %s: result %d depends on what was in memory", name, precision, what, i)
		}
	}
}

// What lies in the results' memory and in the workers' scratch before a pass, of whatever operation was there, does not change a bit of what it
// computes: every pass clears or writes what it reads.
func TestDirtyMemoryIsNotRead(t *testing.T) {
	for _, name := range Implementations() {
		for _, precision := range []Precision{F32, BF16} {
			dirtyConvolutions(t, name, precision)
		}
		rows, in := 5, 37
		x := make([]float32, rows*in)
		noise(1, x)
		for _, precision := range []Precision{F32, BF16} {
			dirtyLinear(t, name, precision)
		}
		dirt(t, "the mean of an image", name, F32, func(ws *Workers) (passes []func(), results [][]float32) {
			y, dx := make([]float32, in), make([]float32, rows*in)
			return []func(){func() { ws.GlobalAvgPool(y, Floats(x), rows, in) }, func() { ws.GlobalAvgPoolBackward(Floats(dx), x[:in], rows, in) }}, [][]float32{y, dx}
		})
	}
}

func dirtyLinear(t *testing.T, name string, precision Precision) {
	rows, in, out := 5, 37, 21
	x, w, bias, dy := make([]float32, rows*in), make([]float32, in*out), make([]float32, out), make([]float32, rows*out)
	noise(1, x)
	noise(2, w)
	noise(3, bias)
	noise(4, dy)
	dirt(t, "a linear layer", name, precision, func(ws *Workers) (passes []func(), results [][]float32) {
		l := NewLinear(ws, rows, in, out)
		r := [][]float32{make([]float32, len(dy)), make([]float32, len(x)), make([]float32, len(w)), make([]float32, out)}
		forward, input := func() { l.Forward(r[0], Floats(x), w, bias) }, func() { l.GradInput(Floats(r[1]), dy, w) }
		return []func(){forward, input, func() { l.GradWeights(r[2], nil, Floats(x), dy) }, func() { l.GradWeights(make([]float32, len(w)), r[3], Floats(x), dy) }}, r
	})
}

func dirtyConvolutions(t *testing.T, name string, precision Precision) {
	for _, s := range []ConvShape{
		{N: 3, H: 8, W: 8, C: 16, K: 32, Side: 3, Stride: 1},
		{N: 2, H: 5, W: 7, C: 3, K: 20, Side: 3, Stride: 1},
		{N: 2, H: 6, W: 6, C: 48, K: 16, Side: 3, Stride: 2},
		{N: 2, H: 9, W: 4, C: 10, K: 7, Side: 5, Stride: 1},
		{N: 3, H: 4, W: 4, C: 64, K: 64, Side: 1, Stride: 1},
		{N: 3, H: 4, W: 16, C: 8, K: 8, Side: 3, Stride: 1},
	} {
		ph, pw := s.Out()
		x, w, dy := make([]float32, s.N*s.H*s.W*s.C), make([]float32, s.Side*s.Side*s.C*s.K), make([]float32, s.N*ph*pw*s.K)
		noise(1, x)
		noise(3, dy)
		for _, binary := range []bool{false, true} {
			noise(2, w)
			for i := range w {
				if binary {
					w[i] = float32(math.Copysign(1, float64(w[i])))
				}
			}
			dirt(t, "a convolution", name, precision, func(ws *Workers) (passes []func(), results [][]float32) {
				c := NewConv(ws, s)
				c.SetWeights(w, binary)
				r := [][]float32{make([]float32, len(dy)), make([]float32, len(x)), make([]float32, len(w))}
				return []func(){func() { c.Forward(r[0], x, nil) }, func() { c.GradInput(Floats(r[1]), dy) }, func() { c.GradWeights(r[2], x, dy) }}, r
			})
		}
	}
}
