//go:build unix

package kernel

import "syscall"

// cpuSeconds is the processor time of the process, which other processes do not
// inflate as they do wall time.
func cpuSeconds() float64 {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		panic(err)
	}
	return float64(u.Utime.Nano()+u.Stime.Nano()) / 1e9
}
