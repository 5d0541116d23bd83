//go:build linux || darwin || freebsd || netbsd || openbsd

package runfolder

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
)

// Lock takes the run folder's lock and returns the function that gives it back. The operating system gives it back when
// the process ends, however it ends, so a lock is never stale.
func Lock(dir string) (unlock func(), err error) {
	path := filepath.Join(dir, "lock")
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o644)
	if err != nil {
		return nil, StorageError(err)
	}
	if err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		defer f.Close()
		if !errors.Is(err, syscall.EWOULDBLOCK) {
			return nil, StorageError(fmt.Errorf("lock %s: %w", path, err))
		}
		holder := make([]byte, 64)
		n, _ := f.Read(holder)
		return nil, fmt.Errorf("runfolder: %s: %w (%s)", dir, ErrLocked, strings.TrimSpace(string(holder[:n])))
	}
	host, _ := os.Hostname()
	f.Truncate(0)
	f.WriteAt(fmt.Appendf(nil, "process %d on %s\n", os.Getpid(), host), 0) // for the message above only
	return func() { f.Close() }, nil
}

// Holder reports whether a process holds a run folder's lock, and which, as it has signed. It takes the lock, shared, for a
// moment: a run that starts in that moment fails with [ErrLocked].
func Holder(dir string) (holder string, held bool) {
	f, err := os.Open(filepath.Join(dir, "lock"))
	if err != nil {
		return "", false
	}
	defer f.Close()
	if err := syscall.Flock(int(f.Fd()), syscall.LOCK_SH|syscall.LOCK_NB); !errors.Is(err, syscall.EWOULDBLOCK) {
		return "", false
	}
	b := make([]byte, 64)
	n, _ := f.Read(b)
	return strings.TrimSpace(string(b[:n])), true
}
