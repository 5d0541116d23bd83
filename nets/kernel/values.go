package kernel

import (
	"math"
	"unsafe"
)

// Values are the numbers of an activation, or of its gradient, in memory: float32, or rounded to bf16. The implementations from avx512 on keep rounded ones in two bytes each, the upper
// halves of float32 whose lower halves are zero, where the processor rounds to bf16 (AVX512-BF16); the others keep them as float32.
type Values struct {
	floats  []float32
	halves  []uint16
	rounded bool
}

// Floats are float32 as they are computed; of nil, no values.
func Floats(x []float32) Values { return Values{floats: x} }

// Rounded are n values in memory of [Workers.RoundedSize] of n, which are bf16 numbers.
func (ws *Workers) Rounded(memory []float32, n int) Values {
	if ws.keepsHalves() {
		return Values{halves: halvesIn(memory)[:n], rounded: true}
	}
	return Values{floats: memory[:n], rounded: true}
}

// RoundedSize is how many float32 the memory of n rounded values has room for.
func (ws *Workers) RoundedSize(n int) int {
	if ws.keepsHalves() {
		return (n + 1) / 2
	}
	return n
}

func (ws *Workers) keepsHalves() bool { return ws.precision == BF16 && roundsToHalves(ws.impl) }

// factors are the values that a product at the workers' precision takes, as float32: where they lie, or, if they lie in two bytes or are still to be rounded, in buffer.
func (ws *Workers) factors(x Values, buffer []float32) []float32 {
	if !ws.keepsHalves() {
		return x.floats // at bf16 [roundedConv] has rounded them
	}
	buffer = buffer[:x.Len()]
	if x.halves != nil {
		widened(buffer, x.halves)
	} else {
		roundAll(ws.impl, buffer, x.floats)
	}
	return buffer
}

// Len is the number of values.
func (v Values) Len() int { return max(len(v.floats), len(v.halves)) }

// None says that there is no memory at all, as of an activation that is not kept.
func (v Values) None() bool { return v.floats == nil && v.halves == nil }

// IsFloat32 says whether each value lies in memory as float32.
func (v Values) IsFloat32() bool { return v.halves == nil }

// Of are the values from one index to another.
func (v Values) Of(from, to int) Values {
	if v.halves != nil {
		v.halves = v.halves[from:to]
	} else if v.floats != nil {
		v.floats = v.floats[from:to]
	}
	return v
}

// room is where the float32 are computed that become some images of so many values each: where these lie or, if they are of halves, buffer.
func (v Values) room(buffer []float32, each, from, to int) []float32 {
	if v.halves != nil {
		return buffer[:(to-from)*each]
	}
	return v.floats[from*each : to*each]
}

// Float32 are the values as float32: where they lie, if they are, else in a copy in buffer, which must have room for them.
func (v Values) Float32(buffer []float32) []float32 {
	if v.halves == nil {
		return v.floats
	}
	buffer = buffer[:len(v.halves)]
	widened(buffer, v.halves)
	return buffer
}

// Like are n values in memory of v's kind.
func (v Values) Like(memory []float32, n int) Values {
	if v.halves != nil {
		return Values{halves: halvesIn(memory)[:n], rounded: true}
	}
	return Values{floats: memory[:n], rounded: v.rounded}
}

// Round writes x, rounded, to values that are rounded, or x itself.
func (v Values) Round(x []float32) {
	checkLen("Values.Round", len(x), v.Len())
	switch {
	case v.halves != nil:
		roundImage(nil, 0, v.halves, x)
	case v.rounded:
		roundAllGeneric(v.floats, x)
	default:
		copy(v.floats, x)
	}
}

// at is where a value lies, whatever its kind; nil if there are no values. The pointer is an address for kernels, and a last value of two bytes is shorter than what it
// points to, which the race detector's check of pointers (checkptr) takes for an error.
//
//go:nocheckptr
func (v Values) at(i int) *float32 {
	switch {
	case v.halves != nil:
		return (*float32)(unsafe.Pointer(&v.halves[i]))
	case v.floats != nil:
		return &v.floats[i]
	}
	return nil
}

// memory is what the values lie in, for fetching.
func (v Values) memory() []float32 {
	if v.halves == nil {
		return v.floats
	}
	return unsafe.Slice((*float32)(unsafe.Pointer(unsafe.SliceData(v.halves))), len(v.halves)/2)
}

// halvesIn are the halves that memory has room for.
func halvesIn(memory []float32) []uint16 {
	return unsafe.Slice((*uint16)(unsafe.Pointer(unsafe.SliceData(memory))), 2*len(memory))
}

// Copy copies a grid of activations of one kind.
func (g Grid) Copy(to, from Values) {
	if to.halves == nil {
		g.apply(to.floats, from.floats, false)
		return
	}
	if (g.ToRow|g.FromRow|g.ToStep|g.FromStep|g.N)%2 == 0 { // two halves as the bits of a float32
		Grid{g.Rows, g.Columns, g.ToRow / 2, g.FromRow / 2, g.ToStep / 2, g.FromStep / 2, g.N / 2}.apply(to.memory(), from.memory(), false)
		return
	}
	for p := range g.Rows {
		for q := range g.Columns {
			copy(to.halves[p*g.ToRow+q*g.ToStep:][:g.N], from.halves[p*g.FromRow+q*g.FromStep:])
		}
	}
}

// AddGrid adds a grid of activations of one kind to an image; rounded ones are rounded again.
func (ws *Workers) AddGrid(to, from Values, g Grid) {
	if to.halves == nil {
		g.apply(to.floats, from.floats, true)
		if to.rounded {
			roundAll(ws.impl, to.floats, to.floats)
		}
		return
	}
	addHalfGrid(to.halves, from.halves, g)
}

// addHalvesGeneric adds float32, rounded to bf16, to bf16 numbers, and rounds the sum.
func addHalvesGeneric(to []uint16, from []float32) {
	for i, f := range from {
		sum := math.Float32frombits(uint32(to[i])<<16) + toBF16(f)
		to[i] = uint16(math.Float32bits(toBF16(sum)) >> 16)
	}
}

// addHalfGridGeneric adds a grid of bf16 numbers and rounds the sums.
func addHalfGridGeneric(to, from []uint16, g Grid) {
	for p := range g.Rows {
		for q := range g.Columns {
			pixel, more := to[p*g.ToRow+q*g.ToStep:][:g.N], from[p*g.FromRow+q*g.FromStep:]
			for i, h := range more[:g.N] {
				sum := math.Float32frombits(uint32(pixel[i])<<16) + math.Float32frombits(uint32(h)<<16)
				pixel[i] = uint16(math.Float32bits(toBF16(sum)) >> 16)
			}
		}
	}
}

// widenedGeneric writes bf16 numbers as float32.
func widenedGeneric(to []float32, from []uint16) {
	for i, h := range from {
		to[i] = math.Float32frombits(uint32(h) << 16)
	}
}

// roundAllGeneric rounds x to bf16 into the beginning of to.
func roundAllGeneric(to, x []float32) {
	for i, v := range x {
		to[i] = toBF16(v)
	}
}
