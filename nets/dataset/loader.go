package dataset

import (
	"fmt"
	"io"
	"runtime"
	"sync"

	"tqn/quantize"
)

// Batch is N images ready for the network.
type Batch struct {
	Epoch, Index int       // the epoch and the batch's place in it, both counted from 0
	X            []float32 // (N, Height, Width, Channels), normalised
	Labels       []int32   // (N)
	N            int

	order []int32
	err   error
	ready chan struct{}
}

// LoaderOptions describe one pass through a split.
type LoaderOptions struct {
	// If Train is set, the loader gives the training split, shuffled and augmented, epoch after epoch without end, and leaves out the images
	// that are left over after the last whole batch. Otherwise it gives the test split in order, once,
	// with a last batch that may be shorter.
	Train bool

	Batch   int          // images in a batch, at least 1
	Augment Augmentation // in training only
	Seed    uint64       // of order and augmentation

	// Epoch and Index say which batch Next returns first, so that an interrupted run can go
	// on. If Index equals Batches, it is the first batch of the next epoch.
	Epoch, Index int

	// Workers is the number of goroutines that fill batches, each a whole one at a time. The value 0 stands for one with a set in memory and for
	// one on each processor with an image tree. The batches do not depend on it.
	Workers int

	// If Inline is set, there are no workers: Next fills the batch itself. It is for a process that has one processor to itself, on which workers would only take turns with the consumer. An image tree, whose
	// pictures take longer than that, is read by workers all the same.
	Inline bool

	// Ahead is how many batches are kept ready. The value 0 stands for two more than Workers.
	Ahead int

	// If Partial is set, the images that are left over in training after the last whole batch make a smaller one, provided that there are at
	// least two.
	Partial bool

	// OnTrain reads the training split where Train is not set: the training error
	// without augmentation.
	OnTrain bool
}

// Loader fills batches ahead of the consumer. Its methods are for one goroutine.
//
// The order of epoch e is a Fisher-Yates shuffle driven by the noise of
// (Seed, order stream, e), and image i is augmented by the noise of (Seed,
// augmentation stream, e*2^32 + i): both depend on nothing else.
type Loader struct {
	set     *Set
	split   Split
	o       LoaderOptions
	noise   quantize.Noise
	batches int

	mean, inverse []float32 // of each value of an image: 1/scale

	free, pending, work chan *Batch
	stop                chan struct{}
	done                sync.WaitGroup
	closed              bool

	inline *inline // nil: there are workers
}

// inline is the state of a loader without workers: the batch that comes next.
type inline struct {
	epoch, index int
	order        []int32 // of the epoch; nil: not made yet
	img          []uint8
}

// NewLoader starts the workers. Close ends them.
func NewLoader(set *Set, o LoaderOptions) (*Loader, error) {
	stats, err := set.Statistics()
	if err != nil {
		return nil, err
	}
	split := set.Test
	if o.Train || o.OnTrain {
		split = set.Train
	}
	l := &Loader{set: set, split: split, o: o, noise: quantize.NewNoise(o.Seed), stop: make(chan struct{})}
	l.mean, l.inverse = make([]float32, set.Pixels()), make([]float32, set.Pixels())
	for i := range l.mean { // there is one of each for the set, a channel, or a value
		l.mean[i], l.inverse[i] = stats.Mean[i%len(stats.Mean)], 1/stats.Scale[i%set.Channels%len(stats.Scale)]
	}
	if !o.Train {
		l.o.Augment = Augmentation{}
	}
	a := l.o.Augment
	_, isPictures := split.(pictures)
	switch {
	case o.Batch < 1:
		return nil, fmt.Errorf("dataset: batch of %d images, want at least 1", o.Batch)
	case o.Train && Batches(split.Len(), o.Batch, o.Partial) == 0:
		return nil, fmt.Errorf("dataset: %s: batch of %d images, but only %d training images", set.Name, o.Batch, split.Len())
	case a.Pad < 0 || a.Pad > min(set.Height, set.Width):
		return nil, fmt.Errorf("dataset: %s: pad of %d pixels, want 0 to %d", set.Name, a.Pad, min(set.Height, set.Width))
	case a.MinScale != 0 && (a.MinScale < 1 || a.MaxScale < a.MinScale || a.MaxScale > 8):
		return nil, fmt.Errorf("dataset: scale from %g to %g, want 1 <= min <= max <= 8", a.MinScale, a.MaxScale)
	}
	if o.Train {
		l.batches = Batches(split.Len(), o.Batch, o.Partial)
	} else {
		l.batches = (split.Len() + o.Batch - 1) / o.Batch
	}
	if o.Epoch < 0 || o.Index < 0 || o.Index > l.batches {
		return nil, fmt.Errorf("dataset: start at epoch %d, batch %d; an epoch has batches 0 to %d", o.Epoch, o.Index, l.batches-1)
	}
	workers := o.Workers
	if workers <= 0 {
		workers = 1
		if isPictures {
			workers = runtime.GOMAXPROCS(0)
		}
	}
	ahead := o.Ahead
	if ahead <= 0 {
		ahead = workers + 2
	}
	if o.Inline && !isPictures {
		l.inline = &inline{epoch: o.Epoch, index: o.Index, img: make([]uint8, set.Pixels())}
	}
	l.free = make(chan *Batch, ahead)
	if l.inline != nil {
		return l, nil
	}
	l.pending = make(chan *Batch, ahead)
	l.work = make(chan *Batch, ahead)
	for range ahead {
		l.free <- l.newBatch()
	}
	l.done.Add(1 + workers)
	go l.plan()
	for range workers {
		go l.fill()
	}
	return l, nil
}

