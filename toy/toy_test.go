package toy

import (
	"context"
	"errors"
	"fmt"
	"math"
	"runtime"
	"strings"
	"testing"

	"tqn/markov"
	"tqn/quantize"
)

// The gradient is the derivative of equation (8), whose pieces meet as the comment says.
func TestObjective(t *testing.T) {
	for w := -2.9; w < 8; w += 0.0873 {
		const h = 1e-6
		if Basin(w-h) != Basin(w+h) {
			continue
		}
		if d := (Objective(w+h) - Objective(w-h)) / (2 * h); math.Abs(d-Gradient(w)) > 1e-8 {
			t.Errorf("f'(%g) = %g, difference quotient %g", w, Gradient(w), d)
		}
	}
	for _, c := range []struct{ w, left, right float64 }{{1, 3, 3}, {3.5, 1.75, 1.7525}} {
		if l := Objective(math.Nextafter(c.w, 0)); math.Abs(l-c.left) > 1e-12 || math.Abs(Objective(c.w)-c.right) > 1e-12 {
			t.Errorf("at %g: %g and %g, want %g and %g", c.w, l, Objective(c.w), c.left, c.right)
		}
	}
	for i, w := range Minimisers {
		if Gradient(w) != 0 || Basin(w) != i {
			t.Errorf("%g is not the minimiser of basin %d", w, i)
		}
	}
}

// A trajectory is frozen: the counts of 1e6 iterations of SR and of 1e4 of BC, as a hash.
func TestTrajectoriesAreFrozen(t *testing.T) {
	if runtime.GOARCH != "amd64" {
		t.Skip("other compilers may fuse multiplication and addition, which changes a step's last place")
	}
	p := must(NewProblem(0.5, 4))
	hash := func(counts []int64) uint64 {
		h := uint64(14695981039346656037) // FNV-1a
		for _, c := range counts {
			for i := range 8 {
				h = (h ^ uint64(c)>>(8*i)&255) * 1099511628211
			}
		}
		return h
	}
	if got := fmt.Sprintf("%x", hash(p.SimulateSR(0.1, 1_000_000, 1))); got != frozenSR {
		t.Errorf("SR: %s, want %s", got, frozenSR)
	}
	if got := fmt.Sprintf("%x", hash(p.simulate(quantize.BC, 0.1, 10_000, 1))); got != frozenBC {
		t.Errorf("BC: %s, want %s", got, frozenBC)
	}
}

const (
	frozenSR = "ad4f049cf168fc1f"
	frozenBC = "782914445c317817"
)

// The chi-square of histograms is calibrated: over 100 fixed seeds the p-values of
// a right histogram are uniform (Kolmogorov's distance below its 1e-4 critical value), and
// a histogram of SR with a quarter more noise (planted defect) is found out.
func TestChiSquareIsCalibrated(t *testing.T) {
	p := must(NewProblem(0.5, 4))
	wrong := must(NewProblem(0.5, 5))
	const alpha, iterations, seeds = 0.05, 50_000, 100
	c := must(p.SR().Chain(alpha))
	pi := must(c.Stationary())
	start, _ := p.Grid.Index(Start)
	expected := c.Occupation(start, iterations)
	bins := make([]int, 20)
	small := 0
	for seed := range uint64(seeds) {
		r := must(p.SRRow(alpha, iterations, seed))
		bins[min(19, int(20*r.PValue))]++
		chi, freedom, err := chiSquare(c, wrong.SimulateSR(alpha, iterations, seed), expected, pi)
		if err != nil {
			t.Fatal(err)
		}
		if chi > float64(freedom)+6*math.Sqrt(2*float64(freedom)) {
			small++
		}
	}
	worst, sum := 0.0, 0
	for i, b := range bins {
		sum += b
		worst = max(worst, math.Abs(float64(sum)/seeds-float64(i+1)/20))
	}
	t.Logf("Kolmogorov distance %.3f; defect seen in %d of %d", worst, small, seeds)
	if worst > 2.23/math.Sqrt(seeds) {
		t.Errorf("p-values %v are not uniform: distance %.3f", bins, worst)
	}
	if small < seeds/2 {
		t.Errorf("a quarter more noise is seen in %d of %d histograms only", small, seeds)
	}
}

// Figure 2's message, exactly: shrinking alpha concentrates BC's law, not SR's; SR's
// law converges to pi~ and a larger batch concentrates pi~.
func TestBCConcentratesAndSRDoesNot(t *testing.T) {
	p := must(NewProblem(0.5, 4))
	limit := must(must(p.SR().Limit(0.01)).Stationary())
	last := math.Inf(1)
	for _, alpha := range []float64{0.1, 0.05, 0.02, 0.01} {
		bc := must(p.BCRow(alpha, 20_000, 1))
		sr := must(p.SRRow(alpha, 20_000, 1))
		if !(bc.Entropy < last-0.1) {
			t.Errorf("alpha = %g: BC's entropy %g does not fall from %g", alpha, bc.Entropy, last)
		}
		last = bc.Entropy
		if sr.Entropy < Entropy(limit)-1e-9 {
			t.Errorf("alpha = %g: SR's entropy %g is below that of its limit %g", alpha, sr.Entropy, Entropy(limit))
		}
		if bc.Refinement > 2e-3 {
			t.Errorf("alpha = %g: halving Ulam's cells moves the law by %g", alpha, bc.Refinement)
		}
		if bc.TV > 0.05 || sr.TV > 0.1 {
			t.Errorf("alpha = %g: histograms at distance %g (BC) and %g (SR) from the laws", alpha, bc.TV, sr.TV)
		}
	}
	big := p
	big.Noise = p.Noise / 32 // a batch of 1024
	if e := Entropy(must(must(big.SR().Limit(0.01)).Stationary())); math.Abs(e-math.Ln2) > 1e-3 {
		t.Errorf("batch 1024: entropy %g, want log 2", e)
	}
}

