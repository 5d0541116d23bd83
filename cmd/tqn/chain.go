package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"runtime/debug"
	"strings"

	"github.com/spf13/cobra"

	"tqn/markov"
	"tqn/reports"
)

const chainHelp = `chain reads a chain and prints its classes, stationary laws, spectral gap,
relaxation and mixing time, Kemeny's constant, conductance and, for transient
states, where they end and when. FILE is

  --format matrix     a row-stochastic matrix, one row a line; the entries off the
                      diagonal are the data, the diagonal is checked. --normalise
                      divides each row by its sum. With --alpha A: I + A*(P - I).
  --format rates      lines from,to,rate: the chain I + A*Q. States are numbers from
                      0 (from 1 with --from-one) or names. Rates may be as small
                      as 1e-300.
  --format generator  a matrix of rates whose diagonal is minus the rest of its row:
                      I + A*Q, by default with the smaller of 1 and half of the
                      largest A.
  --format counts     a matrix of transition counts; each row is divided by its sum.

Fields are separated by commas, semicolons, tabs or blanks. A heading and a first
column may name the states. FILE - is standard input.

Every probability of a law is right to the relative error printed beside it, which
is proven and at most 1e-8; a law that cannot be proven is an error. A note counts
the probabilities that are too small for that, as a rule below 2.3e-308. A gap has as
many digits as its proven error leaves. The mixing time is that of equation (10):
worst start, total variation, without a cap, for eps from 1e-300; it is exact up
to 1e12 steps.`

func newChainCommand(e *env) *cobra.Command {
	format, plot := string(markov.MatrixFormat), ""
	o := markov.FileOptions{Alpha: 1}
	eps := 0.25
	cmd := &cobra.Command{
		Use:   "chain FILE",
		Short: "analyse a finite Markov chain: stationary laws, gap, mixing time",
		Long:  chainHelp,
		Example: `  tqn chain docs/samples/chain.csv
  tqn chain docs/samples/rates.csv --format rates --alpha 1e-12 --eps 0.01 --json`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			o.Format = markov.Format(format)
			if o.Format == markov.GeneratorFormat && !cmd.Flags().Changed("alpha") {
				o.Alpha = 0
			}
			if err := checkChainFlags(o, plot); err != nil {
				return err
			}
			f, err := readChain(args[0], o, cmd.InOrStdin())
			if err != nil {
				return err
			}
			return analyseChain(cmd.Context(), e, f, eps, plot)
		},
	}
	cmd.Flags().StringVar(&format, "format", format, "matrix, rates, generator or counts")
	cmd.Flags().Float64Var(&o.Alpha, "alpha", o.Alpha, "alpha of I + alpha*Q")
	cmd.Flags().Float64Var(&eps, "eps", eps, "eps of the mixing time, between 0 and 1, at least 1e-300")
	cmd.Flags().BoolVar(&o.FromOne, "from-one", false, "states of --format rates are numbers from 1")
	cmd.Flags().BoolVar(&o.Normalise, "normalise", false, "divide each row of a matrix by its sum")
	cmd.Flags().StringVar(&plot, "plot", "", "write a picture of the law and of the decay of the distance to it: a .png, .svg or .pdf file")
	_ = cmd.RegisterFlagCompletionFunc("format", cobra.FixedCompletions([]string{"matrix", "rates", "generator", "counts"}, cobra.ShellCompDirectiveNoFileComp))
	return cmd
}

// checkChainFlags refuses flags that have no effect.
func checkChainFlags(o markov.FileOptions, plot string) error {
	switch {
	case o.FromOne && o.Format != markov.RatesFormat:
		return fmt.Errorf("chain: --from-one is for --format rates; the states of a matrix are its rows")
	case o.Normalise && o.Format != markov.MatrixFormat:
		return fmt.Errorf("chain: --normalise is for --format matrix")
	case plot == "":
		return nil
	}
	if _, err := plotFormat(plot); err != nil {
		return err
	}
	return writableFile("--plot", plot)
}

// readChain opens and reads a chain. A named pipe is read as shells hand them over;
// devices, which may never end, and folders are refused.
func readChain(name string, o markov.FileOptions, stdin io.Reader) (markov.File, error) {
	if name == "-" {
		return markov.ReadFile(stdin, name, o)
	}
	info, err := os.Stat(name)
	switch {
	case err != nil:
		return markov.File{}, fmt.Errorf("chain: %w", err)
	case info.IsDir():
		return markov.File{}, fmt.Errorf("chain: %s is a folder; want a file", name)
	case info.Mode()&os.ModeDevice != 0:
		return markov.File{}, fmt.Errorf("chain: %s is a device; want a file, or - for standard input", name)
	}
	in, err := os.Open(name)
	if err != nil {
		return markov.File{}, fmt.Errorf("chain: %w", err)
	}
	defer in.Close()
	return markov.ReadFile(in, name, o)
}

// softMemory is the memory above which the garbage collector works harder: large
// chains leave much behind from one stage to the next.
const softMemory = 768 << 20

func analyseChain(ctx context.Context, e *env, f markov.File, eps float64, plot string) error {
	if before := debug.SetMemoryLimit(-1); before > softMemory {
		defer debug.SetMemoryLimit(debug.SetMemoryLimit(softMemory))
	}
	a, err := f.Chain.AnalyseContext(ctx, eps)
	if errors.Is(err, markov.ErrUncertified) {
		return fmt.Errorf("%w; known are: %s", err, known(a))
	}
	if err != nil {
		return err
	}
	a.Labels = f.Labels
	a.Notes = append(f.Notes, a.Notes...)
	if plot != "" {
		if err := plotChain(ctx, f.Chain, a, plot); err != nil {
			return err
		}
	}
	if e.json {
		return e.printJSON(a)
	}
	_, err = fmt.Fprint(e.stdout, chainText(f.Chain, a))
	return err
}

