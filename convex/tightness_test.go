package convex

import (
	"context"
	"math"
	"reflect"
	"testing"

	"tqn/bounds"
	"tqn/quantize"
)

// The search is the check that no small instance breaks a derived bound, and that
// it finds what is known to be tight.
func TestNoSmallInstanceBreaksADerivedBound(t *testing.T) {
	found, err := Tightness(context.Background(), seed(t), 6, []string{"theorem3", "corollary1"}, nil)
	if err != nil {
		t.Fatal(err)
	}
	for _, w := range found {
		if w.Found > 1 {
			t.Errorf("%s, %s, %s: measured/bound = %v on %s", w.Claim, w.Rounding, w.Form, w.Found, w.Instance)
		}
		if w.Found < w.Best || w.Best < w.Median {
			t.Errorf("%s: median %v, best random %v, found %v", w.Claim, w.Median, w.Best, w.Found)
		}
		product := 1.0
		for _, l := range w.Losses {
			product *= l.Factor
		}
		if len(w.Losses) > 0 && math.Abs(product*w.Found-1) > 1e-9 {
			t.Errorf("%s, %s, %s: the losses multiply to %v, bound/measured is %v", w.Claim, w.Rounding, w.Form, product, 1/w.Found)
		}
	}
}

// The limits that the floors are fitted on agree with long runs.
func TestLimitsAgreeWithLongRuns(t *testing.T) {
	p := NewHalfCubic(-1, 1, 1, 2, []float64{0.25}, 0)
	in := instance(t, p, 0.5, Strong(1), 30_000)
	r, err := MonteCarlo(context.Background(), in, quantize.BCStochastic, quantize.NewNoise(seed(t)), 0, nil, Sampling{Alpha: 1e-9, Max: 64})
	if err != nil {
		t.Fatal(err)
	}
	if want := LimitBC(p, in.Grid, bounds.Stochastic); math.Abs(r.Estimate-want) > 0.1*want+2e-4 {
		t.Errorf("BC with Q_s: %v after 30000 steps, the limit is %v", r.Estimate, want)
	}
	q := NewQuadratic(-1, 1, []float64{1}, []float64{0.1}, 0)
	in, err = NewInstance(q, 1, []float64{1}, Strong(1), 100_000)
	if err != nil {
		t.Fatal(err)
	}
	got := NewRunner(in, quantize.BC).Run(quantize.NewNoise(1), 0, nil).Average
	if want := LimitBC(q, in.Grid, bounds.Nearest); math.Abs(got-want) > 1e-2*want {
		t.Errorf("BC with Q_d: %v after 1e5 steps, the limit is %v", got, want)
	}
	tight := Tight(1, 1, 1, 0)
	in = instance(t, tight, 1, Root(1), 10_000)
	average, err := AverageLaw(in)
	if err != nil {
		t.Fatal(err)
	}
	if want := LimitSR(tight); math.Abs(average-want) > 0.03*want {
		t.Errorf("SR: %v after 10000 steps, the limit is %v", average, want)
	}
}

func TestFloorExponents(t *testing.T) {
	slopes, err := Floors()
	if err != nil {
		t.Fatal(err)
	}
	for i, want := range []float64{1, 0.5, 1, 1, 4, 2, 1} {
		if s := slopes[i]; math.Abs(s.B-want) > 0.15 || !(s.Lower <= s.B && s.B <= s.Upper) {
			t.Errorf("%s: exponent %v in [%v, %v], want about %v", s.What, s.B, s.Lower, s.Upper, want)
		}
	}
	// A power law is recovered exactly, and a planted wrong exponent is told apart.
	x := []float64{1, 2, 4, 8}
	if s := fit("", "", x, []float64{3, 12, 48, 192}); math.Abs(s.B-2) > 1e-12 || s.Upper-s.Lower > 1e-6 {
		t.Errorf("3 x^2: exponent %v in [%v, %v]", s.B, s.Lower, s.Upper)
	}
	if s := fit("", "", x, []float64{3, 12.1, 47, 193}); s.Lower <= 1.5 || s.Upper >= 2.5 {
		t.Errorf("about 3 x^2: [%v, %v] does not exclude 1.5 and 2.5", s.Lower, s.Upper)
	}
}

func TestTheSearchIsAFunctionOfTheSeed(t *testing.T) {
	run := func() []Worst {
		w, err := Tightness(context.Background(), seed(t), 2, []string{"corollary1"}, nil)
		if err != nil {
			t.Fatal(err)
		}
		return w
	}
	if a, b := run(), run(); !reflect.DeepEqual(a, b) {
		t.Error("two searches with one seed differ")
	}
}
