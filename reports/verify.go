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
	"tqn/convex"
	"tqn/evidence"

	"tqn/quantize"
	"tqn/runfolder"
)

// Verification is what `tqn verify` found out.
type Verification struct {
	Records  []evidence.Record
	Worst    []convex.Worst // tightness; may be empty
	Slopes   []convex.Slope // floor exponents; may be empty
	Kinks    []convex.Kink  // worst floors of BC with Q_s; may be empty
	Manifest Manifest
	Claims   []string // what was asked for; empty: everything
	Data     string   // description of the user's problem; empty: the built-in instances
}

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

// Unexpected are the records that contradict their expectation.
func Unexpected(records []evidence.Record) []evidence.Record {
	var bad []evidence.Record
	for _, r := range records {
		if !r.AsExpected() {
			bad = append(bad, r)
		}
	}
	return bad
}

// count is the summary line of a run.
func count(records []evidence.Record) string {
	n := map[string]int{}
	sampled, unexpected := 0, len(Unexpected(records))
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
			if !strings.HasPrefix(r.Instance, "control: ") {
				worst = max(worst, r.Ratio)
			}
		}
		expected := "yes"
		if bad := len(Unexpected(groups[k])); bad > 0 {
			expected = fmt.Sprintf("NO (%d)", bad)
		}
		t.Add(k.claim, k.form, k.rounding, n["holds"], n["violated"], n["undecided"], ratio(worst), expected)
	}
	s := t.Text() + "\n" + count(records) + "\n"
	if bad := Unexpected(records); len(bad) > 0 {
		s += "\nNot as expected:\n" + VerdictTable(bad, false).Text()
	}
	return s
}

// section is one theorem of the report.
type section struct {
	claim   string
	meaning string // one sentence
	figure  func(seed uint64) (*Figure, error)
	caption string
}

var sections = []section{
	{"lemma1", "The error of one stochastic rounding shrinks with the step, because a short step rarely rounds up.",
		lemma1Figure, "Top: the largest E|r|^2 over all grid points of the quadratic in d = 2, exact, against the step size. Bottom: the same at alpha = 1e-4 against the dimension, for a function with equal slopes in all coordinates."},
	{"theorem1", "SR on a strongly convex function converges at the rate of SGD down to a floor proportional to Delta.",
		func(seed uint64) (*Figure, error) { return srFigure("theorem1", seed) }, srCaption},
	{"theorem2", "SR on a convex function over a bounded domain reaches the same floor at rate 1/sqrt(T); as printed the bound fails for long steps, c > D/G.",
		func(seed uint64) (*Figure, error) { return srFigure("theorem2", seed) }, srCaption},
	{"theorem3", "BinaryConnect has a floor, too, for either rounding, but it is far below the printed one.",
		func(seed uint64) (*Figure, error) { return bcFigure("theorem3", seed) }, bcCaption},
	{"theorem4", "With stochastic rounding, BinaryConnect's floor is of second order in Delta as proved and of fourth order as measured; with nearest rounding the printed floor is false.",
		func(seed uint64) (*Figure, error) { return bcFigure("theorem4", seed) }, bcCaption},
	{"corollary1", "On quadratics BinaryConnect with stochastic rounding has no floor; with nearest rounding it has one, and the printed bound is false.",
		func(seed uint64) (*Figure, error) { return bcFigure("corollary1", seed) }, bcCaption},
}

const (
	srCaption = "Top: the gap against T on F = (1/2) sum h_k (w_k - c_k)^2, d = 2, Delta = 1/8, with gradient noise; the SR lines are exact, plain SGD is the mean of 64 runs. " +
		"Middle: where the gap ends against Delta. Bottom: against the dimension at fixed G. The tight problem is |w| rounded off next to a grid point (convex.Tight); shown is the limit of F(E wbar_T) - F*, exact, which E F(wbar_T) - F* is not below."
	bcCaption = "Top: the gap against T, means of 64 runs; w_b = Q(w_r) are the quantized weights, for which the theorems say nothing. " +
		"Middle: where the gap of w_r ends against Delta in one dimension, exact limits. Bottom: for d copies of that problem at fixed Delta. A line or point that is missing is zero. " +
		"The printed bound is the same for both roundings."
)