func TestFigure1And3(t *testing.T) {
	f := newFigure1([]float64{1, 0.1, 1e-6})
	for i, row := range f.Rows[1:] {
		if d := math.Abs(row.RightGivenMove - f.RightGivenMove); d > 1e-8 {
			t.Errorf("row %d: P(right|moved) differs from its limit by %g", i, d)
		}
		if row.Right/row.Alpha-f.Rows[2].Right/1e-6 > 1e-8 {
			t.Errorf("row %d: P(right)/alpha is not constant", i)
		}
	}
	g := must(newFigure3())
	for _, h := range g.Chains {
		if markov.TotalVariation(h.Stationary, g.Stationary) > 1e-15 {
			t.Errorf("halving changes the stationary law to %v", h.Stationary)
		}
		if d := h.Distance; d[h.Mixing] > Figure3Eps || d[h.Mixing-1] <= Figure3Eps {
			t.Errorf("M = %d is not where the curve passes eps", h.Mixing)
		}
	}
}

func TestOptionsAreChecked(t *testing.T) {
	for name, c := range map[string]struct {
		change func(*Options)
		want   string
	}{
		"delta 0.3":           {func(o *Options) { o.Delta = 0.3 }, "whole number"},
		"noise 0":             {func(o *Options) { o.Noise = 0 }, "noise 0"},
		"noise infinite":      {func(o *Options) { o.Noise = math.Inf(1) }, "noise +Inf"},
		"noise too small":     {func(o *Options) { o.Noise = 0.3 }, "noise 0.3 is too far from the slopes for float64, in which some of the steps have the probability 0: toy: markov: more than one closed class, for batches of "},
		"noise is NaN":        {func(o *Options) { o.Noise = math.NaN() }, "noise NaN"},
		"iterations 0":        {func(o *Options) { o.Iterations = 0 }, "0 iterations"},
		"iterations too many": {func(o *Options) { o.Iterations = 1 << 32 }, "4294967296 iterations"},
		"no alpha":            {func(o *Options) { o.Alphas = nil }, "no learning rate"},
		"alpha NaN":           {func(o *Options) { o.Alphas = []float64{math.NaN()} }, "alpha = NaN"},
		"alpha 1e-9":          {func(o *Options) { o.Alphas = []float64{1e-9} }, "alpha = 1e-09"},
		"alpha 101":           {func(o *Options) { o.Alphas = []float64{101} }, "alpha = 101"},
		"start off grid":      {func(o *Options) { o.Delta = 11 }, "start"},
		"too many points":     {func(o *Options) { o.Delta = 0x1p-10 }, "points"},
	} {
		o := Default
		c.change(&o)
		// What the check lets through ends at the first piece of work.
		ctx, stop := context.WithCancel(t.Context())
		stop()
		if _, err := Run(ctx, o); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, want an error with %q", name, err, c.want)
		}
	}
}

// Simulations of no sensible length or learning rate are the caller's mistake.
func TestSimulationsRefuseNonsense(t *testing.T) {
	p, err := NewProblem(0.5, 4)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		alpha      float64
		iterations int
	}{{0, 1}, {math.NaN(), 1}, {math.Inf(1), 1}, {1, -1}, {1, 1 << 32}} {
		func() {
			defer func() {
				if r := recover(); r == nil || !strings.Contains(fmt.Sprint(r), "toy: Simulate: alpha = ") {
					t.Errorf("%+v: %v", c, r)
				}
			}()
			p.check("Simulate", c.alpha, c.iterations)
		}()
	}
}

// Run ends with its context, after the piece that it is at.
func TestRunEndsWithItsContext(t *testing.T) {
	ctx, stop := context.WithCancel(t.Context())
	o, pieces := Default, 0
	o.Iterations = 100
	o.Progress = func(int, int, string) { pieces++; stop() }
	if _, err := Run(ctx, o); !errors.Is(err, context.Canceled) || pieces != 1 {
		t.Errorf("%d pieces were done (%v), want one and the context's error", pieces, err)
	}
}

func ExampleProblem_SRRow() {
	p, _ := NewProblem(0.5, 4)
	for _, alpha := range []float64{0.1, 0.01, 0.001} {
		r, _ := p.SRRow(alpha, 1000, 1)
		fmt.Printf("alpha = %g: entropy of SR's exact law %.4f\n", alpha, r.Entropy)
	}
	// Output:
	// alpha = 0.1: entropy of SR's exact law 2.1841
	// alpha = 0.01: entropy of SR's exact law 1.9548
	// alpha = 0.001: entropy of SR's exact law 1.9548
}
