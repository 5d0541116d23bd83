package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/spf13/cobra"

	"tqn/cluster"
	"tqn/convex"
	"tqn/evidence"
	"tqn/referee"
	"tqn/reports"
	"tqn/runfolder"
)

// verifyOptions are the flags of `tqn verify`.
type verifyOptions struct {
	claims       []string
	seed         uint64
	out          string
	data, target string
	categorical  []string
	drop         []string
	decimal      string
	model        string
	paper        string
	errata       string
	worstCases   string
	ridge, half  float64
	deltas       []float64
	t            int
	formats      []string
}

// newVerifyCommand is `tqn verify`: every claim, printed and derived, with verdicts.
func newVerifyCommand(e *env) *cobra.Command {
	var o verifyOptions
	cmd := &cobra.Command{
		Use:   "verify",
		Short: "verify every claim of the paper, as printed and as derived",
		Long: `verify measures the left side of every claim, exactly where that is possible and
with confidence sequences elsewhere, and compares it with the bound in every form. A
verdict is holds, false (violated) or undecided; the probability that a run contains a wrong
one is below 1e-6. "False as printed" is a finding about the paper: a counterexample has been
measured, and the derived form stands beside it. Mistakes put in on purpose are told apart:
all of them have to be caught. The exit code is 1 if any verdict is not as expected.

With --out, the report is written to a folder: verify.md sums it up, every result has a page
with its picture, and tightness.md says how much of each bound is lost. A run of some claims
or on --data does not replace the report of a whole run: it goes into a folder of its own
below it. With --data, the theorems are verified on least squares or logistic
regression on a CSV file: numbers with a header line; features are standardised. Fields are
separated by commas, semicolons, tabs, vertical bars or blanks, which the file shows, and
numbers have a decimal point or, throughout, a decimal comma (--decimal). Columns of texts are named with --categorical or left out with --drop; missing values are refused.`,
		Example: `  tqn verify
  tqn verify --claim theorem2 --claim corollary1 --json
  tqn verify --out report --formats png,pdf
  tqn verify --data docs/samples/houses.csv --target price --delta 0.25,0.0625 --t 1000`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if o.errata != "" {
				if cmd.Flags().NFlag() > 1 {
					return errors.New("--errata writes the list of errata and nothing else: no other flag has an effect with it")
				}
				if err := writableFile("--errata", o.errata); err != nil {
					return err
				}
				numbers, err := referee.NewErrata(cmd.Context())
				if err != nil {
					return err
				}
				return reports.WriteErrata(o.errata, numbers)
			}
			if o.worstCases != "" {
				if cmd.Flags().NFlag() > 1 {
					return errors.New("--worst-cases writes the page on worst cases and nothing else: no other flag has an effect with it")
				}
				if err := writableFile("--worst-cases", o.worstCases); err != nil {
					return err
				}
				rows, err := referee.WorstCases()
				if err != nil {
					return err
				}
				rounded, err := referee.RoundedWorstCases()
				if err != nil {
					return err
				}
				return reports.WriteWorstCases(o.worstCases, rows, rounded)
			}
			return e.verify(cmd.Context(), o)
		},
	}
	f := cmd.Flags()
	f.StringArrayVar(&o.claims, "claim", nil, "verify this claim and the lines of its proof only; may be repeated (lemma1, theorem1..6, corollary1, or a line such as theorem2.step-sum)")
	f.StringVar(&o.paper, "paper", "li2017", "the paper whose results are verified; later papers are named in docs/worst-cases.md, with why they are left out")
	f.Uint64Var(&o.seed, "seed", 1, "seed of the gradient samples and the stochastic rounding")
	f.StringVar(&o.out, "out", "", "folder for the report: verify.md, a page and a picture for every result")
	formatsFlag(cmd, &o.formats)
	f.StringVar(&o.errata, "errata", "", "write the list of errata with its counterexamples to this file, and nothing else")
	f.StringVar(&o.worstCases, "worst-cases", "", "check every certificate of a worst case and write the page about them to this file, and nothing else")
	f.StringVar(&o.data, "data", "", "CSV file with a header: verify on a regression on it instead of the built-in instances")
	f.StringVar(&o.target, "target", "", "the column of --data to predict")
	f.StringArrayVar(&o.categorical, "categorical", nil, "a column of --data whose texts name categories (yes and no, cities): it becomes columns of 0 and 1; may be repeated")
	f.StringArrayVar(&o.drop, "drop", nil, "a column of --data to leave out; may be repeated")
	f.StringVar(&o.decimal, "decimal", "", "decimal mark of --data: point or comma; default: the one that its numbers have")
	f.StringVar(&o.model, "model", "auto", "least-squares, logistic, or auto: logistic if the target has two values")
	f.Float64Var(&o.ridge, "ridge", 0.1, "ridge of the regression, >= 0")
	f.Float64Var(&o.half, "half", 1, "half width of the box W = [-half, half]^d of the regression")
	numbersFlag(f, &o.deltas, "delta", "grid steps for --data (default: 1/4 and 1/16 of the width of W)")
	f.IntVar(&o.t, "t", 1000, "averaged iterates for --data")
	_ = cmd.RegisterFlagCompletionFunc("claim", cobra.FixedCompletions(knownClaims(), cobra.ShellCompDirectiveNoFileComp))
	_ = cmd.RegisterFlagCompletionFunc("decimal", cobra.FixedCompletions([]string{"point", "comma"}, cobra.ShellCompDirectiveNoFileComp))
	_ = cmd.RegisterFlagCompletionFunc("model", cobra.FixedCompletions([]string{"auto", "least-squares", "logistic"}, cobra.ShellCompDirectiveNoFileComp))
	return cmd
}

