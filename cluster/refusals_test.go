package cluster

import (
	"context"
	"encoding/json"
	"errors"
	"io/fs"
	"math"
	"slices"
	"strings"
	"testing"

	"tqn/nets"
	"tqn/runfolder"
)

// A folder without a plan is one in which table1 plan comes first.
func TestNoPlan(t *testing.T) {
	if _, err := LoadPlan(t.TempDir()); !errors.Is(err, fs.ErrNotExist) || !strings.Contains(err.Error(), "tqn table1 plan") {
		t.Errorf("an empty folder: %v", err)
	}
}

// Whoever edits a plan can put a right hash below it, so every part is looked at by itself.
func TestPlansThatContradictThemselvesAreRefused(t *testing.T) {
	hashed := func(p *Plan, configs bool) []byte {
		for i := range p.Cells {
			if configs {
				p.Cells[i].ConfigHash = p.Cells[i].Config.Hash()
			}
		}
		p.Hash = p.hash()
		b, err := json.Marshal(p)
		if err != nil {
			t.Fatal(err)
		}
		return b
	}
	if _, err := ParsePlan("p", hashed(testPlan(t, "", 3), true)); err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		change func(*Plan)
		stale  bool // the hashes of the configurations stay as they are
		words  string
	}{
		"another version":         {change: func(p *Plan) { p.Version = 2 }, words: "version 2, this program reads version 1"},
		"another index":           {change: func(p *Plan) { p.Cells[1].Index = 2 }, words: "cell 1 has index 2"},
		"a path as an id":         {change: func(p *Plan) { p.Cells[1].ID = "../../adam.1" }, words: `cell 1 has id "../../adam.1"`},
		"a long id":               {change: func(p *Plan) { p.Cells[1].ID = "vgg9.adam." + strings.Repeat("1", 91) }, words: "cell 1 has id"},
		"the longest id":          {change: func(p *Plan) { p.Cells[1].ID = "vgg9.adam." + strings.Repeat("1", 90) }},
		"an id twice":             {change: func(p *Plan) { p.Cells[1].ID = p.Cells[0].ID }, words: "two cells have id vgg9.adam.1"},
		"an unknown column":       {change: func(p *Plan) { p.Cells[1].Column = "vgg8" }, words: `of column "vgg8", which is not listed`},
		"another configuration":   {change: func(p *Plan) { p.Cells[1].Config.Batch++ }, stale: true, words: "its config is not the one that was hashed"},
		"an incomplete one":       {change: func(p *Plan) { p.Cells[1].Config.LearningRate = 0 }, words: "its config is not complete"},
		"an impossible one":       {change: func(p *Plan) { p.Cells[1].Config.Batch = 1 }, words: "batch is 1"},
		"two cells, both allowed": {change: func(p *Plan) { p.Cells[1].Config.Seed = 9 }},
	} {
		p := testPlan(t, "", 3)
		c.change(p)
		_, err := ParsePlan("p", hashed(p, !c.stale))
		switch {
		case c.words == "" && err != nil:
			t.Errorf("%s: %v", name, err)
		case c.words != "" && (!errors.Is(err, errPlan) || !strings.Contains(err.Error(), c.words)):
			t.Errorf("%s: %v, want %q", name, err, c.words)
		}
	}
}

