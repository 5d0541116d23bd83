package runfolder

import (
	"errors"
	"os"
	"path/filepath"
	"runtime"
	"sync"
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
	unlock := f.unlock
	f.unlock = func() {
		if _, err := os.Lstat(filepath.Join(dir, lockName)); err == nil {
			t.Error("the lock is given back before its file is gone: the next holder would lose it")
		}
		unlock()
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

// Claims that are abandoned while others try: at no moment do two processes hold the folder. Each of the four goes on until it has had the folder so many
// times: how often it is refused in between depends on the machine.
func TestAbandonedClaimsKeepOthersOut(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "run")
	held := make(chan struct{}, 1)
	var all sync.WaitGroup
	for range 4 {
		all.Go(func() {
			for claims := 0; claims < 150 && !t.Failed(); {
				f, err := Claim(dir)
				if err != nil {
					runtime.Gosched()
					continue
				}
				claims++
				select {
				case held <- struct{}{}:
					runtime.Gosched() // whoever would come in comes now
					<-held
				default:
					t.Error("two hold the folder")
				}
				f.Abandon()
			}
		})
	}
	all.Wait()
}