// knownClaims are all names --claim takes.
func knownClaims() []string {
	paper, err := referee.Find("")
	if err != nil {
		panic("tqn: " + err.Error())
	}
	return paper.Names()
}

func (e *env) verify(ctx context.Context, o verifyOptions) error {
	start := time.Now()
	if _, err := referee.Find(o.paper); err != nil {
		return fmt.Errorf("--paper %s: %w", o.paper, err)
	}
	known := knownClaims()
	for _, c := range o.claims {
		if !slices.Contains(known, c) {
			return fmt.Errorf("--claim %s: no such claim; the claims are %s", c, strings.Join(known, ", "))
		}
	}
	if err := reports.CheckFormats(o.formats); err != nil {
		return fmt.Errorf("--formats: %w", err)
	}
	options := referee.Options{Paper: o.paper, Seed: o.seed, Claims: o.claims, Report: o.out != ""}
	if o.data != "" {
		p, err := o.problem(func(message string) { fmt.Fprintf(e.stderr, "tqn: warning: %s\n", message) })
		if err != nil {
			return err
		}
		options.Problem = &referee.Problem{Problem: p, Source: o.data, Deltas: o.deltas, T: o.t}
	}
	out, err := o.folder()
	if err != nil {
		return err
	}
	var finish func()
	options.Progress, finish = e.stages()
	found, err := referee.Run(ctx, options)
	finish()
	if err != nil {
		return err
	}
	v := reports.Verification{Verification: found, Formats: o.formats,
		Manifest: reports.Manifest{Command: o.command(o.claims), Seed: o.seed, Data: found.Data, WallTime: time.Since(start)},
		Again:    func(claim string) string { return o.command([]string{claim}) },
	}
	if out != "" {
		if err := v.Write(out); err != nil {
			return err
		}
	}
	if e.json {
		err = e.printJSON(v.Records)
	} else {
		_, err = fmt.Fprint(e.stdout, v.Text())
		if out != "" && err == nil {
			_, err = fmt.Fprintln(e.stdout, "report:", filepath.Join(out, reports.VerificationFile))
		}
	}
	if err != nil {
		return err
	}
	return judged(v.Records)
}

