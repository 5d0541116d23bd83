package markov

import (
	"errors"
	"fmt"
	"math"
	"slices"
)

// Rate is one off-diagonal entry q(From, To) of a generator Q.
type Rate struct {
	From, To int
	Rate     float64 // per unit of time; the probability of the move is Alpha*Rate
}

// Chain is a finite Markov chain kept as off-diagonal rates in compressed rows:
//
//	P = I + alpha*Q,   Q(x,y) = q(x,y) >= 0 for x != y,   Q(x,x) = -sum_y q(x,y).
//
// A chain is immutable and safe for concurrent use.
type Chain struct {
	n     int
	alpha float64
	ptr   []int     // row x is col[ptr[x]:ptr[x+1]]
	col   []int32   // increasing within a row, never the row itself
	val   []float64 // positive rates
	exit  []float64 // row sums of val
	hold  []float64 // P(x,x) where the user gave it; nil otherwise
}

// Errors that callers tell apart with errors.Is.
var (
	// ErrReducible says that a chain has more than one closed class, so that
	// no single stationary law exists. StationaryLaws returns all extreme ones.
	ErrReducible = errors.New("markov: more than one closed class")
	// ErrTooSlow says that a mixing time exceeds 2^62 steps. alpha times it is
	// ContinuousMixingTime to 18 digits.
	ErrTooSlow = errors.New("markov: the chain mixes too slowly to count its steps")
	// ErrPeriodic says that a chain does not converge in total variation.
	ErrPeriodic = errors.New("markov: the closed class is periodic")
)

// maxStates keeps states in an int32 column index.
const maxStates = 1 << 30

// FromRates returns the chain P = I + alpha*Q on states 0..n-1. Rates of the
// same pair are added; zero rates are dropped. It is an error if a rate is
// negative or not finite, a state is out of range, a rate leads from a state to
// itself, or alpha times a row sum exceeds one (then alpha is above MaxAlpha).
func FromRates(n int, rates []Rate, alpha float64) (*Chain, error) {
	if !(alpha > 0) || math.IsInf(alpha, 1) {
		return nil, fmt.Errorf("markov: alpha is %g; want a finite number > 0", alpha)
	}
	if n < 1 || n > maxStates {
		return nil, fmt.Errorf("markov: %d states; want 1 to %d", n, maxStates)
	}
	ptr := make([]int, n+1)
	for i, r := range rates {
		switch {
		case r.From < 0 || r.From >= n || r.To < 0 || r.To >= n:
			return nil, fmt.Errorf("markov: rate %d goes from %d to %d; states are 0 to %d", i, r.From, r.To, n-1)
		case r.From == r.To:
			return nil, fmt.Errorf("markov: rate %d leads from state %d to itself; the diagonal follows from the other entries", i, r.From)
		case !(r.Rate >= 0) || math.IsInf(r.Rate, 1):
			return nil, fmt.Errorf("markov: rate %d from %d to %d is %g; want a finite number >= 0", i, r.From, r.To, r.Rate)
		}
		ptr[r.From+1]++
	}
	for x := range n {
		ptr[x+1] += ptr[x]
	}
	col := make([]int32, len(rates))
	val := make([]float64, len(rates))
	next := slices.Clone(ptr[:n])
	for _, r := range rates {
		col[next[r.From]], val[next[r.From]] = int32(r.To), r.Rate
		next[r.From]++
	}
	return fromCSR(n, ptr, col, val, alpha)
}

// FromDense is FromRates for a square matrix; the diagonal is ignored because
// it follows from the off-diagonal entries.
func FromDense(q [][]float64, alpha float64) (*Chain, error) {
	var rates []Rate
	for x, row := range q {
		if len(row) != len(q) {
			return nil, fmt.Errorf("markov: row %d has %d entries, the matrix has %d rows", x, len(row), len(q))
		}
		for y, r := range row {
			if x != y && r != 0 {
				rates = append(rates, Rate{x, y, r})
			}
		}
	}
	return FromRates(len(q), rates, alpha)
}

// RowSumTolerance is how far from one a row of a user's matrix may sum before
// FromMatrix refuses it: entries printed with nine digits pass.
const RowSumTolerance = 1e-8

