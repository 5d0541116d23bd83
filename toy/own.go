package toy

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"

	"tqn/markov"
	"tqn/quantize"
)

// NoiseKinds are the laws that [ParseNoise] knows.
var NoiseKinds = []string{"normal", "laplace", "uniform", "two-point"}

// NoiseLaw is the noise added to a gradient: a law with mean 0 and standard deviation Deviation > 0.
type NoiseLaw struct {
	Kind      string  `json:"kind"` // of NoiseKinds
	Deviation float64 `json:"deviation"`
}

// ParseNoise reads "S" or "KIND:S", S the standard deviation; without a kind the noise is normal.
func ParseNoise(text string) (NoiseLaw, error) {
	kind, number, given := strings.Cut(text, ":")
	if !given {
		kind, number = "normal", text
	}
	s, err := strconv.ParseFloat(number, 64)
	if err != nil || !(s > 0) || math.IsInf(s, 1) {
		return NoiseLaw{}, fmt.Errorf("toy: noise %q: want a finite standard deviation > 0, or KIND:DEVIATION with a kind of %s", text, strings.Join(NoiseKinds, ", "))
	}
	for _, k := range NoiseKinds {
		if k == kind {
			return NoiseLaw{kind, s}, nil
		}
	}
	return NoiseLaw{}, fmt.Errorf("toy: noise %q: unknown kind %q; want one of %s", text, kind, strings.Join(NoiseKinds, ", "))
}

// String is what ParseNoise reads.
func (n NoiseLaw) String() string { return fmt.Sprintf("%s:%g", n.Kind, n.Deviation) }

// around is the law of a gradient with this mean.
func (n NoiseLaw) around(mean float64) markov.Law {
	s := n.Deviation
	switch n.Kind {
	case "laplace": // variance 2 Scale^2
		return markov.Laplace{Mean: mean, Scale: s / math.Sqrt2}
	case "uniform": // variance (Hi-Lo)^2/12
		return markov.Uniform{Lo: mean - s*math.Sqrt(3), Hi: mean + s*math.Sqrt(3)}
	case "two-point":
		l, err := markov.NewDiscrete([]float64{mean - s, mean + s}, []float64{1, 1})
		if err != nil {
			panic("toy: " + err.Error())
		}
		return l
	}
	return markov.Gaussian{Mean: mean, Sigma: s}
}

// Own is the user's one-dimensional problem: minimise Objective over the points of a grid with a noisy gradient, as
// Section 5.1 does for equation (8).
type Own struct {
	Objective Expression
	Noise     NoiseLaw
	Delta     float64
	Box       [2]float64
	Alphas    []float64 // learning rates at which SR and BinaryConnect (BC) are compared, from large to small

	// Progress, if not nil, is told the number of finished learning rates and their total.
	Progress func(done, total int)
}

// OwnResult is what [Own.Run] found. All numbers are exact up to rounding but BC's, whose error is Refinement.
type OwnResult struct {
	Objective string     `json:"objective"`
	Noise     NoiseLaw   `json:"noise"`
	Delta     float64    `json:"delta"`
	Box       [2]float64 `json:"box"`
	Points    []float64  `json:"points"`
	Values    []float64  `json:"values"` // the objective at the points
	Slopes    []float64  `json:"slopes"` // its derivative
	Basin     []bool     `json:"basin"`  // whether descent on the grid leads from a point to the best one
	Minima    int        `json:"minima"` // local minima on the grid
	Limit     []float64  `json:"limit"`  // SR's law as alpha -> 0, pi~ of Theorem 5
	Entropy   float64    `json:"limit_entropy"`
	Global    float64    `json:"limit_global_mass"`
	Rows      []Contrast `json:"rows"`
	Laws      []OwnLaws  `json:"laws"`
	Note      string     `json:"note,omitempty"` // which learning rates have no answer, and why
}

// OwnLaws are the stationary laws at one learning rate.
type OwnLaws struct {
	Alpha float64   `json:"alpha"`
	SR    []float64 `json:"sr"`
	BC    []float64 `json:"bc"`
}

// most is the largest number of points of a grid: the laws are solved densely.
const most = 2000

