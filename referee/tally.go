package referee

import (
	"fmt"
	"slices"
	"strings"

	"tqn/bounds"
	"tqn/evidence"
)

// Tally is what a run comes to.
type Tally struct {
	Results  []string // titles of the results that were judged
	False    []string // those whose printed statement is false
	Repaired []string // of these, those whose derived form holds wherever it was measured
	Controls int      // planted defects
	Caught   int      // of these, those that came out violated
	Records  int      // verdicts, controls apart
	Sampled  int      // of these, sampled
	Bad      int      // verdicts that are not as expected, controls included
}

// IsStatement reports whether a record is about a result's statement itself, on an
// ordinary instance or on a counterexample, and not about a line of its proof.
func IsStatement(r evidence.Record) bool {
	_, line, _ := strings.Cut(r.Claim, ".")
	return !IsControl(r) && (line == "" || line == "counterexample" || line == "repaired")
}

// asPrinted reports whether a record is about what the paper prints, in its text or in an appendix.
func asPrinted(r evidence.Record) bool {
	return r.Form == string(bounds.Printed) || r.Form == string(bounds.Appendix)
}

// Tally counts a run's records.
func (v Verification) Tally() Tally {
	var t Tally
	for _, result := range v.Paper.Results {
		records := Of(v.Records, result.Statement.Name)
		if len(records) == 0 {
			continue
		}
		title := result.Statement.Title
		t.Results = append(t.Results, title)
		refuted := func(r evidence.Record) bool { return IsStatement(r) && r.Verdict == evidence.Violated.String() }
		if !slices.ContainsFunc(records, func(r evidence.Record) bool { return refuted(r) && asPrinted(r) }) {
			continue
		}
		t.False = append(t.False, title)
		mended := func(r evidence.Record) bool { return IsStatement(r) && r.Form == string(bounds.Derived) }
		if slices.ContainsFunc(records, mended) && !slices.ContainsFunc(records, func(r evidence.Record) bool { return refuted(r) && !asPrinted(r) }) {
			t.Repaired = append(t.Repaired, title)
		}
	}
	for _, r := range v.Records {
		switch {
		case IsControl(r):
			t.Controls++
			if r.Verdict == evidence.Violated.String() {
				t.Caught++
			}
		default:
			t.Records++
			if r.Method == evidence.SampledMethod {
				t.Sampled++
			}
		}
	}
	t.Bad = len(Unexpected(v.Records))
	return t
}

// String is the headline of a run.
func (t Tally) String() string {
	s := fmt.Sprintf("%d of %d %s as printed", len(t.False), len(t.Results), plural(len(t.Results), "result", "results")+plural(len(t.False), " is false", " are false"))
	switch {
	case len(t.False) == 0:
		s = fmt.Sprintf("%s on everything measured", plural(len(t.Results), "the one result judged holds", fmt.Sprintf("all %d results hold", len(t.Results))))
	case len(t.Repaired) == len(t.False):
		s += plural(len(t.False), ", and repaired", ", all repaired")
	default:
		left := slices.DeleteFunc(slices.Clone(t.False), func(s string) bool { return slices.Contains(t.Repaired, s) })
		s += fmt.Sprintf(", %d repaired, without a repair in this run: %s", len(t.Repaired), strings.Join(left, ", "))
	}
	switch {
	case t.Controls == 0:
	case t.Caught == t.Controls:
		s += fmt.Sprintf("; %s caught", plural(t.Controls, "the mistake that was planted in a check was", fmt.Sprintf("all %d mistakes that were planted in the checks were", t.Controls)))
	default:
		s += fmt.Sprintf("; ONLY %d of %d mistakes that were planted in the checks were caught", t.Caught, t.Controls)
	}
	if t.Bad > 0 {
		s += fmt.Sprintf("; %d %s NOT AS EXPECTED", t.Bad, plural(t.Bad, "VERDICT", "VERDICTS"))
	}
	return s
}

func plural(n int, one, many string) string {
	if n == 1 {
		return one
	}
	return many
}
