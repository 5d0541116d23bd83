package convex

import (
	"context"
	"fmt"
	"math"
	"runtime"
	"slices"
	"strings"
	"sync/atomic"

	"golang.org/x/sync/errgroup"

	"tqn/bounds"
	"tqn/evidence"
	"tqn/quantize"
)

// Options of a verification run.
type Options struct {
	Seed    uint64
	Claims  []string // names or prefixes of names up to a dot: "theorem2" has all of its lines; empty: all
	Workers int      // goroutines; default GOMAXPROCS. No result depends on it.
	// Budget is the probability that any interval of the run misses its value;
	// default evidence.FalseAlarm. Less leaves a share for claims judged elsewhere.
	Budget float64
	// Problem, if not nil, is verified instead of the built-in instances, on the
	// grids with steps Delta (default: 1/4 and 1/16 of W's width) for T iterates
	// (default 1000), both step-size schedules where its constants allow them.
	Problem Problem
	Delta   []float64
	T       int
	// Progress, if not nil, is called after each measurement; it may be called from
	// several goroutines.
	Progress func(done, total int)
}

// target is one bound that a measurement is compared with.
type target struct {
	form     string
	bound    float64
	expected evidence.Verdict
}

// measurement is one left side with all the bounds it is compared with. A sampled
// one spends one share of the error budget, however many bounds it is compared with.
type measurement struct {
	claim    string
	rounding bounds.Rounding
	instance string
	sampled  bool
	measure  func(ctx context.Context, targets []float64, alpha float64, noise quantize.Noise, first uint32) (evidence.Result, error)
	targets  []target
}

// Claims are the names Verify knows: the results of Section 4 and the lines of
// their proofs.
func Claims() []string {
	var names []string
	p, err := builtin()
	if err != nil {
		panic("convex: Claims: " + err.Error())
	}
	for _, m := range p.all {
		if !slices.Contains(names, m.claim) {
			names = append(names, m.claim)
		}
	}
	return names
}

// selected reports whether a claim is asked for.
func selected(claim string, names []string) bool {
	if len(names) == 0 {
		return true
	}
	for _, n := range names {
		if claim == n || strings.HasPrefix(claim, n+".") {
			return true
		}
	}
	return false
}

// Verify measures every selected claim of Section 4 in every form and judges it.
// The probability that any interval of the run misses its value is at most
// Options.Budget, split evenly over the sampled measurements; exact ones need
// no share. Records come in a fixed order and are a function of the seed. It is an
// error if a problem fails Probe, if a constant does not satisfy a theorem's
// assumption, or if ctx ends.
func Verify(ctx context.Context, o Options) ([]evidence.Record, error) {
	p := builtin
	if o.Problem != nil {
		p = func() (plan, error) { return forProblem(o) }
	}
	planned, err := p()
	if err != nil {
		return nil, err
	}
	for i, pr := range planned.problems {
		if o.Problem != nil || slices.Contains(planned.problems[:i], pr) {
			continue // forProblem has probed it
		}
		if err := Probe(pr, o.Seed, 400); err != nil {
			return nil, err
		}
	}
	all := planned.all
	var chosen []measurement
	sampled := 0
	for _, m := range all {
		if selected(m.claim, o.Claims) {
			chosen = append(chosen, m)
			if m.sampled {
				sampled++
			}
		}
	}
	if o.Budget == 0 {
		o.Budget = evidence.FalseAlarm
	}
	budget := evidence.NewBudget(o.Budget, max(sampled, 1))
	noise := quantize.NewNoise(o.Seed)
	results := make([]evidence.Result, len(chosen))
	if o.Workers <= 0 {
		o.Workers = runtime.GOMAXPROCS(0)
	}
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(o.Workers)
	var done atomic.Int64
	for i, m := range chosen {
		alpha := 0.0
		if m.sampled {
			alpha = budget.Spend()
		}
		group.Go(func() error {
			targets := make([]float64, len(m.targets))
			for k, t := range m.targets {
				targets[k] = t.bound
			}
			// Each measurement has 2^20 run numbers of its own, two streams each; the
			// position among all claims, not among the chosen ones, decides which, so that
			// --claim changes no number but the shares of the budget.
			r, err := m.measure(ctx, targets, alpha, noise, position(all, m)<<20)
			if err != nil {
				return fmt.Errorf("%s, %s: %w", m.claim, m.instance, err)
			}
			results[i] = r
			if n := int(done.Add(1)); o.Progress != nil {
				o.Progress(n, len(chosen))
			}
			return nil
		})
	}
	if err := group.Wait(); err != nil {
		return nil, err
	}
	var records []evidence.Record
	for i, m := range chosen {
		for _, t := range m.targets {
			r := evidence.NewRecord(results[i], t.bound, t.expected)
			r.Claim, r.Form, r.Rounding, r.Instance = m.claim, t.form, string(m.rounding), m.instance
			records = append(records, r)
		}
	}
	return records, nil
}