// Run computes the laws of SR and BC on the problem. The assumption of Theorem 5, that the noise makes both signs of the
// gradient possible everywhere, is checked: where it fails the error says at which point.
func (o Own) Run(ctx context.Context) (OwnResult, error) {
	r := OwnResult{Objective: o.Objective.Text, Noise: o.Noise, Delta: o.Delta, Box: o.Box}
	g, err := quantize.NewGrid(o.Delta, o.Box[0], o.Box[1])
	if err != nil {
		return r, fmt.Errorf("toy: %w", err)
	}
	if g.Len() > most {
		return r, fmt.Errorf("toy: a grid of %d points; want 2 to %d: change the step %g or the box", g.Len(), most, o.Delta)
	}
	if len(o.Alphas) == 0 {
		return r, fmt.Errorf("toy: no learning rate")
	}
	o.Alphas = slices.Clone(o.Alphas)
	slices.SortFunc(o.Alphas, func(a, b float64) int { return cmp.Compare(b, a) })
	for i := range g.Len() {
		w := g.Point(i)
		v, s, err := o.Objective.at(w)
		if err != nil {
			return r, err
		}
		r.Points, r.Values, r.Slopes = append(r.Points, w), append(r.Values, v), append(r.Slopes, s)
	}
	r.Basin, r.Minima = basins(r.Values)
	law := func(w float64) markov.Law {
		i, _ := g.Index(w)
		return o.Noise.around(r.Slopes[i])
	}
	sr := markov.OnGrid(g, law)
	if f := sr.CheckTheorem5(1); len(f) > 0 {
		w := f[0].Point[0]
		advice := "larger or unbounded noise (normal, laplace) keeps both directions possible"
		if o.Noise.Kind == "normal" || o.Noise.Kind == "laplace" {
			advice = "in float64, that is, whose smallest number is above the probability of the other sign; larger noise, or a box with smaller slopes, keeps both directions possible"
		}
		return r, fmt.Errorf("toy: noise %v: %w at w = %g, where the slope is %g: %s; %s",
			o.Noise, markov.ErrAssumption, w, law(w).Excess(0)-law(w).Shortfall(0), f[0].Reason, advice)
	}
	alpha0, err := sr.Alpha0()
	if err != nil {
		return r, fmt.Errorf("toy: %w", err)
	}
	limit, err := sr.Limit(alpha0 / 2)
	if err != nil {
		return r, fmt.Errorf("toy: noise %v: %w", o.Noise, err)
	}
	if r.Limit, err = limit.Stationary(); err != nil {
		return r, fmt.Errorf("toy: %w", err)
	}
	r.Entropy, r.Global = Entropy(r.Limit), r.mass(r.Limit)
	for k, alpha := range o.Alphas {
		if err := ctx.Err(); err != nil {
			return r, err
		}
		row, laws, err := o.at(alpha, r, sr, g, law)
		if k > 0 && (errors.Is(err, markov.ErrUncertified) || errors.Is(err, markov.ErrReducible)) {
			// Smaller learning rates make the moves between basins rarer still.
			reason := "its moves over the barriers between basins are too rare to be seen"
			if errors.Is(err, markov.ErrUncertified) {
				reason = strings.TrimPrefix(err.Error(), "markov: ")
			}
			r.Note = fmt.Sprintf("From alpha = %g on BC's law has no certificate: %s. More noise or larger learning rates have one.", alpha, reason)
			break
		}
		if err != nil {
			return r, fmt.Errorf("toy: alpha = %g: %w", alpha, err)
		}
		r.Rows, r.Laws = append(r.Rows, row), append(r.Laws, laws)
		if o.Progress != nil {
			o.Progress(k+1, len(o.Alphas))
		}
	}
	return r, nil
}

// at computes the laws at one learning rate.
func (o Own) at(alpha float64, r OwnResult, sr markov.SR, g quantize.Grid, law func(float64) markov.Law) (Contrast, OwnLaws, error) {
	if !(alpha > 0) || math.IsInf(alpha, 1) {
		return Contrast{}, OwnLaws{}, fmt.Errorf("want a finite learning rate > 0")
	}
	chain, err := sr.Chain(alpha)
	if err != nil {
		return Contrast{}, OwnLaws{}, err
	}
	pi, err := chain.Stationary()
	if err != nil {
		return Contrast{}, OwnLaws{}, err
	}
	perStep := Problem{Grid: g, Noise: o.Noise.Deviation}.cellsPerStep(alpha)
	var bc, coarse []float64
	for _, cells := range []int{perStep, 2 * perStep} {
		// Only what underflows is left out: moves over a barrier are rare, and their ratios decide the law.
		u, err := markov.BinaryConnect(g, law, alpha, cells, 1e-290)
		if err != nil {
			return Contrast{}, OwnLaws{}, fmt.Errorf("BC's law by Ulam's method (a larger learning rate, noise or step needs fewer cells): %w", err)
		}
		fine, err := u.Stationary()
		if err != nil {
			return Contrast{}, OwnLaws{}, err
		}
		coarse, bc = bc, u.Quantised(fine)
	}
	return Contrast{
		Alpha: alpha, SREntropy: Entropy(pi), SRGlobal: r.mass(pi), SRExcess: r.excess(pi),
		BCEntropy: Entropy(bc), BCGlobal: r.mass(bc), BCExcess: r.excess(bc), Refinement: markov.TotalVariation(coarse, bc),
	}, OwnLaws{alpha, pi, bc}, nil
}

// basins tells which points of a grid lead to the best one by steps to the lower neighbour, and how many local minima
// there are. Neighbouring points of equal value count as one.
func basins(values []float64) (global []bool, minima int) {
	best := math.Inf(1)
	for _, v := range values {
		best = min(best, v)
	}
	end := func(i int) int {
		for {
			next := i
			for _, j := range []int{i - 1, i + 1} {
				if j >= 0 && j < len(values) && values[j] < values[next] {
					next = j
				}
			}
			if next == i {
				return i
			}
			i = next
		}
	}
	global = make([]bool, len(values))
	for i := range values {
		e := end(i)
		global[i] = values[e]-best <= 1e-12*math.Max(1, math.Abs(best))
		if e == i && (i == 0 || values[i-1] != values[i]) {
			minima++
		}
	}
	return global, minima
}

func (r OwnResult) mass(law []float64) float64 {
	s := 0.0
	for i, p := range law {
		if r.Basin[i] {
			s += p
		}
	}
	return s
}

func (r OwnResult) excess(law []float64) float64 {
	best := math.Inf(1)
	for _, v := range r.Values {
		best = min(best, v)
	}
	s := 0.0
	for i, p := range law {
		s += p * (r.Values[i] - best)
	}
	return s
}
