package referee

import (
	"fmt"

	"tqn/bounds"
	"tqn/convex"
	"tqn/evidence"
	"tqn/quantize"
)

func theorem3() Result {
	return Result{
		Statement: statement("theorem3"),
		Meaning:   "BinaryConnect (BC) has a floor on convex functions too, with either rounding, but a far lower one than printed; the part of the bound that vanishes with T is printed too small for steps longer than c = 0.5762 D/G.",
		Claims: []Claim{
			{Name: "theorem3", Says: "E F(wbar_T) - F* of BC's real weights is at most the bound"},
			{Name: "theorem3.counterexample", Says: "the statement as printed, on the smallest instance found that refutes it",
				False: []Reading{{bounds.Printed, bounds.Stochastic}, {bounds.Printed, bounds.Nearest}}},
			{Name: "theorem3.repaired", Says: "the derived bound on this instance"},
			{Name: "theorem3.floor", Says: "the floor of BC with Q_s: the sharp one is attained up to d/(d-1), the separable one exactly, at any T (here 2^50)"},
			worstClaim("theorem3", Reading{bounds.Printed, bounds.Stochastic}),
		},
		Plan:    planTheorem3,
		Figure:  func(seed uint64) (Figure, error) { return bcFigure("theorem3", seed) },
		Caption: bcCaption,
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
	p.From(320)
	p.floorOfBC()
	p.From(124)
	p.uphill("theorem3", p.instance(quiet(), 1./64, natural(quiet()), 2000))
}

// floorOfBC compares the floors of BC with Q_s with the instances on which they are nearly attained, whatever the number and the length of the steps: the cone, where BC never moves in the
// direction that counts, and one cell with a kink, where it ends at a known point. As controls, a smaller constant is violated.
func (p *Plan) floorOfBC() {
	for _, d := range []int{2, 4, 9} {
		cone := convex.NewCone(d, 31, 1, 1)
		in, err := convex.NewInstance(cone, 1, cone.Start(1), natural(cone), 1)
		p.fail(err)
		p.floor(fmt.Sprintf("cone d=%d on 31 cells a side, Delta=1: no gradient at a grid point has a part along the first coordinate", d), bounds.Sharp, in.Parameters(1<<50), cone, cone.Floor(), 1)
		if d == 9 {
			p.floor(controlMark+"0.85 of the floor: cone d=9 on 31 cells a side, Delta=1", bounds.Sharp, in.Parameters(1<<50), cone, cone.Floor(), 0.85)
		}
	}
	k := convex.WorstKink(0)
	kink := convex.NewKinked(0, 1, 0, 1, k.Kink-k.Center, []float64{k.Center}, 0)
	in, err := convex.NewInstance(kink, 1, nil, natural(kink), 1)
	p.fail(err)
	what := fmt.Sprintf("kinked d=1 on one cell, Delta=1, w*=%.4f, F'' jumps from 1 to 0 at %.4f: limit of F(wbar_T) - F*", k.Center, k.Kink)
	p.floor(what, bounds.Sharp, in.Parameters(1<<50), kink, k.Gap, 1)
	p.floor(what, bounds.Separable, in.Parameters(1<<50), kink, k.Gap, 1)
	p.floor(controlMark+"0.99 of the floor: "+what, bounds.Separable, in.Parameters(1<<50), kink, k.Gap, 0.99)
}

// floor adds a known floor against scale times that of a form of Theorem 3.
func (p *Plan) floor(instance string, f bounds.Form, q bounds.Parameters, problem convex.Problem, measured, scale float64) {
	v, err := bounds.Theorem3(f, bounds.Stochastic, q)
	p.fail(err)
	expected := evidence.Holds
	if scale < 1 {
		expected = evidence.Violated
	}
	bound := v.Decay + scale*v.Floor
	p.exact(line{"theorem3.floor", bounds.Stochastic, instance, problem, []target{{f, bound, expected}}}, func() (float64, float64, error) {
		return measured, 1e-12 * measured, nil
	})
}
