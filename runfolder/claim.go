package runfolder

import (
	"os"
	"path/filepath"
)

// Folder is a run folder that this process alone works in, from [Claim] to Release or Abandon.
type Folder struct {
	Dir     string
	made    []string // the folders that Claim made, the innermost first
	newLock bool     // Claim made the lock file
	unlock  func()
}

// Claim makes the folder if there is none and takes its lock. It wraps [ErrLocked] if another process holds it.
func Claim(dir string) (*Folder, error) {
	f := &Folder{Dir: dir}
	for at := filepath.Clean(dir); ; at = filepath.Dir(at) {
		if _, err := os.Lstat(at); err == nil || at == filepath.Dir(at) {
			break
		}
		f.made = append(f.made, at)
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		f.removeMade()
		return nil, StorageError(err)
	}
	var err error
	if f.unlock, f.newLock, err = lock(dir); err != nil {
		f.removeMade()
		return nil, err
	}
	return f, nil
}

// Release gives the lock back and leaves the folder as it is.
func (f *Folder) Release() { f.unlock() }

// Abandon gives the lock back and takes away what Claim made: the lock file and every folder in which nothing else lies. A
// command whose checks fail leaves no trace, so that the next one, with other settings, finds a free folder.
func (f *Folder) Abandon() {
	if f.newLock {
		os.Remove(filepath.Join(f.Dir, lockName)) // before the lock is given back: nobody else can hold it
	}
	f.unlock()
	f.removeMade()
}

// removeMade removes the folders that Claim made, as far as they are empty.
func (f *Folder) removeMade() {
	for _, dir := range f.made {
		if os.Remove(dir) != nil {
			return
		}
	}
}
