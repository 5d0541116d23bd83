package markov

import (
	"errors"
	"fmt"
	"math"

	"gonum.org/v1/gonum/stat/distuv"
)

// ErrAssumption says that an assumption of Theorem 5 fails, so that what it
// states is not computed.
var ErrAssumption = errors.New("markov: Theorem 5 does not apply")

// Assumption is one failure of the assumptions of Theorem 5.
type Assumption struct {
	Point      []float64 // w
	Coordinate int
	Reason     string
}

// CheckTheorem5 returns the failures of Theorem 5's assumptions: at every lattice
// point x and coordinate k the tails of the gradient obey C1/v^2, and it is
// positive and negative with positive probability (the existence of C2). At most
// limit failures are returned.
func (s SR) CheckTheorem5(limit int) []Assumption {
	var failures []Assumption
	w := make([]float64, len(s.Axes))
	for x := range s.States() {
		s.Point(x, w)
		for k := range s.Axes {
			law := s.law(w, k)
			reason := ""
			switch {
			case !(law.TailConstant() < math.Inf(1)):
				reason = "no C1 with P(|g| > v) <= C1/v^2: the tail is too heavy"
			case !(law.Shortfall(0) > 0) && !(law.Excess(0) > 0):
				reason = "the gradient is zero: no C2"
			case !(law.Shortfall(0) > 0):
				reason = "the gradient is never negative: no C2"
			case !(law.Excess(0) > 0):
				reason = "the gradient is never positive: no C2"
			default:
				continue
			}
			failures = append(failures, Assumption{append([]float64(nil), w...), k, reason})
			if len(failures) == limit {
				return failures
			}
		}
	}
	return failures
}

// Theorem5Row compares T_alpha with T~_alpha at one alpha.
type Theorem5Row struct {
	Alpha          float64
	MatrixDistance float64 // max over x != y of |T_alpha(x,y) - T~_alpha(x,y)|
	LawDistance    float64 // total variation of pi_alpha and pi~
	LawRelative    float64 // max over x of |pi_alpha(x)/pi~(x) - 1|
}

// Theorem5Result is what Theorem 5 states, measured.
type Theorem5Result struct {
	Rows     []Theorem5Row
	Limit    []float64 // pi~
	Smallest float64   // min over x of pi~(x), positive by the theorem
	Alpha0   float64   // the largest alpha with T~_alpha >= 0
	// MatrixSlope and LawSlope are slopes on log-log axes over the rows whose
	// distance exceeds 1e-13; at least 2 and 1 by the proof of the theorem.
	// They are NaN where fewer than three rows do: then the distance is zero.
	MatrixSlope, LawSlope Slope
}

// Slope is a least-squares slope with a 95% interval (Student's t). The points are
// exact: the interval shows how straight the line is, not sampling noise.
type Slope struct {
	Value, Lower, Upper float64
	Points              int
}

