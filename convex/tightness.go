package convex

import (
	"cmp"
	"context"
	"fmt"
	"math"
	"runtime"
	"slices"
	"sync/atomic"

	"golang.org/x/sync/errgroup"
	"gonum.org/v1/gonum/stat"
	"gonum.org/v1/gonum/stat/distuv"

	"tqn/bounds"
	"tqn/evidence"
	"tqn/quantize"
)

// Worst says how tight one bound is on a family of small problems.
type Worst struct {
	Claim    string
	Rounding bounds.Rounding
	Form     bounds.Form
	Method   evidence.Method
	Family   string // what was searched
	Searched int    // instances evaluated
	// Ratios are measured/bound.
	Median, Best float64 // over the random instances: the median and the largest
	Found        float64 // after local search
	Instance     string  // where Found is attained
	Measured     float64
	Bound        bounds.Value
	Losses       []Loss // bound/measured as a product, largest factor first
}

// Loss is one factor of bound/measured.
type Loss struct {
	Step   string
	Factor float64
}

// Summary says "tight within x" or "loose by y, lost at step z".
func (w Worst) Summary() string {
	about := ""
	if w.Method == evidence.SampledMethod {
		about = "of about "
	}
	if w.Found >= 0.5 {
		return fmt.Sprintf("tight within a factor %s%.3g", about, 1/w.Found)
	}
	s := fmt.Sprintf("loose by a factor %s%.3g or more on every instance searched", about, 1/w.Found)
	if len(w.Losses) > 0 {
		s += fmt.Sprintf(", most of it lost at: %s (%.3g)", w.Losses[0].Step, w.Losses[0].Factor)
	}
	return s
}

// candidate is one point of a family: what it is and how to measure it.
type candidate struct {
	in   Instance
	rule quantize.Rule
	err  error
}

// tightRuns and tightT size the sampled objective of BC with Q_s.
const (
	tightT    = 1000
	tightRuns = 32
)

// Tightness searches, for each convergence bound, small one-dimensional problems
// for the instance with the largest measured/bound: restarts random points of a
// parameter cube, then a pattern search from the best ones (four if restarts >= 24). SR is measured by the
// exact law of the average, BC with Q_d without noise exactly by its trajectory,
// BC with Q_s by tightRuns runs with the same numbers for all candidates, which
// estimates but does not judge. The result is a function of the seed; claims
// names the claims to search for, none all of them.
func Tightness(ctx context.Context, seed uint64, restarts int, claims []string, progress func(done, total int)) ([]Worst, error) {
	type task struct {
		claim string
		rule  quantize.Rule
		r     bounds.Rounding
		form  bounds.Form
	}
	const derived, sharp = bounds.Derived, bounds.Sharp
	var tasks []task
	for _, t := range []task{
		{"theorem1", quantize.SR, bounds.Stochastic, derived},
		{"theorem1", quantize.SR, bounds.Stochastic, sharp},
		{"theorem2", quantize.SR, bounds.Stochastic, derived},
		{"theorem2", quantize.SR, bounds.Stochastic, sharp},
		{"theorem3", quantize.BC, bounds.Nearest, derived},
		{"theorem3", quantize.BC, bounds.Nearest, sharp},
		{"theorem3", quantize.BCStochastic, bounds.Stochastic, derived},
		{"theorem3", quantize.BCStochastic, bounds.Stochastic, sharp},
		{"theorem4", quantize.BC, bounds.Nearest, derived},
		{"theorem4", quantize.BC, bounds.Nearest, sharp},
		{"theorem4", quantize.BCStochastic, bounds.Stochastic, derived},
		{"theorem4", quantize.BCStochastic, bounds.Stochastic, sharp},
		{"corollary1", quantize.BC, bounds.Nearest, sharp},
		{"corollary1", quantize.BCStochastic, bounds.Stochastic, derived},
	} {
		if selected(t.claim, claims) {
			tasks = append(tasks, t)
		}
	}
	all := make([]Worst, len(tasks))
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(runtime.GOMAXPROCS(0))
	var done atomic.Int64
	for i, t := range tasks {
		group.Go(func() error {
			claim, err := bounds.Find(t.claim)
			if err != nil {
				return err
			}
			h := hunt{claim: claim, rule: t.rule, rounding: t.r, form: t.form, noise: quantize.NewNoise(seed)}
			all[i], err = h.worst(ctx, restarts)
			if n := int(done.Add(1)); progress != nil {
				progress(n, len(tasks))
			}
			return err
		})
	}
	return all, group.Wait()
}

