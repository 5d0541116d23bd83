package referee

import (
	"fmt"
	"math"
	"sync"

	"tqn/bounds"
	"tqn/convex"
	"tqn/evidence"
)

func lemma1() Result {
	return Result{
		Statement: statement("lemma1"),
		Meaning:   "The error that one stochastic rounding makes shrinks with the length of the step, because a short step is rarely rounded away from where it started.",
		Claims: []Claim{
			{Name: "lemma1", Says: "E|r|^2 of one stochastic rounding is at most the bound, at every grid point"},
			{Name: "lemma1.first", Says: "E|r|^2 <= Delta alpha |g|_1 for every gradient sample, recorded as left/right <= 1"},
			{Name: "lemma1.norms", Says: "|g|_1 <= sqrt(d) |g|_2, recorded as left/right <= 1"},
			{Name: "lemma1.jensen", Says: "E|g|_2 <= G, recorded as left/right <= 1"},
		},
		Plan:    planLemma1,
		Figure:  lemma1Figure,
		Caption: "Top: the largest E|r|^2 over all grid points of the quadratic in d = 2, exact, against the step size. Bottom: the same at alpha = 1e-4 against the dimension, for a function with equal slopes in all coordinates.",
	}
}

// planLemma1 measures at every grid point.
func planLemma1(p *Plan) {
	p.From(0)
	flat := convex.NewHuber(-1, 1, 1, 0.01, 0, []float64{0.31, 0.31}, 0) // all |g_i| = 1 at every grid point
	p.lemma1(p.instance(flat, 0.5, natural(flat), 1), 1e-6, true)
	for _, alpha := range []float64{1e-3, 0.1, 1} {
		p.lemma1(p.instance(leastSquares2(), 1./8, strong(leastSquares2()), 1), alpha, false)
		p.lemma1(p.instance(huber2(), 1./8, natural(huber2()), 1), alpha, false)
		p.lemma1(p.instance(quadratic3(), 1./4, natural(quadratic3()), 1), alpha, false)
	}
	p.From(200)
	p.lemma1Controls(p.instance(flat, 0.5, natural(flat), 1), 1e-6)
}

// lemma1Sides are the largest ratios, over all grid points and gradient samples, of the lines of
//
//	E|r|^2 = Delta^2 sum q(1-q) <= Delta alpha |g|_1 <= sqrt(d) Delta alpha |g|_2,  E|g|_2 <= G,
//
// and the largest E|r|^2 itself.
type lemma1Sides struct{ moment, first, norms, jensen float64 }

// scanLemma1 goes over all grid points and gradient samples. eager plants SR that moves
// with twice its probability.
func scanLemma1(in convex.Instance, alpha float64, eager bool) lemma1Sides {
	var s lemma1Sides
	pr, g := in.Problem, in.Grid
	d, terms := pr.Dim(), float64(pr.Terms())
	w, grad := make([]float64, d), make([]float64, d)
	for x := range int(states(in)) {
		for k, r := d-1, x; k >= 0; k, r = k-1, r/g.Len() {
			w[k] = g.Point(r % g.Len())
		}
		var moment, mean2 float64
		for i := range pr.Terms() {
			pr.TermGradient(grad, w, i)
			var e, l1, square float64
			for k := range w {
				if eager {
					near, far, q := g.Move(w[k], -alpha*grad[k])
					r := far - near
					e += (1-2*q)*q*q*r*r + 2*q*(1-q)*(1-q)*r*r
				} else {
					e += g.ErrorSecondMoment(w[k], -alpha*grad[k])
				}
				l1 += math.Abs(grad[k])
				square += grad[k] * grad[k]
			}
			l2 := math.Sqrt(square)
			moment += e / terms
			mean2 += l2 / terms
			if l1 > 0 {
				s.first = max(s.first, e/(g.Delta*alpha*l1))
				s.norms = max(s.norms, l1/(math.Sqrt(float64(d))*l2))
			}
		}
		s.moment = max(s.moment, moment)
		s.jensen = max(s.jensen, mean2/pr.Constants().G)
	}
	return s
}

