package nets

import (
	"fmt"
	"io/fs"
	"maps"
	"math"
	"path/filepath"
	"slices"

	"tqn/nets/network"
	"tqn/quantize"
	"tqn/runfolder"
)

// LastStep is what a checkpoint, written between two epochs, says of the last step's convolution weights: means over all of them.
// The grid is {-1,+1}, Delta = 2. Section 5.2: from a grid point, SR moves to the neighbour on the side of a step s with
// probability |s|/Delta, and a step out of the box leads nowhere.
type LastStep struct {
	Alpha   float64 `json:"alpha"` // learning rate
	Steps   uint64  `json:"steps"` // done so far
	Weights int     `json:"weights"`
	// Size is E|s|/Delta.
	Size float64 `json:"size"`
	// Flip is E[(s towards the other point)+]/Delta: SR's probability that a weight flips in such a step. The weights are those
	// after the step, so that one that has just flipped counts as stepping out of the box: the relative error is at most
	// the largest flip probability of a weight.
	Flip float64 `json:"flip"`
}

// ReadLastStep reads it from a run folder. It wraps fs.ErrNotExist where there is no checkpoint.
func ReadLastStep(dir string, c Config) (LastStep, error) {
	var out LastStep
	path := filepath.Join(dir, checkpointName)
	b, err := runfolder.ReadFile(path, math.MaxInt64)
	if err != nil {
		return out, fmt.Errorf("nets: %w", err)
	}
	ck, err := parseCheckpoint(b)
	if err != nil {
		return out, fmt.Errorf("nets: %s: %w", path, err)
	}
	if ck.ConfigHash != c.Hash() {
		return out, fmt.Errorf("nets: %s: the checkpoint of another config (hash %.12q, want %.12s)", path, ck.ConfigHash, c.Hash())
	}
	if ck.Epoch < 1 || ck.Index != 0 {
		return out, fmt.Errorf("nets: %s: epoch %d, batch %d: not written at the end of an epoch", path, ck.Epoch, ck.Index)
	}
	out.Alpha, out.Steps = c.Alpha(ck.Epoch), ck.Step
	scale := out.Alpha / (1 - math.Pow(network.AdamBeta1, float64(ck.Step)))
	c2 := 1 - math.Pow(network.AdamBeta2, float64(ck.Step))
	delta := quantize.Binary().Delta
	for _, name := range slices.Sorted(maps.Keys(ck.tensors)) { // in one order, so that the sums are the same to the last bit
		w := ck.tensors[name]
		m, v := ck.tensors[name+network.FirstMoment], ck.tensors[name+network.SecondMoment]
		if network.RoleOf(name) != network.ConvWeight || len(m) != len(w) || len(v) != len(w) {
			continue // not a trained convolution weight
		}
		for i, x := range w {
			s := scale * float64(m[i]) / (math.Sqrt(float64(v[i])/c2) + network.AdamEpsilon)
			out.Size += math.Abs(s) / delta
			if (s > 0) == (x > 0) { // w <- w - s: a positive step leads down, to the other point of a positive weight
				out.Flip += min(1, math.Abs(s)/delta)
			}
		}
		out.Weights += len(w)
	}
	if out.Weights == 0 {
		return out, fmt.Errorf("nets: %s: no convolution weights: %w", path, fs.ErrNotExist)
	}
	out.Size /= float64(out.Weights)
	out.Flip /= float64(out.Weights)
	return out, nil
}
