package reports

import (
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

func TestSummaryShowsWhatIsNotAsExpected(t *testing.T) {
	records := []evidence.Record{
		record("lemma1", "a|b", 1, 2, evidence.Holds),
		record("lemma1", "control: half the bound", 1, 0.5, evidence.Violated),
		record("theorem1", "c", 3, 2, evidence.Holds),
		record("theorem5.down-rate", "d", 3, 0, evidence.Violated),
	}
	text := Summary(records)
	for _, want := range []string{
		"4 verdicts: 1 hold, 3 violated, 0 undecided; 4 exact, 0 sampled; 1 not as expected.", "Not as expected:", "NO (1)", "**violated**", "inf",
	} {
		if !strings.Contains(text, want) {
			t.Errorf("the summary lacks %q:\n%s", want, text)
		}
	}
	// The control's ratio of 2 is not the claim's.
	if line := strings.Split(text, "\n")[2]; !strings.Contains(line, "0.5") || !strings.Contains(line, "yes") {
		t.Errorf("lemma1: %q", line)
	}
	if text := Summary(records[:2]); strings.Contains(text, "Not as expected") {
		t.Error("a run that is as expected lists something that is not")
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
	paper, err := referee.Find("")
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range paper.Results {
		claim := r.Statement.Name
		if r.Figure == nil || claim == "theorem2" || claim == "theorem3" {
			continue // drawn by the functions of theorem1 and corollary1
		}
		data, err := r.Figure(1)
		if err != nil {
			t.Fatalf("%s: %v", claim, err)
		}
		for i, p := range drawn(data).panels {
			if p.Title.Text == "" || p.X.Label.Text == "" || p.Y.Label.Text == "" {
				t.Errorf("%s, panel %d: a title or label is missing", claim, i)
			}
			if !(p.X.Min > 0 && p.X.Max > p.X.Min && p.Y.Min > 0 && p.Y.Max > p.Y.Min) {
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
		"-":                                  {record("theorem1", "control: half the bound", 3, 2, violated)},
		"holds (0.5)":                        sound,
		"**false** (1.5)":                    append(sound[:3:3], record("theorem1.counterexample", "b", 3, 2, violated)),
		"holds (0.5); false in the proof: x": append(sound[:3:3], record("theorem1.x", "b", 3, 2, violated), record("theorem1.x", "c", 3, 2, violated)),
	} {
		if got := status(records, bounds.Printed); got != want {
			t.Errorf("status %q, want %q", got, want)
		}
		if got := status(records, bounds.Derived); got != "-" {
			t.Errorf("status of another form: %q", got)
		}
	}
}
