package nets

import (
	"bytes"
	"context"
	"encoding/binary"
	"encoding/json"
	"errors"
	"io/fs"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"tqn/nets/dataset"
	"tqn/nets/network"
	"tqn/nets/safetensors"
	"tqn/runfolder"
)

// The tests of this file hold refusals one by one: each input is wrong in one way, and the message must say in which.

// refused fails unless the error has these words.
func refused(t *testing.T, what string, err error, words string) {
	t.Helper()
	if err == nil || !strings.Contains(err.Error(), words) {
		t.Errorf("%s: error %v, want %q", what, err, words)
	}
}

// Every field of a configuration has a range, whose ends are in it.
func TestConfigFieldsAreChecked(t *testing.T) {
	good := tiny(t)
	for name, c := range map[string]struct {
		change func(*Config)
		words  string // empty: allowed
	}{
		"an unknown net":           {func(c *Config) { c.Net = "vgg10" }, `unknown net "vgg10"`},
		"no data":                  {func(c *Config) { c.Data = "" }, "data is empty"},
		"negative epochs":          {func(c *Config) { c.Epochs = -1 }, "epochs is -1"},
		"the most epochs":          {func(c *Config) { c.Epochs = 1e6 }, ""},
		"more epochs":              {func(c *Config) { c.Epochs = 1e6 + 1 }, "epochs is 1000001"},
		"a batch of one":           {func(c *Config) { c.Batch = 1 }, "batch is 1"},
		"the smallest batch":       {func(c *Config) { c.Batch = 2 }, ""},
		"the largest batch":        {func(c *Config) { c.Batch = 1 << 16 }, ""},
		"a larger batch":           {func(c *Config) { c.Batch = 1<<16 + 1 }, "batch is 65537"},
		"negative training images": {func(c *Config) { c.TrainImages = -1 }, "train_images is -1"},
		"negative test images":     {func(c *Config) { c.TestImages = -1 }, "test_images is -1"},
		"negative classes":         {func(c *Config) { c.Classes = -1 }, "classes is -1; want 0 (the data set's)"},
		"a negative size":          {func(c *Config) { c.Size = -1 }, "size is -1; want 0 (the data set's)"},
		"classes of a fixed set":   {func(c *Config) { c.Data, c.Size = "embedded", 0 }, "classes is 3; want 0: only"},
		"size of a fixed set":      {func(c *Config) { c.Data, c.Classes = "embedded", 0 }, "size is 8; want 0: only"},
		"size of imagenet":         {func(c *Config) { c.Data, c.Classes, c.Size = "imagenet", 0, 64 }, ""},
		"a rate that is no number": {func(c *Config) { c.LearningRate = math.NaN() }, "learning_rate is NaN"},
		"an infinite rate":         {func(c *Config) { c.LearningRate = math.Inf(1) }, "learning_rate is +Inf"},
		"a negative rate":          {func(c *Config) { c.LearningRate = -1 }, "learning_rate is -1"},
		"an infinite drop":         {func(c *Config) { c.DropFactor = math.Inf(1) }, "drop_factor is +Inf"},
		"a drop that rises":        {func(c *Config) { c.DropFactor = 0.5 }, "drop_factor is 0.5"},
		"a drop of nothing":        {func(c *Config) { c.DropFactor = 1 }, ""},
		"an infinite decay":        {func(c *Config) { c.WeightDecay = math.Inf(1) }, "weight_decay is +Inf"},
		"a negative decay":         {func(c *Config) { c.WeightDecay = -0.1 }, "weight_decay is -0.1"},
		"an unknown start":         {func(c *Config) { c.Init = "zero" }, "init is zero"},
		"a negative momentum":      {func(c *Config) { c.NormMomentum = -0.1 }, "norm_momentum is -0.1"},
		"a momentum above one":     {func(c *Config) { c.NormMomentum = 1.1 }, "norm_momentum is 1.1"},
		"an infinite epsilon":      {func(c *Config) { c.NormEpsilon = math.Inf(1) }, "norm_epsilon is +Inf"},
		"a negative epsilon":       {func(c *Config) { c.NormEpsilon = -1e-5 }, "norm_epsilon is -1e-05"},
		"a window of no epochs":    {func(c *Config) { c.ChangeEvery = -1 }, "change_every is -1"},
		"another augmentation":     {func(c *Config) { c.Augment = "all" }, "augment is all"},
		"drops in another order":   {func(c *Config) { c.Drops = []int{3, 2} }, "drops is [3 2]"},
		"a drop before the first":  {func(c *Config) { c.Drops = []int{0, 2} }, "drops is [0 2]"},
	} {
		config := good
		c.change(&config)
		_, err := config.Resolve()
		if c.words != "" {
			refused(t, name, err, c.words)
		} else if err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	_, err := ParseConfig([]byte(`{"net":"vgg9","method":"sr","data":"embedded"} {}`))
	refused(t, "a second object", err, "data after the JSON object")
}

// A checkpoint whose checksum is right may still be none.
func TestCheckpointsThatContradictThemselvesAreRefused(t *testing.T) {
	of := func(change func(*checkpoint)) []byte {
		c, err := parseCheckpoint(smallCheckpoint(t))
		if err != nil {
			t.Fatal(err)
		}
		change(c)
		var b bytes.Buffer
		if err := c.write(&b); err != nil {
			t.Fatal(err)
		}
		return b.Bytes()
	}
	header := func(n uint64) []byte {
		b := smallCheckpoint(t)
		binary.LittleEndian.PutUint64(b[8:], n)
		return resealed(b)
	}
	long := func() []byte { // a header of the greatest length and a byte, all blanks behind its object
		b := append([]byte(checkpointMagic), binary.LittleEndian.AppendUint64(nil, maxCheckpointHeader+1)...)
		b = append(append(b, "{}"...), bytes.Repeat([]byte(" "), maxCheckpointHeader-1)...)
		return resealed(append(b, make([]byte, 32)...))
	}
	for name, c := range map[string]struct {
		b     []byte
		words string
	}{
		"another format":        {resealed(append([]byte("tqnckpt2"), smallCheckpoint(t)[8:]...)), `"tqnckpt2" is not "tqnckpt1"`},
		"a header beyond it":    {header(1 << 20), "header of 1048576 bytes"},
		"a header of 64 MiB":    {long(), "header of 67108865 bytes"},
		"a negative epoch":      {of(func(c *checkpoint) { c.Epoch = -1 }), "epoch -1"},
		"a negative batch":      {of(func(c *checkpoint) { c.Index = -1 }), "batch -1"},
		"a tensor twice":        {of(func(c *checkpoint) { c.Tensors = append(c.Tensors, c.Tensors[1]) }), `tensor "b" appears twice`},
		"a tensor too long":     {of(func(c *checkpoint) { c.Tensors[0].Shape = []int{2, 20} }), `tensor "a"`},
		"a negative dimension":  {of(func(c *checkpoint) { c.Tensors[0].Shape = []int{-2, -2} }), `tensor "a"`},
		"a negative number":     {of(func(c *checkpoint) { c.Signs[0].Bits = -8 }), `-8 signs of "window/a"`},
		"more signs than bytes": {of(func(c *checkpoint) { c.Signs[0].Bits = 9 }), `9 signs of "window/a" in 1 bytes`},
		"signs that are left":   {of(func(c *checkpoint) { c.signs["window/a"] = []byte{1, 2, 3} }), "2 bytes too many"},
	} {
		_, err := parseCheckpoint(c.b)
		refused(t, name, err, c.words)
	}
	if _, err := wholeCheckpoint(t.TempDir()); err == nil || !strings.Contains(err.Error(), "no plain file") {
		t.Errorf("a folder as a checkpoint: %v", err)
	}
}

// changedCheckpoint is the folder of an interrupted run with another newest checkpoint.
func changedCheckpoint(t *testing.T, c Config, change func(*checkpoint)) string {
	t.Helper()
	dir := interruptedRun(t, c)
	path := filepath.Join(dir, checkpointName)
	cp, err := readCheckpoint(path, math.MaxInt64)
	if err != nil {
		t.Fatal(err)
	}
	change(cp)
	var b bytes.Buffer
	if err := cp.write(&b); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, b.Bytes(), 0o644); err != nil {
		t.Fatal(err)
	}
	return dir
}

