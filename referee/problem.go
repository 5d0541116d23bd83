package referee

import (
	"fmt"
	"math"

	"tqn/bounds"
	"tqn/convex"
	"tqn/quantize"
)

// Problem is a user's problem: the claims whose assumptions it satisfies are judged
// on it.
type Problem struct {
	convex.Problem
	Source string    // where it comes from, such as a file's name
	Deltas []float64 // grid steps; default: 1/4 and 1/16 of the width of W
	T      int       // averaged iterates; default 1000
}

// String describes the problem with its certified constants.
func (p *Problem) String() string {
	c := p.Constants()
	lo, hi := p.Box()
	return fmt.Sprintf("%s (%s), %d rows, d = %d, W = [%g, %g]^%d, G = %.4g, mu = %.4g, L = %.4g, L2 = %.4g, D = %.4g",
		p.Name(), p.Source, p.Terms(), p.Dim(), lo, hi, p.Dim(), c.G, c.Mu, c.L, c.L2, convex.Diameter(p))
}

// plan adds the measurements of the problem, with both schedules of step sizes where
// its constants allow them.
func (p *Problem) plan(plan *Plan) error {
	pr := p.Problem
	if err := convex.Probe(pr, plan.Seed, 2000); err != nil {
		return err
	}
	lo, hi := pr.Box()
	deltas, t := p.Deltas, p.T
	if len(deltas) == 0 {
		deltas = []float64{(hi - lo) / 4, (hi - lo) / 16}
	}
	if t <= 0 {
		t = 1000
	}
	c := pr.Constants()
	_, curved := pr.(convex.Curved)
	known := func(x float64) bool { return !math.IsNaN(x) && !math.IsInf(x, 0) }
	for _, delta := range deltas {
		root, err := convex.NewInstance(pr, delta, pr.Minimiser(), natural(pr), t)
		if err != nil {
			return err
		}
		exactly := pr.Dim() <= 3 && states(root) <= 20_000
		sr := func(claim string, in convex.Instance) {
			if exactly {
				plan.sr(claim, in, nil, nil)
			} else {
				plan.average(claim, in, quantize.SR, bounds.Stochastic, nil)
			}
		}
		bc := func(claim string, in convex.Instance) {
			plan.average(claim, in, quantize.BCStochastic, bounds.Stochastic, nil, mended...)
			plan.average(claim, in, quantize.BC, bounds.Nearest, nil, mended...)
		}
		sr("theorem2", root)
		if known(c.L) {
			bc("theorem3", root)
		}
		if c.Mu > 0 {
			in, err := convex.NewInstance(pr, delta, pr.Minimiser(), convex.Strong(c.Mu), t)
			if err != nil {
				return err
			}
			sr("theorem1", in)
			if known(c.L2) {
				bc("theorem4", in)
			}
			if curved {
				bc("corollary1", in)
			}
		}
	}
	return nil
}
