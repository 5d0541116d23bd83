package network

import (
	"fmt"
	"math"

	"tqn/quantize"
)

// Reference is an [Engine] in float64, written as plainly as possible and independently of nets/kernel: each layer is the
// sum that defines it, in the order of the indices, and its gradient is that sum differentiated. It is the oracle the
// fast engines are tested against, far too slow to train with.
type Reference struct {
	model  Model
	hyper  Hyper
	params []Param
	state  map[string][]float64 // by state tensor name
}

var _ Engine = (*Reference)(nil)

// NewReference returns a reference engine with zero state: set it, or use [Initialise].
func NewReference(m Model, h Hyper) *Reference {
	r := &Reference{model: m, hyper: h, params: m.Params(), state: map[string][]float64{}}
	for _, t := range StateTensors(m) {
		r.state[t.Name] = make([]float64, t.Len())
	}
	return r
}

func (r *Reference) Model() Model      { return r.model }
func (r *Reference) Kernel() string    { return "reference-float64" }
func (r *Reference) Tensors() []Tensor { return StateTensors(r.model) }

// tensor returns a state tensor, which must exist.
func (r *Reference) tensor(name string, n int, caller string) []float64 {
	t, ok := r.state[name]
	if !ok || len(t) != n {
		panic(fmt.Sprintf("network: Reference.%s: tensor %q of %d values; have %d", caller, name, n, len(t)))
	}
	return t
}

func (r *Reference) Get(name string, dst []float32) {
	for i, v := range r.tensor(name, len(dst), "Get") {
		dst[i] = float32(v)
	}
}

func (r *Reference) Set(name string, src []float32) {
	t := r.tensor(name, len(src), "Set")
	for i, v := range src {
		t[i] = float64(v)
	}
}

// Step implements [Engine].
func (r *Reference) Step(x []float32, labels []int32, alpha float64, step uint64) (Loss, error) {
	loss, grads := r.gradients(x, labels)
	if math.IsNaN(loss.Sum) || math.IsInf(loss.Sum, 0) {
		return loss, &NonFiniteError{What: "loss", Tensor: "the last layer", Step: step}
	}
	for _, p := range r.params {
		for _, g := range grads[p.Name] {
			if math.IsNaN(g) || math.IsInf(g, 0) {
				return loss, &NonFiniteError{What: "gradient", Tensor: p.Name, Step: step}
			}
		}
	}
	for _, p := range r.params {
		if p.Trained() {
			r.update(p, grads[p.Name], alpha, step)
		}
	}
	return loss, nil
}

// update moves a tensor by Adam's step and then applies the tensor's training rule to it.
func (r *Reference) update(p Param, grad []float64, alpha float64, step uint64) {
	w, m, v := r.state[p.Name], r.state[p.Name+FirstMoment], r.state[p.Name+SecondMoment]
	c1 := 1 - math.Pow(AdamBeta1, float64(step))
	c2 := 1 - math.Pow(AdamBeta2, float64(step))
	steps := make([]float64, len(w))
	for i, g := range grad {
		if p.Role == ConvWeight || p.Role == LinearWeight {
			g += r.hyper.WeightDecay * w[i]
		}
		m[i] = AdamBeta1*m[i] + (1-AdamBeta1)*g
		v[i] = AdamBeta2*v[i] + (1-AdamBeta2)*g*g
		steps[i] = r.hyper.Scale(p) * alpha * (m[i] / c1) / (math.Sqrt(v[i]/c2) + AdamEpsilon)
	}
	if !p.Binarised() || r.hyper.Rule == quantize.Float || r.hyper.Unclipped {
		for i := range w {
			w[i] -= steps[i]
		}
		return
	}
	draw := r.hyper.Noise.At(uint32(p.Index), step)
	if r.hyper.Rule != quantize.SR {
		quantize.Update(r.hyper.Rule, quantize.Binary(), w, steps, draw)
		return
	}
	// A training step draws one 32-bit word for each weight, because that is how quantize rounds float32 weights.
	w32, s32 := make([]float32, len(w)), make([]float32, len(w))
	for i := range w {
		w32[i], s32[i] = float32(w[i]), float32(steps[i])
	}
	quantize.Update(quantize.SR, quantize.Binary(), w32, s32, draw)
	for i := range w {
		w[i] = float64(w32[i])
	}
}

