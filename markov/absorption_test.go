package markov

import (
	"context"
	"math"
	"math/big"
	"math/rand/v2"
	"testing"
)

// Absorption probabilities and times against rational arithmetic, on chains with
// several closed classes and rates over twenty decades. Planted defect: the usual
// inverse of I - P loses them.
func TestAbsorptionIsExact(t *testing.T) {
	r := rand.New(rand.NewPCG(4, 4))
	for k := range 20 {
		transient := 1 + r.IntN(6)
		n := transient + 3 // and the classes {n-3, n-2} and {n-1}
		var rates []Rate
		for x := range transient {
			for y := range n {
				if y != x && (r.Float64() < 0.6 || y == (x+1)%n) {
					rates = append(rates, Rate{x, y, math.Pow(10, -20*r.Float64())})
				}
			}
		}
		rates = append(rates, Rate{n - 3, n - 2, 1}, Rate{n - 2, n - 3, 0.5}, Rate{transient - 1, n - 1, 1e-12})
		c := must(FromRates(n, rates, 0.05))
		got, bound, err := c.Absorption(context.Background())
		if err != nil {
			t.Fatal(err)
		}
		if len(got) != transient {
			t.Fatalf("chain %d: %d transient states, want %d", k, len(got), transient)
		}
		q := exactGenerator(c)
		solve := func(right func(x int) *big.Rat) []*big.Rat {
			a, b := make(rational, transient), make([]*big.Rat, transient)
			for x := range a {
				b[x] = right(x)
				for y := range transient {
					a[x] = append(a[x], new(big.Rat).Neg(q[x][y]))
				}
			}
			return a.solve(b)
		}
		time := solve(func(int) *big.Rat { return big.NewRat(1, 1) })
		first := solve(func(x int) *big.Rat { return new(big.Rat).Add(q[x][n-3], q[x][n-2]) })
		second := solve(func(x int) *big.Rat { return new(big.Rat).Set(q[x][n-1]) })
		for x, s := range got {
			for i, e := range []float64{relative(s.Time*c.alpha, time[x]), relative(s.Probabilities[0], first[x]), relative(s.Probabilities[1], second[x])} {
				if e > bound+4*unit {
					t.Errorf("chain %d, state %d, number %d: relative error %.2g, bound %.2g", k, s.State, i, e, bound)
				}
			}
		}
	}
	// Leaving takes 1e20 steps, which 1 - P(0,0) does not show.
	c := must(FromRates(3, []Rate{{0, 1, 3e-20}, {0, 2, 1e-20}}, 1))
	got, _, err := c.Absorption(context.Background())
	if err != nil || math.Abs(got[0].Time/2.5e19-1) > 1e-15 || math.Abs(got[0].Probabilities[0]-0.75) > 1e-15 {
		t.Errorf("%+v, %v", got, err)
	}
	if naive := 1 / (1 - c.Dense()[0][0]); math.Abs(naive/2.5e19-1) < 0.1 {
		t.Errorf("1/(1 - P(0,0)) = %g: expected it to fail", naive)
	}
}
