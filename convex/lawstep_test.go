package convex

import (
	"fmt"
	"math"
	"slices"
	"sync"
	"testing"
	"time"

	"tqn/quantize"
)

// smallLaws are laws in one to three dimensions with one to six terms and with some
// drifts that vanish at the bounds.
func smallLaws(t testing.TB) []*Law {
	var laws []*Law
	for _, x := range []struct {
		p     Problem
		delta float64
	}{
		{NewQuadratic(0, 1, []float64{1}, []float64{0.3}, 0), 1},
		{NewQuadratic(0, 1, []float64{1}, []float64{0.3}, 0.3), 1. / 64},
		{leastSquares(t, 6, 1), 1. / 8},
		{NewQuadratic(0, 1, []float64{1, 2}, []float64{0.3, 0.4}, 0), 1},
		{NewQuadratic(-1, 1, []float64{1, 2}, []float64{0.3, 0.4}, 0.3), 1. / 16},
		{leastSquares(t, 6, 2), 1. / 8},
		{NewHuber(-1, 1, 1, 0.1, 0, []float64{0.3, -0.22}, 0), 1. / 4},
		{NewQuadratic(0, 1, []float64{1, 2, 3}, []float64{0.3, 0.4, 0.5}, 0), 1},
		{leastSquares(t, 1, 3), 1. / 4},
		{leastSquares(t, 5, 3), 1. / 4},
	} {
		l, err := NewLaw(instance(t, x.p, x.delta, Root(1), 1), false)
		if err != nil {
			t.Fatal(err)
		}
		laws = append(laws, l)
	}
	return laws
}

// vector returns numbers of both signs and zeros, or their absolute values.
func vector(n int, signed bool) []float64 {
	draw := quantize.NewNoise(3).At(1, 1)
	v := make([]float64, n)
	for i := range v {
		if u := draw.Uniform(i); u > 0.1 {
			v[i] = math.Exp2(-10*draw.Uniform(n+i)) * (u - 0.5)
		}
		if !signed {
			v[i] = math.Abs(v[i])
		}
	}
	return v
}

// worst is the largest |got - want|/scale; scale may vanish where got = want.
func worst(got, want, scale []float64) float64 {
	var w float64
	for y := range got {
		if d := math.Abs(got[y] - want[y]); !(d == 0) {
			w = max(w, d/scale[y])
			if math.IsNaN(d) {
				return math.Inf(1)
			}
		}
	}
	return w
}

// A step loses at most this much of every probability, see [rates].
const stepError = 24 * 0x1p-53

// scatterError is the error of the fast step against the reference for steps of
// alpha reach = a, relative to the sum of the absolute values added up.
func scatterError(l *Law, a float64, signed bool) (e float64, fast bool) {
	src, size := vector(l.states, signed), vector(l.states, false)
	want, scale, got := make([]float64, l.states), make([]float64, l.states), make([]float64, l.states)
	for y := range got {
		got[y] = math.NaN() // what a step forgets to write
	}
	alpha := a / l.rates.reach
	l.scatter(want, src, alpha)
	l.scatter(scale, size, alpha)
	if fast = l.gather(got, src, alpha); !fast {
		return 0, false
	}
	return worst(got, want, scale), true
}

func TestFastStepEqualsTheReference(t *testing.T) {
	for _, l := range smallLaws(t) {
		limit := smallStep
		if l.d == 3 {
			limit = 1
		}
		for _, a := range []float64{1e-200, 1e-18, 1e-3, 0.2, 0.2499, 0.2501, 0.9, 0.9999, 1.0001, 3} {
			for _, signed := range []bool{false, true} {
				e, fast := scatterError(l, a, signed)
				if fast != (a < limit) {
					t.Errorf("%s, d=%d: steps of %v Delta take the fast path: %v", l.problem.Name(), l.d, a, fast)
				}
				if e > stepError || l.d == 3 && e != 0 {
					t.Errorf("%s, d=%d, m=%d, steps of %v Delta: the fast step is %.3g from the reference", l.problem.Name(), l.d, l.m, a, e)
				}
			}
		}
	}
}

