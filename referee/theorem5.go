package referee

import (
	"context"
	"fmt"
	"math"

	"tqn/bounds"
	"tqn/evidence"
	"tqn/markov"
	"tqn/quantize"
	"tqn/toy"
)

func theorem5() Result {
	return Result{
		Statement: statement("theorem5"),
		Meaning:   "However small the learning rate alpha, SR does not become greedy: its stationary law pi_alpha tends to a law pi~ that is positive at every grid point and does not depend on alpha. BinaryConnect's law concentrates on minimisers instead. The printed rate of moves down has the wrong sign.",
		Caveat:    "Positive is not the same as not concentrated: pi~ is positive everywhere and still puts nearly all of its mass on a minimiser where the gradient noise is small (errata, item 10). What the theorem says is that alpha has no say in it; the noise has.",
		Claims: []Claim{
			{Name: "theorem5", Says: "the total variation of pi_alpha and pi~ tends to 0 with alpha"},
			{Name: "theorem5.positive", Says: "the limit pi~ is positive at every grid point"},
			{Name: "theorem5.matrix", Says: "|T_alpha - T~_alpha| is of order alpha^2"},
			{Name: "theorem5.law", Says: "the total variation of pi_alpha and pi~ is of order alpha"},
			{Name: "theorem5.equal", Says: "in one dimension and with alpha|g| <= Delta, T_alpha and T~_alpha are equal"},
			{Name: "theorem5.entries", Says: "every entry of T_alpha - T~_alpha is at most (4d^2-2d) C1 alpha^2/Delta^2"},
			{Name: "theorem5.down-rate", Says: "the rate of moves down is not negative", False: []Reading{{bounds.Printed, bounds.Stochastic}}},
		},
		Plan:    planTheorem5,
		Figure:  theorem5Figure,
		Caption: "The objective (8) of Section 5.1 on the grid of step 1/2 in [-3, 8], gradient noise of standard deviation 4. SR: exact stationary laws. BC: the law of the quantized weights by Ulam's method. First three panels: the laws at three learning rates on the same axes; the global minimiser, 4.75, lies between the grid points 4.5 and 5, so that half of the mass at either is as greedy as the grid allows (entropy log 2 = 0.693). Last: how widely the laws explore, as their entropy.",
	}
}

// chainInstance is SR on one of the objectives drawn from the seed.
type chainInstance struct {
	name   string
	sr     markov.SR
	alphas []float64
	slopes bool // T_alpha and T~_alpha differ
}

// chainInstances draws non-convex polynomials of degree four as objectives.
func chainInstances(seed uint64) []chainInstance {
	const stream = 0x6d61726b
	d := quantize.NewNoise(seed).At(stream, 0)
	a, b, c := 0.5+d.Uniform(0), 2*d.Uniform(1)-1, d.Uniform(2)-0.5
	slope := func(w float64) float64 { return a * (w*w*w - w + 0.3*b) }
	grid := quantize.Grid{Delta: 0.5, Lo: -2, Hi: 2}
	plane := quantize.Grid{Delta: 0.5, Lo: -1, Hi: 1}
	pair := func(law func(mean float64) markov.Law) markov.SR {
		return markov.SR{Axes: []quantize.Grid{plane, plane}, Gradient: func(w []float64, k int) markov.Law {
			return law(slope(w[k]) + c*w[1-k])
		}}
	}
	alphas := []float64{0.02, 0.01, 0.005, 0.002, 0.001, 0.0005}
	return []chainInstance{
		{"d = 1, uniform noise", markov.OnGrid(grid, func(w float64) markov.Law { m := slope(w); return markov.Uniform{Lo: m - 14, Hi: m + 14} }), []float64{0.015, 0.01, 1e-3, 1e-5}, false},
		{"d = 2, uniform noise", pair(func(m float64) markov.Law { return markov.Uniform{Lo: m - 6, Hi: m + 6} }), alphas, true},
		{"d = 2, normal noise", pair(func(m float64) markov.Law { return markov.Gaussian{Mean: m, Sigma: 2} }), alphas, true},
		{"d = 1, tail of order v^-2", markov.OnGrid(grid, func(w float64) markov.Law { return markov.Lomax{Mean: slope(w), Scale: 2, Index: 2} }), alphas, true},
	}
}

