package referee

import (
	"tqn/bounds"
	"tqn/convex"
	"tqn/evidence"
)

// This file has the form noise of Theorems 1 and 2: the floor of SR where the variance of the gradient is known, and what a batch does to it (Section 6.1's advice, for convex F a theorem).

const noiseSays = "with the variance sigma^2/b of the gradient known, F smooth and grad F(w*) = 0, the mean gap of SR with batches of b is at most the form noise, whose floor is about sqrt(d) Delta sigma/(2 sqrt b) + L d Delta^2/2"

// noiseT is so large that the floor is most of the bound.
const noiseT = 1_000_000

// batches are the batch sizes that are measured: 2^b combinations of two terms each.
var batches = []int{1, 2, 4, 8}

// noisyKink is |w| with a small slope, rounded off between two grid points, and gradient noise of standard deviation 1: the floor sqrt(d) Delta sigma/2 is nearly attained. mu > 0 makes it strongly convex.
func noisyKink(b int, mu float64) (convex.Instance, error) {
	p, err := convex.NewBatch(convex.NewHuber(-15, 15, 0.2, 0.5, mu, []float64{0.5}, 1), b)
	if err != nil {
		return convex.Instance{}, err
	}
	s := natural(p)
	if mu > 0 {
		s = strong(p)
	}
	return convex.NewInstance(p, 1, p.Minimiser(), s, noiseT)
}

// noiseParameters are the constants of an instance with batches of b, sigma that of one sample.
func noiseParameters(in convex.Instance, sigma float64, b int) bounds.Parameters {
	q := in.Parameters(in.T)
	q.Sigma, q.Batch = sigma, b
	return q
}

// noise adds the form noise of Theorem 1 or 2 for every batch size and, as a control, a quarter of sigma.
func (p *Plan) noise(claim string, mu float64) {
	statement := statement(claim)
	add := func(b int, what string, sigma float64, expected evidence.Verdict) {
		in, err := noisyKink(b, mu)
		p.fail(err)
		if err != nil {
			return
		}
		v, err := statement.Bound(bounds.Noise, bounds.Stochastic, noiseParameters(in, sigma, b))
		p.fail(err)
		p.exact(line{claim + ".noise", bounds.Stochastic, what + in.String(), in.Problem, []target{{bounds.Noise, v.Total(), expected}}}, func() (float64, float64, error) {
			gap, err := meanGap(in)
			return gap, convex.Roundoff(in, gap), err
		})
	}
	for _, b := range batches {
		add(b, "", 1, evidence.Holds)
	}
	add(1, controlMark+"a quarter of sigma: ", 0.25, evidence.Violated)
}

// meanGap is (1/T) sum_t E F(w^t) - F*, exact.
func meanGap(in convex.Instance) (float64, error) {
	tr, err := convex.Follow(in, false)
	if err != nil {
		return 0, err
	}
	return tr.MeanGap[len(tr.MeanGap)-1], nil
}

// batchErrata are the mean gaps of SR on [noisyKink] against the batch size, exact, with the forms noise and sharp of Theorem 2.
func batchErrata() ([]BatchErrata, error) { return batchRows("theorem2", 0) }

func batchRows(claim string, mu float64) ([]BatchErrata, error) {
	var rows []BatchErrata
	for _, b := range batches {
		in, err := noisyKink(b, mu)
		if err != nil {
			return nil, err
		}
		row := BatchErrata{B: b}
		if row.Gap, err = meanGap(in); err != nil {
			return nil, err
		}
		for f, to := range map[bounds.Form]*float64{bounds.Noise: &row.Noise, bounds.Sharp: &row.Sharp} {
			v, err := statement(claim).Bound(f, bounds.Stochastic, noiseParameters(in, 1, b))
			if err != nil {
				return nil, err
			}
			*to = v.Total()
		}
		rows = append(rows, row)
	}
	return rows, nil
}

// batchPanel adds the gap at a large T against the batch size, beside the sharp form and the form noise.
func batchPanel(f *Figure, claim string, mu float64) error {
	p := f.panel("gap against the batch size, T = 1000000", "batch size b", "F − F*")
	rows, err := batchRows(claim, mu)
	if err != nil {
		return err
	}
	var bs, gaps, aware, sharp []float64
	for _, r := range rows {
		bs, gaps, aware, sharp = append(bs, float64(r.B)), append(gaps, r.Gap), append(aware, r.Noise), append(sharp, r.Sharp)
	}
	p.points("SR: mean of E F(w^t) - F*", SRMean, bs, gaps)
	p.line("bound: knows the variance (form noise)", DerivedBound, bs, aware)
	p.line("bound: knows G only (form sharp)", SharpBound, bs, sharp)
	return nil
}
