package main

import (
	"fmt"
	"math"

	"tqn/bounds"
	"tqn/evidence"
	"tqn/markov"
	"tqn/quantize"
)

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

// twoPoint is mean +- 3 with equal probabilities. 3 exceeds the largest slope of
// doubleWell, 1.875 + 0.3*1.5.
func twoPoint(mean float64) markov.Law {
	l, err := markov.NewDiscrete([]float64{mean - 3, mean + 3}, []float64{1, 1})
	if err != nil {
		panic("tqn: " + err.Error())
	}
	return l
}

// chainRecords compare the derived bounds of Theorems 5 and 6 (package bounds, with
// explicit constants) with chains that are computed exactly, and refute the printed
// sign of the down-rate. What the theorems say about limits is markov.Verify.
func chainRecords() ([]evidence.Record, error) {
	var records []evidence.Record
	add := func(claim string, form bounds.Form, instance string, measured, roundoff, bound float64, expected evidence.Verdict) {
		r := evidence.NewRecord(evidence.Exact(measured, roundoff), bound, expected)
		r.Claim, r.Form, r.Rounding, r.Instance = claim, string(form), string(bounds.Stochastic), instance
		records = append(records, r)
	}
	alphas := []float64{0.1, 0.01, 1e-3, 1e-4}
	for _, c := range []struct {
		name string
		sr   markov.SR
	}{
		{"double well d=1, noise +-3", doubleWell(1, 0, twoPoint)},
		{"double well d=2, noise +-3", doubleWell(2, 0.3, twoPoint)},
		{"double well d=1, normal noise", doubleWell(1, 0, func(m float64) markov.Law { return markov.Gaussian{Mean: m, Sigma: 3} })},
	} {
		result, err := markov.Theorem5(c.sr, alphas)
		if err != nil {
			return nil, fmt.Errorf("theorem5, %s: %w", c.name, err)
		}
		p := bounds.Unknown()
		p.Dim, p.Delta = len(c.sr.Axes), 0.5
		p.Tail = tail(c.sr)
		for _, row := range result.Rows {
			p.Alpha = row.Alpha
			v, err := bounds.Theorem5(bounds.Derived, bounds.Stochastic, p)
			if err != nil {
				return nil, err
			}
			name := fmt.Sprintf("%s, alpha=%g", c.name, row.Alpha)
			add("theorem5.entries", bounds.Derived, name, row.MatrixDistance, 1e-15*row.Alpha, v.Total(), evidence.Holds)
		}
		// The printed down-rate is the integral of p(z) z over z < 0, which is negative.
		w := c.sr.Point(0, nil)
		down := c.sr.Gradient(w, 0).Excess(0) / p.Delta
		add("theorem5.down-rate", bounds.Printed, c.name+": minus the printed down-rate", down, 1e-15*down, 0, evidence.Violated)
		add("theorem5.down-rate", bounds.Derived, c.name+": minus the rate E[(g_k)+]/Delta", -down, 1e-15*down, 0, evidence.Holds)
		// Control: T~ with half of its rates is not the limit.
		const alpha = 1e-4
		exact, err := c.sr.Chain(alpha)
		if err != nil {
			return nil, err
		}
		half, err := c.sr.Limit(alpha / 2)
		if err != nil {
			return nil, err
		}
		p.Alpha = alpha
		v, err := bounds.Theorem5(bounds.Derived, bounds.Stochastic, p)
		if err != nil {
			return nil, err
		}
		add("theorem5.entries", bounds.Derived, fmt.Sprintf("control: T~ with half its rates: %s, alpha=%g", c.name, alpha), markov.MaxDifference(exact, half), 1e-15*alpha, v.Total(), evidence.Violated)

		if err := theorem6Records(c.name, c.sr, result.Limit, add); err != nil {
			return nil, err
		}
	}
	return records, nil
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

// theorem6Records adds Theorem 6. Its bound is from below, M_eps >= bound, so the
// line compares 1/M_eps with 1/bound.
func theorem6Records(name string, s markov.SR, pi []float64, add func(string, bounds.Form, string, float64, float64, float64, evidence.Verdict)) error {
	const eps = 0.25
	alphas := []float64{0.01, 1e-3, 1e-4, 1e-5}
	result, err := markov.Theorem6(s, eps, alphas)
	if err != nil {
		return fmt.Errorf("theorem6, %s: %w", name, err)
	}
	// The start y from which the chain leaves most slowly.
	w := make([]float64, len(s.Axes))
	y, rate := 0, math.Inf(1)
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
			y, rate = x, r
		}
	}
	p := bounds.Unknown()
	p.Epsilon, p.Mass, p.Rate = eps, pi[y], rate
	for _, row := range result.Rows {
		p.Alpha = row.Alpha
		v, err := bounds.Theorem6(bounds.Derived, bounds.Stochastic, p)
		if err != nil {
			return err
		}
		add("theorem6.lower", bounds.Derived, fmt.Sprintf("%s, alpha=%g: 1/M_eps, eps=%g", name, row.Alpha, eps), 1/float64(row.Steps), 0, 1/v.Total(), evidence.Holds)
	}
	first := result.Rows[0]
	add("theorem6.lower", bounds.Derived, fmt.Sprintf("control: ten times the mixing time: %s, alpha=%g", name, first.Alpha),
		1/float64(first.Steps), 0, first.Alpha/(10*result.Time), evidence.Violated)
	return nil
}
