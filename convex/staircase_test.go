package convex

import (
	"math"
	"slices"
	"strings"
	"testing"

	"tqn/bounds"
	"tqn/quantize"
)

func staircase(t *testing.T, T int, k float64, from int, side, own float64) *Staircase {
	t.Helper()
	s, err := NewStaircase(T, k, from, side, own)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// The member that Run replays, step by step with its coordinates, has the gaps that the recursion says, and its average is the mean of them.
func TestStaircaseIsWhatItSays(t *testing.T) {
	s := staircase(t, 64, 1.3, 30, 0.25, 0.05)
	mean, err := s.Mean()
	if err != nil {
		t.Fatal(err)
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
		for k := range w {
			average[k] += w[k] / float64(s.T)
			w[k] -= a.C / math.Sqrt(float64(step)) * a.Slope[best][k]
		}
		a.project(w)
	}
	a.pieces(values, average)
	if best, _ := largest(values); math.Abs(values[best]-mean) > 2*a.Offset[0] {
		t.Errorf("F(wbar) = %v, the mean of the gaps %v", values[best], mean)
	}
	r, err := a.Run()
	if err != nil {
		t.Fatal(err)
	}
	if math.Abs(r.Lower-mean) > 2e-3*mean || math.Abs(r.G-1) > 1e-9 || r.Diameter > 1+1e-6 {
		t.Errorf("%+v, want a gap of about %v, G = 1 and D <= 1", r, mean)
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

// The family comes closer to the bound of the form moving as T grows.
func TestStaircaseComesCloseToTheBound(t *testing.T) {
	last := 0.0
	for _, x := range staircaseMembers {
		s := staircase(t, x.T, x.k, x.from, x.side, 0)
		mean, err := s.Mean()
		if err != nil {
			t.Fatal(err)
		}
		p := s.Parameters()
		v, err := bounds.Theorem2(bounds.Moving, bounds.Stochastic, p)
		if err != nil {
			t.Fatal(err)
		}
		t.Logf("T = %d, c = %v D/G: %v of the bound", x.T, x.k, mean/v.Total())
		if ratio := mean / v.Total(); ratio > 1 || ratio < last {
			t.Errorf("T = %d: %v of the bound after %v: want it to grow with T, up to 1", x.T, ratio, last)
		} else {
			last = ratio
		}
	}
	if last < 0.98 {
		t.Errorf("the largest member reaches %v of the bound", last)
	}
}

// What would make the argument false is told.
func TestFalseStaircasesAreRefused(t *testing.T) {
	for says, spoil := range map[string]func(s *Staircase){
		"gamma does not increase": func(s *Staircase) { s.gamma[40] += 0.01 },
		"no room for gradient":    func(s *Staircase) { s.height = s.gap[s.From] * 1.01 },
		"swing":                   func(s *Staircase) { s.swing[3] = s.gap[s.From] / 2 },
		"below that of its":       func(s *Staircase) { s.gap[50] = s.gap[s.From] * 0.99 },
		"two iterates": func(s *Staircase) {
			for i := range s.step {
				s.step[i] *= 1.2
			}
		},
	} {
		s := staircase(t, 64, 1.3, 30, 0.25, 0)
		spoil(s)
		if x, err := s.Mean(); err == nil || !strings.Contains(err.Error(), says) {
			t.Errorf("planted %q: %v, %v", says, x, err)
		}
	}
	if s, err := NewStaircase(64, 0.9, 30, 0.25, 0); err == nil {
		t.Errorf("c = 0.9 D/G: %+v", s)
	}
	if s, err := NewStaircase(64, 1.3, 2, 0.25, 0); err == nil {
		t.Errorf("no swing: %+v", s)
	}
	if _, err := staircase(t, 64, 1.3, 30, 0.25, 0).Affine(); err == nil {
		t.Error("the limit is taken for a run")
	}
}