// selected reports whether a claim is asked for; no names ask for all.
func selected(claim string, names []string) bool {
	if len(names) == 0 {
		return true
	}
	return slices.Contains(names, claim)
}

// cube is the number of parameters of a candidate.
const cube = 6

// decode turns a point of the unit cube into an instance. By scaling w and F one may
// take Delta = 1 and slopes of order 1. The parameters are the number of grid points
// (2 to 6), the minimiser, the sharpness of the kink or the third derivative, the
// strong convexity or c, the gradient noise and the start.
func decode(claim string, rule quantize.Rule, u []float64) candidate {
	n := 1 + int(u[0]*4.999) // width of W in grid steps
	hi := float64(n)
	center := []float64{u[1] * hi}
	log := func(x, a, b float64) float64 { return a * math.Pow(b/a, x) }
	noise := max(0, 2*u[4]-1)
	if rule == quantize.BC {
		noise = 0 // without noise the trajectory is exact
	}
	var p Problem
	s := Root(1)
	switch claim {
	case "theorem1":
		p = NewHuber(0, hi, 1, log(u[2], 1e-3, 1), log(u[3], 0.02, 2), center, noise)
	case "theorem2", "theorem3":
		p = NewHuber(0, hi, 1, log(u[2], 1e-3, 4*hi), 0, center, noise)
		s = Root(log(u[3], 0.02, 4) * Diameter(p) / p.Constants().G)
	case "theorem4":
		p = NewHalfCubic(0, hi, 1, log(u[2], 1e-2, 1e2), center, noise)
	case "corollary1":
		p = NewQuadratic(0, hi, []float64{1}, center, noise)
	}
	if claim != "theorem2" && claim != "theorem3" {
		s = Strong(p.Constants().Mu)
	}
	in, err := NewInstance(p, 1, []float64{u[5] * hi}, s, tightT)
	return candidate{in, rule, err}
}

// measure is E F(wbar_T) - F* of a candidate and, for BC and if asked for, the
// averaged gap.
func (c candidate) measure(noise quantize.Noise, gaps bool) (average, mean float64, err error) {
	switch {
	case c.err != nil:
		return 0, 0, c.err
	case c.rule == quantize.SR:
		average, err = AverageLaw(c.in)
		return average, math.NaN(), err
	case Deterministic(c.in.Problem, c.rule):
		o := NewRunner(c.in, c.rule).run(noise, 0, nil, gaps)
		return o.Average, o.MeanGap, nil
	}
	r := NewRunner(c.in, c.rule)
	for i := range tightRuns {
		o := r.run(noise, uint32(i), nil, gaps)
		average += o.Average / tightRuns
		mean += o.MeanGap / tightRuns
	}
	return average, mean, nil
}

// point is a point of the parameter cube with its measured/bound.
type point struct {
	u []float64
	f float64
}

// hunt is the search of [Tightness] for one bound.
type hunt struct {
	claim    bounds.Claim
	rule     quantize.Rule
	rounding bounds.Rounding
	form     bounds.Form
	noise    quantize.Noise
	searched int
}

// value is the bound on a candidate.
func (h *hunt) value(c candidate) (bounds.Value, error) {
	return h.claim.Bound(h.form, h.rounding, c.in.Parameters(c.in.T))
}

// ratio is measured/bound at a point of the cube.
func (h *hunt) ratio(ctx context.Context, u []float64) (point, error) {
	h.searched++
	if err := ctx.Err(); err != nil {
		return point{}, err
	}
	c := decode(h.claim.Name, h.rule, u)
	m, _, err := c.measure(h.noise, false)
	if err != nil {
		return point{}, err
	}
	v, err := h.value(c)
	return point{u, m / v.Total()}, err
}

// random are n random points, the largest ratio first.
func (h *hunt) random(ctx context.Context, n int) ([]point, error) {
	points := make([]point, n)
	for i := range points {
		d := h.noise.At(probeStream-1, uint64(i))
		u := make([]float64, cube)
		for k := range u {
			u[k] = d.Uniform(k)
		}
		var err error
		if points[i], err = h.ratio(ctx, u); err != nil {
			return nil, err
		}
	}
	slices.SortFunc(points, func(a, b point) int { return cmp.Compare(b.f, a.f) })
	return points, nil
}

// climb is a pattern search from p: it tries both directions of each parameter and halves the step when none helps.
func (h *hunt) climb(ctx context.Context, p point) (point, error) {
	for size := 0.2; size > 0.004; {
		improved := false
		for k := range p.u {
			for _, sign := range []float64{1, -1} {
				u := slices.Clone(p.u)
				u[k] = min(max(u[k]+sign*size, 0), 1)
				if u[k] == p.u[k] {
					continue
				}
				q, err := h.ratio(ctx, u)
				if err != nil {
					return point{}, err
				}
				if q.f > p.f {
					p, improved = q, true
				}
			}
		}
		if !improved {
			size /= 2
		}
	}
	return p, nil
}

