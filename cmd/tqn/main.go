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
	"os/signal"
	"syscall"

	"github.com/spf13/cobra"

	"tqn/dispatch"
)

// Exit codes, stable (docs/design.md).
const (
	exitExpected    = 0   // everything came out as expected
	exitUnexpected  = 1   // a verdict or a result is not as expected
	exitUsage       = 2   // wrong usage or bad input
	exitInterrupted = 130 // SIGINT or SIGTERM; a resumable command resumes
)

// errUnexpected is wrapped by a command whose verdicts or results are not as
// expected: the command did its work, and its exit code says so.
var errUnexpected = errors.New("not as expected")

// exitError carries an exit code of its own, where a caller must tell kinds of
// failure apart (a batch engine: retry or give up).
type exitError struct {
	code int
	err  error
}

func (e *exitError) Error() string { return e.err.Error() }
func (e *exitError) Unwrap() error { return e.err }

// env is what a command may touch of the outside world.
type env struct {
	stdout, stderr io.Writer
	json           bool // --json: one JSON document on stdout and nothing else
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
(Li et al., NIPS 2017) claim by claim and reproduces its Table 1 and figures.`,
		SilenceUsage:      true,
		SilenceErrors:     true,
		PersistentPreRunE: func(*cobra.Command, []string) error { return dispatch.Check() },
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
		newTrainCommand(e),
		newBenchCommand(e),
		newEvalCommand(e),
		newCompareCommand(e),
		newReportCommand(e),
		newManCommand(e),
	}
}

// run executes one command line and returns the exit code.
func run(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	e := &env{stdout: stdout, stderr: stderr}
	root := newRootCommand(e)
	root.SetArgs(args)
	err := root.ExecuteContext(ctx)
	var exit *exitError
	switch {
	case err == nil:
		return exitExpected
	case ctx.Err() != nil:
		fmt.Fprintf(stderr, "tqn: interrupted: %v\n", err)
		return exitInterrupted
	case errors.As(err, &exit):
		fmt.Fprintf(stderr, "tqn: %v\n", err)
		return exit.code
	case errors.Is(err, errUnexpected):
		fmt.Fprintf(stderr, "tqn: %v\n", err)
		return exitUnexpected
	default:
		fmt.Fprintf(stderr, "tqn: %v\n", err)
		return exitUsage
	}
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	code := run(ctx, os.Args[1:], os.Stdout, os.Stderr)
	stop()
	os.Exit(code)
}
