package markov

import (
	"context"
	"fmt"
	"math"
)

// ReversibleTolerance is the relative difference of the two flows between a
// pair of states that Reversible forgives: the rounding of rates computed from
// formulas, far below any flow that matters.
const ReversibleTolerance = 1e-9

// Reversible reports whether detailed balance holds: pi(x) q(x,y) = pi(y) q(y,x) for
// all x, y, within ReversibleTolerance of the larger flow. It is ErrReducible if
// there is no single stationary law, and an error where the law has entries below the
// smallest normal float64, whose flows are not known.
func (c *Chain) Reversible() (bool, error) {
	pi, err := c.Stationary()
	if err != nil {
		return false, err
	}
	is, known := c.reversible(pi)
	if !known {
		return false, errRange
	}
	return is, nil
}

// reversible is known unless all flows that are known balance and others are not
// known. Flows are compared with an exponent beside them, so that small rates do no harm.
func (c *Chain) reversible(pi []float64) (is, known bool) {
	known = true
	for x := range c.n {
		cols, vals := c.row(x)
		for i, y := range cols {
			back := c.Rate(int(y), x)
			switch {
			case vals[i] == 0:
			case back == 0:
				return false, true
			case pi[x] < smallestNormal || pi[y] < smallestNormal:
				known = false
			default:
				ratio := toWide(pi[x]).mul(toWide(vals[i])).div(toWide(pi[y]).mul(toWide(back))).float64()
				if max(ratio, 1/ratio)*(1-ReversibleTolerance) > 1 {
					return false, true
				}
			}
		}
	}
	return known, known
}

// Conductance is the bottleneck ratio min over sets S with pi(S) <= 1/2 of
// Q(S, not S)/pi(S), where Q(x,y) = pi(x) P(x,y).
type Conductance struct {
	Value float64
	Set   []int // a set with this ratio
	Exact bool  // false: an upper bound from a sweep
}

// Conductance returns the bottleneck ratio of an irreducible chain: exactly for
// birth-death chains of any size and for up to 20 states, otherwise the best set
// of a sweep along the slowest mode, which is an upper bound.
//
// In a birth-death chain the best set is an initial or a final segment: the
// components of a set are no worse than the set (mediant inequality), and for an
// inner interval S between L and R, with pi(L)+pi(R) >= 1/2 >= pi(S), one of L, R or
// their complements is at least as good, by the same inequality.
func (c *Chain) Conductance() (Conductance, error) {
	if c.n < 2 || !c.Irreducible() {
		return Conductance{}, fmt.Errorf("markov: conductance needs an irreducible chain with at least two states")
	}
	pi, err := c.stationary()
	if err != nil {
		return Conductance{}, err
	}
	return c.conductance(pi)
}

func (c *Chain) conductance(pi []float64) (Conductance, error) {
	order := make([]int, c.n)
	for x := range order {
		order[x] = x
	}
	switch {
	case c.birthDeath():
		r := c.sweep(pi, order)
		r.Exact = true
		return r, nil
	case c.n <= 20:
		return c.allSets(pi), nil
	}
	mode, err := c.slowMode(pi)
	if err != nil {
		return Conductance{}, err
	}
	sortBy(order, mode)
	return c.sweep(pi, order), nil
}

// sweep tries the initial and final segments of an order of the states.
func (c *Chain) sweep(pi []float64, order []int) Conductance {
	inside := make([]bool, c.n)
	position := make([]int, c.n)
	for i, x := range order {
		position[x] = i
	}
	into := make([]float64, c.n+1) // flow across the cut before position i, as differences
	for x := range c.n {
		cols, vals := c.row(x)
		for j, y := range cols {
			if a, b := position[x], position[y]; a < b {
				into[a+1] += pi[x] * vals[j]
				into[b+1] -= pi[x] * vals[j]
			}
		}
	}
	// Differences cancel: where a cut is far below its neighbours its flow is summed anew.
	head := make([]float64, c.n+1)
	tail := make([]float64, c.n+1)
	for i := range c.n {
		head[i+1] = head[i] + pi[order[i]]
	}
	for i := c.n - 1; i >= 0; i-- {
		tail[i] = tail[i+1] + pi[order[i]]
	}
	best := Conductance{Value: math.Inf(1)}
	cut, size := 0, 0.0
	across, widest := 0.0, 0.0
	for i := 1; i < c.n; i++ {
		inside[order[i-1]] = true
		across += into[i]
		widest = max(widest, math.Abs(across), math.Abs(into[i]))
		mass := min(head[i], tail[i])
		flow := across
		if flow < 1e-6*widest || c.birthDeath() {
			flow = c.cutFlow(pi, order, position, i)
		}
		if r := c.alpha * flow / mass; r < best.Value {
			best.Value, cut, size = r, i, head[i]
		}
	}
	if size <= 0.5 {
		best.Set = append(best.Set, order[:cut]...)
	} else {
		best.Set = append(best.Set, order[cut:]...)
	}
	return best
}

