package markov

import (
	"context"
	"math"
	"math/big"
	"math/rand/v2"
	"testing"
)

// A well that is entered over a barrier of 1e-324, which no float64 holds, and left at a rate of 1e-308 weighs 1e-17; and random trees whose rates
// go from 1 down to 1e-290 have states that are entered as faintly and left as late. No entry of a law is off by more than its bound,
// and none that the bound does not cover by more than is said of those.
func TestFaintlyEnteredStates(t *testing.T) {
	random := rand.New(rand.NewPCG(20, 26))
	worst, below := 0.0, 0
	chains := 600
	if testing.Short() {
		chains = 200
	}
	for i := range chains {
		n := 4 + i%9
		var rates []Rate
		both := func(x, y int, forth, back float64) { rates = append(rates, Rate{x, y, forth}, Rate{y, x, back}) }
		if i%3 == 0 {
			n = 12
			both(0, 1, 1e-162, 1)
			both(1, 2, 1e-162, 2.3e-308)
			both(2, 3, 1, 1)
			for x := 4; x < n; x++ {
				both(0, x, 1, 1)
			}
		} else {
			for x := 1; x < n; x++ {
				parent := x - 1
				if i%3 == 2 {
					parent = random.IntN(x)
				}
				both(parent, x, math.Pow(10, -290*random.Float64()), math.Pow(10, -290*random.Float64()))
			}
		}
		order := random.Perm(n)
		for k := range rates {
			rates[k].From, rates[k].To = order[rates[k].From], order[rates[k].To]
		}
		c, err := FromRates(n, rates, 1.0/64)
		if err != nil {
			t.Fatal(err)
		}
		law, err := c.Certified(context.Background())
		if err != nil {
			t.Errorf("chain %d: %v", i, err)
			continue
		}
		for x, want := range exactStationary(c) {
			got := new(big.Rat).SetFloat64(law.Law[x])
			off := new(big.Rat).Sub(got, want)
			size, _ := new(big.Rat).Abs(off).Float64()
			relative, _ := new(big.Rat).Quo(new(big.Rat).Abs(off), want).Float64()
			switch p, _ := want.Float64(); {
			case p >= law.Covers*1.01: // an entry that the bound is for
				worst = max(worst, relative)
				if relative > law.ErrorBound+0x1p-52 {
					t.Errorf("chain %d (%s): state %d has %g, exactly %g; the bound is %g\n%v", i, law.Method, x, law.Law[x], p, law.ErrorBound, rates)
				}
			default:
				below++
				if smallest := map[bool]float64{true: 5e-324, false: rareMass}[law.Covers == smallestNormal]; size > smallest && relative > law.ErrorBound {
					t.Errorf("chain %d (%s): state %d has %g, exactly %g; the bound does not cover it, but %g is promised", i, law.Method, x, law.Law[x], p, smallest)
				}
			}
		}
	}
	t.Logf("largest relative error %.2g, %d entries below what the bounds cover", worst, below)
}

// A rare state is believed to be rare only where it is left soon.
func TestLeftSoon(t *testing.T) {
	const n = 4 // 0 and 1 are the common ones
	for name, x := range map[string]struct {
		rates []Rate
		want  bool
	}{
		"left at once":                {[]Rate{{0, 1, 1}, {1, 0, 1}, {1, 2, 1e-290}, {2, 1, 1}, {2, 3, 0.25}, {3, 2, 1}}, true},
		"left late":                   {[]Rate{{0, 1, 1}, {1, 0, 1}, {1, 2, 1e-290}, {2, 1, 1e-200}, {2, 3, 1e-201}, {3, 2, 1}}, false},
		"drawn further in":            {[]Rate{{0, 1, 1}, {1, 0, 1}, {1, 2, 1e-290}, {2, 1, 0.25}, {2, 3, 1}, {3, 2, 1}}, false},
		"entered often after all":     {[]Rate{{0, 1, 1}, {1, 0, 1}, {1, 2, 1e-200}, {2, 1, 1}, {2, 3, 0.25}, {3, 2, 1}}, false},
		"late only from the far side": {[]Rate{{0, 1, 1}, {1, 0, 1}, {1, 2, 1e-290}, {2, 1, 1}, {2, 3, 0.25}, {3, 2, 1e-80}}, false},
	} {
		c, err := FromRates(n, x.rates, 0.5)
		if err != nil {
			t.Fatal(err)
		}
		pi := []float64{0.5, 0.5, 0, 0} // as an elimination has it that lost the way to 2 and 3
		if got := c.leftSoon(pi, []bool{false, false, true, true}, c.flow(pi)); got != x.want {
			t.Errorf("%s: %t, want %t", name, got, x.want)
		}
	}
}

// A way out that is 1e-330 of its state's rates is not passed over: where the other rates lead back again and again, it may be taken with a
// probability of 1e-25.
func TestFaintWaysOutAreNotPassedOver(t *testing.T) {
	for away, want := range map[float64]float64{1e-30: 0, 1e-6: 1. / 11} {
		c, err := FromRates(4, []Rate{{0, 1, 1e300}, {1, 0, 1e300}, {0, 2, away}, {1, 3, 1e-5}}, 1e-301)
		if err != nil {
			t.Fatal(err)
		}
		absorbed, bound, err := c.Absorption(context.Background())
		switch {
		case want == 0 && err == nil:
			t.Errorf("a rate of %g: probabilities %v, exactly %g; want an error", away, absorbed[0].Probabilities, away/1e-5)
		case want > 0 && (err != nil || math.Abs(absorbed[0].Probabilities[0]/want-1) > bound):
			t.Errorf("a rate of %g: %v, %v, want %g", away, absorbed, err, want)
		}
	}
}
