package xla

import (
	"fmt"
	"math"
	"slices"

	"tqn/nets"
	"tqn/nets/dataset"
	"tqn/nets/network"
	"tqn/pjrt"
	"tqn/quantize"
)

// maxBlock is the largest number of steps between two waits of the host.
const maxBlock = 8192

// resident is a data set in the device's memory, with the programs that read it there.
type resident struct {
	set     *dataset.Set
	seed    uint64 // of the images' order and of their augmentation
	augment dataset.Augmentation

	train, test             *pjrt.Buffer // all pixels of a split, ui8 (images*H*W, C)
	trainLabels, testLabels *pjrt.Buffer // the class of each image, i32 (images, 1)
	mean, inverse           *pjrt.Buffer // a pixel is normalised as (pixel-mean)*inverse: f32 (H*W, C) and f32 (C)
	order                   *pjrt.Buffer // in which the epoch orderEpoch takes the images, i32 (images)
	orderEpoch              int          // -1 before the first
	key                     *pjrt.Buffer // of the noise that augments images, ui32[2]

	block, evaluate *pjrt.Executable
}

func (r *resident) destroy() {
	destroy(r.train, r.test, r.trainLabels, r.testLabels, r.mean, r.inverse, r.order, r.key)
}

// LoadSet copies a data set into the device's memory, where [Engine.Block] and [Engine.EvaluateSet] read it. Block takes the images in
// the order in which a [dataset.Loader] with this seed takes them, and augments them as it does. The error wraps [nets.ErrNotResident] for a set whose
// images are decoded on demand, and for one of 2^31 pixels or more, whose pixels an i32 cannot number.
func (e *Engine) LoadSet(set *dataset.Set, seed uint64, augment dataset.Augmentation) (err error) {
	pixels := set.Height * set.Width
	if set.Name == "imagenet" || max(set.Train.Len(), set.Test.Len()) >= math.MaxInt32/pixels {
		return fmt.Errorf("xla: %s: %w", set.Name, nets.ErrNotResident)
	}
	in := e.model.Input
	if set.Height != in.H || set.Width != in.W || set.Channels != in.C || len(set.Classes) != e.model.Classes {
		return fmt.Errorf("xla: %s has %d classes of %dx%dx%d, the model wants %d of %v", set.Name, len(set.Classes), set.Height, set.Width, set.Channels, e.model.Classes, in)
	}
	if set.Train.Len() < e.hyper.Batch {
		return fmt.Errorf("xla: %s: batch of %d images, but only %d training images", set.Name, e.hyper.Batch, set.Train.Len())
	}
	stats, err := set.Statistics()
	if err != nil {
		return err
	}
	r := &resident{set: set, seed: seed, augment: augment, orderEpoch: -1}
	defer func() {
		if err != nil {
			r.destroy()
		}
	}()
	if r.train, r.trainLabels, err = e.split(set, set.Train); err != nil {
		return err
	}
	if r.test, r.testLabels, err = e.split(set, set.Test); err != nil {
		return err
	}
	mean, inverse := make([]float32, pixels*set.Channels), make([]float32, set.Channels)
	for i := range mean {
		mean[i] = stats.Mean[i%len(stats.Mean)] // there is one mean a channel, or one a pixel and channel
	}
	for c := range inverse {
		inverse[c] = 1 / stats.Scale[c%len(stats.Scale)]
	}
	if r.mean, err = pjrt.Replicate(e.client, e.devices, mean, pixels, set.Channels); err != nil {
		return err
	}
	if r.inverse, err = pjrt.Replicate(e.client, e.devices, inverse, set.Channels); err != nil {
		return err
	}
	k0, k1 := quantize.NewNoise(seed).Key()
	if r.key, err = pjrt.Replicate(e.client, e.devices, []uint32{k0, k1}, 2); err != nil {
		return err
	}
	if e.resident != nil {
		e.resident.destroy()
	}
	e.resident = r
	return nil
}

// split copies the pixels and the labels of a split to the device.
func (e *Engine) split(set *dataset.Set, s dataset.Split) (pixels, labels *pjrt.Buffer, err error) {
	size := set.Pixels()
	bytes, classes := make([]uint8, s.Len()*size), make([]int32, s.Len())
	for i := range classes {
		classes[i] = int32(s.Label(i))
		if err := s.Image(i, bytes[i*size:(i+1)*size]); err != nil {
			return nil, nil, err
		}
	}
	if pixels, err = pjrt.Replicate(e.client, e.devices, bytes, s.Len()*set.Height*set.Width, set.Channels); err != nil {
		return nil, nil, err
	}
	labels, err = pjrt.Replicate(e.client, e.devices, classes, s.Len(), 1)
	return pixels, labels, err
}

