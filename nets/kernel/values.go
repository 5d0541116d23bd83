package kernel

import (
	"math"
	"unsafe"
)

// Values are the numbers of an activation in memory: float32, or rounded to bf16. The implementation that multiplies tiles keeps rounded ones in two bytes each, the upper
// halves of float32 whose lower halves are zero; the others keep them as float32.
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

func (ws *Workers) keepsHalves() bool { return ws.impl >= amx && ws.precision == BF16 }

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

// Float32 are the values as float32: where they lie, if they are, else in a copy in buffer, which must have room for them.
func (v Values) Float32(buffer []float32) []float32 {
	if v.halves == nil {
		return v.floats
	}
	buffer = buffer[:len(v.halves)]
	widened(buffer, v.halves)
	return buffer
}

// Set writes bf16 numbers, given as float32, to values that are no float32.
func (v Values) Set(x []float32) {
	checkLen("Values.Set", len(x), len(v.halves))
	for i, f := range x {
		v.halves[i] = uint16(math.Float32bits(f) >> 16)
	}
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

// like are n values of v's kind in memory.
func (v Values) like(memory []float32, n int) Values {
	if v.halves != nil {
		return Values{halves: halvesIn(memory)[:n], rounded: true}
	}
	return Values{floats: memory[:n], rounded: v.rounded}
}

// CopyValues is [CopyPixels] of activations of one kind.
func CopyValues(to, from Values, toStep, fromStep, n int) {
	switch {
	case to.halves == nil:
		CopyPixels(to.floats, from.floats, toStep, fromStep, n)
	case (toStep|fromStep|n)%2 == 0: // two halves as the bits of a float32
		CopyPixels(to.memory(), from.memory(), toStep/2, fromStep/2, n/2)
	default:
		for q := range (len(to.halves) + toStep - 1) / toStep {
			copy(to.halves[q*toStep:][:n], from.halves[q*fromStep:])
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
