package main

import (
	"fmt"
	"path/filepath"

	"github.com/spf13/cobra"

	"tqn/docs"
	"tqn/reports"
)

// formatsFlag adds --formats to a command that draws pictures. Its RunE calls reports.CheckFormats before any work.
func formatsFlag(cmd *cobra.Command, formats *[]string) {
	cmd.Flags().StringSliceVar(formats, "formats", []string{"png", "svg"}, "formats of the pictures: png (always written), svg, pdf")
	_ = cmd.RegisterFlagCompletionFunc("formats", cobra.FixedCompletions(reports.Formats, cobra.ShellCompDirectiveNoFileComp))
}

func newReportCommand(e *env) *cobra.Command {
	return &cobra.Command{
		Use:   "report DIR",
		Short: "one self-contained page, index.html, over every report in a folder",
		Long: `report reads every report (*.md) in DIR and the folders below it and writes DIR/index.html: the lesson of the paper,
then the reports with their pictures inside and tables that can be sorted and filtered. The page needs no network.

With --json it writes nothing and prints the tables of all reports: an array of {"report", "heading", "name", "header",
"rows"}. The same tables lie as CSV beside each report, in the folder NAME-tables.`,
		Example: `  tqn toy --out results/toy
  tqn report results
  tqn report results --json`,
		Args: cobra.ExactArgs(1),
		RunE: func(_ *cobra.Command, args []string) error {
			if e.json {
				all, err := reports.AllTables(args[0])
				if err != nil {
					return err
				}
				return e.printJSON(all)
			}
			if err := reports.WriteIndex(args[0], docs.Lesson, docs.Pictures); err != nil {
				return err
			}
			_, err := fmt.Fprintf(e.stdout, "page: %s\n", filepath.Join(args[0], "index.html"))
			return err
		},
	}
}
