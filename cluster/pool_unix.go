//go:build unix && !linux

package cluster

import "syscall"

// childAttributes gives a cell's process a process group of its own, so that Ctrl-C at the terminal reaches it once, through
// the pool.
func childAttributes() *syscall.SysProcAttr { return &syscall.SysProcAttr{Setpgid: true} }
