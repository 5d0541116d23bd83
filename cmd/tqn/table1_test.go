package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"tqn/cluster"
	"tqn/nets"
	"tqn/nets/kernel"
)

func command(t *testing.T, args ...string) (code int, stdout, stderr string) {
	t.Helper()
	var out, errs bytes.Buffer
	code = run(context.Background(), args, &out, &errs)
	return code, out.String(), errs.String()
}

// TestTable1IsTheSameHoweverItIsRun runs two cells by the pool, with two processes,
// and each by its index with two threads, and compares their results byte by byte.
func TestTable1IsTheSameHoweverItIsRun(t *testing.T) {
	if testing.Short() {
		t.Skip("builds the program and trains")
	}
	tqn := filepath.Join(t.TempDir(), "tqn")
	if out, err := exec.Command("go", "build", "-o", tqn, ".").CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	pool, single := t.TempDir(), t.TempDir()
	run := exec.Command(tqn, "table1", "--preset", "smoke", "--columns", "vgg9", "--methods", "adam,sr", "--out", pool, "--jobs", "2", "--threads", "1", "--json")
	var announced strings.Builder
	run.Stderr = &announced
	out, err := run.Output()
	if err != nil {
		t.Fatalf("%v\n%s%s", err, out, &announced)
	}
	if !strings.Contains(announced.String(), "table1 smoke: 2 cells, 2 at once with 1 thread each: about ") {
		t.Errorf("it does not say how long it will take: %s", &announced)
	}
	var doc table1JSON
	if err := json.Unmarshal(out, &doc); err != nil || len(doc.Cells) != 2 || doc.Preset != "smoke" || doc.Cells[1].TestError == nil {
		t.Errorf("%v\n%s", err, out)
	}
	if code, out, errs := command(t, "table1", "plan", "--preset", "smoke", "--columns", "vgg9", "--methods", "adam,sr", "--out", single); code != 0 || !strings.Contains(out, "2 cells") {
		t.Fatalf("plan: exit %d\n%s%s", code, out, errs)
	}
	plan, err := cluster.LoadPlan(single)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range plan.Cells {
		cmd := exec.Command(tqn, "table1", "run", "--out", single, "--threads", "2")
		cmd.Env = append(os.Environ(), "SLURM_ARRAY_TASK_ID="+string(rune('0'+c.Index)))
		out, used, err := highWater(cmd)
		if err != nil {
			t.Fatalf("%v\n%s", err, out)
		}
		a, err := os.ReadFile(filepath.Join(c.Dir(pool), "result.json"))
		if err != nil {
			t.Fatal(err)
		}
		b, err := os.ReadFile(filepath.Join(c.Dir(single), "result.json"))
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(a, b) {
			t.Errorf("cell %s: result.json differs", c.ID)
		}
		cost, err := c.Cost()
		if err != nil {
			t.Fatal(err)
		}
		if used > cost.Bytes {
			t.Errorf("cell %s used %d MiB, the estimate is %d", c.ID, used>>20, cost.Bytes>>20)
		} else if used < 16<<20 && runtime.GOOS == "linux" {
			t.Errorf("cell %s is said to have used %d MiB: nothing was watched", c.ID, used>>20)
		} else {
			t.Logf("cell %s used %d MiB, the estimate is %d", c.ID, used>>20, cost.Bytes>>20)
		}
	}
	if code, out, errs := command(t, "table1", "status", "--out", single); code != 0 || !strings.Contains(out, "2 cells: 2 finished") {
		t.Errorf("status: exit %d\n%s%s", code, out, errs)
	}
	if m, err := nets.ReadManifest(filepath.Join(single, "cells", "vgg9.adam.1"), true); err != nil || m == nil || len(m.Commits) != 1 || m.Commits[0] == "" {
		t.Errorf("a cell's manifest: %+v, %v", m, err)
	}
	// Nothing is left: the whole command does no more than report.
	if code, out, errs := command(t, "table1", "--preset", "smoke", "--columns", "vgg9", "--methods", "adam,sr", "--out", single); code != 0 || !strings.Contains(out, "report.md") {
		t.Errorf("again: exit %d\n%s%s", code, out, errs)
	}
}

// A table takes as long as its cells shared out, and no less than its longest cell.
func TestTable1Together(t *testing.T) {
	const s = time.Second
	for _, c := range []struct {
		cells []time.Duration
		jobs  int
		want  time.Duration
	}{{nil, 2, 0}, {[]time.Duration{4 * s, 3 * s, 2 * s, 1 * s}, 1, 10 * s}, {[]time.Duration{4 * s, 3 * s, 2 * s, 1 * s}, 2, 5 * s}, {[]time.Duration{9 * s, 1 * s}, 2, 9 * s}} {
		if got := together(c.cells, c.jobs); got != c.want {
			t.Errorf("%v, %d at once: %v, want %v", c.cells, c.jobs, got, c.want)
		}
	}
}

