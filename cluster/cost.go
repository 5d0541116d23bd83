package cluster

import (
	"bytes"
	"fmt"
	"os"
	"strconv"

	"tqn/nets"
)

// Cost is an estimate of the work and the memory that a cell takes.
type Cost struct {
	Images   int64 // images that the run is trained on, counted anew in every epoch
	MultAdds int64 // multiply-adds of all training steps (forward pass and both gradients) by the direct algorithm
	Bytes    int64 // bytes of memory, estimated from above
}

// costOf estimates a cell from its config alone, without its data.
func costOf(c nets.Config) (Cost, error) {
	shape, err := c.Shape()
	if err != nil {
		return Cost{}, err
	}
	m, err := c.PublishedModel()
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
	cost.Bytes, err = c.Memory()
	if err != nil {
		return Cost{}, err
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
