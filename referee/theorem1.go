package referee

import (
	"tqn/bounds"
	"tqn/convex"
	"tqn/quantize"
)

func theorem1() Result {
	return Result{
		Statement: statement("theorem1"),
		Meaning:   "Training with stochastic rounding alone (SR) on a strongly convex function converges as fast as plain SGD, but only down to a floor in proportion to the grid step Delta.",
		Claims:    append(append([]Claim{{Name: "theorem1", Says: "E F(wbar_T) - F* of SR is at most the bound"}}, linesOfSR("theorem1")...), Claim{Name: "theorem1.noise", Says: noiseSays}, worstClaim("theorem1")),
		Plan:      planTheorem1,
		Figure:    func(seed uint64) (Figure, error) { return srFigure("theorem1", seed) },
		Caption:   srCaption,
	}
}

func planTheorem1(p *Plan) {
	tight := convex.Tight(1, 1, 1, 0.05)
	p.From(41)
	p.sr("theorem1", p.instance(tight, 1, strong(tight), 10_000), nil, nil)
	p.sr("theorem1", p.instance(leastSquares2(), 1./8, strong(leastSquares2()), 2000), nil, nil)
	p.sr("theorem1", p.instance(quadratic2(), 1./16, strong(quadratic2()), 10_000), nil, nil)
	p.sr("theorem1", p.instance(logistic2(), 1./8, strong(logistic2()), 2000), nil, nil)
	p.sr("theorem1", p.instance(quadratic3(), 1./16, strong(quadratic3()), 300), nil, nil)
	p.sr("theorem1", p.instance(quadratic2(), 2./315, strong(quadratic2()), 500), nil, nil) // 99856 states
	p.average("theorem1", p.instance(leastSquares10(), 1./8, strong(leastSquares10()), 1000), quantize.SR, bounds.Stochastic, nil)
	p.average("theorem1", p.instance(logistic8(), 1./4, strong(logistic8()), 1000), quantize.SR, bounds.Stochastic, nil)

	p.From(120)
	p.halfTheBound("theorem1", p.instance(tight, 1, strong(tight), 10_000))
	p.From(122)
	p.biasedCoin("theorem1", p.instance(noisy(), 1./32, strong(noisy()), 2000))
	p.From(210)
	far, err := convex.NewInstance(tight, 1, []float64{1}, strong(tight), 2000)
	p.fail(err)
	p.proofControls("theorem1", far)
	p.From(300)
	p.noise("theorem1", 0.02)
	p.worstCases("theorem1", 3000)
}
