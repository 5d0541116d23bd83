package markov

import (
	"fmt"
	"math"

	"tqn/evidence"
	"tqn/quantize"
)

// Verify measures Theorems 5 and 6 and the lines of their proofs on instances
// drawn from a seed. Every measurement is exact: computed from matrices, the
// stated rounding error included. Negative controls, expected to be violated,
// are SR with a biased coin, a gradient with too heavy a tail, a gradient
// without noise and the denial of Theorem 6.
func Verify(seed uint64) ([]evidence.Record, error) {
	var records []evidence.Record
	add := func(claim, form, instance string, measured evidence.Result, bound float64, expected evidence.Verdict) {
		r := evidence.NewRecord(measured, bound, expected)
		r.Claim, r.Form, r.Rounding, r.Instance = claim, form, "stochastic", instance
		records = append(records, r)
	}
	const small = 1e-9
	for i, in := range verifyInstances(seed) {
		t5, err := Theorem5(in.sr, append(append([]float64(nil), in.alphas...), small))
		if err != nil {
			return nil, fmt.Errorf("%s: %w", in.name, err)
		}
		last := t5.Rows[len(t5.Rows)-1]
		// O(alpha) with a constant: what the largest alpha shows, ten times.
		bound := 10*t5.Rows[0].LawDistance/t5.Rows[0].Alpha*small + 1e-13
		add("theorem5", "printed", fmt.Sprintf("%s, TV(pi_alpha, pi~), alpha = %g", in.name, small), evidence.Exact(last.LawDistance, 1e-14), bound, evidence.Holds)
		zero := 0.0
		for _, p := range t5.Limit {
			if !(p > 0) {
				zero++
			}
		}
		add("theorem5.positive", "printed", in.name+", states with pi~ = 0", evidence.Exact(zero, 0), 0, evidence.Holds)
		if in.slopes {
			m := t5.MatrixSlope
			add("theorem5.matrix", "printed", in.name+", 2 minus the slope of log|T - T~| on log alpha", evidence.Exact(2-m.Value, m.Upper-m.Value), 0.1, evidence.Holds)
			l := t5.LawSlope
			add("theorem5.law", "printed", in.name+", 1 minus the slope of log TV(pi_alpha, pi~) on log alpha", evidence.Exact(1-l.Value, l.Upper-l.Value), 0.1, evidence.Holds)
		} else {
			for _, row := range t5.Rows {
				rate := 1 / t5.Alpha0
				add("theorem5.equal", "derived", fmt.Sprintf("%s, max|T - T~|, alpha = %g", in.name, row.Alpha), evidence.Exact(row.MatrixDistance, 0), 1e-14*row.Alpha*rate, evidence.Holds)
			}
		}
		t6, err := Theorem6(in.sr, 0.1, []float64{t5.Alpha0 / 2, t5.Alpha0 / 20, 1e-6 * t5.Alpha0, 1e-11 * t5.Alpha0})
		if err != nil {
			return nil, fmt.Errorf("%s: %w", in.name, err)
		}
		for _, row := range t6.Rows[1:] {
			// M grows at least like half of t_eps/alpha.
			add("theorem6", "printed", fmt.Sprintf("%s, t_eps/(2 alpha M_eps), alpha = %.3g", in.name, row.Alpha), evidence.Exact(t6.Time/(2*row.ExactScaled), 1e-9), 1, evidence.Holds)
		}
		for k, row := range t6.Rows[2:] {
			add("theorem6.constant", "derived", fmt.Sprintf("%s, |alpha M_eps/t_eps - 1|, alpha = %.3g", in.name, row.Alpha), evidence.Exact(math.Abs(row.ExactScaled/t6.Time-1), 1e-11), []float64{1e-4, 1e-9}[k], evidence.Holds)
		}
		if i > 0 {
			continue
		}
		// Denial of Theorem 6: a bound on M_eps that does not depend on alpha.
		first, end := t6.Rows[0], t6.Rows[len(t6.Rows)-1]
		add("theorem6", "printed", "control: M_eps stays below 1000 times its value at alpha_0/2", evidence.Exact(float64(end.ExactSteps), 0), 1000*float64(first.ExactSteps), evidence.Violated)
	}
	biased, err := biasedCoin()
	if err != nil {
		return nil, err
	}
	add("theorem5", "printed", "control: SR that goes up with 1.1 times the probability, TV(pi_alpha, pi~), alpha = 1e-9", evidence.Exact(biased, 1e-14), 1e-8, evidence.Violated)
	slope, err := heavyTail(1.5)
	if err != nil {
		return nil, err
	}
	add("theorem5.matrix", "printed", "control: tail of order v^-1.5, 2 minus the slope of log|T - T~|", evidence.Exact(2-slope.Value, slope.Upper-slope.Value), 0.1, evidence.Violated)
	empty, err := noiseless()
	if err != nil {
		return nil, err
	}
	add("theorem5.positive", "printed", "control: gradient without noise, states with pi~ = 0", evidence.Exact(empty, 0), 0, evidence.Violated)
	return records, nil
}

