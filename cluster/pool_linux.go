package cluster

import "syscall"

// childAttributes: a process group of its own, so that Ctrl-C at the terminal
// reaches it through the pool only, once; and SIGTERM when the pool dies, however
// it dies, so that no cell runs on unwatched.
func childAttributes() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGTERM}
}
