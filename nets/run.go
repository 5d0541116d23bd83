package nets

import (
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"reflect"
	"tqn/runfolder"
)

// Run is what a run folder holds so far.
type Run struct {
	Dir    string
	Config Config
	Epochs []Epoch // of metrics.jsonl: the finished ones
	Result *Result // nil until the run is finished
}

// ReadRun reads a run folder, finished or not.
func ReadRun(dir string) (Run, error) {
	r := Run{Dir: dir}
	b, err := runfolder.ReadFile(filepath.Join(dir, "config.json"), runfolder.MaxConfig)
	if err != nil {
		return r, fmt.Errorf("nets: %s is not a run folder: %w", dir, err)
	}
	if r.Config, err = ParseConfig(b); err != nil {
		return r, fmt.Errorf("%s/config.json: %w", dir, err)
	}
	if r.Epochs, err = readMetrics(dir, r.Config); err != nil {
		return r, err
	}
	result, err := ReadResult(dir)
	switch {
	case err == nil && result.ConfigHash != r.Config.Hash():
		return r, fmt.Errorf("nets: %s: result.json belongs to another configuration than config.json", dir)
	case err == nil && !sameEpochs(result.Epochs, r.Epochs):
		return r, fmt.Errorf("nets: %s: result.json and metrics.jsonl tell different epochs", dir)
	case err == nil:
		r.Result = &result
	case !errors.Is(err, fs.ErrNotExist):
		return r, err
	}
	return r, nil
}

// sameEpochs compares the epochs of a result with those of the metrics, which have times besides.
func sameEpochs(result, metrics []Epoch) bool {
	if len(result) != len(metrics) {
		return false
	}
	for i, m := range metrics {
		m.Seconds, m.ImagesPerSecond = 0, 0
		if !reflect.DeepEqual(m, result[i]) {
			return false
		}
	}
	return true
}
