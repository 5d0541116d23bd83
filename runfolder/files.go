package runfolder

import (
	"errors"
	"fmt"
	"io"
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

// ErrStorage is what an error is (errors.Is) that the file system gave: a full disk, a permission, a failing device. The same call may succeed later.
var ErrStorage = errors.New("the file system failed")

// storageError marks the error inside as the file system's.
type storageError struct{ err error }

func (e *storageError) Error() string        { return "runfolder: " + e.err.Error() }
func (e *storageError) Unwrap() error        { return e.err }
func (e *storageError) Is(target error) bool { return target == ErrStorage }

// StorageError marks an error as a failure of the file system: errors.Is(it, ErrStorage).
func StorageError(err error) error { return &storageError{err} }

// ErrLocked is what Train wraps when another process works on the run folder.
var ErrLocked = errors.New("another process is working on this run folder")

// WriteTemporary writes a file's whole content under a temporary name beside it and makes it durable. Only the holder of
// the folder's lock writes, so the name needs no randomness, and a file left by a crash is overwritten.
func WriteTemporary(fs FileSystem, path string, content func(io.Writer) error) (temporary string, err error) {
	temporary = path + ".tmp"
	return temporary, writeDurable(fs, temporary, content)
}

// writeDurable writes a file and makes it durable; it leaves no file when it fails.
func writeDurable(fs FileSystem, temporary string, content func(io.Writer) error) (err error) {
	f, err := fs.Create(temporary)
	if err != nil {
		return StorageError(err)
	}
	defer func() {
		if err != nil {
			fs.Remove(temporary) // makes room; if it fails too, the next writer overwrites it
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
func WriteAtomic(fs FileSystem, path string, content func(io.Writer) error) error {
	temporary, err := WriteTemporary(fs, path, content)
	if err != nil {
		return err
	}
	return moveInto(fs, temporary, path)
}

// moveInto gives a written file its name, durably.
func moveInto(fs FileSystem, temporary, path string) error {
	if err := fs.Rename(temporary, path); err != nil {
		fs.Remove(temporary)
		return StorageError(err)
	}
	if err := fs.SyncDir(filepath.Dir(path)); err != nil {
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

func WriteBytes(fs FileSystem, path string, b []byte) error {
	return WriteAtomic(fs, path, func(w io.Writer) error {
		_, err := w.Write(b)
		return err
	})
}

// MaxText bounds the configuration and result files that are read whole.
const MaxText = 256 << 20

// ReadFile reads a file of at most limit bytes.
func ReadFile(path string, limit int64) ([]byte, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() || info.Size() > limit {
		return nil, fmt.Errorf("%s: want a regular file of at most %d bytes, not %v of %d", path, limit, info.Mode(), info.Size())
	}
	return os.ReadFile(path)
}
