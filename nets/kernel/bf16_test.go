package kernel

import (
	"math"
	"math/big"
	"slices"
	"testing"
)

// newBF16Workers is a pool whose convolutions are at bf16.
func newBF16Workers(t testing.TB, threads int, name string) *Workers {
	ws := newWorkers(t, threads, name)
	ws.SetPrecision(BF16)
	return ws
}

// rounded is x at bf16.
func rounded(x []float32) []float32 {
	to := make([]float32, len(x))
	roundAllGeneric(to, x)
	return to
}

// TestRoundSum: the sum of two float64 is rounded once, to nearest, ties to even, where rounding it to float64 first would be wrong too.
func TestRoundSum(t *testing.T) {
	x := make([]float32, 4000)
	noise(1, x)
	wrong := 0
	for i := 0; i+2 <= len(x); i += 2 {
		for shift := range 64 {
			a, b := float64(rounded(x[i : i+1])[0])*float64(rounded(x[i+1 : i+2])[0]), float64(x[i])*math.Exp2(float64(shift-32))
			if i%4 == 0 { // half a unit of float32, and a little more or less
				a, b = float64(float32(1+a*0x1p-20))+0x1p-24, math.Copysign(0x1p-70, float64(x[i]))
			}
			exact := new(big.Float).SetPrec(300).Add(big.NewFloat(a), big.NewFloat(b))
			want, _ := exact.Float32()
			if got := roundSum(a, b); got != want {
				t.Fatalf("%g + %g = %g, want %g", a, b, got, want)
			}
			if float32(a+b) != want {
				wrong++
			}
		}
	}
	if wrong == 0 {
		t.Error("no case in which two roundings differ from one")
	}
}

// TestToBF16: the nearest of bf16's numbers, the even one of two.
func TestToBF16(t *testing.T) {
	for _, c := range [][2]float32{{1, 1}, {-1, -1}, {1 + 0x1p-8, 1}, {1 + 0x3p-8, 1 + 0x4p-8}, {1 + 0x1.02p-8, 1 + 0x1p-7}, {0x1p-127, 0}, {-0x1.fcp-127, 0}, {0x1p-126, 0x1p-126},
		{0x1.fffffep127, float32(math.Inf(1))}, {float32(math.Inf(-1)), float32(math.Inf(-1))}} {
		if got := toBF16(c[0]); got != c[1] {
			t.Errorf("%g became %g, want %g", c[0], got, c[1])
		}
	}
	if v := toBF16(float32(math.NaN())); v == v {
		t.Errorf("NaN became %g", v)
	}
}

// bf16Results are those of a convolution at bf16, of its three products.
func bf16Results(t testing.TB, name string, threads int, s ConvShape, n int, binary bool, x, w, dy []float32, spoil func(*Conv)) [3][]float32 {
	c := NewConv(newBF16Workers(t, threads, name), s)
	y, dx, dw := make([]float32, n*s.Outputs()), make([]float32, n*s.Inputs()), make([]float32, len(w))
	runs := 2 // buffers are reused
	if name == "generic" {
		runs = 1
	}
	for run := range runs {
		c.SetWeights(w, binary)
		if spoil != nil && run == 1 {
			spoil(c)
		}
		c.Forward(y, x[:n*s.Inputs()], nil)
		c.GradWeights(dw, x[:n*s.Inputs()], dy[:n*s.Outputs()])
		c.GradInput(Floats(dx), dy[:n*s.Outputs()])
	}
	return [3][]float32{y, dx, dw}
}

// TestTilesAreGeneric: at bf16 the tile multiplier's results are the generic implementation's, bit for bit but for
// the sign of a zero, tiny and huge numbers included.
func TestTilesAreGeneric(t *testing.T) {
	if !slices.Contains(Implementations(), "amx") {
		t.Skip("no tile multiplier")
	}
	for _, s := range testShapes() {
		large := s.N*s.MultAdds() > 1<<22
		for _, kind := range []string{"normal", "heavy", "tiny"} {
			if large && kind != "normal" {
				continue
			}
			x, w, dy := make([]float32, s.N*s.Inputs()), make([]float32, s.Weights()), make([]float32, s.N*s.Outputs())
			inputsOf(kind, kind == "heavy", x, w, dy)
			if kind == "tiny" { // products around 2^-126
				for i := range x {
					x[i] *= 0x1p-64
				}
				for i := range w {
					w[i] *= 0x1p-62
				}
				for i := range dy {
					dy[i] *= 0x1p-62
				}
			}
			for _, n := range []int{s.N, (s.N + 1) / 2} {
				if large && n < s.N {
					continue
				}
				want := bf16Results(t, "generic", 2, s, n, false, x, w, dy, nil)
				got := bf16Results(t, "amx", 3, s, n, kind == "heavy", x, w, dy, nil)
				for i, what := range []string{"y", "dx", "dw"} {
					for at := range want[i] {
						if math.Float32bits(got[i][at]+0) != math.Float32bits(want[i][at]+0) { // -0 + 0 = +0
							t.Errorf("%+v, %d images, %s: %s[%d] is %g by tiles, %g generic", s, n, kind, what, at, got[i][at], want[i][at])
							break
						}
					}
				}
			}
		}
	}
}

