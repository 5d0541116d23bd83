// Command tqn verifies the theory of "Training Quantized Nets: A Deeper
// Understanding" (Li, De, Xu, Studer, Samet, Goldstein, NIPS 2017) and reproduces
// its experiments.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"sync/atomic"

	"github.com/spf13/cobra"

	"tqn/dispatch"
)

// env is what a command may touch of the outside world.
type env struct {
	stdout, stderr io.Writer
	json           bool // --json: one JSON document on stdout and nothing else

	// saving is set while a command has something to save: see [interruptible].
	saving atomic.Bool
}

// printJSON writes v as one JSON document on stdout.
func (e *env) printJSON(v any) error {
	enc := json.NewEncoder(e.stdout)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", "  ")
	return enc.Encode(v)
}

func newRootCommand(e *env) *cobra.Command {
	showVersion := false
	root := &cobra.Command{
		Use:   "tqn",
		Short: "verify and reproduce \"Training Quantized Nets: A Deeper Understanding\"",
		Long: `tqn verifies the theory of "Training Quantized Nets: A Deeper Understanding"
(Li et al., NIPS 2017) claim by claim and reproduces its Table 1 and figures.

Begin with the first example, which takes seconds, and the page that it writes, toy.md: why
training with stochastically rounded weights does not become greedy and BinaryConnect does.

Of a flag that is given twice the last value counts; the values of a flag that takes a list are
joined. 0 stands for the default of a number where the flag's help says so.`,
		Example: `  tqn toy --out results/toy
  tqn verify --out results/verify
  tqn table1 --preset smoke --out results/smoke`,
		SilenceUsage:  true,
		SilenceErrors: true,
		PersistentPreRunE: func(cmd *cobra.Command, _ []string) error {
			if err := dispatch.Check(); err != nil {
				return err
			}
			return checkFlags(cmd)
		},
		RunE: func(cmd *cobra.Command, _ []string) error {
			if !showVersion {
				return cmd.Help()
			}
			if e.json {
				return e.printJSON(version())
			}
			_, err := fmt.Fprintln(e.stdout, version())
			return err
		},
	}
	root.Flags().BoolVar(&showVersion, "version", false, "print version, commit and date (with --json as one JSON document)")
	root.PersistentFlags().BoolVar(&e.json, "json", false, "print one JSON document on stdout instead of text")
	root.SetOut(e.stdout)
	root.SetErr(e.stderr)
	root.AddCommand(commands(e)...)
	tidyUsage(root)
	return root
}

// commands lists the subcommands, each in a file of its name.
func commands(e *env) []*cobra.Command {
	return []*cobra.Command{
		newChainCommand(e),
		newToyCommand(e),
		newBoundCommand(e),
		newVerifyCommand(e),
		newDataCommand(e),
		newTable1Command(e),
		newChoicesCommand(e),
		newTrainCommand(e),
		newBenchCommand(e),
		newEvalCommand(e),
		newCompareCommand(e),
		newReportCommand(e),
		newLicencesCommand(e),
		newManCommand(e),
	}
}

// run executes one command line and returns the exit code.
func run(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	return (&env{stderr: stderr}).run(ctx, args, stdout)
}

func (e *env) run(ctx context.Context, args []string, stdout io.Writer) int {
	out := &checkedWriter{w: stdout}
	e.stdout = out
	root := newRootCommand(e)
	root.SetArgs(args)
	err := root.ExecuteContext(ctx)
	if out.err != nil && ctx.Err() == nil {
		err = &exitError{exitOutput, fmt.Errorf("standard output: %w", out.err)}
	}
	code := exitCode(ctx, err)
	switch {
	case code == exitInterrupted && errors.Is(err, context.Canceled): // it has no more to say
		fmt.Fprintln(e.stderr, "tqn: interrupted")
	case code == exitInterrupted:
		fmt.Fprintf(e.stderr, "tqn: interrupted: %v\n", err)
	case err != nil:
		fmt.Fprintf(e.stderr, "tqn: %v\n", err)
	}
	return code
}

func main() {
	e := &env{stderr: os.Stderr}
	ctx, stop := interruptible(context.Background(), &e.saving, os.Stderr, os.Exit)
	code := e.run(ctx, os.Args[1:], os.Stdout)
	stop()
	// Some file systems report a failed write only here.
	if err := os.Stdout.Close(); err != nil && code == exitExpected {
		fmt.Fprintf(os.Stderr, "tqn: standard output: %v\n", err)
		code = exitOutput
	}
	os.Exit(code)
}
