package reports

import (
	"flag"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"tqn/bounds"
	"tqn/evidence"
	"tqn/referee"
)

func record(claim, instance string, measured, bound float64, expected evidence.Verdict) evidence.Record {
	r := evidence.NewRecord(evidence.Exact(measured, 0), bound, expected)
	r.Claim, r.Form, r.Rounding, r.Instance = claim, "printed", "stochastic", instance
	return r
}

func paper(t *testing.T) referee.Paper {
	t.Helper()
	p, err := referee.Find("")
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// The terminal keeps planted defects apart, calls a counterexample a finding about the paper and shouts only what is
// not as expected.
func TestTextOfAVerification(t *testing.T) {
	records := []evidence.Record{
		record("lemma1", "a|b", 1, 2, evidence.Holds),
		record("lemma1", "control: half the bound", 1, 0.5, evidence.Violated),
		record("theorem5.down-rate", "d", 3, 0, evidence.Violated),
		record("theorem1", "c", 3, 2, evidence.Holds),
		record("theorem1", "control: half the bound", 0.1, 0.5, evidence.Violated),
	}
	v := Verification{Verification: referee.Verification{Paper: paper(t), Records: records}}
	text := v.Text()
	for _, want := range []string{
		"false as printed, counterexample", "NOT AS EXPECTED (1 of 1)", "Not as expected:", "NOT CAUGHT", "inf",
		"1 of 3 results is false as printed, 0 repaired, without a repair in this run: Theorem 1; ONLY 1 of 2 mistakes that were planted in the checks were caught; 2 VERDICTS NOT AS EXPECTED.",
		"3 verdicts: 3 exact, 0 sampled; 2 not as expected.",
	} {
		if !strings.Contains(text, want) {
			t.Errorf("the text lacks %q:\n%s", want, text)
		}
	}
	// The control's ratio of 2 is not the claim's, and it has no line.
	if line := strings.Split(text, "\n")[2]; !strings.Contains(line, "0.5") || !strings.Contains(line, "holds") {
		t.Errorf("lemma1: %q", line)
	}
	v.Records = records[:3]
	text = v.Text()
	if strings.Contains(text, "Not as expected") || strings.Contains(text, "NOT") {
		t.Errorf("a run that is as expected lists something that is not:\n%s", text)
	}
	if want := "All 2 results hold on everything measured; the mistake that was planted in a check was caught."; !strings.Contains(text, want) {
		t.Errorf("the text lacks %q:\n%s", want, text)
	}
}

// The headline is counted from the records: a result is false as printed where its statement is violated, repaired where the
// derived form holds.
func TestHeadline(t *testing.T) {
	repaired := record("theorem2.repaired", "x", 1, 2, evidence.Holds)
	repaired.Form = "derived"
	records := []evidence.Record{
		record("theorem1", "a", 1, 2, evidence.Holds), record("theorem2.counterexample", "x", 3, 2, evidence.Violated), repaired,
		record("theorem2.step-sum", "b", 3, 2, evidence.Violated), record("theorem2", "control: a", 3, 2, evidence.Violated), record("theorem1", "control: b", 3, 2, evidence.Violated),
	}
	v := referee.Verification{Paper: paper(t), Records: records}
	if got, want := v.Tally().String(), "1 of 2 results is false as printed, and repaired; all 2 mistakes that were planted in the checks were caught"; got != want {
		t.Errorf("headline %q, want %q", got, want)
	}
	broken := record("theorem2.repaired", "x", 3, 2, evidence.Holds)
	broken.Form = "derived"
	v.Records[2] = broken
	if got := v.Tally().String(); !strings.Contains(got, "without a repair in this run: Theorem 2") || !strings.Contains(got, "1 VERDICT NOT AS EXPECTED") {
		t.Errorf("headline %q of a repair that is violated", got)
	}
}

// The pages of a small verification, as they were when somebody last read them.
func TestPagesOfAVerification(t *testing.T) {
	sampled := evidence.NewRecord(evidence.Result{Method: evidence.SampledMethod, Estimate: 1.5, Lower: 1.4, Upper: 1.6, Samples: 256, Confidence: 1 - 1e-7}, 2, evidence.Holds)
	sampled.Claim, sampled.Form, sampled.Rounding, sampled.Instance = "corollary1", "derived", "stochastic", "a regression"
	nearest := record("corollary1.counterexample", "F(w) = (w - 0.14)^2/2", 3, 2, evidence.Violated)
	nearest.Rounding = "nearest"
	v := Verification{
		Verification: referee.Verification{Paper: paper(t), Seed: 7, Records: []evidence.Record{
			sampled, nearest, record("corollary1", "control: steps along the gradient: a|b", 3, 2, evidence.Violated), record("theorem5.positive", "d = 1", 0, 0, evidence.Holds),
		}},
		Manifest: Manifest{Command: "tqn verify --seed 7 --out DIR", Seed: 7},
		Again:    func(claim string) string { return "tqn verify --claim " + claim + " --data 'my file.csv'" },
	}
	dir := t.TempDir()
	if err := v.Write(dir); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"verify.md", "corollary1.md"} {
		got, err := os.ReadFile(filepath.Join(dir, name))
		if err != nil {
			t.Fatal(err)
		}
		golden(t, name, withoutMachine(string(got)))
	}
}