// worst runs the search: random points, climbing from the best ones, and a description of what it found.
func (h *hunt) worst(ctx context.Context, restarts int) (Worst, error) {
	points, err := h.random(ctx, restarts)
	if err != nil {
		return Worst{}, err
	}
	w := Worst{Claim: h.claim.Name, Rounding: h.rounding, Form: h.form, Method: evidence.ExactMethod,
		Family: fmt.Sprintf("d = 1, 2 to 6 grid points, T = %d", tightT),
		Median: points[len(points)/2].f, Best: points[0].f}
	if h.rule == quantize.BCStochastic {
		w.Method = evidence.SampledMethod
	}
	best := points[0]
	for _, p := range points[:min(4, 1+restarts/8)] {
		if p, err = h.climb(ctx, p); err != nil {
			return Worst{}, err
		}
		if p.f > best.f {
			best = p
		}
	}
	w.Searched, w.Found = h.searched, best.f
	return w, h.describe(&w, decode(h.claim.Name, h.rule, best.u))
}

// describe says in w what the instance is, what was measured on it, and where the bound loses.
func (h *hunt) describe(w *Worst, c candidate) error {
	var mean float64
	var err error
	if w.Measured, mean, err = c.measure(h.noise, true); err != nil {
		return err
	}
	if w.Bound, err = h.value(c); err != nil {
		return err
	}
	con := c.in.Problem.Constants()
	third := fmt.Sprintf("L2 = %.3g", con.L2)
	if math.IsNaN(con.L2) {
		third = "no L2 (F'' jumps)"
	}
	w.Instance = fmt.Sprintf("%s on [0, %g], Delta = 1, w* = %.3g, m = %d, G = %.3g, mu = %.3g, L = %.3g, %s, alpha_t = %s, start %g",
		c.in.Problem.Name(), float64(c.in.Grid.Len()-1), c.in.Problem.Minimiser()[0], c.in.Problem.Terms(), con.G, con.Mu, con.L, third, c.in.Schedule, c.in.Start[0])
	if h.rule == quantize.SR && h.form == bounds.Derived {
		tr, err := Follow(c.in, false)
		if err != nil {
			return err
		}
		mean = tr.MeanGap[len(tr.MeanGap)-1]
		line := tr.Summed.Right / float64(c.in.T)
		w.Losses = []Loss{
			{"Jensen's inequality", mean / w.Measured},
			{"the one-step inequality (Lemma 1, E|g|^2 <= G^2, convexity)", line / mean},
			{"summing up (last distance dropped, first one bounded)", w.Bound.Total() / line},
		}
	} else if h.rule != quantize.SR {
		w.Losses = []Loss{
			{"Jensen's inequality", mean / w.Measured},
			{"the one-step inequality and summing up", w.Bound.Total() / mean},
		}
	}
	slices.SortStableFunc(w.Losses, func(a, b Loss) int { return cmp.Compare(b.Factor, a.Factor) })
	return nil
}

// Slope is the exponent of a power law y = a x^b fitted on logarithmic axes.
type Slope struct {
	What     string // what is regressed on what
	Expected string // the exponent in the bound's floor
	X, Y     []float64
	B        float64
	Lower    float64 // 95 per cent confidence interval of the least-squares fit,
	Upper    float64 // with n - 2 degrees of freedom
}

// fit is the least-squares slope of log y on log x. The points are exact numbers,
// so the interval measures how far they are from a power law.
func fit(what, expected string, x, y []float64) Slope {
	u, v := make([]float64, len(x)), make([]float64, len(y))
	for i := range x {
		u[i], v[i] = math.Log(x[i]), math.Log(y[i])
	}
	a, b := stat.LinearRegression(u, v, nil, false)
	n := float64(len(x))
	half := 0.0
	if n > 2 {
		var rss float64
		for i := range u {
			e := v[i] - (a + b*u[i])
			rss += e * e
		}
		half = distuv.StudentsT{Mu: 0, Sigma: 1, Nu: n - 2}.Quantile(0.975) * math.Sqrt(rss/(n-2)/((n-1)*stat.Variance(u, nil)))
	}
	return Slope{what, expected, x, y, b, b - half, b + half}
}

