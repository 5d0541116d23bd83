package runfolder

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
)

// FileSystem is what a run folder needs of the operating system: small enough that a test can fail any call.
type FileSystem interface {
	Create(name string) (File, error) // truncates
	Rename(from, to string) error
	Remove(name string) error
	SyncDir(dir string) error
}

// File is a file being written.
type File interface {
	io.Writer
	Sync() error
	Close() error
}

// Disk is the operating system.
type Disk struct{}

func (Disk) Create(name string) (File, error) { return os.Create(name) }
func (Disk) Rename(from, to string) error     { return os.Rename(from, to) }
func (Disk) Remove(name string) error         { return os.Remove(name) }

// SyncDir makes renames in a folder durable.
func (Disk) SyncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	defer d.Close()
	return d.Sync()
}

// ErrStorage is what every error is (errors.Is) that the file system gave: a full disk, a permission, a failing device. The
// same call may succeed later. A file that does not exist is fs.ErrNotExist and not this.
var ErrStorage = errors.New("the file system failed")

// storageError marks the error inside as the file system's.
type storageError struct{ err error }

func (e *storageError) Error() string        { return "runfolder: " + e.err.Error() }
func (e *storageError) Unwrap() error        { return e.err }
func (e *storageError) Is(target error) bool { return target == ErrStorage }

// StorageError marks an error as a failure of the file system: errors.Is(it, ErrStorage).
func StorageError(err error) error { return &storageError{err} }

// ErrLocked is what [Claim] wraps when another process works in the folder.
var ErrLocked = errors.New("another process is working on this run folder")

// lockName is the file in a folder that its lock is taken on.
const lockName = "lock"

// WriteTemporary writes a file's whole content under a temporary name beside it and makes it durable. Only the holder of
// the folder's lock writes, so the name needs no randomness, and a file left by a crash is overwritten.
func WriteTemporary(files FileSystem, path string, content func(io.Writer) error) (temporary string, err error) {
	temporary = path + ".tmp"
	return temporary, writeDurable(files, temporary, content)
}

// writeDurable writes a file and makes it durable; it leaves no file when it fails.
func writeDurable(files FileSystem, temporary string, content func(io.Writer) error) (err error) {
	f, err := files.Create(temporary)
	if err != nil {
		return StorageError(err)
	}
	defer func() {
		if err != nil {
			files.Remove(temporary) // makes room; if it fails too, the next writer overwrites it
			err = StorageError(err)
		}
	}()
	if err := content(f); err != nil {
		f.Close()
		return err
	}
	if err := f.Sync(); err != nil {
		f.Close()
		return err
	}
	return f.Close()
}

// WriteAtomic replaces a file: a reader, or a restart after a crash at any point, sees the old content or the new.
func WriteAtomic(files FileSystem, path string, content func(io.Writer) error) error {
	temporary, err := WriteTemporary(files, path, content)
	if err != nil {
		return err
	}
	return moveInto(files, temporary, path)
}

// moveInto gives a written file its name, durably.
func moveInto(files FileSystem, temporary, path string) error {
	if err := files.Rename(temporary, path); err != nil {
		files.Remove(temporary)
		return StorageError(err)
	}
	if err := files.SyncDir(filepath.Dir(path)); err != nil {
		return StorageError(err)
	}
	return nil
}

// WriteFile replaces a file outside a run folder, which several processes may write at once: a reader sees the old content
// or the whole new one. It makes the folder if there is none.
func WriteFile(path string, data []byte) error {
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return StorageError(err)
	}
	temporary := filepath.Join(filepath.Dir(path), fmt.Sprintf(".%s.%x", filepath.Base(path), rand.Uint64()))
	err := writeDurable(Disk{}, temporary, func(w io.Writer) error {
		_, err := w.Write(data)
		return err
	})
	if err != nil {
		return err
	}
	return moveInto(Disk{}, temporary, path)
}

// WriteBytes is [WriteAtomic] of bytes.
func WriteBytes(files FileSystem, path string, b []byte) error {
	return WriteAtomic(files, path, func(w io.Writer) error {
		_, err := w.Write(b)
		return err
	})
}

// SetAside gives a file another name, at which nothing lies and no run writes: its own with ".kept" behind it, or ".kept2" and so on. Its error is
// fs.ErrNotExist where there is no file.
func SetAside(files FileSystem, path string) (to string, err error) {
	if _, err := os.Lstat(path); err != nil {
		return "", unreadable(err)
	}
	for n := 1; ; n++ {
		to = path + ".kept"
		if n > 1 {
			to += fmt.Sprint(n)
		}
		if _, err := os.Lstat(to); errors.Is(err, fs.ErrNotExist) {
			break
		} else if err != nil {
			return "", StorageError(err)
		}
	}
	if err := files.Rename(path, to); err != nil {
		return "", StorageError(err)
	}
	return to, nil
}

// Bounds on the files that are read whole: a configuration, and a run's results and metrics, of which 10,000 epochs of 60 layers are 90 MB.
const (
	MaxConfig = 1 << 20
	MaxText   = 256 << 20
)

// CheckObjects is an error if a JSON text has more objects than one for every size bytes, and a thousand. A decoder makes a structure of
// some hundred bytes of each, were it written as {}: so its memory is bounded by the length of the text.
func CheckObjects(text []byte, size int) error {
	if n := bytes.Count(text, []byte("{")); n > 1000+len(text)/size {
		return fmt.Errorf("%d objects in %d bytes: want %d bytes or more for each", n, len(text), size)
	}
	return nil
}

// ReadFile reads a file of at most limit bytes. Its error is fs.ErrNotExist where there is no file, [ErrStorage] where the
// file system does not give it out, and neither where what is there is no regular file or too large.
func ReadFile(path string, limit int64) ([]byte, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, unreadable(err)
	}
	if !info.Mode().IsRegular() {
		return nil, fmt.Errorf("%s is %s: want a plain file", path, Kind(info.Mode()))
	}
	if info.Size() > limit {
		return nil, fmt.Errorf("%s has %d bytes: want at most %d", path, info.Size(), limit)
	}
	b, err := os.ReadFile(path)
	if err != nil {
		return nil, unreadable(err)
	}
	return b, nil
}

// Kind says in words what lies where a plain file is wanted.
func Kind(m fs.FileMode) string {
	switch {
	case m.IsDir():
		return "a folder"
	case m&fs.ModeNamedPipe != 0:
		return "a named pipe"
	case m&fs.ModeSocket != 0:
		return "a socket"
	case m&fs.ModeSymlink != 0:
		return "a symbolic link"
	}
	return "a device"
}

// unreadable marks an error of reading as the file system's, unless there is nothing to read.
func unreadable(err error) error {
	if errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return StorageError(err)
}
