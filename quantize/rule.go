package quantize

import (
	"fmt"
	"math"
)

// Real is the type of a weight: float64 where theorems are tested, float32 where
// nets are trained.
type Real interface{ float32 | float64 }

// Rule says where the gradient is taken and what is stored.
type Rule uint8

const (
	Float        Rule = iota // SGD, equation (2)
	R                        // deterministic rounding, equation (4)
	SR                       // stochastic rounding, equation (6)
	BC                       // BinaryConnect, equation (7), with Q_d
	BCStochastic             // BinaryConnect, equation (7), with Q_s
)

func (r Rule) String() string {
	if int(r) < len(ruleNames) {
		return ruleNames[r]
	}
	return fmt.Sprintf("Rule(%d)", uint8(r))
}

var ruleNames = [...]string{"float", "r", "sr", "bc", "bc-stochastic"}

// Discrete reports whether the stored weights are grid points (R and SR).
func (r Rule) Discrete() bool { return r == R || r == SR }

// Read sets dst[i] to the weight at which the gradient is taken: w[i] for Float, R
// and SR, Q_d(w[i]) for BC, Q_s(w[i]) for BCStochastic. dst may be w. It panics if
// the lengths differ or a weight cannot be rounded.
func Read[T Real](r Rule, g Grid, dst, w []T, d Draw) {
	if len(dst) != len(w) {
		panic(fmt.Sprintf("quantize: Read: %d weights into %d", len(w), len(dst)))
	}
	switch r {
	case Float, R, SR:
		copy(dst, w)
	case BC:
		l := g.lattice()
		for i, x := range w {
			dst[i] = T(l.nearest(g.Project(float64(x))))
		}
	case BCStochastic:
		l, c := g.lattice(), newCoin[T](d)
		for i, x := range w {
			y := g.Project(float64(x))
			low, high := l.cell(y)
			if p := fraction(y, low, high); p > 0 && c.below(i, p) {
				low = high
			}
			dst[i] = T(low)
		}
	default:
		panic("quantize: Read: unknown " + r.String())
	}
}

// Update stores the rule's result of the step w - step in w:
//
//	Float, BC, BCStochastic   P(w - step)
//	R                         Q_d(P(w - step))
//	SR                        Q_s(P(w - step))
//
// where step is alpha times the gradient, or Adam's step. SR never forms w - step:
// it needs w on the grid and rounds the displacement ([Grid.Move]), so that the
// probability of a move keeps its relative accuracy for any small step. Index i of
// the draw decides weight i; float64 weights compare a 53-bit uniform number with
// the probability p, float32 weights a 32-bit word with floor(p * 2^32).
//
// It panics if the lengths differ, or if a step is NaN or a weight cannot be rounded.
func Update[T Real](r Rule, g Grid, w, step []T, d Draw) {
	if len(step) != len(w) {
		panic(fmt.Sprintf("quantize: Update: %d steps for %d weights", len(step), len(w)))
	}
	switch r {
	case Float, BC, BCStochastic:
		for i := range w {
			w[i] = T(g.Project(float64(w[i] - step[i])))
		}
	case R:
		l := g.lattice()
		for i := range w {
			w[i] = T(l.nearest(g.Project(float64(w[i] - step[i]))))
		}
	case SR:
		l, c := g.lattice(), newCoin[T](d)
		for i, s := range step {
			from, s := inBox(g, w[i]), -float64(s)
			k, p := l.steps(from, s)
			if p > 0 && c.below(i, p) {
				k++
			}
			w[i] = T(l.walk(from, math.Copysign(k, s)))
		}
	default:
		panic("quantize: Update: unknown " + r.String())
	}
}

// inBox returns w as a float64. A corner such as 0.3, rounded to float32, may lie
// outside the box by half a unit in its last place; it is that corner.
func inBox[T Real](g Grid, w T) float64 {
	switch w {
	case T(g.Hi):
		return g.Hi
	case T(g.Lo):
		return g.Lo
	}
	return float64(w)
}

// coin decides events with the words of one draw. It keeps the pair of blocks that
// it read last: consecutive weights share blocks.
type coin struct {
	draw   Draw
	single bool   // for float32 weights
	odd    uint32 // the second block in words; 0: nothing read
	words  [8]uint32
}

func newCoin[T Real](d Draw) coin {
	var t T
	_, single := any(t).(float32)
	return coin{draw: d, single: single}
}

// below reports an event of probability p in [0, 1), decided by index i of the draw:
// Uniform(i) < p for float64 weights, Bits(i) < floor(p 2^32) for float32.
func (c *coin) below(i int, p float64) bool {
	if c.single {
		c.fetch(uint32(i >> 2))
		return c.words[i&7] < uint32(p*0x1p32)
	}
	c.fetch(uint32(i >> 1))
	i = i & 3 * 2
	return Uniform53(c.words[i], c.words[i+1]) < p
}

// fetch reads the pair of blocks (even, odd) of which block is one.
func (c *coin) fetch(block uint32) {
	if block |= 1; block != c.odd {
		c.odd = block
		c.draw.Noise.pair(&c.words, c.draw.Stream, c.draw.Step, block-1)
	}
}

// ErrorSecondMoment returns E|r|^2 = Delta^2 q (1-q) of Q_s for one coordinate,
// where q is the fraction of a grid step left over by the step (proof of Lemma 1).
func (g Grid) ErrorSecondMoment(w, step float64) float64 {
	l := g.lattice()
	_, q := l.steps(w, step)
	return g.Delta * g.Delta * q * (1 - q)
}
