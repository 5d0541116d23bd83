package kernel

import "testing"

func BenchmarkPeakFMA(b *testing.B) {
	for _, name := range Implementations() {
		b.Run("impl="+name, func(b *testing.B) {
			best := 0.0
			ws := newWorkers(b, 1, name)
			for b.Loop() {
				best = max(best, PeakFMA(ws))
			}
			b.ReportMetric(best, "GFLOP/s")
		})
	}
}
