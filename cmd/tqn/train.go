package main

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"tqn/cluster"
	"tqn/nets"
	"tqn/nets/dataset"
	"tqn/nets/kernel"
	"tqn/nets/network"
	"tqn/reports"
	"tqn/runfolder"
)

// trainReport is what `tqn train --json` prints: the final metrics.
type trainReport struct {
	Net            string  `json:"net"`
	Method         string  `json:"method"`
	Data           string  `json:"data"`
	Epochs         int     `json:"epochs"`
	Batch          int     `json:"batch"`
	Seed           uint64  `json:"seed"`
	Steps          uint64  `json:"steps"`
	TestError      float64 `json:"test_error"`
	TestLoss       float64 `json:"test_loss"`
	TrainError     float64 `json:"train_error"`
	TrainLoss      float64 `json:"train_loss"`
	BestTestError  float64 `json:"best_test_error"`
	ChangedConv    float64 `json:"changed_conv_percent"`
	Kernel         string  `json:"kernel"`
	WeightBytes    int     `json:"weight_bytes"`
	PackedBytes    int     `json:"packed_bytes"`
	ConfigHash     string  `json:"config_hash"`
	WeightHash     string  `json:"weight_hash"`
	Out            string  `json:"out"`
	AlreadyThere   bool    `json:"already_finished"`
	WallTimeSecond float64 `json:"seconds"`
}

// configFlags declares the flags that make a nets.Config.
func configFlags(cmd *cobra.Command, c *nets.Config) {
	f := cmd.Flags()
	var methods []string
	for _, m := range nets.Methods() {
		methods = append(methods, m.Name)
	}
	f.StringVar(&c.Net, "net", "", "network: "+strings.Join(network.Nets(), ", "))
	f.StringVar(&c.Method, "method", "adam", "method: "+strings.Join(methods, ", "))
	f.StringVar(&c.Data, "data", "embedded", "data set: "+strings.Join(dataset.Names(), ", "))
	f.Float64Var(&c.Width, "width", 1, "factor on the number of channels")
	f.Float64Var(&c.Depth, "depth", 1, "factor on the layers (VGG) or blocks (ResNet) of a stage")
	f.IntVar(&c.Epochs, "epochs", 0, "epochs; 0 is the paper's 160 (imagenet: 90)")
	f.IntVar(&c.Batch, "batch", 0, "images in a step; 0 is the paper's 128 (big-sr: 1024, or 512 with wrn56-2 and resnet18)")
	f.IntVar(&c.TrainImages, "train-images", 0, "train on so many images; 0 is all")
	f.IntVar(&c.TestImages, "test-images", 0, "test on so many images; 0 is all")
	f.Uint64Var(&c.Seed, "seed", 1, "key of all randomness")
	f.Float64Var(&c.LearningRate, "learning-rate", 0, "initial learning rate; 0 is the paper's 0.01")
	f.IntSliceVar(&c.Drops, "drops", nil, "epochs after which the learning rate falls tenfold; none given: the paper's 82 and 122 of 160, in proportion")
	f.Float64Var(&c.WeightDecay, "weight-decay", 0, "L2 coefficient (Figure 7: 1e-5)")
	f.StringVar(&c.Augment, "augment", "", "paper (crops and flips) or none; default paper")
	f.IntVar(&c.Classes, "classes", 0, "classes, for data sets of any number (textures); 0 is the data set's default")
	f.IntVar(&c.Size, "size", 0, "side of the images in pixels, for data sets of any size; 0 is the data set's default")
	complete := func(values []string) func(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective) {
		return cobra.FixedCompletions(values, cobra.ShellCompDirectiveNoFileComp)
	}
	for flag, values := range map[string][]string{"net": network.Nets(), "method": methods, "data": dataset.Names(), "augment": {"paper", "none"}} {
		if err := cmd.RegisterFlagCompletionFunc(flag, complete(values)); err != nil {
			panic(err) // a flag declared above
		}
	}
}

