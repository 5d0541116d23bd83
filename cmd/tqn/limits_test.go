package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"tqn/cluster"
	"tqn/nets/dataset"
	"tqn/nets/network"
	"tqn/runfolder"
)

// Every numeric flag of every command refuses what is not finite, and nonsense sizes
// are refused before anything is done.
func TestFlagsHaveLimits(t *testing.T) {
	dir := t.TempDir()
	for _, line := range []string{
		"bench --net vgg9 --batch 1000000000", "bench --net vgg9 --batch 0", "bench --net vgg9 --threads 1000000", "bench --net vgg9 --width -1",
		"bench --peers --rounds 0", "bench --peers --steps -3",
		"train --net vgg9 --dry-run --size 1000000000 --data textures", "train --net vgg9 --dry-run --threads 1000000", "train --net vgg9 --dry-run --threads -1",
		"train --net vgg9 --dry-run --epochs -1", "train --net vgg9 --dry-run --epochs 1000000000", "train --net vgg9 --dry-run --drops -1,2",
		"train --net vgg9 --dry-run --drops 0", "train --net vgg9 --dry-run --drops 1,1", "train --net vgg9 --dry-run --drops 2,1", "train --net vgg9 --dry-run --learning-rate NaN",
		"train --net vgg9 --dry-run --learning-rate -1", "train --net vgg9 --dry-run --width Inf", "train --net vgg9 --dry-run --train-images -1",
		"train --net vgg9 --dry-run --checkpoint-every -1s", "train --net vgg9 --dry-run --seed -1", "train --net vgg9 --dry-run --seed 18446744073709551616",
		"eval nowhere --threads -1", "eval nowhere --threads 1000000",
		"table1 --preset smoke --columns vgg9 --memory -5 --out " + dir, "table1 run --memory -5 --out " + dir, "table1 run --jobs -1 --out " + dir,
		"table1 run --threads 1000000 --out " + dir, "table1 run --index -7 --out " + dir, "table1 run --index 99999999999 --out " + dir, "table1 plan --seeds -1 --out " + dir,
		"table1 plan --preset smoke --seeds 3 --seed 18446744073709551615 --out " + dir, "table1 run --engine slurm --cpus 0 --out " + dir,
		"verify --data x --target y --t -1", "verify --data x --target y --t 0", "verify --data x --target y --t 1000000000000", "verify --data x --target y --half NaN",
		"verify --data x --target y --delta 0.5,-1", "verify --data x --target y --delta 0", "verify --seed -1",
		"toy --json --iterations 0", "toy --json --iterations -5", "toy --json --alphas 0.1,inf", "toy --json --delta 0", "toy --json --noise -1", "toy --json --noise nan",
		"chain x --alpha NaN", "chain x --eps Inf",
		// Flags without effect.
		"bench --net vgg9 --only vgg9", "bench --net vgg9 --rounds 3", "bench --net vgg9 --steps 3", "table1 run --image x --out " + dir, "table1 run --partition x --out " + dir,
		"table1 run --time 1 --engine kubernetes --out " + dir, "table1 run --cpus 2 --out " + dir, "table1 run --name x --out " + dir, "table1 run --mount /x --engine slurm --out " + dir,
		"verify --target y", "verify --drop y", "verify --categorical y", "verify --half 2", "verify --errata x --claim lemma1", "toy --json --formats svg",
		"train --net vgg9 --dry-run --devices 2", "train --net vgg9 --dry-run --memory-fraction 0.5", "bench --net vgg9 --preallocate", "table1 run --memory-fraction 0.5 --out " + dir,
		"train --net vgg9 --dry-run --engine pjrt --memory-fraction 1.5", "train --net vgg9 --dry-run --engine pjrt --memory-fraction -1", "train --net vgg9 --dry-run --engine pjrt --memory-fraction NaN",
	} {
		if code, stdout, stderr := command(t, strings.Fields(line)...); code != exitUsage || stdout != "" {
			t.Errorf("tqn %s: exit code %d, %q", line, code, stdout+stderr)
		} else if !strings.Contains(stderr, "--") && !strings.Contains(stderr, "seeds from") {
			t.Errorf("tqn %s: %q names no flag", line, stderr)
		}
	}
	// The limits themselves are allowed.
	for _, line := range []string{"train --net vgg9 --dry-run --threads 4096 --epochs 3 --drops 1,2", "train --net vgg9 --dry-run --data textures --size 32 --classes 5", "train --net vgg9 --dry-run --data imagenet --size 64"} {
		if code, _, stderr := command(t, strings.Fields(line)...); code != exitExpected {
			t.Errorf("tqn %s: exit code %d, %q", line, code, stderr)
		}
	}
}

