//go:build !purego

package kernel

import (
	"fmt"
	"math"
	"slices"
	"sync"
	"testing"
)

// The shapes that defects are planted at.
var (
	plain   = ConvShape{N: 3, H: 8, W: 9, C: 16, K: 32, Side: 3, Stride: 1}
	tiled   = ConvShape{N: 2, H: 16, W: 17, C: 64, K: 64, Side: 3, Stride: 1} // where mixed takes tiles for the forward pass
	strided = ConvShape{N: 2, H: 16, W: 17, C: 16, K: 32, Side: 3, Stride: 2} // where mixed takes tiles for two passes of the direct algorithm
	folded  = ConvShape{N: 2, H: 16, W: 18, C: 16, K: 32, Side: 3, Stride: 2} // whose gradient of the input is folded
	shared  = ConvShape{N: 2, H: 6, W: 16, C: 8, K: 8, Side: 3, Stride: 1}    // where two pixels share a row of a tile
	narrow  = ConvShape{N: 3, H: 8, W: 16, C: 8, K: 8, Side: 3, Stride: 1}    // of 8 channels, by Winograd's algorithm
	placed  = ConvShape{N: 2, H: 8, W: 32, C: 16, K: 32, Side: 3, Stride: 2}  // whose folded gradient is stored in its place
	windows = ConvShape{N: 2, H: 8, W: 9, C: 1, K: 16, Side: 3, Stride: 1}    // whose one channel is read by windows
	fewer   = ConvShape{N: 9, H: 4, W: 4, C: 32, K: 64, Side: 3, Stride: 2}   // of few pixels
	stacked = ConvShape{N: 20, H: 2, W: 2, C: 32, K: 32, Side: 3, Stride: 1}  // whose images share tiles
	parted  = ConvShape{N: 8, H: 16, W: 16, C: 16, K: 16, Side: 3, Stride: 1} // where the weights' gradient is made in parts
	of24    = ConvShape{N: 2, H: 8, W: 9, C: 8, K: 16, Side: 3, Stride: 2}    // whose weights' gradient takes tiles of 24 rows
	of21    = ConvShape{N: 2, H: 8, W: 9, C: 7, K: 16, Side: 3, Stride: 2}    // and of 21
	halved  = ConvShape{N: 8, H: 32, W: 32, C: 16, K: 16, Side: 3, Stride: 1} // whose weights' gradient is made in eight parts at bf16
)

// plantedDefect is what is wrong with one of an implementation's results of a convolution of that shape.
type plantedDefect struct {
	what, name string
	shape      ConvShape
	binary     bool
	op         string // y, dx or dw
	spoil      func(*Conv)
}

// TestPlantedDefects breaks the fast convolutions and demands that the comparison with float64 sees it.
func TestPlantedDefects(t *testing.T) {
	for _, d := range slices.Concat(tileDefects, winogradDefects, mixedDefects) {
		t.Run(fmt.Sprintf("%s/%s/%+v/%s", d.name, d.op, d.shape, d.what), func(t *testing.T) {
			if !slices.Contains(Implementations(), d.name) {
				t.Skip(d.name + " does not run on this machine")
			}
			c := newErrorCase(d.shape, "normal", d.binary)
			i := map[string]int{"y": 0, "dx": 1, "dw": 2}[d.op]
			direct, e := c.of(t, "generic", nil)[i], c.of(t, d.name, d.spoil)[i]
			if e[0] <= 4*direct[0] && e[1] <= 4*direct[1] {
				t.Error("not noticed")
			}
		})
	}
}

// tileDefects are those of convolutions by tiles of bf16 pieces.
var tileDefects = []plantedDefect{
	{"the weights' second bf16 piece is lost", "amx", plain, false, "y", func(c *Conv) {
		p := c.algo.(*amxConv).forw
		for at := 0; at < len(p.packed); at += 3 * p.nt * 512 {
			clear(p.packed[at+p.nt*512 : at+2*p.nt*512])
		}
	}},
	{"the weights' third bf16 piece is lost", "amx", plain, false, "y", func(c *Conv) {
		p := c.algo.(*amxConv).forw
		for at := 0; at < len(p.packed); at += 3 * p.nt * 512 {
			clear(p.packed[at+2*p.nt*512 : at+3*p.nt*512])
		}
	}},
	{"a weight's sign is flipped", "amx", plain, true, "dx", func(c *Conv) { c.algo.(*amxConv).back.packed[5] ^= 0x8000 }},
	{"a tap reads the next pixel", "amx", plain, true, "y", func(c *Conv) { c.algo.(*amxConv).forw.offsets[1] += 2 * plain.C }},
	{"a tap of the gradient is shifted by a position", "amx", plain, false, "dw", func(c *Conv) { c.algo.(*amxConv).weights.ranges[0].tiles[2] += 2 }},
	{"a position of dy is left out", "amx", plain, false, "dw", func(c *Conv) { c.algo.(*amxConv).weights.tableY[3] = -1 }},
}