// WriteVerification writes verify.md and its figures to dir.
func WriteVerification(dir string, v Verification) error {
	var b strings.Builder
	fmt.Fprintf(&b, "# The theory of quantized training, verified\n\n")
	fmt.Fprintf(&b, "Each line compares a measured left side with the bound on its right side. *printed* is the paper's statement (Li et al., NIPS 2017; for Theorem 2 *appendix* is the form of Appendix C), "+
		"*derived* what its proof gives once its slips are mended, *sharp* the best bound proved in this repository.\n\n")
	if v.Data != "" {
		fmt.Fprintf(&b, "Problem: %s\n\n", v.Data)
	}
	fmt.Fprintf(&b, "**%s**\n\n", count(v.Records))
	writeBudget(&b, v.Records)
	fmt.Fprintf(&b, "\n%s\n", v.Manifest.Markdown())

	writeGlance(&b, v)
	if bad := Unexpected(v.Records); len(bad) > 0 {
		fmt.Fprintf(&b, "## Not as expected\n\n%s\n", VerdictTable(bad, true).Markdown())
	}
	fmt.Fprintf(&b, "## What is false as printed\n\n")
	writeViolations(&b, v.Records)

	for _, s := range sections {
		records := ofClaim(v.Records, s.claim)
		if len(records) == 0 {
			continue
		}
		claim, err := bounds.Find(s.claim)
		if err != nil {
			return fmt.Errorf("reports: %w", err)
		}
		fmt.Fprintf(&b, "## %s\n\n%s\n\n", claim.Title, s.meaning)
		fmt.Fprintf(&b, "- algorithm: %s\n- left side: `%s`\n- printed: `%s`\n", claim.Algorithm, claim.Bounds, claim.Statement)
		for _, r := range claim.Roundings {
			fmt.Fprintf(&b, "- derived, %s rounding: `%s`\n", r, claim.Proved[r])
		}
		for _, w := range v.Worst {
			if w.Claim == s.claim {
				fmt.Fprintf(&b, "- %s form, %s rounding: %s\n", w.Form, w.Rounding, w.Summary())
			}
		}
		if x := v.limit(s.claim); x > 0 {
			fmt.Fprintf(&b, "- sharp form, stochastic rounding, T to infinity: the floor is tight within a factor %.3g ([where BinaryConnect with Q_s ends](#where-binaryconnect-with-q_s-ends))\n", x)
		}
		fmt.Fprintf(&b, "- again: `tqn verify --claim %s --seed %d --out DIR`\n\n", s.claim, v.Manifest.Seed)
		if v.Data == "" {
			f, err := s.figure(v.Manifest.Seed)
			if err != nil {
				return fmt.Errorf("reports: %s: %w", s.claim, err)
			}
			name := s.claim + ".png"
			if err := f.Save(filepath.Join(dir, name)); err != nil {
				return err
			}
			fmt.Fprintf(&b, "![%s](%s)\n\n%s\n\n", claim.Title, name, s.caption)
		}
		fmt.Fprintf(&b, "%s\n", VerdictTable(records, true).Markdown())
	}
	for _, c := range []struct{ name, meaning string }{
		{"theorem5", "The stationary law of SR does not depend on a small alpha: the chain T_alpha is I + alpha Q up to order alpha^2, so pi_alpha tends to the stationary law of Q. In one dimension and with alpha|g| <= Delta the two chains are equal. The printed down-rate has the wrong sign."},
		{"theorem6", "SR mixes in Theta(1/alpha) steps: alpha M_eps tends to the mixing time of the continuous-time chain exp(tQ). The bound is from below, so the lines theorem6.lower compare 1/M_eps with 1/bound."},
	} {
		records := ofClaim(v.Records, c.name)
		if len(records) == 0 {
			continue
		}
		fmt.Fprintf(&b, "## Theorem %s\n\n%s `tqn toy` and `tqn chain` draw and analyse such chains.\n\nagain: `tqn verify --claim %s --seed %d --out DIR`\n\n%s\n",
			c.name[len(c.name)-1:], c.meaning, c.name, v.Manifest.Seed, VerdictTable(records, true).Markdown())
	}
	if v.Data == "" && slices.ContainsFunc(v.Records, func(r evidence.Record) bool { return r.Claim == "corollary1" }) {
		if err := writeQuantizedWeights(&b, v.Manifest.Seed); err != nil {
			return fmt.Errorf("reports: %w", err)
		}
	}
	writeTightness(&b, v)
	return runfolder.WriteFile(filepath.Join(dir, "verify.md"), []byte(b.String()))
}

