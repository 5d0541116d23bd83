package kernel

import "fmt"

// ConvShape is the shape of a convolution. Side is odd; the padding is Side/2
// zeros on every edge, so that the output has ceil(H/Stride) x ceil(W/Stride)
// pixels.
type ConvShape struct {
	N            int // images, at most
	H, W, C      int // of the input
	K            int // channels of the output
	Side, Stride int
}

// Out returns the height and width of the output.
func (s ConvShape) Out() (h, w int) {
	return (s.H + s.Stride - 1) / s.Stride, (s.W + s.Stride - 1) / s.Stride
}

// Inputs, Outputs are the numbers of values of one image, Weights of the filter.
func (s ConvShape) Inputs() int  { return s.H * s.W * s.C }
func (s ConvShape) Outputs() int { h, w := s.Out(); return h * w * s.K }
func (s ConvShape) Weights() int { return s.Side * s.Side * s.C * s.K }

// MultAdds is the number of multiply-adds of one image's forward pass by the
// direct algorithm, padding counted.
func (s ConvShape) MultAdds() int { return s.Outputs() * s.Side * s.Side * s.C }

// A Conv is a convolution without bias. With pixels p, q of the output, x = 0
// outside the image and pad = Side/2 it computes
//
//	y[n,p,q,k]  = sum over r,s,c of x[n, p*Stride+r-pad, q*Stride+s-pad, c] * w[r,s,c,k]
//	dx[n,i,j,c] = sum over r,s,k of dy[n,p,q,k] * w[r,s,c,k]    where p*Stride+r-pad = i, q*Stride+s-pad = j
//	dw[r,s,c,k] = sum over n,p,q of x[n, p*Stride+r-pad, q*Stride+s-pad, c] * dy[n,p,q,k]
//
// x is (n,H,W,C), y (n,P,Q,K), w (Side,Side,C,K), and n, taken from the slices'
// lengths, is at most N. Results are overwritten, not added to; no slice may
// overlap a result. A value that is not finite may spread to its neighbours.
type Conv struct {
	ConvShape
	ws     *Workers
	packed bool // SetWeights has been called
	algo   convAlgorithm

	y         []float32 // to be rounded
	sums      *Sums
	roundPart func(img, worker int)
}

// convAlgorithm is what an implementation provides.
type convAlgorithm interface {
	setWeights(w []float32, binary bool)
	forward(y, x []float32, n int, sums *Sums)
	gradInput(dx, dy []float32, n int)
	gradWeights(dw, x, dy []float32, n int)
}

// NewConv allocates everything the convolution will need.
func NewConv(ws *Workers, s ConvShape) *Conv {
	if s.N < 1 || s.H < 1 || s.W < 1 || s.C < 1 || s.K < 1 || s.Side < 1 || s.Side%2 == 0 || s.Stride < 1 {
		panic(fmt.Sprintf("kernel: NewConv: shape %+v: want positive numbers and an odd Side", s))
	}
	c := &Conv{ConvShape: s, ws: ws}
	c.algo, c.roundPart = newConvAlgorithm(ws, s), c.roundOutput
	return c
}

// SetWeights packs the weights that Forward and GradInput use until the next
// call; w is not kept. binary promises that all of them are -1 or +1, which is
// faster; a broken promise gives wrong results.
func (c *Conv) SetWeights(w []float32, binary bool) {
	checkLen("SetWeights: w", len(w), c.Weights())
	c.algo.setWeights(w, binary)
	c.packed = true
}

func (c *Conv) images(what string, values, each int) int {
	n := values / each
	if n*each != values || n > c.N {
		panic(fmt.Sprintf("kernel: %s has %d values, want at most %d images of %d", what, values, c.N, each))
	}
	return n
}

// Forward computes y and, if sums is not nil, the sums over each channel of y
// that [BatchNorm.Forward] needs.
func (c *Conv) Forward(y, x []float32, sums *Sums) {
	n := c.images("Forward: x", len(x), c.Inputs())
	checkLen("Forward: y", len(y), n*c.Outputs())
	if !c.packed {
		panic("kernel: Forward before SetWeights")
	}
	if sums != nil {
		h, w := c.Out()
		sums.start(n, h*w, c.K)
	}
	c.algo.forward(y, x, n, sums)
}

// GradInput computes dx from dy; a dx that is rounded must lie as float32.
func (c *Conv) GradInput(dx Values, dy []float32) {
	n := c.images("GradInput: dx", dx.Len(), c.Inputs())
	checkLen("GradInput: dy", len(dy), n*c.Outputs())
	if !c.packed {
		panic("kernel: GradInput before SetWeights")
	}
	c.algo.gradInput(dx.floats, dy, n)
	c.ws.round(dx)
}

