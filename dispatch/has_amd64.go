//go:build !purego

package dispatch

import "golang.org/x/sys/cpu"

// Has reports whether the processor and the operating system run [Generic], [AVX2] or [AVX512], whatever the environment
// says.
func Has(name string) bool {
	switch name {
	case Generic:
		return true
	case AVX2:
		return cpu.X86.HasAVX2 && cpu.X86.HasFMA
	case AVX512:
		return cpu.X86.HasAVX512F && cpu.X86.HasAVX512DQ && cpu.X86.HasAVX512BW && cpu.X86.HasAVX512VL && cpu.X86.HasFMA
	}
	return false
}
