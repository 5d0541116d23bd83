package markov

import (
	"math"
	"math/big"
	"math/bits"
	"math/rand/v2"
)

// The characteristic polynomial of a small chain, exactly: its rates are dyadic
// rationals, so that -Q times a power of two is a matrix of integers, whose
// characteristic polynomial is computed modulo primes and put together by the
// Chinese remainder theorem.

// integerGenerator is -Q * 2^Shift with integer entries.
type integerGenerator struct {
	n     int
	shift int
	off   []*big.Int // row-major, the entries off the diagonal as they are in Q * 2^shift
}

// charpolyWork limits primes * n^3, some two seconds.
const charpolyWork = 200_000_000

func newIntegerGenerator(c *Chain) *integerGenerator {
	g := &integerGenerator{n: c.n, shift: math.MinInt, off: make([]*big.Int, c.n*c.n)}
	for _, v := range c.val {
		m, e := math.Frexp(v)
		u := uint64(m * (1 << 53))
		g.shift = max(g.shift, 53-e-bits.TrailingZeros64(u))
	}
	for x := range c.n {
		cols, vals := c.row(x)
		for i, y := range cols {
			m, e := math.Frexp(vals[i])
			z := new(big.Int).SetUint64(uint64(m * (1 << 53)))
			if k := e - 53 + g.shift; k >= 0 {
				z.Lsh(z, uint(k))
			} else {
				z.Rsh(z, uint(-k))
			}
			g.off[x*c.n+int(y)] = z
		}
	}
	return g
}

// bound returns the number of bits of a bound on the coefficients: the product of
// 1 + the sum of |entries| of each row.
func (g *integerGenerator) bound() int {
	total := 0
	for x := range g.n {
		sum := big.NewInt(1)
		for y := range g.n {
			if z := g.off[x*g.n+y]; z != nil {
				sum.Add(sum, z)
				sum.Add(sum, z)
			}
		}
		total += sum.BitLen()
	}
	return total + 2
}

// modular is arithmetic modulo a prime below 2^62.
type modular uint64

func (p modular) mul(a, b uint64) uint64 {
	hi, lo := bits.Mul64(a, b)
	_, r := bits.Div64(hi, lo, uint64(p))
	return r
}

func (p modular) add(a, b uint64) uint64 {
	if s := a + b; s < uint64(p) {
		return s
	} else {
		return s - uint64(p)
	}
}

func (p modular) sub(a, b uint64) uint64 {
	if a >= b {
		return a - b
	}
	return a + uint64(p) - b
}

func (p modular) inverse(a uint64) uint64 {
	r, e := uint64(1), uint64(p)-2
	for ; e > 0; e >>= 1 {
		if e&1 == 1 {
			r = p.mul(r, a)
		}
		a = p.mul(a, a)
	}
	return r
}

// primes yields primes just below 2^62.
func primes(count int) []modular {
	var out []modular
	z := new(big.Int)
	for v := uint64(1)<<62 - 1; len(out) < count; v -= 2 {
		if z.SetUint64(v).ProbablyPrime(0) { // Baillie-PSW, which has no exception below 2^64
			out = append(out, modular(v))
		}
	}
	return out
}

