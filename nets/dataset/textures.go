package dataset

import (
	"fmt"
	"math"
	"runtime"
	"sync"
	"sync/atomic"

	"tqn/quantize"
)

// Streams of the noise that this package draws from; other users of the same
// seed keep to numbers below.
const (
	streamOrder uint32 = 0xda7a0000 + iota // the order of an epoch; step: epoch
	// AugmentStream is the stream of the augmentation; step: epoch<<32 | image.
	AugmentStream
	streamClass   // textures; step: class
	streamTexture // textures; step: image, test images from 1<<32
)

// textures is a procedural split. A class is three plane waves, each with a
// wave vector and a colour of its own; an image adds them with random phases,
// each amplitude varied by half, all turned by the same random angle up to 11
// degrees and stretched by up to 12 %, on a background of random colour, with a
// fourth wave that says nothing about the class, and noise in every pixel.
//
// Phases are uniform, so the mean image of every class is the same grey and no
// linear function of the pixels tells classes apart: a network has to find
// orientation, frequency and colour. Everything is integer arithmetic, so the
// bytes are the same on every processor.
type textures struct {
	n, classes, side int
	first            uint64 // of the images' numbers
	noise            quantize.Noise
	waves            []wave  // classes*wavesPerClass
	kept             []uint8 // all images one after the other; nil: they are drawn when they are used
}

var _ Split = (*textures)(nil)

const (
	// These are the numbers of images of a set if the options ask for no number.
	texturesTrain = 10000
	texturesTest  = 2000

	wavesPerClass = 3
	turn          = 1 << 32 // a full turn in the units of angles
)

// wave is one plane wave: direction and frequency, and amplitude by colour.
type wave struct {
	direction uint32 // in turns / 2^32
	frequency uint32 // cycles per image side, 16.16 fixed point
	colour    [3]int32
}

// sine[i] is 2^14 sin(2 pi i / 1024).
var sine = func() (t [1024]int32) {
	for i := range t {
		t[i] = int32(math.Round((1 << 14) * math.Sin(2*math.Pi*float64(i)/1024)))
	}
	return t
}()

func sin(angle uint32) int32 { return sine[angle>>22] }
func cos(angle uint32) int32 { return sine[(angle+turn/4)>>22] }

// between maps a random word to [lo, hi].
func between(word uint32, lo, hi int32) int32 {
	return lo + int32(uint64(word)*uint64(hi-lo+1)>>32)
}

func openTextures(o Options) (*Set, error) {
	classes, side := o.Classes, o.Size
	if classes == 0 {
		classes = 10
	}
	if side == 0 {
		side = 32
	}
	train, test := o.TrainImages, o.TestImages
	if train == 0 {
		train = texturesTrain
	}
	if test == 0 {
		test = texturesTest
	}
	if classes < 2 || classes > 10000 || side < 8 || side > 1024 {
		return nil, fmt.Errorf("%d classes of %dx%d pixels; want 2 to 10000 classes and a side of 8 to 1024", classes, side, side)
	}
	noise := quantize.NewNoise(o.Seed)
	waves := make([]wave, classes*wavesPerClass)
	for c := range classes {
		d := noise.At(streamClass, uint64(c))
		for k := range wavesPerClass {
			w := &waves[c*wavesPerClass+k]
			w.direction = d.Bits(8 * k)
			// 2 to 7 cycles across 32 pixels' worth: at least 4 pixels a cycle.
			w.frequency = uint32(between(d.Bits(8*k+1), 2<<16, 7<<16))
			for ch := range w.colour {
				w.colour[ch] = between(d.Bits(8*k+2+ch), -32, 32)
			}
		}
	}
	set := &Set{Title: fmt.Sprintf("textures, %d classes", classes), Height: side, Width: side, Channels: 3, Augment: texturesAugment}
	for c := range classes {
		set.Classes = append(set.Classes, fmt.Sprintf("texture %d", c))
	}
	halves := []*textures{
		{n: train, classes: classes, side: side, noise: noise, waves: waves},
		{n: test, classes: classes, side: side, noise: noise, waves: waves, first: 1 << 32},
	}
	if TexturesKept(train, test, set.Pixels()) > 0 {
		for _, t := range halves {
			t.keep()
		}
	}
	set.Train, set.Test = halves[0], halves[1]
	return set, nil
}

// mostKept is the most bytes of textures that a set keeps in memory. The images of preset quick's ResNet-18 take 83 MB; as many of
// ImageNet's size would take 1.8 GB.
const mostKept = 256 << 20

