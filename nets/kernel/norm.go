package kernel

import (
	"fmt"
	"math"
)

// Sums holds, for each channel of a batch, the sum and the sum of squares.
//
// The order of summation is part of the result: float32 over blocks of
// sumBlock pixels of an image, float64 from there on, images in order.
type Sums struct {
	rows, c int
	images  int
	part    []float64 // images x 2 x c
}

// sumBlock is the number of terms added in float32: the relative error of a block is at most 64 * 2^-24.
const sumBlock = 64

// NewSums allocates sums for up to that many images of rows pixels with c channels.
func NewSums(images, rows, c int) *Sums {
	return &Sums{rows: rows, c: c, part: make([]float64, images*2*c)}
}

func (s *Sums) start(images, rows, c int) {
	if rows != s.rows || c != s.c || images*2*c > len(s.part) {
		panic(fmt.Sprintf("kernel: Sums for images of %d pixels with %d channels used for %d of %d pixels with %d", s.rows, s.c, images, rows, c))
	}
	s.images = images
}

func (s *Sums) addImageGeneric(img int, y []float32) {
	part := s.part[img*2*s.c:][:2*s.c]
	clear(part)
	var sum, square [16]float32
	for from := 0; from < s.rows; from += sumBlock {
		to := min(from+sumBlock, s.rows)
		for k := 0; k < s.c; k += len(sum) {
			n := min(len(sum), s.c-k)
			clear(sum[:])
			clear(square[:])
			for row := from; row < to; row++ {
				for j, v := range y[row*s.c+k:][:n] {
					sum[j] += v
					square[j] += float32(v * v)
				}
			}
			for j := range n {
				part[k+j] += float64(sum[j])
				part[s.c+k+j] += float64(square[j])
			}
		}
	}
}

// moments returns the mean and the biased variance of channel k.
func (s *Sums) moments(k int) (mean, variance float64) {
	var sum, square float64
	for i := range s.images {
		sum += s.part[i*2*s.c+k]
		square += s.part[i*2*s.c+s.c+k]
	}
	n := float64(s.images * s.rows)
	mean = sum / n
	return mean, math.Max(0, square/n-mean*mean)
}

// BatchNorm normalises each channel over a batch, optionally adds a residual and
// cuts at zero. With n = images*rows values in a channel:
//
//	mean = sum y / n,  variance = sum (y-mean)^2 / n
//	z = act((y-mean) * gamma/sqrt(variance+eps) + beta + residual),  act(a) = max(a, 0) or a
//
// If y is rounded to bf16 ([Values]), so are z, the residual, and the gradients of both.
//
// y and z are (images, rows, c), where rows is H*W of an image, or 1 after a
// linear layer.
type BatchNorm struct {
	ws              *Workers
	images, rows, c int
	eps             float64

	Mean, Var []float64 // of the last batch; Var is biased

	own                    *Sums
	mean, scale, inv, beta []float32
	coef                   []float32 // 3 x c: of dy in dz, see Backward
	back                   []float64 // images x 2 x c: sums of dz and dz*xhat

	z, y, residual             Values    // of the last Forward or Eval
	gamma                      []float32 // of the last Forward or Eval
	dz, dy, dres               Values    // of the last Backward
	cut                        Values    // z where it says what passes the ReLU backward, else none
	n                          int       // images in the current call
	relu                       bool
	added                      bool // Forward had a residual
	mask                       mask
	announced                  *float32 // the dz of the next BackwardSums, whose sums are made; see startSums
	announcedMask              mask
	joined                     bool     // the announced dz has passed the ReLU backward; see joinImage
	pool                       *MaxPool // see SetPool
	reader                     bool     // see LeaveToReader
	sumPart, applyPart         func(part, worker int)
	backSumPart, backApplyPart func(part, worker int)
}

// NewBatchNorm allocates for batches of up to that many images of rows pixels with c channels.
func NewBatchNorm(ws *Workers, images, rows, c int, eps float64) *BatchNorm {
	if images < 1 || rows < 1 || c < 1 {
		panic(fmt.Sprintf("kernel: NewBatchNorm: %d images of %d pixels with %d channels", images, rows, c))
	}
	b := &BatchNorm{ws: ws, images: images, rows: rows, c: c, eps: eps,
		Mean: make([]float64, c), Var: make([]float64, c), own: NewSums(images, rows, c),
		inv:  make([]float32, c),
		coef: make([]float32, 3*c), back: make([]float64, images*2*c)}
	channels := make([]float32, 3*c) // together: see [maxPoolArgs]
	b.mean, b.scale, b.beta = channels[:c:c], channels[c:2*c:2*c], channels[2*c:]
	b.sumPart = func(img, _ int) { b.addOwn(img) }
	b.applyPart, b.backSumPart, b.backApplyPart = b.apply, b.backSum, b.backApply
	return b
}

