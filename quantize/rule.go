package quantize

import "fmt"

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
	c := coin{draw: d}
	switch r {
	case Float, R, SR:
		copy(dst, w)
	case BC:
		for i, x := range w {
			dst[i] = T(g.Nearest(float64(x)))
		}
	case BCStochastic:
		for i, x := range w {
			low, p := g.UpProbability(float64(x))
			if p > 0 && below[T](&c, i, p) {
				low = g.walk(low, 1)
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
	c := coin{draw: d}
	switch r {
	case Float, BC, BCStochastic:
		for i := range w {
			w[i] = T(g.Project(float64(w[i] - step[i])))
		}
	case R:
		for i := range w {
			w[i] = T(g.Nearest(float64(w[i] - step[i])))
		}
	case SR:
		for i := range w {
			near, far, p := g.Move(inBox(g, w[i]), -float64(step[i]))
			if p > 0 && below[T](&c, i, p) {
				near = far
			}
			w[i] = T(near)
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

// coin decides events with the words of one draw. It keeps the block it read last:
// consecutive weights share blocks.
type coin struct {
	draw  Draw
	words [4]uint32
	block uint32
	read  bool // words holds block
}

// below reports an event of probability p in [0, 1), decided by index i of the draw:
// Uniform(i) < p for float64 weights, Bits(i) < floor(p 2^32) for float32.
func below[T Real](c *coin, i int, p float64) bool {
	var t T
	_, single := any(t).(float32)
	shift := 1
	if single {
		shift = 2
	}
	if b := uint32(i >> shift); !c.read || b != c.block {
		c.words, c.block, c.read = c.draw.Noise.Block(c.draw.Stream, c.draw.Step, b), b, true
	}
	if single {
		return c.words[i&3] < uint32(p*0x1p32)
	}
	return Uniform53(c.words[(i&1)*2], c.words[(i&1)*2+1]) < p
}

// ErrorSecondMoment returns E|r|^2 = Delta^2 q (1-q) of Q_s for one coordinate,
// where q is the fraction of a grid step left over by the step (proof of Lemma 1).
func (g Grid) ErrorSecondMoment(w, step float64) float64 {
	_, q := g.steps(w, step)
	return g.Delta * g.Delta * q * (1 - q)
}
