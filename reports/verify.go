package reports

import (
	"fmt"
	"image/color"
	"math"
	"path/filepath"
	"slices"
	"strings"

	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"

	"tqn/bounds"
	"tqn/evidence"

	"tqn/referee"
	"tqn/runfolder"
)

// VerdictTable lists records. long adds the columns of `--json` that a terminal has
// no room for.
func VerdictTable(records []evidence.Record, long bool) *Table {
	t := &Table{Header: []string{"claim", "form", "rounding", "method", "instance", "measured", "bound", "ratio", "verdict", "expected"}}
	if long {
		t.Header = slices.Insert(t.Header, 6, "interval")
		t.Header = append(t.Header, "runs")
	}
	for _, r := range records {
		verdict := r.Verdict
		if !r.AsExpected() {
			verdict = "**" + verdict + "**"
		}
		row := []any{r.Claim, r.Form, r.Rounding, string(r.Method), r.Instance, r.Measured, r.Bound, ratio(r.Ratio), verdict, r.Expected}
		if long {
			interval, runs := "exact", "-"
			if r.Method == evidence.SampledMethod {
				interval, runs = fmt.Sprintf("[%.3g, %.3g]", r.Lower, r.Upper), fmt.Sprint(r.Samples)
			}
			row = append(slices.Insert(row, 6, any(interval)), runs)
		}
		t.Add(row...)
	}
	return t
}

// ratio prints measured/bound; a bound of 0 that is exceeded has no ratio.
func ratio(x float64) string {
	if x == math.MaxFloat64 {
		return "inf"
	}
	return fmt.Sprintf("%.4g", x)
}

// count is the summary line of a run.
func count(records []evidence.Record) string {
	n := map[string]int{}
	sampled, unexpected := 0, len(referee.Unexpected(records))
	for _, r := range records {
		n[r.Verdict]++
		if r.Method == evidence.SampledMethod {
			sampled++
		}
	}
	return fmt.Sprintf("%d verdicts: %d hold, %d violated, %d undecided; %d exact, %d sampled; %d not as expected.",
		len(records), n["holds"], n["violated"], n["undecided"], len(records)-sampled, sampled, unexpected)
}

// Summary is the text for a terminal: one line per claim and form, then every line
// that is not as expected.
func Summary(records []evidence.Record) string {
	type key struct{ claim, form, rounding string }
	var keys []key
	groups := map[key][]evidence.Record{}
	for _, r := range records {
		k := key{r.Claim, r.Form, r.Rounding}
		if groups[k] == nil {
			keys = append(keys, k)
		}
		groups[k] = append(groups[k], r)
	}
	t := &Table{Header: []string{"claim", "form", "rounding", "holds", "violated", "undecided", "largest ratio", "as expected"}}
	for _, k := range keys {
		n := map[string]int{}
		worst := 0.0
		for _, r := range groups[k] {
			n[r.Verdict]++
			if !referee.IsControl(r) {
				worst = max(worst, r.Ratio)
			}
		}
		expected := "yes"
		if bad := len(referee.Unexpected(groups[k])); bad > 0 {
			expected = fmt.Sprintf("NO (%d)", bad)
		}
		t.Add(k.claim, k.form, k.rounding, n["holds"], n["violated"], n["undecided"], ratio(worst), expected)
	}
	s := t.Text() + "\n" + count(records) + "\n"
	for _, r := range records {
		if r.Verdict == evidence.Undecided.String() && len(r.Warnings) > 0 {
			s += fmt.Sprintf("\nUndecided: %s, %s: %s\n", r.Claim, r.Instance, strings.Join(r.Warnings, "; "))
		}
	}
	if bad := referee.Unexpected(records); len(bad) > 0 {
		s += "\nNot as expected:\n" + VerdictTable(bad, false).Text()
	}
	return s
}

// WriteVerification writes verify.md and its figures to dir.
func WriteVerification(dir string, v referee.Verification, m Manifest) error {
	var b strings.Builder
	fmt.Fprintf(&b, "# The theory of quantized training, verified\n\n")
	fmt.Fprintf(&b, "Each line compares a measured left side with the bound on its right side. *printed* is the paper's statement (Li et al., NIPS 2017; for Theorem 2 *appendix* is the form of Appendix C), "+
		"*derived* what its proof gives once its slips are mended, *sharp* the best bound proved in this repository.\n\n")
	if v.Data != "" {
		fmt.Fprintf(&b, "Problem: %s\n\n", v.Data)
	}
	fmt.Fprintf(&b, "**%s**\n\n", count(v.Records))
	writeBudget(&b, v.Records)
	fmt.Fprintf(&b, "\n%s\n", m.Markdown())

	writeGlance(&b, v)
	if bad := referee.Unexpected(v.Records); len(bad) > 0 {
		fmt.Fprintf(&b, "## Not as expected\n\n%s\n", VerdictTable(bad, true).Markdown())
	}
	fmt.Fprintf(&b, "## What is false as printed\n\n")
	writeViolations(&b, v.Records)

	for _, r := range v.Paper.Results {
		if err := writeResult(&b, dir, v, r, m.Seed); err != nil {
			return err
		}
	}
	if len(v.Quantized) > 0 {
		writeQuantizedWeights(&b, v.Quantized)
	}
	writeTightness(&b, v)
	return runfolder.WriteFile(filepath.Join(dir, "verify.md"), []byte(b.String()))
}

