package convex

import (
	"math"
	"slices"
	"strings"
	"testing"

	"tqn/bounds"
	"tqn/quantize"
)

func staircase(t *testing.T, T int, k, side, slack, own float64) *Staircase {
	t.Helper()
	s, err := NewStaircase(T, k, side, slack, own)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// The member that Run replays, step by step with its coordinates, has the gaps that the recursion says, and its average is the mean of them.
func TestStaircaseIsWhatItSays(t *testing.T) {
	s := staircase(t, 128, 1.3, 0.15, 0.01, 0.05)
	lower, upper, err := s.Mean()
	if err != nil {
		t.Fatal(err)
	}
	if !(lower < upper && upper < lower+1e-12) {
		t.Errorf("the mean is enclosed in [%v, %v]", lower, upper)
	}
	a, err := s.Affine()
	if err != nil {
		t.Fatal(err)
	}
	w, average := append([]float64(nil), a.Start...), make([]float64, len(a.Start))
	values := make([]float64, len(a.Slope))
	for step := 1; step <= s.T; step++ {
		a.pieces(values, w)
		best, margin := largest(values)
		if best != step-1 || margin <= 0 || math.Abs(values[best]-a.Offset[best]-s.gap[step]) > 1e-12 {
			t.Fatalf("step %d: piece %d with value %v, ahead by %v; want piece %d and the gap %v", step, best+1, values[best], margin, step, s.gap[step])
		}
		if g := a.Slope[best]; math.Abs(dot(g, g)-1) > 1e-12 {
			t.Errorf("step %d: a slope of length %v", step, math.Sqrt(dot(g, g)))
		}
		for k := range w {
			average[k] += w[k] / float64(s.T)
			w[k] -= a.C / math.Sqrt(float64(step)) * a.Slope[best][k]
		}
		a.project(w)
	}
	a.pieces(values, average)
	if best, _ := largest(values); math.Abs(values[best]-lower) > 2*a.Offset[0] {
		t.Errorf("F(wbar) = %v, the mean of the gaps %v", values[best], lower)
	}
	r, err := a.Run()
	if err != nil {
		t.Fatal(err)
	}
	if math.Abs(r.Lower-lower) > 2e-3*lower || math.Abs(r.G-1) > 1e-9 || r.Diameter > 1+1e-6 {
		t.Errorf("%+v, want a gap of about %v, G = 1 and D <= 1", r, lower)
	}
	var first []int
	for run := range 5 {
		gap, order := a.SR(r.Delta, quantize.NewNoise(seed(t)), uint32(run))
		if first == nil {
			first = order
		}
		if !slices.Equal(order, first) || gap < r.Lower || gap > r.Upper {
			t.Errorf("run %d of SR: gap %v, certified [%v, %v]", run, gap, r.Lower, r.Upper)
		}
	}
}

// The family comes closer to the bound of the form moving as T grows, for steps near each of the two critical ones and long ones.
func TestStaircaseComesCloseToTheBound(t *testing.T) {
	reach := func(T int, k, side, slack float64) float64 {
		s := staircase(t, T, k, side, slack, 0)
		lower, upper, err := s.Mean()
		if err != nil {
			t.Fatalf("T = %d, c = %v D/G: %v", T, k, err)
		}
		v, err := bounds.Theorem2(bounds.Moving, bounds.Stochastic, s.Parameters())
		if err != nil {
			t.Fatal(err)
		}
		if upper > v.Total() {
			t.Errorf("T = %d, c = %v D/G: %v, above the bound %v", T, k, upper, v.Total())
		}
		return lower / v.Total()
	}
	last := 0.0
	for _, x := range staircaseMembers {
		ratio := reach(x.T, x.k, x.side, x.slack)
		t.Logf("T = %d, c = %v D/G: %v of the bound", x.T, x.k, ratio)
		if ratio < last {
			t.Errorf("T = %d: %v of the bound after %v: want it to grow with T", x.T, ratio, last)
		}
		last = ratio
	}
	// What is missing falls as T^(-1/3), the width of W being chosen for T.
	for _, k := range []float64{0.5, 0.6, 1.0837, 1.5} {
		last := 0.0
		for _, T := range []int{1 << 13, 1 << 15, 1 << 17} {
			size := float64(T)
			ratio := reach(T, k, 0.6*math.Pow(size, -1./6), 1/math.Sqrt(size))
			t.Logf("T = %d, c = %v D/G: %v of the bound", T, k, ratio)
			if want := 1 - 1.5/math.Cbrt(size)*max(1, k); ratio < want || ratio < last {
				t.Errorf("T = %d, c = %v D/G: %v of the bound, want %v and more than %v", T, k, ratio, want, last)
			}
			last = ratio
		}
	}
}

// flatter is a member whose products all are larger by more/T, so that the gap falls too early and the iterate goes away from the origin.
func flatter(t *testing.T, T int, k, side, slack, more float64) *Staircase {
	s := staircase(t, T, k, side, slack, 0)
	for i := s.From; i < s.T; i++ {
		s.gamma[i] += more / float64(T)
	}
	return s
}

// What would make the argument false is told.
func TestFalseStaircasesAreRefused(t *testing.T) {
	for says, spoil := range map[string]func(s *Staircase){
		"gamma does not increase": func(s *Staircase) { s.gamma[3000] += 0.01 },
		"no room for gradient":    func(s *Staircase) { s.gamma[s.T-1] = 1 },
		"the gap":                 func(s *Staircase) { s.gamma[s.T-2], s.gamma[s.T-1] = 0.7, 0.7 },
		"active again":            func(s *Staircase) { s.gamma[s.From] *= 3.5 },
		"farther from the end":    func(s *Staircase) { s.gamma[s.From] *= 1.5 },
		"two iterates":            func(s *Staircase) { *s = *staircase(t, 4096, 1.15, 0.35, 0.02, 0) },
		"not above the next":      func(s *Staircase) { s.next *= 1.1 },
		"iterate 1424 at":         func(s *Staircase) { s.first, s.next = s.From-1, s.next*1.1 }, // where the staircase begins
		"iterate 2450 at":         func(s *Staircase) { *s = *flatter(t, 4096, 1.15, 0.1, 0.02, 1.4) },
		"swings":                  func(s *Staircase) { *s = *staircase(t, 4096, 0.85, 0.2, 0.02, 0); s.first = 1 },
	} {
		s := staircase(t, 4096, 1.15, 0.2, 0.02, 0)
		if _, _, err := s.Mean(); err != nil {
			t.Fatal(err)
		}
		spoil(s)
		if x, _, err := s.Mean(); err == nil || !strings.Contains(err.Error(), says) {
			t.Errorf("planted %q: %v, %v", says, x, err)
		}
	}
	for _, x := range []struct{ k, side, slack float64 }{{0.49, 0.25, 0.01}, {1.3, 0, 0.01}, {1.3, 0.25, -1}, {math.NaN(), 0.25, 0.01}} {
		if s, err := NewStaircase(128, x.k, x.side, x.slack, 0); err == nil {
			t.Errorf("%+v: %+v", x, s)
		}
	}
	if _, err := staircase(t, 128, 1.3, 0.2, 0.01, 0).Affine(); err == nil {
		t.Error("the limit is taken for a run")
	}
}
