package nets

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"tqn/dispatch"
)

// ErrOtherKernel is what Train wraps when the run was begun with another kernel than this process has: their sums of
// products round differently, so that the result would be neither's alone. [Where.KernelChange] allows it.
var ErrOtherKernel = errors.New("begun with another kernel")

// roundsLike reports whether two kernels give the same bits. avx2 and avx512 do: they add the same products in the same
// order, eight or sixteen sums at a time, each with fused multiply-adds. All others differ.
func roundsLike(a, b string) bool {
	vectors := []string{dispatch.AVX2, dispatch.AVX512}
	return a == b || slices.Contains(vectors, a) && slices.Contains(vectors, b)
}

// kernelSeparator joins the kernels of a run that has used several, in the order in which they first took part:
// "generic+avx512".
const kernelSeparator = "+"

// joinKernels adds a kernel to those that a run has used so far. It is an error if it rounds otherwise than one of them, unless that
// is allowed.
func joinKernels(so, kernel string, allowed bool) (string, error) {
	used := strings.Split(so, kernelSeparator)
	if slices.Contains(used, kernel) || so == kernel {
		return so, nil
	}
	for _, u := range used {
		if !allowed && !roundsLike(u, kernel) {
			return so, fmt.Errorf("%w (%s) than this process has (%s): their sums round differently; %s, or allow it with tqn train --kernel-change, and the result will name both",
				ErrOtherKernel, so, kernel, sameKernel(used[len(used)-1], kernel))
		}
	}
	return so + kernelSeparator + kernel, nil
}

// sameKernel says how a process that has the kernel now gets the one that a run was begun with.
func sameKernel(kernel, now string) string {
	if strings.HasPrefix(kernel, "pjrt") {
		return "go on with --engine pjrt and the precision and the plug-in named there"
	}
	implementation, bf16 := strings.CutSuffix(kernel, bf16Suffix)
	advice := fmt.Sprintf("set %s=%s if this machine has it", dispatch.Variable, implementation)
	onDevice := strings.HasPrefix(now, "pjrt")
	if onDevice {
		advice += ", without --engine pjrt"
	}
	switch {
	case bf16 && !AtBF16(now):
		return advice + ", and give --precision bf16"
	case !bf16 && !onDevice && AtBF16(now):
		return advice + ", and leave out --precision bf16"
	}
	return advice
}

// bf16Suffix ends the name of a kernel of the CPU at precision bf16.
const bf16Suffix = "-bf16"

// AtBF16 says that a kernel's name is that of one of the CPU at precision bf16.
func AtBF16(kernel string) bool { return strings.HasSuffix(kernel, bf16Suffix) }
