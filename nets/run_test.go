package nets

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"tqn/nets/dataset"
	"tqn/nets/kernel"
	"tqn/nets/network"
	"tqn/nets/safetensors"
	"tqn/quantize"
	"tqn/runfolder"
)

// tiny is a run of a fraction of a second: 3 epochs of 3 batches on 8x8 textures, on the generic kernels.
func tiny(t testing.TB) Config {
	t.Helper()
	if tt, ok := t.(*testing.T); ok {
		tt.Setenv("TQN_KERNEL", "generic")
	}
	c, err := Config{Net: "vgg9", Method: "sr", Data: "textures", Classes: 3, Size: 8, Width: 1. / 16, Depth: 0.5,
		Epochs: 3, Batch: 8, TrainImages: 24, TestImages: 9, Seed: 3}.Resolve()
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func train(t testing.TB, c Config, w Where) Result {
	t.Helper()
	r, err := Train(context.Background(), c, w)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func read(t testing.TB, elem ...string) []byte {
	t.Helper()
	b, err := os.ReadFile(filepath.Join(elem...))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// uninterrupted is what a run's result.json and weights must be.
func uninterrupted(t testing.TB, c Config) (result, weights []byte) {
	t.Helper()
	dir := t.TempDir()
	train(t, c, Where{Dir: dir, Threads: 1})
	return read(t, dir, "result.json"), read(t, dir, weightsName)
}

// same fails the test unless the folder's result is byte for byte the uninterrupted one.
func same(t testing.TB, what, dir string, result, weights []byte) {
	t.Helper()
	if !bytes.Equal(read(t, dir, "result.json"), result) {
		t.Errorf("%s: result.json differs from the uninterrupted run's", what)
	}
	if !bytes.Equal(read(t, dir, weightsName), weights) {
		t.Errorf("%s: weights differ from the uninterrupted run's", what)
	}
}

func TestResultDoesNotDependOnThreads(t *testing.T) {
	c := tiny(t)
	result, weights := uninterrupted(t, c)
	for _, threads := range []int{2, 8} {
		dir := t.TempDir()
		train(t, c, Where{Dir: dir, Threads: threads})
		same(t, fmt.Sprint(threads, " threads"), dir, result, weights)
	}
	other := c
	other.Seed++
	if r, _ := uninterrupted(t, other); bytes.Equal(r, result) {
		t.Error("another seed gives the same result.json: the comparison sees nothing")
	}
}

func TestEveryMethodAndNetRuns(t *testing.T) {
	for _, net := range network.Nets() {
		for _, m := range Methods() {
			c := tiny(t)
			c.Net, c.Method, c.Depth, c.Epochs, c.Drops = net, m.Name, 0.1, 1, nil
			r := train(t, c, Where{Dir: t.TempDir()})
			if len(r.Epochs) != 1 || r.Steps != 3 || (r.PackedBytes > 0) != (m.Name != "adam") {
				t.Errorf("%s %s: %+v", net, m.Name, r)
			}
		}
	}
}

// A finished run is returned, not repeated; another configuration is refused by name of the field.
func TestFolderBelongsToOneRun(t *testing.T) {
	c, dir := tiny(t), t.TempDir()
	first := train(t, c, Where{Dir: dir})
	again := train(t, c, Where{Dir: dir, Progress: func(Progress) { t.Error("a finished run took a step") }})
	if a, b := fmt.Sprint(first.TestError, first.WeightHash), fmt.Sprint(again.TestError, again.WeightHash); a != b {
		t.Errorf("first %s, again %s", a, b)
	}
	other := c
	other.Seed = 99
	_, err := Train(context.Background(), other, Where{Dir: dir})
	if err == nil || !strings.Contains(err.Error(), "seed is 3 there, 99 here") || Retryable(err) {
		t.Errorf("error %v", err)
	}
}

func TestInterruptionAnywhereChangesNothing(t *testing.T) {
	c := tiny(t)
	result, weights := uninterrupted(t, c)
	dir := t.TempDir()
	for stops := 0; ; stops++ { // stop after every single step, also before the test images that follow an epoch's last one
		ctx, cancel := context.WithCancel(context.Background())
		at := ""
		_, err := Train(ctx, c, Where{Dir: dir, Progress: func(p Progress) {
			at = fmt.Sprintf("epoch %d, batch %d", p.Epoch, p.Step-3*uint64(p.Epoch-1))
			cancel()
		}})
		cancel()
		if err == nil {
			if stops != 9 {
				t.Errorf("%d interruptions of 3 epochs of 3 steps", stops)
			}
			break
		}
		if !strings.Contains(err.Error(), at) {
			t.Fatalf("interrupted at %s: %v", at, err)
		}
		if !errors.Is(err, ErrInterrupted) || !Retryable(err) {
			t.Fatal(err)
		}
	}
	same(t, "interrupted after every step", dir, result, weights)
	if lines := bytes.Count(read(t, dir, "metrics.jsonl"), []byte("\n")); lines != 3 {
		t.Errorf("%d lines in metrics.jsonl, want 3", lines)
	}
}

// interruptedEvaluation ends a context in the first batch of test images, and counts them.
type interruptedEvaluation struct {
	network.Engine
	end     context.CancelFunc
	batches int
}

func (e *interruptedEvaluation) Evaluate(_ []float32, labels []int32) (network.Loss, error) {
	e.end()
	e.batches++
	return network.Loss{Images: len(labels)}, nil
}

func TestEvaluationEndsWithItsContext(t *testing.T) {
	set, err := openData(tiny(t), "", false, nil)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	e := &interruptedEvaluation{end: cancel}
	if _, err := EvaluateOn(ctx, e, set, 2); !errors.Is(err, context.Canceled) || e.batches != 1 {
		t.Errorf("after %d batches: %v", e.batches, err)
	}
}

// manifest.json names every program that took part, in their order and each once.
func TestManifestNamesThePrograms(t *testing.T) {
	c, dir := tiny(t), t.TempDir()
	for _, commit := range []string{"first", "", "second", "first", "second"} { // "": a program that does not know its commit
		ctx, cancel := context.WithCancel(context.Background())
		if _, err := Train(ctx, c, Where{Dir: dir, Commit: commit, Progress: func(Progress) { cancel() }}); !errors.Is(err, ErrInterrupted) {
			t.Fatal(err)
		}
	}
	train(t, c, Where{Dir: dir})
	r, err := ReadRun(dir)
	if err != nil {
		t.Fatal(err)
	}
	if got := strings.Join(r.Manifest.Commits, " "); got != "first second" {
		t.Errorf("commits %q", got)
	}
}

func TestSecondProcessIsRefused(t *testing.T) {
	c, dir := tiny(t), t.TempDir()
	var second error
	train(t, c, Where{Dir: dir, Progress: func(Progress) {
		if second == nil {
			_, second = Train(context.Background(), c, Where{Dir: dir})
		}
	}})
	if !errors.Is(second, runfolder.ErrLocked) || !Retryable(second) || !strings.Contains(second.Error(), fmt.Sprint("process ", os.Getpid())) {
		t.Errorf("error %v", second)
	}
}

// interruptedRun leaves a folder with two checkpoints, the newer in the middle of the second epoch.
func interruptedRun(t *testing.T, c Config) string {
	t.Helper()
	dir := t.TempDir()
	ctx, cancel := context.WithCancel(context.Background())
	_, err := Train(ctx, c, Where{Dir: dir, Progress: func(p Progress) {
		if p.Step == 5 {
			cancel()
		}
	}})
	if !errors.Is(err, ErrInterrupted) {
		t.Fatal(err)
	}
	return dir
}

func TestDamagedCheckpointFallsBackAndSaysSo(t *testing.T) {
	c := tiny(t)
	result, weights := uninterrupted(t, c)
	for name, damage := range map[string]func([]byte) []byte{
		"a flipped bit":  func(b []byte) []byte { b[len(b)/2] ^= 1; return b },
		"cut short":      func(b []byte) []byte { return b[:len(b)/3] },
		"empty":          func(b []byte) []byte { return nil },
		"another format": func(b []byte) []byte { return append([]byte("PK"), b...) },
	} {
		for _, both := range []bool{false, true} {
			dir := interruptedRun(t, c)
			files := []string{checkpointName}
			if both {
				files = append(files, checkpointOlder)
			}
			broken := map[string][]byte{}
			for _, f := range files {
				broken[f] = damage(read(t, dir, f))
				if err := os.WriteFile(filepath.Join(dir, f), broken[f], 0o644); err != nil {
					t.Fatal(err)
				}
			}
			var warnings []string
			first := uint64(0)
			train(t, c, Where{Dir: dir, Warn: func(s string) { warnings = append(warnings, s) }, Progress: func(p Progress) {
				if first == 0 {
					first = p.Step
				}
			}})
			same(t, name, dir, result, weights)
			said := strings.Join(warnings, "\n")
			want, step := "going on from "+filepath.Join(dir, checkpointOlder), uint64(4)
			if both {
				want, step = "starting from the beginning", 1
			}
			if !strings.Contains(said, "cannot be used") || !strings.Contains(said, want) || first != step {
				t.Errorf("%s (both: %v): first step %d, want %d; said %q", name, both, first, step, said)
			}
			for file, b := range broken { // where none is whole, they are kept: somebody may mend them
				if kept, err := os.ReadFile(filepath.Join(dir, file+".kept")); both != (err == nil) || both && !bytes.Equal(kept, b) {
					t.Errorf("%s (both: %v): of %s are kept %d bytes (%v)", name, both, file, len(kept), err)
				}
			}
		}
	}
}

func TestCheckpointOfOtherDataIsRefused(t *testing.T) {
	c := tiny(t)
	dir := interruptedRun(t, c)
	path := filepath.Join(dir, checkpointName)
	cp, err := parseCheckpoint(read(t, path))
	if err != nil {
		t.Fatal(err)
	}
	cp.DataChecksum = "sha256:other"
	var b bytes.Buffer
	if err := cp.write(&b); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, b.Bytes(), 0o644); err != nil {
		t.Fatal(err)
	}
	if _, err := Train(context.Background(), c, Where{Dir: dir}); err == nil || !strings.Contains(err.Error(), "other data") {
		t.Errorf("error %v", err)
	}
}

// faults is a file system that fails.
type faults struct {
	runfolder.Disk
	calls   int   // so far
	fail    int   // this call fails, counted from 1; 0: none
	crash   bool  // all calls after it fail too, and files that were not synced lose half: the power is cut
	err     error // what it fails with
	partial bool  // a failing write writes half
	open    []*faultyFile
	seen    []string // every call, for the test's log
}

func (f *faults) step(what string) error {
	f.calls++
	f.seen = append(f.seen, what)
	if f.fail > 0 && (f.calls == f.fail || f.crash && f.calls > f.fail) {
		if f.crash && f.calls == f.fail {
			for _, o := range f.open {
				if !o.synced {
					if info, err := os.Stat(o.name); err == nil {
						os.Truncate(o.name, info.Size()/2)
					}
				}
			}
		}
		return f.err
	}
	return nil
}

func (f *faults) Create(name string) (runfolder.File, error) {
	if err := f.step("create"); err != nil {
		return nil, &os.PathError{Op: "create", Path: name, Err: err}
	}
	g, err := f.Disk.Create(name)
	if err != nil {
		return nil, err
	}
	o := &faultyFile{File: g, fs: f, name: name}
	f.open = append(f.open, o)
	return o, nil
}

func (f *faults) Rename(from, to string) error {
	if err := f.step("rename"); err != nil {
		return &os.LinkError{Op: "rename", Old: from, New: to, Err: err}
	}
	return f.Disk.Rename(from, to)
}

func (f *faults) Remove(name string) error {
	if err := f.step("remove"); err != nil {
		return err
	}
	return f.Disk.Remove(name)
}

func (f *faults) SyncDir(dir string) error {
	if err := f.step("syncdir"); err != nil {
		return err
	}
	return nil // the disk's own fsync adds nothing: the power is cut by us
}

type faultyFile struct {
	runfolder.File
	fs     *faults
	name   string
	synced bool
}

func (o *faultyFile) Write(b []byte) (int, error) {
	if err := o.fs.step("write"); err != nil {
		n := 0
		if o.fs.partial {
			n, _ = o.File.Write(b[:len(b)/2])
		}
		return n, &os.PathError{Op: "write", Path: o.name, Err: err}
	}
	o.synced = false
	return o.File.Write(b)
}

func (o *faultyFile) Sync() error {
	if err := o.fs.step("sync"); err != nil {
		return err
	}
	o.synced = true
	return nil
}

func (o *faultyFile) Close() error {
	defer o.File.Close()
	return o.fs.step("close")
}

// TestFaultAtEveryCall fails every single call to the file system of a run, once as a full disk (with half of a write
// done), once as a power cut, and continues: nothing may be lost.
func TestFaultAtEveryCall(t *testing.T) {
	c := tiny(t)
	c.Epochs, c.Drops = 2, []int{1}
	result, weights := uninterrupted(t, c)
	count := &faults{}
	train(t, c, Where{Dir: t.TempDir(), files: count, CheckpointEvery: time.Nanosecond})
	injected := 0
	stride := 1
	if testing.Short() {
		stride = 7
	}
	for _, crash := range []bool{false, true} {
		for k := 1; k <= count.calls; k += stride {
			dir := t.TempDir()
			f := &faults{fail: k, crash: crash, err: syscall.ENOSPC, partial: true}
			_, err := Train(context.Background(), c, Where{Dir: dir, files: f, CheckpointEvery: time.Nanosecond})
			if err == nil && (crash || count.seen[k-1] != "remove") {
				t.Errorf("call %d (%s) failed and Train did not say so", k, count.seen[k-1])
			}
			if err != nil && (!Retryable(err) || !errors.Is(err, syscall.ENOSPC)) {
				t.Errorf("call %d (%s): error %v is not a retryable ENOSPC", k, count.seen[k-1], err)
			}
			injected++
			train(t, c, Where{Dir: dir, files: &faults{}})
			same(t, fmt.Sprintf("fault at call %d (%s), crash %v", k, count.seen[k-1], crash), dir, result, weights)
		}
	}
	t.Logf("%d faults injected at %d different calls, none lost anything", injected, count.calls)
}

// Planted defect: a writer that skips the temporary file does lose runs under the same faults.
func TestFaultsSeeANaiveWriter(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "result.json")
	old := []byte(`{"old": true}`)
	broken := 0
	for k := 1; k <= 4; k++ {
		if err := os.WriteFile(path, old, 0o644); err != nil {
			t.Fatal(err)
		}
		f := &faults{fail: k, crash: true, err: syscall.ENOSPC, partial: true}
		if g, err := f.Create(path); err == nil { // straight to the final name
			io.WriteString(g, `{"new": 12345678}`)
			g.Sync()
			g.Close()
		}
		if !json.Valid(read(t, path)) {
			broken++
		}
	}
	if broken == 0 {
		t.Error("the fault layer does not break a writer without a temporary file")
	}
}

// TestKilledRunContinues kills a run with SIGKILL at random moments until it is done. TQN_KILLS asks for more kills.
func TestKilledRunContinues(t *testing.T) {
	if dir := os.Getenv("TQN_TORTURE_DIR"); dir != "" { // the process that is killed
		if _, err := Train(context.Background(), tiny(t), Where{Dir: dir, CheckpointEvery: time.Nanosecond}); err != nil {
			t.Fatal(err)
		}
		return
	}
	want := 10
	if testing.Short() {
		want = 3
	}
	if s := os.Getenv("TQN_KILLS"); s != "" {
		var err error
		if want, err = strconv.Atoi(s); err != nil {
			t.Fatalf("TQN_KILLS: %v", err)
		}
	}
	c := tiny(t)
	result, weights := uninterrupted(t, c)
	noise := quantize.NewNoise(77).At(0, 0)
	kills, runs, dir := 0, 0, t.TempDir()
	for attempt := 0; kills < want && attempt < 50*want; attempt++ {
		cmd := exec.Command(os.Args[0], "-test.run=^TestKilledRunContinues$")
		cmd.Env = append(os.Environ(), "TQN_TORTURE_DIR="+dir)
		var out bytes.Buffer
		cmd.Stdout, cmd.Stderr = &out, &out
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		// Wait until the process has begun to write, then a little more.
		deadline := time.Now().Add(10 * time.Second)
		for time.Now().Before(deadline) {
			if b, err := os.ReadFile(filepath.Join(dir, "lock")); err == nil && strings.Contains(string(b), fmt.Sprint("process ", cmd.Process.Pid, " ")) {
				break
			}
			time.Sleep(100 * time.Microsecond)
		}
		time.Sleep(time.Duration(noise.Uniform(attempt) * float64(60*time.Millisecond)))
		cmd.Process.Kill()
		err := cmd.Wait()
		var exit *exec.ExitError
		if errors.As(err, &exit) && !exit.Exited() {
			kills++
			continue
		}
		if err != nil {
			t.Fatalf("%v: %s", err, out.Bytes())
		}
		same(t, fmt.Sprintf("run %d after %d kills", runs, kills), dir, result, weights)
		runs++
		dir = t.TempDir() // finished: torture the next
	}
	train(t, c, Where{Dir: dir})
	same(t, "last run", dir, result, weights)
	t.Logf("%d kills over %d runs, every result byte-identical", kills, runs+1)
}

// A step that is not finite stops the run, names layer, step and method, and keeps the last good checkpoint.
func TestNonFiniteStepStopsTheRun(t *testing.T) {
	c := tiny(t)
	dir := interruptedRun(t, c)
	good := read(t, dir, checkpointName)
	cp, err := parseCheckpoint(good)
	if err != nil {
		t.Fatal(err)
	}
	cp.tensors["bn_2.gamma"][0] = float32(math.Inf(1))
	var b bytes.Buffer
	if err := cp.write(&b); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, checkpointName), b.Bytes(), 0o644); err != nil {
		t.Fatal(err)
	}
	_, err = Train(context.Background(), c, Where{Dir: dir})
	var n *network.NonFiniteError
	if !errors.As(err, &n) || n.Step != 6 || n.Method != "sr" || !strings.Contains(n.Tensor, "bn_2") || Retryable(err) {
		t.Errorf("error %v (%+v)", err, n)
	}
	if !bytes.Equal(read(t, dir, checkpointName), b.Bytes()) {
		t.Error("the checkpoint was overwritten")
	}
}