func TestTable1PartsAndTheirErrors(t *testing.T) {
	dir := t.TempDir()
	if code, _, errs := command(t, "table1", "run", "--out", dir); code != exitUsage || !strings.Contains(errs, "plan.json") {
		t.Errorf("no plan: exit %d, %s", code, errs)
	}
	if code, _, errs := command(t, "table1", "plan", "--out", dir, "--preset", "huge"); code != exitUsage || !strings.Contains(errs, "smoke, quick, laptop, paper") {
		t.Errorf("no such preset: exit %d, %s", code, errs)
	}
	if code, _, errs := command(t, "table1", "plan", "--out", dir, "--preset", "smoke"); code != 0 {
		t.Fatalf("exit %d, %s", code, errs)
	}
	if code, _, errs := command(t, "table1", "plan", "--out", dir, "--preset", "quick"); code != exitUsage || !strings.Contains(errs, "another folder") {
		t.Errorf("another plan: exit %d, %s", code, errs)
	}
	if code, _, errs := command(t, "table1", "run", "--out", dir, "--index", "30"); code != cluster.ExitUsage || !strings.Contains(errs, "cells 0 to 29") {
		t.Errorf("index 30: exit %d, %s", code, errs)
	}
	code, out, errs := command(t, "table1", "run", "--out", dir, "--print")
	if code != 0 || strings.Count(out, "\n") != 30 || !strings.Contains(out, "--index 29") {
		t.Errorf("print: exit %d, %s\n%s", code, errs, out)
	}
	code, out, errs = command(t, "table1", "run", "--out", dir, "--engine", "slurm", "--print", "--time", "1:00:00")
	if code != 0 || !strings.Contains(out, "--array=0-29") {
		t.Errorf("slurm: exit %d, %s\n%s", code, errs, out)
	}
	code, out, errs = command(t, "table1", "run", "--out", dir, "--engine", "kubernetes", "--image", "i", "--claim", "c", "--print")
	if code != 0 || !strings.Contains(out, "completions: 30") {
		t.Errorf("kubernetes: exit %d, %s\n%s", code, errs, out)
	}
	if code, _, errs := command(t, "table1", "run", "--out", dir, "--engine", "pbs"); code != exitUsage || !strings.Contains(errs, "local, pjrt, slurm and kubernetes") {
		t.Errorf("no such engine: exit %d, %s", code, errs)
	}
	// A table of nothing is a report all the same, and says what is missing.
	code, out, errs = command(t, "table1", "collect", "--out", dir)
	if code != 0 || !strings.Contains(out, "30 of 30 cells are missing") {
		t.Errorf("collect: exit %d, %s\n%s", code, errs, out)
	}
	report, err := os.ReadFile(filepath.Join(dir, "report.md"))
	if err != nil || strings.Count(string(report), "not begun") != 30 {
		t.Errorf("the report names %d missing runs of 30 (%v)", strings.Count(string(report), "not begun"), err)
	}
}

// --figures plans five runs more; status tells an interrupted cell from one that waits.
func TestTable1FiguresAndStatus(t *testing.T) {
	dir := t.TempDir()
	if code, out, errs := command(t, "table1", "plan", "--out", dir, "--preset", "smoke", "--figures"); code != 0 || !strings.Contains(out, "35 cells") {
		t.Fatalf("exit %d, %s%s", code, out, errs)
	}
	cell := filepath.Join(dir, "cells", "vgg-bc.bc-wd1e-5.1")
	if err := os.MkdirAll(cell, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(cell, "config.json"), []byte("{}"), 0o644); err != nil {
		t.Fatal(err)
	}
	code, out, errs := command(t, "table1", "status", "--out", dir)
	if code != 0 || !strings.Contains(out, "35 cells: 0 finished, 0 running, 1 interrupted, 34 waiting, 0 to retry, 0 failed") {
		t.Errorf("exit %d, %s\n%s", code, errs, out)
	}
	// The report's command plans the same again.
	f := table1Flags{preset: "quick", columns: []string{"vgg9"}, methods: []string{"bc", "sr"}, seeds: 2, seed: 5, figures: true}
	if got := f.command(); got != "tqn table1 --preset quick --columns vgg9 --methods bc,sr --seeds 2 --seed 5 --figures" {
		t.Errorf("%q", got)
	}
}

