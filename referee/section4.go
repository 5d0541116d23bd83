package referee

import (
	"context"
	"math"
	"sync"

	"tqn/bounds"
	"tqn/convex"
	"tqn/evidence"
	"tqn/quantize"
)

// This file has what the results of Section 4 share: their instances, and the
// measurements of a convergence bound and of the lines of its proof.

// dataSeed is the seed of the built-in data sets. It is fixed: the instances are
// part of the claims, the run's seed only draws gradient samples and roundings.
const dataSeed = 2017

// regression returns m rows a_i uniform in [-1,1]^d and targets
// a_i.x + noise uniform in [-0.2, 0.2], x_k = 0.5 cos(1 + k).
func regression(m, d int) (a [][]float64, b []float64) {
	draw := quantize.NewNoise(dataSeed).At(uint32(1000*m+d), 0)
	for i := range m {
		row := make([]float64, d)
		at := i * (d + 1)
		y := 0.2 * (2*draw.Uniform(at) - 1)
		for k := range row {
			row[k] = 2*draw.Uniform(at+k+1) - 1
			y += row[k] * 0.5 * math.Cos(1+float64(k))
		}
		a, b = append(a, row), append(b, y)
	}
	return a, b
}

// leastSquares is the regression of m rows in d dimensions with ridge 0.1 on [-1, 1]^d.
func leastSquares(m, d int) *convex.LeastSquares {
	a, b := regression(m, d)
	return must(convex.NewLeastSquares("least squares", a, b, 0.1, -1, 1))
}

// logistic is the logistic regression on the signs of the targets, ridge 0.2.
func logistic(m, d int) *convex.Logistic {
	a, b := regression(m, d)
	y := make([]float64, len(b))
	for i, v := range b {
		y[i] = math.Copysign(1, v)
	}
	return must(convex.NewLogistic("logistic", a, y, 0.2, -1, 1))
}

// spread returns d >= 2 numbers from a to b with equal steps.
func spread(d int, a, b float64) []float64 {
	x := make([]float64, d)
	for k := range x {
		x[k] = a + (b-a)*float64(k)/float64(d-1)
	}
	return x
}

// must is for what is right by construction.
func must[T any](v T, err error) T {
	if err != nil {
		panic("referee: " + err.Error())
	}
	return v
}

// The problems that several results are measured on. Each is one value, so that a run
// probes it once.
var (
	leastSquares2  = sync.OnceValue(func() *convex.LeastSquares { return leastSquares(6, 2) })
	leastSquares10 = sync.OnceValue(func() *convex.LeastSquares { return leastSquares(40, 10) })
	logistic2      = sync.OnceValue(func() *convex.Logistic { return logistic(6, 2) })
	logistic8      = sync.OnceValue(func() *convex.Logistic { return logistic(40, 8) })
	quadratic2     = sync.OnceValue(func() convex.Problem {
		return convex.NewQuadratic(-1, 1, []float64{1, 0.5}, []float64{0.3, -0.2}, 0.3)
	})
	quadratic3 = sync.OnceValue(func() convex.Problem {
		return convex.NewQuadratic(-1, 1, []float64{1, 0.7, 0.5}, []float64{0.3, -0.2, 0.45}, 0.3)
	})
	huber1 = sync.OnceValue(func() convex.Problem { return convex.NewHuber(-1, 1, 1, 0.1, 0, []float64{0.3}, 0.3) })
	huber2 = sync.OnceValue(func() convex.Problem {
		return convex.NewHuber(-1, 1, 1, 0.1, 0, []float64{0.3, -0.22}, 0.3)
	})
	// noisy has so much noise that a biased coin of SR shows.
	noisy = sync.OnceValue(func() convex.Problem {
		return convex.NewQuadratic(-1, 1, []float64{1, 0.8}, []float64{0.3, 0.6}, 0.8)
	})
	// quiet has no noise: BC with Q_d is a single trajectory.
	quiet = sync.OnceValue(func() convex.Problem {
		return convex.NewQuadratic(-1, 1, []float64{1, 0.5}, []float64{0.3, 0.6}, 0)
	})
	// bias is the problem on which Q_d settles at a threshold beside the minimiser.
	bias = sync.OnceValue(func() convex.Problem { return convex.NewQuadratic(0, 1, []float64{1}, []float64{0.3}, 0) })
)

// strong is the schedule of Theorems 1 and 4, alpha_t = 1/(mu(t+1)).
func strong(p convex.Problem) convex.Schedule { return convex.Strong(p.Constants().Mu) }

// natural is alpha_t = c/sqrt(t) with c = D/G, up to which the printed Theorem 2
// follows from the derived one.
func natural(p convex.Problem) convex.Schedule {
	return convex.Root(convex.Diameter(p) / p.Constants().G)
}

