package convex

import (
	"errors"
	"fmt"
	"math"

	"tqn/bounds"
)

// Staircase is a family of convex functions without gradient noise on which SR on a fine grid, with T steps c/sqrt(t) and c = K D/G, K >= 1, comes close to the bound of the form moving of
// Theorem 2 as T grows: 99.4 % of it at T = 262144. It refutes Section 4.1's Theorem 2 at c = 1.1 D/G. D = G = 1, and F is minimised at the origin.
//
// F is a maximum of affine functions, a piece for each step, and has two parts.
//
// The swing, t < From. The iterate swings across the kink of |y_1| at the height y_0 = R that it starts from, y_1 = v_t, -v_{t+1}, v_{t+2}, ... with v_t + v_{t+1} = beta alpha_t, so that v_t is about alpha_t/2, which is what the
// proof of Theorem 2 charges a step. W is cut at |y_1| <= Side, where the first, long steps end. Piece t is beta sign(y_1) y_1 + u y_t with beta^2 + u^2 = 1: the small u gives each step a direction of its own.
//
// The staircase, t >= From. Piece t is <g_t, y> with
//
//	<g_t, y_0-direction> = h = f/R,   <g_t, g_j> = gamma_j for all j < t,   |g_t| = 1,
//
// so that every later piece has the same value as piece t at w^t: F(w^t) = f_t with f_From = f and f_{t+1} = f_t - alpha_t gamma_t. gamma_t solves
//
//	gamma_t (E_{t+1} - e_t) = gamma_{t+1} E_{t+2} + e_{t+1} - e_t,   e_t = alpha_t/((1+q_{t+1}) ... (1+q_T)),   E_t = e_t + ... + e_T,
//
// with q of the bound (bounds.ReferenceWeights): this is what makes the lines of its proof equalities. gamma_{T-1} is chosen as large a staircase as |g_T| = 1 allows. The gap first rises and then falls while the iterate goes to the origin.
//
// Let the offsets that put the pieces in order and u tend to 0. The iterates and the origin are affinely independent (every step has a direction of its own), so there is a linear function with the value F(w^t) at every w^t and 0 at the origin; as one more
// piece, lowered a little, it makes F(wbar_T) the mean of the F(w^t), and no gradient is taken on it.
type Staircase struct {
	T    int
	K    float64
	From int     // the first step on the staircase
	Side float64 // W lies in |y_1| <= Side
	Own  float64 // u; 0 is the limit

	height float64   // R
	step   []float64 // alpha_t
	swing  []float64 // v_t, t <= From
	gamma  []float64 // t >= From
	gap    []float64 // F(w^t) - F*
}

// NewStaircase builds the member of the family. from and side say where the staircase begins and how wide W is in the direction of the swing; it is an error if they make none.
func NewStaircase(T int, k float64, from int, side, own float64) (*Staircase, error) {
	if T < 8 || !(k >= 1) || from < 3 || from > T-4 || !(side > 0 && side < 0.5) || !(own >= 0 && own < 0.5) {
		return nil, fmt.Errorf("convex: staircase with T = %d, c = %v D/G from step %d, width %v, u = %v: want T >= 8, c >= D/G, 3 <= from <= T-4 and widths in (0, 1/2)", T, k, from, side, own)
	}
	s := &Staircase{T: T, K: k, From: from, Own: own}
	s.step = make([]float64, T+3)
	for t := 1; t < len(s.step); t++ {
		s.step[t] = k / math.Sqrt(float64(t))
	}
	a, beta := from, math.Sqrt(1-own*own)
	// From the sum alpha_t - alpha_{t+1} + alpha_{t+2} - ... by Euler's transformation, then back.
	s.swing = make([]float64, a+2)
	n := a + 1
	s.swing[n] = beta * (s.step[n]/2 + (s.step[n]-s.step[n+1])/4)
	for t := a; t >= 1; t-- {
		s.swing[t] = beta*s.step[t] - s.swing[t+1]
	}
	first := 1
	for s.swing[first] > side {
		if first++; first == a {
			return nil, errors.New("convex: staircase: W is narrower than the last swing")
		}
	}
	s.Side = s.swing[first]
	for t := 1; t < first; t++ {
		s.swing[t] = s.Side
	}
	junk := 0.0
	for t := 1; t < a; t++ {
		junk += own * own * s.step[t] * s.step[t]
	}
	s.height = math.Sqrt(1 - s.Side*s.Side - junk)
	return s, s.climb()
}