func position(all []measurement, m measurement) uint32 {
	for i, x := range all {
		if x.claim == m.claim && x.instance == m.instance && x.rounding == m.rounding {
			return uint32(i)
		}
	}
	panic("convex: a measurement that was not planned")
}

// plan collects measurements; the first error sticks.
type plan struct {
	all      []measurement
	problems []Problem
	err      error
}

// forms evaluates the claim's forms on an instance; a form whose constants do not
// exist for the problem (L2 of a Huber function) is left out. expected maps a form
// to a verdict other than Holds. only, if not empty, limits the forms.
func (p *plan) forms(claim string, r bounds.Rounding, q bounds.Parameters, expected map[bounds.Form]evidence.Verdict, only ...bounds.Form) []target {
	c, err := bounds.Find(claim)
	if err != nil {
		p.fail(err)
		return nil
	}
	var ts []target
	for _, f := range c.Forms {
		if len(only) > 0 && !slices.Contains(only, f) {
			continue
		}
		v, err := c.Bound(f, r, q)
		if err != nil {
			continue
		}
		t := target{string(f), v.Total(), evidence.Holds}
		if e, ok := expected[f]; ok {
			t.expected = e
		}
		ts = append(ts, t)
	}
	if len(ts) == 0 {
		_, err := c.Bound(bounds.Derived, r, q)
		p.fail(fmt.Errorf("no form of %s applies: %w", claim, err))
	}
	return ts
}

func (p *plan) fail(err error) {
	if p.err == nil && err != nil {
		p.err = fmt.Errorf("convex: %w", err)
	}
}

func (p *plan) add(m measurement) { p.all = append(p.all, m) }

// exact wraps a computation without randomness.
func exact(f func() (value, roundoff float64, err error)) func(context.Context, []float64, float64, quantize.Noise, uint32) (evidence.Result, error) {
	return func(ctx context.Context, _ []float64, _ float64, _ quantize.Noise, _ uint32) (evidence.Result, error) {
		if err := ctx.Err(); err != nil {
			return evidence.Result{}, err
		}
		v, e, err := f()
		if err != nil {
			return evidence.Result{}, err
		}
		return evidence.Exact(v, e), nil
	}
}

// sample wraps a Monte-Carlo mean of F(wbar_T) - F*.
func sample(in Instance, rule quantize.Rule) func(context.Context, []float64, float64, quantize.Noise, uint32) (evidence.Result, error) {
	return func(ctx context.Context, targets []float64, alpha float64, noise quantize.Noise, first uint32) (evidence.Result, error) {
		return MonteCarlo(ctx, in, rule, noise, first, targets, Sampling{Alpha: alpha, Workers: 1})
	}
}

// controlSampled adds a negative control with a planted defect, sampled.
func (p *plan) controlSampled(claim, what string, in Instance, r bounds.Rounding, rule quantize.Rule, defect defect) {
	ts := p.forms(claim, r, in.Parameters(in.T), map[bounds.Form]evidence.Verdict{bounds.Derived: evidence.Violated}, bounds.Derived)
	p.add(measurement{claim: claim, rounding: r, instance: "control: " + what + ": " + in.String(), sampled: true, targets: ts,
		measure: func(ctx context.Context, targets []float64, alpha float64, noise quantize.Noise, first uint32) (evidence.Result, error) {
			return MonteCarlo(ctx, in, rule, noise, first, targets, Sampling{Alpha: alpha, Workers: 1, defect: defect})
		}})
}

