package toy

import (
	"fmt"

	"tqn/markov"
)

// Figure3 is the paper's Figure 3: a chain with three states, and the same with
// every probability of a move halved. The text of the paper does not give the
// numbers; these are ours.
type Figure3 struct {
	Rates      [][]float64   `json:"rates"` // off-diagonal probabilities of the left chain
	Stationary []float64     `json:"stationary"`
	Chains     []Figure3Half `json:"chains"`
}

// Figure3Half is one of the chains: P = I + Scale*Q.
type Figure3Half struct {
	Scale      float64     `json:"scale"`
	P          [][]float64 `json:"p"`
	Stationary []float64   `json:"stationary"`
	Mixing     uint64      `json:"mixing_time"` // M_eps, eps = Figure3Eps
	Distance   []float64   `json:"distance"`    // max_x TV(P^n(x,.), pi), n = 0, 1, ...
}

// Figure3Eps is the eps of the mixing times in Figure 3.
const Figure3Eps = 0.01

// newFigure3 computes the chain and its halved versions.
func newFigure3() (Figure3, error) {
	f := Figure3{Rates: [][]float64{{0, 0.4, 0.2}, {0.2, 0, 0.4}, {0.2, 0.2, 0}}}
	c, err := markov.FromDense(f.Rates, 1)
	if err != nil {
		return f, fmt.Errorf("toy: %w", err)
	}
	for _, scale := range []float64{1, 0.5, 0.25} {
		h, err := c.WithAlpha(scale)
		if err != nil {
			return f, fmt.Errorf("toy: %w", err)
		}
		pi, err := h.Stationary()
		if err != nil {
			return f, fmt.Errorf("toy: %w", err)
		}
		m, err := h.MixingTime(Figure3Eps)
		if err != nil {
			return f, fmt.Errorf("toy: %w", err)
		}
		half := Figure3Half{Scale: scale, P: h.Dense(), Stationary: pi, Mixing: m.Steps}
		laws := make([][]float64, 3)
		for x := range laws {
			laws[x] = make([]float64, 3)
			laws[x][x] = 1
		}
		for range 41 {
			d := 0.0
			for x := range laws {
				d = max(d, markov.TotalVariation(laws[x], pi))
				laws[x] = h.Step(nil, laws[x])
			}
			half.Distance = append(half.Distance, d)
		}
		f.Chains = append(f.Chains, half)
	}
	f.Stationary = f.Chains[0].Stationary
	return f, nil
}