// instance is a run that starts in the middle of the box.
func (p *Plan) instance(pr convex.Problem, delta float64, s convex.Schedule, t int) convex.Instance {
	in, err := convex.NewInstance(pr, delta, nil, s, t)
	p.fail(err)
	return in
}

// violated are the forms that a measurement refutes.
func violated(forms ...bounds.Form) map[bounds.Form]evidence.Verdict {
	m := map[bounds.Form]evidence.Verdict{}
	for _, f := range forms {
		m[f] = evidence.Violated
	}
	return m
}

// sr adds the exact measurements of one SR instance: the averaged gap, the
// lines of the proof and, where it is exact, E F(wbar_T); otherwise E F(wbar_T) is
// sampled. All share one pass of the exact law.
//
// stated and averaged map the forms that are false for E F(wbar_T), or for the
// averaged gap only, to their expected verdict.
func (p *Plan) sr(claim string, in convex.Instance, stated, averaged map[bounds.Form]evidence.Verdict) {
	l := line{rounding: bounds.Stochastic, instance: in.String(), problem: in.Problem}
	q := in.Parameters(in.T)
	n, d := states(in), in.Problem.Dim()
	_, curved := in.Problem.(convex.Curved)
	track := curved && n <= 40_000
	follow := sync.OnceValues(func() (*convex.Trace, error) { return convex.Follow(in, track) })
	law := func(suffix string, ts []target, f func(tr *convex.Trace) float64) {
		l := l
		l.claim, l.targets = claim+suffix, ts
		p.exact(l, func() (float64, float64, error) {
			tr, err := follow()
			if err != nil {
				return 0, 0, err
			}
			v := f(tr)
			return v, convex.Roundoff(in, v), nil
		})
	}
	l.claim, l.targets = claim, p.forms(claim, bounds.Stochastic, q, stated)
	switch small := d == 1 && in.Grid.Len()*in.T <= 20_000; {
	case track:
		law("", l.targets, func(tr *convex.Trace) float64 { return last(tr.Average) })
	case small:
		p.exact(l, func() (float64, float64, error) {
			v, err := convex.AverageLaw(in)
			return v, convex.Roundoff(in, v), err
		})
	case n <= 40_000 && d > 1:
		p.sampled(l, in, quantize.SR, convex.Sound)
	}
	law(".averaged", p.forms(claim, bounds.Stochastic, q, averaged), func(tr *convex.Trace) float64 { return last(tr.MeanGap) })
	// Both sides of Jensen's inequality and of the lines of the proof are measured:
	// they are recorded as left/right <= 1, with the error of the quotient.
	sides := func(suffix string, f func(tr *convex.Trace) convex.Sides) {
		l := l
		l.claim, l.targets = claim+suffix, unit(bounds.Derived)
		p.line(l, false, func(ctx context.Context, _ []float64, _ Draw) (evidence.Result, error) {
			tr, err := follow()
			if err != nil {
				return evidence.Result{}, err
			}
			return f(tr).Quotient(), ctx.Err()
		})
	}
	if track {
		sides(".jensen", func(tr *convex.Trace) convex.Sides {
			return convex.Sides{T: in.T, Left: last(tr.Average), Right: last(tr.MeanGap), Error: convex.Roundoff(in, last(tr.MeanGap))}
		})
	}
	sides(".one-step", func(tr *convex.Trace) convex.Sides { return tr.OneStep })
	sides(".telescoped", func(tr *convex.Trace) convex.Sides { return tr.Summed })
}

func last(x []float64) float64 { return x[len(x)-1] }

// linesOfSR are the claims that sr judges beside the statement.
func linesOfSR(claim string) []Claim {
	return []Claim{
		{Name: claim + ".averaged", Says: "the bound also holds for (1/T) sum_{t<=T} E[F(w^t) - F*], which is not below the left side"},
		{Name: claim + ".jensen", Says: "E F(wbar_T) - F* is at most that mean: Jensen's inequality, recorded as left/right <= 1"},
		{Name: claim + ".one-step", Says: "the inequality for one step of the proof, recorded as left/right <= 1 for the worst step"},
		{Name: claim + ".telescoped", Says: "the sum of these inequalities over all steps, recorded as left/right <= 1"},
	}
}

// average adds E F(wbar_T) of one rule: exact without randomness, else sampled.
func (p *Plan) average(claim string, in convex.Instance, rule quantize.Rule, r bounds.Rounding, expected map[bounds.Form]evidence.Verdict, only ...bounds.Form) {
	l := line{claim, r, in.String(), in.Problem, p.forms(claim, r, in.Parameters(in.T), expected, only...)}
	if convex.Deterministic(in.Problem, rule) {
		p.exact(l, trajectory(in, rule, convex.Sound))
	} else {
		p.sampled(l, in, rule, convex.Sound)
	}
}

