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

// openData opens the data set of a Config, from dir or, if that is empty, from the data set's default folders. With
// skipCorrupt, pictures that cannot be decoded are left out. warn gets what is odd about the set; it may be nil.
func openData(c Config, dir string, skipCorrupt bool, warn func(string)) (*dataset.Set, error) {
	set, err := dataset.Open(c.Data, dataset.Options{Dir: dir, TrainImages: c.TrainImages, TestImages: c.TestImages,
		Classes: c.Classes, Size: c.Size, SkipCorrupt: skipCorrupt})
	if err == nil && warn != nil {
		for _, w := range set.Warnings {
			warn(w)
		}
	}
	return set, err
}

// Shape is the shape of the Config's data set as published, without its files.
func (c Config) Shape() (dataset.Shape, error) {
	return dataset.ShapeOf(c.Data, dataset.Options{Classes: c.Classes, Size: c.Size})
}

// PublishedModel is the Config's model for its data set as published, without its files.
func (c Config) PublishedModel() (network.Model, error) {
	shape, err := c.Shape()
	if err != nil {
		return network.Model{}, err
	}
	return network.NewModel(c.Spec(network.Shape{H: shape.Height, W: shape.Width, C: shape.Channels}, shape.Classes))
}

// Model is the Config's model for a data set.
func (c Config) Model(set *dataset.Set) (network.Model, error) {
	return network.NewModel(c.Spec(network.Shape{H: set.Height, W: set.Width, C: set.Channels}, len(set.Classes)))
}

func (c Config) String() string {
	s := fmt.Sprintf("%s %s on %s, %d %s, batch %d, seed %d", c.Net, c.Method, c.Data, c.Epochs, pick(c.Epochs == 1, "epoch", "epochs"), c.Batch, c.Seed)
	if c.Width != 1 {
		s += fmt.Sprintf(", width %g", c.Width)
	}
	if c.Depth != 1 {
		s += fmt.Sprintf(", depth %g", c.Depth)
	}
	return s
}

// Differences names the fields in which two Configs differ.
func (c Config) Differences(d Config) string {
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
