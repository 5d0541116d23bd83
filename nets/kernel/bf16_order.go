package kernel

// gradOrder is the order in which gradients of weights are summed at bf16. The pixels of a group of images lie along one line of positions, the rows of an
// image pitch and the images step positions apart, with the zeros between them that both neighbours share as padding; an output lies where the
// upper left pixel under its filter does, so that a tap is a shift by tap/Side*pitch + tap%Side positions. The products of a tap are added in chunks of 32
// positions ([tileDot]), from one group of images of a part to the next, and the parts' sums in order at the end.
type gradOrder struct {
	ConvShape
	pitch, step, group int
	parts              int
	x, dy              []int // index of the pixel at each position of a group, or -1
}

// gradPositions is the length of a line that is worth the loading and storing of its sums.
const gradPositions = 576

func newGradOrder(s ConvShape) gradOrder {
	pad := s.Side / 2
	o := gradOrder{ConvShape: s, pitch: s.W + pad}
	o.step = (s.H + pad) * o.pitch
	o.group = max(1, min(s.N, gradPositions/o.step))
	o.parts = max(2, min(8, 8<<20/(s.Weights()*4)))
	o.parts = min(o.parts, (s.N+o.group-1)/o.group)
	n := roundUp(o.group*o.step, 32) + 32
	o.x, o.dy = make([]int, n), make([]int, n)
	for i := range n {
		o.x[i], o.dy[i] = -1, -1
	}
	ph, pw := s.Out()
	for img := range o.group {
		for i := range s.H * s.W {
			o.x[img*o.step+(i/s.W+pad)*o.pitch+pad+i%s.W] = img*s.H*s.W + i
		}
		for i := range ph * pw {
			o.dy[img*o.step+i/pw*s.Stride*o.pitch+i%pw*s.Stride] = img*ph*pw + i
		}
	}
	return o
}

// chunks is the number of chunks of so many images of a group.
func (o *gradOrder) chunks(images int) int { return (images*o.step + 31) / 32 }

// shift is a tap's.
func (o *gradOrder) shift(tap int) int { return tap/o.Side*o.pitch + tap%o.Side }

// line is the number of positions of a group, with those that the last chunk of the last tap reads behind them.
func (o *gradOrder) line() int { return o.chunks(o.group)*tileTerms + o.shift(o.Side*o.Side-1) }
