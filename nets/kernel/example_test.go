package kernel_test

import (
	"fmt"

	"tqn/nets/kernel"
)

// A layer of two inputs and three outputs, run by the plain Go reference that every fast kernel is tested against.
func ExampleLinear_Forward() {
	workers, err := kernel.NewWorkers(1, "generic")
	if err != nil {
		fmt.Println(err)
		return
	}
	layer := kernel.NewLinear(workers, 1, 2, 3)
	y := make([]float32, 3)
	layer.Forward(y, kernel.Floats([]float32{1, 2}), []float32{1, 0, -1, 0, 1, 1}, []float32{10, 20, 30})
	fmt.Println(y)
	// Output: [11 22 31]
}
