package convex_test

import (
	"fmt"
	"log"

	"tqn/convex"
)

// E F(wbar_T) - F* of SR on a problem that attains the floor of Theorem 2, Delta G/2:
// an exact number, no run is simulated.
func ExampleAverageLaw() {
	in, err := convex.NewInstance(convex.Tight(1, 1, 1, 0), 1, nil, convex.Root(1), 10_000)
	if err != nil {
		log.Fatal(err)
	}
	gap, err := convex.AverageLaw(in)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Printf("%.3f of the floor %.3f\n", gap/0.5, 0.5)
	// Output:
	// 0.995 of the floor 0.500
}