func (l *Loader) newBatch() *Batch {
	return &Batch{X: make([]float32, l.o.Batch*l.set.Pixels()), Labels: make([]int32, l.o.Batch)}
}

// Batches is the number of batches in a training epoch of n images; partial counts one of the images left over, if they are
// two at least (batch norm needs two).
func Batches(n, batch int, partial bool) int {
	whole := n / batch
	if partial && n%batch >= 2 {
		whole++
	}
	return whole
}

// Batches is the number of batches in an epoch.
func (l *Loader) Batches() int { return l.batches }

// Next returns the next batch, waiting for it if need be, or io.EOF after the
// last of a test pass. The batch is the caller's until Release.
func (l *Loader) Next() (*Batch, error) {
	if l.inline != nil {
		return l.next()
	}
	b, ok := <-l.pending
	if !ok {
		return nil, io.EOF
	}
	<-b.ready
	if b.err != nil {
		return nil, b.err
	}
	return b, nil
}

// Release gives a batch back; its buffers are used again.
func (l *Loader) Release(b *Batch) {
	if b != nil {
		l.free <- b
	}
}

// Close ends the workers and waits for them.
func (l *Loader) Close() {
	if !l.closed {
		l.closed = true
		close(l.stop)
		l.done.Wait()
	}
}

// next is Next without workers.
func (l *Loader) next() (*Batch, error) {
	in := l.inline
	if in.index == l.batches && l.o.Train {
		in.epoch, in.index, in.order = in.epoch+1, 0, nil
	}
	if in.index == l.batches {
		return nil, io.EOF
	}
	if in.order == nil {
		in.order = l.orderOf(in.epoch)
	}
	var b *Batch
	select {
	case b = <-l.free: // the one that has just been used, and is still in the caches
	default:
		b = l.newBatch()
	}
	l.begin(b, in.epoch, in.index, in.order)
	in.index++
	if l.fillBatch(b, in.img); b.err != nil {
		return nil, b.err
	}
	return b, nil
}

// plan sends the batches in order into two channels: into pending, from which the consumer takes them, and into work, from which a worker takes
// them to fill them.
func (l *Loader) plan() {
	defer l.done.Done()
	defer close(l.pending)
	defer close(l.work)
	for epoch, index := l.o.Epoch, l.o.Index; ; epoch, index = epoch+1, 0 {
		if !l.o.Train && epoch > l.o.Epoch {
			return
		}
		order := l.orderOf(epoch)
		for ; index < l.batches; index++ {
			var b *Batch
			select {
			case b = <-l.free:
			case <-l.stop:
				return
			}
			l.begin(b, epoch, index, order)
			b.ready = make(chan struct{})
			// Neither send waits: each channel has room for every batch there is.
			l.pending <- b
			l.work <- b
		}
	}
}

// orderOf is the order of an epoch's images.
func (l *Loader) orderOf(epoch int) []int32 {
	if l.o.Train {
		return Order(l.o.Seed, epoch, l.split.Len())
	}
	return inOrder(l.split.Len())
}

// begin makes b a batch of an epoch in that order, still to be filled.
func (l *Loader) begin(b *Batch, epoch, index int, order []int32) {
	first := index * l.o.Batch
	b.N = min(l.o.Batch, len(order)-first)
	b.Epoch, b.Index, b.order, b.err = epoch, index, order[first:first+b.N], nil
	b.X, b.Labels = b.X[:b.N*l.set.Pixels()], b.Labels[:b.N]
}