// doubleWell is SR on F(w) = sum (w_k^2-1)^2/4 + coupling w_1 w_2 on the grid of
// [-1.5, 1.5]^d with step 1/2 and gradient noise that keeps both signs possible
// everywhere, the assumption of Theorem 5.
func doubleWell(d int, coupling float64, law func(mean float64) markov.Law) markov.SR {
	s := markov.SR{Gradient: func(w []float64, k int) markov.Law {
		g := w[k]*w[k]*w[k] - w[k]
		if len(w) == 2 {
			g += coupling * w[1-k]
		}
		return law(g)
	}}
	for range d {
		s.Axes = append(s.Axes, quantize.Grid{Delta: 0.5, Lo: -1.5, Hi: 1.5})
	}
	return s
}

// wells are the chains on which the bounds with explicit constants are judged. 3
// exceeds the largest slope, 1.875 + 0.3*1.5, so that both signs are possible.
func wells() []chainInstance {
	pair := func(mean float64) markov.Law {
		return must(markov.NewDiscrete([]float64{mean - 3, mean + 3}, []float64{1, 1}))
	}
	return []chainInstance{
		{name: "double well d=1, noise +-3", sr: doubleWell(1, 0, pair)},
		{name: "double well d=2, noise +-3", sr: doubleWell(2, 0.3, pair)},
		{name: "double well d=1, normal noise", sr: doubleWell(1, 0, func(m float64) markov.Law { return markov.Gaussian{Mean: m, Sigma: 3} })},
	}
}

// chainAt and wellAt are the numbers of an instance's measurements: twenty each, the
// last ten Theorem 6's.
func chainAt(i int) int { return 2000 + 20*i }
func wellAt(i int) int  { return 2200 + 20*i }

// chain adds what is computed from a chain exactly.
func (p *Plan) chain(claim string, f func() ([]evidence.Record, error)) {
	p.add(Measurement{Claim: claim, Measure: func(ctx context.Context, _ Draw) ([]evidence.Record, error) {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		records, err := f()
		if err != nil {
			return nil, fmt.Errorf("%s: %w", claim, err)
		}
		return records, nil
	}})
}

// chainRecord is the record of an exact number about an SR chain.
func chainRecord(claim string, form bounds.Form, instance string, measured, roundoff, bound float64, expected evidence.Verdict) evidence.Record {
	return judged(claim, bounds.Stochastic, instance, evidence.Exact(measured, roundoff), target{form, bound, expected})
}

// small is the alpha at which pi_alpha has to be next to pi~.
const small = 1e-9

func planTheorem5(p *Plan) {
	for i, in := range chainInstances(p.Seed) {
		p.From(chainAt(i))
		p.theorem5(in)
	}
	p.From(2100)
	p.chain("theorem5", func() ([]evidence.Record, error) {
		distance, err := biasedCoin()
		return []evidence.Record{chainRecord("theorem5", bounds.Printed, controlMark+"SR that goes up with 1.1 times the probability, TV(pi_alpha, pi~), alpha = 1e-9", distance, 1e-14, 1e-8, evidence.Violated)}, err
	})
	p.chain("theorem5.matrix", func() ([]evidence.Record, error) {
		s, err := heavyTail(1.5)
		return []evidence.Record{chainRecord("theorem5.matrix", bounds.Printed, controlMark+"tail of order v^-1.5, 2 minus the slope of log|T - T~|", 2-s.Value, s.Upper-s.Value, 0.1, evidence.Violated)}, err
	})
	p.chain("theorem5.positive", func() ([]evidence.Record, error) {
		empty, err := noiseless()
		return []evidence.Record{chainRecord("theorem5.positive", bounds.Printed, controlMark+"gradient without noise, states with pi~ = 0", empty, 0, 0, evidence.Violated)}, err
	})
	p.chain("theorem5.law", func() ([]evidence.Record, error) {
		s, err := wrongLimit()
		return []evidence.Record{chainRecord("theorem5.law", bounds.Printed, controlMark+"pi~ of SR that goes up with 1.1 times the probability, 1 minus the slope of log TV(pi_alpha, pi~) on log alpha", 1-s.Value, s.Upper-s.Value, 0.1, evidence.Violated)}, err
	})
	p.chain("theorem5.equal", func() ([]evidence.Record, error) {
		// With alpha = 0.06 the step alpha|g| reaches 0.84 and more, beyond Delta = 0.5.
		const alpha = 0.06
		in := chainInstances(p.Seed)[0]
		t, err := markov.Theorem5(in.sr, []float64{alpha})
		if err != nil {
			return nil, err
		}
		return []evidence.Record{chainRecord("theorem5.equal", bounds.Derived, fmt.Sprintf("%sstep sizes with alpha|g| > Delta: %s, max|T - T~|, alpha = %g", controlMark, in.name, alpha),
			t.Rows[0].MatrixDistance, 0, 1e-14*alpha/t.Alpha0, evidence.Violated)}, nil
	})
	for i, w := range wells() {
		p.From(wellAt(i))
		p.entries(w.name, w.sr)
	}
}

