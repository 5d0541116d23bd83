//go:build !unix

package bench

import "runtime"

// peakRSS is the memory Go has obtained from the system, in bytes: what is known where there is no getrusage.
func peakRSS() int64 {
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.Sys)
}
