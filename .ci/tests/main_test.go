package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

const events = `{"Action":"run","Package":"p","Test":"TestA"}
{"Action":"output","Package":"p","Test":"TestA","Output":"=== RUN   TestA\n"}
{"Action":"pass","Package":"p","Test":"TestA"}
{"Action":"output","Package":"p","Test":"TestB","Output":"    b_test.go:7: no slurm: install it\n"}
{"Action":"output","Package":"p","Test":"TestB","Output":"--- SKIP: TestB (0.00s)\n"}
{"Action":"skip","Package":"p","Test":"TestB"}
{"Action":"pass","Package":"p","Elapsed":1.5}
`

// What must run and was skipped, what failed, and what did not build is seen.
func TestSummaryFailsWhereItMust(t *testing.T) {
	for name, c := range map[string]struct {
		in, require, want string
	}{
		"fine":             {events, "TestA", ""},
		"skipped":          {events, "TestA,TestB", "they did not run: TestB"},
		"not there":        {events, "TestC", "they did not run: TestC"},
		"failed":           {events + `{"Action":"fail","Package":"p","Test":"TestD"}`, "", "failed: p TestD"},
		"not built":        {`{"Action":"build-fail","ImportPath":"q"}`, "", "failed: q"},
		"no test's output": {"go: no such file", "", "invalid character"},
	} {
		skips := filepath.Join(t.TempDir(), "skips")
		var out strings.Builder
		err := run(strings.NewReader(c.in), &out, skips, strings.FieldsFunc(c.require, func(r rune) bool { return r == ',' }))
		if (err == nil) != (c.want == "") || err != nil && !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, want %q", name, err, c.want)
		}
		if name == "fine" {
			if b, err := os.ReadFile(skips); err != nil || string(b) != "p TestB: no slurm: install it\n" || !strings.Contains(out.String(), "ok  \tp\t1.500s\n1 passed, 0 failed, 1 skipped\n") {
				t.Errorf("skips %q, output %q, %v", b, out.String(), err)
			}
		}
	}
}

// Every line of .ci/no-race is a test of the package that stands behind it: a renamed one would silently run again.
func TestTheSkippedTestsExist(t *testing.T) {
	list, err := os.ReadFile("../no-race")
	if err != nil {
		t.Fatal(err)
	}
	count := 0
	for line := range strings.Lines(string(list)) {
		if strings.HasPrefix(line, "#") {
			continue
		}
		fields := strings.Fields(line)
		if len(fields) != 2 {
			t.Fatalf("%q: want a test and its package", line)
		}
		files, err := filepath.Glob(filepath.Join("../..", filepath.FromSlash(fields[1]), "*_test.go"))
		if err != nil {
			t.Fatal(err)
		}
		found := false
		for _, f := range files {
			text, err := os.ReadFile(f)
			if err != nil {
				t.Fatal(err)
			}
			found = found || strings.Contains(string(text), "\nfunc "+fields[0]+"(t *testing.T)")
		}
		if count++; !found {
			t.Errorf("%s has no %s", fields[1], fields[0])
		}
	}
	if count == 0 {
		t.Error("no test is left out: .ci/run would leave out all")
	}
}
