package main

import (
	"fmt"
	"math"
	"slices"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"tqn/bounds"
)

// boundReport is what `tqn bound --json` prints.
type boundReport struct {
	Claim    string          `json:"claim"`
	Form     bounds.Form     `json:"form"`
	Rounding bounds.Rounding `json:"rounding"`
	Value    float64         `json:"value"`
	Decay    float64         `json:"decay"`
	Floor    float64         `json:"floor"`
}

// newBoundCommand is `tqn bound CLAIM`: one bound's value from its constants.
func newBoundCommand(e *env) *cobra.Command {
	p := bounds.Unknown()
	form, rounding := string(bounds.Printed), string(bounds.Stochastic)
	dim, steps, batch := math.NaN(), math.NaN(), math.NaN()
	var names []string
	for _, c := range bounds.Claims() {
		names = append(names, c.Name)
	}
	cmd := &cobra.Command{
		Use:   "bound CLAIM",
		Short: "the value of one bound: " + strings.Join(names, ", "),
		Long: `bound evaluates the right-hand side of one result from the constants given.
A constant that the result needs and that is not given is an error; no constant has
a default. Constants that contradict each other are an error that names the inequality
(L >= mu, D >= sqrt(d) Delta, G >= mu D/2), and so is a bound that is no float64.

Forms: printed (as in the paper), derived (what the paper's proof gives once its slips are
mended), sharp (the best bound proved here by a formula), moving (theorem2, theorem3: better
still, by a recursion over T); for theorem2 appendix (what Appendix C proves); with assumptions of
their own, which are printed: noise (theorem1, theorem2: the gradient's standard deviation
sigma and the batch size b are known, and the gradient of F vanishes at the minimiser),
separable (theorem3, theorem4: F is a sum of functions of one coordinate, so for d = 1) and
limit (corollary1 with nearest rounding: the limit as T grows, no bound at a finite T).
theorem5 bounds the entries of T_alpha - T~_alpha, theorem6 the mixing time from below.`,
		Example: `  tqn bound theorem2 --form derived --d 4 --delta 0.5 --g 2 --diameter 3 --c 2 --t 10000
  tqn bound theorem2 --form noise --d 4 --delta 0.5 --g 2 --l 1 --sigma 1 --b 16 --diameter 3 --c 2 --t 10000
  tqn bound theorem4 --rounding nearest --form derived --d 1 --delta 1 --g 0.7 --mu 1 --l 1 --diameter 1 --t 1e5 --json`,
		Args:              cobra.ExactArgs(1),
		ValidArgs:         names,
		ValidArgsFunction: cobra.FixedCompletions(names, cobra.ShellCompDirectiveNoFileComp),
		RunE: func(_ *cobra.Command, args []string) error {
			claim, err := bounds.Find(args[0])
			if err != nil {
				return err
			}
			if p.Dim, err = whole("--d", dim); err != nil {
				return err
			}
			if p.T, err = whole("--t", steps); err != nil {
				return err
			}
			if p.Batch, err = whole("--b", batch); err != nil {
				return err
			}
			f, r := bounds.Form(form), bounds.Rounding(rounding)
			v, err := claim.Bound(f, r, p)
			if err != nil {
				return err
			}
			if e.json {
				return e.printJSON(boundReport{claim.Name, f, r, v.Total(), v.Decay, v.Floor})
			}
			return e.printBound(claim, f, r, v)
		},
	}
	flags := cmd.Flags()
	flags.StringVar(&form, "form", form, "printed, derived, sharp, or one of appendix, moving, noise, separable and limit where a claim has it")
	flags.StringVar(&rounding, "rounding", rounding, "stochastic or nearest")
	for _, c := range []struct {
		value       *float64
		name, usage string
	}{
		{&dim, "d", "dimension d of w"},
		{&p.Delta, "delta", "spacing Delta of the grid (2 for weights -1 and +1)"},
		{&p.G, "g", "G: E|stochastic gradient|^2 <= G^2"},
		{&p.Mu, "mu", "strong convexity mu"},
		{&p.L, "l", "Lipschitz constant L of the gradient"},
		{&p.L2, "l2", "Lipschitz constant L2 of the Hessian"},
		{&p.Diameter, "diameter", "diameter D of the domain"},
		{&p.C, "c", "c of the step sizes c/sqrt(t)"},
		{&p.Alpha, "alpha", "step size alpha (lemma1, theorem5, theorem6)"},
		{&steps, "t", "number T of averaged iterates"},
		{&p.Sigma, "sigma", "E|stochastic gradient - gradient|^2 <= sigma^2 for one sample (form noise)"},
		{&batch, "b", "samples averaged in one step (form noise; 1 if not given)"},
		{&p.Tail, "tail", "C1 of theorem5: P(Z > v), P(Z < -v) <= C1/v^2"},
		{&p.Epsilon, "epsilon", "accuracy eps of the mixing time (theorem6)"},
		{&p.Mass, "mass", "stationary probability pi(y) of the start (theorem6)"},
		{&p.Rate, "rate", "rate R(y) of leaving the start (theorem6)"},
	} {
		flags.Float64Var(c.value, c.name, math.NaN(), c.usage)
		flags.Lookup(c.name).DefValue = "0" // hides the default: NaN stands for "not given"
	}
	complete := func(values ...string) cobra.CompletionFunc {
		return cobra.FixedCompletions(values, cobra.ShellCompDirectiveNoFileComp)
	}
	_ = cmd.RegisterFlagCompletionFunc("form", complete("printed", "derived", "sharp", "appendix", "moving", "noise", "separable", "limit"))
	_ = cmd.RegisterFlagCompletionFunc("rounding", complete("stochastic", "nearest"))
	return cmd
}

