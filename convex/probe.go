package convex

import (
	"fmt"
	"math"

	"tqn/quantize"
)

// probeStream is the noise stream of Probe; runs use streams below it.
const probeStream = 1<<32 - 1

// wellStated returns an error if a problem's size, box, minimiser or constants cannot be right whatever its function is.
func wellStated(p Problem) error {
	d, m := p.Dim(), p.Terms()
	lo, hi := p.Box()
	c, best := p.Constants(), p.Minimiser()
	if d < 1 || m < 1 || !(lo < hi) {
		return fmt.Errorf("convex: %s: d = %d, m = %d, W = [%g, %g]^d: want d, m >= 1 and lo < hi", p.Name(), d, m, lo, hi)
	}
	if math.IsInf(lo, 0) || math.IsInf(hi, 0) {
		return fmt.Errorf("convex: %s: W = [%g, %g]^d is unbounded: Theorems 2 to 4 assume a finite diameter D", p.Name(), lo, hi)
	}
	if len(best) != d {
		return fmt.Errorf("convex: %s: the minimiser has %d coordinates, d = %d", p.Name(), len(best), d)
	}
	if !(c.G >= 0) || !(c.Mu >= 0) || math.IsNaN(c.Sup) || c.L < c.Mu || c.L2 < 0 {
		return fmt.Errorf("convex: %s: %w: G = %g, Mu = %g, L = %g, L2 = %g, Sup = %g: want G, Mu >= 0, L >= Mu, L2 >= 0 and Sup a number", p.Name(), errConstants, c.G, c.Mu, c.L, c.L2, c.Sup)
	}
	for k, x := range best {
		if !(x >= lo && x <= hi) {
			return fmt.Errorf("convex: %s: the minimiser's coordinate %d is %g, outside W = [%g, %g]", p.Name(), k, x, lo, hi)
		}
	}
	return nil
}

// Probe tests a problem's methods and constants at points random points of W (and
// its vertices for small d) and returns an error that names the first failing
// constant, the point, and the value that would be needed. What it tests, for
// random x, y in W and every i:
//
//	gradient   central differences of F;  (1/m) sum grad f_i = grad F
//	Mu         <grad F(x) - grad F(y), x - y> >= Mu|x-y|^2
//	L          |grad F(x) - grad F(y)| <= L|x-y|
//	L2         |grad F(x+h) - 2 grad F(x) + grad F(x-h)| <= L2|h|^2
//	G          (1/m) sum |grad f_i(x)|^2 <= G^2
//	Sup        F(x) <= Sup
//	w*         w* in W and F(w*) <= F(x)
//
// The third follows from the Lipschitz Hessian by integrating twice. A passing
// probe proves nothing; the derivation in each problem's comment does. Probe
// catches the mistakes in it.
func Probe(p Problem, seed uint64, points int) error {
	if err := wellStated(p); err != nil {
		return err
	}
	d, m := p.Dim(), p.Terms()
	lo, hi := p.Box()
	c, best := p.Constants(), p.Minimiser()
	wrong := func(constant string, at []float64, stated, needed float64) error {
		return fmt.Errorf("convex: %s: %w: %s = %g, but %g is needed at w = %v", p.Name(), errConstants, constant, stated, needed, at)
	}
	x, y, h := make([]float64, d), make([]float64, d), make([]float64, d)
	gx, gy, g, sum := make([]float64, d), make([]float64, d), make([]float64, d), make([]float64, d)
	least := p.Value(best)
	noise := quantize.NewNoise(seed)
	const slack = 1e-9 // relative, for rounding in the differences below
	for n := range points {
		draw := noise.At(probeStream, uint64(n))
		near := math.Pow(10, -5*draw.Uniform(3*d)) // how far y is from x
		for k := range d {
			x[k] = lo + (hi-lo)*draw.Uniform(3*k)
			if n%4 == 3 { // corners, where G and L are usually largest
				x[k] = lo + (hi-lo)*math.Round(draw.Uniform(3*k))
			}
			y[k] = x[k] + near*(lo+(hi-lo)*draw.Uniform(3*k+1)-x[k])
			r := min(hi-x[k], x[k]-lo)
			h[k] = near * r * (2*draw.Uniform(3*k+2) - 1)
		}
		fx := p.Value(x)
		p.Gradient(gx, x)
		p.Gradient(gy, y)
		scale := max(norm(gx), norm(gy), c.G)

		if fx > c.Sup+slack*math.Abs(c.Sup) {
			return wrong("Sup", x, c.Sup, fx)
		}
		if fx < least-1e-12*max(c.Sup-least, math.Abs(c.Sup)) {
			return fmt.Errorf("convex: %s: F(w*) = %g at the stated minimiser %v, but F = %g at w = %v", p.Name(), least, best, fx, x)
		}
		for k := range sum {
			sum[k] = 0
		}
		var second float64
		for i := range m {
			p.TermGradient(g, x, i)
			second += dot(g, g) / float64(m)
			for k := range g {
				sum[k] += g[k] / float64(m)
			}
		}
		if got := math.Sqrt(second); got > c.G*(1+slack) {
			return wrong("G", x, c.G, got)
		}
		if e := distance(sum, gx); e > 1e-9*scale {
			return fmt.Errorf("convex: %s: the mean of the term gradients differs from the gradient by %g at w = %v", p.Name(), e, x)
		}
		// Along x -> y a convex F has <grad F(x), y-x> <= F(y) - F(x) <= <grad F(y), y-x>: a
		// test of gradient against value without a step size to choose.
		var forward, backward, inner float64
		for k := range x {
			forward += gx[k] * (y[k] - x[k])
			backward += gy[k] * (y[k] - x[k])
			inner += (gx[k] - gy[k]) * (x[k] - y[k])
		}
		dist := distance(x, y)
		rise, fuzz := p.Value(y)-fx, 1e-13*(math.Abs(fx)+math.Abs(c.Sup))+slack*scale*dist
		if rise < forward-fuzz || rise > backward+fuzz {
			return fmt.Errorf("convex: %s: F rises by %g from w = %v to %v, but the gradients there allow only [%g, %g]: F is not convex or the gradient is wrong", p.Name(), rise, x, y, forward, backward)
		}
		if dist > 0 {
			if got := inner / (dist * dist); got < c.Mu*(1-slack)-1e-12*scale/dist {
				return wrong("Mu", x, c.Mu, got)
			}
			if got := distance(gx, gy) / dist; got > c.L*(1+slack)+1e-12*scale/dist {
				return wrong("L", x, c.L, got)
			}
		}
		if size := norm(h); size > 0 && !math.IsNaN(c.L2) {
			for k := range x {
				x[k] += h[k]
			}
			p.Gradient(gy, x)
			for k := range x {
				x[k] -= 2 * h[k]
			}
			p.Gradient(g, x)
			for k := range x {
				x[k] += h[k]
				g[k] += gy[k] - 2*gx[k]
			}
			if got := norm(g) / (size * size); got > c.L2*(1+slack)+1e-12*scale/(size*size) {
				return wrong("L2", x, c.L2, got)
			}
		}
	}
	return nil
}
