package quantize

import (
	"fmt"
	"math"
	"testing"

	"github.com/leanovate/gopter"
	"github.com/leanovate/gopter/gen"
	"github.com/leanovate/gopter/prop"
)

var allRules = []Rule{Float, R, SR, BC, BCStochastic}

// model is the specification: one coordinate of one rule, written from the table in
// the package comment. up decides an event of probability p.
func model(r Rule, g Grid, w, step float64, single bool, up func(p float64) bool) (read, stored float64) {
	minus := w - step
	if single { // the subtraction happens in the type of the weights
		minus = float64(float32(w) - float32(step))
	}
	read, stored = w, g.Project(minus)
	switch r {
	case R:
		stored = g.Nearest(minus)
	case SR:
		near, far, p := g.Move(w, -step)
		if stored = near; up(p) {
			stored = far
		}
	case BC:
		read = g.Nearest(w)
	case BCStochastic:
		low, p := g.UpProbability(w)
		if read = low; up(p) {
			read = g.Nearest(low + g.Delta)
		}
	}
	return read, stored
}

// Read and Update agree with the specification, bit for bit, for float64 and
// float32 and every rule, with the events decided as documented: 53-bit uniform
// numbers against p, 32-bit words against floor(p 2^32).
func TestRulesAgreeWithTheModel(t *testing.T) {
	t.Run("float64", func(t *testing.T) { agreeWithModel[float64](t) })
	t.Run("float32", func(t *testing.T) { agreeWithModel[float32](t) })
}

func agreeWithModel[T Real](t *testing.T) {
	var zero T
	_, single := any(zero).(float32)
	grids := []Grid{Binary(), mustGrid(t, 0.25, -2, 2), mustGrid(t, 0.125, 3, 5), {Delta: 0.5, Lo: math.Inf(-1), Hi: math.Inf(1)}}
	tp := gopter.DefaultTestParametersWithSeed(seed)
	tp.MinSuccessfulTests = 500
	ps := gopter.NewProperties(tp)
	ps.Property("rules", prop.ForAll(func(gi, rule, n int, stepExp float64, noise uint64) bool {
		g, r := grids[gi], allRules[rule]
		d := NewNoise(noise).At(uint32(n), noise>>7)
		values := NewNoise(noise+1).At(0, 0)
		w, step, read := make([]T, n), make([]T, n), make([]T, n)
		for i := range w {
			lo, hi := g.Lo, g.Hi
			if !g.Bounded() {
				lo, hi = -5, 5
			}
			x := lo + (hi-lo)*values.Uniform(i)
			if r.Discrete() {
				x = g.Nearest(x)
			}
			w[i] = T(x)
			step[i] = T(math.Pow(10, stepExp) * (values.Uniform(n+i) - 0.5))
		}
		old := append([]T(nil), w...)
		Read(r, g, read, w, d)
		for i := range w {
			if w[i] != old[i] {
				t.Logf("Read changed weight %d", i)
				return false
			}
		}
		Update(r, g, w, step, d)
		for i := range w {
			up := func(p float64) bool {
				if single {
					return uint64(d.Bits(i)) < uint64(math.Floor(p*0x1p32))
				}
				return d.Uniform(i) < p
			}
			wantRead, wantStored := model(r, g, float64(old[i]), float64(step[i]), single, up)
			if read[i] != T(wantRead) || w[i] != T(wantStored) {
				t.Logf("%v on %v: weight %v, step %v: read %v, want %v; stored %v, want %v", r, g, old[i], step[i], read[i], wantRead, w[i], wantStored)
				return false
			}
			if r.Discrete() && !g.Contains(float64(w[i])) {
				t.Logf("%v stored %v, no grid point", r, w[i])
				return false
			}
		}
		return true
	}, gen.IntRange(0, len(grids)-1), gen.IntRange(0, len(allRules)-1), gen.IntRange(0, 33), gen.Float64Range(-9, 1), gen.UInt64()))
	ps.TestingRun(t)
}

// Float32 weights on a grid whose points are no float32 numbers, such as tenths: the
// corner lies outside the float64 box by half a unit in the last place.
func TestSinglePrecisionCorners(t *testing.T) {
	g := mustGrid(t, 0.1, -0.3, 0.3)
	d := NewNoise(seed).At(0, 0)
	for i := range g.Len() {
		for _, step := range []float32{0, 1e-3, -1e-3, 0.1, -0.1, 5, -5} {
			for _, r := range allRules {
				w := []float32{float32(g.Point(i))}
				read := make([]float32, 1)
				Read(r, g, read, w, d)
				if read[0] != w[0] && r != BCStochastic {
					t.Errorf("%v reads the grid point %v as %v", r, w[0], read[0])
				}
				Update(r, g, w, []float32{step}, d)
				if r.Discrete() && float32(g.Nearest(float64(w[0]))) != w[0] {
					t.Errorf("%v at %v, step %v: %v is no grid point", r, g.Point(i), step, w[0])
				}
				if math.Abs(float64(step)) == 5 && r != R && w[0] != float32(math.Copysign(0.3, -float64(step))) {
					t.Errorf("%v at %v, step %v: %v, want the corner", r, g.Point(i), step, w[0])
				}
			}
		}
	}
}

