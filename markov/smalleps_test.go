package markov

import (
	"errors"
	"math"
	"math/big"
	"strings"
	"testing"
)

// The mixing time of two states is log(eps/max pi)/log(lambda), at any eps.
func TestMixingTimeOfSmallEps(t *testing.T) {
	for _, k := range []struct {
		a, b float64
		want map[float64]uint64
	}{
		{0.01, 0.02, map[float64]uint64{1e-14: 1046, 1e-15: 1121, 1e-16: 1197, 1e-17: 1272, 1e-20: 1499}}, // mpmath, 60 digits
		{0.3, 0.1, map[float64]uint64{1e-15: 68, 1e-17: 77}},
	} {
		c := must(FromDense([][]float64{{0, k.a}, {k.b, 0}}, 1))
		for eps, want := range k.want {
			if m := must(c.MixingTime(eps)); m.Steps != want || m.Distance > eps || m.Before <= eps {
				t.Errorf("rates %g and %g, eps = %g: %+v, want %d", k.a, k.b, eps, m, want)
			}
		}
		lambda, top := 1-k.a-k.b, max(k.a, k.b)/(k.a+k.b)
		for e := -4; e >= -300; e -= 7 {
			eps := math.Pow(10, float64(e))
			x := math.Log(eps/top) / math.Log(lambda)
			if math.Abs(x-math.Round(x)) < 1e-9 {
				continue
			}
			if m := must(c.MixingTime(eps)); float64(m.Steps) != math.Ceil(x) {
				t.Errorf("rates %g and %g, eps = %g: %d, want %g", k.a, k.b, eps, m.Steps, math.Ceil(x))
			}
		}
		if _, err := c.MixingTime(1e-301); err == nil || !strings.Contains(err.Error(), "1e-300") {
			t.Errorf("eps = 1e-301: %v", err)
		}
	}
}

// Chains with several modes against rational powers, and the planted defect: the
// distance as a difference of P^n and pi is wrong from 1e-14 on.
func TestSmallEpsAgainstRationalPowers(t *testing.T) {
	s := testNoise(23)
	wrong := 0
	for n := 2; n <= 3; n++ {
		q := make([][]float64, n)
		for x := range q {
			q[x] = make([]float64, n)
			for y := range q[x] {
				if x != y {
					q[x][y] = math.Round(64*s.next()+1) / 64 / float64(n)
				}
			}
		}
		c := must(FromDense(q, 0.5))
		const least = 1e-17
		d := exactDistances(c, least)
		for _, eps := range []float64{5e-4, 1e-9, 1e-13, 1e-17} {
			want := 0
			for d[want].Cmp(rat(eps)) > 0 {
				want++
			}
			if m, err := c.MixingTime(eps); err != nil || int(m.Steps) != want {
				t.Errorf("n = %d, eps = %g: M = %d, %v, want %d", n, eps, m.Steps, err, want)
			}
			if difference := subtractedMixing(c, eps, 4*want); difference != want {
				wrong++
			}
		}
	}
	if wrong == 0 {
		t.Error("subtracting pi from the power of P finds every mixing time: expected it to fail")
	}
}

// subtractedMixing steps P^n and subtracts pi, at most the given number of steps.
func subtractedMixing(c *Chain, eps float64, most int) int {
	pi := must(c.Stationary())
	p := c.power()
	one := c.power()
	for n := 1; n < most; n++ {
		if p.distance(pi) <= eps {
			return n
		}
		next := newPower(c.n)
		p.times(one, next)
		p = next
	}
	return most
}

// A chain that forgets everything after n steps: its distance falls to zero at
// once. What cannot be decided says so.
func TestSmallEpsUndecided(t *testing.T) {
	const n = 12
	q := make([][]float64, n) // streak: back to 0 or one on, with probability 1/2 each
	for x := range q {
		q[x] = make([]float64, n)
		q[x][0] += 0.5
		q[x][min(x+1, n-1)] += 0.5
	}
	c := must(FromMatrix(q))
	m, err := c.MixingTime(1e-10)
	if err != nil || m.Steps != n-1 {
		t.Errorf("streak: M = %d, %v, want %d", m.Steps, err, n-1)
	}
	same := must(FromMatrix([][]float64{{0.3, 0.7}, {0.3, 0.7}}))
	if m, err := same.MixingTime(1e-20); err == nil && m.Steps != 1 || err != nil && !errors.Is(err, ErrUndecided) {
		t.Errorf("one step mixes: M = %d, %v", m.Steps, err)
	}
}

// Continuous time: t_eps of two states is log(max pi/eps)/(a+b).
func TestContinuousMixingTimeOfSmallEps(t *testing.T) {
	c := must(FromDense([][]float64{{0, 0.3}, {0.7, 0}}, 1))
	for _, eps := range []float64{1e-10, 1e-20, 1e-100} {
		want, _ := new(big.Float).SetFloat64(math.Log(0.7 / eps)).Float64()
		if m := must(c.ContinuousMixingTime(eps)); math.Abs(m.Scaled/want-1) > 1e-11 {
			t.Errorf("eps = %g: t = %.15g, want %.15g", eps, m.Scaled, want)
		}
	}
}

// A mixing time that cannot be decided is left out with a note; law, gap and classes are
// there. One that rests on an estimate says so, and so does a tie.
func TestAnalysisWithoutAMixingTime(t *testing.T) {
	undecided := 0
	for _, p := range []float64{0.3, 0.1, 1. / 3, 0.7} {
		c := must(FromMatrix([][]float64{{p, 1 - p}, {p, 1 - p}})) // mixes in one step, but for the rounding of 1-p
		for _, eps := range []float64{1e-17, 1e-100, 1e-300} {
			a, err := c.Analyse(eps)
			if err != nil || a.Stationary == nil || a.Gap == nil {
				t.Fatalf("p = %g, eps = %g: %+v, %v", p, eps, a, err)
			}
			notes := strings.Join(a.Notes, "\n")
			if (a.MixingTime == nil) != strings.Contains(notes, "no mixing time: eps = ") {
				t.Errorf("p = %g, eps = %g: mixing time %v, notes %q", p, eps, a.MixingTime, notes)
			}
			if a.MixingTime == nil {
				undecided++
			}
		}
	}
	if undecided == 0 {
		t.Error("every mixing time was decided: this test wants one that is not")
	}
	tie := must(must(FromMatrix([][]float64{{0.75, 0.25}, {0.25, 0.75}})).Analyse(0.25))
	if *tie.MixingTime != 1 || !strings.Contains(strings.Join(tie.Notes, "\n"), "equals eps up to rounding") {
		t.Errorf("distance 1/4 after one step: %d, %q", *tie.MixingTime, tie.Notes)
	}
}