// addOwn makes the sums of an image that nobody made with y.
func (b *BatchNorm) addOwn(img int) {
	y := b.image(b.y, img)
	addImage(b.ws.impl, b.own, img, y.Float32(make([]float32, len(y.halves))))
}

// FusesPool reports whether [BatchNorm.SetPool] works.
func (b *BatchNorm) FusesPool(m *MaxPool) bool {
	return (b.ws.precision == F32 || b.ws.keepsHalves()) && m.poolsFast() && m.Inputs() == b.rows*b.c && m.c == b.c
}

// SetPool lets the pooling behind the batch norm take part: from now on z is the
// pooled activation and dz its gradient, the same bits as in separate calls, and
// neither is kept in full size. There can be no residual.
func (b *BatchNorm) SetPool(m *MaxPool) {
	if !b.FusesPool(m) {
		panic("kernel: BatchNorm.SetPool: a pooling of another shape, or that this implementation cannot fuse")
	}
	b.pool = m
	b.ws.reserve(roundUp(b.rows*b.c*4, 64), 0)
}

// LeaveToReader leaves z to be computed by its first reader, a [Conv.ForwardNorm], which writes it image by image as it reads it: from now on
// Forward and Eval do not write the z that they are given.
func (b *BatchNorm) LeaveToReader() { b.reader = true }

// outputs is the number of values of an image of z.
func (b *BatchNorm) outputs() int {
	if b.pool != nil {
		return b.pool.Outputs()
	}
	return b.rows * b.c
}

// whole is a worker's buffer for a gradient of an image before pooling.
func (b *BatchNorm) whole(worker int) Values {
	scratch := b.ws.scratch[worker]
	return b.y.Like(take[float32](&scratch, b.rows*b.c), b.rows*b.c)
}

// pooledBack computes an image's dz from that of the pooled z into dz, which must not be y.
func (b *BatchNorm) pooledBack(dz Values, img int) {
	b.poolBackImage(dz, b.pooledGradient(img), b.image(b.y, img))
}

// pooledGradient is an image of the gradient behind the pooling.
func (b *BatchNorm) pooledGradient(img int) Values {
	return b.dz.Of(img*b.outputs(), (img+1)*b.outputs())
}

// Sums returns sums of the right shape, for [Conv.Forward] to fill.
func (b *BatchNorm) Sums() *Sums { return b.own }

// mask says where Backward lets the gradient through.
type mask uint8

const (
	always mask = iota // no ReLU
	byZ                // where z > 0
	again              // where z computed again from y is: reading z costs more

	// Of backSumImage only, which leaves what comes through as the gradient: from then on it is always.

	cut    // where z > 0
	joined // dz and the shortcut's gradient together where z > 0
)

func (b *BatchNorm) image(x Values, img int) Values {
	return x.Of(img*b.rows*b.c, (img+1)*b.rows*b.c)
}

func (b *BatchNorm) count(what string, y Values) int {
	each := b.rows * b.c
	n := y.Len() / each
	if n*each != y.Len() || n > b.images || n == 0 {
		panic(fmt.Sprintf("kernel: BatchNorm.%s: y has %d values, want 1 to %d images of %d", what, y.Len(), b.images, each))
	}
	b.n = n
	return n
}

// Forward normalises with the batch's moments, which it leaves in Mean and Var.
// sums is what [Conv.Forward] computed with y, or nil: then it is computed here.
// residual is none or as long as y; z may be y or residual. If z is none, y stays
// to be normalised by its reader ([Conv.ForwardNorm]), and residual must be none.
func (b *BatchNorm) Forward(z, y Values, sums *Sums, gamma, beta []float32, residual Values, relu bool) {
	n := b.start("Forward", z, y, gamma, beta, residual, relu)
	if sums == nil {
		sums = b.own
		sums.start(n, b.rows, b.c)
		b.ws.Do(n, b.sumPart)
	} else {
		if sums.images != n {
			panic(fmt.Sprintf("kernel: BatchNorm.Forward: sums of %d images with y of %d", sums.images, n))
		}
		sums.start(n, b.rows, b.c)
	}
	for k := range b.c {
		b.Mean[k], b.Var[k] = sums.moments(k)
		b.setChannel(k, b.Mean[k], b.Var[k], gamma[k])
	}
	if b.writesZ() {
		b.ws.Do(n, b.applyPart)
	}
}

