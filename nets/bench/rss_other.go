//go:build !unix

package bench

import "runtime"

// PeakRSS is the memory Go has obtained from the system, in bytes: what is known where there is no getrusage.
func PeakRSS() int64 {
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.Sys)
}
