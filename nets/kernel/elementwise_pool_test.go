package kernel

import (
	"fmt"
	"slices"
	"testing"
)

// A pooling taken into its batch norm gives the bits of the two separately, also where dy overwrites y.
func TestPoolInBatchNorm(t *testing.T) {
	for _, impl := range vectorised(t) {
		for _, relu := range []bool{false, true} {
			for i, odd := range []float64{0, 0.2, 0, 0, 0} {
				const images, c = 5, 48
				h, w := []int{6, 6, 4, 8, 16}[i], []int{10, 10, 32, 16, 8}[i] // the last ones have whole blocks of pairs of rows
				what := fmt.Sprintf("%v relu=%v %dx%d: ", impl, relu, h, w)
				ws := pool(t, 3, impl)
				apart, fused := newNormCase(t, ws, images, h*w, c, 1, odd, nil), newNormCase(t, ws, images, h*w, c, 1, odd, nil)
				m := NewMaxPool(ws, h, w, c, 2, 2, 0)
				wantZ, z, dz := make([]float32, images*m.Outputs()), make([]float32, images*m.Outputs()), make([]float32, images*m.Outputs())
				fill(dz, 3, 0, nil)

				apart.b.Forward(Floats(apart.z), Floats(apart.y), nil, apart.gamma, apart.beta, Floats(nil), relu)
				m.Forward(wantZ, apart.z)
				m.Backward(apart.dz, dz, apart.z)
				apart.b.Backward(Floats(apart.dy), Floats(nil), apart.dg, apart.db, Floats(apart.dz))

				if !fused.b.FusesPool(m) {
					t.Fatalf("%sdoes not fuse", what)
				}
				fused.b.SetPool(m)
				fused.b.Forward(Floats(z), Floats(fused.y), nil, fused.gamma, fused.beta, Floats(nil), relu)
				equalBits(t, what+"pooled z", z, wantZ)
				whole := make([]float32, len(fused.y))
				fused.b.Materialise(whole, Floats(fused.y))
				equalBits(t, what+"z", whole, apart.z)
				fused.b.BackwardSums(Floats(nil), fused.dg, fused.db, Floats(dz))
				for img := range images {
					fused.b.gradImage(fused.b.image(Floats(fused.dy), img), img)
				}
				equalBits(t, what+"dy of images", fused.dy, apart.dy)
				fused.b.Backward(Floats(fused.y), Floats(nil), fused.dg, fused.db, Floats(dz))
				equalBits(t, what+"dy", fused.y, apart.dy)
				equalBits(t, what+"dgamma", fused.dg, apart.dg)
				equalBits(t, what+"dbeta", fused.db, apart.db)
				// Planted defects: the scales' sign, which turns maxima into minima, and the channels' place.
				got, out, each, part := make([]float32, h*w*c), make([]float32, m.Outputs()), m.Outputs(), make([]float64, 2*c)
				same := func() (forward, backward bool) {
					y, dp := fused.b.image(Floats(whole), 0), Floats(dz[:each])
					fused.b.poolImage(Floats(out), y)
					fused.b.poolBackImage(Floats(got), dp, y)
					backward = slices.Equal(got, apart.b.image(Floats(apart.dz), 0).floats)
					if odd == 0 && fused.b.poolsAtOnce() {
						fused.b.poolGrad(Floats(got), dp, y)
						if slices.Equal(got, apart.b.image(Floats(apart.dy), 0).floats) != backward {
							t.Errorf("%sthe gradient window by window is the one of two passes: %v", what, !backward)
						}
					}
					if odd == 0 && fused.b.sumsPoolAtOnce() {
						fused.b.poolSums(part, dp, y)
						if slices.Equal(part, apart.b.back[:2*c]) != backward {
							t.Errorf("%sthe sums window by window are those of two passes: %v", what, !backward)
						}
					}
					return slices.Equal(out, wantZ[:each]), backward
				}
				copy(whole, apart.y)
				if forward, backward := same(); odd == 0 && (!forward || !backward) {
					t.Errorf("%swithout a defect: same z %v, same gradient %v", what, forward, backward)
				}
				for k := range fused.b.scale {
					fused.b.scale[k] *= -1
				}
				if forward, backward := same(); forward || backward {
					t.Errorf("%sthe scales' sign: same z %v, same gradient %v", what, forward, backward)
				}
				for k := range fused.b.scale {
					fused.b.scale[k] *= -1
				}
				fused.b.mean = fused.b.mean[1:]
				if forward, backward := same(); forward || backward {
					t.Errorf("%sanother channel's mean: same z %v, same gradient %v", what, forward, backward)
				}
				if !slices.ContainsFunc(apart.dy, func(v float32) bool { return v != apart.dy[0] }) {
					t.Fatal("the gradient is constant: the case shows nothing")
				}
			}
		}
		ws := pool(t, 1, impl)
		if b := NewBatchNorm(ws, 2, 36, 16, 1e-5); b.FusesPool(NewMaxPool(ws, 6, 6, 16, 3, 2, 1)) || b.FusesPool(NewMaxPool(ws, 4, 4, 16, 2, 2, 0)) {
			t.Errorf("%v: fuses a pooling of another kind or shape", impl)
		}
	}
}
