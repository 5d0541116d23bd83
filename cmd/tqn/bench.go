package main

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"tqn/nets/bench"
	"tqn/nets/network"
	"tqn/reports"
)

func newBenchCommand(e *env) *cobra.Command {
	o := bench.Options{}
	var layers, peers, cells bool
	var engine *engineChoice
	var memory *memoryLimit
	var only []string
	rounds, steps := 5, 3
	cmd := &cobra.Command{
		Use:   "bench --net NET",
		Short: "speed of a training step",
		Long: `bench measures a training step (forward, backward, Adam with the method's rule) on random images of CIFAR's size (resnet18:
ImageNet's). gflops counts the direct algorithm's arithmetic: 2 x multiply-adds, forward plus both gradients, whatever
algorithm ran. --layers prints where the time goes. --peers alternates with PyTorch in the same run; TQN_PYTHON
names an interpreter that has it. With --precision bf16 PyTorch runs under autocast, compiled or not, whichever is faster.
With --engine pjrt PyTorch runs on the same kind of device, channels last, through torch.compile in its default and its
reduce-overhead mode, whichever is faster; nets/bench/gpu.sh measures all that is of interest on a GPU.`,
		Example: `  tqn bench --net vgg9 --batch 128 --json
  tqn bench --net resnet56 --layers
  TQN_PYTHON=~/venv/bin/python tqn bench --peers`,
		Args: cobra.NoArgs,
		RunE: func(*cobra.Command, []string) (err error) {
			if o.NewEngine, err = engine.factory(); err != nil {
				return err
			}
			o.Precision, o.Memory = engine.products(), memory.bytes()
			if engine.streams > 1 {
				o.Runs = engine.places()
			}
			o.Peer = bench.PeerDevice{Platform: engine.platform(), Precision: engine.precision}
			switch {
			case peers:
				return e.benchPeers(o, cells, only, rounds, steps)
			case o.Net == "":
				return errors.New("bench: --net is missing")
			case layers:
				return e.benchLayers(o)
			}
			r, err := bench.Run(o)
			if err != nil {
				return err
			}
			if e.json {
				return e.printJSON(r)
			}
			with := counted(r.Threads, "thread")
			if r.Runs > 1 {
				with = fmt.Sprintf("%d at once", r.Runs)
			}
			fmt.Fprintf(e.stdout, "%s, batch %d, %s, %s: %.1f images/s, %.1f GFLOP/s, peak memory %.0f MiB\n",
				r.Net, r.Batch, with, r.Kernel, r.ImagesPerSecond, r.GFLOPS, float64(r.PeakRSSBytes)/(1<<20))
			if r.Compile > 0 {
				fmt.Fprintf(e.stdout, "compiled in %.1f s\n", r.Compile)
			}
			return nil
		},
	}
	engine, memory = engineFlags(cmd), memoryFlag(cmd)
	engine.streamsFlag(cmd, "steps that are computed on a device at once, whose images/s are added up,")
	f := cmd.Flags()
	f.StringVar(&o.Net, "net", "", "network: "+strings.Join(network.Nets(), ", "))
	f.StringVar(&o.Method, "method", "adam", "method whose step is measured: adam, bc, sr, r")
	f.IntVar(&o.Batch, "batch", 128, "images in a step")
	f.IntVar(&o.Threads, "threads", 0, "worker threads; 0 is all CPUs")
	f.Float64Var(&o.Width, "width", 1, "factor on the number of channels")
	f.BoolVar(&layers, "layers", false, "print the time of every layer")
	f.BoolVar(&peers, "peers", false, "compare with PyTorch")
	f.BoolVar(&cells, "cells", false, "with --peers: the narrow nets and small batches of the presets quick and laptop, not whole nets")
	f.StringSliceVar(&only, "only", nil, "with --peers: these cases; default all of vgg9, vgg9-quarter, vgg-bc, resnet56, wrn56-2")
	f.IntVar(&rounds, "rounds", rounds, "with --peers: rounds of PyTorch and tqn in turn")
	f.IntVar(&steps, "steps", steps, "with --peers: timed steps a round")
	return cmd
}

