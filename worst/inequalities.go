package worst

import (
	"errors"
	"fmt"
	"math/big"
)

// Problem is one program: which theorem's class and steps, how many iterates, and the constants that matter after scaling.
type Problem struct {
	Theorem int      // 1, 2, 3 or 4
	T       int      // averaged iterates, >= 1
	K2      *big.Rat // (c G/D)^2 > 0 for Theorems 2 and 3, nil for 1 and 4
	L       *big.Rat // L D/G for Theorem 3, L/mu > 1 for Theorem 4, nil for 1 and 2
	Kappa   *big.Rat // sqrt(d) Delta in units of D (Theorems 2 and 3) or G/mu (Theorem 1) where rounding errors are modelled, else nil
	Nearest bool     // Theorem 3 with rounding errors: Q_d and not Q_s
}

// check refuses what is not one of the four classes.
func (p Problem) check() error {
	switch {
	case p.Theorem < 1 || p.Theorem > 4:
		return fmt.Errorf("theorem %d: want 1, 2, 3 or 4", p.Theorem)
	case p.T < 1:
		return fmt.Errorf("%d iterates: want at least one", p.T)
	case p.strong() != (p.K2 == nil):
		return fmt.Errorf("theorem %d: k2 = (c G/D)^2 is given exactly for Theorems 2 and 3, whose steps are c/sqrt(t)", p.Theorem)
	case p.smooth() != (p.L != nil):
		return fmt.Errorf("theorem %d: l is given exactly for Theorems 3 and 4, whose F is L-smooth", p.Theorem)
	case p.K2 != nil && p.K2.Sign() <= 0:
		return fmt.Errorf("k2 = %s: want (c G/D)^2 > 0", p.K2.RatString())
	case p.L != nil && p.L.Sign() <= 0, p.Theorem == 4 && p.L.Cmp(big.NewRat(1, 1)) <= 0:
		return fmt.Errorf("l = %s: want L D/G > 0 (Theorem 3) or L/mu > 1 (Theorem 4)", p.L.RatString())
	case p.Kappa != nil && (p.Theorem > 3 || p.T < 2 || p.Kappa.Sign() <= 0):
		return fmt.Errorf("kappa = %s: want sqrt(d) Delta > 0, Theorem 1, 2 or 3 and T >= 2", p.Kappa.RatString())
	case p.Nearest && (p.Theorem != 3 || p.Kappa == nil):
		return errors.New("the rounding is given exactly for Theorem 3 with rounding errors")
	}
	return nil
}

func (p Problem) strong() bool { return p.Theorem == 1 || p.Theorem == 4 }
func (p Problem) smooth() bool { return p.Theorem == 3 || p.Theorem == 4 }

// mu is 1 (the unit) where F is strongly convex.
func (p Problem) mu() *big.Rat {
	if p.strong() {
		return big.NewRat(1, 1)
	}
	return new(big.Rat)
}

// alpha contains the step alpha_t: 1/(t+1) in units of 1/mu, or sqrt(k2/t) in units of D/G.
func (p Problem) alpha(t int) interval {
	if p.strong() {
		return exact(big.NewRat(1, int64(t+1)))
	}
	return root(new(big.Rat).Mul(p.K2, big.NewRat(1, int64(t))))
}

// Name is "theorem2, c = 1.4142 D/G, T = 12" and the like.
func (p Problem) Name() string {
	text := fmt.Sprintf("theorem%d", p.Theorem)
	if p.K2 != nil {
		text += fmt.Sprintf(", c = %.5g D/G", p.K())
	}
	switch l := p.LFloat(); p.Theorem {
	case 3:
		text += fmt.Sprintf(", L = %.4g G/D", l)
	case 4:
		text += fmt.Sprintf(", L = %.4g mu", l)
	}
	if p.Kappa != nil {
		text += ", sqrt(d) Delta = " + p.Kappa.RatString()
	}
	if p.rounds() {
		text += ", " + string(p.rounding())
	}
	return text + fmt.Sprintf(", T = %d", p.T)
}

// inequality is one line of the program: <form, Gram> + f_plus - f_minus <= bound, where f_0 = F* = 0. Its kinds, with 0 for w* at the origin,
// 1..T for the iterates and T+1 for the average (Theorems 3 and 4 only):
//
//	F s t  f_t >= f_s + <g_s, w_t-w_s> + (mu/2)|w_t-w_s|^2; L-smooth, with q = mu/L: f_t >= f_s + <g_s, w_t-w_s>
//	       + (|g_s-g_t|^2/L + mu|w_s-w_t|^2 - 2q<g_t-g_s, w_t-w_s>)/(2(1-q))  (Taylor, Hendrickx, Glineur 2017, Theorem 4)
//	G t    |g_t|^2 <= 1
//	D s t  |w_s-w_t|^2 <= 1: the diameter of W, which may be taken to be the convex hull of these points
//	N t s  <n_t, w_s-w_t> <= 0 for n_t = w_{t-1} - alpha_{t-1} g_{t-1} - w_t: w_t is the projection on W
//	S t    <g_*, w_t> >= 0: w* minimises F over W. Without smoothness g_* = 0 is the weakest choice and stands in the other inequalities.
type inequality struct {
	kind        byte
	s, t        int // kinds G, S and R: t only
	plus, minus int // index of f, 0 for F*
	bound       int64
}