// A whole checkpoint that is not of this run ends it: going on would overwrite it.
func TestCheckpointsOfOtherRunsAreRefused(t *testing.T) {
	c := tiny(t)
	shorter := func(cp *checkpoint) {
		for i, x := range cp.Tensors {
			if x.Name == "bn_1.beta" {
				cp.Tensors[i].Shape, cp.tensors[x.Name] = []int{x.Len() - 1}, cp.tensors[x.Name][1:]
			}
		}
	}
	for name, x := range map[string]struct {
		change func(*checkpoint)
		words  string
	}{
		"another configuration": {func(cp *checkpoint) { cp.ConfigHash = strings.Repeat("0", 64) }, "it belongs to a run with another configuration"},
		"a shorter tensor":      {shorter, `tensor "bn_1.beta" has 3 values, the model wants 4`},
		"an epoch too many":     {func(cp *checkpoint) { cp.Epoch, cp.History = c.Epochs+1, make([]Epoch, c.Epochs+1) }, "does not fit a run of 3 epochs of 3 batches"},
		"a batch too many":      {func(cp *checkpoint) { cp.Index = 4 }, "does not fit a run"},
		"an epoch of no record": {func(cp *checkpoint) { cp.History = nil }, "does not fit a run"},
		"no signs":              {func(cp *checkpoint) { cp.Signs = nil }, "does not fit a run"},
	} {
		dir := changedCheckpoint(t, c, x.change)
		before := listing(t, dir)
		_, err := Train(context.Background(), c, Where{Dir: dir})
		refused(t, name, err, x.words)
		if !sameFiles(before, listing(t, dir)) {
			t.Errorf("%s: the folder has changed", name)
		}
	}
	// What is not finite may lie in a checkpoint, but no test error is computed of it.
	for name, v := range map[string]float64{"NaN": math.NaN(), "+Inf": math.Inf(1)} {
		dir := changedCheckpoint(t, c, func(cp *checkpoint) { cp.tensors["bn_1.beta"][2] = float32(v) })
		_, err := Eval(dir, EvalOptions{})
		refused(t, name, err, `tensor "bn_1.beta": value 2 is `+name)
	}
	dir := changedCheckpoint(t, c, func(cp *checkpoint) { cp.Epoch = 0; cp.Index = 0 })
	_, err := ReadLastStep(dir, c)
	refused(t, "the last step before the first epoch", err, "epoch 0, batch 0")
	dir = changedCheckpoint(t, c, func(cp *checkpoint) {
		cp.Index = 0
		cp.Tensors = slices.DeleteFunc(cp.Tensors, func(x network.Tensor) bool { return strings.HasPrefix(x.Name, "conv") })
	})
	if _, err := ReadLastStep(dir, c); !errors.Is(err, fs.ErrNotExist) || !strings.Contains(err.Error(), "no convolution weights") {
		t.Errorf("a checkpoint without convolutions: %v", err)
	}
}

