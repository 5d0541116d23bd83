package referee

import (
	"context"
	"fmt"
	"math"

	"tqn/bounds"
	"tqn/evidence"
	"tqn/markov"
	"tqn/toy"
)

func theorem6() Result {
	return Result{
		Statement: statement("theorem6"),
		Meaning:   "A smaller learning rate alpha does not make SR greedier, it only makes it slower: the mixing time M_eps, the steps until the start is forgotten up to eps, grows like t_eps/alpha, where t_eps is the mixing time of a chain in continuous time that does not know alpha.",
		Claims: []Claim{
			{Name: "theorem6", Says: "M_eps grows without limit as alpha tends to 0, at least like half of t_eps/alpha"},
			{Name: "theorem6.constant", Says: "the product alpha M_eps tends to t_eps, the mixing time of exp(tQ)"},
			{Name: "theorem6.lower", Says: "M_eps is at least the explicit bound, recorded as 1/M_eps <= 1/bound"},
		},
		Plan:    planTheorem6,
		Figure:  theorem6Figure,
		Caption: "SR on the objective (8) of Section 5.1, grid step 1/2, gradient noise of standard deviation 4, eps = 1/4; every number is exact. Top: alpha M_eps against alpha, of SR's chain T_alpha and of T~_alpha = I + alpha Q, beside their limit t_eps. Bottom: M_eps itself, in steps.",
	}
}

func planTheorem6(p *Plan) {
	for i, in := range chainInstances(p.Seed) {
		p.From(chainAt(i) + 10)
		measured := once(func(context.Context) (markov.Theorem6Result, error) { return theorem6Of(in) })
		add := func(claim string, f func(t markov.Theorem6Result) []evidence.Record) {
			p.chain(claim, func() ([]evidence.Record, error) {
				t, err := measured(context.Background())
				if err != nil {
					return nil, fmt.Errorf("%s: %w", in.name, err)
				}
				return f(t), nil
			})
		}
		add("theorem6", func(t markov.Theorem6Result) []evidence.Record {
			var records []evidence.Record
			for _, row := range t.Rows[1:] {
				// M grows at least like half of t_eps/alpha.
				records = append(records, chainRecord("theorem6", bounds.Printed, fmt.Sprintf("%s, t_eps/(2 alpha M_eps), alpha = %.3g", in.name, row.Alpha), t.Time/(2*row.ExactScaled), 1e-9, 1, evidence.Holds))
			}
			return records
		})
		add("theorem6.constant", func(t markov.Theorem6Result) []evidence.Record {
			var records []evidence.Record
			for k, row := range t.Rows[2:] {
				records = append(records, chainRecord("theorem6.constant", bounds.Derived, fmt.Sprintf("%s, |alpha M_eps/t_eps - 1|, alpha = %.3g", in.name, row.Alpha), math.Abs(row.ExactScaled/t.Time-1), 1e-11, []float64{1e-4, 1e-9}[k], evidence.Holds))
			}
			return records
		})
		if i > 0 {
			continue
		}
		add("theorem6", func(t markov.Theorem6Result) []evidence.Record {
			first, end := t.Rows[0], t.Rows[len(t.Rows)-1]
			return []evidence.Record{chainRecord("theorem6", bounds.Printed, controlMark+"M_eps stays below 1000 times its value at alpha_0/2", float64(end.ExactSteps), 0, 1000*float64(first.ExactSteps), evidence.Violated)}
		})
		add("theorem6.constant", func(t markov.Theorem6Result) []evidence.Record {
			row := t.Rows[2]
			return []evidence.Record{chainRecord("theorem6.constant", bounds.Derived, fmt.Sprintf("%st_eps one per cent too large: %s, |alpha M_eps/t_eps - 1|, alpha = %.3g", controlMark, in.name, row.Alpha), math.Abs(row.ExactScaled/(1.01*t.Time)-1), 1e-11, 1e-4, evidence.Violated)}
		})
	}
	for i, w := range wells() {
		p.From(wellAt(i) + 10)
		p.lower(w.name, w.sr)
	}
}

// theorem6Of measures mixing times at alphas that fall to 1e-11 of the largest one.
func theorem6Of(in chainInstance) (markov.Theorem6Result, error) {
	alpha0, err := in.sr.Alpha0()
	if err != nil {
		return markov.Theorem6Result{}, err
	}
	return markov.Theorem6(in.sr, 0.1, []float64{alpha0 / 2, alpha0 / 20, 1e-6 * alpha0, 1e-11 * alpha0})
}