// theorem5 adds the statement's limits on an instance.
func (p *Plan) theorem5(in chainInstance) {
	measured := once(func(context.Context) (markov.Theorem5Result, error) {
		return markov.Theorem5(in.sr, append(append([]float64(nil), in.alphas...), small))
	})
	add := func(claim string, f func(t markov.Theorem5Result) []evidence.Record) {
		p.chain(claim, func() ([]evidence.Record, error) {
			t, err := measured(context.Background())
			if err != nil {
				return nil, fmt.Errorf("%s: %w", in.name, err)
			}
			return f(t), nil
		})
	}
	add("theorem5", func(t markov.Theorem5Result) []evidence.Record {
		// O(alpha) with a constant: what the largest alpha shows, ten times.
		bound := 10*t.Rows[0].LawDistance/t.Rows[0].Alpha*small + 1e-13
		last := t.Rows[len(t.Rows)-1]
		return []evidence.Record{chainRecord("theorem5", bounds.Printed, fmt.Sprintf("%s, TV(pi_alpha, pi~), alpha = %g", in.name, small), last.LawDistance, 1e-14, bound, evidence.Holds)}
	})
	add("theorem5.positive", func(t markov.Theorem5Result) []evidence.Record {
		zero := 0.0
		for _, p := range t.Limit {
			if !(p > 0) {
				zero++
			}
		}
		return []evidence.Record{chainRecord("theorem5.positive", bounds.Printed, in.name+", states with pi~ = 0", zero, 0, 0, evidence.Holds)}
	})
	if in.slopes {
		add("theorem5.matrix", func(t markov.Theorem5Result) []evidence.Record {
			m := t.MatrixSlope
			return []evidence.Record{chainRecord("theorem5.matrix", bounds.Printed, in.name+", 2 minus the slope of log|T - T~| on log alpha", 2-m.Value, m.Upper-m.Value, 0.1, evidence.Holds)}
		})
		add("theorem5.law", func(t markov.Theorem5Result) []evidence.Record {
			l := t.LawSlope
			return []evidence.Record{chainRecord("theorem5.law", bounds.Printed, in.name+", 1 minus the slope of log TV(pi_alpha, pi~) on log alpha", 1-l.Value, l.Upper-l.Value, 0.1, evidence.Holds)}
		})
		return
	}
	add("theorem5.equal", func(t markov.Theorem5Result) []evidence.Record {
		var records []evidence.Record
		for _, row := range t.Rows {
			rate := 1 / t.Alpha0
			records = append(records, chainRecord("theorem5.equal", bounds.Derived, fmt.Sprintf("%s, max|T - T~|, alpha = %g", in.name, row.Alpha), row.MatrixDistance, 0, 1e-14*row.Alpha*rate, evidence.Holds))
		}
		return records
	})
}

