package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"tqn/evidence"
)

func tqnVerify(t *testing.T, args ...string) (code int, stdout, stderr string) {
	t.Helper()
	var o, e bytes.Buffer
	code = run(context.Background(), append([]string{"verify"}, args...), &o, &e)
	return code, o.String(), e.String()
}

// The keys are the contract of docs/design.md.
func TestVerifyJSONHasExactlyTheDocumentedKeys(t *testing.T) {
	code, stdout, stderr := tqnVerify(t, "--claim", "lemma1", "--json")
	if code != exitExpected {
		t.Fatalf("exit code %d: %s", code, stderr)
	}
	var records []map[string]any
	if err := json.Unmarshal([]byte(stdout), &records); err != nil {
		t.Fatal(err)
	}
	want := []string{"bound", "claim", "expected", "form", "instance", "lower", "measured", "method", "ratio", "rounding", "samples", "upper", "verdict"}
	for _, r := range records {
		var got []string
		for k := range r {
			got = append(got, k)
		}
		if slices.Sort(got); !slices.Equal(got, want) {
			t.Fatalf("keys %v, want %v", got, want)
		}
	}
	if len(records) < 10 {
		t.Errorf("%d records for Lemma 1", len(records))
	}
}

func TestVerifyRefusesBadInput(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "bad.csv")
	if err := os.WriteFile(file, []byte("x,y\n1,2\ntwo,3\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	for want, args := range map[string][]string{
		"--claim theorem9: no such claim":         {"--claim", "theorem9"},
		"--target has no effect without --data":   {"--target", "y"},
		"--t -1: want a whole number from 1":      {"--data", good(t), "--target", "y", "--t", "-1"},
		"--out ":                                  {"--claim", "lemma1", "--out", "/dev/null/nope"},
		"--formats: ":                             {"--claim", "lemma1", "--out", dir, "--formats", "bmp"},
		"--data wants --target":                   {"--data", file},
		"bad.csv:3: column 1 (x) is \"two\"":      {"--data", file, "--target", "y"},
		"bad.csv:1: no column \"z\"":              {"--data", file, "--target", "z"},
		"no such file":                            {"--data", filepath.Join(dir, "none.csv"), "--target", "y"},
		"the corners of W must lie on the grid":   {"--data", good(t), "--target", "y", "--delta", "0.3"},
		"--model trees: want least-squares":       {"--data", good(t), "--target", "y", "--model", "trees"},
		"takes 12 values: logistic":               {"--data", good(t), "--target", "y", "--model", "logistic"},
		"no claim selected by --claim lemma1 app": {"--data", good(t), "--target", "y", "--claim", "lemma1"},
	} {
		code, _, stderr := tqnVerify(t, args...)
		if code != exitUsage || !strings.Contains(stderr, want) {
			t.Errorf("%v: exit code %d, %q; want 2 and %q", args, code, stderr, want)
		}
	}
}

// good is a CSV file for a regression of y on x and z.
func good(t *testing.T) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), "good.csv")
	rows := "x,y,z\n1,2.1,0\n2,3.9,1\n3,6.2,0\n4,8.1,1\n5,9.7,0\n6,12.2,0\n7,13.9,1\n8,16.1,0\n9,18.2,1\n10,19.9,1\n11,22.1,0\n12,24.2,1\n"
	if err := os.WriteFile(file, []byte(rows), 0o644); err != nil {
		t.Fatal(err)
	}
	return file
}

func TestVerifyOnOnesOwnData(t *testing.T) {
	for target, model := range map[string]string{"y": "least squares", "z": "logistic"} {
		dir := t.TempDir()
		code, stdout, stderr := tqnVerify(t, "--data", good(t), "--target", target, "--t", "200", "--out", dir)
		if code != exitExpected {
			t.Fatalf("exit code %d: %s%s", code, stdout, stderr)
		}
		report, err := os.ReadFile(filepath.Join(dir, "verify.md"))
		if err != nil {
			t.Fatal(err)
		}
		for _, want := range []string{model + " on " + target, "[Theorem 1](theorem1.md)", "[Theorem 4](theorem4.md)", "0 not as expected"} {
			if !strings.Contains(string(report), want) {
				t.Errorf("the report on %s lacks %q", target, want)
			}
		}
	}
}

