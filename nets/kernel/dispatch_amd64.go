//go:build !purego

package kernel

import (
	"golang.org/x/sys/cpu"

	"tqn/dispatch"
)

// available reports whether processor and operating system run an implementation.
func available(i implementation) bool {
	switch i {
	case generic, avx2, avx512:
		return dispatch.Has(i.String())
	case amx, mixed:
		return available(avx512) && roundsToHalves(amx) && cpu.X86.HasAMXTile && cpu.X86.HasAMXBF16 && tilePermission()
	}
	return false
}

// roundsToHalves reports whether an implementation has the processor round to bf16.
func roundsToHalves(i implementation) bool { return i >= avx512 && cpu.X86.HasAVX512BF16 }

func newFastConv(ws *Workers, s ConvShape) convAlgorithm {
	switch ws.impl {
	case mixed:
		return newMixedConv(ws, s)
	case amx:
		return newAMXConv(ws, s)
	case avx2, avx512:
		var c convAlgorithm
		if winogradFits(s) {
			c = newWinogradConv(ws, s)
		} else {
			c = newDirectConv(ws, s)
		}
		switch {
		case ws.keepsHalves():
			return newHalvesConv(ws, s, c.(fusingConv))
		case ws.precision == BF16:
			return newRoundedConv(ws, s, c)
		}
		return c
	}
	return nil
}

func newFastLinear(ws *Workers, rows, in, out int) linearAlgorithm {
	switch {
	case ws.impl == generic:
		return nil
	case ws.precision == BF16 && ws.impl >= amx:
		return newAMXLinear(ws, rows, in, out)
	case ws.precision == BF16:
		return newRoundedLinear(ws, rows, in, out, newDirectLinear(ws, rows, in, out))
	}
	return newDirectLinear(ws, rows, in, out)
}
