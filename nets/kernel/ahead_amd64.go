//go:build !purego

package kernel

import "unsafe"

// ahead are values that will soon be read or written. They are brought into the second-level cache while products are made, a line with every few multiply-adds: all at once they
// would keep the products waiting, and left to be fetched when they are needed they would keep their readers waiting.
type ahead struct {
	ranges [5][]float32
	n      int
	room   int // bytes that may still be fetched without driving out what is in use
}

// secondLevel is the size of a second-level cache. Where it is smaller less is gained; results do not depend on it.
const secondLevel = 2 << 20

// add appends values, if there is room for them.
func (a *ahead) add(x []float32) {
	if len(x) > 0 && 4*len(x) <= a.room {
		a.ranges[a.n] = x
		a.n++
		a.room -= 4 * len(x)
	}
}

// addValues appends images of that many values, unless there are none.
func (a *ahead) addValues(x Values, each, from, to int) {
	if !x.None() {
		a.add(x.Of(from*each, to*each).memory())
	}
}

// give lets a call of the micro-kernel fetch up to so many lines.
func (a *ahead) give(d *directArgs, lines int) {
	d.ahead, d.end = 0, 0
	if a == nil || a.n == 0 {
		return
	}
	d.fetch(a.take(16 * lines))
}

// runFetching is run, while the micro-kernel fetches all of soon, as far as there are as many steps of the reduction, and then what next has. A call fetches one range, so that each range gets
// a call of its own with as many blocks of rows as it needs.
func (d *directArgs) runFetching(t directTile, next *ahead, soon ...[]float32) {
	part := *d
	for _, x := range soon {
		if len(x) == 0 || part.blocks == 0 {
			continue
		}
		all, lines := part.blocks, (len(x)+15)/16
		part.blocks = min(all, (lines+d.n-1)/d.n)
		part.fetch(x)
		part.run(t)
		if all -= part.blocks; all > 0 {
			part.a = (*float32)(unsafe.Add(unsafe.Pointer(part.a), part.blocks*t.m*d.astride))
			part.c = (*float32)(unsafe.Add(unsafe.Pointer(part.c), part.blocks*t.m*d.cstride))
		}
		part.blocks = all
	}
	if part.blocks > 0 {
		next.give(&part, part.blocks*d.n)
		part.run(t)
	}
}

// fetch lets a call of the micro-kernel fetch x.
func (d *directArgs) fetch(x []float32) {
	d.ahead = uintptr(unsafe.Pointer(unsafe.SliceData(x)))
	d.end = d.ahead + uintptr(4*len(x))
}

// piece is the i'th of n equal pieces of x, the last of which may be shorter.
func piece(x []float32, i, n int) []float32 {
	each := (len(x) + n - 1) / n
	return x[min(i*each, len(x)):min((i+1)*each, len(x))]
}

// take removes up to n values of the first range, which there is.
func (a *ahead) take(n int) []float32 {
	x := a.ranges[0]
	n = min(n, len(x))
	if a.ranges[0] = x[n:]; n == len(x) {
		a.n--
		copy(a.ranges[:], a.ranges[1:])
	}
	return x[:n]
}

// lines is the number of cache lines in all ranges, if each begins with one.
func (a *ahead) lines() (n int) {
	for _, x := range a.ranges[:a.n] {
		n += (len(x) + 15) / 16
	}
	return n
}

// fetchGradient asks for what gradImage will read of some images.
func (b *BatchNorm) fetchGradient(next *ahead, from, to int) {
	each := b.rows * b.c
	if b.pool == nil {
		next.addValues(b.dz, each, from, to)
	}
	next.addValues(b.y, each, from, to)
	next.addValues(b.cut, each, from, to)
}

// fetchInput asks for what is written and read of some images when the gradient of their input x is made.
func (j *backwardJob) fetchInput(next *ahead, x Values, each, from, to int) {
	next.addValues(j.dx, each, from, to)
	switch {
	case j.inPlace:
	case j.grid != (Grid{}):
		next.addValues(j.shortcut, j.each, from, to)
	default:
		next.addValues(j.shortcut, each, from, to)
	}
	if j.before != nil {
		next.addValues(j.before.y, each, from, to)
	}
	next.addValues(x, each, from, to)
}

// partsOf is a number of parts for a pool of threads, so that a part has up to 8 of n pieces, which one worker does one after the other, and each worker has several parts.
func partsOf(n, threads int) int { return max((n+7)/8, min(n, 4*threads)) }
