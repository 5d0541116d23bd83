package referee

import (
	"tqn/bounds"
	"tqn/convex"
	"tqn/quantize"
)

func theorem4() Result {
	return Result{
		Statement: statement("theorem4"),
		Meaning:   "On strongly convex functions BinaryConnect ends much nearer to the minimum than SR: with stochastic rounding at a floor of order Delta^2 as proved, and of order Delta^4 as measured. The printed floor is false, for rounding to nearest and on coarse grids for stochastic rounding.",
		Claims: []Claim{
			{Name: "theorem4", Says: "E F(wbar_T) - F* of BC's real weights is at most the bound",
				False: []Reading{{bounds.Printed, bounds.Stochastic}, {bounds.Printed, bounds.Nearest}}},
			{Name: "theorem4.counterexample", Says: "the statement as printed, on the smallest instance found that refutes it", False: []Reading{{bounds.Printed, bounds.Stochastic}}},
			{Name: "theorem4.repaired", Says: "the derived bound on this instance"},
			worstClaim("theorem4"),
		},
		Plan:    planTheorem4,
		Figure:  func(seed uint64) (Figure, error) { return bcFigure("theorem4", seed) },
		Caption: bcCaption,
	}
}

func planTheorem4(p *Plan) {
	p.worstCases("theorem4", 3600)
	p.From(109)
	cubic4 := convex.NewHalfCubic(-1, 1, 1, 2, spread(4, -0.3, 0.3), 0.3)
	for _, in := range []convex.Instance{
		p.instance(logistic8(), 1./2, strong(logistic8()), 1000),
		p.instance(cubic4, 1, strong(cubic4), 1000),
	} {
		p.average("theorem4", in, quantize.BCStochastic, bounds.Stochastic, nil)
		p.average("theorem4", in, quantize.BC, bounds.Nearest, nil, mended...)
	}
	// Deterministic rounding has a bias: E r = 0 fails.
	biased := convex.NewHalfCubic(0, 1, 1, 0.01, []float64{0.3}, 0)
	p.average("theorem4", p.instance(biased, 1, strong(biased), 100_000), quantize.BC, bounds.Nearest, violated(bounds.Printed))
	// |r|^2 > |r| on a coarse grid.
	coarse := convex.NewHalfCubic(0, 1000, 1, 0.01, []float64{500}, 0)
	p.average("theorem4", p.instance(coarse, 1000, strong(coarse), 2000), quantize.BCStochastic, bounds.Stochastic, violated(bounds.Printed))
	p.exhibits("theorem4")

	p.From(126)
	quietCubic := convex.NewHalfCubic(-1, 1, 1, 0.5, []float64{0.3, 0.6}, 0)
	p.uphill("theorem4", p.instance(quietCubic, 1./64, strong(quietCubic), 2000))
}
