//go:build unix && !linux

package cluster

import "syscall"

// childAttributes: a process group of its own, so that Ctrl-C at the terminal
// reaches it through the pool only, once.
func childAttributes() *syscall.SysProcAttr { return &syscall.SysProcAttr{Setpgid: true} }
