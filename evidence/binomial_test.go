package evidence

import (
	"math"
	"testing"
)

// binomialTail is P(K >= k) of the binomial law, summed term by term.
func binomialTail(k, n int, p float64) float64 {
	sum := 0.0
	for i := k; i <= n; i++ {
		a, _ := math.Lgamma(float64(n + 1))
		b, _ := math.Lgamma(float64(i + 1))
		c, _ := math.Lgamma(float64(n - i + 1))
		sum += math.Exp(a - b - c + float64(i)*math.Log(p) + float64(n-i)*math.Log1p(-p))
	}
	return sum
}

// By definition k or more successes have probability alpha/2 at the lower end, k or
// fewer at the upper.
func TestClopperPearson(t *testing.T) {
	for _, c := range [][2]int{{1, 10}, {5, 10}, {9, 10}, {20, 200}, {800, 10000}, {9999, 10000}} {
		k, n := c[0], c[1]
		for _, alpha := range []float64{0.05, 1e-4} {
			lower, upper := ClopperPearson(k, n, alpha)
			if got := binomialTail(k, n, lower); math.Abs(got/(alpha/2)-1) > 1e-5 {
				t.Errorf("%d of %d: P(K >= k) = %g at the lower end %g, want %g", k, n, got, lower, alpha/2)
			}
			if got := 1 - binomialTail(k+1, n, upper); math.Abs(got/(alpha/2)-1) > 1e-5 {
				t.Errorf("%d of %d: P(K <= k) = %g at the upper end %g, want %g", k, n, got, upper, alpha/2)
			}
		}
	}
	if lower, upper := ClopperPearson(0, 10, 0.05); lower != 0 || math.Abs(upper-(1-math.Pow(0.025, 0.1))) > 1e-9 {
		t.Errorf("0 of 10: [%g, %g]", lower, upper)
	}
	if _, upper := ClopperPearson(10, 10, 0.05); upper != 1 {
		t.Errorf("10 of 10: up to %g", upper)
	}
}
