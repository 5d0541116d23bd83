// Package bench measures how fast a training step is: ours alone, layer by layer, or beside PyTorch in the same run.
package bench

import (
	"fmt"
	"slices"
	"time"

	"golang.org/x/sync/errgroup"

	"tqn/nets"
	"tqn/nets/dataset"
	"tqn/nets/kernel"
	"tqn/nets/network"
	"tqn/quantize"
)

// Options say what to measure.
type Options struct {
	Net       string
	Method    string           // adam (what PyTorch is compared with), bc, sr, r
	Batch     int              // images in a step
	Threads   int              // 0: GOMAXPROCS
	Precision kernel.Precision // of the CPU's products
	Kernel    string           // the CPU's implementation; empty: $TQN_KERNEL, or the default
	Width     float64          // channel factor; 0 is 1
	Depth     float64          // factor on the number of layers; 0 is 1
	Input     network.Shape
	Classes   int
	Memory    int64 // bytes that the CPU's engine may take: a net that by its estimate takes more is refused; 0 is no limit

	// NewEngine builds the engine; nil is the CPU's. A nets.BlockEngine is measured over blocks of its own, on textures.
	NewEngine func(network.Model, network.Hyper) (network.Engine, error)
	Runs      int        // at once, each of its own engine, whose speeds Run adds up; 0 is 1. The CPU's engine takes all threads: one
	Peer      PeerDevice // where Peers runs PyTorch
}

// Step is a network ready to take training steps on a fixed random batch.
type Step struct {
	Model   network.Model
	Kernel  string
	Threads int

	close   func()
	workers *kernel.Workers // of the CPU's engine
	engine  network.Engine
	block   nets.BlockEngine // nil: batches come from the host
	x       []float32
	labels  []int32
	taken   uint64
}

// blockSteps is how many steps of a BlockEngine are timed as one.
const blockSteps = 16

// New builds the network of o with CIFAR's shapes unless o says otherwise (resnet18: ImageNet's).
func New(o Options) (*Step, error) {
	if o.Input == (network.Shape{}) {
		o.Input, o.Classes = network.Shape{H: 32, W: 32, C: 3}, 10
		if o.Net == "resnet18" {
			o.Input, o.Classes = network.Shape{H: 224, W: 224, C: 3}, 1000
		}
	}
	if o.Batch < 2 {
		return nil, fmt.Errorf("bench: batch of %d; want at least 2", o.Batch)
	}
	method, err := nets.MethodNamed(o.Method)
	if err != nil {
		return nil, err
	}
	m, err := network.NewModel(network.Spec{Net: o.Net, Input: o.Input, Classes: o.Classes, Width: o.Width, Depth: o.Depth})
	if err != nil {
		return nil, err
	}
	if need := network.ModelBytes(m, o.Batch); o.Memory > 0 && need > o.Memory && o.NewEngine == nil {
		return nil, fmt.Errorf("bench: %s with batches of %d images needs about %d MiB of memory, of %d MiB: take smaller batches or a narrower net", o.Net, o.Batch, need>>20, o.Memory>>20)
	}
	s := &Step{Model: m, close: func() {}, x: make([]float32, o.Batch*o.Input.Len()), labels: make([]int32, o.Batch)}
	h := network.Hyper{Batch: o.Batch, Rule: method.Rule, Noise: quantize.NewNoise(1), NormMomentum: 0.1, NormEpsilon: 1e-5, UnbiasedState: true}
	if o.NewEngine == nil {
		workers, err := kernel.NewWorkers(o.Threads, o.Kernel)
		if err != nil {
			return nil, fmt.Errorf("bench: %w", err)
		}
		workers.SetPrecision(o.Precision)
		s.workers, s.close, s.Threads = workers, workers.Close, workers.Threads()
		if s.engine, err = network.NewCPU(m, h, workers); err != nil {
			workers.Close()
			return nil, err
		}
	} else if s.engine, err = o.NewEngine(m, h); err != nil {
		return nil, err
	}
	if b, ok := s.engine.(nets.BlockEngine); ok {
		s.close = func() { b.Close() }
		set, err := dataset.Open("textures", dataset.Options{Classes: o.Classes, Size: o.Input.H, TrainImages: blockSteps * o.Batch, TestImages: o.Classes})
		if err == nil {
			err = b.LoadSet(set, 1, set.Augment)
		}
		if err != nil {
			s.close()
			return nil, err
		}
		s.block = b
	}
	s.Kernel = s.engine.Kernel()
	network.Initialise(s.engine, method.Rule, 1)
	pixels, classes := quantize.NewNoise(2).At(0, 0), quantize.NewNoise(2).At(1, 0)
	for i := range s.x { // uniform with the mean and variance of the standard normal
		s.x[i] = float32(pixels.Bits(i))/(1<<31)*1.732 - 1.732
	}
	for i := range s.labels {
		s.labels[i] = int32(classes.Bits(i) % uint32(o.Classes))
	}
	return s, nil
}

