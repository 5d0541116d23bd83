package reports

import (
	"fmt"
	"math"
	"strings"
)

const tightnessFile = "tightness.md"

// tightness is the page that says how much of each bound is lost, and where.
func (v Verification) tightness() string {
	b := &strings.Builder{}
	fmt.Fprintf(b, "# How tight the bounds are\n\n**A bound is tight within a factor x if some instance reaches the fraction 1/x of it: then no proof can make it smaller by more than x. This page has the instances that come closest, and the step of the proof at which the rest is lost.**\n\n[All results](%s)\n\n", VerificationFile)
	if len(v.Worst) > 0 {
		fmt.Fprintf(b, "## The worst instances\n\nmeasured/bound on random small instances (%s) and on the worst one found by local search from the best of them. Above 1 would refute the bound. "+
			"For BC with stochastic rounding the measured value is the mean of 32 runs and the search is a guide, not a verdict.\n\n", v.Worst[0].Family)
		t := &Table{Header: []string{"claim and form", "method", "instances searched", "random: median", "random: largest", "worst found", "verdict"}}
		for _, w := range v.Worst {
			t.Add(fmt.Sprintf("%s, %s, %s", w.Claim, w.Form, quantizer(w.Rounding)), w.Method, w.Searched, fmt.Sprintf("%.3g", w.Median), fmt.Sprintf("%.3g", w.Best), fmt.Sprintf("%.3g", w.Found), w.Summary())
		}
		fmt.Fprintf(b, "%s\nThe worst instances, and bound/measured as a product of what each step of the proof loses:\n\n", t.Markdown())
		for _, w := range v.Worst {
			fmt.Fprintf(b, "- %s, %s, %s: %s. Measured %.4g, bound %.4g = decay %.4g + floor %.4g", w.Claim, w.Form, quantizer(w.Rounding), w.Instance, w.Measured, w.Bound.Total(), w.Bound.Decay, w.Bound.Floor)
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
		t := &Table{Header: []string{"mu/L", "w*", "kink", "F - F* at the end", "floor (L - mu)/16", "measured/bound", "tight within"}}
		for _, k := range v.Kinks {
			t.Add(fmt.Sprint(k.Mu), fmt.Sprintf("%.4f", k.Center), fmt.Sprintf("%.4f", k.Kink), fmt.Sprintf("%.5f", k.Gap), fmt.Sprintf("%.5f", k.Floor),
				fmt.Sprintf("%.4f", k.Gap/k.Floor), fmt.Sprintf("%.2f", k.Floor/k.Gap))
		}
		b.WriteString(t.Markdown())
	}
	return b.String()
}