// FuzzPlan edits the text of a plan, and puts right hashes below what still is one: nothing panics, an error names the file, and the
// cells of a plan that is believed have folders of their own below cells/. The edit is an input, not the text: the fuzzing engine
// takes minutes to shorten an interesting plan of 3 KB.
func FuzzPlan(f *testing.F) {
	text, err := json.Marshal(testPlan(f, "", 2))
	if err != nil {
		f.Fatal(err)
	}
	f.Add(uint16(0), uint16(0), "", true)
	f.Add(uint16(0), uint16(math.MaxUint16), `{"version":1,"columns":[],"cells":[{"id":"../a.b.1"}]}`, true)
	f.Add(uint16(0), uint16(math.MaxUint16), "[[", false)
	f.Add(uint16(strings.Index(string(text), "vgg9.adam.2")), uint16(11), "../../adam.1", true)
	f.Add(uint16(strings.Index(string(text), "vgg9.adam.2")), uint16(11), "vgg9.adam.1", true)
	f.Add(uint16(strings.Index(string(text), `"epochs"`)), uint16(10), `"epochs":-1`, true)
	f.Fuzz(func(t *testing.T, at, cut uint16, put string, hashes bool) {
		from := min(int(at), len(text))
		edited := slices.Concat(text[:from], []byte(put), text[min(from+int(cut), len(text)):])
		var p Plan
		if hashes && json.Unmarshal(edited, &p) == nil {
			for i := range p.Cells {
				p.Cells[i].ConfigHash = p.Cells[i].Config.Hash()
			}
			p.Hash = p.hash()
			if again, err := json.Marshal(p); err == nil {
				edited = again
			}
		}
		read, err := ParsePlan("f", edited)
		if err != nil {
			if !errors.Is(err, errPlan) || !strings.Contains(err.Error(), "cluster: f: ") {
				t.Errorf("error %v", err)
			}
			return
		}
		seen := map[string]bool{}
		for i, c := range read.Cells {
			dir := c.Dir("/plan")
			if rest, ok := strings.CutPrefix(dir, "/plan/cells/"); !ok || strings.ContainsAny(rest, "/\\") || seen[dir] || c.Index != i {
				t.Errorf("cell %d in folder %s", c.Index, dir)
			}
			seen[dir] = true
			if resolved, err := c.Config.Resolve(); err != nil || resolved.Hash() != c.ConfigHash {
				t.Errorf("cell %s: a configuration that is not complete (%v)", c.ID, err)
			}
		}
	})
}

// A cell is run only if it is in the plan, and its result is taken only if it is of its configuration.
func TestRunCellRefuses(t *testing.T) {
	dir := t.TempDir()
	p := testPlan(t, dir, 2)
	for _, index := range []int{-1, 2} {
		if code, err := RunCell(context.Background(), dir, p, index, fakeTrain("done"), nets.Where{}); code != ExitUsage || err == nil || !strings.Contains(err.Error(), "cells 0 to 1") {
			t.Errorf("index %d: exit code %d, %v", index, code, err)
		}
	}
	code, err := RunCell(context.Background(), dir, p, 0, func(context.Context, nets.Config, nets.Where) (nets.Result, error) {
		return wholeResult(p.Cells[1].Config), nil
	}, nets.Where{})
	if code != ExitPermanent || err == nil || !strings.Contains(err.Error(), "holds the result of another config") {
		t.Errorf("the result of another cell: exit code %d, %v", code, err)
	}
	// A cell in which another process works has not failed: no failure is written.
	code, err = RunCell(context.Background(), dir, p, 0, func(context.Context, nets.Config, nets.Where) (nets.Result, error) {
		return nets.Result{}, runfolder.ErrLocked
	}, nets.Where{})
	if _, ferr := p.Cells[0].failure(dir); code != ExitRetry || err == nil || ferr == nil {
		t.Errorf("a locked cell: exit code %d, %v, failure.json: %v", code, err, ferr)
	}
}

// A failure.json counts at least one attempt, as many as fit, and says what failed.
func TestFailuresAreChecked(t *testing.T) {
	for text, good := range map[string]bool{
		`{"attempts":1,"error":"x"}`: true, `{"attempts":1000000000,"error":"x"}`: true,
		`{"attempts":0,"error":"x"}`: false, `{"attempts":-1,"error":"x"}`: false, `{"attempts":1000000001,"error":"x"}`: false, `{"attempts":1,"error":""}`: false,
	} {
		if _, err := parseFailure([]byte(text)); (err == nil) != good {
			t.Errorf("%s: %v", text, err)
		}
	}
	if err := (&Pool{}).Run(context.Background(), t.TempDir(), nil); err == nil || !strings.Contains(err.Error(), "0 jobs") {
		t.Errorf("no jobs: %v", err)
	}
}

