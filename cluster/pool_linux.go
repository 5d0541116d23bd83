package cluster

import "syscall"

// childAttributes gives a cell's process a process group of its own, so that Ctrl-C at the terminal reaches it once, through
// the pool, and has the kernel send it SIGTERM when the pool dies, in whatever way, so that no cell
// runs on unwatched.
func childAttributes() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGTERM}
}
