package main

import (
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/spf13/cobra"

	"tqn/markov"
	"tqn/reports"
)

func newChainCommand(e *env) *cobra.Command {
	var format string
	alpha, eps := 1.0, 0.25
	cmd := &cobra.Command{
		Use:   "chain FILE",
		Short: "analyse a finite Markov chain: stationary laws, gap, mixing time",
		Long: `chain reads a chain and prints its classes, stationary law, spectral gap,
relaxation and mixing time, Kemeny's constant and conductance. FILE is

  --format matrix   a row-stochastic matrix, one row a line, separated by commas;
                    the entries off the diagonal are the data, the diagonal is
                    checked. With --alpha A: the chain I + A*(P - I).
  --format rates    lines from,to,rate with states from 0: the chain I + A*Q.
                    Rates may be as small as 1e-300.

FILE - is standard input. The mixing time is that of equation (10): worst start,
total variation, exact, without a cap.`,
		Example: `  tqn chain chain.csv
  tqn chain rates.csv --format rates --alpha 1e-12 --eps 0.01 --json`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			c, err := readChain(args[0], format, alpha, cmd.InOrStdin())
			if err != nil {
				return err
			}
			a, err := c.Analyse(eps)
			if err != nil {
				return err
			}
			if e.json {
				return e.printJSON(a)
			}
			fmt.Fprint(e.stdout, chainText(c, a))
			return nil
		},
	}
	cmd.Flags().StringVar(&format, "format", "matrix", "matrix or rates")
	cmd.Flags().Float64Var(&alpha, "alpha", alpha, "alpha of I + alpha*Q")
	cmd.Flags().Float64Var(&eps, "eps", eps, "eps of the mixing time, between 0 and 1")
	return cmd
}

func readChain(name, format string, alpha float64, stdin io.Reader) (*markov.Chain, error) {
	in := stdin
	if name != "-" {
		f, err := os.Open(name)
		if err != nil {
			return nil, fmt.Errorf("chain: %w", err)
		}
		defer f.Close()
		in = f
	}
	switch format {
	case "rates":
		return markov.ReadRates(in, name, alpha)
	case "matrix":
		c, err := markov.ReadMatrix(in, name)
		if err != nil || alpha == 1 {
			return c, err
		}
		return c.WithAlpha(alpha)
	}
	return nil, fmt.Errorf("chain: --format is %q; want matrix or rates", format)
}

func chainText(c *markov.Chain, a markov.Analysis) string {
	var b strings.Builder
	t := reports.Table{Header: []string{"quantity", "value"}}
	number := func(name string, v *float64) {
		if v != nil {
			t.Add(name, fmt.Sprintf("%.12g", *v))
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
	number("spectral gap", a.Gap)
	number("relaxation time (steps)", a.RelaxationTime)
	number("Kemeny's constant (steps)", a.Kemeny)
	if phi := a.Conductance; phi != nil {
		name := "conductance (upper bound)"
		if phi.Exact {
			name = "conductance"
		}
		t.Add(name, fmt.Sprintf("%.12g", phi.Value))
	}
	if a.MixingTime != nil {
		t.Add(fmt.Sprintf("mixing time, eps = %g (steps)", a.Mixing.Eps), *a.MixingTime)
		number("alpha times mixing time", a.MixingTimeScaled)
	}
	if a.Bounds != nil {
		t.Add(fmt.Sprintf("mixing time, eps = %g, at least", a.Bounds.Eps), fmt.Sprintf("%.6g (%s)", a.Bounds.Lower, a.Bounds.LowerBy))
		t.Add("mixing time, at most", fmt.Sprintf("%.6g (%s)", a.Bounds.Upper, a.Bounds.UpperBy))
	}
	b.WriteString(t.Text())
	for _, note := range a.Notes {
		fmt.Fprintf(&b, "note: %s\n", note)
	}
	for i, law := range a.Laws {
		if len(a.Laws) == 1 {
			b.WriteString("\nstationary law\n")
		} else {
			fmt.Fprintf(&b, "\nstationary law %d of %d, period %d\n", i+1, len(a.Laws), law.Class.Period)
		}
		const most = 40
		lt := reports.Table{Header: []string{"state", "probability"}}
		for k, x := range law.Class.States {
			if k == most {
				break
			}
			lt.Add(x, fmt.Sprintf("%.12g", law.Law[x]))
		}
		b.WriteString(lt.Text())
		if more := len(law.Class.States) - most; more > 0 {
			fmt.Fprintf(&b, "and %d more states: --json prints all\n", more)
		}
	}
	return b.String()
}
