package kernel

// bf16Conv is the definition of a convolution at bf16, the order of its sums included, as loops over [tileDot]: the tile multiplier's results bit for bit.
// In the forward pass and the gradient of the input each row of the filter is cut into chunks of 32 values (s, c), the last filled up with zeros;
// the gradient of the input is the forward pass of dy, set apart by zeros where the stride is above 1, with the filter turned by 180 degrees and its channels
// exchanged. The gradient of the weights follows [gradOrder].
type bf16Conv struct {
	ConvShape
	ws         *Workers
	order      gradOrder
	forw, back bf16Pass
	xs, dys    []float32 // rounded, of the batch: pixels for the passes, lines of positions for the gradient of the weights

	pass               *bf16Pass
	dst, src           []float32
	dw                 []float32
	n                  int
	sums               *Sums
	imagePart, tapPart func(part, worker int)
}

// bf16Pass is the forward pass or the gradient of the input. Its weights are rounded; those of an output channel lie together, and each of its filter's
// rows is filled up with zeros.
type bf16Pass struct {
	passShape
	row     int // length of a filter's row: a multiple of tileTerms
	weights []float32
}

func newBF16Pass(s passShape) bf16Pass {
	row := roundUp(s.side*s.c, tileTerms)
	return bf16Pass{passShape: s, row: row, weights: make([]float32, s.k*s.side*row)}
}

func newBF16Conv(ws *Workers, s ConvShape) *bf16Conv {
	forw, back := s.passes()
	c := &bf16Conv{ConvShape: s, ws: ws, order: newGradOrder(s), forw: newBF16Pass(forw), back: newBF16Pass(back)}
	groups := (s.N + c.order.group - 1) / c.order.group
	c.xs = make([]float32, max(s.N*s.Inputs(), groups*s.C*c.order.line()))
	c.dys = make([]float32, max(s.N*s.Outputs(), groups*s.K*c.order.line()))
	c.imagePart, c.tapPart = c.image, c.tap
	return c
}

func (c *bf16Conv) setWeights(w []float32, _ bool) {
	for tap := range c.Side * c.Side {
		for i := range c.C {
			for k := range c.K {
				v := toBF16(w[(tap*c.C+i)*c.K+k])
				turned := c.Side*c.Side - 1 - tap
				c.forw.weights[(k*c.Side+tap/c.Side)*c.forw.row+tap%c.Side*c.C+i] = v
				c.back.weights[(i*c.Side+turned/c.Side)*c.back.row+turned%c.Side*c.K+k] = v
			}
		}
	}
}

func (c *bf16Conv) forward(y, x []float32, n int, sums *Sums) {
	c.run(&c.forw, y, c.rounded(c.xs, x), n, sums)
}

func (c *bf16Conv) gradInput(dx, dy []float32, n int) {
	c.run(&c.back, dx, c.rounded(c.dys, dy), n, nil)
}

// rounded rounds x into the beginning of to.
func (c *bf16Conv) rounded(to, x []float32) []float32 {
	roundAll(c.ws.impl, to, x)
	return to[:len(x)]
}

func (c *bf16Conv) run(s *bf16Pass, dst, src []float32, n int, sums *Sums) {
	c.pass, c.dst, c.src, c.sums = s, dst, src, sums
	c.ws.Do(n, c.imagePart)
}

func (c *bf16Conv) image(img, _ int) {
	s := c.pass
	src, dst := c.src[img*s.ph*s.pw*s.c:][:s.ph*s.pw*s.c], c.dst[img*s.outH*s.outW*s.k:][:s.outH*s.outW*s.k]
	clear(dst)
	var a [tileTerms]float32
	for pixel := range s.outH * s.outW {
		out := dst[pixel*s.k:][:s.k]
		for r := range s.side {
			for t0 := 0; t0 < s.row; t0 += tileTerms {
				for i := range a {
					a[i] = 0
					if t := t0 + i; t < s.side*s.c {
						a[i] = s.value(src, pixel/s.outW*s.stride+r-s.side/2, pixel%s.outW*s.stride+t/s.c-s.side/2, t%s.c)
					}
				}
				for k, sum := range out {
					out[k] = tileDot(sum, &a, (*[tileTerms]float32)(s.weights[(k*s.side+r)*s.row+t0:]))
				}
			}
		}
	}
	if c.sums != nil {
		addImage(c.ws.impl, c.sums, img, dst)
	}
}

// value is the source's at a place of the grid that it is set into.
func (s *passShape) value(src []float32, i, j, c int) float32 {
	if i < 0 || j < 0 || i >= s.h || j >= s.w || i%s.dilate > 0 || j%s.dilate > 0 {
		return 0
	}
	return src[(i/s.dilate*s.pw+j/s.dilate)*s.c+c]
}

