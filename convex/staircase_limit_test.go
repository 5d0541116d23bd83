package convex

import (
	"math"
	"testing"

	"tqn/bounds"
)

// limitCurves are the functions of the comment of StaircaseLimit for slack = 0 and b = 0, each by its own formula.
type limitCurves struct{ k, s float64 }

func (c limitCurves) e(u float64) float64 { return (1 + u) / (u * math.Sqrt(2+u)) }
func (c limitCurves) E(u float64) float64 { return 4. / 3 * math.Sqrt(2+u) * (1 - u) }
func (c limitCurves) y(u float64) float64 { return c.e(u) / c.E(u) }

// K is a primitive of 2u y^2, by partial fractions.
func (c limitCurves) K(u float64) float64 {
	return 9./32*math.Log(u) - math.Log(1-u)/3 + 0.5/(1-u) + 5./96*math.Log(2+u) + 1./16/(2+u)
}
func (c limitCurves) kappa(u float64) float64 { return c.k*c.k/(4*c.s*c.s) + c.K(u) - c.K(c.s) }
func (c limitCurves) Gamma(u float64) float64 { return c.kappa(u) - c.y(u) }
func (c limitCurves) J(u float64) float64 {
	return math.Log((2+u)/(3*u))/4 + 1/(2*(2+u)) - 1./6
}
func (c limitCurves) B(u float64) float64 {
	return 0.75*(1+u)/(u*(2+u)) - 3./8*c.J(u) - 0.5
}

// rest is int_u^1 Gamma, and gap is psi(u).
func (c limitCurves) rest(u float64) float64 { return c.Gamma(u)*(1-u) + c.B(u) }
func (c limitCurves) gap(u float64) float64  { return c.k/(2*c.s) - 2*c.k*(c.rest(c.s)-c.rest(u)) }

// quadrature is int_a^b f by the midpoint rule in v with u = 1 - (1-a)(1-v)^3, which resolves a logarithm at u = 1.
func quadrature(a, b float64, f func(u float64) float64) (sum float64) {
	const n = 4000
	top := 1 - math.Cbrt((1-b)/(1-a))
	for i := range n {
		v := top * (float64(i) + 0.5) / n
		u := 1 - (1-a)*math.Pow(1-v, 3)
		sum += f(u) * 3 * (1 - a) * (1 - v) * (1 - v) * top / n
	}
	return sum
}

