//go:build !purego

package kernel

import (
	"fmt"
	"slices"
	"testing"
	"unsafe"
)

// TestAhead: what fits is fetched, every line once and in order, and nothing else; what does not fit is left out.
func TestAhead(t *testing.T) {
	x, y, z := make([]float32, 1000), make([]float32, 64), make([]float32, 3000)
	lines := func(give func(a *ahead, d *directArgs, lines int)) (got []uintptr) {
		a := ahead{room: 5000}
		a.add(x)
		a.add(nil)
		a.add(z)
		a.addValues(Floats(y), 16, 1, 3)
		for range 40 {
			var d directArgs
			give(&a, &d, 7)
			if (d.end-d.ahead+63)/64 > 7 {
				t.Fatalf("%d bytes where 7 lines were asked for", d.end-d.ahead)
			}
			for at := d.ahead; at < d.end; at += 64 {
				got = append(got, at)
			}
		}
		return got
	}
	var want []uintptr
	for _, r := range [][]float32{x, y[16:48]} {
		for i := 0; i < len(r); i += 16 {
			want = append(want, uintptr(unsafe.Pointer(&r[i])))
		}
	}
	if got := lines((*ahead).give); !slices.Equal(got, want) {
		t.Errorf("lines %x; want %x", got, want)
	}
	spoilt := func(a *ahead, d *directArgs, n int) {
		if a.give(d, n); d.end-d.ahead == 7*64 {
			d.end -= 64
		}
	}
	if slices.Equal(lines(spoilt), want) {
		t.Error("lines left out: not found")
	}
}

// TestFetchingChangesNothing: the micro-kernels compute the same bits while they fetch: nothing, fewer lines than there are products, more. Rows are neighbours in memory (down), or
// the values of the reduction are.
func TestFetchingChangesNothing(t *testing.T) {
	along := map[string][]directTile{"avx2": {{6, 16}, {8, 8}}, "avx512": {{14, 32}, {28, 16}, {8, 32}, {16, 16}}}
	down := map[string][]directTile{"avx2": {{6, 16}}, "avx512": {{14, 32}, {28, 16}, {8, 32}, {24, 16}, {21, 16}, {16, 16}, {9, 16}}}
	for _, name := range Implementations() {
		for i, tile := range slices.Concat(along[name], down[name]) {
			const n, blocks = 5, 2
			astride, astep := n, 1
			if i >= len(along[name]) {
				astride, astep = 1, blocks*tile.m
			}
			a, b, far := make([]float32, blocks*tile.m*n), make([]float32, n*tile.k), make([]float32, 1<<12)
			noise(1, a)
			noise(2, b)
			run := func(lines int) []float32 {
				c := make([]float32, blocks*tile.m*tile.k)
				d := directArgs{a: &a[0], astride: astride * 4, astep: astep * 4, segs: 1, n: n, b: &b[0], bstep: tile.k * 4, c: &c[0], cstride: tile.k * 4, blocks: blocks}
				d.ahead = uintptr(unsafe.Pointer(&far[0]))
				d.end = d.ahead + uintptr(64*lines)
				d.run(tile)
				return c
			}
			want := make([]float32, blocks*tile.m*tile.k)
			for i := range want {
				for k := range n {
					want[i] += a[i/tile.k*astride+k*astep] * b[k*tile.k+i%tile.k]
				}
			}
			none := run(0)
			t.Run(fmt.Sprintf("%s/%dx%d/down=%v", name, tile.m, tile.k, astride == 1), func(t *testing.T) {
				for i := range want {
					if d := none[i] - want[i]; d > 1e-5 || d < -1e-5 {
						t.Fatalf("sum %d is %v; want %v", i, none[i], want[i])
					}
				}
				for _, lines := range []int{1, 3, n * blocks, 100} {
					if got := run(lines); !slices.Equal(got, none) {
						t.Errorf("other bits while %d lines are fetched", lines)
					}
				}
			})
		}
	}
}

