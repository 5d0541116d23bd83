package main

import (
	"fmt"

	"github.com/spf13/cobra"

	"tqn/cmd/tqn/licences"
)

func newLicencesCommand(e *env) *cobra.Command {
	return &cobra.Command{
		Use:   "licences",
		Short: "the licences of the works that this program contains",
		Long: `licences prints the notices of the modules that are linked into this program, of Go's runtime and standard library, and of the
images that are embedded in it.`,
		Example: "  tqn licences",
		Args:    cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error {
			if e.json {
				return e.printJSON(map[string]string{"notice": licences.Notice})
			}
			_, err := fmt.Fprint(e.stdout, licences.Notice)
			return err
		},
	}
}
