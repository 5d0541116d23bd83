package reports

import (
	"fmt"
	"strings"

	"tqn/evidence"
	"tqn/referee"
)

// Text is the verification for a terminal: a line for every claim and form in the paper's order, the headline with what the planted defects came to,
// and every record that is not as expected.
func (v Verification) Text() string {
	type key struct{ claim, form string }
	keys := map[string][]key{} // by claim
	groups := map[key][]evidence.Record{}
	for _, r := range v.Records {
		if referee.IsControl(r) {
			continue
		}
		k := key{r.Claim, form(r)}
		if groups[k] == nil {
			keys[r.Claim] = append(keys[r.Claim], k)
		}
		groups[k] = append(groups[k], r)
	}
	t := &Table{Header: []string{"claim", "form", "verdict", "largest measured/bound", "measured on"}}
	for _, c := range v.Paper.Claims() {
		for _, k := range keys[c.Name] {
			worst := 0.0
			for _, r := range groups[k] {
				worst = max(worst, r.Ratio)
			}
			instances := "1 instance"
			if n := len(groups[k]); n > 1 {
				instances = fmt.Sprintf("%d instances", n)
			}
			t.Add(k.claim, k.form, groupVerdict(groups[k]), ratio(worst), instances)
		}
	}
	tally := v.Tally()
	var b strings.Builder
	if len(t.Rows) > 0 {
		fmt.Fprintf(&b, "%s\n", t.Text())
	}
	fmt.Fprintf(&b, "%s.\n", capital(tally.String()))
	word := "verdicts"
	if tally.Records == 1 {
		word = "verdict"
	}
	fmt.Fprintf(&b, "%d %s: %d exact, %d sampled; %d not as expected.\n", tally.Records, word, tally.Records-tally.Sampled, tally.Sampled, tally.Bad)
	if bad := referee.Unexpected(v.Records); len(bad) > 0 {
		fmt.Fprintf(&b, "\nNot as expected:\n%s", strings.ReplaceAll(verdicts(bad).Text(), "**", ""))
	}
	return b.String()
}

// groupVerdict says what the records of one claim in one form come to.
func groupVerdict(records []evidence.Record) string {
	n := map[string]int{}
	for _, r := range records {
		n[r.Verdict]++
	}
	switch bad, violated, undecided := len(referee.Unexpected(records)), n[evidence.Violated.String()], n[evidence.Undecided.String()]; {
	case bad > 0:
		return fmt.Sprintf("NOT AS EXPECTED (%d of %d)", bad, len(records))
	case violated == 1:
		return "false as printed, counterexample"
	case violated > 1:
		return fmt.Sprintf("false as printed, %d counterexamples", violated)
	case undecided > 0:
		return fmt.Sprintf("holds, %d undecided", undecided)
	}
	return "holds"
}