// writeGlance is the report's summary: a line for every result and rounding, with its tightness where that has been searched.
func writeGlance(b *strings.Builder, v Verification) {
	fmt.Fprintf(b, "## At a glance\n\nIn brackets the largest measured/bound of the run, controls apart; above 1 the statement is false. ")
	t := &Table{Header: []string{"result", "rounding", "as printed", "derived", "sharp"}}
	if len(v.Worst) > 0 {
		t.Header = append(t.Header, "tight within")
		fmt.Fprintf(b, "The last column is bound/measured for the sharpest form on the worst instance that "+
			"a search found ([How tight](#how-tight)): no better bound can be smaller by more than that factor. ")
	}
	for _, claim := range bounds.Claims() {
		for _, r := range claim.Roundings {
			records := ofRounding(ofClaim(v.Records, claim.Name), r)
			if len(records) == 0 {
				continue
			}
			row := []any{claim.Title, r, status(records, bounds.Printed, bounds.Appendix), status(records, bounds.Derived), status(records, bounds.Sharp)}
			if len(v.Worst) > 0 {
				row = append(row, v.tight(claim.Name, r))
			}
			t.Add(row...)
		}
	}
	fmt.Fprintf(b, "Proofs and counterexamples are in docs/errata.md and package bounds.\n\n%s\n", t.Markdown())
}

