package main

import (
	"encoding/json"
	"slices"
	"testing"
)

// What tqn --help says of flags: of one that is given twice the last value counts, lists are joined, and 0 is the default where the help says so.
func TestFlagsGivenTwiceAndZero(t *testing.T) {
	code, out, errs := tqn(t, "train --net vgg9 --data cifar10 --dry-run --json --batch 64 --batch 32 --drops 3 --drops 5 --epochs 0")
	var v struct {
		Config struct {
			Batch, Epochs int
			Drops         []int
		}
	}
	if err := json.Unmarshal([]byte(out), &v); code != exitExpected || err != nil {
		t.Fatalf("exit %d, %v: %s", code, err, errs)
	}
	if v.Config.Batch != 32 || v.Config.Epochs != 160 || !slices.Equal(v.Config.Drops, []int{3, 5}) {
		t.Errorf("%+v, want batch 32, 160 epochs, drops 3 and 5", v.Config)
	}
}
