package nets

import (
	"math"

	"tqn/quantize"
)

// initStream is added to a parameter's index to give the noise stream of its initial values; its update draws from the
// stream of the index itself, at steps >= 1.
const initStream = 1 << 16

// Initialise sets an engine's whole state to a run's start: weights drawn from the seed as [Config.Init] says,
// batch-norm scales 1, shifts 0, running means 0 and variances 1, zero biases, zero moments.
//
//	rule        convolutions                                        linear layers
//	Float       N(0, 2/fan-in)                                      U(-1/sqrt(fan-in), 1/sqrt(fan-in))
//	BC          the same, clipped to [-1, 1]                        the same
//	SR, R       -1 or +1 with probability 1/2 (Appendix H.3)        the same
func Initialise(e Engine, rule quantize.Rule, seed uint64) {
	for _, t := range e.Tensors() { // moments included
		e.Set(t.Name, make([]float32, t.Len()))
	}
	for _, p := range e.Model().Params() {
		if w := InitialValues(p, rule, seed); w != nil {
			e.Set(p.Name, w)
		}
	}
}

// InitialValues returns a tensor's initial values, nil for all zeros.
func InitialValues(p Param, rule quantize.Rule, seed uint64) []float32 {
	w := make([]float32, p.Len())
	draw := quantize.NewNoise(seed).At(uint32(initStream+p.Index), 0)
	switch p.Role {
	case Gamma, RunningVar:
		for i := range w {
			w[i] = 1
		}
	case LinearWeight:
		scale := 1 / math.Sqrt(float64(p.FanIn))
		for i := range w {
			w[i] = float32((2*draw.Uniform(i) - 1) * scale)
		}
	case ConvWeight:
		if rule.Discrete() {
			for i := range w {
				w[i] = float32(1 - 2*int(draw.Bits(i)>>31)) // the top bit is a fair coin
			}
			break
		}
		scale := math.Sqrt(2 / float64(p.FanIn))
		for i := range w {
			w[i] = float32(draw.Normal(i) * scale)
			if rule != quantize.Float {
				w[i] = max(-1, min(1, w[i]))
			}
		}
	default:
		return nil
	}
	return w
}
