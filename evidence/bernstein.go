package evidence

import (
	"fmt"
	"math"
)

// Support is the interval that is known to hold every value of a law.
type Support struct{ Lo, Hi float64 }

func (s Support) check(where string, alpha float64) {
	if !(s.Lo < s.Hi) || math.IsInf(s.Lo, 0) || math.IsInf(s.Hi, 0) {
		panic(fmt.Sprintf("evidence: %s: support [%v, %v] is not a bounded interval", where, s.Lo, s.Hi))
	}
	if !(alpha > 0 && alpha < 1) {
		panic(fmt.Sprintf("evidence: %s: alpha %v is not in (0, 1)", where, alpha))
	}
}

// unit maps x to [0, 1]. A value outside the support would void the guarantee,
// so it panics rather than clips.
func (s Support) unit(where string, x float64) float64 {
	// The slack forgives the rounding error of values computed at the end of the
	// support; it moves the mean by at most 1e-12 of the width.
	u := (x - s.Lo) / (s.Hi - s.Lo)
	if !(u >= -1e-12 && u <= 1+1e-12) {
		panic(fmt.Sprintf("evidence: %s: value %v outside the support [%v, %v]", where, x, s.Lo, s.Hi))
	}
	return min(max(u, 0), 1)
}

// Sequence is a confidence sequence for the mean of a bounded law.
type Sequence interface {
	// Add takes the next independent value.
	Add(x float64)
	// Result is the running estimate with its interval, valid at every n at once.
	Result() Result
}

var (
	_ Sequence = (*Bernstein)(nil)
	_ Sequence = (*Betting)(nil)
	_ Sequence = (*Proportion)(nil)
)

// plugin holds the running moments that choose the bets; every bet is a
// function of earlier values only.
//
//	muhat_n = (1/2 + sum x_i)/(n+1),  var_n = (1/4 + sum (x_i - muhat_i)^2)/(n+1)
type plugin struct {
	n          int
	sum, sumsq float64 // sum x_i; sum (x_i - muhat_i)^2
}

func (p *plugin) mean() float64     { return (0.5 + p.sum) / float64(p.n+1) }
func (p *plugin) variance() float64 { return (0.25 + p.sumsq) / float64(p.n+1) }

// bet is lambda_t = sqrt(2 log(2/alpha) / (var_{t-1} t log(1+t))) for t = n+1
// (Waudby-Smith and Ramdas 2024, equation 15).
func (p *plugin) bet(logTwoOverAlpha float64) float64 {
	t := float64(p.n + 1)
	return math.Sqrt(2 * logTwoOverAlpha / (p.variance() * t * math.Log(1+t)))
}

func (p *plugin) add(x float64) {
	p.n++
	p.sum += x
	d := x - p.mean()
	p.sumsq += d * d
}

// Bernstein is the predictable plug-in empirical-Bernstein confidence sequence.
// It needs constant memory and constant time per value.
//
// Assumption: independent values in the support with one common mean.
// With x in [0,1], v_i = (x_i - muhat_{i-1})^2, psi(l) = -log(1-l) - l and
// lambda_i <= 1/2 as in plugin.bet,
//
//	C_n = sum lambda_i x_i / sum lambda_i  +-  (log(2/alpha) + sum v_i psi(lambda_i)) / sum lambda_i,
//
// intersected over n. It implements Theorem 2 of Waudby-Smith and Ramdas
// (2024), whose supermartingale is that of Howard et al. (2021), Theorem 4.
type Bernstein struct {
	support    Support
	alpha, log float64
	plug       plugin
	weighted   float64 // sum lambda_i x_i
	weights    float64 // sum lambda_i
	spread     float64 // sum v_i psi(lambda_i)
	lower      float64
	upper      float64
}

// NewBernstein panics unless the support is a bounded interval and alpha is in
// (0, 1).
func NewBernstein(support Support, alpha float64) *Bernstein {
	support.check("NewBernstein", alpha)
	return &Bernstein{support: support, alpha: alpha, log: math.Log(2 / alpha), upper: 1}
}

// Add takes the next independent value; it panics if it is outside the support.
func (b *Bernstein) Add(x float64) {
	u := b.support.unit("Bernstein.Add", x)
	lambda := min(b.plug.bet(b.log), 0.5)
	d := u - b.plug.mean()
	b.weighted += lambda * u
	b.weights += lambda
	b.spread += d * d * (-math.Log1p(-lambda) - lambda)
	b.plug.add(u)
	center, radius := b.weighted/b.weights, (b.log+b.spread)/b.weights
	b.lower = max(b.lower, center-radius)
	b.upper = min(b.upper, center+radius)
}

// Result is valid at every n at once.
func (b *Bernstein) Result() Result {
	return b.support.result(b.plug, b.lower, b.upper, b.alpha)
}

// result maps an interval in [0,1] back to the support. An empty intersection
// has probability at most alpha if the assumptions hold; it is reported and
// widened to the whole support, so that it can never decide a claim.
func (s Support) result(p plugin, lower, upper, alpha float64) Result {
	r := Result{Method: SampledMethod, Samples: p.n, Confidence: 1 - alpha, Lower: s.Lo, Upper: s.Hi, Estimate: (s.Lo + s.Hi) / 2}
	if p.n > 0 {
		r.Estimate = s.Lo + (s.Hi-s.Lo)*p.sum/float64(p.n)
	}
	if lower > upper {
		r.Confidence = 0
		r.Warnings = append(r.Warnings, "empty confidence interval: the values are not independent draws of one law")
		return r
	}
	r.Lower, r.Upper = s.Lo+(s.Hi-s.Lo)*lower, s.Lo+(s.Hi-s.Lo)*upper
	return r
}