// GradWeights computes dw from x and dy.
func (c *Conv) GradWeights(dw, x, dy []float32) {
	n := c.images("GradWeights: x", len(x), c.Inputs())
	checkLen("GradWeights: dy", len(dy), n*c.Outputs())
	checkLen("GradWeights: dw", len(dw), c.Weights())
	c.algo.gradWeights(dw, x, dy, n)
}

// winogradFits says whether the shape suits Winograd's algorithm, which the AVX kernels then use, without too much waste at the edges.
func winogradFits(s ConvShape) bool {
	tiles := ((s.H + 3) / 4) * ((s.W + 3) / 4)
	return s.Side == 3 && s.Stride == 1 && (winogradNarrow(s) || s.C%16 == 0 && s.K%16 == 0 && tiles*16 <= 2*s.H*s.W)
}

// winogradNarrow says whether there are 8 channels on both sides and, for AVX-512's sake, pairs of tiles without waste.
func winogradNarrow(s ConvShape) bool { return s.C == 8 && s.K == 8 && s.H%4 == 0 && s.W%8 == 0 }

// fusing is a convolution that normalises what it reads and differentiates what
// it is handed image by image in cache, so that neither goes through memory.
type fusing interface {
	// forwardNorm is forward of x normalised by norm, if that is not nil, whose z it writes if there is one.
	forwardNorm(y, x Values, norm *BatchNorm, n int, sums *Sums)
	fusesBackward() bool
	// backward is gradWeights and, if j.dx is not nil, gradInput.
	backward(dw []float32, x Values, j backwardJob, n int)
}

// backwardJob is what a convolution's backward pass does besides its products.
type backwardJob struct {
	dx       Values
	xNorm    *BatchNorm // normalises x, unless nil
	yNorm    *BatchNorm // computes dy
	shortcut Values     // added to dx, unless there is none
	before   *BatchNorm // the sums of its backward pass are made of dx, unless nil
	joins    bool       // both by before.joinImage
	inPlace  bool       // dx is the shortcut's gradient, to which the products' is added
	grid     Grid       // unless zero, where in dx the shortcut is added
	each     int        // values of an image of the shortcut
}

// products is where the gradient of some images, of so many values each, is made of its products: in its place or, if that is of halves or holds the shortcut's gradient, in buffer.
func (j *backwardJob) products(buffer []float32, each, from, to int) []float32 {
	if j.inPlace {
		return buffer[:(to-from)*each]
	}
	return j.dx.room(buffer, each, from, to)
}

// finish completes an image's dx, of which products are the products, while they are in cache: it rounds them where dx is of halves, adds the shortcut's
// gradient and makes the sums of the batch norm before.
func (j *backwardJob) finish(impl implementation, img int, products []float32) {
	if j.grid != (Grid{}) {
		j.finishGrid(img, products)
		return
	}
	from, to := img*len(products), (img+1)*len(products)
	dx, more := j.dx.Of(from, to), products // more is to be added to what lies in dx
	switch {
	case j.shortcut.None() && dx.halves != nil:
		roundImage(nil, img, dx.halves, products)
	case j.shortcut.None() || j.inPlace: // the products lie in dx, or the shortcut's gradient does
	case dx.halves != nil:
		copy(dx.halves, j.shortcut.halves[from:to])
	default:
		more = j.shortcut.floats[from:to]
	}
	switch {
	case j.joins:
		j.before.joinImage(img, dx, more)
		return
	case j.shortcut.None():
	case dx.halves != nil:
		addHalves(dx.halves, more)
	default:
		add(impl, dx.floats, more)
	}
	if j.before != nil {
		j.before.sumImage(img, dx)
	}
}

// finishGrid is finish where the shortcut's gradient goes to some pixels only.
func (j *backwardJob) finishGrid(img int, products []float32) {
	dx := j.dx.Of(img*len(products), (img+1)*len(products))
	if dx.halves != nil {
		roundImage(nil, img, dx.halves, products)
	}
	j.yNorm.ws.AddGrid(dx, j.shortcut.Of(img*j.each, (img+1)*j.each), j.grid)
	switch {
	case j.joins:
		j.before.cutImage(img, dx)
	case j.before != nil:
		j.before.sumImage(img, dx)
	}
}

// finishImage takes an image of results, which lie in dst unless that is of halves, to dst, rounded if that is, and makes its sums.
func (ws *Workers) finishImage(dst Values, sums *Sums, img int, y []float32) {
	switch {
	case dst.halves != nil:
		roundImage(sums, img, dst.halves[img*len(y):][:len(y)], y)
		return
	case dst.rounded:
		roundAll(ws.impl, y, y)
	}
	if sums != nil {
		addImage(ws.impl, sums, img, y)
	}
}

