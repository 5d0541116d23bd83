package referee

import (
	"math"
	"testing"

	"gonum.org/v1/gonum/stat/distuv"

	"tqn/toy"
)

// E|step| under the stationary law, summed from the Gaussian's mean absolute value, less what the box stops.
func TestLaws(t *testing.T) {
	laws, err := Laws()
	if err != nil {
		t.Fatal(err)
	}
	p, err := toy.NewProblem(toy.Default.Delta, toy.Default.Noise)
	if err != nil {
		t.Fatal(err)
	}
	c, err := p.SR().Limit(1e-6)
	if err != nil {
		t.Fatal(err)
	}
	pi, err := c.Stationary()
	if err != nil {
		t.Fatal(err)
	}
	want := 0.0
	for i, w := range pi {
		g, z := toy.Gradient(p.Grid.Point(i)), distuv.UnitNormal
		up := p.Noise*z.Prob(g/p.Noise) - g*z.CDF(-g/p.Noise) // E[(-g)+]
		if i > 0 {
			want += w * (up + g) / p.Grid.Delta // E[g+] = E[(-g)+] + g
		}
		if i < len(pi)-1 {
			want += w * up / p.Grid.Delta
		}
	}
	byAlpha, byBatch := laws[:3], laws[3:]
	if got := byBatch[0].Moves; math.Abs(got/want-1) > 1e-9 {
		t.Errorf("moves %g, want %g", got, want)
	}
	for i := range byAlpha {
		if r := byAlpha[i].Moves / want; math.Abs(r-1) > 1e-3 {
			t.Errorf("alpha %g: moves over alpha are %g of the limit's", byAlpha[i].Alpha, r)
		}
	}
	for i := 1; i < len(byBatch); i++ {
		if a, b := byBatch[i-1], byBatch[i]; !(b.Entropy < a.Entropy && b.GlobalMass > a.GlobalMass && b.Moves < a.Moves) {
			t.Errorf("batch %g is not greedier than batch %g: %+v, %+v", b.Batch, a.Batch, b, a)
		}
	}
}
