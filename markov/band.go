package markov

import "math"

// birthDeath reports whether all moves are between neighbouring states.
func (c *Chain) birthDeath() bool {
	below, above := c.bandwidth()
	return below <= 1 && above <= 1
}

// bandwidth returns the longest moves down and up.
func (c *Chain) bandwidth() (below, above int) {
	for x := range c.n {
		cols, _ := c.row(x)
		if len(cols) > 0 {
			below = max(below, x-int(cols[0]))
			above = max(above, int(cols[len(cols)-1])-x)
		}
	}
	return below, above
}

// gthBand is gth for a chain whose moves are at most below states down and
// above states up; tiny is that of gthScaled. Eliminating states from the last on fills nothing outside
// the band: the cost is n*below*above. For a birth-death chain it is the closed
// form pi(x+1)/pi(x) = q(x,x+1)/q(x+1,x).
func gthBand(c *Chain, below, above int) (pi []float64, tiny, ok bool) {
	n, w := c.n, below+above+1
	q := make([]float64, n*w) // q(x, y) is q[x*w + y-x+below]
	for x := range n {
		cols, vals := c.row(x)
		for i, y := range cols {
			q[x*w+int(y)-x+below] = vals[i]
		}
	}
	for k := n - 1; k > 0; k-- {
		first := max(0, k-below)
		rowK := q[k*w+first-k+below : k*w+below] // states first..k-1
		sum := positiveSum(rowK)
		if !(sum > 0) {
			return nil, false, false
		}
		for i := max(0, k-above); i < k; i++ {
			f := q[i*w+k-i+below] / sum
			q[i*w+k-i+below] = f
			if f == 0 {
				continue
			}
			// States first..k-1 seen from row i; i >= k-above and first >=
			// k-below, so they lie within below of i where they are smaller
			// and within above of i where they are larger.
			if first < i-below {
				panic("markov: gthBand: a move outside the band")
			}
			rowI := q[i*w+first-i+below:][:len(rowK)]
			for j, v := range rowK {
				rowI[j] += f * v
			}
			q[i*w+below] = 0
		}
	}
	f, rate := math.Inf(1), math.Inf(1)
	for k := range n {
		f = min(f, smallestPositive(q[k*w+below+1:k*w+w]))
		rate = min(rate, smallestPositive(q[k*w:k*w+below]))
	}
	tiny = underflows(smallestPositive(c.val), f, rate, max(1, maxOf(c.exit)))
	pi, ok = gthBack(n, func(k int) []float64 {
		return q[k*w+below+1 : k*w+below+1+min(above, n-1-k)]
	})
	return pi, tiny, ok
}
