package worst

import (
	"fmt"
	"math/big"
)

// Lower proves that the instance of the certificate belongs to the class and that the algorithm visits its points, and returns F(wbar_T) - F* there.
//
// The function is F(x) = max_t f_t + <g_t, x-w_t> + (mu/2)|x-w_t|^2 over t = 0 (the constant F* = 0 at w* = 0, without smoothness), 1..T and
// the average; with smoothness it is one that interpolates the table, which exists by Theorem 4 of Taylor, Hendrickx and Glineur (2017). W is the convex hull of
// w* and w_1..w_T. What is checked, in rational numbers and with intervals around the steps:
//
//   - strict interpolation, f_t > f_s + <g_s, w_t-w_s> + ..., so that F(w_t) = f_t and F is differentiable at w_t with gradient g_t: the algorithm cannot
//     choose another subgradient, and rounding a corner of F elsewhere changes nothing at w_t;
//   - |g_t| <= G, all distances at most D, <g_*, w_t> >= 0;
//   - <w_{t-1} - alpha g_{t-1} - w_t, x - w_t> <= 0 at all corners x of W, so w_t is the projection of the step.
func (c *Certificate) Lower() (*big.Rat, error) {
	fail := func(format string, a ...any) (*big.Rat, error) {
		return nil, fmt.Errorf("worst: instance of %s: %s", c.Name(), fmt.Sprintf(format, a...))
	}
	v := c.table()
	f := make([]*big.Rat, c.T+2)
	f[0] = new(big.Rat)
	for t, x := range c.values {
		f[t+1] = new(big.Rat).SetFrac(x, c.fine)
	}
	if !c.smooth() {
		f[c.T+1] = c.average(v, f)
	}
	for _, q := range c.inequalities() {
		left := exact(new(big.Rat).SetInt64(-q.bound))
		for _, term := range c.products(q) {
			left = left.add(term.c.mul(exact(v.dot(term.x, term.y))))
		}
		if q.kind == 'F' {
			left = left.add(exact(new(big.Rat).Sub(f[q.plus], f[q.minus])))
		}
		switch sign := left.hi.Sign(); {
		case sign > 0:
			return fail("inequality %c %d %d is violated", q.kind, q.s, q.t)
		case sign == 0 && q.kind == 'F' && q.t != 0 && q.t <= c.T:
			return fail("inequality F %d %d is not strict, so another subgradient could be taken at w_%d", q.s, q.t, q.t)
		}
	}
	return f[c.T+1], nil
}

// average is the largest value at wbar, with the slope of the certificate there, that lies below every f_t: the value of F at the average, or less.
func (c *Certificate) average(v *table, f []*big.Rat) *big.Rat {
	var least *big.Rat
	mean, slope := c.w(c.T+1), c.g(c.T+1)
	for t := 0; t <= c.T; t++ {
		// f_t - <slope, w_t - wbar> - (mu/2)|w_t - wbar|^2
		x := new(big.Rat).Sub(f[t], v.dot(slope, c.w(t)))
		x.Add(x, v.dot(slope, mean))
		for _, term := range c.square(exact(c.mu()), c.w(t), mean) {
			half := new(big.Rat).Mul(term.c.lo, big.NewRat(1, 2))
			x.Sub(x, half.Mul(half, v.dot(term.x, term.y)))
		}
		if least == nil || x.Cmp(least) < 0 {
			least = x
		}
	}
	return least
}

// table holds the points and gradients of an instance in the order of Problem.w and Problem.g, as whole multiples of 1/(T c.fine), and remembers their
// inner products.
type table struct {
	vectors [][]*big.Int
	square  *big.Int // (T c.fine)^2
	known   map[[2]int]*big.Rat
}

func (c *Certificate) table() *table {
	d, n := len(c.points[0]), big.NewInt(int64(c.T))
	mean := make([]*big.Int, d)
	zero := make([]*big.Int, d)
	for i := range d {
		mean[i], zero[i] = new(big.Int), new(big.Int)
	}
	times := func(x []*big.Int) []*big.Int {
		out := make([]*big.Int, d)
		for i := range out {
			out[i] = new(big.Int).Mul(x[i], n)
		}
		return out
	}
	scale := new(big.Int).Mul(c.fine, n)
	v := &table{vectors: make([][]*big.Int, 2*c.T+4), square: scale.Mul(scale, scale), known: map[[2]int]*big.Rat{}}
	v.vectors[c.w(0)], v.vectors[c.g(0)], v.vectors[c.w(c.T+1)] = zero, zero, mean
	for t := 1; t <= c.T; t++ {
		v.vectors[c.w(t)], v.vectors[c.g(t)] = times(c.points[t-1]), times(c.gradients[t-1])
		for i := range mean {
			mean[i].Add(mean[i], c.points[t-1][i])
		}
	}
	v.vectors[c.g(c.T+1)] = times(c.gradients[c.T])
	if c.smooth() {
		v.vectors[c.g(0)] = times(c.gradients[c.T+1])
	}
	return v
}

// dot is <x, y> for indices x and y.
func (v *table) dot(x, y int) *big.Rat {
	key := [2]int{min(x, y), max(x, y)}
	if r := v.known[key]; r != nil {
		return r
	}
	s, p := new(big.Int), new(big.Int)
	for i, a := range v.vectors[x] {
		s.Add(s, p.Mul(a, v.vectors[y][i]))
	}
	r := new(big.Rat).SetFrac(s, v.square)
	v.known[key] = r
	return r
}

// Dim is the dimension of the instance.
func (c *Certificate) Dim() int { return len(c.points[0]) }