// folder is where the report goes: --out, or a folder below it where --out holds the
// report of a whole run, which this run would not replace by its like. It is made
// before any work, so that a folder that cannot be written is not found out at the end.
func (o verifyOptions) folder() (string, error) {
	if o.out == "" {
		return "", nil
	}
	out := o.out
	if partial := o.data != "" || len(o.claims) > 0; partial {
		text, err := runfolder.ReadFile(filepath.Join(out, reports.VerificationFile), runfolder.MaxText)
		if info, serr := os.Stat(out); errors.Is(err, runfolder.ErrStorage) && serr == nil && info.IsDir() { // else out itself is no folder, which writable tells
			return "", fmt.Errorf("--out %s may hold the report of a whole run, which this one does not replace: %w", out, err)
		}
		if err == nil && reports.WholeRun(text) {
			parts := slices.Clone(o.claims)
			if o.data != "" {
				parts = slices.Insert(parts, 0, filepath.Base(o.data))
			}
			out = filepath.Join(out, strings.Join(parts, "+"))
		}
	}
	return out, writable("--out", out)
}

// stages returns a progress function with a bar for each stage, and what finishes the
// last one.
func (e *env) stages() (report func(stage string, done, total int), finish func()) {
	var (
		mu      sync.Mutex
		current string
		bar     *progress
	)
	report = func(stage string, done, total int) {
		mu.Lock()
		defer mu.Unlock()
		if stage != current {
			if bar != nil {
				bar.finish()
			}
			current, bar = stage, e.newProgress(stage, int64(total), 0)
		}
		bar.set(int64(done), "")
	}
	return report, func() {
		if bar != nil {
			bar.finish()
		}
	}
}

// judged is nil, or an error that makes the exit code 1 if a verdict is not as
// expected.
func judged(records []evidence.Record) error {
	if bad := referee.Unexpected(records); len(bad) > 0 {
		return fmt.Errorf("%d of %d verdicts: %w", len(bad), len(records), errUnexpected)
	}
	return nil
}

// problem is the regression of --data. warn is told what may be wrong with the file.
func (o verifyOptions) problem(warn func(message string)) (convex.Problem, error) {
	if o.target == "" {
		return nil, errors.New("--data wants --target COLUMN: which column to predict")
	}
	f, err := openPlain(o.data)
	if err != nil {
		return nil, fmt.Errorf("--data: %w", err)
	}
	defer f.Close()
	table, err := convex.ReadTable(f, o.data, convex.Columns{Target: o.target, Categorical: o.categorical, Drop: o.drop, Decimal: o.decimal})
	if err != nil {
		return nil, err
	}
	for _, message := range table.Warnings {
		warn(message)
	}
	model := o.model
	if model == "auto" {
		model = "least-squares"
		if len(table.Classes()) == 2 {
			model = "logistic"
		}
	}
	switch model {
	case "least-squares":
		return table.LeastSquares(o.ridge, o.half)
	case "logistic":
		return table.Logistic(o.ridge, o.half)
	}
	return nil, fmt.Errorf("--model %s: want least-squares, logistic or auto", o.model)
}

// command is the command line that judges some claims again, as a shell takes it.
func (o verifyOptions) command(claims []string) string {
	words := []string{"tqn", "verify"}
	add := func(flag string, values ...string) {
		for _, v := range values {
			words = append(words, "--"+flag, v)
		}
	}
	add("claim", claims...)
	if o.data != "" {
		add("data", o.data)
		add("target", o.target)
		add("categorical", o.categorical...)
		add("drop", o.drop...)
		if o.decimal != "" {
			add("decimal", o.decimal)
		}
		add("model", o.model)
		add("ridge", fmt.Sprint(o.ridge))
		add("half", fmt.Sprint(o.half))
		add("t", fmt.Sprint(o.t))
		for _, d := range o.deltas {
			add("delta", fmt.Sprint(d))
		}
	}
	add("seed", fmt.Sprint(o.seed))
	add("out", o.out)
	return cluster.CommandLine(words...)
}
