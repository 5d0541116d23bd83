package main

import (
	"fmt"

	"github.com/spf13/cobra"

	"tqn/nets"
	"tqn/nets/kernel"
)

// evalReport is what `tqn eval --json` prints.
type evalReport struct {
	Run       string  `json:"run"`
	Weights   string  `json:"weights"`
	Data      string  `json:"data"`
	Images    int     `json:"images"`
	TestError float64 `json:"test_error"`
	TestLoss  float64 `json:"test_loss"`
	Kernel    string  `json:"kernel"`
}

func newEvalCommand(e *env) *cobra.Command {
	var o nets.EvalOptions
	var precision string
	cmd := &cobra.Command{
		Use:   "eval RUN",
		Short: "test error of a run's checkpoint or weights",
		Long: `eval computes the test error of a run folder's weights: the newest whole checkpoint (also of an unfinished run), or
with --weights full or packed the files weights.safetensors and weights.packed.safetensors of a finished one. The CPU
computes it, at float32 unless --precision says otherwise: a run that was trained at bf16, or on another engine, may have
another error here by a few images.`,
		Example: `  tqn eval runs/vgg9-bc
  tqn eval runs/vgg9-bc --weights packed --json`,
		Args: cobra.ExactArgs(1),
		RunE: func(_ *cobra.Command, args []string) (err error) {
			if o.Precision, err = kernel.ParsePrecision(precision); err != nil {
				return fmt.Errorf("eval: --precision %q: want f32 or bf16", precision)
			}
			o.Warn = func(message string) { fmt.Fprintf(e.stderr, "tqn: warning: %s\n", message) }
			r, err := nets.Eval(args[0], o)
			if err != nil {
				return err
			}
			report := evalReport{Run: args[0], Weights: r.Weights, Data: r.Data, Images: r.Loss.Images,
				TestError: r.Loss.Error(), TestLoss: r.Loss.Mean(), Kernel: r.Kernel}
			if e.json {
				return e.printJSON(report)
			}
			fmt.Fprintf(e.stdout, "%s on %s: test error %.2f %% (%d of %d images), loss %.4f\n", r.Weights, r.Data,
				report.TestError, r.Loss.Wrong, r.Loss.Images, report.TestLoss)
			return nil
		},
	}
	cmd.Flags().StringVar(&o.Weights, "weights", "checkpoint", "which weights: checkpoint, full or packed")
	cmd.Flags().StringVar(&precision, "precision", "f32", "precision of the layers' products and of what lies between layers: f32 or bf16")
	cmd.Flags().BoolVar(&o.SkipCorrupt, "skip-corrupt", false, "leave out the pictures of an image tree that cannot be decoded, with a warning that counts them")
	cmd.Flags().StringVar(&o.DataDir, "dir", "", "folder of the data set's files")
	cmd.Flags().IntVar(&o.Threads, "threads", 0, "worker threads; 0 is all CPUs")
	return cmd
}

// warnUnsealed tells whoever relies on results that some of them are of an earlier version and do not vouch for themselves.
func (e *env) warnUnsealed(results []*nets.Result) {
	unsealed, all := 0, 0
	for _, r := range results {
		if r != nil {
			all++
			if !r.Sealed {
				unsealed++
			}
		}
	}
	if unsealed > 0 {
		fmt.Fprintf(e.stderr, "tqn: note: %d of %d results are of an earlier version and have no hash of themselves: damage to them may go unseen\n", unsealed, all)
	}
}
