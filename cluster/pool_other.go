//go:build !unix

package cluster

import "syscall"

func childAttributes() *syscall.SysProcAttr { return nil }
