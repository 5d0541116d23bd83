package cluster

import (
	"bytes"
	"fmt"
	"os"
	"strconv"
	"strings"

	"tqn/nets"
	"tqn/nets/dataset"
)

// Cost is what a cell takes.
type Cost struct {
	Images   int64 // trained on, over all epochs
	MultAdds int64 // in training: forward and both gradients, by the direct algorithm
	Bytes    int64 // of memory, an upper estimate
}

// costOf estimates a cell from its config alone, without its data.
//
// Memory is the sum, in float32, of
//   - every layer's output and its gradient, for a whole batch, twice over for
//     what layers keep beside them (batch norm's input, the pool's choice);
//   - the parameters with gradient, both moments, a copy in binary and one packed
//     for the kernel;
//   - scratch for the largest convolution's unrolled input, 4 images of it;
//   - batches loaded ahead, and the images themselves where they lie in memory;
//
// and 64 MiB for the program. TestMemoryEstimate compares it with real runs.
func costOf(c nets.Config) (Cost, error) {
	shape, err := dataset.ShapeOf(c.Data)
	if err != nil {
		return Cost{}, err
	}
	m, err := nets.NewModel(nets.Spec{
		Net: c.Net, Input: nets.Shape{H: shape.Height, W: shape.Width, C: shape.Channels}, Classes: shape.Classes,
		Width: c.Width, Depth: c.Depth,
	})
	if err != nil {
		return Cost{}, err
	}
	train := shape.Train
	if c.TrainImages > 0 {
		train = c.TrainImages
	}
	counts := m.Counts()
	steps := int64(train/c.Batch) * int64(c.Epochs)
	cost := Cost{Images: steps * int64(c.Batch)}
	cost.MultAdds = cost.Images * int64(counts.MultAdds+counts.Backward)

	activations, scratch, parameters := int64(0), int64(0), int64(0)
	m.Each(func(l nets.Layer) {
		activations += int64(l.Out.Len())
		if l.Kind == nets.Conv {
			scratch = max(scratch, int64(l.Out.H*l.Out.W)*int64(l.Kernel*l.Kernel*l.In.C))
		}
	})
	for _, p := range m.Params() {
		parameters += int64(p.Len())
	}
	pixels := int64(m.Input.Len())
	const float = 4
	cost.Bytes = 64<<20 + float*(4*activations*int64(c.Batch)+6*parameters+4*scratch+4*pixels*int64(c.Batch))
	if c.Data != "imagenet" && !strings.HasPrefix(c.Data, "textures") {
		// Sets in memory keep all images, whatever part is used; reading doubles them.
		cost.Bytes += 2 * pixels * int64(shape.Train+shape.Test)
	}
	return cost, nil
}

// Cost estimates a cell.
func (c Cell) Cost() (Cost, error) {
	cost, err := costOf(c.Config)
	if err != nil {
		return cost, fmt.Errorf("cluster: cell %s: %w", c.ID, err)
	}
	return cost, nil
}

// AvailableMemory is how many bytes this process and its children may still use:
// what the kernel says is available, and what the cgroup (version 2) leaves. ok is
// false where neither is known.
func AvailableMemory() (n int64, ok bool) {
	return availableMemory(os.ReadFile)
}

func availableMemory(read func(string) ([]byte, error)) (n int64, ok bool) {
	if b, err := read("/proc/meminfo"); err == nil {
		for line := range bytes.Lines(b) {
			if rest, found := bytes.CutPrefix(line, []byte("MemAvailable:")); found {
				fields := bytes.Fields(rest)
				if len(fields) == 2 {
					if kib, err := strconv.ParseInt(string(fields[0]), 10, 64); err == nil {
						n, ok = kib<<10, true
					}
				}
			}
		}
	}
	number := func(path string) (int64, bool) {
		b, err := read(path)
		if err != nil {
			return 0, false
		}
		v, err := strconv.ParseInt(string(bytes.TrimSpace(b)), 10, 64) // "max" is no number
		return v, err == nil
	}
	limit, ok1 := number("/sys/fs/cgroup/memory.max")
	used, ok2 := number("/sys/fs/cgroup/memory.current")
	if ok1 && ok2 {
		if left := max(0, limit-used); !ok || left < n {
			n, ok = left, true
		}
	}
	return n, ok
}
