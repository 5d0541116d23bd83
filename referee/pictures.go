package referee

import (
	"fmt"
	"math"

	"tqn/bounds"
	"tqn/convex"
	"tqn/quantize"
)

// curveRuns is the number of runs whose mean a sampled line of a picture is.
const curveRuns = 64

const (
	srCaption = "First panel: the gap against T on F = (1/2) sum h_k (w_k - c_k)^2, d = 2, Delta = 1/8, with gradient noise; the SR lines are exact, those of plain SGD are means of 64 runs (sampled). " +
		"Second and third panel: where the gap ends, against Delta and, at fixed G, against the dimension; exact. The tight problem is |w| rounded off next to a grid point (convex.Tight); shown is the limit of F(E wbar_T) - F*, which E F(wbar_T) - F* is not below. " +
		"Last panel: the gap against the batch size, on a rounded-off |w| of slope 0.2 with gradient noise of standard deviation 1, exact, beside the bound that knows that deviation."
	bcCaption = "First panel: the gap against T, means of 64 runs (sampled): wbar_r is the average of the real weights w_r; w_b = Q(w_r) are the quantized weights, of which the theorems say nothing. " +
		"Second: where the gap of w_r ends, against Delta, in one dimension (exact limits as T grows). Third: the same for d copies of that problem, at fixed Delta. A line or point that is missing is zero. " +
		"The printed bound is the same for both roundings."
)

// meanCurve averages curveRuns trajectories, or takes the only one there is.
func meanCurve(in convex.Instance, rule quantize.Rule, seed uint64) convex.Curve {
	runs := curveRuns
	if convex.Deterministic(in.Problem, rule) {
		runs = 1
	}
	noise := quantize.NewNoise(seed)
	mean := convex.Trajectory(in, rule, noise, 0)
	add := func(dst, src []float64, w float64) {
		for i := range dst {
			dst[i] += (src[i] - dst[i]) * w
		}
	}
	for i := 1; i < runs; i++ {
		c := convex.Trajectory(in, rule, noise, uint32(i))
		w := 1 / float64(i+1)
		add(mean.Average, c.Average, w)
		add(mean.MeanGap, c.MeanGap, w)
		add(mean.Read, c.Read, w)
	}
	return mean
}

// srFigure is the picture of Theorems 1 and 2.
func srFigure(claim string, seed uint64) (Figure, error) {
	var f Figure
	q := quadratic2()
	schedule := natural
	mu := 0.0
	if claim == "theorem1" {
		schedule = strong
		mu = 1e-3 // strongly convex; small beside the slope 1, so that the floor is still attained
	}
	in, err := convex.NewInstance(q, 1./8, nil, schedule(q), 10_000)
	if err != nil {
		return f, err
	}
	tr, err := convex.Follow(in, true)
	if err != nil {
		return f, err
	}
	p := f.panel("gap against T", "steps T", "F − F*")
	ts := floats(tr.T)
	p.line("SR: E F(wbar_T) - F*", SR, ts, tr.Average)
	p.line("SR: mean of E F(w^t) - F*", SRMean, ts, tr.MeanGap)
	float := meanCurve(in, quantize.Float, seed)
	p.line("plain SGD: F(wbar_T) - F*", SGD, floats(float.T), float.Average)
	p.line("plain SGD: mean of F(w^t) - F*", SGDMean, floats(float.T), float.MeanGap)
	p.bounds(claim, bounds.Stochastic, "", allForms, ts, func(t float64) bounds.Parameters { return in.Parameters(int(t)) }, bounds.Value.Total)
	f.Title = statement(claim).Title + ": where training with SR alone ends"
	f.Conclusion = fmt.Sprintf("After %d steps the mean gap of SR's iterates has levelled off at %.2g, a floor that grows in proportion to Δ; that of plain SGD's is %.2g and still falling.",
		in.T, last(tr.MeanGap), last(float.MeanGap))

	p = f.panel("floor against Δ", "grid step Δ", "F − F*")
	var deltas, tight, late []float64
	params := map[float64]bounds.Parameters{}
	for _, delta := range []float64{1. / 32, 1. / 16, 1. / 8, 1. / 4, 1. / 2} {
		deltas = append(deltas, delta)
		t := convex.Tight(1, delta, 1, mu)
		tight = append(tight, convex.LimitSR(t))
		ti, err := convex.NewInstance(t, delta, nil, schedule(t), 1)
		if err != nil {
			return f, err
		}
		params[delta] = ti.Parameters(1)
		qi, err := convex.NewInstance(q, delta, q.Minimiser(), schedule(q), 2000)
		if err != nil {
			return f, err
		}
		g, err := convex.LateGap(qi)
		if err != nil {
			return f, err
		}
		late = append(late, g)
	}
	at := func(x float64) bounds.Parameters { return params[x] }
	p.points("tight problem: limit of F(E wbar_T)", SR, deltas, tight)
	p.points("quadratic: mean of F(w^t), t > 1000", SRMean, deltas, late)
	p.bounds(claim, bounds.Stochastic, ": floor (tight problem)", allForms[:1], deltas, at, floor)

	p = f.panel("floor against d, G = 1", "dimension d", "F − F*")
	var dims, ends []float64
	for d := 1.0; d <= 64; d *= 2 {
		dims = append(dims, d)
		ends = append(ends, d*convex.LimitSR(convex.Tight(1, 0.5, 1/math.Sqrt(d), mu)))
		t := convex.Tight(int(d), 0.5, 1/math.Sqrt(d), mu)
		ti, err := convex.NewInstance(t, 0.5, nil, schedule(t), 1)
		if err != nil {
			return f, err
		}
		params[d] = ti.Parameters(1)
	}
	p.points("tight problem: limit of F(E wbar_T)", SR, dims, ends)
	p.bounds(claim, bounds.Stochastic, ": floor", allForms[:1], dims, at, floor)
	if claim == "theorem1" {
		return f, batchPanel(&f, claim, 0.02)
	}
	return f, batchPanel(&f, claim, 0)
}