// Every line of the proof that the staircases reach the bound of the form moving, at many k from 0.4915 to 20 and many u: the integrals by quadrature, the inequalities at the points.
func TestStaircaseLimit(t *testing.T) {
	near := func(k float64, what string, got, want, within float64) {
		t.Helper()
		if !(math.Abs(got-want) <= within*(1+math.Abs(want))) {
			t.Errorf("k = %v: %s is %v, want %v", k, what, got, want)
		}
	}
	positive := func(k, u float64, what string, x float64) {
		t.Helper()
		if !(x > 0) {
			t.Errorf("k = %v, u = %v: %s is %v, want more than 0", k, u, what, x)
		}
	}
	for _, k := range []float64{0.4916, 0.5, bounds.CriticalStepAppendix, 0.7, 0.9, 1, bounds.CriticalStep, 1.2, math.Sqrt2, 2, 4, 20} {
		l, err := NewStaircaseLimit(k, 0)
		if err != nil {
			t.Fatal(err)
		}
		s := l.Start
		c := limitCurves{k, s}
		near(k, "k^2", 1.5*s*(1+s)/((1-s)*(2+s)), k*k, 1e-12)
		near(k, "y", l.steepness((1+s)/2), c.y((1+s)/2), 1e-12)
		near(k, "kappa(s)", c.kappa(s), c.y(s)/2, 1e-12)

		// The integrals.
		u := (2*s + 1) / 3
		near(k, "E", quadrature(u, 1, func(v float64) float64 { return 2 * v * c.e(v) }), c.E(u), 1e-6)
		near(k, "J", quadrature(u, 1, func(w float64) float64 { return (1 + w) / (w * (2 + w) * (2 + w)) }), c.J(u), 1e-6)
		near(k, "B", quadrature(u, 1, func(w float64) float64 { return 3. / 8 * (w*w + 3*w + 4) / (w * w * (2 + w) * (2 + w)) }), c.B(u), 1e-6)
		near(k, "K", quadrature(s, u, func(w float64) float64 { return 2 * w * c.y(w) * c.y(w) }), c.K(u)-c.K(s), 1e-6)
		near(k, "int Gamma", quadrature(u, 1, c.Gamma), c.rest(u), 1e-5)
		near(k, "int (1-v^2) Gamma", quadrature(s, 1, func(v float64) float64 { return (1 - v*v) * c.Gamma(v) }),
			c.kappa(s)*(1-s)*(1-s)*(2+s)/3-3./8*(1-s)-3./16*math.Log((2+s)/(3*s)), 1e-5)
		distance := k * k * (math.Log(1/s)/8 + 3./8*math.Log(3/(2+s)) + 0.75*(1-s)/s)
		growth := func(u float64) float64 { return 2 * k * k * (1/u + 1/s - 2*c.gap(u)/k) }
		near(k, "D(1)", quadrature(s, 1, growth), distance, 1e-5)

		// The gap is the bound.
		mean := k*s + quadrature(s, 1, func(u float64) float64 { return 2 * u * c.gap(u) })
		phi := k*(s+0.75*(1-s)+3./8*math.Log((2+s)/(3*s))) + 3./8*(s+1/(2+s))/k
		near(k, "the mean", mean, phi, 1e-5)
		p := bounds.Unknown()
		p.Dim, p.T, p.Delta, p.G, p.Diameter, p.C = 1, 1e14, 1e-20, 1, 1, k
		v, err := bounds.Theorem2(bounds.Moving, bounds.Stochastic, p)
		if err != nil {
			t.Fatal(err)
		}
		near(k, "the bound at T = 1e14", v.Total()*1e7, phi, 1e-4)

		// The six conditions.
		u0 := s + 1/(2*c.y(s))
		positive(k, s, "(2) psi(1)/k - 1", c.gap(1-1e-9)/k-1)
		near(k, "psi(1)/k", c.gap(1-1e-9)/k, 1+(1-s)/(4*s*(2+s))+0.75*c.J(s), 1e-6)
		positive(k, u0, "(6) what the tangent leaves", (1+1/s)/2-1/(2*s)-c.y(s)*(u0-s)+1e-12)
		positive(k, u0, "(6) what the other bound of psi leaves", (1+1/s)/2-c.gap(1-1e-9)/k-2*c.B(u0))
		positive(k, u0, "(6) the polynomial", 10*s*s+11*s-3)
		positive(k, u0, "(6) 1/s - 1/u_0 - (5/3)(1/u_0 - 1)", 1/s-1/u0-5./3*(1/u0-1))
		positive(k, s, "(6) 1 - D(1)", 1-distance)
		positive(k, s, "(6) the bound of D(1)", (1+s)/(2+s)*(21./16+9./16*s/(2+s))-distance)
		positive(k, s, "(6) 1 - the bound of D(1)", 1-(1+s)/(2+s)*(21./16+9./16*s/(2+s)))
		last := math.Inf(-1)
		for i := range 400 {
			u := s + (1-s)*(float64(i)+0.5)/400
			if g := c.Gamma(u); g <= last {
				t.Errorf("k = %v, u = %v: (1) Gamma falls", k, u)
			} else {
				last = g
			}
			positive(k, u, "(2) psi - k/(2u)", c.gap(u)-k/(2*u))
			positive(k, u, "(3)", 1/u-2*(c.rest(u)-c.Gamma(u)*(1-u)))
			near(k, "(3)", 1/u-2*c.B(u), (1-u)/(2*u*(2+u))+1+0.75*c.J(u), 1e-12)
			positive(k, u, "(5)", 1+4*u*(1-u)*c.Gamma(u))
			positive(k, u, "(6) N", growth(u))
			if bound := min(1/(2*s)+c.y(s)*(u-s), c.gap(1-1e-9)/k+2*c.B(u)); c.Gamma(u) <= 0 && c.gap(u)/k > bound+1e-9 {
				t.Errorf("k = %v, u = %v: (6) psi/k = %v is above %v", k, u, c.gap(u)/k, bound)
			}
		}
	}
}