// Close ends the workers.
func (s *Step) Close() { s.close() }

// Time takes n steps and returns their times.
func (s *Step) Time(n int) ([]time.Duration, error) {
	var times []time.Duration
	for range n {
		if s.block != nil {
			t := time.Now()
			if err := s.block.Block(int(s.taken/blockSteps), 0, blockSteps, 0.01, s.taken+1, new(network.Loss)); err != nil {
				return nil, err
			}
			s.taken += blockSteps
			times = append(times, time.Since(t)/blockSteps)
			continue
		}
		s.taken++
		t := time.Now()
		if _, err := s.engine.Step(s.x, s.labels, 0.01, s.taken); err != nil {
			return nil, err
		}
		times = append(times, time.Since(t))
	}
	return times, nil
}

// Profile takes n steps and returns each operation's fastest time. Only the CPU's engine can be looked into.
func (s *Step) Profile(n int) ([]network.LayerTime, error) {
	engine, ok := s.engine.(*network.CPU)
	if !ok {
		return nil, fmt.Errorf("bench: %s has no times by layer", s.Kernel)
	}
	var best []network.LayerTime
	for range n {
		s.taken++
		times := engine.Profile(s.x, s.labels, 0.01, s.taken)
		if best == nil {
			best = times
		}
		for i, t := range times {
			best[i].Time = min(best[i].Time, t.Time)
		}
	}
	return best, nil
}

// PeakFMA is what the machine can do: single-precision fused multiply-adds from registers on all workers, in 1e9 flop/s; 0 if the
// engine is not the CPU's.
func (s *Step) PeakFMA() float64 {
	if s.workers == nil {
		return 0
	}
	return kernel.PeakFMA(s.workers)
}

// ImagesPerSecond of a step.
func (s *Step) ImagesPerSecond(step time.Duration) float64 {
	return float64(len(s.labels)) / step.Seconds()
}

// GFLOPS is the arithmetic of the direct algorithm in a step (2 flop a multiply-add; forward, weight gradients, input gradients
// except the images') over its time, in 1e9/s.
func (s *Step) GFLOPS(step time.Duration) float64 {
	c := s.Model.Counts()
	return 2 * float64(c.MultAdds+c.Backward) * float64(len(s.labels)) / step.Seconds() / 1e9
}

// Report is what `tqn bench --json` prints.
type Report struct {
	Net             string  `json:"net"`
	Batch           int     `json:"batch"`
	Threads         int     `json:"threads"`
	Runs            int     `json:"runs,omitempty"` // at once, whose speeds are added up, where there may be several
	Kernel          string  `json:"kernel"`
	ImagesPerSecond float64 `json:"images_per_second"`
	GFLOPS          float64 `json:"gflops"`
	PeakRSSBytes    int64   `json:"peak_rss_bytes"`
	Compile         float64 `json:"compile_seconds,omitempty"` // what the first call takes longer than those behind it, if it compiles
}

// Run measures, of each run, the median of at least 5 steps and about 3 seconds, after one step to warm up.
func Run(o Options) (Report, error) {
	steps := make([]*Step, max(1, o.Runs))
	first := make([]time.Duration, len(steps))
	for i := range steps {
		s, err := New(o)
		if err != nil {
			return Report{}, err
		}
		defer s.Close()
		t, err := s.Time(1)
		if err != nil {
			return Report{}, err
		}
		steps[i], first[i] = s, t[0]
	}
	medians := make([]time.Duration, len(steps))
	var all errgroup.Group
	for i, s := range steps {
		all.Go(func() (err error) { medians[i], err = s.settled(); return err })
	}
	if err := all.Wait(); err != nil {
		return Report{}, err
	}
	r := Report{Net: o.Net, Batch: o.Batch, Threads: steps[0].Threads, Runs: o.Runs, Kernel: steps[0].Kernel, PeakRSSBytes: peakRSS()}
	for i, s := range steps {
		r.ImagesPerSecond, r.GFLOPS = r.ImagesPerSecond+s.ImagesPerSecond(medians[i]), r.GFLOPS+s.GFLOPS(medians[i])
	}
	if steps[0].block != nil {
		r.Compile = compileSeconds(first[0], medians[0])
	}
	return r, nil
}

// settled is the median of at least 5 steps and about 3 seconds.
func (s *Step) settled() (time.Duration, error) {
	var times []time.Duration
	for begun := time.Now(); len(times) < 5 || time.Since(begun) < 3*time.Second; {
		t, err := s.Time(1)
		if err != nil {
			return 0, err
		}
		times = append(times, t...)
	}
	return median(times), nil
}

// compileSeconds is what a first block of steps takes longer than those behind it, from the times of a step in them.
func compileSeconds(first, step time.Duration) float64 { return blockSteps * (first - step).Seconds() }

func median(d []time.Duration) time.Duration {
	d = slices.Sorted(slices.Values(d))
	return d[len(d)/2]
}
