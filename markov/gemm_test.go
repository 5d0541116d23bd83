package markov

import (
	"math"
	"os"
	"os/exec"
	"strings"
	"testing"

	"tqn/dispatch"
)

// testNoise is a fixed sequence of numbers in [0,1) (SplitMix64).
type testNoise uint64

func (s *testNoise) next() float64 {
	*s += 0x9e3779b97f4a7c15
	z := uint64(*s)
	z = (z ^ z>>30) * 0xbf58476d1ce4e5b9
	z = (z ^ z>>27) * 0x94d049bb133111eb
	return float64((z^z>>31)>>11) * 0x1p-53
}

// Sizes around every block edge, strides wider than rows, guard words, inputs
// unchanged: the fast product agrees with the loop in its comment.
func TestGemmAgreesWithGeneric(t *testing.T) {
	t.Logf("kernel %s", kernelName)
	s := testNoise(1)
	for _, m := range []int{1, 7, 32, 33, 40, 97, 131} {
		for _, n := range []int{1, 31, 32, 47, 48, 49, 100} {
			for _, k := range []int{1, 15, 16, 17, 256, 257, 300} {
				lda, ldb, ldc := k+3, n+1, n+2
				a, b := make([]float64, m*lda), make([]float64, k*ldb)
				c, want := make([]float64, m*ldc), make([]float64, m*ldc)
				for i := range a {
					a[i] = s.next() - 0.5
				}
				for i := range b {
					b[i] = s.next() - 0.5
				}
				for i := range c {
					c[i] = s.next()
					want[i] = c[i]
				}
				gemm(m, n, k, panel{a, lda}, panel{b, ldb}, panel{c, ldc})
				gemmGeneric(m, n, k, panel{a, lda}, panel{b, ldb}, panel{want, ldc})
				for i := range c {
					guard := i%ldc >= n
					if d := math.Abs(c[i] - want[i]); d > float64(k)*0x1p-50 || guard && d != 0 {
						t.Fatalf("%dx%dx%d: c[%d,%d] = %g, want %g", m, n, k, i/ldc, i%ldc, c[i], want[i])
					}
				}
			}
		}
	}
}

func BenchmarkGemm(b *testing.B) {
	const n = 1000
	x, y, z := make([]float64, n*n), make([]float64, n*n), make([]float64, n*n)
	for i := range x {
		x[i], y[i] = 1e-3, 1e-3
	}
	for b.Loop() {
		gemm(n, n, n, panel{x, n}, panel{y, n}, panel{z, n})
	}
	b.ReportMetric(2*n*n*n*float64(b.N)/b.Elapsed().Seconds()/1e9, "GFLOP/s")
}

// The environment variable turns the assembly off, here as in every package: the same tests in a process of their own.
func TestAssemblyObeysTheEnvironment(t *testing.T) {
	cmd := exec.Command(os.Args[0], "-test.run=^TestGemmAgreesWithGeneric$", "-test.v")
	cmd.Env = append(os.Environ(), dispatch.Variable+"="+dispatch.Generic)
	if out, err := cmd.CombinedOutput(); err != nil || !strings.Contains(string(out), "kernel generic") {
		t.Errorf("%v: %s", err, out)
	}
	t.Logf("without it: kernel %s", kernelName)
	if kernelName != dispatch.Vectors() && kernelName != dispatch.Generic {
		t.Errorf("kernel %s where %s is allowed", kernelName, dispatch.Vectors())
	}
}
