package evidence

import (
	"math"
	"testing"
)

// coverage of ErrorDifference by enumeration: two classifiers on n images, every image wrong under a alone, b alone, both or neither; the
// interval has to miss the true difference with probability at most alpha, whatever the dependence.
func TestErrorDifferenceCovers(t *testing.T) {
	const n, alpha = 16, 0.1
	for _, p := range []struct{ a, b, both float64 }{
		{0.3, 0.3, 0}, {0.1, 0.1, 0.5}, {0.05, 0.05, 0}, {0.4, 0.1, 0.1}, {0.02, 0.2, 0.3}, {0.5, 0.5, 0},
	} {
		miss, total := 0.0, 0.0
		fact := func(k int) float64 { v, _ := math.Lgamma(float64(k + 1)); return v }
		power := func(q float64, k int) float64 {
			if k == 0 {
				return 0
			}
			return float64(k) * math.Log(q)
		}
		for a := range n + 1 {
			for b := range n + 1 - a {
				for both := range n + 1 - a - b {
					none := n - a - b - both
					mass := math.Exp(fact(n) - fact(a) - fact(b) - fact(both) - fact(none) + power(p.a, a) + power(p.b, b) +
						power(p.both, both) + power(1-p.a-p.b-p.both, none))
					total += mass
					if r := ErrorDifference(float64(a+both), float64(b+both), n, alpha); r.Lower > p.a-p.b || r.Upper < p.a-p.b {
						miss += mass
					}
				}
			}
		}
		if math.Abs(total-1) > 1e-9 || miss > alpha {
			t.Errorf("%+v: misses with probability %.4f, allowed %g (total %g)", p, miss, alpha, total)
		}
	}
}

// A difference is decided from some number of images on, never by a coin, and the sign is the right way round.
func TestErrorDifferenceDecides(t *testing.T) {
	for _, c := range []struct {
		a, b    float64
		n       int
		verdict Verdict
	}{
		{834, 2214, 10000, Holds}, {2214, 834, 10000, Violated}, {2214, 2388, 10000, Undecided}, {500, 500, 10000, Undecided},
		{0, 0, 100, Undecided}, {9000, 9900, 10000, Holds},
	} {
		if v := ErrorDifference(c.a, c.b, c.n, 0.001).AtMost(0); v != c.verdict {
			t.Errorf("%g against %g of %d: %v, want %v", c.a, c.b, c.n, v, c.verdict)
		}
	}
}

// Hoeffding's radius, against the exact tail of fair coins, the worst case.
func TestMeanCovers(t *testing.T) {
	for _, n := range []int{5, 50, 500} {
		for _, alpha := range []float64{0.2, 0.01} {
			miss := 0.0
			for k := range n + 1 {
				if r := Mean(float64(k)/float64(n), float64(n), alpha); r.Lower > 0.5 || r.Upper < 0.5 {
					a, _ := math.Lgamma(float64(n + 1))
					b, _ := math.Lgamma(float64(k + 1))
					c, _ := math.Lgamma(float64(n - k + 1))
					miss += math.Exp(a - b - c - float64(n)*math.Ln2)
				}
			}
			if miss > alpha {
				t.Errorf("%d coins: misses with probability %g, allowed %g", n, miss, alpha)
			}
		}
	}
	if r := MeanDifference(0.4949, 900, 0.4975, 900, 0.001); r.AtMost(0) != Undecided {
		t.Errorf("two halves are told apart: %+v", r)
	}
	if r := MeanDifference(0.14, 900, 0.44, 900, 0.001); r.AtMost(0) != Holds {
		t.Errorf("14 %% and 44 %% are not told apart: %+v", r)
	}
}
