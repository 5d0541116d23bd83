package convex

import (
	"encoding/binary"
	"hash/fnv"
	"math"
	"runtime"
	"testing"

	"tqn/quantize"
)

// The hashes of all iterates and outcomes of a few thousand steps under every rule:
// a change of speed must not change a bit. The problems need no function of package
// math whose last bit differs between platforms; where the compiler may fuse a
// multiplication and an addition, the bits differ and nothing is compared.
func TestTrajectoriesAreFrozen(t *testing.T) {
	if runtime.GOARCH != "amd64" {
		t.Skip("frozen on amd64, whose compiler does not fuse multiplications and additions")
	}
	want := map[quantize.Rule]uint64{
		quantize.Float:        0x68ea2ba929023d72,
		quantize.R:            0xf05dfab4cdd82b22,
		quantize.SR:           0x53aa2b7133e37ae8,
		quantize.BC:           0x2eb1609c97f10cc5,
		quantize.BCStochastic: 0xe3f6ed758b2ad698,
	}
	for rule, sum := range want {
		if got := trajectoryHash(t, rule, 1); got != sum {
			t.Errorf("%v: the trajectories hash to %#x, frozen is %#x", rule, got, sum)
		}
		if trajectoryHash(t, rule, 2) == sum {
			t.Errorf("%v: another seed has the same hash", rule)
		}
	}
}

func trajectoryHash(t *testing.T, rule quantize.Rule, seed uint64) uint64 {
	t.Helper()
	h := fnv.New64a()
	put := func(xs ...float64) {
		var b [8]byte
		for _, x := range xs {
			binary.LittleEndian.PutUint64(b[:], math.Float64bits(x))
			h.Write(b[:])
		}
	}
	a := [][]float64{{1, 0.3, -0.2, 0.7, 0.1}, {-0.4, 0.9, 0.5, 0, 0.2}, {0.1, -0.6, 0.8, 0.3, -1}}
	rows, err := NewLeastSquares("least squares", a, []float64{0.6, -0.3, 0.2}, 0.05, -1, 1)
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range []Problem{
		rows,
		NewQuadratic(-1, 1, []float64{1}, []float64{0.3}, 0.3),
		NewQuadratic(-0.9, 1.2, []float64{1, 2, 0.5}, []float64{0.3, -0.2, 1.1}, 0.3),
		NewHuber(-3, 0.3, 0.7, 0.05, 0.2, []float64{-0.3, 0.1}, 0.4),
	} {
		for _, delta := range []float64{0.3, 0.1, 0.01} {
			lo, hi := p.Box()
			if _, err := quantize.NewGrid(delta, lo, hi); err != nil {
				continue
			}
			for _, s := range []Schedule{Root(1), Strong(0.5)} {
				r := NewRunner(instance(t, p, delta, s, 50), rule)
				for number := range uint32(4) {
					out := r.Run(quantize.NewNoise(seed), number, func(_ int, w, sum []float64) {
						put(w...)
						put(sum...)
					})
					put(out.Average, out.MeanGap, out.Read, out.Last, out.LastRead)
				}
			}
		}
	}
	return h.Sum64()
}
