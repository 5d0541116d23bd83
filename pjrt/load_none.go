//go:build !((linux || darwin) && (amd64 || arm64) && !static)

package pjrt

import (
	"fmt"
	"os/exec"
	"runtime"
)

// built reports whether this binary can load shared libraries.
const built = false

func dlopen(string) (uintptr, error) {
	return 0, fmt.Errorf("this binary (%s/%s) was built without dynamic loading; build it for linux or darwin on amd64 or arm64, without -tags static", runtime.GOOS, runtime.GOARCH)
}

func dlsym(uintptr, string) (uintptr, error) { panic("pjrt: dlsym: not built") }

func call(uintptr, ...uintptr) uintptr { panic("pjrt: call: not built") }

func endWithChildren(*exec.Cmd) { panic("pjrt: endWithChildren: not built") }