func (c *bf16Conv) gradWeights(dw, x, dy []float32, n int) {
	c.lines(c.xs, x, c.order.x, c.C, n)
	c.lines(c.dys, dy, c.order.dy, c.K, n)
	c.dw, c.n = dw, n
	c.ws.Do(c.Side*c.Side, c.tapPart)
}

// lines sets the rounded pixels of n images at their positions: one line for every group of images and channel, with zeros where no pixel is.
func (c *bf16Conv) lines(to, from []float32, positions []int, channels, n int) {
	o := &c.order
	pixels, length := len(from)/channels/n, o.line()
	clear(to)
	for img := 0; img < n; img += o.group {
		images := min(o.group, n-img)
		for p, at := range positions[:images*o.step] {
			if at < 0 {
				continue
			}
			for channel, v := range from[(img*pixels+at)*channels:][:channels] {
				to[(img/o.group*channels+channel)*length+p] = toBF16(v)
			}
		}
	}
}

func (c *bf16Conv) tap(tap, _ int) {
	o := &c.order
	for at := range c.C * c.K {
		total := float32(0)
		for part := range o.parts {
			from, to := span(c.n, o.group, part, o.parts)
			sum := float32(0)
			for img := from; img < to; img += o.group {
				group := img / o.group
				x, dy := c.xs[(group*c.C+at/c.K)*o.line()+o.shift(tap):], c.dys[(group*c.K+at%c.K)*o.line():]
				for chunk := range o.chunks(min(o.group, to-img)) {
					sum = tileDot(sum, (*[tileTerms]float32)(dy[chunk*tileTerms:]), (*[tileTerms]float32)(x[chunk*tileTerms:]))
				}
			}
			if total += sum; part == 0 {
				total = sum
			}
		}
		c.dw[tap*c.C*c.K+at] = total
	}
}

// roundedConv computes at bf16 with float32's kernels of rounded operands, where activations lie in memory as float32: the products are exact, their sums in the
// order of those kernels, and as fast.
type roundedConv struct {
	convAlgorithm
	*rounder
	w, x, dy []float32
}

func newRoundedConv(ws *Workers, s ConvShape, algo convAlgorithm) *roundedConv {
	return &roundedConv{convAlgorithm: algo, rounder: newRounder(ws), w: make([]float32, s.Weights()), x: make([]float32, s.N*s.Inputs()), dy: make([]float32, s.N*s.Outputs())}
}

// halvesConv is roundedConv where activations lie in two bytes: of these float32's algorithm itself makes its factors ([Workers.factors]), image by image in cache, so that it fuses as at float32. It is
// given rounded weights. The numbers are the same.
type halvesConv struct {
	fusingConv
	*rounder
	w []float32
}

type fusingConv interface {
	convAlgorithm
	fusing
}

func newHalvesConv(ws *Workers, s ConvShape, algo fusingConv) *halvesConv {
	return &halvesConv{fusingConv: algo, rounder: newRounder(ws), w: make([]float32, s.Weights())}
}

func (c *halvesConv) setWeights(w []float32, binary bool) {
	if !binary {
		w = c.rounded(c.w, w)
	}
	c.fusingConv.setWeights(w, binary)
}

// rounder rounds operands on all workers.
type rounder struct {
	ws       *Workers
	to, from []float32
	part     func(part, worker int)
}

func newRounder(ws *Workers) *rounder {
	r := &rounder{ws: ws}
	r.part = func(part, _ int) {
		from, to := part*chunk, min(len(r.from), (part+1)*chunk)
		roundAll(ws.impl, r.to[from:to], r.from[from:to])
	}
	return r
}

// rounded rounds from into the beginning of to.
func (r *rounder) rounded(to, from []float32) []float32 {
	r.to, r.from = to, from
	r.ws.Do((len(from)+chunk-1)/chunk, r.part)
	r.to, r.from = nil, nil
	return to[:len(from)]
}

func (c *roundedConv) setWeights(w []float32, binary bool) {
	c.convAlgorithm.setWeights(c.rounded(c.w, w), binary)
}

func (c *roundedConv) forward(y, x []float32, n int, sums *Sums) {
	c.convAlgorithm.forward(y, c.rounded(c.x, x), n, sums)
}

func (c *roundedConv) gradInput(dx, dy []float32, n int) {
	c.convAlgorithm.gradInput(dx, c.rounded(c.dy, dy), n)
}

func (c *roundedConv) gradWeights(dw, x, dy []float32, n int) {
	c.convAlgorithm.gradWeights(dw, c.rounded(c.x, x), c.rounded(c.dy, dy), n)
}
