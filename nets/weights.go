package nets

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"math"
	"slices"
	"strings"
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
	for _, p := range m.Params() {
		w := make([]float32, p.Len())
		e.Get(p.Name, w)
		if p.Binarised() && method.Name != "adam" {
			for i, v := range w { // what the net uses: bc keeps reals behind its signs
				w[i] = float32(math.Copysign(1, float64(v)))
				if v == 0 {
					w[i] = 1
				}
			}
		}
		full = append(full, safetensors.Tensor{Name: p.Name, DType: "F32", Shape: p.Shape, F32: w})
	}
	if method.Name == "adam" {
		return full, nil, metadata, nil
	}
	packed, packedMetadata = packWeights(m, full, metadata)
	return full, packed, metadata, packedMetadata
}

// packWeights makes the packed file's tensors and metadata of the full file's.
func packWeights(m network.Model, full []safetensors.Tensor, metadata map[string]string) ([]safetensors.Tensor, map[string]string) {
	packed, packedMetadata := slices.Clone(full), maps.Clone(metadata)
	packedMetadata["bits"] = "bit i&7 of byte i>>3 is 1 where weight i is -1, else it is +1"
	for i, p := range m.Params() {
		if p.Binarised() {
			signs := signsOf(full[i].F32)
			packed[i] = safetensors.Tensor{Name: p.Name, DType: "U8", Shape: []int{len(signs)}, U8: signs}
			packedMetadata[p.Name+".shape"] = fmt.Sprint(p.Shape)
		}
	}
	return packed, packedMetadata
}

// loadWeights sets an engine's parameters from a weight file of either kind and returns the SHA-256 of the full file, in
// hex: of a packed file, that of the full file whose weights it packs, which vouches for both. It is an error unless the
// tensors are exactly the model's, by name, type and shape, and their values finite.
func loadWeights(e network.Engine, b []byte) (hash string, err error) {
	tensors, metadata, err := safetensors.Parse(b)
	if err != nil {
		return "", err
	}
	var full []safetensors.Tensor
	packed := false
	for _, p := range e.Model().Params() {
		t, ok := tensors[p.Name]
		if !ok {
			return "", fmt.Errorf("nets: weights: tensor %q is missing", p.Name)
		}
		delete(tensors, p.Name)
		w := safetensors.Tensor{Name: p.Name, DType: "F32", Shape: p.Shape, F32: t.F32}
		if t.DType == "U8" && p.Binarised() {
			if declared := metadata[p.Name+".shape"]; declared != fmt.Sprint(p.Shape) || len(t.U8) != (p.Len()+7)/8 {
				return "", fmt.Errorf("nets: weights: tensor %q of shape %s in %d bytes; the model wants %v, a bit for each weight", p.Name, declared, len(t.U8), p.Shape)
			}
			packed, w.F32 = true, fromSigns(t.U8, p.Len())
		} else if fmt.Sprint(t.Shape) != fmt.Sprint(p.Shape) || t.DType != "F32" {
			return "", fmt.Errorf("nets: weights: tensor %q of shape %v and type %s; the model wants %v and F32", p.Name, t.Shape, t.DType, p.Shape)
		}
		for i, v := range w.F32 {
			if x := float64(v); math.IsNaN(x) || math.IsInf(x, 0) {
				return "", fmt.Errorf("nets: weights: tensor %q: value %d is %v; want finite numbers", p.Name, i, v)
			}
		}
		full = append(full, w)
		e.Set(p.Name, w.F32)
	}
	for _, name := range slices.Sorted(maps.Keys(tensors)) {
		return "", fmt.Errorf("nets: weights: tensor %q; the model has none of that name", name)
	}
	if packed {
		maps.DeleteFunc(metadata, func(key, _ string) bool { return key == "bits" || strings.HasSuffix(key, ".shape") })
		again, err := encoded(packWeights(e.Model(), full, metadata))
		if err != nil {
			return "", err
		}
		if !bytes.Equal(again, b) { // every byte counts, also the bits that fill a tensor's last byte
			return "", errors.New("nets: weights: the same weights packed by this program have other bytes: the file is damaged or changed")
		}
		if b, err = encoded(full, metadata); err != nil {
			return "", err
		}
	}
	return sha256Hex(b), nil
}

// largestWeights bounds the bytes of a model's weight file: the full one with a header of at most 16 MiB.
func largestWeights(m network.Model) int64 {
	n := int64(16 << 20)
	for _, p := range m.Params() {
		n += 4 * int64(p.Len())
	}
	return n
}

// encoded is a safetensors file.
func encoded(tensors []safetensors.Tensor, metadata map[string]string) ([]byte, error) {
	var b bytes.Buffer
	if err := safetensors.Write(&b, tensors, metadata); err != nil {
		return nil, fmt.Errorf("nets: weights: %w", err)
	}
	return b.Bytes(), nil
}

func sha256Hex(b []byte) string {
	sum := sha256.Sum256(b)
	return hex.EncodeToString(sum[:])
}
