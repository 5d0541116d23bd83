package reports

import (
	"fmt"
	"math"
	"path/filepath"
	"slices"
	"strings"

	"tqn/bounds"
	"tqn/evidence"
	"tqn/referee"
)

// VerificationFile is the summary page of a verification's report; every result has a page of its own beside it.
const VerificationFile = "verify.md"

// Verification is a verification with what its report says about itself.
type Verification struct {
	referee.Verification
	Manifest Manifest
	Again    func(claim string) string // the command that judges one result again
	Formats  []string                  // of the pictures, beside PNG
}

// Write writes the report to a folder: [VerificationFile], a page for every result with its picture, and tightness.md.
func (v Verification) Write(dir string) error {
	for _, r := range v.Paper.Results {
		if len(referee.Of(v.Records, r.Statement.Name)) == 0 {
			continue
		}
		if err := v.writeResult(dir, r); err != nil {
			return err
		}
	}
	if len(v.Worst)+len(v.Slopes)+len(v.Kinks) > 0 {
		if err := writePage(dir, tightnessFile, v.tightness()); err != nil {
			return err
		}
	}
	figure := v.dataFigure()
	if figure != nil {
		if err := figure.Save(filepath.Join(dir, dataPicture), v.Formats...); err != nil {
			return err
		}
	}
	return writePage(dir, VerificationFile, v.summary(figure != nil))
}

// WholeRun reports whether a summary page is that of a whole run, on the built-in instances and of all claims.
func WholeRun(page []byte) bool {
	for line := range strings.Lines(string(page)) {
		if command, ok := strings.CutPrefix(line, "- command: "); ok {
			return strings.Contains(command, "tqn verify") && !strings.Contains(command, " --claim ") && !strings.Contains(command, " --data ")
		}
	}
	return false
}

// together is what the results say together.
const together = "What it means: keeping real-valued weights beside the quantized ones, as BinaryConnect (BC) does, makes training *greedy*: as the learning rate falls, it settles on a minimiser. " +
	"Stochastic rounding without them (SR) cannot become greedy: it converges down to a floor that the grid step sets (Theorems 1 and 2), and a smaller learning rate only makes it slower (Theorems 5 and 6)."

// words defines what the tables say. A report opens with it, since every table needs it.
const words = `In the tables:

- *printed*: the statement as the paper has it; *appendix*: the form that Appendix C proves, where it is another one (Theorem 2).
- *derived*: what the paper's own proof gives once its slips are mended.
- *sharp*: the best bound proved in this repository under the same assumptions.
- *exact*: computed without randomness, up to rounding errors that are accounted for; *sampled*: the mean of independent runs with an interval that is valid at every sample size.
- *holds*, *false* (violated), *undecided*: the whole interval of the measured value is below the bound, above it, or neither.
- *planted defect* (negative control): a run with a mistake put in on purpose, or a bound made too small; it has to come out violated, or the check that it belongs to would prove nothing.
- *instance*: the function and the constants that a line is measured on. With z the distance from the minimiser, *quadratic* is a sum of h z^2/2 over the coordinates, *huber* of |z| rounded off near 0, *half-cubic* of mu z^2/2 + L2 max(0, z)^3/6; *linear* is a walk against a wall, with noisy gradients of small mean; *least squares* and *logistic* are regressions.
- Q_s is stochastic rounding, Q_d rounding to nearest. F* is the minimum, wbar_T the mean of the iterates w^1 to w^T, Delta the grid step.
`

// summary is the page that [VerificationFile] holds, with or without [dataPicture].
func (v Verification) summary(pictured bool) string {
	var b strings.Builder
	p := func(format string, args ...any) { fmt.Fprintf(&b, format+"\n", args...) }
	tally := v.Tally()
	p("# The theory of quantized training, verified\n")
	if v.Data == "" {
		p("This report says of every result of the paper whether it holds as printed, what holds instead, and how near the bounds come to the truth.\n")
	} else {
		p("This report measures the paper's theorems on a problem of one's own: %s.\n", v.Data)
	}
	p("**%s.**\n", capital(tally.String()))
	if v.Data != "" {
		if pictured {
			p("![How far each result stays below its bounds](%s)\n", dataPicture)
		}
	} else {
		p("%s\n", together)
	}
	p("The paper: %s.\n", v.Paper.Title)
	if bad := referee.Unexpected(v.Records); len(bad) > 0 {
		p("## Not as expected\n\n%s", verdicts(bad).Markdown())
	}
	v.glance(&b)
	p("%s", words)
	p("## What each result means\n")
	for _, r := range v.Paper.Results {
		if len(referee.Of(v.Records, r.Statement.Name)) > 0 {
			p("- [%s](%s.md): %s", r.Statement.Title, r.Statement.Name, r.Meaning)
		}
	}
	p("")
	if v.Data == "" {
		p("## What is false as printed\n")
		v.findings(&b)
	}
	p("## How sure the numbers are\n")
	planted := ""
	if tally.Controls > 0 {
		planted = fmt.Sprintf(" beside them %d of %d planted defects caught;", tally.Caught, tally.Controls)
	}
	p("%d verdicts: %d exact, %d sampled;%s %d not as expected.\n", tally.Records, tally.Records-tally.Sampled, tally.Sampled, planted, tally.Bad)
	writeBudget(&b, v.Records)
	p("\n## Where the numbers come from\n\n%s", v.Manifest.Markdown())
	return b.String()
}

