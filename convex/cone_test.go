package convex

import (
	"math"
	"testing"

	"tqn/bounds"
	"tqn/quantize"
)

// No gradient at a grid point of the cone points along x, so BC with Q_s, and SR, and BC with Q_d stay at the floor for any number of steps of any length; the sharp floor of Theorem 3 is above it by d/(d-1) in
// the limit of many cells, which is less than the 1.386 left in one dimension from d = 4 on.
func TestCone(t *testing.T) {
	for _, c := range []struct{ d, cells int }{{2, 3}, {4, 9}, {9, 31}} {
		p := NewCone(c.d, c.cells, 2, 0.5)
		if err := Probe(p, seed(t), 2000); err != nil {
			t.Fatal(err)
		}
		in, err := NewInstance(p, 0.5, p.Start(0.5), Root(0.3), 3000)
		if err != nil {
			t.Fatal(err)
		}
		draw := quantize.NewNoise(seed(t)).At(1, 2)
		w, g := make([]float64, c.d), make([]float64, c.d)
		for n := range 2000 {
			for k := range w {
				w[k] = in.Grid.Point(int(draw.Uniform(n*c.d+k) * float64(in.Grid.Len())))
			}
			w[0] = p.hi
			if p.Gradient(g, w); g[0] != 0 {
				t.Fatalf("d = %d: the gradient at %v has the x part %v", c.d, w, g[0])
			}
		}
		for _, rule := range []quantize.Rule{quantize.BCStochastic, quantize.BC, quantize.SR} {
			if o := NewRunner(in, rule).Run(quantize.NewNoise(seed(t)), 0, nil); o.Average < p.Floor()*(1-1e-12) || o.MeanGap < p.Floor()*(1-1e-12) {
				t.Errorf("d = %d, rule %v: gap %v, mean %v, below the floor %v", c.d, rule, o.Average, o.MeanGap, p.Floor())
			}
		}
		q := in.Parameters(1 << 50)
		v, err := bounds.Theorem3(bounds.Sharp, bounds.Stochastic, q)
		if err != nil || p.Floor() > v.Floor {
			t.Errorf("d = %d: floor %v above the bound's %v, %v", c.d, p.Floor(), v.Floor, err)
		}
		if r := p.Floor() / v.Floor; c.d == 9 && math.Abs(r-8./9) > 0.01 {
			t.Errorf("d = 9: %v of the sharp floor, want about 8/9", r)
		}
		// Where rounding plays no part the same start reaches the minimum.
		in.T, in.Schedule = 200_000, Root(2*p.hi/p.tilt/math.Sqrt(200_000))
		if o := NewRunner(in, quantize.Float).Run(quantize.NewNoise(0), 0, nil); o.Last > p.Floor()/2 {
			t.Errorf("d = %d: without rounding the gap ends at %v", c.d, o.Last)
		}
	}
}
