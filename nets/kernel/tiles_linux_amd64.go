//go:build !purego

package kernel

import (
	"sync"
	"syscall"
)

// tilePermission asks Linux for the tile registers, which a process must do
// once before it uses them (Documentation/arch/x86/xstate.rst).
var tilePermission = sync.OnceValue(func() bool {
	const archPrctl, requestPermission, tileData = 158, 0x1023, 18
	_, _, errno := syscall.RawSyscall(archPrctl, requestPermission, tileData, 0)
	return errno == 0
})
