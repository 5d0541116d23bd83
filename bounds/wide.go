package bounds

import (
	"fmt"
	"math"
	"math/big"
)

// The bounds are products of powers of constants that may be as small as 1e-300 or as large as 1e300 while the bound itself is of order 1, so
// they are computed in numbers whose exponent does not overflow: big.Float with a mantissa of 64 bits. Only the result has to be a float64.

// factors are the factors of a product.
type factors []float64

// ratio is the product of over divided by the product of under. Factors are finite and not negative; those of under are positive.
func ratio(over, under factors) *big.Float {
	x := wide(1)
	for _, f := range over {
		x.Mul(x, wide(f))
	}
	for _, f := range under {
		x.Quo(x, wide(f))
	}
	return x
}

// product is the product of finite numbers.
func product(f ...float64) *big.Float { return ratio(f, nil) }

// wide is x, which is finite, as a number with a wide exponent.
func wide(x float64) *big.Float { return new(big.Float).SetPrec(64).SetFloat64(x) }

// plus is the sum of its arguments.
func plus(terms ...*big.Float) *big.Float {
	s := wide(0)
	for _, x := range terms {
		s.Add(s, x)
	}
	return s
}

// times is the product of its arguments.
func times(terms ...*big.Float) *big.Float {
	p := wide(1)
	for _, x := range terms {
		p.Mul(p, x)
	}
	return p
}

// root is the square root of x >= 0.
func root(x *big.Float) *big.Float { return new(big.Float).SetPrec(64).Sqrt(x) }

// least is the smaller of a and b.
func least(a, b *big.Float) *big.Float {
	if b.Cmp(a) < 0 {
		return b
	}
	return a
}

// parts is a bound before it is a float64.
type parts struct{ decay, floor *big.Float }

func (p parts) total() *big.Float { return plus(p.decay, p.floor) }

// smaller returns the bound with the smaller total.
func smaller(a, b parts) parts {
	if b.total().Cmp(a.total()) < 0 {
		return b
	}
	return a
}

// value is p as float64s. It is an error if a part that is not 0 leaves the range in which float64 has its full precision, above and below.
func (p parts) value() (Value, error) {
	var v Value
	for _, x := range []struct {
		name string
		from *big.Float
		to   *float64
	}{{"decay", p.decay, &v.Decay}, {"floor", p.floor, &v.Floor}} {
		f, _ := x.from.Float64()
		if math.IsInf(f, 0) || (x.from.Sign() != 0 && math.Abs(f) < smallestNormal) {
			return Value{}, fmt.Errorf("the value leaves the floating-point range: its %s is %.4g, and float64 reaches from %.3g to %.3g; measure w or F in other units",
				x.name, x.from, smallestNormal, math.MaxFloat64)
		}
		*x.to = f
	}
	if math.IsInf(v.Total(), 0) {
		return Value{}, fmt.Errorf("the value leaves the floating-point range: %v + %v", v.Decay, v.Floor)
	}
	return v, nil
}

// smallestNormal is the smallest float64 with a full mantissa.
const smallestNormal = 0x1p-1022
