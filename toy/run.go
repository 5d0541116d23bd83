package toy

import (
	"fmt"
	"math"

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

// Run computes everything. The same options give the same bytes.
func Run(o Options) (Result, error) {
	r := Result{Seed: o.Seed, Iterations: o.Iterations, Noise: o.Noise, Delta: o.Delta, Box: [2]float64{BoxLo, BoxHi}}
	p, err := NewProblem(o.Delta, o.Noise)
	if err != nil {
		return r, err
	}
	if o.Iterations < 1 || o.Iterations > math.MaxUint32 {
		return r, fmt.Errorf("toy: %d iterations; want 1 to 2^32-1", o.Iterations)
	}
	if len(o.Alphas) == 0 {
		return r, fmt.Errorf("toy: no learning rate")
	}
	for _, a := range o.Alphas {
		if !(a >= 1e-4) || a > 100 {
			return r, fmt.Errorf("toy: alpha = %g; want 1e-4 to 100: below, the cells of Ulam's method do not fit into memory", a)
		}
	}
	contrast := []float64{1, 0.5, 0.2, 0.1, 0.05, 0.02, 0.01, 0.005, 0.002, 0.001}
	noises := []float64{1, 1.5, 2, 3, 4, 6, 8, 12}
	total := 2*len(o.Alphas) + len(contrast) + len(noises) + 2
	done := 0
	tick := func(what string) {
		done++
		if o.Progress != nil {
			o.Progress(done, total, what)
		}
	}
	r.Points = p.Points()
	for _, w := range r.Points {
		r.Objective = append(r.Objective, Objective(w))
	}
	r.Figure1 = NewFigure1([]float64{1, 0.5, 0.25})
	if r.Figure3, err = NewFigure3(); err != nil {
		return r, err
	}
	alpha0, err := p.SR().Alpha0()
	if err != nil {
		return r, fmt.Errorf("toy: %w", err)
	}
	limit := func(p Problem) ([]float64, error) {
		a, err := p.SR().Alpha0()
		if err != nil {
			return nil, fmt.Errorf("toy: %w", err)
		}
		c, err := p.SR().Limit(a / 2)
		if err != nil {
			return nil, fmt.Errorf("toy: %w", err)
		}
		return c.Stationary()
	}
	if r.Limit, err = limit(p); err != nil {
		return r, err
	}
	r.LimitEntropy, r.LimitGlobal = Entropy(r.Limit), p.GlobalMass(r.Limit)
	bc := map[float64]Figure2Row{}
	for _, a := range o.Alphas {
		row, err := p.BCRow(a, o.Iterations, o.Seed)
		if err != nil {
			return r, err
		}
		r.Figure2 = append(r.Figure2, row)
		bc[a] = row
		tick("BC")
	}
	for _, a := range o.Alphas {
		row, err := p.SRRow(a, o.Iterations, o.Seed)
		if err != nil {
			return r, err
		}
		r.Figure2 = append(r.Figure2, row)
		tick("SR")
	}
	for _, a := range contrast {
		row, seen := bc[a]
		if !seen {
			if row, err = p.BCRow(a, 0, o.Seed); err != nil {
				return r, err
			}
		}
		c, err := p.SR().Chain(a)
		if err != nil {
			return r, fmt.Errorf("toy: %w", err)
		}
		pi, err := c.Stationary()
		if err != nil {
			return r, fmt.Errorf("toy: %w", err)
		}
		r.Contrast = append(r.Contrast, Contrast{
			Alpha: a, SREntropy: Entropy(pi), SRGlobal: p.GlobalMass(pi), SRExcess: p.Excess(pi),
			BCEntropy: row.Entropy, BCGlobal: row.GlobalMass, BCExcess: p.Excess(row.Stationary), Refinement: row.Refinement,
		})
		tick("contrast")
	}
	for b := 1; b <= 1024; b *= 2 {
		q := p
		q.Noise = p.Noise / math.Sqrt(float64(b))
		pi, err := limit(q)
		if err != nil {
			return r, err
		}
		r.Batch = append(r.Batch, BatchRow{b, pi, Entropy(pi), q.GlobalMass(pi), q.Excess(pi)})
	}
	tick("batch size")
	for _, s := range noises {
		q := p
		q.Noise = s
		pi, err := limit(q)
		if err != nil {
			return r, err
		}
		row, err := q.BCRow(SensitivityAlpha, 0, o.Seed)
		if err != nil {
			return r, err
		}
		r.Sensitivity = append(r.Sensitivity, NoiseRow{s, Entropy(pi), q.GlobalMass(pi), row.Entropy, row.GlobalMass})
		tick("noise")
	}
	var alphas []float64
	for _, a := range []float64{5e-2, 2e-2, 1e-2, 3e-3, 1e-3, 1e-4, 1e-5, 1e-6, 1e-8, 1e-10, 1e-12} {
		if a <= alpha0 {
			alphas = append(alphas, a)
		}
	}
	t6, err := markov.Theorem6(p.SR(), MixingEps, alphas)
	if err != nil {
		return r, fmt.Errorf("toy: %w", err)
	}
	r.Mixing = MixingSeries{MixingEps, t6.Time, t6.Rows}
	tick("mixing times")
	return r, nil
}