// Eval normalises with given moments, such as running averages. z may be none as in Forward.
func (b *BatchNorm) Eval(z, y Values, mean, variance, gamma, beta []float32, residual Values, relu bool) {
	n := b.start("Eval", z, y, gamma, beta, residual, relu)
	checkLen("BatchNorm.Eval: mean", len(mean), b.c)
	checkLen("BatchNorm.Eval: variance", len(variance), b.c)
	for k := range b.c {
		b.setChannel(k, float64(mean[k]), float64(variance[k]), gamma[k])
	}
	if b.writesZ() {
		b.ws.Do(n, b.applyPart)
	}
}

func (b *BatchNorm) start(what string, z, y Values, gamma, beta []float32, residual Values, relu bool) int {
	n, added := b.count(what, y), !residual.None()
	want := n * b.outputs()
	if z.None() && !added {
		want = 0
	}
	if z.Len() != want || b.pool != nil && added || len(gamma) != b.c || len(beta) != b.c || added && residual.Len() != y.Len() {
		panic(fmt.Sprintf("kernel: BatchNorm.%s: z has %d values, gamma %d, beta %d, residual %d; want %d, %d, %d, %d or none",
			what, z.Len(), len(gamma), len(beta), residual.Len(), want, b.c, b.c, y.Len()))
	}
	if !z.None() && z.rounded != y.rounded || added && residual.rounded != y.rounded {
		panic(fmt.Sprintf("kernel: BatchNorm.%s: of y, z and residual some are rounded and some are not", what))
	}
	copy(b.beta, beta)
	b.z, b.y, b.residual, b.gamma, b.relu, b.added, b.announced = z, y, residual, gamma, relu, added, nil
	return n
}

// writesZ says whether Forward or Eval itself is to write z.
func (b *BatchNorm) writesZ() bool { return !b.z.None() && !b.reader }

// normalised is an image of z for the reader that writes it: in its place if z is kept, else in buffer.
func (b *BatchNorm) normalised(buffer []float32, img int) Values {
	z := b.y.Like(buffer, b.rows*b.c)
	if !b.z.None() {
		z = b.image(b.z, img)
	}
	b.applyImage(z, b.image(b.y, img), b.image(b.residual, img))
	return z
}

func (b *BatchNorm) setChannel(k int, mean, variance float64, gamma float32) {
	inv := 1 / math.Sqrt(variance+b.eps)
	b.mean[k], b.inv[k], b.scale[k] = float32(mean), float32(inv), float32(float64(gamma)*inv)
}

// apply and backSum take the last image first: the pass before them, a convolution,
// has just left it in cache, and leaves the first one for the pass after them.
func (b *BatchNorm) apply(part, _ int) {
	img := b.n - 1 - part
	if b.pool != nil {
		b.poolImage(b.z.Of(img*b.outputs(), (img+1)*b.outputs()), b.image(b.y, img))
		return
	}
	b.applyImage(b.image(b.z, img), b.image(b.y, img), b.image(b.residual, img))
}

// normGeneric: z = act((y-mean)*scale + beta + residual), each operation rounded to float32.
func normGeneric(z, y, residual, mean, scale, beta []float32, relu bool) {
	c := len(mean)
	for from := 0; from < len(y); from += c {
		for k, v := range y[from:][:c] {
			v = float32((v-mean[k])*scale[k]) + beta[k]
			if residual != nil {
				v += residual[from+k]
			}
			if relu && !(v > 0) {
				v = 0
			}
			z[from+k] = v
		}
	}
}

// Backward computes the gradients of the last Forward call from dz. It reads that call's y, gamma and, with a ReLU and a residual, z, which must be as they were:
//
//	a = dz where z > 0 (or everywhere without a ReLU), else 0
//	dbeta = sum a,  dgamma = sum a*xhat,  xhat = (y-mean)/sqrt(variance+eps)
//	dy = gamma/sqrt(variance+eps) * (a - dbeta/n - xhat*dgamma/n),  dresidual = a
//
// dresidual may be none. dy and dresidual may be dz (not both), and dy may be where y lies. Gradients are rounded if y is, but for dy if that is float32.
func (b *BatchNorm) Backward(dy, dresidual Values, dgamma, dbeta []float32, dz Values) {
	checkLen("BatchNorm.Backward: dy", dy.Len(), b.y.Len())
	b.BackwardSums(dresidual, dgamma, dbeta, dz)
	b.dy = dy
	b.ws.Do(b.n, b.backApplyPart)
}