// Defects planted in the coefficients: each is seen.
func TestPlantedDefectsOfTheFastStepAreSeen(t *testing.T) {
	for _, l := range smallLaws(t) {
		src := vector(l.states, false)
		c := l.rates.of
		per := [...]int{1: 2, 2: 8, 3: 0}[l.d]
		stride, next := per, 1 // coefficient k of state x is c[x*stride + k*next]
		if l.d == 1 {
			stride, next = 1, l.states
		}
		seen := func(what string) {
			if e, _ := scatterError(l, 0.2, false); e <= stepError {
				t.Errorf("%s, d=%d, m=%d: %s: the error is %.3g", l.problem.Name(), l.d, l.m, what, e)
			}
		}
		for k := range per {
			x := 0 // the state that gives most by coefficient k
			for y := range l.states {
				if c[y*stride+k*next]*src[y] > c[x*stride+k*next]*src[x] {
					x = y
				}
			}
			at := x*stride + k*next
			was := c[at]
			if was*src[x] == 0 {
				continue
			}
			c[at] *= 1 + 1e-6
			seen(fmt.Sprintf("coefficient %d of state %d is wrong by 1e-6", k, x))
			c[at] = was
		}
		if per > 0 {
			for x := range l.states {
				c[x*stride], c[x*stride+next] = c[x*stride+next], c[x*stride]
			}
			seen("up and down are exchanged")
		}
	}
}

func TestFastStepDoesNotDependOnTheWorkers(t *testing.T) {
	for _, l := range smallLaws(t) {
		src := vector(l.states, true)
		step := func(workers int) []float64 {
			dst := make([]float64, l.states)
			l.share(workers)
			if !l.gather(dst, src, 0.2/l.rates.reach) {
				t.Fatal("a step of 0.2 Delta is not fast")
			}
			return dst
		}
		one := step(1)
		for workers := 2; workers <= 9; workers++ {
			for y, v := range step(workers) {
				if math.Float64bits(v) != math.Float64bits(one[y]) {
					t.Fatalf("%s, d=%d: %d workers give %v at state %d, one gives %v", l.problem.Name(), l.d, workers, v, y, one[y])
				}
			}
		}
	}
}

// A separable problem's step, of any length, by passes along the coordinates.
func TestFactoredStepEqualsTheReference(t *testing.T) {
	factored := 0
	for _, l := range smallLaws(t) {
		_, separable := l.problem.(*LeastSquares)
		if separable = !separable && l.d > 1; (l.factors != nil) != separable {
			t.Errorf("%s, d=%d: factors %v, want %v", l.problem.Name(), l.d, l.factors != nil, separable)
		}
		if l.factors == nil {
			continue
		}
		factored++
		for _, signed := range []bool{false, true} {
			src, size := vector(l.states, signed), vector(l.states, false)
			want, scale, got, one := make([]float64, l.states), make([]float64, l.states), make([]float64, l.states), make([]float64, l.states)
			for _, a := range []float64{1e-200, 1e-18, 0.2, 0.9999, 1, 1.0001, 3, 1e3} {
				alpha := a / l.rates.reach
				clear(scale)
				l.scatter(want, src, alpha)
				l.scatter(scale, size, alpha)
				for workers := 1; workers <= 5; workers++ {
					for y := range got {
						got[y] = math.NaN() // what a step forgets to write
					}
					l.factors.share(l, workers)
					l.factors.step(l, got, src, alpha)
					if e := worst(got, want, scale); e > stepError {
						t.Errorf("%s, d=%d, m=%d, steps of %v Delta: %.3g from the reference", l.problem.Name(), l.d, l.m, a, e)
					}
					if workers == 1 {
						copy(one, got)
					} else if !slices.Equal(got, one) {
						t.Errorf("%s, d=%d, m=%d: %d workers give other bits than one", l.problem.Name(), l.d, l.m, workers)
					}
				}
			}
			// A drift that is off by a millionth is seen.
			alpha := 0.4 / l.rates.reach
			l.scatter(want, src, alpha)
			l.scatter(scale, size, alpha)
			for at, h := range l.factors.drift {
				l.factors.drift[at] = h * (1 + 1e-6)
				l.factors.step(l, got, src, alpha)
				if e := worst(got, want, scale); math.Abs(h) > 1e-3*l.rates.reach && e <= stepError {
					t.Errorf("%s, d=%d: a wrong drift at %d is not seen: %.3g", l.problem.Name(), l.d, at, e)
				}
				l.factors.drift[at] = h
			}
		}
	}
	if factored < 4 {
		t.Errorf("only %d laws have factors", factored)
	}
}

// The law after many steps keeps its relative accuracy and its mass, across the
// switch from the reference to the fast step.
func TestFastLawOfManySteps(t *testing.T) {
	for _, l := range smallLaws(t) {
		want, next := append([]float64(nil), l.p...), make([]float64, l.states)
		const T = 200
		for s := 1; s <= T; s++ {
			alpha := 3 / l.rates.reach / float64(s)
			l.scatter(next, want, alpha)
			want, next = next, want
			l.Step(alpha)
		}
		var mass float64
		for _, v := range l.p {
			mass += v
		}
		if e := worst(l.p, want, want); e > T*stepError || math.Abs(mass-1) > T*stepError {
			t.Errorf("%s, d=%d: after %d steps the fast law is %.3g from the reference and sums to 1 + %.3g", l.problem.Name(), l.d, T, e, mass-1)
		}
	}
}

