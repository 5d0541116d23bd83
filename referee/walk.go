package referee

import (
	"math"

	"gonum.org/v1/gonum/stat/distuv"

	"tqn/nets"
	"tqn/nets/network"
	"tqn/quantize"
)

// Walk is the share of convolution signs that differ from the start if nothing is learnt: if every weight's gradient is noise,
// independent from step to step with mean 0.
//
// # BC
//
// Adam divides a gradient by the root of its mean square, so that a weight's displacement after steps at learning rates a_1, a_2, ...
// has mean 0 and variance s^2 = sum a_t^2: the first moment only spreads a gradient over later steps. For many steps it is nearly normal.
// Without the clip a weight that starts at x has the other sign with probability Phi(-|x|/s). With it, the walk is taken as Brownian motion
// reflected at -1 and 1 (a little too many leave the wall: momentum holds them there for some steps), whose law is a sum over mirror images: the start's images are 4k + x and 4k + 2 - x for all integers k. The
// share is the mean over the start's law.
//
// # SR
//
// A weight flips at step t with probability p_t = f a_t, f the constant of [NoiseFlips]. After such flips the share is
// (1 - prod (1-2 p_t))/2.
//
// # R
//
// A step of length a_t <= 1 never reaches the threshold: the share is 0.
func Walk(c nets.Config, steps uint64) (float64, error) {
	m, err := network.NewModel(c.Spec(network.Shape{H: 32, W: 32, C: 3}, 10))
	if err != nil {
		return 0, err
	}
	variance := 0.0
	for epoch := 1; epoch <= c.Epochs; epoch++ {
		a := c.Alpha(epoch)
		variance += a * a * float64(steps) / float64(c.Epochs)
	}
	switch c.Method {
	case "sr", "big-sr":
		log := 0.0
		for epoch := 1; epoch <= c.Epochs; epoch++ {
			p := NoiseFlips() * c.Alpha(epoch)
			log += math.Log1p(-2*p) * float64(steps) / float64(c.Epochs)
		}
		return -math.Expm1(log) / 2, nil
	case "r":
		return 0, nil
	}
	s := math.Sqrt(variance)
	sum, all := 0.0, 0.0
	for _, p := range m.Params() {
		if p.Role != network.ConvWeight {
			continue
		}
		step := s
		if c.LearningRateScale != "" {
			step *= network.Hyper{Rule: quantize.BC, FanScale: true}.Scale(p)
		}
		w := float64(p.Len())
		all += w
		sum += w * meanOverStart(c, p, func(x float64) float64 { return otherSign(x, step, c.Clipped()) })
	}
	return sum / all, nil
}

// meanOverStart is the mean of f over the law of a tensor's initial weights, up to their sign: the midpoints of 200 quantiles.
func meanOverStart(c nets.Config, p network.Param, f func(float64) float64) float64 {
	const n = 200
	quantile := func(u float64) float64 { return 1 } // rademacher
	fanOut := float64(p.Shape[len(p.Shape)-1] * p.Shape[0] * p.Shape[1])
	switch in := float64(p.FanIn); c.Init {
	case "he":
		quantile = func(u float64) float64 { return math.Sqrt(2/in) * distuv.UnitNormal.Quantile((1+u)/2) }
	case "glorot":
		quantile = func(u float64) float64 { return math.Sqrt(6/(in+fanOut)) * u }
	case "torch7":
		quantile = func(u float64) float64 { return u / math.Sqrt(in) }
	case "uniform":
		quantile = func(u float64) float64 { return u }
	}
	sum := 0.0
	for i := range n {
		x := quantile((float64(i) + 0.5) / n)
		if c.Clipped() {
			x = min(x, 1)
		}
		sum += f(x) / n
	}
	return sum
}

// otherSign is the probability that a walk from x > 0 with standard deviation s is below 0.
func otherSign(x, s float64, clip bool) float64 {
	phi := func(z float64) float64 { return distuv.UnitNormal.CDF(z / s) }
	if !clip {
		return phi(-x)
	}
	sum := 0.0
	images := int(math.Ceil(2*s)) + 2 // eight standard deviations to either side
	for k := -images; k <= images; k++ {
		for _, y := range []float64{4*float64(k) + x, 4*float64(k) + 2 - x} {
			sum += phi(-y) - phi(-1-y)
		}
	}
	return sum
}
