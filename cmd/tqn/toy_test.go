package main

import (
	"bytes"
	"context"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"tqn/toy"
)

// One run writes the report, its figures and the series.
func TestToyReport(t *testing.T) {
	if testing.Short() {
		t.Skip("some seconds of exact laws")
	}
	dir := t.TempDir()
	var out, errs bytes.Buffer
	code := run(context.Background(), []string{"toy", "--out", dir, "--iterations", "2000", "--alphas", "0.1,0.01", "--json"}, &out, &errs)
	if code != exitExpected {
		t.Fatalf("exit %d: %s", code, errs.String())
	}
	var r toy.Result
	if err := json.Unmarshal(out.Bytes(), &r); err != nil {
		t.Fatal(err)
	}
	if len(r.Figure2) != 4 || len(r.Points) != 23 || r.Figure2[3].Rule != "sr" {
		t.Errorf("%d histograms on %d points", len(r.Figure2), len(r.Points))
	}
	text, err := os.ReadFile(filepath.Join(dir, "toy.md"))
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"figure1.png", "figure2.png", "figure3.png", "contrast.png", "batch.png", "mixing.png"} {
		data, err := os.ReadFile(filepath.Join(dir, name))
		if err != nil || !bytes.HasPrefix(data, []byte("\x89PNG")) {
			t.Errorf("%s: %v", name, err)
		}
		if !strings.Contains(string(text), "("+name+")") {
			t.Errorf("toy.md does not show %s", name)
		}
	}
	for _, want := range []string{"## Figure 1", "the paper names no density", "f'(w) + 4 z", "--iterations 2000 --alphas 0.1,0.01"} {
		if !strings.Contains(string(text), want) {
			t.Errorf("no %q in toy.md", want)
		}
	}
}

func TestToyRefusesBadInput(t *testing.T) {
	for line, want := range map[string]string{
		"toy":                          "want --out DIR",
		"toy --json --delta 0.3":       "want a whole number",
		"toy --json --noise 0":         `noise "0"`,
		"toy --json --alphas 1e-9":     "alpha = 1e-09",
		"toy --json --iterations -1":   "--iterations -1: want a whole number from 1 to",
		"toy --json --alphas elephant": "elephant",
	} {
		var out, errs bytes.Buffer
		if code := run(context.Background(), strings.Fields(line), &out, &errs); code != exitUsage || !strings.Contains(errs.String(), want) {
			t.Errorf("%s: exit %d, stderr %q, want %q", line, code, errs.String(), want)
		}
	}
}

// One's own objective needs no Go: the report, its pictures and a command that makes it again.
func TestOwnObjective(t *testing.T) {
	dir := t.TempDir()
	code, out, errs := command(t, "toy", "--objective", "w*w + cos(5*w)", "--noise", "laplace:3", "--alphas", "1,0.1", "--out", dir)
	if code != exitExpected || !strings.Contains(out, "alpha=0.1") {
		t.Fatalf("exit %d: %s%s", code, out, errs)
	}
	text, err := os.ReadFile(filepath.Join(dir, "own.md"))
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"--objective 'w*w + cos(5*w)' --noise laplace:3", "(laws.png)", "(contrast.png)", "is not clearly *greedier*"} {
		if !strings.Contains(string(text), want) {
			t.Errorf("own.md lacks %q", want)
		}
	}
	for args, want := range map[string]string{
		"toy --json --objective x":                    `unknown name "x"`,
		"toy --json --objective w*w --noise cauchy:1": "unknown kind",
		"toy --json --objective w*w --seed 3":         "nothing sampled",
		"toy --json --objective w*w --box 1":          "--box",
		"toy --json --objective w*w --box 1,0":        "toy:",
		"toy --json --noise laplace:1":                "normal noise",
		"toy --json --box 0,1":                        "--objective",
	} {
		if code, _, errs := command(t, strings.Fields(args)...); code != exitUsage || !strings.Contains(errs, want) {
			t.Errorf("%s: exit %d, %s", args, code, errs)
		}
	}
}
