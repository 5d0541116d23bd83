package nets

import (
	"encoding/json"
	"fmt"
	"maps"
	"math"
	"tqn/nets/network"
	"tqn/nets/safetensors"
)

// weights.safetensors holds every parameter and running average as F32, the convolution weights of the quantised methods as the
// net uses them: -1 or +1. weights.packed.safetensors holds the same with each of those as U8 bits: bit i&7 of byte i>>3 is 1 where
// weight i is -1; "NAME.shape" in its metadata is the tensor's shape.
const (
	weightsName = "weights.safetensors"
	packedName  = "weights.packed.safetensors"
)

// signsOf packs signs: bit i&7 of byte i>>3 is 1 where weight i is negative.
func signsOf(w []float32) []byte {
	b := make([]byte, (len(w)+7)/8)
	for i, v := range w {
		if v < 0 {
			b[i>>3] |= 1 << (i & 7)
		}
	}
	return b
}

// fromSigns is the inverse of signsOf for weights -1 and +1.
func fromSigns(b []byte, n int) []float32 {
	w := make([]float32, n)
	for i := range w {
		w[i] = 1
		if b[i>>3]>>(i&7)&1 == 1 {
			w[i] = -1
		}
	}
	return w
}

// weightFiles returns the contents of the two weight files; packed is nil for adam.
func weightFiles(e network.Engine, config Config) (full, packed []safetensors.Tensor, metadata, packedMetadata map[string]string) {
	method, err := MethodNamed(config.Method)
	if err != nil {
		panic(err) // the Config is resolved
	}
	b, err := json.Marshal(config)
	if err != nil {
		panic(err)
	}
	m := e.Model()
	metadata = map[string]string{"format": "tqn", "layout": "conv HWIO, linear IO over (h,w,c)", "config": string(b),
		"classes": fmt.Sprint(m.Classes), "input": m.Input.String()}
	packedMetadata = maps.Clone(metadata)
	packedMetadata["bits"] = "bit i&7 of byte i>>3 is 1 where weight i is -1, else it is +1"
	for _, p := range m.Params() {
		w := make([]float32, p.Len())
		e.Get(p.Name, w)
		one := safetensors.Tensor{Name: p.Name, DType: "F32", Shape: p.Shape, F32: w}
		if !p.Binarised() || method.Name == "adam" {
			full, packed = append(full, one), append(packed, one)
			continue
		}
		for i, v := range w { // what the net uses: bc keeps reals behind its signs
			w[i] = float32(math.Copysign(1, float64(v)))
			if v == 0 {
				w[i] = 1
			}
		}
		signs := signsOf(w)
		full = append(full, one)
		packed = append(packed, safetensors.Tensor{Name: p.Name, DType: "U8", Shape: []int{len(signs)}, U8: signs})
		packedMetadata[p.Name+".shape"] = fmt.Sprint(p.Shape)
	}
	if method.Name == "adam" {
		packed = nil
	}
	return full, packed, metadata, packedMetadata
}

// loadWeights sets an engine's parameters from a weight file of either kind.
func loadWeights(e network.Engine, b []byte) error {
	tensors, _, err := safetensors.Parse(b)
	if err != nil {
		return err
	}
	for _, p := range e.Model().Params() {
		t, ok := tensors[p.Name]
		w := t.F32
		if ok && t.DType == "U8" && p.Binarised() && len(t.U8) == (p.Len()+7)/8 {
			w = fromSigns(t.U8, p.Len())
		}
		if len(w) != p.Len() {
			return fmt.Errorf("nets: weights: tensor %q of shape %v; the model wants %v", p.Name, t.Shape, p.Shape)
		}
		e.Set(p.Name, w)
	}
	return nil
}
