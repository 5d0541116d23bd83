package cluster_test

import (
	"fmt"

	"tqn/cluster"
)

// A plan lists the cells of Table 1: here one column at the paper's protocol, all five methods, one seed.
func ExampleNewPlan() {
	plan, err := cluster.NewPlan("paper", cluster.Choice{Columns: []string{"vgg9"}, Seeds: 1})
	if err != nil {
		fmt.Println(err)
		return
	}
	for _, cell := range plan.Cells {
		fmt.Println(cell.ID, cell.Config.Epochs, "epochs, batch", cell.Config.Batch)
	}
	// Output:
	// vgg9.adam.1 160 epochs, batch 128
	// vgg9.bc.1 160 epochs, batch 128
	// vgg9.big-sr.1 160 epochs, batch 1024
	// vgg9.sr.1 160 epochs, batch 128
	// vgg9.r.1 160 epochs, batch 128
}
