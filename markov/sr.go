package markov

import (
	"fmt"
	"math"

	"tqn/quantize"
)

// SR is SGD with stochastic rounding, equation (6), on a finite product of
// grids: w <- Q_s(P(w - alpha*g(w))).
type SR struct {
	Axes []quantize.Grid // one bounded grid a coordinate
	// Gradient returns the law of coordinate k of the stochastic gradient at w; the
	// coordinates are independent given w. It must not keep w.
	Gradient func(w []float64, k int) Law
	// Joint, if not nil, replaces Gradient: the joint law of the gradient at w, as
	// vectors and their probabilities (a minibatch drawn from finitely many
	// examples). The coordinates then need not be independent; the proof of Theorem
	// 5 multiplies one-coordinate probabilities, which presumes that they are.
	Joint func(w []float64) (gradients [][]float64, probability []float64)
	// Drop leaves out of T_alpha single-coordinate moves less likely than this
	// (0: none). On a lattice with unbounded noise it keeps rows short.
	Drop float64
}

// OnGrid returns SR in one dimension.
func OnGrid(g quantize.Grid, gradient func(w float64) Law) SR {
	return SR{
		Axes:     []quantize.Grid{g},
		Gradient: func(w []float64, _ int) Law { return gradient(w[0]) },
	}
}

// States returns the number of lattice points.
func (s SR) States() int {
	n := 1
	for _, g := range s.Axes {
		n *= g.Len()
	}
	return n
}

// Point sets w to the lattice point of state x (made if nil) and returns it. The
// last coordinate varies fastest.
func (s SR) Point(x int, w []float64) []float64 {
	if w == nil {
		w = make([]float64, len(s.Axes))
	}
	for k := len(s.Axes) - 1; k >= 0; k-- {
		n := s.Axes[k].Len()
		w[k] = s.Axes[k].Point(x % n)
		x /= n
	}
	return w
}

// State returns the state of a lattice point and whether w is one.
func (s SR) State(w []float64) (int, bool) {
	x := 0
	for k, g := range s.Axes {
		i, ok := g.Index(w[k])
		if !ok {
			return 0, false
		}
		x = x*g.Len() + i
	}
	return x, true
}

func (s SR) check() error {
	if len(s.Axes) == 0 {
		return fmt.Errorf("markov: SR without coordinates")
	}
	n := 1
	for k, g := range s.Axes {
		if !g.Bounded() || g.Len() < 2 {
			return fmt.Errorf("markov: the grid of coordinate %d is unbounded or has fewer than two points", k)
		}
		if n > maxStates/g.Len() {
			return fmt.Errorf("markov: more than %d states", maxStates)
		}
		n *= g.Len()
	}
	return nil
}

// Limit returns T~_alpha of equation (9). Its rates are U~ of Theorem 5 with the
// sign put right: E[(-g_k)+]/Delta for a move up and E[(g_k)+]/Delta for a move
// down in coordinate k, and none out of the box. It is an error if alpha exceeds alpha_0.
func (s SR) Limit(alpha float64) (*Chain, error) {
	c, err := s.rates()
	if err != nil {
		return nil, err
	}
	return c.WithAlpha(alpha)
}

// Alpha0 returns the largest alpha for which T~_alpha is non-negative.
func (s SR) Alpha0() (float64, error) {
	c, err := s.rates()
	if err != nil {
		return 0, err
	}
	return c.MaxAlpha(), nil
}

// rates returns the chain of U~ with an alpha that is allowed.
func (s SR) rates() (*Chain, error) {
	if err := s.check(); err != nil {
		return nil, err
	}
	n := s.States()
	stride := s.strides()
	ptr := make([]int, 1, n+1)
	col := make([]int32, 0, 2*len(s.Axes)*n)
	val := make([]float64, 0, 2*len(s.Axes)*n)
	w := make([]float64, len(s.Axes))
	for x := range n {
		s.Point(x, w)
		for k, g := range s.Axes {
			i := x / stride[k] % g.Len()
			law := s.law(w, k)
			down, up := law.Excess(0)/g.Delta, law.Shortfall(0)/g.Delta
			if math.IsNaN(down+up) || math.IsInf(down+up, 0) {
				return nil, fmt.Errorf("markov: the gradient at %v, coordinate %d, has no finite mean", w, k)
			}
			if i > 0 {
				col, val = append(col, int32(x-stride[k])), append(val, down)
			}
			if i < g.Len()-1 {
				col, val = append(col, int32(x+stride[k])), append(val, up)
			}
		}
		ptr = append(ptr, len(col))
	}
	return fromCSR(n, ptr, col, val, 0)
}

