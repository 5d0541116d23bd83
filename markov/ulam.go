package markov

import (
	"context"
	"fmt"
	"slices"

	"tqn/quantize"
)

// Ulam is BinaryConnect, equation (7) with Q_d, as a finite chain on the cells of a
// fine partition of the box. Its states are cells of float weights; Law on the
// grid comes from Quantised.
type Ulam struct {
	*Chain
	Grid    quantize.Grid // of the weights the gradient is taken at
	PerStep int           // cells in one grid step
	centres quantize.Grid
}

// BinaryConnect discretises w <- P(w - alpha*g(Q_d(w))) by Ulam's method
// (S. Ulam, A Collection of Mathematical Problems, 1960, chapter VI; convergence: T.-Y.
// Li, J. Approx. Theory 17 (1976) 177-186): the chain jumps to the cell in which
// a weight uniform in its cell would land. perStep is even, so that the
// thresholds of Q_d are cell borders and the gradient's law is the same all over a cell.
//
// Those probabilities are exact, and known: a uniform start spreads a step by the
// box function, the target cell integrates it over the box function again, and
// box * box is the tent of stochastic rounding. Ulam's chain of BC is SR on a grid as
// fine as the cells, with the gradient of the coarse grid. Hence its error: it
// adds SR's variance, at most h*alpha*|g| for cells of width h, to the variance
// of the noise, alpha^2 Var g; h should be far below alpha*Var g/|g|.
// What the projection piles up at an end of the box is spread over the last cell.
//
// Moves less likely than drop are left out.
func BinaryConnect(g quantize.Grid, gradient func(w float64) Law, alpha float64, perStep int, drop float64) (*Ulam, error) {
	if !g.Bounded() {
		return nil, fmt.Errorf("markov: BinaryConnect on an unbounded grid")
	}
	if perStep < 2 || perStep%2 != 0 {
		return nil, fmt.Errorf("markov: %d cells in a grid step; want an even number, so that the thresholds of Q_d are borders", perStep)
	}
	h := g.Delta / float64(perStep)
	cells := (g.Len() - 1) * perStep
	if cells < 2 || cells > maxStates/64 {
		return nil, fmt.Errorf("markov: %d cells; want 2 to %d", cells, maxStates/64)
	}
	u := &Ulam{Grid: g, PerStep: perStep, centres: quantize.Grid{Delta: h, Lo: g.Lo + h/2, Hi: g.Lo + h/2 + float64(cells-1)*h}}
	// The cells of one threshold interval share their law; so, inside the box, they share
	// the probabilities of each displacement, in the order of their targets.
	wide := quantize.Grid{Delta: h, Lo: -float64(cells) * h, Hi: float64(cells) * h} // far from its ends
	laws := make([]Law, g.Len())
	inner := make([][]move, g.Len())
	reach := make([]int, g.Len())
	entries := 0
	for k := range inner {
		laws[k] = gradient(g.Point(k))
		moves := coordinateMoves(nil, laws[k], cells, wide, alpha, drop)[1:]
		slices.SortFunc(moves, func(a, b move) int { return a.steps - b.steps })
		if len(moves) > 0 {
			reach[k] = max(-moves[0].steps, moves[len(moves)-1].steps)
		}
		inner[k], entries = moves, entries+len(moves)*perStep
	}
	ptr := make([]int, 1, cells+1)
	col := make([]int32, 0, entries)
	val := make([]float64, 0, entries)
	var law *known // laws[of], for the cells near the box's ends
	of := -1
	for x := range cells {
		k := u.nearest(x)
		moves := inner[k]
		if x-reach[k] <= 0 || x+reach[k] >= cells-1 {
			if of != k {
				law, of = newKnown(laws[k]), k
			}
			moves = coordinateMoves(nil, law, x, u.centres, alpha, drop)[1:]
		}
		for _, m := range moves {
			col, val = append(col, int32(x+m.steps)), append(val, m.p)
		}
		ptr = append(ptr, len(col))
	}
	var err error
	u.Chain, err = fromCSR(cells, ptr, col, val, 1)
	return u, err
}

// known is a law that computes each value once: the moves of the cells whose reach crosses an end of the box ask for the same ones.
type known struct {
	Law
	excess, shortfall map[float64]float64    // of a
	tent              map[[2]float64]float64 // of c and h
}

func newKnown(l Law) *known {
	return &known{l, map[float64]float64{}, map[float64]float64{}, map[[2]float64]float64{}}
}

func (k *known) Excess(a float64) float64    { return kept(k.excess, a, k.Law.Excess) }
func (k *known) Shortfall(a float64) float64 { return kept(k.shortfall, a, k.Law.Shortfall) }

func (k *known) Tent(c, h float64) float64 {
	return kept(k.tent, [2]float64{c, h}, func([2]float64) float64 { return k.Law.Tent(c, h) })
}

// kept returns f(x), from values where it is there.
func kept[X comparable](values map[X]float64, x X, f func(X) float64) float64 {
	y, ok := values[x]
	if !ok {
		y = f(x)
		values[x] = y
	}
	return y
}

// nearest returns the index of the grid point Q_d takes a weight inside cell x to.
func (u *Ulam) nearest(x int) int { return (x + u.PerStep/2) / u.PerStep }

// Cell returns the borders of a cell.
func (u *Ulam) Cell(x int) (lo, hi float64) {
	h := u.centres.Delta
	return u.Grid.Lo + float64(x)*h, u.Grid.Lo + float64(x+1)*h
}

// ulamError is the proven relative error up to which Stationary gives a law: the
// elimination of 1e5 cells makes more roundings than CertifiedError allows for, and the
// discretisation errs by far more.
const ulamError = 1e-6

// Stationary returns the stationary law of the cells: every entry of at least 2.3e-308 is
// proven right to a relative 1e-6. What cannot be proven is ErrUncertified.
func (u *Ulam) Stationary() ([]float64, error) {
	class, err := u.closed()
	if err != nil {
		return nil, err
	}
	c := u.Chain
	if len(class.States) < u.n {
		c = u.sub(class.States)
	}
	if law, err := c.direct(context.Background()); err == nil && law.ErrorBound <= ulamError && law.Covers == smallestNormal {
		return spread(law.Law, class, u.n), nil
	}
	return u.Chain.Stationary()
}

// Quantised returns the law of Q_d(w) on the grid for a law of the cells.
func (u *Ulam) Quantised(law []float64) []float64 {
	q := make([]float64, u.Grid.Len())
	for x, p := range law {
		q[u.nearest(x)] += p
	}
	return q
}
