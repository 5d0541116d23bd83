package kernel

import (
	"fmt"
	"math"
	"strings"
	"sync"
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
type reference64 struct {
	y, dx, dw, absY, absDX, absDW []float64
	s                             ConvShape
	absolute                      func() [3][]float64 // those of Winograd's algorithm
}

// check compares results with the reference: |got-want| <= 2 terms 2^-24 sum |a b|, where the sum is over the products that the implementation's
// algorithm adds up.
func (r *reference64) check(t *testing.T, name string, n int, y, dx, dw []float32) {
	t.Helper()
	ph, pw := r.s.Out()
	terms := [3]int{r.s.Side * r.s.Side * r.s.C, r.s.Side * r.s.Side * r.s.K, n * ph * pw}
	abs := [3][]float64{r.absY, r.absDX, r.absDW}
	if (strings.HasPrefix(name, "avx") || name == "mixed") && winogradFits(r.s) {
		abs = r.absolute()
		for i := range terms {
			terms[i] += 40 // the transforms'
		}
	}
	for i, x := range []struct {
		what string
		got  []float32
		want []float64
	}{{"y", y, r.y}, {"dx", dx, r.dx}, {"dw", dw, r.dw}} {
		if x.got != nil {
			checkSum(t, name+" "+x.what, x.got, x.want, abs[i], terms[i])
		}
	}
}

// absoluteWinograd are the results of Winograd's algorithm with every number replaced by its absolute value: what its rounding
// errors are in proportion to.
func absoluteWinograd(s ConvShape, n int, x, w, dy []float32) (r [3][]float64) {
	const a, b = 5. / 8, 3. / 2
	const a2, b2 = a * a, b * b
	n0, na, nb := a2*b2, 2*a2*(b2-a2), 2*b2*(b2-a2)
	input := [][]float64{{a2 * b2, 0, a2 + b2, 0, 1, 0}, {0, a * b2, b2, a, 1, 0}, {0, a * b2, b2, a, 1, 0}, {0, b * a2, a2, b, 1, 0}, {0, b * a2, a2, b, 1, 0}, {0, a2 * b2, 0, a2 + b2, 0, 1}}
	filter := [][]float64{{1 / n0, 0, 0}, {1 / na, a / na, a2 / na}, {1 / na, a / na, a2 / na}, {1 / nb, b / nb, b2 / nb}, {1 / nb, b / nb, b2 / nb}, {0, 0, 1}}
	output := [][]float64{{1, 1, 1, 1, 1, 0}, {0, a, a, b, b, 0}, {0, a2, a2, b2, b2, 0}, {0, a2 * a, a2 * a, b2 * b, b2 * b, 1}}
	turn := func(m [][]float64) [][]float64 {
		t := make([][]float64, len(m[0]))
		for i := range t {
			for _, row := range m {
				t[i] = append(t[i], row[i])
			}
		}
		return t
	}
	both := func(m [][]float64, in func(i, j int) float64) []float64 { // m in m^T
		out := make([]float64, len(m)*len(m))
		for p := range m {
			for i, u := range m[p] {
				for j := range m[0] {
					v := u * in(i, j)
					for q := range m {
						out[p*len(m)+q] += v * m[q][j]
					}
				}
			}
		}
		return out
	}
	pixel := func(img []float32, channels, i, j, c int) float64 {
		if i < 0 || i >= s.H || j < 0 || j >= s.W {
			return 0
		}
		return math.Abs(float64(img[(i*s.W+j)*channels+c]))
	}
	tap := func(i, j, c, k int) float64 { return math.Abs(float64(w[((i*3+j)*s.C+c)*s.K+k])) }
	forw, back := make([][]float64, s.C*s.K), make([][]float64, s.C*s.K) // the transformed filters
	for c := range s.C {
		for k := range s.K {
			forw[c*s.K+k] = both(filter, func(i, j int) float64 { return tap(i, j, c, k) })
			back[k*s.C+c] = both(filter, func(i, j int) float64 { return tap(2-i, 2-j, c, k) })
		}
	}
	th, tw := (s.H+3)/4, (s.W+3)/4
	sums := make([][]float64, s.C*s.K)
	r = [3][]float64{make([]float64, n*s.Outputs()), make([]float64, n*s.Inputs()), make([]float64, s.Weights())}
	for img := range n {
		xs, ds := x[img*s.Inputs():][:s.Inputs()], dy[img*s.Outputs():][:s.Outputs()]
		for tile := range th * tw {
			row, column := tile/tw*4, tile%tw*4
			tiles := func(m [][]float64, img []float32, channels, pad int) [][]float64 {
				t := make([][]float64, channels)
				for c := range t {
					t[c] = both(m, func(i, j int) float64 { return pixel(img, channels, row+i-pad, column+j-pad, c) })
				}
				return t
			}
			pass := func(dst []float64, from [][]float64, to int, filters [][]float64) {
				for k := range to {
					m := make([]float64, 36)
					for c, u := range from {
						for xi, g := range filters[c*to+k] {
							m[xi] += g * u[xi]
						}
					}
					for at, v := range both(output, func(i, j int) float64 { return m[6*i+j] }) {
						if i, j := row+at/4, column+at%4; i < s.H && j < s.W {
							dst[(i*s.W+j)*to+k] = v
						}
					}
				}
			}
			u, v := tiles(input, xs, s.C, 1), tiles(turn(output), ds, s.K, 0)
			pass(r[0][img*s.Outputs():], u, s.K, forw)
			pass(r[1][img*s.Inputs():], tiles(input, ds, s.K, 1), s.C, back)
			for at := range sums {
				if sums[at] == nil {
					sums[at] = make([]float64, 36)
				}
				for xi, d := range u[at/s.K] {
					sums[at][xi] += d * v[at%s.K][xi]
				}
			}
		}
	}
	for at, m := range sums {
		for t, v := range both(turn(filter), func(i, j int) float64 { return m[6*i+j] }) {
			r[2][t*s.C*s.K+at] = v
		}
	}
	return r
}

// convReference is a convolution of n images by its definition, in float64.
func convReference(s ConvShape, n int, x, w, dy []float32) reference64 {
	r := reference64{s: s, absolute: sync.OnceValue(func() [3][]float64 { return absoluteWinograd(s, n, x, w, dy) }),
		y: make([]float64, n*s.Outputs()), dx: make([]float64, n*s.Inputs()), dw: make([]float64, s.Weights())}
	r.absY, r.absDX, r.absDW = make([]float64, len(r.y)), make([]float64, len(r.dx)), make([]float64, len(r.dw))
	eachTap(s, n, func(in, out, tap int) { r.addTap(in, out, tap, x, w, dy) })
	return r
}

// eachTap calls f for every pixel of every output and every filter position that lies within the image there, filter rows and columns in order, with the indices
// of the pixels' and the filter position's first channel.
func eachTap(s ConvShape, n int, f func(in, out, tap int)) {
	ph, pw := s.Out()
	pad := s.Side / 2
	for img := range n {
		for p := range ph {
			for q := range pw {
				for a := range s.Side {
					for b := range s.Side {
						if i, j := p*s.Stride+a-pad, q*s.Stride+b-pad; i >= 0 && i < s.H && j >= 0 && j < s.W {
							f(((img*s.H+i)*s.W+j)*s.C, ((img*ph+p)*pw+q)*s.K, (a*s.Side+b)*s.C*s.K)
						}
					}
				}
			}
		}
	}
}

// addTap adds the products of one pixel of the output and one filter position. One goroutine runs it, on memory of its own, and most of the tests' time goes
// into it: the race detector has nothing to find here.
//
//go:norace
func (r *reference64) addTap(in, out, tap int, x, w, dy []float32) {
	channels := r.s.K
	d, y, absY := dy[out:][:channels], r.y[out:][:channels], r.absY[out:][:channels]
	for c := range r.s.C {
		xv := float64(x[in+c])
		w, dw, absDW := w[tap+c*channels:][:channels], r.dw[tap+c*channels:][:channels], r.absDW[tap+c*channels:][:channels]
		dx, absDX := r.dx[in+c], r.absDX[in+c]
		for k := range d {
			wv, dv := float64(w[k]), float64(d[k])
			y[k] += xv * wv
			absY[k] += math.Abs(xv * wv)
			dx += dv * wv
			absDX += math.Abs(dv * wv)
			dw[k] += xv * dv
			absDW[k] += math.Abs(xv * dv)
		}
		r.dx[in+c], r.absDX[in+c] = dx, absDX
	}
}

// checkSum compares sums of terms products with float64: |got-want| <= terms * 2^-24 * 2 * sum |a b|.
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
	{N: 3, H: 4, W: 8, C: 32, K: 16, Side: 5, Stride: 1}, // tiles of several rows of the image
	{N: 2, H: 8, W: 4, C: 64, K: 40, Side: 3, Stride: 1},
	{N: 3, H: 8, W: 12, C: 5, K: 17, Side: 3, Stride: 2}, // folded gradients of the input
	{N: 2, H: 16, W: 16, C: 8, K: 32, Side: 3, Stride: 2},
	{N: 2, H: 5, W: 32, C: 8, K: 8, Side: 3, Stride: 1}, // two pixels share a row of a tile
	{N: 5, H: 8, W: 24, C: 8, K: 8, Side: 3, Stride: 1}, // pairs of Winograd's tiles
	{N: 9, H: 4, W: 8, C: 8, K: 8, Side: 3, Stride: 1},
	{N: 2, H: 4, W: 18, C: 8, K: 16, Side: 3, Stride: 1},
	{N: 2, H: 3, W: 16, C: 4, K: 3, Side: 5, Stride: 1},
	{N: 2, H: 4, W: 32, C: 8, K: 16, Side: 3, Stride: 2}, // folded gradients of the input that are stored in their place
	{N: 2, H: 6, W: 32, C: 16, K: 32, Side: 3, Stride: 2},
	{N: 2, H: 8, W: 16, C: 24, K: 24, Side: 3, Stride: 2},
	{N: 5, H: 4, W: 3, C: 40, K: 64, Side: 3, Stride: 2}, // few pixels: the weights' gradient runs over the images
	{N: 21, H: 2, W: 2, C: 32, K: 32, Side: 3, Stride: 1},
	{N: 9, H: 1, W: 2, C: 35, K: 32, Side: 5, Stride: 1},
	{N: 3, H: 5, W: 5, C: 100, K: 16, Side: 3, Stride: 3},
}

