//go:build amd64 && !purego

package kernel

import (
	"fmt"
	"slices"
	"testing"

	"tqn/quantize"
)

// followed are packed weights that are kept up to date with binary weights of which few change.
type followed interface {
	follow(w []float32) bool
	setWeights(w []float32, binary bool)
}

// testChanges: packing the binary weights that have changed leaves the bits of packing all, which same compares, however many change, a share of
// them in each step, and after real-valued weights too; and known, which plants that a change of a weight is taken for known, is noticed. After each step settled is called.
func testChanges(t *testing.T, what string, n int, shares []float64, kept followed, same func(w []float32) bool, settled func(step int), known func(i int, w float32)) {
	w, real := make([]float32, n), make([]float32, n)
	times := 0
	for step, share := range shares {
		draw := quantize.NewNoise(1).At(0, uint64(step))
		for i := range w {
			if step == 0 || draw.Uniform(i) < share {
				w[i] = 1 - 2*float32(min(1, int(w[i])+1)) // 0 and 1 to -1, -1 to 1
			}
		}
		if kept.follow(w) {
			times++
		} else {
			kept.setWeights(w, true)
		}
		if !same(w) {
			t.Fatalf("%s, step %d: packed weights differ from packing all", what, step)
		}
		settled(step)
	}
	if times < 4 {
		t.Errorf("%s: changes were followed in %d steps only", what, times)
	}
	noise(1, real)
	kept.setWeights(real, false)
	kept.setWeights(w, true)
	if !same(w) {
		t.Errorf("%s: real-valued weights stay packed", what)
	}
	last := len(w) - 1
	w[last] = -w[last]
	known(last, w[last])
	if kept.setWeights(w, true); same(w) {
		t.Errorf("%s: a lost change is not seen", what)
	}
}

// followedWinograd follows as setWeights does.
type followedWinograd struct{ *winogradConv }

func (f followedWinograd) follow(w []float32) bool { return f.changes.follow(w) }

// TestChangedWeights: [testChanges] for Winograd's algorithm. No change stays marked: it would be packed again and again, and a next change of it not counted.
func TestChangedWeights(t *testing.T) {
	for _, name := range []string{"avx2", "avx512"} {
		if !slices.Contains(Implementations(), name) {
			continue
		}
		ws := newWorkers(t, 2, name)
		for _, s := range []ConvShape{{N: 1, H: 8, W: 8, C: 16, K: 48, Side: 3, Stride: 1}, {N: 1, H: 8, W: 8, C: 64, K: 32, Side: 3, Stride: 1}, {N: 1, H: 4, W: 4, C: 96, K: 128, Side: 3, Stride: 1}} {
			kept, what := newWinogradConv(ws, s), fmt.Sprintf("%s, %+v", name, s)
			testChanges(t, what, s.Weights(), []float64{0, 0, 1, 1e-4, 0, 1e-3, 0.01, 0.5, 1e-4, 1e-4}, followedWinograd{kept}, func(w []float32) bool {
				all := newWinogradConv(ws, s)
				all.setWeights(w, true)
				return slices.Equal(all.forw.packed, kept.forw.packed) && slices.Equal(all.back.packed, kept.back.packed)
			}, func(step int) {
				if slices.Contains(kept.changes.forw, true) || slices.Contains(kept.changes.back, true) {
					t.Fatalf("%s, step %d: a change stays marked", what, step)
				}
			}, func(i int, w float32) { kept.changes.have[i] = w })
		}
	}
}
