//go:build amd64 && !purego

package kernel

import (
	"slices"
	"testing"
)

// narrowResults are y, dx and dw of a layer of 8 channels by Winograd's algorithm, after spoil.
func narrowResults(t *testing.T, impl implementation, s ConvShape, spoil func(*winogradConv)) (results []float32) {
	c := newWinogradConv(pool(t, 2, impl), s)
	x, w, dy := make([]float32, s.N*s.Inputs()), make([]float32, s.Weights()), make([]float32, s.N*s.Outputs())
	for i, v := range [][]float32{x, w, dy} {
		noise(uint64(i), v)
	}
	y, dx, dw := make([]float32, len(dy)), make([]float32, len(x)), make([]float32, len(w))
	c.setWeights(w, false)
	if spoil != nil {
		spoil(c)
	}
	c.forward(y, x, s.N, nil)
	c.gradInput(dx, dy, s.N)
	c.gradWeights(dw, x, dy, s.N)
	return slices.Concat(y, dx, dw)
}

// TestPairsOfTilesGiveTheSameBits: with 8 channels AVX-512's vectors hold two tiles, AVX2's one; the results are the same bits, for any number of pairs in a row, of rows and of
// images, and whether or not all images' tiles are transformed first.
func TestPairsOfTilesGiveTheSameBits(t *testing.T) {
	if !available(avx512) {
		t.Skip("no avx512")
	}
	for _, s := range []ConvShape{{N: 1, H: 4, W: 8}, {N: 3, H: 4, W: 8}, {N: 5, H: 8, W: 8}, {N: 2, H: 12, W: 40}, {N: 9, H: 32, W: 32}, {N: 40, H: 8, W: 16}} {
		s.C, s.K, s.Side, s.Stride = 8, 8, 3, 1
		if !slices.Equal(narrowResults(t, avx512, s, nil), narrowResults(t, avx2, s, nil)) {
			t.Errorf("%+v: other bits", s)
		}
	}
	s := ConvShape{N: 3, H: 8, W: 16, C: 8, K: 8, Side: 3, Stride: 1}
	lanes := winogradPairLanes
	defer func() { winogradPairLanes = lanes }()
	want := narrowResults(t, avx2, s, nil)
	for what, spoil := range map[string]func(c *winogradConv){
		"a channel of the right tile is the left one's": func(*winogradConv) { winogradPairLanes[0][5] = 2 },
		"a pixel's channel is another's":                func(*winogradConv) { winogradPairLanes[2][9] = 5 },
		"only one of a weight's two copies":             func(c *winogradConv) { c.back.packed[35*c.back.apart+1] = 0 },
		"the pairs of the last tiles are left out":      func(c *winogradConv) { c.forw.tw -= 2 },
		"the gradient of weights has one pair too few":  func(c *winogradConv) { c.weights.tw -= 2 },
		"the lower rows of tiles are the upper ones":    func(c *winogradConv) { c.back.th-- },
	} {
		winogradPairLanes = lanes
		if slices.Equal(narrowResults(t, avx512, s, spoil), want) {
			t.Errorf("%s: not noticed", what)
		}
	}
}
