package markov

import (
	"context"
	"fmt"
)

// DecayPoint is the distance of equation (10) after a number of steps.
type DecayPoint struct {
	Steps    uint64
	Distance float64
}

// Decay returns max_x max_A |P^n(x,A) - pi(A)| for n = 1, 2, 4, ... until it is at
// most least, which is at least smallEps/1000, or n exceeds 2^62. It needs the dense
// matrices that MixingTime does.
func (c *Chain) Decay(ctx context.Context, pi []float64, least float64) ([]DecayPoint, error) {
	if len(pi) != c.n {
		panic("markov: Decay: the law and the chain have different numbers of states")
	}
	if c.n > mixingLimit {
		return nil, fmt.Errorf("markov: the decay of %d states needs dense matrices; %d states is the limit", c.n, mixingLimit)
	}
	least = max(least, smallEps/1000)
	current, next := c.power(), newPower(c.n)
	var points []DecayPoint
	for n := uint64(1); n < maxSteps; n *= 2 {
		if err := ctx.Err(); err != nil {
			return points, err
		}
		d := current.distance(pi)
		points = append(points, DecayPoint{n, d})
		if k := len(points); d <= least || k > 1 && d > 0.9999 && n > 1<<40 {
			break
		}
		current.times(current, next)
		current, next = next, current
	}
	return points, nil
}
