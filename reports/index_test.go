package reports

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"gonum.org/v1/plot/vg/draw"
)

// folderOfReports holds two reports that link to each other, one with a picture and one with a table of formulas.
func folderOfReports(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	f := NewFigure(1)
	f.Panel("panel", "x", "y").Series("line", Style{Palette[0], nil, draw.CircleGlyph{}}, []float64{1, 2}, []float64{1, 2})
	if err := f.Save(filepath.Join(dir, "a.png"), "svg"); err != nil {
		t.Fatal(err)
	}
	table := &Table{Header: []string{"claim", "E|r|² − F*"}}
	for i := range 9 {
		table.Add("F* < G* for |w|", float64(9-i))
	}
	if err := writePage(dir, "report.md", "# First\n\n![a picture](a.png)\n\n## The table\n\n"+table.Markdown()+"\n[second](sub/verify.md#part)\n"); err != nil {
		t.Fatal(err)
	}
	sub := filepath.Join(dir, "sub")
	if err := os.MkdirAll(sub, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := writePage(sub, "lemma1.md", "# Third\n"); err != nil {
		t.Fatal(err)
	}
	if err := writePage(sub, "verify.md", "# Second\n\n## Part\n\n![gone](gone.png) <script>alert(1)</script> and [back](../report.md)\n"); err != nil {
		t.Fatal(err)
	}
	return dir
}

func TestIndexIsOneSelfContainedPage(t *testing.T) {
	dir := folderOfReports(t)
	pictures := fstest.MapFS{"p.png": {Data: []byte("\x89PNG")}}
	if err := WriteIndex(dir, "# Lesson\n\n![p](p.png)\n", pictures); err != nil {
		t.Fatal(err)
	}
	data, err := os.ReadFile(filepath.Join(dir, "index.html"))
	if err != nil {
		t.Fatal(err)
	}
	page := string(data)
	for _, want := range []string{
		`href="#page-report"`, `href="#page-sub-verify-part"`, `id="page-sub-verify-part"`, "data:image/svg+xml;base64,", "data:image/png;base64,",
		"The picture sub/gone.png is not there.", "&lt;script&gt;alert(1)", "E|r|² − F*", "F* &lt; G* for |w|",
	} {
		if !strings.Contains(page, want) {
			t.Errorf("index.html lacks %q", want)
		}
	}
	for _, never := range []string{"src=\"http", "href=\"http", "<script>alert", "<em>"} {
		if strings.Contains(page, never) {
			t.Errorf("index.html has %q", never)
		}
	}
	// The lesson, then folder by folder, of each the summary first; the list of pages names the folders.
	last := 0
	for _, want := range []string{"Lesson</a>", "First</a>", "<b>sub</b>", "Second</a>", "Third</a>"} {
		at := strings.Index(page, want)
		if at < last {
			t.Errorf("%q is not behind what stands before it", want)
		}
		last = at
	}
}

func TestFolderWithoutReports(t *testing.T) {
	if err := WriteIndex(t.TempDir(), "", nil); !errors.Is(err, ErrNoReports) {
		t.Errorf("%v", err)
	}
	if _, err := AllTables(filepath.Join(t.TempDir(), "nowhere")); err == nil {
		t.Error("a folder that is not there has tables")
	}
}

// Tables lie beside their report as CSV, without markup and with formulas as they are; those of an earlier report go.
func TestTablesAsCSV(t *testing.T) {
	dir := folderOfReports(t)
	data, err := os.ReadFile(filepath.Join(dir, "report-tables", "the-table.csv"))
	if err != nil {
		t.Fatal(err)
	}
	if lines := strings.Split(string(data), "\n"); lines[0] != "claim,E|r|² − F*" || lines[1] != "F* < G* for |w|,9" {
		t.Errorf("%q", lines[:2])
	}
	if err := writePage(dir, "report.md", "# Without tables\n"); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(filepath.Join(dir, "report-tables")); !os.IsNotExist(err) {
		t.Errorf("tables of the earlier report are still there: %v", err)
	}
}

func TestLaTeXTable(t *testing.T) {
	table := &Table{Header: []string{"method", "error, %"}}
	table.Add("BC_ADAM & co", "7.05 ± 0.1")
	want := "\\begin{table}\n\\centering\n\\caption{100\\% of α}\n"
	got := table.latex("100% of α", "tab:1")
	if !strings.HasPrefix(got, strings.Replace(want, "α", `$\alpha$`, 1)) || !strings.Contains(got, "BC\\_ADAM \\& co & 7.05 $\\pm$ 0.1 \\\\\n\\bottomrule") {
		t.Errorf("%s", got)
	}
}

// A real browser runs the page's script: its tables become sortable, long ones get a filter.
func TestIndexInABrowser(t *testing.T) {
	if testing.Short() {
		t.Skip("starts a browser")
	}
	browser := ""
	for _, name := range []string{"chromium", "chromium-browser", "google-chrome"} {
		if p, err := exec.LookPath(name); err == nil {
			browser = p
			break
		}
	}
	if browser == "" {
		t.Skip("no Chromium on PATH: the page was not opened in a browser")
	}
	dir := folderOfReports(t)
	if err := WriteIndex(dir, "", nil); err != nil {
		t.Fatal(err)
	}
	profile := t.TempDir()
	cmd := exec.Command(browser, "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
		"--disable-background-networking", "--disable-component-update", "--disable-sync", "--user-data-dir="+profile,
		"--dump-dom", "file://"+filepath.Join(dir, "index.html"))
	kill := time.AfterFunc(60*time.Second, func() { _ = cmd.Process.Kill() })
	defer kill.Stop()
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("%s: %v", browser, err)
	}
	for _, want := range []string{`data-ready="yes"`, `<button type="button">claim</button>`, `class="filter"`} {
		if !strings.Contains(string(out), want) {
			t.Errorf("the browser's page lacks %s", want)
		}
	}
}
