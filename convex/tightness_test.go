package convex

import (
	"context"
	"math"
	"reflect"
	"slices"
	"testing"

	"tqn/bounds"
	"tqn/quantize"
)

// The search is the check that no small instance breaks a derived bound, and that
// it finds what is known to be tight.
func TestNoSmallInstanceBreaksADerivedBound(t *testing.T) {
	if testing.Short() {
		t.Skip("several seconds: TestTheSearchIsAFunctionOfTheSeed runs the same search on fewer instances")
	}
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

// The floor of BC with Q_s: the closed form of the worst kink, the sharp bound within phi^5/8 of it, the separable one attained, and two thirds of the bound violated by a run.
func TestWorstKink(t *testing.T) {
	last := 0.0
	for _, mu := range []float64{0.9, 0.5, 0.1, 0.01, 0.001, 0} {
		k := WorstKink(mu)
		p := bounds.Parameters{Dim: 1, Delta: 1, G: 1, Mu: mu, L: 1, L2: math.NaN(), Diameter: math.NaN(), T: 1 << 40}
		claim := bounds.Theorem4
		if mu == 0 {
			p.Diameter, p.C, claim = 1, 1, bounds.Theorem3
		}
		v, err := claim(bounds.Sharp, bounds.Stochastic, p)
		if err != nil {
			t.Fatal(err)
		}
		if math.Abs(v.Floor-k.Floor) > 1e-15 {
			t.Errorf("mu = %v: floor %v, the bound's is %v", mu, k.Floor, v.Floor)
		}
		if v, err = claim(bounds.Separable, bounds.Stochastic, p); err != nil || k.Gap > v.Floor*(1+1e-12) || mu == 0 && k.Gap < v.Floor*(1-1e-12) {
			t.Errorf("mu = %v: the gap is %v, the separable floor %v, %v", mu, k.Gap, v.Floor, err)
		}
		ratio := k.Gap / k.Floor
		if !(ratio > last && ratio < 1) {
			t.Errorf("mu = %v: measured/bound %v after %v", mu, ratio, last)
		}
		last = ratio
	}
	if want := 8 / math.Pow(math.Phi, 5); math.Abs(last-want) > 1e-12 {
		t.Errorf("measured/bound %v at mu = 0, in closed form %v", last, want)
	}
	k := WorstKink(0.01)
	in, err := NewInstance(NewKinked(0, 1, 0.01, 1, k.Kink-k.Center, []float64{k.Center}, 0), 1, []float64{0}, Strong(0.01), 1_000_000)
	if err != nil {
		t.Fatal(err)
	}
	got := NewRunner(in, quantize.BCStochastic).Run(quantize.NewNoise(seed(t)), 0, nil).Average
	if math.Abs(got-k.Gap) > 0.03*k.Gap || got < 2*k.Floor/3 {
		t.Errorf("BC ends at %v, the limit is %v, two thirds of the floor %v", got, k.Gap, 2*k.Floor/3)
	}
}

// Functions on one cell whose second derivative takes any values between mu and L on 16 pieces: climbing from random ones never gets above one kink.
func TestOneKinkIsWorst(t *testing.T) {
	const pieces, starts, moves = 16, 12, 3000
	grid := 1. / pieces
	for _, mu := range []float64{0, 0.1, 0.5} {
		// gap of the function with these second derivatives and slope -p at 0, where the interpolated slope vanishes.
		gap := func(bend []float64, p float64) float64 {
			end := -p
			for _, v := range bend {
				end += v * grid
			}
			if !(p > 0 && end > 0) {
				return -1
			}
			z := p / (p + end)
			// F(z) - F*: the integral of the slope from its zero to z.
			var f, least float64
			slope, at := -p, math.Inf(1)
			for i, v := range bend {
				x := float64(i) * grid
				area := func(h float64) float64 { return slope*h + v*h*h/2 }
				if slope <= 0 && slope+v*grid >= 0 && v > 0 {
					least = f + area(-slope/v)
				}
				if at > 1 && z <= x+grid {
					at = f + area(z-x)
				}
				f += area(grid)
				slope += v * grid
			}
			return at - least
		}
		limit := WorstKink(mu).Gap
		noise := quantize.NewNoise(seed(t))
		best := 0.0
		for start := range starts {
			d := noise.At(uint32(start), 0)
			next := 0
			draw := func() float64 { next++; return d.Uniform(next) }
			bend := make([]float64, pieces)
			for i := range bend {
				bend[i] = mu + (1-mu)*math.Round(draw())
			}
			p := 0.3 * draw()
			f := gap(bend, p)
			for range moves {
				b, q := slices.Clone(bend), p
				switch i, j := int(draw()*pieces), int(draw()*pieces); int(draw() * 3) {
				case 0:
					q = math.Abs(p + 0.1*(draw()-0.5)*draw())
				case 1:
					b[i] = mu + (1-mu)*draw()
				default:
					for k := min(i, j); k <= max(i, j); k++ {
						b[k] = mu + (1-mu)*math.Round(draw())
					}
				}
				if g := gap(b, q); g > f {
					bend, p, f = b, q, g
				}
			}
			best = max(best, f)
		}
		if best > limit*(1+1e-9) || best < 0.98*limit {
			t.Errorf("mu = %v: climbing finds %v, one kink gives %v", mu, best, limit)
		}
	}
}