// trajectory wraps a run without randomness.
func trajectory(in Instance, rule quantize.Rule, defect defect) func() (float64, float64, error) {
	return func() (float64, float64, error) {
		r := NewRunner(in, rule)
		r.defect = defect
		v := r.run(quantize.NewNoise(0), 0, nil, false).Average
		return v, Roundoff(in, v), nil
	}
}

// lawLines adds the exact measurements of one SR instance: the averaged gap, the
// lines of the proof and, where it is exact, E F(wbar_T); otherwise E F(wbar_T) is
// sampled. All share one pass of the exact law.
//
// stated and averaged map the forms that are false for E F(wbar_T), or for the
// averaged gap only, to their expected verdict.
func (p *plan) lawLines(claim string, in Instance, stated, averaged map[bounds.Form]evidence.Verdict) {
	name := in.String()
	p.problems = append(p.problems, in.Problem)
	q := in.Parameters(in.T)
	_, curved := in.Problem.(Curved)
	track := curved && math.Pow(float64(in.Grid.Len()), float64(in.Problem.Dim())) <= 40_000
	follow := once(func() (*Trace, error) { return Follow(in, track) })
	// Both sides of Jensen's inequality and of the lines of the proof are measured:
	// they are recorded as left/right <= 1.
	line := func(suffix string, ts []target, f func(tr *Trace) float64) {
		p.add(measurement{claim: claim + suffix, rounding: bounds.Stochastic, instance: name, targets: ts,
			measure: exact(func() (float64, float64, error) {
				tr, err := follow()
				if err != nil {
					return 0, 0, err
				}
				v := f(tr)
				return v, Roundoff(in, v), nil
			})})
	}
	last := func(x []float64) float64 { return x[len(x)-1] }
	switch small := in.Problem.Dim() == 1 && in.Grid.Len()*in.T <= 20_000; {
	case track:
		line("", p.forms(claim, bounds.Stochastic, q, stated), func(tr *Trace) float64 { return last(tr.Average) })
	case small:
		p.add(measurement{claim: claim, rounding: bounds.Stochastic, instance: name, targets: p.forms(claim, bounds.Stochastic, q, stated),
			measure: exact(func() (float64, float64, error) {
				v, err := AverageLaw(in)
				return v, Roundoff(in, v), err
			})})
	case math.Pow(float64(in.Grid.Len()), float64(in.Problem.Dim())) <= 40_000 && in.Problem.Dim() > 1:
		p.add(measurement{claim: claim, rounding: bounds.Stochastic, instance: name, sampled: true,
			targets: p.forms(claim, bounds.Stochastic, q, stated), measure: sample(in, quantize.SR)})
	}
	line(".averaged", p.forms(claim, bounds.Stochastic, q, averaged), func(tr *Trace) float64 { return last(tr.MeanGap) })
	if track {
		line(".jensen", []target{{"derived", 1, evidence.Holds}}, func(tr *Trace) float64 { return last(tr.Average) / last(tr.MeanGap) })
	}
	line(".one-step", []target{{"derived", 1, evidence.Holds}}, func(tr *Trace) float64 { return tr.OneStep.ratio() })
	line(".telescoped", []target{{"derived", 1, evidence.Holds}}, func(tr *Trace) float64 { return tr.Summed.ratio() })
}

// once computes a value at the first call, for several goroutines.
func once[T any](f func() (T, error)) func() (T, error) {
	type pair struct {
		v   T
		err error
	}
	var first atomic.Pointer[pair]
	lock := make(chan struct{}, 1)
	return func() (T, error) {
		if p := first.Load(); p != nil {
			return p.v, p.err
		}
		lock <- struct{}{}
		defer func() { <-lock }()
		if first.Load() == nil {
			v, err := f()
			first.Store(&pair{v, err})
		}
		p := first.Load()
		return p.v, p.err
	}
}

// average adds E F(wbar_T) of one rule: exact without randomness, else sampled.
func (p *plan) average(claim string, in Instance, rule quantize.Rule, r bounds.Rounding, expected map[bounds.Form]evidence.Verdict, only ...bounds.Form) {
	p.problems = append(p.problems, in.Problem)
	m := measurement{claim: claim, rounding: r, instance: in.String(), targets: p.forms(claim, r, in.Parameters(in.T), expected, only...)}
	if Deterministic(in.Problem, rule) {
		m.measure = exact(trajectory(in, rule, sound))
	} else {
		m.sampled, m.measure = true, sample(in, rule)
	}
	p.add(m)
}

