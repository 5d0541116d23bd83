package kernel

import (
	"fmt"
	"math"
	"slices"
	"testing"
)

func TestLinear(t *testing.T) {
	for _, name := range append(Implementations(), "bf16") {
		for _, s := range [][3]int{{1, 1, 1}, {3, 5, 10}, {17, 300, 33}, {128, 31, 10}, {16, 513, 64}, {14, 14, 32}, {29, 120, 16}} {
			t.Run(fmt.Sprintf("%s/%v", name, s), func(t *testing.T) {
				rows, in, out := s[0], s[1], s[2]
				var ws *Workers
				if name == "bf16" {
					ws = newBF16Workers(t, 2, "")
				} else {
					ws = newWorkers(t, 2, name)
				}
				l := NewLinear(ws, rows, in, out)
				for _, n := range []int{rows, (rows + 1) / 2} {
					x, w, dy, bias := make([]float32, n*in), make([]float32, in*out), make([]float32, n*out), make([]float32, out)
					noise(1, x)
					noise(2, w)
					noise(3, dy)
					noise(4, bias)
					if name == "bf16" {
						x, w, dy = rounded(x), rounded(w), rounded(dy)
					}
					y, dx, dw, db := make([]float32, n*out), make([]float32, n*in), make([]float32, in*out), make([]float32, out)
					l.Forward(y, Floats(x), w, bias)
					l.GradInput(Floats(dx), dy, w)
					l.GradWeights(dw, db, Floats(x), dy)
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

// linearResults are those of a linear layer at bf16: y, dx, dw. Its input is an activation in two bytes where those are kept.
func linearResults(t *testing.T, name string, rows, in, out, n int, x, w, dy []float32, spoil func(*Linear)) [3][]float32 {
	ws := newBF16Workers(t, 3, name)
	l := NewLinear(ws, rows, in, out)
	y, dx, dw := make([]float32, n*out), make([]float32, n*in), make([]float32, in*out)
	if spoil != nil {
		spoil(l)
	}
	input := Floats(x[:n*in])
	if ws.keepsHalves() && spoil == nil {
		input = ws.Rounded(make([]float32, n*in), n*in)
		input.Round(rounded(x[:n*in]))
	}
	for range 2 { // buffers are reused
		l.Forward(y, input, w, nil)
		l.GradInput(Floats(dx), dy[:n*out], w)
		l.GradWeights(dw, nil, input, dy[:n*out])
	}
	return [3][]float32{y, dx, dw}
}

// TestLinearTilesAreGeneric: at bf16 the tile multiplier's linear layers are the generic ones, bit for bit.
func TestLinearTilesAreGeneric(t *testing.T) {
	if !slices.Contains(Implementations(), "amx") {
		t.Skip("no tile multiplier")
	}
	for _, s := range [][3]int{{1, 1, 1}, {3, 5, 10}, {17, 300, 33}, {65, 31, 10}, {16, 130, 64}, {40, 64, 128}, {29, 120, 16}, {33, 256, 80}} {
		rows, in, out := s[0], s[1], s[2]
		x, w, dy := make([]float32, rows*in), make([]float32, in*out), make([]float32, rows*out)
		noise(1, x)
		noise(2, w)
		noise(3, dy)
		for _, n := range []int{rows, (rows + 1) / 2} {
			want, got := linearResults(t, "generic", rows, in, out, n, x, w, dy, nil), linearResults(t, "amx", rows, in, out, n, x, w, dy, nil)
			for i, what := range []string{"y", "dx", "dw"} {
				if !slices.Equal(got[i], want[i]) {
					t.Errorf("%v, %d rows: %s by tiles is not the generic one", s, n, what)
				}
			}
		}
	}
}
