package network

import (
	"fmt"
	"math"
	"strings"
)

// Shape is the size of one image or one feature map: height, width, channels.
type Shape struct {
	H int `json:"h"`
	W int `json:"w"`
	C int `json:"c"`
}

// Len is the number of values in a feature map of shape s.
func (s Shape) Len() int { return s.H * s.W * s.C }

func (s Shape) String() string { return fmt.Sprintf("%dx%dx%d", s.H, s.W, s.C) }

// Kind says what a layer computes.
type Kind string

const (
	// Conv is y[n,i,j,o] = sum over a,b,c of x[n, i*Stride+a-Pad, j*Stride+b-Pad, c] * w[a,b,c,o], zero outside x. No bias:
	// a batch norm follows. Parameter: weight [Kernel,Kernel,In.C,Out.C].
	Conv Kind = "conv"
	// BatchNorm normalises every channel over (N,H,W), y = gamma*(x-mean)/sqrt(var+eps) + beta, with the batch's mean and
	// (biased) variance in training and running averages in evaluation. Parameters: gamma, beta [C]; state: mean, variance [C].
	BatchNorm Kind = "batchnorm"
	// ReLU is y = max(x, 0); its derivative at 0 is taken as 0.
	ReLU Kind = "relu"
	// MaxPool takes the maximum over windows of Kernel x Kernel pixels. Padded pixels are never the maximum. The gradient goes
	// to the first pixel of the window that has the largest value.
	MaxPool Kind = "maxpool"
	// GlobalAvgPool is the mean over H and W.
	GlobalAvgPool Kind = "avgpool"
	// Linear flattens its input to In.Len() values (order h, w, c) and multiplies: y = x w (+ bias).
	// Parameters: weight [In.Len(), Out.C], and bias [Out.C] if Bias.
	Linear Kind = "linear"
	// Residual is the sum of two branches applied to the same input: Body(x) + Shortcut(x). An empty Shortcut is the
	// identity. The ReLU after the sum is a layer of its own.
	Residual Kind = "residual"
	// Subsample is the parameter-free shortcut ("option A" of He et al. 2016): every Stride-th pixel in both directions,
	// starting with the first, and zero channels appended at the end up to Out.C (as in fb.resnet.torch).
	Subsample Kind = "subsample"
)

// Layer is one layer of a model. The fields that its kind does not use are zero.
type Layer struct {
	Kind Kind   `json:"kind"`
	Name string `json:"name"`
	In   Shape  `json:"in"`
	Out  Shape  `json:"out"`

	Kernel int  `json:"kernel,omitempty"` // Conv, MaxPool: window size, in pixels
	Stride int  `json:"stride,omitempty"` // Conv, MaxPool, Subsample: in pixels
	Pad    int  `json:"pad,omitempty"`    // Conv, MaxPool: on all four sides, in pixels
	Bias   bool `json:"bias,omitempty"`   // Linear

	Body     []Layer `json:"body,omitempty"`     // Residual
	Shortcut []Layer `json:"shortcut,omitempty"` // Residual; empty is the identity
}

// Model describes a network as data: it says what is computed and leaves it to an [Engine] how.
type Model struct {
	Name    string  `json:"name"`
	Input   Shape   `json:"input"`
	Classes int     `json:"classes"`
	Layers  []Layer `json:"layers"`
}

// Role says what a parameter tensor is for.
type Role string

const (
	ConvWeight   Role = "conv weight"
	LinearWeight Role = "linear weight"
	LinearBias   Role = "linear bias"
	Gamma        Role = "batch-norm scale"
	Beta         Role = "batch-norm shift"
	RunningMean  Role = "running mean"     // state, not trained
	RunningVar   Role = "running variance" // state, not trained
)

// Param is one tensor of a model's parameters or of its batch-norm state.
type Param struct {
	Name  string `json:"name"`  // the layer's name, a dot, and weight, bias, gamma, beta, mean or variance
	Layer string `json:"layer"` // the layer's name
	Role  Role   `json:"role"`
	Shape []int  `json:"shape"`
	FanIn int    `json:"fan_in,omitempty"` // terms in the sum that makes one output; weights only
	Index int    `json:"index"`            // position in Model.Params: the number of its noise stream
}

