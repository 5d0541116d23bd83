package pjrt_test

import (
	"fmt"
	"log"

	"tqn/pjrt"
)

// Adds one to three numbers on the first device of an installed plug-in.
func Example() {
	path, err := pjrt.Find("") // $TQN_PJRT_PLUGIN, or an installed JAX wheel
	if err != nil {
		log.Fatal(err)
	}
	plugin, err := pjrt.Open(path)
	if err != nil {
		log.Fatal(err)
	}
	client, err := plugin.NewClient(nil)
	if err != nil {
		log.Fatal(err)
	}
	defer client.Destroy()
	device := client.Devices[0]
	program, err := client.Compile(`module @add_one {
  func.func @main(%x: tensor<3xf32>) -> tensor<3xf32> {
    %one = stablehlo.constant dense<1.0> : tensor<3xf32>
    %y = stablehlo.add %x, %one : tensor<3xf32>
    return %y : tensor<3xf32>
  }
}`, device)
	if err != nil {
		log.Fatal(err)
	}
	defer program.Destroy()
	x, err := pjrt.FromHost(client, device, []float32{1, 2, 3}, 3)
	if err != nil {
		log.Fatal(err)
	}
	defer x.Destroy()
	results, err := program.Run(x)
	if err != nil {
		log.Fatal(err)
	}
	defer results[0].Destroy()
	y, err := pjrt.ToHost[float32](results[0])
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(y) // [2 3 4]
}
