package convex

import (
	"errors"
	"fmt"
	"math"
)

// Staircase is a family of convex functions without gradient noise on which SR on a fine grid, with T steps c/sqrt(t) and c = K D/G, comes as close as one likes to the bound of the form moving of
// Theorem 2 as T grows ([StaircaseLimit] has the proof): 99 % of it at T = 51200. It refutes Section 4.1's Theorem 2 at c = 1.1 D/G. D = G = 1, and F is minimised at the origin.
//
// F is a maximum of affine functions, a piece for each step, and has two parts.
//
// The swing, t < From. The iterate swings across the kink of |y_1| at the height y_0 = R that it starts from, y_1 = v_t, -v_{t+1}, v_{t+2}, ... with v_t + v_{t+1} = beta alpha_t, so that v_t is about alpha_t/2, which is what the
// proof of Theorem 2 charges a step. W is cut at |y_1| <= Side, where the first, long steps end. Piece t is beta sign(y_1) y_1 + u y_t with beta^2 + u^2 = 1: the small u gives each step a direction of its own.
// The last swing, t = From-1, has a smaller part in the direction of y_1 and stops at y_1 = 0, where the pieces of the swing are 0. Its piece has the value of the others where it starts, is linear and so has a small part in
// the direction of y_0, and a direction of its own makes its slope as long as the others'.
//
// The staircase, t >= From. Piece t is <g_t, y> with
//
//	<g_t, y_0-direction> = h = f/y_0,   <g_t, g_j> = gamma_j for all j < t,   |g_t| = 1,
//
// y_0 being what is left of R after the last swing, so that every later piece has the same value as piece t at w^t: F(w^t) = f_t with f_From = f and f_{t+1} = f_t - alpha_t gamma_t. At the height R these pieces are a little below the
// lowest swing, h R = (1 - 1/(8 From)) beta v_{From-1}. What the pieces from t on have in common is a vector of squared length c_t,
//
//	c_From = h^2,   c_{t+1} = c_t + (gamma_t - c_t)^2/(1 - c_t),   gamma_t = c_t - y(sqrt(t/T))/T,
//
// with the function y of [StaircaseLimit], which makes the lines of the bound's proof equalities as T grows. The gap first rises and then falls while the iterate goes to the origin.
//
// Let the offsets that put the pieces in order and u tend to 0. The iterates and the origin are affinely independent (every step has a direction of its own), so there is a linear function with the value F(w^t) at every w^t and 0 at the origin; as one more
// piece, lowered a little, it makes F(wbar_T) the mean of the F(w^t), and no gradient is taken on it.
//
// The member that the fields and gamma define consists of real numbers; the float64 fields step, swing and gap are near them, and [Staircase.Mean] proves what is said of them.
type Staircase struct {
	T    int
	K    float64
	Side float64 // W lies in |y_1| <= Side
	Own  float64 // u; 0 is the limit
	From int     // the first step on the staircase

	first int       // the first step that is not projected
	next  float64   // the swing that would follow the last one
	step  []float64 // alpha_t
	swing []float64 // v_t, t < From
	gamma []float64 // t >= From
	gap   []float64 // F(w^t) - F*
}

// NewStaircase builds the member of the family. side says how wide W is in the direction of the swing, and slack is that of [StaircaseLimit], which keeps the staircase away from the end at which it would be infinitely steep.
func NewStaircase(T int, k, side, slack, own float64) (*Staircase, error) {
	limit, err := NewStaircaseLimit(k, slack)
	if err != nil {
		return nil, err
	}
	a := int(math.Ceil(limit.Start * limit.Start * float64(T)))
	if T < 8 || a < 3 || a > T-4 || !(side > 0 && side < 0.5) || !(own >= 0 && own < 0.5) {
		return nil, fmt.Errorf("convex: staircase with T = %d, c = %v D/G from step %d, width %v, u = %v: want T >= 8, 3 <= from <= T-4 and widths in (0, 1/2)", T, k, a, side, own)
	}
	s := &Staircase{T: T, K: k, From: a, Own: own, step: make([]float64, T+1), swing: make([]float64, a), gamma: make([]float64, T), gap: make([]float64, T+1)}
	for t := 1; t <= T; t++ {
		s.step[t] = k / math.Sqrt(float64(t))
	}
	beta := math.Sqrt(1 - own*own)
	// The sum alpha_t - alpha_{t+1} + alpha_{t+2} - ... from t = From on, by two terms of Euler's transformation.
	s.next = beta * k * (3/math.Sqrt(float64(a)) - 1/math.Sqrt(float64(a+1))) / 4
	s.first = 1
	next := s.next
	for t := a - 1; t >= 1; t-- {
		if next = beta*s.step[t] - next; next > side {
			s.first = t + 1
			break
		}
		s.swing[t] = next
	}
	if s.first > a-2 {
		return nil, errors.New("convex: staircase: W is narrower than the last swing")
	}
	s.Side = s.swing[s.first]
	for t := 1; t < s.first; t++ {
		s.swing[t] = s.Side
	}
	for t := 1; t < a; t++ {
		s.gap[t] = beta * s.swing[t]
	}
	_, left, _ := s.lastSwing()
	h := (1 - 0.125/float64(a)) * s.gap[a-1] / s.height()
	s.gap[a] = h * left
	c := h * h
	for t := a; t < T; t++ {
		s.gamma[t] = c - limit.steepness(math.Sqrt(float64(t)/float64(T)))/float64(T)
		c += (s.gamma[t] - c) * (s.gamma[t] - c) / (1 - c)
		s.gap[t+1] = s.gap[t] - s.step[t]*s.gamma[t]
	}
	return s, nil
}

