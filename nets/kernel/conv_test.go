package kernel

import (
	"fmt"
	"math"
	"testing"
	"time"

	"tqn/quantize"
)

// noise fills x with standard normal numbers that depend on seed only.
func noise(seed uint64, x []float32) {
	d := quantize.NewNoise(seed).At(0, 0)
	for i := range x {
		x[i] = float32(d.Normal(i))
	}
}

func newWorkers(t testing.TB, threads int, name string) *Workers {
	ws, err := NewWorkers(threads, name)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(ws.Close)
	return ws
}

// reference64 are a convolution's results in float64 and the sums of absolute products.
type reference64 struct{ y, dx, dw, absY, absDX, absDW []float64 }

func convReference(s ConvShape, n int, x, w, dy []float32) reference64 {
	r := reference64{y: make([]float64, n*s.Outputs()), dx: make([]float64, n*s.Inputs()), dw: make([]float64, s.Weights())}
	r.absY, r.absDX, r.absDW = make([]float64, len(r.y)), make([]float64, len(r.dx)), make([]float64, len(r.dw))
	ph, pw := s.Out()
	pad := s.Side / 2
	for img := range n {
		for p := range ph {
			for q := range pw {
				for a := range s.Side {
					for b := range s.Side {
						i, j := p*s.Stride+a-pad, q*s.Stride+b-pad
						if i < 0 || i >= s.H || j < 0 || j >= s.W {
							continue
						}
						in, out, tap := ((img*s.H+i)*s.W+j)*s.C, ((img*ph+p)*pw+q)*s.K, (a*s.Side+b)*s.C*s.K
						for c := range s.C {
							for k := range s.K {
								xv, wv, dv := float64(x[in+c]), float64(w[tap+c*s.K+k]), float64(dy[out+k])
								r.y[out+k] += xv * wv
								r.absY[out+k] += math.Abs(xv * wv)
								r.dx[in+c] += dv * wv
								r.absDX[in+c] += math.Abs(dv * wv)
								r.dw[tap+c*s.K+k] += xv * dv
								r.absDW[tap+c*s.K+k] += math.Abs(xv * dv)
							}
						}
					}
				}
			}
		}
	}
	return r
}

// checkSum compares sums of terms products with float64: |got-want| <= terms * 2^-24 * 2 * sum |a b|. Winograd's algorithm has no such bound for single
// results; with data of one size and enough terms it keeps to it.
func checkSum(t *testing.T, what string, got []float32, want, abs []float64, terms int) {
	t.Helper()
	for i, v := range got {
		tol := float64(terms+4) * 0x1p-23 * abs[i]
		if !(math.Abs(float64(v)-want[i]) <= tol) {
			t.Fatalf("%s[%d] = %v, want %v +- %v", what, i, v, want[i], tol)
		}
	}
}

var convShapes = []ConvShape{
	{N: 1, H: 1, W: 1, C: 1, K: 1, Side: 1, Stride: 1},
	{N: 1, H: 1, W: 1, C: 1, K: 1, Side: 3, Stride: 1},
	{N: 2, H: 5, W: 7, C: 3, K: 16, Side: 3, Stride: 1},
	{N: 3, H: 8, W: 8, C: 16, K: 16, Side: 3, Stride: 1},
	{N: 2, H: 16, W: 16, C: 16, K: 32, Side: 3, Stride: 2},
	{N: 2, H: 9, W: 11, C: 17, K: 5, Side: 3, Stride: 2},
	{N: 5, H: 6, W: 5, C: 5, K: 17, Side: 3, Stride: 1},
	{N: 2, H: 32, W: 32, C: 3, K: 64, Side: 3, Stride: 1},
	{N: 1, H: 16, W: 16, C: 64, K: 64, Side: 3, Stride: 1},
	{N: 5, H: 8, W: 8, C: 32, K: 48, Side: 3, Stride: 1},
	{N: 3, H: 7, W: 9, C: 16, K: 16, Side: 3, Stride: 1},  // tiles of 4x4 reach over the edge
	{N: 9, H: 6, W: 7, C: 16, K: 32, Side: 3, Stride: 1},  // and a group of images ends within a part
	{N: 17, H: 6, W: 6, C: 48, K: 16, Side: 3, Stride: 1}, // in several groups
	{N: 6, H: 4, W: 4, C: 33, K: 33, Side: 3, Stride: 1},
	{N: 2, H: 7, W: 9, C: 16, K: 33, Side: 1, Stride: 1},
	{N: 2, H: 7, W: 9, C: 8, K: 16, Side: 1, Stride: 2},
	{N: 2, H: 14, W: 13, C: 3, K: 8, Side: 7, Stride: 2},
	{N: 9, H: 4, W: 4, C: 128, K: 256, Side: 3, Stride: 1},
	{N: 9, H: 3, W: 3, C: 16, K: 32, Side: 3, Stride: 1},
}

