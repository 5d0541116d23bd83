//go:build amd64 && !purego

package kernel

import (
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
				p.run(got, src, 2, nil)
				if want == nil {
					want = got
				} else if !slices.Equal(got, want) {
					t.Errorf("side %d, %d channels: tile %v has other bits than %v", side, k, tile, tiles[0])
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