// A file without a header line is read as one whose names are numbers, and a warning says so beside the result.
func TestVerifyWarnsOfNamesThatAreNumbers(t *testing.T) {
	_, rows, _ := strings.Cut("x,y,z\n1,2.1,0\n2,3.9,1\n3,6.2,0\n4,8.1,1\n", "\n")
	file := filepath.Join(t.TempDir(), "rows.csv")
	if err := os.WriteFile(file, []byte(rows), 0o644); err != nil {
		t.Fatal(err)
	}
	code, stdout, stderr := tqnVerify(t, "--data", file, "--target", "2.1", "--t", "20", "--claim", "theorem4", "--json")
	if code != exitExpected || !json.Valid([]byte(stdout)) || !strings.Contains(stderr, "tqn: warning: "+file+":1: the names of the columns are numbers (1, 2.1, 0)") {
		t.Errorf("exit code %d, %s", code, stderr)
	}
	if _, _, stderr := tqnVerify(t, "--data", good(t), "--target", "y", "--t", "20", "--claim", "theorem4"); strings.Contains(stderr, "warning") {
		t.Errorf("a file with a header: %s", stderr)
	}
}

// The command that a report prints makes it again as it stands.
func TestTheReportsCommandRunsAsPrinted(t *testing.T) {
	dir := t.TempDir()
	rows := "median value,it's|$HOME,city,id\n1.5,2,Rome,a\n2.5,1,Bonn,b\n3,5,Rome,c\n2,2.5,Bonn,d\n"
	file := filepath.Join(dir, "my `houses`.csv")
	if err := os.WriteFile(file, []byte(rows), 0o644); err != nil {
		t.Fatal(err)
	}
	out := filepath.Join(dir, "my report")
	args := []string{"--data", file, "--target", "median value", "--categorical", "city", "--drop", "id", "--t", "40", "--claim", "theorem4", "--delta", "0.5", "--half", "2", "--out", out}
	code, first, stderr := tqnVerify(t, args...)
	if code != exitExpected {
		t.Fatalf("exit code %d: %s", code, stderr)
	}
	report, err := os.ReadFile(filepath.Join(out, "verify.md"))
	if err != nil {
		t.Fatal(err)
	}
	_, line, found := strings.Cut(string(report), "- command: `` tqn verify ")
	line, _, _ = strings.Cut(line, " ``\n")
	if !found {
		t.Fatal("the report prints no command")
	}
	words, err := exec.Command("/bin/sh", "-c", "printf '%s\\n' "+line).Output()
	if err != nil {
		t.Fatal(err)
	}
	code, second, stderr := tqnVerify(t, strings.Split(strings.TrimSpace(string(words)), "\n")...)
	if code != exitExpected || first != second {
		t.Errorf("the printed command %s: exit code %d, %s", line, code, stderr)
	}
	if !strings.Contains(line, "--categorical city --drop id") {
		t.Errorf("the command lacks flags: %s", line)
	}
}

