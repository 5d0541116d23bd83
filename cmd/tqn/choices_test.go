package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"github.com/spf13/cobra"

	"tqn/cluster"
	"tqn/referee"
)

// docs/choices.md is what the committed summaries give, and they are of the study's own runs.
func TestChoicesPage(t *testing.T) {
	b, err := os.ReadFile("../../docs/results/choices/choices.json")
	if err != nil {
		t.Fatal(err)
	}
	var doc choicesJSON
	if err := json.Unmarshal(b, &doc); err != nil {
		t.Fatal(err)
	}
	hashes := map[string]string{}
	for _, r := range referee.Study() {
		hashes[r.Name] = r.Config.Hash()
	}
	for _, r := range doc.Study {
		if hashes[r.Name] != r.ConfigHash {
			t.Errorf("%s: hash %.12q, the study's run has %.12q", r.Name, r.ConfigHash, hashes[r.Name])
		}
	}
	page, err := choicesPage(doc)
	if err != nil {
		t.Fatal(err)
	}
	// What the page says of the walk in words.
	for _, start := range page.Starts {
		if w := page.Walks[start+" @ 0.01"]; w <= 20 {
			t.Errorf("%s: the walk at 0.01 changes %.1f %%, the page says more than 20", start, w)
		}
	}
	if u, r := page.Walks["uniform @ 0.003"], page.Walks["rademacher @ 0.003"]; u > 22 || r > 20 {
		t.Errorf("at 0.003 the walk changes %.1f %% from uniform and %.1f %% from rademacher, the page says near or below 20", u, r)
	}
	committed, err := os.ReadFile("../../docs/choices.md")
	if err != nil {
		t.Fatal(err)
	}
	got, want := strings.Split(page.Markdown("results/choices"), "\n"), strings.Split(string(committed), "\n")
	for i := range min(len(got), len(want)) {
		if got[i] != want[i] {
			t.Fatalf("docs/choices.md, line %d is\n%s\nand its summaries give\n%s\n(go run ./cmd/tqn choices --collect --docs docs makes it anew from the runs)", i+1, want[i], got[i])
		}
	}
	if len(got) != len(want) {
		t.Errorf("docs/choices.md has %d lines, its summaries give %d", len(want), len(got))
	}
}

// The study's short runs change what a walk changes that learns nothing, and not what one from another start would change (docs/errata.md,
// 15): with the walk of another start in its place, the comparison fails.
func TestShortRunsWalk(t *testing.T) {
	b, err := os.ReadFile("../../docs/results/choices/choices.json")
	if err != nil {
		t.Fatal(err)
	}
	var doc choicesJSON
	if err := json.Unmarshal(b, &doc); err != nil {
		t.Fatal(err)
	}
	page, err := choicesPage(doc)
	if err != nil {
		t.Fatal(err)
	}
	const most = 5 // percentage points; filters that move together make a share vary by as much
	if far, n := page.NearWalk(); n < 18 || far > most {
		t.Errorf("%d short runs are within %.1f points of the walk, want 18 within %d", n, far, most)
	}
	for _, pair := range [][2]string{{"bc-rademacher-1", "bc-uniform-1"}, {"bc-uniform-1", "bc-he-1"}, {"big-sr-1", "sr-1"}} {
		swapped := maps.Clone(page.Walks)
		swapped[pair[0]] = page.Walks[pair[1]]
		other := *page
		other.Walks = swapped
		if far, _ := other.NearWalk(); far <= 2*most {
			t.Errorf("%s with the walk of %s: within %.1f points", pair[0], pair[1], far)
		}
	}
}

// Every line that --print lists is a run of the study: the flags it has make the config that is judged.
func TestChoicesCommands(t *testing.T) {
	for _, r := range referee.Study() {
		line, _ := strings.CutPrefix(r.Command(), "tqn ")
		code, stdout, stderr := tqn(t, line+" --dry-run --json")
		var report dryRunReport
		if err := json.Unmarshal([]byte(stdout), &report); code != exitExpected || err != nil {
			t.Fatalf("%s: exit %d, %v: %s", line, code, err, stderr)
		}
		if report.Config.Hash() != r.Config.Hash() {
			t.Errorf("%s makes %+v, the study has %+v", line, report.Config, r.Config)
		}
	}
}

// The report's command has the unstated choices, as flags that give them again.
func TestUnstatedCommand(t *testing.T) {
	no := false
	for _, want := range []cluster.Unstated{{}, {Init: "uniform", Clip: &no, LearningRateScale: "binaryconnect", NormEpsilon: 1e-4, NormMomentum: 0.2, Shortcut: "B", LastBatch: "keep"}} {
		var got cluster.Unstated
		c := &cobra.Command{}
		unstatedFlags(c, &got)
		if err := c.ParseFlags(strings.Fields(unstatedCommand(want))); err != nil {
			t.Fatal(err)
		}
		if !reflect.DeepEqual(got, want) {
			t.Errorf("%q gives %+v, want %+v", unstatedCommand(want), got, want)
		}
	}
	for line, want := range map[string]string{"--clip=maybe": "want true or false", "--init nowhere": "one of he, glorot, torch7, uniform, rademacher"} {
		if code, _, stderr := tqn(t, "train --net vgg9 --method bc --dry-run "+line); code != exitUsage || !strings.Contains(stderr, want) {
			t.Errorf("%s: exit %d, %s", line, code, stderr)
		}
	}
}

// With --docs a run that is not in --out keeps its committed summary: the page and its numbers come out as they are.
func TestChoicesKeepsSummaries(t *testing.T) {
	docs := t.TempDir()
	const summaries = "results/choices/choices.json"
	committed, err := os.ReadFile("../../docs/" + summaries)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.MkdirAll(filepath.Join(docs, "results/choices"), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(docs, summaries), committed, 0o644); err != nil {
		t.Fatal(err)
	}
	if code, _, stderr := tqn(t, fmt.Sprintf("choices --collect --docs %s --out %s", docs, filepath.Join(docs, "no-runs"))); code != exitExpected {
		t.Fatalf("exit %d: %s", code, stderr)
	}
	for _, name := range []string{summaries, "choices.md"} {
		want, err := os.ReadFile("../../docs/" + name)
		if err != nil {
			t.Fatal(err)
		}
		if got, err := os.ReadFile(filepath.Join(docs, name)); err != nil || !bytes.Equal(got, want) {
			t.Errorf("%s is not what is committed (%v)", name, err)
		}
	}
}