// known says what an analysis without laws found out.
func known(a markov.Analysis) string {
	closed := 0
	for _, class := range a.Classes {
		if class.Closed {
			closed++
		}
	}
	return fmt.Sprintf("%s, %s, closed ones %d, irreducible %t, aperiodic %t", counted(a.States, "state"), counted(len(a.Classes), "class"), closed, a.Irreducible, a.Aperiodic)
}

// digits formats a number with the digits that a relative error leaves, at most 12.
func digits(v, relative float64) string {
	d := 12
	if relative > 0 {
		d = min(12, max(1, int(-math.Log10(relative))))
	}
	return fmt.Sprintf("%.*g", d, v)
}

func chainText(c *markov.Chain, a markov.Analysis) string {
	var b strings.Builder
	t := reports.Table{Header: []string{"quantity", "value"}}
	number := func(name string, v *float64, relative float64) {
		if v != nil {
			t.Add(name, digits(*v, relative))
		}
	}
	t.Add("states", a.States)
	t.Add("rates", c.Entries())
	t.Add("alpha", c.Alpha())
	t.Add("irreducible", a.Irreducible)
	t.Add("aperiodic", a.Aperiodic)
	if a.Reversible != nil {
		t.Add("reversible", *a.Reversible)
	}
	if a.ErrorBound != nil {
		t.Add("relative error of each probability, at most", fmt.Sprintf("%.2g", *a.ErrorBound))
	}
	gapError := 0.0
	if a.Gap != nil && *a.Gap > 0 {
		gapError = *a.GapError / *a.Gap
	}
	number("spectral gap", a.Gap, gapError)
	number("relaxation time (steps)", a.RelaxationTime, gapError)
	number("Kemeny's constant (steps)", a.Kemeny, 0)
	if a.Conductance != nil {
		name := "conductance (upper bound)"
		if *a.ConductanceExact {
			name = "conductance"
		}
		number(name, a.Conductance, 0)
	}
	if a.MixingTime != nil {
		t.Add(fmt.Sprintf("mixing time, eps = %g (steps)", a.Mixing.Eps), *a.MixingTime)
		number("alpha times mixing time", a.MixingTimeScaled, 0)
	}
	if a.Bounds != nil {
		t.Add(fmt.Sprintf("mixing time, eps = %g, at least", a.Bounds.Eps), fmt.Sprintf("%.6g (%s)", a.Bounds.Lower, a.Bounds.LowerBy))
		t.Add("mixing time, at most", fmt.Sprintf("%.6g (%s)", a.Bounds.Upper, a.Bounds.UpperBy))
	}
	b.WriteString(t.Text())
	for _, note := range a.Notes {
		fmt.Fprintf(&b, "note: %s\n", note)
	}
	writeLaws(&b, a)
	writeAbsorption(&b, a)
	return b.String()
}

// mostStates and mostLaws bound the tables of the text; --json prints all.
const (
	mostStates = 40
	mostLaws   = 20
)

// stateName is the label of a state, or its number.
func stateName(a markov.Analysis, x int) string {
	if a.Labels != nil {
		return a.Labels[x]
	}
	return fmt.Sprint(x)
}

func writeLaws(b *strings.Builder, a markov.Analysis) {
	closed := 0
	for _, class := range a.Classes {
		if class.Closed {
			closed++
		}
	}
	shown := 0
	for _, class := range a.Classes {
		if !class.Closed {
			continue
		}
		if shown++; shown > mostLaws {
			fmt.Fprintf(b, "\nand %d more stationary laws: --json prints all\n", closed-mostLaws)
			return
		}
		if closed == 1 {
			b.WriteString("\nstationary law\n")
		} else {
			fmt.Fprintf(b, "\nstationary law %d of %d, period %d, relative error at most %.2g\n", shown, closed, class.Period, *class.ErrorBound)
		}
		t := reports.Table{Header: []string{"state", "probability"}}
		for k, x := range class.States[:min(len(class.States), mostStates)] {
			t.Add(stateName(a, x), digits(class.Law[k], *class.ErrorBound))
		}
		b.WriteString(t.Text())
		if more := len(class.States) - mostStates; more > 0 {
			fmt.Fprintf(b, "and %d more states: --json prints all\n", more)
		}
	}
}

func writeAbsorption(b *strings.Builder, a markov.Analysis) {
	if len(a.Absorption) == 0 {
		return
	}
	classes := len(a.Absorption[0].Probabilities)
	fmt.Fprintf(b, "\ntransient states: probability of ending in each closed class, expected steps until then, relative error at most %.2g\n", *a.AbsorptionError)
	header := []string{"state", "steps"}
	for k := range min(classes, mostLaws) {
		header = append(header, fmt.Sprintf("law %d", k+1))
	}
	t := reports.Table{Header: header}
	for _, s := range a.Absorption[:min(len(a.Absorption), mostStates)] {
		row := []any{stateName(a, s.State), digits(s.Time, *a.AbsorptionError)}
		for _, p := range s.Probabilities[:min(classes, mostLaws)] {
			row = append(row, digits(p, *a.AbsorptionError))
		}
		t.Add(row...)
	}
	b.WriteString(t.Text())
	if len(a.Absorption) > mostStates || classes > mostLaws {
		fmt.Fprintf(b, "%s, %s: --json prints all\n", counted(len(a.Absorption), "transient state"), counted(classes, "closed class"))
	}
}