// Each limit is one of a flag that exists.
func TestLimitsNameFlags(t *testing.T) {
	known := map[string]bool{}
	var walk func(c *cobra.Command)
	walk = func(c *cobra.Command) {
		c.Flags().VisitAll(func(f *pflag.Flag) {
			known[f.Name] = true
			known[strings.TrimPrefix(c.CommandPath(), "tqn ")+"."+f.Name] = true
		})
		for _, sub := range c.Commands() {
			walk(sub)
		}
	}
	walk(newRootCommand(&env{stdout: &bytes.Buffer{}, stderr: &bytes.Buffer{}}))
	for name := range limits {
		if !known[name] {
			t.Errorf("limits has %s, which is no flag", name)
		}
	}
	for _, e := range effects {
		for _, flag := range []string{e.flag, e.with} {
			if !known[e.command+"."+flag] {
				t.Errorf("effects has --%s of %s, which is no flag", flag, e.command)
			}
		}
	}
}

// A folder that cannot be written is refused before the work: the iterations would take minutes.
func TestOutIsTriedBeforeTheWork(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "file")
	if err := os.WriteFile(file, nil, 0o644); err != nil {
		t.Fatal(err)
	}
	link := filepath.Join(dir, "link")
	if err := os.Symlink(filepath.Join(dir, "gone", "further"), link); err != nil {
		t.Fatal(err)
	}
	for _, out := range []string{filepath.Join(file, "below"), file, "/proc/nope", link} {
		for _, args := range [][]string{
			{"toy", "--iterations", "4000000000"}, {"verify"}, {"verify", "--data", good(t), "--target", "y"}, {"compare", "x"},
			{"table1", "--preset", "smoke", "--columns", "vgg9"}, {"table1", "plan", "--preset", "smoke"}, {"train", "--net", "vgg9"},
		} {
			code, stdout, stderr := command(t, append(args, "--out", out)...)
			if code != exitUsage || stdout != "" || !strings.Contains(stderr, "--out "+out) {
				t.Errorf("%v --out %s: exit code %d, %q", args, out, code, stdout+stderr)
			}
			if out == link && !strings.Contains(stderr, "is a link to "+filepath.Join(dir, "gone", "further")+", where no folder is") {
				t.Errorf("%v --out %s, a link to nothing: %q", args, out, stderr)
			}
		}
	}
	if left, _ := filepath.Glob(filepath.Join(dir, "*", "*")); len(left) > 0 {
		t.Errorf("left behind: %v", left)
	}
}

// A training that fails its checks leaves no folder behind.
func TestRefusedTrainingLeavesNothing(t *testing.T) {
	dir := t.TempDir()
	code, _, stderr := command(t, "train", "--net", "vgg9", "--width", "0.125", "--data", "embedded", "--train-images", "20000", "--epochs", "1", "--out", filepath.Join(dir, "a", "r"))
	if code != exitUsage || !strings.Contains(stderr, "20000") {
		t.Errorf("exit code %d: %s", code, stderr)
	}
	if left, _ := os.ReadDir(dir); len(left) > 0 {
		t.Errorf("left behind: %v", left)
	}
}

func TestExitCodesTellKindsOfFailureApart(t *testing.T) {
	running, stopped := context.Background(), func() context.Context {
		ctx, cancel := context.WithCancel(context.Background())
		cancel()
		return ctx
	}()
	for _, c := range []struct {
		ctx  context.Context
		err  error
		want int
	}{
		{running, nil, exitExpected},
		{running, errors.New("--t: want 1 or more"), exitUsage},
		{running, fmt.Errorf("lemma1: %w", errUnexpected), exitUnexpected},
		{running, fmt.Errorf("train: %w", &network.NonFiniteError{What: "loss"}), exitUnexpected},
		{running, fmt.Errorf("run: %w", runfolder.ErrLocked), exitRetry},
		{running, runfolder.StorageError(syscall.ENOSPC), exitRetry},
		{running, fmt.Errorf("fetch: %w", dataset.ErrOffline), exitRetry},
		{running, fmt.Errorf("%w: cell 1", cluster.ErrTemporary), exitRetry},
		{running, &os.PathError{Op: "write", Path: "x", Err: syscall.ENOSPC}, exitOutput},
		{running, &os.PathError{Op: "read", Path: "x", Err: syscall.EIO}, exitOutput},
		{running, &os.PathError{Op: "open", Path: "x", Err: syscall.ENOENT}, exitUsage},
		{running, &exitError{75, errors.New("held")}, 75},
		{stopped, errors.New("stopped"), exitInterrupted},
	} {
		if got := exitCode(c.ctx, c.err); got != c.want {
			t.Errorf("%v: exit code %d, want %d", c.err, got, c.want)
		}
	}
}