// lower adds the explicit bound. It is from below, M_eps >= bound, so the line
// compares 1/M_eps with 1/bound.
func (p *Plan) lower(name string, s markov.SR) {
	const eps = 0.25
	measured := once(func(context.Context) (markov.Theorem6Result, error) {
		return markov.Theorem6(s, eps, []float64{0.01, 1e-3, 1e-4, 1e-5})
	})
	p.chain("theorem6.lower", func() ([]evidence.Record, error) {
		result, err := measured(context.Background())
		if err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
		y, rate := slowest(s)
		limit, err := s.Limit(result.Rows[0].Alpha)
		if err != nil {
			return nil, err
		}
		pi, err := limit.Stationary()
		if err != nil {
			return nil, err
		}
		q := bounds.Unknown()
		q.Epsilon, q.Mass, q.Rate = eps, pi[y], rate
		var records []evidence.Record
		for _, row := range result.Rows {
			q.Alpha = row.Alpha
			v, err := bounds.Theorem6(bounds.Derived, bounds.Stochastic, q)
			if err != nil {
				return nil, err
			}
			records = append(records, chainRecord("theorem6.lower", bounds.Derived, fmt.Sprintf("%s, alpha=%g: 1/M_eps, eps=%g", name, row.Alpha, eps), 1/float64(row.Steps), 0, 1/v.Total(), evidence.Holds))
		}
		return records, nil
	})
	p.chain("theorem6.lower", func() ([]evidence.Record, error) {
		result, err := measured(context.Background())
		if err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
		first := result.Rows[0]
		return []evidence.Record{chainRecord("theorem6.lower", bounds.Derived, fmt.Sprintf("%sten times the mixing time: %s, alpha=%g", controlMark, name, first.Alpha),
			1/float64(first.Steps), 0, first.Alpha/(10*result.Time), evidence.Violated)}, nil
	})
}

// slowest is the state that the chain leaves most slowly, and the rate at which it does.
func slowest(s markov.SR) (state int, rate float64) {
	w := make([]float64, len(s.Axes))
	rate = math.Inf(1)
	for x := range s.States() {
		s.Point(x, w)
		var r float64
		for k, g := range s.Axes {
			law := s.Gradient(w, k)
			if w[k] < g.Hi {
				r += law.Shortfall(0) / g.Delta
			}
			if w[k] > g.Lo {
				r += law.Excess(0) / g.Delta
			}
		}
		if r < rate {
			state, rate = x, r
		}
	}
	return state, rate
}

// theorem6Figure shows the mixing time of SR against alpha, and alpha times it.
func theorem6Figure(uint64) (Figure, error) {
	f := Figure{Title: "Theorem 6: the smaller the learning rate, the slower SR mixes"}
	problem, err := toy.NewProblem(toy.Default.Delta, toy.Default.Noise)
	if err != nil {
		return f, err
	}
	alpha0, err := problem.SR().Alpha0()
	if err != nil {
		return f, err
	}
	var alphas []float64
	for _, a := range []float64{5e-2, 2e-2, 1e-2, 5e-3, 2e-3, 1e-3, 1e-4, 1e-5, 1e-6} {
		if a <= alpha0 {
			alphas = append(alphas, a)
		}
	}
	t, err := markov.Theorem6(problem.SR(), toy.MixingEps, alphas)
	if err != nil {
		return f, err
	}
	var scaled, exact, steps []float64
	for _, row := range t.Rows {
		scaled, exact, steps = append(scaled, row.Scaled), append(exact, row.ExactScaled), append(steps, float64(row.ExactSteps))
	}
	ends := []float64{alphas[0], last(alphas)}
	p := f.panel("mixing time times α", "learning rate α", "α·M(ε)")
	p.LogY, p.Range = false, [2]float64{0, 1.2 * t.Time}
	p.line("SR's chain T(α)", SR, alphas, exact)
	p.points("T~(α) = I + αQ", SRMean, alphas, scaled)
	p.line(fmt.Sprintf("limit t(ε) = %.5g", t.Time), LimitValue, ends, []float64{t.Time, t.Time})
	p = f.panel("mixing time", "learning rate α", "steps M(ε)")
	p.line("SR's chain T(α)", SR, alphas, steps)
	p.line("t(ε)/α", LimitValue, ends, []float64{t.Time / ends[0], t.Time / ends[1]})
	f.Conclusion = fmt.Sprintf("At α = %g SR forgets its start after %.0f steps, at α = %g after %.0f: α·M tends to %.5g.", ends[0], steps[0], ends[1], last(steps), t.Time)
	return f, nil
}