// unturned packs the filters of the gradient of the input as they are.
func unturned(c *Conv) {
	w := make([]float32, plain.Weights())
	noise(2, w)
	p := c.algo.(*winogradConv).back
	for part := range p.strips() {
		p.packStrip(w, false, part, 0)
	}
}

// rightLost loses what the right tiles of pairs give to the gradient of weights.
func rightLost(c *Conv) {
	g := c.algo.(*winogradConv).weights
	filter := g.filterPart
	g.filterPart = func(part, worker int) {
		sums := g.partial(0)
		for i := range sums {
			if g.pairs && i%2 == 1 || !g.pairs && i%narrowSums >= narrowSums/2 {
				sums[i] = 0
			}
		}
		filter(part, worker)
	}
}

// winogradDefects are those of Winograd's algorithm.
var winogradDefects = []plantedDefect{
	{"a transformed weight's sign is flipped", "avx512", plain, true, "y", func(c *Conv) { c.algo.(*winogradConv).forw.packed[7] *= -1 }},
	{"a transformed weight's sign is flipped", "avx2", plain, true, "y", func(c *Conv) { c.algo.(*winogradConv).forw.packed[7] *= -1 }},
	{"the filters are not turned", "avx512", plain, false, "dx", unturned},
	{"the filters are not turned", "avx2", plain, false, "dx", unturned},
	{"the edge is not zero", "avx512", plain, false, "y", func(c *Conv) { c.algo.(*winogradConv).forw.zeros[20] = 1 }},
	{"the edge is not zero", "avx512", plain, false, "dw", func(c *Conv) { c.algo.(*winogradConv).weights.back.zeros[20] = 1 }},
	{"x's rows are a pixel short", "avx512", plain, false, "dw", func(c *Conv) { c.algo.(*winogradConv).weights.w-- }},
	{"the weights' gradient stays turned", "avx512", plain, false, "dw", func(c *Conv) {
		g := c.algo.(*winogradConv).weights
		filter := g.filterPart
		g.filterPart = func(part, worker int) {
			filter(part, worker)
			channels := 16 * g.k
			for tap := range 4 {
				one, other := g.dw[tap*g.c*g.k+part*channels:][:channels], g.dw[(8-tap)*g.c*g.k+part*channels:][:channels]
				for i, v := range one {
					one[i], other[i] = other[i], v
				}
			}
		}
	}},
	{"only the first part's sums count", "avx512", parted, false, "dw", func(c *Conv) { c.algo.(*winogradConv).weights.addPart = func(int, int) {} }},
	{"only the first part's sums count", "avx2", parted, false, "dw", func(c *Conv) { c.algo.(*winogradConv).weights.addPart = func(int, int) {} }},
	{"a transformed weight's sign is flipped", "avx512", narrow, true, "y", func(c *Conv) { c.algo.(*winogradConv).forw.packed[7] *= -1 }},
	{"a transformed weight's sign is flipped", "avx2", narrow, true, "dx", func(c *Conv) { c.algo.(*winogradConv).back.packed[7] *= -1 }},
	{"the edge is not zero", "avx512", narrow, false, "y", func(c *Conv) { c.algo.(*winogradConv).forw.zeros[20] = 1 }},
	{"the right tiles' sums are lost", "avx512", narrow, false, "dw", rightLost},
	{"the right tiles' sums are lost", "avx2", narrow, false, "dw", rightLost},
	{"a position's sums are left over from before", "avx512", plain, false, "dw", func(c *Conv) {
		g := c.algo.(*winogradConv).weights
		position := g.positionPart
		g.positionPart = func(xi, worker int) {
			if xi != 7 {
				position(xi, worker)
			}
		}
	}},
}

