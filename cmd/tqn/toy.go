package main

import (
	"fmt"
	"path/filepath"
	"time"

	"github.com/spf13/cobra"

	"tqn/reports"
	"tqn/toy"
)

func newToyCommand(e *env) *cobra.Command {
	o := toy.Default
	var out string
	var formats []string
	cmd := &cobra.Command{
		Use:   "toy --out DIR",
		Short: "Figures 1 to 3: the toy problem (8) with exact laws over the histograms",
		Long: `toy simulates SR and BinaryConnect on equation (8), computes their stationary
laws (exactly for SR, by Ulam's method for BC) and writes toy.md with its figures
to DIR. With --json it prints the series; --out may then be left out.

The paper gives no noise law: the stochastic gradient is f'(w) + S*z with z standard
normal, S from --noise.`,
		Example: `  tqn toy --out toy-report
  tqn toy --iterations 100000 --alphas 0.1,0.01 --noise 2 --json`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if out == "" && !e.json {
				return fmt.Errorf("toy: want --out DIR for the report, or --json for the series")
			}
			if err := reports.CheckFormats(formats); err != nil {
				return fmt.Errorf("--formats: %w", err)
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
			r, err := toy.Run(options)
			if bar != nil {
				bar.finish()
			}
			if err != nil {
				return err
			}
			if out != "" {
				command := fmt.Sprintf("tqn toy --out %s --iterations %d --alphas %s --noise %g --delta %g --seed %d",
					out, o.Iterations, commaSeparated(o.Alphas), o.Noise, o.Delta, o.Seed)
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
	f.Float64SliceVar(&o.Alphas, "alphas", o.Alphas, "learning rates of Figure 2")
	f.Float64Var(&o.Noise, "noise", o.Noise, "standard deviation S of the gradient's noise")
	f.Float64Var(&o.Delta, "delta", o.Delta, "grid step")
	f.Uint64Var(&o.Seed, "seed", o.Seed, "seed of the simulations")
	return cmd
}

func commaSeparated(v []float64) string {
	s := ""
	for i, x := range v {
		if i > 0 {
			s += ","
		}
		s += fmt.Sprintf("%g", x)
	}
	return s
}
