package referee

import (
	"math"
	"testing"

	"gonum.org/v1/gonum/integrate/quad"

	"tqn/markov"
	"tqn/quantize"
)

// The closed forms of item 9 against quadrature over the law P(|Z| > v) = 1/v^2.
func TestJointMoves(t *testing.T) {
	var e Errata
	if err := e.section5(); err != nil {
		t.Fatal(err)
	}
	for _, j := range e.Joint {
		// z = e^s: the density of Z+ is z^-3 on z >= 1.
		moment := func(power float64) float64 {
			f := func(s float64) float64 {
				u := j.Alpha * math.Exp(s)
				return math.Pow(max(0, 1-math.Abs(u-1)), power) * math.Exp(-2*s)
			}
			end := math.Log(2 / j.Alpha)
			kink := math.Log(1 / j.Alpha)
			return quad.Fixed(f, 0, kink, 400, nil, 0) + quad.Fixed(f, kink, end, 400, nil, 0)
		}
		same, one := moment(2)/(j.Alpha*j.Alpha), moment(1)/j.Alpha
		if math.Abs(same-j.Same) > 1e-9*same || math.Abs(one*one-j.Independent) > 1e-9 {
			t.Errorf("alpha %v: %v and %v, by quadrature %v and %v", j.Alpha, j.Same, j.Independent, same, one*one)
		}
	}
	first, last := e.Joint[0], e.Joint[len(e.Joint)-1]
	if last.Same < 7*first.Same || math.Abs(last.Independent-1) > 1e-6 {
		t.Errorf("the joint move does not show the logarithm: %v, %v", first, last)
	}
	for _, v := range e.Theorem5Values {
		if !(v.Measured > 0 && v.Measured <= v.Bound) {
			t.Errorf("Theorem 5 at alpha %v: %v above %v", v.Alpha, v.Measured, v.Bound)
		}
	}
}

// Item 10: the mass of the minimiser goes to 1 as the noise goes to 0, with pi~ > 0.
func TestConcentration(t *testing.T) {
	var e Errata
	if err := e.section5(); err != nil {
		t.Fatal(err)
	}
	last := 0.0
	for _, c := range e.Concentration {
		if c.Mass <= last || c.Smallest < 0 {
			t.Errorf("sigma %v: mass %v after %v, smallest %v", c.Sigma, c.Mass, last, c.Smallest)
		}
		last = c.Mass
	}
	if last < 0.9 {
		t.Errorf("mass %v at the smallest noise, want above 0.9", last)
	}
	if !(e.Sign.Printed > 1 && e.Sign.True < 1) {
		t.Errorf("the printed conditional probability is %v, the true one %v", e.Sign.Printed, e.Sign.True)
	}
}

// Item 7: off the grid, and with Delta = 1 for the weights {-1, 1}, Lemma 1 fails;
// with the spacing 2 it holds.
func TestLemma1NeedsItsAssumptions(t *testing.T) {
	var e Errata
	e.lemma()
	if l := e.Lemma; !(l.Binary > l.BinaryAsPrinted && l.Binary <= l.BinarySpacing && l.OffGrid > 0) {
		t.Errorf("Lemma 1: %+v", l)
	}
}

// Item 9.3: an atom at 0 meets the printed assumption on C2, and the point is absorbing.
func TestAbsorbingPoint(t *testing.T) {
	g := quantize.Grid{Delta: 1, Lo: -2, Hi: 2}
	s := markov.OnGrid(g, func(w float64) markov.Law {
		if w == 0 {
			return markov.Point(0)
		}
		return markov.Gaussian{Mean: w, Sigma: 1}
	})
	chain, err := s.Chain(0.1)
	if err != nil {
		t.Fatal(err)
	}
	if p := chain.P(2, 2); p != 1 {
		t.Errorf("T_alpha(0, 0) = %v, want 1", p)
	}
	if f := s.CheckTheorem5(10); len(f) != 1 || f[0].Point[0] != 0 {
		t.Errorf("CheckTheorem5 = %v, want one failure, at 0", f)
	}
}
