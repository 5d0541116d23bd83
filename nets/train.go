package nets

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"time"

	"tqn/nets/dataset"
	"tqn/nets/kernel"
	"tqn/nets/network"
	"tqn/quantize"
	"tqn/runfolder"
)

// Where says where and how a run is carried out. Nothing in it changes a byte of result.json, except a precision, an engine
// or a kernel whose rounding differs.
type Where struct {
	Dir     string // the run folder, created if missing; a run found there is continued
	DataDir string // where the data set's files are; empty: the data set's default folders
	// SkipCorrupt leaves out pictures that cannot be decoded. A run goes on only with the pictures that it began with.
	SkipCorrupt bool
	Threads     int // 0: GOMAXPROCS

	Precision kernel.Precision // of the products of the CPU's own engine; Kernel in result.json names it

	// NewEngine builds the engine; nil is NewCPU on the fastest kernels. An engine with a Close method is closed.
	NewEngine func(network.Model, network.Hyper) (network.Engine, error)

	// Memory is what the run may take, in bytes: one that by its estimate ([Config.Memory]) takes more on the CPU's engine is refused
	// before anything is read. 0 is no limit.
	Memory int64

	// CheckpointEvery is the time between checkpoints inside an epoch; one is also written after every epoch and on
	// interruption. 0 is a minute.
	CheckpointEvery time.Duration

	Commit string // of this program, for manifest.json; empty: not told

	// KernelChange lets a run go on with a kernel that rounds otherwise than the one it was begun with ([ErrOtherKernel]).
	KernelChange bool

	Progress func(Progress)       // called after every step, may be nil
	Warn     func(message string) // called for what a user should know (a damaged checkpoint), may be nil

	files runfolder.FileSystem               // nil: the operating system
	open  func(Config) (*dataset.Set, error) // nil: dataset.Open
}

// Progress is the state of a running training.
type Progress struct {
	Epoch, Epochs   int     // Epoch counts from 1
	Step, Steps     uint64  // of the whole run
	Resumed         uint64  // the steps that were there already
	Loss            float64 // mean over the epoch so far, nats
	Error           float64 // training error over the epoch so far, percent
	ImagesPerSecond float64 // of this process, everything included
	Remaining       time.Duration
}

// Manifest is manifest.json: the circumstances of a run, which are not part of its result.
type Manifest struct {
	Kernel  string   `json:"kernel"`
	Threads int      `json:"threads"`
	Go      string   `json:"go"`
	System  string   `json:"system"`
	Seconds float64  `json:"seconds"` // of training and evaluation, over all interruptions
	Sources []string `json:"sources"` // the data files read
	// Commits are those of the programs that trained, the first one first; empty for runs of earlier versions.
	Commits []string `json:"commits,omitempty"`
}

// ErrInterrupted is what Train wraps when its context ended: a checkpoint was written, the same call continues the run.
var ErrInterrupted = errors.New("saved; the same command continues")

// Retryable reports whether a failed Train may succeed when the same call is made again: it was interrupted, another
// process held the folder, the folder's file system failed, or another machine has the kernel that the run was begun with. Everything else (a wrong configuration, missing or damaged data,
// numbers that are not finite) will fail again.
func Retryable(err error) bool {
	return errors.Is(err, ErrInterrupted) || errors.Is(err, runfolder.ErrLocked) || errors.Is(err, runfolder.ErrStorage) || errors.Is(err, ErrOtherKernel)
}

// ErrNotResident is what a BlockEngine's LoadSet wraps when it cannot hold a data set: Train then uses Step.
var ErrNotResident = errors.New("the data set cannot be held on the device")

// BlockEngine is an Engine that holds the data set and takes many steps a call without the host in between.
type BlockEngine interface {
	network.Engine
	// LoadSet hands the data set over, with the seed and augmentation of [dataset.Loader].
	LoadSet(set *dataset.Set, seed uint64, augment dataset.Augmentation) error
	// Block trains on batches first to first+n-1 of an epoch counted from 0; step is the number of the first, from 1. It
	// adds to loss step by step, so that no bit depends on how an epoch is cut into blocks.
	Block(epoch, first, n int, alpha float64, step uint64, loss *network.Loss) error
	// EvaluateSet evaluates the test split.
	EvaluateSet() (network.Loss, error)
	Close() error
}

