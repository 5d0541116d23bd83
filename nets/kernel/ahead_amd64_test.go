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
		a.addImages(y, 16, 1, 3)
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

// TestFetchingChangesNothing: the micro-kernels compute the same bits while they fetch: nothing, fewer lines than there are products, more.
func TestFetchingChangesNothing(t *testing.T) {
	for _, name := range Implementations() {
		tiles := map[string][]directTile{"avx2": {{6, 16}}, "avx512": {{14, 32}, {28, 16}, {8, 32}, {16, 16}, {9, 16}}}[name]
		for _, tile := range tiles {
			const n, blocks = 5, 2
			a, b, far := make([]float32, blocks*tile.m*n), make([]float32, n*tile.k), make([]float32, 1<<12)
			noise(1, a)
			noise(2, b)
			run := func(lines int) []float32 {
				c := make([]float32, blocks*tile.m*tile.k)
				d := directArgs{a: &a[0], astride: n * 4, astep: 4, segs: 1, n: n, b: &b[0], bstep: tile.k * 4, c: &c[0], cstride: tile.k * 4, blocks: blocks}
				d.ahead = uintptr(unsafe.Pointer(&far[0]))
				d.end = d.ahead + uintptr(64*lines)
				d.run(tile)
				return c
			}
			want := make([]float32, blocks*tile.m*tile.k)
			for i := range want {
				for k := range n {
					want[i] += a[i/tile.k*n+k] * b[k*tile.k+i%tile.k]
				}
			}
			none := run(0)
			t.Run(fmt.Sprintf("%s/%dx%d", name, tile.m, tile.k), func(t *testing.T) {
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
