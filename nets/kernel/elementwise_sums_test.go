package kernel

import (
	"slices"
	"testing"
)

// Sums made while dz was in cache are used for that dz only, and once: another dz is a mistake of the caller, and panics.
func TestSumsMadeOnTheWay(t *testing.T) {
	for _, impl := range every() {
		const images, rows, c = 3, 65, 24
		n := newNormCase(t, pool(t, 2, impl), images, rows, c, 1, 0, nil)
		n.b.Forward(n.z, n.y, nil, n.gamma, n.beta, nil, true)
		n.b.Backward(n.dy, nil, n.dg, n.db, n.dz, n.z, n.y, n.gamma, true)
		dg, db, dy := slices.Clone(n.dg), slices.Clone(n.db), slices.Clone(n.dy)

		sums := func() {
			n.b.startSums(n.dz)
			for img := range images {
				n.b.sumImage(img, n.b.image(n.dz, img))
			}
		}
		sums()
		n.b.back[7]++ // shows that they are used
		n.b.Backward(n.dy, nil, n.dg, n.db, n.dz, n.z, n.y, n.gamma, true)
		if n.db[7] != float32(float64(db[7])+1) && n.db[7] == db[7] {
			t.Errorf("%v: the sums made on the way are not used", impl)
		}
		check := func(when string) {
			n.b.Backward(n.dy, nil, n.dg, n.db, n.dz, n.z, n.y, n.gamma, true)
			if !slices.Equal(n.dg, dg) || !slices.Equal(n.db, db) || !slices.Equal(n.dy, dy) {
				t.Errorf("%v: other gradients %s", impl, when)
			}
		}
		check("after the sums have been used once")
		sums()
		check("from sums made on the way")
		sums()
		n.b.back[7]++
		n.b.Forward(n.z, n.y, nil, n.gamma, n.beta, nil, true)
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
			n.b.Backward(n.dy, nil, n.dg, n.db, other, n.z, n.y, n.gamma, true)
		}()
	}
}