// withoutMachine leaves out the lines of a manifest that name the machine.
func withoutMachine(page string) string {
	var kept []string
	for line := range strings.Lines(page) {
		if !slices.ContainsFunc([]string{"- CPU: ", "- Go: ", "- commit: "}, func(p string) bool { return strings.HasPrefix(line, p) }) {
			kept = append(kept, line)
		}
	}
	return strings.Join(kept, "")
}

var update = flag.Bool("update", false, "write the golden files anew")

func golden(t *testing.T, name, got string) {
	t.Helper()
	file := filepath.Join("testdata", "verification", name)
	if *update {
		if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if got != string(want) {
		t.Errorf("%s is not what %s has (go test ./reports -run Pages -update writes it anew):\n%s", name, file, got)
	}
}

func TestWholeRun(t *testing.T) {
	for page, want := range map[string]bool{
		"- command: `tqn verify --seed 1 --out DIR`\n":                  true,
		"- command: `tqn verify --claim theorem1 --seed 1 --out DIR`\n": false,
		"- command: `tqn verify --data a.csv --seed 1`\n":               false,
		"# Another page\n": false,
	} {
		if got := WholeRun([]byte(page)); got != want {
			t.Errorf("%q: %v", page, got)
		}
	}
}

func TestARunThatOverspendsItsBudgetSaysSo(t *testing.T) {
	sampled := func(alpha float64) []evidence.Record {
		r := evidence.NewRecord(evidence.Result{Method: evidence.SampledMethod, Upper: 1, Samples: 9, Confidence: 1 - alpha}, 2, evidence.Holds)
		r.Claim = "theorem4.counterexample"
		repaired := r
		repaired.Claim = "theorem4.repaired"
		return []evidence.Record{r, r, repaired} // two forms and the repair, one interval
	}
	for alpha, want := range map[float64]bool{1e-6: false, 1.1e-6: true} {
		var b strings.Builder
		writeBudget(&b, sampled(alpha))
		if got := strings.Contains(b.String(), "more than its error budget"); got != want {
			t.Errorf("alpha = %g: warned = %v, want %v", alpha, got, want)
		}
	}
}

func TestFiguresOfTheTheorems(t *testing.T) {
	if testing.Short() {
		t.Skip("several seconds")
	}
	for _, r := range paper(t).Results {
		claim := r.Statement.Name
		if r.Figure == nil || claim == "theorem2" || claim == "theorem3" {
			continue // drawn by the functions of theorem1 and corollary1
		}
		data, err := r.Figure(1)
		if err != nil {
			t.Fatalf("%s: %v", claim, err)
		}
		if data.Title == "" || data.Conclusion == "" {
			t.Errorf("%s: a picture without title or conclusion", claim)
		}
		for i, p := range drawn(data).panels {
			if p.Title.Text == "" || p.X.Label.Text == "" || p.Y.Label.Text == "" {
				t.Errorf("%s, panel %d: a title or label is missing", claim, i)
			}
			if !((p.X.Min > 0 || !data.Panels[i].LogX) && p.X.Max > p.X.Min && (p.Y.Min > 0 || !data.Panels[i].LogY) && p.Y.Max > p.Y.Min) {
				t.Errorf("%s, panel %d: axes [%g, %g] x [%g, %g]", claim, i, p.X.Min, p.X.Max, p.Y.Min, p.Y.Max)
			}
		}
	}
}

// The summary's line of a result: controls do not count, a counterexample does, and a false line of the proof is named.
func TestStatus(t *testing.T) {
	const holds, violated = evidence.Holds, evidence.Violated
	sound := []evidence.Record{record("theorem1", "a", 1, 2, holds), record("theorem1", "control: half the bound", 3, 2, violated), record("theorem1.jensen", "a", 3, 4, holds)}
	for want, records := range map[string][]evidence.Record{
		"-":                          {record("theorem1", "control: half the bound", 3, 2, violated)},
		"holds (0.5)":                sound,
		"**false** (1.5)":            append(sound[:3:3], record("theorem1.counterexample", "b", 3, 2, violated)),
		"holds (0.5); also false: x": append(sound[:3:3], record("theorem1.x", "b", 3, 2, violated), record("theorem1.x", "c", 3, 2, violated)),
	} {
		if got := status(records, bounds.Printed); got != want {
			t.Errorf("status %q, want %q", got, want)
		}
		if got := status(records, bounds.Derived); got != "-" {
			t.Errorf("status of another form: %q", got)
		}
	}
}

// The report on a user's problem has a picture of how far each result stays below its bounds; one without a measured ratio has none.
func TestDataPicture(t *testing.T) {
	v := Verification{Verification: referee.Verification{Paper: paper(t), Data: "least squares on y (d.csv), 9 rows"}}
	if v.dataFigure() != nil {
		t.Error("a picture without a record")
	}
	v.Records = []evidence.Record{
		{Claim: "theorem1", Form: "derived", Rounding: "stochastic", Instance: "i", Ratio: 0.25},
		{Claim: "theorem1", Form: "derived", Rounding: "stochastic", Instance: "control: half", Ratio: 7},
		{Claim: "theorem1.jensen", Form: "derived", Rounding: "stochastic", Instance: "i", Ratio: 0.9},
	}
	f := v.dataFigure()
	if f == nil || !strings.Contains(f.Conclusion, "Theorem 1 (derived, Q_s) with 0.25 of it") || strings.Contains(f.Title, "rows") {
		t.Fatalf("%+v", f)
	}
	if png, err := f.PNG(); err != nil || len(png) < 1000 {
		t.Errorf("%d bytes, %v", len(png), err)
	}
	v.Data = ""
	if v.dataFigure() != nil {
		t.Error("the built-in problems have pages with pictures of their own")
	}
}

// The summary has of each false statement the counterexample that exceeds its bound most, and their number; a planted defect is none.
func TestFindingsAreTheClearest(t *testing.T) {
	records := []evidence.Record{
		record("theorem2", "near", 2.0001, 2, evidence.Violated),
		record("theorem2", "far", 3, 2, evidence.Violated),
		record("theorem2", "control: half the bound", 9, 1, evidence.Violated),
		record("theorem3", "only", 2.0001, 2, evidence.Violated),
		record("theorem4", "holds", 1, 2, evidence.Holds),
	}
	v := Verification{Verification: referee.Verification{Paper: paper(t), Records: records}}
	var b strings.Builder
	v.findings(&b)
	var rows []string
	for _, line := range strings.Split(b.String(), "\n") {
		if strings.HasPrefix(line, "| theorem") {
			rows = append(rows, strings.Join(strings.Fields(line), " "))
		}
	}
	want := []string{"| theorem2 | printed, Q_s | far | 3 | 2 | 1.5 | 2 |", "| theorem3 | printed, Q_s | only | 2 | 2 | 1 + 5e-05 | 1 |"}
	if !slices.Equal(rows, want) {
		t.Errorf("rows %q\nwant %q", rows, want)
	}
}

// A ratio beside 1 says on which side it lies.
func TestRatio(t *testing.T) {
	for x, want := range map[float64]string{1: "1", 1 + 1e-15: "1", 1.00002: "1 + 2e-05", 0.9999: "1 - 0.0001", 0.999: "0.999", 2: "2", math.MaxFloat64: "inf"} {
		if got := ratio(x); got != want {
			t.Errorf("%v is printed %q, want %q", x, got, want)
		}
	}
}

// Every role that a series of package referee can have looks like no other.
func TestRolesLookDifferent(t *testing.T) {
	seen := map[string]referee.Role{}
	for role, style := range roleStyles {
		look := fmt.Sprint(style)
		if other, taken := seen[look]; taken {
			t.Errorf("%s and %s look alike: %s", role, other, look)
		}
		seen[look] = role
	}
	if fmt.Sprint(roleStyles[referee.SharpBound]) != fmt.Sprint(Style{Palette[3], dashes(1.5, 2.5), nil}) {
		t.Error("two equal styles are told apart: the comparison sees nothing")
	}
}
