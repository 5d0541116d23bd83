package reports

import (
	"bytes"
	"os"
	"strings"
	"testing"
	"testing/fstest"
)

// docs/lesson.md and its picture are what the committed reports give.
func TestLessonIsUpToDate(t *testing.T) {
	page, picture, err := Lesson(os.DirFS("../docs"))
	if err != nil {
		t.Fatal(err)
	}
	const again = "go run ./cmd/tqn report --lesson docs/lesson.md --formats png docs"
	committed, err := os.ReadFile("../docs/lesson.md")
	if err != nil || page != string(committed) {
		t.Errorf("docs/lesson.md is not what the reports say (%v); again: %s", err, again)
	}
	png, err := picture.PNG()
	if err != nil {
		t.Fatal(err)
	}
	committed, err = os.ReadFile("../docs/lesson.png")
	if err != nil || len(committed) == 0 || len(png) == 0 || !bytes.Equal(png[:8], committed[:8]) {
		t.Errorf("docs/lesson.png: %v; again: %s", err, again)
	}
	if n := strings.Count(page, "*greedy*"); n < 4 {
		t.Errorf("the lesson says greedy %d times", n)
	}
	if lines := strings.Count(page, "\n"); lines > 45 {
		t.Errorf("the lesson has %d lines: more than a screen", lines)
	}
}

// A report that lacks what the lesson says is an error that names it, not a lesson with a hole.
func TestLessonNeedsItsReports(t *testing.T) {
	files := fstest.MapFS{}
	for _, name := range []string{"errata.md", "results/toy/toy.md", "results/table1-paper/report.md"} {
		data, err := os.ReadFile("../docs/" + name)
		if err != nil {
			t.Fatal(err)
		}
		files[name] = &fstest.MapFile{Data: data}
	}
	for name, change := range map[string][2]string{
		"results/toy/toy.md":             {"BC entropy", "BC's entropy"},
		"results/table1-paper/report.md": {"; paper ", ", paper "},
		"errata.md":                      {"| as printed", "| printed"},
	} {
		broken := fstest.MapFS{}
		for k, f := range files {
			broken[k] = f
		}
		broken[name] = &fstest.MapFile{Data: bytes.ReplaceAll(files[name].Data, []byte(change[0]), []byte(change[1]))}
		if _, _, err := Lesson(broken); err == nil || !strings.Contains(err.Error(), name) {
			t.Errorf("%s without %q: %v", name, change[0], err)
		}
	}
}

// The README's table calls false what docs/errata.md calls false.
func TestReadmeAgreesWithTheErrata(t *testing.T) {
	readme, err := os.ReadFile("../README.md")
	if err != nil {
		t.Fatal(err)
	}
	wrong := map[string]bool{} // by result, such as "Theorem 2"
	errata, err := findTable(os.DirFS("../docs"), "errata.md", "What the paper prints")
	if err != nil {
		t.Fatal(err)
	}
	name := func(s string) string { s, _, _ = strings.Cut(s, ":"); s, _, _ = strings.Cut(s, ","); return s }
	for _, row := range errata.Rows {
		wrong[name(row[0])] = wrong[name(row[0])] || strings.HasPrefix(row[1], "false")
	}
	rows := tablesOf("README.md", readme)[0].Rows
	if len(rows) != len(wrong) {
		t.Errorf("%d results in the README, %d in the errata", len(rows), len(wrong))
	}
	for _, row := range rows {
		said, known := strings.HasPrefix(row[1], "false"), false
		for result, is := range wrong {
			if name(row[0]) == result {
				known = true
				if is != said {
					t.Errorf("%s: README %q, errata false: %v", result, row[1], is)
				}
			}
		}
		if !known {
			t.Errorf("the errata have no %q", row[0])
		}
	}
}