// Evaluate implements [Engine].
func (r *Reference) Evaluate(x []float32, labels []int32) (Loss, error) {
	logits, _ := r.forward(r.model.Layers, widen(x), len(labels), false, nil)
	loss, _ := crossEntropy(logits, labels, r.model.Classes)
	if math.IsNaN(loss.Sum) || math.IsInf(loss.Sum, 0) {
		return loss, &NonFiniteError{What: "loss", Tensor: "the last layer"}
	}
	return loss, nil
}

// gradients returns the loss of a training batch and the gradient of its MEAN cross entropy by parameter name, taken at
// the weights that the rule gives to the forward pass. Of the state it changes only the running averages.
func (r *Reference) gradients(x []float32, labels []int32) (Loss, map[string][]float64) {
	grads := map[string][]float64{}
	logits, back := r.forward(r.model.Layers, widen(x), len(labels), true, grads)
	loss, dlogits := crossEntropy(logits, labels, r.model.Classes)
	back(dlogits)
	return loss, grads
}

func widen(x []float32) []float64 {
	y := make([]float64, len(x))
	for i, v := range x {
		y[i] = float64(v)
	}
	return y
}

// crossEntropy returns the sum over the N images of -log softmax(logits)[label], and the gradient of the mean of these
// losses with respect to the logits, which is (softmax - onehot)/N.
func crossEntropy(logits []float64, labels []int32, classes int) (Loss, []float64) {
	loss := Loss{Images: len(labels)}
	d := make([]float64, len(logits))
	for n, label := range labels {
		z := logits[n*classes : (n+1)*classes]
		best := 0
		for c := range z {
			if z[c] > z[best] {
				best = c
			}
		}
		sum := 0.0
		for _, v := range z {
			sum += math.Exp(v - z[best])
		}
		for c, v := range z {
			d[n*classes+c] = math.Exp(v-z[best]) / sum / float64(len(labels))
		}
		d[n*classes+int(label)] -= 1 / float64(len(labels))
		loss.Sum += math.Log(sum) - (z[label] - z[best])
		if best != int(label) {
			loss.Wrong++
		}
	}
	return loss, d
}

// forward runs layers on n images and returns the output and a function that maps the output's gradient to the input's,
// storing parameter gradients in grads.
func (r *Reference) forward(layers []Layer, x []float64, n int, train bool, grads map[string][]float64) ([]float64, func([]float64) []float64) {
	var backs []func([]float64) []float64
	for _, l := range layers {
		y, back := r.layer(l, x, n, train, grads)
		x, backs = y, append(backs, back)
	}
	return x, func(dy []float64) []float64 {
		for i := len(backs) - 1; i >= 0; i-- {
			dy = backs[i](dy)
		}
		return dy
	}
}

func (r *Reference) layer(l Layer, x []float64, n int, train bool, grads map[string][]float64) ([]float64, func([]float64) []float64) {
	switch l.Kind {
	case Conv:
		return r.conv(l, x, n, grads)
	case BatchNorm:
		return r.batchNorm(l, x, n, train, grads)
	case Linear:
		return r.linear(l, x, n, grads)
	case ReLU:
		return relu(x)
	case MaxPool:
		return maxPool(l, x, n)
	case GlobalAvgPool:
		return globalAvgPool(l, x, n)
	case Subsample:
		return subsample(l, x, n)
	case Residual:
		body, backBody := r.forward(l.Body, x, n, train, grads)
		short, backShort := r.forward(l.Shortcut, x, n, train, grads)
		return add(body, short), func(dy []float64) []float64 { return add(backBody(dy), backShort(dy)) }
	}
	panic(fmt.Sprintf("network: Reference: unknown layer kind %q", l.Kind))
}

func add(a, b []float64) []float64 {
	c := make([]float64, len(a))
	for i := range a {
		c[i] = a[i] + b[i]
	}
	return c
}

