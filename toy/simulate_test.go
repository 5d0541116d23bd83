package toy

import (
	"fmt"
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"

	"tqn/dispatch"
	"tqn/quantize"
)

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

// The fast loop is quantize's rule, byte for byte, for learning rates on both
// sides of every shortcut, and for any block size.
func TestSimulateSRIsTheRule(t *testing.T) {
	for _, noise := range []float64{0.5, 4} {
		p := must(NewProblem(0.5, noise))
		for _, alpha := range []float64{3, 1, 0.1, 0.015, 0.01, 0.001, 1e-6} {
			for _, seed := range []uint64{1, 1 << 40} {
				want := p.simulate(quantize.SR, alpha, 20000, seed)
				if got := p.SimulateSR(alpha, 20000, seed); !slices.Equal(got, want) {
					t.Errorf("noise %g, alpha %g, seed %d: counts %v, rule %v", noise, alpha, seed, got, want)
				}
				for _, block := range []int{1, 17, 1000, 30000} {
					if got := p.simulateSR(alpha, 20000, seed, block); !slices.Equal(got, want) {
						t.Errorf("noise %g, alpha %g, seed %d, block %d: counts differ", noise, alpha, seed, block)
					}
				}
			}
		}
	}
}

// Uniform numbers agree with quantize's at block edges and where the step's low
// word overflows.
func TestUniformsAreQuantizes(t *testing.T) {
	t.Logf("noise kernel %s", noiseKernel)
	noise := quantize.NewNoise(0x123456789abcdef0)
	for _, step := range []uint64{0, 1, 1<<32 - 40, 1<<32 - 16, 1 << 32, 1<<40 + 5, 1<<64 - 100} {
		for _, n := range []int{1, 15, 16, 17, 64, 99} {
			u := make([]float64, n)
			uniforms(noise, streamGradient, step, u)
			for s, got := range u {
				if want := noise.At(streamGradient, step+uint64(s)).Uniform(0); got != want {
					t.Fatalf("step %d+%d: %v, want %v", step, s, got, want)
				}
			}
		}
	}
}

// BenchmarkSimulateSR measures the speed: iterations per second on one core.
func BenchmarkSimulateSR(b *testing.B) {
	p := must(NewProblem(0.5, 4))
	for _, alpha := range []float64{1, 0.1, 0.01, 0.001} {
		b.Run(fmt.Sprintf("alpha=%g", alpha), func(b *testing.B) {
			const n = 1 << 20
			for b.Loop() {
				p.SimulateSR(alpha, n, 1)
			}
			b.ReportMetric(float64(n)*float64(b.N)/b.Elapsed().Seconds()/1e6, "Miterations/s")
			b.ReportMetric(0, "ns/op")
		})
	}
}

// The environment variable turns the assembly off, here as in every package: the same tests in a process of their own.
func TestAssemblyObeysTheEnvironment(t *testing.T) {
	cmd := exec.Command(os.Args[0], "-test.run=^TestUniformsAreQuantizes$", "-test.v")
	cmd.Env = append(os.Environ(), dispatch.Variable+"="+dispatch.Generic)
	if out, err := cmd.CombinedOutput(); err != nil || !strings.Contains(string(out), "kernel generic") {
		t.Errorf("%v: %s", err, out)
	}
	t.Logf("without it: kernel %s", noiseKernel)
	if noiseKernel != dispatch.Vectors() && noiseKernel != dispatch.Generic {
		t.Errorf("kernel %s where %s is allowed", noiseKernel, dispatch.Vectors())
	}
}
