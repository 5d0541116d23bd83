package evidence

import "math"

// Record is one line of a verification run: one claim in one form, under one
// rounding, on one instance. Its JSON keys are those of `tqn verify --json`
// (docs/design.md).
type Record struct {
	Claim    string  `json:"claim"`    // "theorem1", or a line of its proof: "theorem1.one-step"
	Form     string  `json:"form"`     // "printed" or "derived"
	Rounding string  `json:"rounding"` // "stochastic" or "nearest"
	Method   Method  `json:"method"`
	Instance string  `json:"instance"`
	Measured float64 `json:"measured"`
	Lower    float64 `json:"lower"`
	Upper    float64 `json:"upper"`
	Bound    float64 `json:"bound"`
	Ratio    float64 `json:"ratio"` // measured / bound
	Verdict  string  `json:"verdict"`
	Expected string  `json:"expected"` // "holds" or "violated"
	Samples  int     `json:"samples"`

	Confidence float64  `json:"-"`                  // Result's; printed in the report
	Warnings   []string `json:"warnings,omitempty"` // Result's: why a verdict is undecided, or what to make of the number
}

// NewRecord judges "measured <= bound" and fills everything but the names.
func NewRecord(measured Result, bound float64, expected Verdict) Record {
	ratio := measured.Estimate / bound
	if math.IsNaN(ratio) || math.IsInf(ratio, 0) {
		ratio = 0 // 0/0 and x/Inf: JSON has no word for them, and neither loses anything
		if measured.Estimate > bound {
			ratio = math.MaxFloat64
		}
	}
	return Record{
		Method: measured.Method, Measured: measured.Estimate, Lower: measured.Lower, Upper: measured.Upper,
		Bound: bound, Ratio: ratio, Verdict: measured.AtMost(bound).String(), Expected: expected.String(),
		Samples: measured.Samples, Confidence: measured.Confidence, Warnings: measured.Warnings,
	}
}

// AsExpected reports whether the record agrees with its expectation. Undecided
// does not contradict "holds"; it does contradict "violated", since a
// counterexample or a negative control has to be seen to fail.
func (r Record) AsExpected() bool {
	return r.Verdict == r.Expected || (r.Verdict == Undecided.String() && r.Expected == Holds.String())
}
