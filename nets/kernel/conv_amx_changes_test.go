//go:build amd64 && !purego

package kernel

import (
	"fmt"
	"slices"
	"testing"
)

// TestChangedTileWeights: [testChanges] for tiles, where pixels share a row, where the gradient of the input is folded, where one tap is all, at both precisions.
func TestChangedTileWeights(t *testing.T) {
	if !slices.Contains(Implementations(), "amx") {
		t.Skip("no tile multiplier")
	}
	for _, s := range []ConvShape{
		{N: 1, H: 32, W: 32, C: 8, K: 8, Side: 3, Stride: 1}, {N: 1, H: 32, W: 32, C: 8, K: 16, Side: 3, Stride: 2}, {N: 1, H: 9, W: 9, C: 16, K: 32, Side: 3, Stride: 2},
		{N: 1, H: 8, W: 8, C: 32, K: 64, Side: 1, Stride: 2}, {N: 1, H: 8, W: 8, C: 64, K: 32, Side: 3, Stride: 1}, {N: 2, H: 2, W: 2, C: 64, K: 128, Side: 3, Stride: 1},
		{N: 1, H: 16, W: 16, C: 9, K: 25, Side: 3, Stride: 1},
	} {
		for _, precision := range []Precision{F32, BF16} {
			ws := newWorkers(t, 2, "amx")
			ws.SetPrecision(precision)
			kept, forward := newTilePasses(ws, s), newForwardTiles(ws, s)
			testChanges(t, fmt.Sprintf("%v, %+v", precision, s), s.Weights(), []float64{0, 0, 1, 0.002, 0, 0.01, 0.5, 0.002, 0.005}, kept, func(w []float32) bool {
				all := newTilePasses(ws, s)
				all.setWeights(w, true)
				forward.setWeights(w, true)
				return slices.Equal(all.forw.packed, kept.forw.packed) && slices.Equal(all.back.packed, kept.back.packed) && slices.Equal(all.forw.packed, forward.forw.packed)
			}, func(int) {}, func(i int, _ float32) { kept.have[i/64] ^= 1 << (i % 64) })
		}
	}
}
