package evidence

import (
	"fmt"

	"gonum.org/v1/gonum/stat/distuv"
)

// ClopperPearson is the exact interval of a binomial law's parameter after k
// successes in n trials: it misses with probability at most alpha. Its ends are the
// alpha/2 quantile of Beta(k, n-k+1) and the 1-alpha/2 quantile of Beta(k+1, n-k);
// 0 if k = 0, and 1 if k = n. (Clopper, Pearson: "The use of confidence or fiducial
// limits illustrated in the case of the binomial", Biometrika 26, 1934.)
func ClopperPearson(k, n int, alpha float64) (lower, upper float64) {
	if k < 0 || k > n || n < 1 {
		panic(fmt.Sprintf("evidence: ClopperPearson: %d successes of %d", k, n))
	}
	lower, upper = 0, 1
	if k > 0 {
		lower = distuv.Beta{Alpha: float64(k), Beta: float64(n - k + 1)}.Quantile(alpha / 2)
	}
	if k < n {
		upper = distuv.Beta{Alpha: float64(k + 1), Beta: float64(n - k)}.Quantile(1 - alpha/2)
	}
	return lower, upper
}
