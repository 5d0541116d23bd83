package nets

import (
	"fmt"
	"math"
	"path/filepath"

	"tqn/nets/kernel"
	"tqn/nets/network"
	"tqn/runfolder"
)

// EvalOptions say which of a run's weights to evaluate and on what.
type EvalOptions struct {
	Weights string // checkpoint, full or packed; empty is checkpoint
	DataDir string // where the data set's files are; empty: its default folders
	Threads int    // 0: GOMAXPROCS
	Warn    func(string)
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
	b, err := runfolder.ReadFile(filepath.Join(dir, "config.json"), runfolder.MaxText)
	if err != nil {
		return EvalResult{}, fmt.Errorf("nets: %s is not a run folder: %w", dir, err)
	}
	config, err := ParseConfig(b)
	if err != nil {
		return EvalResult{}, fmt.Errorf("%s/config.json: %w", dir, err)
	}
	set, err := OpenData(config, o.DataDir)
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
	h := config.hyper(method)
	h.Batch = min(evalBatch, set.Test.Len())
	engine, err := network.NewCPU(model, h, workers)
	if err != nil {
		return EvalResult{}, err
	}
	r := EvalResult{Data: set.Title, Kernel: engine.Kernel()}
	switch o.Weights {
	case "", "checkpoint":
		r.Weights = filepath.Join(dir, checkpointName)
		warn := o.Warn
		if warn == nil {
			warn = func(string) {}
		}
		c, err := loadCheckpoint(dir, func(c *checkpoint) error { return c.fits(config, set.Checksum, model) }, warn)
		if err != nil {
			return r, err
		}
		if c == nil {
			return r, fmt.Errorf("nets: %s has no usable checkpoint", dir)
		}
		for _, t := range engine.Tensors() {
			engine.Set(t.Name, c.tensors[t.Name])
		}
	case "full", "packed":
		r.Weights = filepath.Join(dir, map[string]string{"full": weightsName, "packed": packedName}[o.Weights])
		b, err := runfolder.ReadFile(r.Weights, math.MaxInt64)
		if err != nil {
			return r, fmt.Errorf("nets: %w", err)
		}
		if err := loadWeights(engine, b); err != nil {
			return r, fmt.Errorf("%s: %w", r.Weights, err)
		}
	default:
		return r, fmt.Errorf("nets: weights %q; want checkpoint, full or packed", o.Weights)
	}
	r.Loss, err = EvaluateOn(engine, set, h.Batch)
	return r, err
}
