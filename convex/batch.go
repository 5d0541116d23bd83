package convex

import (
	"fmt"
	"math"
)

// batch is a problem whose stochastic gradient is the mean of b independent samples: m^b equally likely terms, of which term number i has the samples that are the digits of i in base m.
type batch struct {
	Problem
	b int
}

// NewBatch returns p with batches of b samples, b >= 1. The constants of p hold for it too, since E|mean of b samples|^2 <= E|one sample|^2. It is an error if m^b exceeds 2^16.
func NewBatch(p Problem, b int) (Problem, error) {
	if b < 1 || float64(b)*math.Log2(float64(p.Terms())) > 16 {
		return nil, fmt.Errorf("convex: %s: batches of %d out of %d terms: want b >= 1 and at most 2^16 combinations", p.Name(), b, p.Terms())
	}
	return &batch{p, b}, nil
}

// Name says the batch size.
func (p *batch) Name() string { return fmt.Sprintf("%s b=%d", p.Problem.Name(), p.b) }

// Terms is m^b.
func (p *batch) Terms() int {
	n := 1
	for range p.b {
		n *= p.Problem.Terms()
	}
	return n
}

// TermGradient sets dst to the mean of the samples of combination i.
func (p *batch) TermGradient(dst, w []float64, i int) {
	g := make([]float64, len(dst))
	clear(dst)
	m := p.Problem.Terms()
	for range p.b {
		p.Problem.TermGradient(g, w, i%m)
		i /= m
		for k, x := range g {
			dst[k] += x / float64(p.b)
		}
	}
}
