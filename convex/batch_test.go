package convex

import (
	"math"
	"testing"
)

// Batches of b: the mean gradient stays, the variance falls as 1/b, exactly.
func TestBatch(t *testing.T) {
	p := NewHuber(-3, 3, 0.2, 0.5, 0, []float64{0.3}, 1)
	one := sigmaOf(build(p, 1, nil, Root(1), 1))
	if math.Abs(one-1) > 1e-12 {
		t.Errorf("sigma = %v, want 1", one)
	}
	for _, b := range []int{1, 2, 5, 8} {
		q, err := NewBatch(p, b)
		if err != nil {
			t.Fatal(err)
		}
		if err := Probe(q, seed(t), 200); err != nil {
			t.Error(err)
		}
		if s := sigmaOf(build(q, 1, nil, Root(1), 1)); math.Abs(s*math.Sqrt(float64(b))-one) > 1e-12 {
			t.Errorf("b = %d: sigma = %v, want 1/sqrt(b)", b, s)
		}
	}
	for _, b := range []int{0, -1, 17} {
		if _, err := NewBatch(p, b); err == nil {
			t.Errorf("a batch of %d is accepted", b)
		}
	}
}

// sigmaOf is sqrt of the largest E|g - grad F|^2 over the grid points of an instance, the only places where SR takes a gradient. It goes over all of them.
func sigmaOf(in Instance) float64 {
	p, d := in.Problem, in.Problem.Dim()
	w, g, mean := make([]float64, d), make([]float64, d), make([]float64, d)
	var worst float64
	for x := range int(math.Pow(float64(in.Grid.Len()), float64(d))) {
		for k, r := d-1, x; k >= 0; k, r = k-1, r/in.Grid.Len() {
			w[k] = in.Grid.Point(r % in.Grid.Len())
		}
		p.Gradient(mean, w)
		var e float64
		for i := range p.Terms() {
			p.TermGradient(g, w, i)
			for k := range g {
				e += (g[k] - mean[k]) * (g[k] - mean[k]) / float64(p.Terms())
			}
		}
		worst = max(worst, e)
	}
	return math.Sqrt(worst) * (1 + 1e-13)
}
