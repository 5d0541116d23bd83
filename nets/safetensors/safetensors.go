// Package safetensors reads and writes tensors in the safetensors format (huggingface.co/docs/safetensors): 8 bytes of
// header length, a JSON header {"name": {"dtype","shape","data_offsets":[from,to]}, "__metadata__": {string: string}}, then
// the data without gaps, little-endian.
package safetensors

import (
	"bufio"
	"bytes"
	"cmp"
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

const (
	maxSafeHeader = 100_000_000 // the format's own limit
	maxMembers    = 100_000     // of one object: tensors, texts of the metadata
	maxEntry      = 4096        // bytes of a tensor's entry
)

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

// Parse decodes a file with F32 and U8 tensors. It is strict where a lenient reader would hand out wrong numbers: the
// tensors cover every byte of the data once, no name or key appears twice, and a tensor's entry has its three keys and no
// other. It takes at most 64 MiB and 4 bytes for each byte of b besides b itself.
func Parse(b []byte) (map[string]Tensor, map[string]string, error) {
	if len(b) < 8 {
		return nil, nil, fmt.Errorf("safetensors: %d bytes are too few", len(b))
	}
	n := binary.LittleEndian.Uint64(b)
	if n > uint64(len(b)-8) || n > maxSafeHeader {
		return nil, nil, fmt.Errorf("safetensors: offset 0: header of %d bytes in a file of %d", n, len(b))
	}
	raw, err := object(b[8 : 8+n])
	if err != nil {
		return nil, nil, fmt.Errorf("safetensors: offset 8: header: %w", err)
	}
	metadata := map[string]string{}
	if m, ok := raw["__metadata__"]; ok {
		if metadata, err = stringsOf(m); err != nil {
			return nil, nil, fmt.Errorf("safetensors: offset 8: metadata: %w", err)
		}
		delete(raw, "__metadata__")
	}
	data, tensors := b[8+n:], map[string]Tensor{}
	var spans []span
	for _, name := range slices.Sorted(maps.Keys(raw)) {
		t, at, err := tensorAt(raw[name], data)
		if err != nil {
			return nil, nil, fmt.Errorf("safetensors: tensor %.100q: %w", name, err)
		}
		t.Name = name
		tensors[name] = t
		spans = append(spans, span{name, at[0], at[1]})
	}
	if err := tile(spans, len(data)); err != nil {
		return nil, nil, fmt.Errorf("safetensors: %w", err)
	}
	return tensors, metadata, nil
}

// tensorAt decodes one entry of the header and copies its tensor out of the data.
func tensorAt(entry json.RawMessage, data []byte) (t Tensor, at [2]int, err error) {
	if len(entry) > maxEntry {
		return t, at, fmt.Errorf("an entry of %d bytes; want at most %d", len(entry), maxEntry)
	}
	fields, err := object(entry)
	if err != nil {
		return t, at, err
	}
	var offsets []int
	for key, into := range map[string]any{"dtype": &t.DType, "shape": &t.Shape, "data_offsets": &offsets} {
		if _, ok := fields[key]; !ok || string(fields[key]) == "null" {
			return t, at, fmt.Errorf("no %s", key)
		}
		if err := json.Unmarshal(fields[key], into); err != nil {
			return t, at, fmt.Errorf("%s: %w", key, err)
		}
		delete(fields, key)
	}
	for key := range fields {
		return t, at, fmt.Errorf("unknown key %.100q; want dtype, shape and data_offsets", key)
	}
	if len(offsets) != 2 {
		return t, at, fmt.Errorf("data offsets %v; want where it begins and where it ends", offsets)
	}
	at = [2]int(offsets)
	if at[0] < 0 || at[1] < at[0] || at[1] > len(data) {
		return t, at, fmt.Errorf("data offsets %v outside the %d bytes of data", at, len(data))
	}
	each := map[string]int{"F32": 4, "U8": 1}[t.DType]
	if each == 0 {
		return t, at, fmt.Errorf("type %q; want F32 or U8", t.DType)
	}
	if size, err := Size(t.Shape, each, at[1]-at[0]); err != nil || size != at[1]-at[0] {
		return t, at, fmt.Errorf("shape %v of %s in %d bytes", t.Shape, t.DType, at[1]-at[0])
	}
	if each == 4 {
		t.F32 = Floats(data[at[0]:at[1]])
	} else {
		t.U8 = slices.Clone(data[at[0]:at[1]])
	}
	return t, at, nil
}

// span is where a tensor lies in the data.
type span struct {
	name     string
	from, to int
}

// tile checks that every byte of the data belongs to exactly one tensor.
func tile(spans []span, size int) error {
	slices.SortFunc(spans, func(a, b span) int { return cmp.Or(cmp.Compare(a.from, b.from), cmp.Compare(a.to, b.to)) })
	end, last := 0, "the header"
	for _, s := range spans {
		if s.from < end {
			return fmt.Errorf("tensors overlap: %.100q begins at %d, where %.100q has not ended", s.name, s.from, last)
		}
		end, last = s.to, s.name
	}
	end, last = 0, "the header"
	for _, s := range append(spans, span{"the end of the file", size, size}) {
		if s.from > end {
			return fmt.Errorf("bytes %d to %d of the data, between %.100q and %.100q, belong to no tensor", end, s.from, last, s.name)
		}
		end, last = s.to, s.name
	}
	return nil
}

// object decodes a JSON object whose keys are all different.
func object(b []byte) (map[string]json.RawMessage, error) {
	dec := json.NewDecoder(bytes.NewReader(b))
	open, err := dec.Token()
	if err != nil {
		return nil, err
	}
	if open != json.Delim('{') {
		return nil, fmt.Errorf("%v where an object should begin", open)
	}
	fields := map[string]json.RawMessage{}
	for dec.More() {
		key, err := dec.Token()
		if err != nil {
			return nil, err
		}
		name := key.(string) // the decoder takes nothing else for a key
		if len(fields) == maxMembers {
			return nil, fmt.Errorf("more than %d members", maxMembers)
		}
		if _, ok := fields[name]; ok {
			return nil, fmt.Errorf("%.100q appears twice", name)
		}
		var value json.RawMessage
		if err := dec.Decode(&value); err != nil {
			return nil, err
		}
		fields[name] = value
	}
	if _, err := dec.Token(); err != nil { // the closing brace
		return nil, err
	}
	if _, err := dec.Token(); err != io.EOF {
		return nil, errors.New("something follows the object")
	}
	return fields, nil
}

// stringsOf decodes an object of strings.
func stringsOf(b []byte) (map[string]string, error) {
	fields, err := object(b)
	if err != nil {
		return nil, err
	}
	values := map[string]string{}
	for key, value := range fields {
		var s *string
		if err := json.Unmarshal(value, &s); err != nil {
			return nil, fmt.Errorf("%.100q: %w", key, err)
		}
		if s == nil {
			return nil, fmt.Errorf("%.100q is null; want a string", key)
		}
		values[key] = *s
	}
	return values, nil
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

// Floats decodes little-endian values.
func Floats(b []byte) []float32 {
	v := make([]float32, len(b)/4)
	for i := range v {
		v[i] = math.Float32frombits(binary.LittleEndian.Uint32(b[4*i:]))
	}
	return v
}
