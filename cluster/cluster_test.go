package cluster

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"
	"unicode/utf8"

	"tqn/nets"
	"tqn/nets/network"
	"tqn/runfolder"
)

// TestMain lets this binary act as the program that the pool and Slurm start:
// with TQN_CELL set it runs one cell with a trainer that behaves as the variable
// says.
func TestMain(m *testing.M) {
	if behaviour := os.Getenv("TQN_CELL"); behaviour != "" {
		if os.Getenv("TQN_POOL") != "" {
			os.Exit(actAsPool())
		}
		os.Exit(actAsCell(behaviour))
	}
	os.Exit(m.Run())
}

// actAsCell takes --out DIR and --index I from the command line as tqn does.
func actAsCell(behaviour string) int {
	dir, flag := "", -1
	for i, a := range os.Args {
		switch a {
		case "--out":
			dir = os.Args[i+1]
		case "--index":
			fmt.Sscan(os.Args[i+1], &flag)
		}
	}
	index, _, err := IndexFrom(flag, os.Getenv)
	if err != nil {
		return ExitUsage
	}
	plan, err := LoadPlan(dir)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return ExitUsage
	}
	ctx, stop := signalContext()
	defer stop()
	code, err := RunCell(ctx, dir, plan, index, fakeTrain(behaviour), nets.Where{})
	if err != nil {
		fmt.Fprintln(os.Stderr, "tqn:", err)
	}
	return code
}

// actAsPool runs a pool of slow cells until it is killed.
func actAsPool() int {
	dir := os.Args[len(os.Args)-1]
	os.Unsetenv("TQN_POOL")
	plan, err := LoadPlan(dir)
	if err != nil {
		return ExitUsage
	}
	pool := Pool{Jobs: 1, Command: cellProcess(dir, "slow")}
	if err := pool.Run(context.Background(), dir, plan.Cells); err != nil {
		return ExitPermanent
	}
	return ExitDone
}

// fakeTrain writes a result after noting that it ran, or fails as told: "done";
// "retry-once" fails the first attempt with a file error; "permanent"; "other kernel";
// "slow" waits for an interruption the first time and finishes the second time;
// "die" is killed by a signal the first time.
func fakeTrain(behaviour string) Train {
	return func(ctx context.Context, c nets.Config, w nets.Where) (nets.Result, error) {
		log, err := os.OpenFile(filepath.Join(w.Dir, "attempts"), os.O_CREATE|os.O_APPEND|os.O_RDWR, 0o644)
		if err != nil {
			return nets.Result{}, err
		}
		defer log.Close()
		fmt.Fprintln(log, "attempt")
		b, err := os.ReadFile(log.Name())
		if err != nil {
			return nets.Result{}, err
		}
		first := bytes.Count(b, []byte("\n")) == 1
		switch {
		case behaviour == "permanent":
			return nets.Result{}, errors.New("layer conv_1: gradient is NaN")
		case behaviour == "other kernel":
			return nets.Result{}, fmt.Errorf("%w (generic)", nets.ErrOtherKernel)
		case behaviour == "retry-once" && first:
			return nets.Result{}, fmt.Errorf("disk full: %w", runfolder.ErrLocked)
		case behaviour == "slow" && first:
			select {
			case <-ctx.Done():
				fmt.Fprint(log, "interrupted")
				return nets.Result{}, fmt.Errorf("fake: %w", nets.ErrInterrupted)
			case <-time.After(2 * time.Minute):
				return nets.Result{}, errors.New("nobody interrupted")
			}
		case behaviour == "die" && first:
			self, _ := os.FindProcess(os.Getpid())
			_ = self.Kill()
			time.Sleep(time.Minute)
		}
		r := wholeResult(c)
		out, err := json.Marshal(r)
		if err != nil {
			return r, err
		}
		return r, runfolder.WriteFile(filepath.Join(w.Dir, "result.json"), out)
	}
}

// wholeResult is a result of that configuration whose parts agree: a test error of 10 % in every epoch, no sign changed.
func wholeResult(c nets.Config) nets.Result {
	shape, err := c.Shape()
	if err != nil {
		panic(err)
	}
	m, err := c.PublishedModel()
	if err != nil {
		panic(err)
	}
	r := nets.Result{Config: c, ConfigHash: c.Hash(), DataChecksum: "sha256:0", Kernel: "generic", TrainImages: shape.Train, TestImages: shape.Test,
		TestError: 10, BestError: 10, WeightHash: strings.Repeat("0", 64), WeightBytes: 1}
	if c.TrainImages > 0 {
		r.TrainImages = c.TrainImages
	}
	if c.TestImages > 0 {
		r.TestImages = c.TestImages
	}
	if c.Method != "adam" {
		r.PackedBytes = 1
	}
	r.Steps = uint64(c.Epochs * (r.TrainImages / c.Batch))
	for epoch := 1; epoch <= c.Epochs; epoch++ {
		e := nets.Epoch{Epoch: epoch, Alpha: c.Alpha(epoch), TestError: 10}
		for _, p := range m.Params() {
			if p.Role == network.ConvWeight || p.Role == network.LinearWeight {
				probe := nets.Probe{Layer: p.Layer, Weights: p.Len()}
				if epoch%c.ChangeEvery == 0 {
					probe.Window = new(float64)
				}
				e.Layers = append(e.Layers, probe)
			}
		}
		r.Epochs = append(r.Epochs, e)
	}
	return r
}

