package xla

import (
	"fmt"
	"math"

	"tqn/nets/network"
	"tqn/quantize"
)

// Precision says to which precision the factors of convolutions and matrix products are rounded. Their products
// are added in float32 whatever the precision.
type Precision string

const (
	F32  Precision = "f32"  // XLA's HIGHEST: float32 products (the default)
	TF32 Precision = "tf32" // XLA's DEFAULT: on NVIDIA GPUs, factors rounded to 10 bits of fraction; on a CPU the same as F32
	BF16 Precision = "bf16" // factors rounded to bfloat16, 7 bits of fraction
)

// ParsePrecision finds a precision by its name; "" is F32.
func ParsePrecision(name string) (Precision, error) {
	switch p := Precision(name); p {
	case "":
		return F32, nil
	case F32, TF32, BF16:
		return p, nil
	}
	return "", fmt.Errorf("xla: precision %q; want f32, tf32 or bf16", name)
}

// Options are what a program depends on besides model and hyperparameters.
type Options struct {
	Precision Precision
	Devices   int  // that share a batch's images; 0 is 1
	Kernels   bool // kernels of our own, which a GPU's plug-in compiles: for convolutions of few channels, batch norms, and what goes through all weights or gradients
}

// narrows says whether a layer is computed by kernels of our own, see [narrow].
func (o Options) narrows(l network.Layer, batch int) (narrow, bool) {
	e, multiplies := o.factors()
	c, ok := narrowConv(l, batch, e)
	return c, ok && multiplies
}

// first says whether the gradient of a convolution's weights is computed by a kernel of our own, though the convolution is not: that of the first layer, whose images have 3
// channels, filled up to [Options.fullChannels].
func (o Options) first(l network.Layer, batch int) (narrow, bool) {
	e, multiplies := o.factors()
	c, ok := firstConv(l, batch, o.fullChannels(), e)
	return c, ok && multiplies
}

// factors is the type of the factors that kernels of our own multiply, if there are such kernels: tensor cores take no float32.
func (o Options) factors() (e elem, multiplies bool) {
	e = map[Precision]elem{TF32: f32, BF16: bf16}[o.Precision]
	return e, e != "" && o.own()
}

// own says whether there are kernels of our own. They compute on one device.
func (o Options) own() bool { return o.Kernels && o.Devices <= 1 }

// unitAt is the unit with which a list of layers begins, if it begins with one that kernels of our own compute, and the unit's batch norm: the first layer, or the last one in the body of the residual block
// that is the first layer.
func (o Options) unitAt(layers []network.Layer, batch int) (u unit, norm network.Layer, ok bool) {
	norm = layers[0]
	sum := norm.Kind == network.Residual
	if sum {
		norm = norm.Body[len(norm.Body)-1]
	}
	if norm.Kind != network.BatchNorm || !o.own() {
		return u, norm, false
	}
	e := f32
	if o.Precision == BF16 {
		e = bf16
	}
	u, ok = normUnit(norm, layers[1:], sum, batch, e)
	return u, norm, ok
}

// ownLayers is how many of a model's convolutions and of its batch norms are computed by kernels of our own.
func (o Options) ownLayers(layers []network.Layer, batch int) (convolutions, norms int) {
	for i, l := range layers {
		if _, ok := o.narrows(l, batch); ok && l.Kind == network.Conv {
			convolutions++
		}
		if _, _, ok := o.unitAt(layers[i:], batch); ok {
			norms++
		}
		for _, inner := range [][]network.Layer{l.Body, l.Shortcut} {
			c, n := o.ownLayers(inner, batch)
			convolutions, norms = convolutions+c, norms+n
		}
	}
	return convolutions, norms
}

// net emits a model's forward and backward pass. Activations are 4-dimensional,
// (N,H,W,C); the output of a linear layer is (N,1,1,O).
type net struct {
	*program
	hyper network.Hyper
	Options
	train               bool
	weights             map[string]value    // parameters as the forward pass reads them, and running averages
	averages            map[string]value    // new running averages, set by the forward pass in training
	gradients           map[string]value    // of the mean cross entropy, set by the backward pass
	computed            map[string]value    // gradients of convolutions' weights as they are before they are widened to float32 and channels cut off
	parameters, running value               // the vectors stateF and stateR, where kernels of our own read a layer's tensors
	offsets             map[string]int      // where a tensor begins in its vector
	sums                map[string][2]value // the sums that a convolution's kernel made of its result, by the result's id: f32 (parts, C), see [narrow.forward]
	addends             map[string][]value  // whose sum a value is, by the value's id, see [net.sum]
}