// Materialise computes the z of a Forward call whose z was none, as float32. It is for finding
// out what went wrong, while y still holds what Forward saw.
func (b *BatchNorm) Materialise(z []float32, y Values) {
	n := b.count("Materialise", y)
	checkLen("BatchNorm.Materialise: z", len(z), y.Len())
	kept := y.Like(make([]float32, len(z)), len(z))
	b.z, b.y, b.residual = kept, y, Values{}
	pool := b.pool
	b.pool = nil
	b.ws.Do(n, b.applyPart)
	b.pool = pool
	copy(z, kept.Float32(z))
}

// BackwardSums is the first half of Backward: everything but dy and dresidual,
// which [Conv.Backward] computes from dz, z and y as it needs them.
func (b *BatchNorm) BackwardSums(dresidual Values, dgamma, dbeta []float32, dz Values) {
	n := b.count("Backward", b.y)
	checkLen("BatchNorm.Backward: dz", dz.Len(), n*b.outputs())
	if dz.rounded != b.y.rounded || !dresidual.None() && dresidual.rounded != b.y.rounded {
		panic("kernel: BatchNorm.Backward: of y, dz and dresidual some are rounded and some are not")
	}
	checkLen("BatchNorm.Backward: dgamma", len(dgamma), b.c)
	checkLen("BatchNorm.Backward: dbeta", len(dbeta), b.c)
	if !dresidual.None() {
		checkLen("BatchNorm.Backward: dresidual", dresidual.Len(), n*b.outputs())
		if b.pool != nil {
			panic("kernel: BatchNorm.Backward: a residual with a pooling behind")
		}
	}
	passed := b.announced != nil && b.joined
	if passed && dresidual.at(0) == dz.at(0) {
		dresidual = Values{} // it is there
	}
	b.mask, b.cut = b.maskOf(passed, b.added || !dresidual.None() || b.y.rounded && b.y.halves == nil), Values{}
	if b.mask == byZ {
		b.cut = b.z
		checkLen("BatchNorm.Backward: Forward's z", b.z.Len(), b.y.Len())
	}
	b.dz, b.dy, b.dres = dz, Values{}, dresidual
	switch {
	case b.announced == nil:
		b.ws.Do(n, b.backSumPart)
	case b.announced != dz.at(0) || b.announcedMask != b.mask:
		panic("kernel: BatchNorm.BackwardSums of another gradient than the one that Conv.Backward has made the sums of")
	}
	b.announced = nil
	for k := range b.c {
		var sum, dot float64
		for i := range n {
			sum += b.back[i*2*b.c+k]
			dot += b.back[i*2*b.c+b.c+k]
		}
		dbeta[k], dgamma[k] = float32(sum), float32(dot)
		count := float64(n * b.rows)
		b.coef[k], b.coef[b.c+k], b.coef[2*b.c+k] = float32(float64(b.gamma[k])*float64(b.inv[k])), float32(sum/count), float32(dot/count)
	}
}

// maskOf is how dz passes the ReLU: as it is if there is none or dz has passed it already, where z says if z must be read, else where y says.
func (b *BatchNorm) maskOf(passed, readZ bool) mask {
	switch {
	case !b.relu || passed:
		return always
	case readZ:
		return byZ
	default:
		return again
	}
}

// startSums announces that sumImage, or joinImage or cutImage if there is a shortcut and it reports so, will be called for every image of dz before
// the next BackwardSums, which then does not read dz, z and y again, and must be of
// this dz and of Forward's z and y.
func (b *BatchNorm) startSums(dz Values, shortcut bool) (join bool) {
	join = b.relu && b.added && shortcut
	b.mask = b.maskOf(join, b.added)
	b.announced, b.announcedMask, b.joined = dz.at(0), b.mask, join
	return join
}

// joinImage adds more, rounded if dz is of halves, to an image of dz, lets through what passes the ReLU backward, and makes the image's sums of BackwardSums. As dz is
// then the gradient of the residual, too, the backward pass need not read z again nor write that.
func (b *BatchNorm) joinImage(img int, dz Values, more []float32) {
	shortcut := Floats(more)
	if dz.halves != nil {
		dz, shortcut = shortcut, dz // as the kernel of halves takes them
	}
	b.backSumImage(b.back[img*2*b.c:][:2*b.c], joined, dz, shortcut, b.image(b.z, img), b.image(b.y, img))
}

// cutImage is joinImage of an image of dz to which everything has been added.
func (b *BatchNorm) cutImage(img int, dz Values) {
	b.backSumImage(b.back[img*2*b.c:][:2*b.c], cut, dz, Values{}, b.image(b.z, img), b.image(b.y, img))
}

