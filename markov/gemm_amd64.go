//go:build !purego

package markov

import "golang.org/x/sys/cpu"

func init() {
	switch {
	case cpu.X86.HasAVX512F:
		kernel, kernelName, mr, nr = kernelAVX512, "avx512", 8, 24
	case cpu.X86.HasAVX2 && cpu.X86.HasFMA:
		kernel, kernelName, mr, nr = kernelAVX2, "avx2", 4, 12
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
