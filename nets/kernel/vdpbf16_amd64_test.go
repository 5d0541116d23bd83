//go:build amd64 && !purego

package kernel

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"golang.org/x/sys/cpu"
	"gonum.org/v1/gonum/mat"
)

// This file holds what speaks against kernels of VDPBF16PS, the products of bf16 that processors have which lack the tile
// multiplier. They would have to make a training step 1.6 times as fast as float32's, whose 3x3 convolutions are Winograd's
// F(4x4, 3x3): a quarter of the direct algorithm's products. VDPBF16PS makes at most twice the products of a float32
// multiply-add (on Zen 5), on some processors half of them (BenchmarkPeakVDPBF16), so that a direct convolution of it has at most
// half the speed of Winograd's products in float32. It would have to be given transformed factors, then, and those lose what bf16
// has of precision (TestWinogradAtBF16). So bf16 without tiles is float32's products of rounded factors ([halvesConv]).

// BenchmarkPeakVDPBF16 sets the products that one worker makes of bf16, from registers, beside float32's multiply-adds. Both count
// two operations for a product and its sum; the best of short calls in turn.
func BenchmarkPeakVDPBF16(b *testing.B) {
	if !cpu.X86.HasAVX512BF16 || !slices.Contains(Implementations(), "avx512") {
		b.Skip("no AVX512-BF16")
	}
	const n = 1 << 17
	speed := func(loop func(*peakZArgs), products int) float64 {
		start := time.Now()
		loop(&peakZArgs{n})
		return float64(n*24*16*2*products) / time.Since(start).Seconds() / 1e9
	}
	var float, bf16 float64
	for b.Loop() {
		float, bf16 = max(float, speed(peakZ, 1)), max(bf16, speed(peakDot, 2))
	}
	b.ReportMetric(float, "f32-GFLOP/s")
	b.ReportMetric(bf16, "bf16-GFLOP/s")
	b.ReportMetric(bf16/float, "ratio")
}

// toomCook returns the matrices of Winograd's F(m, 3) through the given m+1 points and infinity: the m outputs of a filter g of 3
// over inputs d of m+2 are out * ((filter*g) .* (in*d)).
func toomCook(m int, points []float64) (out, filter, in *mat.Dense) {
	powers := func(k int) *mat.Dense { // of the points; infinity has its highest alone
		v := mat.NewDense(m+2, k, nil)
		for i, p := range points {
			for j := range k {
				v.Set(i, j, math.Pow(p, float64(j)))
			}
		}
		v.Set(m+1, k-1, 1)
		return v
	}
	var inverse mat.Dense
	if err := inverse.Inverse(powers(m + 2)); err != nil {
		panic(err)
	}
	return mat.DenseCopyOf(powers(m).T()), powers(3), mat.DenseCopyOf(inverse.T())
}

// roundToBF16 rounds every number of a matrix.
func roundToBF16(x *mat.Dense) *mat.Dense {
	var r mat.Dense
	r.Apply(func(_, _ int, v float64) float64 { return float64(toBF16(float32(v))) }, x)
	return &r
}

// between is m x m^T.
func between(m, x *mat.Dense) *mat.Dense {
	var t mat.Dense
	t.Product(m, x, m.T())
	return &t
}

// winogradErrors computes 3x3 convolutions of 64 channels of normal numbers, some tiles of m x m outputs, once with factors rounded to bf16 and
// once by F(m x m, 3x3) with those factors' transforms rounded to bf16, all else at float64, and returns both root mean square errors relative to the exact results.
func winogradErrors(m int, points []float64) (direct, winograd float64) {
	const tiles, channels = 200, 64
	out, filter, in := toomCook(m, points)
	random := rand.New(rand.NewPCG(1, uint64(m)))
	normal := func(n int) *mat.Dense {
		x := mat.NewDense(n, n, nil)
		x.Apply(func(int, int, float64) float64 { return random.NormFloat64() }, x)
		return x
	}
	var size, directSquares, winogradSquares float64
	for range tiles {
		exact, rounded, products := mat.NewDense(m, m, nil), mat.NewDense(m, m, nil), mat.NewDense(m+2, m+2, nil)
		for range channels {
			d, g := normal(m+2), normal(3)
			bd, bg := roundToBF16(d), roundToBF16(g)
			for i := range 3 {
				for j := range 3 {
					addScaled(exact, g.At(i, j), d.Slice(i, i+m, j, j+m))
					addScaled(rounded, bg.At(i, j), bd.Slice(i, i+m, j, j+m))
				}
			}
			var p mat.Dense
			p.MulElem(roundToBF16(between(filter, bg)), roundToBF16(between(in, bd)))
			products.Add(products, &p)
		}
		var e mat.Dense
		square := func(x mat.Matrix) float64 { n := mat.Norm(x, 2); return n * n }
		size += square(exact)
		e.Sub(rounded, exact)
		directSquares += square(&e)
		e.Sub(between(out, products), exact)
		winogradSquares += square(&e)
	}
	return math.Sqrt(directSquares / size), math.Sqrt(winogradSquares / size)
}

func addScaled(sum *mat.Dense, by float64, x mat.Matrix) {
	var s mat.Dense
	s.Scale(by, x)
	sum.Add(sum, &s)
}

// Transformed factors at bf16 cost F(2x2, 3x3) half of bf16's precision and more than the error that bf16 is held to, and F(4x4, 3x3)
// more than two bits, with the points that float32's kernels use; with the usual points three.
func TestWinogradAtBF16(t *testing.T) {
	for _, c := range []struct {
		name        string
		m           int
		points      []float64
		least, most float64 // of its error as a multiple of the direct algorithm's at bf16
	}{
		{"F(2x2, 3x3)", 2, []float64{0, 1, -1}, 1.7, 2.2},
		{"F(4x4, 3x3), points 5/8 and 3/2", 4, []float64{0, winogradA, -winogradA, winogradB, -winogradB}, 4, 5.5},
		{"F(4x4, 3x3), points 1 and 2", 4, []float64{0, 1, -1, 2, -2}, 8, 12},
	} {
		direct, winograd := winogradErrors(c.m, c.points)
		t.Logf("%s: root mean square error %.4f, direct %.4f, ratio %.2f; TestBF16Error allows %.4f", c.name, winograd, direct, winograd/direct, bf16Error)
		if direct > bf16Error {
			t.Errorf("%s: the direct algorithm's error is %g", c.name, direct)
		}
		if winograd < bf16Error {
			t.Errorf("%s: error %g would do for bf16", c.name, winograd)
		}
		if ratio := winograd / direct; ratio < c.least || ratio > c.most {
			t.Errorf("%s: its error is %g times the direct algorithm's, expected between %g and %g", c.name, ratio, c.least, c.most)
		}
	}
}