// TexturesKept is the number of bytes in which [Open] keeps the images of a set of textures: all of them, drawn once, or none where
// they would take more than 256 MiB; then each is drawn whenever it is used.
func TexturesKept(train, test, pixels int) int64 {
	if most := mostKept / pixels; train > most || test > most-train {
		return 0
	}
	return int64(train+test) * int64(pixels)
}

// keep draws all images, on as many processors as there are.
func (t *textures) keep() {
	size := 3 * t.side * t.side
	kept := make([]uint8, t.n*size)
	var next atomic.Int64
	var all sync.WaitGroup
	for range runtime.GOMAXPROCS(0) {
		all.Go(func() {
			for i := int(next.Add(1)) - 1; i < t.n; i = int(next.Add(1)) - 1 {
				t.draw(i, kept[i*size:(i+1)*size])
			}
		})
	}
	all.Wait()
	t.kept = kept
}

func (t *textures) Len() int        { return t.n }
func (t *textures) Label(i int) int { return i % t.classes }

func (t *textures) Image(i int, dst []uint8) error {
	if len(dst) != 3*t.side*t.side {
		panic(fmt.Sprintf("dataset: Image: %d bytes for an image of %d", len(dst), 3*t.side*t.side))
	}
	if t.kept != nil {
		copy(dst, t.kept[i*len(dst):])
		return nil
	}
	t.draw(i, dst)
	return nil
}

// draw computes the bytes of an image.
func (t *textures) draw(i int, dst []uint8) {
	side := t.side
	d := t.noise.At(streamTexture, t.first+uint64(i))
	const tilt = turn / 32 // 11 degrees
	angle := uint32(between(d.Bits(0), -tilt, tilt))
	stretch := between(d.Bits(1), 225, 287) // of 256: 12 % either way
	var background [3]int32
	for ch := range background {
		background[ch] = between(d.Bits(4+ch), 88, 168)
	}
	var phase, dx, dy [wavesPerClass + 1]uint32
	var colour [wavesPerClass + 1][3]int32
	for k := range wavesPerClass + 1 {
		var w wave
		if k < wavesPerClass {
			w = t.waves[t.Label(i)*wavesPerClass+k]
		} else { // the wave that says nothing
			w.direction = d.Bits(8)
			w.frequency = uint32(between(d.Bits(9), 2<<16, 7<<16))
			for ch := range w.colour {
				w.colour[ch] = between(d.Bits(10+ch), -28, 28)
			}
		}
		a := w.direction + angle
		// Angle per pixel: frequency/side turns along the direction.
		step := int64(w.frequency) * int64(stretch) / 256 * (turn >> 16) / int64(side)
		dx[k] = uint32(step * int64(cos(a)) >> 14)
		dy[k] = uint32(step * int64(sin(a)) >> 14)
		phase[k] = d.Bits(16 + k)
		gain := between(d.Bits(20+k), 128, 384) // of 256: half to one and a half
		for ch := range 3 {
			colour[k][ch] = w.colour[ch] * gain / 256
		}
	}
	// The waves' angles grow by dx from pixel to pixel. Plain variables and the four waves one by one: this loop is most of what the set costs.
	d0, d1, d2, d3 := dx[0], dx[1], dx[2], dx[3]
	var words [4]uint32
	for y := range side {
		a0, a1, a2, a3 := phase[0]+uint32(y)*dy[0], phase[1]+uint32(y)*dy[1], phase[2]+uint32(y)*dy[2], phase[3]+uint32(y)*dy[3]
		for x := range side {
			s0, s1, s2, s3 := sin(a0), sin(a1), sin(a2), sin(a3)
			a0, a1, a2, a3 = a0+d0, a1+d1, a2+d2, a3+d3
			// One word a pixel: noise of -21..21 in each colour, ten bits each. Word
			// block 64 and up, clear of the words above.
			p := y*side + x
			if p&3 == 0 {
				words = d.Noise.Block(d.Stream, d.Step, uint32(64+p>>2))
			}
			word := words[p&3]
			to := dst[3*p:][:3]
			for ch := range to {
				v := s0*colour[0][ch] + s1*colour[1][ch] + s2*colour[2][ch] + s3*colour[3][ch]
				n := int32(word&1023)*43>>10 - 21
				word >>= 10
				to[ch] = uint8(min(255, max(0, background[ch]+v>>14+n)))
			}
		}
	}
}