func TestConv(t *testing.T) {
	for _, s := range convShapes {
		for _, binary := range []bool{false, true} {
			x, w, dy := make([]float32, s.N*s.Inputs()), make([]float32, s.Weights()), make([]float32, s.N*s.Outputs())
			inputsOf("normal", binary, x, w, dy)
			want := convReference(s, s.N, x, w, dy)
			for _, name := range Implementations() {
				t.Run(fmt.Sprintf("%s/%+v/binary=%v", name, s, binary), func(t *testing.T) {
					ws := newWorkers(t, 2, name)
					c := NewConv(ws, s)
					y, dx, dw := make([]float32, len(dy)), make([]float32, len(x)), make([]float32, len(w))
					for range 2 { // buffers are reused
						c.SetWeights(w, binary)
						c.Forward(y, x, nil)
						c.GradWeights(dw, x, dy)
						c.GradInput(dx, dy)
						checkSum(t, "y", y, want.y, want.absY, s.Side*s.Side*s.C)
						checkSum(t, "dx", dx, want.dx, want.absDX, s.Side*s.Side*s.K)
						ph, pw := s.Out()
						checkSum(t, "dw", dw, want.dw, want.absDW, s.N*ph*pw)
						if name == "generic" {
							break
						}
					}
				})
			}
		}
	}
}

// benchShapes have as many images as their tiles want for company.
var benchShapes = []ConvShape{
	{N: 1, H: 32, W: 32, C: 3, K: 64, Side: 3, Stride: 1},
	{N: 1, H: 32, W: 32, C: 64, K: 64, Side: 3, Stride: 1},
	{N: 4, H: 16, W: 16, C: 128, K: 128, Side: 3, Stride: 1},
	{N: 16, H: 8, W: 8, C: 256, K: 256, Side: 3, Stride: 1},
	{N: 1, H: 32, W: 32, C: 128, K: 128, Side: 3, Stride: 1},
	{N: 64, H: 8, W: 8, C: 512, K: 512, Side: 3, Stride: 1},
	{N: 1, H: 32, W: 32, C: 16, K: 16, Side: 3, Stride: 1},
	{N: 4, H: 16, W: 16, C: 32, K: 32, Side: 3, Stride: 1},
	{N: 16, H: 8, W: 8, C: 64, K: 64, Side: 3, Stride: 1},
}

// BenchmarkConv reports the best of many short calls by one worker, which other processes disturb least, in GFLOP/s
// of the direct algorithm's arithmetic.
func BenchmarkConv(b *testing.B) {
	for _, name := range Implementations()[1:] {
		for _, s := range benchShapes {
			for _, binary := range []bool{true, false} {
				benchConv(b, "impl="+name, NewConv(newWorkers(b, 1, name), s), binary)
			}
		}
	}
}

func benchConv(b *testing.B, name string, c *Conv, binary bool) {
	s := c.ConvShape
	x, w, dy := make([]float32, s.N*s.Inputs()), make([]float32, s.Weights()), make([]float32, s.N*s.Outputs())
	noise(1, x)
	noise(2, w)
	noise(3, dy)
	if binary {
		for i := range w {
			w[i] = float32(math.Copysign(1, float64(w[i])))
		}
	}
	y, dx, dw := make([]float32, len(dy)), make([]float32, len(x)), make([]float32, len(w))
	c.SetWeights(w, binary)
	run := func(op string, f func()) {
		b.Run(fmt.Sprintf("%s/hw=%d/c=%d/k=%d/binary=%v/op=%s", name, s.H, s.C, s.K, binary, op), func(b *testing.B) {
			best := math.Inf(1)
			for b.Loop() {
				start := time.Now()
				f()
				best = min(best, time.Since(start).Seconds())
			}
			b.ReportMetric(2*float64(s.N*s.MultAdds())/best/1e9, "GFLOP/s")
			b.ReportMetric(0, "ns/op")
		})
	}
	run("forward", func() { c.Forward(y, x, nil) })
	run("dx", func() { c.GradInput(dx, dy) })
	if binary {
		run("dw", func() { c.GradWeights(dw, x, dy) })
	} else {
		run("pack", func() { c.SetWeights(w, binary) })
	}
}
