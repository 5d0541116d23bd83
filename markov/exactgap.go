package markov

import (
	"math"
	"math/big"
)

// SpectralGap is a gap with a bound on its error.
type SpectralGap struct {
	Value  float64
	Error  float64 // bound on |Value - gap|
	Method string
}

// exactGapStates is the number of states, and of different eigenvalues, up to which the gap of a chain that is not
// reversible comes from its characteristic polynomial. Chains of more states are tried where their eigenvectors are too
// ill-conditioned.
const exactGapStates = 48

// exactGap returns the gap of an irreducible, aperiodic chain from its exact
// characteristic polynomial: repeated roots are divided out, the simple ones are
// approximated with many digits (O. Aberth, Math. Comp. 27 (1973) 339-344) and
// enclosed in discs that together contain them all (B. Smith, J. ACM 17 (1970)
// 661-674): with m roots, the disc about z_i of radius m |w(z_i)| / prod_j |z_i - z_j|.
// So defective eigenvalues, which no eigenvalue solver can have to better than
// eps^(1/n), are exact. ok is false where that is too much work.
func (c *Chain) exactGap() (gap SpectralGap, ok bool) {
	g := newIntegerGenerator(c)
	w := g.squarefree()
	if w == nil || len(w)-1 > exactGapStates {
		return gap, false
	}
	// mu = 2^scale z with |z| <= 1: eigenvalues of -Q are at most twice the largest exit.
	_, top := math.Frexp(2 * maxOf(c.exit))
	scale := top + g.shift
	var z []complexBig
	for prec := uint(128); prec <= 1<<13; prec *= 2 {
		poly := scaledPolynomial(w, scale, prec)
		z = poly.roots(z, prec)
		if gap, ok = c.gapOfRoots(poly, z, top, prec); ok {
			gap.Method = "characteristic polynomial"
			return gap, true
		}
	}
	return gap, false
}

// polynomial is monic but for scaling, with real coefficients from the constant one up.
type polynomial []*big.Float

// scaledPolynomial returns w(2^scale z) / 2^(scale deg).
func scaledPolynomial(w []*big.Int, scale int, prec uint) polynomial {
	p := make(polynomial, len(w))
	for i, v := range w {
		p[i] = new(big.Float).SetPrec(prec).SetInt(v)
		p[i].SetMantExp(p[i], -scale*(len(w)-1-i))
	}
	return p
}

// at returns p(z), p'(z) and a bound on the rounding error of p(z).
func (p polynomial) at(z complexBig, prec uint) (value, slope complexBig, err *big.Float) {
	value, slope = newComplex(prec), newComplex(prec)
	size := new(big.Float).SetPrec(64) // sum of |coefficient| |z|^i
	r := new(big.Float).SetPrec(64).Set(z.abs())
	for i := len(p) - 1; i >= 0; i-- {
		slope.add(slope.mul(slope, z), value)
		value.mul(value, z)
		value.re.Add(value.re, p[i])
		size.Add(size.Mul(size, r), new(big.Float).Abs(p[i]))
	}
	err = size.SetMantExp(size, 6-int(prec)) // 2^6: a few roundings a step ...
	return value, slope, err.Mul(err, big.NewFloat(float64(len(p))))
}

// roots refines approximations to all roots, or finds them from nothing.
func (p polynomial) roots(from []complexBig, prec uint) []complexBig {
	m := len(p) - 1
	z := make([]complexBig, m)
	if from == nil {
		z = startRoots(m, prec)
	} else {
		for i := range z {
			z[i] = newComplex(prec)
			z[i].re.Set(from[i].re)
			z[i].im.Set(from[i].im)
		}
	}
	done := make([]bool, m)
	for range 200 {
		left := false
		for i := range z {
			if done[i] {
				continue
			}
			value, slope, err := p.at(z[i], prec)
			size := value.abs()
			if size.Cmp(err) <= 0 {
				done[i] = true
				continue
			}
			left = true
			sum, one := newComplex(prec), newComplex(prec)
			one.re.SetInt64(1)
			for j := range z {
				if d := newComplex(prec).sub(z[i], z[j]); j != i && (d.re.Sign() != 0 || d.im.Sign() != 0) {
					sum.add(sum, newComplex(prec).quo(one, d))
				}
			}
			// Aberth: z -= value / (slope - value * sum)
			slope.sub(slope, newComplex(prec).mul(value, sum))
			if slope.re.Sign() != 0 || slope.im.Sign() != 0 {
				z[i].sub(z[i], newComplex(prec).quo(value, slope))
			}
		}
		if !left {
			break
		}
	}
	return z
}

// gapOfRoots returns the gap that the discs about z, in units of 2^top, leave; ok
// if that is known to one part in 1e17 or so.
func (c *Chain) gapOfRoots(p polynomial, z []complexBig, top int, prec uint) (SpectralGap, bool) {
	t := func() *big.Float { return new(big.Float).SetPrec(prec) }
	alpha := t().SetFloat64(c.alpha)
	alpha.SetMantExp(alpha, top)
	var largest, smallest *big.Float // of the upper and the lower ends of |lambda|
	reach := t()                     // of a union of discs that meet
	for i := range z {
		value, _, err := p.at(z[i], prec)
		radius := t().Add(value.abs(), err)
		for j := range z {
			if j == i {
				continue
			}
			d := newComplex(prec).sub(z[i], z[j]).abs()
			if d.Sign() == 0 {
				return SpectralGap{}, false
			}
			radius.Quo(radius, d)
		}
		radius.Mul(radius, t().SetFloat64(float64(len(z))*1.001))
		radius.Mul(radius, alpha)
		reach.Add(reach, t().Add(radius, radius))
		lambda := newComplex(prec)
		lambda.re.Sub(t().SetInt64(1), t().Mul(alpha, z[i].re))
		lambda.im.Mul(alpha, z[i].im)
		size := lambda.abs()
		if up := t().Add(size, radius); largest == nil || up.Cmp(largest) > 0 {
			largest = up
		}
		if down := t().Sub(size, radius); smallest == nil || down.Cmp(smallest) > 0 {
			smallest = down
		}
	}
	one := t().SetInt64(1)
	low, high := t().Sub(one, largest), t().Sub(one, smallest)
	// A disc that meets no other holds a root; of discs that meet, the union holds one.
	high.Add(high, reach)
	width := t().Sub(high, low)
	if low.Sign() <= 0 || width.Cmp(t().Mul(low, t().SetFloat64(1e-17))) > 0 {
		return SpectralGap{}, false
	}
	v, _ := t().Quo(t().Add(low, high), t().SetInt64(2)).Float64()
	e, _ := width.Float64()
	return SpectralGap{Value: v, Error: e + v*unit}, true
}
