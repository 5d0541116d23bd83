package toy

import (
	"context"
	"errors"
	"fmt"
	"math"
	"slices"

	"tqn/markov"
)

// Options of Run.
type Options struct {
	Iterations int       // of each simulation; the paper has 1e6
	Alphas     []float64 // learning rates of Figure 2; the paper has 1, 0.1, 0.01, 0.001
	Noise      float64   // standard deviation of the gradient; the paper names none
	Delta      float64   // grid step; the paper has 0.5
	Seed       uint64
	// Progress, if not nil, is told the number of finished pieces and their total.
	Progress func(done, total int, what string)
}

// Default options: the paper's where it has them. Noise 4 makes SR visit all three
// basins, as its histograms in Figure 2 do.
var Default = Options{Iterations: 1_000_000, Alphas: []float64{1, 0.1, 0.01, 0.001}, Noise: 4, Delta: 0.5, Seed: 1}

// Result holds the series of all figures.
type Result struct {
	Seed       uint64       `json:"seed"`
	Iterations int          `json:"iterations"`
	Noise      float64      `json:"noise"`
	Delta      float64      `json:"delta"`
	Box        [2]float64   `json:"box"`
	Points     []float64    `json:"points"`
	Objective  []float64    `json:"objective"`
	Figure1    Figure1      `json:"figure1"`
	Figure2    []Figure2Row `json:"figure2"` // BC for every alpha, then SR
	Figure3    Figure3      `json:"figure3"`
	// Limit is pi~ of Theorem 5.
	Limit        []float64    `json:"limit"`
	LimitEntropy float64      `json:"limit_entropy"`
	LimitGlobal  float64      `json:"limit_global_mass"`
	Contrast     []Contrast   `json:"contrast"`
	Batch        []BatchRow   `json:"batch"`
	Sensitivity  []NoiseRow   `json:"noise_sensitivity"`
	Mixing       MixingSeries `json:"mixing"`
}

// Contrast compares the stationary laws of SR and BC at one alpha.
type Contrast struct {
	Alpha     float64 `json:"alpha"`
	SREntropy float64 `json:"sr_entropy"`
	SRGlobal  float64 `json:"sr_global_mass"`
	SRExcess  float64 `json:"sr_excess"` // E f(w) - min f on the grid
	BCEntropy float64 `json:"bc_entropy"`
	BCGlobal  float64 `json:"bc_global_mass"`
	BCExcess  float64 `json:"bc_excess"`
	// Refinement is the error of Ulam's method as in Figure2Row.
	Refinement float64 `json:"refinement"`
}

// BatchRow is pi~ for a batch: the noise is Noise/sqrt(Batch).
type BatchRow struct {
	Batch      int       `json:"batch"`
	Law        []float64 `json:"law"`
	Entropy    float64   `json:"entropy"`
	GlobalMass float64   `json:"global_mass"`
	Excess     float64   `json:"excess"`
}

// NoiseRow is pi~ and BC's law at SensitivityAlpha for another noise.
type NoiseRow struct {
	Noise     float64 `json:"noise"`
	SREntropy float64 `json:"sr_entropy"`
	SRGlobal  float64 `json:"sr_global_mass"`
	BCEntropy float64 `json:"bc_entropy"`
	BCGlobal  float64 `json:"bc_global_mass"`
}

// SensitivityAlpha is BC's learning rate in the noise sensitivity panel.
const SensitivityAlpha = 0.01

// MixingSeries is Theorem 6 on this problem.
type MixingSeries struct {
	Eps  float64              `json:"eps"`
	Time float64              `json:"t_eps"`
	Rows []markov.Theorem6Row `json:"rows"`
}

// MixingEps is the eps of the mixing times.
const MixingEps = 0.25

// check refuses options that cannot be computed.
func (o Options) check() error {
	if o.Iterations < 1 || o.Iterations > math.MaxUint32 {
		return fmt.Errorf("toy: %d iterations; want 1 to 2^32-1", o.Iterations)
	}
	if len(o.Alphas) == 0 {
		return fmt.Errorf("toy: no learning rate")
	}
	for _, a := range o.Alphas {
		if !(a >= 1e-4) || a > 100 {
			return fmt.Errorf("toy: alpha = %g; want 1e-4 to 100: below, the cells of Ulam's method do not fit into memory", a)
		}
	}
	return nil
}

// Learning rates, batch sizes and noises of the series that the paper does not have.
var (
	contrastAlphas = []float64{1, 0.5, 0.2, 0.1, 0.05, 0.02, 0.01, 0.005, 0.002, 0.001}
	largestBatch   = 1024
	noises         = []float64{1, 1.5, 2, 3, 4, 6, 8, 12}
	mixingAlphas   = []float64{5e-2, 2e-2, 1e-2, 3e-3, 1e-3, 1e-4, 1e-5, 1e-6, 1e-8, 1e-10, 1e-12}
)

// run is a Run in progress.
type run struct {
	Options
	Result
	problem Problem
	ctx     context.Context
	done    int
}

// tick tells the caller that one more piece is finished, and is an error where the caller wants no more.
func (r *run) tick(what string) error {
	r.done++
	if r.Progress != nil {
		total := 2*len(r.Alphas) + len(contrastAlphas) + len(noises) + 2
		r.Progress(r.done, total, what)
	}
	return r.ctx.Err()
}

