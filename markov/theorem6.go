package markov

import "fmt"

// Theorem6Row holds the mixing times at one alpha.
type Theorem6Row struct {
	Alpha       float64
	Steps       uint64  // M_eps of T~_alpha
	Scaled      float64 // alpha*M_eps of T~_alpha
	ExactSteps  uint64  // M_eps of T_alpha
	ExactScaled float64 // alpha*M_eps of T_alpha
}

// Theorem6Result is Theorem 6, measured and sharpened.
type Theorem6Result struct {
	Eps  float64
	Rows []Theorem6Row
	// Time is t_eps, the eps-mixing time of exp(tQ) with Q = U~ - diag(row sums).
	Time float64
	// Largest is the largest pi~(A) of a proper subset A, 1 - min pi~. The
	// theorem asks for eps below it.
	Largest float64
}

// Theorem6 measures Theorem 6 (Section 5.2; proof in Appendix G) for SR at the
// given alphas.
//
// Assumptions: those of Theorem 5, a proper subset A with pi(A) > eps, and alphas
// not above alpha_0.
//
//	statement   M_eps(alpha) -> infinity as alpha -> 0
//	sharper     alpha * M_eps(alpha) -> t_eps, since T~_alpha = I + alpha*Q
//
// If an assumption fails it is ErrAssumption.
func Theorem6(s SR, eps float64, alphas []float64) (Theorem6Result, error) {
	r := Theorem6Result{Eps: eps}
	if f := s.CheckTheorem5(1); len(f) > 0 {
		return r, fmt.Errorf("%w at w = %v, coordinate %d: %s", ErrAssumption, f[0].Point, f[0].Coordinate, f[0].Reason)
	}
	for i, alpha := range alphas {
		limit, err := s.Limit(alpha)
		if err != nil {
			return r, err
		}
		if i == 0 {
			pi, err := limit.Stationary()
			if err != nil {
				return r, err
			}
			for _, p := range pi {
				r.Largest = max(r.Largest, 1-p)
			}
			if !(eps < r.Largest) {
				return r, fmt.Errorf("%w: no proper subset has more probability than eps = %g", ErrAssumption, eps)
			}
			t, err := limit.ContinuousMixingTime(eps)
			if err != nil {
				return r, err
			}
			r.Time = t.Scaled
		}
		m, err := limit.MixingTime(eps)
		if err != nil {
			return r, err
		}
		exact, err := s.Chain(alpha)
		if err != nil {
			return r, err
		}
		e, err := exact.MixingTime(eps)
		if err != nil {
			return r, err
		}
		r.Rows = append(r.Rows, Theorem6Row{
			Alpha: alpha, Steps: m.Steps, Scaled: m.Scaled,
			ExactSteps: e.Steps, ExactScaled: alpha * float64(e.Steps),
		})
	}
	return r, nil
}
