package markov

import (
	"context"
	"math"
)

// wide is the non-negative number m * 2^e, 1/2 <= m < 1, or zero with m = 0: a float64
// whose exponent does not end. One operation makes one rounding, as with float64.
type wide struct {
	m float64
	e int64
}

func toWide(v float64) wide {
	m, e := math.Frexp(v)
	return wide{m, int64(e)}
}

func (a wide) float64() float64 {
	if a.m == 0 || a.e < -1100 {
		return 0
	}
	return math.Ldexp(a.m, int(min(a.e, 1100)))
}

func (a wide) mul(b wide) wide {
	m := a.m * b.m
	if m == 0 {
		return wide{}
	}
	if m < 0.5 {
		return wide{2 * m, a.e + b.e - 1}
	}
	return wide{m, a.e + b.e}
}

// div needs b > 0.
func (a wide) div(b wide) wide {
	if a.m == 0 {
		return wide{}
	}
	m := a.m / b.m // in (1/2, 2)
	if m >= 1 {
		return wide{m / 2, a.e - b.e + 1}
	}
	return wide{m, a.e - b.e}
}

func (a wide) add(b wide) wide {
	if a.m == 0 || b.m != 0 && b.e > a.e {
		a, b = b, a
	}
	if b.m == 0 {
		return a
	}
	m := a.m
	if d := a.e - b.e; d < 1000 { // beyond, b is less than half of the last place of a
		m += b.m * math.Float64frombits(uint64(1023-d)<<52) // 2^-d
	}
	if m >= 1 {
		return wide{m / 2, a.e + 1}
	}
	return wide{m, a.e}
}

// Limits of gthWide: products, some forty seconds of them, and entries, of 16 bytes.
const (
	wideWork    = 6_000_000_000
	wideEntries = 1 << 25
)

// gthWide is gthBand for rates so far apart that their products leave the range of
// float64. Entries of the law below the smallest float64 come out as zero.
func gthWide(ctx context.Context, c *Chain, below, above int) (pi []float64, ok bool) {
	n, w := c.n, below+above+1
	q := make([]wide, n*w) // q(x, y) is q[x*w + y-x+below]
	for x := range n {
		cols, vals := c.row(x)
		for i, y := range cols {
			q[x*w+int(y)-x+below] = toWide(vals[i])
		}
	}
	terms := make([]float64, below)
	for k := n - 1; k > 0; k-- {
		if ctx.Err() != nil {
			return nil, false
		}
		first := max(0, k-below)
		row := q[k*w+first-k+below : k*w+below] // states first..k-1
		sum := wideSum(row, terms)
		if sum.m == 0 {
			return nil, false
		}
		begin := max(0, k-above)
		parallel(k-begin, (k-begin)*len(row) > 1<<14, func(lo, hi int) {
			for i := begin + lo; i < begin+hi; i++ {
				at := i*w + k - i + below
				if q[at].m == 0 {
					continue
				}
				f := q[at].div(sum)
				q[at] = f
				to := q[i*w+first-i+below:][:len(row)]
				for j, v := range row {
					if v.m != 0 {
						to[j] = to[j].add(f.mul(v))
					}
				}
				q[i*w+below] = wide{} // a way back to where it started is no move
			}
		})
	}
	law := make([]wide, n)
	law[0] = toWide(1)
	for k := 1; k < n; k++ {
		for i := max(0, k-above); i < k; i++ {
			law[k] = law[k].add(law[i].mul(q[i*w+k-i+below]))
		}
	}
	return fromWide(law), true
}

// fromWide returns a law in proportion to the given numbers.
func fromWide(law []wide) []float64 {
	top := int64(math.MinInt64)
	for _, v := range law {
		if v.m != 0 {
			top = max(top, v.e)
		}
	}
	pi := make([]float64, len(law))
	for i, v := range law {
		pi[i] = wide{v.m, v.e - top}.float64()
	}
	normalise(pi)
	return pi
}

// wideSum is positiveSum; terms is work space.
func wideSum(x []wide, terms []float64) wide {
	top := int64(math.MinInt64)
	for _, v := range x {
		if v.m != 0 {
			top = max(top, v.e)
		}
	}
	if top == math.MinInt64 {
		return wide{}
	}
	for j, v := range x {
		terms[j] = wide{v.m, v.e - top}.float64() // beside the largest, what underflows is nothing
	}
	sum := toWide(positiveSum(terms[:len(x)]))
	sum.e += top
	return sum
}