func newTrainCommand(e *env) *cobra.Command {
	var config nets.Config
	var unstated cluster.Unstated
	var where nets.Where
	var dryRun, plan bool
	var file string
	var described []string // the flags that a configuration file stands for
	var engine *engineChoice
	var memory *memoryLimit
	cmd := &cobra.Command{
		Use:   "train --net NET --method METHOD --data DATA --out DIR",
		Short: "train one network with one method, or continue a run",
		Long: `train carries out one training run in the folder --out: config.json, metrics.jsonl (a line an epoch), checkpoint,
weights.safetensors, weights.packed.safetensors (1 bit for each binarised weight), result.json, manifest.json. If the folder
holds an unfinished run with the same settings, it is continued, and its result.json is the same, byte for byte, as if it had
not been interrupted.

The methods are those of Table 1: adam trains real weights; bc is BinaryConnect, which rounds them in every step and keeps the
real ones; sr and r keep only rounded weights, rounded at random or to the nearest value; big-sr is sr with a large batch.`,
		Example: `  tqn train --net vgg9 --method bc --data cifar10 --dir ~/cifar10 --out runs/vgg9-bc
  tqn train --net vgg9 --method sr --data embedded --width 0.25 --epochs 20 --out runs/small
  tqn train --config runs/small/config.json --out runs/again
  tqn train --net resnet56 --data cifar100 --dry-run`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			resolved, err := resolveTraining(cmd, config, unstated, file, described)
			if err != nil {
				return err
			}
			if err := engine.check(); err != nil {
				return err
			}
			if err := withoutEffect(resolved, flagsGiven(cmd)); err != nil {
				return err
			}
			if dryRun {
				return e.dryRun(resolved, plan, where.Threads)
			}
			if plan {
				return errors.New("train: --plan shows what a dry run knows: want --dry-run too")
			}
			if where.Dir == "" {
				return errors.New("train: --out is missing")
			}
			if where.NewEngine, err = engine.factory(); err != nil {
				return err
			}
			where.Precision, where.Memory = engine.products(), memory.bytes()
			made := missing(where.Dir)
			if err := writable("--out", where.Dir); err != nil {
				return err
			}
			if err := e.train(cmd, resolved, where); err != nil {
				removeEmpty(made) // a run that failed its checks leaves nothing behind
				return err
			}
			return nil
		},
	}
	configFlags(cmd, &config)
	unstatedFlags(cmd, &unstated)
	cmd.Flags().VisitAll(func(f *pflag.Flag) { described = append(described, f.Name) })
	cmd.Flags().StringVar(&file, "config", "", "take all settings of the run from this file: the config.json that a run writes")
	engine = engineFlags(cmd)
	cmd.Flags().BoolVar(&where.SkipCorrupt, "skip-corrupt", false, "leave out the pictures of an image tree that cannot be decoded, with a warning that counts them")
	cmd.Flags().StringVar(&where.DataDir, "dir", "", "folder of the data set's files; default: where tqn data fetch puts them")
	cmd.Flags().StringVar(&where.Dir, "out", "", "run folder")
	cmd.Flags().IntVar(&where.Threads, "threads", 0, "worker threads; 0 is all CPUs; the result does not depend on it")
	cmd.Flags().DurationVar(&where.CheckpointEvery, "checkpoint-every", time.Minute, "time between checkpoints within an epoch")
	memory = memoryFlag(cmd)
	cmd.Flags().BoolVar(&where.KernelChange, "kernel-change", false, "go on with a kernel whose sums round otherwise than those of the kernel that the run was begun with; the result names both")
	cmd.Flags().BoolVar(&plan, "plan", false, "with --dry-run: how the CPU's own engine carries the layers out: which are fused, which buffers are written")
	cmd.Flags().BoolVar(&dryRun, "dry-run", false, "print the layer table and train nothing")
	return cmd
}

// withoutEffect refuses flags that say nothing of this run.
func withoutEffect(c nets.Config, given func(flag string) bool) error {
	builtIn := c.Data == "embedded" || strings.HasPrefix(c.Data, "textures")
	last := 0
	if n := len(c.Drops); n > 0 {
		last = c.Drops[n-1]
	}
	switch {
	case given("drops") && last >= c.Epochs:
		return fmt.Errorf("--drops %d has no effect: the run ends after %s", last, counted(c.Epochs, "epoch"))
	case given("init") && c.Method != "bc" && c.Method != "adam":
		return fmt.Errorf("--init has no effect with --method %s: it is for bc and adam", c.Method)
	case given("dir") && builtIn:
		return fmt.Errorf("--dir has no effect with --data %s, which is built in", c.Data)
	case given("skip-corrupt") && (builtIn || c.Data == "fashion-mnist"):
		return fmt.Errorf("--skip-corrupt has no effect with --data %s, which has no picture files", c.Data)
	}
	return nil
}

