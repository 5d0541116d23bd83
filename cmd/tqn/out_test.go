package main

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// A folder that stands where a command will write a file is told before the work, which the first of these lines would take years for, and nothing
// is changed or left behind.
func TestFoldersInPlacesOfFilesAreToldBeforeTheWork(t *testing.T) {
	tiny := "train --net vgg9 --width 0.0625 --data embedded --train-images 32 --test-images 32 --batch 32 --epochs 1000000 --out DIR"
	for _, c := range []struct{ line, name string }{
		{"toy --iterations 4000000000 --out DIR", "toy.md"},
		{"toy --iterations 4000000000 --out DIR", "figure1.png"},
		{"toy --objective w*w --out DIR", "own.md"},
		{"verify --out DIR", "verify.md"},
		{"verify --out DIR", "theorem2.svg"},
		{"verify --data GOOD --target y --t 1000000000 --out DIR", "verify.md"},
		{"compare nowhere --out DIR", "changes.png"},
		{"table1 --preset smoke --columns vgg9 --out DIR", "report.md"},
		{"table1 --preset smoke --columns vgg9 --out DIR", "table1.tex"},
		{"table1 --preset smoke --columns vgg9 --out DIR", "steps.json"},
		{"table1 plan --preset smoke --columns vgg9 --out DIR", "plan.json"},
		{"choices --out DIR", "choices.md"},
		{"choices --collect --out DIR/new --docs DIR", "choices.md"},
		{"chain ../../docs/samples/chain.csv --plot DIR/x.png", "x.png"},
		{"verify --errata DIR/e.md", "e.md"},
		{"verify --worst-cases DIR/w.md", "w.md"},
		{"report ../../docs --lesson DIR/l.md", "l.md"},
		{"verify --errata DIR/e", "e"},
		{tiny, "metrics.jsonl"}, {tiny, "checkpoint"}, {tiny, "checkpoint.previous.tmp"}, {tiny, "weights.safetensors"}, {tiny, "weights.packed.safetensors"},
		{tiny, "manifest.json"}, {tiny, "result.json.tmp"},
	} {
		dir := t.TempDir()
		if err := os.MkdirAll(filepath.Join(dir, c.name, "mine"), 0o755); err != nil {
			t.Fatal(err)
		}
		line := strings.NewReplacer("DIR", dir, "GOOD", good(t)).Replace(c.line)
		code, stdout, stderr := command(t, strings.Fields(line)...)
		if code != exitUsage || stdout != "" || !strings.Contains(stderr, c.name) || !strings.Contains(stderr, "a folder") {
			t.Errorf("tqn %s, %s a folder: exit code %d, %s", c.line, c.name, code, stdout+stderr)
		}
		left, err := os.ReadDir(dir)
		if err != nil || len(left) != 1 || left[0].Name() != c.name {
			t.Errorf("tqn %s: left %v (%v)", c.line, left, err)
		}
	}
	// Other folders may lie there: a run on one's own data makes one that is called as the data are.
	dir := t.TempDir()
	if err := errors.Join(os.Mkdir(filepath.Join(dir, "houses.csv"), 0o755), os.Mkdir(filepath.Join(dir, "plan"), 0o755)); err != nil {
		t.Fatal(err)
	}
	if err := writable("--out", dir); err != nil {
		t.Error(err)
	}
	// A file is tried where it will be written, and no folder is made for that.
	if err := writableFile("--plot", filepath.Join(dir, "new", "x.png")); err != nil {
		t.Error(err)
	}
	if _, err := os.Stat(filepath.Join(dir, "new")); err == nil {
		t.Error("a folder is left")
	}
	if err := writableFile("--plot", "/proc/nope/x.png"); err == nil || !strings.Contains(err.Error(), "--plot /proc/nope") {
		t.Errorf("a file that cannot be made: %v", err)
	}
}
