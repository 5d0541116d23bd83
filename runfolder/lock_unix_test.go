//go:build linux || darwin || freebsd || netbsd || openbsd

package runfolder

import (
	"errors"
	"os"
	"path/filepath"
	"testing"
)

// A process that opens the lock file just before its holder takes the file away gets a lock on a file that nobody else will
// open: it is not the folder's lock, whether or not a new file has the name.
func TestALockOnARemovedFileIsNone(t *testing.T) {
	for _, again := range []bool{false, true} {
		dir := t.TempDir()
		holder, err := Claim(dir)
		if err != nil {
			t.Fatal(err)
		}
		f, err := os.OpenFile(filepath.Join(dir, lockName), os.O_RDWR, 0)
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
		if mine, err := take(f, dir); mine || !errors.Is(err, ErrLocked) {
			t.Errorf("the lock of a claimed folder: %v, %v", mine, err)
		}
		holder.Abandon()
		if again {
			if holder, err = Claim(dir); err != nil {
				t.Fatal(err)
			}
			defer holder.Release()
		}
		if mine, err := take(f, dir); mine || err != nil {
			t.Errorf("the lock of a file that is gone, a new one there: %v: %v, %v", again, mine, err)
		}
	}
}

// A lock file that cannot be locked is the file system's failure, not another process.
func TestAFileThatCannotBeLocked(t *testing.T) {
	f, err := os.Open(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	f.Close()
	if _, err := take(f, t.TempDir()); !errors.Is(err, ErrStorage) || errors.Is(err, ErrLocked) {
		t.Errorf("a closed file: %v", err)
	}
}
