//go:build amd64 && !purego

package kernel

import (
	"slices"
	"testing"

	"tqn/quantize"
)

// TestChangedTileWeights: writing the binary weights that have changed into the packed ones leaves the bits of packing all, however many change, and after
// real-valued weights too: where pixels share a row, where the gradient of the input is folded, where one tap is all, at both precisions. Planted: a change that is taken for known.
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
			kept, w, real := newTilePasses(ws, s), make([]float32, s.Weights()), make([]float32, s.Weights())
			same := func() bool {
				all := newTilePasses(ws, s)
				all.setWeights(w, true)
				return slices.Equal(all.forw.packed, kept.forw.packed) && slices.Equal(all.back.packed, kept.back.packed)
			}
			followed := 0
			for step, share := range []float64{0, 0, 1, 0.002, 0, 0.01, 0.5, 0.002, 0.005} {
				draw := quantize.NewNoise(1).At(0, uint64(step))
				for i := range w {
					if step == 0 || draw.Uniform(i) < share {
						w[i] = 1 - 2*float32(min(1, int(w[i])+1)) // 0 and 1 to -1, -1 to 1
					}
				}
				if kept.follow(w) {
					followed++
				} else {
					kept.setWeights(w, true)
				}
				if !same() {
					t.Fatalf("%v, %+v, step %d: packed weights differ from packing all", precision, s, step)
				}
			}
			if followed < 4 {
				t.Errorf("%v, %+v: changes were followed in %d steps only", precision, s, followed)
			}
			noise(1, real)
			kept.setWeights(real, false)
			kept.setWeights(w, true)
			if !same() {
				t.Errorf("%v, %+v: real-valued weights stay packed", precision, s)
			}
			last := len(w) - 1
			w[last] = -w[last]
			kept.have[last/64] ^= 1 << (last % 64)
			if kept.setWeights(w, true); same() {
				t.Errorf("%v, %+v: a lost change is not seen", precision, s)
			}
		}
	}
}
