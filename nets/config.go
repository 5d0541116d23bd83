package nets

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"

	"tqn/nets/network"
	"tqn/quantize"
	"tqn/runfolder"
)

// Config determines a run completely: two runs with equal Configs (and the same data files) write the same result.json,
// byte for byte, whatever the number of threads and however often they are interrupted. The zero value of a field means
// its default; [Config.Resolve] fills the defaults in.
type Config struct {
	Net    string  `json:"net"`    // see Nets
	Method string  `json:"method"` // see Methods
	Data   string  `json:"data"`   // a data set name of nets/dataset
	Width  float64 `json:"width"`  // channel factor; default 1, the paper's
	Depth  float64 `json:"depth"`  // layers or blocks per stage, factor; default 1, the paper's

	Epochs      int `json:"epochs"`       // default 160, or 90 for imagenet (Section 6: drops at 82 and 122; H.3: "within 160 epochs")
	Batch       int `json:"batch"`        // images per step; default 128, for big-sr 1024, or 512 with wrn56-2 and resnet18 (Appendix H.1)
	TrainImages int `json:"train_images"` // a subset of so many (chosen by the data set); 0 is all
	TestImages  int `json:"test_images"`  // 0 is all

	// Classes and Size are for data sets that come in any number of classes (textures) and any side in pixels (textures, imagenet);
	// 0 is the data set's default.
	Classes int `json:"classes,omitempty"`
	Size    int `json:"size,omitempty"`

	Seed uint64 `json:"seed"` // key of all randomness: initial weights, rounding, order and augmentation of images

	LearningRate float64 `json:"learning_rate"` // default 0.01 (Section 6)
	// Drops are the epochs, counted from 1, after which the learning rate falls by DropFactor. Default: 82/160 and 122/160
	// of Epochs (Section 6), or 30/90 and 60/90 for imagenet, rounded: scaled runs keep the shape.
	Drops      []int   `json:"drops"`
	DropFactor float64 `json:"drop_factor"` // default 10 (Section 6)

	WeightDecay float64 `json:"weight_decay"` // default 0 (Appendix H.1); Figure 7 uses 1e-5 with bc

	// The paper is silent on the following. docs/choices.md says what its figures and sentences leave of each.

	// Init is the law of the real convolution weights that adam and bc start from, one of [network.Inits]; default "he". r and sr start
	// theirs from Rademacher signs whatever it says (Appendix H.3), and linear layers are uniform on +-1/sqrt(fan-in), as in
	// Torch7, in every method.
	Init string `json:"init"`
	// NormMomentum is the weight of the newest batch in batch norm's running averages; default 0.1 (Torch7's).
	NormMomentum float64 `json:"norm_momentum"`
	// NormEpsilon is added to batch norm's variance; default 1e-5 (Torch7's). The original BinaryConnect has 1e-4.
	NormEpsilon float64 `json:"norm_epsilon"`
	// ChangeEvery is the number of epochs between two probes of changed weights, Figure 5(c); default 5/160 of Epochs, at least 1.
	ChangeEvery int `json:"change_every"`
	// Augment is "paper" (pad 4, random crop, flip; as [25]) or "none"; default "paper".
	Augment string `json:"augment"`

	// The zero value of each of the following is its default and is left out of the JSON, so that the identity of a run that does not use
	// them ([Config.Hash]) is what it was before they existed.

	// Clip says whether bc keeps its real weights in [-1,1], at the start and after every step; unset is yes, as the original
	// BinaryConnect does.
	Clip *bool `json:"clip,omitempty"`
	// LearningRateScale is "" (every tensor has the same learning rate) or "binaryconnect": bc's steps of a convolution are
	// sqrt((fan-in + fan-out)/1.5) times as long, as in the original BinaryConnect (its W_LR_scale, from Glorot's initialisation).
	LearningRateScale string `json:"learning_rate_scale,omitempty"`
	// Shortcut is "A" (subsampling and zero channels) or "B" (a 1x1 projection with batch norm) where a ResNet changes shape: the
	// options of He et al. 2016. "" is the one that gives the paper's parameter counts: B for resnet18, A for the others.
	Shortcut string `json:"shortcut,omitempty"`
	// LastBatch is what becomes of the images that an epoch has left after its last whole batch: "" drops them (each
	// epoch drops others), "keep" takes a step on the smaller batch, if it has two images at least.
	LastBatch string `json:"last_batch,omitempty"`
}

// Method is one row of Table 1.
type Method struct {
	Name  string        // the command line's name
	Paper string        // Table 1's name
	Rule  quantize.Rule // of the convolution weights
	Big   bool          // big batch
}

