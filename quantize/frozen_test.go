package quantize

import (
	"encoding/binary"
	"hash/fnv"
	"math"
	"runtime"
	"testing"
)

// The hash of what the rules and the grids return on every kind of grid, in both
// precisions: a change of speed must not change a bit.
func TestRulesAreFrozen(t *testing.T) {
	if runtime.GOARCH != "amd64" {
		t.Skip("frozen on amd64, whose compiler does not fuse multiplications and additions")
	}
	h := fnv.New64a()
	put := func(x float64) {
		var b [8]byte
		binary.LittleEndian.PutUint64(b[:], math.Float64bits(x))
		h.Write(b[:])
	}
	for _, name := range []string{"binary", "decimal", "dyadic", "far", "one cell", "unbounded", "unbounded dyadic"} {
		g := map[string]Grid{
			"binary":           Binary(),
			"decimal":          mustGrid(t, 0.1, -0.7, 1.1),
			"dyadic":           mustGrid(t, 0.125, -1, 1),
			"far":              mustGrid(t, 0.3, 3000.3, 3003.6),
			"one cell":         mustGrid(t, 0.7, -0.35, 0.35),
			"unbounded":        {0.1, math.Inf(-1), math.Inf(1)},
			"unbounded dyadic": {0.25, math.Inf(-1), math.Inf(1)},
		}[name]
		for s := range uint64(40) {
			draw := NewNoise(5).At(3, s)
			const n = 37
			for r := Float; r <= BCStochastic; r++ {
				w, step, read := make([]float64, n), make([]float64, n), make([]float64, n)
				w32, step32, read32 := make([]float32, n), make([]float32, n), make([]float32, n)
				size := math.Ldexp(3, -int(s)) * g.Delta
				for i := range w {
					w[i] = g.Project(5*g.Delta*(2*draw.Uniform(100+i)-1) + g.origin())
					if r.Discrete() {
						w[i] = g.Nearest(w[i])
					}
					step[i] = size * (2*draw.Uniform(200+i) - 1)
					if i%9 == 0 {
						step[i] = math.Copysign(math.Round(step[i]/g.Delta)*g.Delta, step[i])
					}
					w32[i], step32[i] = float32(w[i]), float32(step[i])
					near, far, p := g.Move(g.Nearest(w[i]), step[i])
					for _, x := range []float64{near, far, p, g.Nearest(w[i] + step[i]), g.Stochastic(w[i]+step[i], draw.Uniform(i)), g.Project(w[i] + step[i]), draw.Normal(i), draw.Uniform(i), float64(draw.Bits(i))} {
						put(x)
					}
					low, p := g.UpProbability(w[i] + step[i])
					put(low)
					put(p)
				}
				if name != "far" { // float32 does not resolve its corners
					Read(r, g, read32, w32, draw)
					Update(r, g, w32, step32, draw)
				}
				Read(r, g, read, w, draw)
				Update(r, g, w, step, draw)
				for i := range w {
					put(w[i])
					put(read[i])
					put(float64(w32[i]))
					put(float64(read32[i]))
				}
			}
		}
	}
	const want = 0x9dc988a68a99c96c
	if got := h.Sum64(); got != want {
		t.Errorf("hash %#x, frozen is %#x", got, uint64(want))
	}
}
