package nets

import (
	"bytes"
	"crypto/sha256"
	"encoding/json"
	"math"
	"slices"
	"testing"

	"tqn/nets/network"
	"tqn/quantize"
)

// smallCheckpoint is a whole checkpoint of a few hundred bytes.
func smallCheckpoint(t testing.TB) []byte {
	t.Helper()
	c := &checkpoint{checkpointHeader: checkpointHeader{ConfigHash: "c", DataChecksum: "d", Epoch: 1, Index: 2, Step: 5,
		Tensors: []network.Tensor{{Name: "a", Shape: []int{2, 2}}, {Name: "b", Shape: []int{1}}}, Signs: []signsHeader{{"window/a", 4}}},
		tensors: map[string][]float32{"a": {1, -1, 1, 1}, "b": {0.5}}, signs: map[string][]byte{"window/a": {2}}}
	var b bytes.Buffer
	if err := c.write(&b); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// FuzzCheckpoint: nothing panics, nothing allocates more than the file allows.
func FuzzCheckpoint(f *testing.F) {
	whole := smallCheckpoint(f)
	f.Add(whole)
	f.Add(whole[:40])
	f.Add([]byte(checkpointMagic + "\xff\xff\xff\xff\xff\xff\xff\xff"))
	f.Fuzz(func(t *testing.T, b []byte) {
		check := func(b []byte) {
			c, err := parseCheckpoint(b)
			if err != nil {
				return
			}
			size := 0
			for _, v := range c.tensors {
				size += 4 * len(v)
			}
			for _, s := range c.signs {
				size += len(s)
			}
			if size > len(b) {
				t.Fatalf("%d bytes of tensors from a file of %d", size, len(b))
			}
		}
		check(b)
		check(resealed(b)) // the same with a right checksum, so that what lies behind it is reached
	})
}

// resealed replaces a file's last 32 bytes with the checksum of what is before.
func resealed(b []byte) []byte {
	if len(b) < sha256.Size {
		return b
	}
	body := b[:len(b)-sha256.Size]
	sum := sha256.Sum256(body)
	return append(bytes.Clone(body), sum[:]...)
}

func TestSmallCheckpointParses(t *testing.T) {
	c, err := parseCheckpoint(smallCheckpoint(t))
	if err != nil || c.tensors["a"][1] != -1 || c.signs["window/a"][0] != 2 || c.Step != 5 {
		t.Fatalf("%+v, %v", c, err)
	}
}

// FuzzConfig: what parses is resolved, finite and stable under another round.
func FuzzConfig(f *testing.F) {
	f.Add([]byte(`{"net":"vgg9","method":"sr","data":"embedded"}`))
	f.Add([]byte(`{"net":"vgg9","method":"bc","data":"cifar10","width":1e308,"drops":[5,1]}`))
	f.Add([]byte(`{"net":"resnet56","method":"adam","data":"textures","depth":-0.0001,"learning_rate":1e-400}`))
	f.Fuzz(func(t *testing.T, b []byte) {
		c, err := ParseConfig(b)
		if err != nil {
			return
		}
		text, err := json.Marshal(c)
		if err != nil {
			t.Fatalf("%+v does not marshal: %v", c, err)
		}
		again, err := ParseConfig(text)
		if err != nil || again.Hash() != c.Hash() {
			t.Fatalf("%s parses to another Config (%v)", text, err)
		}
	})
}

func TestSignsRoundTrip(t *testing.T) {
	draw := quantize.NewNoise(1).At(0, 0)
	for n := range 40 {
		w := make([]float32, n)
		for i := range w {
			w[i] = float32(1 - 2*int(draw.Bits(i)>>31))
		}
		if back := fromSigns(signsOf(w), n); !slices.Equal(back, w) {
			t.Errorf("%d signs: %v became %v", n, w, back)
		}
	}
}

// FuzzResult: nothing panics, and what is believed has a configuration that resolves, all its epochs, and says the same after
// another round.
func FuzzResult(f *testing.F) {
	c := Config{Net: "vgg9", Method: "r", Data: "textures", Classes: 3, Size: 8, Width: 1. / 16, Depth: 0.5, Epochs: 1, Batch: 8, TrainImages: 8, TestImages: 8, Seed: 3}
	c, err := c.Resolve()
	if err != nil {
		f.Fatal(err)
	}
	r, err := Train(f.Context(), c, Where{Dir: f.TempDir()})
	if err != nil {
		f.Fatal(err)
	}
	whole, err := json.Marshal(r)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(whole)
	f.Add([]byte(`{"config":{"net":"vgg9","method":"sr","data":"textures"},"epochs":[]}`))
	f.Add([]byte(`null`))
	f.Fuzz(func(t *testing.T, b []byte) {
		r, err := parseResult(b)
		if err != nil {
			return
		}
		if len(r.Epochs) != r.Config.Epochs || r.Epochs[len(r.Epochs)-1].TestError != r.TestError {
			t.Fatalf("believed: %+v", r)
		}
		again, err := json.Marshal(r)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := parseResult(again); err != nil {
			t.Fatalf("%s is not believed again: %v", again, err)
		}
	})
}

// FuzzMetrics: nothing panics, and epochs come out numbered and finite.
func FuzzMetrics(f *testing.F) {
	c, err := Config{Net: "vgg9", Method: "sr", Data: "embedded", Epochs: 4}.Resolve()
	if err != nil {
		f.Fatal(err)
	}
	f.Add([]byte(`{"epoch":1,"alpha":0.01,"train_loss":2.3,"train_error":50,"test_loss":2,"test_error":25,"layers":[{"layer":"conv_1","weights":4,"changed":50,"changed_window":0,"flips":25,"distance":0}]}` + "\n" +
		`{"epoch":2,"alpha":0.01,"train_loss":2.3,"train_error":50,"test_loss":2,"test_error":25,"layers":[{"layer":"conv_1","weights":4,"changed":50,"changed_window":0,"flips":25,"distance":0}]}` + "\n"))
	f.Add([]byte(`{"epoch":1,"alpha":1e-400,"layers":null}`))
	f.Add([]byte("\n\n"))
	f.Fuzz(func(t *testing.T, b []byte) {
		epochs, err := parseMetrics(b, c)
		if err != nil {
			return
		}
		for i, e := range epochs {
			if e.Epoch != i+1 || !(e.TestLoss <= math.MaxFloat64) || !(e.TestError >= 0 && e.TestError <= 100) {
				t.Fatalf("%+v", e)
			}
		}
	})
}
