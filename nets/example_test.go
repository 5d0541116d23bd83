package nets_test

import (
	"fmt"

	"tqn/nets"
	"tqn/nets/network"
)

// VGG-9 of Table 2 and its parameters in millions, as Appendix H.1 counts them.
func ExampleNewModel() {
	m, err := network.NewModel(network.Spec{Net: "vgg9", Input: network.Shape{H: 32, W: 32, C: 3}, Classes: 10})
	if err != nil {
		fmt.Println(err)
		return
	}
	c := m.Counts()
	fmt.Printf("conv %.1f, linear %.1f\n", float64(c.Conv)/1e6, float64(c.Linear)/1e6)
	// Output: conv 1.7, linear 1.1
}

// The paper's protocol for one cell of Table 1, resolved from three names.
func ExampleConfig_Resolve() {
	c, err := nets.Config{Net: "wrn56-2", Method: "big-sr", Data: "cifar10"}.Resolve()
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(c.Epochs, c.Batch, c.LearningRate, c.Drops, c.WeightDecay)
	fmt.Println(c.Alpha(82), c.Alpha(83), c.Alpha(123))
	// Output:
	// 160 512 0.01 [82 122] 0
	// 0.01 0.001 0.0001
}