// A BlockEngine takes firstBlock steps in its first call and then as many as blockTime allows: whole epochs, where
// they are shorter. A block cannot be interrupted: cancellation and checkpoints wait for its end.
const (
	firstBlock = 64
	blockTime  = 10 * time.Second
)

// nextBlock is the number of steps of the next block, after a block of n steps that took so long. The first block's time
// includes the compilation of the program, so the number may grow eightfold from one block to the next.
func nextBlock(n int, took time.Duration) int {
	return max(1, min(8*n, int(float64(n)*float64(blockTime)/float64(max(took, time.Microsecond)))))
}

// Train carries out the run that config describes in where.Dir, or continues it, or returns its result if it is finished.
// See [Retryable] for the kinds of errors.
func Train(ctx context.Context, config Config, where Where) (Result, error) {
	config, err := config.Resolve()
	if err != nil {
		return Result{}, err
	}
	if where.Dir == "" {
		return Result{}, errors.New("nets: Train: no run folder given")
	}
	if err := where.fits(config); err != nil {
		return Result{}, err
	}
	if where.files == nil {
		where.files = runfolder.Disk{}
	}
	if where.Warn == nil {
		where.Warn = func(string) {}
	}
	if where.CheckpointEvery <= 0 {
		where.CheckpointEvery = time.Minute
	}
	folder, err := runfolder.Claim(where.Dir)
	if err != nil {
		return Result{}, err
	}
	t, result, err := begin(config, where)
	if err != nil {
		folder.Abandon()
		return Result{}, err
	}
	defer folder.Release()
	if t == nil {
		return result, nil
	}
	defer t.close()
	return t.run(ctx)
}

// begin makes all checks and then writes config.json, which is what claims the folder for this run: a command that fails
// before leaves the folder as it was. t is nil if the run is finished.
func begin(config Config, where Where) (t *training, result Result, err error) {
	claimed, err := sameRun(config, where.Dir)
	if err != nil {
		return nil, Result{}, err
	}
	if result, done, err := finished(config, where.Dir); done || err != nil {
		return nil, result, err
	}
	if err := placesOfFiles(where.Dir); err != nil {
		return nil, Result{}, err
	}
	if t, err = prepare(config, where); err != nil || claimed {
		return t, Result{}, err
	}
	text, err := json.MarshalIndent(config, "", "  ")
	if err == nil {
		err = runfolder.WriteBytes(where.files, filepath.Join(where.Dir, "config.json"), append(runfolder.Seal(text), '\n'))
	}
	if err != nil {
		t.close()
		return nil, Result{}, err
	}
	return t, Result{}, nil
}

// placesOfFiles refuses a run folder where something that the run could not replace without loss bears the name of one of its files: a folder, a pipe,
// or a file that cannot be read, which may be whole. At the end, the hours of training before it would be lost.
func placesOfFiles(dir string) error {
	for _, name := range []string{"config.json", "metrics.jsonl", checkpointName, checkpointOlder, weightsName, packedName, "manifest.json", "result.json"} {
		path := filepath.Join(dir, name)
		if err := replaceable(path, os.Stat); err != nil { // a link is followed, and replaced later
			return err
		}
		if err := replaceable(path+".tmp", os.Lstat); err != nil { // what a link leads to would be written
			return err
		}
	}
	return nil
}

