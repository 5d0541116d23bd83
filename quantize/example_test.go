package quantize_test

import (
	"fmt"

	"tqn/quantize"
)

// Stochastic rounding keeps the mean of a short step that nearest rounding loses: of 100,000 weights at 0 that each take the
// step 0.1 on the grid {-1, 0, 1}, about a tenth move by 1 under SR (equation 4) and none under R.
func ExampleUpdate() {
	grid, err := quantize.NewGrid(1, -1, 1)
	if err != nil {
		fmt.Println(err)
		return
	}
	step := make([]float64, 100_000)
	for i := range step {
		step[i] = 0.1
	}
	for _, rule := range []quantize.Rule{quantize.R, quantize.SR} {
		w := make([]float64, len(step))
		quantize.Update(rule, grid, w, step, quantize.NewNoise(1).At(7, 1))
		moved := 0.0
		for _, x := range w {
			moved -= x
		}
		fmt.Printf("%v: %.2f of the weights moved\n", rule, moved/float64(len(w)))
	}
	// Output:
	// r: 0.00 of the weights moved
	// sr: 0.10 of the weights moved
}
