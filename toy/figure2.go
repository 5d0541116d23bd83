package toy

import (
	"fmt"
	"math"

	"gonum.org/v1/gonum/mat"
	"gonum.org/v1/gonum/stat/distuv"

	"tqn/markov"
	"tqn/quantize"
)

// Figure2Row is one histogram of the paper's Figure 2 with its exact law.
type Figure2Row struct {
	Rule       string    `json:"rule"` // "sr" or "bc"
	Alpha      float64   `json:"alpha"`
	Counts     []int64   `json:"counts"`     // quantized iterates 1..N at each grid point, sampled
	Stationary []float64 `json:"stationary"` // exact for SR; Ulam's method for BC
	// Expected is the exact expected fraction of the N iterates at each point, from
	// Start (SR only).
	Expected []float64 `json:"expected,omitempty"`
	// TV is the total variation distance of the histogram from the stationary law.
	TV float64 `json:"tv"`
	// ChiSquare compares the histogram with Expected using the covariance of the
	// chain's central limit theorem; rare points are merged. SR only.
	ChiSquare float64 `json:"chi_square,omitempty"`
	Freedom   int     `json:"degrees_of_freedom,omitempty"`
	PValue    float64 `json:"p_value,omitempty"`
	// Refinement is the total variation distance between Ulam's law with cells of
	// this width and with cells twice as wide: the error of the method. BC only.
	Refinement float64 `json:"refinement,omitempty"`
	Cells      int     `json:"cells,omitempty"`
	Entropy    float64 `json:"entropy"`     // of Stationary, nats
	GlobalMass float64 `json:"global_mass"` // Stationary on the basin of the global minimiser
}

// SRRow simulates SR and compares it with its exact law.
func (p Problem) SRRow(alpha float64, iterations int, seed uint64) (Figure2Row, error) {
	c, err := p.SR().Chain(alpha)
	if err != nil {
		return Figure2Row{}, fmt.Errorf("toy: %w", err)
	}
	pi, err := c.Stationary()
	if err != nil {
		return Figure2Row{}, fmt.Errorf("toy: %w", err)
	}
	start, _ := p.Grid.Index(Start)
	r := Figure2Row{
		Rule: quantize.SR.String(), Alpha: alpha, Counts: p.SimulateSR(alpha, iterations, seed),
		Stationary: pi, Expected: c.Occupation(start, iterations),
		Entropy: Entropy(pi), GlobalMass: p.GlobalMass(pi),
	}
	r.TV = markov.TotalVariation(fractions(r.Counts), pi)
	if r.ChiSquare, r.Freedom, err = chiSquare(c, r.Counts, r.Expected, pi); err != nil {
		return r, fmt.Errorf("toy: %w", err)
	}
	if r.Freedom > 0 {
		r.PValue = distuv.ChiSquared{K: float64(r.Freedom)}.Survival(r.ChiSquare)
	}
	return r, nil
}

// BCRow simulates BC and compares it with Ulam's law.
func (p Problem) BCRow(alpha float64, iterations int, seed uint64) (Figure2Row, error) {
	r := Figure2Row{Rule: quantize.BC.String(), Alpha: alpha}
	if iterations > 0 {
		r.Counts = p.simulate(quantize.BC, alpha, iterations, seed)
	}
	perStep := p.cellsPerStep(alpha)
	var coarse []float64
	for _, cells := range []int{perStep, 2 * perStep} {
		// 1e-18 a step: what is left out is less than the rounding of the diagonal.
		u, err := markov.BinaryConnect(p.Grid, p.law, alpha, cells, 1e-18)
		if err != nil {
			return r, fmt.Errorf("toy: %w", err)
		}
		pi, err := u.Stationary()
		if err != nil {
			return r, fmt.Errorf("toy: %w", err)
		}
		r.Stationary, r.Cells = u.Quantised(pi), u.States()
		if coarse == nil {
			coarse = r.Stationary
		}
	}
	r.Refinement = markov.TotalVariation(coarse, r.Stationary)
	r.Entropy, r.GlobalMass = Entropy(r.Stationary), p.GlobalMass(r.Stationary)
	if iterations > 0 {
		r.TV = markov.TotalVariation(fractions(r.Counts), r.Stationary)
	}
	return r, nil
}

// cellsPerStep chooses Ulam's coarser cells: at most a sixth of the standard
// deviation of a step and a tenth of Delta, so that SR's variance on the cells
// stays below that of the noise near minimisers.
func (p Problem) cellsPerStep(alpha float64) int {
	n := math.Ceil(max(10, 6*p.Grid.Delta/(alpha*p.Noise)))
	return 2 * int(math.Ceil(n/2))
}

func fractions(counts []int64) []float64 {
	total := int64(0)
	for _, c := range counts {
		total += c
	}
	f := make([]float64, len(counts))
	for i, c := range counts {
		f[i] = float64(c) / float64(total)
	}
	return f
}

// chiSquare returns N d' S^-1 d for the differences d of observed and expected
// fractions, S the chain's asymptotic covariance, over groups of neighbouring
// grid points: a group is closed when its expected fraction is at least five
// standard deviations, where the central limit theorem is believable, and the
// last group is left out because fractions sum to one.
func chiSquare(c *markov.Chain, counts []int64, expected, pi []float64) (float64, int, error) {
	s, err := c.OccupationCovariance()
	if err != nil {
		return 0, 0, err
	}
	n := len(counts)
	total := 0.0
	for _, k := range counts {
		total += float64(k)
	}
	block := func(a, b []int) float64 {
		v := 0.0
		for _, x := range a {
			for _, y := range b {
				v += s[x*n+y]
			}
		}
		return v
	}
	var groups [][]int
	var open []int
	for x := range n {
		open = append(open, x)
		mass := 0.0
		for _, y := range open {
			mass += pi[y]
		}
		if mass*mass*total >= 25*block(open, open) {
			groups = append(groups, open)
			open = nil
		}
	}
	if len(groups) < 2 {
		return 0, 0, nil
	}
	groups[len(groups)-1] = append(groups[len(groups)-1], open...)
	m := len(groups) - 1
	cov := mat.NewSymDense(m, nil)
	d := mat.NewVecDense(m, nil)
	for i := range m {
		for j := i; j < m; j++ {
			cov.SetSym(i, j, block(groups[i], groups[j]))
		}
		v := 0.0
		for _, x := range groups[i] {
			v += float64(counts[x])/total - expected[x]
		}
		d.SetVec(i, v)
	}
	var chol mat.Cholesky
	if !chol.Factorize(cov) {
		return 0, 0, fmt.Errorf("the covariance of the histogram is singular")
	}
	var z mat.VecDense
	if err := chol.SolveVecTo(&z, d); err != nil {
		return 0, 0, err
	}
	return total * mat.Dot(d, &z), m, nil
}