type verifyInstance struct {
	name   string
	sr     SR
	alphas []float64
	slopes bool // T and T~ differ
}

// verifyInstances draws non-convex polynomials of degree four as objectives.
func verifyInstances(seed uint64) []verifyInstance {
	const stream = 0x6d61726b
	d := quantize.NewNoise(seed).At(stream, 0)
	a, b, c := 0.5+d.Uniform(0), 2*d.Uniform(1)-1, d.Uniform(2)-0.5
	slope := func(w float64) float64 { return a * (w*w*w - w + 0.3*b) }
	grid := quantize.Grid{Delta: 0.5, Lo: -2, Hi: 2}
	plane := quantize.Grid{Delta: 0.5, Lo: -1, Hi: 1}
	pair := func(law func(mean float64) Law) SR {
		return SR{Axes: []quantize.Grid{plane, plane}, Gradient: func(w []float64, k int) Law {
			return law(slope(w[k]) + c*w[1-k])
		}}
	}
	alphas := []float64{0.02, 0.01, 0.005, 0.002, 0.001, 0.0005}
	return []verifyInstance{
		{"d = 1, uniform noise", OnGrid(grid, func(w float64) Law { m := slope(w); return Uniform{m - 14, m + 14} }), []float64{0.015, 0.01, 1e-3, 1e-5}, false},
		{"d = 2, uniform noise", pair(func(m float64) Law { return Uniform{m - 6, m + 6} }), alphas, true},
		{"d = 2, normal noise", pair(func(m float64) Law { return Gaussian{m, 2} }), alphas, true},
		{"d = 1, tail of order v^-2", OnGrid(grid, func(w float64) Law { return Lomax{slope(w), 2, 2} }), alphas, true},
	}
}

// biasedCoin returns TV(pi_alpha, pi~) for SR whose moves up are 1.1 times too likely.
func biasedCoin() (float64, error) {
	s := OnGrid(quantize.Grid{Delta: 0.5, Lo: -2, Hi: 2}, func(w float64) Law { return Gaussian{w*w*w - w, 2} })
	good, err := s.Limit(1e-9)
	if err != nil {
		return 0, err
	}
	var rates []Rate
	for x := range good.n {
		good.Moves(x, func(y int, r float64) {
			if y > x {
				r *= 1.1
			}
			rates = append(rates, Rate{x, y, r})
		})
	}
	bad, err := FromRates(good.n, rates, 1e-9)
	if err != nil {
		return 0, err
	}
	p, err := good.Stationary()
	if err != nil {
		return 0, err
	}
	q, err := bad.Stationary()
	if err != nil {
		return 0, err
	}
	return TotalVariation(p, q), nil
}

// heavyTail returns the slope of log max|T - T~| on log alpha for a tail of order
// v^-index in one dimension.
func heavyTail(index float64) (Slope, error) {
	s := OnGrid(quantize.Grid{Delta: 0.5, Lo: -2, Hi: 2}, func(w float64) Law { return Lomax{w*w*w - w, 1, index} })
	rates, err := s.rates()
	if err != nil {
		return Slope{}, err
	}
	alphas := []float64{1e-3, 1e-4, 1e-5, 1e-6}
	var d []float64
	for _, alpha := range alphas {
		exact, err := s.Chain(alpha)
		if err != nil {
			return Slope{}, err
		}
		d = append(d, maxDifference(exact, 1, rates, alpha))
	}
	return logSlope(alphas, d, func(i int) float64 { return 1e-13 * alphas[i] }), nil
}

// noiseless counts the states without probability for a gradient without noise.
func noiseless() (float64, error) {
	s := OnGrid(quantize.Grid{Delta: 0.5, Lo: -1, Hi: 1}, func(w float64) Law { return Point(2 * (w - 0.25)) })
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
