package main

import (
	"context"
	"fmt"
	"time"

	"tqn/cluster"
	"tqn/nets"
	"tqn/nets/bench"
	"tqn/nets/kernel"
	"tqn/nets/network"
	"tqn/reports"
)

// table1Estimate measures a training step of every net of the plan and prints how
// long the cells will take on this machine.
func (e *env) table1Estimate(ctx context.Context, plan *cluster.Plan, f *table1Flags) error {
	newEngine, err := f.step.factory()
	if err != nil {
		return err
	}
	table := reports.Table{Header: []string{"column", "images/s", "cells", "memory", "estimated time"}}
	all := time.Duration(0)
	for _, column := range plan.Columns {
		var cells []cluster.Cell
		for _, c := range plan.Cells {
			if c.Column == column.ID {
				cells = append(cells, c)
			}
		}
		if len(cells) == 0 {
			continue
		}
		speed, err := stepSpeed(ctx, cells[0].Config, f.threads, f.step.products(), newEngine)
		if err != nil {
			return err
		}
		took, memory := time.Duration(0), int64(0)
		for _, c := range cells {
			cost, err := c.Cost()
			if err != nil {
				return err
			}
			took += time.Duration(float64(cost.Images) / speed * float64(time.Second))
			memory = max(memory, cost.Bytes)
		}
		all += took
		table.Add(column.ID, speed, len(cells), fmt.Sprintf("%d MiB", memory>>20), took.Round(time.Second).String())
	}
	w := e.stdout
	if e.json {
		w = e.stderr
	}
	fmt.Fprint(w, table.Text())
	fmt.Fprintf(w, "estimated time on this machine (--engine %s), one cell after another: %s (%.1f days), without evaluation\n", f.step.engine, all.Round(time.Minute), all.Hours()/24)
	return nil
}

// stepSpeed is the images a second of a training step at batch 16, or at the cell's own on an accelerator: the faster of
// two measurements after one to warm up.
func stepSpeed(ctx context.Context, c nets.Config, threads int, precision kernel.Precision, newEngine func(network.Model, network.Hyper) (network.Engine, error)) (float64, error) {
	shape, err := c.Shape()
	if err != nil {
		return 0, err
	}
	o := bench.Options{Net: c.Net, Method: c.Method, Batch: c.Batch, Threads: threads, Width: c.Width, Depth: c.Depth, Precision: precision,
		Input: network.Shape{H: shape.Height, W: shape.Width, C: shape.Channels}, Classes: shape.Classes, NewEngine: newEngine}
	if newEngine == nil {
		o.Batch = min(16, c.Batch)
	}
	s, err := bench.New(o)
	if err != nil {
		return 0, err
	}
	defer s.Close()
	best := time.Duration(1<<63 - 1)
	for i := range 3 {
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