// trajectory is a run without randomness.
func trajectory(in convex.Instance, rule quantize.Rule, defect convex.Defect) func() (float64, float64, error) {
	return func() (float64, float64, error) {
		r := convex.NewRunner(in, rule)
		r.Defect = defect
		v := r.Run(quantize.NewNoise(0), 0, nil).Average
		return v, convex.Roundoff(in, v), nil
	}
}

// control is the line of a negative control against the derived form: every bound,
// times scale, has to come out violated.
func (p *Plan) control(claim, what string, in convex.Instance, r bounds.Rounding, scale float64) line {
	ts := p.forms(claim, r, in.Parameters(in.T), violated(bounds.Derived), bounds.Derived)
	for i := range ts {
		ts[i].bound *= scale
	}
	return line{claim, r, controlMark + what + ": " + in.String(), nil, ts}
}

// halfTheBound adds the control of Theorems 1 and 2: on an instance that attains the
// bound, half of it is violated.
func (p *Plan) halfTheBound(claim string, in convex.Instance) {
	p.exact(p.control(claim, "half the bound", in, bounds.Stochastic, 0.5), func() (float64, float64, error) {
		v, err := convex.AverageLaw(in)
		return v, convex.Roundoff(in, v), err
	})
}

// biasedCoin adds the control of Theorems 1 and 2 with a defect of SR.
func (p *Plan) biasedCoin(claim string, in convex.Instance) {
	p.sampled(p.control(claim, "a coin that always falls on the lower point", in, bounds.Stochastic, 1), in, quantize.SR, convex.RoundsDown)
}

// understated says half of the true G.
type understated struct{ convex.Problem }

// Constants are the true ones but for G.
func (u understated) Constants() convex.Constants {
	c := u.Problem.Constants()
	c.G /= 2
	return c
}

// proofControls adds a control for every line of the proof of Theorems 1 and 2, on an
// instance that attains the bound from a start where the gap is large: each line has to
// be seen to fail, or it says nothing where it holds.
func (p *Plan) proofControls(claim string, in convex.Instance) {
	law := func(in convex.Instance) func() (*convex.Trace, error) {
		return sync.OnceValues(func() (*convex.Trace, error) { return convex.Follow(in, false) })
	}
	lying := in
	lying.Problem = understated{in.Problem}
	honest, dishonest := law(in), law(lying)
	add := func(suffix, what string, bound float64, follow func() (*convex.Trace, error), f func(tr *convex.Trace) evidence.Result) {
		ts := []target{{bounds.Derived, bound, evidence.Violated}}
		p.line(line{claim + suffix, bounds.Stochastic, controlMark + what + ": " + in.String(), nil, ts}, false, func(ctx context.Context, _ []float64, _ Draw) (evidence.Result, error) {
			tr, err := follow()
			if err != nil {
				return evidence.Result{}, err
			}
			return f(tr), ctx.Err()
		})
	}
	meanGap := func(tr *convex.Trace) float64 { return last(tr.MeanGap) }
	half := p.control(claim, "", in, bounds.Stochastic, 0.5)
	if p.err != nil {
		return
	}
	add(".averaged", "half the bound", half.targets[0].bound, honest, func(tr *convex.Trace) evidence.Result {
		return evidence.Exact(meanGap(tr), convex.Roundoff(in, meanGap(tr)))
	})
	add(".jensen", "the first iterate in place of the average", 1, honest, func(tr *convex.Trace) evidence.Result {
		return convex.Sides{T: in.T, Left: convex.Gap(in.Problem, in.Start), Right: meanGap(tr), Error: convex.Roundoff(in, meanGap(tr))}.Quotient()
	})
	add(".one-step", "half of G", 1, dishonest, func(tr *convex.Trace) evidence.Result { return tr.OneStep.Quotient() })
	add(".telescoped", "half of G", 1, dishonest, func(tr *convex.Trace) evidence.Result { return tr.Summed.Quotient() })
}

// uphill adds the controls of BinaryConnect, one for each rounding.
func (p *Plan) uphill(claim string, in convex.Instance) {
	const what = "steps along the gradient"
	p.exact(p.control(claim, what, in, bounds.Nearest, 1), trajectory(in, quantize.BC, convex.Ascends))
	p.sampled(p.control(claim, what, in, bounds.Stochastic, 1), in, quantize.BCStochastic, convex.Ascends)
}

// mended are the forms of Theorem 4 and Corollary 1 that are true in general of Q_d.
var mended = []bounds.Form{bounds.Derived, bounds.Sharp}
