//go:build !purego

package kernel

type winogradImageArgs struct {
	src, zeros                   *float32
	pitch, h                     int // bytes of a row of pixels, rows
	column, columns, right       int // bytes, pixels, zeros
	temp, dst                    *float32
	down, xi, tile, tiles, bytes int
	points                       *float32
}

type winogradArgs struct {
	src                        *float32
	row, column, next          int // bytes
	dst                        *float32
	dstrow, dstcolumn, dstnext int
	temp                       *float32
	tiles, bytes               int
	points                     *float32
	high, down, dstdown        int // rows of tiles
}

//go:noescape
func winogradImageZ(a *winogradImageArgs)

//go:noescape
func winogradImageY(a *winogradImageArgs)

//go:noescape
func winogradImagePairsZ(a *winogradImageArgs)

//go:noescape
func winogradGradientZ(a *winogradArgs)

//go:noescape
func winogradGradientY(a *winogradArgs)

//go:noescape
func winogradGradientPairsZ(a *winogradArgs)

//go:noescape
func winogradOutputZ(a *winogradArgs)

//go:noescape
func winogradOutputY(a *winogradArgs)

//go:noescape
func winogradOutputPairsZ(a *winogradArgs)

//go:noescape
func winogradWeightsZ(a *winogradArgs)

//go:noescape
func winogradWeightsY(a *winogradArgs)

//go:noescape
func winogradFilterZ(a *winogradArgs)

//go:noescape
func winogradFilterY(a *winogradArgs)

// winogradPairLanes are the lanes of two vectors, the second one's from 16 on, that the transforms of pairs of tiles take: each one's first 8 in turn; then all even, and all odd ones.
//
//lint:ignore U1000 the assembly reads it
var winogradPairLanes = func() (lanes [3][16]uint32) {
	for i := range lanes[0] {
		lanes[0][i] = uint32(i/2 + i%2*16)
		lanes[1][i], lanes[2][i] = uint32(2*i), uint32(2*i+1)
	}
	return lanes
}()

// run transforms the tiles of an image: B^T d B.
func (a *winogradImageArgs) run(impl implementation) {
	if impl == avx2 {
		winogradImageY(a)
	} else {
		winogradImageZ(a)
	}
}

// gradient transforms tiles of dy: A dy A^T.
func (a *winogradArgs) gradient(impl implementation) {
	if impl == avx2 {
		winogradGradientY(a)
	} else {
		winogradGradientZ(a)
	}
}

// output transforms sums to tiles of the output: A^T m A.
func (a *winogradArgs) output(impl implementation) {
	if impl == avx2 {
		winogradOutputY(a)
	} else {
		winogradOutputZ(a)
	}
}

// weights transforms filters: G g G^T.
func (a *winogradArgs) weights(impl implementation) {
	if impl == avx2 {
		winogradWeightsY(a)
	} else {
		winogradWeightsZ(a)
	}
}

// filter transforms sums to gradients of filters: G^T m G.
func (a *winogradArgs) filter(impl implementation) {
	if impl == avx2 {
		winogradFilterY(a)
	} else {
		winogradFilterZ(a)
	}
}
