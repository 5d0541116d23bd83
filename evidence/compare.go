package evidence

import (
	"fmt"
	"math"
)

// ErrorDifference is the difference of two classifiers' error probabilities, a - b, from the numbers of images they get wrong
// out of the same n test images.
//
// McNemar's test looks at the images on which exactly one of the two is wrong: under the hypothesis of equal errors each of
// them is a's with probability 1/2, whatever the dependence of the two on one image. How many of these images there are is not
// kept, only the two totals; the more there are, the less a given difference of totals says, and there are at most
// min(wrongA+wrongB, 2n-wrongA-wrongB). That number m is assumed. With k = (m + wrongA - wrongB)/2 of them a's, the exact
// interval of a binomial probability q ([ClopperPearson]) gives the difference (2q-1) m/n. So no image counts as wrong under both,
// and a decision errs on the side of "undecided". wrongA and wrongB may be means over several runs of each classifier.
//
// Source: Q. McNemar, "Note on the sampling error of the difference between correlated proportions or percentages",
// Psychometrika 12 (1947).
func ErrorDifference(wrongA, wrongB float64, n int, alpha float64) Result {
	if !(wrongA >= 0 && wrongB >= 0) || wrongA > float64(n) || wrongB > float64(n) {
		panic(fmt.Sprintf("evidence: ErrorDifference: %g and %g wrong of %d", wrongA, wrongB, n))
	}
	r := Result{Method: SampledMethod, Samples: n, Confidence: 1 - alpha, Estimate: (wrongA - wrongB) / float64(n)}
	m := math.Ceil(min(wrongA+wrongB, 2*float64(n)-wrongA-wrongB))
	k := (m + wrongA - wrongB) / 2
	if k < m/2 { // a half image goes to the side on which it says less
		k = math.Ceil(k)
	} else {
		k = math.Floor(k)
	}
	if m == 0 { // both are wrong on no image or on all: n images without one that tells them apart
		r.Upper = -math.Expm1(math.Log(alpha/2) / float64(n))
		r.Lower = -r.Upper
		return r
	}
	lower, upper := ClopperPearson(int(k), int(m), alpha)
	scale := m / float64(n)
	r.Lower, r.Upper = min(r.Estimate, (2*lower-1)*scale), max(r.Estimate, (2*upper-1)*scale)
	return r
}

// Mean is the mean of a weighted average of independent values in [0, 1]: with weights w_i that sum to 1, the average misses
// its expectation by more than sqrt(log(2/alpha) / (2 n)), n = 1/sum w_i^2, with probability at most alpha.
//
// Source: W. Hoeffding, "Probability inequalities for sums of bounded random variables", JASA 58 (1963), Theorem 2.
func Mean(average, n, alpha float64) Result {
	if !(average >= 0 && average <= 1) || !(n > 0) {
		panic(fmt.Sprintf("evidence: Mean: an average of %g of %g values in [0, 1]", average, n))
	}
	radius := math.Sqrt(math.Log(2/alpha) / (2 * n))
	return Result{Method: SampledMethod, Samples: int(n), Confidence: 1 - alpha, Estimate: average, Lower: max(0, average-radius), Upper: min(1, average+radius)}
}

// MeanDifference is a - b for two such averages that are independent of each other: the same inequality for their difference.
func MeanDifference(a, nA, b, nB, alpha float64) Result {
	r := Mean(a, nA, alpha)
	radius := math.Sqrt(math.Log(2/alpha) / 2 * (1/nA + 1/nB))
	r.Samples, r.Estimate, r.Lower, r.Upper = int(min(nA, nB)), a-b, max(-1, a-b-radius), min(1, a-b+radius)
	return r
}