// bcProblem returns d copies of the claim's problem with the minimiser at the same
// place of its cell for every delta, a tenth of a step above a grid point.
func bcProblem(claim string, d int, delta, noise float64) convex.Problem {
	center := make([]float64, d)
	h := make([]float64, d)
	for k := range center {
		center[k], h[k] = 0.1*delta, 1
	}
	if claim == "theorem4" {
		return convex.NewHalfCubic(-1, 1, 1, 2, center, noise)
	}
	return convex.NewQuadratic(-1, 1, h, center, noise)
}

func bcSchedule(claim string, p convex.Problem) convex.Schedule {
	if claim == "theorem3" {
		return natural(p)
	}
	return strong(p)
}

// bcDelta is the grid step of the BC figures where it does not vary.
const bcDelta = 0.5

func bcInstance(claim string) (convex.Instance, error) {
	p := bcProblem(claim, 4, bcDelta, 0.3)
	return convex.NewInstance(p, bcDelta, nil, bcSchedule(claim, p), 10_000)
}

// bcFigure is the picture of Theorems 3 and 4 and Corollary 1.
func bcFigure(claim string, seed uint64) (Figure, error) {
	var f Figure
	in, err := bcInstance(claim)
	if err != nil {
		return f, err
	}
	p := f.panel("gap against T, d = 4", "steps T", "F − F*")
	qs, qd, float := meanCurve(in, quantize.BCStochastic, seed), meanCurve(in, quantize.BC, seed), meanCurve(in, quantize.Float, seed)
	ts := floats(qs.T)
	p.line("Q_s: F(wbar_r) - F*", BCStochastic, ts, qs.Average)
	p.line("Q_s: mean of F(w_b^t) - F*", ReadStochastic, ts, qs.Read)
	p.line("Q_d: F(wbar_r) - F*", BCNearest, ts, qd.Average)
	p.line("Q_d: mean of F(w_b^t) - F*", ReadNearest, ts, qd.Read)
	p.line("plain SGD: F(wbar_T) - F*", SGD, ts, float.Average)
	at := func(t float64) bounds.Parameters { return in.Parameters(int(t)) }
	p.bounds(claim, bounds.Stochastic, "", []bounds.Form{bounds.Printed}, ts, at, bounds.Value.Total)
	p.bounds(claim, bounds.Stochastic, ", Q_s", []bounds.Form{bounds.Derived}, ts, at, bounds.Value.Total)
	p.bounds(claim, bounds.Nearest, ", Q_d", []bounds.Form{bounds.Sharp}, ts, at, bounds.Value.Total)

	f.Title = statement(claim).Title + ": where BinaryConnect ends"
	f.Conclusion = fmt.Sprintf("After %d steps the gap of BC's real weights is %.2g with stochastic rounding (Q_s) and %.2g with rounding to nearest (Q_d); that of the quantized weights that one deploys is %.2g and %.2g.",
		in.T, last(qs.Average), last(qd.Average), last(qs.Read), last(qd.Read))
	p = f.panel("floor against Δ, d = 1", "grid step Δ", "F − F*")
	if err := p.limitsOfBC(claim, []float64{1. / 32, 1. / 16, 1. / 8, 1. / 4, 1. / 2, 1}, func(x float64) (delta float64, d int) { return x, 1 }); err != nil {
		return f, err
	}
	p = f.panel("floor against d, Δ = 1/2", "dimension d", "F − F*")
	return f, p.limitsOfBC(claim, []float64{1, 2, 4, 8, 16, 32, 64}, func(x float64) (delta float64, d int) { return bcDelta, int(x) })
}

// limitsOfBC adds where BC ends on d copies of the claim's problem, and the floors of
// its bounds there; at says for each x what Delta and d are.
func (p *Panel) limitsOfBC(claim string, xs []float64, at func(x float64) (delta float64, d int)) error {
	var nearest, stochastic []float64
	params := map[float64]bounds.Parameters{}
	for _, x := range xs {
		delta, n := at(x)
		one := bcProblem(claim, 1, delta, 0)
		g, err := quantize.NewGrid(delta, -1, 1)
		if err != nil {
			return err
		}
		// Zero up to rounding has no point on a logarithmic axis.
		s := float64(n) * convex.LimitBC(one, g, bounds.Stochastic)
		if s < 1e-15 {
			s = 0
		}
		nearest = append(nearest, float64(n)*convex.LimitBC(one, g, bounds.Nearest))
		stochastic = append(stochastic, s)
		whole := bcProblem(claim, n, delta, 0)
		in, err := convex.NewInstance(whole, delta, nil, bcSchedule(claim, whole), 1)
		if err != nil {
			return err
		}
		b := in.Parameters(1)
		b.T = 1e9 // where the form with the smallest floor is the smallest
		params[x] = b
	}
	p.points("Q_d: limit of F(wbar_r) - F*", BCNearest, xs, nearest)
	p.points("Q_s: limit of F(wbar_r) - F*", BCStochastic, xs, stochastic)
	of := func(x float64) bounds.Parameters { return params[x] }
	p.bounds(claim, bounds.Nearest, ", Q_d: floor", []bounds.Form{bounds.Derived, bounds.Sharp}, xs, of, floor)
	p.bounds(claim, bounds.Nearest, ": floor", []bounds.Form{bounds.Printed}, xs, of, floor)
	p.bounds(claim, bounds.Stochastic, ", Q_s: floor", []bounds.Form{bounds.Derived}, xs, of, floor)
	return nil
}
