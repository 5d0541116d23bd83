package referee

import (
	"math"
	"sync"

	"tqn/bounds"
	"tqn/convex"
	"tqn/evidence"
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
			{Name: "corollary1.limit", Says: "BC with Q_d is mirror descent: its real weights go to the thresholds around w*, at a gap of at most L d Delta^2/8 (here at T = 400000)"},
			{Name: "corollary1.thresholds", Says: "that gap is the one of the thresholds: its relative distance from (m-w*)'A(m-w*)/2 is small"},
			{Name: "corollary1.mean-of-wb", Says: "the mean of the quantized weights, weighted by alpha_t, goes to w* although they do not converge: |mean - w*| <= |w^1 - w^{T+1}|/(mu sum alpha_t)"},
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
	p.From(330)
	p.mirror()

	p.From(128)
	p.uphill("corollary1", p.instance(quiet(), 1./64, strong(quiet()), 2000))
}

// mirror adds BC with Q_d on quadratics without gradient noise: the limit of the real weights, and the mean of the quantized ones.
func (p *Plan) mirror() {
	ls := leastSquares2()
	for _, s := range []convex.Schedule{strong(ls), natural(ls)} {
		in := p.instance(convex.Noiseless(ls), 0.5, s, 400_000)
		limit, err := bounds.Corollary1(bounds.Limit, bounds.Nearest, in.Parameters(in.T))
		p.fail(err)
		run := sync.OnceValue(func() convex.Mirror { return convex.MirrorRun(in) })
		of := func(claim, what string, bound float64, expected evidence.Verdict, f func(convex.Mirror) float64) {
			name := what + in.String() + " alpha_t=" + s.String()
			p.exact(line{"corollary1." + claim, bounds.Nearest, name, in.Problem, []target{{bounds.Limit, bound, expected}}}, func() (float64, float64, error) {
				v := f(run())
				return v, 1e-9 * v, nil
			})
		}
		of("limit", "", limit.Total(), evidence.Holds, func(m convex.Mirror) float64 { return m.Gap })
		threshold := bounds.TrueLimit(ls.Minimiser(), -1, 0.5, func(dst, x []float64) {
			for k, row := range ls.Hessian() {
				dst[k] = row[0]*x[0] + row[1]*x[1]
			}
		})
		of("thresholds", "", 0.05, evidence.Holds, func(m convex.Mirror) float64 { return math.Abs(m.Gap/threshold - 1) })
		of("thresholds", controlMark+"the minimiser in place of the thresholds: ", 1e-3*threshold, evidence.Violated, func(m convex.Mirror) float64 { return m.Gap })
		of("mean-of-wb", "", 1, evidence.Holds, func(m convex.Mirror) float64 { return m.Read / m.Bound })
		of("mean-of-wb", controlMark+"half of the right side: ", 0.5, evidence.Violated, func(m convex.Mirror) float64 { return m.Read / m.Bound })
	}
	// Next to a grid point the limit is attained; half of it is violated. (With alpha_t = 1/(mu(t+1)), which add up to log(T)/mu only, BC takes exp(50) steps to get there.)
	edge := convex.NewQuadratic(0, 1, []float64{1, 1}, []float64{0.01, 0.01}, 0)
	in := p.instance(edge, 1, natural(edge), 400_000)
	limit, err := bounds.Corollary1(bounds.Limit, bounds.Nearest, in.Parameters(in.T))
	p.fail(err)
	for _, c := range []struct {
		what     string
		scale    float64
		expected evidence.Verdict
	}{{"", 1, evidence.Holds}, {controlMark + "half of the limit: ", 0.5, evidence.Violated}} {
		p.exact(line{"corollary1.limit", bounds.Nearest, c.what + in.String() + ", w* next to a grid point", edge, []target{{bounds.Limit, c.scale * limit.Total(), c.expected}}}, trajectory(in, quantize.BC, convex.Sound))
	}
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