// fillBatch writes the images and labels of a batch that has begun; img is room for one image.
func (l *Loader) fillBatch(b *Batch, img []uint8) {
	p := l.set.Pixels()
	for k, i := range b.order {
		b.Labels[k] = int32(l.split.Label(int(i)))
		if b.err = l.image(b.X[k*p:(k+1)*p], img, b.Epoch, int(i)); b.err != nil {
			b.err = fmt.Errorf("dataset: %s: image %d: %w", l.set.Name, i, b.err)
			return
		}
	}
}

// fill is what each worker does: it fills the batches that plan sends, until there are no more or the loader is closed.
func (l *Loader) fill() {
	defer l.done.Done()
	img := make([]uint8, l.set.Pixels())
	for {
		select {
		case <-l.stop:
			return
		default:
		}
		select {
		case b, ok := <-l.work:
			if !ok {
				return
			}
			l.fillBatch(b, img)
			close(b.ready)
		case <-l.stop:
			return
		}
	}
}

// image writes image i of an epoch, augmented and normalised, to dst.
func (l *Loader) image(dst []float32, img []uint8, epoch, i int) error {
	s, a := l.set, l.o.Augment
	d := l.noise.At(AugmentStream, uint64(epoch)<<32|uint64(i))
	var to placement
	if a.Pad > 0 {
		to.dy = int(between(d.Bits(0), 0, int32(2*a.Pad))) - a.Pad
		to.dx = int(between(d.Bits(1), 0, int32(2*a.Pad))) - a.Pad
	}
	if a.Flip {
		to.mirror = d.Bits(2)&1 == 1
	}
	if files, ok := l.split.(pictures); ok && l.o.Train {
		p, err := files.picture(i)
		if err != nil {
			return err
		}
		lo, hi := a.MinScale, a.MaxScale
		if lo == 0 {
			lo, hi = testScale, testScale
		}
		short := float64(s.Width) * (lo + (hi-lo)*d.Uniform(2))
		p.scaledCrop(img, s.Width, short, d.Uniform(3), d.Uniform(4), to.mirror)
		to = placement{} // scaledCrop has shifted and mirrored the picture
	} else if err := l.split.Image(i, img); err != nil {
		return err
	}
	l.normalise(dst, img, to)
	return nil
}

// placement says how an image is shifted, in pixels, and whether it is mirrored.
type placement struct {
	dy, dx int
	mirror bool
}

// normalise writes
//
//	dst[y][x][c] = (img[v][u][c] - mean[v][u][c]) / scale,  v = y+to.dy, u = x+to.dx,
//
// with x replaced by width-1-x on the right where to.mirror is set, and 0 where (v, u)
// lies outside the image.
func (l *Loader) normalise(dst []float32, img []uint8, to placement) {
	height, width, channels := l.set.Height, l.set.Width, l.set.Channels
	first, end := max(0, -to.dx), min(width, width-to.dx) // the x whose u lies inside
	if to.mirror {
		first, end = width-end, width-first
	}
	for y := range height {
		row := dst[y*width*channels:][:width*channels]
		v := y + to.dy
		if v < 0 || v >= height || first >= end {
			clear(row)
			continue
		}
		clear(row[:first*channels])
		clear(row[end*channels:])
		row = row[first*channels : end*channels]
		at := (v*width + max(0, to.dx)) * channels // of the smallest u
		from, mean, inverse := img[at:][:len(row)], l.mean[at:][:len(row)], l.inverse[at:][:len(row)]
		switch {
		case !to.mirror:
			for i, b := range from {
				row[i] = (float32(b) - mean[i]) * inverse[i]
			}
		case channels == 1:
			for i, b := range from {
				row[len(from)-1-i] = (float32(b) - mean[i]) * inverse[i]
			}
		default:
			for i := 0; i < len(row); i += channels {
				out := row[len(row)-channels-i:][:channels]
				for c := range out {
					out[c] = (float32(from[i+c]) - mean[i+c]) * inverse[i+c]
				}
			}
		}
	}
}

// Order returns the order in which an epoch visits n images.
func Order(seed uint64, epoch, n int) []int32 {
	order := inOrder(n)
	d := quantize.NewNoise(seed).At(streamOrder, uint64(epoch))
	for i := n - 1; i > 0; i-- {
		j := int(d.Uniform(i) * float64(i+1)) // at most i: Uniform <= 1 - 2^-53
		order[i], order[j] = order[j], order[i]
	}
	return order
}

func inOrder(n int) []int32 {
	order := make([]int32, n)
	for i := range order {
		order[i] = int32(i)
	}
	return order
}
