//go:build unix

package main

import (
	"os"
	"syscall"
)

// maxrss is in KiB on Linux.
func maxrss(p *os.ProcessState) int64 {
	if u, ok := p.SysUsage().(*syscall.Rusage); ok {
		return int64(u.Maxrss) << 10
	}
	return 0
}
