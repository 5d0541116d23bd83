package nets

import (
	"strings"
	"testing"
)

// The fields for what the paper does not say do not change the identity of a run that leaves them alone: these hashes were
// written by a program that had none of them.
func TestUnstatedFieldsKeepOldIdentities(t *testing.T) {
	for method, want := range map[string]string{
		"adam": "afc6650b345c0b8a453fa69fb8c26f9d80c3eacef9b69240010f8567b3168b1d",
		"sr":   "d06d6ae330ba5e8554aa375bcdf0ab78384eabe02070683d5c9d645f17e7a372",
		"bc":   "2b0d60f95c987e1de89bced6d58217e4678336c27debc27e405a1f7d70fdae0b",
	} {
		yes := true
		for _, c := range []Config{
			{Init: "he"},
			{Init: "he", Clip: &yes, LearningRateScale: "none", LastBatch: "drop"}, // the same, spelled out
		} {
			c.Net, c.Method, c.Data, c.Seed = "vgg9", method, "cifar10", 1
			c, err := c.Resolve()
			if err != nil {
				t.Fatal(err)
			}
			if c.Hash() != want {
				t.Errorf("%s: hash %s, was %s", method, c.Hash(), want)
			}
		}
	}
	no := false
	for name, c := range map[string]Config{
		"init": {Init: "uniform"}, "clip": {Clip: &no}, "scale": {LearningRateScale: "binaryconnect"}, "last batch": {LastBatch: "keep"},
		"epsilon": {NormEpsilon: 1e-4}, "momentum": {NormMomentum: 0.2},
	} {
		c.Net, c.Method, c.Data, c.Seed = "vgg9", "bc", "cifar10", 1
		if c, err := c.Resolve(); err != nil || c.Hash() == "2b0d60f95c987e1de89bced6d58217e4678336c27debc27e405a1f7d70fdae0b" {
			t.Errorf("%s: another run with the same hash (error %v)", name, err)
		}
	}
}

func TestUnstatedFieldsAreChecked(t *testing.T) {
	no := false
	for want, c := range map[string]Config{
		`init is xavier; want one of he, glorot, torch7, uniform, rademacher`: {Method: "bc", Init: "xavier"},
		`clip is false; want true, or method bc`:                              {Method: "sr", Clip: &no},
		`learning_rate_scale is glorot; want "none" or "binaryconnect"`:       {Method: "bc", LearningRateScale: "glorot"},
		`learning_rate_scale is binaryconnect; want "none", or method bc`:     {Method: "r", LearningRateScale: "binaryconnect"},
		`last_batch is wrap; want "drop" or "keep"`:                           {Method: "r", LastBatch: "wrap"},
		`shortcut "C"; want A or B`:                                           {Net: "resnet56", Method: "r", Shortcut: "C"},
		`shortcut "B"; vgg9 has no shortcuts`:                                 {Method: "r", Shortcut: "B"},
	} {
		setDefault(&c.Net, "vgg9")
		c.Data = "cifar10"
		if _, err := c.Resolve(); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("error %v, want %q", err, want)
		}
	}
}

// last_batch "keep" sees every image of an epoch once, also when it is interrupted and continued.
func TestLastBatchIsKept(t *testing.T) {
	c := tiny(t)
	c.Batch, c.LastBatch = 9, "keep" // 24 images: 9, 9 and 6
	r := train(t, c, Where{Dir: t.TempDir()})
	if r.Steps != 9 {
		t.Errorf("%d steps in 3 epochs, want 9", r.Steps)
	}
	c.LastBatch = ""
	if r := train(t, c, Where{Dir: t.TempDir()}); r.Steps != 6 {
		t.Errorf("%d steps without the last batches, want 6", r.Steps)
	}
	c.TrainImages, c.LastBatch = 19, "keep" // one image left over: batch norm needs two
	if r := train(t, c, Where{Dir: t.TempDir()}); r.Steps != 6 {
		t.Errorf("%d steps where one image is left over, want 6", r.Steps)
	}
}
