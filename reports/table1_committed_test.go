package reports

import (
	"bytes"
	"compress/gzip"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"tqn/cluster"
	"tqn/referee"
)

// unpack makes the folder of a run from the committed one: the plan, and the results without their compression.
func unpack(t *testing.T, from string) (dir string) {
	t.Helper()
	dir = t.TempDir()
	copyFile := func(to string, r io.Reader) {
		if err := os.MkdirAll(filepath.Dir(to), 0o755); err != nil {
			t.Fatal(err)
		}
		w, err := os.Create(to)
		if err != nil {
			t.Fatal(err)
		}
		defer w.Close()
		if _, err := io.Copy(w, r); err != nil {
			t.Fatal(err)
		}
	}
	names, err := filepath.Glob(filepath.Join(from, "cells", "*", "result.json.gz"))
	if err != nil || len(names) == 0 {
		t.Fatalf("no results below %s (%v)", from, err)
	}
	names = append(names, filepath.Join(from, "plan.json"))
	if steps := filepath.Join(from, stepsFile); exists(steps) {
		names = append(names, steps)
	}
	for _, name := range names {
		f, err := os.Open(name)
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
		relative, err := filepath.Rel(from, name)
		if err != nil {
			t.Fatal(err)
		}
		var r io.Reader = f
		if to, packed := strings.CutSuffix(relative, ".gz"); packed {
			relative = to
			if r, err = gzip.NewReader(f); err != nil {
				t.Fatal(err)
			}
		}
		copyFile(filepath.Join(dir, relative), r)
	}
	return dir
}

func exists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}

// A committed report is what its committed results give, but for the manifest. If it is not: docs/results/README.md has the commands that
// make it anew.
func TestCommittedReports(t *testing.T) {
	laws, err := referee.Laws()
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"table1-paper", "table1-cifar10", "table1-quick"} {
		from := "../docs/results/" + name
		dir := unpack(t, from)
		plan, err := cluster.LoadPlan(dir)
		if err != nil {
			t.Fatal(err)
		}
		states := cluster.Collect(dir, plan)
		table := NewTable1(plan, states, Manifest{})
		table.Sentences, table.Against = referee.Section6(plan, states)
		table.Laws = laws
		if err := table.readSteps(dir); err != nil {
			t.Fatal(err)
		}
		b, err := os.ReadFile(filepath.Join(from, "report.md"))
		if err != nil {
			t.Fatal(err)
		}
		got, _, _ := strings.Cut(table.Markdown(), "## Manifest")
		want, _, _ := strings.Cut(string(b), "## Manifest")
		if got != want {
			a, b := strings.Split(got, "\n"), strings.Split(want, "\n")
			for i := range min(len(a), len(b)) {
				if a[i] != b[i] {
					t.Fatalf("%s, line %d is\n%s\nin the committed report, and\n%s\nfrom its results", name, i+1, b[i], a[i])
				}
			}
			t.Fatalf("%s: %d lines, %d in the committed report", name, len(a), len(b))
		}
		if name != "table1-paper" {
			continue
		}
		// What the run says of the two sentences that it contradicts, and of the lesson.
		for id, want := range map[string]referee.Word{"bc-at-most-20": referee.Violated, "sr-nearly-40": referee.Violated, "r-changes-none": referee.Holds, "bc-stays-near": referee.Undecided, "sr-not-greedy": referee.Holds,
			"bc-beats-sr": referee.Holds, "sr-changes-more-than-bc": referee.Undecided, "sr-beats-r": referee.Undecided, "big-sr-consistently": referee.Holds,
			"sr-larger-batch-better": referee.Holds, "big-batch-changes-less-sr": referee.Undecided, "big-batch-changes-less-often": referee.Holds, "big-sr-explores-less": referee.Undecided, "bc-small-batch-best": referee.NotRun} {
			if w := table.found(id, "vgg9").Verdict; w != want {
				t.Errorf("%s: %s, want %s", id, w, want)
			}
		}
	}
}

// The CSV files beside a committed page are the page's tables.
func TestCommittedTables(t *testing.T) {
	folders, err := filepath.Glob("../docs/results/*/*-tables")
	if err != nil || len(folders) == 0 {
		t.Fatalf("no tables below docs/results (%v)", err)
	}
	for _, folder := range folders {
		page := strings.TrimSuffix(folder, "-tables") + ".md"
		source, err := os.ReadFile(page)
		if err != nil {
			t.Fatal(err)
		}
		again := t.TempDir()
		if err := writePage(again, filepath.Base(page), string(source)); err != nil {
			t.Fatal(err)
		}
		got, want := os.DirFS(filepath.Join(again, filepath.Base(folder))), os.DirFS(folder)
		for _, pair := range [][2]fs.FS{{got, want}, {want, got}} {
			if err := fs.WalkDir(pair[0], ".", func(name string, d fs.DirEntry, err error) error {
				if err != nil || d.IsDir() {
					return err
				}
				a, err := fs.ReadFile(pair[0], name)
				if err != nil {
					return err
				}
				if b, err := fs.ReadFile(pair[1], name); err != nil || !bytes.Equal(a, b) {
					t.Errorf("%s/%s is not the table of %s (%v)", folder, name, page, err)
				}
				return nil
			}); err != nil {
				t.Fatal(err)
			}
		}
	}
}
