package referee_test

import (
	"context"
	"fmt"
	"log"
	"math"

	"tqn/convex"
	"tqn/referee"
)

// ridge is a problem of one's own: F(w) = (1/2)(w-1/3)^2 + cosh(w)/10 on [-1, 1],
// with two terms F(w) +- w/5.
type ridge struct{ best []float64 }

func (ridge) Name() string          { return "cosh ridge" }
func (ridge) Dim() int              { return 1 }
func (ridge) Box() (lo, hi float64) { return -1, 1 }
func (ridge) Terms() int            { return 2 }
func (ridge) Value(w []float64) float64 {
	return (w[0]-1./3)*(w[0]-1./3)/2 + math.Cosh(w[0])/10
}
func (ridge) Gradient(dst, w []float64) { dst[0] = w[0] - 1./3 + math.Sinh(w[0])/10 }
func (p ridge) TermGradient(dst, w []float64, i int) {
	p.Gradient(dst, w)
	dst[0] += []float64{0.2, -0.2}[i]
}

// The second derivative 1 + cosh(w)/10 lies in [1.1, 1 + cosh(1)/10] and its
// derivative sinh(w)/10 below sinh(1)/10; the slope is largest in size at -1.
func (ridge) Constants() convex.Constants {
	steepest := 4./3 + math.Sinh(1)/10
	return convex.Constants{
		G: math.Sqrt(steepest*steepest + 0.04), Mu: 1.1, L: 1 + math.Cosh(1)/10, L2: math.Sinh(1) / 10,
		Sup: 16./18 + math.Cosh(1)/10,
	}
}
func (p ridge) Minimiser() []float64 { return p.best }

// The theorems, verified on a problem of one's own.
func ExampleRun() {
	w := 0.3 // Newton's method for F'(w) = 0
	for range 20 {
		w -= (w - 1./3 + math.Sinh(w)/10) / (1 + math.Cosh(w)/10)
	}
	v, err := referee.Run(context.Background(), referee.Options{
		Seed: 1, Problem: &referee.Problem{Problem: ridge{best: []float64{w}}, Deltas: []float64{0.25}, T: 500},
	})
	if err != nil {
		log.Fatal(err)
	}
	for _, r := range v.Records {
		if r.Form == "derived" && r.Rounding == "stochastic" {
			fmt.Printf("%s: %s (%s)\n", r.Claim, r.Verdict, r.Method)
		}
	}
	// Output:
	// theorem2: holds (exact)
	// theorem2.averaged: holds (exact)
	// theorem2.one-step: holds (exact)
	// theorem2.telescoped: holds (exact)
	// theorem3: holds (sampled)
	// theorem1: holds (exact)
	// theorem1.averaged: holds (exact)
	// theorem1.one-step: holds (exact)
	// theorem1.telescoped: holds (exact)
	// theorem4: holds (sampled)
}