// A staircase that is less steep is not the limit: with 0.9 y the gap is less.
func TestAnotherSteepnessReachesLess(t *testing.T) {
	l, err := NewStaircaseLimit(1.2, 0.01)
	if err != nil {
		t.Fatal(err)
	}
	mean := func(factor float64) float64 { // by Euler's method
		const n = 200000
		s := l.Start
		kappa, gap, sum := l.K*l.K/(4*s*s), l.K/(2*s), l.K*s
		for i := range n {
			u := s + (1-s)*(float64(i)+0.5)/n
			y := factor * l.steepness(u)
			gap -= 2 * l.K * (kappa - y) * (1 - s) / n
			kappa += 2 * u * y * y * (1 - s) / n
			sum += gap * 2 * u * (1 - s) / n
		}
		return sum
	}
	right, less := mean(1), mean(0.9)
	if s := l.Start; math.Abs(right-l.K*(s+0.75*(1-s)+3./8*math.Log((2+s)/(3*s)))-3./8*(s+1/(2+s))/l.K) > 0.02 {
		t.Errorf("with a slack of %v the family reaches %v", l.Slack, right)
	}
	if !(less < right-1e-3) {
		t.Errorf("0.9 y reaches %v, y %v", less, right)
	}
}

// Section 4.1's bound is exceeded in the limit for every step above bounds.CriticalStep and for none below, Appendix C's for every one above bounds.CriticalStepAppendix.
func TestCriticalSteps(t *testing.T) {
	for k := 0.5; k < 10; k *= 1.001 {
		l, err := NewStaircaseLimit(k, 0)
		if err != nil {
			t.Fatal(err)
		}
		s := l.Start
		phi := k*(s+0.75*(1-s)+3./8*math.Log((2+s)/(3*s))) + 3./8*(s+1/(2+s))/k
		if got, want := phi > 1/k+k/2, k > bounds.CriticalStep; got != want {
			t.Errorf("k = %v: phi = %v, Section 4.1 has %v", k, phi, 1/k+k/2)
		}
		if got, want := phi > 1/(2*k)+k/2, k > bounds.CriticalStepAppendix; got != want {
			t.Errorf("k = %v: phi = %v, Appendix C has %v", k, phi, 1/(2*k)+k/2)
		}
	}
}

// G bounds the gradients that SR takes. Nothing changes where it is to bound the gradient on all of W: a narrow W and a larger u make the function that supports the average flat, and Section 4.1's form is refuted all the same.
func TestStaircaseWithBoundedGradientEverywhere(t *testing.T) {
	for _, x := range []struct {
		T         int
		side, own float64
		flat      bool
	}{{2048, 0.07, 0.05, true}, {2048, 0.2, 0.02, false}} {
		s := staircase(t, x.T, 1.3, x.side, 0.005, x.own)
		lower, _, err := s.Mean()
		if err != nil {
			t.Fatal(err)
		}
		a, err := s.Affine()
		if err != nil {
			t.Fatal(err)
		}
		steepest := 0.0
		for _, slope := range a.Slope {
			steepest = max(steepest, math.Sqrt(dot(slope, slope)))
		}
		printed, err := bounds.Theorem2(bounds.Printed, bounds.Stochastic, s.Parameters())
		if err != nil {
			t.Fatal(err)
		}
		t.Logf("T = %d, width %v, u = %v: %v of the printed bound, slopes up to %v", x.T, x.side, x.own, lower/printed.Total(), steepest)
		if !(lower > printed.Total()) || steepest <= 1+1e-12 != x.flat {
			t.Errorf("T = %d, width %v, u = %v: %v, printed %v; slopes up to %v", x.T, x.side, x.own, lower, printed.Total(), steepest)
		}
	}
}