// benchPeers prints the comparison with PyTorch, or one line where it is absent: that is no failure of ours.
func (e *env) benchPeers(o bench.Options, cells bool, only []string, rounds, steps int) error {
	var results []bench.PeerReport
	table := reports.Table{Header: []string{"net", "batch", "threads", "tqn images/s", "PyTorch images/s", "ratio", "lowest", "highest"}}
	cases := bench.PeerCases()
	if cells {
		cases = bench.PeerCells()
	}
	for _, name := range only {
		if !slices.ContainsFunc(cases, func(c bench.PeerCase) bool { return c.Name == name }) {
			return fmt.Errorf("bench: --only %s: no such case", name)
		}
	}
	for _, c := range cases {
		if len(only) > 0 && !slices.Contains(only, c.Name) {
			continue
		}
		r, err := bench.Peers(c, o, rounds, steps)
		if errors.Is(err, bench.ErrNoPeer) {
			fmt.Fprintf(e.stderr, "tqn: skipped: %v\n", err)
			if e.json {
				return e.printJSON([]bench.PeerReport{})
			}
			return nil
		}
		if err != nil {
			return err
		}
		results = append(results, r)
		fmt.Fprintf(e.stderr, "%s, batch %d: ratio %.2f (%.2f to %.2f)", r.Case, r.Batch, r.Ratio, r.Lowest, r.Highest)
		if r.Compile > 0 {
			fmt.Fprintf(e.stderr, ", compiled in %.1f s, PyTorch's in %.1f s", r.Compile, r.PeerCompile)
		}
		fmt.Fprintln(e.stderr)
		table.Add(r.Case, r.Batch, r.Threads, fmt.Sprintf("%.1f", r.ImagesPerSecond), fmt.Sprintf("%.1f (%s)", r.PeerPerSecond, r.Layout),
			fmt.Sprintf("%.2f", r.Ratio), fmt.Sprintf("%.2f", r.Lowest), fmt.Sprintf("%.2f", r.Highest))
	}
	if e.json {
		return e.printJSON(results)
	}
	fmt.Fprintf(e.stdout, "tqn (%s kernels, method %s) and %s, training step, %s of %s in turn; ratio above 1: tqn is faster\n\n%s",
		results[0].Kernel, o.Method, results[0].Peer, counted(rounds, "round"), counted(steps, "step"), table.Text())
	return nil
}

// layerReport is what `tqn bench --layers --json` prints.
type layerReport struct {
	Net        string              `json:"net"`
	Batch      int                 `json:"batch"`
	Threads    int                 `json:"threads"`
	Kernel     string              `json:"kernel"`
	PeakFMA    float64             `json:"fma_peak_gflops"` // measured, all threads
	Operations []network.LayerTime `json:"operations"`
}

func (e *env) benchLayers(o bench.Options) error {
	s, err := bench.New(o)
	if err != nil {
		return err
	}
	defer s.Close()
	if _, err := s.Time(1); err != nil {
		return err
	}
	times, err := s.Profile(5)
	if err != nil {
		return err
	}
	peak := s.PeakFMA()
	if e.json {
		return e.printJSON(layerReport{o.Net, o.Batch, s.Threads, s.Kernel, peak, times})
	}
	total := time.Duration(0)
	for _, t := range times {
		total += t.Time
	}
	table := reports.Table{Header: []string{"operation", "part", "input", "output", "ms", "share %", "GFLOP/s", "of FMA peak %"}}
	for _, t := range times {
		if t.MultAdds == 0 && t.Time < time.Microsecond { // a sum that a batch norm has taken in
			continue
		}
		speed, share := "", ""
		if t.MultAdds > 0 {
			gflops := 2 * float64(t.MultAdds) / t.Time.Seconds() / 1e9
			speed, share = fmt.Sprintf("%.1f", gflops), fmt.Sprintf("%.0f", 100*gflops/peak)
		}
		in, out := "", ""
		if t.In.Len() > 0 {
			in, out = t.In.String(), t.Out.String()
		}
		table.Add(t.Layer, t.Part, in, out, fmt.Sprintf("%.3f", t.Time.Seconds()*1e3), fmt.Sprintf("%.1f", 100*t.Time.Seconds()/total.Seconds()), speed, share)
	}
	fmt.Fprintf(e.stdout, "%s, batch %d, %s, %s kernels, method %s: each operation's fastest of 5 steps\n\n%s\n", o.Net, o.Batch, counted(s.Threads, "thread"),
		s.Kernel, o.Method, table.Text())
	fmt.Fprintf(e.stdout, "sum %.1f ms, %.1f images/s, %.1f GFLOP/s; measured peak of fused multiply-adds: %.1f GFLOP/s (matrix units and ±1 weights can exceed it)\n",
		total.Seconds()*1e3, s.ImagesPerSecond(total), s.GFLOPS(total), peak)
	return nil
}
