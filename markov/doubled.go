package markov

import "math"

// doubled is the sum of two float64, hi + lo with |lo| <= ulp(hi)/2: some 106 bits (T. Dekker,
// Numer. Math. 18 (1971) 224-242). Each operation has a relative error of at most 2^-102.
type doubled struct{ hi, lo float64 }

// doubledUnit bounds the relative error of an operation on doubled numbers.
const doubledUnit = 0x1p-102

// twoSum returns a + b without error.
func twoSum(a, b float64) doubled {
	s := a + b
	t := s - a
	return doubled{s, (a - (s - t)) + (b - t)}
}

// quickSum is twoSum for |a| >= |b|.
func quickSum(a, b float64) doubled {
	s := a + b
	return doubled{s, b - (s - a)}
}

func (a doubled) add(b doubled) doubled {
	s, t := twoSum(a.hi, b.hi), twoSum(a.lo, b.lo)
	r := quickSum(s.hi, s.lo+t.hi)
	return quickSum(r.hi, r.lo+t.lo)
}

// times multiplies by a float64.
func (a doubled) times(b float64) doubled {
	p := a.hi * b
	return quickSum(p, math.FMA(a.hi, b, -p)+a.lo*b)
}

func (a doubled) mul(b doubled) doubled {
	p := a.hi * b.hi
	return quickSum(p, math.FMA(a.hi, b.hi, -p)+(a.hi*b.lo+a.lo*b.hi))
}

func (a doubled) neg() doubled { return doubled{-a.hi, -a.lo} }
