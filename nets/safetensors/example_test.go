package safetensors_test

import (
	"bytes"
	"fmt"

	"tqn/nets/safetensors"
)

// A tensor written and read back.
func ExampleParse() {
	var b bytes.Buffer
	signs := safetensors.Tensor{Name: "conv_1.weight", DType: "F32", Shape: []int{1, 2}, F32: []float32{1, -1}}
	if err := safetensors.Write(&b, []safetensors.Tensor{signs}, map[string]string{"seed": "1"}); err != nil {
		fmt.Println(err)
		return
	}
	tensors, metadata, err := safetensors.Parse(b.Bytes())
	fmt.Println(tensors["conv_1.weight"].F32, metadata["seed"], err)
	// Output: [1 -1] 1 <nil>
}