// A checkpoint beyond the greatest length that the model's can have is refused before it is read.
func TestCheckpointsHaveAGreatestLength(t *testing.T) {
	c := tiny(t)
	dir := interruptedRun(t, c)
	path := filepath.Join(dir, checkpointName)
	if err := os.Truncate(path, 1<<40); err != nil { // a file with a hole: it takes no room
		t.Skip("this file system makes no file of 1 TiB: ", err)
	}
	for what, err := range map[string]error{
		"train": func() error { _, err := Train(context.Background(), c, Where{Dir: dir}); return err }(),
		"eval":  func() error { _, err := Eval(dir, EvalOptions{}); return err }(),
	} {
		refused(t, what, err, "1099511627776 bytes: want at most")
		if Retryable(err) {
			t.Errorf("%s: %v can be tried again", what, err)
		}
	}
}

// What a run's files say of each other is compared by every reader.
func TestFilesOfTwoRunsAreRefused(t *testing.T) {
	c := tiny(t)
	dir := t.TempDir()
	train(t, c, Where{Dir: dir})
	result := read(t, dir, "result.json")
	other := c
	other.Seed++
	text, err := json.Marshal(other)
	if err != nil {
		t.Fatal(err)
	}
	put := func(name string, b []byte) {
		t.Helper()
		if err := os.WriteFile(filepath.Join(dir, name), b, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	config := read(t, dir, "config.json")
	put("config.json", text)
	_, err = Eval(dir, EvalOptions{Weights: "full"})
	refused(t, "eval", err, "result.json belongs to another configuration than config.json")
	_, err = Train(context.Background(), other, Where{Dir: dir})
	refused(t, "train", err, "result.json belongs to another configuration")
	_, err = ReadRun(dir)
	refused(t, "compare", err, "result.json belongs to another configuration than config.json")
	put("config.json", config)

	var r Result
	if err := json.Unmarshal(result, &r); err != nil {
		t.Fatal(err)
	}
	r.DataChecksum = "sha256:other"
	if text, err = json.Marshal(r); err != nil {
		t.Fatal(err)
	}
	put("result.json", runfolder.Seal(text))
	_, err = Eval(dir, EvalOptions{Weights: "full"})
	refused(t, "other data", err, "trained on other data (sha256:other")
	put("result.json", result)

	// A file of weights whose header is right but for one tensor.
	for name, x := range map[string]struct {
		file, words string
		change      func(map[string]safetensors.Tensor)
	}{
		"packed: a byte too few": {packedName, `"conv_1.weight" of shape [3 3 3 4] in 13 bytes`, func(all map[string]safetensors.Tensor) {
			w := all["conv_1.weight"]
			w.U8, w.Shape = w.U8[1:], []int{len(w.U8) - 1}
			all["conv_1.weight"] = w
		}},
		"bytes for numbers": {weightsName, `"bn_1.beta" of shape [4] and type U8`, func(all map[string]safetensors.Tensor) {
			all["bn_1.beta"] = safetensors.Tensor{Name: "bn_1.beta", DType: "U8", Shape: []int{4}, U8: make([]byte, 4)}
		}},
	} {
		whole := read(t, dir, x.file)
		all, metadata, err := safetensors.Parse(whole)
		if err != nil {
			t.Fatal(err)
		}
		x.change(all)
		var list []safetensors.Tensor
		for _, one := range all {
			list = append(list, one)
		}
		var b bytes.Buffer
		if err := safetensors.Write(&b, list, metadata); err != nil {
			t.Fatal(err)
		}
		put(x.file, b.Bytes())
		_, err = Eval(dir, EvalOptions{Weights: map[string]string{weightsName: "full", packedName: "packed"}[x.file]})
		refused(t, name, err, x.words)
		put(x.file, whole)
	}
}

// Each part of a result and of the metrics is looked at by itself, too.
func TestPartsOfResultsAreChecked(t *testing.T) {
	c := tiny(t)
	dir := t.TempDir()
	train(t, c, Where{Dir: dir})
	whole := read(t, dir, "result.json")
	window := func(r *Result, v float64) {
		each(r, func(e *Epoch) {
			if e.Layers[0].Window != nil {
				e.Layers[0].Window = &v
			}
		})
	}
	for name, x := range map[string]struct {
		change func(*Result)
		words  string
	}{
		"fewer images than a batch": {func(r *Result) { r.TrainImages = 7 }, "7 training images"},
		"no batch in all of them": {func(r *Result) {
			r.TrainImages, r.Steps, r.Config.TrainImages = 7, 0, 0
			r.ConfigHash = r.Config.Hash()
		}, "7 training images"},
		"negative bytes of adam":    {func(r *Result) { r.PackedBytes, r.Config.Method = -1, "adam"; r.ConfigHash = r.Config.Hash() }, "packed ones of -1"},
		"other training images":     {func(r *Result) { r.TrainImages = 25 }, "25 training images"},
		"no test images":            {func(r *Result) { r.TestImages, r.Config.TestImages = 0, 0; r.ConfigHash = r.Config.Hash() }, "0 test images"},
		"no bytes of weights":       {func(r *Result) { r.WeightBytes = 0 }, "weights of 0 bytes"},
		"negative packed bytes":     {func(r *Result) { r.PackedBytes = -1 }, "packed ones of -1"},
		"epoch 0":                   {func(r *Result) { r.Epochs[0].Epoch = 0 }, "epoch 0 of a run of 3"},
		"epoch 4 of 3":              {func(r *Result) { r.Epochs[2].Epoch = 4 }, "epoch 4 of a run of 3"},
		"an error of half an image": {func(r *Result) { r.Epochs[0].TestError = 100. / 18 }, "test_error is 5.5"},
		"no weights":                {func(r *Result) { r.Epochs[0].Layers[0].Weights = 0 }, ".weights is 0"},
		"half a sign in a window":   {func(r *Result) { window(r, 50/float64(r.Epochs[0].Layers[0].Weights)) }, ".changed_window is"},
		"a layer less":              {func(r *Result) { r.Epochs[1].Layers = r.Epochs[1].Layers[1:] }, "layers, epoch 2 has"},
	} {
		var r Result
		if err := json.Unmarshal(whole, &r); err != nil {
			t.Fatal(err)
		}
		x.change(&r)
		refused(t, name, r.check(), x.words)
	}
	line := read(t, dir, "metrics.jsonl")
	_, err := parseMetrics(line[bytes.IndexByte(line, '\n')+1:], c)
	refused(t, "metrics from the second epoch on", err, "line 1: epoch 2, want 1")
}

// What a training cannot do is said before it begins.
func TestTrainSaysWhatIsMissing(t *testing.T) {
	c := tiny(t)
	_, err := Train(context.Background(), c, Where{})
	refused(t, "no folder", err, "no run folder given")
	_, err = Train(context.Background(), c, Where{Dir: t.TempDir(), Memory: 1 << 10})
	refused(t, "1 KiB of memory", err, "of 0 MiB: take smaller batches")
	_, err = Train(context.Background(), c, Where{Dir: t.TempDir(), open: func(c Config) (*dataset.Set, error) {
		set, err := openData(c, "", false, func(string) {})
		if err == nil {
			set.Test = none{}
		}
		return set, err
	}})
	refused(t, "no test images", err, "has no test images")
}

// none is a half of a set without images.
type none struct{ dataset.Split }

func (none) Len() int { return 0 }

// A manifest that has lost its hash is refused beside a result that has one.
func TestAManifestWithoutItsHashIsRefused(t *testing.T) {
	c := tiny(t)
	c.Epochs = 1
	dir := t.TempDir()
	train(t, c, Where{Dir: dir})
	path := filepath.Join(dir, "manifest.json")
	body, sealed, err := runfolder.Unseal(read(t, path))
	if err != nil || !sealed {
		t.Fatal(sealed, err)
	}
	if err := os.WriteFile(path, body, 0o644); err != nil {
		t.Fatal(err)
	}
	_, err = ReadRun(dir)
	refused(t, "a manifest without a hash", err, "it has lost its hash")
}

// Eval says which weights it takes where the newest checkpoint is damaged, and does not speak of training.
func TestEvalSaysWhichWeightsItTakes(t *testing.T) {
	dir := interruptedRun(t, tiny(t))
	path := filepath.Join(dir, checkpointName)
	older := read(t, path)
	if err := errors.Join(os.WriteFile(filepath.Join(dir, checkpointOlder), older, 0o644), os.WriteFile(path, older[:100], 0o644)); err != nil {
		t.Fatal(err)
	}
	var said []string
	e, err := Eval(dir, EvalOptions{Warn: func(s string) { said = append(said, s) }})
	if err != nil || e.Weights != filepath.Join(dir, checkpointOlder) {
		t.Errorf("%+v, %v", e, err)
	}
	if len(said) != 2 || !strings.Contains(said[0], "cannot be used") || !strings.Contains(said[1], "the weights are those of "+filepath.Join(dir, checkpointOlder)) {
		t.Errorf("said %q", said)
	}
}