// back emits the gradient of a layer's input from the gradient of its output.
type back func(dy value) value

func (n *net) forward(layers []network.Layer, x value) (value, back) {
	if n.Devices > 1 {
		x = n.shard(x, n.Devices)
	}
	return n.chain(layers, len(layers), x)
}

// chain emits the first count layers of a list, and looks at those behind them to see what follows.
func (n *net) chain(layers []network.Layer, count int, x value) (value, back) {
	var backs []back
	for i := 0; i < count; {
		y, b, taken := n.leading(layers[i:], x)
		x, backs, i = y, append(backs, b), i+taken
	}
	return x, func(dy value) value {
		for i := len(backs) - 1; i >= 0; i-- {
			dy = backs[i](dy)
		}
		return dy
	}
}

// leading emits the first layer of a list, or the unit with which it begins, and says how many layers that is.
func (n *net) leading(layers []network.Layer, x value) (value, back, int) {
	l := layers[0]
	if u, norm, ok := n.unitAt(layers, x.dims[0]); ok && n.train {
		u.averages = averages{epsilon: n.hyper.NormEpsilon, momentum: n.hyper.NormMomentum, unbiased: 1}
		if pixels := float64(u.batch * u.h * u.w); n.hyper.UnbiasedState {
			u.unbiased = pixels / (pixels - 1)
		}
		if !u.sum {
			z, b := n.unit(norm, u, n.kept(x), nil)
			return z, func(dy value) value { dx, _ := b(dy); return dx }, u.layers()
		}
		body, backBody := n.chain(l.Body, len(l.Body)-1, x)
		short, backShort := n.forward(l.Shortcut, x)
		short = n.kept(short)
		z, b := n.unit(norm, u, n.kept(body), &short)
		return z, func(dy value) value { dx, g := b(dy); return n.sum(backBody(dx), backShort(g)) }, u.layers()
	}
	var next *network.Layer
	if len(layers) > 1 {
		next = &layers[1]
	}
	y, b := n.layer(l, next, x)
	return y, b, 1
}

// layer emits a layer; next is the one that follows it in its list, nil for the last.
func (n *net) layer(l network.Layer, next *network.Layer, x value) (value, back) {
	switch l.Kind {
	case network.Conv:
		if c, ok := n.narrows(l, x.dims[0]); ok {
			var norm *network.Layer // for which the kernel makes sums
			if next != nil && next.Kind == network.BatchNorm && n.train && c.makesSums() {
				norm = next
			}
			return n.narrow(l, c, n.factor(x), n.factor(n.weights[l.Name+".weight"]), norm)
		}
		return n.conv(l, x)
	case network.BatchNorm:
		return n.batchNorm(l, x)
	case network.Linear:
		return n.linear(l, x)
	case network.ReLU:
		return n.relu(x)
	case network.MaxPool:
		return n.maxPool(l, x)
	case network.GlobalAvgPool:
		return n.globalAvgPool(l, x)
	case network.Subsample:
		return n.subsample(l, x)
	case network.Residual:
		body, backBody := n.forward(l.Body, x)
		short, backShort := n.forward(l.Shortcut, x)
		return n.sum(body, short), func(dy value) value { return n.sum(backBody(dy), backShort(dy)) }
	}
	panic(fmt.Sprintf("xla: layer %s of unknown kind %q", l.Name, l.Kind))
}

// sum adds in float32 and keeps the result. It notes the addends for a unit whose gradient this is: its kernel adds them itself.
func (n *net) sum(a, b value) value {
	sum := n.kept(n.add(n.convert(a, f32), n.convert(b, f32)))
	n.addends[sum.id] = []value{n.kept(a), n.kept(b)}
	return sum
}