// at is the index of (n, i, j, c) in a tensor of images of shape s.
func at(s Shape, n, i, j, c int) int { return ((n*s.H+i)*s.W+j)*s.C + c }

// conv computes the convolution y[n,i,j,o] = sum over a, b, c of x[n, i*S+a-P, j*S+b-P, c] w[a,b,c,o] with stride S and
// padding P, where x is zero outside the image. The function it returns sums the gradients over the same terms.
func (r *Reference) conv(l Layer, x []float64, n int, grads map[string][]float64) ([]float64, func([]float64) []float64) {
	stored := r.state[l.Name+".weight"]
	w := make([]float64, len(stored))
	quantize.Read(r.hyper.Rule, quantize.Binary(), w, stored, quantize.Draw{})
	// each calls f for every term of the sum, with the indices of the term's output, input and weight.
	each := func(f func(iy, ix, iw int)) {
		for img := range n {
			for i := range l.Out.H {
				for j := range l.Out.W {
					for a := range l.Kernel {
						for b := range l.Kernel {
							h, v := i*l.Stride+a-l.Pad, j*l.Stride+b-l.Pad
							if h < 0 || h >= l.In.H || v < 0 || v >= l.In.W {
								continue
							}
							for c := range l.In.C {
								for o := range l.Out.C {
									f(at(l.Out, img, i, j, o), at(l.In, img, h, v, c), ((a*l.Kernel+b)*l.In.C+c)*l.Out.C+o)
								}
							}
						}
					}
				}
			}
		}
	}
	y := make([]float64, n*l.Out.Len())
	each(func(iy, ix, iw int) { y[iy] += x[ix] * w[iw] })
	return y, func(dy []float64) []float64 {
		dx, dw := make([]float64, len(x)), make([]float64, len(w))
		each(func(iy, ix, iw int) {
			dx[ix] += dy[iy] * w[iw]
			dw[iw] += dy[iy] * x[ix]
		})
		grads[l.Name+".weight"] = dw
		return dx
	}
}

// linear computes y[n,o] = sum over i of x[n,i] w[i,o], and adds bias[o] if the layer has a bias.
func (r *Reference) linear(l Layer, x []float64, n int, grads map[string][]float64) ([]float64, func([]float64) []float64) {
	w, in, out := r.state[l.Name+".weight"], l.In.Len(), l.Out.C
	y := make([]float64, n*out)
	for img := range n {
		for o := range out {
			if l.Bias {
				y[img*out+o] = r.state[l.Name+".bias"][o]
			}
			for i := range in {
				y[img*out+o] += x[img*in+i] * w[i*out+o]
			}
		}
	}
	return y, func(dy []float64) []float64 {
		dx, dw, db := make([]float64, len(x)), make([]float64, len(w)), make([]float64, out)
		for img := range n {
			for o := range out {
				db[o] += dy[img*out+o]
				for i := range in {
					dx[img*in+i] += dy[img*out+o] * w[i*out+o]
					dw[i*out+o] += dy[img*out+o] * x[img*in+i]
				}
			}
		}
		grads[l.Name+".weight"] = dw
		if l.Bias {
			grads[l.Name+".bias"] = db
		}
		return dx
	}
}

