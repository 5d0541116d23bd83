package referee

import (
	"context"
	"fmt"
	"runtime"
	"slices"
	"strings"
	"sync/atomic"

	"golang.org/x/sync/errgroup"

	"tqn/bounds"
	"tqn/convex"
	"tqn/evidence"
	"tqn/quantize"
)

// Options of a run.
type Options struct {
	Paper  string // name of a paper; "" is li2017
	Seed   uint64
	Claims []string // see [Selected]; empty: all
	// Workers is the number of goroutines; default GOMAXPROCS. No result depends on it.
	Workers int
	// Problem, if not nil, is judged instead of the built-in instances.
	Problem *Problem
	// Report asks for what only the report shows: pictures, quantized weights and the
	// search for tight instances.
	Report bool
	// Progress, if not nil, is called after each piece of a stage; it may be called from
	// several goroutines.
	Progress func(stage string, done, total int)
}

// Verification is what a run finds out, as plain data.
type Verification struct {
	Paper   Paper
	Seed    uint64
	Claims  []string // what was asked for; empty: everything
	Data    string   // description of the user's problem; empty: the built-in instances
	Records []evidence.Record

	// With Options.Report and without a user's problem:
	Figures   map[string]Figure  // by result, such as "theorem1", and by "theorem1.worst-case"
	Quantized []QuantizedWeights // with Corollary 1
	Worst     []convex.Worst     // tightness
	Slopes    []convex.Slope     // floor exponents, if everything was asked for
	Kinks     []convex.Kink      // worst floors of BC with Q_s, if everything was asked for
}

// controlMark begins the instance of a negative control.
const controlMark = "control: "

// IsControl reports whether a record is a negative control: a planted defect that has
// to come out violated.
func IsControl(r evidence.Record) bool { return strings.HasPrefix(r.Instance, controlMark) }

// reserved is the part of the error budget that the counterexamples spend: their one
// sampled mean (theorem4-coarse of package convex) has alpha = 1e-8.
const reserved = 1e-8

// restarts of the search for tight instances: its 14 searches then take about 20 s on
// two cores.
const restarts = 40

// Run judges every selected claim of a paper in every form. The probability that any
// interval of the run misses its value is at most evidence.FalseAlarm, split evenly over
// the sampled measurements; exact ones need no share. Records come in a fixed order and
// are a function of the seed and, through the shares, of what is selected. It is an
// error if a problem fails convex.Probe, if a constant does not satisfy a theorem's
// assumption, or if ctx ends.
func Run(ctx context.Context, o Options) (Verification, error) {
	paper, err := Find(o.Paper)
	if err != nil {
		return Verification{}, err
	}
	v := Verification{Paper: paper, Seed: o.Seed, Claims: o.Claims}
	plan := &Plan{Seed: o.Seed}
	if o.Problem != nil {
		v.Data = o.Problem.String()
		err = o.Problem.plan(plan)
	} else {
		for _, r := range paper.Results {
			r.Plan(plan)
		}
	}
	if err != nil {
		return v, err
	}
	all, err := plan.done()
	if err != nil {
		return v, err
	}
	chosen := slices.DeleteFunc(all, func(m Measurement) bool { return !Selected(m.Claim, o.Claims) })
	if len(chosen) == 0 {
		return v, fmt.Errorf("no claim selected by --claim %s applies to this problem", strings.Join(o.Claims, " --claim "))
	}
	if v.Records, err = measure(ctx, o, chosen); err != nil {
		return v, err
	}
	if o.Report && o.Problem == nil {
		err = v.report(ctx, o)
	}
	return v, err
}

