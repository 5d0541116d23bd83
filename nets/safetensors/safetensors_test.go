package safetensors

import (
	"bytes"
	"encoding/binary"
	"strings"
	"testing"
)

// file is a safetensors file of that header and so many bytes of data, each of value 1.
func file(header string, data int) []byte {
	b := binary.LittleEndian.AppendUint64(nil, uint64(len(header)))
	return append(append(b, header...), bytes.Repeat([]byte{1}, data)...)
}

// A header that promises other tensors than the data holds is refused, and the message says where.
func TestHeadersThatDoNotTileAreRefused(t *testing.T) {
	const a, b = `"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}`, `"b":{"dtype":"U8","shape":[3],"data_offsets":[8,11]}`
	if tensors, _, err := Parse(file("{"+b+","+a+"}  ", 11)); err != nil || len(tensors["a"].F32) != 2 || len(tensors["b"].U8) != 3 {
		t.Fatalf("a right file: %v, %v", tensors, err)
	}
	for name, c := range map[string]struct {
		header string
		data   int
		words  string
	}{
		"two tensors in one place":   {`{` + a + `,"b":{"dtype":"U8","shape":[8],"data_offsets":[0,8]},"c":{"dtype":"U8","shape":[0],"data_offsets":[8,8]}}`, 8, "overlap"},
		"same place, rest uncovered": {`{` + a + `,"b":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}}`, 16, "overlap"},
		"a gap before an overlap":    {`{` + a + `,"b":{"dtype":"U8","shape":[4],"data_offsets":[12,16]},"c":{"dtype":"U8","shape":[4],"data_offsets":[12,16]}}`, 16, "overlap"},
		"a gap":                      {`{` + a + `,"b":{"dtype":"U8","shape":[3],"data_offsets":[9,12]}}`, 12, "bytes 8 to 9"},
		"a gap at the start":         {`{"b":{"dtype":"U8","shape":[3],"data_offsets":[8,11]}}`, 11, "bytes 0 to 8"},
		"bytes behind":               {`{` + a + `,` + b + `}`, 12, "bytes 11 to 12"},
		"data cut short":             {`{` + a + `,` + b + `}`, 10, "outside the 10 bytes"},
		"a name twice":               {`{` + a + `,` + a + `}`, 8, `"a" appears twice`},
		"a key twice":                {`{"a":{"dtype":"F32","shape":[1],"shape":[2],"data_offsets":[0,8]}}`, 8, `"shape" appears twice`},
		"no offsets":                 {`{"a":{"dtype":"U8","shape":[0]}}`, 0, "no data_offsets"},
		"no shape":                   {`{"a":{"dtype":"F32","shape":null,"data_offsets":[0,4]}}`, 4, "no shape"},
		"three offsets":              {`{"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8,9]}}`, 8, "begins and"},
		"one offset":                 {`{"a":{"dtype":"U8","shape":[0],"data_offsets":[0]}}`, 0, "begins and"},
		"an unknown key":             {`{"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8],"scale":2}}`, 8, `unknown key "scale"`},
		"a key in capitals":          {`{"a":{"DType":"F32","shape":[2],"data_offsets":[0,8]}}`, 8, "no dtype"},
		"another type":               {`{"a":{"dtype":"F16","shape":[4],"data_offsets":[0,8]}}`, 8, "F16"},
		"another shape":              {`{"a":{"dtype":"F32","shape":[3],"data_offsets":[0,8]}}`, 8, "[3]"},
		"a number as metadata":       {`{"__metadata__":{"k":1},` + a + `}`, 8, "metadata"},
		"a list":                     {`[]`, 0, "object"},
		"something behind":           {`{` + a + `}{}`, 8, "follows"},
	} {
		if _, _, err := Parse(file(c.header, c.data)); err == nil || !strings.Contains(err.Error(), c.words) {
			t.Errorf("%s: error %v, want %q", name, err, c.words)
		}
	}
}

// FuzzSafetensors: nothing panics, nothing allocates more than the file allows, and what parses covers the data exactly.
func FuzzSafetensors(f *testing.F) {
	var b bytes.Buffer
	if err := Write(&b, []Tensor{{"a", "F32", []int{2}, []float32{1, 2}, nil}, {"b", "U8", []int{3}, nil, []byte{1, 2, 3}}},
		map[string]string{"k": "v"}); err != nil {
		f.Fatal(err)
	}
	f.Add(b.Bytes())
	f.Add([]byte("\x02\x00\x00\x00\x00\x00\x00\x00{}"))
	f.Add([]byte(`@` + "\x00\x00\x00\x00\x00\x00\x00" + `{"a":{"dtype":"F32","shape":[4611686018427387904,4],"data_offsets":[0,0]}}`))
	f.Fuzz(func(t *testing.T, b []byte) {
		tensors, _, err := Parse(b)
		if err != nil {
			return
		}
		size := 0
		for _, s := range tensors {
			size += s.Size()
		}
		if data := len(b) - 8 - int(binary.LittleEndian.Uint64(b)); size != data {
			t.Fatalf("%d bytes of tensors from %d bytes of data", size, data)
		}
	})
}
