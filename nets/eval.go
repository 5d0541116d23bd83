package nets

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"math"
	"path/filepath"

	"tqn/nets/dataset"
	"tqn/nets/kernel"
	"tqn/nets/network"
	"tqn/runfolder"
)

// EvalOptions say which of a run's weights to evaluate and on what.
type EvalOptions struct {
	Weights string // checkpoint, full or packed; empty is checkpoint
	DataDir string // where the data set's files are; empty: its default folders
	// SkipCorrupt leaves out pictures that cannot be decoded, as the run did.
	SkipCorrupt bool
	Threads     int // 0: GOMAXPROCS
	Precision   kernel.Precision
	Warn        func(string)
}

// EvalResult is the test split's loss.
type EvalResult struct {
	Loss    network.Loss
	Weights string // the file evaluated
	Data    string // the data set's title
	Kernel  string
}

// evalBatch is the batch of evaluations: images do not influence each other, so it only bounds memory.
const evalBatch = 128

// Eval evaluates the weights of a run folder on its test images.
func Eval(dir string, o EvalOptions) (EvalResult, error) {
	config, err := readConfig(dir)
	if err != nil {
		return EvalResult{}, err
	}
	set, err := openData(config, o.DataDir, o.SkipCorrupt, o.Warn)
	if err != nil {
		return EvalResult{}, err
	}
	model, err := config.Model(set)
	if err != nil {
		return EvalResult{}, err
	}
	method, err := MethodNamed(config.Method)
	if err != nil {
		return EvalResult{}, err
	}
	workers, err := kernel.NewWorkers(o.Threads, "")
	if err != nil {
		return EvalResult{}, fmt.Errorf("nets: %w", err)
	}
	defer workers.Close()
	workers.SetPrecision(o.Precision)
	h := config.hyper(method)
	h.Batch = min(evalBatch, set.Test.Len())
	engine, err := network.NewCPU(model, h, workers)
	if err != nil {
		return EvalResult{}, err
	}
	r := EvalResult{Data: set.Title, Kernel: engine.Kernel()}
	if r.Weights, err = loadState(engine, dir, config, set, o); err != nil {
		return r, err
	}
	r.Loss, err = EvaluateOn(context.Background(), engine, set, h.Batch)
	return r, err
}

// loadState sets an engine to the weights that the options ask for and returns the file that they were read from.
func loadState(engine network.Engine, dir string, config Config, set *dataset.Set, o EvalOptions) (path string, err error) {
	switch o.Weights {
	case "", "checkpoint":
		return loadStateFromCheckpoint(engine, dir, config, set, o.Warn)
	case "full", "packed":
		path = filepath.Join(dir, map[string]string{"full": weightsName, "packed": packedName}[o.Weights])
	default:
		return "", fmt.Errorf("nets: weights %q; want checkpoint, full or packed", o.Weights)
	}
	b, err := runfolder.ReadFile(path, largestWeights(engine.Model()))
	if err != nil {
		return path, fmt.Errorf("nets: %w", err)
	}
	hash, err := loadWeights(engine, b)
	if err != nil {
		return path, fmt.Errorf("%s: %w", path, err)
	}
	result, err := ReadResult(dir)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return path, fmt.Errorf("nets: %s: there is no result.json beside it, whose hash would vouch for it: the run is not finished; evaluate its checkpoint", path)
	case err != nil:
		return path, err
	case result.ConfigHash != config.Hash():
		return path, fmt.Errorf("nets: %s: result.json belongs to another configuration than config.json", dir)
	case result.DataChecksum != set.Checksum:
		return path, fmt.Errorf("nets: %s: trained on other data (%s, now %s)", dir, result.DataChecksum, set.Checksum)
	case result.WeightHash != hash:
		return path, fmt.Errorf("nets: %s: SHA-256 %.12s, but result.json says %.12s: these are not the run's weights", path, hash, result.WeightHash)
	case !result.Sealed && o.Warn != nil:
		o.Warn(fmt.Sprintf("%s: result.json is of an earlier version and has no hash of itself: damage to it may go unseen", dir))
	}
	return path, nil
}

func loadStateFromCheckpoint(engine network.Engine, dir string, config Config, set *dataset.Set, warn func(string)) (path string, err error) {
	if warn == nil {
		warn = func(string) {}
	}
	c, damaged, err := loadCheckpoint(dir, largestCheckpoint(engine.Model()), func(c *checkpoint) error { return c.fits(config, set.Checksum, engine.Model()) }, warn)
	if err != nil {
		return "", err
	}
	if c == nil {
		return "", fmt.Errorf("nets: %s has no usable checkpoint", dir)
	}
	if damaged > 0 {
		warn(fmt.Sprintf("the weights are those of %s instead: epoch %d, batch %d", c.path, c.Epoch+1, c.Index))
	}
	for _, t := range engine.Tensors() {
		for i, v := range c.tensors[t.Name] {
			if x := float64(v); math.IsNaN(x) || math.IsInf(x, 0) {
				return c.path, fmt.Errorf("nets: %s: tensor %q: value %d is %v; want finite numbers", c.path, t.Name, i, v)
			}
		}
		engine.Set(t.Name, c.tensors[t.Name])
	}
	return c.path, nil
}
