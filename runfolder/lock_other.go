//go:build !(linux || darwin || freebsd || netbsd || openbsd)

package runfolder

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
)

// lock takes the folder's lock and returns the function that gives it back; made says that the lock file is new. Without
// flock a crash leaves the lock file behind; the message says what to do.
func lock(dir string) (unlock func(), made bool, err error) {
	path := filepath.Join(dir, lockName)
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o644)
	if errors.Is(err, fs.ErrExist) {
		return nil, false, fmt.Errorf("runfolder: %s: %w; if none is, delete %s", dir, ErrLocked, path)
	}
	if err != nil {
		return nil, false, StorageError(err)
	}
	return func() { f.Close(); os.Remove(path) }, true, nil
}

// Holder reports whether a run folder is locked. Without flock that may be by a process that has crashed.
func Holder(dir string) (holder string, held bool) {
	_, err := os.Stat(filepath.Join(dir, lockName))
	return "a process (its lock file is there)", err == nil
}
