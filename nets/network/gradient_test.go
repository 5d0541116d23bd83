package network

import (
	"math"
	"slices"
	"testing"

	"tqn/quantize"
)

// small are networks with every kind of layer, small enough for finite differences.
func small(t testing.TB) map[string]Model {
	return map[string]Model{
		"vgg9":     mustModel(t, Spec{Net: "vgg9", Input: Shape{8, 8, 2}, Classes: 5, Width: 1. / 16, Depth: 0.5}),
		"resnet56": mustModel(t, Spec{Net: "resnet56", Input: Shape{8, 8, 3}, Classes: 4, Width: 1. / 4, Depth: 2. / 9}),
		"wrn56-2":  mustModel(t, Spec{Net: "wrn56-2", Input: Shape{9, 7, 1}, Classes: 3, Width: 1. / 4, Depth: 1. / 9}),
		"resnet18": mustModel(t, Spec{Net: "resnet18", Input: Shape{17, 15, 3}, Classes: 6, Width: 1. / 16, Depth: 0.5}),
	}
}

func hyper(batch int, rule quantize.Rule) Hyper {
	return Hyper{Batch: batch, Rule: rule, Noise: quantize.NewNoise(5), NormMomentum: 0.1, NormEpsilon: 1e-5, UnbiasedState: true}
}

// randomBatch is a batch of standard normal pixels and uniform labels.
func randomBatch(m Model, n int, seed uint64) ([]float32, []int32) {
	noise := quantize.NewNoise(seed)
	x, labels := make([]float32, n*m.Input.Len()), make([]int32, n)
	for i := range x {
		x[i] = float32(noise.At(0, 0).Normal(i))
	}
	for i := range labels {
		labels[i] = int32(noise.At(1, 0).Bits(i) % uint32(m.Classes))
	}
	return x, labels
}

// randomState sets every tensor to something a gradient can be wrong about: no scale is 1, no shift or bias is 0.
func randomState(e Engine, rule quantize.Rule, seed uint64) {
	Initialise(e, rule, seed)
	noise := quantize.NewNoise(seed + 1)
	for _, p := range e.Model().Params() {
		w := make([]float32, p.Len())
		draw := noise.At(uint32(p.Index), 0)
		switch p.Role {
		case Gamma, RunningVar:
			for i := range w {
				w[i] = float32(0.5 + draw.Uniform(i))
			}
		case Beta, RunningMean, LinearBias:
			for i := range w {
				w[i] = float32(draw.Uniform(i) - 0.5)
			}
		default:
			continue
		}
		e.Set(p.Name, w)
	}
}

// worstGradient compares up to 6 entries of every gradient with central differences of the loss in float64 and
// returns the largest error per tensor, relative to the tensor's largest gradient.
func worstGradient(r *Reference, x []float32, labels []int32, grads map[string][]float64, only ...string) map[string]float64 {
	const h = 1e-5
	loss := func() float64 {
		logits, _ := r.forward(r.model.Layers, widen(x), len(labels), true, nil)
		l, _ := crossEntropy(logits, labels, r.model.Classes)
		return l.Mean()
	}
	worst := map[string]float64{}
	for _, p := range r.params {
		if !p.Trained() || len(only) > 0 && !slices.Contains(only, p.Name) {
			continue
		}
		w, g := r.state[p.Name], grads[p.Name]
		scale := 1e-3 // a gradient below this against a loss near 1 is compared absolutely
		for _, v := range g {
			scale = max(scale, math.Abs(v))
		}
		for k := range min(6, len(w)) {
			i := k * len(w) / min(6, len(w))
			keep := w[i]
			w[i] = keep + h
			up := loss()
			w[i] = keep - h
			down := loss()
			w[i] = keep
			worst[p.Name] = max(worst[p.Name], math.Abs((up-down)/(2*h)-g[i])/scale)
		}
	}
	return worst
}

// differenceTolerance: the central difference errs by h^2 f”'/6 (1e-10 times a third derivative of order 1e3 in these nets)
// and by the loss's rounding, 1e-15/h = 1e-10.
const differenceTolerance = 1e-6

// TestReferenceGradients: every gradient of the reference is the derivative of its loss.
func TestReferenceGradients(t *testing.T) {
	if testing.Short() {
		t.Skip("several seconds, and nothing in it runs beside anything else")
	}
	for name, m := range small(t) {
		r := NewReference(m, hyper(3, quantize.Float))
		randomState(r, quantize.Float, 7)
		x, labels := randomBatch(m, 3, 9)
		_, grads := r.gradients(x, labels)
		overall := 0.0
		for tensor, e := range worstGradient(r, x, labels, grads) {
			overall = max(overall, e)
			if !(e < differenceTolerance) {
				t.Errorf("%s: gradient of %s is off by %.2g", name, tensor, e)
			}
		}
		t.Logf("%s: largest relative error %.2g over %d tensors", name, overall, len(grads))

		// Planted defect: each of a few tensors' gradients a tenth of a percent too large must show.
		for _, tensor := range []string{"conv_1.weight", "bn_2.gamma", "bn_1.beta", "linear_1.weight"} {
			g := grads[tensor]
			for i := range g {
				g[i] *= 1.001
			}
			if e := worstGradient(r, x, labels, grads, tensor)[tensor]; e < differenceTolerance {
				t.Errorf("%s: planted defect in %s not seen (%.2g)", name, tensor, e)
			}
		}
	}
}