// climb finds gamma.
func (s *Staircase) climb() error {
	a, T := s.From, s.T
	f := s.lowest()
	q := bounds.ReferenceWeights(T, a)
	if q == nil {
		return fmt.Errorf("convex: staircase: the reference point of the bound does not move from step %d on", a)
	}
	e, sum := make([]float64, T+2), make([]float64, T+3)
	e[T] = s.step[T-1]
	left := 1.0
	for t := T - 1; t >= a; t-- {
		left /= 1 + q[t+1]
		e[t] = s.step[t] * left
	}
	for t := T; t >= a; t-- {
		sum[t] = sum[t+1] + e[t]
	}
	// gamma is affine in gamma_{T-1}.
	constant, slope := make([]float64, T), make([]float64, T)
	slope[T-1] = 1
	for t := T - 2; t >= a; t-- {
		x := sum[t+1] - e[t]
		constant[t] = (constant[t+1]*sum[t+2] + e[t+1] - e[t]) / x
		slope[t] = slope[t+1] * sum[t+2] / x
	}
	used := func(x float64) float64 { // what is left of |g_T|^2 = 1 once its products with the others are given
		h := f / s.height
		c := h * h
		for t := a; t < T; t++ {
			b := 1 - c
			if b <= 0 {
				return 2
			}
			d := constant[t] + x*slope[t] - c
			c += d * d / b
		}
		return c
	}
	// used falls and then rises in x; f rises as x falls, so the smallest x is wanted.
	low, high := 0.0, 4*math.Log(float64(T))/float64(T)
	for range 60 {
		if x := (low + high) / 2; used(x) < 1-1e-9 {
			high = x
		} else {
			low = x
		}
	}
	if used(high) >= 1 {
		return errors.New("convex: staircase: no gamma leaves room for the last gradient")
	}
	s.gamma, s.gap = make([]float64, T), make([]float64, T+1)
	beta := math.Sqrt(1 - s.Own*s.Own)
	for t := 1; t < a; t++ {
		s.gap[t] = beta * s.swing[t]
	}
	s.gap[a] = f
	for t := a; t < T; t++ {
		s.gamma[t] = constant[t] + high*slope[t]
		s.gap[t+1] = s.gap[t] - s.step[t]*s.gamma[t]
	}
	return nil
}

// lowest is f: between the heights of the last two swings.
func (s *Staircase) lowest() float64 {
	return math.Sqrt(1-s.Own*s.Own) * (s.swing[s.From-1] + s.swing[s.From]) / 2
}

// Mean is (1/T) sum_t F(w^t) - F*, once it has been checked, up to rounding errors, that there is such a function and such a W with D = G = 1:
//
//   - v_t falls and stays above f for t < From, and v_From below: there the swing's pieces are largest exactly while it swings;
//   - f_t >= f on the staircase: no piece of the swing comes back;
//   - piece j is below F(w^t) for j < t: f_t - <g_j, w^t> = alpha_j (1-gamma_j) + sum_{j<i<t} alpha_i (gamma_j - gamma_i) > 0, which is smallest at t = T as gamma increases;
//   - products as given belong to vectors of length 1;
//   - no two of the iterates and the origin are farther from each other than 1.
func (s *Staircase) Mean() (float64, error) {
	const slack = 1e-11
	a, T := s.From, s.T
	beta := math.Sqrt(1 - s.Own*s.Own)
	for t := 1; t <= a; t++ {
		if t < a && !(s.swing[t] >= s.swing[t+1]-slack && beta*s.swing[t] > s.gap[a]+slack) || t == a && !(beta*s.swing[a] < s.gap[a]-slack) {
			return 0, fmt.Errorf("convex: staircase: swing %d of height %v: the staircase begins at %v", t, s.swing[t], s.gap[a])
		}
	}
	used := s.gap[a] / s.height
	used *= used
	var path, weighted float64 // sums of alpha_i and alpha_i gamma_i over j < i < T
	for t := T - 1; t >= a; t-- {
		if t < T-1 && s.gamma[t] >= s.gamma[t+1] {
			return 0, fmt.Errorf("convex: staircase: gamma does not increase at step %d", t)
		}
		if !(s.step[t]*(1-s.gamma[t])+s.gamma[t]*path-weighted > slack) {
			return 0, fmt.Errorf("convex: staircase: piece %d is active again at the end", t)
		}
		path += s.step[t]
		weighted += s.step[t] * s.gamma[t]
	}
	for t := a; t < T; t++ {
		if s.gap[t+1] < s.gap[a] {
			return 0, fmt.Errorf("convex: staircase: the gap at step %d is below that of its beginning", t+1)
		}
		d := s.gamma[t] - used
		if used += d * d / (1 - used); !(used < 1-slack) {
			return 0, fmt.Errorf("convex: staircase: no room for gradient %d", t+1)
		}
	}
	if far := s.farthest(); !(far < 1-slack) {
		return 0, fmt.Errorf("convex: staircase: two iterates at a distance of %v", far)
	}
	var mean float64
	for _, f := range s.gap[1:] {
		mean += f / float64(T)
	}
	return mean, nil
}

