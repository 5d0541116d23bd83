//go:build !purego

package kernel

import (
	"math"
	"slices"
	"testing"

	"tqn/quantize"
)

// Planted defects in what the assembly is told: the comparisons with generic see each of them.
func TestElementwiseDefectsAreSeen(t *testing.T) {
	for _, impl := range vectorised(t) {
		const n = 128
		for name, spoil := range map[string]func(*adamArgs){
			"":                        func(*adamArgs) {},
			"a round key":             func(a *adamArgs) { a.keys[19] ^= 1 << 30 },
			"a multiplier":            func(a *adamArgs) { a.m1 += 2 },
			"order of the lanes":      func(a *adamArgs) { a.order[1], a.order[2] = a.order[2], a.order[1] },
			"advance of the counter":  func(a *adamArgs) { a.advance++ },
			"block of the first word": func(a *adamArgs) { a.block++ },
			"step number's high word": func(a *adamArgs) { a.step += 1 << 32 },
			"threshold":               func(a *adamArgs) { a.half /= 2 },
			"certain move":            func(a *adamArgs) { a.two = 1 },
			"an ulp of beta1":         func(a *adamArgs) { a.b1 = math.Nextafter32(a.b1, 1) },
			"the decay":               func(a *adamArgs) { a.decay *= 1 + 0x1p-20 },
			"the last vectors":        func(a *adamArgs) { a.n -= 32 },
		} {
			var got, want [4][]float32
			for k := range got {
				got[k] = make([]float32, n)
				fill(got[k], uint64(k), 0, nil)
			}
			for i := range n {
				got[0][i] = float32(1 - i&2)
				got[2][i] *= float32(i) / n
				got[3][i] = 0.25
				if i%5 == 0 {
					got[1][i] = 0
				}
			}
			for k := range got {
				want[k] = slices.Clone(got[k])
			}
			a := adamArgs{b1: 0.9, a1: 0.1, b2: 0.999, a2: 0.001, scale: 1, c2: 1, eps: 1e-8, decay: 0.01, lo: -1, hi: 1, k0: 1, k1: 2, step: 3, stream: 4}
			b := a
			a.w, a.g, a.m, a.v, a.n = &got[0][0], &got[1][0], &got[2][0], &got[3][0], n
			a.prepare(impl)
			spoil(&a)
			a.run(impl, quantize.SR)
			adamGeneric(want[0], want[1], want[2], want[3], &b, quantize.SR)
			same := true
			for k := range got {
				same = same && slices.Equal(got[k], want[k])
			}
			if same != (name == "") {
				t.Errorf("%v: Adam with defect %q equals generic: %v", impl, name, same)
			}
		}
	}
}

// TestTwoBlocksAreOneAfterTheOther: the sums of two blocks of 8 channels at once are those of the kernels for one block, and what is wrong with their arguments is seen.
func TestTwoBlocksAreOneAfterTheOther(t *testing.T) {
	if !available(avx512) {
		t.Skip("no AVX-512")
	}
	const c, n = 8, 2 * sumBlock * 8
	run := func(kernel func(*sumsArgs), blocks int, spoil func(*sumsArgs)) (dz []float32, part []float64) {
		var x [4][]float32
		for i := range x {
			x[i] = make([]float32, n)
			noise(uint64(i), x[i])
		}
		dz, part = x[1], make([]float64, 2*c)
		for i := range blocks {
			at := i * sumBlock * c
			a := sumsArgs{y: &x[0][at], rows: sumBlock, c: c, tail: tailMask(c), part: &part[0], squares: &part[c], dz: &dz[at], z: &x[2][at], mean: &x[3][0], inv: &x[3][8], scale: &x[3][16], beta: &x[3][24],
				shortcut: &x[3][at]}
			spoil(&a)
			kernel(&a)
		}
		return dz, part
	}
	kernels := []struct{ one, two func(*sumsArgs) }{{sumsAVX512, sumsTwoAVX512}, {backSumsAVX512, backSumsTwoAVX512}, {backSumsMaskAVX512, backSumsMaskTwoAVX512}, {backSumsAgainAVX512, backSumsAgainTwoAVX512},
		{backSumsJoinAVX512, backSumsJoinTwoAVX512}, {backSumsCutAVX512, backSumsCutTwoAVX512}}
	for i, k := range kernels {
		wantDZ, want := run(k.one, 2, func(*sumsArgs) {})
		for name, spoil := range map[string]func(*sumsArgs){
			"":                func(*sumsArgs) {},
			"the last row":    func(a *sumsArgs) { a.rows-- },
			"another y":       func(a *sumsArgs) { a.y = a.mean },
			"squares in part": func(a *sumsArgs) { a.squares = a.part },
		} {
			dz, part := run(k.two, 1, spoil)
			if same := slices.Equal(dz, wantDZ) && slices.Equal(part, want); same != (name == "") {
				t.Errorf("kernel %d, defect %q: the sums of one block after the other: %v", i, name, same)
			}
		}
	}
}

// TestWindowDefectsAreSeen: a pooling that looks beside its window differs from the generic one.
func TestWindowDefectsAreSeen(t *testing.T) {
	for _, impl := range vectorised(t) {
		for _, defect := range []bool{false, true} {
			m := NewMaxPool(pool(t, 1, impl), 9, 9, 16, 3, 2, 1)
			x, dy := make([]float32, m.Inputs()), make([]float32, m.Outputs())
			fill(x, 1, 0, nil)
			fill(dy, 2, 0, nil)
			y, dx, wantY, wantDX := make([]float32, len(dy)), make([]float32, len(x)), make([]float32, len(dy)), make([]float32, len(x))
			m.forwardGeneric(wantY, x)
			m.backwardGeneric(wantDX, dy, x)
			if defect {
				m.windows[7].offsets[0] += 3 * 16 * 4 // another pixel for the first
			}
			m.Forward(y, x)
			m.Backward(dx, dy, x)
			if seenY, seenDX := !slices.Equal(y, wantY), !slices.Equal(dx, wantDX); seenY != defect || seenDX != defect {
				t.Errorf("%v, defect %v: seen in y %v, in dx %v", impl, defect, seenY, seenDX)
			}
		}
	}
}