// RoleOf is the role of the tensor of that name in every model of [NewModel], or "" if no model has such a tensor: for files
// that give the names of their tensors and say nothing else about them.
func RoleOf(name string) Role {
	layer, what, _ := strings.Cut(name, ".")
	prefix, _, _ := strings.Cut(layer, "_")
	return map[[2]string]Role{
		{layerPrefix(Conv), "weight"}: ConvWeight, {layerPrefix(Linear), "weight"}: LinearWeight, {layerPrefix(Linear), "bias"}: LinearBias,
		{layerPrefix(BatchNorm), "gamma"}: Gamma, {layerPrefix(BatchNorm), "beta"}: Beta,
		{layerPrefix(BatchNorm), "mean"}: RunningMean, {layerPrefix(BatchNorm), "variance"}: RunningVar,
	}[[2]string{prefix, what}]
}

// Len is the number of values in the tensor.
func (p Param) Len() int {
	n := 1
	for _, s := range p.Shape {
		n *= s
	}
	return n
}

// fanOut is the number of outputs that one input contributes to if padding and stride are left out of account. For a
// k x k convolution it is k*k times the number of output channels.
func (p Param) fanOut() int {
	n := p.Shape[len(p.Shape)-1]
	if p.Role == ConvWeight {
		n *= p.Shape[0] * p.Shape[1]
	}
	return n
}

// Trained reports whether the optimiser changes the tensor (running averages are state).
func (p Param) Trained() bool { return p.Role != RunningMean && p.Role != RunningVar }

// Binarised reports whether the quantised methods keep the tensor binary. They do so with the weights of every convolution
// and with no other tensor
// (Section 6: "we only quantize the weights in the convolutional layers, but not linear layers").
func (p Param) Binarised() bool { return p.Role == ConvWeight }

// Each calls f for every layer in the order of execution: a residual layer's body, then its shortcut, then the layer itself.
func (m Model) Each(f func(Layer)) { eachLayer(m.Layers, f) }

func eachLayer(layers []Layer, f func(Layer)) {
	for _, l := range layers {
		eachLayer(l.Body, f)
		eachLayer(l.Shortcut, f)
		f(l)
	}
}

// Params lists every parameter and state tensor in the order of [Model.Each]. The order is part of the contract: a
// tensor's Index numbers its noise stream.
func (m Model) Params() []Param {
	var ps []Param
	add := func(l Layer, what string, role Role, fanIn int, shape ...int) {
		ps = append(ps, Param{Name: l.Name + "." + what, Layer: l.Name, Role: role, Shape: shape, FanIn: fanIn, Index: len(ps)})
	}
	m.Each(func(l Layer) {
		switch l.Kind {
		case Conv:
			add(l, "weight", ConvWeight, l.Kernel*l.Kernel*l.In.C, l.Kernel, l.Kernel, l.In.C, l.Out.C)
		case BatchNorm:
			add(l, "gamma", Gamma, 0, l.Out.C)
			add(l, "beta", Beta, 0, l.Out.C)
			add(l, "mean", RunningMean, 0, l.Out.C)
			add(l, "variance", RunningVar, 0, l.Out.C)
		case Linear:
			add(l, "weight", LinearWeight, l.In.Len(), l.In.Len(), l.Out.C)
			if l.Bias {
				add(l, "bias", LinearBias, l.In.Len(), l.Out.C)
			}
		}
	})
	return ps
}

// Counts are a model's parameters by kind, as Appendix H.1 counts them: weights of convolution and of linear layers.
type Counts struct {
	Conv      int `json:"conv"`      // convolution weights, the binarised ones
	Linear    int `json:"linear"`    // linear weights without biases
	Other     int `json:"other"`     // biases, batch-norm scales and shifts
	MultAdds  int `json:"mult_adds"` // multiply-adds of one image's forward pass, convolutions and linear layers, padding counted
	Backward  int `json:"backward"`  // multiply-adds of one image's backward pass: input gradients (none for the first layer) and weight gradients
	Binarised int `json:"binarised"` // tensors that the quantised methods binarise
}

// Counts counts the model's parameters and the multiply-adds of its two passes.
func (m Model) Counts() Counts {
	var c Counts
	first := true
	for _, p := range m.Params() {
		switch {
		case p.Role == ConvWeight:
			c.Conv += p.Len()
			c.Binarised++
		case p.Role == LinearWeight:
			c.Linear += p.Len()
		case p.Trained():
			c.Other += p.Len()
		}
	}
	m.Each(func(l Layer) {
		a := l.MultAdds()
		c.MultAdds += a
		c.Backward += a // weight gradient
		if a > 0 && !first {
			c.Backward += a // input gradient
		}
		if a > 0 {
			first = false
		}
	})
	return c
}

// MultAdds is the number of multiply-adds of the layer's own forward pass for one image by the direct algorithm.
func (l Layer) MultAdds() int {
	switch l.Kind {
	case Conv:
		return l.Out.Len() * l.Kernel * l.Kernel * l.In.C
	case Linear:
		return l.In.Len() * l.Out.C
	}
	return 0
}

