package network_test

import (
	"fmt"

	"tqn/nets/network"
)

// ResNet-56 on 32 x 32 colour images, as Appendix H.1 describes it.
func ExampleNewModel() {
	m, err := network.NewModel(network.Spec{Net: "resnet56", Input: network.Shape{H: 32, W: 32, C: 3}, Classes: 10})
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Printf("%.2f million convolution weights\n", float64(m.Counts().Conv)/1e6)
	// Output: 0.85 million convolution weights
}
