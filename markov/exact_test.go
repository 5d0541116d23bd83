package markov

import (
	"math"
	"math/big"
)

// Rational arithmetic on small chains: the oracle for every solver. A float64 is a
// rational number, so the chain that is solved exactly is the one that was given.

type rational [][]*big.Rat

func rat(v float64) *big.Rat { return new(big.Rat).SetFloat64(v) }

// exactGenerator returns Q with its diagonal exact.
func exactGenerator(c *Chain) rational {
	q := make(rational, c.n)
	for x := range q {
		q[x] = make([]*big.Rat, c.n)
		for y := range q[x] {
			q[x][y] = new(big.Rat)
		}
		c.Moves(x, func(y int, r float64) {
			q[x][y].Set(rat(r))
			q[x][x].Sub(q[x][x], q[x][y])
		})
	}
	return q
}

// solve solves a z = b by elimination; a and b are overwritten.
func (a rational) solve(b []*big.Rat) []*big.Rat {
	n := len(a)
	t := new(big.Rat)
	for k := range n {
		p := k
		for a[p][k].Sign() == 0 {
			p++
		}
		a[k], a[p], b[k], b[p] = a[p], a[k], b[p], b[k]
		for i := k + 1; i < n; i++ {
			if a[i][k].Sign() == 0 {
				continue
			}
			f := new(big.Rat).Quo(a[i][k], a[k][k])
			for j := k; j < n; j++ {
				a[i][j] = new(big.Rat).Sub(a[i][j], t.Mul(f, a[k][j]))
			}
			b[i] = new(big.Rat).Sub(b[i], t.Mul(f, b[k]))
		}
	}
	for k := n - 1; k >= 0; k-- {
		for j := k + 1; j < n; j++ {
			b[k] = new(big.Rat).Sub(b[k], t.Mul(a[k][j], b[j]))
		}
		b[k] = new(big.Rat).Quo(b[k], a[k][k])
	}
	return b
}

// exactStationary solves pi Q = 0, sum pi = 1.
func exactStationary(c *Chain) []*big.Rat {
	q := exactGenerator(c)
	n := c.n
	a := make(rational, n)
	b := make([]*big.Rat, n)
	for i := range n {
		a[i] = make([]*big.Rat, n)
		b[i] = new(big.Rat)
		for j := range n {
			a[i][j] = new(big.Rat).Set(q[j][i])
			if i == n-1 {
				a[i][j] = big.NewRat(1, 1)
			}
		}
	}
	b[n-1] = big.NewRat(1, 1)
	return a.solve(b)
}

// exactHitting solves for the expected time (alpha = 1) to the target.
func exactHitting(c *Chain, target int) []*big.Rat {
	q := exactGenerator(c)
	b := make([]*big.Rat, c.n)
	for x := range c.n {
		b[x] = big.NewRat(-1, 1)
		if x == target {
			b[x] = new(big.Rat)
			for y := range c.n {
				q[x][y] = new(big.Rat)
			}
			q[x][x] = big.NewRat(1, 1)
		}
	}
	return q.solve(b)
}

// exactDistances returns max_x TV(P^n(x,.), pi) for n = 0, 1, ... until it is at most eps.
func exactDistances(c *Chain, eps float64) []*big.Rat {
	pi := exactStationary(c)
	q := exactGenerator(c)
	alpha := rat(c.alpha)
	n := c.n
	p := make(rational, n)
	for x := range n {
		p[x] = make([]*big.Rat, n)
		for y := range n {
			p[x][y] = new(big.Rat).Mul(alpha, q[x][y])
			if x == y {
				p[x][y].Add(p[x][y], big.NewRat(1, 1))
			}
		}
	}
	laws := make(rational, n)
	for x := range n {
		laws[x] = make([]*big.Rat, n)
		for y := range n {
			laws[x][y] = new(big.Rat)
		}
		laws[x][x] = big.NewRat(1, 1)
	}
	var out []*big.Rat
	t := new(big.Rat)
	for len(out) == 0 || out[len(out)-1].Cmp(rat(eps)) > 0 {
		worst := new(big.Rat)
		for x := range n {
			sum := new(big.Rat)
			for y := range n {
				if t.Sub(pi[y], laws[x][y]).Sign() > 0 {
					sum.Add(sum, t)
				}
			}
			if sum.Cmp(worst) > 0 {
				worst = sum
			}
		}
		out = append(out, worst)
		next := make(rational, n)
		for x := range n {
			next[x] = make([]*big.Rat, n)
			for y := range n {
				s := new(big.Rat)
				for z := range n {
					s.Add(s, t.Mul(laws[x][z], p[z][y]))
				}
				next[x][y] = s
			}
		}
		laws = next
	}
	return out
}

// relative returns |got/want - 1|, 0 for 0/0 and +Inf for a wrong zero.
func relative(got float64, want *big.Rat) float64 {
	if want.Sign() == 0 {
		if got == 0 {
			return 0
		}
		return math.Inf(1)
	}
	if math.IsNaN(got) || math.IsInf(got, 0) {
		return math.Inf(1)
	}
	d := new(big.Rat).Sub(rat(got), want)
	f, _ := d.Quo(d, want).Float64()
	return math.Abs(f)
}

func worstRelative(got []float64, want []*big.Rat) float64 {
	w := 0.0
	for i := range got {
		w = max(w, relative(got[i], want[i]))
	}
	return w
}
