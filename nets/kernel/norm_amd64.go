//go:build !purego

package kernel

type sumsArgs struct {
	y             *float32
	rows, c       int
	stride        int // bytes
	tail          int
	part, squares *float64
}

type backSumsArgs struct {
	sumsArgs
	dz, z, mean, inv *float32
}

type normArgs struct {
	y                              *float32
	rows, c, tail                  int
	z, residual, mean, scale, beta *float32
}

type normBackArgs struct {
	y                                               *float32
	rows, c, tail                                   int
	dy, dres, dz, z, mean, inv, coef0, coef1, coef2 *float32
}

//go:noescape
func sums512(a *sumsArgs)

//go:noescape
func backSums512Plain(a *backSumsArgs)

//go:noescape
func backSums512Mask(a *backSumsArgs)

//go:noescape
func norm512(a *normArgs)

//go:noescape
func norm512ReLU(a *normArgs)

//go:noescape
func norm512Residual(a *normArgs)

//go:noescape
func norm512ResidualReLU(a *normArgs)

//go:noescape
func normBack512(a *normBackArgs)

//go:noescape
func normBack512Mask(a *normBackArgs)

//go:noescape
func normBack512Residual(a *normBackArgs)

//go:noescape
func normBack512ResidualMask(a *normBackArgs)

func addImage(impl implementation, s *Sums, img int, y []float32) {
	if impl < avx512 {
		s.addImageGeneric(img, y)
		return
	}
	part := s.part[img*2*s.c:][:2*s.c]
	clear(part)
	for from := 0; from < s.rows; from += sumBlock {
		sums512(&sumsArgs{y: &y[from*s.c], rows: min(sumBlock, s.rows-from), c: s.c, stride: s.c * 4, tail: tailMask(s.c),
			part: &part[0], squares: &part[s.c]})
	}
}

func normApply(impl implementation, z, y, residual, mean, scale, beta []float32, relu bool) {
	if impl < avx512 {
		normGeneric(z, y, residual, mean, scale, beta, relu)
		return
	}
	c := len(mean)
	a := normArgs{y: &y[0], rows: len(y) / c, c: c, tail: tailMask(c), z: &z[0], mean: &mean[0], scale: &scale[0], beta: &beta[0]}
	if residual != nil {
		a.residual = &residual[0]
	}
	switch {
	case residual == nil && !relu:
		norm512(&a)
	case residual == nil:
		norm512ReLU(&a)
	case !relu:
		norm512Residual(&a)
	default:
		norm512ResidualReLU(&a)
	}
}

func normBackSums(impl implementation, part []float64, dz, z, y, mean, inv []float32) {
	if impl < avx512 {
		normBackSumsGeneric(part, dz, z, y, mean, inv)
		return
	}
	c := len(mean)
	clear(part)
	rows := len(y) / c
	for from := 0; from < rows; from += sumBlock {
		a := backSumsArgs{
			sumsArgs: sumsArgs{y: &y[from*c], rows: min(sumBlock, rows-from), c: c, stride: c * 4, tail: tailMask(c), part: &part[0], squares: &part[c]},
			dz:       &dz[from*c], mean: &mean[0], inv: &inv[0],
		}
		if z == nil {
			backSums512Plain(&a)
			continue
		}
		a.z = &z[from*c]
		backSums512Mask(&a)
	}
}

func normBack(impl implementation, dy, dres, dz, z, y, mean, inv, coef []float32) {
	if impl < avx512 {
		normBackGeneric(dy, dres, dz, z, y, mean, inv, coef)
		return
	}
	c := len(mean)
	a := normBackArgs{y: &y[0], rows: len(y) / c, c: c, tail: tailMask(c), dy: &dy[0], dz: &dz[0], mean: &mean[0], inv: &inv[0],
		coef0: &coef[0], coef1: &coef[c], coef2: &coef[2*c]}
	if dres != nil {
		a.dres = &dres[0]
	}
	if z != nil {
		a.z = &z[0]
	}
	switch {
	case dres == nil && z == nil:
		normBack512(&a)
	case dres == nil:
		normBack512Mask(&a)
	case z == nil:
		normBack512Residual(&a)
	default:
		normBack512ResidualMask(&a)
	}
}