// What an engine could not run is refused before anything is submitted.
func TestSubmissionsAreRefused(t *testing.T) {
	good := Submission{Name: "tqn", Indices: []int{0, 1}, CPUs: 2, Memory: 1 << 30, Jobs: 2, Program: "/bin/tqn", Dir: "/data/t", Image: "tqn:1", Claim: "data", Mount: "/data"}
	plan, err := json.Marshal(testPlan(t, "", 2))
	if err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		change func(*Submission)
		words  string
		engine string // empty: both
	}{
		"as it is":               {func(*Submission) {}, "", ""},
		"capitals in a name":     {func(s *Submission) { s.Name = "TQN" }, `job name "TQN"`, ""},
		"no cells":               {func(s *Submission) { s.Indices = nil }, "nothing to submit", ""},
		"no CPU":                 {func(s *Submission) { s.CPUs = 0 }, "0 CPUs", ""},
		"no memory":              {func(s *Submission) { s.Memory = 0 }, "0 bytes", ""},
		"negative jobs":          {func(s *Submission) { s.Jobs = -1 }, "-1 jobs", ""},
		"negative retries":       {func(s *Submission) { s.Retries = -1 }, "-1 retries", ""},
		"a relative folder":      {func(s *Submission) { s.Dir = "data/t" }, "must be absolute paths", ""},
		"a relative program":     {func(s *Submission) { s.Program = "tqn" }, "must be absolute paths", ""},
		"a line break":           {func(s *Submission) { s.Args = []string{"a\nb"} }, "holds a line break", ""},
		"no time of Slurm's":     {func(s *Submission) { s.Limit = "1h" }, `time limit "1h": want one of Slurm's`, "slurm"},
		"a partition of blanks":  {func(s *Submission) { s.Partition = "a b" }, `partition "a b" holds characters`, "slurm"},
		"no image":               {func(s *Submission) { s.Image = "" }, "needs a container image", "kubernetes"},
		"no claim":               {func(s *Submission) { s.Claim = "" }, "persistent volume claim", "kubernetes"},
		"a relative mount":       {func(s *Submission) { s.Mount = "data" }, `does not lie in the volume mounted at "data"`, "kubernetes"},
		"a folder beside it":     {func(s *Submission) { s.Mount = "/dat" }, `does not lie in the volume mounted at "/dat"`, "kubernetes"},
		"a mount that is a root": {func(s *Submission) { s.Mount = "/" }, "", "kubernetes"},
	} {
		s := good
		c.change(&s)
		for engine, err := range map[string]error{
			"slurm":      func() error { _, err := SlurmScripts(s, 1001); return err }(),
			"kubernetes": func() error { _, err := KubernetesManifest(s, plan); return err }(),
		} {
			if c.engine != "" && c.engine != engine {
				continue
			}
			if c.words == "" && err != nil || c.words != "" && (err == nil || !strings.Contains(err.Error(), c.words)) {
				t.Errorf("%s, %s: %v, want %q", name, engine, err, c.words)
			}
		}
	}
	if _, err := SlurmScripts(good, 0); err == nil || !strings.Contains(err.Error(), "runs no job arrays") {
		t.Errorf("a cluster without arrays: %v", err)
	}
	if _, err := KubernetesManifest(good, append(plan, strings.Repeat(" ", 1<<20)...)); err == nil || !strings.Contains(err.Error(), "a ConfigMap takes 1 MiB") {
		t.Errorf("a plan of 1 MiB: %v", err)
	}
	if _, err := KubernetesManifest(good, plan[1:]); !errors.Is(err, errPlan) {
		t.Errorf("no plan: %v", err)
	}
}

// A preset has so many seeds as fit, and the paper's data has no stand-in.
func TestChoicesAreRefused(t *testing.T) {
	absent := func(name string) bool { return name != "cifar100" }
	for name, c := range map[string]struct {
		preset string
		choice Choice
		words  string
	}{
		"negative seeds":           {"smoke", Choice{Seeds: -1}, "-1 seeds, want 1 to 1000"},
		"too many seeds":           {"smoke", Choice{Seeds: 1001}, "1001 seeds, want 1 to 1000"},
		"a seed beyond the last":   {"smoke", Choice{Seeds: 2, Seed: math.MaxUint64}, "2 seeds from 18446744073709551615 on"},
		"the last seed":            {"smoke", Choice{Seeds: 1, Seed: math.MaxUint64}, ""},
		"a stand-in for a laptop":  {"laptop", Choice{Present: absent, Columns: []string{"resnet56-c100"}}, ""},
		"no stand-in in the paper": {"paper", Choice{Present: absent, Columns: []string{"resnet56-c100"}}, "fetch it (tqn data fetch)"},
	} {
		_, err := NewPlan(c.preset, c.choice)
		if c.words == "" && err != nil || c.words != "" && (err == nil || !strings.Contains(err.Error(), c.words)) {
			t.Errorf("%s: %v, want %q", name, err, c.words)
		}
	}
}