// resolveTraining is the configuration that the flags describe or, with --config, the file.
func resolveTraining(cmd *cobra.Command, config nets.Config, unstated cluster.Unstated, file string, described []string) (nets.Config, error) {
	if file == "" {
		if config.Net == "" {
			return config, errors.New("train: --net is missing")
		}
		unstated.Set(&config)
		return config.Resolve()
	}
	for _, name := range described {
		if cmd.Flags().Changed(name) {
			return config, fmt.Errorf("train: --config says what --%s would say: give one of them", name)
		}
	}
	b, err := runfolder.ReadFile(file, runfolder.MaxConfig)
	if err != nil {
		return config, fmt.Errorf("train: --config: %w", err)
	}
	config, err = nets.ParseConfig(b)
	if err != nil {
		return config, fmt.Errorf("%s: %w", file, err)
	}
	return config, nil
}

// train runs or continues a training with progress on stderr.
func (e *env) train(cmd *cobra.Command, config nets.Config, where nets.Where) error {
	started, stepped := time.Now(), false
	var bar *progress
	where.Commit = reports.Commit()
	where.Warn = func(message string) { fmt.Fprintf(e.stderr, "tqn: warning: %s\n", message) }
	where.Progress = func(p nets.Progress) {
		stepped = true
		e.saving.Store(true)
		if bar == nil {
			bar = e.newProgress(config.Net+" "+config.Method, int64(p.Steps), int64(p.Resumed))
		}
		bar.set(int64(p.Step), fmt.Sprintf("(epoch %d/%d, loss %.3f, error %.1f%%, %.0f images/s)",
			p.Epoch, p.Epochs, p.Loss, p.Error, p.ImagesPerSecond))
	}
	r, err := nets.Train(cmd.Context(), config, where)
	if bar != nil {
		bar.finish()
	}
	if err != nil {
		return err
	}
	report := trainReport{Net: config.Net, Method: config.Method, Data: config.Data, Epochs: config.Epochs, Batch: config.Batch,
		Seed: config.Seed, Steps: r.Steps, TestError: r.TestError, TestLoss: r.TestLoss, TrainError: r.TrainError, TrainLoss: r.TrainLoss,
		BestTestError: r.BestError, ChangedConv: changedConv(r), Kernel: r.Kernel, WeightBytes: r.WeightBytes, PackedBytes: r.PackedBytes,
		ConfigHash: r.ConfigHash, WeightHash: r.WeightHash, Out: where.Dir, AlreadyThere: !stepped, WallTimeSecond: time.Since(started).Seconds()}
	if e.json {
		return e.printJSON(report)
	}
	if !stepped {
		fmt.Fprintf(e.stdout, "%s: this run was finished already\n", where.Dir)
	}
	fmt.Fprintf(e.stdout, "%s\ntest error %.2f %%, training error %.2f %%, after %s\n", config, r.TestError, r.TrainError, counted(r.Steps, "step"))
	fmt.Fprintf(e.stdout, "signs of convolution weights that differ from the initial ones: %.1f %%\n", report.ChangedConv)
	fmt.Fprintf(e.stdout, "weights.safetensors: %d bytes\n", r.WeightBytes)
	if r.PackedBytes > 0 {
		fmt.Fprintf(e.stdout, "weights.packed.safetensors, 1 bit for each binarised weight: %d bytes, %.1f times smaller\n",
			r.PackedBytes, float64(r.WeightBytes)/float64(r.PackedBytes))
	}
	return nil
}

// changedConv is the percentage of convolution weights whose sign differs from the initial one at the end.
func changedConv(r nets.Result) float64 {
	changed, all := 0.0, 0
	for _, p := range r.Epochs[len(r.Epochs)-1].Layers {
		if p.Role() == network.ConvWeight {
			changed += p.Changed * float64(p.Weights)
			all += p.Weights
		}
	}
	return changed / float64(all)
}