// mixedDefects are those of what mixed chooses between, and of the direct algorithm.
var mixedDefects = []plantedDefect{
	{"a binary weight's sign is flipped", "mixed", tiled, true, "y", func(c *Conv) { c.algo.(*mixedConv).tiles.forw.packed[5] ^= 0x8000 }},
	{"a tap reads the next pixel", "mixed", strided, true, "y", func(c *Conv) { c.algo.(*tiledConv).tiles.forw.offsets[1] += 2 * strided.C }},
	{"a weight's sign is flipped", "mixed", strided, false, "dx", func(c *Conv) { c.algo.(*tiledConv).tiles.back.packed[5] ^= 0x8000 }},
	{"a tap reads the next pixel", "mixed", folded, false, "dx", func(c *Conv) { c.algo.(*tiledConv).tiles.back.offsets[1] += 2 * folded.K }},
	{"a chunk that is not of zeros is left out", "mixed", folded, false, "dx", func(c *Conv) { c.algo.(*tiledConv).tiles.back.ends[0]-- }},
	{"a weight's sign is flipped", "amx", folded, false, "dx", func(c *Conv) { c.algo.(*amxConv).back.packed[5] ^= 0x8000 }},
	{"a tap reads the next pixel", "mixed", shared, true, "y", func(c *Conv) { c.algo.(*tiledConv).tiles.forw.offsets[1] += 2 * shared.C }},
	{"the right pixel's weights are not shifted", "mixed", shared, true, "dx", func(c *Conv) {
		p := c.algo.(*tiledConv).tiles.back
		for row := range p.packed[:len(p.packed)/32] { // of two values of the reduction: the right pixel's columns become the left one's
			copy(p.packed[row*32+16:][:16], p.packed[row*32:][:16])
		}
	}},
	{"its rows lie elsewhere", "mixed", windows, false, "dw", func(c *Conv) {
		g := c.algo.(*directConv).weights
		if !g.window {
			panic("no window")
		}
		g.h, g.w, g.ph, g.pw = g.h-1, g.w-1, g.ph-1, g.pw-1
	}},
	{"a chunk of a pixel's sum is left out", "mixed", stacked, true, "y", func(c *Conv) { c.algo.(*tiledConv).tiles.forw.stack.reach[3][1]-- }},
	{"a chunk of a pixel's sum is left out", "mixed", stacked, false, "dx", func(c *Conv) { c.algo.(*tiledConv).tiles.back.stack.reach[0][0]++ }},
	{"a pixel's image is the next one", "mixed", stacked, true, "dx", func(c *Conv) {
		p := c.algo.(*tiledConv).tiles.back.stack
		p.tiles[0] += p.apart() * p.c * 2
	}},
	{"24 rows: the last one is lost", "avx512", of24, false, "dw", lastRow(24)},
	{"21 rows: the last one is lost", "avx512", of21, false, "dw", lastRow(21)},
	{"a pixel of the output counts for another", "mixed", fewer, false, "dw", func(c *Conv) { c.algo.(*tiledConv).directConv.weights.pw = 1 }},
	{"the second row's pixels go to the first", "mixed", placed, false, "dx", func(c *Conv) {
		columns := c.algo.(*tiledConv).tiles.back.columns
		copy(columns[2:], columns[:2])
	}},
	{"only the first part's sums count", "mixed", strided, false, "dw", func(c *Conv) {
		g := c.algo.(*tiledConv).directConv.weights
		part := g.partFunc
		g.partFunc = func(p, worker int) {
			if p == 0 {
				part(p, worker)
			} else {
				clear(g.partial(p))
			}
		}
	}},
	{"real weights are taken for binary", "mixed", tiled, false, "y", func(c *Conv) {
		w := make([]float32, tiled.Weights())
		noise(2, w)
		c.SetWeights(w, true)
	}},
}

// lastRow loses the sums of the last row of the first tile, of so many rows.
func lastRow(rows int) func(*Conv) {
	return func(c *Conv) {
		g := c.algo.(*directConv).weights
		if g.tile != (directTile{rows, 16}) {
			panic(fmt.Sprintf("tiles of %d rows: want %d", g.tile.m, rows))
		}
		part := g.partFunc
		g.partFunc = func(p, worker int) {
			part(p, worker)
			clear(g.partial(p)[(rows-1)*g.kp:][:g.kp])
		}
	}
}

