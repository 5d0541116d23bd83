package main

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/spf13/cobra"
)

// examples are the command lines in the examples of every command's help, without the program's name.
func examples(t *testing.T) (lines []string) {
	t.Helper()
	eachCommand(func(name string, c *cobra.Command) {
		if c.Runnable() && c.Example == "" && name != "" && !c.HasSubCommands() {
			t.Errorf("tqn %s: the help has no example", name)
		}
		for _, line := range strings.Split(c.Example, "\n") {
			found := 0
			for _, part := range strings.Split(line, "&&") {
				_, words, ok := strings.Cut(" "+strings.TrimSpace(part), " tqn ") // behind TQN_PYTHON=...
				if ok {
					lines = append(lines, words)
					found++
				}
			}
			if found == 0 && strings.TrimSpace(line) != "" {
				t.Errorf("tqn %s: the example %q is no command line of tqn", name, line)
			}
		}
	})
	return lines
}

// Every example in every command's help is a command line that the command takes: its flags exist, have values of their kind and in their range,
// and say something in it.
func TestExamplesOfTheHelpAreTaken(t *testing.T) {
	lines := examples(t)
	if len(lines) < 40 {
		t.Errorf("%d examples", len(lines))
	}
	for _, line := range lines {
		words := shellWords(line)
		c, rest, err := newRootCommand(&env{stdout: &bytes.Buffer{}, stderr: &bytes.Buffer{}}).Find(words)
		if err == nil {
			err = c.ParseFlags(rest)
		}
		if err == nil {
			c.InheritedFlags()
			err = checkFlags(c)
		}
		if err == nil && c.Args != nil {
			err = c.Args(c, c.Flags().Args())
		}
		if err != nil || !c.Runnable() {
			t.Errorf("tqn %s: %v", line, err)
		}
	}
}

// cheap are the examples that take a second or so as they are, in a folder that has the project's docs.
var cheap = []string{"chain docs/", "bound ", "choices --print", "data list", "licences", "man ", "table1 plan --preset paper --columns vgg9 --seeds 3", "train --net resnet56 --data cifar100 --dry-run",
	"toy --objective", "report results"} // verify --data stands in the tutorial, too, with fewer steps

// And those that need no hours, no files of others and no network run.
func TestCheapExamplesOfTheHelpRun(t *testing.T) {
	if testing.Short() {
		t.Skip("some seconds")
	}
	samples, err := filepath.Abs("../../docs/samples")
	if err != nil {
		t.Fatal(err)
	}
	results, err := filepath.Abs("../../docs/results/toy")
	if err != nil {
		t.Fatal(err)
	}
	t.Chdir(t.TempDir())
	for to, from := range map[string]string{"docs/samples": samples, "results/toy": results} {
		if err := os.CopyFS(to, os.DirFS(from)); err != nil {
			t.Fatal(err)
		}
	}
	ran := map[string]bool{}
	for _, line := range examples(t) {
		i := slices.IndexFunc(cheap, func(start string) bool { return strings.HasPrefix(line, start) })
		if i < 0 || strings.Contains(line, "--dir ~") { // somebody's data sets
			continue
		}
		ran[cheap[i]] = true
		code, stdout, stderr := command(t, shellWords(line)...)
		if code != exitExpected || stdout == "" {
			t.Errorf("tqn %s: exit code %d, %s", line, code, stderr)
		}
		if strings.HasSuffix(line, "--json") && !json.Valid([]byte(stdout)) {
			t.Errorf("tqn %s: not one JSON document", line)
		}
	}
	for _, start := range cheap {
		if !ran[start] && !strings.HasPrefix(start, "table1 plan") {
			t.Errorf("no example begins with %q", start)
		}
	}
}

// What table1 run prints with --json is one document: all cells, one cell, or what would be run.
func TestTable1RunPrintsJSON(t *testing.T) {
	dir := t.TempDir()
	table1 := func(args ...string) string {
		t.Helper()
		code, stdout, stderr := command(t, append(append([]string{"table1"}, args...), "--out", dir)...)
		if code != exitExpected {
			t.Fatalf("table1 %v: exit code %d, %s", args, code, stderr)
		}
		return stdout
	}
	if out := table1("plan", "--preset", "smoke", "--columns", "vgg9", "--methods", "r"); !strings.Contains(out, ", 1 cell, ") {
		t.Errorf("a plan of one cell: %s", out)
	}
	var lines []string
	if out := table1("run", "--print", "--json"); json.Unmarshal([]byte(out), &lines) != nil || len(lines) != 1 || !strings.Contains(lines[0], "--index 0") {
		t.Errorf("run --print --json: %s", out)
	}
	for engine, words := range map[string]string{"slurm": "#SBATCH --array=0", "kubernetes": "kind: Job"} {
		args := []string{"run", "--print", "--json", "--engine", engine}
		if engine == "kubernetes" {
			args = append(args, "--image", "i", "--claim", "c")
		}
		if out := table1(args...); json.Unmarshal([]byte(out), &lines) != nil || len(lines) != 1 || !strings.Contains(lines[0], words) {
			t.Errorf("%v: %s", args, out)
		}
	}
	var cell struct{ ID, State string }
	if out := table1("run", "--index", "0", "--json"); json.Unmarshal([]byte(out), &cell) != nil || cell.ID != "vgg9.r.1" || cell.State != "finished" {
		t.Errorf("run --index 0 --json: %s", out)
	}
	status := table1("status", "--json")
	if out := table1("run", "--json"); out != status || !json.Valid([]byte(out)) {
		t.Errorf("run --json: %s\nwant what status prints:\n%s", out, status)
	}
	if out := table1("run"); !strings.HasPrefix(out, "1 cell: 1 finished") {
		t.Errorf("run: %s", out)
	}
}

func TestCounted(t *testing.T) {
	for want, got := range map[string]string{"0 cells": counted(0, "cell"), "1 cell": counted(1, "cell"), "2 cells": counted(2, "cell"), "1 class": counted(1, "class"), "3 classes": counted(uint64(3), "class")} {
		if got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
}