// equal reports whether it is an equality, whose weight may have either sign.
func (q inequality) equal() bool { return q.kind == 'O' }

// inequalities lists all that p allows, in the order of generate/pep.py.
func (p Problem) inequalities() []inequality {
	switch {
	case p.rounds():
		return p.connectInequalities()
	case p.Kappa != nil:
		return p.roundedInequalities()
	}
	var all []inequality
	points := p.T
	if p.smooth() {
		points++
	}
	for s := 0; s <= points; s++ {
		for t := 0; t <= points; t++ {
			if s != t {
				all = append(all, inequality{kind: 'F', s: s, t: t, plus: s, minus: t})
			}
		}
	}
	for t := 1; t <= p.T; t++ {
		all = append(all, inequality{kind: 'G', t: t, bound: 1})
	}
	if !p.strong() {
		for s := 0; s <= p.T; s++ {
			for t := s + 1; t <= p.T; t++ {
				all = append(all, inequality{kind: 'D', s: s, t: t, bound: 1})
			}
		}
	}
	for t := 2; t <= p.T; t++ {
		for s := 0; s <= p.T; s++ {
			if s != t {
				all = append(all, inequality{kind: 'N', s: t, t: s})
			}
		}
	}
	if p.smooth() {
		for t := 1; t <= p.T; t++ {
			all = append(all, inequality{kind: 'S', t: t})
		}
	}
	return all
}

// product is c <x, y>, x and y being indices into a table of vectors: w_0..w_{T+1}, then g_0..g_{T+1}.
type product struct {
	c    interval
	x, y int
}

func (p Problem) w(t int) int { return t }
func (p Problem) g(t int) int { return p.T + 2 + t }

// products writes the form of an inequality as a sum of inner products of the points and gradients.
func (p Problem) products(q inequality) []product {
	if p.rounds() && q.kind != 'F' && q.kind != 'G' {
		return p.connectProducts(q)
	} else if p.Kappa != nil && q.kind != 'F' && q.kind != 'G' {
		return p.roundedProducts(q)
	}
	switch q.kind {
	case 'G':
		return []product{{whole(1), p.g(q.t), p.g(q.t)}}
	case 'S':
		return []product{{whole(-1), p.g(0), p.w(q.t)}}
	case 'D':
		return p.square(whole(1), p.w(q.s), p.w(q.t))
	case 'N':
		return p.projection(q.s-1, p.w(q.s), p.w(q.t))
	}
	terms := []product{{whole(1), p.g(q.s), p.read(q.t)}, {whole(-1), p.g(q.s), p.read(q.s)}}
	if !p.smooth() {
		if p.strong() {
			terms = append(terms, p.square(exact(big.NewRat(1, 2)), p.read(q.s), p.read(q.t))...)
		}
		return terms
	}
	ratio := new(big.Rat).Quo(p.mu(), p.L)
	half := new(big.Rat).Quo(big.NewRat(1, 2), new(big.Rat).Sub(big.NewRat(1, 1), ratio)) // 1/(2(1-q))
	terms = append(terms, p.square(exact(new(big.Rat).Quo(half, p.L)), p.g(q.s), p.g(q.t))...)
	if p.strong() {
		terms = append(terms, p.square(exact(half), p.read(q.s), p.read(q.t))...)
		cross := exact(new(big.Rat).Mul(new(big.Rat).Mul(half, ratio), big.NewRat(-2, 1)))
		terms = append(terms, product{cross, p.g(q.t), p.read(q.t)}, product{cross.neg(), p.g(q.t), p.read(q.s)},
			product{cross.neg(), p.g(q.s), p.read(q.t)}, product{cross, p.g(q.s), p.read(q.s)})
	}
	return terms
}

// projection is <w_t - alpha_t g_t - y, s - y>, at most 0 for the projection y of step t and every point s of W.
func (p Problem) projection(t, y, s int) []product {
	a := p.alpha(t).neg()
	return []product{
		{whole(1), p.w(t), s}, {whole(-1), p.w(t), y},
		{a, p.g(t), s}, {a.neg(), p.g(t), y},
		{whole(-1), y, s}, {whole(1), y, y},
	}
}

// square is c |x-y|^2.
func (p Problem) square(c interval, x, y int) []product {
	return []product{{c, x, x}, {c.add(c).neg(), x, y}, {c, y, y}}
}