// loaded returns the data set on the device. It panics if LoadSet has not been called.
func (e *Engine) loaded() *resident {
	if e.resident == nil {
		panic("xla: Engine: no data set loaded")
	}
	return e.resident
}

// Block takes n training steps, on the batches first to first+n-1 of an epoch, and adds to loss what [Engine.Step] would have returned
// for each of them, in their order. Epochs and batches are counted from 0; step is the number of the first step, and steps are counted from 1. The host
// starts up to 8192 steps one behind the other and waits for the last of them only. If a loss or a gradient is not finite, the error is a
// *network.NonFiniteError that names the step; the state is then the one before that step, and loss has the losses up to and including that step.
func (e *Engine) Block(epoch, first, n int, alpha float64, step uint64, loss *network.Loss) error {
	r := e.loaded()
	batches := r.set.Train.Len() / e.hyper.Batch
	if epoch < 0 || first < 0 || n < 1 || first+n > batches || step < 1 {
		panic(fmt.Sprintf("xla: Engine.Block(epoch %d, first %d, n %d, step %d): an epoch has batches 0 to %d", epoch, first, n, step, batches-1))
	}
	if r.block == nil {
		text := blockProgram(e.model, e.hyper, e.options, r.set, r.augment)
		var err error
		if r.block, err = e.client.CompileOnce(text, e.devices...); err != nil {
			return fmt.Errorf("xla: compiling %s: %w", e.model.Name, err)
		}
	}
	if r.orderEpoch != epoch {
		r.order.Destroy()
		var err error
		if r.order, err = pjrt.Replicate(e.client, e.devices, dataset.Order(r.seed, epoch, r.set.Train.Len()), r.set.Train.Len()); err != nil {
			return err
		}
		r.orderEpoch = epoch
	}
	for n > 0 {
		k := min(n, maxBlock)
		if err := e.runBlock(r, epoch, first, k, alpha, step, loss); err != nil {
			return err
		}
		first, n, step = first+k, n-k, step+uint64(k)
	}
	return nil
}

// runBlock takes up to maxBlock steps. Each step's results are the next one's first arguments, so that nothing has to reach the host in between.
func (e *Engine) runBlock(r *resident, epoch, first, n int, alpha float64, step uint64, loss *network.Loss) error {
	if err := e.settle(); err != nil {
		return err
	}
	scales, c2s := make([]float32, maxBlock), make([]float32, maxBlock)
	for i := range n {
		scales[i], c2s[i] = adamScalars(alpha, step+uint64(i))
	}
	fixed, err := e.upload(scales, c2s, []int32{int32(first)}, []uint64{step}, []uint32{uint32(epoch)})
	if err != nil {
		return err
	}
	defer destroy(fixed...)
	fixed = append([]*pjrt.Buffer{r.train, r.trainLabels, r.order, r.mean, r.inverse}, fixed...)
	fixed = append(append(fixed, r.key), e.constants...)
	counts, err := pjrt.Replicate(e.client, e.devices, []float64{loss.Sum, 0, statusFine, 0}, 4)
	if err != nil {
		return err
	}
	defer func() { counts.Destroy() }()
	for range n {
		results, err := r.block.Run(slices.Concat(e.state[:], []*pjrt.Buffer{counts}, fixed)...)
		if err != nil {
			return err
		}
		e.adopt(results)
		counts.Destroy()
		counts = results[stateVectors]
	}
	total, err := pjrt.ToHost[float64](counts)
	if err != nil {
		return err
	}
	begun := int(total[3])
	loss.Sum = 0 // the program began with it, so that total[0] holds it
	loss.Add(lossOf(total, begun*e.hyper.Batch))
	return e.layout.describe(int32(total[2]), step+uint64(begun)-1)
}

// EvaluateSet computes the loss on the whole test split, in one run of a program that loops over its batches.
func (e *Engine) EvaluateSet() (network.Loss, error) {
	r := e.loaded()
	if r.evaluate == nil {
		var err error
		if r.evaluate, err = e.client.CompileOnce(evaluateSetProgram(e.model, e.hyper, e.options, r.set), e.devices...); err != nil {
			return network.Loss{}, fmt.Errorf("xla: compiling %s: %w", e.model.Name, err)
		}
	}
	if err := e.settle(); err != nil {
		return network.Loss{}, err
	}
	results, err := r.evaluate.Run(e.state[stateB], e.state[stateF], e.state[stateR], r.test, r.testLabels, r.mean, r.inverse)
	if err != nil {
		return network.Loss{}, err
	}
	defer destroy(results...)
	return readEvaluation(results[0], r.set.Test.Len())
}

