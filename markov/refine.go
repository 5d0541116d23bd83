package markov

import (
	"math"
	"slices"
)

// balance is the linear system for the relative error of a law. With flows
// F(z,y) = x(z) q(z,y) under an approximate law x, pi(y) = x(y) (1 + g(y)) means
//
//	in(y) g(y) - sum_z F(z,y) g(z) = r(y),   in(y) = sum_z F(z,y),
//
// to first order in the imbalance r(y) = in(y) - out(y): a Poisson equation of the
// chain that runs backwards. It is solved level by level as in Multilevel, with
// corrections that are constant on aggregates. A state with slack has moves to
// an outside where g is zero; slack counts in in(y).
type balance struct {
	*level                // pattern and aggregates; its values are not used
	flow        []float64 // F by entry
	slack, in   []float64
	next        *balance
	factors     []float64 // at the bottom: what gth leaves of the backward chain, or nil
	r, g, s, as []float64 // work space of the level's own cycle
	p, q        [][]float64
}

// steps is the number of corrections that one cycle takes from the next level,
// each the best multiple of a cycle there (Y. Notay, P. Vassilevski, Numer. Linear
// Algebra Appl. 15 (2008) 473-487, the K-cycle).
const kSteps = 2

func newBalance(l *level, flow, slack []float64) *balance {
	b := &balance{level: l, flow: flow, slack: slack, in: slices.Clone(slack), s: make([]float64, l.n)}
	for y := range l.n {
		for e := l.ptr[y]; e < l.ptr[y+1]; e++ {
			b.in[y] += flow[e]
		}
	}
	if l.next == nil {
		b.factor()
		return b
	}
	coarse := make([]float64, len(l.next.src))
	for e, k := range l.into {
		if k >= 0 {
			coarse[k] += flow[e]
		}
	}
	outside := make([]float64, l.next.n)
	for y, a := range l.agg {
		outside[a] += slack[y]
	}
	b.next = newBalance(l.next, coarse, outside)
	b.next.r, b.next.g, b.next.as = make([]float64, l.next.n), make([]float64, l.next.n), make([]float64, l.next.n)
	return b
}

// factor eliminates the smallest level; state 0 of what it eliminates is the outside.
func (b *balance) factor() {
	if b.n > 8*coarsest {
		return
	}
	n := b.n + 1
	q := make([]float64, n*n)
	for y := range b.n {
		q[(y+1)*n] = b.slack[y]
		for e := b.ptr[y]; e < b.ptr[y+1]; e++ {
			q[(y+1)*n+int(b.src[e])+1] += b.flow[e]
		}
	}
	if _, _, ok := gthScaled(q, n); ok {
		b.factors = q
	}
}

// bottomSolve solves the smallest level.
func (b *balance) bottomSolve(r, g []float64) {
	if b.factors == nil {
		clear(g)
		for k := range 40 {
			b.smooth(g, r, k%2 == 0)
		}
		return
	}
	n, q := b.n+1, b.factors
	copy(g, r)
	for k := n - 1; k > 0; k-- {
		for i := 1; i < k; i++ {
			g[i-1] += q[i*n+k] * g[k-1]
		}
	}
	for k := 1; k < n; k++ {
		v := g[k-1]
		for j := 1; j < k; j++ {
			v += q[k*n+j] * g[j-1]
		}
		g[k-1] = v / q[k*n+k]
	}
}

// smooth is a Gauss-Seidel sweep.
func (b *balance) smooth(g, r []float64, forward bool) {
	step, y := 1, 0
	if !forward {
		step, y = -1, b.n-1
	}
	for range b.n {
		lo, hi := b.ptr[y], b.ptr[y+1]
		src, flow := b.src[lo:hi], b.flow[lo:hi]
		s := r[y]
		for i, z := range src {
			s += g[z] * flow[i]
		}
		g[y] = s / b.in[y]
		y += step
	}
}

// apply sets out to the left-hand side of the system.
func (b *balance) apply(g, out []float64) {
	for y := range b.n {
		lo, hi := b.ptr[y], b.ptr[y+1]
		src, flow := b.src[lo:hi], b.flow[lo:hi]
		gy := g[y]
		s := gy * b.slack[y]
		for i, z := range src {
			s += (gy - g[z]) * flow[i]
		}
		out[y] = s
	}
}

// product is the inner product in which imbalances count relative to the flow.
func (b *balance) product(u, v []float64) float64 {
	s := 0.0
	for y, w := range b.in {
		s += u[y] * v[y] / w
	}
	return s
}

// cycle sets g to an approximate solution for r.
func (b *balance) cycle(g, r []float64) {
	if b.next == nil {
		b.bottomSolve(r, g)
		return
	}
	clear(g)
	b.smooth(g, r, true)
	n := b.next
	clear(n.r)
	b.apply(g, b.s)
	for y, a := range b.agg {
		n.r[a] += r[y] - b.s[y]
	}
	n.correct(kSteps, false)
	for y, a := range b.agg {
		g[y] += n.g[a]
	}
	b.smooth(g, r, false)
}

// correct sets b.g to an approximate solution for b.r, which it overwrites by what is left.
func (b *balance) correct(most int, once bool) {
	if b.next == nil {
		b.bottomSolve(b.r, b.g)
		return
	}
	if once {
		b.cycle(b.g, b.r)
		return
	}
	clear(b.g)
	b.conjugate(b.g, b.r, most, 0.25)
}

// conjugate adds to g up to most cycles, each made conjugate to those before it and
// multiplied so that r, what is left of the right-hand side, is orthogonal to it:
// for reversible chains the conjugate gradients of the energy sum F (g(y)-g(z))^2/2.
// (A multiple with the smallest r instead would shun the weak couplings: what
// passes through one is a large imbalance of the few states at its ends.) It
// ends when r has become smaller by the given factor and returns the factor reached.
func (b *balance) conjugate(g, r []float64, most int, factor float64) float64 {
	first := math.Sqrt(b.product(r, r))
	now := first
	for k := 0; k < most && now > factor*first; k++ {
		i := k % windowSize
		if len(b.p) <= i {
			b.p, b.q = append(b.p, make([]float64, b.n)), append(b.q, make([]float64, b.n))
		}
		p, q := b.p[i], b.q[i]
		b.cycle(p, r)
		b.apply(p, q)
		for j := range min(k, windowSize) {
			if j == i {
				continue
			}
			h := dot(b.p[j], q)
			for y := range p {
				p[y] -= h * b.p[j][y]
				q[y] -= h * b.q[j][y]
			}
		}
		norm := math.Sqrt(dot(p, q))
		if !(norm > 0) || math.IsInf(norm, 1) {
			break
		}
		for y := range p {
			p[y] /= norm
			q[y] /= norm
		}
		a := dot(p, r)
		for y := range p {
			g[y] += a * p[y]
			r[y] -= a * q[y]
		}
		now = math.Sqrt(b.product(r, r))
	}
	if first == 0 {
		return 0
	}
	return now / first
}

func dot(u, v []float64) float64 {
	s := 0.0
	for y, a := range u {
		s += a * v[y]
	}
	return s
}
