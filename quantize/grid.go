package quantize

import (
	"fmt"
	"math"
)

// Grid is the set of points Lo + k*Delta in [Lo, Hi], the same in every
// coordinate; an unbounded grid (Lo = -Inf, Hi = +Inf) is {k*Delta}.
type Grid struct {
	Delta  float64 // step, > 0
	Lo, Hi float64 // corners of the box, themselves grid points
}

// MaxPoints bounds |w|/Delta: beyond 2^52 neighbouring grid points are no longer
// distinct float64 numbers and rounding would be meaningless.
const MaxPoints = 1 << 52

// NewGrid returns the grid with step delta on the box [lo, hi]. It is an error if
// delta is not positive and finite, if the corners are not finite with lo < hi, if
// hi - lo is not a whole number of steps, or if the grid has more than
// [MaxPoints] points or points too large to be told apart.
func NewGrid(delta, lo, hi float64) (Grid, error) {
	if err := checkDelta(delta); err != nil {
		return Grid{}, err
	}
	if !(lo < hi) || math.IsInf(lo, 0) || math.IsInf(hi, 0) {
		return Grid{}, fmt.Errorf("quantize: box [%g, %g]: want finite corners with lo < hi", lo, hi)
	}
	n := (hi - lo) / delta
	if math.Max(n, math.Max(math.Abs(lo), math.Abs(hi))/delta) > MaxPoints {
		return Grid{}, fmt.Errorf("quantize: box [%g, %g] spans more than 2^52 steps of %g: grid points are not distinct", lo, hi, delta)
	}
	// A corner is accepted if it is a grid point up to the rounding of decimal
	// input such as 0.1: a few units in the last place of the number of steps.
	if k := math.Round(n); k < 1 || math.Abs(n-k) > 4*0x1p-52*math.Max(k, math.Max(math.Abs(lo), math.Abs(hi))/delta) {
		return Grid{}, fmt.Errorf("quantize: box [%g, %g] is %g steps of %g wide: want a whole number, so that the corners are grid points", lo, hi, n, delta)
	}
	return Grid{Delta: delta, Lo: lo, Hi: hi}, nil
}

// Unbounded returns the grid {k*delta}. It is an error if delta is not positive
// and finite.
func Unbounded(delta float64) (Grid, error) {
	return Grid{Delta: delta, Lo: math.Inf(-1), Hi: math.Inf(1)}, checkDelta(delta)
}

// Binary returns the grid {-1, +1}: Delta = 2 on [-1, 1].
func Binary() Grid { return Grid{Delta: 2, Lo: -1, Hi: 1} }

func checkDelta(delta float64) error {
	if !(delta > 0) || math.IsInf(delta, 0) {
		return fmt.Errorf("quantize: Delta = %g: want a positive finite grid step", delta)
	}
	return nil
}

// Bounded reports whether the grid is finite.
func (g Grid) Bounded() bool { return !math.IsInf(g.Lo, 0) }

// origin is a grid point from which points are counted.
func (g Grid) origin() float64 {
	if g.Bounded() {
		return g.Lo
	}
	return 0
}

// Len returns the number of points per coordinate, 0 for an unbounded grid.
func (g Grid) Len() int {
	if !g.Bounded() {
		return 0
	}
	return int(math.Round((g.Hi-g.Lo)/g.Delta)) + 1
}

// lattice is a grid with what its methods ask for again and again.
type lattice struct {
	Grid
	origin  float64
	inverse float64 // 1/Delta rounded: for a first guess only
	last    int     // index of Hi; MaxInt on an unbounded grid
	bounded bool
}

func (g Grid) lattice() lattice {
	l := lattice{Grid: g, origin: g.origin(), inverse: 1 / g.Delta, last: math.MaxInt, bounded: g.Bounded()}
	if l.bounded {
		l.last = g.Len() - 1
	}
	return l
}

// point is Point(i) for i known to be in range.
func (l *lattice) point(i int) float64 {
	if i == l.last {
		return l.Hi
	}
	return l.origin + float64(i)*l.Delta
}

// Point returns Lo + i*Delta (i*Delta on an unbounded grid); the last point is
// Hi itself. On a bounded grid it panics unless 0 <= i < Len().
func (g Grid) Point(i int) float64 {
	if g.Bounded() {
		n := g.Len()
		if i < 0 || i >= n {
			panic(fmt.Sprintf("quantize: Point(%d) of a grid with %d points", i, n))
		}
		if i == n-1 {
			return g.Hi
		}
	}
	return g.origin() + float64(i)*g.Delta
}

// Index returns i with Point(i) == w, and whether w is a grid point.
func (g Grid) Index(w float64) (int, bool) {
	if !g.inside(w) {
		return 0, false
	}
	i := int(math.Round((w - g.origin()) / g.Delta))
	return i, g.Point(i) == w
}

// Contains reports whether w is a grid point.
func (g Grid) Contains(w float64) bool {
	_, ok := g.Index(w)
	return ok
}

// inside reports whether w is a finite number in the box that is not too large
// for its grid step.
func (g Grid) inside(w float64) bool {
	return w >= g.Lo && w <= g.Hi && math.Abs(w-g.origin()) <= MaxPoints*g.Delta
}

// Project returns the point of [Lo, Hi] nearest to w. Infinite w is projected
// like any other on a bounded grid. It panics if w is NaN: a NaN is a bug or a
// divergence, and rounding it would hide it.
func (g Grid) Project(w float64) float64 {
	if math.IsNaN(w) {
		panic("quantize: Project: NaN is not a weight")
	}
	return min(max(w, g.Lo), g.Hi)
}