// dryRunReport is what `tqn train --dry-run --json` prints.
type dryRunReport struct {
	Config    nets.Config    `json:"config"`
	Model     network.Model  `json:"model"`
	Counts    network.Counts `json:"counts"`
	PeakBytes int64          `json:"peak_bytes_estimate"`
	Kernel    string         `json:"kernel,omitempty"` // of the plan
	Plan      *network.Plan  `json:"plan,omitempty"`
}

func (e *env) dryRun(config nets.Config, withPlan bool, threads int) error {
	m, err := config.PublishedModel()
	if err != nil {
		return err
	}
	counts := m.Counts()
	report := dryRunReport{Config: config, Model: m, Counts: counts, PeakBytes: network.ModelBytes(m, config.Batch)}
	if withPlan {
		workers, err := kernel.NewWorkers(threads, "")
		if err != nil {
			return err
		}
		defer workers.Close()
		if report.Plan, err = network.PlanCPU(m, config.Batch, workers, config.NormEpsilon); err != nil {
			return err
		}
		report.Kernel = workers.Implementation()
	}
	if e.json {
		return e.printJSON(report)
	}
	if withPlan {
		return e.printPlan(config, report)
	}
	params := map[string]int{}
	for _, p := range m.Params() {
		if p.Trained() {
			params[p.Layer] += p.Len()
		}
	}
	table := reports.Table{Header: []string{"layer", "kernel", "input", "output", "parameters", "multiply-adds", "binarised"}}
	m.Each(func(l network.Layer) {
		window, binarised := "", ""
		if l.Kernel > 0 {
			window = fmt.Sprintf("%dx%d/%d", l.Kernel, l.Kernel, l.Stride)
		}
		if l.Kind == network.Conv && config.Method != "adam" {
			binarised = "yes"
		}
		table.Add(l.Name, window, l.In, l.Out, params[l.Name], l.MultAdds(), binarised)
	})
	fmt.Fprintf(e.stdout, "%s\n\n%s\n", config, table.Text())
	fmt.Fprintf(e.stdout, "convolution weights %d (%.4g million), linear weights %d (%.4g million), other parameters %d\n",
		counts.Conv, float64(counts.Conv)/1e6, counts.Linear, float64(counts.Linear)/1e6, counts.Other)
	fmt.Fprintf(e.stdout, "multiply-adds an image: forward %d, backward %d (direct algorithm)\n", counts.MultAdds, counts.Backward)
	fmt.Fprintf(e.stdout, "estimated peak memory at batch %d: %.0f MiB without the data\n", config.Batch, float64(network.ModelBytes(m, config.Batch))/(1<<20))
	return nil
}

// printPlan writes how the CPU engine carries the model out.
func (e *env) printPlan(config nets.Config, r dryRunReport) error {
	table := reports.Table{Header: []string{"stage", "layer", "reads", "adds", "writes", "and also"}}
	for i, s := range r.Plan.Stages {
		residual := ""
		if s.Residual != network.Nothing {
			residual = network.BufferName(s.Residual)
		}
		table.Add(i+1, s.Layer, network.BufferName(s.In), residual, network.BufferName(s.Out), s.Does())
	}
	buffers := reports.Table{Header: []string{"buffer", "of layer", "shape of an image", ""}}
	for i, b := range r.Plan.Buffers {
		note := ""
		if b.Unused {
			note = "not allocated"
		}
		buffers.Add(network.BufferName(i), b.Writer, b.Shape, note)
	}
	fmt.Fprintf(e.stdout, "%s, kernel %s\n\n%s\n%s\n", config, r.Kernel, table.Text(), buffers.Text())
	_, err := fmt.Fprintf(e.stdout, "The backward pass runs the stages from last to first. All of them share the gradient buffers %s, of %d values an image.\n"+
		"activations and gradients at batch %d: %.0f MiB\n", strings.Join(r.Plan.Gradients, ", "), r.Plan.GradientValues, config.Batch, float64(r.Plan.Bytes())/(1<<20))
	return err
}