// control adds a negative control, which has to come out violated.
func (p *plan) control(claim, what string, in Instance, r bounds.Rounding, scale float64, form bounds.Form, f func() (float64, float64, error)) {
	ts := p.forms(claim, r, in.Parameters(in.T), nil, form)
	for i := range ts {
		ts[i].bound *= scale
		ts[i].expected = evidence.Violated
	}
	p.add(measurement{claim: claim, rounding: r, instance: "control: " + what + ": " + in.String(), targets: ts, measure: exact(f)})
}

// lemma1 adds Lemma 1 and its chain of inequalities at every grid point and every
// term of a problem, without sampling:
//
//	E|r|^2 = Delta^2 sum q(1-q) <= Delta alpha |g|_1 <= sqrt(d) Delta alpha |g|_2,  E|g|_2 <= G.
func (p *plan) lemma1(in Instance, alpha float64, halved bool) {
	pr, g := in.Problem, in.Grid
	p.problems = append(p.problems, pr)
	d := pr.Dim()
	q := in.Parameters(1)
	q.Alpha = alpha
	name := fmt.Sprintf("%s d=%d Delta=%.4g alpha=%g", pr.Name(), d, g.Delta, alpha)
	type sides struct{ moment, chain1, chain2, chain3 float64 }
	scan := once(func() (sides, error) {
		var s sides
		c := pr.Constants()
		w, grad := make([]float64, d), make([]float64, d)
		states := int(math.Pow(float64(g.Len()), float64(d)))
		for x := range states {
			for k, r := d-1, x; k >= 0; k, r = k-1, r/g.Len() {
				w[k] = g.Point(r % g.Len())
			}
			var moment, mean2 float64
			for i := range pr.Terms() {
				pr.TermGradient(grad, w, i)
				var e, l1 float64
				for k := range w {
					e += g.ErrorSecondMoment(w[k], -alpha*grad[k])
					l1 += math.Abs(grad[k])
				}
				moment += e / float64(pr.Terms())
				mean2 += norm(grad) / float64(pr.Terms())
				if l1 > 0 {
					s.chain1 = max(s.chain1, e/(g.Delta*alpha*l1))
					s.chain2 = max(s.chain2, l1/(math.Sqrt(float64(d))*norm(grad)))
				}
			}
			s.moment = max(s.moment, moment)
			s.chain3 = max(s.chain3, mean2/c.G)
		}
		return s, nil
	})
	line := func(suffix, instance string, ts []target, f func(s sides) float64) {
		p.add(measurement{claim: "lemma1" + suffix, rounding: bounds.Stochastic, instance: instance, targets: ts,
			measure: exact(func() (float64, float64, error) {
				s, err := scan()
				v := f(s)
				return v, 1e-13 * v, err
			})})
	}
	ts := p.forms("lemma1", bounds.Stochastic, q, nil)
	line("", name, ts, func(s sides) float64 { return s.moment })
	one := []target{{"printed", 1, evidence.Holds}}
	line(".first", name, one, func(s sides) float64 { return s.chain1 })
	line(".norms", name, one, func(s sides) float64 { return s.chain2 })
	line(".jensen", name, one, func(s sides) float64 { return s.chain3 })
	if halved {
		half := []target{{"printed", ts[0].bound / 2, evidence.Violated}}
		line("", "control: half the bound: "+name, half, func(s sides) float64 { return s.moment })
	}
}

// RoundingError is the left side of Lemma 1 on an instance: the largest E|r|^2 of
// one SR step of size alpha over all grid points, exact.
func RoundingError(in Instance, alpha float64) float64 {
	p, g := in.Problem, in.Grid
	d, m := p.Dim(), p.Terms()
	w, grad := make([]float64, d), make([]float64, d)
	var worst float64
	for x := range int(math.Pow(float64(g.Len()), float64(d))) {
		for k, r := d-1, x; k >= 0; k, r = k-1, r/g.Len() {
			w[k] = g.Point(r % g.Len())
		}
		var e float64
		for i := range m {
			p.TermGradient(grad, w, i)
			for k := range w {
				e += g.ErrorSecondMoment(w[k], -alpha*grad[k]) / float64(m)
			}
		}
		worst = max(worst, e)
	}
	return worst
}