// kept rounds what stays in memory between layers to bfloat16 if that is the precision, which halves the bytes. All arithmetic on it is float32's.
func (n *net) kept(a value) value { return n.factor(a) }

// factor rounds an operand of a product to bfloat16 if that is the precision; F32 and TF32 are requested of the product instead.
func (n *net) factor(a value) value {
	if n.Precision == BF16 {
		return n.convert(a, bf16)
	}
	return a
}

// request is the precision_config of products.
func (n *net) request() string {
	if n.Precision == TF32 {
		return "DEFAULT"
	}
	return "HIGHEST"
}

// conv emits the convolution y = x * w (a cross-correlation) with stride S and padding P. The gradients are
// convolutions too:
//
//	dx = conv(dy dilated by S and padded, w mirrored, channels exchanged)
//	dw = conv(x with channels as batch, dy dilated by S as the kernel)
//
// The dimension numbers of the operations say which axes are exchanged, as in the gradients that JAX writes. XLA's GPU compiler
// recognises this pattern and calls its library's backward convolutions for it (TestConvolutionsAreTheLibrarys).
func (n *net) conv(l network.Layer, x value) (value, back) {
	w := n.weights[l.Name+".weight"]
	batch, k, s := x.dims[0], l.Kernel, l.Stride
	channels := max(l.In.C, n.fullChannels())
	x, w = n.padChannels(n.factor(x), channels), n.padChannels(n.factor(w), channels)
	y := n.convolution(x, w, window{stride: s, dilateIn: 1, dilateKernel: 1, pad: [2][2]int{{l.Pad, l.Pad}, {l.Pad, l.Pad}},
		numbers: "[b, 0, 1, f]x[o, 0, 1, i]->[b, 0, 1, f]", out: []int{batch, l.Out.H, l.Out.W, l.Out.C}}, n.request())
	return y, func(dy value) value {
		dy = n.factor(dy)
		// Output size of a convolution with stride 1: dilated + low + high - (dilated kernel) + 1.
		var padX, padW [2][2]int
		for axis, size := range [2][2]int{{l.In.H, l.Out.H}, {l.In.W, l.Out.W}} {
			in, dilated := size[0], (size[1]-1)*s+1
			low := k - 1 - l.Pad
			padX[axis] = [2]int{low, in - 1 + k - dilated - low}
			padW[axis] = [2]int{l.Pad, k - 1 + dilated - in - l.Pad}
		}
		dx := n.convolution(dy, n.reverse(w, 1, 2), window{stride: 1, dilateIn: s, dilateKernel: 1, pad: padX,
			numbers: "[b, 0, 1, f]x[i, 0, 1, o]->[b, 0, 1, f]", out: []int{batch, l.In.H, l.In.W, channels}}, n.request())
		var dw value
		if c, ok := n.first(l, batch); ok {
			dw = n.weightGradient(c, x, dy)
		} else {
			dw = n.convolution(x, dy, window{stride: 1, dilateIn: 1, dilateKernel: s, pad: padW,
				numbers: "[f, 0, 1, b]x[i, 0, 1, o]->[f, 0, 1, b]", out: []int{l.Out.C, k, k, channels}}, n.request())
		}
		n.computed[l.Name+".weight"], n.gradients[l.Name+".weight"] = dw, n.convert(n.sliceAxis(dw, 3, 0, l.In.C, 1), f32)
		return n.sliceAxis(dx, 3, 0, l.In.C, 1)
	}
}

// fullChannels is the least number of channels with which every pixel of a convolution's input begins at a multiple of 16 bytes, as the kernels for
// NVIDIA's tensor cores want it. The images have fewer; channels of zeros make them up.
func (o Options) fullChannels() int {
	switch o.Precision {
	case BF16:
		return 8
	case TF32:
		return 4
	}
	return 1
}

// padChannels appends channels of zeros.
func (n *net) padChannels(a value, channels int) value {
	return n.pad(a, 0, make([]int, 4), []int{0, 0, 0, channels - a.dims[3]}, make([]int, 4))
}