// sumImage makes an image's sums of BackwardSums.
func (b *BatchNorm) sumImage(img int, dz Values) {
	var z Values
	if b.mask == byZ {
		z = b.image(b.z, img)
	}
	b.backSumImage(b.back[img*2*b.c:][:2*b.c], b.mask, dz, Values{}, z, b.image(b.y, img))
}

// gradImage computes dy of an image into dy, and its dresidual. With a pooling dy must not be y, unless poolsAtOnce.
func (b *BatchNorm) gradImage(dy Values, img int) {
	switch {
	case b.pool != nil && b.poolsAtOnce():
		b.poolGrad(dy, b.pooledGradient(img), b.image(b.y, img))
		return
	case b.pool != nil:
		b.pooledBack(dy, img)
		b.backImage(dy, Values{}, dy, Values{}, b.image(b.y, img))
		return
	}
	b.backImage(dy, b.image(b.dres, img), b.image(b.dz, img), b.image(b.cut, img), b.image(b.y, img))
}

// gradFactors is gradImage as [Workers.factors] of it; narrow has room for an image.
func (b *BatchNorm) gradFactors(dy, narrow []float32, img int) {
	made := Floats(dy)
	if b.y.halves != nil {
		made = b.y.Like(narrow, len(dy))
	}
	b.gradImage(made, img)
	b.ws.factors(made, dy)
}

// factors are [Workers.factors] of an image that b, unless that is nil, has yet to normalise, which it does in z.
func (b *BatchNorm) factors(ws *Workers, x Values, z, wide []float32) []float32 {
	if b != nil {
		y := x
		x = y.Like(z, y.Len())
		b.applyImage(x, y, Values{})
	}
	return ws.factors(x, wide)
}

func (b *BatchNorm) backSum(part, worker int) {
	img := b.n - 1 - part
	switch {
	case b.pool != nil && b.sumsPoolAtOnce():
		b.poolSums(b.back[img*2*b.c:][:2*b.c], b.pooledGradient(img), b.image(b.y, img))
		return
	case b.pool != nil:
		dz := b.whole(worker)
		b.pooledBack(dz, img)
		b.sumImage(img, dz)
		return
	}
	b.sumImage(img, b.image(b.dz, img))
}

func (b *BatchNorm) backApply(img, worker int) {
	if b.pool != nil && !b.poolsAtOnce() { // dy may be y
		dz := b.whole(worker)
		b.pooledBack(dz, img)
		b.backImage(b.image(b.dy, img), Values{}, dz, Values{}, b.image(b.y, img))
		return
	}
	b.gradImage(b.image(b.dy, img), img)
}

// through is what m lets through of dz[i]: the gradient of the value at i before the ReLU, dz[i] or 0.
func (b *BatchNorm) through(m mask, dz, z, y []float32, i, k int) float32 {
	switch {
	case m == always,
		m != again && z[i] > 0,
		m == again && float32((y[i]-b.mean[k])*b.scale[k])+b.beta[k] > 0:
		return dz[i]
	}
	return 0
}

// backSumsGeneric: part = sums over rows of a and of a*xhat, in blocks as [Sums]; with cut and joined dz = a.
func (b *BatchNorm) backSumsGeneric(part []float64, m mask, dz, shortcut, z, y []float32) {
	clear(part)
	for from := 0; from < b.rows; from += sumBlock {
		to := min(from+sumBlock, b.rows)
		for k := range b.c {
			var sum, dot float32
			for i := from*b.c + k; i < to*b.c; i += b.c {
				if m == joined {
					dz[i] += shortcut[i]
				}
				a := b.through(m, dz, z, y, i, k)
				if m == joined || m == cut {
					dz[i] = a
				}
				sum += a
				dot += float32(a * float32((y[i]-b.mean[k])*b.inv[k]))
			}
			part[k] += float64(sum)
			part[b.c+k] += float64(dot)
		}
	}
}

// backGeneric: dy = coef[0] * ((a - coef[1]) - xhat*coef[2]), dres = a.
func (b *BatchNorm) backGeneric(dy, dres, dz, z, y []float32) {
	for from := 0; from < len(y); from += b.c {
		for k := range b.c {
			i := from + k
			a := b.through(b.mask, dz, z, y, i, k)
			xhat := float32((y[i] - b.mean[k]) * b.inv[k])
			if dres != nil {
				dres[i] = a
			}
			dy[i] = float32(b.coef[k] * (a - b.coef[b.c+k] - float32(xhat*b.coef[2*b.c+k])))
		}
	}
}
