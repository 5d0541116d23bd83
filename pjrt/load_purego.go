//go:build (linux || darwin) && (amd64 || arm64) && !static

package pjrt

import (
	"os/exec"
	"syscall"

	"github.com/ebitengine/purego"
)

// built reports whether this binary can load shared libraries.
const built = true

func dlopen(path string) (uintptr, error) {
	return purego.Dlopen(path, purego.RTLD_NOW|purego.RTLD_LOCAL)
}

func dlsym(library uintptr, name string) (uintptr, error) { return purego.Dlsym(library, name) }

func call(fn uintptr, args ...uintptr) uintptr {
	result, _, _ := purego.SyscallN(fn, args...)
	return result
}

// endWithChildren makes the end of cmd's context the end of its children too: a python on PATH may be a shell script.
func endWithChildren(cmd *exec.Cmd) {
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }
}
