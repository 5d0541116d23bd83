package kernel

import (
	"fmt"
	"slices"
	"testing"
)

// Sums made while dz was in cache are used for that dz only, and once: another dz is a mistake of the caller, and panics.
func TestSumsMadeOnTheWay(t *testing.T) {
	for _, impl := range every() {
		const images, rows, c = 3, 65, 24
		n := newNormCase(t, pool(t, 2, impl), images, rows, c, 1, 0, nil)
		n.b.Forward(Floats(n.z), Floats(n.y), nil, n.gamma, n.beta, Floats(nil), true)
		n.b.Backward(Floats(n.dy), Floats(nil), n.dg, n.db, Floats(n.dz))
		dg, db, dy := slices.Clone(n.dg), slices.Clone(n.db), slices.Clone(n.dy)

		sums := func() {
			n.b.startSums(Floats(n.dz), false)
			for img := range images {
				n.b.sumImage(img, n.b.image(Floats(n.dz), img))
			}
		}
		sums()
		n.b.back[7]++ // shows that they are used
		n.b.Backward(Floats(n.dy), Floats(nil), n.dg, n.db, Floats(n.dz))
		if n.db[7] != float32(float64(db[7])+1) && n.db[7] == db[7] {
			t.Errorf("%v: the sums made on the way are not used", impl)
		}
		check := func(when string) {
			n.b.Backward(Floats(n.dy), Floats(nil), n.dg, n.db, Floats(n.dz))
			if !slices.Equal(n.dg, dg) || !slices.Equal(n.db, db) || !slices.Equal(n.dy, dy) {
				t.Errorf("%v: other gradients %s", impl, when)
			}
		}
		check("after the sums have been used once")
		sums()
		check("from sums made on the way")
		sums()
		n.b.back[7]++
		n.b.Forward(Floats(n.z), Floats(n.y), nil, n.gamma, n.beta, Floats(nil), true)
		check("after another forward pass")
		sums()
		n.b.back[7]++
		other := slices.Clone(n.dz)
		func() {
			defer func() {
				if recover() == nil {
					t.Errorf("%v: the sums of one dz are used for another", impl)
				}
			}()
			n.b.Backward(Floats(n.dy), Floats(nil), n.dg, n.db, Floats(other))
		}()
	}
}

// TestJoinIsGeneric: the sum of a gradient and a shortcut's, cut by the ReLU before it, and the sums of the batch norm's backward pass are those of separate steps, bit
// for bit, in every implementation; and one that leaves out the shortcut, or looks at another z, is seen.
func TestJoinIsGeneric(t *testing.T) {
	defects := map[string]func(n *normCase, shortcut []float32){
		"":                   func(*normCase, []float32) {},
		"a shortcut's value": func(_ *normCase, shortcut []float32) { shortcut[3] = 0 },
		"z":                  func(n *normCase, _ []float32) { n.z[0] = -n.z[0] },
		"y":                  func(n *normCase, _ []float32) { n.y[0]++ },
	}
	for _, impl := range every() {
		for _, c := range []int{1, 8, 15, 16, 33, 48, 64, 80, 144} {
			for _, rows := range []int{1, 64, 65, 130} {
				for name, spoil := range defects {
					const images = 2
					odd, also := 0.01, notFinite
					if name != "" {
						odd, also = 0, nil
						if !(c == 16 && rows == 65 || c == 8 && rows == 130) {
							continue
						}
					}
					for _, cut := range []bool{false, true} {
						got, want := newNormCase(t, pool(t, 2, impl), images, rows, c, 9, odd, also), newNormCase(t, pool(t, 1, generic), images, rows, c, 9, odd, also)
						shortcut, check := walled(len(got.y), c%16)
						fill(shortcut, 77, odd, also)
						for _, n := range []*normCase{got, want} {
							n.b.Forward(Floats(n.z), Floats(n.y), nil, n.gamma, n.beta, Floats(n.residual), true)
							copy(n.z, got.z)
							n.z[0], n.z[1] = max(n.z[0], 1), 0 // something to let through, and something to stop
						}
						want.b.ws.Add(Floats(want.dz), Floats(shortcut))
						want.b.Backward(Floats(want.dy), Floats(want.dz), want.dg, want.db, Floats(want.dz))

						spoil(got, shortcut)
						if !got.b.startSums(Floats(got.dz), true) {
							t.Fatal("a batch norm with a residual and a ReLU does not join")
						}
						each := rows * c
						if cut {
							got.b.ws.Add(Floats(got.dz), Floats(shortcut))
						}
						for img := range images {
							dz := Floats(got.dz[img*each:][:each])
							if cut {
								got.b.cutImage(img, dz)
							} else {
								got.b.joinImage(img, dz, shortcut[img*each:][:each])
							}
						}
						got.b.Backward(Floats(got.dy), Floats(got.dz), got.dg, got.db, Floats(got.dz))
						what := fmt.Sprintf("%v c=%d rows=%d cut=%v: ", impl, c, rows, cut)
						if name != "" {
							if slices.Equal(got.dz, want.dz) && slices.Equal(got.dg, want.dg) && slices.Equal(got.db, want.db) {
								t.Errorf("%sdefect in %s is not seen", what, name)
							}
							continue
						}
						equalBits(t, what+"dz", got.dz, want.dz)
						equalBits(t, what+"dy", got.dy, want.dy)
						equalBits(t, what+"dgamma", got.dg, want.dg)
						equalBits(t, what+"dbeta", got.db, want.db)
						check(t, what+"shortcut")
					}
				}
			}
		}
	}
}
