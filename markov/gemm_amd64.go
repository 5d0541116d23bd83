//go:build !purego

package markov

import "tqn/dispatch"

func init() {
	switch dispatch.Vectors() {
	case dispatch.AVX512:
		kernel, kernelName, mr, nr = kernelAVX512, dispatch.AVX512, 8, 24
	case dispatch.AVX2:
		kernel, kernelName, mr, nr = kernelAVX2, dispatch.AVX2, 4, 12
	}
}

// kernelAVX512 is kernel with mr = 8, nr = 24.
//
//go:noescape
func kernelAVX512(k int, a, b, c *float64, ldc int)

// kernelAVX2 is kernel with mr = 4, nr = 12.
//
//go:noescape
func kernelAVX2(k int, a, b, c *float64, ldc int)
