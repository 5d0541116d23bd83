package markov

import (
	"context"
	"errors"
	"fmt"
	"math"
)

// Absorbed says what becomes of a transient state.
type Absorbed struct {
	State int     `json:"state"`
	Time  float64 `json:"time"` // expected number of steps until a closed class is reached
	// Probabilities of ending in the closed classes, in the order of Classes.
	Probabilities []float64 `json:"probabilities"`
}

// absorptionLimit bounds the transient states, and their number times that of the
// closed classes is at most absorptionEntries.
const (
	absorptionLimit   = 2000
	absorptionEntries = 4_000_000
)

var errAbsorption = errors.New("markov: absorption probabilities need a dense matrix")

// Absorption returns for each transient state, in increasing order, the
// probabilities with which the chain ends in each closed class and the expected
// number of steps until it does (Kemeny and Snell, Section 3.3), with a bound on
// the relative error of every number.
//
// Transient states are eliminated as in GTH, without a subtraction; errorBound
// holds for the ratios of sums over forests that these numbers are.
func (c *Chain) Absorption(ctx context.Context) ([]Absorbed, float64, error) {
	classes := c.Classes()
	index := make([]int, c.n) // column: closed classes, then transient states
	var transient []int
	closed := 0
	for _, class := range classes {
		if class.Closed {
			for _, x := range class.States {
				index[x] = closed
			}
			closed++
		}
	}
	isTransient := make([]bool, c.n)
	for _, class := range classes {
		if !class.Closed {
			for _, x := range class.States {
				isTransient[x] = true
			}
		}
	}
	for x, t := range isTransient {
		if t {
			index[x] = closed + len(transient)
			transient = append(transient, x)
		}
	}
	m, w := len(transient), closed+len(transient)
	if m == 0 {
		return nil, 0, nil
	}
	if m > absorptionLimit || m*w > absorptionEntries {
		return nil, 0, fmt.Errorf("%w: %d transient states and %d closed classes are too many", errAbsorption, m, closed)
	}
	a := make([]float64, m*w)
	scale := make([]float64, m) // a power of two: rows near one
	for i, x := range transient {
		_, e := math.Frexp(c.exit[x])
		scale[i] = math.Ldexp(1, -e)
		cols, vals := c.row(x)
		for j, y := range cols {
			v := vals[j] * scale[i]
			if v < 0x1p-1021 { // beside the other rates of its state it is below the smallest float64, but the others may lead back
				return nil, 0, errRange
			}
			a[i*w+index[y]] += v
		}
	}
	reward := make([]float64, m) // time spent in the states that were eliminated
	for i := range reward {
		reward[i] = scale[i]
	}
	if err := absorbingElimination(ctx, a, reward, closed); err != nil {
		return nil, 0, err
	}
	out := make([]Absorbed, m)
	for i, x := range transient {
		row := a[i*w : i*w+closed]
		out[i] = Absorbed{x, reward[i] / c.alpha, append([]float64(nil), row...)}
		for _, v := range append(row, out[i].Time) {
			if math.IsNaN(v) || math.IsInf(v, 0) {
				return nil, 0, errRange
			}
		}
	}
	return out, errorBound(denseRoundings(w) + 2*denseDepth(w)), nil
}

// absorbingElimination turns the first k columns of a, the rates from m transient
// states to k classes and then to each other, into absorption probabilities, and
// reward into expected times.
func absorbingElimination(ctx context.Context, a, reward []float64, k int) error {
	m := len(reward)
	w := k + m
	exit := make([]float64, m)
	given, factor, rate := smallestPositive(a), math.Inf(1), math.Inf(1)
	for t := m - 1; t >= 0; t-- {
		if err := ctx.Err(); err != nil {
			return err
		}
		row := a[t*w : t*w+k+t]
		exit[t] = positiveSum(row)
		if !(exit[t] > 0) {
			return errRange
		}
		rate = min(rate, smallestPositive(row))
		for i := range t {
			f := a[i*w+k+t] / exit[t]
			if f == 0 {
				continue
			}
			factor = min(factor, f)
			to := a[i*w : i*w+k+t]
			for j, v := range row {
				to[j] += f * v
			}
			to[k+i] = 0 // a way back is no move
			reward[i] += f * reward[t]
		}
	}
	if underflows(given, factor, rate, 2) {
		return errRange
	}
	for t := range m { // forwards: from the states that lead to classes only
		for i := range t {
			f := a[t*w+k+i]
			if f == 0 {
				continue
			}
			for j := range k {
				a[t*w+j] += f * a[i*w+j]
			}
			reward[t] += f * reward[i]
		}
		for j := range k {
			a[t*w+j] /= exit[t]
		}
		reward[t] /= exit[t]
	}
	return nil
}

// absorb fills in what becomes of the transient states.
func (a *Analysis) absorb(ctx context.Context, c *Chain) {
	absorbed, bound, err := c.Absorption(ctx)
	switch {
	case err != nil:
		a.Notes = append(a.Notes, "no absorption probabilities: "+err.Error())
	case len(absorbed) > 0:
		a.Absorption, a.AbsorptionError = absorbed, &bound
	}
}
