package referee

import (
	"fmt"
	"strconv"
	"strings"

	"tqn/cluster"
	"tqn/nets"
)

// This file is the designed study behind docs/choices.md: which of the choices that the paper leaves open fit its own sentences. A
// choice is a [Start]; it is judged as a column of Table 1 is, against every sentence of Section 6 at once, on runs of a quarter-width
// VGG-9 on CIFAR-10 that are long enough to tell choices apart and short enough for an afternoon on one processor core.

// StudyRun is one run of the study. Its Config is resolved.
type StudyRun struct {
	Name   string // of its folder
	Config nets.Config
	Start  string // the choice, as Start says it; "" for methods that have none
	Short  bool   // one of those that the starts are compared with
	Why    string // what it is compared with, and for which sentence
}

// Start is a choice of what BC's real weights do: where they start, whether they are kept in [-1,1], how long their steps are.
type Start struct {
	Init  string
	Clip  bool
	Scale string // "" or "binaryconnect"
}

func (s Start) String() string {
	text := s.Init
	if !s.Clip {
		text += ", no clip"
	}
	if s.Scale != "" {
		text += ", BinaryConnect's step lengths"
	}
	return text
}

// name is the part of a folder's name that says it.
func (s Start) name() string {
	text := "bc-" + s.Init
	if !s.Clip {
		text += "-noclip"
	}
	if s.Scale != "" {
		text += "-scale"
	}
	return text
}

// Starts are the choices that are judged: every initialisation with and without the clip, and the original BinaryConnect's step lengths.
func Starts() []Start {
	var all []Start
	for _, init := range []string{"he", "glorot", "torch7", "uniform", "rademacher"} {
		all = append(all, Start{init, true, ""})
	}
	return append(all, Start{"he", false, ""}, Start{"uniform", false, ""}, Start{"rademacher", false, ""},
		Start{"uniform", true, "binaryconnect"}, Start{"rademacher", true, "binaryconnect"})
}

// studyScale is the size of the study's short runs: 5,000 updates of 16 images, an eighth of the updates of the paper's first 82
// epochs.
func studyScale(method string, seed uint64) nets.Config {
	c := nets.Config{Net: "vgg9", Data: "cifar10", Method: method, Width: 0.25, Batch: 16, TrainImages: 10000, TestImages: 2000, Epochs: 8, Seed: seed}
	if method == "big-sr" {
		c.Batch = 128
	}
	return c
}

// Study lists the runs, those that decide most first.
func Study() []StudyRun {
	var all []StudyRun
	add := func(name, why string, c nets.Config) {
		resolved, err := c.Resolve()
		if err != nil {
			panic("referee: Study: " + err.Error()) // the configs below are constants
		}
		run := StudyRun{Name: name, Config: resolved, Why: why}
		if resolved.Method == "bc" {
			run.Start = Start{resolved.Init, resolved.Clipped(), resolved.LearningRateScale}.String()
			run.Short = resolved.Epochs == 8 && resolved.Batch == 16 && resolved.WeightDecay == 0 && resolved.NormEpsilon == 1e-5
		}
		all = append(all, run)
	}
	start := func(s Start, suffix, why string, seed uint64, change func(*nets.Config)) {
		c := studyScale("bc", seed)
		c.Init, c.Clip, c.LearningRateScale = s.Init, &s.Clip, s.Scale
		if change != nil {
			change(&c)
		}
		add(fmt.Sprintf("%s%s-%d", s.name(), suffix, seed), why, c)
	}
	for _, s := range Starts() {
		start(s, "", "the share of changed signs and the error", 1, nil)
	}
	for _, m := range []string{"sr", "r", "big-sr"} {
		add(m+"-1", "what BC is compared with", studyScale(m, 1))
	}
	rademacher, uniform, he := Start{"rademacher", true, ""}, Start{"uniform", true, ""}, Start{"he", true, ""}
	for _, s := range []Start{rademacher, {"rademacher", false, ""}} {
		start(s, "-62500", "as many updates as the paper's protocol has", 1, func(c *nets.Config) { c.Batch, c.Epochs, c.TestImages = 8, 50, 1000 })
	}
	start(uniform, "-slow-62500", "the same at the learning rate of the original BinaryConnect, 0.003", 1, func(c *nets.Config) {
		c.Batch, c.Epochs, c.TestImages, c.LearningRate = 8, 50, 1000, 0.003
	})
	for _, seed := range []uint64{2, 3} {
		for _, s := range []Start{rademacher, uniform, he} {
			start(s, "", "how far seeds differ", seed, nil)
		}
	}
	for _, s := range []Start{rademacher, he} {
		start(s, "-wd", "weight decay (Appendix H.4)", 1, func(c *nets.Config) { c.WeightDecay = cluster.WeightDecay })
		start(s, "-b128", "the batch size (Section 6.1)", 1, func(c *nets.Config) { c.Batch = 128 })
	}
	start(rademacher, "-eps1e-4", "batch norm's epsilon of the original BinaryConnect", 1, func(c *nets.Config) { c.NormEpsilon = 1e-4 })
	start(rademacher, "-b48", "beside the next: 16 of 10,000 images are left over after whole batches of 48", 1, func(c *nets.Config) { c.Batch = 48 })
	start(rademacher, "-keep48", "the last batch of an epoch kept", 1, func(c *nets.Config) { c.Batch, c.LastBatch = 48, "keep" })
	start(he, "-slow", "the learning rate 0.003 in 25 epochs for 0.01 in 8 (Appendix H.3)", 1, func(c *nets.Config) { c.LearningRate, c.Epochs = 0.003, 25 })
	for _, m := range []string{"sr", "r", "big-sr"} {
		c := studyScale(m, 1)
		c.TrainImages = 25000
		add(m+"-t25000-1", "error against updates", c)
		c.TrainImages, c.TestImages = 0, 0 // all: the cells of preset laptop
		add(m+"-t50000-1", "error against updates", c)
	}
	for _, wide := range []struct {
		name  string
		width float64
	}{{"half", 0.5}, {"full", 1}} {
		for _, m := range []string{"sr", "r", "big-sr"} {
			c := studyScale(m, 1)
			c.Width = wide.width
			add(m+"-"+wide.name+"-1", "whether the width alone turns the order of SR and R", c)
		}
	}
	return all
}