// writeResult writes the section of one result and its picture.
func writeResult(b *strings.Builder, dir string, v referee.Verification, r referee.Result, seed uint64) error {
	claim := r.Statement
	records := referee.Of(v.Records, claim.Name)
	if len(records) == 0 {
		return nil
	}
	if r.Caption == "" {
		fmt.Fprintf(b, "## %s\n\n%s `tqn toy` and `tqn chain` draw and analyse such chains.\n\nagain: `tqn verify --claim %s --seed %d --out DIR`\n\n%s\n",
			claim.Title, r.Meaning, claim.Name, seed, VerdictTable(records, true).Markdown())
		return nil
	}
	fmt.Fprintf(b, "## %s\n\n%s\n\n", claim.Title, r.Meaning)
	fmt.Fprintf(b, "- algorithm: %s\n- left side: `%s`\n- printed: `%s`\n", claim.Algorithm, claim.Bounds, claim.Statement)
	for _, r := range claim.Roundings {
		fmt.Fprintf(b, "- derived, %s rounding: `%s`\n", r, claim.Proved[r])
	}
	for _, w := range v.Worst {
		if w.Claim == claim.Name {
			fmt.Fprintf(b, "- %s form, %s rounding: %s\n", w.Form, w.Rounding, w.Summary())
		}
	}
	if x := limit(v, claim.Name); x > 0 {
		fmt.Fprintf(b, "- sharp form, stochastic rounding, T to infinity: the floor is tight within a factor %.3g ([where BinaryConnect with Q_s ends](#where-binaryconnect-with-q_s-ends))\n", x)
	}
	fmt.Fprintf(b, "- again: `tqn verify --claim %s --seed %d --out DIR`\n\n", claim.Name, seed)
	if f, ok := v.Figures[claim.Name]; ok {
		name := claim.Name + ".png"
		if err := drawn(f).Save(filepath.Join(dir, name)); err != nil {
			return err
		}
		fmt.Fprintf(b, "![%s](%s)\n\n%s\n\n", claim.Title, name, r.Caption)
	}
	fmt.Fprintf(b, "%s\n", VerdictTable(records, true).Markdown())
	return nil
}

// writeGlance is the report's summary: a line for every result and rounding, with its tightness where that has been searched.
func writeGlance(b *strings.Builder, v referee.Verification) {
	fmt.Fprintf(b, "## At a glance\n\nIn brackets the largest measured/bound of the run, controls apart; above 1 the statement is false. ")
	t := &Table{Header: []string{"result", "rounding", "as printed", "derived", "sharp"}}
	if len(v.Worst) > 0 {
		t.Header = append(t.Header, "tight within")
		fmt.Fprintf(b, "The last column is bound/measured for the sharpest form on the worst instance that "+
			"a search found ([How tight](#how-tight)): no better bound can be smaller by more than that factor. ")
	}
	for _, result := range v.Paper.Results {
		claim := result.Statement
		for _, r := range claim.Roundings {
			records := referee.Under(referee.Of(v.Records, claim.Name), r)
			if len(records) == 0 {
				continue
			}
			row := []any{claim.Title, r, status(records, bounds.Printed, bounds.Appendix), status(records, bounds.Derived), status(records, bounds.Sharp)}
			if len(v.Worst) > 0 {
				row = append(row, tight(v, claim.Name, r))
			}
			t.Add(row...)
		}
	}
	fmt.Fprintf(b, "Proofs and counterexamples are in docs/errata.md and package bounds.\n\n%s\n", t.Markdown())
}

// tight says within which factor the sharpest form of a result is tight.
func tight(v referee.Verification, claim string, r bounds.Rounding) string {
	s := "-"
	for _, w := range v.Worst { // the last is the sharpest form's
		if w.Claim == claim && w.Rounding == r {
			s = fmt.Sprintf("%.3g", 1/w.Found)
		}
	}
	if x := limit(v, claim); x > 0 && r == bounds.Stochastic {
		s += fmt.Sprintf("; %.3g as T grows", x)
	}
	return s
}

