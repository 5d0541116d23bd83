package markov

import (
	"context"
	"errors"
	"fmt"
	"math"
	"strings"
)

// Analysis is everything `tqn chain` prints. A nil pointer or slice means that the
// number does not exist (no single stationary law, a chain that never mixes) or
// is not known to a proven error; Notes say which.
type Analysis struct {
	States     int       `json:"states"`
	Labels     []string  `json:"labels,omitempty"` // names of the states where the file gave them
	Stationary []float64 `json:"stationary"`
	// ErrorBound bounds the relative error of every entry of Stationary that is not
	// too small for it; a note says if there are such entries (CertifiedLaw).
	ErrorBound       *float64 `json:"error_bound"`
	Gap              *float64 `json:"gap"`
	GapError         *float64 `json:"gap_error"` // bound on |Gap - gap|
	RelaxationTime   *float64 `json:"relaxation_time"`
	MixingTime       *uint64  `json:"mixing_time"`
	MixingTimeScaled *float64 `json:"mixing_time_scaled"` // alpha times the mixing time
	Reversible       *bool    `json:"reversible"`
	Kemeny           *float64 `json:"kemeny"`
	Irreducible      bool     `json:"irreducible"`
	Aperiodic        bool     `json:"aperiodic"`
	Conductance      *float64 `json:"conductance"`
	// ConductanceExact is false where Conductance is an upper bound.
	ConductanceExact *bool         `json:"conductance_exact"`
	Classes          []ClassLaw    `json:"classes"`
	Absorption       []Absorbed    `json:"absorption"` // one a transient state
	AbsorptionError  *float64      `json:"absorption_error_bound"`
	Notes            []string      `json:"notes"` // why a number is missing
	Mixing           Mixing        `json:"-"`
	Bounds           *MixingBounds `json:"mixing_bounds,omitempty"` // for chains too large for the exact mixing time
}

// ClassLaw is a communicating class with the stationary law that lives on it.
type ClassLaw struct {
	States []int `json:"states"`
	Closed bool  `json:"closed"`
	Period int   `json:"period"`
	// Law holds the probabilities of States, nil for a class that is left in the end;
	// ErrorBound bounds the relative error of each.
	Law        []float64 `json:"law"`
	ErrorBound *float64  `json:"error_bound"`
}

// Analyse is AnalyseContext without an end.
func (c *Chain) Analyse(eps float64) (Analysis, error) {
	return c.AnalyseContext(context.Background(), eps)
}

// AnalyseContext computes what exists of a chain; eps belongs to the mixing time.
// Spectral quantities of a chain with transient states are left out. Where a law
// has no certificate the error is ErrUncertified and the analysis holds the rest.
func (c *Chain) AnalyseContext(ctx context.Context, eps float64) (Analysis, error) {
	a := Analysis{States: c.n, Aperiodic: true, Notes: []string{}}
	if err := checkEps(eps); err != nil {
		return a, err
	}
	closed, err := a.laws(ctx, c)
	if err != nil {
		return a, err
	}
	if !a.Irreducible {
		a.absorb(ctx, c)
	}
	if closed > 1 {
		a.Notes = append(a.Notes, "several closed classes: the stationary laws are the mixtures of one law a class, and where the chain ends depends on its start")
		return a, ctx.Err()
	}
	if reversible, known := c.reversible(a.Stationary); known {
		a.Reversible = &reversible
	}
	if err := a.spectrum(ctx, c); err != nil {
		return a, err
	}
	return a, a.mixing(ctx, c, eps)
}

// laws fills in the classes and their laws, and returns the number of closed classes.
func (a *Analysis) laws(ctx context.Context, c *Chain) (closed int, err error) {
	classes := c.Classes()
	a.Irreducible = len(classes) == 1
	a.Classes = make([]ClassLaw, len(classes))
	var only ClassLaw
	rare, below := 0, 0.0
	for i, class := range classes {
		a.Classes[i] = ClassLaw{States: class.States, Closed: class.Closed, Period: class.Period}
		if class.Closed {
			closed++
			a.Aperiodic = a.Aperiodic && class.Period == 1
		}
	}
	for i, class := range classes {
		if !class.Closed {
			continue
		}
		if i&1023 == 0 && ctx.Err() != nil {
			return closed, ctx.Err()
		}
		law, err := c.classLaw(ctx, class)
		if err != nil {
			return closed, err
		}
		a.Classes[i].Law, a.Classes[i].ErrorBound = law.Law, &law.ErrorBound
		for _, p := range law.Law {
			if p < law.Covers {
				rare, below = rare+1, max(below, law.Covers)
			}
		}
		only = a.Classes[i]
	}
	if rare > 0 {
		zero := 5e-324
		if below > smallestNormal {
			zero = rareMass
		}
		a.Notes = append(a.Notes, fmt.Sprintf("the bound on the relative error does not cover probabilities below %.2g: %d in number; zero stands for less than %.2g", below, rare, zero))
	}
	if closed == 1 {
		a.Stationary, a.ErrorBound = spread(only.Law, Class{States: only.States}, c.n), only.ErrorBound
	}
	return closed, nil
}