// Tight is the one-dimensional instance on which SR attains the floor of
// Theorems 1 and 2: F = g|w - c| rounded off, c just inside W = [0, Delta], so that
// both grid points have slope g but the minimiser is next to one of them. SR then
// spends half of its time at either end and wbar tends to Delta/2, where
// F - F* is g Delta/2 up to the offset of c: the floor. mu > 0 makes it strongly
// convex for Theorem 1. d coordinates are d copies.
func Tight(d int, delta, g, mu float64) *Separable {
	c := 0.002 * delta
	center := make([]float64, d)
	for k := range center {
		center[k] = c
	}
	return NewHuber(0, delta, g, c/2, mu, center, 0)
}

// LimitSR is lim F(E wbar_T) - F* of SR in one dimension with two grid points and no
// noise as alpha -> 0: detailed balance pi_0 |F'(lo)| = pi_1 |F'(hi)| gives the mean of
// the stationary law. By Jensen's inequality E F(wbar_T) - F* does not end below it; with
// c/sqrt(t) steps wbar_T tends to that mean and the two are equal.
func LimitSR(p Problem) float64 {
	lo, hi := p.Box()
	g := []float64{0}
	p.Gradient(g, []float64{lo})
	up := -g[0]
	p.Gradient(g, []float64{hi})
	down := g[0]
	return Gap(p, []float64{(lo*down + hi*up) / (up + down)})
}

// LimitBC is lim F(wbar_T) - F* of BC in one dimension as T -> infinity with
// alpha_t = 1/(mu(t+1)). With Q_s, BC is stochastic gradient descent on the function
// whose derivative interpolates F' linearly between grid points, so wbar tends to that
// function's minimiser. With Q_d the derivative is F'(Q_d(w)), a step function,
// and wbar tends to the point where it changes sign.
func LimitBC(p Problem, g quantize.Grid, r bounds.Rounding) float64 {
	slope := func(w float64) float64 {
		d := []float64{0}
		p.Gradient(d, []float64{w})
		return d[0]
	}
	n := g.Len()
	for i := 1; i < n; i++ {
		a, b := g.Point(i-1), g.Point(i)
		fa, fb := slope(a), slope(b)
		if fa < 0 && fb >= 0 {
			if r == bounds.Nearest {
				if fb == 0 {
					return Gap(p, []float64{b}) // settled on a stationary grid point or between
				}
				return Gap(p, []float64{(a + b) / 2})
			}
			return Gap(p, []float64{a + (b-a)*fa/(fa-fb)})
		}
	}
	if slope(g.Point(0)) >= 0 {
		return Gap(p, []float64{g.Point(0)})
	}
	return Gap(p, []float64{g.Point(n - 1)})
}

// Kink is the function of [WorstKink]: where in the cell [0, 1] its minimiser and its kink lie, and what BC with Q_s ends at.
type Kink struct {
	Mu, Center, Kink float64
	Gap              float64 // lim F(wbar_T) - F*
	Floor            float64 // sharp floor of Theorem 4 (Theorem 3 if Mu = 0), (L-mu) Delta^2/16
}

// WorstKink maximises [LimitBC] with Q_s over the functions of one cell, Delta = 1, whose second derivative is L = 1 up to a
// kink and 0 <= mu < 1 behind it. Say s for the kink and u <= s for the minimiser: the interpolated slope vanishes at z = u/S, S = s + mu(1-s),
// and z is where wbar_T ends. For mu = 0 and z >= s the gap is
//
//	F(z) - F(u) = (s-u)^2/2 + (s-u)(u/s - s),
//
// largest at s = phi^-2, u = phi^-3 with phi = (1+sqrt 5)/2, where it is phi^-5/2: the separable floor of Theorem 3 exactly; the floor
// L Delta^2/16 that asks nothing of F is above the truth by a factor of phi^5/8 = 1.3863 at most. Cells add up, so d coordinates give d times as much, like the floor. Functions with any number of kinks were not found to be
// worse (TestOneKinkIsWorst). For mu > 0 the maximum is found by pattern search.
func WorstKink(mu float64) Kink {
	phi := math.Phi
	best := Kink{Mu: mu, Kink: 1 / (phi * phi), Center: 1 / (phi * phi * phi), Floor: (1 - mu) / 16}
	gap := func(center, kink float64) float64 {
		return LimitBC(NewKinked(0, 1, mu, 1, kink-center, []float64{center}, 0), quantize.Grid{Delta: 1, Lo: 0, Hi: 1}, bounds.Stochastic)
	}
	best.Gap = gap(best.Center, best.Kink)
	for size := 0.1; size > 1e-9; {
		improved := false
		for _, move := range [][2]float64{{1, 0}, {-1, 0}, {0, 1}, {0, -1}, {1, 1}, {-1, -1}} {
			center, kink := best.Center+size*move[0], best.Kink+size*move[1]
			if !(0 < center && center <= kink && kink < 1) {
				continue
			}
			if g := gap(center, kink); g > best.Gap {
				best.Center, best.Kink, best.Gap, improved = center, kink, g, true
			}
		}
		if !improved {
			size /= 2
		}
	}
	return best
}