// FusesForward reports whether [Conv.ForwardNorm] works.
func (c *Conv) FusesForward() bool {
	_, ok := c.algo.(fusing)
	return ok
}

// FusesBackward reports whether [Conv.Backward] works.
func (c *Conv) FusesBackward() bool {
	f, ok := c.algo.(fusing)
	return ok && f.fusesBackward()
}

// ForwardNorm is Forward of activations, rounded if y is, and unless norm is nil of the activation that norm makes of x, the same bits:
// norm.Forward or norm.Eval has been called with this x and without z, or after [BatchNorm.LeaveToReader];
// in the latter case ForwardNorm also writes z. The sums are those of y, rounded if that is.
func (c *Conv) ForwardNorm(y, x Values, norm *BatchNorm, sums *Sums) {
	n := c.images("ForwardNorm: x", x.Len(), c.Inputs())
	checkLen("ForwardNorm: y", y.Len(), n*c.Outputs())
	if !c.packed || norm != nil && (norm.rows*norm.c != c.Inputs() || norm.n != n) {
		panic("kernel: ForwardNorm before SetWeights or of another batch norm's images")
	}
	if sums != nil {
		h, w := c.Out()
		sums.start(n, h*w, c.K)
	}
	switch {
	case norm != nil || c.ws.keepsHalves():
		c.algo.(fusing).forwardNorm(y, x, norm, n, sums)
	case y.rounded:
		c.algo.forward(y.floats, x.floats, n, nil)
		c.y, c.sums = y.floats, sums
		c.ws.Do(n, c.roundPart)
		c.y, c.sums = nil, nil
	default:
		c.algo.forward(y.floats, x.floats, n, sums)
	}
}

// roundOutput rounds an image of y and makes its sums.
func (c *Conv) roundOutput(img, _ int) {
	y := c.y[img*c.Outputs():][:c.Outputs()]
	roundAll(c.ws.impl, y, y)
	if c.sums != nil {
		addImage(c.ws.impl, c.sums, img, y)
	}
}

// Input says what Backward is to do about a convolution's input besides computing its gradient.
type Input struct {
	// Norm is what ForwardNorm had as norm if that wrote no z: x is its y, still to be normalised. Else nil.
	Norm *BatchNorm
	// Shortcut is the gradient that reaches the input past the convolution, as in a residual block, and is added to dx. Else none.
	Shortcut Values
	// Grid, unless it is zero, says to which pixels of dx, and which of their channels, the shortcut's are added: its images are then of another shape.
	Grid Grid
	// Before is the batch norm that made the input, if all of that one's gradient is dx: its next backward pass must have this dx, unchanged, as its dz, and
	// finds its sums made. If it added a residual and there is a shortcut, dx is the gradient of what its ReLU read: 0 where the input is. Else nil.
	Before *BatchNorm
}

// Backward computes dw and, unless it is none, dx from the dy that
// norm.BackwardSums has left to be computed, the same bits as norm.Backward,
// GradWeights, GradInput and [Workers.Add] of the shortcut's gradient, and writes norm's dresidual. dx must not overlap any of norm's slices; it may be the shortcut's gradient.
func (c *Conv) Backward(dx Values, dw []float32, x Values, in Input, norm *BatchNorm) {
	n := c.images("Backward: x", x.Len(), c.Inputs())
	if !dx.None() {
		checkLen("Backward: dx", dx.Len(), x.Len())
	}
	checkLen("Backward: dw", len(dw), c.Weights())
	if !c.packed || norm.rows*norm.c != c.Outputs() || norm.n != n {
		panic("kernel: Backward before SetWeights or of another batch norm's images")
	}
	job := backwardJob{dx: dx, xNorm: in.Norm, yNorm: norm}
	if !dx.None() {
		job.shortcut, job.before = in.Shortcut, in.Before
		switch {
		case in.Shortcut.None():
		case in.Grid != (Grid{}):
			job.grid, job.each = in.Grid, in.Shortcut.Len()/n
			checkLen("Backward: Shortcut", in.Shortcut.Len(), n*job.each)
		default:
			checkLen("Backward: Shortcut", in.Shortcut.Len(), dx.Len())
			job.inPlace = in.Shortcut.at(0) == dx.at(0)
		}
		if in.Before != nil {
			if in.Before.pool != nil || in.Before.rows*in.Before.c != c.Inputs() || in.Before.n != n {
				panic("kernel: Backward: Before is of other images, or has a pooling behind it")
			}
			job.joins = in.Before.startSums(dx, !in.Shortcut.None())
		}
	}
	c.algo.(fusing).backward(dw, x, job, n)
}
