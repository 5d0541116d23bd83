package kernel

import (
	"fmt"
	"math"
	"testing"
)

func TestLinear(t *testing.T) {
	for _, name := range Implementations() {
		for _, s := range [][3]int{{1, 1, 1}, {3, 5, 10}, {17, 300, 33}, {128, 31, 10}, {16, 513, 64}, {14, 14, 32}, {29, 120, 16}} {
			t.Run(fmt.Sprintf("%s/%v", name, s), func(t *testing.T) {
				rows, in, out := s[0], s[1], s[2]
				ws := newWorkers(t, 2, name)
				l := NewLinear(ws, rows, in, out)
				for _, n := range []int{rows, (rows + 1) / 2} {
					x, w, dy, bias := make([]float32, n*in), make([]float32, in*out), make([]float32, n*out), make([]float32, out)
					noise(1, x)
					noise(2, w)
					noise(3, dy)
					noise(4, bias)
					y, dx, dw, db := make([]float32, n*out), make([]float32, n*in), make([]float32, in*out), make([]float32, out)
					l.Forward(y, x, w, bias)
					l.GradInput(dx, dy, w)
					l.GradWeights(dw, db, x, dy)
					sums := func(count int, f func(i, j int) float64, terms int) (want, abs []float64) {
						want, abs = make([]float64, count), make([]float64, count)
						for i := range count {
							for j := range terms {
								want[i] += f(i, j)
								abs[i] += math.Abs(f(i, j))
							}
						}
						return
					}
					want, abs := sums(n*out, func(i, j int) float64 {
						if j == in {
							return float64(bias[i%out])
						}
						return float64(x[i/out*in+j]) * float64(w[j*out+i%out])
					}, in+1)
					checkSum(t, "y", y, want, abs, in)
					want, abs = sums(n*in, func(i, j int) float64 { return float64(dy[i/in*out+j]) * float64(w[i%in*out+j]) }, out)
					checkSum(t, "dx", dx, want, abs, out)
					want, abs = sums(in*out, func(i, j int) float64 { return float64(x[j*in+i/out]) * float64(dy[j*out+i%out]) }, n)
					checkSum(t, "dw", dw, want, abs, n)
					want, abs = sums(out, func(i, j int) float64 { return float64(dy[j*out+i]) }, n)
					checkSum(t, "db", db, want, abs, n)
				}
			})
		}
	}
}
