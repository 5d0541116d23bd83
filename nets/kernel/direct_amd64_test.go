//go:build amd64 && !purego

package kernel

import (
	"math"
	"slices"
	"testing"
)

// Every micro-kernel adds an output's products in the same order: the tile that fits the rows best changes no bit.
func TestTilesGiveTheSameBits(t *testing.T) {
	if !slices.Contains(Implementations(), "avx512") {
		t.Skip("no AVX-512")
	}
	ws := newWorkers(t, 2, "avx512")
	for _, side := range []int{8, 16, 13, 32} {
		for _, k := range []int{16, 32, 40} {
			s := passShape{ph: side, pw: side, c: 5, dilate: 1, h: side, w: side, side: 3, stride: 1, outH: side, outW: side, k: k}
			src, w := make([]float32, 2*side*side*s.c), make([]float32, 9*s.c*k)
			noise(1, src)
			noise(2, w)
			tiles := []directTile{{14, 32}, {8, 32}}
			if k <= 16 {
				tiles = []directTile{{28, 16}, {16, 16}}
			}
			var want []float32
			for _, tile := range tiles {
				p := newDirectPass(ws, s, tile)
				p.pack(w, false)
				got := make([]float32, 2*side*side*k)
				p.run(Floats(got), Floats(src), 2, nil)
				if want == nil {
					want = got
				} else if !slices.Equal(got, want) {
					t.Errorf("side %d, %d channels: tile %v has other bits than %v", side, k, tile, tiles[0])
				}
			}
		}
	}
}

// Two pixels in a row of a tile change no bit: the channels of a narrow result are those of a wide one whose other weights are zeros.
func TestPairsOfPixelsGiveTheSameBits(t *testing.T) {
	for _, name := range Implementations() {
		if name != "avx2" && name != "avx512" {
			continue
		}
		ws := newWorkers(t, 2, name)
		for _, c := range []struct{ h, w, c, k, side int }{{32, 32, 1, 8, 3}, {7, 10, 8, 8, 3}, {9, 34, 3, 5, 5}, {4, 2, 2, 1, 1}} {
			narrow := passShape{ph: c.h, pw: c.w, c: c.c, dilate: 1, h: c.h, w: c.w, side: c.side, stride: 1, outH: c.h, outW: c.w, k: c.k}
			wide := narrow
			wide.k = 16
			src, w := make([]float32, 3*c.h*c.w*c.c), make([]float32, c.side*c.side*c.c*c.k)
			noise(1, src)
			noise(2, w)
			filled := make([]float32, c.side*c.side*c.c*16)
			copyPixels(filled, w, 16, c.k, c.k)
			p, q := newDirectPass(ws, narrow, newPassTile(ws.impl, &narrow)), newDirectPass(ws, wide, newPassTile(ws.impl, &wide))
			if p.pixels != 2 || q.pixels != 1 {
				t.Fatalf("%s: %+v: %d and %d pixels in a row", name, c, p.pixels, q.pixels)
			}
			p.pack(w, false)
			q.pack(filled, false)
			got, all, want := make([]float32, 3*c.h*c.w*c.k), make([]float32, 3*c.h*c.w*16), make([]float32, 3*c.h*c.w*c.k)
			p.run(Floats(got), Floats(src), 3, nil)
			q.run(Floats(all), Floats(src), 3, nil)
			copyPixels(want, all, c.k, 16, c.k)
			if !slices.Equal(got, want) {
				t.Errorf("%s: %+v: pairs have other bits", name, c)
			}
		}
	}
}

// The gradient of the weights adds the same products in the same order however they fill the tiles.
func TestWaysOfTheGradientGiveTheSameBits(t *testing.T) {
	for _, name := range Implementations() {
		if name != "avx2" && name != "avx512" {
			continue
		}
		ws := newWorkers(t, 2, name)
		for _, s := range []ConvShape{
			{N: 3, H: 32, W: 32, C: 1, K: 8, Side: 3, Stride: 1}, {N: 3, H: 13, W: 9, C: 1, K: 16, Side: 3, Stride: 1}, {N: 2, H: 32, W: 32, C: 3, K: 16, Side: 3, Stride: 1},
			{N: 2, H: 9, W: 14, C: 2, K: 40, Side: 3, Stride: 1}, {N: 9, H: 32, W: 32, C: 8, K: 8, Side: 3, Stride: 1}, {N: 2, H: 6, W: 7, C: 5, K: 3, Side: 5, Stride: 1},
			{N: 2, H: 15, W: 16, C: 3, K: 17, Side: 7, Stride: 2}, {N: 2, H: 5, W: 4, C: 4, K: 3, Side: 5, Stride: 3},
		} {
			x, dy := make([]float32, s.N*s.Inputs()), make([]float32, s.N*s.Outputs())
			noise(1, x)
			noise(2, dy)
			got, want := make([]float32, s.Weights()), make([]float32, s.Weights())
			newDirectGrad(ws, s, byRow).run(want, Floats(x), dy, s.N)
			for _, way := range []gradWay{byFilter, byPair} {
				if way == byPair && (s.Stride > 1 || s.K > 8) {
					continue
				}
				newDirectGrad(ws, s, way).run(got, Floats(x), dy, s.N)
				if !slices.Equal(got, want) {
					t.Errorf("%s: %+v: way %d gives other bits", name, s, way)
				}
			}
		}
	}
}