// Methods lists the rows of Table 1 from the smallest to the largest error the paper reports.
func Methods() []Method {
	return []Method{
		{"adam", "ADAM", quantize.Float, false},
		{"bc", "BC-ADAM", quantize.BC, false},
		{"big-sr", "Big SR-ADAM", quantize.SR, true},
		{"sr", "SR-ADAM", quantize.SR, false},
		{"r", "R-ADAM", quantize.R, false},
	}
}

// MethodNamed finds a method.
func MethodNamed(name string) (Method, error) {
	var names []string
	for _, m := range Methods() {
		if m.Name == name {
			return m, nil
		}
		names = append(names, m.Name)
	}
	return Method{}, fmt.Errorf("nets: unknown method %q; want one of %s", name, strings.Join(names, ", "))
}

// Resolve returns the Config with every default filled in, or an error naming the field that is wrong. Resolving twice
// changes nothing.
func (c Config) Resolve() (Config, error) {
	method, err := MethodNamed(c.Method)
	if err != nil {
		return c, err
	}
	if c.Data == "" {
		return c, fmt.Errorf("nets: config: data is empty; want a data set name")
	}
	imagenet := c.Data == "imagenet"
	setDefault(&c.Width, 1)
	setDefault(&c.Depth, 1)
	setDefault(&c.Epochs, pick(imagenet, 90, 160))
	bigBatch := pick(c.Net == "wrn56-2" || c.Net == "resnet18", 512, 1024)
	setDefault(&c.Batch, pick(method.Big, bigBatch, 128))
	setDefault(&c.LearningRate, 0.01)
	setDefault(&c.DropFactor, 10)
	setDefault(&c.Init, "he")
	setDefault(&c.NormMomentum, 0.1)
	setDefault(&c.NormEpsilon, 1e-5)
	setDefault(&c.ChangeEvery, max(1, int(math.Round(float64(c.Epochs)*5/160))))
	setDefault(&c.Augment, "paper")
	c.dropDefaults()
	if c.Drops == nil {
		at := pick(imagenet, [2]float64{30. / 90, 60. / 90}, [2]float64{82. / 160, 122. / 160})
		for _, f := range at {
			c.Drops = append(c.Drops, max(1, int(math.Round(float64(c.Epochs)*f))))
		}
		c.Drops = slices.Compact(c.Drops) // in a run of 3 epochs both fall on the second: the rate drops once
	}
	return c, c.check()
}

// dropDefaults turns spelled-out defaults of the fields that the JSON leaves out into their zero values: one run, one hash.
func (c *Config) dropDefaults() {
	if c.Clip != nil && *c.Clip {
		c.Clip = nil
	}
	if c.LearningRateScale == "none" {
		c.LearningRateScale = ""
	}
	if c.Shortcut == pick(c.Net == "resnet18", "B", "A") && !strings.HasPrefix(c.Net, "vgg") {
		c.Shortcut = ""
	}
	if c.LastBatch == "drop" {
		c.LastBatch = ""
	}
}

// Clipped reports whether bc's real weights are kept in [-1,1].
func (c Config) Clipped() bool { return c.Clip == nil || *c.Clip }

func setDefault[T comparable](field *T, value T) {
	var zero T
	if *field == zero {
		*field = value
	}
}

func pick[T any](yes bool, a, b T) T {
	if yes {
		return a
	}
	return b
}

