package worst

import (
	"cmp"
	"fmt"
	"math"
	"math/big"
	"slices"
	"sync"

	"tqn/bounds"
)

// This file has Theorems 1 and 2 with rounding errors (connect.go: Theorem 3). What is modelled: w_{t+1} = y_t + r_t, where y_t = P_W(w_t - alpha_t g_t) and r_t is any random error with
// E[r_t | past] = 0, E|r_t|^2 <= sqrt(d) Delta alpha_t G (Lemma 1 as printed) and w_{t+1} in W; no gradient noise. The program is in the expected inner
// products. Its inequalities hold for every outcome, so they hold in expectation, and its dual certificate is a proof for every such error, of any law. The
// converse is missing: a table of expectations need not belong to a law. So there is an upper bound here, and as a lower one the worst case without
// errors (r = 0 is such an error); the exact worst case over all laws is not a finite program.
//
// Inequalities beside F and G, with the points 0..T as before and y_t as point T+t, t = 1..T-1:
//
//	D s t  E|p_s - p_t|^2 <= 1
//	N t s  E<w_t - alpha_t g_t - y_t, p_s - y_t> <= 0
//	R t    E|r_t|^2 <= kappa alpha_t
//	O t x  E<r_t, x> = 0 for x = w_s (x = s), y_s (T+s) and g_s (2T+s), s <= t
func (p Problem) roundedInequalities() []inequality {
	var all []inequality
	for s := 0; s <= p.T; s++ {
		for t := 0; t <= p.T; t++ {
			if s != t {
				all = append(all, inequality{kind: 'F', s: s, t: t, plus: s, minus: t})
			}
		}
	}
	for t := 1; t <= p.T; t++ {
		all = append(all, inequality{kind: 'G', t: t, bound: 1})
	}
	if !p.strong() {
		for s := 0; s < 2*p.T; s++ {
			for t := s + 1; t < 2*p.T; t++ {
				all = append(all, inequality{kind: 'D', s: s, t: t, bound: 1})
			}
		}
	}
	for t := 1; t < p.T; t++ {
		for s := 0; s < 2*p.T; s++ {
			if s != p.T+t {
				all = append(all, inequality{kind: 'N', s: t, t: s})
			}
		}
		all = append(all, inequality{kind: 'R', t: t})
		for s := 1; s <= t; s++ {
			for _, x := range []int{s, p.T + s, 2*p.T + s} {
				all = append(all, inequality{kind: 'O', s: t, t: x})
			}
		}
	}
	return all
}

// y and r are the places of y_t and r_t, t = 1..T-1, in the table of vectors.
func (p Problem) y(t int) int { return 2*p.T + 3 + t }
func (p Problem) r(t int) int { return 3*p.T + 2 + t }

// point is the place of point s in the table of vectors: w_s up to T, and behind it y_1, y_2 and so on, for BC q_1, q_2 and so on.
func (p Problem) point(s int) int {
	if s > p.T {
		return p.y(s - p.T)
	}
	return p.w(s)
}

func (p Problem) roundedProducts(q inequality) []product {
	switch q.kind {
	case 'R':
		return []product{{whole(1), p.r(q.t), p.r(q.t)}}
	case 'D':
		return p.square(whole(1), p.point(q.s), p.point(q.t))
	case 'O':
		x := p.point(q.t)
		if q.t > 2*p.T {
			x = p.g(q.t - 2*p.T)
		}
		return []product{{whole(1), p.r(q.s), x}}
	}
	return p.projection(q.s, p.y(q.s), p.point(q.t)) // kind N
}

// roundedBasis is basis with the free vectors w_1, y_1..y_{T-1}, r_1..r_{T-1}, g_1..g_T.
func (p Problem) roundedBasis() [][]entry {
	table := make([][]entry, 4*p.T+2)
	table[p.w(1)] = []entry{{0, whole(1)}}
	for t := 1; t < p.T; t++ {
		table[p.y(t)] = []entry{{t, whole(1)}}
		table[p.r(t)] = []entry{{p.T - 1 + t, whole(1)}}
		table[p.w(t+1)] = []entry{{t, whole(1)}, {p.T - 1 + t, whole(1)}}
	}
	for t := 1; t <= p.T; t++ {
		table[p.g(t)] = []entry{{2*p.T - 2 + t, whole(1)}}
		for _, e := range table[p.w(t)] {
			table[p.w(p.T+1)] = append(table[p.w(p.T+1)], entry{e.i, exact(big.NewRat(1, int64(p.T)))})
		}
	}
	return table
}

// RoundedCase is a proved upper bound of E F(wbar_T) - F* with rounding errors, in units of G D (Theorem 2) or G^2/mu (1).
type RoundedCase struct {
	Problem
	Upper float64 // for every error; rounded up
	Quiet Case    // the worst case without errors, which the one with errors is not below
}

// Delta is sqrt(d) Delta in the unit of the problem.
func (c RoundedCase) Delta() float64 {
	x, _ := c.Kappa.Float64()
	return x
}

// Bound is a form of the theorem with its floor, for d = 1 and the rounding of the case.
func (c RoundedCase) Bound(form bounds.Form) (float64, error) {
	claim, err := bounds.Find(c.Claim())
	if err != nil {
		return 0, err
	}
	q := c.Parameters()
	q.Delta = c.Delta()
	v, err := claim.Bound(form, c.rounding(), q)
	return v.Total(), err
}

// Rounding is BC's, for Theorem 3.
func (c RoundedCase) Rounding() bounds.Rounding { return c.rounding() }

// RoundedCases checks the certificates with rounding errors, once in a process.
var RoundedCases = sync.OnceValues(func() ([]RoundedCase, error) {
	quiet, err := Cases()
	if err != nil {
		return nil, err
	}
	all, err := read("certificates/rounded/*.json")
	if err != nil {
		return nil, err
	}
	var cases []RoundedCase
	for _, c := range all {
		upper, err := c.Upper()
		if err != nil {
			return nil, err
		}
		x, _ := upper.Float64()
		i := slices.IndexFunc(quiet, func(q Case) bool { return q.Row() == c.Row() && q.T == c.T })
		if i < 0 {
			return nil, fmt.Errorf("worst: %s: no certificate without rounding errors beside it", c.Name())
		}
		cases = append(cases, RoundedCase{Problem: c.Problem, Upper: math.Nextafter(x, math.Inf(1)), Quiet: quiet[i]})
	}
	slices.SortStableFunc(cases, func(a, b RoundedCase) int {
		return cmp.Or(cmp.Compare(a.Theorem, b.Theorem), cmp.Compare(a.rounding(), b.rounding()), cmp.Compare(a.K(), b.K()), cmp.Compare(a.LFloat(), b.LFloat()), a.Kappa.Cmp(b.Kappa), cmp.Compare(a.T, b.T))
	})
	return cases, nil
})