func capital(s string) string { return strings.ToUpper(s[:1]) + s[1:] }

// glance is a line for every result and rounding, with its tightness where that has been searched.
func (v Verification) glance(b *strings.Builder) {
	fmt.Fprintf(b, "## At a glance\n\nIn brackets the largest measured/bound, planted defects apart: above 1 the statement is false. ")
	t := &Table{Header: []string{"result", "rounding", "as printed", "derived", "sharp"}}
	if len(v.Worst) > 0 {
		t.Header = append(t.Header, "tight within")
		fmt.Fprintf(b, "*Tight within* is bound/measured for the sharpest form on the worst instance that a search found ([how tight](%s)): "+
			"whatever bound one may still prove, it is at least what was measured there, so it is smaller than ours by this factor at most (*about*: what was measured is a mean of 32 runs). ", tightnessFile)
	}
	for _, result := range v.Paper.Results {
		claim := result.Statement
		for _, r := range claim.Roundings {
			records := referee.Under(referee.Of(v.Records, claim.Name), r)
			if len(records) == 0 {
				continue
			}
			printed := status(records, bounds.Printed, bounds.Appendix)
			if caveat, _, ok := strings.Cut(result.Caveat, ":"); ok {
				printed += "; " + strings.ToLower(caveat[:1]) + caveat[1:]
			}
			row := []any{fmt.Sprintf("[%s](%s.md)", claim.Title, claim.Name), quantizer(r), printed, status(records, bounds.Derived), status(records, bounds.Sharp)}
			if len(v.Worst) > 0 {
				row = append(row, v.tight(claim.Name, r))
			}
			t.Add(row...)
		}
	}
	if v.Data != "" {
		fmt.Fprintf(b, "A dash is a form that is not measured here: BinaryConnect's statements as printed, which are false for one of the two roundings at least. ")
	}
	fmt.Fprintf(b, "Proofs are in package bounds, counterexamples with their proofs in docs/errata.md.\n\n%s\n", t.Markdown())
	for _, result := range v.Paper.Results {
		if result.Caveat != "" && len(referee.Of(v.Records, result.Statement.Name)) > 0 {
			fmt.Fprintf(b, "**%s.** %s\n\n", result.Statement.Title, result.Caveat)
		}
	}
}

// quantizer is the paper's sign for a rounding.
func quantizer(r bounds.Rounding) string {
	switch r {
	case bounds.Stochastic:
		return "Q_s"
	case bounds.Nearest:
		return "Q_d"
	}
	return string(r)
}

// tight says within which factor the sharpest form of a result is tight.
func (v Verification) tight(claim string, r bounds.Rounding) string {
	s := "-"
	for _, w := range v.Worst { // the last is the sharpest form's
		if w.Claim == claim && w.Rounding == r {
			s = fmt.Sprintf("%.3g", 1/w.Found)
			if w.Method == evidence.SampledMethod {
				s = "about " + s
			}
		}
	}
	if x := v.limit(claim); x > 0 && r == bounds.Stochastic {
		s += fmt.Sprintf("; %.3g as T grows", x)
	}
	return s
}

// limit is the factor within which a result's floor with Q_s is tight as T tends to infinity, 0 where the run does not know it.
func (v Verification) limit(claim string) float64 {
	if claim != "theorem3" && claim != "theorem4" || len(v.Kinks) == 0 {
		return 0
	}
	return v.Kinks[0].Floor / v.Kinks[0].Gap
}

// status says how a result fares in some forms: the statement itself and, by name, what goes with it and is false: lines of its proof, its worst case.
func status(records []evidence.Record, forms ...bounds.Form) string {
	var worst float64
	var lines []string
	seen, violated, undecided := false, false, false
	for _, r := range records {
		if !slices.Contains(forms, bounds.Form(r.Form)) || referee.IsControl(r) {
			continue
		}
		if !referee.IsStatement(r) {
			_, line, _ := strings.Cut(r.Claim, ".")
			if r.Verdict == evidence.Violated.String() && !slices.Contains(lines, line) {
				lines = append(lines, line)
			}
			continue
		}
		seen, worst = true, max(worst, r.Ratio)
		violated = violated || r.Verdict == evidence.Violated.String()
		undecided = undecided || r.Verdict == evidence.Undecided.String()
	}
	s := "holds"
	switch {
	case violated:
		s = "**false**"
	case undecided:
		s = "undecided"
	}
	if !seen {
		s = "-"
	} else {
		s += fmt.Sprintf(" (%s)", ratio(worst))
	}
	if len(lines) > 0 {
		s += "; also false: " + strings.Join(lines, ", ")
	}
	return s
}