// batchNorm computes y = gamma xhat + beta with xhat = (x-mean)/s and s = sqrt(var+eps). Every channel has its own mean and
// variance, which are taken over its M = N*H*W values. The gradients follow by differentiating through the mean and the
// variance as well:
//
//	dx = gamma/s * (dy - mean(dy) - xhat*mean(dy*xhat)),  dgamma = sum dy*xhat,  dbeta = sum dy
func (r *Reference) batchNorm(l Layer, x []float64, n int, train bool, grads map[string][]float64) ([]float64, func([]float64) []float64) {
	channels := l.Out.C
	count := len(x) / channels
	gamma, beta := r.state[l.Name+".gamma"], r.state[l.Name+".beta"]
	running, runningVar := r.state[l.Name+".mean"], r.state[l.Name+".variance"]
	mean, variance := make([]float64, channels), make([]float64, channels)
	if train {
		for i, v := range x {
			mean[i%channels] += v / float64(count)
		}
		for i, v := range x {
			d := v - mean[i%channels]
			variance[i%channels] += d * d / float64(count)
		}
		for c := range channels {
			k := r.hyper.NormMomentum
			stored := variance[c]
			if r.hyper.UnbiasedState {
				stored *= float64(count) / float64(count-1)
			}
			running[c] = (1-k)*running[c] + k*mean[c]
			runningVar[c] = (1-k)*runningVar[c] + k*stored
		}
	} else {
		copy(mean, running)
		copy(variance, runningVar)
	}
	y, xhat := make([]float64, len(x)), make([]float64, len(x))
	for i, v := range x {
		c := i % channels
		xhat[i] = (v - mean[c]) / math.Sqrt(variance[c]+r.hyper.NormEpsilon)
		y[i] = gamma[c]*xhat[i] + beta[c]
	}
	return y, func(dy []float64) []float64 {
		dgamma, dbeta := make([]float64, channels), make([]float64, channels)
		for i, d := range dy {
			dgamma[i%channels] += d * xhat[i]
			dbeta[i%channels] += d
		}
		dx := make([]float64, len(x))
		for i, d := range dy {
			c := i % channels
			dx[i] = gamma[c] / math.Sqrt(variance[c]+r.hyper.NormEpsilon) *
				(d - dbeta[c]/float64(count) - xhat[i]*dgamma[c]/float64(count))
		}
		grads[l.Name+".gamma"], grads[l.Name+".beta"] = dgamma, dbeta
		return dx
	}
}

func relu(x []float64) ([]float64, func([]float64) []float64) {
	y := make([]float64, len(x))
	for i, v := range x {
		if v > 0 {
			y[i] = v
		}
	}
	return y, func(dy []float64) []float64 {
		dx := make([]float64, len(x))
		for i, v := range x {
			if v > 0 {
				dx[i] = dy[i]
			}
		}
		return dx
	}
}

func maxPool(l Layer, x []float64, n int) ([]float64, func([]float64) []float64) {
	y, from := make([]float64, n*l.Out.Len()), make([]int, n*l.Out.Len())
	for img := range n {
		for i := range l.Out.H {
			for j := range l.Out.W {
				for c := range l.Out.C {
					best := -1
					for a := range l.Kernel {
						for b := range l.Kernel {
							h, v := i*l.Stride+a-l.Pad, j*l.Stride+b-l.Pad
							if h < 0 || h >= l.In.H || v < 0 || v >= l.In.W {
								continue
							}
							if k := at(l.In, img, h, v, c); best < 0 || x[k] > x[best] {
								best = k
							}
						}
					}
					k := at(l.Out, img, i, j, c)
					y[k], from[k] = x[best], best
				}
			}
		}
	}
	return y, func(dy []float64) []float64 {
		dx := make([]float64, len(x))
		for k, d := range dy {
			dx[from[k]] += d
		}
		return dx
	}
}

func globalAvgPool(l Layer, x []float64, n int) ([]float64, func([]float64) []float64) {
	channels, area := l.In.C, l.In.H*l.In.W
	y := make([]float64, n*channels)
	for i, v := range x {
		y[i/l.In.Len()*channels+i%channels] += v / float64(area)
	}
	return y, func(dy []float64) []float64 {
		dx := make([]float64, len(x))
		for i := range dx {
			dx[i] = dy[i/l.In.Len()*channels+i%channels] / float64(area)
		}
		return dx
	}
}

func subsample(l Layer, x []float64, n int) ([]float64, func([]float64) []float64) {
	y := make([]float64, n*l.Out.Len())
	each := func(f func(iy, ix int)) {
		for img := range n {
			for i := range l.Out.H {
				for j := range l.Out.W {
					for c := range min(l.In.C, l.Out.C) {
						f(at(l.Out, img, i, j, c), at(l.In, img, i*l.Stride, j*l.Stride, c))
					}
				}
			}
		}
	}
	each(func(iy, ix int) { y[iy] = x[ix] })
	return y, func(dy []float64) []float64 {
		dx := make([]float64, len(x))
		each(func(iy, ix int) { dx[ix] = dy[iy] })
		return dx
	}
}