// linear emits y[n,o] = sum over i of x[n,i] w[i,o], and adds bias[o] if the layer has a bias.
func (n *net) linear(l network.Layer, x value) (value, back) {
	batch, in, out := x.dims[0], l.In.Len(), l.Out.C
	w := n.factor(n.weights[l.Name+".weight"])
	flat := n.factor(n.reshape(x, batch, in))
	y := n.dot(flat, w, 1, 0, n.request())
	if l.Bias {
		y = n.add(y, n.broadcast(n.weights[l.Name+".bias"], y.dims, 1))
	}
	return n.reshape(y, batch, 1, 1, out), func(dy value) value {
		dy = n.reshape(dy, batch, out)
		if l.Bias {
			n.gradients[l.Name+".bias"] = n.convert(n.reduce("add", n.convert(dy, f64), 0, 0), f32)
		}
		dy = n.factor(dy)
		n.gradients[l.Name+".weight"] = n.dot(flat, dy, 0, 0, n.request())
		return n.reshape(n.dot(dy, w, 1, 1, n.request()), batch, l.In.H, l.In.W, l.In.C)
	}
}

// maxFloat32Sum is how many values of a channel are added up in float32 at most; their sums are added in float64.
const maxFloat32Sum = 256

// channelSums emits the sums of a channel's values of a, and of a times b, over (N,H,W), in one reduction. It adds up to 256 neighbours in float32, with
// a relative error of at most 256*2^-24, and their sums in float64, and rounds the result to float32. Of small images it adds up fewer, 64 or a quarter of
// an image's: a GPU takes each group by a block of threads of its own, and would be half empty otherwise.
func (n *net) channelSums(a, b value) (sum, product value) {
	batch, h, w, c := a.dims[0], a.dims[1], a.dims[2], a.dims[3]
	rows := 1 // of an image
	for r := 2; r*w <= min(maxFloat32Sum, max(64, h*w/4)) && r <= h; r++ {
		if h%r == 0 {
			rows = r
		}
	}
	neighbours := func(v value) value { return n.reshape(v, batch, h/rows, rows*w, c) }
	a, b = neighbours(a), neighbours(b)
	sums := n.pair(a, n.mul(a, b))
	if rows*w > 1 {
		sums = n.reduce("add", sums, 0, 2)
	} else {
		sums = n.reshape(sums, batch, h, c)
	}
	return n.parts(n.convert(n.reduce("add", n.convert(sums, c128), 0, 0, 1), c64))
}

// batchNorm: xhat = (x-mean)/sqrt(var+eps), y = gamma xhat + beta, over M = N*H*W values;
//
//	dx = gamma/sqrt(var+eps) * (dy - mean(dy) - xhat*mean(dy*xhat)),  dgamma = sum dy*xhat,  dbeta = sum dy
//
// The variance is E[(x-r)^2] - E[x-r]^2 with the running mean r. Its relative error is a few roundings of float32 times 1 + (mean-r)^2/var,
// so that a mean far from zero costs no digits once r has followed it.
func (n *net) batchNorm(l network.Layer, x value) (value, back) {
	count := float64(x.len() / l.Out.C)
	made, isMade := n.sums[x.id]
	x = n.convert(x, f32)
	wide := func(v value) value { return n.broadcast(v, x.dims, 3) }
	mean, variance := n.weights[l.Name+".mean"], n.weights[l.Name+".variance"]
	if n.train {
		running, runningVar := mean, variance
		var sum, square value
		if isMade {
			sum, square = n.parts(n.convert(n.reduce("add", n.convert(n.pair(made[0], made[1]), c128), 0, 0), c64))
		} else {
			shifted := n.sub(x, wide(running))
			sum, square = n.channelSums(shifted, shifted)
		}
		offset := n.scale(sum, 1/count)
		mean = n.add(running, offset)
		variance = n.max(n.sub(n.scale(square, 1/count), n.mul(offset, offset)), n.like(offset, 0))
		k, stored := n.hyper.NormMomentum, variance
		if n.hyper.UnbiasedState {
			stored = n.scale(variance, count/(count-1))
		}
		n.averages[l.Name+".mean"] = n.add(running, n.scale(offset, k))
		n.averages[l.Name+".variance"] = n.add(n.scale(runningVar, 1-k), n.scale(stored, k))
	}
	inverse := n.unary("rsqrt", n.addConst(variance, n.hyper.NormEpsilon))
	factor := n.mul(n.weights[l.Name+".gamma"], inverse)
	centred := n.sub(x, wide(mean))
	y := n.add(n.mul(centred, wide(factor)), wide(n.weights[l.Name+".beta"]))
	return y, func(dy value) value {
		dy = n.convert(dy, f32)
		dbeta, product := n.channelSums(dy, centred)
		dgamma := n.mul(product, inverse)
		n.gradients[l.Name+".gamma"], n.gradients[l.Name+".beta"] = dgamma, dbeta
		dx := n.sub(dy, wide(n.scale(dbeta, 1/count)))
		dx = n.sub(dx, n.mul(centred, wide(n.scale(n.mul(dgamma, inverse), 1/count))))
		return n.mul(dx, wide(factor))
	}
}

