package convex

import (
	"context"
	"fmt"
	"math"

	"tqn/bounds"
	"tqn/evidence"
)

// Parameters are the constants of the member for the bounds, on a grid that is as fine as one looks.
func (s *Staircase) Parameters() bounds.Parameters {
	p := bounds.Unknown()
	p.Dim, p.T, p.Delta, p.G, p.Diameter, p.C = 1, s.T, 1e-15, 1, 1, s.K
	return p
}

// staircaseMembers are the best of a dozen widths and a dozen beginnings for each T and c.
var staircaseMembers = []struct {
	T    int
	k    float64
	from int
	side float64
}{
	{256, 1.2, 110, 0.3}, {4096, 1.15, 1474, 0.2}, {1 << 18, 1.1, 86507, 0.1},
}

// Staircases are members of the family with T from 256 to 262144 and c ever closer to bounds.CriticalStep D/G.
func Staircases() ([]*Staircase, error) {
	var all []*Staircase
	for _, x := range staircaseMembers {
		s, err := NewStaircase(x.T, x.k, x.from, x.side, 0)
		if err != nil {
			return nil, err
		}
		all = append(all, s)
	}
	return all, nil
}

// staircaseOwn is u where a member is replayed.
const staircaseOwn = 0.02

const staircaseCoverage = "one family, in closed form for every T (convex.Staircase): where the staircase begins and how wide W is"

// theorem2Staircase refutes Section 4.1's form at c = 1.2 D/G, replayed: its parameters are T, 1e6 c G/D, the first step on the staircase and 1e6 times the width.
var theorem2Staircase = Exhibit{
	Name: "theorem2-general-staircase", Witness: []int{256, 1200000, 110, 300000},
	Check: func(_ context.Context, x []int) (Counterexample, error) {
		s, err := NewStaircase(x[0], float64(x[1])/1e6, x[2], float64(x[3])/1e6, staircaseOwn)
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

// theorem2Critical refutes it at c = 1.1 D/G, as a limit: functions of the family come as close to the gap as one looks.
var theorem2Critical = Exhibit{
	Name: "theorem2-general-critical", Witness: []int{1 << 18, 1100000, 86507, 100000},
	Check: func(_ context.Context, x []int) (Counterexample, error) {
		s, err := NewStaircase(x[0], float64(x[1])/1e6, x[2], float64(x[3])/1e6, 0)
		if err != nil {
			return Counterexample{}, err
		}
		mean, err := s.Mean()
		if err != nil {
			return Counterexample{}, err
		}
		return Counterexample{
			Name: "theorem2-general-critical", Claim: "theorem2", Form: bounds.Printed, Rounding: bounds.Stochastic, Parameters: s.Parameters(), Left: "F(wbar_T) - F*",
			Instance: fmt.Sprintf("a staircase on a convex W, no gradient noise, Delta -> 0, c = %.4f D/G, T = %d", s.K, s.T),
			Coverage: staircaseCoverage,
			Measured: evidence.Exact(mean, 1e-9*math.Abs(mean)),
		}.fill()
	},
}