// lemma1 adds Lemma 1 and its chain of inequalities on an instance, and half the
// bound as a control where it is attained.
func (p *Plan) lemma1(in convex.Instance, alpha float64, attained bool) {
	q := in.Parameters(1)
	q.Alpha = alpha
	name := fmt.Sprintf("%s d=%d Delta=%.4g alpha=%g", in.Problem.Name(), in.Problem.Dim(), in.Grid.Delta, alpha)
	scan := sync.OnceValue(func() lemma1Sides { return scanLemma1(in, alpha, false) })
	add := func(suffix, instance string, ts []target, f func(s lemma1Sides) float64) {
		p.exact(line{"lemma1" + suffix, bounds.Stochastic, instance, in.Problem, ts}, func() (float64, float64, error) {
			v := f(scan())
			return v, 1e-13 * v, nil
		})
	}
	ts := p.forms("lemma1", bounds.Stochastic, q, nil)
	add("", name, ts, func(s lemma1Sides) float64 { return s.moment })
	add(".first", name, unit(bounds.Printed), func(s lemma1Sides) float64 { return s.first })
	add(".norms", name, unit(bounds.Printed), func(s lemma1Sides) float64 { return s.norms })
	add(".jensen", name, unit(bounds.Printed), func(s lemma1Sides) float64 { return s.jensen })
	if attained && p.err == nil {
		half := []target{{bounds.Printed, ts[0].bound / 2, evidence.Violated}}
		add("", controlMark+"half the bound: "+name, half, func(s lemma1Sides) float64 { return s.moment })
	}
}

// lemma1Controls adds a control for every line of the chain, on an instance that attains it.
func (p *Plan) lemma1Controls(in convex.Instance, alpha float64) {
	name := fmt.Sprintf("%s d=%d Delta=%.4g alpha=%g", in.Problem.Name(), in.Problem.Dim(), in.Grid.Delta, alpha)
	add := func(suffix, what string, f func() float64) {
		p.exact(line{"lemma1" + suffix, bounds.Stochastic, controlMark + what + ": " + name, nil, []target{{bounds.Printed, 1, evidence.Violated}}},
			func() (float64, float64, error) {
				v := f()
				return v, 1e-13 * v, nil
			})
	}
	add(".first", "a coin that moves twice as often", func() float64 { return scanLemma1(in, alpha, true).first })
	add(".norms", "|g|_2 without the factor sqrt(d)", func() float64 {
		return scanLemma1(in, alpha, false).norms * math.Sqrt(float64(in.Problem.Dim()))
	})
	lying := in
	lying.Problem = understated{in.Problem}
	add(".jensen", "half of G", func() float64 { return scanLemma1(lying, alpha, false).jensen })
}

// roundingError is the left side of Lemma 1: the largest E|r|^2 of one SR step of
// size alpha over all grid points, exact.
func roundingError(in convex.Instance, alpha float64) float64 {
	return scanLemma1(in, alpha, false).moment
}

func lemma1Figure(uint64) (Figure, error) {
	var f Figure
	f.Title, f.Conclusion = "Lemma 1: the rounding error of one step", "A short step is rarely rounded away from its start: the error falls in proportion to the step size, and in each dimension shown it attains the bound."
	p := f.panel("against the step size", "step size α", "E|r|²")
	in, err := convex.NewInstance(quadratic2(), 1./8, nil, convex.Strong(0.5), 1)
	if err != nil {
		return f, err
	}
	var alphas, moments []float64
	for e := -5.0; e <= 0; e += 0.0625 {
		alphas = append(alphas, math.Pow(10, e))
		moments = append(moments, roundingError(in, math.Pow(10, e)))
	}
	p.line("largest E|r|², exact", SR, alphas, moments)
	at := func(alpha float64) bounds.Parameters {
		b := in.Parameters(1)
		b.Alpha = alpha
		return b
	}
	p.bounds("lemma1", bounds.Stochastic, "", allForms, alphas, at, bounds.Value.Total)

	p = f.panel("against the dimension, α = 1e-4", "dimension d", "E|r|²")
	var dims, errors []float64
	params := map[float64]bounds.Parameters{}
	for d := 1; d <= 8; d++ {
		center := make([]float64, d)
		for k := range center {
			center[k] = 0.31
		}
		h := convex.NewHuber(-1, 1, 1, 0.01, 0, center, 0)
		in, err := convex.NewInstance(h, 1, nil, convex.Root(1), 1)
		if err != nil {
			return f, err
		}
		dims = append(dims, float64(d))
		errors = append(errors, roundingError(in, 1e-4))
		b := in.Parameters(1)
		b.Alpha = 1e-4
		params[float64(d)] = b
	}
	p.points("largest E|r|², exact", SR, dims, errors)
	p.bounds("lemma1", bounds.Stochastic, "", allForms, dims, func(d float64) bounds.Parameters { return params[d] }, bounds.Value.Total)
	return f, nil
}