// spectrum fills in gap, Kemeny's constant and conductance.
func (a *Analysis) spectrum(ctx context.Context, c *Chain) error {
	switch {
	case !a.Irreducible:
		a.Notes = append(a.Notes, "transient states: no gap, relaxation time or Kemeny constant")
		return nil
	case c.n > denseLimit:
		a.Notes = append(a.Notes, "too many states for the spectrum")
		return nil
	case c.n == 1:
		return nil
	}
	v, err := c.expectedVisits(ctx)
	if err != nil {
		a.Notes = append(a.Notes, err.Error())
		return ctx.Err()
	}
	if kemeny := c.kemeny(v); !math.IsInf(kemeny, 0) && !math.IsNaN(kemeny) {
		a.Kemeny = &kemeny
	} else {
		a.Notes = append(a.Notes, "Kemeny's constant is above the largest float64")
	}
	gap := SpectralGap{}
	if a.Aperiodic { // if not, an eigenvalue of modulus one besides 1: exact, from the graph
		gap, err = c.gap(ctx, v)
	}
	switch {
	case ctx.Err() != nil:
		return ctx.Err()
	case err != nil:
		a.Notes = append(a.Notes, "no gap or relaxation time: "+err.Error())
	case gap.Value == 0 || math.IsInf(1/gap.Value, 0):
		a.Gap, a.GapError = &gap.Value, &gap.Error
		a.Notes = append(a.Notes, "the spectral gap is zero: no relaxation time")
	default:
		relaxation := 1 / gap.Value
		a.Gap, a.GapError, a.RelaxationTime = &gap.Value, &gap.Error, &relaxation
	}
	if phi, err := c.conductance(a.Stationary); err == nil {
		a.Conductance, a.ConductanceExact = finiteOrNil(phi.Value), &phi.Exact
	}
	return ctx.Err()
}

// mixing fills in the mixing time or why there is none.
func (a *Analysis) mixing(ctx context.Context, c *Chain, eps float64) (err error) {
	a.Mixing, err = c.mixingTime(ctx, eps)
	switch {
	case err == nil:
		a.MixingTime, a.MixingTimeScaled = &a.Mixing.Steps, finiteOrNil(a.Mixing.Scaled)
		if a.Mixing.Steps > 1e12 {
			a.Notes = append(a.Notes, "of a mixing time above 1e12 steps the leading 12 digits are right")
		}
		if a.Mixing.Estimated {
			a.Notes = append(a.Notes, "the mixing time is that of the computed distances, with the error that roundings are likely to have; the largest that they could have leaves more than one")
		}
		if a.Mixing.Steps > 0 && a.Mixing.Steps <= 1e12 && (nearly(a.Mixing.Distance, eps) || nearly(a.Mixing.Before, eps)) {
			a.Notes = append(a.Notes, fmt.Sprintf("after %d or %d steps the distance equals eps up to rounding: the mixing time is one step more or less if it lies on the other side", a.Mixing.Steps-1, a.Mixing.Steps))
		}
	case ctx.Err() != nil:
		return ctx.Err()
	case errors.Is(err, ErrUndecided):
		a.Notes = append(a.Notes, "no mixing time: "+strings.TrimPrefix(err.Error(), ErrUndecided.Error()+": "))
	case errors.Is(err, ErrPeriodic):
		a.Notes = append(a.Notes, "periodic: the chain never mixes")
	case errors.Is(err, ErrTooSlow):
		if t, err := c.ContinuousMixingTime(eps); err == nil {
			a.MixingTimeScaled = finiteOrNil(t.Scaled)
		}
		a.Notes = append(a.Notes, "the mixing time exceeds 2^62 steps: alpha times it is that of continuous time")
	case c.n > mixingLimit && a.Irreducible && eps < 0.5:
		steps := min(1000, 1_000_000_000/(len(c.val)+c.n)) // a few seconds
		b, err := c.MixingBounds(a.Stationary, eps, steps)
		if err != nil {
			a.Notes = append(a.Notes, fmt.Sprintf("too many states for the exact mixing time, and no bounds: %v", err))
			return nil
		}
		if math.IsInf(b.Upper, 0) { // JSON has no infinity
			a.Notes = append(a.Notes, fmt.Sprintf("too many states for the exact mixing time: it is at least %.6g (%s), an upper bound is not known (%s)", b.Lower, b.LowerBy, b.UpperBy))
			return nil
		}
		a.Bounds = &b
		a.Notes = append(a.Notes, "too many states for the exact mixing time: bounds instead")
	case c.n > mixingLimit:
		a.Notes = append(a.Notes, "too many states for the exact mixing time")
	default:
		return err
	}
	return nil
}

// nearly reports whether a distance is eps up to the rounding of distances.
func nearly(distance, eps float64) bool { return math.Abs(distance-eps) <= 1e-12*eps }

// finiteOrNil leaves out what JSON has no number for.
func finiteOrNil(v float64) *float64 {
	if math.IsInf(v, 0) || math.IsNaN(v) {
		return nil
	}
	return &v
}