// entries compares the bound with explicit constants with a chain, refutes the printed
// sign of the down-rate and plants half of the rates.
func (p *Plan) entries(name string, s markov.SR) {
	q := bounds.Unknown()
	q.Dim, q.Delta, q.Tail = len(s.Axes), s.Axes[0].Delta, tail(s)
	bound := func(alpha float64) (float64, error) {
		q := q
		q.Alpha = alpha
		v, err := bounds.Theorem5(bounds.Derived, bounds.Stochastic, q)
		return v.Total(), err
	}
	p.chain("theorem5.entries", func() ([]evidence.Record, error) {
		result, err := markov.Theorem5(s, []float64{0.1, 0.01, 1e-3, 1e-4})
		if err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
		var records []evidence.Record
		for _, row := range result.Rows {
			b, err := bound(row.Alpha)
			if err != nil {
				return nil, err
			}
			records = append(records, chainRecord("theorem5.entries", bounds.Derived, fmt.Sprintf("%s, alpha=%g", name, row.Alpha), row.MatrixDistance, 1e-15*row.Alpha, b, evidence.Holds))
		}
		return records, nil
	})
	// The printed down-rate is the integral of p(z) z over z < 0, which is negative.
	p.chain("theorem5.down-rate", func() ([]evidence.Record, error) {
		down := s.Gradient(s.Point(0, nil), 0).Excess(0) / q.Delta
		return []evidence.Record{
			chainRecord("theorem5.down-rate", bounds.Printed, name+": minus the printed down-rate", down, 1e-15*down, 0, evidence.Violated),
			chainRecord("theorem5.down-rate", bounds.Derived, name+": minus the rate E[(g_k)+]/Delta", -down, 1e-15*down, 0, evidence.Holds),
		}, nil
	})
	p.chain("theorem5.entries", func() ([]evidence.Record, error) {
		const alpha = 1e-4
		exact, err := s.Chain(alpha)
		if err != nil {
			return nil, err
		}
		half, err := s.Limit(alpha / 2)
		if err != nil {
			return nil, err
		}
		b, err := bound(alpha)
		return []evidence.Record{chainRecord("theorem5.entries", bounds.Derived, fmt.Sprintf("%sT~ with half its rates: %s, alpha=%g", controlMark, name, alpha), markov.MaxDifference(exact, half), 1e-15*alpha, b, evidence.Violated)}, err
	})
}

// tail is the largest C1 over the lattice.
func tail(s markov.SR) float64 {
	var c float64
	w := make([]float64, len(s.Axes))
	for x := range s.States() {
		s.Point(x, w)
		for k := range w {
			c = math.Max(c, s.Gradient(w, k).TailConstant())
		}
	}
	return c
}

// normalWell is SR on (w^2-1)^2/4 in one dimension with normal noise.
func normalWell() markov.SR {
	return markov.OnGrid(quantize.Grid{Delta: 0.5, Lo: -2, Hi: 2}, func(w float64) markov.Law { return markov.Gaussian{Mean: w*w*w - w, Sigma: 2} })
}

// biasedLaw is the stationary law of SR whose moves up are 1.1 times too likely, beside
// the true pi~, for alpha -> 0.
func biasedLaw() (biased, limit []float64, err error) {
	const alpha = 1e-9
	good, err := normalWell().Limit(alpha)
	if err != nil {
		return nil, nil, err
	}
	var rates []markov.Rate
	for x := range good.States() {
		good.Moves(x, func(y int, r float64) {
			if y > x {
				r *= 1.1
			}
			rates = append(rates, markov.Rate{From: x, To: y, Rate: r})
		})
	}
	bad, err := markov.FromRates(good.States(), rates, alpha)
	if err != nil {
		return nil, nil, err
	}
	if limit, err = good.Stationary(); err != nil {
		return nil, nil, err
	}
	biased, err = bad.Stationary()
	return biased, limit, err
}

// biasedCoin is TV(pi_alpha, pi~) of the biased coin.
func biasedCoin() (float64, error) {
	biased, limit, err := biasedLaw()
	if err != nil {
		return 0, err
	}
	return markov.TotalVariation(limit, biased), nil
}

