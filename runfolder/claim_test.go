package runfolder

import (
	"errors"
	"os"
	"path/filepath"
	"testing"
)

func entries(t *testing.T, dir string) []string {
	t.Helper()
	list, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, e := range list {
		names = append(names, e.Name())
	}
	return names
}

// One process at a time; an abandoned claim leaves what was there before, a released one the folder and its lock file.
func TestClaim(t *testing.T) {
	top := t.TempDir()
	dir := filepath.Join(top, "a", "b")
	f, err := Claim(dir)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := Claim(dir); !errors.Is(err, ErrLocked) {
		t.Errorf("a second claim: %v", err)
	}
	if _, held := Holder(dir); !held {
		t.Error("nobody holds a claimed folder")
	}
	f.Abandon()
	if left := entries(t, top); len(left) != 0 {
		t.Errorf("an abandoned claim leaves %v", left)
	}
	if f, err = Claim(dir); err != nil {
		t.Fatal(err)
	}
	f.Release()
	if left := entries(t, dir); len(left) != 1 || left[0] != lockName {
		t.Errorf("a released claim leaves %v", left)
	}
	if f, err = Claim(dir); err != nil { // the lock file is older than this claim
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "other"), nil, 0o644); err != nil {
		t.Fatal(err)
	}
	f.Abandon()
	if left := entries(t, dir); len(left) != 2 {
		t.Errorf("somebody else's files are gone: %v left", left)
	}
	if err := os.WriteFile(filepath.Join(top, "file"), nil, 0o644); err != nil {
		t.Fatal(err)
	}
	if _, err := Claim(filepath.Join(top, "file", "below")); !errors.Is(err, ErrStorage) {
		t.Errorf("a folder below a file: %v", err)
	}
}

// Claims that are abandoned while others try: at no moment do two processes hold the folder.
func TestAbandonedClaimsKeepOthersOut(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "run")
	held := make(chan struct{}, 1)
	done := make(chan int)
	for range 4 {
		go func() {
			claims := 0
			for range 2000 {
				f, err := Claim(dir)
				if err != nil {
					continue
				}
				select {
				case held <- struct{}{}:
					claims++
					<-held
				default:
					t.Error("two hold the folder")
				}
				f.Abandon()
			}
			done <- claims
		}()
	}
	all := 0
	for range 4 {
		all += <-done
	}
	if all < 100 {
		t.Errorf("only %d claims in 8000 tries", all)
	}
}