// TestFetchingLeavesNoRowOut: the calls that fetch several ranges, one each, compute all blocks of rows, the same bits as one call, where the ranges need no block, some, all, or more than there are.
func TestFetchingLeavesNoRowOut(t *testing.T) {
	tiles := map[string]directTile{"avx2": {6, 16}, "avx512": {8, 32}}
	for _, name := range Implementations() {
		tile, ok := tiles[name]
		if !ok {
			continue
		}
		const n, blocks = 5, 7
		a, b, far := make([]float32, blocks*tile.m*n), make([]float32, n*tile.k), make([]float32, 1<<12)
		noise(1, a)
		noise(2, b)
		run := func(blocks int, run func(d *directArgs)) []float32 {
			c := make([]float32, 7*tile.m*tile.k)
			run(&directArgs{a: &a[0], astride: n * 4, astep: 4, segs: 1, n: n, b: &b[0], bstep: tile.k * 4, c: &c[0], cstride: tile.k * 4, blocks: blocks})
			return c
		}
		want := run(blocks, func(d *directArgs) { d.run(tile) })
		for _, soon := range [][][]float32{{}, {nil, far[:1]}, {far[:16*n], far[:16*n+1]}, {far[:16*n*3], nil, far[:16*n*4]}, {far, far}} {
			fetching := func(d *directArgs) { d.runFetching(tile, &ahead{}, soon...) }
			if !slices.Equal(run(blocks, fetching), want) {
				t.Errorf("%s: other bits while %d ranges are fetched", name, len(soon))
			}
			if slices.Equal(run(blocks-1, fetching), want) {
				t.Errorf("%s: a block of rows that is left out: not found", name)
			}
		}
	}
}

// TestPieces: pieces of a range are all of it, in order.
func TestPieces(t *testing.T) {
	x := make([]float32, 100)
	for _, length := range []int{0, 1, 3, 64, 100} {
		for _, n := range []int{1, 2, 7, 16} {
			end := 0
			for i := range n {
				p := piece(x[:length], i, n)
				if len(p) > 0 && &p[0] != &x[end] {
					t.Errorf("piece %d of %d of %d values does not begin where the last one ends", i, n, length)
				}
				end += len(p)
			}
			if end != length {
				t.Errorf("%d pieces of %d values have %d", n, length, end)
			}
		}
	}
}

// TestTilesFetchOnTheWay: a pass by tiles computes the same bits while it fetches, however the ranges divide its tiles or the channels' blocks, and where there are more blocks than ranges it leaves none out.
func TestTilesFetchOnTheWay(t *testing.T) {
	if !slices.Contains(Implementations(), "amx") {
		t.Skip("no tile multiplier")
	}
	for _, s := range []ConvShape{
		{N: 1, H: 16, W: 17, C: 32, K: 32, Side: 3, Stride: 1}, // more blocks of tiles than of channels
		{N: 1, H: 4, W: 8, C: 32, K: 128, Side: 3, Stride: 1},  // fewer
		{N: 1, H: 8, W: 8, C: 16, K: 16, Side: 3, Stride: 1},   // a block of channels
		{N: 1, H: 16, W: 16, C: 32, K: 64, Side: 1, Stride: 1}, // without neighbours
	} {
		ws, err := NewWorkers(1, "amx")
		if err != nil {
			t.Fatal(err)
		}
		for _, precision := range []Precision{F32, BF16} {
			ws.SetPrecision(precision)
			p := newAMXConv(ws, s).forw
			w, x, far := make([]float32, s.Weights()), make([]float32, s.Inputs()), make([]float32, 1<<14)
			noise(1, w)
			noise(2, x)
			p.pack(w, false, false)
			run := func(ranges ...[]float32) []float32 {
				y, next := make([]float32, s.Outputs()), ahead{room: 1 << 20}
				for _, r := range ranges {
					next.add(r)
				}
				p.clearPadding()
				p.convolve(y, x, &next, ws.scratch[0])
				if blocks := max(len(p.tiles)/2/p.mt, p.kp/16/p.nt); next.n != 0 && blocks > 2*len(ranges) {
					t.Errorf("%+v, %d ranges: %d were not fetched", s, len(ranges), next.n)
				}
				return y
			}
			none := run()
			for _, ranges := range [][][]float32{{far}, {far[:100], far[100:]}, {far[:1], far[1:2], far[:9000], far[:16], far}} {
				if !slices.Equal(run(ranges...), none) {
					t.Errorf("%+v: other bits while %d ranges are fetched", s, len(ranges))
				}
			}
		}
		ws.Close()
	}
}
