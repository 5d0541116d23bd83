package main

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"testing"

	"tqn/markov"
	"tqn/nets"
	"tqn/nets/kernel"
)

// What takes long ends with its context and leaves no file: the decay of a chain's picture, and the timing of a training step.
func TestLongWorkEndsWithItsContext(t *testing.T) {
	ctx, stop := context.WithCancel(t.Context())
	stop()
	c, err := markov.FromDense([][]float64{{0, 0.5}, {0.25, 0}}, 1)
	if err != nil {
		t.Fatal(err)
	}
	a, err := c.Analyse(0.25)
	if err != nil {
		t.Fatal(err)
	}
	picture := filepath.Join(t.TempDir(), "a.png")
	if err := plotChain(ctx, c, a, picture); !errors.Is(err, context.Canceled) {
		t.Errorf("a picture: %v", err)
	}
	if _, err := os.Stat(picture); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("a picture was written: %v", err)
	}
	config, err := nets.Config{Net: "vgg9", Method: "sr", Data: "textures", Classes: 3, Size: 8, Width: 1. / 16, Epochs: 1, Batch: 8, TrainImages: 8, TestImages: 8}.Resolve()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := stepSpeed(ctx, config, 1, kernel.F32, nil); !errors.Is(err, context.Canceled) {
		t.Errorf("a step's time: %v", err)
	}
}
