package network

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"math"

	"tqn/quantize"
)

// Engine runs a model: one training step, one evaluation, and its state by name. It knows nothing of data sets, epochs,
// files or the clock. An Engine is used by one goroutine.
type Engine interface {
	// Model is the model the engine was built for.
	Model() Model

	// Kernel names the code that runs, for manifests: "generic", "avx512", ...
	Kernel() string

	// Step takes one training step on a batch and returns the loss and the errors on that batch, before the update.
	//
	//	x       Batch images (N,H,W,C); fewer, but two at least, where Hyper.Partial allows it
	//	labels  Batch classes in [0, Classes)
	//	alpha   the learning rate
	//	step    number of this step, from 1: Adam's bias correction and the noise are functions of it
	//
	// If something is not finite, Step returns a *NonFiniteError and leaves parameters and optimiser state as they were
	// (the running averages of batch norm may have moved).
	Step(x []float32, labels []int32, alpha float64, step uint64) (Loss, error)

	// Evaluate runs the forward pass with the running averages and the weights of the rule (wb for bc). x holds 1 to
	// Batch images. The sums are over the batch.
	Evaluate(x []float32, labels []int32) (Loss, error)

	// Tensors lists the engine's whole state, see [StateTensors].
	Tensors() []Tensor

	// Get copies a state tensor to dst, Set the other way. They panic on an unknown name or a wrong length.
	Get(name string, dst []float32)
	Set(name string, src []float32)
}

// Loss is what a batch cost: sums, so that batches add up.
type Loss struct {
	Images int
	Sum    float64 // sum of the images' cross entropies, in nats
	Wrong  int     // images whose largest logit is not the label's
}

// Add adds another batch.
func (l *Loss) Add(b Loss) {
	l.Images += b.Images
	l.Sum += b.Sum
	l.Wrong += b.Wrong
}

// Mean is the mean cross entropy, in nats.
func (l Loss) Mean() float64 { return l.Sum / float64(max(1, l.Images)) }

// Error is the top-1 error in percent.
func (l Loss) Error() float64 { return 100 * float64(l.Wrong) / float64(max(1, l.Images)) }

// Tensor names one tensor of an engine's state.
type Tensor struct {
	Name  string `json:"name"`
	Shape []int  `json:"shape"`
}

// Len is the number of values.
func (t Tensor) Len() int { return Param{Shape: t.Shape}.Len() }

// Adam's moments are state tensors named after their parameter with these suffixes.
const (
	FirstMoment  = ".m"
	SecondMoment = ".v"
)

// StateTensors lists the state of any engine for a model: every tensor of [Model.Params] in its order, then for each
// trained tensor Adam's first and second moment.
func StateTensors(m Model) []Tensor {
	var ts []Tensor
	for _, p := range m.Params() {
		ts = append(ts, Tensor{p.Name, p.Shape})
	}
	for _, p := range m.Params() {
		if p.Trained() {
			ts = append(ts, Tensor{p.Name + FirstMoment, p.Shape}, Tensor{p.Name + SecondMoment, p.Shape})
		}
	}
	return ts
}

// Adam's constants: Kingma and Ba 2015, Algorithm 1, the defaults of every framework; the paper does not give its own.
const (
	AdamBeta1   = 0.9
	AdamBeta2   = 0.999
	AdamEpsilon = 1e-8
)

// Hyper is what an engine needs to know besides the model. Adam is
//
//	m <- b1 m + (1-b1) g,  v <- b2 v + (1-b2) g^2,  step = alpha * (m/(1-b1^t)) / (sqrt(v/(1-b2^t)) + eps)
//
// with g = gradient + WeightDecay*w, and the step goes through the rule of quantize.
type Hyper struct {
	Batch         int            // images in a training step, fixed
	Rule          quantize.Rule  // of the binarised tensors, on quantize.Binary(); all others follow quantize.Float
	Noise         quantize.Noise // stochastic rounding draws word i of At(uint32(param.Index), step) for weight i
	NormMomentum  float64        // running <- (1-NormMomentum)*running + NormMomentum*batch
	NormEpsilon   float64        // added to the variance
	WeightDecay   float64        // L2 coefficient on the stored weights of convolutions and linear layers; 0 in Table 1
	UnbiasedState bool           // running variance from the unbiased batch variance n/(n-1), as Torch does

	Unclipped bool // bc keeps no box around its real weights: Clip of nets.Config
	FanScale  bool // bc's steps of binarised tensors are [Hyper.Scale] times as long: LearningRateScale of nets.Config
	Partial   bool // Step may get fewer than Batch images: LastBatch of nets.Config
}

// Scale is the factor on a tensor's steps: 1, or BinaryConnect's sqrt((fan-in + fan-out)/1.5).
func (h Hyper) Scale(p Param) float64 {
	if !h.FanScale || h.Rule != quantize.BC || !p.Binarised() {
		return 1
	}
	return math.Sqrt(float64(p.FanIn+p.fanOut()) / 1.5)
}

// NonFiniteError reports a NaN or an infinity met in a training step.
type NonFiniteError struct {
	What   string // "loss", "gradient", "output" or "value"
	Tensor string // the parameter or layer
	Step   uint64
	Method string // set by the training loop
}

func (e *NonFiniteError) Error() string {
	s := fmt.Sprintf("network: %s of %s is not finite at step %d", e.What, e.Tensor, e.Step)
	if e.Method != "" {
		s += " of method " + e.Method
	}
	return s
}

// stateHash is the SHA-256 of an engine's whole state, in hex.
func stateHash(e Engine) string {
	h := sha256.New()
	for _, t := range e.Tensors() {
		v := make([]float32, t.Len())
		e.Get(t.Name, v)
		h.Write(littleEndian(v))
	}
	return hex.EncodeToString(h.Sum(nil))
}

// littleEndian is the tensor as bytes.
func littleEndian(v []float32) []byte {
	b := make([]byte, 0, 4*len(v))
	for _, x := range v {
		b = binary.LittleEndian.AppendUint32(b, math.Float32bits(x))
	}
	return b
}
