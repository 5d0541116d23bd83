package kernel

import (
	"fmt"
	"math"
)

// MaxPool takes the maximum over Side x Side windows, moved by Stride, of an
// image padded with Pad pixels that never win. Windows must touch the image.
// x is (n,H,W,C), y (n,P,Q,C) with P = (H + 2 Pad - Side)/Stride + 1.
type MaxPool struct {
	ws                *Workers
	h, w, c           int
	side, stride, pad int
	ph, pw            int
	windows           []poolWindow // in row-major order

	x, y, dx, dy       []float32
	forward1, backward func(img, worker int)
}

// NewMaxPool returns the pooling of images of h x w pixels with c channels.
func NewMaxPool(ws *Workers, h, w, c, side, stride, pad int) *MaxPool {
	if h < 1 || w < 1 || c < 1 || side < 1 || stride < 1 || pad < 0 || pad >= side || h+2*pad < side || w+2*pad < side {
		panic(fmt.Sprintf("kernel: NewMaxPool: %dx%dx%d, side %d, stride %d, pad %d", h, w, c, side, stride, pad))
	}
	m := &MaxPool{ws: ws, h: h, w: w, c: c, side: side, stride: stride, pad: pad,
		ph: (h+2*pad-side)/stride + 1, pw: (w+2*pad-side)/stride + 1}
	m.forward1, m.backward = m.forwardImage, m.backwardImage
	for p := range m.ph {
		top, bottom := max(0, p*stride-pad), min(h, p*stride-pad+side)
		for q := range m.pw {
			left, right := max(0, q*stride-pad), min(w, q*stride-pad+side)
			at := poolWindow{first: (top*w + left) * c}
			for i := range bottom - top {
				for j := range right - left {
					at.offsets = append(at.offsets, (i*w+j)*c*4)
				}
			}
			m.windows = append(m.windows, at)
		}
	}
	return m
}

// poolWindow is where a window's pixels lie that are in the image: the first one's first value, and all pixels in bytes from there.
type poolWindow struct {
	first   int
	offsets []int
}

// Inputs and Outputs are the numbers of values of one image.
func (m *MaxPool) Inputs() int  { return m.h * m.w * m.c }
func (m *MaxPool) Outputs() int { return m.ph * m.pw * m.c }

func (m *MaxPool) count(what string, x, y []float32) int {
	n := len(x) / m.Inputs()
	if len(x) != n*m.Inputs() || len(y) != n*m.Outputs() {
		panic(fmt.Sprintf("kernel: MaxPool.%s: %d inputs and %d outputs, want %d and %d for each image", what, len(x), len(y), m.Inputs(), m.Outputs()))
	}
	return n
}

// Forward computes y from x. A NaN never wins over a number before it.
func (m *MaxPool) Forward(y, x []float32) {
	n := m.count("Forward", x, y)
	m.x, m.y = x, y
	m.ws.Do(n, m.forward1)
}

// Backward computes dx from dy: the gradient goes to the window's first
// maximum in row-major order. x is the input of Forward.
func (m *MaxPool) Backward(dx, dy, x []float32) {
	n := m.count("Backward", x, dy)
	checkLen("MaxPool.Backward: dx", len(dx), len(x))
	m.x, m.dx, m.dy = x, dx, dy
	m.ws.Do(n, m.backward)
}

func (m *MaxPool) forwardImage(img, _ int) {
	maxPoolImage(m, m.y[img*m.Outputs():][:m.Outputs()], m.x[img*m.Inputs():][:m.Inputs()])
}

func (m *MaxPool) forwardGeneric(y, x []float32) {
	for p := range m.ph {
		for q := range m.pw {
			to := y[(p*m.pw+q)*m.c:][:m.c]
			first := true
			for i := max(0, p*m.stride-m.pad); i < min(m.h, p*m.stride-m.pad+m.side); i++ {
				for j := max(0, q*m.stride-m.pad); j < min(m.w, q*m.stride-m.pad+m.side); j++ {
					from := x[(i*m.w+j)*m.c:][:m.c]
					if first {
						copy(to, from)
						first = false
						continue
					}
					for k, v := range from {
						if v > to[k] {
							to[k] = v
						}
					}
				}
			}
		}
	}
}

func (m *MaxPool) backwardImage(img, _ int) {
	maxPoolBackImage(m, m.dx[img*m.Inputs():][:m.Inputs()], m.dy[img*m.Outputs():][:m.Outputs()], m.x[img*m.Inputs():][:m.Inputs()])
}

func (m *MaxPool) backwardGeneric(dx, dy, x []float32) {
	clear(dx)
	for p := range m.ph {
		for q := range m.pw {
			for k := range m.c {
				best := -1
				for i := max(0, p*m.stride-m.pad); i < min(m.h, p*m.stride-m.pad+m.side); i++ {
					for j := max(0, q*m.stride-m.pad); j < min(m.w, q*m.stride-m.pad+m.side); j++ {
						if at := (i*m.w+j)*m.c + k; best < 0 || x[at] > x[best] {
							best = at
						}
					}
				}
				dx[best] += dy[(p*m.pw+q)*m.c+k]
			}
		}
	}
}

// GlobalAvgPool: y[n,c] = mean over the rows pixels of x[n,:,c], for x (n,rows,c).
func (ws *Workers) GlobalAvgPool(y []float32, x Values, rows, c int) {
	n := len(y) / c
	checkLen("GlobalAvgPool: y", len(y), n*c)
	checkLen("GlobalAvgPool: x", x.Len(), n*rows*c)
	for i := range n { // too little work for more than one worker
		averageImage(ws.impl, y[i*c:][:c], x.Of(i*rows*c, (i+1)*rows*c), 1/float32(rows))
	}
}

// GlobalAvgPoolBackward: dx[n,:,c] = dy[n,c]/rows.
func (ws *Workers) GlobalAvgPoolBackward(dx Values, dy []float32, rows, c int) {
	n := len(dy) / c
	checkLen("GlobalAvgPoolBackward: dy", len(dy), n*c)
	checkLen("GlobalAvgPoolBackward: dx", dx.Len(), n*rows*c)
	for i := range n {
		image, scale := dx.Of(i*rows*c, (i+1)*rows*c), 1/float32(rows)
		if image.halves != nil {
			spreadHalves(image.halves, dy[i*c:][:c], scale)
		} else {
			spreadImage(ws.impl, image.floats, dy[i*c:][:c], scale)
		}
	}
	ws.round(dx)
}

// averageGeneric: y = scale * sum of the rows of x.
func averageGeneric(y, x []float32, scale float32) {
	clear(y)
	for from := 0; from < len(x); from += len(y) {
		for k, v := range x[from:][:len(y)] {
			y[k] += v
		}
	}
	for k := range y {
		y[k] *= scale
	}
}

// spreadGeneric: scale * dy for every row of dx.
func spreadGeneric(dx, dy []float32, scale float32) {
	for from := 0; from < len(dx); from += len(dy) {
		for k, v := range dy {
			dx[from+k] = v * scale
		}
	}
}

// spreadHalves: scale * dy, rounded, for every row of dx.
func spreadHalves(dx []uint16, dy []float32, scale float32) {
	first := dx[:len(dy)]
	for k, v := range dy {
		first[k] = uint16(math.Float32bits(toBF16(v*scale)) >> 16)
	}
	for from := len(dy); from < len(dx); from += len(dy) {
		copy(dx[from:], first)
	}
}