// charpoly returns det(x - M) modulo p, coefficients from the constant one up,
// by reduction to Hessenberg form.
func (g *integerGenerator) charpoly(p modular) []uint64 {
	n := g.n
	a := make([]uint64, n*n)
	z, q := new(big.Int), new(big.Int).SetUint64(uint64(p))
	for x := range n {
		for y := range n {
			if v := g.off[x*n+y]; v != nil {
				r := z.Mod(v, q).Uint64()
				a[x*n+y] = p.sub(0, r)
				a[x*n+x] = p.add(a[x*n+x], r)
			}
		}
	}
	for k := 1; k < n-1; k++ { // column k-1 below the subdiagonal
		i := k
		for i < n && a[i*n+k-1] == 0 {
			i++
		}
		if i == n {
			continue
		}
		if i != k {
			for j := range n {
				a[i*n+j], a[k*n+j] = a[k*n+j], a[i*n+j]
			}
			for j := range n {
				a[j*n+i], a[j*n+k] = a[j*n+k], a[j*n+i]
			}
		}
		inv := p.inverse(a[k*n+k-1])
		for i := k + 1; i < n; i++ {
			f := p.mul(a[i*n+k-1], inv)
			if f == 0 {
				continue
			}
			for j := range n {
				a[i*n+j] = p.sub(a[i*n+j], p.mul(f, a[k*n+j]))
			}
			for j := range n {
				a[j*n+k] = p.add(a[j*n+k], p.mul(f, a[j*n+i]))
			}
		}
	}
	polys := [][]uint64{{1}}
	for k := range n { // Hyman's recurrence for the leading minors
		next := make([]uint64, k+2)
		for i, v := range polys[k] {
			next[i+1] = p.add(next[i+1], v)
			next[i] = p.sub(next[i], p.mul(a[k*n+k], v))
		}
		f := uint64(1)
		for j := k - 1; j >= 0; j-- {
			f = p.mul(f, a[(j+1)*n+j])
			h := p.mul(f, a[j*n+k])
			for i, v := range polys[j] {
				next[i] = p.sub(next[i], p.mul(h, v))
			}
		}
		polys = append(polys, next)
	}
	return polys[n]
}

// gcd returns the monic greatest common divisor of a and b modulo p.
func (p modular) gcd(a, b []uint64) []uint64 {
	trim := func(a []uint64) []uint64 {
		for len(a) > 0 && a[len(a)-1] == 0 {
			a = a[:len(a)-1]
		}
		return a
	}
	a, b = trim(append([]uint64(nil), a...)), trim(append([]uint64(nil), b...))
	for len(b) > 0 {
		inv := p.inverse(b[len(b)-1])
		for len(a) >= len(b) {
			f := p.mul(a[len(a)-1], inv)
			d := len(a) - len(b)
			for i, v := range b {
				a[d+i] = p.sub(a[d+i], p.mul(f, v))
			}
			a = trim(a)
		}
		a, b = b, a
	}
	inv := p.inverse(a[len(a)-1])
	for i := range a {
		a[i] = p.mul(a[i], inv)
	}
	return a
}

// remainder puts residues modulo several primes together (Garner), symmetric about zero.
type remainder struct {
	modulus *big.Int
	value   []*big.Int
}

func (r *remainder) extend(p modular, residues []uint64) {
	if r.modulus == nil {
		r.modulus = big.NewInt(1)
		r.value = make([]*big.Int, len(residues))
		for i := range r.value {
			r.value[i] = new(big.Int)
		}
	}
	q := new(big.Int).SetUint64(uint64(p))
	z := new(big.Int)
	inv := p.inverse(z.Mod(r.modulus, q).Uint64())
	for i, v := range residues {
		have := z.Mod(r.value[i], q).Uint64()
		r.value[i].Add(r.value[i], z.Mul(r.modulus, z.SetUint64(p.mul(p.sub(v, have), inv))))
	}
	r.modulus.Mul(r.modulus, q)
}

func (r *remainder) symmetric() []*big.Int {
	half := new(big.Int).Rsh(r.modulus, 1)
	out := make([]*big.Int, len(r.value))
	for i, v := range r.value {
		out[i] = new(big.Int).Set(v)
		if v.Cmp(half) > 0 {
			out[i].Sub(v, r.modulus)
		}
	}
	return out
}

// squarefree returns the monic integer polynomial whose simple roots are the
// nonzero eigenvalues of -Q * 2^shift, or nil if that is too much work.
func (g *integerGenerator) squarefree() []*big.Int {
	count := g.bound()/61 + 1
	if count*g.n*g.n*g.n > charpolyWork {
		return nil
	}
	ps := primes(count)
	var whole remainder
	residues := make([][]uint64, count)
	for i, p := range ps {
		residues[i] = g.charpoly(p)[1:] // without the eigenvalue zero, which is simple
		whole.extend(p, residues[i])
	}
	q := whole.symmetric()
	return withoutRepeats(q, ps, residues)
}