func (c Config) check() error {
	bad := func(field string, value any, want string) error {
		return fmt.Errorf("nets: config: %s is %v; want %s", field, value, want)
	}
	finite := func(v float64) bool { return !math.IsNaN(v) && !math.IsInf(v, 0) }
	switch {
	case c.Epochs < 1 || c.Epochs > 1e6:
		return bad("epochs", c.Epochs, "1 to 1000000")
	case c.Batch < 2 || c.Batch > 1<<16:
		return bad("batch", c.Batch, "2 to 65536 (batch norm needs two images)")
	case c.TrainImages < 0:
		return bad("train_images", c.TrainImages, "0 (all) or more")
	case c.TestImages < 0:
		return bad("test_images", c.TestImages, "0 (all) or more")
	case c.Classes < 0:
		return bad("classes", c.Classes, "0 (the data set's) or more")
	case c.Size < 0:
		return bad("size", c.Size, "0 (the data set's) or more")
	case c.Classes > 0 && c.Data != "textures":
		return bad("classes", c.Classes, "0: only the data set textures comes in any number of classes")
	case c.Size > 0 && c.Data != "textures" && c.Data != "imagenet":
		return bad("size", c.Size, "0: only the data sets textures and imagenet come in any size")
	case !finite(c.LearningRate) || c.LearningRate <= 0:
		return bad("learning_rate", c.LearningRate, "a positive number")
	case !finite(c.DropFactor) || c.DropFactor < 1:
		return bad("drop_factor", c.DropFactor, "at least 1")
	case !finite(c.WeightDecay) || c.WeightDecay < 0:
		return bad("weight_decay", c.WeightDecay, "0 or more")
	case !slices.Contains(network.Inits(), c.Init):
		return bad("init", c.Init, "one of "+strings.Join(network.Inits(), ", "))
	case !(c.NormMomentum > 0 && c.NormMomentum <= 1):
		return bad("norm_momentum", c.NormMomentum, "a number in (0, 1]")
	case !finite(c.NormEpsilon) || c.NormEpsilon <= 0:
		return bad("norm_epsilon", c.NormEpsilon, "a positive number")
	case c.ChangeEvery < 1:
		return bad("change_every", c.ChangeEvery, "1 or more")
	case c.Augment != "paper" && c.Augment != "none":
		return bad("augment", c.Augment, `"paper" or "none"`)
	case !slices.IsSorted(c.Drops) || len(c.Drops) > 0 && c.Drops[0] < 1:
		return bad("drops", c.Drops, "increasing epochs, counted from 1") // the same twice stands in files of older runs
	case !c.Clipped() && c.Method != "bc":
		return bad("clip", false, "true, or method bc: no other method has real weights that a box could hold")
	case c.LearningRateScale != "" && c.LearningRateScale != "binaryconnect":
		return bad("learning_rate_scale", c.LearningRateScale, `"none" or "binaryconnect"`)
	case c.LearningRateScale != "" && c.Method != "bc":
		return bad("learning_rate_scale", c.LearningRateScale, `"none", or method bc`)
	case c.LastBatch != "" && c.LastBatch != "keep":
		return bad("last_batch", c.LastBatch, `"drop" or "keep"`)
	}
	_, err := network.NewModel(c.Spec(network.Shape{H: 32, W: 32, C: 3}, 10))
	return err
}

// Spec is what the Config says of the model, for a data set of this shape.
func (c Config) Spec(input network.Shape, classes int) network.Spec {
	return network.Spec{Net: c.Net, Input: input, Classes: classes, Width: c.Width, Depth: c.Depth, Shortcut: c.Shortcut}
}

// Alpha is the learning rate in an epoch counted from 1: LearningRate divided by DropFactor for every drop already passed.
func (c Config) Alpha(epoch int) float64 {
	a := c.LearningRate
	for _, d := range c.Drops {
		if epoch > d {
			a /= c.DropFactor
		}
	}
	return a
}

// start is where a resolved Config's run begins.
func (c Config) start(method Method) network.Start {
	return network.Start{Rule: method.Rule, Init: c.Init, Unclipped: !c.Clipped(), Seed: c.Seed}
}

// Hash is the SHA-256 of the resolved Config's JSON, in hex: the identity of the run.
func (c Config) Hash() string {
	b, err := json.Marshal(c)
	if err != nil {
		panic("nets: Config.Hash: " + err.Error()) // plain data always marshals, unless a number is not finite: Resolve refuses that
	}
	sum := sha256.Sum256(b)
	return hex.EncodeToString(sum[:])
}

// fields are the Config's JSON fields as text.
func (c Config) fields() map[string]string {
	b, err := json.Marshal(c)
	if err != nil {
		panic("nets: Config: " + err.Error())
	}
	var raw map[string]json.RawMessage
	if err := json.Unmarshal(b, &raw); err != nil {
		panic("nets: Config: " + err.Error())
	}
	out := map[string]string{}
	for k, v := range raw {
		out[k] = string(v)
	}
	return out
}

// ParseConfig decodes a config.json strictly: unknown fields are errors. The file that a run writes ends with a hash of itself (see
// [runfolder.Seal]), which is not compared here: whoever copies the file for another run may edit it.
func ParseConfig(b []byte) (Config, error) {
	body, sealed, err := runfolder.Unseal(b)
	if sealed && (err == nil || errors.Is(err, runfolder.ErrChanged)) {
		b = body
	}
	dec := json.NewDecoder(bytes.NewReader(b))
	dec.DisallowUnknownFields()
	var c Config
	if err := dec.Decode(&c); err != nil {
		return c, fmt.Errorf("nets: config: %w", err)
	}
	if dec.More() {
		return c, fmt.Errorf("nets: config: data after the JSON object at offset %d", dec.InputOffset())
	}
	return c.Resolve()
}
