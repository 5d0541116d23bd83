package referee

import (
	"math"
	"math/rand/v2"
	"strings"
	"testing"

	"gonum.org/v1/gonum/stat/distuv"

	"tqn/nets/network"
	"tqn/quantize"
)

// flipsPerStep inverts the law of the parity of n independent flips.
func TestFlipsPerStep(t *testing.T) {
	for _, p := range []float64{1e-9, 1e-4, 0.01} {
		for _, n := range []float64{1, 10, 100} {
			odd := distuv.Binomial{N: n, P: p}
			share := 0.0
			for k := 1.0; k <= n; k += 2 {
				share += odd.Prob(k)
			}
			if got := flipsPerStep(share, n); math.Abs(got/p-1) > 1e-6 {
				t.Errorf("p = %g, n = %g: %g", p, n, got)
			}
		}
	}
	if !math.IsNaN(flipsPerStep(0.5, 10)) || !math.IsNaN(flipsPerStep(math.NaN(), 10)) {
		t.Error("half of the signs tell nothing")
	}
}

// Adam's first moment of independent noise of variance 1 is the sum of (1-b1)*b1^k*z_k.
func TestNoiseFlips(t *testing.T) {
	variance := 0.0
	for k := range 1000 {
		variance += math.Pow((1-network.AdamBeta1)*math.Pow(network.AdamBeta1, float64(k)), 2)
	}
	towards := math.Sqrt(variance) / math.Sqrt(2*math.Pi) // E z+ of a normal z
	if got := NoiseFlips(); math.Abs(got/(towards/2)-1) > 1e-12 {
		t.Errorf("%g, want %g", got, towards/2)
	}
}

// AdamStep bounds Adam's steps whatever the gradients: those that attain it nearly (growing as the proof of the bound has it), normal
// noise, heavy tails and a single spike; and in the first steps, where the bias corrections count, too.
func TestAdamStep(t *testing.T) {
	bound := AdamStep()
	r := rand.New(rand.NewPCG(3, 4))
	const steps = 12000
	growth := network.AdamBeta1 / network.AdamBeta2 // g_i proportional to (beta1/beta2)^(n-i) attains Cauchy and Schwarz at step n
	worst := func(n int) float64 { return math.Pow(growth, float64(steps-n)) }
	longest := 0.0
	for name, gradient := range map[string]func(n int) float64{
		"worst":  worst,
		"normal": func(int) float64 { return r.NormFloat64() },
		"Cauchy": func(int) float64 { return r.NormFloat64() / r.NormFloat64() },
		"spike":  func(n int) float64 { return map[bool]float64{true: 1e6, false: 1e-6}[n == steps/2] },
		"same":   func(int) float64 { return 1 },
	} {
		m, v, most := 0.0, 0.0, 0.0
		for n := 1; n <= steps; n++ {
			g := gradient(n)
			m, v = network.AdamBeta1*m+(1-network.AdamBeta1)*g, network.AdamBeta2*v+(1-network.AdamBeta2)*g*g
			if v > 1e-300 { // the worst case begins with gradients that underflow
				most = max(most, math.Abs(m)/(1-math.Pow(network.AdamBeta1, float64(n)))/math.Sqrt(v/(1-math.Pow(network.AdamBeta2, float64(n)))))
			}
		}
		if most > bound*(1+1e-9) {
			t.Errorf("%s: a step of %.4g alpha, bound %.4g", name, most, bound)
		}
		t.Logf("%s: longest step %.4g alpha", name, most)
		longest = max(longest, most)
	}
	if longest < 0.99*bound {
		t.Errorf("the longest step is %.4g alpha, the bound %.4g is not attained", longest, bound)
	}
	if bound*0.01 >= thresholdR {
		t.Errorf("at the paper's learning rate a step may be as long as %g", bound*0.01)
	}
}

// Batch norm makes a filter's gradient as much shorter as the filter is longer (Appendix H.3); that of a linear layer, whose own
// weights stay, is not.
func TestLongFiltersHaveShortGradients(t *testing.T) {
	const c = 4
	short, long := firstMoments(t, 1), firstMoments(t, c)
	for name, g := range short {
		sum, square, other := 0.0, 0.0, 0.0
		for i, v := range g {
			sum += float64(v) * float64(long[name][i])
			square += float64(v) * float64(v)
			other += float64(long[name][i]) * float64(long[name][i])
		}
		ratio, cosine := math.Sqrt(other/square), sum/math.Sqrt(square*other)
		want := 1.0 / c
		if strings.HasPrefix(name, "linear") {
			want = 1
		}
		if math.Abs(ratio/want-1) > 1e-5 || cosine < 1-1e-9 {
			t.Errorf("%s: the gradient at filters %d times as long is %.6f times as long (want %.6f), cosine %.9f", name, c, ratio, want, cosine)
		}
	}
}

// firstMoments are Adam's first moments after the first step, a tenth of the gradients, of convolutions and linear layers of a narrow VGG-9 whose filters are c times as long as at the start. In float64, with batch norm's epsilon next to nothing.
func firstMoments(t *testing.T, c float32) map[string][]float32 {
	t.Helper()
	model, err := network.NewModel(network.Spec{Net: "vgg9", Input: network.Shape{H: 8, W: 8, C: 2}, Classes: 5, Width: 1. / 16, Depth: 0.5})
	if err != nil {
		t.Fatal(err)
	}
	const batch = 8
	engine := network.NewReference(model, network.Hyper{Batch: batch, Rule: quantize.Float, Noise: quantize.NewNoise(5), NormMomentum: 0.1, NormEpsilon: 1e-12})
	network.Initialise(engine, quantize.Float, 1)
	var watched []network.Param
	for _, p := range model.Params() {
		w := make([]float32, p.Len())
		switch p.Role {
		case network.ConvWeight:
			engine.Get(p.Name, w)
			for i := range w {
				w[i] *= c
			}
			engine.Set(p.Name, w)
		case network.LinearWeight:
		default:
			continue
		}
		watched = append(watched, p)
	}
	r := rand.New(rand.NewPCG(5, 6))
	x, labels := make([]float32, batch*model.Input.Len()), make([]int32, batch)
	for i := range x {
		x[i] = float32(r.NormFloat64())
	}
	for i := range labels {
		labels[i] = int32(i % model.Classes)
	}
	if _, err := engine.Step(x, labels, 0.01, 1); err != nil {
		t.Fatal(err)
	}
	moments := map[string][]float32{}
	for _, p := range watched {
		moments[p.Name] = make([]float32, p.Len())
		engine.Get(p.Name+network.FirstMoment, moments[p.Name])
	}
	return moments
}
