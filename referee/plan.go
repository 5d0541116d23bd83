package referee

import (
	"cmp"
	"context"
	"fmt"
	"math"
	"slices"
	"sync"

	"tqn/bounds"
	"tqn/convex"
	"tqn/evidence"
	"tqn/quantize"
)

// Measurement is one left side, measured once, with every bound it is compared with.
// A sampled one spends one share of the error budget, however many bounds these are.
type Measurement struct {
	Number  int            // place of its records among the others, and its samples
	Claim   string         // the claim that its records judge
	Problem convex.Problem // probed before it is measured; may be nil
	Sampled bool
	Measure func(context.Context, Draw) ([]evidence.Record, error)
}

// Draw is what a sampled measurement is given.
type Draw struct {
	Alpha float64 // its share of the error budget
	Noise quantize.Noise
	First uint32 // the first of its run numbers; it has 2^20 of them, two streams each
}

// sampledNumbers is the number that a sampled measurement has to be below, so that its
// streams are no one else's: number << 20 runs of two streams fill 32 bits.
const sampledNumbers = 1 << 11

// Plan collects measurements; the first error sticks.
type Plan struct {
	Seed uint64
	all  []Measurement
	next int
	err  error
}

// From sets the number of the next measurement; those that follow count up.
func (p *Plan) From(number int) { p.next = number }

// add takes up a measurement under the next number.
func (p *Plan) add(m Measurement) {
	m.Number = p.next
	p.next++
	p.all = append(p.all, m)
}

// fail keeps the first error.
func (p *Plan) fail(err error) {
	if p.err == nil && err != nil {
		p.err = fmt.Errorf("referee: %w", err)
	}
}

// done checks that no two measurements share a number, sorts by number and returns them.
func (p *Plan) done() ([]Measurement, error) {
	if p.err != nil {
		return nil, p.err
	}
	slices.SortStableFunc(p.all, func(a, b Measurement) int { return a.Number - b.Number })
	for i, m := range p.all {
		if i > 0 && m.Number == p.all[i-1].Number {
			return nil, fmt.Errorf("referee: %s and %s have the same number, %d", p.all[i-1].Claim, m.Claim, m.Number)
		}
		if m.Sampled && m.Number >= sampledNumbers {
			return nil, fmt.Errorf("referee: %s is sampled: its number, %d, has to be below %d", m.Claim, m.Number, sampledNumbers)
		}
	}
	return p.all, nil
}

// target is one bound that a measurement is compared with.
type target struct {
	form     bounds.Form
	bound    float64
	expected evidence.Verdict
}

// judged is the record of a left side against one bound.
func judged(claim string, r bounds.Rounding, instance string, measured evidence.Result, t target) evidence.Record {
	record := evidence.NewRecord(measured, t.bound, t.expected)
	record.Claim, record.Form, record.Rounding, record.Instance = claim, string(t.form), string(r), instance
	return record
}

// line is a left side as Section 4 has it: a number, exact or sampled, and its bounds.
type line struct {
	claim    string
	rounding bounds.Rounding
	instance string
	problem  convex.Problem
	targets  []target
}

// exact adds a left side that is computed without randomness.
func (p *Plan) exact(l line, f func() (value, roundoff float64, err error)) {
	p.line(l, false, func(ctx context.Context, _ []float64, _ Draw) (evidence.Result, error) {
		if err := ctx.Err(); err != nil {
			return evidence.Result{}, err
		}
		v, e, err := f()
		if err != nil {
			return evidence.Result{}, err
		}
		return evidence.Exact(v, e), nil
	})
}

// sampled adds the Monte-Carlo mean of F(wbar_T) - F* of an instance under a rule.
func (p *Plan) sampled(l line, in convex.Instance, rule quantize.Rule, defect convex.Defect) {
	p.line(l, true, func(ctx context.Context, targets []float64, d Draw) (evidence.Result, error) {
		return convex.MonteCarlo(ctx, in, rule, d.Noise, d.First, targets, convex.Sampling{Alpha: d.Alpha, Workers: 1, Defect: defect})
	})
}

func (p *Plan) line(l line, sampled bool, measure func(context.Context, []float64, Draw) (evidence.Result, error)) {
	p.add(Measurement{Claim: l.claim, Problem: l.problem, Sampled: sampled, Measure: func(ctx context.Context, d Draw) ([]evidence.Record, error) {
		values := make([]float64, len(l.targets))
		for k, t := range l.targets {
			values[k] = t.bound
		}
		r, err := measure(ctx, values, d)
		if err != nil {
			return nil, fmt.Errorf("%s, %s: %w", l.claim, l.instance, err)
		}
		var records []evidence.Record
		for _, t := range l.targets {
			records = append(records, judged(l.claim, l.rounding, l.instance, r, t))
		}
		return records, nil
	}})
}

// forms evaluates a claim's forms on an instance; a form whose constants do not
// exist for the problem (L2 of a Huber function) is left out. expected maps a form
// to a verdict other than Holds. only, if not empty, limits the forms.
func (p *Plan) forms(claim string, r bounds.Rounding, q bounds.Parameters, expected map[bounds.Form]evidence.Verdict, only ...bounds.Form) []target {
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
		t := target{f, v.Total(), evidence.Holds}
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

// unit is the bound of a line that is recorded as left/right <= 1.
func unit(f bounds.Form) []target { return []target{{f, 1, evidence.Holds}} }

// exhibits adds a result's counterexamples: on each instance the printed statement is
// expected to be violated and the derived bound to hold. Their numbers follow their
// order in convex.Exhibits.
func (p *Plan) exhibits(claim string) {
	for i, e := range convex.Exhibits() {
		if e.Claim() != claim {
			continue
		}
		p.From(1000 + 10*i)
		check := once(func(ctx context.Context) (convex.Counterexample, error) { return e.Check(ctx, e.Witness) })
		// Where rounding plays no part, the exhibit speaks of both roundings.
		roundings := []bounds.Rounding{""}
		if e.Either {
			roundings = []bounds.Rounding{bounds.Stochastic, bounds.Nearest}
		}
		for _, r := range roundings {
			add := func(suffix string, f func(c convex.Counterexample) target) {
				p.add(Measurement{Claim: claim + suffix, Measure: func(ctx context.Context, _ Draw) ([]evidence.Record, error) {
					c, err := check(ctx)
					if err != nil {
						return nil, err
					}
					return []evidence.Record{judged(claim+suffix, cmp.Or(r, c.Rounding), c.Instance, c.Measured, f(c))}, nil
				}})
			}
			add(".counterexample", func(c convex.Counterexample) target { return target{c.Form, c.Printed.Total(), evidence.Violated} })
			add(".repaired", func(c convex.Counterexample) target {
				return target{bounds.Derived, c.Repaired.Total(), evidence.Holds}
			})
		}
	}
}

// once computes a value at the first call, for several goroutines of one run.
func once[T any](f func(context.Context) (T, error)) func(context.Context) (T, error) {
	var (
		first sync.Once
		value T
		err   error
	)
	return func(ctx context.Context) (T, error) {
		first.Do(func() { value, err = f(ctx) })
		return value, err
	}
}

// states is the number of grid points of an instance.
func states(in convex.Instance) float64 {
	return math.Pow(float64(in.Grid.Len()), float64(in.Problem.Dim()))
}