// farthest is at least the largest distance between two iterates of which one is on the staircase. (Swings lie within 2 Side of each other, and their own directions
// add less than 1/4 to the square; |w^t| <= 1 since |w^{t+1}|^2 = |w^t|^2 - 2 alpha_t f_t + alpha_t^2 falls where f_t >= alpha_t/2, and f_t >= f > alpha_From/2.)
//
// |w^t - w^s|^2 = sum_{s<=i<t} (alpha_i^2 + 2 alpha_i gamma_i sum_{i<j<t} alpha_j) is looked at for a grid of steps; a step between two of its points is as far from the first as the square root of a sum says.
func (s *Staircase) farthest() float64 {
	a, T := s.From, s.T
	path, first, second := make([]float64, T+2), make([]float64, T+2), make([]float64, T+2)
	for i := a; i < T; i++ {
		path[i+1] = path[i] + s.step[i]
		first[i+1] = first[i] + s.step[i]*s.step[i] - 2*s.step[i]*s.gamma[i]*path[i+1]
		second[i+1] = second[i] + 2*s.step[i]*s.gamma[i]
	}
	square := func(s, t int) float64 { return first[t] - first[s] + path[t]*(second[t]-second[s]) }
	stride := max(1, (T-a)/2000)
	var far, within float64
	for i := a; i <= T; i += stride {
		for j := i + stride; j <= T; j += stride {
			far = max(far, square(i, j))
		}
		for j := i + 1; j < i+stride && j <= T; j++ {
			within = max(within, square(i, j))
		}
	}
	side := 2 * s.Side // a swing, seen from the staircase
	return math.Sqrt(max(far, 0)+side*side) + 2*math.Sqrt(within)
}

// Affine is the member as a run that can be replayed: Own > 0, offsets that put the pieces in order, and the affine function that supports the average. Coordinate 0 is the height, 1 the swing, t+1 the
// direction of step t.
func (s *Staircase) Affine() (*Affine, error) {
	if !(s.Own > 0) {
		return nil, errors.New("convex: staircase: the limit u = 0 is no run; want Own > 0")
	}
	a, T := s.From, s.T
	beta := math.Sqrt(1 - s.Own*s.Own)
	order := s.Own * s.Own * s.step[T] / 2
	run := &Affine{C: s.K, T: T, Start: make([]float64, T+2), Side: s.Side}
	run.Start[0], run.Start[1] = s.height, s.swing[1]
	h := s.gap[a] / s.height
	used := h * h
	mean := make([]float64, T+2) // the slope at the average
	mean[0] = s.gap[1] / s.height
	product := mean[0] * h // of mean and the staircase so far
	rungs := make([]float64, T+2)
	rungs[0] = h
	for t := 1; t <= T; t++ {
		g := make([]float64, T+2)
		if t < a {
			g[1], g[t+1] = beta, s.Own
			if t%2 == 0 {
				g[1] = -beta
			}
			mean[t+1] = (s.gap[t] - s.gap[t+1]) / (s.Own * s.step[t])
		} else {
			copy(g, rungs)
			b := math.Sqrt(1 - used)
			g[t+1] = b
			if t < T {
				rungs[t+1] = (s.gamma[t] - used) / b
				mean[t+1] = (s.gamma[t] - product) / b
				product += mean[t+1] * rungs[t+1]
				used += rungs[t+1] * rungs[t+1]
			}
		}
		run.Slope = append(run.Slope, g)
		run.Offset = append(run.Offset, order*float64(T+1-t)/float64(T))
	}
	run.Slope = append(run.Slope, mean, make([]float64, T+2))
	run.Offset = append(run.Offset, 0, 0)
	return run, nil
}
