// Command embedded makes train.png, test.png and labels.bin, the images that
// package dataset embeds, from the files of Fashion-MNIST. Run it through
// go generate in nets/dataset.
package main

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"

	"tqn/nets/dataset"
)

func main() {
	from := flag.String("from", "/usr/share/datasets/fashion-mnist", "folder of the IDX files")
	to := flag.String("to", ".", "folder to write to")
	flag.Parse()
	train, test, labels, err := dataset.Embed(*from)
	for name, data := range map[string][]byte{"train.png": train, "test.png": test, "labels.bin": labels} {
		if err == nil {
			err = os.WriteFile(filepath.Join(*to, name), data, 0o644)
		}
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}
