package main

import (
	"fmt"
	"path/filepath"

	"github.com/spf13/cobra"

	"tqn/nets"
	"tqn/reports"
)

// compareReport is one run in what `tqn compare --json` prints.
type compareReport struct {
	Run      string       `json:"run"`
	Config   nets.Config  `json:"config"`
	Finished bool         `json:"finished"`
	Epochs   []nets.Epoch `json:"epochs"`

	Manifest *nets.Manifest `json:"manifest"` // machine, time and data files; null where the folder has none
}

func newCompareCommand(e *env) *cobra.Command {
	var out string
	var formats []string
	cmd := &cobra.Command{
		Use:   "compare RUN...",
		Short: "compare runs: table, convergence curves, weight changes",
		Long: `compare reads run folders (finished or not) and prints a table. With --out it also draws, after the paper's figures:
convergence.png (6), changes.png (4), batch.png (5) and, of bc runs, distance.png (7b, 7c).`,
		Example: `  tqn compare runs/vgg9-bc runs/vgg9-sr --out figures`,
		Args:    cobra.MinimumNArgs(1),
		RunE: func(_ *cobra.Command, args []string) error {
			if err := reports.CheckFormats(formats); err != nil {
				return fmt.Errorf("--formats: %w", err)
			}
			if out != "" {
				if err := writable("--out", out); err != nil {
					return err
				}
			}
			var runs []nets.Run
			var results []*nets.Result
			for _, dir := range args {
				r, err := nets.ReadRun(dir)
				if err != nil {
					return err
				}
				runs, results = append(runs, r), append(results, r.Result)
			}
			e.warnUnsealed(results)
			if out != "" {
				var real []nets.Run // those that keep real weights behind the binary ones
				for _, r := range runs {
					if r.Config.Method == "bc" {
						real = append(real, r)
					}
				}
				figures := map[string]*reports.Figure{
					"convergence.png": reports.ConvergenceFigure(runs),
					"changes.png":     reports.WeightChangeFigure(runs),
					"batch.png":       reports.BatchSizeFigure(runs),
				}
				if len(real) > 0 {
					figures["distance.png"] = reports.DistanceFigure(real)
				}
				for name, f := range figures {
					if err := f.Save(filepath.Join(out, name), formats...); err != nil {
						return err
					}
				}
			}
			if e.json {
				all := []compareReport{}
				for _, r := range runs {
					all = append(all, compareReport{r.Dir, r.Config, r.Result != nil, r.Epochs, r.Manifest})
				}
				return e.printJSON(all)
			}
			fmt.Fprintln(e.stdout, reports.CompareTable(runs).Text())
			if out != "" {
				fmt.Fprintln(e.stdout, "pictures:", out)
			}
			return nil
		},
	}
	formatsFlag(cmd, &formats)
	cmd.Flags().StringVar(&out, "out", "", "folder for the figures")
	return cmd
}