// FromMatrix returns the chain (alpha = 1) of a row-stochastic matrix. The
// off-diagonal entries are the data; the diagonal is checked, |row sum - 1| <=
// RowSumTolerance, and used for the period only. The error names row and sum.
func FromMatrix(p [][]float64) (*Chain, error) {
	hold := make([]float64, len(p))
	for x, row := range p {
		if len(row) != len(p) {
			return nil, fmt.Errorf("markov: row %d has %d entries, the matrix has %d rows", x, len(row), len(p))
		}
		sum := 0.0
		for y, v := range row {
			if !(v >= 0) || v > 1+RowSumTolerance {
				return nil, fmt.Errorf("markov: row %d, column %d is %g; a probability lies in [0, 1]", x, y, v)
			}
			sum += v
		}
		if math.Abs(sum-1) > RowSumTolerance {
			return nil, fmt.Errorf("markov: row %d sums to %.10g, not to 1", x, sum)
		}
		hold[x] = row[x]
	}
	rates := make([]Rate, 0, len(p))
	for x, row := range p {
		off := 0.0
		for y, v := range row {
			if x != y {
				off += v
			}
		}
		scale := 1.0
		if off > 1 { // entries rounded upwards: scale them back rather than refuse
			scale = 1 / off
		}
		for y, v := range row {
			if x != y && v > 0 {
				rates = append(rates, Rate{x, y, v * scale})
			}
		}
	}
	c, err := FromRates(len(p), rates, 1)
	if err != nil {
		return nil, err
	}
	c.hold = hold
	return c, nil
}

// fromCSR takes ownership of its slices; columns are sorted and merged here. An
// alpha of zero stands for half of MaxAlpha.
func fromCSR(n int, ptr []int, col []int32, val []float64, alpha float64) (*Chain, error) {
	exit := make([]float64, n)
	out := 0
	var order []int
	for x := range n {
		lo, hi := ptr[x], ptr[x+1]
		ptr[x] = out
		c, v := col[lo:hi], val[lo:hi]
		if !slices.IsSorted(c) {
			order = order[:0]
			for i := range c {
				order = append(order, i)
			}
			slices.SortStableFunc(order, func(i, j int) int { return int(c[i]) - int(c[j]) })
			cc, vv := make([]int32, len(c)), make([]float64, len(c))
			for i, o := range order {
				cc[i], vv[i] = c[o], v[o]
			}
			copy(c, cc)
			copy(v, vv)
		}
		sum, row := 0.0, out
		for i := range c {
			if v[i] == 0 {
				continue
			}
			sum += v[i]
			if out > row && col[out-1] == c[i] {
				val[out-1] += v[i]
				continue
			}
			col[out], val[out] = c[i], v[i]
			out++
		}
		exit[x] = sum
	}
	ptr[n] = out
	c := &Chain{n: n, ptr: ptr, col: col[:out], val: val[:out], exit: exit}
	if alpha == 0 {
		if alpha = min(1, c.MaxAlpha()/2); !(alpha > 0) {
			return nil, fmt.Errorf("markov: rates overflow: a row sums to %g", maxOf(exit))
		}
	}
	return c.WithAlpha(alpha)
}

// WithAlpha returns the chain with the same rates and another alpha.
func (c *Chain) WithAlpha(alpha float64) (*Chain, error) {
	if !(alpha > 0) || math.IsInf(alpha, 1) {
		return nil, fmt.Errorf("markov: alpha is %g; want a finite number > 0", alpha)
	}
	for x, e := range c.exit {
		if math.IsInf(e, 1) {
			return nil, fmt.Errorf("markov: the rates of row %d overflow", x)
		}
		if alpha*e > 1+float64(c.ptr[x+1]-c.ptr[x]+4)*0x1p-52 {
			return nil, fmt.Errorf("markov: alpha = %g times the rates of row %d sum to %.17g, more than 1; alpha may be at most %g", alpha, x, alpha*e, c.MaxAlpha())
		}
	}
	d := *c
	d.alpha, d.hold = alpha, nil
	return &d, nil
}

// States returns the number of states n.
func (c *Chain) States() int { return c.n }

// Alpha returns the alpha of P = I + alpha*Q.
func (c *Chain) Alpha() float64 { return c.alpha }

// MaxAlpha returns alpha_0 of equation (9): the largest alpha for which
// I + alpha*Q has no negative entry. It is +Inf for a chain without moves.
func (c *Chain) MaxAlpha() float64 { return 1 / slices.Max(c.exit) }

// Rate returns q(x, y) for x != y, and minus the row sum for x == y.
func (c *Chain) Rate(x, y int) float64 {
	if x == y {
		return -c.exit[x]
	}
	cols, vals := c.row(x)
	if i, ok := slices.BinarySearch(cols, int32(y)); ok {
		return vals[i]
	}
	return 0
}

