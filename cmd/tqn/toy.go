package main

import (
	"context"
	"fmt"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"tqn/cluster"
	"tqn/reports"
	"tqn/toy"
)

func newToyCommand(e *env) *cobra.Command {
	o := toy.Default
	own := ownFlags{noise: fmt.Sprint(o.Noise), box: []float64{-3, 3}}
	var out string
	var formats []string
	cmd := &cobra.Command{
		Use:   "toy --out DIR",
		Short: "Figures 1 to 3: the toy problem (8) with exact laws over the histograms",
		Long: `toy simulates SR and BinaryConnect on equation (8), computes their stationary
laws (exactly for SR, by Ulam's method for BC) and writes toy.md with its figures
to DIR. With --json it prints the series; --out may then be left out.

The paper gives no noise law: the stochastic gradient is f'(w) + S*z with z standard
normal, S from --noise.

With --objective EXPRESSION it takes your own function of one weight w instead and writes own.md: the exact laws of SR and
BC against the learning rates of --alphas, on the grid of step --delta in --box, with noise of the law and standard deviation
of --noise (normal:S, laplace:S, uniform:S, two-point:S). An expression has + - * / ^, pi, e, the functions
` + strings.Join(toy.ExpressionFunctions(), ", ") + `,
and "w < 1 ? A : B" for pieces.`,
		Example: `  tqn toy --objective "(w^2 - 1)^2 + w/4" --noise normal:2 --delta 0.25 --box=-2,2 --alphas 0.2,0.05,0.02 --out own
  tqn toy --out toy-report
  tqn toy --iterations 100000 --alphas 0.1,0.01 --noise 2 --json`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			given := flagsGiven(cmd)
			if own.objective != "" {
				return e.ownProblem(cmd.Context(), own, o, out, formats, given)
			}
			if given("box") {
				return fmt.Errorf("--box is about --objective, which is not given; equation (8) has the box [%g, %g]", toy.BoxLo, toy.BoxHi)
			}
			noise, err := toy.ParseNoise(own.noise)
			if err != nil {
				return fmt.Errorf("--noise: %w", err)
			}
			if noise.Kind != "normal" {
				return fmt.Errorf("--noise %s: the figures of equation (8) have normal noise; other laws are for --objective", own.noise)
			}
			o.Noise = noise.Deviation
			if out == "" && !e.json {
				return fmt.Errorf("toy: want --out DIR for the report, or --json for the series")
			}
			if err := reports.CheckFormats(formats); err != nil {
				return fmt.Errorf("--formats: %w", err)
			}
			if out != "" {
				if err := writable("--out", out); err != nil {
					return err
				}
			}
			started := time.Now()
			var bar *progress
			options := o
			options.Progress = func(done, total int, what string) {
				if bar == nil {
					bar = e.newProgress("toy", int64(total), 0)
				}
				bar.set(int64(done), what)
			}
			r, err := toy.Run(cmd.Context(), options)
			if bar != nil {
				bar.finish()
			}
			if err != nil {
				return err
			}
			if out != "" {
				command := cluster.CommandLine("tqn", "toy", "--out", out, "--iterations", fmt.Sprint(o.Iterations), "--alphas", commaSeparated(o.Alphas),
					"--noise", fmt.Sprint(o.Noise), "--delta", fmt.Sprint(o.Delta), "--seed", fmt.Sprint(o.Seed))
				err := reports.Toy(out, r, reports.Manifest{Command: command, Seed: o.Seed, WallTime: time.Since(started)}, formats...)
				if err != nil {
					return err
				}
			}
			if e.json {
				return e.printJSON(r)
			}
			for _, row := range r.Figure2 {
				fmt.Fprintf(e.stdout, "%s alpha=%-6g entropy %.3f, global basin %.3f, distance of the histogram from the law %.4f\n",
					row.Rule, row.Alpha, row.Entropy, row.GlobalMass, row.TV)
			}
			fmt.Fprintf(e.stdout, "report: %s\n", filepath.Join(out, "toy.md"))
			return nil
		},
	}
	f := cmd.Flags()
	formatsFlag(cmd, &formats)
	f.StringVar(&out, "out", "", "directory for toy.md and its figures")
	f.IntVar(&o.Iterations, "iterations", o.Iterations, "iterations of each simulation")
	numbersFlag(f, &o.Alphas, "alphas", "learning rates of Figure 2")
	f.StringVar(&own.objective, "objective", "", "your own function of one weight w, such as \"w*w + 2*cos(5*w)\"")
	f.StringVar(&own.noise, "noise", own.noise, "the gradient's noise: its standard deviation S, or LAW:S with one of "+strings.Join(toy.NoiseKinds, ", ")+" for --objective")
	numbersFlag(f, &own.box, "box", "lower and upper end of the grid of --objective")
	f.Float64Var(&o.Delta, "delta", o.Delta, "grid step")
	f.Uint64Var(&o.Seed, "seed", o.Seed, "seed of the simulations")
	return cmd
}