// Run computes everything. The same options give the same bytes. When ctx ends, it returns ctx's error after the piece that it is at: a
// law, a simulation.
func Run(ctx context.Context, o Options) (Result, error) {
	r := run{Options: o, ctx: ctx, Result: Result{Seed: o.Seed, Iterations: o.Iterations, Noise: o.Noise, Delta: o.Delta, Box: [2]float64{BoxLo, BoxHi}}}
	var err error
	if points := (BoxHi - BoxLo) / o.Delta; points >= most {
		return r.Result, fmt.Errorf("toy: a grid of %.4g points; want 2 to %d: change the step %g", points+1, most, o.Delta)
	}
	if r.problem, err = NewProblem(o.Delta, o.Noise); err != nil {
		return r.Result, err
	}
	if err := o.check(); err != nil {
		return r.Result, err
	}
	r.Points = r.problem.Points()
	for _, w := range r.Points {
		r.Objective = append(r.Objective, Objective(w))
	}
	r.Figure1 = newFigure1([]float64{1, 0.5, 0.25})
	if r.Figure3, err = newFigure3(); err != nil {
		return r.Result, err
	}
	// The largest batch has the least noise, which may be too little: that is found before the simulations.
	for _, part := range []func() error{r.limits, r.batches, r.figure2, r.contrast, r.sensitivity, r.mixing} {
		err := part()
		if errors.Is(err, markov.ErrReducible) {
			err = fmt.Errorf("toy: noise %g is too far from the slopes for float64, in which some of the steps have the probability 0: %w", o.Noise, err)
		}
		if err != nil {
			return r.Result, err
		}
	}
	return r.Result, nil
}

// limit is pi~ of the problem. It does not depend on alpha, so any alpha that is
// allowed will do.
func (p Problem) limit() ([]float64, error) {
	alpha0, err := p.SR().Alpha0()
	if err != nil {
		return nil, fmt.Errorf("toy: %w", err)
	}
	c, err := p.SR().Limit(alpha0 / 2)
	var law []float64
	if err == nil {
		law, err = c.Stationary()
	}
	if err != nil {
		return nil, fmt.Errorf("toy: %w", err)
	}
	return law, nil
}

// limits computes pi~.
func (r *run) limits() (err error) {
	if r.Limit, err = r.problem.limit(); err != nil {
		return err
	}
	r.LimitEntropy, r.LimitGlobal = Entropy(r.Limit), r.problem.GlobalMass(r.Limit)
	return nil
}

// figure2 simulates BC at every learning rate, then SR.
func (r *run) figure2() error {
	for _, rule := range []struct {
		name string
		row  func(alpha float64, iterations int, seed uint64) (Figure2Row, error)
	}{{"BC", r.problem.BCRow}, {"SR", r.problem.SRRow}} {
		for _, a := range r.Alphas {
			row, err := rule.row(a, r.Options.Iterations, r.Options.Seed)
			if err != nil {
				return err
			}
			r.Figure2 = append(r.Figure2, row)
			if err := r.tick(rule.name); err != nil {
				return err
			}
		}
	}
	return nil
}

// contrast compares the stationary laws of SR and BC. BC's law at a learning rate of
// Figure 2 is there already.
func (r *run) contrast() error {
	p := r.problem
	bc := map[float64]Figure2Row{}
	for i, a := range r.Alphas {
		bc[a] = r.Figure2[i]
	}
	for _, a := range contrastAlphas {
		row, seen := bc[a]
		if !seen {
			var err error
			if row, err = p.BCRow(a, 0, r.Options.Seed); err != nil {
				return err
			}
		}
		c, err := p.SR().Chain(a)
		if err != nil {
			return fmt.Errorf("toy: %w", err)
		}
		pi, err := c.Stationary()
		if err != nil {
			return fmt.Errorf("toy: %w", err)
		}
		r.Contrast = append(r.Contrast, Contrast{
			Alpha: a, SREntropy: Entropy(pi), SRGlobal: p.GlobalMass(pi), SRExcess: p.Excess(pi),
			BCEntropy: row.Entropy, BCGlobal: row.GlobalMass, BCExcess: p.Excess(row.Stationary), Refinement: row.Refinement,
		})
		if err := r.tick("contrast"); err != nil {
			return err
		}
	}
	return nil
}

// batches computes pi~ for batches of 1, 2, 4, ...
func (r *run) batches() error {
	for b := 1; b <= largestBatch; b *= 2 {
		q := r.problem
		q.Noise = r.problem.Noise / math.Sqrt(float64(b))
		pi, err := q.limit()
		if err != nil {
			return fmt.Errorf("%w, for batches of %d", err, b)
		}
		r.Batch = append(r.Batch, BatchRow{b, pi, Entropy(pi), q.GlobalMass(pi), q.Excess(pi)})
	}
	if err := r.tick("batch size"); err != nil {
		return err
	}
	return nil
}

// sensitivity computes both laws for gradients with other noises.
func (r *run) sensitivity() error {
	for _, s := range noises {
		q := r.problem
		q.Noise = s
		pi, err := q.limit()
		if err != nil {
			return err
		}
		row, err := q.BCRow(SensitivityAlpha, 0, r.Options.Seed)
		if err != nil {
			return err
		}
		r.Sensitivity = append(r.Sensitivity, NoiseRow{s, Entropy(pi), q.GlobalMass(pi), row.Entropy, row.GlobalMass})
		if err := r.tick("noise"); err != nil {
			return err
		}
	}
	return nil
}

// mixing measures Theorem 6 at the learning rates that the problem allows.
func (r *run) mixing() error {
	alpha0, err := r.problem.SR().Alpha0()
	if err != nil {
		return fmt.Errorf("toy: %w", err)
	}
	alphas := slices.DeleteFunc(slices.Clone(mixingAlphas), func(a float64) bool { return a > alpha0 })
	t6, err := markov.Theorem6(r.problem.SR(), MixingEps, alphas)
	if err != nil {
		return fmt.Errorf("toy: %w", err)
	}
	r.Mixing = MixingSeries{MixingEps, t6.Time, t6.Rows}
	if err := r.tick("mixing times"); err != nil {
		return err
	}
	return nil
}
