package worst

import (
	"math/big"

	"tqn/bounds"
)

// This file has Theorem 3 with BC's rounding errors: w_{t+1} = P_W(w_t - alpha_t g_t) with g_t = grad F(q_t), q_t = w_t + r_t in W, no gradient noise.
//
// Q_d: r_t is any vector with |r_t|^2 <= d Delta^2/4, which holds for rounding to nearest in every dimension. Q_s: the program is in expected inner products, E|r_t|^2 <= d Delta^2/4, and E[r_t | w_t and the past] = 0. As in rounding.go there is an upper
// side only: the errors of the worst table need not be those of a grid.
//
// Inequalities, with the points 0, w_1..w_T and q_1..q_T (q_t is point T+t). F is looked at in 0, q_1..q_T and the average (T+1) of the w_t, which is where the gradients g_t are.
//
//	F s t  as in inequalities.go, between 0, q_1..q_T and the average
//	G t    |g_t|^2 <= 1
//	D s t  |p_s - p_t|^2 <= 1
//	N t s  <w_{t-1} - alpha_{t-1} g_{t-1} - w_t, p_s - w_t> <= 0
//	S t    <g_*, p_t> >= 0
//	R t    |r_t|^2 <= kappa^2/4
//	O t x  Q_s only: E<r_t, x> = 0 for x = w_s (x = s), s <= t, and g_s (T+s) and r_s (2T+s), s < t
func (p Problem) connectInequalities() []inequality {
	var all []inequality
	for s := 0; s <= p.T+1; s++ {
		for t := 0; t <= p.T+1; t++ {
			if s != t {
				all = append(all, inequality{kind: 'F', s: s, t: t, plus: s, minus: t})
			}
		}
	}
	for s := 0; s <= 2*p.T; s++ {
		for t := s + 1; t <= 2*p.T; t++ {
			all = append(all, inequality{kind: 'D', s: s, t: t, bound: 1})
		}
		if s > 0 {
			all = append(all, inequality{kind: 'S', t: s})
		}
	}
	for t := 1; t <= p.T; t++ {
		all = append(all, inequality{kind: 'G', t: t, bound: 1}, inequality{kind: 'R', t: t})
		for s := 0; s <= 2*p.T && t > 1; s++ {
			if s != t {
				all = append(all, inequality{kind: 'N', s: t, t: s})
			}
		}
		for s := 1; s <= t && !p.Nearest; s++ {
			all = append(all, inequality{kind: 'O', s: t, t: s})
			if s < t {
				all = append(all, inequality{kind: 'O', s: t, t: p.T + s}, inequality{kind: 'O', s: t, t: 2*p.T + s})
			}
		}
	}
	return all
}

// rounds reports whether BC's rounding is modelled.
func (p Problem) rounds() bool { return p.Theorem == 3 && p.Kappa != nil }

// rounding is the rounding of BC, and Q_s where none is modelled.
func (p Problem) rounding() bounds.Rounding {
	if p.Nearest {
		return bounds.Nearest
	}
	return bounds.Stochastic
}

// errorBound is the right side of R t: kappa alpha_t for SR, kappa^2/4 for BC.
func (p Problem) errorBound(t int) *big.Rat {
	if p.rounds() {
		return new(big.Rat).Mul(new(big.Rat).Mul(p.Kappa, p.Kappa), big.NewRat(1, 4))
	}
	return new(big.Rat).Mul(p.Kappa, p.alpha(t).hi)
}

// q and e are the places of q_t and r_t, t = 1..T, in the table of vectors. The rounded points q_t lie where SR's problem has its y_t.
func (p Problem) q(t int) int { return p.y(t) }
func (p Problem) e(t int) int { return 3*p.T + 3 + t }

// read is the place of the point at which g_t is the gradient.
func (p Problem) read(t int) int {
	if p.rounds() && t >= 1 && t <= p.T {
		return p.q(t)
	}
	return p.w(t)
}

func (p Problem) connectProducts(q inequality) []product {
	switch q.kind {
	case 'R':
		return []product{{whole(1), p.e(q.t), p.e(q.t)}}
	case 'S':
		return []product{{whole(-1), p.g(0), p.point(q.t)}}
	case 'D':
		return p.square(whole(1), p.point(q.s), p.point(q.t))
	case 'O':
		x := p.w(q.t)
		if q.t > 2*p.T {
			x = p.e(q.t - 2*p.T)
		} else if q.t > p.T {
			x = p.g(q.t - p.T)
		}
		return []product{{whole(1), p.e(q.s), x}}
	}
	return p.projection(q.s-1, p.w(q.s), p.point(q.t)) // kind N
}

// connectBasis is basis with the free vectors w_1..w_T, r_1..r_T, g_1..g_{T+1}, g_*.
func (p Problem) connectBasis() [][]entry {
	table := make([][]entry, 4*p.T+4)
	for t := 1; t <= p.T; t++ {
		table[p.w(t)] = []entry{{t - 1, whole(1)}}
		table[p.e(t)] = []entry{{p.T + t - 1, whole(1)}}
		table[p.q(t)] = []entry{{t - 1, whole(1)}, {p.T + t - 1, whole(1)}}
		table[p.g(t)] = []entry{{2*p.T + t - 1, whole(1)}}
		table[p.w(p.T+1)] = append(table[p.w(p.T+1)], entry{t - 1, exact(big.NewRat(1, int64(p.T)))})
	}
	table[p.g(p.T+1)] = []entry{{3 * p.T, whole(1)}}
	table[p.g(0)] = []entry{{3*p.T + 1, whole(1)}}
	return table
}
