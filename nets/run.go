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

	Manifest *Manifest // of a finished run; nil where none lies beside its result
}

// ReadRun reads a run folder, finished or not.
func ReadRun(dir string) (Run, error) {
	r := Run{Dir: dir}
	var err error
	if r.Config, err = readConfig(dir); err != nil {
		return r, err
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
		if r.Manifest, err = ReadManifest(dir, result.Sealed); err != nil {
			return r, err
		}
	case !errors.Is(err, fs.ErrNotExist):
		return r, err
	}
	return r, nil
}

// readConfig reads the config.json of a run folder, which must be as the run wrote it. Its error wraps fs.ErrNotExist where there is none.
func readConfig(dir string) (Config, error) {
	path := filepath.Join(dir, "config.json")
	b, err := runfolder.ReadFile(path, runfolder.MaxConfig)
	if err != nil {
		return Config{}, fmt.Errorf("nets: %s is not a run folder: %w", dir, err)
	}
	if _, _, err := runfolder.Unseal(b); errors.Is(err, runfolder.ErrChanged) {
		return Config{}, fmt.Errorf("nets: %s: %w", path, err)
	}
	c, err := ParseConfig(b)
	if err != nil {
		return c, fmt.Errorf("%s: %w", path, err)
	}
	return c, nil
}

// ReadManifest reads a finished run's manifest.json, nil where there is none. Only the runs of earlier versions, whose results have no
// hash of themselves (sealed is [Result].Sealed), have manifests without one.
func ReadManifest(dir string, sealed bool) (*Manifest, error) {
	path := filepath.Join(dir, "manifest.json")
	b, err := runfolder.ReadFile(path, runfolder.MaxConfig)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("nets: %w", err)
	}
	var m Manifest
	has, err := unseal(b, &m)
	if err == nil && sealed && !has {
		err = errors.New("it has lost its hash, which the result beside it has")
	}
	if err != nil {
		return nil, fmt.Errorf("nets: %s: %w", path, err)
	}
	return &m, nil
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
