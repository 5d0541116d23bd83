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

func averageImage(_ implementation, y, x []float32, scale float32) { averageGeneric(y, x, scale) }

func spreadImage(_ implementation, dx, dy []float32, scale float32) { spreadGeneric(dx, dy, scale) }

func addImage(_ implementation, s *Sums, img int, y []float32) { s.addImageGeneric(img, y) }

func (b *BatchNorm) applyImage(z, y, residual []float32) {
	normGeneric(z, y, residual, b.mean, b.scale, b.beta, b.relu)
}

func (b *BatchNorm) joinSumImage(part []float64, dz, shortcut, z, y []float32) {
	b.joinSumsGeneric(part, dz, shortcut, z, y)
}

func (b *BatchNorm) backSumImage(part []float64, dz, z, y []float32) {
	b.backSumsGeneric(part, dz, z, y)
}

func (b *BatchNorm) backImage(dy, dres, dz, z, y []float32) { b.backGeneric(dy, dres, dz, z, y) }

func (m *MaxPool) poolsFast() bool { return false }

// Nothing fuses a pooling here ([MaxPool.poolsFast]).
func (b *BatchNorm) poolImage(_, _ []float32)        { panic("kernel: no fused pooling") }
func (b *BatchNorm) poolBackImage(_, _, _ []float32) { panic("kernel: no fused pooling") }