// height is R: |w^1|^2 = R^2 + Side^2 and what the directions of the steps' own add is 1.
func (s *Staircase) height() float64 {
	junk := 0.0
	for t := 1; t < s.From; t++ {
		junk += s.Own * s.Own * s.step[t] * s.step[t]
	}
	return math.Sqrt(1 - s.Side*s.Side - junk)
}

// lastSwing returns the part of the last swing's slope in the direction of y_1, the height after it, and the part in the direction of y_0.
func (s *Staircase) lastSwing() (across, left, down float64) {
	v, alpha, R := s.swing[s.From-1], s.step[s.From-1], s.height()
	across = v / alpha
	down = (math.Sqrt(1-s.Own*s.Own) - across) * v / R
	return across, R - alpha*down, down
}

// Mean encloses (1/T) sum_t F(w^t) - F*, once it has been proved, with every rounding outwards, that there is such a function and such a W with D = G = 1:
//
//   - v_t falls for t < From, and is above what the staircase's pieces are at the height R: there the pieces of the swing are largest while it swings;
//   - f_t > 0, so that no piece of the swing comes back: where y_1 = 0 they are at most 0, and that of the last swing is at most (beta-x) v - alpha (1-x^2-z^2) = alpha (x beta - 1 + z^2), x and z its parts in the directions of y_1 and y_0, v = x alpha.
//     That is negative, since x < 0.71 (the swing before is not lower) and z <= (1-x) v/R <= (1-x)/sqrt(3) (as R^2 >= 3/4);
//   - piece j is below F(w^t) for j < t: f_t - <g_j, w^t> = alpha_j (1-gamma_j) + sum_{j<i<t} alpha_i (gamma_j - gamma_i) > 0, which is smallest at t = T as gamma increases;
//   - products as given belong to vectors of length 1: c_T < 1;
//   - no two of the iterates and the origin are farther from each other than 1, |w^{t+1}|^2 being |w^t|^2 - 2 alpha_t f_t + alpha_t^2 on the staircase.
func (s *Staircase) Mean() (lower, upper float64, err error) {
	a, T := s.From, s.T
	k, one := exactly(s.K), exactly(1)
	alpha := func(t int) enclosure { return k.over(exactly(float64(t)).root()) }
	own := exactly(s.Own).squared()
	beta := one.minus(own).root()

	// The swing, from its end. The step before the first reaches the other side of W, since without W it would swing farther.
	v := exactly(s.next)
	var last, sum, side enclosure
	for t := a - 1; t >= max(s.first-1, 1); t-- {
		wider := beta.times(alpha(t)).minus(v)
		if t < a-1 && !wider.least(v) {
			return 0, 0, fmt.Errorf("convex: staircase: swing %d is not above the next", t)
		}
		if t >= s.first {
			v = wider
			sum, side = sum.plus(v), v
		}
		if t == a-1 {
			last = v
		}
	}
	sum = sum.plus(side.times(exactly(float64(s.first - 1)))).times(beta)
	junk := exactly(0)
	for t := 1; t < a; t++ {
		junk = junk.plus(own.times(alpha(t).squared()))
	}
	R := one.minus(side.squared()).minus(junk).root()
	across := last.over(alpha(a - 1))
	down := beta.minus(across).times(last).over(R)
	left := R.minus(alpha(a - 1).times(down))
	rest := one.minus(across.squared()).minus(down.squared()) // the square of the last swing's own direction
	if !exactly(0.25).least(side.squared().plus(junk)) {
		return 0, 0, fmt.Errorf("convex: staircase: swings %v wide", 2*side.hi)
	}
	h := one.minus(exactly(0.125).over(exactly(float64(a)))).times(beta).times(last).over(R)
	f := h.times(left)

	// The staircase. path and risen are sums of alpha_i and alpha_i gamma_i over From <= i < t, square is |w^t - w^From|^2.
	c, gap, path, risen, square, far := h.squared(), f, exactly(0), exactly(0), exactly(0), 0.0
	length := left.squared().plus(junk).plus(alpha(a - 1).squared().times(rest))
	sum = sum.plus(f)
	if !(length.hi < 1) {
		return 0, 0, fmt.Errorf("convex: staircase: iterate %d at a distance of up to %v from the origin", a, math.Sqrt(length.hi))
	}
	for t := a; t < T; t++ {
		gamma, step := exactly(s.gamma[t]), alpha(t)
		if t > a && s.gamma[t] < s.gamma[t-1] {
			return 0, 0, fmt.Errorf("convex: staircase: gamma does not increase at step %d", t)
		}
		square = square.plus(step.squared()).plus(step.times(risen).times(exactly(2)))
		path, risen = path.plus(step), risen.plus(step.times(gamma))
		c = c.plus(gamma.minus(c).squared().over(one.minus(c)))
		if !(c.hi < 1) {
			return 0, 0, fmt.Errorf("convex: staircase: no room for gradient %d", t+1)
		}
		length = length.minus(step.times(gap).times(exactly(2))).plus(step.squared())
		if gap = f.minus(risen); !(gap.lo > 0) {
			return 0, 0, fmt.Errorf("convex: staircase: the gap %v at step %d", gap.lo, t+1)
		}
		if !(length.hi < 1) {
			return 0, 0, fmt.Errorf("convex: staircase: iterate %d at a distance of up to %v from the origin", t+1, math.Sqrt(length.hi))
		}
		sum, far = sum.plus(gap), max(far, square.hi)
	}
	ahead, weighted := exactly(0), exactly(0) // sums of alpha_i and alpha_i gamma_i over t < i < T
	for t := T - 1; t >= a; t-- {
		gamma, step := exactly(s.gamma[t]), alpha(t)
		if !(step.times(one.minus(gamma)).plus(gamma.times(ahead)).minus(weighted).lo > 0) {
			return 0, 0, fmt.Errorf("convex: staircase: piece %d is active again at the end", t)
		}
		// |w^t - w^j| falls as j rises: its square by alpha_j^2 + 2 alpha_j gamma_j (the path from j+1 to t), smallest for the whole path where gamma_j < 0.
		if !(step.plus(gamma.times(ahead).times(exactly(2))).lo >= 0) {
			return 0, 0, fmt.Errorf("convex: staircase: iterate %d is farther from the end than the one before", t+1)
		}
		ahead, weighted = ahead.plus(step), weighted.plus(step.times(gamma))
	}
	// From an iterate of the swing, at most Side and the directions of the steps' own farther away, and higher by R - left.
	higher := R.minus(left)
	swing := side.squared().plus(junk).plus(alpha(a - 1).squared().times(rest)).plus(higher.squared()).plus(higher.times(h).times(path).times(exactly(2)))
	if apart := exactly(far).plus(swing); !(apart.hi < 1) {
		return 0, 0, fmt.Errorf("convex: staircase: two iterates at a distance of up to %v", math.Sqrt(apart.hi))
	}
	mean := sum.over(exactly(float64(T)))
	return mean.lo, mean.hi, nil
}

