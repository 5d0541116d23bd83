package xla

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"tqn/nets"
	"tqn/nets/network"
)

// TestRunMovesBetweenEngines stops a run on one engine and continues it in the same folder on the other, both
// ways round. Their sums round differently, so the run goes on only where that is allowed, and its result names both.
func TestRunMovesBetweenEngines(t *testing.T) {
	c := need(t)
	device := func(m network.Model, h network.Hyper) (network.Engine, error) {
		return New(c, c.Devices[:1], m, h, F32)
	}
	engines := []func(network.Model, network.Hyper) (network.Engine, error){nil, device}
	config, err := nets.Config{Net: "vgg9", Method: "sr", Data: "embedded", Width: 1. / 16, Depth: 0.5, Epochs: 3, Batch: 20,
		TrainImages: 100, TestImages: 50, Seed: 5}.Resolve()
	if err != nil {
		t.Fatal(err)
	}
	for first := range engines {
		dir := filepath.Join(t.TempDir(), "run")
		ctx, stop := context.WithCancel(context.Background())
		where := nets.Where{Dir: dir, NewEngine: engines[first], Progress: func(p nets.Progress) {
			if p.Epoch == 2 { // in the second of three epochs
				stop()
			}
		}}
		if _, err := nets.Train(ctx, config, where); !errors.Is(err, nets.ErrInterrupted) {
			t.Fatalf("first engine %d: %v; want an interruption", first, err)
		}
		stop()
		second := nets.Where{Dir: dir, NewEngine: engines[1-first]}
		if _, err := nets.Train(context.Background(), config, second); !errors.Is(err, nets.ErrOtherKernel) {
			t.Fatalf("second engine %d without leave to change kernels: %v; want nets.ErrOtherKernel", 1-first, err)
		} else if hint := []string{"set TQN_KERNEL=", "--engine pjrt"}[first]; !strings.Contains(err.Error(), hint) {
			t.Errorf("second engine %d: %v; want the way back, %q", 1-first, err, hint)
		}
		second.KernelChange = true
		r, err := nets.Train(context.Background(), config, second)
		if err != nil {
			t.Fatalf("second engine %d: %v", 1-first, err)
		}
		if !strings.Contains(r.Kernel, "pjrt") || !strings.Contains(r.Kernel, "+") {
			t.Errorf("second engine %d: the result names kernel %q, not both", 1-first, r.Kernel)
		}
		if r.Steps != 15 || len(r.Epochs) != 3 || r.TestError <= 0 || r.TestError >= 100 {
			t.Errorf("second engine %d: %d steps, %d epochs, test error %v", 1-first, r.Steps, len(r.Epochs), r.TestError)
		}
		if _, err := os.Stat(filepath.Join(dir, "result.json")); err != nil {
			t.Error(err)
		}
	}
}

// TestStateIsPortable: what one engine says its state is, the other takes and gives back bit for bit.
func TestStateIsPortable(t *testing.T) {
	m := model(t, small[2])
	h := hyper(6, 0)
	e := engine(t, m, h)
	ref := network.NewReference(m, h)
	randomState(ref, h.Rule, 1)
	for _, ts := range ref.Tensors() {
		e.Set(ts.Name, get(ref, ts.Name))
	}
	if err := e.settle(); err != nil { // through the device's memory, not only the host's copy
		t.Fatal(err)
	}
	e.host = [stateVectors][]float32{}
	for _, ts := range e.Tensors() {
		if distance(get(e, ts.Name), get(ref, ts.Name)) != 0 {
			t.Errorf("%s came back changed", ts.Name)
		}
	}
	// Planted: a value changed on the way must be seen.
	w := get(e, "bn_1.gamma")
	w[0]++
	e.Set("bn_1.gamma", w)
	if distance(get(e, "bn_1.gamma"), get(ref, "bn_1.gamma")) == 0 {
		t.Error("a changed value was not seen")
	}
}
