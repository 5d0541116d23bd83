//go:build !amd64 || purego

package kernel

import "tqn/quantize"

func adamUpdate(_ implementation, w, g, m, v []float32, a *adamArgs, rule quantize.Rule) {
	adamGeneric(w, g, m, v, a, rule)
}

func allFinite(_ implementation, x []float32) bool { return finite(x) }

func add(_ implementation, to, from []float32) { addGeneric(to, from) }

func maxPoolImage(m *MaxPool, y, x []float32) { m.forwardGeneric(y, x) }

func maxPoolBackImage(m *MaxPool, dx, dy, x []float32) { m.backwardGeneric(dx, dy, x) }

func averageImage(_ implementation, y []float32, x Values, scale float32) {
	averageGeneric(y, x.floats, scale)
}

func spreadImage(_ implementation, dx, dy []float32, scale float32) { spreadGeneric(dx, dy, scale) }

func addImage(_ implementation, s *Sums, img int, y []float32) { s.addImageGeneric(img, y) }

func (b *BatchNorm) applyImage(z, y, residual Values) {
	normGeneric(z.floats, y.floats, residual.floats, b.mean, b.scale, b.beta, b.relu)
	if z.rounded {
		roundAll(b.ws.impl, z.floats, z.floats)
	}
}

func (b *BatchNorm) backSumImage(part []float64, m mask, dz, shortcut, z, y Values) {
	b.backSumsGeneric(part, m, dz.floats, shortcut.floats, z.floats, y.floats)
}

func (b *BatchNorm) backImage(dy, dres, dz, z, y Values) {
	b.backGeneric(dy.floats, dres.floats, dz.floats, z.floats, y.floats)
}

// roundAll rounds x to bf16 into the beginning of to.
func roundAll(_ implementation, to, x []float32) { roundAllGeneric(to, x) }

// addHalves and roundImage are for implementations that keep halves.
func addHalves(to []uint16, from []float32)                 { addHalvesGeneric(to, from) }
func addHalfGrid(to, from []uint16, g Grid)                 { addHalfGridGeneric(to, from, g) }
func roundImage(s *Sums, img int, to []uint16, y []float32) { panic("kernel: no halves") }

func widened(to []float32, from []uint16) { widenedGeneric(to, from) }

func (m *MaxPool) poolsFast() bool { return false }

// Nothing fuses a pooling here ([MaxPool.poolsFast]).
func (b *BatchNorm) poolImage(_, _ Values)        { panic("kernel: no fused pooling") }
func (b *BatchNorm) poolBackImage(_, _, _ Values) { panic("kernel: no fused pooling") }

func (b *BatchNorm) poolsAtOnce() bool                 { return false }
func (b *BatchNorm) sumsPoolAtOnce() bool              { return false }
func (b *BatchNorm) poolGrad(_, _, _ Values)           { panic("kernel: no fused pooling") }
func (b *BatchNorm) poolSums(_ []float64, _, _ Values) { panic("kernel: no fused pooling") }
