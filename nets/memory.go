package nets

import (
	"cmp"
	"fmt"
	"strings"

	"tqn/nets/dataset"
	"tqn/nets/network"
)

// Memory estimates from above the bytes that a training on the CPU's engine takes: [network.ModelBytes], and the images of a set that
// is held in memory: twice where they are read from files, once where they are drawn.
func (c Config) Memory() (int64, error) {
	shape, err := c.Shape()
	if err != nil {
		return 0, err
	}
	m, err := c.PublishedModel()
	if err != nil {
		return 0, err
	}
	bytes := network.ModelBytes(m, c.Batch)
	switch {
	case c.Data == "imagenet": // decoded as they are needed
	case strings.HasPrefix(c.Data, "textures"):
		bytes += dataset.TexturesKept(cmp.Or(c.TrainImages, shape.Train), cmp.Or(c.TestImages, shape.Test), m.Input.Len())
	default: // sets in memory keep all images, whatever part is used
		bytes += 2 * int64(m.Input.Len()) * int64(shape.Train+shape.Test)
	}
	return bytes, nil
}

// fits is an error if a training on the CPU's engine would take more memory than there is.
func (w Where) fits(c Config) error {
	if w.Memory <= 0 || w.NewEngine != nil {
		return nil
	}
	need, err := c.Memory()
	if err != nil {
		return err
	}
	if need > w.Memory {
		return fmt.Errorf("nets: %s with batches of %d images needs about %d MiB of memory, of %d MiB: take smaller batches or a narrower net", c.Net, c.Batch, need>>20, w.Memory>>20)
	}
	return nil
}