// cutFlow sums the flow from order[:i] to order[i:] directly.
func (c *Chain) cutFlow(pi []float64, order, position []int, i int) float64 {
	s := 0.0
	from := 0
	if c.isLine(order) {
		from = i - 1
	}
	for _, x := range order[from:i] {
		cols, vals := c.row(x)
		for j, y := range cols {
			if position[y] >= i {
				s += pi[x] * vals[j]
			}
		}
	}
	return s
}

// isLine reports whether only the last state before a cut has moves across it.
func (c *Chain) isLine(order []int) bool {
	return order[0] == 0 && order[c.n-1] == c.n-1 && c.birthDeath()
}

func (c *Chain) allSets(pi []float64) Conductance {
	best, bestSet := math.Inf(1), 0
	for set := 1; set < 1<<c.n-1; set++ {
		mass, flow := 0.0, 0.0
		for x := range c.n {
			if set>>x&1 == 0 {
				continue
			}
			mass += pi[x]
			cols, vals := c.row(x)
			for i, y := range cols {
				if set>>y&1 == 0 {
					flow += pi[x] * vals[i]
				}
			}
		}
		if mass <= 0.5*(1+1e-15) && flow/mass < best {
			best, bestSet = flow/mass, set
		}
	}
	r := Conductance{Value: c.alpha * best, Exact: true}
	for x := range c.n {
		if bestSet>>x&1 == 1 {
			r.Set = append(r.Set, x)
		}
	}
	return r
}

// slowMode returns an approximate right eigenvector of the slowest mode: a few
// steps of the power method with the group inverse.
func (c *Chain) slowMode(pi []float64) ([]float64, error) {
	v, err := c.expectedVisits(context.Background())
	if err != nil {
		return nil, err
	}
	h := v.deviation()
	f := make([]float64, c.n)
	for x := range f {
		f[x] = math.Sin(float64(x) + 1) // any start that is not orthogonal to the mode
	}
	g := make([]float64, c.n)
	for range 50 {
		norm := 0.0
		for x := range g {
			g[x] = 0
			for y, w := range h[x*c.n : (x+1)*c.n] {
				g[x] += w * f[y]
			}
			norm = max(norm, math.Abs(g[x]))
		}
		for x := range g {
			f[x] = g[x] / norm
		}
	}
	return f, nil
}

// Lump returns the chain of blocks of a partition, block[x] in 0..m-1, if the
// chain is (strongly) lumpable: from all states of a block the rate to every other
// block is the same, within a relative 1e-12 (Kemeny and Snell, Theorem 6.3.2). If it
// is not, the error names two states and their rates.
func (c *Chain) Lump(block []int) (*Chain, error) {
	if len(block) != c.n {
		panic("markov: Lump: one block a state")
	}
	m := 0
	for x, b := range block {
		if b < 0 || b >= c.n {
			return nil, fmt.Errorf("markov: state %d is in block %d; blocks are 0 to at most %d", x, b, c.n-1)
		}
		m = max(m, b+1)
	}
	first := make([]int, m)
	for b := range first {
		first[b] = -1
	}
	sums := make([]map[int]float64, m)
	var rates []Rate
	for x, b := range block {
		s := map[int]float64{}
		c.Moves(x, func(y int, r float64) {
			if block[y] != b {
				s[block[y]] += r
			}
		})
		if first[b] < 0 {
			first[b], sums[b] = x, s
			continue
		}
		for to := range m {
			if u, v := sums[b][to], s[to]; math.Abs(u-v) > 1e-12*max(u, v) {
				return nil, fmt.Errorf("markov: not lumpable: from block %d to block %d state %d has rate %g and state %d has rate %g", b, to, first[b], u, x, v)
			}
		}
	}
	for b, s := range sums {
		if s == nil {
			return nil, fmt.Errorf("markov: block %d has no state", b)
		}
		for to := range m {
			if s[to] > 0 {
				rates = append(rates, Rate{b, to, s[to]})
			}
		}
	}
	return FromRates(m, rates, c.alpha)
}
