package toy

import "tqn/markov"

// Figure1 is the data of the paper's Figure 1: one SR step from x = 0 with Delta = 1
// for several learning rates.
type Figure1 struct {
	// Mean and Sigma are those of the step direction -g, which is normal. The
	// paper draws a density p without naming it.
	Mean  float64      `json:"mean"`
	Sigma float64      `json:"sigma"`
	Rows  []Figure1Row `json:"rows"`
	// RightGivenMove is the limit as alpha -> 0 of the probability that the
	// iterate went right given that it moved: E(-g)+ / E|g|.
	RightGivenMove float64 `json:"right_given_move"`
}

// Figure1Row holds one learning rate: the exact probabilities of the step.
type Figure1Row struct {
	Alpha          float64 `json:"alpha"`
	Left           float64 `json:"left"`  // all moves to the left
	Right          float64 `json:"right"` // all moves to the right
	RightGivenMove float64 `json:"right_given_move"`
}

// newFigure1 computes the moves for the given learning rates.
func newFigure1(alphas []float64) Figure1 {
	f := Figure1{Mean: 0.3, Sigma: 0.5}
	g := markov.Gaussian{Mean: -f.Mean, Sigma: f.Sigma}
	up, down := g.Shortfall(0), g.Excess(0)
	f.RightGivenMove = up / (up + down)
	for _, a := range alphas {
		row := Figure1Row{Alpha: a}
		h := 1 / a
		for m := 1; m < 100; m++ {
			row.Right += g.Tent(-float64(m)*h, h)
			row.Left += g.Tent(float64(m)*h, h)
		}
		row.RightGivenMove = row.Right / (row.Right + row.Left)
		f.Rows = append(f.Rows, row)
	}
	return f
}