// limit is the factor within which a result's floor with Q_s is tight as T tends to infinity, 0 where the run does not know it.
func limit(v referee.Verification, claim string) float64 {
	if claim != "theorem3" && claim != "theorem4" || len(v.Kinks) == 0 {
		return 0
	}
	return v.Kinks[0].Floor / v.Kinks[0].Gap
}

// status says how a result fares in some forms: the statement itself and, by name, those lines of its proof that are false.
func status(records []evidence.Record, forms ...bounds.Form) string {
	var worst float64
	var lines []string
	seen, violated, undecided := false, false, false
	for _, r := range records {
		if !slices.Contains(forms, bounds.Form(r.Form)) || referee.IsControl(r) {
			continue
		}
		_, line, _ := strings.Cut(r.Claim, ".")
		if line != "" && line != "counterexample" && line != "repaired" {
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
		s += "; false in the proof: " + strings.Join(lines, ", ")
	}
	return s
}

func writeBudget(b *strings.Builder, records []evidence.Record) {
	confidence, warnings := 1.0, []string{}
	runs := 0
	seen := map[string]bool{}
	for _, r := range records {
		for _, w := range r.Warnings {
			warnings = append(warnings, fmt.Sprintf("%s, %s: %s", r.Claim, r.Instance, w))
		}
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
	}
	defer func() {
		for _, w := range warnings {
			fmt.Fprintf(b, "\nWarning: %s\n", w)
		}
	}()
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
}

// writeViolations lists what is false and was expected to be, controls apart.
func writeViolations(b *strings.Builder, records []evidence.Record) {
	var false_, controls []evidence.Record
	for _, r := range records {
		switch {
		case r.Verdict != evidence.Violated.String():
		case referee.IsControl(r):
			controls = append(controls, r)
		default:
			false_ = append(false_, r)
		}
	}
	if len(false_) == 0 {
		fmt.Fprintf(b, "Nothing among the claims of this run.\n\n")
	} else {
		fmt.Fprintf(b, "%s\n", VerdictTable(false_, true).Markdown())
	}
	if len(controls) > 0 {
		fmt.Fprintf(b, "## Negative controls\n\nA planted defect, or half the bound on an instance that attains it: each has to come out violated, or the check above it proves nothing.\n\n%s\n",
			VerdictTable(controls, true).Markdown())
	}
}

func writeTightness(b *strings.Builder, v referee.Verification) {
	if len(v.Worst) > 0 {
		fmt.Fprintf(b, "## How tight\n\nmeasured/bound on random small instances (%s) and on the worst one found by local search from the best of them. Above 1 would refute the bound. "+
			"For BC with stochastic rounding the measured value is the mean of 32 runs and the search is a guide, not a verdict.\n\n", v.Worst[0].Family)
		t := &Table{Header: []string{"claim", "form", "rounding", "method", "searched", "random: median", "random: largest", "worst found", "verdict"}}
		for _, w := range v.Worst {
			t.Add(w.Claim, w.Form, w.Rounding, w.Method, w.Searched, fmt.Sprintf("%.3g", w.Median), fmt.Sprintf("%.3g", w.Best), fmt.Sprintf("%.3g", w.Found), w.Summary())
		}
		fmt.Fprintf(b, "%s\nThe worst instances, and bound/measured as a product of what each step of the proof loses:\n\n", t.Markdown())
		for _, w := range v.Worst {
			fmt.Fprintf(b, "- %s, %s, %s: %s. Measured %.4g, bound %.4g = decay %.4g + floor %.4g", w.Claim, w.Form, w.Rounding, w.Instance, w.Measured, w.Bound.Total(), w.Bound.Decay, w.Bound.Floor)
			for i, l := range w.Losses {
				fmt.Fprintf(b, "%s %.3g at %s", map[bool]string{true: ". Lost:", false: ","}[i == 0], l.Factor, l.Step)
			}
			fmt.Fprintf(b, ".\n")
		}
		b.WriteString("\n")
	}
	if len(v.Slopes) > 0 {
		fmt.Fprintf(b, "## Exponents of the floors\n\nLeast-squares slopes on logarithmic axes through exact numbers; the 95%% interval shows how far the points are from a power law.\n\n")
		t := &Table{Header: []string{"what", "exponent", "95% interval", "in the bound"}}
		for _, s := range v.Slopes {
			t.Add(s.What, fmt.Sprintf("%.3f", s.B), fmt.Sprintf("[%.3f, %.3f]", s.Lower, s.Upper), s.Expected)
		}
		b.WriteString(t.Markdown())
	}
	if len(v.Kinks) > 0 {
		fmt.Fprintf(b, "\n## Where BinaryConnect with Q_s ends\n\nAs T tends to infinity BC with Q_s comes to rest where F', interpolated between the grid points, vanishes (exact). "+
			"Worst functions with mu <= F'' <= L = 1 on one cell of width Delta = 1: F'' = L up to a kink and mu behind it. The sharp floor of Theorem 4 (for mu = 0 of Theorem 3) is above the truth by no more than the factor of the last column; "+
			"the smallest, phi^5/8 = %.4f with phi the golden ratio, is that of mu = 0.\n\n", math.Pow(math.Phi, 5)/8)
		t := &Table{Header: []string{"mu/L", "w*", "kink", "F - F* at the end", "floor (L - mu)/8", "measured/bound", "tight within"}}
		for _, k := range v.Kinks {
			t.Add(fmt.Sprint(k.Mu), fmt.Sprintf("%.4f", k.Center), fmt.Sprintf("%.4f", k.Kink), fmt.Sprintf("%.5f", k.Gap), fmt.Sprintf("%.5f", k.Floor),
				fmt.Sprintf("%.4f", k.Gap/k.Floor), fmt.Sprintf("%.2f", k.Floor/k.Gap))
		}
		b.WriteString(t.Markdown())
	}
}

// writeQuantizedWeights tabulates F(w_b) beside F(w_r).
func writeQuantizedWeights(b *strings.Builder, rows []referee.QuantizedWeights) {
	fmt.Fprintf(b, "## The quantized weights of BinaryConnect\n\nTheorems 3 and 4 and Corollary 1 are about the real-valued weights w_r; what one deploys is w_b = Q(w_r). "+
		"Means of 64 runs on the figures' problems, d = 4, Delta = 1/2, T = 10000; estimates without a verdict.\n\n")
	t := &Table{Header: []string{"step sizes and problem of", "rounding", "F(wbar_r) - F*", "mean of F(w_r^t) - F*", "mean of F(w_b^t) - F*"}}
	for _, r := range rows {
		t.Add(r.Claim, r.Rounding, r.Average, r.MeanGap, r.Read)
	}
	fmt.Fprintf(b, "%s\n", t.Markdown())
}

// Dashes of the bounds, so that they are told apart from measurements without colour.
var (
	boundDashes = []vg.Length{vg.Points(6), vg.Points(3)}
	boundDots   = []vg.Length{vg.Points(1.5), vg.Points(2.5)}
)

// looks is how a series of package referee is drawn.
type looks struct {
	colour color.Color
	dashes []vg.Length      // of a line
	glyph  draw.GlyphDrawer // of points
}

var roleLooks = map[referee.Role]looks{
	referee.SR:             {colour: Palette[0], glyph: draw.CircleGlyph{}},
	referee.SRMean:         {colour: Palette[4], glyph: draw.PyramidGlyph{}},
	referee.SGD:            {colour: Palette[6]},
	referee.BCStochastic:   {colour: Palette[0], glyph: draw.PyramidGlyph{}},
	referee.BCNearest:      {colour: Palette[5], glyph: draw.CircleGlyph{}},
	referee.ReadStochastic: {colour: Palette[4]},
	referee.ReadNearest:    {colour: Palette[7]},
	referee.PrintedBound:   {colour: Palette[1], dashes: boundDashes},
	referee.AppendixBound:  {colour: Palette[5], dashes: boundDashes},
	referee.DerivedBound:   {colour: Palette[2], dashes: boundDashes},
	referee.DerivedNearest: {colour: Palette[7], dashes: boundDashes},
	referee.SharpBound:     {colour: Palette[3], dashes: boundDots},
	referee.WorstRole:      {colour: Palette[0], glyph: draw.BoxGlyph{}},
}

// drawn is a figure of package referee: its panels one above the other.
func drawn(f referee.Figure) *Figure {
	g := NewFigure(1)
	for _, panel := range f.Panels {
		p := g.Panel(panel.Title, panel.X, panel.Y)
		Logarithmic(&p.X)
		Logarithmic(&p.Y)
		for _, s := range panel.Series {
			l := roleLooks[s.Role]
			if s.Points {
				p.Points(s.Name, l.colour, l.glyph, s.X, s.Y)
				continue
			}
			if k := p.sameLine(s.X, s.Y); k != nil && s.Bound() { // one line would hide the other
				k.name += " = " + s.Name
				continue
			}
			p.Line(s.Name, l.colour, s.X, s.Y, l.dashes...)
		}
	}
	return g
}
