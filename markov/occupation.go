package markov

// Occupation returns the expected fraction of the times 1..steps spent in each
// state from the given start, (1/steps) sum_t P^t(start, .), exactly, at the cost
// of one sparse product a step.
func (c *Chain) Occupation(start int, steps int) []float64 {
	p, next := make([]float64, c.n), make([]float64, c.n)
	mean := make([]float64, c.n)
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

// OccupationCovariance returns the covariance S of the central limit theorem for
// the fractions of time spent in the states of an irreducible aperiodic chain:
// sqrt(steps) (fraction - pi) tends to a normal law with covariance
//
//	S(x,y) = pi(x) Z(x,y) + pi(y) Z(y,x) - pi(x) [x = y] + pi(x) pi(y),
//
// Z the group inverse of I - P (Kemeny and Snell, Theorem 4.6.3, where Z differs by 1
// pi). Successive states are dependent: Pearson's chi-square for independent draws
// does not apply to a histogram of iterates, this covariance does.
func (c *Chain) OccupationCovariance() ([]float64, error) {
	v, err := c.expectedVisits()
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
