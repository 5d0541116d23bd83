//go:build !(linux || darwin || freebsd || netbsd || openbsd)

package runfolder

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
)

// Lock takes the run folder's lock and returns the function that gives it back. Without flock a crash leaves the lock
// file behind; the message says what to do.
func Lock(dir string) (unlock func(), err error) {
	path := filepath.Join(dir, "lock")
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o644)
	if errors.Is(err, fs.ErrExist) {
		return nil, fmt.Errorf("runfolder: %s: %w; if none is, delete %s", dir, ErrLocked, path)
	}
	if err != nil {
		return nil, StorageError(err)
	}
	return func() { f.Close(); os.Remove(path) }, nil
}

// Holder reports whether a run folder is locked. Without flock that may be by a process that has crashed.
func Holder(dir string) (holder string, held bool) {
	_, err := os.Stat(filepath.Join(dir, "lock"))
	return "a process (its lock file is there)", err == nil
}
