package network

import (
	"math"

	"tqn/quantize"
)

// initStream is added to a parameter's index to give the noise stream of its initial values; its update draws from the
// stream of the index itself, at steps >= 1.
const initStream = 1 << 16

// Inits lists the laws of real convolution weights that [Start] knows. Convolutions have fan-in k*k*in and fan-out k*k*out.
//
//	he          N(0, 2/fan-in): He et al. 2015, the initialisation of the networks of [25]
//	glorot      U(-a, a), a = sqrt(6/(fan-in + fan-out)): Glorot and Bengio 2010
//	torch7      U(-a, a), a = 1/sqrt(fan-in): what SpatialConvolution of Torch7 does unless told otherwise
//	uniform     U(-1, 1): the original BinaryConnect on CIFAR-10 (its H = 1)
//	rademacher  -1 or +1 with probability 1/2: what Appendix H.3 says of SR and R
func Inits() []string { return []string{"he", "glorot", "torch7", "uniform", "rademacher"} }

// Start is what a run's first weights are a function of.
type Start struct {
	Rule      quantize.Rule
	Init      string // law of real convolution weights, one of [Inits]
	Unclipped bool   // bc: real weights may lie outside [-1,1]
	Seed      uint64
}

// Set sets an engine's whole state to the start: weights drawn from the seed, batch-norm scales 1, shifts 0, running means
// 0 and variances 1, zero biases, zero moments.
//
//	rule        convolutions                                        linear layers
//	Float       as Init says                                        U(-1/sqrt(fan-in), 1/sqrt(fan-in))
//	BC          the same, clipped to [-1, 1] unless Unclipped       the same
//	SR, R       -1 or +1 with probability 1/2 (Appendix H.3)        the same
func (s Start) Set(e Engine) {
	for _, t := range e.Tensors() { // moments included
		e.Set(t.Name, make([]float32, t.Len()))
	}
	for _, p := range e.Model().Params() {
		if w := s.Values(p); w != nil {
			e.Set(p.Name, w)
		}
	}
}

// Initialise is [Start.Set] with the default law.
func Initialise(e Engine, rule quantize.Rule, seed uint64) {
	Start{Rule: rule, Init: "he", Seed: seed}.Set(e)
}

// Values returns a tensor's initial values, nil for all zeros.
func (s Start) Values(p Param) []float32 {
	w := make([]float32, p.Len())
	draw := quantize.NewNoise(s.Seed).At(uint32(initStream+p.Index), 0)
	uniform := func(a float64) {
		for i := range w {
			w[i] = float32((2*draw.Uniform(i) - 1) * a)
		}
	}
	switch p.Role {
	case Gamma, RunningVar:
		for i := range w {
			w[i] = 1
		}
	case LinearWeight:
		uniform(1 / math.Sqrt(float64(p.FanIn)))
	case ConvWeight:
		init := s.Init
		if s.Rule.Discrete() {
			init = "rademacher"
		}
		switch init {
		case "he":
			scale := math.Sqrt(2 / float64(p.FanIn))
			for i := range w {
				w[i] = float32(draw.Normal(i) * scale)
			}
		case "glorot":
			uniform(math.Sqrt(6 / float64(p.FanIn+p.fanOut())))
		case "torch7":
			uniform(1 / math.Sqrt(float64(p.FanIn)))
		case "uniform":
			uniform(1)
		case "rademacher":
			for i := range w {
				w[i] = float32(1 - 2*int(draw.Bits(i)>>31)) // the top bit is a fair coin
			}
		default:
			panic("network: Start.Values: unknown law " + s.Init)
		}
		if s.Rule == quantize.BC && !s.Unclipped {
			for i := range w {
				w[i] = max(-1, min(1, w[i]))
			}
		}
	default:
		return nil
	}
	return w
}
