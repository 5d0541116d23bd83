package nets

import (
	"errors"
	"io/fs"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"tqn/nets/network"
	"tqn/runfolder"
)

// Four weights with steps of +-alpha: those that point to the other value, down at +1 and up at -1, count in Flip.
func TestReadLastStep(t *testing.T) {
	config, err := Config{Net: "vgg9", Method: "sr", Data: "embedded", Epochs: 4, Drops: []int{2, 3}}.Resolve()
	if err != nil {
		t.Fatal(err)
	}
	const steps = 7
	m1, m2 := 1-math.Pow(network.AdamBeta1, steps), 1-math.Pow(network.AdamBeta2, steps)
	write := func(epoch, index int, hash string) string {
		t.Helper()
		dir := t.TempDir()
		c := &checkpoint{checkpointHeader: checkpointHeader{ConfigHash: hash, Epoch: epoch, Index: index, Step: steps,
			Tensors: []network.Tensor{{Name: "conv_1.weight", Shape: []int{4}}, {Name: "conv_1.weight" + network.FirstMoment, Shape: []int{4}}, {Name: "conv_1.weight" + network.SecondMoment, Shape: []int{4}}, {Name: "linear_1.weight", Shape: []int{1}}}},
			tensors: map[string][]float32{
				"conv_1.weight":                        {1, 1, -1, -1},
				"conv_1.weight" + network.FirstMoment:  {float32(m1), float32(-m1), float32(m1), 0},
				"conv_1.weight" + network.SecondMoment: {float32(m2), float32(m2), float32(m2), float32(m2)},
				"linear_1.weight":                      {3},
			}, signs: map[string][]byte{}}
		if err := saveCheckpoint(runfolder.Disk{}, dir, c); err != nil {
			t.Fatal(err)
		}
		return dir
	}
	got, err := ReadLastStep(write(3, 0, config.Hash()), config)
	if err != nil {
		t.Fatal(err)
	}
	// alpha = 0.01 after the third epoch has one drop behind it; |step| = alpha for three of four weights, one of them inwards.
	if alpha := 0.001; got.Alpha != alpha || got.Steps != steps || got.Weights != 4 ||
		math.Abs(got.Size/(3*alpha/2/4)-1) > 1e-6 || math.Abs(got.Flip/(alpha/2/4)-1) > 1e-6 {
		t.Errorf("%+v", got)
	}
	for name, c := range map[string]struct{ dir, words string }{
		"another config":        {write(3, 0, "other"), "another config"},
		"the middle of a epoch": {write(3, 1, config.Hash()), "not written at the end of an epoch"},
	} {
		if _, err := ReadLastStep(c.dir, config); err == nil || !strings.Contains(err.Error(), c.words) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := ReadLastStep(t.TempDir(), config); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("no checkpoint: %v", err)
	}
	dir := write(3, 0, config.Hash())
	path := filepath.Join(dir, checkpointName)
	if err := os.Truncate(path, 100); err != nil {
		t.Fatal(err)
	}
	if _, err := ReadLastStep(dir, config); err == nil || !strings.Contains(err.Error(), path) {
		t.Errorf("damaged: %v", err)
	}
}
