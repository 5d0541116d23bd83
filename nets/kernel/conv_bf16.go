package kernel

// bf16Conv is the definition of a convolution at bf16, the order of its sums included, as loops over [tileDot]: the tile multiplier's results bit for bit.
// In the forward pass and the gradient of the input each row of the filter is cut into chunks of 32 values (s, c), the last filled up with zeros;
// the gradient of the input is the forward pass of dy, set apart by zeros where the stride is above 1, with the filter turned by 180 degrees and its channels
// exchanged. The gradient of the weights follows [gradOrder].
type bf16Conv struct {
	ConvShape
	ws         *Workers
	order      gradOrder
	w, turned  []float32 // rounded
	xs, dys    []float32 // rounded, of the batch
	forw, back passShape

	pass               passShape
	dst, src, weights  []float32
	dw                 []float32
	n                  int
	sums               *Sums
	imagePart, tapPart func(part, worker int)
}

func newBF16Conv(ws *Workers, s ConvShape) *bf16Conv {
	c := &bf16Conv{ConvShape: s, ws: ws, order: newGradOrder(s), w: make([]float32, s.Weights()), turned: make([]float32, s.Weights()),
		xs: make([]float32, s.N*s.Inputs()), dys: make([]float32, s.N*s.Outputs())}
	c.forw, c.back = s.passes()
	c.imagePart, c.tapPart = c.image, c.tap
	return c
}

func (c *bf16Conv) setWeights(w []float32, _ bool) {
	roundAll(c.w, w)
	taps := c.Side * c.Side
	for tap := range taps {
		for i := range c.C {
			for k := range c.K {
				c.turned[((taps-1-tap)*c.K+k)*c.C+i] = c.w[(tap*c.C+i)*c.K+k]
			}
		}
	}
}

func (c *bf16Conv) forward(y, x []float32, n int, sums *Sums) {
	c.run(c.forw, y, roundAll(c.xs, x), c.w, n, sums)
}

func (c *bf16Conv) gradInput(dx, dy []float32, n int) {
	c.run(c.back, dx, roundAll(c.dys, dy), c.turned, n, nil)
}

func (c *bf16Conv) run(s passShape, dst, src, weights []float32, n int, sums *Sums) {
	c.pass, c.dst, c.src, c.weights, c.sums = s, dst, src, weights, sums
	c.ws.Do(n, c.imagePart)
}

func (c *bf16Conv) image(img, _ int) {
	s := &c.pass
	src, dst := c.src[img*s.ph*s.pw*s.c:][:s.ph*s.pw*s.c], c.dst[img*s.outH*s.outW*s.k:][:s.outH*s.outW*s.k]
	var a, b [tileTerms]float32
	for at := range dst {
		pixel, k := at/s.k, at%s.k
		sum := float32(0)
		for r := range s.side {
			for t0 := 0; t0 < s.side*s.c; t0 += tileTerms {
				for i := range a {
					a[i], b[i] = 0, 0
					if t := t0 + i; t < s.side*s.c {
						a[i] = s.value(src, pixel/s.outW*s.stride+r-s.side/2, pixel%s.outW*s.stride+t/s.c-s.side/2, t%s.c)
						b[i] = c.weights[(r*s.side*s.c+t)*s.k+k]
					}
				}
				sum = tileDot(sum, &a, &b)
			}
		}
		dst[at] = sum
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
	c.src, c.dst, c.dw, c.n = roundAll(c.xs, x), roundAll(c.dys, dy), dw, n
	c.ws.Do(c.Side*c.Side, c.tapPart)
}

func (c *bf16Conv) tap(tap, _ int) {
	o := &c.order
	for at := range c.C * c.K {
		total := float32(0)
		for part := range o.parts {
			from, to := span(c.n, o.group, part, o.parts)
			sum := float32(0)
			for img := from; img < to; img += o.group {
				sum = c.group(sum, tap, at/c.K, at%c.K, img, min(o.group, to-img))
			}
			if total += sum; part == 0 {
				total = sum
			}
		}
		c.dw[tap*c.C*c.K+at] = total
	}
}

// group adds the products of a tap and a pair of channels over n images from img on.
func (c *bf16Conv) group(sum float32, tap, channel, k, img, n int) float32 {
	o := &c.order
	x, dy := c.src[img*c.Inputs():], c.dst[img*c.Outputs():]
	var a, b [tileTerms]float32
	for chunk := range o.chunks(n) {
		for i := range a {
			a[i], b[i] = 0, 0
			p := chunk*tileTerms + i
			if p >= n*o.step || o.dy[p] < 0 {
				continue
			}
			a[i] = dy[o.dy[p]*c.K+k]
			if at := p + o.shift(tap); at < n*o.step && o.x[at] >= 0 {
				b[i] = x[o.x[at]*c.C+channel]
			}
		}
		sum = tileDot(sum, &a, &b)
	}
	return sum
}

// roundAll rounds x into the beginning of to, which it returns.
func roundAll(to, x []float32) []float32 {
	for i, v := range x {
		to[i] = toBF16(v)
	}
	return to[:len(x)]
}

// roundedConv computes at bf16 with float32's kernels of rounded operands, where there is no tile multiplier: the products are exact, their sums in the
// order of those kernels, and as fast.
type roundedConv struct {
	convAlgorithm
	ws       *Workers
	w, x, dy []float32

	to, from []float32
	size     int
	round    func(part, worker int)
}

func newRoundedConv(ws *Workers, s ConvShape, algo convAlgorithm) *roundedConv {
	c := &roundedConv{convAlgorithm: algo, ws: ws, w: make([]float32, s.Weights()), x: make([]float32, s.N*s.Inputs()), dy: make([]float32, s.N*s.Outputs())}
	c.round = func(part, _ int) {
		from, to := span(len(c.from), c.size, part, (len(c.from)+c.size-1)/c.size)
		roundAll(c.to[from:to], c.from[from:to])
	}
	return c
}

// rounded rounds from into to.
func (c *roundedConv) rounded(to, from []float32) []float32 {
	c.to, c.from, c.size = to, from, 1<<14
	c.ws.Do((len(from)+c.size-1)/c.size, c.round)
	c.to, c.from = nil, nil
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
