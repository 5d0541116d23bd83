package kernel

// passShape describes a convolution of a source of ph x pw pixels with c
// channels, set into a grid of h x w at multiples of dilate.
type passShape struct {
	ph, pw, c, dilate int
	h, w              int
	side, stride      int
	outH, outW, k     int
	folded            bool // see [ConvShape.foldedBack]
}

// pitch is the number of pixels between rows of the padded image: the padding
// right of a row is the one left of the next.
func (s *passShape) pitch() int { return s.w + s.side/2 }

// lead is the number of zeros before a row: of an even side's window the first pixel is that of the output.
func (s *passShape) lead() int { return (s.side - 1) / 2 }

// tilesOf lists for tiles of size output pixels their first pixel in the padded image and
// in the output, whose rows are outPitch apart. Tiles lie within rows of the
// output or, if that takes fewer pixels, run along the padded rows, where the columns of
// padding give outputs that nobody reads.
func (s *passShape) tilesOf(size int) (tiles [][2]int, outPitch, outPixels int) {
	inRows := s.outH * ((s.outW + size - 1) / size)
	flat := ((s.outH-1)*s.pitch() + s.outW + size - 1) / size
	if s.stride == 1 && flat < inRows {
		for t := range flat {
			tiles = append(tiles, [2]int{size * t, size * t})
		}
		return tiles, s.pitch(), flat * size
	}
	outPitch = roundUp(s.outW, size)
	for row := range s.outH {
		for q := 0; q < s.outW; q += size {
			tiles = append(tiles, [2]int{row*s.stride*s.pitch() + q*s.stride, row*outPitch + q})
		}
	}
	return tiles, outPitch, s.outH * outPitch
}

// paddedPixels is the size of the padded image with room for a tile of size pixels to overrun.
func (s *passShape) paddedPixels(size int) int {
	return (s.h+2*(s.side/2))*s.pitch() + 2*(s.side/2) + size*s.stride
}

// narrow says that tiles of 16 pixels are made of whole rows of the output, two or more each, and chunks of 32 values of the reduction of one
// tap each: with one copy of the image for each column of the filter, shifted by it, no padding lies between the rows of a tile.
func (s *passShape) narrow() bool {
	return s.stride == 1 && s.dilate == 1 && s.side/2 < s.outW && s.outW < 16 && 16%s.outW == 0 && s.outH*s.outW%16 == 0 && s.c%32 == 0
}

// copyRows copies the wanted pixels of a padded output.
func (s *passShape) copyRows(dst, out []float32, outPitch, kp int) {
	if s.folded {
		n := s.k / 2 // two neighbours of a row
		for row := range 2 * s.outH {
			copyPixels(dst[row*s.outW*n:][:s.outW*n], out[row/2*outPitch*kp+row%2*n:], n, kp, n)
		}
		return
	}
	for row := range s.outH {
		to, from := dst[row*s.outW*s.k:][:s.outW*s.k], out[row*outPitch*kp:]
		if s.k == kp {
			copy(to, from)
			continue
		}
		copyPixels(to, from, s.k, kp, s.k)
	}
}

// copyPixels copies the first n values of pixels that begin every toStep values of to and every fromStep values of from, for as many pixels as begin in to.
func copyPixels(to, from []float32, toStep, fromStep, n int) {
	g := Grid{Rows: 1, Columns: (len(to) + toStep - 1) / toStep, ToStep: toStep, FromStep: fromStep, N: n}
	g.apply(to, from, false)
}

// A Grid is pixels of two images, in as many rows and columns of each: where the rows and, in them, the pixels begin, counted in values, and how many values of each pixel are meant, from its first one on.
type Grid struct {
	Rows, Columns    int
	ToRow, FromRow   int
	ToStep, FromStep int
	N                int
}

// Inverse is the grid with the two images exchanged.
func (g Grid) Inverse() Grid {
	g.ToRow, g.FromRow, g.ToStep, g.FromStep = g.FromRow, g.ToRow, g.FromStep, g.ToStep
	return g
}

// apply copies the grid's values, or adds them.
func (g Grid) apply(to, from []float32, add bool) {
	if vectorPixels(to, from, g, add) {
		return
	}
	for p := range g.Rows {
		for q := range g.Columns {
			pixel, values := to[p*g.ToRow+q*g.ToStep:][:g.N], from[p*g.FromRow+q*g.FromStep:]
			if !add {
				copy(pixel, values)
				continue
			}
			for i, v := range values[:g.N] {
				pixel[i] += v
			}
		}
	}
}

// padImage copies an image into the zero padding of padded.
func (s *passShape) padImage(padded, src []float32) {
	pad := s.lead()
	for row := range s.ph {
		to, from := padded[((pad+row*s.dilate)*s.pitch()+pad)*s.c:], src[row*s.pw*s.c:][:s.pw*s.c]
		if s.dilate == 1 {
			copy(to, from)
			continue
		}
		copyPixels(to[:((s.pw-1)*s.dilate+1)*s.c], from, s.dilate*s.c, s.c, s.c)
	}
}

// foldedBack is the gradient of the input of a convolution of stride 2, side 3 and an even height and width as a convolution of dy by a window of 2x2: its 4 C
// channels are, in the order (row, column, channel), the 2x2 pixels of dx that begin at twice dy's pixel. [foldTap] says which weights. Of 16 taps 9 are not
// zero; between pixels set apart 36 taps would be, of which 27 meet zeros.
func (s ConvShape) foldedBack() (back passShape, ok bool) {
	if s.Stride != 2 || s.Side != 3 || s.H%2 > 0 || s.W%2 > 0 {
		return back, false
	}
	ph, pw := s.Out()
	return passShape{ph: ph, pw: pw, c: s.K, dilate: 1, h: ph, w: pw, side: 2, stride: 1, outH: ph, outW: pw, k: 4 * s.C, folded: true}, true
}

// foldTap is the row of the filter that leads from row at (0 or 1) of the window to row of (0 or 1) of the pixels: the row r with 2 at + r - 1 = of, or -1.
func foldTap(at, of int) int {
	if r := of + 1 - 2*at; r >= 0 {
		return r
	}
	return -1
}

// passes are the shapes of the forward pass and of the gradient of the input.
func (s ConvShape) passes() (forw, back passShape) {
	ph, pw := s.Out()
	forw = passShape{ph: s.H, pw: s.W, c: s.C, dilate: 1, h: s.H, w: s.W, side: s.Side, stride: s.Stride, outH: ph, outW: pw, k: s.K}
	back = passShape{ph: ph, pw: pw, c: s.K, dilate: s.Stride, h: s.H, w: s.W, side: s.Side, stride: 1, outH: s.H, outW: s.W, k: s.C}
	return forw, back
}