// Walks are the shares of [Walk], in percent: of every run by its name, and of every start at the paper's protocol for a learning
// rate, as "start @ rate".
func Walks() (map[string]float64, error) {
	walks := map[string]float64{}
	add := func(name string, c nets.Config, steps uint64) error {
		w, err := Walk(c, steps)
		walks[name] = 100 * w
		return err
	}
	for _, r := range Study() {
		c := r.Config
		images := c.TrainImages
		if images == 0 {
			images = 50000 // all
		}
		if err := add(r.Name, c, uint64(images/c.Batch*c.Epochs)); err != nil {
			return nil, err
		}
	}
	sr, err := nets.Config{Net: "vgg9", Data: "cifar10", Method: "sr"}.Resolve()
	if err != nil {
		return nil, err
	}
	if err := add("vgg9.sr.1", sr, 50000/128*160); err != nil {
		return nil, err
	}
	for _, s := range Starts() {
		for _, rate := range []float64{0.01, 0.003, 0.001} {
			c, err := nets.Config{Net: "vgg9", Data: "cifar10", Method: "bc", Init: s.Init, Clip: &s.Clip, LearningRateScale: s.Scale, LearningRate: rate}.Resolve()
			if err != nil {
				return nil, err
			}
			if err := add(fmt.Sprintf("%s @ %g", s, rate), c, 50000/128*160); err != nil {
				return nil, err
			}
			if s == (Start{"he", true, ""}) && rate == 0.01 {
				walks["vgg9.bc.1"] = walks["he @ 0.01"] // the same protocol
			}
		}
	}
	return walks, nil
}

// Command is the line that makes a run in the folder study.
func (r StudyRun) Command() string {
	c := r.Config
	var b strings.Builder
	fmt.Fprintf(&b, "tqn train --net %s --data %s --width %g --method %s --batch %d --epochs %d --train-images %d --test-images %d --seed %d",
		c.Net, c.Data, c.Width, c.Method, c.Batch, c.Epochs, c.TrainImages, c.TestImages, c.Seed)
	if c.Method == "bc" {
		fmt.Fprintf(&b, " --init %s", c.Init)
	}
	for _, f := range []struct {
		flag string
		set  bool
	}{
		{"--clip=false", !c.Clipped()}, {"--learning-rate-scale " + c.LearningRateScale, c.LearningRateScale != ""},
		{fmt.Sprintf("--weight-decay %g", c.WeightDecay), c.WeightDecay != 0}, {fmt.Sprintf("--norm-epsilon %g", c.NormEpsilon), c.NormEpsilon != 1e-5},
		{"--last-batch " + c.LastBatch, c.LastBatch != ""}, {fmt.Sprintf("--learning-rate %g", c.LearningRate), c.LearningRate != 0.01},
	} {
		if f.set {
			b.WriteString(" " + f.flag)
		}
	}
	text := b.String()
	for _, all := range []string{" --train-images 0", " --test-images 0"} { // the default
		text = strings.Replace(text, all, "", 1)
	}
	return text + " --out study/" + r.Name
}

