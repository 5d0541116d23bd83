package convex

import "math"

// enclosure is an interval that contains a real number. Every operation rounds its ends outwards, so what is computed with enclosures is proved.
type enclosure struct{ lo, hi float64 }

// exactly is the number x itself.
func exactly(x float64) enclosure { return enclosure{x, x} }

func outwards(lo, hi float64) enclosure {
	return enclosure{math.Nextafter(lo, math.Inf(-1)), math.Nextafter(hi, math.Inf(1))}
}

func (x enclosure) plus(y enclosure) enclosure  { return outwards(x.lo+y.lo, x.hi+y.hi) }
func (x enclosure) minus(y enclosure) enclosure { return outwards(x.lo-y.hi, x.hi-y.lo) }

func (x enclosure) times(y enclosure) enclosure {
	a, b, c, d := x.lo*y.lo, x.lo*y.hi, x.hi*y.lo, x.hi*y.hi
	return outwards(min(a, b, c, d), max(a, b, c, d))
}

// over is x/y for y > 0, and everything for other y.
func (x enclosure) over(y enclosure) enclosure {
	if !(y.lo > 0) {
		return enclosure{math.Inf(-1), math.Inf(1)}
	}
	a, b, c, d := x.lo/y.lo, x.lo/y.hi, x.hi/y.lo, x.hi/y.hi
	return outwards(min(a, b, c, d), max(a, b, c, d))
}

func (x enclosure) squared() enclosure {
	lo, hi := max(x.lo, -x.hi, 0), max(-x.lo, x.hi)
	return enclosure{max(0, math.Nextafter(lo*lo, math.Inf(-1))), math.Nextafter(hi*hi, math.Inf(1))}
}

// root is the square root of the part of x that is not negative.
func (x enclosure) root() enclosure {
	r := outwards(math.Sqrt(max(x.lo, 0)), math.Sqrt(max(x.hi, 0)))
	r.lo = max(r.lo, 0)
	return r
}

// least reports whether x >= y is proved.
func (x enclosure) least(y enclosure) bool { return x.lo >= y.hi }
