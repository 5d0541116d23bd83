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

// gradPositions is the length of a line that is worth the loading and storing of its sums, and leaves room for them in a second-level cache.
const gradPositions = 41 * tileTerms

// gradPartBytes is what the sums of all parts together take, where there are more than two.
const gradPartBytes = 16 << 20

func newGradOrder(s ConvShape) gradOrder {
	pad := s.Side / 2
	o := gradOrder{ConvShape: s, pitch: s.W + pad}
	o.step = (s.H + pad) * o.pitch
	most := max(1, gradPositions/o.step) // images in a group
	o.parts = 2
	for o.parts < 8 && 2*o.parts*s.Weights()*4 <= gradPartBytes && 2*o.parts*most <= s.N {
		o.parts *= 2 // a power of two, so that no worker waits for another's last part
	}
	o.parts = min(o.parts, s.N)
	each := (s.N + o.parts - 1) / o.parts
	groups := (each + most - 1) / most // of a part, of about as many images each
	o.group = (each + groups - 1) / groups
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
