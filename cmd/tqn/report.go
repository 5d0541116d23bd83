package main

import (
	"fmt"
	"os"
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
	lesson := ""
	var formats []string
	cmd := &cobra.Command{
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
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := reports.CheckFormats(formats); err != nil {
				return fmt.Errorf("--formats: %w", err)
			}
			if lesson != "" {
				if err := writableFile("--lesson", lesson); err != nil {
					return err
				}
				return reports.WriteLesson(lesson, os.DirFS(args[0]), formats...)
			}
			if flagsGiven(cmd)("formats") {
				return fmt.Errorf("--formats is about the picture of --lesson, which is not given; the page shows the pictures that are there")
			}
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
	formatsFlag(cmd, &formats)
	cmd.Flags().StringVar(&lesson, "lesson", "", "write the lesson to this file, with its picture lesson.png beside it, and nothing else; DIR holds errata.md and results/")
	return cmd
}
