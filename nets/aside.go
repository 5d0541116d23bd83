package nets

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"reflect"

	"tqn/runfolder"
)

// This file keeps what a run finds in its folder and would replace: whatever it cannot make again by itself gets another name
// ([runfolder.SetAside]), and the user is told. What a crash of the run itself leaves is made again, and is not kept.

// keepOthers looks, before the run writes anything, at what its files hold. Checkpoints of which none is whole are kept, since the run starts anew beside them; so is a
// metrics.jsonl that tells of anything but epochs that the run has done, and a manifest.json that is none.
func (t *training) keepOthers() error {
	if t.damaged {
		for _, name := range []string{checkpointName, checkpointOlder} {
			if err := t.setAside(name, errors.New("it is damaged")); err != nil {
				return err
			}
		}
	}
	if err := t.keepUnless("metrics.jsonl", runfolder.MaxText, t.toldBefore); err != nil {
		return err
	}
	return t.keepUnless("manifest.json", runfolder.MaxConfig, func(b []byte) error {
		_, err := unseal(b, new(Manifest))
		return err
	})
}

// toldBefore is an error unless a metrics.jsonl tells of the run's first epochs, or of all that are done.
func (t *training) toldBefore(b []byte) error {
	epochs, err := parseMetrics(b, t.config)
	if err != nil {
		return err
	}
	if len(epochs) > len(t.history) {
		return fmt.Errorf("it tells of %d epochs, and the run goes on after %d", len(epochs), len(t.history))
	}
	for i, e := range epochs {
		if !reflect.DeepEqual(e, t.history[i]) {
			return fmt.Errorf("line %d: it is not what the checkpoint says of epoch %d", i+1, i+1)
		}
	}
	return nil
}

// writeWeights writes a file of weights, of which a run's end makes always the same bytes.
func (t *training) writeWeights(name string, b []byte) error {
	err := t.keepUnless(name, int64(len(b)), func(old []byte) error {
		if !bytes.Equal(old, b) {
			return errors.New("it holds other weights than this run's")
		}
		return nil
	})
	if err != nil {
		return err
	}
	return runfolder.WriteBytes(t.where.files, filepath.Join(t.where.Dir, name), b)
}

// keepUnless sets one of the folder's files aside if own gives an error, which says why, or if the file is none of at most limit bytes.
func (t *training) keepUnless(name string, limit int64, own func([]byte) error) error {
	b, err := runfolder.ReadFile(filepath.Join(t.where.Dir, name), limit)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil
	case errors.Is(err, runfolder.ErrStorage):
		return fmt.Errorf("nets: %w", err)
	case err == nil:
		err = own(b)
	}
	if err == nil {
		return nil
	}
	return t.setAside(name, err)
}

// setAside gives a file, if it is there, another name, and says so.
func (t *training) setAside(name string, why error) error {
	path := filepath.Join(t.where.Dir, name)
	to, err := runfolder.SetAside(t.where.files, path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	t.where.Warn(fmt.Sprintf("%s is kept as %s: %v", path, filepath.Base(to), why))
	return nil
}