// measure does the chosen measurements and returns their records in order.
func measure(ctx context.Context, o Options, chosen []Measurement) ([]evidence.Record, error) {
	sampled := 0
	var probed []convex.Problem
	for _, m := range chosen {
		if m.Sampled {
			sampled++
		}
		if m.Problem == nil || o.Problem != nil || slices.Contains(probed, m.Problem) {
			continue // a user's problem has been probed when its measurements were planned
		}
		probed = append(probed, m.Problem)
		if err := convex.Probe(m.Problem, o.Seed, 400); err != nil {
			return nil, err
		}
	}
	budget := evidence.NewBudget(evidence.FalseAlarm-reserved, max(sampled, 1))
	noise := quantize.NewNoise(o.Seed)
	if o.Workers <= 0 {
		o.Workers = runtime.GOMAXPROCS(0)
	}
	results := make([][]evidence.Record, len(chosen))
	draws := make([]Draw, len(chosen))
	for i, m := range chosen {
		draws[i] = Draw{Noise: noise, First: uint32(m.Number) << 20}
		if m.Sampled {
			draws[i].Alpha = budget.Spend()
		}
	}
	// An exact law cannot be interrupted: where ctx ends first, it is left behind.
	finished := make(chan error, 1)
	go func() {
		group, ctx := errgroup.WithContext(ctx)
		group.SetLimit(o.Workers)
		var done atomic.Int64
		for i, m := range chosen {
			group.Go(func() error {
				var err error
				results[i], err = m.Measure(ctx, draws[i])
				if n := int(done.Add(1)); o.Progress != nil {
					o.Progress("verify", n, len(chosen))
				}
				return err
			})
		}
		finished <- group.Wait()
	}()
	select {
	case err := <-finished:
		if err != nil {
			return nil, err
		}
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	return slices.Concat(results...), nil
}

// report computes what only the report shows.
func (v *Verification) report(ctx context.Context, o Options) error {
	var err error
	if v.Paper.Name == li2017().Name {
		if err := v.tightness(ctx, o); err != nil {
			return err
		}
	}
	v.Figures = map[string]Figure{}
	for _, r := range v.Paper.Results {
		name := r.Statement.Name
		if r.Figure == nil || len(Of(v.Records, name)) == 0 {
			continue
		}
		if err := ctx.Err(); err != nil {
			return err
		}
		if v.Figures[name], err = r.Figure(o.Seed); err != nil {
			return fmt.Errorf("referee: the picture of %s: %w", name, err)
		}
		worst, known, err := worstFigure(name)
		if err != nil {
			return fmt.Errorf("referee: the worst cases of %s: %w", name, err)
		}
		if known {
			v.Figures[name+".worst-case"] = worst
		}
	}
	if slices.ContainsFunc(v.Records, func(r evidence.Record) bool { return r.Claim == "corollary1" }) {
		v.Quantized, err = quantizedWeights(o.Seed)
	}
	return err
}

// tightness searches for the worst instances of the bounds of Section 4.
func (v *Verification) tightness(ctx context.Context, o Options) (err error) {
	progress := func(done, total int) {
		if o.Progress != nil {
			o.Progress("tightness", done, total)
		}
	}
	if v.Worst, err = convex.Tightness(ctx, o.Seed, restarts, o.Claims, progress); err != nil || len(o.Claims) > 0 {
		return err
	}
	v.Kinks = convex.WorstKinks()
	v.Slopes, err = convex.Floors()
	return err
}

// Of are the records of a result: of its statement and of everything that goes with it.
func Of(records []evidence.Record, result string) []evidence.Record {
	return slices.DeleteFunc(slices.Clone(records), func(r evidence.Record) bool { return !Selected(r.Claim, []string{result}) })
}

// Under are the records of a rounding.
func Under(records []evidence.Record, r bounds.Rounding) []evidence.Record {
	return slices.DeleteFunc(slices.Clone(records), func(x evidence.Record) bool { return x.Rounding != string(r) })
}

// Unexpected are the records that contradict their expectation.
func Unexpected(records []evidence.Record) []evidence.Record {
	return slices.DeleteFunc(slices.Clone(records), evidence.Record.AsExpected)
}