// withoutRepeats divides q by its greatest common divisor with its derivative, given
// q modulo primes.
func withoutRepeats(q []*big.Int, ps []modular, residues [][]uint64) []*big.Int {
	derivative := make([]*big.Int, len(q)-1)
	for i := range derivative {
		derivative[i] = new(big.Int).Mul(q[i+1], big.NewInt(int64(i+1)))
	}
	var common remainder
	degree := len(q)
	for i, p := range ps {
		d := make([]uint64, len(q)-1)
		for k := range d {
			d[k] = p.mul(residues[i][k+1], uint64(k+1))
		}
		g := p.gcd(residues[i], d)
		switch {
		case len(g) == 1: // no common root modulo p, so none at all
			return q
		case len(g) > degree: // an unlucky prime
			continue
		case len(g) < degree:
			degree, common = len(g), remainder{}
		}
		common.extend(p, g)
		divisor := common.symmetric()
		if rest, ok := divide(q, divisor); ok {
			if _, ok := divide(derivative, divisor); ok {
				return rest // a common divisor of the largest degree that p leaves possible
			}
		}
	}
	return nil
}

// divide returns a/b for a monic b, and whether nothing is left over.
func divide(a, b []*big.Int) ([]*big.Int, bool) {
	rest := make([]*big.Int, len(a))
	for i, v := range a {
		rest[i] = new(big.Int).Set(v)
	}
	if len(a) < len(b) {
		return nil, false
	}
	quotient := make([]*big.Int, len(a)-len(b)+1)
	z := new(big.Int)
	for k := len(quotient) - 1; k >= 0; k-- {
		f := new(big.Int).Set(rest[k+len(b)-1])
		quotient[k] = f
		for i, v := range b {
			rest[k+i].Sub(rest[k+i], z.Mul(f, v))
		}
	}
	for _, v := range rest {
		if v.Sign() != 0 {
			return nil, false
		}
	}
	return quotient, true
}

// complexBig is a complex number of many digits.
type complexBig struct{ re, im *big.Float }

func newComplex(prec uint) complexBig {
	return complexBig{new(big.Float).SetPrec(prec), new(big.Float).SetPrec(prec)}
}

func (z complexBig) mul(a, b complexBig) complexBig {
	prec := z.re.Prec()
	t := func() *big.Float { return new(big.Float).SetPrec(prec) }
	re := t().Sub(t().Mul(a.re, b.re), t().Mul(a.im, b.im))
	im := t().Add(t().Mul(a.re, b.im), t().Mul(a.im, b.re))
	z.re.Set(re)
	z.im.Set(im)
	return z
}

func (z complexBig) sub(a, b complexBig) complexBig {
	z.re.Sub(a.re, b.re)
	z.im.Sub(a.im, b.im)
	return z
}

func (z complexBig) add(a, b complexBig) complexBig {
	z.re.Add(a.re, b.re)
	z.im.Add(a.im, b.im)
	return z
}

// quo needs b != 0.
func (z complexBig) quo(a, b complexBig) complexBig {
	prec := z.re.Prec()
	t := func() *big.Float { return new(big.Float).SetPrec(prec) }
	n := t().Add(t().Mul(b.re, b.re), t().Mul(b.im, b.im))
	conj := complexBig{b.re, t().Neg(b.im)}
	z.mul(a, conj)
	z.re.Quo(z.re, n)
	z.im.Quo(z.im, n)
	return z
}

func (z complexBig) abs() *big.Float {
	prec := z.re.Prec()
	t := func() *big.Float { return new(big.Float).SetPrec(prec) }
	s := t().Add(t().Mul(z.re, z.re), t().Mul(z.im, z.im))
	if s.Sign() == 0 {
		return s
	}
	return t().Sqrt(s)
}

// start spreads the first guesses of Aberth's method on circles inside |z| <= 1.
func startRoots(m int, prec uint) []complexBig {
	r := rand.New(rand.NewPCG(1, 2))
	z := make([]complexBig, m)
	for i := range z {
		z[i] = newComplex(prec)
		radius, angle := 0.05+0.9*float64(i+1)/float64(m), 2*math.Pi*(r.Float64()+float64(i)*0.618)
		z[i].re.SetFloat64(0.5 + radius*math.Cos(angle)/2)
		z[i].im.SetFloat64(radius * math.Sin(angle) / 2)
	}
	return z
}