func TestEvalAgreesWithTheRun(t *testing.T) {
	for _, method := range []string{"adam", "bc", "sr"} {
		c := tiny(t)
		c.Method = method
		dir := t.TempDir()
		r := train(t, c, Where{Dir: dir})
		for _, weights := range []string{"checkpoint", "full", "packed"} {
			e, err := Eval(dir, EvalOptions{Weights: weights})
			if weights == "packed" && method == "adam" {
				if err == nil {
					t.Error("adam has packed weights")
				}
				continue
			}
			if err != nil {
				t.Fatal(err)
			}
			if e.Loss.Error() != r.TestError || math.Abs(e.Loss.Mean()-r.TestLoss) > 1e-6 {
				t.Errorf("%s %s: error %g, loss %g; the run says %g, %g", method, weights, e.Loss.Error(), e.Loss.Mean(), r.TestError, r.TestLoss)
			}
		}
	}
}

// What Section 6 reports of the weights: R never moves a convolution weight, SR does, and bc's |wb-wr| lies in [0,1].
func TestProbes(t *testing.T) {
	for _, m := range Methods() {
		c := tiny(t)
		c.Method, c.Epochs, c.Drops, c.ChangeEvery = m.Name, 4, nil, 2
		r := train(t, c, Where{Dir: t.TempDir()})
		moved := 0.0
		for k, e := range r.Epochs {
			for _, p := range e.Layers {
				if (p.Window != nil) != ((k+1)%2 == 0) {
					t.Errorf("%s epoch %d: window probe %v", m.Name, k+1, p.Window)
				}
				if p.Role() == network.ConvWeight {
					moved += p.Flips
					if m.Rule.Discrete() && p.Distance != 0 || p.Distance < 0 || m.Name == "bc" && p.Distance > 1 {
						t.Errorf("%s: |wb-wr| of %s is %g", m.Name, p.Layer, p.Distance)
					}
				} else if e.Epoch == 1 && p.Distance == 0 {
					t.Errorf("%s: linear layer %s is binary", m.Name, p.Layer)
				}
			}
		}
		if (m.Name == "r") != (moved == 0) {
			t.Errorf("%s: signs of convolutions moved %g percent in all", m.Name, moved)
		}
	}
}