// relu emits y = max(x, 0) and takes its derivative at 0 as 0.
func (n *net) relu(x value) (value, back) {
	y := n.kept(n.max(x, n.like(x, 0)))
	return y, func(dy value) value { return n.choose(n.compareConst("GT", x, 0), dy, n.like(dy, 0)) }
}

// maxPool is written with elementwise operations that fuse: pixel (r, s) of every window is a strided slice of the padded image. The
// gradient goes to the window's first maximum in the order of rows, and where windows overlap it is added up in their order, as on the CPU engine;
// XLA's select_and_scatter leaves that order open.
func (n *net) maxPool(l network.Layer, x value) (value, back) {
	batch, k, stride := x.dims[0], l.Kernel, l.Stride
	extent := func(out int) int { return (out-1)*stride + 1 } // of a strided slice, in pixels
	// The windows end at the last one that fits: trailing padding may be cut.
	high := func(in, out int) int { return extent(out) + k - 1 - in - l.Pad }
	padded := n.pad(x, math.Inf(-1), []int{0, l.Pad, l.Pad, 0}, []int{0, high(l.In.H, l.Out.H), high(l.In.W, l.Out.W), 0}, make([]int, 4))
	pixels := make([]value, k*k)
	for i := range pixels {
		r, s := i/k, i%k
		pixels[i] = n.slice(padded, []int{0, r, s, 0}, []int{batch, r + extent(l.Out.H), s + extent(l.Out.W), l.In.C}, []int{1, stride, stride, 1})
	}
	y := pixels[0]
	for _, pixel := range pixels[1:] {
		y = n.max(y, pixel)
	}
	if l.Pad == 0 && k == stride && l.Out.H*k == l.In.H && l.Out.W*k == l.In.W {
		return y, n.apart(l, pixels, y)
	}
	return y, func(dy value) value {
		dy = n.convert(dy, f32)
		zero := n.like(dy, 0)
		left := dy // of the windows whose maximum has not come yet
		parts := make([]value, k*k)
		for i, pixel := range pixels {
			r, s := i/k-l.Pad, i%k-l.Pad
			hit := n.compare("EQ", pixel, y)
			parts[i] = n.pad(n.choose(hit, left, zero), 0, []int{0, r, s, 0},
				[]int{0, l.In.H - extent(l.Out.H) - r, l.In.W - extent(l.Out.W) - s, 0}, []int{0, stride - 1, stride - 1, 0})
			left = n.choose(hit, zero, left)
		}
		dx := parts[k*k-1] // the last pixel of a window belongs to the windows that come first
		for i := k*k - 2; i >= 0; i-- {
			dx = n.add(dx, parts[i])
		}
		return n.kept(dx)
	}
}

// apart is maxPool's gradient where windows do not overlap and none is cut: each pixel compares its own place in its window with that of the first maximum, for which there
// is one small computation a window.
func (n *net) apart(l network.Layer, pixels []value, y value) back {
	k, size := l.Kernel, []int{y.dims[0], l.Out.H, l.Kernel, l.Out.W, l.Kernel, l.In.C}
	first := n.fill(i32, -1, y.dims...) // no maximum in a window with a NaN
	for i := len(pixels) - 1; i >= 0; i-- {
		first = n.choose(n.compare("EQ", pixels[i], y), n.like(first, float64(i)), first)
	}
	return func(dy value) value {
		own := n.add(n.scale(n.iota(i32, 2, size...), float64(k)), n.iota(i32, 4, size...))
		dy = n.broadcast(n.convert(dy, f32), size, 0, 1, 3, 5)
		dx := n.choose(n.compare("EQ", n.broadcast(first, size, 0, 1, 3, 5), own), dy, n.like(dy, 0))
		return n.kept(n.reshape(dx, y.dims[0], l.In.H, l.In.W, l.In.C))
	}
}

