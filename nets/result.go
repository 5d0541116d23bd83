package nets

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"math"
	"path/filepath"

	"tqn/nets/dataset"
	"tqn/nets/network"
	"tqn/runfolder"
)

// Result is a finished run: result.json. It holds no times and no paths.
type Result struct {
	Config       Config  `json:"config"`
	ConfigHash   string  `json:"config_hash"`
	DataTitle    string  `json:"data_title"`
	DataChecksum string  `json:"data_checksum"`
	Kernel       string  `json:"kernel"` // all that took part, joined by "+": sums of products depend on it in their rounding
	TrainImages  int     `json:"train_images"`
	TestImages   int     `json:"test_images"`
	Steps        uint64  `json:"steps"`
	TestError    float64 `json:"test_error"`      // percent, after the last epoch
	TestLoss     float64 `json:"test_loss"`       // nats
	TrainError   float64 `json:"train_error"`     // percent, over the last epoch's batches, as they were trained
	TrainLoss    float64 `json:"train_loss"`      // nats
	BestError    float64 `json:"best_test_error"` // percent, smallest over epochs: for information, never a selection
	Epochs       []Epoch `json:"epochs"`
	WeightHash   string  `json:"weight_hash"`  // SHA-256 of weights.safetensors
	WeightBytes  int     `json:"weight_bytes"` // size of weights.safetensors
	PackedBytes  int     `json:"packed_bytes"` // size of weights.packed.safetensors; 0 for adam

	// Sealed says that the file it was read from vouched for itself by its last member, "hash" (see [runfolder.Seal]). The results of
	// earlier versions did not, and only the agreement of their parts speaks for them.
	Sealed bool `json:"-"`
}

// Epoch is a line of metrics.jsonl (there with times) and an element of result.json (there without).
type Epoch struct {
	Epoch           int     `json:"epoch"` // from 1
	Alpha           float64 `json:"alpha"` // learning rate
	TrainLoss       float64 `json:"train_loss"`
	TrainError      float64 `json:"train_error"` // percent, over the epoch's batches, as they were trained
	TestLoss        float64 `json:"test_loss"`
	TestError       float64 `json:"test_error"`        // percent
	Layers          []Probe `json:"layers"`            // convolutions and linear layers, in order
	Seconds         float64 `json:"seconds,omitempty"` // training and evaluation
	ImagesPerSecond float64 `json:"images_per_second,omitempty"`
}

// Probe is what Section 6 observes of one layer's weights at the end of an epoch.
type Probe struct {
	Layer    string   `json:"layer"`
	Weights  int      `json:"weights"`
	Changed  float64  `json:"changed"`                  // percent of signs that differ from the initial ones (Figures 4, 5b)
	Window   *float64 `json:"changed_window,omitempty"` // percent that differ from ChangeEvery epochs before, every ChangeEvery epochs (Figure 5c)
	Flips    float64  `json:"flips"`                    // percent that differ from the epoch before
	Distance float64  `json:"distance"`                 // mean |wb - wr|, wb the sign of wr (Figure 7); 0 for r and sr
}

// Role says what the weights are for: convolution weights or linear weights.
func (p Probe) Role() network.Role { return network.RoleOf(p.Layer + ".weight") }

// InWindow is Window as a number; ok is false at the end of an epoch that is no multiple of ChangeEvery.
func (p Probe) InWindow() (percent float64, ok bool) {
	if p.Window == nil {
		return 0, false
	}
	return *p.Window, true
}

// OverConv is the mean of a probe's number over all convolution weights together, as the sentences of Section 6 speak of them. ok is
// false where a convolution has no such number and where there is no convolution.
func (e Epoch) OverConv(value func(Probe) (v float64, ok bool)) (mean float64, ok bool) {
	sum, all := 0.0, 0
	for _, p := range e.Layers {
		if p.Role() != network.ConvWeight {
			continue
		}
		v, has := value(p)
		if !has {
			return 0, false
		}
		sum += v * float64(p.Weights)
		all += p.Weights
	}
	return sum / float64(max(1, all)), all > 0
}

// ReadResult reads a finished run's result.json. An unfinished run has none: the error wraps fs.ErrNotExist. It takes at most 64 MiB and
// 24 bytes for each byte of the file.
func ReadResult(dir string) (Result, error) {
	path := filepath.Join(dir, "result.json")
	b, err := runfolder.ReadFile(path, runfolder.MaxText)
	if err != nil {
		return Result{}, fmt.Errorf("nets: %w", err)
	}
	r, err := parseResult(b)
	if err != nil {
		return Result{}, fmt.Errorf("nets: %s: %w", path, err)
	}
	return r, nil
}