func replaceable(path string, stat func(string) (fs.FileInfo, error)) error {
	info, err := stat(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err == nil && !info.Mode().IsRegular() {
		return fmt.Errorf("nets: %s is %s: want a plain file, which the run writes, or nothing", path, runfolder.Kind(info.Mode()))
	}
	if err == nil {
		var f *os.File
		if f, err = os.Open(path); err == nil {
			err = f.Close()
		}
	}
	if err != nil {
		return fmt.Errorf("nets: %s cannot be read, and the run would replace it: make it readable, or move it elsewhere: %w", path, runfolder.StorageError(err))
	}
	return nil
}

// sameRun reports whether the folder holds this run. It is an error if it holds another.
func sameRun(config Config, dir string) (bool, error) {
	there, err := readConfig(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	if there.Hash() != config.Hash() {
		return false, fmt.Errorf("nets: %s holds another run (%s); choose another folder, or the same settings: %s",
			dir, there, there.Differences(config))
	}
	return true, nil
}

// finished returns the result of a run that is done.
func finished(config Config, dir string) (Result, bool, error) {
	r, err := ReadResult(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return Result{}, false, nil
	}
	if err != nil {
		return Result{}, false, err
	}
	if r.ConfigHash != config.Hash() {
		return Result{}, false, fmt.Errorf("nets: %s/result.json belongs to another configuration", dir)
	}
	return r, true, nil
}

// training is a run in progress.
type training struct {
	config Config
	where  Where
	method Method
	set    *dataset.Set
	engine network.Engine
	probes *probes
	block  BlockEngine // nil: batches come from the loader
	close  func()

	epoch, index int // the next batch; both from 0
	batches      int // in an epoch
	step         uint64
	loss         network.Loss // of the current epoch so far
	history      []Epoch
	kernels      string   // all that the run has used, see [joinKernels]
	kept         string   // what the newest checkpoint holds, for messages; empty: there is none
	damaged      bool     // there were checkpoints, none of them whole
	commits      []string // see [Manifest]

	seconds float64   // of the current epoch, before this process
	started time.Time // of the current epoch, or of this process if later
	saved   time.Time // last checkpoint
}

// prepare opens the data, builds the engine and finds where to go on.
func prepare(config Config, where Where) (*training, error) {
	open := where.open
	if open == nil {
		open = func(c Config) (*dataset.Set, error) { return openData(c, where.DataDir, where.SkipCorrupt, where.Warn) }
	}
	set, err := open(config)
	if err != nil {
		return nil, err
	}
	method, err := MethodNamed(config.Method)
	if err != nil {
		return nil, err
	}
	model, err := config.Model(set)
	if err != nil {
		return nil, err
	}
	t := &training{config: config, where: where, method: method, set: set, close: func() {},
		batches: dataset.Batches(set.Train.Len(), config.Batch, config.LastBatch == "keep"), probes: newProbes(model, config, method)}
	if t.batches == 0 {
		return nil, fmt.Errorf("nets: batch of %d images, but %s has only %d training images", config.Batch, set.Name, set.Train.Len())
	}
	if set.Test.Len() == 0 {
		return nil, fmt.Errorf("nets: %s has no test images", set.Name)
	}
	if err := t.build(model); err != nil {
		return nil, err
	}
	c, damaged, err := loadCheckpoint(where.Dir, largestCheckpoint(model), func(c *checkpoint) error { return c.fits(config, set.Checksum, model) }, where.Warn)
	if err == nil && c != nil && (!t.probes.restore(c) || c.Epoch > config.Epochs || c.Index > t.batches || len(c.History) != c.Epoch) {
		err = fmt.Errorf("nets: %s: checkpoint of epoch %d, batch %d with %d epochs of history does not fit a run of %d epochs of %d batches",
			where.Dir, c.Epoch+1, c.Index, len(c.History), config.Epochs, t.batches)
	}
	if err != nil {
		t.close()
		return nil, err
	}
	if c != nil {
		t.commits = c.Commits
	}
	if where.Commit != "" && !slices.Contains(t.commits, where.Commit) {
		t.commits = append(t.commits, where.Commit)
	}
	if c == nil {
		if damaged > 0 {
			where.Warn("no checkpoint can be used: starting from the beginning")
			t.damaged = true
		}
		config.start(method).Set(t.engine)
		t.kernels = t.engine.Kernel()
		return t, nil
	}
	if damaged > 0 {
		where.Warn(fmt.Sprintf("going on from %s: epoch %d, batch %d", c.path, c.Epoch+1, c.Index))
	}
	for _, ts := range t.engine.Tensors() {
		t.engine.Set(ts.Name, c.tensors[ts.Name])
	}
	if t.kernels, err = joinKernels(c.Kernel, t.engine.Kernel(), where.KernelChange); err != nil {
		t.close()
		return nil, fmt.Errorf("nets: %s: %w", where.Dir, err)
	}
	if t.kernels != c.Kernel {
		where.Warn(fmt.Sprintf("%s was begun with kernel %s and goes on with %s; its result will name %s", where.Dir, c.Kernel, t.engine.Kernel(), t.kernels))
	}
	t.kept = fmt.Sprintf("%s keeps epoch %d, batch %d", c.path, c.Epoch+1, c.Index)
	t.epoch, t.index, t.step, t.loss, t.history, t.seconds = c.Epoch, c.Index, c.Step, c.Loss, c.History, c.Seconds
	return t, nil
}

// build makes the engine.
func (t *training) build(model network.Model) error {
	h := t.config.hyper(t.method)
	if t.where.NewEngine == nil {
		workers, err := kernel.NewWorkers(t.where.Threads, "")
		if err != nil {
			return fmt.Errorf("nets: %w", err)
		}
		workers.SetPrecision(t.where.Precision)
		if t.engine, err = network.NewCPU(model, h, workers); err != nil {
			workers.Close()
			return err
		}
		t.close = workers.Close
		return nil
	}
	var err error
	if t.engine, err = t.where.NewEngine(model, h); err != nil {
		return err
	}
	if c, ok := t.engine.(io.Closer); ok {
		t.close = func() { c.Close() }
	}
	if b, ok := t.engine.(BlockEngine); ok {
		switch err := b.LoadSet(t.set, t.config.Seed, t.augmentation()); {
		case err == nil:
			t.block = b
		case !errors.Is(err, ErrNotResident):
			t.close()
			return err
		}
	}
	return nil
}

// hyper is what the engine needs to know of a resolved Config.
func (c Config) hyper(method Method) network.Hyper {
	return network.Hyper{Batch: c.Batch, Rule: method.Rule, Noise: quantize.NewNoise(c.Seed), NormMomentum: c.NormMomentum,
		NormEpsilon: c.NormEpsilon, WeightDecay: c.WeightDecay, UnbiasedState: true,
		Unclipped: !c.Clipped(), FanScale: c.LearningRateScale == "binaryconnect", Partial: c.LastBatch == "keep"}
}

func (t *training) augmentation() dataset.Augmentation {
	if t.config.Augment == "none" {
		return dataset.Augmentation{}
	}
	return t.set.Augment
}

// run is the training loop.
func (t *training) run(ctx context.Context) (Result, error) {
	t.started, t.saved = time.Now(), time.Now()
	if err := t.keepOthers(); err != nil {
		return Result{}, err
	}
	if err := t.writeMetrics(); err != nil { // a crash may have left them behind the checkpoint
		return Result{}, err
	}
	next, stop, err := t.batchSource()
	if err != nil {
		return Result{}, err
	}
	defer stop()
	meter := t.newMeter()
	for t.epoch < t.config.Epochs {
		alpha := t.config.Alpha(t.epoch + 1)
		for t.index < t.batches {
			if ctx.Err() != nil {
				return Result{}, t.interrupted()
			}
			steps, err := next(alpha)
			if err != nil {
				return Result{}, t.named(err)
			}
			t.index += steps
			t.step += uint64(steps)
			meter(t)
			if time.Since(t.saved) >= t.where.CheckpointEvery {
				if err := t.save(); err != nil {
					return Result{}, err
				}
			}
		}
		test, err := t.evaluate(ctx)
		if ended := ctx.Err(); ended != nil && errors.Is(err, ended) {
			return Result{}, t.interrupted() // and the same command begins with this evaluation
		}
		if err != nil {
			return Result{}, t.named(err)
		}
		t.endEpoch(alpha, test)
		if err := t.save(); err != nil {
			return Result{}, err
		}
		if err := t.writeMetrics(); err != nil {
			return Result{}, err
		}
	}
	return t.finish()
}

// interrupted saves what is done and says where that is.
func (t *training) interrupted() error {
	if err := t.save(); err != nil {
		return err
	}
	return fmt.Errorf("nets: %s: epoch %d, batch %d: %w", t.where.Dir, t.epoch+1, t.index, ErrInterrupted)
}

// batchSource returns a function that trains on the next batch or block of batches, adds to the loss and returns the number of steps.
func (t *training) batchSource() (next func(alpha float64) (int, error), stop func(), err error) {
	if t.block != nil {
		most := firstBlock
		return func(alpha float64) (int, error) {
			n := min(most, t.batches-t.index)
			begun := time.Now()
			err := t.block.Block(t.epoch, t.index, n, alpha, t.step+1, &t.loss)
			most = nextBlock(n, time.Since(begun))
			return n, err
		}, func() {}, nil
	}
	loader, err := dataset.NewLoader(t.set, dataset.LoaderOptions{Train: true, Batch: t.config.Batch, Seed: t.config.Seed,
		Epoch: t.epoch, Index: t.index, Augment: t.augmentation(), Partial: t.config.LastBatch == "keep", Inline: t.inline()})
	if err != nil {
		return nil, nil, err
	}
	return func(alpha float64) (int, error) {
		b, err := loader.Next()
		if err != nil {
			return 0, err
		}
		defer loader.Release(b)
		loss, err := t.engine.Step(b.X, b.Labels, alpha, t.step+1)
		t.loss.Add(loss)
		return 1, err
	}, loader.Close, nil
}

// evaluate runs the test split, or returns ctx's error.
func (t *training) evaluate(ctx context.Context) (network.Loss, error) {
	if err := ctx.Err(); err != nil {
		return network.Loss{}, err
	}
	if t.block != nil {
		return t.block.EvaluateSet()
	}
	return evaluateOn(ctx, t.engine, t.set, dataset.LoaderOptions{Batch: t.config.Batch, Inline: t.inline()})
}

// inline says whether batches are made between steps, by the one thread that the run may take; an engine elsewhere computes meanwhile.
func (t *training) inline() bool { return t.where.Threads == 1 && t.where.NewEngine == nil }

// EvaluateOn runs a data set's test split through an engine built for batches of that many images. That of ImageNet takes many
// minutes: when ctx ends before, EvaluateOn returns ctx's error.
func EvaluateOn(ctx context.Context, e network.Engine, set *dataset.Set, batch int) (network.Loss, error) {
	return evaluateOn(ctx, e, set, dataset.LoaderOptions{Batch: batch})
}

func evaluateOn(ctx context.Context, e network.Engine, set *dataset.Set, o dataset.LoaderOptions) (network.Loss, error) {
	var sum network.Loss
	loader, err := dataset.NewLoader(set, o)
	if err != nil {
		return sum, err
	}
	defer loader.Close()
	for {
		if err := ctx.Err(); err != nil {
			return sum, err
		}
		b, err := loader.Next()
		if err == io.EOF {
			return sum, nil
		}
		if err != nil {
			return sum, err
		}
		loss, err := e.Evaluate(b.X, b.Labels)
		if err != nil {
			return sum, err
		}
		sum.Add(loss)
		loader.Release(b)
	}
}

// named completes an error about numbers that are not finite: it adds the method, the step, and which checkpoint is left.
func (t *training) named(err error) error {
	var n *network.NonFiniteError
	if errors.As(err, &n) {
		n.Method = t.method.Name
		if n.Step == 0 {
			n.Step = t.step
		}
		if t.kept == "" {
			return fmt.Errorf("%w (epoch %d); there is no checkpoint yet", err, t.epoch+1)
		}
		return fmt.Errorf("%w (epoch %d); the checkpoint %s", err, t.epoch+1, t.kept)
	}
	return err
}

// endEpoch records an epoch and moves to the next.
func (t *training) endEpoch(alpha float64, test network.Loss) {
	t.seconds += time.Since(t.started).Seconds()
	t.history = append(t.history, Epoch{
		Epoch: t.epoch + 1, Alpha: alpha,
		TrainLoss: t.loss.Mean(), TrainError: t.loss.Error(), TestLoss: test.Mean(), TestError: test.Error(),
		Layers:  t.probes.measure(t.engine, t.epoch+1),
		Seconds: t.seconds, ImagesPerSecond: float64(t.loss.Images+test.Images) / t.seconds,
	})
	t.epoch, t.index, t.loss, t.seconds, t.started = t.epoch+1, 0, network.Loss{}, 0, time.Now()
}

// save writes a checkpoint.
func (t *training) save() error {
	c := &checkpoint{tensors: map[string][]float32{}, signs: map[string][]byte{}, checkpointHeader: checkpointHeader{
		ConfigHash: t.config.Hash(), DataChecksum: t.set.Checksum, Kernel: t.kernels, Epoch: t.epoch, Index: t.index, Step: t.step, Loss: t.loss,
		Seconds: t.seconds + time.Since(t.started).Seconds(), History: t.history, Commits: t.commits, Tensors: t.engine.Tensors()}}
	for _, ts := range c.Tensors {
		v := make([]float32, ts.Len())
		t.engine.Get(ts.Name, v)
		c.tensors[ts.Name] = v
	}
	t.probes.save(c)
	t.saved = time.Now()
	if err := saveCheckpoint(t.where.files, t.where.Dir, c); err != nil {
		return err
	}
	t.kept = fmt.Sprintf("%s keeps epoch %d, batch %d", filepath.Join(t.where.Dir, checkpointName), c.Epoch+1, c.Index)
	return nil
}

// writeMetrics writes the whole of metrics.jsonl after every epoch, and when a run continues: the file is small, and a crash
// between checkpoint and metrics is made good at the next start.
func (t *training) writeMetrics() error {
	var b bytes.Buffer
	for _, e := range t.history {
		line, err := json.Marshal(e)
		if err != nil {
			return fmt.Errorf("nets: metrics: %w", err)
		}
		b.Write(append(runfolder.Seal(line), '\n'))
	}
	return runfolder.WriteBytes(t.where.files, filepath.Join(t.where.Dir, "metrics.jsonl"), b.Bytes())
}

// finish writes the weights, the manifest and, last, the result: a folder with result.json is complete.
func (t *training) finish() (Result, error) {
	full, packed, metadata, packedMetadata := weightFiles(t.engine, t.config)
	r := Result{Config: t.config, ConfigHash: t.config.Hash(), DataTitle: t.set.Title, DataChecksum: t.set.Checksum,
		Kernel: t.kernels, TrainImages: t.set.Train.Len(), TestImages: t.set.Test.Len(), Steps: t.step}
	b, err := encoded(full, metadata)
	if err != nil {
		return r, err
	}
	r.WeightHash, r.WeightBytes = sha256Hex(b), len(b)
	if err := t.writeWeights(weightsName, b); err != nil {
		return r, err
	}
	if packed != nil {
		if b, err = encoded(packed, packedMetadata); err != nil {
			return r, err
		}
		r.PackedBytes = len(b)
		if err := t.writeWeights(packedName, b); err != nil {
			return r, err
		}
	}
	manifest := Manifest{Kernel: t.kernels, Threads: t.where.Threads, Go: runtime.Version(),
		System: runtime.GOOS + "/" + runtime.GOARCH, Sources: t.set.Sources, Commits: t.commits}
	if manifest.Threads == 0 {
		manifest.Threads = runtime.GOMAXPROCS(0)
	}
	r.BestError = t.history[0].TestError
	for _, e := range t.history {
		manifest.Seconds += e.Seconds
		r.BestError = min(r.BestError, e.TestError)
		e.Seconds, e.ImagesPerSecond = 0, 0
		r.Epochs = append(r.Epochs, e)
	}
	last := r.Epochs[len(r.Epochs)-1]
	r.TestError, r.TestLoss, r.TrainError, r.TrainLoss = last.TestError, last.TestLoss, last.TrainError, last.TrainLoss
	if err := t.writeJSON("manifest.json", manifest); err != nil {
		return r, err
	}
	r.Sealed = true
	if err := t.writeJSON("result.json", r); err != nil {
		return r, err
	}
	return r, nil
}

// writeJSON writes a document with a hash of itself.
func (t *training) writeJSON(name string, v any) error {
	b, err := json.MarshalIndent(v, "", " ")
	if err != nil {
		return fmt.Errorf("nets: %s: %w", name, err)
	}
	return runfolder.WriteBytes(t.where.files, filepath.Join(t.where.Dir, name), append(runfolder.Seal(b), '\n'))
}

// newMeter returns a function that reports progress.
func (t *training) newMeter() func(*training) {
	if t.where.Progress == nil {
		return func(*training) {}
	}
	begun, first := time.Now(), t.step
	return func(t *training) {
		steps := uint64(t.config.Epochs) * uint64(t.batches)
		each := time.Since(begun) / time.Duration(max(1, t.step-first))
		t.where.Progress(Progress{Epoch: t.epoch + 1, Epochs: t.config.Epochs, Step: t.step, Steps: steps, Resumed: first,
			Loss: t.loss.Mean(), Error: t.loss.Error(), ImagesPerSecond: float64(t.config.Batch) / each.Seconds(),
			Remaining: each * time.Duration(steps-t.step)})
	}
}