// readInPython rebuilds a binarised tensor from the packed file with nothing but Python's standard library and compares
// it with the full file's; it prints the tensor's sum.
const readInPython = `
import json, struct, sys
def load(path):
    b = open(path, "rb").read()
    n = struct.unpack("<Q", b[:8])[0]
    return json.loads(b[8:8 + n]), b[8 + n:]
full, data = load(sys.argv[1] + "/weights.safetensors")
packed, bits = load(sys.argv[1] + "/weights.packed.safetensors")
name = "conv_2.weight"
lo, hi = full[name]["data_offsets"]
w = struct.unpack("<%df" % ((hi - lo) // 4), data[lo:hi])
lo, hi = packed[name]["data_offsets"]
u = bits[lo:hi]
v = tuple(-1.0 if u[i >> 3] >> (i & 7) & 1 else 1.0 for i in range(len(w)))
assert v == w, "packed and full differ"
assert packed["__metadata__"][name + ".shape"] == str(full[name]["shape"]).replace(",", ""), packed["__metadata__"]
print(sum(w))
`

func TestPythonReadsTheWeights(t *testing.T) {
	python, err := exec.LookPath("python3")
	if err != nil {
		t.Skip("no python3 here")
	}
	c, dir := tiny(t), t.TempDir()
	train(t, c, Where{Dir: dir})
	out, err := exec.Command(python, "-c", readInPython, dir).CombinedOutput()
	if err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	tensors, _, err := safetensors.Parse(read(t, dir, weightsName))
	if err != nil {
		t.Fatal(err)
	}
	sum := float32(0)
	for _, v := range tensors["conv_2.weight"].F32 {
		sum += v
	}
	if got := strings.TrimSpace(string(out)); got != fmt.Sprintf("%.1f", sum) {
		t.Errorf("Python sums %s, Go %v", got, sum)
	}
}

