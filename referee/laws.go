package referee

import (
	"math"

	"tqn/markov"
	"tqn/toy"
)

// Law is what Section 6's experiments are compared with: a stationary law of SR on
// equation (8), exact.
type Law struct {
	Alpha      float64 // 0 for the limit alpha -> 0
	Batch      float64 // the gradient's variance is that of one sample divided by this
	Entropy    float64 // nats: how widely the law explores
	GlobalMass float64 // mass of the global minimiser's basin
	// Moves is the expected moves a step, divided by alpha: sum over x of
	// pi(x) E|step(x)|/(alpha Delta), inside the box.
	Moves float64
}

// Laws are the laws of batch 1 at a learning rate that falls by 10 and by 100, then those
// of the limit for batches of 1, 2, 4 and 8.
func Laws() ([]Law, error) {
	p, err := toy.NewProblem(toy.Default.Delta, toy.Default.Noise)
	if err != nil {
		return nil, err
	}
	var laws []Law
	for _, alpha := range []float64{0.01, 0.001, 0.0001} {
		c, err := p.SR().Chain(alpha)
		if err != nil {
			return nil, err
		}
		l, err := lawOf(p, c, alpha)
		if err != nil {
			return nil, err
		}
		l.Alpha, l.Batch = alpha, 1
		laws = append(laws, l)
	}
	for _, batch := range []float64{1, 2, 4, 8} {
		q := p
		q.Noise = p.Noise / math.Sqrt(batch)
		// The law of the limit does not depend on alpha; any that is allowed will do.
		alpha0, err := q.SR().Alpha0()
		if err != nil {
			return nil, err
		}
		c, err := q.SR().Limit(alpha0 / 2)
		if err != nil {
			return nil, err
		}
		l, err := lawOf(q, c, alpha0/2)
		if err != nil {
			return nil, err
		}
		l.Batch = batch
		laws = append(laws, l)
	}
	return laws, nil
}

func lawOf(p toy.Problem, c *markov.Chain, alpha float64) (Law, error) {
	pi, err := c.Stationary()
	if err != nil {
		return Law{}, err
	}
	l := Law{Entropy: toy.Entropy(pi), GlobalMass: p.GlobalMass(pi)}
	for x, w := range pi {
		c.Moves(x, func(_ int, rate float64) { l.Moves += w * rate * c.Alpha() / alpha })
	}
	return l, nil
}