// The folded gradient of the input of a convolution of stride 2 has the bits of the one whose dy are set apart by zeros; a weight that is wrong is seen.
func TestFoldedGivesTheSameBits(t *testing.T) {
	for _, name := range Implementations() {
		if name != "avx2" && name != "avx512" {
			continue
		}
		ws := newWorkers(t, 2, name)
		for _, s := range []ConvShape{{N: 3, H: 16, W: 16, C: 8, K: 16}, {N: 2, H: 8, W: 14, C: 16, K: 32}, {N: 2, H: 4, W: 2, C: 3, K: 5}, {N: 2, H: 2, W: 2, C: 40, K: 24}, {N: 1, H: 32, W: 32, C: 5, K: 8}} {
			s.Side, s.Stride = 3, 2
			_, apart := s.passes()
			w, dy := make([]float32, s.Weights()), make([]float32, s.N*s.Outputs())
			noise(1, w)
			noise(2, dy)
			want := make([]float32, s.N*s.Inputs())
			p := newDirectPass(ws, apart, newPassTile(ws.impl, &apart))
			p.pack(w, true)
			p.run(Floats(want), Floats(dy), s.N, nil)
			c := NewConv(ws, s)
			c.algo = newDirectConv(ws, s)
			c.SetWeights(w, false)
			got := make([]float32, s.N*s.Inputs())
			c.GradInput(Floats(got), dy)
			if back := c.algo.(*directConv).back; !back.folded || !slices.Equal(got, want) {
				t.Errorf("%s, %+v: folded %v, the same bits %v", name, s, back.folded, slices.Equal(got, want))
			}
			c.algo.(*directConv).back.packed[0] *= -1
			if c.GradInput(Floats(got), dy); slices.Equal(got, want) {
				t.Errorf("%s, %+v: a weight's sign is not seen", name, s)
			}
		}
	}
}

// Images of few pixels that share tiles have the bits of images by themselves.
func TestStackedImagesGiveTheSameBits(t *testing.T) {
	if !slices.Contains(Implementations(), "amx") {
		t.Skip("no AMX")
	}
	for _, precision := range []Precision{F32, BF16} {
		ws := newWorkers(t, 2, "amx")
		ws.SetPrecision(precision)
		for _, c := range []struct{ n, h, w, c, k, side, stride, dilate int }{{33, 2, 2, 16, 32, 3, 1, 1}, {5, 2, 3, 7, 12, 3, 1, 1}, {17, 1, 1, 40, 40, 1, 1, 1}, {20, 1, 4, 5, 3, 5, 1, 1}, {35, 5, 6, 24, 40, 3, 2, 1}, {70, 3, 3, 32, 16, 3, 1, 2}} {
			for _, binary := range []bool{false, true} {
				s := passShape{ph: (c.h + c.dilate - 1) / c.dilate, pw: (c.w + c.dilate - 1) / c.dilate, c: c.c, dilate: c.dilate, h: c.h, w: c.w, side: c.side, stride: c.stride,
					outH: (c.h + c.stride - 1) / c.stride, outW: (c.w + c.stride - 1) / c.stride, k: c.k}
				src, w := make([]float32, c.n*s.ph*s.pw*c.c), make([]float32, c.side*c.side*c.c*c.k)
				noise(1, src)
				noise(2, w)
				if binary {
					for i, v := range w {
						w[i] = float32(math.Copysign(1, float64(v)))
					}
				}
				p := newAMXPass(ws, s)
				p.pack(w, binary, false)
				got, want := make([]float32, c.n*s.outH*s.outW*c.k), make([]float32, c.n*s.outH*s.outW*c.k)
				p.run(Floats(got), Floats(src), c.n, nil)
				if p.stack == nil {
					t.Fatalf("%+v: no stack", c)
				}
				p.stack = nil
				p.run(Floats(want), Floats(src), c.n, nil)
				if !slices.Equal(got, want) {
					t.Errorf("%+v, binary %v, precision %v: a stack has other bits", c, binary, precision)
				}
			}
		}
	}
}

// BenchmarkDirectConv is BenchmarkConv of the direct algorithm, which Winograd's replaces where it fits.
func BenchmarkDirectConv(b *testing.B) {
	for _, name := range Implementations() {
		if name != "avx2" && name != "avx512" {
			continue
		}
		for _, s := range benchShapes {
			ws := newWorkers(b, 1, name)
			benchConv(b, "impl="+name, &Conv{ConvShape: s, ws: ws, algo: newDirectConv(ws, s)}, true)
		}
	}
}