// TestBF16Products: every implementation's results at bf16 are those of the rounded factors, to the rounding of float32 sums.
func TestBF16Products(t *testing.T) {
	for _, s := range testShapes() {
		if s.N*s.MultAdds() > 1<<22 {
			continue
		}
		for _, binary := range []bool{false, true} {
			x, w, dy := make([]float32, s.N*s.Inputs()), make([]float32, s.Weights()), make([]float32, s.N*s.Outputs())
			inputsOf("normal", binary, x, w, dy)
			if binary && !slices.Equal(rounded(w), w) {
				t.Fatal("bf16 does not hold +-1")
			}
			want := convReference(s, s.N, rounded(x), rounded(w), rounded(dy))
			for _, name := range Implementations() {
				got := bf16Results(t, name, 2, s, s.N, binary, x, w, dy, nil)
				arithmetic := name
				if name == "mixed" {
					arithmetic = "amx"
				}
				want.check(t, arithmetic, s.N, got[0], got[1], got[2])
			}
		}
	}
}

// bf16Error is the largest root mean square error at bf16, relative to that of the exact result, of a convolution without padding: each factor of a product is off
// by at most 2^-9 of itself, uniformly on either side, so that a product of two rounded factors is off by sqrt(2/3) 2^-9 = 2^-9.3 in the
// mean over numbers' leading bits, at most; the errors of a sum's terms are independent as the terms are. 2^-8 leaves room for both.
const bf16Error = 0x1p-8

// TestBF16Error prints the error against float64 of what was not rounded, and bounds it: with independent terms of mean zero the error is to the result as a
// product's error to the product. Positive values (after a ReLU) do not change that: the other factor has mean zero.
func TestBF16Error(t *testing.T) {
	for _, s := range []ConvShape{{N: 1, H: 16, W: 16, C: 64, K: 64, Side: 3, Stride: 1}, {N: 2, H: 32, W: 32, C: 16, K: 16, Side: 3, Stride: 1}, {N: 16, H: 8, W: 8, C: 64, K: 64, Side: 3, Stride: 1}} {
		for _, kind := range []string{"normal", "relu", "heavy"} {
			for _, binary := range []bool{false, true} {
				x, w, dy := make([]float32, s.N*s.Inputs()), make([]float32, s.Weights()), make([]float32, s.N*s.Outputs())
				inputsOf(kind, binary, x, w, dy)
				exact := convReference(s, s.N, x, w, dy)
				for _, name := range Implementations()[1:] {
					got := bf16Results(t, name, 2, s, s.N, binary, x, w, dy, nil)
					for i, want := range [][]float64{exact.y, exact.dx, exact.dw} {
						rms, largest := errorOf(got[i], want)
						rms, largest = rms*0x1p-24, largest*0x1p-24
						t.Logf("%dx%dx%d->%d %-6s binary=%-5v %-2s %-6s rms %.2e, largest %.2e", s.H, s.W, s.C, s.K, kind, binary, []string{"y", "dx", "dw"}[i], name, rms, largest)
						if rms > bf16Error {
							t.Errorf("%s %+v %s: error %g, want at most %g", name, s, kind, rms, bf16Error)
						}
						if rms < bf16Error/64 {
							t.Errorf("%s %+v %s: error %g: these are not bf16's products", name, s, kind, rms)
						}
					}
				}
			}
		}
		if testing.Short() {
			break
		}
	}
}

// TestPrecisionNames: what a manifest says tells precisions and orders of summation apart.
func TestPrecisionNames(t *testing.T) {
	for _, name := range Implementations() {
		ws := newBF16Workers(t, 1, name)
		want := name + "-bf16"
		if name == "mixed" {
			want = "amx-bf16"
		}
		if got := ws.Implementation(); got != want {
			t.Errorf("%s at bf16 calls itself %s", name, got)
		}
	}
	for name, want := range map[string]Precision{"": F32, "f32": F32, "bf16": BF16} {
		if p, err := ParsePrecision(name); err != nil || p != want {
			t.Errorf("precision %q: %v, %v", name, p, err)
		}
	}
	if _, err := ParsePrecision("fp16"); err == nil {
		t.Error("precision fp16 is taken")
	}
}

// BenchmarkBF16 is BenchmarkConv at bf16, with images for a whole group of the gradient's.
func BenchmarkBF16(b *testing.B) {
	for _, s := range benchShapes {
		s.N = max(s.N, 8*576/(s.H*s.W))
		benchConv(b, "impl=bf16", NewConv(newBF16Workers(b, 1, ""), s), true)
	}
}