// Chain returns T_alpha, the exact chain of SR for learning rate alpha: moves
// over several grid steps, simultaneous moves in several coordinates and the
// projection on the box included. Its Alpha is one: the rates are probabilities.
func (s SR) Chain(alpha float64) (*Chain, error) {
	if err := s.check(); err != nil {
		return nil, err
	}
	if !(alpha > 0) || math.IsInf(alpha, 1) {
		return nil, fmt.Errorf("markov: alpha is %g; want a finite number > 0", alpha)
	}
	n, d := s.States(), len(s.Axes)
	stride := s.strides()
	ptr := make([]int, 1, n+1)
	var col []int32
	var val []float64
	w := make([]float64, d)
	moves := make([][]move, d)
	for x := range n {
		s.Point(x, w)
		if s.Joint != nil {
			var err error
			if col, val, err = s.jointMoves(col, val, x, w, stride, alpha); err != nil {
				return nil, err
			}
			ptr = append(ptr, len(col))
			continue
		}
		for k, g := range s.Axes {
			i := x / stride[k] % g.Len()
			law := s.Gradient(w, k)
			moves[k] = coordinateMoves(moves[k][:0], law, i, g, alpha, s.Drop)
			if len(moves[k]) == 0 {
				return nil, fmt.Errorf("markov: the gradient at %v, coordinate %d, is not a law", w, k)
			}
		}
		// The product of the coordinates' laws, stay first: entry 0 is x itself.
		lo := len(col)
		col, val = append(col, int32(x)), append(val, 1)
		for k := range s.Axes {
			end := len(col)
			for _, m := range moves[k][1:] {
				for i := lo; i < end; i++ {
					if v := val[i] * m.p; v > 0 {
						col = append(col, col[i]+int32(m.steps*stride[k]))
						val = append(val, v)
					}
				}
			}
			for i := lo; i < end; i++ {
				val[i] *= moves[k][0].p
			}
		}
		last := len(col) - 1
		col[lo], val[lo] = col[last], val[last] // leave out x itself
		col, val = col[:last], val[:last]
		ptr = append(ptr, len(col))
	}
	return fromCSR(n, ptr, col, val, 1)
}

// law returns the law of coordinate k at w.
func (s SR) law(w []float64, k int) Law {
	if s.Joint == nil {
		return s.Gradient(w, k)
	}
	g, p := s.Joint(w)
	v := make([]float64, len(g))
	for i := range g {
		v[i] = g[i][k]
	}
	law, err := NewDiscrete(v, p)
	if err != nil {
		panic("markov: SR.Joint: " + err.Error())
	}
	return law
}

// jointMoves appends the moves out of x under the joint law: given a gradient the
// coordinates round independently (quantize.Grid.Move).
func (s SR) jointMoves(col []int32, val []float64, x int, w []float64, stride []int, alpha float64) ([]int32, []float64, error) {
	gradients, probability := s.Joint(w)
	sum := 0.0
	for _, p := range probability {
		sum += p
	}
	for i, g := range gradients {
		if len(g) != len(w) || !(probability[i] >= 0) || !(sum > 0) {
			return nil, nil, fmt.Errorf("markov: the joint gradient at %v is not a law on vectors of length %d", w, len(w))
		}
		outcomes := []move{{x, probability[i] / sum}} // states here, not steps
		for k, axis := range s.Axes {
			near, far, p := axis.Move(w[k], -alpha*g[k])
			at := x / stride[k] % axis.Len()
			a, _ := axis.Index(near)
			b, _ := axis.Index(far)
			for j := range outcomes {
				o := outcomes[j]
				if p > 0 {
					outcomes = append(outcomes, move{o.steps + (b-at)*stride[k], o.p * p})
				}
				outcomes[j] = move{o.steps + (a-at)*stride[k], o.p * (1 - p)}
			}
		}
		for _, o := range outcomes {
			if o.steps != x && o.p > 0 {
				col, val = append(col, int32(o.steps)), append(val, o.p)
			}
		}
	}
	return col, val, nil
}

func (s SR) strides() []int {
	stride := make([]int, len(s.Axes))
	n := 1
	for k := len(s.Axes) - 1; k >= 0; k-- {
		stride[k] = n
		n *= s.Axes[k].Len()
	}
	return stride
}

type move struct {
	steps int
	p     float64
}

// coordinateMoves appends the law of the move of one coordinate from grid index
// i: first the move 0, then all others with positive probability.
//
// In units of Delta the move before rounding is t = -alpha g/Delta, cut at the
// ends. Stochastic rounding goes m steps with probability E[(1-|t-m|)+], and to
// the end m of the box with probability E[min(1, (1+t-m)+)].
func coordinateMoves(out []move, law Law, i int, g quantize.Grid, alpha, drop float64) []move {
	h := g.Delta / alpha // in units of the gradient
	out = append(out, move{0, 0})
	last := g.Len() - 1
	off := 0.0
	add := func(steps int, p float64) {
		if p > drop {
			out = append(out, move{steps, p})
			off += p
		}
	}
	for m := 1; i+m <= last; m++ {
		// g at or below -(m-1)h moves up by m or more with positive probability.
		reach := law.Shortfall(-float64(m-1)*h) / h
		if reach <= drop || reach == 0 {
			break
		}
		if i+m == last {
			add(m, rampDown(law, float64(m), h))
		} else {
			add(m, law.Tent(-float64(m)*h, h))
		}
	}
	for m := 1; i-m >= 0; m++ {
		reach := law.Excess(float64(m-1)*h) / h
		if reach <= drop || reach == 0 {
			break
		}
		if i-m == 0 {
			add(-m, rampUp(law, float64(m), h))
		} else {
			add(-m, law.Tent(float64(m)*h, h))
		}
	}
	var stay float64
	switch i {
	case 0:
		stay = rampUp(law, 0, h)
	case last:
		stay = rampDown(law, 0, h)
	default:
		stay = law.Tent(0, h)
	}
	if off < 0.5 || drop > 0 {
		stay = 1 - off
	}
	out[0].p = max(0, stay)
	if off >= 0.5 { // rounding may have brought the sum above one: 1e-15 of each
		total := off + out[0].p
		for i := range out {
			out[i].p /= total
		}
	}
	return out
}

// rampUp returns E[min(1, (g/h - m + 1)+)], rampDown the same for -g. Both are a
// tent and what lies beyond it.
func rampUp(law Law, m, h float64) float64 {
	return (law.Excess((m-1)*h) - law.Excess(m*h)) / h
}

func rampDown(law Law, m, h float64) float64 {
	return (law.Shortfall(-(m-1)*h) - law.Shortfall(-m*h)) / h
}
