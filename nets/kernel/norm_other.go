//go:build !amd64 || purego

package kernel

func addImage(_ implementation, s *Sums, img int, y []float32) { s.addImageGeneric(img, y) }

func normApply(_ implementation, z, y, residual, mean, scale, beta []float32, relu bool) {
	normGeneric(z, y, residual, mean, scale, beta, relu)
}

func normBackSums(_ implementation, part []float64, dz, z, y, mean, inv []float32) {
	normBackSumsGeneric(part, dz, z, y, mean, inv)
}

func normBack(_ implementation, dy, dres, dz, z, y, mean, inv, coef []float32) {
	normBackGeneric(dy, dres, dz, z, y, mean, inv, coef)
}
