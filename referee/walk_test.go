package referee

import (
	"math"
	"math/rand/v2"
	"testing"

	"tqn/nets"
)

// The formula against simulated weights: Adam on gradients that are normal noise, clipped or not, from 1 and from a uniform start.
func TestWalkAgainstSimulation(t *testing.T) {
	const weights, steps, alpha = 2000, 1000, 0.03
	for _, c := range []struct {
		init string
		clip bool
	}{{"rademacher", true}, {"rademacher", false}, {"uniform", true}, {"uniform", false}} {
		r := rand.New(rand.NewPCG(1, 2))
		changed := 0
		for range weights {
			x := 1.0
			if c.init == "uniform" {
				x = r.Float64()
			}
			w, m, v := x, 0.0, 0.0
			for n := 1; n <= steps; n++ {
				g := r.NormFloat64()
				m, v = 0.9*m+0.1*g, 0.999*v+0.001*g*g
				w -= alpha * m / (1 - math.Pow(0.9, float64(n))) / math.Sqrt(v/(1-math.Pow(0.999, float64(n))))
				if c.clip {
					w = max(-1, min(1, w))
				}
			}
			if w < 0 {
				changed++
			}
		}
		config, err := nets.Config{Net: "vgg9", Method: "bc", Data: "cifar10", Init: c.init, Clip: &c.clip, Epochs: 10, LearningRate: alpha, Drops: []int{}}.Resolve()
		if err != nil {
			t.Fatal(err)
		}
		want, err := Walk(config, steps)
		if err != nil {
			t.Fatal(err)
		}
		got := float64(changed) / weights
		// Six standard deviations of the share, and 0.02 for the wall: momentum drives a weight against it for several steps, so that fewer leave it than are reflected.
		if allowed := 6*math.Sqrt(want*(1-want)/weights) + 0.02; math.Abs(got-want) > allowed {
			t.Errorf("%s, clip %v: simulated %.4f, formula %.4f, allowed %.4f apart", c.init, c.clip, got, want, allowed)
		} else {
			t.Logf("%s, clip %v: simulated %.4f, formula %.4f", c.init, c.clip, got, want)
		}
	}
}

// SR's formula against simulated weights: Adam on normal noise, a flip with probability |step|/2 where the step points to the other value.
func TestWalkOfSRAgainstSimulation(t *testing.T) {
	const weights, steps, alpha = 2000, 1000, 0.01
	r := rand.New(rand.NewPCG(1, 2))
	changed := 0
	for range weights {
		w, m, v := 1.0, 0.0, 0.0
		for n := 1; n <= steps; n++ {
			g := r.NormFloat64()
			m, v = 0.9*m+0.1*g, 0.999*v+0.001*g*g
			step := alpha * m / (1 - math.Pow(0.9, float64(n))) / math.Sqrt(v/(1-math.Pow(0.999, float64(n))))
			if step*w > 0 && r.Float64() < math.Abs(step)/2 {
				w = -w
			}
		}
		if w < 0 {
			changed++
		}
	}
	config, err := nets.Config{Net: "vgg9", Method: "sr", Data: "cifar10", Epochs: 10, LearningRate: alpha, Drops: []int{}}.Resolve()
	if err != nil {
		t.Fatal(err)
	}
	want, err := Walk(config, steps)
	if err != nil {
		t.Fatal(err)
	}
	got := float64(changed) / weights
	// Six standard deviations, and 0.02 for steps that keep their direction for some time and so seldom flip a weight twice.
	if allowed := 6*math.Sqrt(want*(1-want)/weights) + 0.02; math.Abs(got-want) > allowed {
		t.Errorf("simulated %.4f, formula %.4f, allowed %.4f apart", got, want, allowed)
	} else {
		t.Logf("simulated %.4f, formula %.4f", got, want)
	}
}

// Limits: no steps change nothing, many steps draw every sign anew; the closer to 0 the start, the more signs change.
func TestWalkLimits(t *testing.T) {
	share := func(init string, clip bool, rate float64) float64 {
		c, err := nets.Config{Net: "vgg9", Method: "bc", Data: "cifar10", Init: init, Clip: &clip, LearningRate: rate}.Resolve()
		if err != nil {
			t.Fatal(err)
		}
		w, err := Walk(c, 62400)
		if err != nil {
			t.Fatal(err)
		}
		return w
	}
	for _, clip := range []bool{true, false} {
		if v := share("rademacher", clip, 1e-6); v > 1e-9 {
			t.Errorf("clip %v: %g of the signs change in steps of 1e-6", clip, v)
		}
		if v := share("rademacher", clip, 1); math.Abs(v-0.5) > 0.01 {
			t.Errorf("clip %v: %g of the signs change in steps of 1", clip, v)
		}
		for _, rate := range []float64{0.001, 0.003, 0.01} {
			a, b, c := share("rademacher", clip, rate), share("uniform", clip, rate), share("he", clip, rate)
			if !(a < b && b < c) {
				t.Errorf("clip %v, learning rate %g: rademacher %g, uniform %g, he %g", clip, rate, a, b, c)
			}
		}
	}
}
