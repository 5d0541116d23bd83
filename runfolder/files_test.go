package runfolder

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"sync"
	"testing"
)

// Two processes may write a report at once: each content is whole, and nothing else is left.
func TestWriteFileIsWhole(t *testing.T) {
	path := filepath.Join(t.TempDir(), "new", "report.md")
	var wait sync.WaitGroup
	for i := range 8 {
		wait.Go(func() {
			for range 20 {
				if err := WriteFile(path, bytes.Repeat([]byte{byte('a' + i)}, 10000+i)); err != nil {
					t.Error(err)
				}
				got, err := os.ReadFile(path)
				if err != nil || len(got) != 10000+int(got[0]-'a') || bytes.Count(got, got[:1]) != len(got) {
					t.Errorf("a reader saw %d bytes (%v), not one writer's", len(got), err)
				}
			}
		})
	}
	wait.Wait()
	entries, err := os.ReadDir(filepath.Dir(path))
	if err != nil || len(entries) != 1 {
		t.Errorf("%d files are left (%v), want the report alone", len(entries), err)
	}
	if err := WriteFile(filepath.Join(path, "below-a-file"), nil); !errors.Is(err, ErrStorage) {
		t.Errorf("writing below a file: %v, want a failure of the file system", err)
	}
}