// whole converts a flag such as 1e5 to an int; not given is 0, which the bounds
// that need it refuse.
func whole(flag string, x float64) (int, error) {
	if math.IsNaN(x) {
		return 0, nil
	}
	if x != math.Trunc(x) || x < 1 || x > 1<<53 {
		return 0, fmt.Errorf("%s %v: want a whole number from 1 to 2^53", flag, x)
	}
	return int(x), nil
}

// furtherAssumptions are what the forms of [bounds.Claim].Further assume beside the result's own assumptions.
var furtherAssumptions = map[bounds.Form][]string{
	bounds.Noise:     {"F is convex and L-smooth on R^d", "grad F(w*) = 0", "E|g - grad F|^2 <= sigma^2", "b independent samples in a step"},
	bounds.Separable: {"F is a sum of functions of one coordinate each"},
	bounds.Limit:     {"the minimiser of F over R^d lies in W", "bounded gradient noise", "T -> infinity"},
}

// printBound writes the bound as a person reads it.
func (e *env) printBound(c bounds.Claim, f bounds.Form, r bounds.Rounding, v bounds.Value) error {
	w := tabwriter.NewWriter(e.stdout, 0, 0, 2, ' ', 0)
	relation := "at most"
	switch {
	case c.Name == "theorem6":
		relation = "at least"
	case f == bounds.Limit:
		relation = "in the limit"
	}
	lines := [][2]string{
		{c.Title, c.Source},
		{"algorithm", c.Algorithm + ", " + string(r) + " rounding"},
		{"assumes", strings.Join(append(slices.Clone(c.Assumptions), furtherAssumptions[f]...), "; ")},
		{"bounds", c.Bounds},
		{relation, c.Formula(f, r) + " (" + string(f) + ")"},
	}
	if c.Name != "theorem6" {
		lines = append(lines, [2]string{"decay", fmt.Sprintf("%.10g", v.Decay)}, [2]string{"floor", fmt.Sprintf("%.10g", v.Floor)})
	}
	for _, l := range slices.Concat(lines, [][2]string{{"value", fmt.Sprintf("%.10g", v.Total())}}) {
		fmt.Fprintf(w, "%s\t%s\n", l[0], l[1])
	}
	return w.Flush()
}
