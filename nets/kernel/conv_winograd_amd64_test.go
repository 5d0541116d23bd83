//go:build !purego

package kernel

import (
	"fmt"
	"slices"
	"testing"
)

// winogradTransforms are the three transforms of an image's tiles by impl, with what spoil does to their arguments: of the image to tiles, of a gradient to tiles,
// and of tiles to an output.
func winogradTransforms(impl implementation, h, w, c int, spoil func(*winogradImageArgs, *winogradArgs)) [3][]float32 {
	s := newWinogradShape(impl, ConvShape{H: h, W: w, C: c}, c)
	stride := winogradStride(s.tiles(), c)
	values := func(seed uint64, n int) []float32 {
		x := make([]float32, n)
		noise(seed, x)
		return x
	}
	x, dy, m := values(1, h*w*c), values(2, 16*s.tiles()*c), values(3, winogradTile*stride)
	r := [3][]float32{values(4, winogradTile*stride), values(5, winogradTile*stride), values(6, 16*s.tiles()*c)}
	temp, width := make([]float32, s.temporary()), 4*s.tw
	image := winogradImageArgs{src: &x[0], zeros: &s.zeros[0], pitch: w * c * 4, h: h, column: c * 4, columns: w, right: 4*s.tw + 1 - w, temp: &temp[0],
		dst: &r[0][0], down: s.tw * c * 4, xi: stride * 4, tile: c * 4, tiles: s.tw, bytes: c * 4, points: &winogradPoints[0]}
	gradient := winogradArgs{src: &dy[0], row: width * c * 4, column: c * 4, next: 4 * c * 4,
		dst: &r[1][0], dstrow: 6 * stride * 4, dstcolumn: stride * 4, dstnext: c * 4,
		temp: &temp[0], tiles: s.tw, bytes: c * 4, points: &winogradPoints[0], high: s.th, down: 4 * width * c * 4, dstdown: s.tw * c * 4}
	output := winogradArgs{src: &m[0], row: 6 * stride * 4, column: stride * 4, next: c * 4,
		dst: &r[2][0], dstrow: width * c * 4, dstcolumn: c * 4, dstnext: 4 * c * 4,
		temp: &temp[0], tiles: s.tw, bytes: c * 4, points: &winogradPoints[0], high: s.th, down: s.tw * c * 4, dstdown: 4 * width * c * 4}
	if spoil != nil {
		another := image
		spoil(&image, &gradient)
		spoil(&another, &output)
	}
	image.run(impl)
	gradient.gradient(impl)
	output.output(impl)
	return r
}

// TestWholeTransforms: AVX-512 transforms tiles within its registers, AVX2 by way of memory, both with the same operations: the results are the same bits, for any number of
// tiles, of rows of them and of columns of zeros behind the image, and nothing is written beside them.
func TestWholeTransforms(t *testing.T) {
	if !available(avx512) {
		t.Skip("no avx512")
	}
	for h := 1; h <= 9; h++ {
		for w := 1; w <= 14; w++ {
			for _, c := range []int{16, 48} {
				want, got := winogradTransforms(avx2, h, w, c, nil), winogradTransforms(avx512, h, w, c, nil)
				for i, what := range []string{"image", "gradient", "output"} {
					if !slices.Equal(got[i], want[i]) {
						t.Errorf("%dx%dx%d: transforms of the %s differ", h, w, c, what)
					}
				}
			}
		}
	}
	for name, spoil := range map[string]func(*winogradImageArgs, *winogradArgs){
		"a column of zeros too few":      func(i *winogradImageArgs, _ *winogradArgs) { i.right-- },
		"the last row of pixels":         func(i *winogradImageArgs, _ *winogradArgs) { i.h-- },
		"a pixel off in the next row":    func(i *winogradImageArgs, a *winogradArgs) { i.pitch -= i.column; a.down -= 64 },
		"the last row of tiles":          func(i *winogradImageArgs, a *winogradArgs) { i.h -= 4; a.high-- },
		"results of rows of tiles mixed": func(i *winogradImageArgs, a *winogradArgs) { i.down -= 64; a.dstdown -= 64 },
		"tiles one pixel too near":       func(i *winogradImageArgs, a *winogradArgs) { a.next -= a.column },
		"the last tile":                  func(i *winogradImageArgs, a *winogradArgs) { i.tiles--; a.tiles-- },
		"the last channels":              func(i *winogradImageArgs, a *winogradArgs) { i.bytes -= 64; a.bytes -= 64 },
		"results over the ones before":   func(i *winogradImageArgs, a *winogradArgs) { i.xi -= 64; a.dstcolumn -= 64 },
	} {
		want, got := winogradTransforms(avx2, 8, 10, 32, nil), winogradTransforms(avx512, 8, 10, 32, spoil)
		if fmt.Sprint(got) == fmt.Sprint(want) {
			t.Errorf("%s: not noticed", name)
		}
	}
}

// TestChunksGiveTheSameBits: gradients of weights that are made of all tiles together do not depend on how many images are transformed at a time; a chunk that forgets the sums before
// it is seen.
func TestChunksGiveTheSameBits(t *testing.T) {
	s := ConvShape{N: 11, H: 8, W: 8, C: 128, K: 128, Side: 3, Stride: 1}
	for _, impl := range vectorised(t) {
		gradient := func(chunk int, spoil bool) []float32 {
			ws := pool(t, 2, impl)
			g := newWinogradConv(ws, s).weights
			if !g.together || g.chunk != s.N {
				t.Fatalf("%v: together %v, %d images at a time: not the case that is tested", impl, g.together, g.chunk)
			}
			g.chunk = chunk
			if spoil {
				position := g.positionPart
				g.positionPart = func(xi, worker int) {
					clear(g.partial(0)[xi*g.rp*g.k:][:g.rp*g.k])
					position(xi, worker)
				}
			}
			x, dy, dw := make([]float32, s.N*s.Inputs()), make([]float32, s.N*s.Outputs()), make([]float32, s.Weights())
			noise(1, x)
			noise(2, dy)
			g.dy = dy
			g.run(dw, Floats(x), s.N)
			return dw
		}
		want := gradient(s.N, false)
		for _, chunk := range []int{1, 2, 5, 10} {
			if !slices.Equal(gradient(chunk, false), want) {
				t.Errorf("%v: other gradients with %d images at a time", impl, chunk)
			}
		}
		if slices.Equal(gradient(5, true), want) {
			t.Errorf("%v: lost sums are not noticed", impl)
		}
	}
}