// wrongLimit is the slope of log TV(pi_alpha, pi~) on log alpha where pi~ is that of the
// biased coin.
func wrongLimit() (markov.Slope, error) {
	biased, _, err := biasedLaw()
	if err != nil {
		return markov.Slope{}, err
	}
	alphas := []float64{1e-2, 1e-3, 1e-4, 1e-5}
	var distances []float64
	for _, alpha := range alphas {
		c, err := normalWell().Chain(alpha)
		if err != nil {
			return markov.Slope{}, err
		}
		pi, err := c.Stationary()
		if err != nil {
			return markov.Slope{}, err
		}
		distances = append(distances, markov.TotalVariation(pi, biased))
	}
	return markov.LogSlope(alphas, distances, func(int) float64 { return 1e-13 }), nil
}

// heavyTail returns the slope of log max|T - T~| on log alpha for a tail of order
// v^-index in one dimension.
func heavyTail(index float64) (markov.Slope, error) {
	s := markov.OnGrid(quantize.Grid{Delta: 0.5, Lo: -2, Hi: 2}, func(w float64) markov.Law { return markov.Lomax{Mean: w*w*w - w, Scale: 1, Index: index} })
	alphas := []float64{1e-3, 1e-4, 1e-5, 1e-6}
	var d []float64
	for _, alpha := range alphas {
		exact, err := s.Chain(alpha)
		if err != nil {
			return markov.Slope{}, err
		}
		limit, err := s.Limit(alpha)
		if err != nil {
			return markov.Slope{}, err
		}
		d = append(d, markov.MaxDifference(exact, limit))
	}
	return markov.LogSlope(alphas, d, func(i int) float64 { return 1e-13 * alphas[i] }), nil
}

// noiseless counts the states without probability for a gradient without noise.
func noiseless() (float64, error) {
	s := markov.OnGrid(quantize.Grid{Delta: 0.5, Lo: -1, Hi: 1}, func(w float64) markov.Law { return markov.Point(2 * (w - 0.25)) })
	c, err := s.Limit(0.1)
	if err != nil {
		return 0, err
	}
	pi, err := c.Stationary()
	if err != nil {
		return 0, err
	}
	zero := 0.0
	for _, p := range pi {
		if p == 0 {
			zero++
		}
	}
	return zero, nil
}

// theorem5Figure sets SR's stationary law beside BinaryConnect's while alpha falls.
func theorem5Figure(seed uint64) (Figure, error) {
	f := Figure{Title: "Theorem 5: SR's law does not depend on a small learning rate, BC's does", Columns: 2}
	problem, err := toy.NewProblem(toy.Default.Delta, toy.Default.Noise)
	if err != nil {
		return f, err
	}
	alphas := []float64{0.1, 0.05, 0.02, 0.01, 0.005, 0.002, 0.001}
	var entropySR, entropyBC []float64
	for _, alpha := range alphas {
		c, err := problem.SR().Chain(alpha)
		if err != nil {
			return f, err
		}
		sr, err := c.Stationary()
		if err != nil {
			return f, err
		}
		bc, err := problem.BCRow(alpha, 0, seed)
		if err != nil {
			return f, err
		}
		entropySR, entropyBC = append(entropySR, toy.Entropy(sr)), append(entropyBC, bc.Entropy)
		if alpha == 0.1 || alpha == 0.01 || alpha == 0.001 {
			p := f.panel(fmt.Sprintf("stationary laws, α = %g", alpha), "weight w", "probability")
			p.LogX, p.LogY, p.Range = false, false, [2]float64{0, 0.6}
			p.line("SR (exact)", SR, problem.Points(), sr)
			p.line("BC (Ulam's method)", BCNearest, problem.Points(), bc.Stationary)
		}
	}
	p := f.panel("entropy of the laws", "learning rate α", "nats")
	p.LogY, p.Range = false, [2]float64{0, 2.4}
	p.line("SR (exact)", SR, alphas, entropySR)
	p.line("BC (Ulam's method)", BCNearest, alphas, entropyBC)
	f.Conclusion = fmt.Sprintf("From α = %g to %g SR's entropy goes from %.3f to %.3f nats and BC's from %.3f to %.3f: BC becomes greedy, SR does not.",
		alphas[0], last(alphas), entropySR[0], last(entropySR), entropyBC[0], last(entropyBC))
	return f, nil
}
