package main

import (
	"errors"
	"fmt"
	"net/http"

	"github.com/spf13/cobra"

	"tqn/nets/dataset"
)

func newDataCommand(e *env) *cobra.Command {
	c := group(&cobra.Command{
		Use:   "data",
		Short: "list, fetch and verify the image sets",
		Long: `data lists, fetches and verifies the image sets that the networks train on. "embedded" and "textures" need no files;
CIFAR-10, CIFAR-100 and Fashion-MNIST are fetched from their official addresses;
ImageNet is had on request from image-net.org and is read as train/CLASS/*.JPEG and
val/CLASS/*.JPEG. --dir names a folder with what is already on this machine.`,
		Example: `  tqn data list
  tqn data fetch cifar10
  tqn data verify cifar10 --dir ~/datasets/cifar-10-batches-bin`,
	})
	c.AddCommand(newDataListCommand(e), newDataFetchCommand(e), newDataVerifyCommand(e))
	return c
}

// dataStatus is a line of `tqn data list` and the result of fetch.
type dataStatus struct {
	Name   string `json:"name"`
	Status string `json:"status"` // "built in", "on this machine", "not on this machine"
	Dir    string `json:"dir,omitempty"`
	Detail string `json:"detail,omitempty"`
}

func newDataListCommand(e *env) *cobra.Command {
	var dir string
	c := &cobra.Command{
		Use:     "list",
		Short:   "say which sets are on this machine",
		Example: "  tqn data list --json",
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			var all []dataStatus
			for _, name := range dataset.Names() {
				all = append(all, statusOf(name, dir))
			}
			if e.json {
				return e.printJSON(all)
			}
			for _, s := range all {
				fmt.Fprintf(e.stdout, "%-14s %-20s %s\n", s.Name, s.Status, s.Detail)
			}
			return nil
		},
	}
	c.Flags().StringVar(&dir, "dir", "", "folder to look in instead of the default ones")
	return c
}

// statusOf opens the set: what cannot be read is not there.
func statusOf(name, dir string) dataStatus {
	s := dataStatus{Name: name, Status: "on this machine", Dir: dir}
	if name == "textures" { // nothing to read: any number of images is made when asked for
		s.Status, s.Detail = "built in", "procedural; textures-CxS has C classes and images of SxS pixels"
		return s
	}
	set, err := dataset.Open(name, dataset.Options{Dir: dir})
	switch {
	case errors.Is(err, dataset.ErrMissing):
		s.Status = "not on this machine"
		s.Detail = "fetch it with: tqn data fetch " + name
		if len(dataset.Remote(name)) == 0 {
			s.Detail = "not downloadable; see tqn data --help"
		}
	case err != nil:
		s.Status, s.Detail = "damaged", err.Error()
	default:
		if name == "embedded" {
			s.Status = "built in"
		}
		s.Detail = fmt.Sprintf("%d + %d images, %dx%dx%d, %d classes, %s",
			set.Train.Len(), set.Test.Len(), set.Height, set.Width, set.Channels, len(set.Classes), set.Title)
	}
	return s
}

func newDataFetchCommand(e *env) *cobra.Command {
	var dir string
	c := &cobra.Command{
		Use:   "fetch NAME",
		Short: "download a set from its official address and verify it",
		Long: `fetch downloads a set from its official address. An interrupted download is continued where
it stopped; a file gets its final name only when its checksum is the published one.`,
		Example:   "  tqn data fetch cifar10 --dir ~/datasets",
		Args:      cobra.ExactArgs(1),
		ValidArgs: []string{"cifar10", "cifar100", "fashion-mnist"},
		RunE: func(cmd *cobra.Command, args []string) error {
			name := args[0]
			files := dataset.Remote(name)
			if len(files) == 0 {
				return noDownload(name)
			}
			if dir == "" {
				if dir = dataset.DataDir(name); dir == "" {
					return errors.New("the system names no cache folder: say where with --dir")
				}
			}
			var bar *progress
			current := ""
			done := func() {
				if bar != nil {
					bar.finish()
				}
			}
			err := dataset.Fetch(cmd.Context(), http.DefaultClient, files, dir, func(file string, n, total int64) {
				if file != current {
					done()
					bar, current = e.newProgress(file+" bytes", total, n), file
				}
				bar.set(n, "")
			})
			done()
			if err != nil {
				return err
			}
			s := statusOf(name, dir)
			if s.Status == "damaged" {
				return fmt.Errorf("%s: %w: %s", name, errUnexpected, s.Detail)
			}
			if e.json {
				return e.printJSON(s)
			}
			fmt.Fprintf(e.stdout, "%s is complete in %s: %s\n", name, dir, s.Detail)
			return nil
		},
	}
	c.Flags().StringVar(&dir, "dir", "", "folder to put it in (default: tqn/NAME in the user's cache folder)")
	return c
}

func noDownload(name string) error {
	switch name {
	case "embedded", "textures":
		return fmt.Errorf("%s is built in: there is nothing to fetch", name)
	case "imagenet":
		return errors.New("imagenet cannot be fetched: it is had on request from image-net.org; name the folder that holds train and val with --dir")
	}
	_, err := dataset.Open(name, dataset.Options{})
	if err == nil {
		err = fmt.Errorf("%s is not a set that can be fetched", name)
	}
	return err
}

func newDataVerifyCommand(e *env) *cobra.Command {
	var o dataset.Options
	c := &cobra.Command{
		Use:   "verify NAME",
		Short: "decode every image of a set and compare its checksums with the published ones",
		Long: `verify decodes every image and compares the checksums with the published ones. A problem is not as expected (exit code 1): other
contents than the published ones, a class that the test half of an image tree lacks, pictures that --skip-corrupt left out.
Without --skip-corrupt the first picture that cannot be decoded is an error that names it.`,
		Example:   "  tqn data verify cifar10 --dir ~/datasets --json",
		Args:      cobra.ExactArgs(1),
		ValidArgs: dataset.Names(),
		RunE: func(cmd *cobra.Command, args []string) error {
			v, err := dataset.Verify(args[0], o)
			if err != nil {
				return err
			}
			if e.json {
				if err := e.printJSON(v); err != nil {
					return err
				}
			} else {
				fmt.Fprintf(e.stdout, "%s: %d + %d images of %d classes, all readable\n%s\n", v.Name, v.Train, v.Test, v.Classes, v.Checksum)
				switch {
				case !v.Known:
					fmt.Fprintln(e.stdout, "no checksum is published to compare with")
				case v.Official:
					fmt.Fprintln(e.stdout, "the contents are the published ones")
				}
				for _, p := range v.Problems {
					fmt.Fprintln(e.stdout, "problem:", p)
				}
			}
			switch {
			case v.Known && !v.Official:
				return fmt.Errorf("%s is %w: it is not the published set", v.Name, errUnexpected)
			case len(v.Problems) > 0:
				return fmt.Errorf("%s is %w: problems: %d", v.Name, errUnexpected, len(v.Problems))
			}
			return nil
		},
	}
	c.Flags().StringVar(&o.Dir, "dir", "", "folder that holds the files")
	c.Flags().BoolVar(&o.SkipCorrupt, "skip-corrupt", false, "leave out the pictures of an image tree that cannot be decoded, and count them")
	return c
}