// parseResult decodes a result.json. A result that is not the one that its hash was made of, or whose parts contradict each other, is an
// error: no run wrote it.
func parseResult(b []byte) (Result, error) {
	var r Result
	var err error
	if r.Sealed, err = unseal(b, &r); err != nil {
		return Result{}, err
	}
	if err := r.check(); err != nil {
		return Result{}, err
	}
	return r, nil
}

// minProbe is the least number of bytes that the JSON of an Epoch or a Probe takes, by the names of its members.
const minProbe = 60

// unseal decodes a document and reports whether it has a hash of itself. Without one it is a document of an earlier version, which
// has no member that is not v's: any other has lost its hash.
func unseal(doc []byte, v any) (sealed bool, err error) {
	body, sealed, err := runfolder.Unseal(doc)
	if err != nil {
		return sealed, err
	}
	if err := runfolder.CheckObjects(body, minProbe); err != nil {
		return sealed, err
	}
	dec := json.NewDecoder(bytes.NewReader(body))
	if !sealed {
		dec.DisallowUnknownFields()
	}
	return sealed, dec.Decode(v)
}

// check compares the parts of a result with each other and with its configuration.
func (r Result) check() error {
	config, err := r.Config.Resolve()
	if err != nil {
		return err
	}
	if hash := config.Hash(); r.ConfigHash != hash {
		return fmt.Errorf("config_hash is %.12q, its configuration's is %.12q", r.ConfigHash, hash)
	}
	batches := dataset.Batches(r.TrainImages, config.Batch, config.LastBatch == "keep")
	weights, err := hex.DecodeString(r.WeightHash)
	switch {
	case r.Kernel == "":
		return errors.New("kernel is empty")
	case r.DataChecksum == "":
		return errors.New("data_checksum is empty")
	case batches < 1 || config.TrainImages > 0 && r.TrainImages != config.TrainImages:
		return fmt.Errorf("%d training images; the configuration has %d in batches of %d", r.TrainImages, config.TrainImages, config.Batch)
	case r.TestImages < 1 || config.TestImages > 0 && r.TestImages != config.TestImages:
		return fmt.Errorf("%d test images; the configuration has %d", r.TestImages, config.TestImages)
	case r.Steps != uint64(batches)*uint64(config.Epochs):
		return fmt.Errorf("%d steps; %d epochs of %d batches take %d", r.Steps, config.Epochs, batches, batches*config.Epochs)
	case len(r.Epochs) != config.Epochs:
		return fmt.Errorf("epochs holds %d; the configuration has %d", len(r.Epochs), config.Epochs)
	case err != nil || len(weights) != 32:
		return fmt.Errorf("weight_hash %q is no SHA-256", r.WeightHash)
	case r.WeightBytes < 1 || r.PackedBytes < 0 || (r.PackedBytes > 0) != (config.Method != "adam"):
		return fmt.Errorf("weights of %d bytes and packed ones of %d, with method %s", r.WeightBytes, r.PackedBytes, config.Method)
	}
	best := math.Inf(1)
	for i, e := range r.Epochs {
		if err := e.check(config, min(batches*config.Batch, r.TrainImages), r.TestImages); err != nil {
			return err
		}
		if e.Epoch != i+1 {
			return fmt.Errorf("epoch %d stands where %d should", e.Epoch, i+1)
		}
		if err := sameLayers(r.Epochs[0], e); err != nil {
			return err
		}
		best = min(best, e.TestError)
	}
	if err := layersOf(config, r.Epochs[0]); err != nil {
		return err
	}
	last := r.Epochs[len(r.Epochs)-1]
	for _, c := range []struct {
		name      string
		got, want float64
	}{
		{"test_error", r.TestError, last.TestError}, {"test_loss", r.TestLoss, last.TestLoss},
		{"train_error", r.TrainError, last.TrainError}, {"train_loss", r.TrainLoss, last.TrainLoss}, {"best_test_error", r.BestError, best},
	} {
		if c.got != c.want {
			return fmt.Errorf("%s is %v; by its epochs it is %v", c.name, c.got, c.want)
		}
	}
	return nil
}

