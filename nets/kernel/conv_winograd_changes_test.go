//go:build amd64 && !purego

package kernel

import (
	"slices"
	"testing"

	"tqn/quantize"
)

// TestChangedWeights: packing the binary weights that have changed leaves the bits of packing all, however many change, and after real-valued weights
// too. Planted: a change that is taken for known.
func TestChangedWeights(t *testing.T) {
	for _, name := range []string{"avx2", "avx512"} {
		if !slices.Contains(Implementations(), name) {
			continue
		}
		ws := newWorkers(t, 2, name)
		for _, s := range []ConvShape{{N: 1, H: 8, W: 8, C: 16, K: 48, Side: 3, Stride: 1}, {N: 1, H: 8, W: 8, C: 64, K: 32, Side: 3, Stride: 1}, {N: 1, H: 4, W: 4, C: 96, K: 128, Side: 3, Stride: 1}} {
			kept, w, real := newWinogradConv(ws, s), make([]float32, s.Weights()), make([]float32, s.Weights())
			same := func() bool {
				all := newWinogradConv(ws, s)
				all.setWeights(w, true)
				return slices.Equal(all.forw.packed, kept.forw.packed) && slices.Equal(all.back.packed, kept.back.packed)
			}
			followed := 0
			for step, share := range []float64{0, 0, 1, 1e-4, 0, 1e-3, 0.01, 0.5, 1e-4, 1e-4} {
				draw := quantize.NewNoise(1).At(0, uint64(step))
				for i := range w {
					if step == 0 || draw.Uniform(i) < share {
						w[i] = 1 - 2*float32(min(1, int(w[i])+1)) // 0 and 1 to -1, -1 to 1
					}
				}
				if kept.changes.follow(w) {
					followed++
				} else {
					kept.setWeights(w, true)
				}
				if !same() {
					t.Fatalf("%s, %+v, step %d: packed weights differ from packing all", name, s, step)
				}
				if slices.Contains(kept.changes.forw, true) || slices.Contains(kept.changes.back, true) { // it would be packed again and again, and a next change of it not counted
					t.Fatalf("%s, %+v, step %d: a change stays marked", name, s, step)
				}
			}
			if followed < 4 {
				t.Errorf("%s, %+v: changes were followed in %d steps only", name, s, followed)
			}
			noise(1, real)
			kept.setWeights(real, false)
			kept.setWeights(w, true)
			if !same() {
				t.Errorf("%s, %+v: real-valued weights stay packed", name, s)
			}
			last := len(w) - 1
			w[last] = -w[last]
			kept.changes.have[last] = w[last]
			if kept.setWeights(w, true); same() {
				t.Errorf("%s, %+v: a lost change is not seen", name, s)
			}
		}
	}
}