// TestPlantedDefectsAtBF16 breaks the fast convolutions at bf16 and demands that the comparison with the generic one sees it.
func TestPlantedDefectsAtBF16(t *testing.T) {
	if !slices.Contains(Implementations(), "amx") {
		t.Skip("amx does not run on this machine")
	}
	type defect struct {
		what  string
		op    int // 0 for y, 1 for dx, 2 for dw
		spoil func(*amxConv)
	}
	try := func(s ConvShape, defects ...defect) {
		x, w, dy := make([]float32, s.N*s.Inputs()), make([]float32, s.Weights()), make([]float32, s.N*s.Outputs())
		inputsOf("normal", false, x, w, dy)
		want := bf16Results(t, "generic", 2, s, s.N, false, x, w, dy, nil)
		for _, d := range append(defects, defect{"", 2, func(*amxConv) {}}) {
			got := bf16Results(t, "amx", 2, s, s.N, false, x, w, dy, func(c *Conv) { d.spoil(c.algo.(*amxConv)) })
			if same := slices.Equal(got[d.op], want[d.op]); same != (d.what == "") {
				t.Errorf("%+v, %q: the same %v", s, d.what, same)
			}
		}
	}
	try(plain, []defect{
		{"a weight's last bit is off", 0, func(c *amxConv) { c.forw.packed[5] ^= 1 }},
		{"a weight's last bit is off", 1, func(c *amxConv) { c.back.packed[5] ^= 1 }},
		{"a tap reads the next pixel", 0, func(c *amxConv) { c.forw.offsets[1] += 2 * plain.C }},
		{"a tap of the gradient is shifted by two positions", 2, func(c *amxConv) { c.taps.blocks[0].entries[1] += 64 }},
		{"a tap reads the other copy", 2, func(c *amxConv) { c.taps.blocks[0].entries[0] += c.taps.cp / 16 * c.taps.xBytes }},
		{"a position of dy is left out", 2, func(c *amxConv) { c.taps.dy32[3] = -1 }},
		{"a block's last three entries are left out", 2, func(c *amxConv) { c.taps.blocks[0].threes = 0 }},
		{"only the first part's sums count", 2, func(c *amxConv) {
			g := c.taps
			g.partFunc = func(p, worker int) {
				if g.part(p, worker); p > 0 {
					clear(g.partial(p))
				}
			}
		}},
		{"a part begins with the sums of the step before", 2, func(c *amxConv) {
			g := c.taps
			g.partFunc = func(p, worker int) {
				from, to := span(g.n, g.group, p, g.parts)
				for img := from; img < to; img += g.group {
					g.images(g.partial(p), img, min(g.group, to-img), false, worker)
				}
			}
		}},
		{"a pixel of x is left out", 2, func(c *amxConv) { c.taps.x32[c.taps.pitch+1] = -1 }},
	}...)
	lost := func(part int) func(*amxConv) {
		return func(c *amxConv) {
			g := c.taps
			g.partFunc = func(p, worker int) {
				if g.part(p, worker); p == part {
					clear(g.partial(p))
				}
			}
		}
	}
	try(halved,
		defect{"the last part's sums are lost", 2, lost(7)},
		defect{"the middle part's sums are lost", 2, lost(4)},
		defect{"the parts are half as many", 2, func(c *amxConv) { c.taps.parts /= 2 }},
		defect{"two parts are added in the other order", 2, func(c *amxConv) {
			g := c.taps
			var exchange sync.Once
			g.reduceFunc = func(part, worker int) {
				exchange.Do(func() {
					one, other := g.partial(3), g.partial(7)
					for i, v := range one {
						one[i], other[i] = other[i], v
					}
				})
				g.reduce(part, worker)
			}
		}})
}

// TestWinogradConstants: a thousandth off in any of the transforms' constants is seen.
func TestWinogradConstants(t *testing.T) {
	s := ConvShape{N: 2, H: 8, W: 8, C: 16, K: 16, Side: 3, Stride: 1}
	e := newErrorCase(s, "normal", false)
	direct := e.of(t, "generic", nil)
	right := winogradPoints
	defer func() { winogradPoints = right }()
	for _, name := range []string{"avx2", "avx512"} {
		if !slices.Contains(Implementations(), name) {
			continue
		}
		for i := range winogradPoints {
			winogradPoints = right
			winogradPoints[i] *= 1.001
			seen := false
			for j, g := range e.of(t, name, nil) {
				seen = seen || g[0] > 8*direct[j][0]
			}
			if !seen {
				t.Errorf("%s: constant %d is off and nobody notices", name, i)
			}
		}
	}
}

// TestSplitting: the three planes add up to the float32 exactly, from 2^-109 on, and to 2^-133 below.
func TestSplitting(t *testing.T) {
	if !available(avx512) {
		t.Skip("no avx512")
	}
	values := []float32{0, 1, -1, 1.0000001, 0x1.fffffep0, -0x1.ff7ffep3, 0x1.00ffffp-100, 3.4e38, 1e-37, 1e-33, 1.4e-45, 1e-40, -1.1754942e-38, 0x1.808080p5}
	for i := range 4000 {
		values = append(values, math.Float32frombits(uint32(i)*1048583+uint32(i*i)))
	}
	for _, grouped := range []bool{false, true} {
		for at := 0; at+48 <= len(values); at += 48 {
			src, dst := values[at:at+48], make([]uint16, 3*64)
			a := splitArgs{src: &src[0], dst: &dst[0], plane: 128, rows: 1, srcstride: 192, dststride: 96, n: 48}
			a.split(grouped, false)
			for i, v := range src {
				if !(math.Abs(float64(v)) < 3.38e38) {
					continue
				}
				j := i
				if grouped {
					j = i/16*16 + i%8*2 + i%16/8
				}
				sum := 0.0
				for p := range 3 {
					sum += float64(math.Float32frombits(uint32(dst[p*64+j]) << 16))
				}
				tol := 0.0
				if math.Abs(float64(v)) < 0x1p-109 {
					tol = 0x1p-133
				}
				if !(math.Abs(sum-float64(v)) <= tol) {
					t.Fatalf("grouped=%v: %g (%x) became %g", grouped, v, math.Float32bits(v), sum)
				}
			}
		}
	}
}
