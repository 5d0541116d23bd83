//go:build amd64 && !purego

package kernel

// newMixedConv chooses between the tile multiplier and the AVX-512 kernels, by a convolution's shape and, at each [Conv.SetWeights], by whether its
// weights are binary: a function of what the results depend on anyway, so that "mixed" names the arithmetic of a run. BenchmarkConv measures the
// candidates layer by layer; BenchmarkDefault of nets/bench fails where "mixed" is more than 5 % slower than the fastest implementation for a whole net.
//
//   - 3x3 kernels of stride 1 that Winograd's algorithm fits: Winograd's algorithm; but for binary weights, which take three products of bf16 and not six, the
//     forward pass by tiles where [tilesSuit].
//   - Other shapes: [tiledConv], unless there are too few channels for a tile, as in a net's first layer.
func newMixedConv(ws *Workers, s ConvShape) convAlgorithm {
	switch {
	case ws.precision == BF16:
		return newAMXConv(ws, s)
	case winogradFits(s):
		return &mixedConv{winogradConv: newWinogradConv(ws, s)}
	case min(s.C, s.K) < 8:
		return newDirectConv(ws, s)
	}
	return newTiledConv(ws, s)
}

// tiledConv is the direct algorithm of which two passes may be the tile multiplier's: both for binary weights, and the gradient of the input for strides above 1,
// where the direct kernel would multiply the zeros between the pixels at float32's speed. With strides above 1 and 16 channels the forward pass is, too, and so are passes of images of so few
// pixels that these share tiles. The gradient of the weights is always
// direct: on strides above 1 the tiles would multiply those zeros.
type tiledConv struct {
	*directConv
	tiles                *tilePasses
	forwTiled, backTiled bool // by the weights in use
}

func newTiledConv(ws *Workers, s ConvShape) *tiledConv {
	c := &tiledConv{directConv: newDirectConv(ws, s), tiles: newTilePasses(ws, s)}
	c.weights.reserve(c.tiles.back.bytes())
	return c
}

func (c *tiledConv) setWeights(w []float32, binary bool) {
	c.forwTiled = binary || c.Stride > 1 && c.C >= 16 || c.tiles.forw.stack != nil
	c.backTiled = binary || c.Stride > 1 || c.tiles.back.stack != nil
	if c.forwTiled && c.backTiled {
		c.tiles.setWeights(w, binary)
		return
	}
	c.tiles.forget()
	if c.forwTiled {
		c.tiles.forw.pack(w, binary, false)
	} else {
		c.directConv.forw.pack(w, false)
	}
	if c.backTiled {
		c.tiles.back.pack(w, binary, true)
	} else {
		c.directConv.back.pack(w, true)
	}
}

func (c *tiledConv) forward(y, x []float32, n int, sums *Sums) {
	c.forwardNorm(Floats(y), Floats(x), nil, n, sums)
}

func (c *tiledConv) forwardNorm(y, x Values, norm *BatchNorm, n int, sums *Sums) {
	if !c.forwTiled {
		c.directConv.forwardNorm(y, x, norm, n, sums)
		return
	}
	c.tiles.forwardNorm(y, x, norm, n, sums)
}

func (c *tiledConv) backward(dw []float32, x Values, j backwardJob, n int) {
	back := imagePass(c.directConv.back)
	if c.backTiled {
		back = c.tiles.back
	}
	c.weights.runFused(dw, x, j, back, n)
}

func (c *tiledConv) gradInput(dx, dy []float32, n int) {
	if c.backTiled {
		c.tiles.back.run(Floats(dx), Floats(dy), n, nil)
		return
	}
	c.directConv.gradInput(dx, dy, n)
}

// mixedConv is Winograd's algorithm whose forward pass may be the tile multiplier's. The gradient of the input is always its own: it shares transformed tiles with the gradient of the weights.
type mixedConv struct {
	*winogradConv
	tiles *tilePasses // the forward pass alone, made when binary weights come
	tiled bool        // the weights in use are binary, and theirs
}

func (c *mixedConv) setWeights(w []float32, binary bool) {
	c.winogradConv.setWeights(w, binary)
	if c.tiled = binary && tilesSuit(c.ConvShape); !c.tiled {
		return
	}
	if c.tiles == nil {
		c.tiles = newForwardTiles(c.ws, c.ConvShape)
	}
	c.tiles.setWeights(w, true)
}

// tilesSuit says where three tile products take clearly less time than Winograd's algorithm in a forward pass: multiples of 32 channels from 64 to 128, on images of at least 16
// pixels a side. With fewer channels tiles gain little, if the tile multiplier is free: other work on the host slows it to a third at times. With more, or on smaller
// images, Winograd's products are near the multiply-adds' limit.
func tilesSuit(s ConvShape) bool {
	return s.C%32 == 0 && s.K%32 == 0 && min(s.C, s.K) >= 64 && max(s.C, s.K) <= 128 && min(s.H, s.W) >= 16
}

func (c *mixedConv) forward(y, x []float32, n int, sums *Sums) {
	c.forwardNorm(Floats(y), Floats(x), nil, n, sums)
}

func (c *mixedConv) forwardNorm(y, x Values, norm *BatchNorm, n int, sums *Sums) {
	if !c.tiled {
		c.winogradConv.forwardNorm(y, x, norm, n, sums)
		return
	}
	c.tiles.forwardNorm(y, x, norm, n, sums)
}
