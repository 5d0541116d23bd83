//go:build !purego

package kernel

import (
	"fmt"
	"math"
	"slices"
	"testing"
)

// TestGrid: copied and added pixels are the definition's, values between and behind them and denormals included; a row, a pixel or eight values left out are seen.
func TestGrid(t *testing.T) {
	if !available(avx2) {
		t.Skip("no avx2")
	}
	for _, g := range []Grid{{1, 5, 0, 0, 8, 16, 8}, {1, 1, 0, 0, 16, 8, 8}, {1, 7, 0, 0, 32, 32, 16}, {1, 3, 0, 0, 24, 25, 24}, {1, 4, 0, 0, 80, 72, 72}, {1, 3, 0, 0, 8, 6, 5}, {1, 0, 0, 0, 8, 8, 8},
		{4, 4, 64, 64, 16, 8, 8}, {3, 4, 64, 128, 16, 32, 16}, {3, 2, 48, 20, 24, 7, 7}, {0, 2, 16, 16, 8, 8, 8}} {
		for _, add := range []bool{false, true} {
			t.Run(fmt.Sprintf("%+v/add=%v", g, add), func(t *testing.T) {
				from, to := make([]float32, g.Rows*max(g.FromRow, g.Columns*g.FromStep)+g.N), make([]float32, g.Rows*max(g.ToRow, g.Columns*g.ToStep))
				noise(1, from)
				noise(2, to)
				for i := range from {
					from[i] *= []float32{1, 0x1p-140, 0x1p-126}[i%3]
				}
				want, got := slices.Clone(to), slices.Clone(to)
				for p := range g.Rows {
					for q := range g.Columns {
						for i := range g.N {
							at, v := p*g.ToRow+q*g.ToStep+i, from[p*g.FromRow+q*g.FromStep+i]
							if add {
								v += to[at]
							}
							want[at] = v
						}
					}
				}
				same := func(a, b []float32) bool {
					return slices.EqualFunc(a, b, func(x, y float32) bool { return math.Float32bits(x) == math.Float32bits(y) })
				}
				if g.apply(got, from, add); !same(got, want) {
					t.Errorf("got %v, want %v", got, want)
				}
				for name, spoil := range map[string]func(g *Grid){"eight values": func(g *Grid) { g.N -= 8 }, "a pixel": func(g *Grid) { g.Columns-- }, "a row": func(g *Grid) { g.Rows-- }} {
					h, spoilt := g, slices.Clone(to)
					if spoil(&h); h.N >= 0 && h.Columns >= 0 && h.Rows >= 0 && !same(to, want) {
						if h.apply(spoilt, from, add); same(spoilt, want) {
							t.Errorf("%s left out and nobody notices", name)
						}
					}
				}
			})
		}
	}
}