// Spec says which network [NewModel] builds and at which size.
type Spec struct {
	Net     string  `json:"net"`     // vgg9, vgg-bc, resnet56, wrn56-2 or resnet18
	Input   Shape   `json:"input"`   // of one image
	Classes int     `json:"classes"` // at least 2
	Width   float64 `json:"width"`   // factor on every layer's channels, rounded down, at least 1; 1 is the paper's
	Depth   float64 `json:"depth"`   // factor on the layers (VGG) or blocks (ResNet) of every stage, rounded, at least 1; 1 is the paper's

	// Shortcut is "A" or "B" where a ResNet changes shape, see Shortcut of nets.Config; "" is B for resnet18 and A for the others.
	Shortcut string `json:"shortcut,omitempty"`
}

// Nets names the models of Table 1 in its column order (ResNet-56 stands there twice, for CIFAR-10 and CIFAR-100).
func Nets() []string { return []string{"vgg9", "vgg-bc", "resnet56", "wrn56-2", "resnet18"} }

// NewModel builds one of the paper's networks.
//
//	vgg9      Table 2: 7 convolutions (64,64 | 128,128 | 256,256,256), pooling after each group, linear 256, linear
//	vgg-bc    Table 3: 6 convolutions (128,128 | 256,256 | 512,512), pooling after each group, linear 1024, 1024, linear
//	resnet56  He et al. 2016, Section 4.2: 3 stages of 9 blocks (16, 32, 64 channels), option-A shortcuts
//	wrn56-2   the same with twice the channels in the blocks; the first convolution keeps 16 (Zagoruyko, Komodakis 2016, Table 1)
//	resnet18  He et al. 2016, Table 1: 7x7/2, pooling, 4 stages of 2 blocks (64 to 512); projection shortcuts (option B),
//	          since only with them the convolutions count 11.2 million as Appendix H.1 says (10.99 without)
//
// Where the paper is silent: batch norm and ReLU stand between a convolution and the pooling after it (Appendix H.1:
// "after each convolutional layer"; the original BC code pools first); only the last linear layer has a bias, the others
// are followed by a batch norm that would cancel it; VGG-BC has no batch norm after its last layer, as softmax replaced
// the squared hinge loss it was there for.
func NewModel(s Spec) (Model, error) {
	if s.Width == 0 {
		s.Width = 1
	}
	if s.Depth == 0 {
		s.Depth = 1
	}
	switch {
	case s.Classes < 2:
		return Model{}, fmt.Errorf("network: %d classes; want at least 2", s.Classes)
	case s.Input.H < 1 || s.Input.W < 1 || s.Input.C < 1:
		return Model{}, fmt.Errorf("network: input %v; want positive height, width and channels", s.Input)
	case !(s.Width > 0 && s.Width <= 16):
		return Model{}, fmt.Errorf("network: width %v; want a factor in (0, 16]", s.Width)
	case !(s.Depth > 0 && s.Depth <= 16):
		return Model{}, fmt.Errorf("network: depth %v; want a factor in (0, 16]", s.Depth)
	}
	switch {
	case s.Shortcut != "" && s.Shortcut != "A" && s.Shortcut != "B":
		return Model{}, fmt.Errorf("network: shortcut %q; want A or B", s.Shortcut)
	case s.Shortcut != "" && strings.HasPrefix(s.Net, "vgg"):
		return Model{}, fmt.Errorf("network: shortcut %q; %s has no shortcuts, want none", s.Shortcut, s.Net)
	}
	b := &builder{spec: s, at: s.Input, count: map[Kind]int{}}
	var err error
	switch s.Net {
	case "vgg9":
		err = b.vgg([]int{64, 128, 256}, []int{2, 2, 3}, []int{256})
	case "vgg-bc":
		err = b.vgg([]int{128, 256, 512}, []int{2, 2, 2}, []int{1024, 1024})
	case "resnet56":
		b.cifarResNet(1)
	case "wrn56-2":
		b.cifarResNet(2)
	case "resnet18":
		b.resNet18()
	default:
		return Model{}, fmt.Errorf("network: unknown net %q; want one of %s", s.Net, strings.Join(Nets(), ", "))
	}
	if err != nil {
		return Model{}, err
	}
	return Model{Name: s.Net, Input: s.Input, Classes: s.Classes, Layers: b.layers}, nil
}

// builder appends layers to a model and keeps the shape of the last one's output, which is the next one's input.
type builder struct {
	spec   Spec
	at     Shape
	layers []Layer
	count  map[Kind]int
}