// Theorem5 measures Theorem 5 (Section 5.2; proof in Appendix F) for SR at the
// given alphas.
//
// Assumptions: those of CheckTheorem5. Alphas above alpha_0, for which T~_alpha is
// not a chain, are compared with I + alpha*Q all the same.
//
//	statement   lim pi_alpha = pi~ as alpha -> 0, and pi~(x) > 0 for all x
//	in the proof  |T_alpha - T~_alpha| = O(alpha^2), |pi_alpha - pi~| = O(alpha)
//	sharper     in one dimension T_alpha = T~_alpha if alpha|g| <= Delta surely
//
// If an assumption fails it is ErrAssumption, naming the first failure.
func Theorem5(s SR, alphas []float64) (Theorem5Result, error) {
	var r Theorem5Result
	if f := s.CheckTheorem5(1); len(f) > 0 {
		return r, fmt.Errorf("%w at w = %v, coordinate %d: %s", ErrAssumption, f[0].Point, f[0].Coordinate, f[0].Reason)
	}
	rates, err := s.rates()
	if err != nil {
		return r, err
	}
	r.Alpha0 = rates.MaxAlpha()
	if r.Limit, err = rates.Stationary(); err != nil {
		return r, err
	}
	r.Smallest = math.Inf(1)
	for _, p := range r.Limit {
		r.Smallest = min(r.Smallest, p)
	}
	for _, alpha := range alphas {
		exact, err := s.Chain(alpha)
		if err != nil {
			return r, err
		}
		pi, err := exact.Stationary()
		if err != nil {
			return r, err
		}
		row := Theorem5Row{Alpha: alpha, MatrixDistance: maxDifference(exact, 1, rates, alpha), LawDistance: TotalVariation(pi, r.Limit)}
		for x, p := range r.Limit {
			row.LawRelative = max(row.LawRelative, math.Abs(pi[x]/p-1))
		}
		r.Rows = append(r.Rows, row)
	}
	var a, m, l []float64
	for _, row := range r.Rows {
		a, m, l = append(a, row.Alpha), append(m, row.MatrixDistance), append(l, row.LawDistance)
	}
	// Rates of size alpha are right to 1e-16 of themselves, laws to about 1e-15:
	// anything smaller than the thresholds is rounding, not the theorem's difference.
	r.MatrixSlope = LogSlope(a, m, func(i int) float64 { return 1e-13 * a[i] })
	r.LawSlope = LogSlope(a, l, func(int) float64 { return 1e-13 })
	return r, nil
}

// MaxDifference returns the largest |P(x,y) - R(x,y)| over x != y of two chains.
func MaxDifference(p, r *Chain) float64 { return maxDifference(p, p.alpha, r, r.alpha) }

// maxDifference compares alpha times p's rates with beta times r's, where beta
// may exceed r's MaxAlpha.
func maxDifference(p *Chain, alpha float64, r *Chain, beta float64) float64 {
	if p.n != r.n {
		panic("markov: MaxDifference: different numbers of states")
	}
	d := 0.0
	for x := range p.n {
		pc, pv := p.row(x)
		rc, rv := r.row(x)
		for i, j := 0, 0; i < len(pc) || j < len(rc); {
			switch {
			case j == len(rc) || i < len(pc) && pc[i] < rc[j]:
				d = max(d, alpha*pv[i])
				i++
			case i == len(pc) || rc[j] < pc[i]:
				d = max(d, beta*rv[j])
				j++
			default:
				d = max(d, math.Abs(alpha*pv[i]-beta*rv[j]))
				i++
				j++
			}
		}
	}
	return d
}

// TotalVariation returns max_A |p(A) - q(A)|, half the sum of |p(x)-q(x)|.
func TotalVariation(p, q []float64) float64 {
	if len(p) != len(q) {
		panic("markov: TotalVariation: laws of different lengths")
	}
	d := 0.0
	for i := range p {
		d += math.Abs(p[i] - q[i])
	}
	return d / 2
}

// LogSlope fits log y = const + slope*log x over the points with y above its noise.
func LogSlope(x, y []float64, noise func(i int) float64) Slope {
	var u, v []float64
	for i := range x {
		if y[i] > noise(i) {
			u, v = append(u, math.Log(x[i])), append(v, math.Log(y[i]))
		}
	}
	n := float64(len(u))
	if len(u) < 3 {
		return Slope{math.NaN(), math.NaN(), math.NaN(), len(u)}
	}
	var mu, mv, suu, suv float64
	for i := range u {
		mu += u[i] / n
		mv += v[i] / n
	}
	for i := range u {
		suu += (u[i] - mu) * (u[i] - mu)
		suv += (u[i] - mu) * (v[i] - mv)
	}
	slope := suv / suu
	rss := 0.0
	for i := range u {
		e := v[i] - mv - slope*(u[i]-mu)
		rss += e * e
	}
	half := distuv.StudentsT{Mu: 0, Sigma: 1, Nu: n - 2}.Quantile(0.975) * math.Sqrt(rss/(n-2)/suu)
	return Slope{slope, slope - half, slope + half, len(u)}
}
