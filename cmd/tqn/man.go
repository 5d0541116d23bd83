package main

import (
	"fmt"
	"os"

	"github.com/spf13/cobra"
	"github.com/spf13/cobra/doc"
)

// newManCommand is `tqn man`: the help of every command as manual pages.
func newManCommand(e *env) *cobra.Command {
	return &cobra.Command{
		Use:     "man DIR",
		Short:   "write manual pages of every command into a folder",
		Long:    `man writes tqn.1, tqn-chain.1 and so on, the help of every command as manual pages, into DIR.`,
		Example: "  tqn man man1 && man -l man1/tqn.1",
		Args:    cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if e.json {
				return fmt.Errorf("--json has no effect on man, which writes files")
			}
			if err := os.MkdirAll(args[0], 0o755); err != nil {
				return fmt.Errorf("man: %w", err)
			}
			root := cmd.Root()
			root.DisableAutoGenTag = true // no date: the same bytes from the same commit
			if err := doc.GenManTree(root, &doc.GenManHeader{Title: "TQN", Section: "1", Source: "tqn " + version().Version}, args[0]); err != nil {
				return fmt.Errorf("man: %w", err)
			}
			_, err := fmt.Fprintf(e.stdout, "manual pages: %s\n", args[0])
			return err
		},
	}
}
