package nets

import (
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
)

// fileSystem is what a run folder needs of the operating system: small enough that a test can fail any call.
type fileSystem interface {
	Create(name string) (file, error) // truncates
	Rename(from, to string) error
	Remove(name string) error
	SyncDir(dir string) error
}

// file is a file being written.
type file interface {
	io.Writer
	Sync() error
	Close() error
}

// disk is the operating system.
type disk struct{}

func (disk) Create(name string) (file, error) { return os.Create(name) }
func (disk) Rename(from, to string) error     { return os.Rename(from, to) }
func (disk) Remove(name string) error         { return os.Remove(name) }

// SyncDir makes renames in a folder durable.
func (disk) SyncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	defer d.Close()
	return d.Sync()
}

// storageError is a failure of the file system: worth another try once there is room.
type storageError struct{ err error }

func (e *storageError) Error() string { return "nets: " + e.err.Error() }
func (e *storageError) Unwrap() error { return e.err }

// writeTemporary writes a file's whole content under a temporary name beside it and makes it durable. Only the holder of
// the folder's lock writes, so the name needs no randomness, and a file left by a crash is overwritten.
func writeTemporary(fs fileSystem, path string, content func(io.Writer) error) (temporary string, err error) {
	temporary = path + ".tmp"
	return temporary, writeDurable(fs, temporary, content)
}

// writeDurable writes a file and makes it durable; it leaves no file when it fails.
func writeDurable(fs fileSystem, temporary string, content func(io.Writer) error) (err error) {
	f, err := fs.Create(temporary)
	if err != nil {
		return &storageError{err}
	}
	defer func() {
		if err != nil {
			fs.Remove(temporary) // makes room; if it fails too, the next writer overwrites it
			err = &storageError{err}
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

// writeAtomic replaces a file: a reader, or a restart after a crash at any point, sees the old content or the new.
func writeAtomic(fs fileSystem, path string, content func(io.Writer) error) error {
	temporary, err := writeTemporary(fs, path, content)
	if err != nil {
		return err
	}
	return moveInto(fs, temporary, path)
}

// moveInto gives a written file its name, durably.
func moveInto(fs fileSystem, temporary, path string) error {
	if err := fs.Rename(temporary, path); err != nil {
		fs.Remove(temporary)
		return &storageError{err}
	}
	if err := fs.SyncDir(filepath.Dir(path)); err != nil {
		return &storageError{err}
	}
	return nil
}

// WriteFile replaces a file outside a run folder, which several processes may write at once: a reader sees the old content
// or the whole new one. It makes the folder if there is none.
func WriteFile(path string, data []byte) error {
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return &storageError{err}
	}
	temporary := filepath.Join(filepath.Dir(path), fmt.Sprintf(".%s.%x", filepath.Base(path), rand.Uint64()))
	err := writeDurable(disk{}, temporary, func(w io.Writer) error {
		_, err := w.Write(data)
		return err
	})
	if err != nil {
		return err
	}
	return moveInto(disk{}, temporary, path)
}

func writeBytes(fs fileSystem, path string, b []byte) error {
	return writeAtomic(fs, path, func(w io.Writer) error {
		_, err := w.Write(b)
		return err
	})
}

// maxTextFile bounds the configuration and result files that are read whole.
const maxTextFile = 256 << 20

// readFile reads a file of at most limit bytes.
func readFile(path string, limit int64) ([]byte, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() || info.Size() > limit {
		return nil, fmt.Errorf("%s: want a regular file of at most %d bytes, not %v of %d", path, limit, info.Mode(), info.Size())
	}
	return os.ReadFile(path)
}

// Retryable reports whether a failed Train may succeed when the same call is made again: it was interrupted, another
// process held the folder, or the folder's file system failed. Everything else (a wrong configuration, missing or damaged data,
// numbers that are not finite) will fail again.
func Retryable(err error) bool {
	var storage *storageError
	return errors.Is(err, ErrInterrupted) || errors.Is(err, ErrLocked) || errors.As(err, &storage)
}
