//go:build !(linux || darwin || freebsd || netbsd || openbsd)

package nets

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
)

// lockFolder takes the run folder's lock and returns the function that gives it back. Without flock a crash leaves the lock
// file behind; the message says what to do.
func lockFolder(dir string) (unlock func(), err error) {
	path := filepath.Join(dir, "lock")
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o644)
	if errors.Is(err, fs.ErrExist) {
		return nil, fmt.Errorf("nets: %s: %w; if none is, delete %s", dir, ErrLocked, path)
	}
	if err != nil {
		return nil, &storageError{err}
	}
	return func() { f.Close(); os.Remove(path) }, nil
}
