//go:build !purego

package toy

import (
	"tqn/dispatch"
	"tqn/quantize"
)

// useAVX512 says that uniformsAVX512 can run here.
var useAVX512 = dispatch.Vectors() == dispatch.AVX512

var noiseKernel = map[bool]string{true: dispatch.AVX512, false: dispatch.Generic}[useAVX512]

// uniformsAVX512 sets u[s] = quantize.Uniform53 of the first two words of the
// Philox4x32-10 block with counter (0, stream, low+s, high), s < 16*n.
//
//go:noescape
func uniformsAVX512(n int, u *float64, k0, k1, stream, low, high uint32)

// uniformsFast fills as much of u as the kernel can in blocks of 16 and returns
// how much that is.
func uniformsFast(noise quantize.Noise, stream uint32, step uint64, u []float64) int {
	low := uint32(step)
	n := len(u) / 16
	if !useAVX512 || n == 0 || uint64(low)+uint64(16*n) > 1<<32 { // the carry into the high word is not handled
		return 0
	}
	k0, k1 := noise.Key()
	uniformsAVX512(n, &u[0], k0, k1, stream, low, uint32(step>>32))
	return 16 * n
}