// findings lists what is false as printed: of each statement and form the counterexample that exceeds the bound most, and how many there are.
func (v Verification) findings(b *strings.Builder) {
	type statement struct{ claim, form string }
	var order []statement
	clearest, count := map[statement]evidence.Record{}, map[statement]int{}
	for _, r := range v.Records {
		if r.Verdict != evidence.Violated.String() || !r.AsExpected() || referee.IsControl(r) {
			continue
		}
		s := statement{r.Claim, form(r)}
		if count[s] == 0 {
			order = append(order, s)
		}
		if count[s] == 0 || r.Ratio > clearest[s].Ratio {
			clearest[s] = r
		}
		count[s]++
	}
	if len(order) == 0 {
		fmt.Fprintf(b, "Nothing among the claims of this run.\n\n")
		return
	}
	t := &Table{Header: []string{"statement", "form", "clearest counterexample", "measured", "bound", "measured/bound", "of"}}
	for _, s := range order {
		r := clearest[s]
		t.Add(s.claim, s.form, r.Instance, measured(r), r.Bound, ratio(r.Ratio), count[s])
	}
	fmt.Fprintf(b, "A counterexample is an instance that satisfies the assumptions and on which the measured left side exceeds the printed right side. The table has the clearest one of each statement; the last column says how many there are, and the page of the result has them all. "+
		"A name with a dot is a line of a proof, the smallest counterexample that a search found, or a worst case.\n\n%s\n", t.Markdown())
}

// form is the form of a record and its quantizer.
func form(r evidence.Record) string {
	if r.Rounding == "" {
		return r.Form
	}
	return r.Form + ", " + quantizer(bounds.Rounding(r.Rounding))
}

// measured is a record's left side, with the interval and the number of runs of a sampled one.
func measured(r evidence.Record) string {
	s := fmt.Sprintf("%.4g", r.Measured)
	if r.Method == evidence.SampledMethod {
		s += fmt.Sprintf(" in [%.3g, %.3g], %d runs", r.Lower, r.Upper, r.Samples)
	}
	return s
}

// ratio prints measured/bound; a bound of 0 that is exceeded has no ratio. Next to 1 four digits do not say on which side it
// lies, so the difference is printed.
func ratio(x float64) string {
	switch d := math.Abs(x - 1); {
	case x == math.MaxFloat64:
		return "inf"
	case d > 1e-9 && d < 5e-4 && x > 1:
		return fmt.Sprintf("1 + %.1g", d)
	case d > 1e-9 && d < 5e-4:
		return fmt.Sprintf("1 - %.1g", d)
	}
	return fmt.Sprintf("%.4g", x)
}

// verdict says what a record comes to. A violation that was expected is a finding about the paper, not a failure.
func verdict(r evidence.Record) string {
	switch {
	case !r.AsExpected() && referee.IsControl(r):
		return "**NOT CAUGHT**"
	case !r.AsExpected():
		return "**NOT AS EXPECTED: " + r.Verdict + "**"
	case referee.IsControl(r):
		return "caught"
	case r.Verdict == evidence.Violated.String():
		return "**false as printed**"
	}
	return r.Verdict
}

// verdicts lists records of several claims.
func verdicts(records []evidence.Record) *Table {
	t := &Table{Header: []string{"claim", "form", "instance", "measured", "bound", "verdict"}}
	for _, r := range records {
		t.Add(r.Claim, form(r), r.Instance, measured(r), r.Bound, verdict(r))
	}
	return t
}

// writeBudget says how sure the sampled numbers are.
func writeBudget(b *strings.Builder, records []evidence.Record) {
	confidence, warnings := 1.0, []string{}
	runs := 0
	seen := map[string]bool{}
	for _, r := range records {
		if r.Method != evidence.SampledMethod {
			continue
		}
		// One interval serves all forms of a claim on an instance, and a counterexample
		// together with its repair.
		claim, _, _ := strings.Cut(r.Claim, ".")
		if key := fmt.Sprint(claim, r.Rounding, r.Instance, r.Measured); !seen[key] {
			seen[key] = true
			confidence -= 1 - r.Confidence
			runs += r.Samples
		}
		for _, w := range r.Warnings {
			warnings = append(warnings, fmt.Sprintf("%s, %s: %s", r.Claim, r.Instance, w))
		}
	}
	if len(seen) == 0 {
		fmt.Fprintf(b, "Every number is exact: no line is sampled.\n")
		return
	}
	fmt.Fprintf(b, "Sampled means come with a betting confidence sequence (Waudby-Smith and Ramdas 2024) that is valid at every sample size. "+
		"The error budget of the run is %.0e, split evenly over %d sampled means; the probability that every interval below covers its value is at least 1 - %.3g. "+
		"Sampling stops as soon as the verdict is clear, so an interval is no narrower than it has to be; %d runs were used in all.\n",
		evidence.FalseAlarm, len(seen), 1-confidence, runs)
	if 1-confidence > evidence.FalseAlarm*(1+1e-6) {
		warnings = append(warnings, "the sampled means of this run spend more than its error budget")
	}
	for _, w := range warnings {
		fmt.Fprintf(b, "\nWarning: %s\n", w)
	}
}
