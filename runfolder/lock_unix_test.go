//go:build linux || darwin || freebsd || netbsd || openbsd

package runfolder

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"syscall"
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

// What has the lock's name and is no plain file is refused, neither locked nor written to: of a link to a file no lock would ever be the folder's, and a pipe is waited for.
func TestALockThatIsNoPlainFile(t *testing.T) {
	dir := t.TempDir()
	path, other := filepath.Join(dir, lockName), filepath.Join(t.TempDir(), "other")
	for kind, put := range map[string]func() error{
		"a folder":        func() error { return os.Mkdir(path, 0o755) },
		"a symbolic link": func() error { return os.Symlink(other, path) },
		"a named pipe":    func() error { return syscall.Mkfifo(path, 0o644) },
	} {
		if err := put(); err != nil {
			t.Fatal(err)
		}
		for _, there := range []bool{false, true} { // what the link leads to
			if f, err := Claim(dir); err == nil || !strings.Contains(err.Error(), kind) || errors.Is(err, ErrLocked) || errors.Is(err, ErrStorage) {
				t.Errorf("%s: %v, %v", kind, f, err)
			}
			if _, held := Holder(dir); held {
				t.Errorf("%s: held", kind)
			}
			if b, err := os.ReadFile(other); there && (err != nil || string(b) != "precious") || !there && err == nil {
				t.Errorf("%s: the other file holds %q, %v", kind, b, err)
			}
			if err := os.WriteFile(other, []byte("precious"), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		os.Remove(path)
		os.Remove(other)
	}
}