// BenchmarkLawStep times, in turns, a step of up to 0.2 and 5 grid steps, the scatter form and the triad
// a = b + s c over as many bytes on as many cores, and reports the best of each: the
// machine may be shared. 1e5 states lie in the cache, so there are two triads, one over as many bytes as the step and one that
// goes to main memory. GB/s counts every array that a step must read or write once, of separable problems once for each pass.
func BenchmarkLawStep(b *testing.B) {
	for d := 1; d <= 3; d++ {
		for _, noise := range []float64{0, 0.3} {
			h, center := make([]float64, d), make([]float64, d)
			for k := range h {
				h[k], center[k] = float64(1+k), 0.3+0.1*float64(k)
			}
			p := NewQuadratic(0, 1, h, center, noise)
			in := instance(b, p, [...]float64{1: 1. / 99_999, 2: 1. / 315, 3: 1. / 45}[d], Root(1), 5)
			for _, a := range []float64{0.2, 5} {
				b.Run(fmt.Sprintf("separable/d=%d/terms=%d/states=1e5/step=%g", d, p.Terms(), a), func(b *testing.B) { lawStep(b, in, a) })
			}
		}
		if d > 1 { // every problem in one dimension is separable
			in := instance(b, leastSquares(b, 2, d), [...]float64{2: 2. / 315, 3: 2. / 45}[d], Root(1), 5)
			for _, a := range []float64{0.2, 5} {
				b.Run(fmt.Sprintf("coupled/d=%d/terms=2/states=1e5/step=%g", d, a), func(b *testing.B) { lawStep(b, in, a) })
			}
		}
	}
}

// lawStep measures steps of a grid steps at most.
func lawStep(b *testing.B, in Instance, a float64) {
	l, err := NewLaw(in, false)
	if err != nil {
		b.Fatal(err)
	}
	for x := range l.p { // all states occupied: the dearest case
		l.p[x] = 1 / float64(l.states)
	}
	alpha := a / l.rates.reach
	perState := 8 + 8*l.d*l.m + 8 // src, drifts, dst
	switch {
	case l.factors != nil:
		perState = (8 + 8) * l.d * l.m // every pass reads src and writes dst
	case a <= smallStep && l.d < 3:
		perState = [...]int{1: 8 + 16 + 8, 2: 8 + 64 + 8}[l.d] // rates for drifts
	}
	n := perState * l.states / 24
	x, y, z := make([]float64, n), make([]float64, n), make([]float64, n)
	best := [4]time.Duration{math.MaxInt64, math.MaxInt64, math.MaxInt64, math.MaxInt64}
	const far = 4 << 20 // three arrays of 32 MB, beyond any cache
	fx, fy, fz := make([]float64, far), make([]float64, far), make([]float64, far)
	for range 5 {
		start := time.Now()
		triad(fx, fy, fz, 0.5, len(l.rates.tasks))
		best[3] = min(best[3], time.Since(start))
	}
	for b.Loop() {
		for k, f := range []func(){
			func() { l.Step(alpha) },
			func() { l.scatter(l.next, l.p, alpha) },
			func() { triad(x, y, z, 0.5, len(l.rates.tasks)) },
		} {
			start := time.Now()
			f()
			best[k] = min(best[k], time.Since(start))
		}
	}
	coordinates := float64(l.states * l.d)
	b.ReportMetric(0, "ns/op") // three things in turns
	b.ReportMetric(float64(best[0])/coordinates, "ns/coordinate-step")
	b.ReportMetric(float64(best[1])/coordinates, "scatter-ns/coordinate-step")
	b.ReportMetric(float64(perState*l.states)/float64(best[0]), "GB/s")
	b.ReportMetric(float64(24*n)/float64(best[2]), "cache-triad-GB/s")
	b.ReportMetric(float64(24*far)/float64(best[3]), "memory-triad-GB/s")
	b.ReportMetric(float64(len(l.rates.tasks)), "workers")
}

func triad(x, y, z []float64, s float64, workers int) {
	var group sync.WaitGroup
	for w := range workers {
		group.Go(func() {
			from, to := w*len(x)/workers, (w+1)*len(x)/workers
			x, y, z := x[from:to], y[from:to], z[from:to]
			for i := range x {
				x[i] = y[i] + s*z[i]
			}
		})
	}
	group.Wait()
}
