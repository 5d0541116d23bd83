package reports

import (
	"cmp"
	"fmt"
	"path/filepath"
	"strings"

	"tqn/bounds"
	"tqn/evidence"
	"tqn/referee"
)

// writeResult writes the page of one result and its picture.
func (v Verification) writeResult(dir string, r referee.Result) error {
	var b strings.Builder
	p := func(format string, args ...any) { fmt.Fprintf(&b, format+"\n", args...) }
	claim := r.Statement
	records := referee.Of(v.Records, claim.Name)
	p("# %s\n", claim.Title)
	p("**%s**\n", r.Meaning)
	if r.Caveat != "" {
		p("%s\n", r.Caveat)
	}
	p("[All results](%s); its words (*printed*, *derived*, *exact*, ...) are explained there.\n", VerificationFile)
	p("- algorithm: %s", claim.Algorithm)
	p("- left side: `%s`", claim.Bounds)
	p("- assumptions: %s", strings.Join(claim.Assumptions, "; "))
	p("- printed: `%s` (%s)", claim.Statement, claim.Source)
	for _, q := range claim.Roundings {
		for _, f := range []bounds.Form{bounds.Derived, bounds.Sharp} {
			if formula := claim.Formula(f, q); formula != "" {
				p("- %s, %s: `%s`", f, quantizer(q), formula)
			}
		}
	}
	for _, w := range v.Worst {
		if w.Claim == claim.Name {
			p("- how tight, %s form, %s: %s", w.Form, quantizer(w.Rounding), w.Summary())
		}
	}
	if x := v.limit(claim.Name); x > 0 {
		p("- how tight, sharp form, Q_s, T to infinity: the floor is tight within a factor %.3g ([where BinaryConnect with Q_s ends](%s#where-binaryconnect-with-q_s-ends))", x, tightnessFile)
	}
	p("- this page again: %s\n", code(v.Again(claim.Name)))
	for _, key := range []string{claim.Name, claim.Name + ".worst-case"} {
		f, ok := v.Figures[key]
		if !ok {
			continue
		}
		name := strings.ReplaceAll(key, ".", "-") + ".png"
		if err := drawn(f).Save(filepath.Join(dir, name), v.Formats...); err != nil {
			return err
		}
		p("![%s: %s](%s)\n\n%s\n", f.Title, f.Conclusion, name, cmp.Or(f.Caption, r.Caption))
	}
	judgements(&b, r, records)
	if claim.Name == "corollary1" && len(v.Quantized) > 0 {
		writeQuantizedWeights(&b, v.Quantized)
	}
	return writePage(dir, claim.Name+".md", b.String())
}

// judgements has a table for every claim of a result, and one for its planted defects.
func judgements(b *strings.Builder, result referee.Result, records []evidence.Record) {
	for _, c := range result.Claims {
		t := &Table{Header: []string{"instance", "form", "measured", "bound", "measured/bound", "verdict"}}
		for _, r := range records {
			if r.Claim == c.Name && !referee.IsControl(r) {
				t.Add(r.Instance, form(r), measured(r), r.Bound, ratio(r.Ratio), verdict(r))
			}
		}
		if len(t.Rows) > 0 {
			fmt.Fprintf(b, "## %s\n\n%s.\n\n%s\n", c.Name, capital(c.Says), t.Markdown())
		}
	}
	t := &Table{Header: []string{"what is planted", "in the check of", "measured", "bound", "measured/bound", "verdict"}}
	for _, r := range records {
		if referee.IsControl(r) {
			t.Add(strings.TrimPrefix(r.Instance, "control: "), r.Claim+", "+form(r), measured(r), r.Bound, ratio(r.Ratio), verdict(r))
		}
	}
	if len(t.Rows) > 0 {
		fmt.Fprintf(b, "## Planted defects\n\nEach has to come out violated, or the check that it is planted in would prove nothing.\n\n%s\n", t.Markdown())
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