// channels scales a channel count by the width factor.
func (b *builder) channels(c int) int { return max(1, int(float64(c)*b.spec.Width)) }

// repeats scales a stage's number of layers or blocks by the depth factor.
func (b *builder) repeats(n int) int { return max(1, int(math.Round(float64(n)*b.spec.Depth))) }

// layerPrefix begins the names of a kind's layers; their number in the model follows.
func layerPrefix(k Kind) string {
	switch k {
	case BatchNorm:
		return "bn"
	case MaxPool:
		return "pool"
	case Residual:
		return "block"
	}
	return string(k)
}

func (b *builder) add(l Layer) {
	b.count[l.Kind]++
	l.Name = fmt.Sprintf("%s_%d", layerPrefix(l.Kind), b.count[l.Kind])
	l.In = b.at
	b.at = l.Out
	b.layers = append(b.layers, l)
}

// window is the number of positions that a window has when it moves by stride over n pixels, padding included.
func window(n, k, stride, pad int) int { return (n+2*pad-k)/stride + 1 }

func (b *builder) conv(k, stride, out int) {
	pad := k / 2
	b.add(Layer{Kind: Conv, Kernel: k, Stride: stride, Pad: pad,
		Out: Shape{window(b.at.H, k, stride, pad), window(b.at.W, k, stride, pad), out}})
}

func (b *builder) batchNorm() { b.add(Layer{Kind: BatchNorm, Out: b.at}) }
func (b *builder) relu()      { b.add(Layer{Kind: ReLU, Out: b.at}) }

func (b *builder) maxPool(k, stride, pad int) {
	b.add(Layer{Kind: MaxPool, Kernel: k, Stride: stride, Pad: pad,
		Out: Shape{window(b.at.H, k, stride, pad), window(b.at.W, k, stride, pad), b.at.C}})
}

func (b *builder) globalAvgPool() { b.add(Layer{Kind: GlobalAvgPool, Out: Shape{1, 1, b.at.C}}) }

func (b *builder) linear(out int, bias bool) {
	b.add(Layer{Kind: Linear, Bias: bias, Out: Shape{1, 1, out}})
}

func (b *builder) vgg(channels, repeats, hidden []int) error {
	if b.at.H%8 != 0 || b.at.W%8 != 0 {
		return fmt.Errorf("network: %s pools three times and needs height and width divisible by 8, not %v", b.spec.Net, b.at)
	}
	for i, c := range channels {
		for range b.repeats(repeats[i]) {
			b.conv(3, 1, b.channels(c))
			b.batchNorm()
			b.relu()
		}
		b.maxPool(2, 2, 0)
	}
	for _, h := range hidden {
		b.linear(b.channels(h), false)
		b.batchNorm()
		b.relu()
	}
	b.linear(b.spec.Classes, true)
	return nil
}

// block appends relu(body(x) + shortcut(x)) with two 3x3 convolutions in the body.
func (b *builder) block(out, stride int, projection bool) {
	in, outer := b.at, b.layers
	b.layers = nil
	b.conv(3, stride, out)
	b.batchNorm()
	b.relu()
	b.conv(3, 1, out)
	b.batchNorm()
	body, end := b.layers, b.at
	b.layers, b.at = nil, in
	if stride != 1 || in.C != out {
		if projection {
			b.conv(1, stride, out)
			b.batchNorm()
		} else {
			b.add(Layer{Kind: Subsample, Stride: stride, Out: end})
		}
	}
	shortcut := b.layers
	b.layers, b.at = outer, in
	b.add(Layer{Kind: Residual, Body: body, Shortcut: shortcut, Out: end})
	b.relu()
}

func (b *builder) cifarResNet(widen int) {
	b.conv(3, 1, b.channels(16))
	b.batchNorm()
	b.relu()
	for stage, c := range []int{16, 32, 64} {
		for k := range b.repeats(9) {
			stride := 1
			if stage > 0 && k == 0 {
				stride = 2
			}
			b.block(b.channels(c*widen), stride, b.spec.Shortcut == "B")
		}
	}
	b.globalAvgPool()
	b.linear(b.spec.Classes, true)
}

func (b *builder) resNet18() {
	b.conv(7, 2, b.channels(64))
	b.batchNorm()
	b.relu()
	b.maxPool(3, 2, 1)
	for stage, c := range []int{64, 128, 256, 512} {
		for k := range b.repeats(2) {
			stride := 1
			if stage > 0 && k == 0 {
				stride = 2
			}
			b.block(b.channels(c), stride, b.spec.Shortcut != "A")
		}
	}
	b.globalAvgPool()
	b.linear(b.spec.Classes, true)
}
