package markov

import (
	"runtime"
	"sync"
)

// panel is a matrix or a part of one, row-major: entry (i, j) is v[i*row+j].
type panel struct {
	v   []float64
	row int
}

// below is the panel without its first i rows.
func (p panel) below(i int) panel { return panel{p.v[i*p.row:], p.row} }

// gemm computes c[i][j] += sum_l a[i][l]*b[l][j] for an m by k matrix a, a k by
// n matrix b and an m by n matrix c. c overlaps neither a nor b. Every product of non-negative matrices has a
// small relative error in every entry, which the GTH algorithm relies on.
//
// Small products are summed in order without fused operations, so that small
// chains give the same bytes on every machine.
func gemm(m, n, k int, a, b, c panel) {
	if m == 0 || n == 0 || k == 0 {
		return
	}
	if kernel == nil || m < 32 || n < 32 || k < 16 {
		parallel(m, m*n*k > 1<<18, func(lo, hi int) {
			gemmGeneric(hi-lo, n, k, a.below(lo), b, c.below(lo))
		})
		return
	}
	gemmBlocked(m, n, k, a, b, c)
}

// gemmGeneric is gemm as the comment above says it, in plain Go.
func gemmGeneric(m, n, k int, a, b, c panel) {
	for i := range m {
		ci := c.v[i*c.row : i*c.row+n]
		for l := range k {
			v := a.v[i*a.row+l]
			if v == 0 {
				continue
			}
			bl := b.v[l*b.row : l*b.row+n][:len(ci)]
			for j := range ci {
				ci[j] += v * bl[j]
			}
		}
	}
}

// parallel calls f on pieces of [0, n), at once if worth it.
func parallel(n int, worth bool, f func(lo, hi int)) {
	workers := min(runtime.GOMAXPROCS(0), n)
	if !worth || workers < 2 {
		f(0, n)
		return
	}
	var wg sync.WaitGroup
	for w := range workers {
		wg.Go(func() { f(w*n/workers, (w+1)*n/workers) })
	}
	wg.Wait()
}

// Block sizes: a packed kc by nr strip of b (48 KiB at kc = 256, nr = 24) stays
// in the second-level cache while the strips of a pass by.
const (
	blockK = 256
	blockM = 96
)

// kernel computes c[i*ldc+j] += sum_l a[l*mr+i]*b[l*nr+j], i < mr, j < nr,
// l < k. It is nil where no fast kernel exists.
var (
	kernel     func(k int, a, b, c *float64, ldc int)
	kernelName = "generic"
	mr, nr     int
)

// gemmBlocked packs panels of b, then blocks of a, and hands mr by nr tiles to
// the kernel (K. Goto, R. van de Geijn, ACM TOMS 34 (2008) 12).
func gemmBlocked(m, n, k int, a, b, c panel) {
	strips := (n + nr - 1) / nr
	packedB := make([]float64, strips*nr*min(k, blockK))
	for l0 := 0; l0 < k; l0 += blockK {
		kc := min(blockK, k-l0)
		parallel(strips, true, func(lo, hi int) {
			for s := lo; s < hi; s++ {
				dst := packedB[s*nr*kc:]
				j0 := s * nr
				w := min(nr, n-j0)
				for l := range kc {
					d := dst[l*nr : l*nr+nr]
					copy(d, b.v[(l0+l)*b.row+j0:(l0+l)*b.row+j0+w])
					clear(d[w:])
				}
			}
		})
		blocks := (m + mr - 1) / mr
		parallel(blocks, true, func(lo, hi int) {
			packedA := make([]float64, blockM*kc)
			tile := make([]float64, mr*nr)
			for i0 := lo * mr; i0 < min(hi*mr, m); i0 += blockM {
				rows := min(blockM, min(hi*mr, m)-i0)
				packA(packedA, a, i0, l0, rows, kc)
				for s := range strips {
					j0 := s * nr
					w := min(nr, n-j0)
					for r := 0; r < rows; r += mr {
						h := min(mr, rows-r)
						if h == mr && w == nr {
							kernel(kc, &packedA[r*kc], &packedB[s*nr*kc], &c.v[(i0+r)*c.row+j0], c.row)
							continue
						}
						clear(tile)
						kernel(kc, &packedA[r*kc], &packedB[s*nr*kc], &tile[0], nr)
						for i := range h {
							ci := c.v[(i0+r+i)*c.row+j0 : (i0+r+i)*c.row+j0+w]
							for j := range ci {
								ci[j] += tile[i*nr+j]
							}
						}
					}
				}
			}
		})
	}
}

func packA(dst []float64, a panel, i0, l0, rows, kc int) {
	for r := 0; r < rows; r += mr {
		d := dst[r*kc:]
		for i := range mr {
			if r+i >= rows {
				for l := range kc {
					d[l*mr+i] = 0
				}
				continue
			}
			src := a.v[(i0+r+i)*a.row+l0 : (i0+r+i)*a.row+l0+kc]
			for l, v := range src {
				d[l*mr+i] = v
			}
		}
	}
}