// testPlan has n cells of the smallest column.
func testPlan(t testing.TB, dir string, n int) *Plan {
	t.Helper()
	p, err := NewPlan("smoke", Choice{Columns: []string{"vgg9"}, Methods: []string{"adam"}, Seeds: n})
	if err != nil {
		t.Fatal(err)
	}
	if dir != "" {
		if err := p.Save(dir); err != nil {
			t.Fatal(err)
		}
	}
	return p
}

func TestPresetsArePlansOfTheWholeTable(t *testing.T) {
	for _, name := range Presets() {
		p, err := NewPlan(name, Choice{})
		if err != nil {
			t.Fatal(err)
		}
		preset, _ := presetNamed(name)
		if len(p.Columns) != 6 || len(p.Cells) != 30*preset.Seeds {
			t.Errorf("%s: %d columns, %d cells, want 6, %d", name, len(p.Columns), len(p.Cells), 30*preset.Seeds)
		}
		for _, c := range p.Cells {
			cost, err := c.Cost()
			if err != nil {
				t.Fatal(err)
			}
			if cost.Images < 1 || cost.MultAdds < cost.Images || cost.Bytes < 16<<20 {
				t.Errorf("%s, cell %s: cost %+v", name, c.ID, cost)
			}
			// At least one update in an epoch, or the method has no effect.
			if s, _ := c.Config.Shape(); c.Config.TrainImages < c.Config.Batch && s.Train < c.Config.Batch {
				t.Errorf("%s, cell %s: batch %d", name, c.ID, c.Config.Batch)
			}
		}
		for _, c := range p.Columns {
			if exact := len(c.Scaled) == 0; exact != (name == "paper") {
				t.Errorf("%s, column %s: scaled %v", name, c.ID, c.Scaled)
			}
		}
	}
}

// The paper's protocol, as Section 6 and Appendix H.1 state it.
func TestPaperPreset(t *testing.T) {
	p, err := NewPlan("paper", Choice{})
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range p.Cells {
		g := c.Config
		big := 1024
		if g.Net == "wrn56-2" || g.Net == "resnet18" {
			big = 512
		}
		epochs, drops := 160, []int{82, 122}
		if g.Data == "imagenet" {
			epochs, drops = 90, []int{30, 60}
		}
		batch := 128
		if g.Method == "big-sr" {
			batch = big
		}
		if g.Width != 1 || g.Depth != 1 || g.Epochs != epochs || !slices.Equal(g.Drops, drops) || g.Batch != batch ||
			g.LearningRate != 0.01 || g.DropFactor != 10 || g.WeightDecay != 0 || g.TrainImages != 0 || g.TestImages != 0 {
			t.Errorf("cell %s: %+v", c.ID, g)
		}
	}
}

// Scaled presets keep the shape of the protocol.
func TestScaledPresetsKeepTheShape(t *testing.T) {
	for _, name := range []string{"quick", "laptop"} {
		p, err := NewPlan(name, Choice{})
		if err != nil {
			t.Fatal(err)
		}
		batches := map[string]map[string]int{}
		for _, c := range p.Cells {
			g := c.Config
			if batches[c.Column] == nil {
				batches[c.Column] = map[string]int{}
			}
			batches[c.Column][g.Method] = g.Batch
			first, second := 82./160, 122./160
			if c.Column == "resnet18" {
				first, second = 30./90, 60./90
			}
			if abs(float64(g.Drops[0])/float64(g.Epochs)-first) > 0.5/float64(g.Epochs) || abs(float64(g.Drops[1])/float64(g.Epochs)-second) > 0.5/float64(g.Epochs) {
				t.Errorf("%s, cell %s: drops %v of %d epochs", name, c.ID, g.Drops, g.Epochs)
			}
		}
		for column, b := range batches {
			want := 8
			if column == "wrn56-2" || column == "resnet18" {
				want = 4
			}
			if b["big-sr"] != want*b["sr"] {
				t.Errorf("%s, column %s: batches %d and %d, want the ratio %d", name, column, b["sr"], b["big-sr"], want)
			}
		}
	}
}

func abs(x float64) float64 { return max(x, -x) }

func TestPlanRefusesWhatIsNotThere(t *testing.T) {
	none := func(string) bool { return false }
	for _, c := range []struct {
		preset string
		choice Choice
		words  string
	}{
		{"medium", Choice{}, "smoke, quick, laptop, paper"},
		{"quick", Choice{Columns: []string{"vgg16"}}, "no column is called"},
		{"quick", Choice{Methods: []string{"sgd"}}, "unknown method"},
		{"quick", Choice{Seeds: -1}, "seeds"},
		{"laptop", Choice{Present: none}, "tqn data fetch"},
		{"paper", Choice{Present: none}, "not on this machine"},
	} {
		if _, err := NewPlan(c.preset, c.choice); err == nil || !strings.Contains(err.Error(), c.words) {
			t.Errorf("%s %+v: error %v, want %q", c.preset, c.choice, err, c.words)
		}
	}
	// Only CIFAR-100 has a stand-in, and the column says so.
	p, err := NewPlan("laptop", Choice{Present: func(n string) bool { return n != "cifar100" }})
	if err != nil {
		t.Fatal(err)
	}
	if c := p.Columns[4]; c.Data != "textures-100x32" || c.PaperData != "cifar100" || !strings.Contains(strings.Join(c.Scaled, ";"), "textures-100x32 for cifar100") {
		t.Errorf("column %+v", c)
	}
}

