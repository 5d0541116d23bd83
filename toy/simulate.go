package toy

import (
	"fmt"
	"math"

	"tqn/quantize"
)

// Streams of the noise, so that no two uses share a word.
const (
	streamGradient uint32 = iota + 0x746f7901
	streamRounding
)

// simulate runs a rule of package quantize for the given number of iterations from
// Start and returns how often each grid point was the quantized weight (the iterate
// under SR, Q_d of the stored weight under BC) at times 1..iterations. It is
// the definition: quantize.Read, the gradient, quantize.Update, one iteration at
// a time. SimulateSR is the fast loop for SR.
func (p Problem) simulate(rule quantize.Rule, alpha float64, iterations int, seed uint64) []int64 {
	p.check("Simulate", alpha, iterations)
	noise := quantize.NewNoise(seed)
	counts := make([]int64, p.Grid.Len())
	w, read, step := []float64{Start}, []float64{0}, []float64{0}
	for t := uint64(1); t <= uint64(iterations); t++ {
		rounding := noise.At(streamRounding, t)
		quantize.Read(rule, p.Grid, read, w, rounding)
		step[0] = alpha * (Gradient(read[0]) + p.Noise*noise.At(streamGradient, t).Normal(0))
		quantize.Update(rule, p.Grid, w, step, rounding)
		q := w[0]
		if !rule.Discrete() {
			q = p.Grid.Nearest(q)
		}
		i, ok := p.Grid.Index(q)
		if !ok {
			panic(fmt.Sprintf("toy: Simulate: %g is not a grid point", q))
		}
		counts[i]++
	}
	return counts
}

func (p Problem) check(f string, alpha float64, iterations int) {
	if !(alpha > 0) || math.IsInf(alpha, 1) || iterations < 0 || iterations > math.MaxUint32 {
		panic(fmt.Sprintf("toy: %s: alpha = %g, %d iterations; want alpha > 0 and 0 to 2^32-1 iterations", f, alpha, iterations))
	}
}

// blockSteps is how many iterations' noise is made at a time: the numbers of a
// block (64 KiB) stay in the second-level cache.
const blockSteps = 2048

// buckets is the number of intervals of [0, 1) on which the normal quantile is
// bounded beforehand.
const buckets = 8192

// normalBounds holds, for uniform numbers in [b, b+1)/buckets, the middle and half
// the width of an interval that contains Normal, with room for the rounding of
// the quantile function.
var normalBounds = func() (t [buckets]struct{ middle, half float64 }) {
	z := func(b int) float64 {
		return quantize.NormalQuantile(min(max(float64(b)/buckets, 0x1p-54), 1-0x1p-53))
	}
	for b := range t {
		lo, hi := z(b), z(b+1)
		t[b].middle, t[b].half = (lo+hi)/2, (hi-lo)/2+1e-12*(1+math.Abs(hi)+math.Abs(lo))
	}
	return t
}()

// SimulateSR is Simulate(quantize.SR, ...), byte for byte, by a loop that knows the
// grid points by their index and draws noise in blocks.
//
// In units of Delta the step is x = -alpha*gradient/Delta and, u being the uniform
// number, the rule moves ceil(|x|-u) points in its direction, cut at the ends of
// the box: floor(|x|), and one more if u is below the fraction. The normal
// number in x is known to lie in a small interval without evaluating its
// quantile function; unless |x|-u comes so close to an integer that the
// interval cannot tell, that decides the move. Otherwise the rule's own
// arithmetic does.
func (p Problem) SimulateSR(alpha float64, iterations int, seed uint64) []int64 {
	p.check("SimulateSR", alpha, iterations)
	return p.simulateSR(alpha, iterations, seed, blockSteps)
}

func (p Problem) simulateSR(alpha float64, iterations int, seed uint64, block int) []int64 {
	noise := quantize.NewNoise(seed)
	g := p.Grid
	n := g.Len()
	drift := make([]float64, n) // -alpha*f'/Delta
	largest := 0.0
	for i := range drift {
		drift[i] = -alpha * Gradient(g.Point(i)) / g.Delta
		largest = max(largest, math.Abs(drift[i]))
	}
	spread := alpha * p.Noise / g.Delta
	// The rounding of x here and in the rule, a few units in its last place, with
	// a wide margin; x is at most largest + 9*spread.
	slack := 1e-13 * (1 + largest + 9*spread)
	// A uniform number above all steps leaves the iterate where it is. Asking
	// first pays where the answer is nearly always yes. |Normal| is at most 8.3,
	// the quantile of 2^-54.
	quiet := math.Inf(1)
	if q := largest + 9*spread + slack; q < 0.2 {
		quiet = q
	}
	counts := make([]int64, n)
	i, _ := g.Index(Start)
	u := make([]float64, block)     // for the rounding
	v := make([]float64, block)     // for the gradient
	shift := make([]float64, block) // spread times the middle of the normal's interval
	doubt := make([]float64, block) // how far x may be from what shift says
	for t := 1; t <= iterations; t += block {
		m := min(block, iterations-t+1)
		uniforms(noise, streamRounding, uint64(t), u[:m])
		uniforms(noise, streamGradient, uint64(t), v[:m])
		for s, vs := range v[:m] {
			b := &normalBounds[int(vs*buckets)]
			shift[s], doubt[s] = spread*b.middle, spread*b.half+slack
		}
		us, shift, doubt := u[:m], shift[:m], doubt[:m]
		for s, uniform := range us {
			if uniform >= quiet {
				counts[i]++
				continue
			}
			x := drift[i] - shift[s]
			d := math.Abs(x) + (1 - uniform)
			k := int(d) // ceil(|x|-u) unless that is an integer
			if r := d - float64(k); r < doubt[s] || r > 1-doubt[s] {
				i = p.moveSR(i, alpha, v[s], uniform)
			} else {
				sign := int(int64(math.Float64bits(x)) >> 63)
				i = min(max(i+(k^sign)-sign, 0), n-1)
			}
			counts[i]++
		}
	}
	return counts
}

// moveSR is one step of the rule from grid point i in the rule's own arithmetic.
func (p Problem) moveSR(i int, alpha, v, u float64) int {
	w := p.Grid.Point(i)
	step := alpha * (Gradient(w) + p.Noise*quantize.NormalQuantile(v+0x1p-54))
	near, far, q := p.Grid.Move(w, -step)
	if u < q {
		near = far
	}
	i, _ = p.Grid.Index(near)
	return i
}

// uniforms sets u[s] to Uniform(0) of (stream, step+s).
func uniforms(noise quantize.Noise, stream uint32, step uint64, u []float64) {
	done := uniformsFast(noise, stream, step, u)
	for s := done; s < len(u); s++ {
		b := noise.Block(stream, step+uint64(s), 0)
		u[s] = quantize.Uniform53(b[0], b[1])
	}
}
