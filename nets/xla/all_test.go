package xla

import (
	"math"
	"testing"
	"time"

	"tqn/nets"
	"tqn/quantize"
)

func TestAll(t *testing.T) {
	c := need(t)
	for _, net := range nets.Nets() {
		m, err := nets.NewModel(nets.Spec{Net: net, Input: nets.Shape{H: 16, W: 16, C: 3}, Classes: 10, Width: 0.25, Depth: 0.34})
		if err != nil {
			t.Fatal(err)
		}
		h := nets.Hyper{Batch: 8, Rule: quantize.Float, Noise: quantize.NewNoise(1), NormMomentum: 0.1, NormEpsilon: 1e-5, UnbiasedState: true}
		e, err := New(c, c.Devices[0], m, h, F32)
		if err != nil {
			t.Fatal(err)
		}
		ref := nets.NewReference(m, h)
		nets.Initialise(ref, h.Rule, 1)
		nets.Initialise(e, h.Rule, 1)
		x := make([]float32, 8*m.Input.Len())
		d := quantize.NewNoise(5).At(1, 1)
		for i := range x {
			x[i] = float32(d.Normal(i))
		}
		labels := []int32{0, 1, 2, 3, 4, 5, 6, 7}
		t0 := time.Now()
		a, err := e.Step(x, labels, 0.01, 1)
		t1 := time.Now()
		b, err2 := ref.Step(x, labels, 0.01, 1)
		t.Log(net, len(StepProgram(m, h, F32)), t1.Sub(t0), time.Since(t1), a, err, b, err2)
		worst, worstName := 0.0, ""
		for _, ts := range e.Tensors() {
			g, r := make([]float32, ts.Len()), make([]float32, ts.Len())
			e.Get(ts.Name, g)
			ref.Get(ts.Name, r)
			var num, den float64
			for i := range g {
				num += math.Pow(float64(g[i]-r[i]), 2)
				den += math.Pow(float64(r[i]), 2)
			}
			if rel := math.Sqrt(num / den); rel > worst && ts.Name[len(ts.Name)-2:] == ".m" {
				worst, worstName = rel, ts.Name
			}
		}
		t.Log(net, worst, worstName)
		e.Close()
	}
}
