package safetensors

import (
	"encoding/binary"
	"fmt"
	"strings"
	"testing"
)

// Sizes are bounded and not negative; every refusal has a file that only it keeps out.
func TestSizesAreChecked(t *testing.T) {
	const a = `"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}`
	var members strings.Builder
	for i := range maxMembers + 1 {
		fmt.Fprintf(&members, `%q:"x",`, fmt.Sprint(i))
	}
	long := func(n uint64) []byte {
		b := binary.LittleEndian.AppendUint64(nil, n)
		return append(b, make([]byte, min(n, maxSafeHeader+1))...)
	}
	for name, c := range map[string]struct {
		b     []byte
		words string
	}{
		"a file of seven bytes":      {make([]byte, 7), "7 bytes are too few"},
		"a header beyond the file":   {long(8)[:15], "header of 8 bytes in a file of 15"},
		"a header of 2^63 bytes":     {append(binary.LittleEndian.AppendUint64(nil, 1<<63), "{}"...), "header of 9223372036854775808 bytes"},
		"a header of over 100 MB":    {long(maxSafeHeader + 1), "header of 100000001 bytes"},
		"an entry of over 4096":      {file(`{"a":{"dtype":"F32","shape":[2],"data_offsets":[0,`+strings.Repeat(" ", maxEntry)+`8]}}`, 8), "want at most 4096"},
		"a negative offset":          {file(`{"a":{"dtype":"U8","shape":[4],"data_offsets":[-4,0]}}`, 0), "data offsets [-4 0] outside"},
		"offsets that turn round":    {file(`{"a":{"dtype":"U8","shape":[0],"data_offsets":[4,2]}}`, 4), "data offsets [4 2] outside"},
		"another type of no values":  {file(`{"a":{"dtype":"F16","shape":[0],"data_offsets":[0,0]}}`, 0), `type "F16"`},
		"a smaller shape":            {file(`{"a":{"dtype":"F32","shape":[1],"data_offsets":[0,8]}}`, 8), "shape [1] of F32 in 8 bytes"},
		"a negative dimension":       {file(`{"a":{"dtype":"F32","shape":[-1,-2],"data_offsets":[0,8]}}`, 8), "shape [-1 -2] of F32"},
		"a shape that overflows":     {file(`{"a":{"dtype":"U8","shape":[4294967296,4294967296],"data_offsets":[0,0]}}`, 0), "shape [4294967296 4294967296]"},
		"too many texts":             {file(`{"__metadata__":{`+strings.TrimSuffix(members.String(), ",")+`},`+a+`}`, 8), "more than 100000 members"},
		"null as a text of metadata": {file(`{"__metadata__":{"k":null},`+a+`}`, 8), `"k" is null; want a string`},
	} {
		if _, _, err := Parse(c.b); err == nil || !strings.Contains(err.Error(), c.words) {
			t.Errorf("%s: error %v, want %q", name, err, c.words)
		}
	}
	for name, c := range map[string]struct {
		shape           []int
		each, available int
		size            int // -1: refused
	}{
		"a matrix":                  {[]int{2, 3}, 4, 24, 24},
		"a byte too large":          {[]int{2, 3}, 4, 23, -1},
		"a scalar":                  {nil, 4, 4, 4},
		"a scalar in three bytes":   {nil, 4, 3, -1},
		"nothing":                   {[]int{1 << 62, 0}, 4, 1 << 62, -1}, // an honest file of no values has no dimension beyond its length
		"nothing, the other way":    {[]int{0, 1 << 62}, 4, 0, 0},
		"a negative dimension":      {[]int{-1}, 4, 100, -1},
		"a product that wraps to 0": {[]int{1 << 32, 1 << 32}, 1, 100, -1},
	} {
		size, err := Size(c.shape, c.each, c.available)
		if c.size < 0 && err == nil || c.size >= 0 && (err != nil || size != c.size) {
			t.Errorf("%s: %d, %v; want %d", name, size, err, c.size)
		}
	}
}
