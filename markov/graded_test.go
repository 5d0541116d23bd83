package markov

import (
	"math"
	"math/rand/v2"
	"testing"
)

// valleys is a banded chain on a random landscape whose law varies over the given number
// of decades, with moves of up to width states: uphill they are as rare as the
// landscape is steep, down to 1e-290, and long moves are rarer.
func valleys(n, width int, decades float64, seed uint64) *Chain {
	r := rand.New(rand.NewPCG(seed, 4))
	height := make([]float64, n)
	phase := 6 * r.Float64()
	for x := range height {
		height[x] = decades * (math.Sin(9*float64(x)/float64(n)+phase) + 0.05*r.Float64())
	}
	var rates []Rate
	for x := range n {
		for y := max(0, x-width); y <= min(n-1, x+width); y++ {
			d := float64(abs(x - y))
			e := -max(0, height[y]-height[x]) - d*d*r.Float64()*0.3
			if x != y && (e > -290 || d == 1) {
				rates = append(rates, Rate{x, y, math.Pow(10, max(e, -290))})
			}
		}
	}
	return must(FromRates(n, rates, 0.5/float64(2*width)))
}

// Where products of rates underflow the graded elimination has every entry right,
// against rational arithmetic; what underflows in the plain one is told.
func TestGradedBand(t *testing.T) {
	graded := 0
	for seed := range uint64(12) {
		c := valleys(16, 3+int(seed%3), 100+25*float64(seed), seed)
		below, above := c.bandwidth()
		pi, ok := gthGraded(c, below, above)
		if !ok {
			continue
		}
		want := exactStationary(c)
		bound := errorBound(bandRoundings(c.n, below, above) + bandDepth(c.n, below, above))
		for x, p := range pi {
			if e := relative(p, want[x]); p >= smallestNormal && e > bound || p < smallestNormal && want[x].Cmp(rat(2*smallestNormal)) > 0 {
				t.Errorf("seed %d: pi(%d) = %g: error %.2g, bound %.2g", seed, x, p, e, bound)
			}
		}
		if _, tiny, _ := gthBand(c, below, above); tiny {
			graded++
		}
	}
	if graded < 6 {
		t.Errorf("products underflow in %d chains only", graded)
	}
}