// WorstKinks are those of the report: from no strong convexity to a condition number of 2.
func WorstKinks() []Kink {
	var kinks []Kink
	for _, mu := range []float64{0, 0.001, 0.01, 0.1, 0.5} {
		kinks = append(kinks, WorstKink(mu))
	}
	return kinks
}

// LateGap is the mean of E F(w^t) - F* over the second half of a run of SR, by the
// exact law: where the averaged gap ends.
func LateGap(in Instance) (float64, error) {
	tr, err := Follow(in, false)
	if err != nil {
		return 0, err
	}
	n := len(tr.T) - 1
	i, _ := slices.BinarySearch(tr.T, in.T/2)
	t, s := float64(tr.T[n]), float64(tr.T[i])
	return (t*tr.MeanGap[n] - s*tr.MeanGap[i]) / (t - s), nil
}

// Floors measures how the floors depend on Delta, d and G, on problems where they
// are known exactly, and fits the exponents.
func Floors() ([]Slope, error) {
	deltas := []float64{1, 1. / 2, 1. / 4, 1. / 8, 1. / 16, 1. / 32}
	dims := []float64{1, 2, 4, 8, 16, 32}
	each := func(x []float64, f func(x float64) float64) []float64 {
		y := make([]float64, len(x))
		for i, v := range x {
			y[i] = f(v)
		}
		return y
	}
	// d copies of the tight problem: the gap is d times that of one coordinate.
	tight := func(d, delta, g float64) float64 { return d * LimitSR(Tight(1, delta, g/math.Sqrt(d), 0)) }
	slopes := []Slope{
		fit("Theorems 1, 2 (SR), tight problem: floor on Delta", "1", deltas, each(deltas, func(x float64) float64 { return tight(1, x, 1) })),
		fit("Theorems 1, 2 (SR), tight problem: floor on d, G fixed", "1/2", dims, each(dims, func(x float64) float64 { return tight(x, 1, 1) })),
		fit("Theorems 1, 2 (SR), tight problem: floor on G", "1", dims, each(dims, func(x float64) float64 { return tight(1, 1, x) })),
	}
	// The averaged gap of SR on a quadratic, by the exact law.
	var averaged []float64
	q := NewQuadratic(-1, 1, []float64{1, 0.5}, []float64{0.3, -0.2}, 0.3)
	coarse := []float64{1. / 2, 1. / 4, 1. / 8, 1. / 16}
	for _, delta := range coarse {
		in, err := NewInstance(q, delta, q.Minimiser(), Strong(0.5), 4000)
		if err != nil {
			return nil, err
		}
		late, err := LateGap(in)
		if err != nil {
			return nil, err
		}
		averaged = append(averaged, late)
	}
	slopes = append(slopes, fit("Theorem 1 (SR), quadratic d = 2: averaged gap of late iterates on Delta", "1", coarse, averaged))
	grid := func(delta float64) quantize.Grid { return quantize.Grid{Delta: delta, Lo: -1, Hi: 1} }
	// The minimiser sits at the same place of its cell for every Delta.
	cubic := func(delta float64) float64 {
		return LimitBC(NewHalfCubic(-1, 1, 1, 2, []float64{delta * 0.5}, 0), grid(delta), bounds.Stochastic)
	}
	nearest := func(delta float64) float64 {
		return LimitBC(NewQuadratic(-1, 1, []float64{1}, []float64{delta * 0.01}, 0), grid(delta), bounds.Nearest)
	}
	return append(slopes,
		fit("Theorem 4 (BC, Q_s), half-cubic: floor on Delta", "2 (derived)", deltas, each(deltas, cubic)),
		fit("Theorems 3, 4 (BC, Q_d), quadratic: floor on Delta", "1 (derived), 2 (sharp)", deltas, each(deltas, nearest)),
		fit("Theorems 3, 4 (BC, Q_d), d copies of a quadratic: floor on d", "1 (derived, since D grows like sqrt(d)), 1 (sharp)", dims, each(dims, func(d float64) float64 { return d * nearest(0.5) })),
	), nil
}
