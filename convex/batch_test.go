package convex

import (
	"math"
	"testing"
)

// Batches of b: the mean gradient stays, the variance falls as 1/b, exactly.
func TestBatch(t *testing.T) {
	p := NewHuber(-3, 3, 0.2, 0.5, 0, []float64{0.3}, 1)
	one := Sigma(build(p, 1, nil, Root(1), 1))
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
		if s := Sigma(build(q, 1, nil, Root(1), 1)); math.Abs(s*math.Sqrt(float64(b))-one) > 1e-12 {
			t.Errorf("b = %d: sigma = %v, want 1/sqrt(b)", b, s)
		}
	}
	for _, b := range []int{0, -1, 17} {
		if _, err := NewBatch(p, b); err == nil {
			t.Errorf("a batch of %d is accepted", b)
		}
	}
}