// StudyResult is a finished run in little: what Section 6 observes, over all convolution weights together.
type StudyResult struct {
	Name         string       `json:"name"`
	ConfigHash   string       `json:"config_hash"`
	Kernel       string       `json:"kernel"`
	DataChecksum string       `json:"data_checksum"`
	TestImages   int          `json:"test_images"`
	Steps        uint64       `json:"steps"`
	Epochs       []StudyEpoch `json:"epochs"`
}

// StudyEpoch is an epoch of it; shares in percent, rounded to 5 digits.
type StudyEpoch struct {
	Alpha      float64  `json:"alpha"`
	TrainError float64  `json:"train_error"`
	TestError  float64  `json:"test_error"`
	Changed    float64  `json:"changed"`
	Window     *float64 `json:"window,omitempty"`
	Flips      float64  `json:"flips"`
	Distance   float64  `json:"distance"`
}

// Summarise makes it from a run.
func Summarise(name string, r nets.Result) StudyResult {
	s := StudyResult{Name: name, ConfigHash: r.ConfigHash, Kernel: r.Kernel, DataChecksum: r.DataChecksum, TestImages: r.TestImages, Steps: r.Steps}
	of := func(e nets.Epoch, value func(nets.Probe) (float64, bool)) (float64, bool) {
		v, ok := e.OverConv(value)
		return digits(v), ok
	}
	for _, e := range r.Epochs {
		one := StudyEpoch{Alpha: e.Alpha, TrainError: digits(e.TrainError), TestError: e.TestError}
		one.Changed, _ = of(e, func(l nets.Probe) (float64, bool) { return l.Changed, true })
		one.Flips, _ = of(e, func(l nets.Probe) (float64, bool) { return l.Flips, true })
		one.Distance, _ = of(e, func(l nets.Probe) (float64, bool) { return l.Distance, true })
		if w, ok := of(e, nets.Probe.InWindow); ok {
			one.Window = &w
		}
		s.Epochs = append(s.Epochs, one)
	}
	return s
}

// digits rounds to 5 significant digits.
func digits(v float64) float64 {
	rounded, err := strconv.ParseFloat(strconv.FormatFloat(v, 'g', 5, 64), 64)
	if err != nil {
		panic("referee: digits: " + err.Error()) // FormatFloat's own text
	}
	return rounded
}

// result turns it back into what the sentences are judged on: a run with one layer.
func (s StudyResult) result(c nets.Config) *nets.Result {
	r := &nets.Result{Config: c, ConfigHash: s.ConfigHash, Kernel: s.Kernel, DataChecksum: s.DataChecksum, TestImages: s.TestImages, Steps: s.Steps}
	for i, e := range s.Epochs {
		r.Epochs = append(r.Epochs, nets.Epoch{Epoch: i + 1, Alpha: e.Alpha, TrainError: e.TrainError, TestError: e.TestError,
			Layers: []nets.Probe{{Layer: "conv", Weights: 1, Changed: e.Changed, Window: e.Window, Flips: e.Flips, Distance: e.Distance}}})
	}
	r.TestError = s.Epochs[len(s.Epochs)-1].TestError
	return r
}

// JudgeStarts judges every start, as a column, against all sentences: its short BC runs of every seed, its runs with weight decay and with the
// big batch, beside the study's runs of SR and R. Runs that results lacks are missing.
func JudgeStarts(results map[string]StudyResult) []Sentence {
	plan := &cluster.Plan{Preset: "choices"}
	var states []cluster.CellState
	for _, s := range Starts() {
		column := s.String()
		plan.Columns = append(plan.Columns, cluster.Column{ID: column, Net: "vgg9", Title: "VGG-9", PaperData: "cifar10", Data: "cifar10",
			PaperErrors: cluster.PaperColumns()[0].Errors, Scaled: []string{"width x 0.25", "5,000 updates"}})
		for _, run := range Study() {
			c := run.Config
			r, done := results[run.Name]
			short := c.Width == 0.25 && c.TrainImages == 10000 && (c.Epochs == 8 || c.Epochs == 25) && c.NormEpsilon == 1e-5 && c.Batch != 48
			own := c.Init == s.Init && c.Clipped() == s.Clip && c.LearningRateScale == s.Scale
			if !done || !short || (c.Method == "bc" && !own) {
				continue
			}
			state := cluster.CellState{Column: column, Method: c.Method, Seed: c.Seed, State: cluster.Finished, Result: r.result(c)}
			switch {
			case c.WeightDecay > 0:
				state.Variant = "wd"
			case c.Method == "bc" && c.Batch == 128:
				state.Variant = "b128"
			case c.LearningRate != 0.01:
				state.Variant = "slow"
			}
			states = append(states, state)
		}
	}
	sentences, _ := Section6(plan, states)
	return sentences
}
