package main

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"time"

	"tqn/cluster"
	"tqn/nets"
	"tqn/nets/bench"
	"tqn/nets/kernel"
	"tqn/nets/network"
	"tqn/quantize"
	"tqn/reports"
)

// table1Estimate measures a training step of every net of the plan and prints how
// long the cells will take on this machine.
func (e *env) table1Estimate(ctx context.Context, plan *cluster.Plan, f *table1Flags) error {
	jobs, threads, err := f.share()
	if err != nil {
		return err
	}
	table := reports.Table{Header: []string{"column", "images/s", "cells", "memory", "estimated time"}}
	var all []time.Duration
	for _, column := range plan.Columns {
		cells := slices.DeleteFunc(slices.Clone(plan.Cells), func(c cluster.Cell) bool { return c.Column != column.ID })
		if len(cells) == 0 {
			continue
		}
		times, err := f.cellTimes(ctx, cells, threads)
		if err != nil {
			return err
		}
		took, images, memory := time.Duration(0), int64(0), int64(0)
		for i, c := range cells {
			cost, err := c.Cost()
			if err != nil {
				return err
			}
			took, images, memory = took+times[i], images+cost.Images, max(memory, cost.Bytes)
		}
		all = append(all, times...)
		table.Add(column.ID, float64(images)/took.Seconds(), len(cells), fmt.Sprintf("%d MiB", memory>>20), took.Round(time.Second).String())
	}
	w := e.stdout
	if e.json {
		w = e.stderr
	}
	fmt.Fprint(w, table.Text())
	took := together(all, f.step.unhindered(jobs))
	fmt.Fprintf(w, "estimated time on this machine (--engine %s), %s: %s (%.1f days)\n", f.step.engine, atOnce(jobs, threads), inWholeUnits(took), took.Hours()/24)
	return nil
}

// table1Announce says on stderr how long the unfinished cells will take.
func (e *env) table1Announce(ctx context.Context, plan *cluster.Plan, f *table1Flags) error {
	var cells []cluster.Cell
	for _, i := range cluster.Unfinished(cluster.Collect(f.out, plan)) {
		cells = append(cells, plan.Cells[i])
	}
	if len(cells) == 0 {
		return nil
	}
	jobs, threads, err := f.share()
	if err != nil {
		return err
	}
	times, err := f.cellTimes(ctx, cells, threads)
	if err != nil {
		return err
	}
	took := together(times, f.step.unhindered(jobs))
	fmt.Fprintf(e.stderr, "table1 %s: %s, %s: about %s on this machine\n", plan.Preset, counted(len(cells), "cell"), atOnce(jobs, threads), inWholeUnits(took))
	return nil
}

// inWholeUnits rounds an estimate to what it can be trusted to: to a second up to a minute, to ten up to an hour, then to a minute. It is never 0.
func inWholeUnits(took time.Duration) time.Duration {
	unit := time.Second
	switch {
	case took > time.Hour:
		unit = time.Minute
	case took > time.Minute:
		unit = 10 * time.Second
	}
	return max(unit, took.Round(unit))
}

// atOnce says how a pool runs cells.
func atOnce(jobs, threads int) string {
	switch {
	case threads == 0: // on devices
		return fmt.Sprintf("%d at once", jobs)
	case jobs == 1:
		return fmt.Sprintf("one after another with %s", counted(threads, "thread"))
	}
	return fmt.Sprintf("%d at once with %s each", jobs, counted(threads, "thread"))
}

// together is how long cells take, that many at once, if no one of them waits for a place that another could have had.
func together(cells []time.Duration, jobs int) time.Duration {
	sum, longest := time.Duration(0), time.Duration(0)
	for _, t := range cells {
		sum, longest = sum+t, max(longest, t)
	}
	return max(longest, sum/time.Duration(jobs))
}

// cellTimes estimates how long each cell takes alone. It measures a training step once for each net, data set and kind of weights that the cells have. An evaluated
// image is counted as a third of one that is trained on: its forward pass.
func (f *table1Flags) cellTimes(ctx context.Context, cells []cluster.Cell, threads int) ([]time.Duration, error) {
	newEngine, err := f.step.factory()
	if err != nil {
		return nil, err
	}
	type kind struct {
		column string
		real   bool // weights: binary ones may be faster
	}
	speeds := map[kind]float64{}
	var times []time.Duration
	for _, c := range cells {
		m, err := nets.MethodNamed(c.Config.Method)
		if err != nil {
			return nil, err
		}
		k := kind{c.Column, m.Rule == quantize.Float}
		if speeds[k] == 0 {
			if speeds[k], err = stepSpeed(ctx, c.Config, threads, f.step.products(), newEngine); err != nil {
				return nil, err
			}
		}
		cost, err := c.Cost()
		if err != nil {
			return nil, err
		}
		shape, err := c.Config.Shape()
		if err != nil {
			return nil, err
		}
		evaluated := float64(cmp.Or(c.Config.TestImages, shape.Test)) * float64(c.Config.Epochs)
		times = append(times, time.Duration((float64(cost.Images)+evaluated/3)/speeds[k]*float64(time.Second)))
	}
	return times, nil
}

// stepSpeed is the images a second of a training step at the cell's batch or, on a CPU, at 32 images if that has more: of the fastest step among those of a tenth of
// a second, at least two after one to warm up.
func stepSpeed(ctx context.Context, c nets.Config, threads int, precision kernel.Precision, newEngine func(network.Model, network.Hyper) (network.Engine, error)) (float64, error) {
	shape, err := c.Shape()
	if err != nil {
		return 0, err
	}
	o := bench.Options{Net: c.Net, Method: c.Method, Batch: c.Batch, Threads: threads, Width: c.Width, Depth: c.Depth, Precision: precision,
		Input: network.Shape{H: shape.Height, W: shape.Width, C: shape.Channels}, Classes: shape.Classes, NewEngine: newEngine}
	if newEngine == nil {
		o.Batch = min(32, c.Batch)
	}
	s, err := bench.New(o)
	if err != nil {
		return 0, err
	}
	defer s.Close()
	best := time.Duration(1<<63 - 1)
	begun := time.Now()
	for i := 0; i < 3 || time.Since(begun) < 100*time.Millisecond; i++ {
		if ctx.Err() != nil {
			return 0, ctx.Err()
		}
		took, err := s.Time(1)
		if err != nil {
			return 0, err
		}
		if i > 0 {
			best = min(best, took[0])
		}
	}
	return s.ImagesPerSecond(best), nil
}
