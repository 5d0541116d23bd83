package nets

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"

	"tqn/nets/dataset"
	"tqn/nets/network"
)

// OpenData opens the data set of a Config, from dir or, if that is empty, from the data set's default folders.
func OpenData(c Config, dir string) (*dataset.Set, error) {
	return dataset.Open(c.Data, dataset.Options{Dir: dir, TrainImages: c.TrainImages, TestImages: c.TestImages,
		Classes: c.Classes, Size: c.Size})
}

// Model is the Config's model for a data set.
func (c Config) Model(set *dataset.Set) (network.Model, error) {
	return network.NewModel(c.Spec(network.Shape{H: set.Height, W: set.Width, C: set.Channels}, len(set.Classes)))
}

func (c Config) String() string {
	s := fmt.Sprintf("%s %s on %s, %d epochs, batch %d, seed %d", c.Net, c.Method, c.Data, c.Epochs, c.Batch, c.Seed)
	if c.Width != 1 {
		s += fmt.Sprintf(", width %g", c.Width)
	}
	if c.Depth != 1 {
		s += fmt.Sprintf(", depth %g", c.Depth)
	}
	return s
}

// differences names the fields in which two Configs differ.
func (c Config) differences(d Config) string {
	var out []string
	there, here := c.fields(), d.fields()
	names := map[string]bool{} // a field may be missing on either side
	for name := range there {
		names[name] = true
	}
	for name := range here {
		names[name] = true
	}
	for _, name := range slices.Sorted(maps.Keys(names)) {
		if there[name] != here[name] {
			out = append(out, fmt.Sprintf("%s is %s there, %s here", name, cmp.Or(there[name], "unset"), cmp.Or(here[name], "unset")))
		}
	}
	return strings.Join(out, "; ")
}

// PeakBytes estimates the largest resident memory of a run of a model on the CPU engine: activations before and after
// every batch norm, two gradient buffers, weights with gradients, moments, packed copies and a checkpoint in the making, the
// data set, and what the kernels and the Go runtime need. A pool of processes plans with it; tests hold it above what is measured.
func PeakBytes(c Config, set *dataset.Set) (int64, error) {
	m, err := c.Model(set)
	if err != nil {
		return 0, err
	}
	return network.ModelBytes(m, c.Batch) + int64(set.Train.Len()+set.Test.Len())*int64(set.Pixels())*2, nil
}
