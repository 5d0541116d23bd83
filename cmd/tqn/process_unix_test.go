//go:build unix

package main

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"tqn/cluster"
	"tqn/runfolder"
)

// asCommand tells this test binary to act as tqn.
const asCommand = "TQN_TEST_AS_COMMAND"

// withMemory tells this test binary to act as tqn in so many MiB of address space beyond what the program has at its start, and to say
// on standard error how much it has used; only on Linux.
const withMemory = "TQN_TEST_WITH_MEMORY"

func TestMain(m *testing.M) {
	if mib := os.Getenv(withMemory); mib != "" {
		measured(mib)
	}
	if os.Getenv(asCommand) != "" {
		main()
	}
	os.Exit(m.Run())
}

// process is tqn with these arguments, to be started.
func process(args ...string) *exec.Cmd {
	cmd := exec.Command(os.Args[0], args...)
	cmd.Env = append(os.Environ(), asCommand+"=1", "TQN_KERNEL=generic")
	return cmd
}

// ended waits for a process, at most that long, and returns its exit code; -1 for one that was killed.
func ended(t *testing.T, cmd *exec.Cmd, within time.Duration) int {
	t.Helper()
	late := time.AfterFunc(within, func() { _ = cmd.Process.Kill() })
	defer late.Stop()
	err := cmd.Wait()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		t.Fatal(err)
	}
	return cmd.ProcessState.ExitCode()
}

// What may take long while there is nothing to save: a FIFO that nobody writes, standard input, each kind of computation.
// The first signal ends each with 130, whichever of the three it is.
func TestASignalEndsWhatHasNothingToSave(t *testing.T) {
	if testing.Short() {
		t.Skip("a dozen processes")
	}
	dir := t.TempDir()
	fifo := filepath.Join(dir, "fifo")
	if err := syscall.Mkfifo(fifo, 0o600); err != nil {
		t.Fatal(err)
	}
	quiet, writer, err := os.Pipe() // standard input without an end
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { writer.Close() }) // a writer that nothing holds is closed by the garbage collector, and the input ends
	csv := good(t)
	signals := []syscall.Signal{syscall.SIGINT, syscall.SIGTERM, hangup()}
	for i, args := range [][]string{
		{"chain", fifo},
		{"chain", "-"},
		{"bench", "--net", "vgg9", "--batch", "512", "--threads", "1"},
		{"toy", "--iterations", "2000000000", "--out", filepath.Join(dir, "toy")},
		{"train", "--net", "vgg9", "--data", "textures", "--train-images", "100000000", "--out", filepath.Join(dir, "textures")},
		{"train", "--net", "vgg9", "--batch", "1024", "--threads", "1", "--out", filepath.Join(dir, "long step")},
		{"verify", "--data", csv, "--target", "y", "--t", "1000000000"},
		{"verify", "--data", csv, "--target", "z", "--t", "10000000"},
		{"verify"},
		{"table1", "plan", "--preset", "quick", "--columns", "vgg9,resnet56,wrn56-2", "--methods", "adam", "--estimate", "--out", filepath.Join(dir, "plan")},
	} {
		s := signals[i%len(signals)]
		t.Run(strings.Join(args, " ")+" "+s.String(), func(t *testing.T) {
			t.Parallel()
			var stderr bytes.Buffer
			cmd := process(args...)
			cmd.Stdin, cmd.Stderr = quiet, &stderr
			if err := cmd.Start(); err != nil {
				t.Fatal(err)
			}
			time.Sleep(700 * time.Millisecond)
			if err := cmd.Process.Signal(s); err != nil {
				t.Fatal(err)
			}
			started := time.Now()
			if code := ended(t, cmd, 20*time.Second); code != exitInterrupted {
				t.Errorf("exit code %d, want %d: %s", code, exitInterrupted, stderr.String())
			}
			if took := time.Since(started); took > 10*time.Second {
				t.Errorf("it ended %s after the signal", took)
			}
		})
	}
}