// P returns the transition probability P(x, y).
func (c *Chain) P(x, y int) float64 {
	if x == y {
		return c.holding(x)
	}
	return c.alpha * c.Rate(x, y)
}

// Entries returns the number of positive off-diagonal rates.
func (c *Chain) Entries() int { return len(c.val) }

// Moves calls f for every positive rate q(x, y) out of x, y increasing.
func (c *Chain) Moves(x int, f func(y int, rate float64)) {
	cols, vals := c.row(x)
	for i, y := range cols {
		f(int(y), vals[i])
	}
}

func (c *Chain) row(x int) ([]int32, []float64) {
	return c.col[c.ptr[x]:c.ptr[x+1]], c.val[c.ptr[x]:c.ptr[x+1]]
}

// holding returns P(x,x). A value within the rounding error of the row sum is
// zero: 1/3+1/3+1/3 out of a state leaves no probability to stay.
func (c *Chain) holding(x int) float64 {
	if c.hold != nil {
		return c.hold[x]
	}
	h := 1 - c.alpha*c.exit[x]
	if h < float64(c.ptr[x+1]-c.ptr[x]+4)*0x1p-52 {
		return 0
	}
	return h
}

// Step sets dst to the law after one step, p P, and returns dst, which is made
// if nil and must not overlap p. The law of w^t under SR with step sizes
// alpha_t is Step applied with the chains of alpha_1, alpha_2, ...
func (c *Chain) Step(dst, p []float64) []float64 {
	if len(p) != c.n || dst != nil && len(dst) != c.n {
		panic("markov: Step: the law and the chain have different numbers of states")
	}
	if dst == nil {
		dst = make([]float64, c.n)
	}
	for x := range dst {
		dst[x] = p[x] * max(0, 1-c.alpha*c.exit[x])
	}
	for x, px := range p {
		if px == 0 {
			continue
		}
		cols, vals := c.row(x)
		for i, y := range cols {
			dst[y] += px * (c.alpha * vals[i])
		}
	}
	return dst
}

// Residual returns how far pi is from being stationary, as a fraction of the
// flow: sum_y |flow into y - flow out of y| / sum_y flow out of y. It does not
// depend on alpha, unlike |pi P - pi|, which any law makes small with alpha.
func (c *Chain) Residual(pi []float64) float64 {
	in := make([]float64, c.n)
	for x, p := range pi {
		cols, vals := c.row(x)
		for i, y := range cols {
			in[y] += p * vals[i]
		}
	}
	num, den := 0.0, 0.0
	for y := range in {
		out := pi[y] * c.exit[y]
		num += math.Abs(in[y] - out)
		den += out
	}
	if den == 0 {
		return 0
	}
	return num / den
}

// Dense returns P as rows. Its diagonal cannot show an alpha below 1e-16: it
// is for printing and for comparisons, not for computing.
func (c *Chain) Dense() [][]float64 {
	p := make([][]float64, c.n)
	for x := range p {
		p[x] = make([]float64, c.n)
		p[x][x] = c.holding(x)
		cols, vals := c.row(x)
		for i, y := range cols {
			p[x][y] = c.alpha * vals[i]
		}
	}
	return p
}

// denseRates returns the off-diagonal rates, row-major, with a zero diagonal.
func (c *Chain) denseRates() []float64 {
	q := make([]float64, c.n*c.n)
	for x := range c.n {
		cols, vals := c.row(x)
		for i, y := range cols {
			q[x*c.n+int(y)] = vals[i]
		}
	}
	return q
}

// sub returns the chain restricted to the given states, which must be closed.
func (c *Chain) sub(states []int) *Chain {
	index := make(map[int32]int32, len(states))
	for i, x := range states {
		index[int32(x)] = int32(i)
	}
	d := &Chain{n: len(states), alpha: c.alpha, ptr: make([]int, 1, len(states)+1), exit: make([]float64, len(states))}
	for i, x := range states {
		cols, vals := c.row(x)
		for j, y := range cols {
			k, ok := index[y]
			if !ok {
				panic("markov: sub: the states are not closed")
			}
			d.col = append(d.col, k)
			d.val = append(d.val, vals[j])
		}
		d.exit[i] = c.exit[x]
		d.ptr = append(d.ptr, len(d.col))
		if c.hold != nil {
			d.hold = append(d.hold, c.hold[x])
		}
	}
	return d
}
