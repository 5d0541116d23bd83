package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestVersionTellsCommitAndDate(t *testing.T) {
	code, out, errs := command(t, "--version", "--json")
	var v versionReport
	if err := json.Unmarshal([]byte(out), &v); err != nil || code != exitExpected {
		t.Fatalf("exit %d, %v: %s%s", code, err, out, errs)
	}
	if v.Commit == "" || v.Go == "" || !strings.Contains(v.System, "/") {
		t.Errorf("%+v", v)
	}
	if code, out, _ := command(t, "--version"); code != exitExpected || !strings.HasPrefix(out, "tqn ") || !strings.Contains(out, "commit") {
		t.Errorf("exit %d, %s", code, out)
	}
}

func TestManualPages(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "man1")
	if code, _, errs := command(t, "man", dir); code != exitExpected {
		t.Fatalf("exit %d: %s", code, errs)
	}
	page, err := os.ReadFile(filepath.Join(dir, "tqn-chain.1"))
	if err != nil || !strings.Contains(string(page), ".TH \"TQN\"") {
		t.Errorf("%v: %.80s", err, page)
	}
}

func TestReportOverAFolder(t *testing.T) {
	dir := t.TempDir()
	if code, _, errs := command(t, "report", dir); code != exitUsage || !strings.Contains(errs, "no report in this folder") {
		t.Errorf("an empty folder: exit %d, %s", code, errs)
	}
	if err := os.WriteFile(filepath.Join(dir, "a.md"), []byte("# A\n\n| x |\n|---|\n| 1 |\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	if code, out, errs := command(t, "report", dir); code != exitExpected || !strings.Contains(out, "index.html") {
		t.Errorf("exit %d, %s%s", code, out, errs)
	}
	code, out, _ := command(t, "report", dir, "--json")
	var tables []struct {
		Report string
		Header []string
		Rows   [][]string
	}
	if err := json.Unmarshal([]byte(out), &tables); err != nil || code != exitExpected || len(tables) != 1 || tables[0].Rows[0][0] != "1" {
		t.Errorf("exit %d, %v, %s", code, err, out)
	}
}

func TestFormatsAreCheckedBeforeTheWork(t *testing.T) {
	if code, _, errs := command(t, "toy", "--out", t.TempDir(), "--formats", "png,bmp"); code != exitUsage || !strings.Contains(errs, `"bmp"`) {
		t.Errorf("exit %d, %s", code, errs)
	}
}
