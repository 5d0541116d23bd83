package convex

import (
	"context"
	"fmt"

	"tqn/bounds"
	"tqn/evidence"
)

// Parameters are the constants of the member for the bounds, on a grid that is as fine as one looks.
func (s *Staircase) Parameters() bounds.Parameters {
	p := bounds.Unknown()
	p.Dim, p.T, p.Delta, p.G, p.Diameter, p.C = 1, s.T, 1e-15, 1, 1, s.K
	return p
}

// staircaseMembers are about the first T at which a member refutes Section 4.1's form for the given c, and the best of a few widths and slacks there.
var staircaseMembers = []struct {
	T           int
	k           float64
	side, slack float64
}{
	{200, 1.25, 0.2076, 0.005}, {304, 1.2, 0.2315, 0.004}, {928, 1.15, 0.2565, 0.001}, {4400, 1.12, 0.1977, 0.00045}, {51200, 1.1, 0.1314, 0.00013},
}

// Staircases are members of the family that refute Section 4.1's Theorem 2, with T from 200 to 51200 and c ever closer to bounds.CriticalStep D/G.
func Staircases() ([]*Staircase, error) {
	var all []*Staircase
	for _, x := range staircaseMembers {
		s, err := NewStaircase(x.T, x.k, x.side, x.slack, 0)
		if err != nil {
			return nil, err
		}
		all = append(all, s)
	}
	return all, nil
}

// staircaseOwn is u where a member is replayed.
const staircaseOwn = 0.02

const staircaseCoverage = "one family, in closed form for every T (convex.Staircase): how wide W is and how near the steepest staircase"

// theorem2Staircase refutes Section 4.1's form at c = 1.2 D/G, replayed: its parameters are T and 1e6 times c G/D, the width and the slack.
var theorem2Staircase = Exhibit{
	Name: "theorem2-general-staircase", Witness: []int{400, 1200000, 240000, 3000},
	Check: func(_ context.Context, x []int) (Counterexample, error) {
		s, err := NewStaircase(x[0], float64(x[1])/1e6, float64(x[2])/1e6, float64(x[3])/1e6, staircaseOwn)
		if err != nil {
			return Counterexample{}, err
		}
		a, err := s.Affine()
		if err != nil {
			return Counterexample{}, err
		}
		return a.refuting("theorem2-general-staircase", bounds.Printed, fmt.Sprintf("a staircase of %d affine functions", len(a.Slope)), staircaseCoverage)
	},
}

// theorem2Critical refutes it at c = 1.1 D/G, theorem2CriticalAppendix Appendix C's form at c = 0.6 D/G.
var (
	theorem2Critical         = limitExhibit("theorem2-general-critical", bounds.Printed, 51200, 1100000, 131400, 130)
	theorem2CriticalAppendix = limitExhibit("theorem2-general-appendix", bounds.Appendix, 1<<14, 600000, 120000, 5000)
)

// limitExhibit is a member as a limit: functions of the family come as close to the gap as one looks. Its parameters are those of theorem2Staircase.
func limitExhibit(name string, form bounds.Form, witness ...int) Exhibit {
	return Exhibit{Name: name, Witness: witness, Check: func(_ context.Context, x []int) (Counterexample, error) {
		s, err := NewStaircase(x[0], float64(x[1])/1e6, float64(x[2])/1e6, float64(x[3])/1e6, 0)
		if err != nil {
			return Counterexample{}, err
		}
		lower, upper, err := s.Mean()
		if err != nil {
			return Counterexample{}, err
		}
		return Counterexample{
			Name: name, Claim: "theorem2", Form: form, Rounding: bounds.Stochastic, Parameters: s.Parameters(), Left: "F(wbar_T) - F*",
			Instance: fmt.Sprintf("a staircase on a convex W, no gradient noise, Delta -> 0, c = %.4f D/G, T = %d", s.K, s.T),
			Coverage: staircaseCoverage,
			Measured: evidence.Result{Method: evidence.ExactMethod, Estimate: lower + (upper-lower)/2, Lower: lower, Upper: upper, Confidence: 1},
		}.fill()
	}}
}
