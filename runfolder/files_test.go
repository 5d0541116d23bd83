package runfolder

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"strings"
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

// A file is read only if it is plain and no longer than its kind allows, and its text has no more objects than its length warrants.
func TestReadFileBounds(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "f")
	if err := os.WriteFile(path, []byte("0123456789"), 0o644); err != nil {
		t.Fatal(err)
	}
	if b, err := ReadFile(path, 10); err != nil || string(b) != "0123456789" {
		t.Errorf("a file of the greatest length: %q, %v", b, err)
	}
	for name, c := range map[string]struct {
		path  string
		limit int64
		words string
	}{
		"a byte too long": {path, 9, "has 10 bytes: want at most 9"},
		"a folder":        {dir, 1 << 20, "is a folder: want a plain file"},
		"a device":        {os.DevNull, 1 << 20, "is a device: want a plain file"},
	} {
		if _, err := ReadFile(c.path, c.limit); err == nil || !strings.Contains(err.Error(), c.words) || errors.Is(err, ErrStorage) {
			t.Errorf("%s: %v, want %q", name, err, c.words)
		}
	}
	if _, err := ReadFile(filepath.Join(dir, "none"), 10); !errors.Is(err, os.ErrNotExist) || errors.Is(err, ErrStorage) {
		t.Errorf("no file: %v", err)
	}
	if _, err := ReadFile(filepath.Join(path, "below-a-file"), 10); !errors.Is(err, ErrStorage) {
		t.Errorf("a file below a file: %v, want a failure of the file system", err)
	}
	few := bytes.Repeat([]byte("{}"), 1000)
	if err := CheckObjects(few, len(few)+1); err != nil {
		t.Errorf("a thousand objects: %v", err)
	}
	if err := CheckObjects(append(few, '{'), len(few)+2); err == nil || !strings.Contains(err.Error(), "1001 objects in 2001 bytes") {
		t.Errorf("one more: %v", err)
	}
	if err := CheckObjects(append(few, "{ }"...), len(few)); err != nil {
		t.Errorf("one more in a text that is longer: %v", err)
	}
}
