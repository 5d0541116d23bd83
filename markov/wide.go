package markov

import "math"

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
		m += math.Ldexp(b.m, -int(d))
	}
	if m >= 1 {
		return wide{m / 2, a.e + 1}
	}
	return wide{m, a.e}
}

// wideLimit is the number of states up to which gthWide is used: some three seconds.
const wideLimit = 600

// gthWide is gth for rates so far apart that their products leave the range of
// float64. Entries of the law below the smallest float64 come out as zero.
func gthWide(c *Chain) (pi []float64, ok bool) {
	n := c.n
	q := make([]wide, n*n)
	for x := range n {
		cols, vals := c.row(x)
		for i, y := range cols {
			q[x*n+int(y)] = toWide(vals[i])
		}
	}
	for k := n - 1; k > 0; k-- {
		var sum wide
		for _, v := range q[k*n : k*n+k] {
			sum = sum.add(v)
		}
		if sum.m == 0 {
			return nil, false
		}
		for i := range k {
			if q[i*n+k].m == 0 {
				continue
			}
			f := q[i*n+k].div(sum)
			q[i*n+k] = f
			for j, v := range q[k*n : k*n+k] {
				if v.m != 0 && j != i {
					q[i*n+j] = q[i*n+j].add(f.mul(v))
				}
			}
		}
	}
	law := make([]wide, n)
	law[0] = toWide(1)
	for k := 1; k < n; k++ {
		for i := range k {
			law[k] = law[k].add(law[i].mul(q[i*n+k]))
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

// wideRoundings and wideDepth are denseRoundings and denseDepth for gthWide, whose
// sums are all added in order.
func wideRoundings(n int) float64 {
	s := 0.0
	for k := 1; k < n; k++ {
		s += float64(k) * float64(k+2)
	}
	return s
}

func wideDepth(n int) float64 { return float64(n) * float64(n+2) }
