package safetensors

import (
	"bytes"
	"testing"
)

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
		if size > len(b) {
			t.Fatalf("%d bytes of tensors from a file of %d", size, len(b))
		}
	})
}
