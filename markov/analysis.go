package markov

import (
	"errors"
	"math"
)

// Analysis is everything `tqn chain` prints. A nil pointer or slice means that the
// number does not exist: no single stationary law, a chain that never mixes.
type Analysis struct {
	States           int       `json:"states"`
	Stationary       []float64 `json:"stationary"`
	Gap              *float64  `json:"gap"`
	RelaxationTime   *float64  `json:"relaxation_time"`
	MixingTime       *uint64   `json:"mixing_time"`
	MixingTimeScaled *float64  `json:"mixing_time_scaled"` // alpha times the mixing time
	Reversible       *bool     `json:"reversible"`
	Kemeny           *float64  `json:"kemeny"`
	Irreducible      bool      `json:"irreducible"`
	Aperiodic        bool      `json:"aperiodic"`

	Classes     []Class       `json:"-"`
	Laws        []ExtremeLaw  `json:"-"` // one a closed class
	Mixing      Mixing        `json:"-"`
	Bounds      *MixingBounds `json:"-"` // for chains too large for the exact mixing time
	Conductance *Conductance  `json:"-"`
	Notes       []string      `json:"-"` // why a number is missing
}

// Analyse computes what exists of a chain; eps belongs to the mixing time. Spectral
// quantities of a chain with transient states are those of its closed class
// where they differ in nothing but the transient states' own eigenvalues; they
// are left out instead.
func (c *Chain) Analyse(eps float64) (Analysis, error) {
	a := Analysis{States: c.n, Classes: c.Classes(), Aperiodic: true}
	closed := 0
	for _, class := range a.Classes {
		if class.Closed {
			closed++
			a.Aperiodic = a.Aperiodic && class.Period == 1
		}
	}
	a.Irreducible = len(a.Classes) == 1
	var err error
	if a.Laws, err = c.StationaryLaws(); err != nil {
		return a, err
	}
	if closed > 1 {
		a.Notes = append(a.Notes, "several closed classes: the stationary laws are the mixtures of one law a class, and where the chain ends depends on its start")
		return a, nil
	}
	a.Stationary = a.Laws[0].Law
	reversible := c.reversible(a.Stationary)
	a.Reversible = &reversible
	if a.Irreducible && c.n <= denseLimit {
		if v, err := c.expectedVisits(); c.n > 1 && err == nil {
			gap, err := c.gap(v)
			if err != nil {
				return a, err
			}
			if !a.Aperiodic {
				gap = 0 // an eigenvalue of modulus one besides 1: exact, from the graph
			}
			kemeny := c.kemeny(v)
			a.Gap, a.Kemeny = &gap, &kemeny
			if relaxation := 1 / gap; !math.IsInf(relaxation, 0) {
				a.RelaxationTime = &relaxation
			} else {
				a.Notes = append(a.Notes, "the spectral gap is zero: no relaxation time")
			}
		} else if err != nil {
			a.Notes = append(a.Notes, err.Error())
		}
		if c.n > 1 {
			if phi, err := c.Conductance(); err == nil {
				a.Conductance = &phi
			}
		}
	} else if !a.Irreducible {
		a.Notes = append(a.Notes, "transient states: no gap, relaxation time or Kemeny constant")
	} else {
		a.Notes = append(a.Notes, "too many states for the spectrum")
	}
	a.Mixing, err = c.MixingTime(eps)
	switch {
	case err == nil:
		a.MixingTime, a.MixingTimeScaled = &a.Mixing.Steps, &a.Mixing.Scaled
	case errors.Is(err, ErrPeriodic):
		a.Notes = append(a.Notes, "periodic: the chain never mixes")
	case errors.Is(err, ErrTooSlow):
		if t, err := c.ContinuousMixingTime(eps); err == nil {
			a.MixingTimeScaled = &t.Scaled
		}
		a.Notes = append(a.Notes, "the mixing time exceeds 2^62 steps: alpha times it is that of continuous time")
	case c.n > mixingLimit && a.Irreducible && eps < 0.5:
		b, err := c.MixingBounds(a.Stationary, eps, 1000)
		if err != nil {
			return a, err
		}
		a.Bounds = &b
		a.Notes = append(a.Notes, "too many states for the exact mixing time: bounds instead")
	default:
		return a, err
	}
	return a, nil
}