// ownFlags are the flags of --objective.
type ownFlags struct {
	objective, noise string
	box              []float64
}

// ownProblem compares SR and BC on the user's objective.
func (e *env) ownProblem(ctx context.Context, own ownFlags, o toy.Options, out string, formats []string, given func(string) bool) error {
	for _, name := range []string{"iterations", "seed"} {
		if given(name) {
			return fmt.Errorf("--%s is about simulations; with --objective everything is computed, nothing sampled", name)
		}
	}
	if out == "" && !e.json {
		return fmt.Errorf("toy: want --out DIR for the report, or --json for the series")
	}
	if err := reports.CheckFormats(formats); err != nil {
		return fmt.Errorf("--formats: %w", err)
	}
	expression, err := toy.ParseExpression(own.objective)
	if err != nil {
		return err
	}
	noise, err := toy.ParseNoise(own.noise)
	if err != nil {
		return fmt.Errorf("--noise: %w", err)
	}
	if len(own.box) != 2 {
		return fmt.Errorf("--box: %d values; want two, the lower and the upper end", len(own.box))
	}
	alphas := o.Alphas
	if !given("alphas") {
		alphas = []float64{1, 0.5, 0.2, 0.1, 0.05, 0.02, 0.01, 0.005}
	}
	if out != "" {
		if err := writable("--out", out); err != nil {
			return err
		}
	}
	started := time.Now()
	bar := e.newProgress("toy", int64(len(alphas)), 0)
	problem := toy.Own{Objective: expression, Noise: noise, Delta: o.Delta, Box: [2]float64{own.box[0], own.box[1]}, Alphas: alphas,
		Progress: func(done, _ int) { bar.set(int64(done), "") }}
	r, err := problem.Run(ctx)
	bar.finish()
	if err != nil {
		return err
	}
	if out != "" {
		command := cluster.CommandLine("tqn", "toy", "--objective", own.objective, "--noise", noise.String(), "--delta", fmt.Sprint(o.Delta),
			"--box="+commaSeparated(own.box), "--alphas", commaSeparated(alphas), "--out", out)
		if err := reports.Own(out, r, reports.Manifest{Command: command, WallTime: time.Since(started)}, formats...); err != nil {
			return err
		}
	}
	if e.json {
		return e.printJSON(r)
	}
	for _, row := range r.Rows {
		if _, err := fmt.Fprintf(e.stdout, "alpha=%-6g entropy SR %.3f BC %.3f, best basin SR %.3f BC %.3f, excess SR %.3g BC %.3g\n",
			row.Alpha, row.SREntropy, row.BCEntropy, row.SRGlobal, row.BCGlobal, row.SRExcess, row.BCExcess); err != nil {
			return err
		}
	}
	if r.Note != "" {
		if _, err := fmt.Fprintln(e.stdout, r.Note); err != nil {
			return err
		}
	}
	_, err = fmt.Fprintf(e.stdout, "report: %s\n", filepath.Join(out, "own.md"))
	return err
}

func commaSeparated(v []float64) string {
	s := ""
	for i, x := range v {
		if i > 0 {
			s += ","
		}
		s += strconv.FormatFloat(x, 'g', -1, 64)
	}
	return s
}
