package nets

import (
	"errors"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"

	"tqn/runfolder"
)

// A file that its permissions keep from being read is not replaced, although the folder's would let it. Root reads every file: this thread looks as nobody does.
func TestPlacesOfFilesAreReadable(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "metrics.jsonl")
	if err := errors.Join(os.WriteFile(path, nil, 0), os.Chmod(dir, 0o755), os.Chmod(filepath.Dir(dir), 0o755)); err != nil {
		t.Fatal(err)
	}
	runtime.LockOSThread()
	syscall.RawSyscall(syscall.SYS_SETFSUID, 65534, 0, 0)
	defer func() {
		syscall.RawSyscall(syscall.SYS_SETFSUID, uintptr(os.Getuid()), 0, 0)
		runtime.UnlockOSThread()
	}()
	if err := placesOfFiles(dir); !errors.Is(err, runfolder.ErrStorage) || !strings.Contains(err.Error(), "make it readable, or move it elsewhere") {
		t.Errorf("a file of mode 000: %v", err)
	}
	if err := os.Chmod(dir, 0o755); err == nil && os.Getuid() == 0 {
		t.Error("the thread is still root's")
	}
}
