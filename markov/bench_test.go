package markov

import (
	"math"
	"runtime"
	"testing"
)

// benchChain is a dense chain with rates over three orders of magnitude.
func benchChain(n int) *Chain {
	s := testNoise(uint64(n))
	rates := make([]Rate, 0, n*n)
	for x := range n {
		for y := range n {
			if x != y {
				rates = append(rates, Rate{x, y, math.Pow(10, -3*s.next())})
			}
		}
	}
	return must(FromRates(n, rates, 0.5/float64(n)))
}

// BenchmarkGTH: the goal is n = 2000 in under 2 s on two cores.
func BenchmarkGTH(b *testing.B) {
	const n = 2000
	q := benchChain(n).denseRates()
	work := make([]float64, len(q))
	for b.Loop() {
		copy(work, q)
		gth(work, n)
	}
	b.ReportMetric(2./3*n*n*n*float64(b.N)/b.Elapsed().Seconds()/1e9, "GFLOP/s")
}

// BenchmarkMultilevel: the goal is a 2-d lattice with 1e6 states to a residual
// of 1e-10 in under 30 s and 1 GiB.
func BenchmarkMultilevel(b *testing.B) {
	for name, s := range map[string]SR{"law=concentrated": waves(1000), "law=diffuse": diffuse(1000)} {
		b.Run(name, func(b *testing.B) {
			var before, after runtime.MemStats
			runtime.GC()
			runtime.ReadMemStats(&before)
			c := must(s.Limit(1e-5))
			var r Iterative
			for b.Loop() {
				r = must(c.Multilevel(1e-10))
			}
			runtime.ReadMemStats(&after)
			b.ReportMetric(r.Residual, "residual")
			b.ReportMetric(float64(r.Cycles), "cycles")
			b.ReportMetric(float64(after.Sys)/(1<<20), "MiB-from-system")
		})
	}
}

// BenchmarkMixingTime: the goal is M = 2e9 with 1,000 states in under 10 s.
func BenchmarkMixingTime(b *testing.B) {
	c := must(benchChain(1000).WithAlpha(1e-12))
	c = must(c.WithAlpha(c.MaxAlpha() * 1e-9))
	var m Mixing
	for b.Loop() {
		m = must(c.MixingTime(0.125))
	}
	b.ReportMetric(float64(m.Steps), "steps")
	b.ReportMetric(float64(m.Products), "products")
}

// BenchmarkGap is the spectrum of a reversible and of a general chain.
func BenchmarkGap(b *testing.B) {
	for name, c := range map[string]*Chain{"chain=line,n=400": must(line(400).Limit(1e-9)), "chain=general,n=200": benchChain(200)} {
		b.Run(name, func(b *testing.B) {
			for b.Loop() {
				must(c.Gap())
			}
		})
	}
}

func line(n int) SR {
	return SR{Axes: diffuse(n).Axes[:1], Gradient: func(w []float64, _ int) Law { return Gaussian{0.01 * w[0], 1} }}
}