// check looks at one epoch of a run by itself. train and test are the images that its errors are percentages of; 0 if they
// are not known.
func (e Epoch) check(c Config, train, test int) error {
	bad := func(name string, v any, want string) error {
		return fmt.Errorf("epoch %d: %s is %v; want %s", e.Epoch, name, v, want)
	}
	if e.Epoch < 1 || e.Epoch > c.Epochs {
		return fmt.Errorf("epoch %d of a run of %d", e.Epoch, c.Epochs)
	}
	if want := c.Alpha(e.Epoch); !(math.Abs(e.Alpha-want) <= 1e-12*want) {
		return bad("alpha", e.Alpha, fmt.Sprint(want))
	}
	for name, loss := range map[string]float64{"train_loss": e.TrainLoss, "test_loss": e.TestLoss} {
		if !(loss > -1e-9 && loss <= math.MaxFloat64) {
			return bad(name, loss, "a finite number, 0 or more")
		}
	}
	if !isShare(e.TrainError, train) {
		return bad("train_error", e.TrainError, fmt.Sprintf("the percentage of a part of %d images", train))
	}
	if !isShare(e.TestError, test) {
		return bad("test_error", e.TestError, fmt.Sprintf("the percentage of a part of %d images", test))
	}
	for _, p := range e.Layers {
		switch {
		case p.Weights < 1:
			return bad(p.Layer+".weights", p.Weights, "1 or more")
		case !isShare(p.Changed, p.Weights):
			return bad(p.Layer+".changed", p.Changed, fmt.Sprintf("the percentage of a part of %d weights", p.Weights))
		case !isShare(p.Flips, p.Weights):
			return bad(p.Layer+".flips", p.Flips, fmt.Sprintf("the percentage of a part of %d weights", p.Weights))
		case !(p.Distance >= 0 && p.Distance <= math.MaxFloat64):
			return bad(p.Layer+".distance", p.Distance, "a finite number, 0 or more")
		case (p.Window != nil) != (e.Epoch%c.ChangeEvery == 0):
			return bad(p.Layer+".changed_window", p.Window != nil, fmt.Sprintf("one every %d epochs", c.ChangeEvery))
		case p.Window != nil && !isShare(*p.Window, p.Weights):
			return bad(p.Layer+".changed_window", *p.Window, fmt.Sprintf("the percentage of a part of %d weights", p.Weights))
		}
	}
	return nil
}

// isShare reports whether v is the percentage of k in n for a whole k from 0 to n, or, if n is not known, any percentage.
func isShare(v float64, n int) bool {
	if !(v >= 0 && v <= 100) {
		return false
	}
	k := v / 100 * float64(n)
	return math.Abs(k-math.Round(k)) <= 1e-6 // far above the rounding of 1e8 weights, far below one of them
}

// sameLayers compares the layers that two epochs of a run have probed.
func sameLayers(a, b Epoch) error {
	if len(a.Layers) != len(b.Layers) {
		return fmt.Errorf("epoch %d has %d layers, epoch %d has %d", a.Epoch, len(a.Layers), b.Epoch, len(b.Layers))
	}
	for i, p := range a.Layers {
		if q := b.Layers[i]; p.Layer != q.Layer || p.Weights != q.Weights {
			return fmt.Errorf("layer %d is %s of %d weights in epoch %d, %s of %d in epoch %d", i, p.Layer, p.Weights, a.Epoch, q.Layer, q.Weights, b.Epoch)
		}
	}
	return nil
}

// layersOf compares the layers of an epoch with the model's, where the data set's shape is fixed by its name. (A tree of
// images has as many classes as it has folders.)
func layersOf(c Config, e Epoch) error {
	if c.Data == "imagenet" {
		return nil
	}
	m, err := c.PublishedModel()
	if err != nil {
		return err
	}
	var want Epoch
	for _, p := range probed(m) {
		want.Layers = append(want.Layers, Probe{Layer: p.Layer, Weights: p.Len()})
	}
	if err := sameLayers(want, e); err != nil {
		return fmt.Errorf("layers that are not %s's: %w", c.Net, err)
	}
	return nil
}

// readMetrics reads a run's metrics.jsonl; a run that has not finished an epoch has no lines.
func readMetrics(dir string, config Config) ([]Epoch, error) {
	path := filepath.Join(dir, "metrics.jsonl")
	b, err := runfolder.ReadFile(path, runfolder.MaxText)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("nets: %w", err)
	}
	epochs, err := parseMetrics(b, config)
	if err != nil {
		return nil, fmt.Errorf("nets: %s: %w", path, err)
	}
	return epochs, nil
}

// parseMetrics decodes a metrics.jsonl of a run.
func parseMetrics(b []byte, config Config) ([]Epoch, error) {
	var epochs []Epoch
	number := 0
	for line := range bytes.Lines(b) {
		if number++; len(bytes.TrimSpace(line)) == 0 {
			continue
		}
		var e Epoch
		_, err := unseal(line, &e)
		switch {
		case err != nil:
		case e.Epoch != len(epochs)+1:
			err = fmt.Errorf("epoch %d, want %d", e.Epoch, len(epochs)+1)
		default:
			err = e.check(config, 0, config.TestImages)
		}
		if err == nil && len(epochs) > 0 {
			err = sameLayers(epochs[0], e)
		}
		if err != nil {
			return nil, fmt.Errorf("line %d: %w", number, err)
		}
		epochs = append(epochs, e)
	}
	return epochs, nil
}