// A command that is saving ends when it has saved, or with the second signal.
func TestTheSecondSignalEndsWhatIsSaving(t *testing.T) {
	if testing.Short() {
		t.Skip("processes that wait for seconds")
	}
	for name, c := range map[string]struct {
		signals int
		apart   time.Duration
		code    int
		says    string
	}{
		"one signal, saved":              {1, 0, 7, "saved"},
		"two signals":                    {2, 3 * onePress, exitInterrupted, "interrupted twice"},
		"timeout(1) sends its one twice": {2, 0, 7, "saved"},
		"no signal, it returns":          {0, 0, 7, "saved"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			cmd := exec.Command(os.Args[0], "-test.run=^TestSavingProcess$")
			cmd.Env = append(os.Environ(), "TQN_TEST_SAVES=1")
			var out bytes.Buffer
			cmd.Stdout, cmd.Stderr = &out, &out
			if err := cmd.Start(); err != nil {
				t.Fatal(err)
			}
			time.Sleep(500 * time.Millisecond)
			for range c.signals {
				_ = cmd.Process.Signal(syscall.SIGINT)
				time.Sleep(c.apart)
			}
			if code := ended(t, cmd, 20*time.Second); code != c.code || !strings.Contains(out.String(), c.says) {
				t.Errorf("exit code %d, %q; want %d and %q", code, out.String(), c.code, c.says)
			}
		})
	}
}

// TestSavingProcess is the process of the test above: it saves for longer than a
// command that has nothing to save may take.
func TestSavingProcess(t *testing.T) {
	if os.Getenv("TQN_TEST_SAVES") == "" {
		t.Skip("a process of another test")
	}
	e := &env{stderr: os.Stderr}
	ctx, stop := interruptible(t.Context(), &e.saving, os.Stderr, os.Exit)
	e.saving.Store(true)
	select {
	case <-ctx.Done():
	case <-time.After(1500 * time.Millisecond):
	}
	time.Sleep(endGrace + 2*time.Second)
	fmt.Println("saved")
	stop()
	os.Exit(7)
}

// hangup is SIGHUP, or SIGTERM where the tests themselves were started by nohup: what these start ignores SIGHUP too.
func hangup() syscall.Signal {
	if signal.Ignored(syscall.SIGHUP) {
		return syscall.SIGTERM
	}
	return syscall.SIGHUP
}

// nohup ignores SIGHUP for what it starts.
func TestAnIgnoredSignalStaysIgnored(t *testing.T) {
	t.Parallel()
	quiet, writer, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command("/bin/sh", "-c", `trap "" HUP; exec "$0" chain -`, os.Args[0])
	cmd.Env = append(os.Environ(), asCommand+"=1")
	cmd.Stdin = quiet
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	time.Sleep(500 * time.Millisecond)
	_ = cmd.Process.Signal(syscall.SIGHUP)
	time.Sleep(2 * endGrace)
	if _, err := writer.WriteString("0.5,0.5\n0.5,0.5\n"); err != nil {
		t.Fatal(err)
	}
	writer.Close()
	if code := ended(t, cmd, 20*time.Second); code != exitExpected {
		t.Errorf("exit code %d, want 0", code)
	}
}

// A training that is interrupted within its steps saves a checkpoint and goes on from there.
func TestAnInterruptedTrainingSaves(t *testing.T) {
	if testing.Short() {
		t.Skip("trains for seconds")
	}
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "run")
	cmd := process("train", "--net", "vgg9", "--width", "0.0625", "--batch", "32", "--train-images", "256", "--test-images", "64", "--threads", "1", "--epochs", "1600", "--out", dir)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	for range 100 { // until an epoch is done
		if b, err := os.ReadFile(filepath.Join(dir, "metrics.jsonl")); err == nil && len(b) > 0 {
			break
		}
		time.Sleep(100 * time.Millisecond)
	}
	_ = cmd.Process.Signal(hangup())
	if code := ended(t, cmd, 30*time.Second); code != exitInterrupted || !strings.Contains(stderr.String(), "saved; the same command continues") {
		t.Errorf("exit code %d: %s", code, stderr.String())
	}
	if _, err := os.Stat(filepath.Join(dir, "checkpoint")); err != nil {
		t.Error(err)
	}
}

