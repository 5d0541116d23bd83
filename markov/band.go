package markov

import (
	"math"

	"gonum.org/v1/gonum/floats"
)

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
	// Eliminating k reads and changes only the rows k-above to k, so no more are held: q(x, y) is row(x)[y-x+below]. Of a row
	// that is done with, the back substitution needs the factors to the right of the diagonal.
	window := make([]float64, (above+1)*w)
	row := func(x int) []float64 { return window[x%(above+1)*w:][:w] }
	load := func(x int) {
		r := row(x)
		clear(r)
		cols, vals := c.row(x)
		for i, y := range cols {
			r[int(y)-x+below] = vals[i]
		}
	}
	factors := make([]float64, n*above)
	f, rate := math.Inf(1), math.Inf(1)
	store := func(x int) {
		r := row(x)
		copy(factors[x*above:], r[below+1:])
		f, rate = min(f, smallestPositive(r[below+1:])), min(rate, smallestPositive(r[:below]))
	}
	for x := max(0, n-1-above); x < n; x++ {
		load(x)
	}
	for k := n - 1; k > 0; k-- {
		first := max(0, k-below)
		rowK := row(k)[first-k+below : below] // states first..k-1
		sum := positiveSum(rowK)
		if !(sum > 0) {
			return nil, false, false
		}
		for i := max(0, k-above); i < k; i++ {
			r := row(i)
			f := r[k-i+below] / sum
			r[k-i+below] = f
			if f == 0 {
				continue
			}
			// States first..k-1 seen from row i; i >= k-above and first >=
			// k-below, so they lie within below of i where they are smaller
			// and within above of i where they are larger.
			if first < i-below {
				panic("markov: gthBand: a move outside the band")
			}
			floats.AddScaled(r[first-i+below:][:len(rowK)], f, rowK)
			r[below] = 0
		}
		store(k)
		if x := k - 1 - above; x >= 0 {
			load(x) // into the place of row k
		}
	}
	store(0)
	tiny = underflows(smallestPositive(c.val), f, rate, max(1, maxOf(c.exit)))
	pi, ok = gthBack(n, func(k int) []float64 {
		return factors[k*above:][:min(above, n-1-k)]
	})
	return pi, tiny, ok
}
