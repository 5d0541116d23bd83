package kernel

import (
	"fmt"
	"math"
	"testing"
	"time"

	"tqn/quantize"
)

// Each benchmark reports GB/s of the bytes that the operation must move: every
// operand read once, every result written once (the processor also reads what it
// will overwrite unless that is an operand). Compare with op=copy, op=sum and
// op=triad, the machine's own figures at the same size.

// fastest runs a benchmark's loop and returns the time of its fastest iteration
// in seconds, which other work on the machine disturbs least.
func fastest(b *testing.B, f func()) float64 {
	best := math.Inf(1)
	for b.Loop() {
		start := time.Now()
		f()
		best = min(best, time.Since(start).Seconds())
	}
	b.ReportMetric(0, "ns/op")
	return best
}

// normLayers are the activations of VGG-9 and ResNet-56 at batch 128.
var normLayers = []struct{ images, hw, c int }{
	{128, 32, 64}, {128, 16, 128}, {128, 8, 256}, // VGG-9
	{128, 32, 16}, {128, 16, 32}, {128, 8, 64}, // ResNet-56
	{4, 32, 16}, {8, 32, 8}, // in cache
}

// threads: the second-level caches and the bandwidth of one processor's share.
const threads = 1

func BenchmarkElementwise(b *testing.B) {
	for _, impl := range vectorised(b) {
		for _, l := range normLayers {
			ws := pool(b, threads, impl)
			rows := l.hw * l.hw
			n := newNormCase(b, ws, l.images, rows, l.c, 1, 0, nil)
			each := rows * l.c
			for i, x := range []*[]float32{&n.y, &n.z, &n.residual, &n.dz, &n.dy, &n.dres} {
				*x = make([]float32, l.images*each) // on a page boundary, as in training
				fill(*x, uint64(i), 0, nil)
			}
			run := func(op string, bytesEach float64, f func()) {
				b.Run(fmt.Sprintf("impl=%s/images=%d/hw=%d/c=%d/op=%s", impl, l.images, l.hw, l.c, op), func(b *testing.B) {
					best := fastest(b, f)
					b.ReportMetric(bytesEach*float64(l.images*each)/best/1e9, "GB/s")
					b.ReportMetric(best*1e3, "ms")
				})
			}
			image := func(x []float32, img int) []float32 { return x[img*each:][:each] }
			copyPart := func(img, _ int) { copy(image(n.z, img), image(n.y, img)) }
			sumPart := func(img, _ int) { allFinite(impl, image(n.y, img)) }
			triadPart := func(img, _ int) { add(impl, image(n.z, img), image(n.y, img)) }
			run("copy", 8, func() { ws.Do(l.images, copyPart) })
			run("sum", 4, func() { ws.Do(l.images, sumPart) })
			run("triad", 12, func() { ws.Do(l.images, triadPart) })

			n.b.Forward(Floats(n.z), Floats(n.y), nil, n.gamma, n.beta, Floats(nil), true)
			run("normSums", 4, func() { ws.Do(l.images, n.b.sumPart) })
			run("normReLU", 8, func() { n.b.residual = Values{}; ws.Do(l.images, n.b.applyPart) })
			run("normResidualReLU", 12, func() { n.b.residual = Floats(n.residual); ws.Do(l.images, n.b.applyPart) })
			n.b.dz, n.b.y, n.b.z, n.b.cut = Floats(n.dz), Floats(n.y), Floats(n.z), Floats(n.z)
			n.b.mask = byZ
			run("backSums/mask=z", 12, func() { n.b.dres = Values{}; ws.Do(l.images, n.b.backSumPart) })
			n.b.mask = again
			run("backSums/mask=again", 8, func() { n.b.dres = Values{}; ws.Do(l.images, n.b.backSumPart) })
			n.b.mask = byZ
			run("back/mask=z/residual", 20, func() { n.b.dy, n.b.dres = Floats(n.y), Floats(n.dz); ws.Do(l.images, n.b.backApplyPart) })
			run("back/mask=z", 16, func() { n.b.dy, n.b.dres = Floats(n.y), Values{}; ws.Do(l.images, n.b.backApplyPart) })
			n.b.mask = again
			run("back/mask=again", 12, func() { n.b.dy, n.b.dres = Floats(n.y), Values{}; ws.Do(l.images, n.b.backApplyPart) })

			m := NewMaxPool(ws, l.hw, l.hw, l.c, 2, 2, 0)
			y := make([]float32, l.images*m.Outputs())
			run("maxPool", 5, func() { m.Forward(y, n.z) })
			run("maxPoolBack", 9, func() { m.Backward(n.dy, y, n.z) })
			if n.b.FusesPool(m) { // the same work in one pass over y: read it, write or read a quarter
				small := make([]float32, len(y))
				run("norm+maxPool/apart", 5, func() { n.b.z = Floats(n.z); ws.Do(l.images, n.b.applyPart); m.Forward(y, n.z) })
				run("maxPoolBack+backSums/apart", 5, func() { m.Backward(n.dz, small, n.z); ws.Do(l.images, n.b.backSumPart) })
				n.b.SetPool(m)
				run("norm+maxPool/fused", 5, func() { n.b.z = Floats(y); ws.Do(l.images, n.b.applyPart) })
				run("maxPoolBack+backSums/fused", 5, func() { n.b.dz = Floats(small); ws.Do(l.images, n.b.backSumPart) })
			}
			run("average", 4, func() { ws.GlobalAvgPool(y[:l.images*l.c], Floats(n.z), rows, l.c) })
			run("spread", 4, func() { ws.GlobalAvgPoolBackward(Floats(n.dy), y[:l.images*l.c], rows, l.c) })
		}
	}
}

