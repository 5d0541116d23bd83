package kernel

import "math"

// Products at bf16 are what the processor's tile multiplier computes (TDPBF16PS; Intel's manual, volume 2): two chains of float32 multiply-adds, over the
// even and over the odd terms, each rounded to nearest, ties to even, then the sum of both, then the sum with what was there. No number below 2^-126 is
// taken in or given out: zero stands for it. The generic implementation does the same with float64,
// bit for bit but for the sign of a zero, on which nothing depends that follows.

// tileTerms is the number of terms of a [tileDot].
const tileTerms = 32

// tileDot returns acc + sum of a[i] b[i] over the 32 terms of a chunk; a and b hold bf16 numbers. It only reads what its callers have read or made: the race
// detector, which would slow it down twenty times, has nothing to find here.
//
//go:norace
func tileDot(acc float32, a, b *[tileTerms]float32) float32 {
	var even, odd float32
	for i := 0; i < tileTerms; i += 2 {
		even = fma32(a[i], b[i], even)
		odd = fma32(a[i+1], b[i+1], odd)
	}
	return add32(acc, add32(even, odd))
}

// toBF16 rounds to nearest, ties to even; numbers below 2^-126 become zero.
func toBF16(x float32) float32 {
	b := math.Float32bits(flush(x))
	if x != x {
		return x
	}
	return math.Float32frombits((b + 0x7fff + b>>16&1) &^ 0xffff)
}

// fma32 is a*b + c rounded once to float32, for a product that float64 holds exactly; results below 2^-126 are zero.
func fma32(a, b, c float32) float32 {
	p := float64(a) * float64(b)
	return flush(roundSum(p, float64(c)))
}

// add32 is a + b, results below 2^-126 being zero.
func add32(a, b float32) float32 { return flush(a + b) }

// roundSum is a + b rounded once to float32. The sum in float64 decides unless it lies in the middle of two float32 or among the small ones: rounding is
// monotone, so that a sum beside a middle is on its own side of it. Else it is rounded to odd, which a second rounding to fewer bits does not notice.
func roundSum(a, b float64) float32 {
	s := a + b
	bits := math.Float64bits(s)
	if bits&(1<<29-1) != 1<<28 && (s >= 0x1p-125 || s <= -0x1p-125 || s == 0) {
		return float32(s)
	}
	t := s - a
	e := (a - (s - t)) + (b - t) // the sum's error, exact
	if e != 0 && !math.IsNaN(e) && bits&1 == 0 {
		if (e > 0) == (s > 0) {
			s = math.Float64frombits(bits + 1)
		} else {
			s = math.Float64frombits(bits - 1)
		}
	}
	return float32(s)
}

func flush(x float32) float32 {
	if x > -0x1p-126 && x < 0x1p-126 {
		return 0 * x
	}
	return x
}
