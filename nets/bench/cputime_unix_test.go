//go:build unix

package bench

import (
	"syscall"
	"time"
)

// cpuTime is what the process's threads have used so far; 0 where that is unknown.
func cpuTime() time.Duration {
	var u syscall.Rusage
	if syscall.Getrusage(syscall.RUSAGE_SELF, &u) != nil {
		return 0
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
