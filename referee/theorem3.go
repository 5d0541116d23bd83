package referee

import (
	"tqn/bounds"
	"tqn/quantize"
)

func theorem3() Result {
	return Result{
		Statement: statement("theorem3"),
		Meaning:   "BinaryConnect (BC) has a floor on convex functions too, with either rounding, but a far lower one than printed; the part of the bound that vanishes with T is printed too small.",
		Claims: []Claim{
			{Name: "theorem3", Says: "E F(wbar_T) - F* of BC's real weights is at most the bound"},
			{Name: "theorem3.counterexample", Says: "the statement as printed, on the smallest instance found that refutes it",
				False: []Reading{{bounds.Printed, bounds.Stochastic}, {bounds.Printed, bounds.Nearest}}},
			{Name: "theorem3.repaired", Says: "the derived bound on this instance"},
			worstClaim("theorem3", Reading{bounds.Printed, bounds.Stochastic}),
		},
		Plan:    planTheorem3,
		Figure:  func(seed uint64) (Figure, error) { return withWorstCases("theorem3", seed, bcFigure) },
		Caption: bcCaption + worstCaption,
	}
}

func planTheorem3(p *Plan) {
	p.worstCases("theorem3", 3400)
	p.From(103)
	for _, r := range []struct {
		rule quantize.Rule
		r    bounds.Rounding
	}{{quantize.BCStochastic, bounds.Stochastic}, {quantize.BC, bounds.Nearest}} {
		p.average("theorem3", p.instance(leastSquares10(), 1./8, natural(leastSquares10()), 1000), r.rule, r.r, nil)
		p.average("theorem3", p.instance(logistic8(), 1./2, natural(logistic8()), 1000), r.rule, r.r, nil)
		p.average("theorem3", p.instance(huber2(), 1./2, natural(huber2()), 1000), r.rule, r.r, nil)
	}
	p.exhibits("theorem3")
	p.From(124)
	p.uphill("theorem3", p.instance(quiet(), 1./64, natural(quiet()), 2000))
}
