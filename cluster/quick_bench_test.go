package cluster

import (
	"context"
	"testing"
	"time"

	"tqn/nets"
	"tqn/nets/bench"
	"tqn/nets/network"
)

// BenchmarkQuick trains the SR cell of each column of preset quick for an epoch in one thread, from opening its data to its result, as the pool's processes do: for
// profiles of the whole (-cpuprofile). docs/performance.md says where the time goes.
func BenchmarkQuick(b *testing.B) {
	plan, err := NewPlan("quick", Choice{Methods: []string{"sr"}})
	if err != nil {
		b.Fatal(err)
	}
	for _, c := range plan.Cells {
		c.Config.Epochs, c.Config.Drops, c.Config.ChangeEvery = 1, nil, 0
		b.Run("column="+c.Column, func(b *testing.B) {
			for b.Loop() {
				if _, err := nets.Train(context.Background(), c.Config, nets.Where{Dir: b.TempDir(), Threads: 1}); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// BenchmarkQuickStep sums each operation's fastest time of 200 training steps of the same cells in one thread, which other work on the machine hardly touches.
func BenchmarkQuickStep(b *testing.B) {
	plan, err := NewPlan("quick", Choice{Methods: []string{"sr"}})
	if err != nil {
		b.Fatal(err)
	}
	for _, c := range plan.Cells {
		b.Run("column="+c.Column, func(b *testing.B) {
			shape, err := c.Config.Shape()
			if err != nil {
				b.Fatal(err)
			}
			s, err := bench.New(bench.Options{Net: c.Config.Net, Method: c.Config.Method, Batch: c.Config.Batch, Threads: 1, Width: c.Config.Width, Depth: c.Config.Depth,
				Input: network.Shape{H: shape.Height, W: shape.Width, C: shape.Channels}, Classes: shape.Classes})
			if err != nil {
				b.Fatal(err)
			}
			defer s.Close()
			for b.Loop() {
				times, err := s.Profile(200)
				if err != nil {
					b.Fatal(err)
				}
				var sum time.Duration
				for _, t := range times {
					sum += t.Time
				}
				b.ReportMetric(sum.Seconds()*1e3, "ms/step")
				b.ReportMetric(float64(c.Config.Batch)/sum.Seconds(), "images/s")
			}
		})
	}
}