// cell returns the grid points around w, low <= w < high, for w in the box; at the
// last grid point low = high = w. It panics if w is too large (or infinite, on an
// unbounded grid) for rounding to mean anything.
func (l *lattice) cell(w float64) (low, high float64) {
	if !(w >= l.Lo && w <= l.Hi && math.Abs(w-l.origin) <= MaxPoints*l.Delta) {
		panic(fmt.Sprintf("quantize: %g is too large to be rounded to a multiple of %g: |w|/Delta must be at most 2^52", w, l.Delta))
	}
	x := (w - l.origin) * l.inverse
	if l.inverse > math.MaxFloat64 { // Delta < 2^-1024
		x = (w - l.origin) / l.Delta
	}
	i := int(math.Floor(x))
	if l.bounded {
		i = min(max(i, 0), l.last-1)
	}
	low, high = l.point(i), l.point(i+1)
	// The product and the points are rounded: w may be in a neighbouring cell.
	for w < low {
		i--
		low, high = l.point(i), low
	}
	for w >= high {
		if i++; i == l.last {
			return high, high
		}
		low, high = high, l.point(i+1)
	}
	return low, high
}

// fraction is the part of the way from low to high at which w lies, 0 <= fraction < 1.
func fraction(w, low, high float64) float64 {
	if low == high {
		return 0
	}
	// Rounding may give 1 although w < high.
	return min((w-low)/(high-low), 1-0x1p-53)
}

// Nearest returns Q_d of the projection of w, equation (3): the nearest grid
// point; a midpoint goes away from zero, and the midpoint 0 (of the binary grid)
// goes up, so that Q_d(0) = +1 there.
//
// Special cases: it panics on NaN, and on an unbounded grid where
// |w|/Delta > 2^52.
func (g Grid) Nearest(w float64) float64 {
	l := g.lattice()
	return l.nearest(g.Project(w))
}

// nearest is Nearest for w in the box.
func (l *lattice) nearest(w float64) float64 {
	low, high := l.cell(w)
	switch cell := high - low; {
	case w-low < 0.25*cell:
		return low
	case w-low > 0.75*cell:
		return high
	}
	// Near the midpoint the sign of 2w - (low+high) decides, computed exactly: sum +
	// tail is low + high (Knuth's TwoSum), and 2w - sum is exact (Sterbenz).
	// Halves first, so that nothing overflows.
	a, b := low/2, high/2
	sum := a + b
	bb := sum - a
	tail := (a - (sum - bb)) + (b - bb)
	switch d := (w - sum) - tail; {
	case d < 0:
		return low
	case d > 0:
		return high
	case w < 0:
		return low
	default:
		return high
	}
}

// UpProbability returns the two outcomes' law of Q_s at the projection of w:
// low+Delta with probability p, low with probability 1-p, 0 <= p < 1. At a grid
// point low = w and p = 0. It panics where [Grid.Nearest] does.
func (g Grid) UpProbability(w float64) (low, p float64) {
	l, w := g.lattice(), g.Project(w)
	low, high := l.cell(w)
	return low, fraction(w, low, high)
}

// Stochastic returns Q_s of the projection of w, equation (5), for u uniform on
// [0, 1): the upper neighbour iff u < UpProbability. It panics where
// [Grid.Nearest] does.
func (g Grid) Stochastic(w, u float64) float64 {
	l, w := g.lattice(), g.Project(w)
	low, high := l.cell(w)
	if u < fraction(w, low, high) {
		return high
	}
	return low
}

// Move gives the law of Q_s(P(w + step)) for a grid point w without adding the
// step to w, so that it is right for steps far below the last place of w: the
// result is far with probability p and near otherwise, where near is
// floor(|step|/Delta) grid steps from w in the direction of step, far is one
// further, and p is the fraction left over, 0 <= p < 1 (Lemma 1's q or 1-q). The
// step is first cut at the box.
//
// It panics if w is not in the box, if step is NaN, or if |step|/Delta > 2^52.
func (g Grid) Move(w, step float64) (near, far, p float64) {
	l := g.lattice()
	k, frac := l.steps(w, step)
	near = l.walk(w, math.Copysign(k, step))
	far = near
	if frac > 0 {
		far = l.walk(w, math.Copysign(k+1, step))
	}
	return near, far, frac
}

// steps returns the whole steps and the fraction in |step|/Delta after the cut
// at the box.
func (l *lattice) steps(w, step float64) (k, frac float64) {
	if math.IsNaN(step) || !(w >= l.Lo && w <= l.Hi) {
		panic(fmt.Sprintf("quantize: Move(%g, %g) on the box [%g, %g]: want w in the box and a step that is a number", w, step, l.Lo, l.Hi))
	}
	room := l.Hi - w
	if step < 0 {
		step, room = -step, w-l.Lo
	}
	if step >= room && l.bounded {
		return math.Round(room / l.Delta), 0 // to the corner, without a remainder of rounding
	}
	x := step / l.Delta
	if x > MaxPoints {
		panic(fmt.Sprintf("quantize: a step of %g is too large for the grid step %g: |step|/Delta must be at most 2^52", step, l.Delta))
	}
	k = math.Floor(x)
	return k, x - k
}

// walk returns the grid point k steps from the grid point w, not beyond the box.
func (l *lattice) walk(w, k float64) float64 {
	if k == 0 {
		return w
	}
	i := math.Round((w-l.origin)/l.Delta) + k
	if l.bounded {
		i = min(max(i, 0), float64(l.last))
	}
	return l.point(int(i))
}