func TestNextBlock(t *testing.T) {
	for _, x := range []struct {
		n    int
		took time.Duration
		want int
	}{
		{64, 20 * time.Second, 32},           // slow, or compiled on the way
		{64, time.Millisecond, 512},          // fast: eight times as many
		{500, 5 * time.Second, 1000},         // as many as ten seconds allow
		{1, time.Hour, 1},                    // one step at least
		{8, 0, 64},                           // a clock that stands still
		{1 << 20, 10 * time.Second, 1 << 20}, // steady
	} {
		if got := nextBlock(x.n, x.took); got != x.want {
			t.Errorf("after %d steps in %v: %d, want %d", x.n, x.took, got, x.want)
		}
	}
}

// blockEngine is a CPU engine that takes blocks of steps without training in them, and counts.
type blockEngine struct {
	*network.CPU
	calls []int
}

func (b *blockEngine) LoadSet(*dataset.Set, uint64, dataset.Augmentation) error { return nil }
func (b *blockEngine) EvaluateSet() (network.Loss, error)                       { return network.Loss{Images: 1}, nil }
func (b *blockEngine) Close() error                                             { return nil }
func (b *blockEngine) Block(_, first, n int, _ float64, step uint64, loss *network.Loss) error {
	b.calls = append(b.calls, n)
	loss.Images += n
	return nil
}

// TestOneCallAnEpoch: once an engine's speed is known, the host asks it once an epoch.
func TestOneCallAnEpoch(t *testing.T) {
	c := tiny(t)
	c.TrainImages, c.Epochs = 2400, 3
	var engine *blockEngine
	train(t, c, Where{Dir: t.TempDir(), NewEngine: func(m network.Model, h network.Hyper) (network.Engine, error) {
		workers, err := kernel.NewWorkers(1, "")
		if err != nil {
			return nil, err
		}
		t.Cleanup(workers.Close)
		cpu, err := network.NewCPU(m, h, workers)
		engine = &blockEngine{CPU: cpu}
		return engine, err
	}})
	if want := []int{64, 236, 300, 300}; !slices.Equal(engine.calls, want) {
		t.Errorf("calls of %v steps, want %v", engine.calls, want)
	}
}