// SR makes tiny steps with the right frequency: steps of Delta*p from the grid point 0,
// which w - step would lose; the number of moves among n is within 6 standard
// deviations. The same check sees planted defects.
func TestFrequencyOfMoves(t *testing.T) {
	const n = 1 << 18
	g := mustGrid(t, 0.25, -2, 2)
	d := NewNoise(seed).At(5, 6)
	defective := func(coin func(p float64) float64) func(w, step []float64) {
		return func(w, step []float64) {
			for i := range w {
				near, far, p := g.Move(w[i], -step[i])
				if w[i] = near; d.Uniform(i) < coin(p) {
					w[i] = far
				}
			}
		}
	}
	updates := map[string]func(w, step []float64){
		"SR":                   func(w, step []float64) { Update(SR, g, w, step, d) },
		"biased coin, planted": defective(func(p float64) float64 { return p * 0.9 }),
		"truncation, planted":  defective(func(float64) float64 { return 0 }),
		"fair coin, planted":   defective(func(float64) float64 { return 0.5 }),
	}
	for name, update := range updates {
		failed := false
		for _, p := range []float64{0.5, 0.1, 0.03} {
			w, step := make([]float64, n), make([]float64, n)
			for i := range step {
				step[i] = -p * g.Delta
			}
			update(w, step)
			moved := 0
			for _, x := range w {
				if x != 0 {
					moved++
				}
			}
			z := (float64(moved) - n*p) / math.Sqrt(n*p*(1-p))
			failed = failed || math.Abs(z) > 6
		}
		if planted := name != "SR"; failed != planted {
			t.Errorf("%s: the frequency check fails: %v", name, failed)
		}
	}
}

// R loses small gradients, SR keeps them in the mean: the reason for both algorithms
// (Section 3), exactly.
func TestRoundingStagnates(t *testing.T) {
	g := mustGrid(t, 0.25, -2, 2)
	w := []float64{1}
	Update(R, g, w, []float64{0.124}, Draw{})
	if w[0] != 1 {
		t.Errorf("R moved by %v on a step below Delta/2", w[0]-1)
	}
	near, far, p := g.Move(1, -0.124)
	if mean := near + p*(far-near); mean != 1-0.124 {
		t.Errorf("SR moves to %v in the mean, want %v", mean, 1-0.124)
	}
}

func TestRuleNamesAndMisuse(t *testing.T) {
	names := map[Rule]string{Float: "float", R: "r", SR: "sr", BC: "bc", BCStochastic: "bc-stochastic", 9: "Rule(9)"}
	for r, want := range names {
		if r.String() != want {
			t.Errorf("%d is called %q, want %q", uint8(r), r.String(), want)
		}
		if r.Discrete() != (r == R || r == SR) {
			t.Errorf("Discrete(%v) = %v", r, r.Discrete())
		}
	}
	g := Binary()
	wantPanic(t, "Read of unequal lengths", "Read", func() { Read(BC, g, make([]float32, 1), make([]float32, 2), Draw{}) })
	wantPanic(t, "Update of unequal lengths", "Update", func() { Update(BC, g, make([]float32, 1), make([]float32, 2), Draw{}) })
	wantPanic(t, "unknown rule", "Rule(9)", func() { Read(9, g, make([]float64, 1), make([]float64, 1), Draw{}) })
	wantPanic(t, "unknown rule", "Rule(9)", func() { Update(9, g, make([]float64, 1), make([]float64, 1), Draw{}) })
	for _, r := range allRules {
		wantPanic(t, fmt.Sprintf("%v, NaN step", r), "NaN", func() { Update(r, g, []float64{1}, []float64{math.NaN()}, Draw{}) })
	}
}

func TestUpdateDoesNotAllocate(t *testing.T) {
	g, d := Binary(), NewNoise(1).At(0, 0)
	w, step := make([]float64, 64), make([]float64, 64)
	for i := range w {
		w[i], step[i] = 1, 0.01
	}
	for _, r := range allRules {
		if n := testing.AllocsPerRun(10, func() { Update(r, g, w, step, d); Read(r, g, w, w, d) }); n != 0 {
			t.Errorf("%v allocates %v times", r, n)
		}
		for i := range w {
			w[i] = 1
		}
	}
}

func BenchmarkUpdate(b *testing.B) {
	g, noise := Grid{Delta: 0.0625, Lo: -2, Hi: 2}, NewNoise(1)
	w, step := make([]float64, 1024), make([]float64, 1024)
	for _, r := range allRules {
		b.Run("rule="+r.String(), func(b *testing.B) {
			b.SetBytes(8 * 1024)
			for i := uint64(0); b.Loop(); i++ {
				for j := range step {
					step[j] = 0.001 * float64(int(i)%7-3)
				}
				Update(r, g, w, step, noise.At(0, i))
			}
		})
	}
}