func TestPlanIsImmutable(t *testing.T) {
	dir := t.TempDir()
	p := testPlan(t, dir, 3)
	if err := p.Save(dir); err != nil {
		t.Errorf("the same plan again: %v", err)
	}
	// Another plan is refused, and the refusal says what differs.
	if err := testPlan(t, "", 2).Save(dir); !errors.Is(err, errPlan) || !strings.Contains(err.Error(), "is there alone") {
		t.Errorf("another plan: %v", err)
	}
	changed := testPlan(t, "", 3)
	changed.Cells[1].Config.Batch++
	changed.Hash = "another"
	want := fmt.Sprintf("cell %s: batch is %d there, %d here", changed.Cells[1].ID, changed.Cells[1].Config.Batch-1, changed.Cells[1].Config.Batch)
	if err := changed.Save(dir); !errors.Is(err, errPlan) || !strings.Contains(err.Error(), want) {
		t.Errorf("a changed batch: %v, want %q", err, want)
	}
	path := filepath.Join(dir, "plan.json")
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	read, err := ParsePlan("p", b)
	if err != nil || read.Hash != p.Hash {
		t.Fatal(err)
	}
	for name, edit := range map[string]func(string) string{
		"another epoch count": func(s string) string { return strings.Replace(s, `"epochs": 2`, `"epochs": 3`, 1) },
		"another title":       func(s string) string { return strings.Replace(s, `"VGG-9"`, `"VGG-8"`, 1) },
		"another hash":        func(s string) string { return strings.Replace(s, p.Hash, strings.Repeat("0", 64), 1) },
		"unknown field":       func(s string) string { return strings.Replace(s, `"version"`, `"versions"`, 1) },
		"another version":     func(s string) string { return strings.Replace(s, `"version": 1`, `"version": 2`, 1) },
		"path in an id":       func(s string) string { return strings.Replace(s, `"vgg9.adam.1"`, `"../../adam.1"`, 1) },
		"twice the same id":   func(s string) string { return strings.Replace(s, `"vgg9.adam.2"`, `"vgg9.adam.1"`, 1) },
		"trailing data":       func(s string) string { return s + "{}" },
		"cut short":           func(s string) string { return s[:len(s)/2] },
		"empty":               func(string) string { return "" },
	} {
		edited := edit(string(b))
		if edited == string(b) {
			t.Fatalf("%s: the edit changes nothing", name)
		}
		if _, err := ParsePlan("p", []byte(edited)); !errors.Is(err, errPlan) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestRunCellExitCodes(t *testing.T) {
	for _, c := range []struct {
		behaviour string
		cancel    bool
		codes     []int // of one attempt after the other
		state     State
	}{
		{"done", false, []int{ExitDone, ExitDone}, Finished},
		{"permanent", false, []int{ExitPermanent, ExitPermanent}, Failed},
		{"retry-once", false, []int{ExitRetry, ExitDone}, Finished},
		{"slow", true, []int{ExitInterrupted}, Waiting},
	} {
		dir := t.TempDir()
		p := testPlan(t, dir, 1)
		ctx, cancel := context.WithCancel(context.Background())
		if c.cancel {
			cancel()
		}
		for i, want := range c.codes {
			code, err := RunCell(ctx, dir, p, 0, fakeTrain(c.behaviour), nets.Where{})
			if code != want || (err == nil) != (code == ExitDone) {
				t.Errorf("%s, attempt %d: code %d (%v), want %d", c.behaviour, i, code, err, want)
			}
		}
		cancel()
		if s := Collect(dir, p)[0]; s.State != c.state {
			t.Errorf("%s: state %s (%s), want %s", c.behaviour, s.State, s.Why, c.state)
		}
	}
	p := testPlan(t, t.TempDir(), 1)
	if code, err := RunCell(context.Background(), t.TempDir(), p, 1, fakeTrain("done"), nets.Where{}); code != ExitUsage || err == nil {
		t.Errorf("index 1 of one cell: code %d, %v", code, err)
	}
}

func TestFinishedCellsAreNotRunAgain(t *testing.T) {
	dir := t.TempDir()
	p := testPlan(t, dir, 1)
	for range 3 {
		if code, err := RunCell(context.Background(), dir, p, 0, fakeTrain("done"), nets.Where{}); code != ExitDone {
			t.Fatal(err)
		}
	}
	b, err := os.ReadFile(filepath.Join(p.Cells[0].Dir(dir), "attempts"))
	if err != nil || string(b) != "attempt\n" {
		t.Errorf("attempts %q (%v)", b, err)
	}
}

func TestCollectSaysWhatIsMissingAndWhy(t *testing.T) {
	dir := t.TempDir()
	p := testPlan(t, dir, 6)
	ctx := context.Background()
	if code, err := RunCell(ctx, dir, p, 0, fakeTrain("done"), nets.Where{}); code != ExitDone {
		t.Fatal(err)
	}
	RunCell(ctx, dir, p, 1, fakeTrain("permanent"), nets.Where{})
	RunCell(ctx, dir, p, 1, fakeTrain("permanent"), nets.Where{})
	write := func(cell int, name, text string) {
		t.Helper()
		if err := runfolder.WriteFile(filepath.Join(p.Cells[cell].Dir(dir), name), []byte(text)); err != nil {
			t.Fatal(err)
		}
	}
	write(2, "config.json", "{}")
	write(2, "metrics.jsonl", "{\"epoch\":1}\n{\"epo") // the second line is cut short
	other := p.Cells[3].Config
	other.Seed += 100
	b, err := json.Marshal(wholeResult(other))
	if err != nil {
		t.Fatal(err)
	}
	write(3, "result.json", string(b))
	write(4, "result.json", "{cut")
	want := []struct {
		state State
		epoch int
		why   string
	}{
		{Finished, 2, ""},
		{Failed, 0, "gradient is NaN"},
		{Begun, 1, "1 of 2 epochs"},
		{Failed, 0, "another config"},
		{Failed, 0, "invalid character"},
		{Waiting, 0, "not begun"},
	}
	states := Collect(dir, p)
	for i, w := range want {
		s := states[i]
		if s.State != w.state || s.Epoch != w.epoch || !strings.Contains(s.Why, w.why) {
			t.Errorf("cell %d: %s, epoch %d, %q; want %s, epoch %d, %q", i, s.State, s.Epoch, s.Why, w.state, w.epoch, w.why)
		}
	}
	if left := Unfinished(states); !slices.Equal(left, []int{1, 2, 3, 4, 5}) {
		t.Errorf("unfinished %v", left)
	}
	if f, err := p.Cells[1].failure(dir); err != nil || f.Attempts != 2 || !f.Permanent {
		t.Errorf("failure %+v (%v), want 2 attempts", f, err)
	}
}

func TestIndexFrom(t *testing.T) {
	env := func(pairs ...string) func(string) string {
		return func(name string) string {
			for i := 0; i < len(pairs); i += 2 {
				if pairs[i] == name {
					return pairs[i+1]
				}
			}
			return ""
		}
	}
	for _, c := range []struct {
		flag  int
		env   func(string) string
		index int
		found bool
		bad   bool
	}{
		{-1, env(), 0, false, false},
		{4, env("SLURM_ARRAY_TASK_ID", "7"), 4, true, false},
		{-1, env("SLURM_ARRAY_TASK_ID", "7"), 7, true, false},
		{-1, env("JOB_COMPLETION_INDEX", "0"), 0, true, false},
		{-1, env("JOB_COMPLETION_INDEX", "x"), 0, false, true},
		{-1, env("SLURM_ARRAY_TASK_ID", "-2"), 0, false, true},
	} {
		index, found, err := IndexFrom(c.flag, c.env)
		if index != c.index && !c.bad || found != c.found || (err != nil) != c.bad {
			t.Errorf("%+v: %d, %v, %v", c, index, found, err)
		}
	}
}

// cellProcess starts this test binary as the cell's process.
func cellProcess(dir, behaviour string) func(Cell) *exec.Cmd {
	return func(c Cell) *exec.Cmd {
		cmd := exec.Command(os.Args[0], "--out", dir, "--index", fmt.Sprint(c.Index))
		cmd.Env = append(os.Environ(), "TQN_CELL="+behaviour)
		return cmd
	}
}

func TestPoolRetriesWhatMaySucceed(t *testing.T) {
	for _, behaviour := range []string{"done", "retry-once", "die"} {
		dir := t.TempDir()
		p := testPlan(t, dir, 4)
		pool := Pool{Jobs: 2, Pause: time.Millisecond, Command: cellProcess(dir, behaviour)}
		if err := pool.Run(context.Background(), dir, p.Cells); err != nil {
			t.Errorf("%s: %v", behaviour, err)
		}
		if left := Unfinished(Collect(dir, p)); len(left) > 0 {
			t.Errorf("%s: cells %v are not finished", behaviour, left)
		}
	}
}

// What no further attempt on this machine can change is run once, and the pool's error says what the cells' processes said.
// TestPoolsLastCell: a cell behind which none waits is the one that Last runs, and no other one.
func TestPoolsLastCell(t *testing.T) {
	for _, n := range []int{1, 3} {
		dir := t.TempDir()
		p := testPlan(t, dir, n)
		var last, started []string
		run := cellProcess(dir, "done")
		pool := Pool{Jobs: 2, Command: run, Started: func(c Cell) { started = append(started, c.ID) },
			Last: func(c Cell) *exec.Cmd { last = append(last, c.ID); return run(c) }}
		if err := pool.Run(context.Background(), dir, p.Cells); err != nil {
			t.Fatal(err)
		}
		if !slices.Equal(last, started[n-1:]) {
			t.Errorf("of the cells %v, in this order, Last ran %v", started, last)
		}
	}
}

func TestPoolGivesUpWhatCannotSucceed(t *testing.T) {
	for behaviour, want := range map[string]struct {
		words string
		state State
	}{
		"permanent":    {"cell vgg9.adam.1: exit status 1: layer conv_1: gradient is NaN (its log is ", Failed},
		"other kernel": {"cell vgg9.adam.1: exit status 75: begun with another kernel (generic) (its log is ", Retrying},
	} {
		dir := t.TempDir()
		p := testPlan(t, dir, 2)
		runs := 0
		pool := Pool{Jobs: 2, Command: cellProcess(dir, behaviour), Started: func(Cell) { runs++ }}
		err := pool.Run(context.Background(), dir, p.Cells)
		if err == nil || !strings.Contains(err.Error(), want.words) || !strings.Contains(err.Error(), "log.txt") {
			t.Errorf("%s: error %v", behaviour, err)
		}
		if runs != 2 {
			t.Errorf("%s: %d runs of 2 cells", behaviour, runs)
		}
		if s := Collect(dir, p)[0]; s.State != want.state || s.Why == "" {
			t.Errorf("%s: %+v", behaviour, s)
		}
	}
}

// The pool's error says that the same call may succeed later if that is so of every cell that failed.
func TestPoolTellsWhatMaySucceedLater(t *testing.T) {
	for name, c := range map[string]struct {
		codes       []int // of the cells, in every attempt
		otherKernel bool  // what failure.json says of the first cell
		large       bool  // the second cell does not fit into the memory
		want        bool
	}{
		"held":                              {codes: []int{ExitRetry, ExitDone}, want: true},
		"all held":                          {codes: []int{ExitRetry, ExitRetry}, want: true},
		"a log that cannot be written":      {codes: []int{exitOutput, ExitDone}, want: true},
		"interrupted by someone else":       {codes: []int{ExitInterrupted, ExitRetry}, want: true},
		"held, and numbers not finite":      {codes: []int{ExitRetry, ExitPermanent}},
		"numbers not finite":                {codes: []int{ExitPermanent, ExitDone}},
		"a wrong command line":              {codes: []int{ExitUsage, ExitRetry}},
		"killed every time, as by too much": {codes: []int{-1, ExitRetry}},
		"begun with another kernel":         {codes: []int{ExitRetry, ExitDone}, otherKernel: true},
		"held, and one that does not fit":   {codes: []int{ExitRetry, ExitDone}, large: true},
	} {
		dir := t.TempDir()
		p := testPlan(t, dir, 2)
		if c.otherKernel {
			if err := runfolder.WriteFile(filepath.Join(p.Cells[0].Dir(dir), "failure.json"), []byte(`{"attempts":1,"error":"x","other_kernel":true}`)); err != nil {
				t.Fatal(err)
			}
		}
		failing := errors.New("it failed")
		pool := Pool{Jobs: 1, Pause: time.Millisecond, InProcess: func(_ context.Context, cell Cell, _ io.Writer) (int, error) {
			if code := c.codes[cell.Index]; code != ExitDone {
				return code, failing
			}
			return ExitDone, nil
		}}
		if c.large {
			cost, err := p.Cells[0].Cost()
			if err != nil {
				t.Fatal(err)
			}
			pool.Memory = cost.Bytes
			p.Cells[1].Config.Batch *= 64
		}
		err := pool.Run(context.Background(), dir, p.Cells)
		if !errors.Is(err, failing) || errors.Is(err, ErrTemporary) != c.want || !strings.Contains(err.Error(), "cluster: cell vgg9.adam.") {
			t.Errorf("%s: %v; want one that may pass: %t", name, err, c.want)
		}
	}
	if err := (&Pool{Jobs: 1}).Run(context.Background(), t.TempDir(), nil); err != nil {
		t.Errorf("no cells: %v", err)
	}
}

// An attempt's last words are an error of the form that tqn prints, not those of an attempt before, nor what a crash leaves.
func TestLastError(t *testing.T) {
	for log, want := range map[string]string{
		"before\n": "",
		"before\ntqn: warning: w\ntqn: nets: e\n":           "nets: e",
		"before\ntqn: nets: e\ngoroutine 1 [running]:\n":    "",
		"before\n" + strings.Repeat("x", 5000) + "\ntqn: e": "e",
		"before\ntqn: " + strings.Repeat("x", 5000) + "\n":  "",
	} {
		if said := lastError(strings.NewReader(log), int64(len("before\n"))); said != want {
			t.Errorf("%.40q: %q, want %q", log, said, want)
		}
	}
	if said := lastError(strings.NewReader("tqn: before\n"), int64(len("tqn: before\n"))); said != "" {
		t.Errorf("an attempt that said nothing: %q", said)
	}
}

func TestPoolInterruptedContinuesLater(t *testing.T) {
	dir := t.TempDir()
	p := testPlan(t, dir, 2)
	ctx, cancel := context.WithCancel(context.Background())
	var once sync.Once
	pool := Pool{Jobs: 1, Command: cellProcess(dir, "slow"), Grace: 20 * time.Second, Started: func(c Cell) {
		once.Do(func() {
			go func() {
				// The process has begun once it has noted its attempt.
				for !exists(filepath.Join(c.Dir(dir), "attempts")) {
					time.Sleep(10 * time.Millisecond)
				}
				cancel()
			}()
		})
	}}
	if err := pool.Run(ctx, dir, p.Cells); !errors.Is(err, context.Canceled) {
		t.Fatalf("error %v, want that it was interrupted", err)
	}
	states := Collect(dir, p)
	if len(Unfinished(states)) != 2 || states[0].State == Failed || states[1].State != Waiting {
		t.Errorf("after the interruption: %+v", states)
	}
	pool.Command = cellProcess(dir, "done")
	if err := pool.Run(context.Background(), dir, p.Cells); err != nil {
		t.Error(err)
	}
}

// TestPoolKilled kills the pool itself: on Linux its cells are told to stop, and a
// later pool finishes them.
func TestPoolKilled(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("only Linux tells children of their parent's death")
	}
	dir := t.TempDir()
	p := testPlan(t, dir, 1)
	cmd := exec.Command(os.Args[0], dir)
	cmd.Env = append(os.Environ(), "TQN_CELL=slow", "TQN_POOL=1")
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	log := filepath.Join(p.Cells[0].Dir(dir), "attempts")
	wait := func(words string) {
		t.Helper()
		for end := time.Now().Add(time.Minute); time.Now().Before(end); time.Sleep(20 * time.Millisecond) {
			if b, _ := os.ReadFile(log); strings.Contains(string(b), words) {
				return
			}
		}
		t.Fatalf("not within a minute: %s", words)
	}
	wait("attempt")
	if err := cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = cmd.Wait()
	wait("interrupted")
	pool := Pool{Jobs: 1, Command: cellProcess(dir, "done")}
	if err := pool.Run(context.Background(), dir, p.Cells); err != nil {
		t.Error(err)
	}
}

// TestPoolKeepsToItsMemory gives room for two of the cells at a time, then for
// none.
func TestPoolKeepsToItsMemory(t *testing.T) {
	dir := t.TempDir()
	p := testPlan(t, dir, 6)
	cost, err := p.Cells[0].Cost()
	if err != nil {
		t.Fatal(err)
	}
	running, most := 0, 0
	pool := Pool{Jobs: 6, Memory: 2*cost.Bytes + cost.Bytes/2, Command: cellProcess(dir, "done"),
		Started: func(Cell) { running++; most = max(most, running) },
		Ended:   func(Cell, int) { running-- },
	}
	if err := pool.Run(context.Background(), dir, p.Cells); err != nil {
		t.Fatal(err)
	}
	if most != 2 {
		t.Errorf("%d at once, want 2", most)
	}
	dir = t.TempDir()
	p = testPlan(t, dir, 1)
	started := 0
	pool = Pool{Jobs: 1, Memory: cost.Bytes - 1, Command: cellProcess(dir, "done"), Started: func(Cell) { started++ }}
	if err := pool.Run(context.Background(), dir, p.Cells); !errors.Is(err, errTooLarge) || started != 0 {
		t.Errorf("a cell that does not fit: started %d times, %v", started, err)
	}
}

func TestAvailableMemory(t *testing.T) {
	files := map[string]string{"/proc/meminfo": "MemTotal: 100 kB\nMemAvailable:     2000 kB\n"}
	read := func(name string) ([]byte, error) {
		if s, ok := files[name]; ok {
			return []byte(s), nil
		}
		return nil, os.ErrNotExist
	}
	if n, ok := availableMemory(read); !ok || n != 2000<<10 {
		t.Errorf("%d, %v", n, ok)
	}
	files["/sys/fs/cgroup/memory.max"], files["/sys/fs/cgroup/memory.current"] = "1000000\n", "400000\n"
	if n, ok := availableMemory(read); !ok || n != 600000 {
		t.Errorf("%d, %v with a cgroup limit", n, ok)
	}
	files["/sys/fs/cgroup/memory.max"] = "max\n"
	if n, ok := availableMemory(read); !ok || n != 2000<<10 {
		t.Errorf("%d, %v with a cgroup without limit", n, ok)
	}
	if n, ok := availableMemory(func(string) ([]byte, error) { return nil, os.ErrNotExist }); ok {
		t.Errorf("%d out of nothing", n)
	}
}

func submission() Submission {
	return Submission{Name: "tqn-table1", Indices: []int{0, 1, 2, 4, 7, 8}, Jobs: 3, CPUs: 2, Memory: 700<<20 + 1, Limit: "12:00:00",
		Program: "/usr/local/bin/tqn", Dir: "/shared/table1", Args: []string{"--dir", "/data/it's here"}, Image: "registry.example/tqn:1", Claim: "work"}
}

const wantSlurm = `#!/bin/sh
#SBATCH --job-name=tqn-table1
#SBATCH --array=0-2,4,7-8%3
#SBATCH --ntasks=1
#SBATCH --cpus-per-task=2
#SBATCH --mem=701M
#SBATCH --time=12:00:00
#SBATCH --requeue
#SBATCH --signal=B:TERM@120
#SBATCH --output=/dev/null
index=$((SLURM_ARRAY_TASK_ID + 0))
# The log is opened here: sbatch takes no name with blanks or quotes.
exec >>/shared/table1/slurm-$index.log 2>&1 || exit 2
/usr/local/bin/tqn table1 run --out /shared/table1 --dir '/data/it'\''s here' --index "$index" &
pid=$!
trap 'stopped=1; kill -TERM $pid' TERM
wait $pid; code=$?
# A trapped signal ends the first wait; the second has the program's own code.
if [ -n "$stopped" ]; then wait $pid; code=$?; [ $code -gt 128 ] && code=130; fi
# Try again: temporary failure, interrupted, or killed by a signal (memory).
if [ $code -eq 75 ] || [ $code -eq 74 ] || [ $code -gt 128 ]; then
  if [ "${SLURM_RESTART_COUNT:-0}" -lt 5 ]; then
    scontrol requeue "${SLURM_ARRAY_JOB_ID}_${SLURM_ARRAY_TASK_ID}" && exit 0
  fi
fi
exit $code
`

func TestSlurmScript(t *testing.T) {
	got, err := SlurmScripts(submission(), defaultArraySize)
	if err != nil {
		t.Fatal(err)
	}
	if len(got) != 1 || got[0] != wantSlurm {
		t.Errorf("got\n%s\nwant\n%s", strings.Join(got, "\n===\n"), wantSlurm)
	}
}

// Every cell is in exactly one array, and no array has an index at or above MaxArraySize.
func TestSlurmArraysStayBelowTheClustersLimit(t *testing.T) {
	array := regexp.MustCompile(`#SBATCH --array=([0-9,-]+)(?:%([0-9]+))?\n`)
	offset := regexp.MustCompile(`SLURM_ARRAY_TASK_ID \+ ([0-9]+)`)
	for _, c := range []struct{ cells, most, arrays, jobs int }{{1800, 1001, 2, 20}, {1001, 1001, 1, 20}, {1002, 1001, 2, 20}, {10, 3, 4, 2}, {5, 1, 5, 0}} {
		s := submission()
		s.Indices, s.Jobs = nil, c.jobs
		for i := range c.cells {
			s.Indices = append(s.Indices, i)
		}
		scripts, err := SlurmScripts(s, c.most)
		if err != nil || len(scripts) != c.arrays {
			t.Fatalf("%d cells, MaxArraySize %d: %d arrays, want %d: %v", c.cells, c.most, len(scripts), c.arrays, err)
		}
		seen, atOnce := map[int]int{}, 0
		for _, script := range scripts {
			m, o := array.FindStringSubmatch(script), offset.FindStringSubmatch(script)
			if m == nil || o == nil {
				t.Fatalf("no array or offset in\n%s", script)
			}
			first, _ := strconv.Atoi(o[1])
			share, _ := strconv.Atoi(m[2])
			atOnce += share
			for _, part := range strings.Split(m[1], ",") {
				lo, hi, isRange := strings.Cut(part, "-")
				from, _ := strconv.Atoi(lo)
				to := from
				if isRange {
					to, _ = strconv.Atoi(hi)
				}
				for k := from; k <= to; k++ {
					if k >= c.most {
						t.Fatalf("index %d in an array, MaxArraySize is %d", k, c.most)
					}
					seen[first+k]++
				}
			}
		}
		for i := range c.cells {
			if seen[i] != 1 {
				t.Errorf("cell %d is in %d arrays", i, seen[i])
			}
		}
		if len(seen) != c.cells || atOnce != max(c.jobs, min(c.jobs, 1)*c.arrays) {
			t.Errorf("%d cells of %d, %d at once of %d", len(seen), c.cells, atOnce, c.jobs)
		}
	}
	for config, want := range map[string]int{"MaxArraySize            = 1001\n": 1001, "X=1\nMaxArraySize = 40001\nMaxDBDMsgs = 3": 40001, "MaxArraySize = ?\n": defaultArraySize, "": defaultArraySize} {
		if got := parseArraySize(config); got != want {
			t.Errorf("%q: %d, want %d", config, got, want)
		}
	}
}

// TestPoolInProcess: cells as goroutines of this process, as many at once as there are jobs, with their log, retries and failures.
func TestPoolInProcess(t *testing.T) {
	dir := t.TempDir()
	p := testPlan(t, dir, 5)
	var mu sync.Mutex
	running, most, runs := 0, 0, map[int]int{}
	pool := Pool{Jobs: 2, Pause: time.Millisecond, InProcess: func(_ context.Context, c Cell, log io.Writer) (int, error) {
		mu.Lock()
		running++
		most = max(most, running)
		runs[c.Index]++
		run := runs[c.Index]
		mu.Unlock()
		time.Sleep(20 * time.Millisecond)
		mu.Lock()
		running--
		mu.Unlock()
		fmt.Fprintln(log, "hello from", c.ID)
		switch {
		case c.Index == 1 && run == 1:
			return ExitRetry, errors.New("not yet")
		case c.Index == 3:
			return ExitPermanent, errors.New("never")
		}
		return ExitDone, nil
	}}
	err := pool.Run(context.Background(), dir, p.Cells)
	if err == nil || !strings.Contains(err.Error(), p.Cells[3].ID) || strings.Contains(err.Error(), p.Cells[1].ID) {
		t.Errorf("error %v; want cell 3's only", err)
	}
	if want := map[int]int{0: 1, 1: 2, 2: 1, 3: 1, 4: 1}; !maps.Equal(runs, want) || most != 2 {
		t.Errorf("runs %v, want %v; %d at once, want 2", runs, want, most)
	}
	if b, err := os.ReadFile(filepath.Join(p.Cells[3].Dir(dir), "log.txt")); err != nil || string(b) != "hello from "+p.Cells[3].ID+"\nnever\n" {
		t.Errorf("log %q, %v", b, err)
	}
}

// A line that CommandLine writes is read by sh as the words it was given.
func TestCommandLinesAreReadBackByTheShell(t *testing.T) {
	words := []string{"tqn", "--data", "my houses.csv", "y|z", "it's", `a"b`, "$HOME", "`id`", "a\\b", "*", "~", "", "é", "!x", "#", "a=b", "-1e-9,0.5", "(x)", "tab\there", "new\nline", "%s"}
	out, err := exec.Command("/bin/sh", "-c", "for w in "+CommandLine(words...)+`; do printf '%s\0' "$w"; done`).Output()
	if err != nil {
		t.Fatal(err)
	}
	if got := strings.Split(strings.TrimSuffix(string(out), "\x00"), "\x00"); !slices.Equal(got, words) {
		t.Errorf("the shell reads %q, want %q", got, words)
	}
	if got := CommandLine("tqn", "verify", "--half", "1", "--out", "/tmp/r"); got != "tqn verify --half 1 --out /tmp/r" {
		t.Errorf("plain words are quoted: %s", got)
	}
}

// FuzzFailure lays bytes where a cell's failure.json is and then lets the cell fail with some error: nothing panics, the state that is
// collected says what the file says or that it says nothing, and what is written after the next attempt is believed and counts one more.
func FuzzFailure(f *testing.F) {
	f.Add([]byte(`{"permanent":true,"attempts":2,"error":"layer conv_1: gradient is NaN"}`), "no device", true)
	f.Add([]byte(`{"permanent":false,"attempts":9223372036854775807,"error":"x"}`), "", false)
	f.Add([]byte(`{"attempts":-1}`), "\xff\x00<script>", false)
	f.Add([]byte(`{"attempts":1,"error":"a","error":"b","Attempts":3}`), "{\"error\":1}", true)
	f.Add([]byte(`null`), "\u2028", false)
	dir := f.TempDir()
	p, err := NewPlan("smoke", Choice{Columns: []string{"vgg9"}, Methods: []string{"adam"}})
	if err != nil {
		f.Fatal(err)
	}
	cell := p.Cells[0]
	f.Fuzz(func(t *testing.T, b []byte, message string, temporary bool) {
		path := filepath.Join(cell.Dir(dir), "failure.json")
		if err := runfolder.WriteFile(path, b); err != nil {
			t.Fatal(err)
		}
		before, err := parseFailure(b)
		s := cell.state(dir)
		switch {
		case err == nil && (before.Attempts < 1 || before.Error == ""):
			t.Fatalf("%+v is believed", before)
		case err != nil && s.State != Waiting, err == nil && before.Permanent != (s.State == Failed), err == nil && !strings.Contains(s.Why, before.Error):
			t.Fatalf("%q (%+v, %v) is the state %+v", b, before, err, s)
		}
		failing := errors.New(message)
		if temporary {
			failing = runfolder.StorageError(failing)
		}
		code, err := RunCell(t.Context(), dir, p, 0, func(context.Context, nets.Config, nets.Where) (nets.Result, error) { return nets.Result{}, failing }, nets.Where{})
		if want := map[bool]int{true: ExitRetry, false: ExitPermanent}[temporary]; code != want || !errors.Is(err, failing) {
			t.Fatalf("exit code %d, %v; want %d", code, err, want)
		}
		after, err := cell.failure(dir)
		if err != nil || after.Attempts != min(before.Attempts+1, maxAttempts) || after.Permanent == temporary || !strings.Contains(after.Error, strings.ToValidUTF8(message, "\ufffd")) && utf8.ValidString(message) {
			t.Fatalf("after %+v: %+v, %v", before, after, err)
		}
	})
}

// A result that nobody wrote, and one that nobody can read: the first fails for good, the second may be tried again, and is
// never taken for a cell that is not begun.
func TestResultsThatCannotBeBelievedOrRead(t *testing.T) {
	dir := t.TempDir()
	p := testPlan(t, dir, 3)
	for i, change := range []func(*nets.Result){
		func(r *nets.Result) { r.Epochs = r.Epochs[:0] },
		func(r *nets.Result) { r.TestError = 20 },
	} {
		r := wholeResult(p.Cells[i].Config)
		change(&r)
		b, err := json.Marshal(r)
		if err != nil {
			t.Fatal(err)
		}
		if err := runfolder.WriteFile(filepath.Join(p.Cells[i].Dir(dir), "result.json"), b); err != nil {
			t.Fatal(err)
		}
	}
	unreadable := filepath.Join(p.Cells[2].Dir(dir), "result.json")
	if err := errors.Join(os.MkdirAll(filepath.Dir(unreadable), 0o755), os.Symlink("result.json", unreadable)); err != nil { // a link to itself
		t.Fatal(err)
	}
	states := Collect(dir, p)
	for i, want := range []State{Failed, Failed, Retrying} {
		if s := states[i]; s.State != want || !strings.Contains(s.Why, "result.json") || s.Result != nil {
			t.Errorf("cell %d: %s (%s), want %s", i, s.State, s.Why, want)
		}
		code, err := RunCell(context.Background(), dir, p, i, fakeTrain("done"), nets.Where{})
		if want := []int{ExitPermanent, ExitPermanent, ExitRetry}[i]; code != want || err == nil {
			t.Errorf("cell %d: exit %d (%v), want %d", i, code, err, want)
		}
	}
}