// tight says within which factor the sharpest form of a result is tight.
func (v Verification) tight(claim string, r bounds.Rounding) string {
	s := "-"
	for _, w := range v.Worst { // the last is the sharpest form's
		if w.Claim == claim && w.Rounding == r {
			s = fmt.Sprintf("%.3g", 1/w.Found)
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

// status says how a result fares in some forms: the statement itself and, by name, those lines of its proof that are false.
func status(records []evidence.Record, forms ...bounds.Form) string {
	var worst float64
	var lines []string
	seen, violated, undecided := false, false, false
	for _, r := range records {
		if !slices.Contains(forms, bounds.Form(r.Form)) || strings.HasPrefix(r.Instance, "control: ") {
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

func ofRounding(records []evidence.Record, r bounds.Rounding) []evidence.Record {
	return slices.DeleteFunc(slices.Clone(records), func(x evidence.Record) bool { return x.Rounding != string(r) })
}

// ofClaim are the records of a claim and of the lines of its proof.
func ofClaim(records []evidence.Record, claim string) []evidence.Record {
	var rs []evidence.Record
	for _, r := range records {
		if r.Claim == claim || strings.HasPrefix(r.Claim, claim+".") {
			rs = append(rs, r)
		}
	}
	return rs
}

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

// writeViolations lists what is false and was expected to be, controls apart.
func writeViolations(b *strings.Builder, records []evidence.Record) {
	var false_, controls []evidence.Record
	for _, r := range records {
		switch {
		case r.Verdict != evidence.Violated.String():
		case strings.HasPrefix(r.Instance, "control: "):
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

func writeTightness(b *strings.Builder, v Verification) {
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
			"the smallest, phi^5/4 = %.4f with phi the golden ratio, is that of mu = 0.\n\n", math.Pow(math.Phi, 5)/4)
		t := &Table{Header: []string{"mu/L", "w*", "kink", "F - F* at the end", "floor (L - mu)/8", "measured/bound", "tight within"}}
		for _, k := range v.Kinks {
			t.Add(fmt.Sprint(k.Mu), fmt.Sprintf("%.4f", k.Center), fmt.Sprintf("%.4f", k.Kink), fmt.Sprintf("%.5f", k.Gap), fmt.Sprintf("%.5f", k.Floor),
				fmt.Sprintf("%.4f", k.Gap/k.Floor), fmt.Sprintf("%.2f", k.Floor/k.Gap))
		}
		b.WriteString(t.Markdown())
	}
}

// writeQuantizedWeights tabulates F(w_b) beside F(w_r).
func writeQuantizedWeights(b *strings.Builder, seed uint64) error {
	const runs = 64
	fmt.Fprintf(b, "## The quantized weights of BinaryConnect\n\nTheorems 3 and 4 and Corollary 1 are about the real-valued weights w_r; what one deploys is w_b = Q(w_r). "+
		"Means of %d runs on the figures' problems, d = 4, Delta = 1/2, T = 10000; estimates without a verdict.\n\n", runs)
	t := &Table{Header: []string{"step sizes and problem of", "rounding", "F(wbar_r) - F*", "mean of F(w_r^t) - F*", "mean of F(w_b^t) - F*"}}
	for _, claim := range []string{"theorem3", "theorem4", "corollary1"} {
		in, err := bcInstance(claim)
		if err != nil {
			return err
		}
		for _, r := range []struct {
			name string
			rule quantize.Rule
		}{{"stochastic", quantize.BCStochastic}, {"nearest", quantize.BC}} {
			c := meanCurve(in, r.rule, seed, runs)
			n := len(c.T) - 1
			t.Add(claim, r.name, c.Average[n], c.MeanGap[n], c.Read[n])
		}
	}
	fmt.Fprintf(b, "%s\n", t.Markdown())
	return nil
}

// Dashes of the bounds, so that they are told apart from measurements without colour.
var (
	boundDashes = []vg.Length{vg.Points(6), vg.Points(3)}
	boundDots   = []vg.Length{vg.Points(1.5), vg.Points(2.5)}
)

// formStyle is colour and dashes of a bound.
func formStyle(f bounds.Form) (color.Color, []vg.Length) {
	switch f {
	case bounds.Printed:
		return Palette[1], boundDashes
	case bounds.Appendix:
		return Palette[5], boundDashes
	case bounds.Derived:
		return Palette[2], boundDashes
	}
	return Palette[3], boundDots
}

// logPanel is a panel with two logarithmic axes.
func logPanel(f *Figure, title, x, y string) *Panel {
	p := f.Panel(title, x, y)
	Logarithmic(&p.X)
	Logarithmic(&p.Y)
	return p
}

// curve evaluates the forms of a claim along xs and draws those that exist.
func curves(p *Panel, claim string, r bounds.Rounding, suffix string, forms []bounds.Form, xs []float64, at func(x float64) bounds.Parameters, part func(bounds.Value) float64) error {
	c, err := bounds.Find(claim)
	if err != nil {
		return err
	}
	for _, f := range forms {
		if !slices.Contains(c.Forms, f) {
			continue
		}
		ys := make([]float64, len(xs))
		exists := true
		for i, x := range xs {
			v, err := c.Bound(f, r, at(x))
			if err != nil {
				exists = false
				break
			}
			ys[i] = part(v)
		}
		if !exists {
			continue
		}
		name := string(f) + " bound" + suffix
		if k := p.sameLine(xs, ys); k != nil { // one line would hide the other
			k.name += " = " + name
			continue
		}
		colour, dashes := formStyle(f)
		if r == bounds.Nearest && f == bounds.Derived {
			colour = Palette[7]
		}
		p.Line(name, colour, xs, ys, dashes...)
	}
	return nil
}

func total(v bounds.Value) float64 { return v.Total() }
func floor(v bounds.Value) float64 { return v.Floor }

var allForms = []bounds.Form{bounds.Printed, bounds.Appendix, bounds.Derived, bounds.Sharp}

func floats(xs []int) []float64 {
	ys := make([]float64, len(xs))
	for i, x := range xs {
		ys[i] = float64(x)
	}
	return ys
}

// meanCurve averages runs trajectories.
func meanCurve(in convex.Instance, rule quantize.Rule, seed uint64, runs int) convex.Curve {
	if convex.Deterministic(in.Problem, rule) {
		runs = 1
	}
	noise := quantize.NewNoise(seed)
	mean := convex.Trajectory(in, rule, noise, 0)
	add := func(dst, src []float64, w float64) {
		for i := range dst {
			dst[i] += (src[i] - dst[i]) * w
		}
	}
	for i := 1; i < runs; i++ {
		c := convex.Trajectory(in, rule, noise, uint32(i))
		w := 1 / float64(i+1)
		add(mean.Average, c.Average, w)
		add(mean.MeanGap, c.MeanGap, w)
		add(mean.Read, c.Read, w)
	}
	return mean
}

func lemma1Figure(uint64) (*Figure, error) {
	f := NewFigure(1)
	p := logPanel(f, "Lemma 1: rounding error of one step", "step size α", "E|r|²")
	q := convex.NewQuadratic(-1, 1, []float64{1, 0.5}, []float64{0.3, -0.2}, 0.3)
	in, err := convex.NewInstance(q, 1./8, nil, convex.Strong(0.5), 1)
	if err != nil {
		return nil, err
	}
	var alphas, moments []float64
	for e := -5.0; e <= 0; e += 0.0625 {
		alphas = append(alphas, math.Pow(10, e))
		moments = append(moments, convex.RoundingError(in, math.Pow(10, e)))
	}
	p.Line("largest E|r|², exact", Palette[0], alphas, moments)
	at := func(alpha float64) bounds.Parameters {
		b := in.Parameters(1)
		b.Alpha = alpha
		return b
	}
	if err := curves(p, "lemma1", bounds.Stochastic, "", allForms, alphas, at, total); err != nil {
		return nil, err
	}
	p = logPanel(f, "against the dimension, α = 1e-4", "dimension d", "E|r|²")
	var dims, errors []float64
	params := map[float64]bounds.Parameters{}
	for d := 1; d <= 8; d++ {
		center := make([]float64, d)
		for k := range center {
			center[k] = 0.31
		}
		h := convex.NewHuber(-1, 1, 1, 0.01, 0, center, 0)
		in, err := convex.NewInstance(h, 1, nil, convex.Root(1), 1)
		if err != nil {
			return nil, err
		}
		dims = append(dims, float64(d))
		errors = append(errors, convex.RoundingError(in, 1e-4))
		b := in.Parameters(1)
		b.Alpha = 1e-4
		params[float64(d)] = b
	}
	p.Points("largest E|r|², exact", Palette[0], draw.CircleGlyph{}, dims, errors)
	return f, curves(p, "lemma1", bounds.Stochastic, "", allForms, dims, func(d float64) bounds.Parameters { return params[d] }, total)
}

func srFigure(claim string, seed uint64) (*Figure, error) {
	f := NewFigure(1)
	q := convex.NewQuadratic(-1, 1, []float64{1, 0.5}, []float64{0.3, -0.2}, 0.3)
	schedule := func(p convex.Problem) convex.Schedule {
		if claim == "theorem1" {
			return convex.Strong(p.Constants().Mu)
		}
		return convex.Root(convex.Diameter(p) / p.Constants().G)
	}
	in, err := convex.NewInstance(q, 1./8, nil, schedule(q), 10_000)
	if err != nil {
		return nil, err
	}
	tr, err := convex.Follow(in, true)
	if err != nil {
		return nil, err
	}
	p := logPanel(f, "gap against T", "T", "F − F*")
	ts := floats(tr.T)
	p.Line("SR: E F(wbar_T) - F*", Palette[0], ts, tr.Average)
	p.Line("SR: mean of E F(w^t) - F*", Palette[4], ts, tr.MeanGap)
	float := meanCurve(in, quantize.Float, seed, 64)
	p.Line("plain SGD: F(wbar_T) - F*", Palette[6], floats(float.T), float.Average)
	if err := curves(p, claim, bounds.Stochastic, "", allForms, ts, func(t float64) bounds.Parameters { return in.Parameters(int(t)) }, total); err != nil {
		return nil, err
	}

	mu := 0.0
	if claim == "theorem1" {
		mu = 1e-3 // strongly convex; small beside the slope 1, so that the floor is still attained
	}
	p = logPanel(f, "floor against Δ", "Δ", "F − F*")
	var deltas, tight, late []float64
	params := map[float64]bounds.Parameters{}
	for _, delta := range []float64{1. / 32, 1. / 16, 1. / 8, 1. / 4, 1. / 2} {
		deltas = append(deltas, delta)
		t := convex.Tight(1, delta, 1, mu)
		tight = append(tight, convex.LimitSR(t))
		ti, err := convex.NewInstance(t, delta, nil, schedule(t), 1)
		if err != nil {
			return nil, err
		}
		params[delta] = ti.Parameters(1)
		qi, err := convex.NewInstance(q, delta, q.Minimiser(), schedule(q), 2000)
		if err != nil {
			return nil, err
		}
		g, err := convex.LateGap(qi)
		if err != nil {
			return nil, err
		}
		late = append(late, g)
	}
	p.Points("tight problem: limit of F(E wbar_T)", Palette[0], draw.CircleGlyph{}, deltas, tight)
	p.Points("quadratic: mean of F(w^t), t > 1000", Palette[4], draw.PyramidGlyph{}, deltas, late)
	if err := curves(p, claim, bounds.Stochastic, ": floor (tight problem)", []bounds.Form{bounds.Printed}, deltas, func(x float64) bounds.Parameters { return params[x] }, floor); err != nil {
		return nil, err
	}

	p = logPanel(f, "floor against d, G = 1", "dimension d", "F − F*")
	var dims, ends []float64
	for d := 1.0; d <= 64; d *= 2 {
		dims = append(dims, d)
		ends = append(ends, d*convex.LimitSR(convex.Tight(1, 0.5, 1/math.Sqrt(d), mu)))
		t := convex.Tight(int(d), 0.5, 1/math.Sqrt(d), mu)
		ti, err := convex.NewInstance(t, 0.5, nil, schedule(t), 1)
		if err != nil {
			return nil, err
		}
		params[d] = ti.Parameters(1)
	}
	p.Points("tight problem: limit of F(E wbar_T)", Palette[0], draw.CircleGlyph{}, dims, ends)
	return f, curves(p, claim, bounds.Stochastic, ": floor", []bounds.Form{bounds.Printed}, dims, func(x float64) bounds.Parameters { return params[x] }, floor)
}

// bcProblem returns d copies of the claim's problem with the minimiser at the same
// place of its cell for every delta, a tenth of a step above a grid point.
func bcProblem(claim string, d int, delta, noise float64) convex.Problem {
	center := make([]float64, d)
	h := make([]float64, d)
	for k := range center {
		center[k], h[k] = 0.1*delta, 1
	}
	if claim == "theorem4" {
		return convex.NewHalfCubic(-1, 1, 1, 2, center, noise)
	}
	return convex.NewQuadratic(-1, 1, h, center, noise)
}

func bcSchedule(claim string, p convex.Problem) convex.Schedule {
	if claim == "theorem3" {
		return convex.Root(convex.Diameter(p) / p.Constants().G)
	}
	return convex.Strong(p.Constants().Mu)
}

// bcDelta is the grid step of the BC figures where it does not vary.
const bcDelta = 0.5

func bcInstance(claim string) (convex.Instance, error) {
	p := bcProblem(claim, 4, bcDelta, 0.3)
	return convex.NewInstance(p, bcDelta, nil, bcSchedule(claim, p), 10_000)
}

func bcFigure(claim string, seed uint64) (*Figure, error) {
	f := NewFigure(1)
	in, err := bcInstance(claim)
	if err != nil {
		return nil, err
	}
	p := logPanel(f, "gap against T, d = 4", "T", "F − F*")
	qs := meanCurve(in, quantize.BCStochastic, seed, 64)
	qd := meanCurve(in, quantize.BC, seed, 64)
	float := meanCurve(in, quantize.Float, seed, 64)
	ts := floats(qs.T)
	p.Line("Q_s: F(wbar_r) - F*", Palette[0], ts, qs.Average)
	p.Line("Q_s: mean of F(w_b^t) - F*", Palette[4], ts, qs.Read)
	p.Line("Q_d: F(wbar_r) - F*", Palette[5], ts, qd.Average)
	p.Line("Q_d: mean of F(w_b^t) - F*", Palette[7], ts, qd.Read)
	p.Line("plain SGD: F(wbar_T) - F*", Palette[6], ts, float.Average)
	at := func(t float64) bounds.Parameters { return in.Parameters(int(t)) }
	if err := curves(p, claim, bounds.Stochastic, "", []bounds.Form{bounds.Printed}, ts, at, total); err != nil {
		return nil, err
	}
	if err := curves(p, claim, bounds.Stochastic, ", Q_s", []bounds.Form{bounds.Derived}, ts, at, total); err != nil {
		return nil, err
	}
	if err := curves(p, claim, bounds.Nearest, ", Q_d", []bounds.Form{bounds.Sharp}, ts, at, total); err != nil {
		return nil, err
	}

	limits := func(p *Panel, xs []float64, at func(x float64) (convex.Problem, float64, int)) error {
		var d, s []float64
		params := map[float64]bounds.Parameters{}
		for _, x := range xs {
			one, delta, n := at(x)
			g, err := quantize.NewGrid(delta, -1, 1)
			if err != nil {
				return err
			}
			d = append(d, float64(n)*convex.LimitBC(one, g, bounds.Nearest))
			s = append(s, float64(n)*convex.LimitBC(one, g, bounds.Stochastic))
			whole := bcProblem(claim, n, delta, 0)
			in, err := convex.NewInstance(whole, delta, nil, bcSchedule(claim, whole), 1)
			if err != nil {
				return err
			}
			b := in.Parameters(1)
			b.T = 1e9 // where the form with the smallest floor is the smallest
			params[x] = b
		}
		for i := range s {
			if s[i] < 1e-15 { // zero up to rounding: no point on a logarithmic axis
				s[i] = 0
			}
		}
		p.Points("Q_d: limit of F(wbar_r) - F*", Palette[5], draw.CircleGlyph{}, xs, d)
		p.Points("Q_s: limit of F(wbar_r) - F*", Palette[0], draw.PyramidGlyph{}, xs, s)
		at2 := func(x float64) bounds.Parameters { return params[x] }
		if err := curves(p, claim, bounds.Nearest, ", Q_d: floor", []bounds.Form{bounds.Derived, bounds.Sharp}, xs, at2, floor); err != nil {
			return err
		}
		if err := curves(p, claim, bounds.Nearest, ": floor", []bounds.Form{bounds.Printed}, xs, at2, floor); err != nil {
			return err
		}
		return curves(p, claim, bounds.Stochastic, ", Q_s: floor", []bounds.Form{bounds.Derived}, xs, at2, floor)
	}
	p = logPanel(f, "floor against Δ, d = 1", "Δ", "F − F*")
	if err := limits(p, []float64{1. / 32, 1. / 16, 1. / 8, 1. / 4, 1. / 2, 1}, func(x float64) (convex.Problem, float64, int) { return bcProblem(claim, 1, x, 0), x, 1 }); err != nil {
		return nil, err
	}
	p = logPanel(f, "floor against d, Δ = 1/2", "dimension d", "F − F*")
	err = limits(p, []float64{1, 2, 4, 8, 16, 32, 64}, func(x float64) (convex.Problem, float64, int) {
		return bcProblem(claim, 1, bcDelta, 0), bcDelta, int(x)
	})
	return f, err
}