// Affine is the member as a run that can be replayed: Own > 0, offsets that put the pieces in order, and the affine function that supports the average. Coordinate 0 is the height, 1 the swing, t+1 the
// direction of step t.
func (s *Staircase) Affine() (*Affine, error) {
	if !(s.Own > 0) {
		return nil, errors.New("convex: staircase: the limit u = 0 is no run; want Own > 0")
	}
	a, T := s.From, s.T
	beta := math.Sqrt(1 - s.Own*s.Own)
	across, left, down := s.lastSwing()
	order := s.Own * s.Own * s.step[T] / 2
	run := &Affine{C: s.K, T: T, Start: make([]float64, T+2), Side: s.Side}
	run.Start[0], run.Start[1] = s.height(), s.swing[1]
	h := s.gap[a] / left // <h, y_0> is the value at w^From
	used := h * h
	mean := make([]float64, T+2) // the slope at the average
	// With the height of the start and the value there, and without y_1.
	mean[0] = s.gap[1] / s.height()
	product := mean[0] * h // of mean and the staircase so far
	rungs := make([]float64, T+2)
	rungs[0] = h
	for t := 1; t <= T; t++ {
		g := make([]float64, T+2)
		sign := 1.0
		if t%2 == 0 {
			sign = -1
		}
		switch {
		case t < a-1:
			g[1], g[t+1] = sign*beta, s.Own
			mean[t+1] = (s.gap[t] - s.gap[t+1]) / (s.Own * s.step[t])
		case t == a-1:
			g[0], g[1], g[t+1] = down, sign*across, math.Sqrt(1-across*across-down*down)
			mean[t+1] = ((s.gap[t]-s.gap[t+1])/s.step[t] - mean[0]*down) / g[t+1]
		default:
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
