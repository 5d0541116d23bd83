package worst

import "math/big"

// interval is a rational interval that contains a real number; ends that are equal share one *big.Rat. Operations return new values and round nothing.
type interval struct{ lo, hi *big.Rat }

func exact(x *big.Rat) interval { return interval{x, x} }

func whole(n int64) interval { return exact(big.NewRat(n, 1)) }

func (x interval) isExact() bool { return x.lo == x.hi }

func (x interval) add(y interval) interval {
	lo := new(big.Rat).Add(x.lo, y.lo)
	if x.isExact() && y.isExact() {
		return exact(lo)
	}
	return interval{lo, new(big.Rat).Add(x.hi, y.hi)}
}

func (x interval) neg() interval {
	if x.isExact() {
		return exact(new(big.Rat).Neg(x.lo))
	}
	return interval{new(big.Rat).Neg(x.hi), new(big.Rat).Neg(x.lo)}
}

func (x interval) mul(y interval) interval {
	if x.isExact() && y.isExact() {
		return exact(new(big.Rat).Mul(x.lo, y.lo))
	}
	lo, hi := (*big.Rat)(nil), (*big.Rat)(nil)
	for _, a := range []*big.Rat{x.lo, x.hi} {
		for _, b := range []*big.Rat{y.lo, y.hi} {
			p := new(big.Rat).Mul(a, b)
			if lo == nil || p.Cmp(lo) < 0 {
				lo = p
			}
			if hi == nil || p.Cmp(hi) > 0 {
				hi = p
			}
		}
	}
	return interval{lo, hi}
}

// rootBits is the width of the intervals around square roots: 2^-100, far below the 1e-10 that the certificates leave.
const rootBits = 100

// root contains sqrt(x), x >= 0; it is exact for squares of multiples of 2^-100.
func root(x *big.Rat) interval {
	scaled := new(big.Int).Lsh(x.Num(), 2*rootBits)
	scaled.Quo(scaled, x.Denom())
	r := new(big.Int).Sqrt(scaled) // r <= 2^100 sqrt(x) < r+1
	unit := new(big.Int).Lsh(big.NewInt(1), rootBits)
	lo := new(big.Rat).SetFrac(r, unit)
	if new(big.Rat).Mul(lo, lo).Cmp(x) == 0 {
		return exact(lo)
	}
	return interval{lo, new(big.Rat).SetFrac(new(big.Int).Add(r, big.NewInt(1)), unit)}
}
