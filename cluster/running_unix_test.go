//go:build linux || darwin || freebsd || netbsd || openbsd

package cluster

import (
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"tqn/runfolder"
)

// A held lock is a running cell; a begun cell without one was interrupted; a lock file nobody holds says nothing.
func TestMarkRunning(t *testing.T) {
	dir := t.TempDir()
	p := testPlan(t, dir, 5)
	lock := func(cell int, hold bool) {
		t.Helper()
		path := filepath.Join(p.Cells[cell].Dir(dir), "lock")
		if err := runfolder.WriteFile(path, []byte("process 42 on host\n")); err != nil {
			t.Fatal(err)
		}
		if !hold {
			return
		}
		f, err := os.Open(path)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { f.Close() })
		if err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
			t.Fatal(err)
		}
	}
	begin := func(cell int) {
		t.Helper()
		if err := runfolder.WriteFile(filepath.Join(p.Cells[cell].Dir(dir), "config.json"), []byte("{}")); err != nil {
			t.Fatal(err)
		}
	}
	begin(0)
	lock(0, true)
	begin(1)
	lock(1, false)
	lock(2, true) // a process that has written nothing yet
	lock(3, false)
	states := Collect(dir, p)
	MarkRunning(dir, p, states)
	for i, want := range []State{Running, Interrupted, Running, Waiting, Waiting} {
		if states[i].State != want {
			t.Errorf("cell %d is %s, want %s", i, states[i].State, want)
		}
	}
	if !strings.Contains(states[0].Why, "process 42 on host, 0 of 2 epochs") {
		t.Errorf("%q", states[0].Why)
	}
	// Looking has not kept the lock.
	f, err := os.Open(filepath.Join(p.Cells[1].Dir(dir), "lock"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		t.Errorf("after looking: %v", err)
	}
}
