//go:build !purego

package kernel

import "golang.org/x/sys/cpu"

// available reports whether processor and operating system run an implementation.
func available(i implementation) bool {
	switch i {
	case generic:
		return true
	case avx2:
		return cpu.X86.HasAVX2 && cpu.X86.HasFMA
	case avx512:
		return cpu.X86.HasAVX512F && cpu.X86.HasAVX512DQ && cpu.X86.HasAVX512BW && cpu.X86.HasAVX512VL && cpu.X86.HasFMA
	case amx, mixed:
		return available(avx512) && cpu.X86.HasAMXTile && cpu.X86.HasAMXBF16 && tilePermission()
	}
	return false
}

func newFastConv(ws *Workers, s ConvShape) convAlgorithm {
	switch ws.impl {
	case mixed:
		return newMixedConv(ws, s)
	case amx:
		return newAMXConv(ws, s)
	case avx2, avx512:
		if winogradFits(s) {
			return newWinogradConv(ws, s)
		}
		return newDirectConv(ws, s)
	}
	return nil
}

func newFastLinear(ws *Workers, rows, in, out int) linearAlgorithm {
	if ws.impl == generic {
		return nil
	}
	return newDirectLinear(ws, rows, in, out)
}