func TestVerifyWritesAReport(t *testing.T) {
	if testing.Short() {
		t.Skip("several seconds")
	}
	dir := t.TempDir()
	code, stdout, stderr := tqnVerify(t, "--claim", "lemma1", "--claim", "corollary1", "--out", dir)
	if code != exitExpected {
		t.Fatalf("exit code %d: %s%s", code, stdout, stderr)
	}
	report, err := os.ReadFile(filepath.Join(dir, "verify.md"))
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		"## What is false as printed", "[Corollary 1](corollary1.md)", "[Lemma 1](lemma1.md)", "[how tight](tightness.md)", "1 of 2 results is false as printed, and repaired; all ",
		"tqn verify --claim lemma1 --claim corollary1 --seed 1 --out ", "error budget of the run is 1e-06",
	} {
		if !strings.Contains(string(report), want) {
			t.Errorf("the report lacks %q", want)
		}
	}
	if strings.Contains(string(report), "[Theorem 2]") {
		t.Error("the report has a theorem that was not asked for")
	}
	page, err := os.ReadFile(filepath.Join(dir, "corollary1.md"))
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"](corollary1.png)", "## Planted defects", "`tqn verify --claim corollary1 --seed 1 --out "} {
		if !strings.Contains(string(page), want) {
			t.Errorf("the page of Corollary 1 lacks %q", want)
		}
	}
	for _, name := range []string{"corollary1.png", "corollary1.svg", "lemma1.png"} {
		if info, err := os.Stat(filepath.Join(dir, name)); err != nil || info.Size() < 10_000 {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// The printed command is what a shell takes: names with blanks, bars and quotes included.
func TestTheCommandOfAReportRunsAsPrinted(t *testing.T) {
	const target = "median 'value'|$x"
	file := filepath.Join(t.TempDir(), "my houses.csv")
	text, err := os.ReadFile(good(t))
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(file, bytes.Replace(text, []byte("x,y,z"), []byte("x,"+target+",z"), 1), 0o644); err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	if code, _, stderr := tqnVerify(t, "--data", file, "--target", target, "--t", "20", "--delta", "0.5", "--out", dir); code != exitExpected {
		t.Fatalf("exit code %d: %s", code, stderr)
	}
	for name, before := range map[string]string{"verify.md": "- command: ", "theorem1.md": "- this page again: "} {
		page, err := os.ReadFile(filepath.Join(dir, name))
		if err != nil {
			t.Fatal(err)
		}
		_, rest, _ := strings.Cut(string(page), before)
		line, _, _ := strings.Cut(rest, "\n")
		shell, err := exec.Command("sh", "-c", `tqn() { for w; do printf '%s\n' "$w"; done; }; `+strings.Trim(line, "`")).Output()
		if err != nil {
			t.Fatalf("%s: %s: %v", name, line, err)
		}
		words := strings.Split(strings.TrimSpace(string(shell)), "\n")
		again := filepath.Join(t.TempDir(), "again")
		words[len(words)-1] = again // for DIR
		if code, _, stderr := tqnVerify(t, words[1:]...); code != exitExpected {
			t.Errorf("%s: %s: exit code %d, %s", name, line, code, stderr)
		}
		if name == "theorem1.md" {
			if got, err := os.ReadFile(filepath.Join(again, name)); err != nil || !bytes.Contains(got, []byte("## theorem1")) {
				t.Errorf("the page made again: %v", err)
			}
		}
	}
}

// A run of some claims, or on other data, leaves the report of a whole run as it is.
func TestAPartialRunDoesNotReplaceAWholeReport(t *testing.T) {
	dir := t.TempDir()
	whole := "# The theory\n\n- command: `tqn verify --seed 1 --out DIR`\n"
	if err := os.WriteFile(filepath.Join(dir, "verify.md"), []byte(whole), 0o644); err != nil {
		t.Fatal(err)
	}
	code, stdout, stderr := tqnVerify(t, "--claim", "lemma1", "--out", dir)
	aside := filepath.Join(dir, "lemma1", "verify.md")
	if code != exitExpected || !strings.Contains(stdout, "report: "+aside) {
		t.Fatalf("exit code %d: %s%s", code, stdout, stderr)
	}
	if got, err := os.ReadFile(filepath.Join(dir, "verify.md")); err != nil || string(got) != whole {
		t.Errorf("the whole report is now %q, %v", got, err)
	}
	if _, err := os.Stat(aside); err != nil {
		t.Error(err)
	}
	page := filepath.Join(dir, "verify.md")
	if err := errors.Join(os.Remove(page), os.Symlink("verify.md", page)); err != nil { // a link to itself stands for every reason not to be read
		t.Fatal(err)
	}
	if code, _, stderr := tqnVerify(t, "--claim", "lemma1", "--out", dir); code != exitRetry || !strings.Contains(stderr, "may hold the report of a whole run") {
		t.Errorf("a report that cannot be read: exit code %d: %s", code, stderr)
	}
}

func TestAnUnexpectedVerdictIsExitCode1(t *testing.T) {
	fine := evidence.NewRecord(evidence.Exact(1, 0), 2, evidence.Holds)
	counterexample := evidence.NewRecord(evidence.Exact(3, 0), 2, evidence.Violated)
	if err := judged([]evidence.Record{fine, counterexample}); err != nil {
		t.Errorf("as expected: %v", err)
	}
	for _, r := range []evidence.Record{
		evidence.NewRecord(evidence.Exact(3, 0), 2, evidence.Holds),
		evidence.NewRecord(evidence.Exact(1, 0), 2, evidence.Violated),
	} {
		if err := judged([]evidence.Record{fine, r}); !errors.Is(err, errUnexpected) {
			t.Errorf("%s, expected %s: %v", r.Verdict, r.Expected, err)
		}
	}
}