// pixelArguments describe what a program needs to read a split of so many images: pixels, labels and how pixels are normalised.
func pixelArguments(m network.Model, images int) (pixels, labels, mean, inverse argument) {
	area := m.Input.H * m.Input.W
	return argument{elem: ui8, dims: []int{images * area, m.Input.C}}, argument{elem: i32, dims: []int{images, 1}},
		argument{elem: f32, dims: []int{area, m.Input.C}}, argument{elem: f32, dims: []int{m.Input.C}}
}

// blockProgram takes one training step of a block of up to 8192: it gathers the step's images from the data set, augments them and trains on them.
//
//	arguments  state (7 vectors, donated), counts f64[4] (donated): sum of losses, wrong, status and steps begun so far,
//	           pixels ui8 (images*H*W, C), labels i32 (images, 1), order i32 (images), mean f32 (H*W, C), inverse f32 (C),
//	           scale f32 (8192), c2 f32 (8192), first batch i32, first step ui64, epoch ui32, augmentation key ui32[2],
//	           and the constantArguments
//	results    state, counts
//
// The results are the first arguments of the next step, in the memory of the old ones, and the other arguments stay the same during a block. So
// the host can start the steps one behind the other without waiting for any, and a CUDA graph that was recorded in the first step finds its data in the
// same places in the next. A while loop around the steps, within the program, would make the host wait: on a GPU XLA reads the loop's condition
// back before each turn. A step that finds a status that is not fine changes nothing.
func blockProgram(m network.Model, h network.Hyper, o Options, set *dataset.Set, augment dataset.Augmentation) string {
	l := newLayout(m)
	images := set.Train.Len()
	pixels, labels, mean, inverse := pixelArguments(m, images)
	args := append(stateArguments(l, true), argument{elem: f64, dims: []int{4}, donate: stateVectors + 1},
		pixels, labels, argument{elem: i32, dims: []int{images}}, mean, inverse,
		argument{elem: f32, dims: []int{maxBlock}}, argument{elem: f32, dims: []int{maxBlock}}, argument{elem: i32},
		argument{elem: ui64}, argument{elem: ui32}, argument{elem: ui32, dims: []int{2}})
	args = append(args, constantArguments(l)...)
	return function(m.Name+"_block", args, func(p *program, a []value) []value {
		in := a[stateVectors:]
		counts := in[0]
		sum, wrong, earlier, done := p.number(counts, 0, f64), p.number(counts, 1, i32), p.number(counts, 2, i32), p.number(counts, 3, i32)
		in = in[1:]
		pixels, labels, order, mean, inverse := in[0], in[1], in[2], in[3], in[4]
		scale, c2, first, step, epoch, augmentKey := in[5], in[6], in[7], in[8], in[9], in[10]
		n := &net{program: p, hyper: h, Options: o}
		index := p.dynamicSlice(order, p.scale(p.add(first, done), float64(h.Batch)), h.Batch)
		x := n.augmented(m.Input, pixels, mean, inverse, index, augment, epoch, p.key(augmentKey))
		classes := p.reshape(p.rows(labels, index), h.Batch)
		one := func(v value) value { return p.reshape(p.dynamicSlice(v, done, 1)) }
		low, high := p.words64(p.add(step, p.convert(done, ui64)))
		state, loss, missed, status := n.trainStep(m, l, a[:stateVectors], x, classes, earlier,
			scalars{one(scale), one(c2), low, high, p.key(in[11]), in[12], in[13], in[14]})
		alive := p.compareConst("EQ", earlier, statusFine)
		return append(state, p.numbers(p.add(sum, p.choose(alive, loss, p.like(loss, 0))), p.add(wrong, p.choose(alive, missed, p.like(missed, 0))),
			status, p.add(done, p.convert(alive, i32))))
	})
}