func (n *net) globalAvgPool(l network.Layer, x value) (value, back) {
	area := float64(l.In.H * l.In.W)
	y := n.scale(n.reduce("add", n.convert(x, f32), 0, 1, 2), 1/area)
	return n.reshape(y, x.dims[0], 1, 1, l.In.C), func(dy value) value {
		return n.broadcast(n.scale(n.reshape(dy, x.dims[0], l.In.C), 1/area), x.dims, 0, 3)
	}
}

// subsample keeps every Stride-th pixel in both directions and appends channels of zeros.
func (n *net) subsample(l network.Layer, x value) (value, back) {
	batch, s := x.dims[0], l.Stride
	kept := min(l.In.C, l.Out.C)
	y := n.slice(x, []int{0, 0, 0, 0}, []int{batch, l.In.H, l.In.W, kept}, []int{1, s, s, 1})
	y = n.pad(y, 0, make([]int, 4), []int{0, 0, 0, l.Out.C - kept}, make([]int, 4))
	return y, func(dy value) value {
		dy = n.sliceAxis(dy, 3, 0, kept, 1)
		return n.pad(dy, 0, make([]int, 4), []int{0, l.In.H - ((l.Out.H-1)*s + 1), l.In.W - ((l.Out.W-1)*s + 1), l.In.C - kept}, []int{0, s - 1, s - 1, 0})
	}
}

// crossEntropy is, in float64, the sum over the images with label >= 0 of
// -log softmax(logits)[label], the number of those whose first largest logit is not the label's,
// and the gradient of the mean over the batch.
func (n *net) crossEntropy(logits, labels value) (sum, wrong, gradient value) {
	batch, classes := logits.dims[0], logits.dims[3]
	z := n.convert(n.reshape(logits, batch, classes), f64)
	wide := func(v value) value { return n.broadcast(v, z.dims, 0) }
	largest := n.reduce("maximum", z, -1e300, 1)
	centred := n.sub(z, wide(largest))
	exponentials := n.unary("exponential", centred)
	total := n.reduce("add", exponentials, 0, 1)
	column := n.iota(i32, 1, batch, classes)
	own := n.compare("EQ", column, wide(labels))
	valid := n.compareConst("GE", labels, 0)
	loss := n.sub(n.unary("log", total), n.reduce("add", n.choose(own, centred, n.like(centred, 0)), 0, 1))
	sum = n.reduce("add", n.choose(valid, loss, n.like(loss, 0)), 0, 0)
	best := n.reduce("minimum", n.choose(n.compare("EQ", z, wide(largest)), column, n.like(column, float64(classes))), float64(classes), 1)
	miss := n.and(valid, n.compare("NE", best, labels))
	wrong = n.reduce("add", n.convert(miss, i32), 0, 0)
	probability := n.div(exponentials, wide(total))
	gradient = n.scale(n.sub(probability, n.convert(own, f64)), 1/float64(batch))
	return sum, wrong, n.reshape(n.convert(gradient, f32), batch, 1, 1, classes)
}

// sign emits the paper's deterministic rounding Q_d on the grid {-1,+1}: it is +1 for x >= 0 and -1 below.
func (p *program) sign(w value) value {
	return p.choose(p.compareConst("GE", w, 0), p.like(w, 1), p.like(w, -1))
}

// read emits the weights at which the gradient is taken, as [quantize.Read] defines them.
func (n *net) read(w value) value {
	switch n.hyper.Rule {
	case quantize.Float, quantize.R, quantize.SR:
		return w
	case quantize.BC:
		return n.sign(w)
	}
	panic("xla: no training step for rule " + n.hyper.Rule.String())
}
