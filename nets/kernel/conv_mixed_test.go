//go:build amd64 && !purego

package kernel

import (
	"slices"
	"testing"
)

// TestTilesSuit: binary weights go to the tile multiplier where [tilesSuit] says so, and real-valued ones never; the choice knows shapes and nothing else.
func TestTilesSuit(t *testing.T) {
	if !slices.Contains(Implementations(), "mixed") {
		t.Skip("no tile multiplier")
	}
	ws, err := NewWorkers(1, "mixed")
	if err != nil {
		t.Fatal(err)
	}
	defer ws.Close()
	for _, c := range []struct {
		side, c, k int
		tiles      bool
	}{
		{32, 64, 64, true}, {16, 64, 128, true}, {32, 128, 128, true}, // large images, many channels,
		{16, 128, 256, false}, {16, 256, 256, false}, // but not so many that Winograd's products are near their limit
		{32, 32, 32, false}, {16, 32, 64, false}, {32, 16, 16, false}, // few channels
		{8, 64, 64, false}, {8, 128, 128, false}, {8, 256, 512, false}, // small images
		{16, 80, 96, false}, // 16 channels beside whole tiles
	} {
		conv := NewConv(ws, ConvShape{N: 1, H: c.side, W: c.side, C: c.c, K: c.k, Side: 3, Stride: 1})
		w := make([]float32, conv.Weights())
		for i := range w {
			w[i] = 1
		}
		for _, binary := range []bool{true, false, true} {
			conv.SetWeights(w, binary)
			if m := conv.algo.(*mixedConv); m.tiled != (binary && c.tiles) {
				t.Errorf("%dx%d, %d to %d channels, binary %v: tiles %v", c.side, c.side, c.c, c.k, binary, m.tiled)
			}
		}
	}
}