// evaluateSetProgram takes the test split forward through the net, batch by batch in a loop whose number of turns the compiler knows. The last batch is
// filled up with copies of the last image, whose label is set to -1, so that they do not count.
//
//	arguments  B, F, R, pixels ui8 (images*H*W, C), labels i32 (images, 1), mean f32 (H*W, C), inverse f32 (C)
//	results    numbers f64[2]: sum of losses, wrong
func evaluateSetProgram(m network.Model, h network.Hyper, o Options, set *dataset.Set) string {
	l := newLayout(m)
	images := set.Test.Len()
	pixels, labels, mean, inverse := pixelArguments(m, images)
	args := []argument{{elem: f32, dims: []int{l.size[stateB]}}, {elem: f32, dims: []int{l.size[stateF]}}, {elem: f32, dims: []int{l.size[stateR]}},
		pixels, labels, mean, inverse}
	batches := (images + h.Batch - 1) / h.Batch
	return function(m.Name+"_evaluate_set", args, func(p *program, a []value) []value {
		carry := []value{p.constant(f64, 0), p.constant(i32, 0), p.constant(i32, 0)}
		total := p.loop(carry, func(c []value) value {
			return p.compareConst("LT", c[2], float64(batches))
		}, func(c []value) []value {
			n := &net{program: p, hyper: h, Options: o}
			n.unpack(l, a[0], a[1], a[2])
			index := p.add(p.broadcast(p.scale(c[2], float64(h.Batch)), []int{h.Batch}), p.iota(i32, 0, h.Batch))
			valid := p.compareConst("LT", index, float64(images))
			index = p.min(index, p.like(index, float64(images-1)))
			x := n.augmented(m.Input, a[3], a[5], a[6], index, dataset.Augmentation{}, value{}, [2]value{})
			classes := p.reshape(p.rows(a[4], index), h.Batch)
			logits, _ := n.forward(m.Layers, x)
			loss, wrong, _ := n.crossEntropy(logits, p.choose(valid, classes, p.like(classes, -1)))
			return []value{p.add(c[0], loss), p.add(c[1], wrong), p.addConst(c[2], 1)}
		})
		return []value{p.numbers(total[0], total[1])}
	})
}

// augmented gathers the images of a batch by their numbers in the split (index, i32), shifts and mirrors each by a random word that is a function of the
// augmentation's stream, the epoch and the image, and normalises it, as [dataset.Loader] does. Pixels that a shift brings in from outside are 0 after
// normalisation. The result is f32 (batch, H, W, C).
func (n *net) augmented(in network.Shape, pixels, mean, inverse, index value, augment dataset.Augmentation, epoch value, key [2]value) value {
	batch := index.dims[0]
	shape := []int{batch, in.H, in.W}
	y, x := n.iota(i32, 1, shape...), n.iota(i32, 2, shape...)
	inside := n.fill(i1, 1, shape...)
	if augment.Pad > 0 || augment.Flip {
		column := []int{batch}
		word := n.philox(n.fill(ui32, 0, column...), n.fill(ui32, float64(dataset.AugmentStream), column...), n.convert(index, ui32), n.broadcast(epoch, column), key)
		if augment.Flip {
			mirrored := n.sub(n.like(x, float64(in.W-1)), x)
			mirror := n.compareConst("EQ", n.and(word[2], n.like(word[2], 1)), 1)
			x = n.choose(n.broadcast(mirror, shape, 0), mirrored, x)
		}
		if augment.Pad > 0 {
			// The high word of word*(2*Pad+1) is a number from 0 to 2*Pad, the loader's; less Pad it is the shift.
			shift := func(w value) value {
				w = n.shift("shift_right_logical", n.scale(n.convert(w, ui64), float64(2*augment.Pad+1)), 32)
				return n.broadcast(n.addConst(n.convert(w, i32), float64(-augment.Pad)), shape, 0)
			}
			y, x = n.add(y, shift(word[0])), n.add(x, shift(word[1]))
			within := func(v value, size int) value {
				return n.and(n.compareConst("GE", v, 0), n.compareConst("LT", v, float64(size)))
			}
			inside = n.and(within(y, in.H), within(x, in.W))
			// A gather needs a pixel that exists even where its value is not used.
			clamp := func(v value, size int) value { return n.min(n.max(v, n.like(v, 0)), n.like(v, float64(size-1))) }
			y, x = clamp(y, in.H), clamp(x, in.W)
		}
	}
	// Each row of pixels holds one pixel's channels: pixel (y, x) of image i is row i*H*W + y*W + x.
	at := n.add(n.scale(y, float64(in.W)), x)
	image := n.broadcast(n.scale(index, float64(in.H*in.W)), shape, 0)
	centred := n.sub(n.convert(n.rows(pixels, n.add(image, at)), f32), n.rows(mean, at))
	out := n.mul(centred, n.broadcast(inverse, centred.dims, 3))
	return n.choose(n.broadcast(inside, out.dims, 0, 1, 2), out, n.like(out, 0))
}