// A table whose cells failed only because another process holds them, or because the file system failed, may succeed later, and its exit code
// says so; one cell that fails whenever it is run makes it another. What there is is reported in each case.
func TestATableThatMaySucceedLater(t *testing.T) {
	if testing.Short() {
		t.Skip("waits seconds between attempts")
	}
	for name, c := range map[string]struct {
		run    []string
		broken bool // the second cell's result is of another configuration
		code   int
	}{
		"table1":             {[]string{"table1", "--preset", "smoke", "--columns", "vgg9", "--methods", "adam,sr", "--threads", "1", "--jobs", "2"}, false, exitRetry},
		"table1 run":         {[]string{"table1", "run", "--threads", "1", "--jobs", "2"}, false, exitRetry},
		"table1, broken":     {[]string{"table1", "--preset", "smoke", "--columns", "vgg9", "--methods", "adam,sr", "--threads", "1", "--jobs", "2"}, true, exitUnexpected},
		"table1 run, broken": {[]string{"table1", "run", "--threads", "1", "--jobs", "2"}, true, exitUnexpected},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			if code, _, errs := command(t, "table1", "plan", "--preset", "smoke", "--columns", "vgg9", "--methods", "adam,sr", "--out", dir); code != exitExpected {
				t.Fatal(errs)
			}
			plan, err := cluster.LoadPlan(dir)
			if err != nil {
				t.Fatal(err)
			}
			held, err := runfolder.Claim(plan.Cells[0].Dir(dir))
			if err != nil {
				t.Fatal(err)
			}
			defer held.Release()
			result := filepath.Join(plan.Cells[1].Dir(dir), "result.json")
			if err := os.MkdirAll(filepath.Dir(result), 0o755); err != nil {
				t.Fatal(err)
			}
			if c.broken {
				err = os.WriteFile(result, []byte("{}"), 0o644)
			} else {
				err = os.Symlink("result.json", result) // a link to itself stands for every reason not to be read
			}
			if err != nil {
				t.Fatal(err)
			}
			var stdout, stderr bytes.Buffer
			cmd := process(append(c.run, "--out", dir)...)
			cmd.Stdout, cmd.Stderr = &stdout, &stderr
			if err := cmd.Start(); err != nil {
				t.Fatal(err)
			}
			if code := ended(t, cmd, 2*time.Minute); code != c.code || !strings.Contains(stderr.String(), plan.Cells[0].ID) || !strings.Contains(stderr.String(), plan.Cells[1].ID) {
				t.Errorf("exit code %d, want %d: %s", code, c.code, stderr.String())
			}
			if stdout.Len() == 0 {
				t.Errorf("nothing is reported: %s", stderr.String())
			}
		})
	}
}

// A result that cannot be printed is no success.
func TestAFullDeviceIsAnError(t *testing.T) {
	full, err := os.OpenFile("/dev/full", os.O_WRONLY, 0)
	if err != nil {
		t.Skip("this system has no /dev/full")
	}
	defer full.Close()
	matrix := filepath.Join(t.TempDir(), "m.csv")
	if err := os.WriteFile(matrix, []byte("0.5,0.5\n0.5,0.5\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	for _, args := range [][]string{
		{"--version"}, {"--help"}, {"--version", "--json"}, {"chain", "--help"}, {"completion", "bash"},
		{"train", "--net", "vgg9", "--dry-run"}, {"train", "--net", "vgg9", "--dry-run", "--json"},
		{"chain", matrix}, {"chain", matrix, "--json"}, {"data", "list"}, {"data", "verify", "embedded"},
		{"bound", "theorem2", "--d", "4", "--delta", "0.5", "--g", "2", "--diameter", "3", "--c", "2", "--t", "10000"},
		{"verify", "--claim", "lemma1"}, {"licences"}, {"table1", "plan", "--preset", "smoke", "--out", t.TempDir()},
	} {
		var stderr bytes.Buffer
		cmd := process(args...)
		cmd.Stdout, cmd.Stderr = full, &stderr
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		if code := ended(t, cmd, time.Minute); code != exitOutput || !strings.Contains(stderr.String(), "standard output") {
			t.Errorf("%v: exit code %d, want %d: %s", args, code, exitOutput, stderr.String())
		}
	}
}
