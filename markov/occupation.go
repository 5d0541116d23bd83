package markov

import (
	"context"
	"math/bits"
)

// Occupation returns the expected fraction of the times 1..steps spent in each
// state from the given start, (1/steps) sum_t P^t(start, .), steps >= 1. Up to 512
// states it doubles the number of steps; beyond it takes one sparse product a step.
func (c *Chain) Occupation(start, steps int) []float64 {
	if start < 0 || start >= c.n || steps < 1 {
		panic("markov: Occupation: want a state as start and at least one step")
	}
	mean := make([]float64, c.n)
	if c.n > 512 {
		p, next := make([]float64, c.n), make([]float64, c.n)
		p[start] = 1
		for range steps {
			c.Step(next, p)
			p, next = next, p
			for x, v := range p {
				mean[x] += v
			}
		}
		for x := range mean {
			mean[x] /= float64(steps)
		}
		return mean
	}
	// Invariant: power = P^m and row = the row of start in P + P^2 + ... + P^m.
	// sum over 2m steps = row + row P^m; one step more adds the row of P^(m+1).
	one := c.power()
	power := c.power()
	row := append([]float64(nil), one.p[start*c.n:(start+1)*c.n]...)
	for i := bits.Len(uint(steps)) - 2; i >= 0; i-- {
		further := make([]float64, c.n)
		gemm(1, c.n, c.n, panel{row, c.n}, panel{power.p, c.n}, panel{further, c.n})
		for x, v := range further {
			row[x] += v
		}
		square := newPower(c.n)
		power.times(power, square)
		power = square
		if steps>>i&1 == 1 {
			next := newPower(c.n)
			power.times(one, next)
			power = next
			for x, v := range power.p[start*c.n : (start+1)*c.n] {
				row[x] += v
			}
		}
	}
	for x := range row {
		mean[x] = row[x] / float64(steps)
	}
	return mean
}

// power returns P as a power.
func (c *Chain) power() *power {
	one := newPower(c.n)
	for x := range c.n {
		cols, vals := c.row(x)
		for i, y := range cols {
			one.p[x*c.n+int(y)] = c.alpha * vals[i]
		}
		one.p[x*c.n+x] = c.holding(x)
	}
	return one
}

// OccupationCovariance returns the covariance S of the central limit theorem for
// the fractions of time spent in the states of an irreducible chain:
// sqrt(steps) (fraction - pi) tends to a normal law with covariance
//
//	S(x,y) = pi(x) Z(x,y) + pi(y) Z(y,x) - pi(x) [x = y] + pi(x) pi(y),
//
// Z the group inverse of I - P (Kemeny and Snell, Theorem 4.6.3, where Z differs by
// 1 pi). Successive states are dependent: Pearson's chi-square for independent
// draws does not apply to a histogram of iterates, this covariance does.
func (c *Chain) OccupationCovariance() ([]float64, error) {
	v, err := c.expectedVisits(context.Background())
	if err != nil {
		return nil, err
	}
	h := v.deviation()
	n := c.n
	s := make([]float64, n*n)
	for x := range n {
		for y := range n {
			s[x*n+y] = (v.pi[x]*h[x*n+y]+v.pi[y]*h[y*n+x])/c.alpha + v.pi[x]*v.pi[y]
		}
		s[x*n+x] -= v.pi[x]
	}
	return s, nil
}