func BenchmarkAdamRule(b *testing.B) {
	unbounded := quantize.Grid{Delta: 1, Lo: math.Inf(-1), Hi: math.Inf(1)}
	for _, impl := range every() {
		for _, n := range []int{chunk, 36864, 589824, 4 << 20} { // ResNet-56's and VGG-9's largest tensors, and VGG-BC's linear layer
			if impl == generic && n > chunk {
				continue
			}
			ws := pool(b, threads, impl)
			w, g, m, v := make([]float32, n), make([]float32, n), make([]float32, n), make([]float32, n)
			for _, rule := range []quantize.Rule{quantize.Float, quantize.BC, quantize.R, quantize.SR} {
				for i := range w {
					w[i], g[i], m[i], v[i] = 1, normals[i&0xfff], 0, 0
				}
				grid := quantize.Binary()
				if rule == quantize.Float {
					grid = unbounded
				}
				b.Run(fmt.Sprintf("impl=%s/n=%d/rule=%v", impl, n, rule), func(b *testing.B) {
					step := uint64(0)
					best := fastest(b, func() {
						step++
						ws.AdamRule(w, g, m, v, Adam{Alpha: 0.01, Beta1: 0.9, Beta2: 0.999, Epsilon: 1e-8, T: step}, rule, grid, quantize.NewNoise(1).At(1, step))
					})
					b.ReportMetric(28*float64(n)/best/1e9, "GB/s")
					b.ReportMetric(best*1e3, "ms")
				})
			}
		}
	}
}

// BenchmarkDenormals shows what denormal operands would cost Adam if the kernel did
// not flush them (op=add, which does not, on denormal and on normal values), and that it does not slow down.
func BenchmarkDenormals(b *testing.B) {
	for _, impl := range vectorised(b) {
		for _, scale := range []float32{1, 0x1p-140} {
			ws := pool(b, threads, impl)
			n := chunk
			w, g, m, v := make([]float32, n), make([]float32, n), make([]float32, n), make([]float32, n)
			b.Run(fmt.Sprintf("impl=%s/m=%g/op=adam", impl, scale), func(b *testing.B) {
				best := fastest(b, func() {
					for i := range w {
						w[i], g[i], m[i], v[i] = 1, 0, scale, scale
					}
					ws.AdamRule(w, g, m, v, Adam{Alpha: 0.01, Beta1: 0.9, Beta2: 0.999, Epsilon: 1e-8, T: 9}, quantize.BC, quantize.Binary(), quantize.NewNoise(1).At(1, 1))
				})
				b.ReportMetric(best/float64(n)*1e9, "ns/weight")
			})
			nrm := newNormCase(b, ws, 1, 64, 16, 1, 0, nil)
			for i := range nrm.y {
				nrm.y[i] = scale
			}
			for k := range nrm.b.mean {
				nrm.b.mean[k], nrm.b.scale[k] = 0, 0.9
			}
			b.Run(fmt.Sprintf("impl=%s/y=%g/op=norm", impl, scale), func(b *testing.B) {
				best := fastest(b, func() { nrm.b.applyImage(Floats(nrm.z), Floats(nrm.y), Values{}) })
				b.ReportMetric(best/1024*1e9, "ns/value")
			})
		}
	}
}
