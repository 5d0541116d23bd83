package kernel

// genericConv is the definition as loops. Every other implementation is tested
// against it, and it against float64.
type genericConv struct {
	ConvShape
	ws   *Workers
	w    []float32
	n    int
	x, y []float32
	d    []float32
	sums *Sums

	forwardPart, inputPart, weightsPart func(part, worker int)
}

func newGenericConv(ws *Workers, s ConvShape) *genericConv {
	c := &genericConv{ConvShape: s, ws: ws, w: make([]float32, s.Weights())}
	c.forwardPart, c.inputPart, c.weightsPart = c.forwardImage, c.inputImage, c.weightsTap
	return c
}

func (c *genericConv) setWeights(w []float32, _ bool) { copy(c.w, w) }

func (c *genericConv) forward(y, x []float32, n int, sums *Sums) {
	c.x, c.y, c.sums = x, y, sums
	c.ws.Do(n, c.forwardPart)
}

func (c *genericConv) gradInput(dx, dy []float32, n int) {
	c.x, c.y = dx, dy
	c.ws.Do(n, c.inputPart)
}

func (c *genericConv) gradWeights(dw, x, dy []float32, n int) {
	c.x, c.y, c.d, c.n = x, dy, dw, n
	c.ws.Do(c.Side*c.Side, c.weightsPart)
}

// eachTap calls f(tap, input pixel, output pixel) for the pairs in the image.
func (c *genericConv) eachTap(f func(tap, in, out int)) {
	ph, pw := c.Out()
	for tap := range c.Side * c.Side {
		c.eachPixel(tap, ph, pw, f)
	}
}

func (c *genericConv) eachPixel(tap, ph, pw int, f func(tap, in, out int)) {
	r, s := tap/c.Side-c.Side/2, tap%c.Side-c.Side/2
	for p := range ph {
		i := p*c.Stride + r
		if i < 0 || i >= c.H {
			continue
		}
		for q := range pw {
			if j := q*c.Stride + s; j >= 0 && j < c.W {
				f(tap, i*c.W+j, p*pw+q)
			}
		}
	}
}

func (c *genericConv) forwardImage(img, _ int) {
	x, y := c.x[img*c.Inputs():][:c.Inputs()], c.y[img*c.Outputs():][:c.Outputs()]
	clear(y)
	c.eachTap(func(tap, in, out int) {
		to := y[out*c.K:][:c.K]
		for i, v := range x[in*c.C:][:c.C] {
			for k, w := range c.w[(tap*c.C+i)*c.K:][:c.K] {
				to[k] += float32(v * w)
			}
		}
	})
	if c.sums != nil {
		addImage(c.ws.impl, c.sums, img, y)
	}
}

func (c *genericConv) inputImage(img, _ int) {
	dx, dy := c.x[img*c.Inputs():][:c.Inputs()], c.y[img*c.Outputs():][:c.Outputs()]
	clear(dx)
	c.eachTap(func(tap, in, out int) {
		from := dy[out*c.K:][:c.K]
		for i := range c.C {
			var sum float32
			for k, w := range c.w[(tap*c.C+i)*c.K:][:c.K] {
				sum += float32(from[k] * w)
			}
			dx[in*c.C+i] += sum
		}
	})
}

func (c *genericConv) weightsTap(tap, _ int) {
	dw := c.d[tap*c.C*c.K:][:c.C*c.K]
	clear(dw)
	ph, pw := c.Out()
	for img := range c.n {
		x, dy := c.x[img*c.Inputs():][:c.Inputs()], c.y[img*c.Outputs():][:c.Outputs()]
		c.eachPixel(tap, ph, pw, func(_, in, out int) {
			from := dy[out*c.K:][:c.K]
			for i, v := range x[in*c.C:][:c.C] {
				to := dw[i*c.K:][:c.K]
				for k, d := range from {
					to[k] += float32(v * d)
				}
			}
		})
	}
}
