package convex

import (
	"bytes"
	"context"
	"embed"
	"encoding/csv"
	"fmt"
	"math"
	"strconv"

	"tqn/bounds"
	"tqn/evidence"
)

// The files of runs of [Affine] hold the start in their first line and then a line for each piece: its offset and its slope. D = G = 1.
//
// They come from performance estimation (Drori and Teboulle 2014): for T steps c/sqrt(t) and given c, the gap of the mean iterate is maximised over all convex functions with
// subgradients at most 1 and all iterates and minimisers with distances at most 1. As a function of the Gram matrix of w^1 and the subgradients, and of the values of F, this is a semidefinite program, whose solution is exact for
// dimensions above T+1; a margin of 1e-6 to 1e-4 between the pieces is asked for. It was solved with cvxpy 1.9.3 and Clarabel; the Gram matrix was factorised, turned so that w^1 lies on the first axis and the slopes form a triangle,
// and rounded to the digits in the file. Nothing depends on how they were found: [Affine.Run] certifies what is in the file.
//
//go:embed instances/*.csv
var affineFiles embed.FS

// affineFile is the run in a file, with T steps and c = k.
func affineFile(T int, k float64) (*Affine, error) {
	name := fmt.Sprintf("instances/steps%d.csv", T)
	text, err := affineFiles.ReadFile(name)
	if err != nil {
		return nil, fmt.Errorf("convex: %w", err)
	}
	in := csv.NewReader(bytes.NewReader(text))
	in.FieldsPerRecord = -1
	lines, err := in.ReadAll()
	if err != nil {
		return nil, fmt.Errorf("convex: %s: %w", name, err)
	}
	a := &Affine{C: k, T: T}
	for i, fields := range lines {
		row := make([]float64, len(fields))
		for j, text := range fields {
			if row[j], err = strconv.ParseFloat(text, 64); err != nil {
				return nil, fmt.Errorf("convex: %s:%d: %w", name, i+1, err)
			}
		}
		if i == 0 {
			a.Start = row
			continue
		}
		if len(row) != len(a.Start)+1 {
			return nil, fmt.Errorf("convex: %s:%d: %d numbers, want %d", name, i+1, len(row), len(a.Start)+1)
		}
		a.Offset, a.Slope = append(a.Offset, row[0]), append(a.Slope, row[1:])
	}
	return a, nil
}

// affineExhibit refutes a form of Theorem 2 on a general convex W. Its parameters are T and 1e6 times c G/D.
func affineExhibit(name string, form bounds.Form, T int, k float64) Exhibit {
	return Exhibit{Name: name, Witness: []int{T, int(math.Round(k * 1e6))}, Check: func(_ context.Context, x []int) (Counterexample, error) {
		a, err := affineFile(x[0], float64(x[1])/1e6)
		if err != nil {
			return Counterexample{}, err
		}
		return a.refuting(name, form, fmt.Sprintf("a maximum of %d affine functions", len(a.Slope)),
			"all convex functions and all convex W, by performance estimation; a larger gap for this T and c without noise is larger by the margin between the pieces at most")
	}}
}

// refuting is the replay of the instance as a counterexample to a form of Theorem 2; what names the function.
func (a *Affine) refuting(name string, form bounds.Form, what, coverage string) (Counterexample, error) {
	r, err := a.Run()
	if err != nil {
		return Counterexample{}, err
	}
	p := a.Parameters(r)
	return Counterexample{
		Name: name, Claim: "theorem2", Form: form, Rounding: bounds.Stochastic, Parameters: p, Left: "E F(wbar_T) - F*",
		Instance: fmt.Sprintf("%s on a convex W in d = %d dimensions, no gradient noise, Delta = %.2g, c = %.4f D/G, T = %d", what, p.Dim, p.Delta, p.C*p.G/p.Diameter, a.T),
		Coverage: coverage,
		Measured: evidence.Result{Method: evidence.ExactMethod, Estimate: r.Lower + (r.Upper-r.Lower)/2, Lower: r.Lower, Upper: r.Upper, Confidence: 1},
	}.fill()
}

// Theorem 2 in the paper's own setting, any convex W: Section 4.1's form at c = sqrt(2) D/G and 1.25 D/G, Appendix C's already at c = D/G with three steps.
var (
	theorem2General      = affineExhibit("theorem2-general", bounds.Printed, 24, math.Sqrt2)
	theorem2GeneralLong  = affineExhibit("theorem2-general-long", bounds.Printed, 64, 1.25)
	theorem2GeneralShort = affineExhibit("theorem2-general-short", bounds.Appendix, 3, 1)
)

// theorem3Smooth refutes Theorem 3 for a smooth function at c = D/G with three steps: the maximum of affine functions of theorem2GeneralShort, averaged over a ball of radius rho around each point. That leaves F as it is
// where one piece leads by 2 M rho, M the longest slope; a value rises by M rho at most, and by Jensen's inequality none falls; the gradient is then L-Lipschitz with L = M sqrt(d)/rho (Duchi, Bartlett and
// Wainwright, SIAM J. Optim. 22, 2012, Lemma 8). BC takes gradients at Q(w_r), less than sqrt(d) Delta away, where the same piece leads: w_r goes as without rounding, whatever Q is. Its parameters are those of affineExhibit.
var theorem3Smooth = Exhibit{
	Name: "theorem3-smooth", Witness: []int{3, 1000000}, Either: true,
	Check: func(_ context.Context, x []int) (Counterexample, error) {
		a, err := affineFile(x[0], float64(x[1])/1e6)
		if err != nil {
			return Counterexample{}, err
		}
		r, err := a.Run()
		if err != nil {
			return Counterexample{}, err
		}
		p := a.Parameters(r)
		var longest float64
		for _, s := range a.Slope {
			longest = max(longest, math.Sqrt(dot(s, s)))
		}
		rho := math.Exp2(math.Floor(math.Log2(r.Margin / (8 * longest))))
		p.L = longest * math.Sqrt(float64(p.Dim)) / rho
		p.Delta = 0x1p-60 // far below rho: the floor sqrt(d) Delta L D is below 1e-10
		rise := longest * rho
		return Counterexample{
			Name: "theorem3-smooth", Claim: "theorem3", Form: bounds.Printed, Rounding: bounds.Nearest, Parameters: p, Left: "F(wbar_T) - F*",
			Instance: fmt.Sprintf("a maximum of %d affine functions averaged over a ball, L = %.3g G/D, on a convex W in d = %d dimensions, no gradient noise, c = %.4f D/G, T = %d",
				len(a.Slope), p.L*p.Diameter/p.G, p.Dim, p.C*p.G/p.Diameter, a.T),
			Coverage: "the instance of Theorem 2 with the same T",
			Measured: evidence.Result{Method: evidence.ExactMethod, Estimate: (r.Lower + r.Upper) / 2, Lower: r.Lower - rise, Upper: r.Upper + rise, Confidence: 1},
		}.fill()
	},
}