func TestDataCommands(t *testing.T) {
	code, out, errs := command(t, "data", "list", "--dir", t.TempDir(), "--json")
	var all []dataStatus
	if err := json.Unmarshal([]byte(out), &all); code != 0 || err != nil || len(all) != 6 {
		t.Fatalf("exit %d, %v, %s\n%s", code, err, errs, out)
	}
	want := map[string]string{"cifar10": "not on this machine", "cifar100": "not on this machine", "imagenet": "not on this machine",
		"fashion-mnist": "not on this machine", "embedded": "built in", "textures": "built in"}
	for _, s := range all {
		if s.Status != want[s.Name] {
			t.Errorf("%s is %q, want %q", s.Name, s.Status, want[s.Name])
		}
	}
	if code, out, errs := command(t, "data", "verify", "embedded"); code != 0 || !strings.Contains(out, "the contents are the published ones") {
		t.Errorf("verify: exit %d, %s%s", code, out, errs)
	}
	for _, c := range [][]string{
		{"fetch", "imagenet", "image-net.org"},
		{"fetch", "embedded", "built in"},
		{"fetch", "mnist", "there are cifar10"},
		{"verify", "cifar10", "not on this machine"},
	} {
		if code, _, errs := command(t, "data", c[0], c[1], "--dir", filepath.Join(t.TempDir(), "none")); code != exitUsage || !strings.Contains(errs, c[2]) {
			t.Errorf("%v: exit %d, %s", c, code, errs)
		}
	}
}

// highWater runs a program and watches the largest resident memory that Linux says it has had, in bytes; 0 elsewhere. What the system says at
// the program's end is not used: a process begins with the high water of the one that started it, and this one may have held more.
func highWater(cmd *exec.Cmd) (output string, most int64, err error) {
	var text strings.Builder
	cmd.Stdout, cmd.Stderr = &text, &text
	if err := cmd.Start(); err != nil {
		return "", 0, err
	}
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	for {
		status, _ := os.ReadFile(fmt.Sprintf("/proc/%d/status", cmd.Process.Pid))
		if _, rest, ok := strings.Cut(string(status), "VmHWM:"); ok {
			if kib, err := strconv.ParseInt(strings.Fields(rest)[0], 10, 64); err == nil {
				most = kib << 10
			}
		}
		select {
		case err := <-ended:
			return text.String(), most, err
		case <-time.After(2 * time.Millisecond):
		}
	}
}

// A table that was begun with one kernel is gone on with by another only where that is allowed, whoever runs its cells, and the result names both.
func TestTable1GoesOnWithAnotherKernel(t *testing.T) {
	if testing.Short() || !slices.Contains(kernel.Implementations(), "avx2") {
		t.Skip("trains, on two kernels")
	}
	dir := t.TempDir()
	if code, _, errs := command(t, "table1", "plan", "--preset", "smoke", "--columns", "vgg9", "--methods", "adam", "--out", dir); code != exitExpected {
		t.Fatal(errs)
	}
	plan, err := cluster.LoadPlan(dir)
	if err != nil {
		t.Fatal(err)
	}
	t.Setenv("TQN_KERNEL", "generic")
	ctx, stop := context.WithCancel(t.Context())
	where := nets.Where{Threads: 1, Progress: func(nets.Progress) { stop() }}
	if code, err := cluster.RunCell(ctx, dir, plan, 0, nets.Train, where); code != cluster.ExitInterrupted {
		t.Fatalf("exit code %d: %v", code, err)
	}
	t.Setenv("TQN_KERNEL", "avx2")
	run := []string{"table1", "run", "--out", dir, "--threads", "1"}
	code, _, errs := command(t, append(run, "--index", "0")...)
	if code != exitRetry || !strings.Contains(errs, "--kernel-change") {
		t.Errorf("exit code %d, %q: want a refusal that names the flag", code, errs)
	}
	code, out, errs := command(t, append(run, "--print", "--kernel-change")...)
	if code != exitExpected || !strings.Contains(out, "--index 0 --kernel-change") {
		t.Errorf("exit code %d, %q: the cell's process would not get the flag", code, out+errs)
	}
	for _, engine := range [][]string{{"slurm"}, {"kubernetes", "--image", "i", "--claim", "c"}} {
		code, out, errs = command(t, append(append(run, "--kernel-change", "--print", "--engine"), engine...)...)
		if code != exitExpected || !strings.Contains(out, "--kernel-change") {
			t.Errorf("%s: exit code %d, %q: the cells would not get the flag", engine[0], code, out+errs)
		}
	}
	if code, _, errs = command(t, append(run, "--index", "0", "--kernel-change")...); code != exitExpected {
		t.Fatalf("exit code %d: %s", code, errs)
	}
	r, err := nets.ReadResult(plan.Cells[0].Dir(dir))
	if err != nil || r.Kernel != "generic+avx2" {
		t.Errorf("the result names the kernels %q (%v)", r.Kernel, err)
	}
}
