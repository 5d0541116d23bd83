package kernel

import "time"

// PeakFMA measures how many float32 operations a second (in 10^9, two for a
// multiply-add) all workers do together from registers, the limit of any direct
// convolution: the best of several runs of a few milliseconds. The avx512 limit
// is the answer for amx too, whose tile multiplier is beyond it.
func PeakFMA(ws *Workers) float64 {
	const rounds, iterations = 12, 1 << 17
	best := 0.0
	var flops [64]float64
	run := func(part, _ int) { flops[part%len(flops)] = peakLoop(ws.impl, iterations) }
	for range rounds {
		start := time.Now()
		ws.Do(ws.threads, run)
		total := 0.0
		for part := range ws.threads {
			total += flops[part%len(flops)]
		}
		best = max(best, total/time.Since(start).Seconds()/1e9)
	}
	return best
}

// peakGeneric does n times 16 independent multiply-adds and returns the operations done.
func peakGeneric(n int) float64 {
	var acc [16]float32
	x, y := float32(0.5), float32(1.5)
	for range n {
		for i := range acc {
			acc[i] += x * y
		}
	}
	if acc[0] < 0 { // never: keeps the loop alive
		return 0
	}
	return float64(n) * 16 * 2
}
