package nets

import (
	"bufio"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"math"
	"slices"
)

// The files of trained weights follow the safetensors format (huggingface.co/docs/safetensors): 8 bytes of header length, a JSON header
// {"name": {"dtype","shape","data_offsets":[from,to]}, "__metadata__": {string: string}}, then the data without gaps.
//
// weights.safetensors holds every parameter and running average as F32, the convolution weights of the quantised methods as the
// net uses them: -1 or +1. weights.packed.safetensors holds the same with each of those as U8 bits: bit i&7 of byte i>>3 is 1 where
// weight i is -1; "NAME.shape" in its metadata is the tensor's shape.

const (
	weightsName = "weights.safetensors"
	packedName  = "weights.packed.safetensors"
)

// stored is one tensor of a safetensors file.
type stored struct {
	name  string
	dtype string // F32 or U8
	shape []int
	f32   []float32
	u8    []byte
}

func (s stored) size() int { return 4*len(s.f32) + len(s.u8) }

type safeHeader struct {
	DType   string `json:"dtype"`
	Shape   []int  `json:"shape"`
	Offsets [2]int `json:"data_offsets"`
}

const maxSafeHeader = 100_000_000 // the format's own limit

// writeSafetensors writes tensors in the given order.
func writeSafetensors(w io.Writer, tensors []stored, metadata map[string]string) error {
	header, at := map[string]any{"__metadata__": metadata}, 0
	for _, t := range tensors {
		header[t.name] = safeHeader{t.dtype, t.shape, [2]int{at, at + t.size()}}
		at += t.size()
	}
	b, err := json.Marshal(header) // sorts the names: the same tensors give the same bytes
	if err != nil {
		return err
	}
	for len(b)%8 != 0 {
		b = append(b, ' ') // the format aligns the data with spaces
	}
	out := bufio.NewWriterSize(w, 1<<20)
	out.Write(binary.LittleEndian.AppendUint64(nil, uint64(len(b))))
	out.Write(b)
	for _, t := range tensors {
		writeFloats(out, t.f32)
		out.Write(t.u8)
	}
	return out.Flush()
}

// parseSafetensors decodes a file with F32 and U8 tensors. What it allocates is bounded by len(b).
func parseSafetensors(b []byte) (map[string]stored, map[string]string, error) {
	if len(b) < 8 {
		return nil, nil, fmt.Errorf("safetensors: %d bytes are too few", len(b))
	}
	n := binary.LittleEndian.Uint64(b)
	if n > uint64(len(b)-8) || n > maxSafeHeader {
		return nil, nil, fmt.Errorf("safetensors: offset 0: header of %d bytes in a file of %d", n, len(b))
	}
	var raw map[string]json.RawMessage
	if err := json.Unmarshal(b[8:8+n], &raw); err != nil {
		return nil, nil, fmt.Errorf("safetensors: offset 8: header: %w", err)
	}
	data, tensors, metadata := b[8+n:], map[string]stored{}, map[string]string{}
	covered := 0
	for _, name := range slices.Sorted(maps.Keys(raw)) {
		if name == "__metadata__" {
			if err := json.Unmarshal(raw[name], &metadata); err != nil {
				return nil, nil, fmt.Errorf("safetensors: offset 8: metadata: %w", err)
			}
			continue
		}
		var h safeHeader
		if err := json.Unmarshal(raw[name], &h); err != nil {
			return nil, nil, fmt.Errorf("safetensors: offset 8: tensor %q: %w", name, err)
		}
		from, to := h.Offsets[0], h.Offsets[1]
		if from < 0 || to < from || to > len(data) {
			return nil, nil, fmt.Errorf("safetensors: tensor %q: data offsets %v outside the %d bytes of data", name, h.Offsets, len(data))
		}
		each := map[string]int{"F32": 4, "U8": 1}[h.DType]
		if each == 0 {
			return nil, nil, fmt.Errorf("safetensors: tensor %q: type %q; want F32 or U8", name, h.DType)
		}
		size, err := tensorSize(h.Shape, each, to-from)
		if err != nil || size != to-from {
			return nil, nil, fmt.Errorf("safetensors: tensor %q: shape %v of %s in %d bytes", name, h.Shape, h.DType, to-from)
		}
		if covered += size; covered > len(data) {
			return nil, nil, errors.New("safetensors: tensors overlap")
		}
		s := stored{name: name, dtype: h.DType, shape: h.Shape}
		if each == 4 {
			s.f32 = readFloats(data[from:to])
		} else {
			s.u8 = slices.Clone(data[from:to])
		}
		tensors[name] = s
	}
	if covered != len(data) {
		return nil, nil, fmt.Errorf("safetensors: the tensors cover %d of %d bytes of data", covered, len(data))
	}
	return tensors, metadata, nil
}

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
func weightFiles(e Engine, config Config) (full, packed []stored, metadata, packedMetadata map[string]string) {
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
		one := stored{name: p.Name, dtype: "F32", shape: p.Shape, f32: w}
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
		packed = append(packed, stored{name: p.Name, dtype: "U8", shape: []int{len(signs)}, u8: signs})
		packedMetadata[p.Name+".shape"] = fmt.Sprint(p.Shape)
	}
	if method.Name == "adam" {
		packed = nil
	}
	return full, packed, metadata, packedMetadata
}

// loadWeights sets an engine's parameters from a weight file of either kind.
func loadWeights(e Engine, b []byte) error {
	tensors, _, err := parseSafetensors(b)
	if err != nil {
		return err
	}
	for _, p := range e.Model().Params() {
		t, ok := tensors[p.Name]
		w := t.f32
		if ok && t.dtype == "U8" && p.Binarised() && len(t.u8) == (p.Len()+7)/8 {
			w = fromSigns(t.u8, p.Len())
		}
		if len(w) != p.Len() {
			return fmt.Errorf("nets: weights: tensor %q of shape %v; the model wants %v", p.Name, t.shape, p.Shape)
		}
		e.Set(p.Name, w)
	}
	return nil
}
