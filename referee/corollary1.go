package referee

import (
	"tqn/bounds"
	"tqn/convex"
	"tqn/quantize"
)

func corollary1() Result {
	return Result{
		Statement: statement("corollary1"),
		Meaning:   "On quadratic functions BinaryConnect with stochastic rounding has no floor: its real weights become as greedy as those of plain SGD. With rounding to nearest it has one, and the printed bound is false.",
		Claims: []Claim{
			{Name: "corollary1", Says: "E F(wbar_T) - F* of BC's real weights on a quadratic is at most the bound", False: []Reading{{bounds.Printed, bounds.Nearest}}},
			{Name: "corollary1.counterexample", Says: "the statement as printed, on the smallest instance found that refutes it", False: []Reading{{bounds.Printed, bounds.Nearest}}},
			{Name: "corollary1.repaired", Says: "the derived bound on this instance"},
		},
		Plan:    planCorollary1,
		Figure:  func(seed uint64) (Figure, error) { return bcFigure("corollary1", seed) },
		Caption: bcCaption,
	}
}

func planCorollary1(p *Plan) {
	p.From(115)
	for _, in := range []convex.Instance{
		p.instance(leastSquares10(), 1./8, strong(leastSquares10()), 1000),
		p.instance(quadratic3(), 1, strong(quadratic3()), 300),
	} {
		p.average("corollary1", in, quantize.BCStochastic, bounds.Stochastic, nil)
		p.average("corollary1", in, quantize.BC, bounds.Nearest, nil, mended...)
	}
	p.average("corollary1", p.instance(bias(), 1, strong(bias()), 100_000), quantize.BC, bounds.Nearest, violated(bounds.Printed))
	p.exhibits("corollary1")

	p.From(128)
	p.uphill("corollary1", p.instance(quiet(), 1./64, strong(quiet()), 2000))
}

// QuantizedWeights compares BinaryConnect's real weights w_r, for which the results of
// Section 4 are stated, with w_b = Q(w_r), which one deploys.
type QuantizedWeights struct {
	Claim    string // whose step sizes and problem they are
	Rounding bounds.Rounding
	Average  float64 // F(wbar_r) - F*
	MeanGap  float64 // mean of F(w_r^t) - F*
	Read     float64 // mean of F(w_b^t) - F*
}

// quantizedWeights are means of curveRuns runs on the problems of the figures.
func quantizedWeights(seed uint64) ([]QuantizedWeights, error) {
	var rows []QuantizedWeights
	for _, claim := range []string{"theorem3", "theorem4", "corollary1"} {
		in, err := bcInstance(claim)
		if err != nil {
			return nil, err
		}
		for _, r := range []struct {
			rounding bounds.Rounding
			rule     quantize.Rule
		}{{bounds.Stochastic, quantize.BCStochastic}, {bounds.Nearest, quantize.BC}} {
			c := meanCurve(in, r.rule, seed)
			n := len(c.T) - 1
			rows = append(rows, QuantizedWeights{claim, r.rounding, c.Average[n], c.MeanGap[n], c.Read[n]})
		}
	}
	return rows, nil
}
