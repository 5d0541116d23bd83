package nets

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
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
	b, err := runfolder.ReadFile(filepath.Join(dir, "config.json"), runfolder.MaxText)
	if err != nil {
		return r, fmt.Errorf("nets: %s is not a run folder: %w", dir, err)
	}
	if r.Config, err = ParseConfig(b); err != nil {
		return r, fmt.Errorf("%s/config.json: %w", dir, err)
	}
	if r.Epochs, err = ReadMetrics(dir); err != nil {
		return r, err
	}
	result, err := ReadResult(dir)
	switch {
	case err == nil:
		r.Result = &result
	case !errors.Is(err, fs.ErrNotExist):
		return r, err
	}
	return r, nil
}

// ReadMetrics reads metrics.jsonl; a run that has not finished an epoch has no lines.
func ReadMetrics(dir string) ([]Epoch, error) {
	path := filepath.Join(dir, "metrics.jsonl")
	b, err := runfolder.ReadFile(path, runfolder.MaxText)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("nets: %w", err)
	}
	var epochs []Epoch
	for number, line := range bytes.Split(bytes.TrimSuffix(b, []byte("\n")), []byte("\n")) {
		if len(line) == 0 {
			continue
		}
		var e Epoch
		if err := json.Unmarshal(line, &e); err != nil {
			return nil, fmt.Errorf("nets: %s: line %d: %w", path, number+1, err)
		}
		if e.Epoch != len(epochs)+1 {
			return nil, fmt.Errorf("nets: %s: line %d: epoch %d, want %d", path, number+1, e.Epoch, len(epochs)+1)
		}
		epochs = append(epochs, e)
	}
	return epochs, nil
}
