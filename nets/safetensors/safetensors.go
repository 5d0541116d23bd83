// Package safetensors reads and writes tensors in the safetensors format (huggingface.co/docs/safetensors): 8 bytes of
// header length, a JSON header {"name": {"dtype","shape","data_offsets":[from,to]}, "__metadata__": {string: string}}, then
// the data without gaps, little-endian.
package safetensors

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

// Tensor is one tensor of a safetensors file.
type Tensor struct {
	Name  string
	DType string // F32 or U8
	Shape []int
	F32   []float32
	U8    []byte
}

func (s Tensor) Size() int { return 4*len(s.F32) + len(s.U8) }

type safeHeader struct {
	DType   string `json:"dtype"`
	Shape   []int  `json:"shape"`
	Offsets [2]int `json:"data_offsets"`
}

const maxSafeHeader = 100_000_000 // the format's own limit

// Write writes tensors in the given order.
func Write(w io.Writer, tensors []Tensor, metadata map[string]string) error {
	header, at := map[string]any{"__metadata__": metadata}, 0
	for _, t := range tensors {
		header[t.Name] = safeHeader{t.DType, t.Shape, [2]int{at, at + t.Size()}}
		at += t.Size()
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
		WriteFloats(out, t.F32)
		out.Write(t.U8)
	}
	return out.Flush()
}

// Parse decodes a file with F32 and U8 tensors. What it allocates is bounded by len(b).
func Parse(b []byte) (map[string]Tensor, map[string]string, error) {
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
	data, tensors, metadata := b[8+n:], map[string]Tensor{}, map[string]string{}
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
		size, err := Size(h.Shape, each, to-from)
		if err != nil || size != to-from {
			return nil, nil, fmt.Errorf("safetensors: tensor %q: shape %v of %s in %d bytes", name, h.Shape, h.DType, to-from)
		}
		if covered += size; covered > len(data) {
			return nil, nil, errors.New("safetensors: tensors overlap")
		}
		s := Tensor{Name: name, DType: h.DType, Shape: h.Shape}
		if each == 4 {
			s.F32 = Floats(data[from:to])
		} else {
			s.U8 = slices.Clone(data[from:to])
		}
		tensors[name] = s
	}
	if covered != len(data) {
		return nil, nil, fmt.Errorf("safetensors: the tensors cover %d of %d bytes of data", covered, len(data))
	}
	return tensors, metadata, nil
}

// WriteFloats writes values little-endian; errors stay in w.
func WriteFloats(w *bufio.Writer, v []float32) {
	var chunk [4096 * 4]byte
	for len(v) > 0 {
		n := min(len(v), len(chunk)/4)
		for i, x := range v[:n] {
			binary.LittleEndian.PutUint32(chunk[4*i:], math.Float32bits(x))
		}
		w.Write(chunk[:4*n])
		v = v[n:]
	}
}

// Size is the size in bytes of a tensor that must fit into available bytes.
func Size(shape []int, each, available int) (int, error) {
	size := each
	for _, s := range shape {
		if s < 0 {
			return 0, fmt.Errorf("shape %v", shape)
		}
		if s > 0 && size > available/s { // size*s > available, without overflow
			return 0, fmt.Errorf("shape %v does not fit into the %d bytes that are left", shape, available)
		}
		size *= s
	}
	if size > available {
		return 0, fmt.Errorf("shape %v does not fit into the %d bytes that are left", shape, available)
	}
	return size, nil
}

func Floats(b []byte) []float32 {
	v := make([]float32, len(b)/4)
	for i := range v {
		v[i] = math.Float32frombits(binary.LittleEndian.Uint32(b[4*i:]))
	}
	return v
}
