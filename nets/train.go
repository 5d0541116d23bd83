package nets

import (
	"context"
	"errors"
	"time"
)

// Where says where and how a run is carried out. Nothing in it changes a byte of result.json.
type Where struct {
	Dir     string // the run folder, created if missing; a run found there is continued
	DataDir string // where the data set's files are
	Threads int    // 0: GOMAXPROCS

	// CheckpointEvery is the time between checkpoints inside an epoch; one is also written after every epoch and on
	// interruption. 0 is a minute.
	CheckpointEvery time.Duration

	Progress func(Progress)       // called after every step, may be nil
	Warn     func(message string) // called for what a user should know (a damaged checkpoint), may be nil
}

// Progress is the state of a running training.
type Progress struct {
	Epoch, Epochs   int     // Epoch counts from 1
	Step, Steps     uint64  // of the whole run
	Loss            float64 // mean over the epoch so far, nats
	Error           float64 // training error over the epoch so far, percent
	ImagesPerSecond float64 // of this process, without evaluation
	Remaining       time.Duration
}

// Result is a finished run: result.json. It holds no times and no paths.
type Result struct {
	Config     Config  `json:"config"`
	ConfigHash string  `json:"config_hash"`
	Steps      uint64  `json:"steps"`
	TestError  float64 `json:"test_error"`      // percent, after the last epoch
	TestLoss   float64 `json:"test_loss"`       // nats
	TrainError float64 `json:"train_error"`     // percent, over the last epoch's batches, as they were trained
	TrainLoss  float64 `json:"train_loss"`      // nats
	BestError  float64 `json:"best_test_error"` // percent, smallest over epochs: for information, never a selection
	Epochs     []Epoch `json:"epochs"`
	WeightHash string  `json:"weight_hash"` // SHA-256 of weights.safetensors
}

// Epoch is a line of metrics.jsonl (there with Seconds) and an element of result.json (there without).
type Epoch struct {
	Epoch      int     `json:"epoch"` // from 1
	Alpha      float64 `json:"alpha"` // learning rate
	TrainLoss  float64 `json:"train_loss"`
	TrainError float64 `json:"train_error"` // percent
	TestLoss   float64 `json:"test_loss"`
	TestError  float64 `json:"test_error"` // percent
	Layers     []Probe `json:"layers"`     // convolutions and linear layers, in order
	Seconds    float64 `json:"seconds,omitempty"`
	ImagesPerS float64 `json:"images_per_second,omitempty"`
}

// Probe is what Section 6 observes of one layer's weights at the end of an epoch.
type Probe struct {
	Layer    string   `json:"layer"`
	Weights  int      `json:"weights"`
	Changed  float64  `json:"changed"`                  // percent of signs that differ from the initial ones (Figures 4, 5b)
	Window   *float64 `json:"changed_window,omitempty"` // percent that differ from ChangeEvery epochs before, every ChangeEvery epochs (Figure 5c)
	Flips    float64  `json:"flips"`                    // percent that differ from the epoch before
	Distance float64  `json:"distance"`                 // mean |wb - wr|, wb the sign of wr (Figure 7); 0 for r and sr
}

// ErrInterrupted is what Train wraps when its context ended: a checkpoint was written, the same call continues the run.
var ErrInterrupted = errors.New("interrupted; run the same command again to continue")

// ErrLocked is what Train wraps when another process works on the run folder.
var ErrLocked = errors.New("another process is working on this run folder")

// Train carries out the run that config describes in where.Dir, or continues it, or returns its result if it is finished.
func Train(ctx context.Context, config Config, where Where) (Result, error) {
	return Result{}, errors.New("nets: Train: being written")
}
