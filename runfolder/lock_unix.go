//go:build linux || darwin || freebsd || netbsd || openbsd

package runfolder

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
)

// lock takes the folder's lock and returns the function that gives it back; made says that the lock file is new. The
// operating system gives the lock back when the process ends, however it ends, so a lock is never stale.
func lock(dir string) (unlock func(), made bool, err error) {
	path := filepath.Join(dir, lockName)
	for {
		info, err := os.Lstat(path)
		if made = errors.Is(err, fs.ErrNotExist); err == nil && !info.Mode().IsRegular() { // a link's file would be overwritten, a pipe waited for
			return nil, false, fmt.Errorf("runfolder: %s is %s: want the lock, a plain file, or nothing", path, Kind(info.Mode()))
		}
		f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o644)
		if err != nil {
			return nil, false, StorageError(err)
		}
		mine, err := take(f, dir)
		if err != nil {
			f.Close()
			return nil, false, err
		}
		if !mine {
			f.Close()
			continue
		}
		host, _ := os.Hostname()
		f.Truncate(0)
		f.WriteAt(fmt.Appendf(nil, "process %d on %s\n", os.Getpid(), host), 0) // for the message above only
		return func() { f.Close() }, made, nil
	}
}

// take locks an open lock file of a folder. It is false where the folder has another lock file by now, or none: whoever held
// the lock before has taken the file away, and this lock would keep nobody out.
func take(f *os.File, dir string) (mine bool, err error) {
	path := filepath.Join(dir, lockName)
	if err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		if !errors.Is(err, syscall.EWOULDBLOCK) {
			return false, StorageError(fmt.Errorf("lock %s: %w", path, err))
		}
		holder := make([]byte, 64)
		n, _ := f.Read(holder)
		return false, fmt.Errorf("runfolder: %s: %w (%s)", dir, ErrLocked, strings.TrimSpace(string(holder[:n])))
	}
	return sameFile(f, path), nil
}

// sameFile reports whether an open file is still the one that the path names.
func sameFile(f *os.File, path string) bool {
	a, err := f.Stat()
	if err != nil {
		return false
	}
	b, err := os.Lstat(path)
	return err == nil && os.SameFile(a, b)
}

// Holder reports whether a process holds a run folder's lock, and which, as it has signed. It takes the lock, shared, for a
// moment: a run that starts in that moment fails with [ErrLocked].
func Holder(dir string) (holder string, held bool) {
	path := filepath.Join(dir, lockName)
	if info, err := os.Lstat(path); err != nil || !info.Mode().IsRegular() {
		return "", false // a named pipe would wait for its writer
	}
	f, err := os.Open(path)
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