// raceDetector is set where it runs.
var raceDetector bool

// testShapes are the convShapes that a run has time for, by their multiply-adds. Without -short they are all. Under the race detector, which slows Go's loops
// down twenty times, they are those of narrow layers: it looks for memory that two goroutines share, and that does not depend on the number of channels.
// Every kind of layer and of edge is among them: strides, sides of 1, 3 and 7, channels that fill no vector, tiles over an edge, groups of images.
func testShapes() (shapes []ConvShape) {
	most := math.MaxInt
	switch {
	case raceDetector:
		most = 1 << 19
	case testing.Short():
		most = 1 << 23
	}
	for _, s := range convShapes {
		if s.N*s.MultAdds() <= most {
			shapes = append(shapes, s)
		}
	}
	return shapes
}

// TestConv: the three products of every implementation are the definition's to the rounding of their sums, for weights of both kinds, and again with buffers in use.
func TestConv(t *testing.T) {
	for _, s := range testShapes() {
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
						c.GradInput(Floats(dx), dy)
						want.check(t, name, s.N, y, dx, dw)
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
	{N: 4, H: 16, W: 16, C: 64, K: 128, Side: 3, Stride: 1},
	{N: 16, H: 8, W: 8, C: 128, K: 256, Side: 3, Stride: 1},
	{N: 4, H: 16, W: 16, C: 32, K: 64, Side: 3, Stride: 2},
	{N: 1, H: 32, W: 32, C: 3, K: 16, Side: 3, Stride: 1},
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
		b.Run(fmt.Sprintf("%s/hw=%d/c=%d/k=%d/stride=%d/binary=%v/op=%s", name, s.H, s.C, s.K, s.Stride, binary, op), func(b *testing.B) {
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
	run("dx", func() { c.GradInput(Floats(dx), dy) })
	if binary {
		run("dw", func() { c.GradWeights(dw, x, dy) })
	} else {
		run("pack", func() { c.SetWeights(w, binary) })
	}
}
