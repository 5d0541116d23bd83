package worst_test

import (
	"fmt"

	"tqn/bounds"
	"tqn/worst"
)

// The worst case of Theorem 2 for steps of c = sqrt(2) D/G lies above the bound that Section 4.1 prints from T = 12 on.
func Example() {
	cases, err := worst.Cases() // checks every certificate
	if err != nil {
		panic(err)
	}
	for _, c := range cases {
		if c.Row() != "theorem2-k2-2" || c.T != 11 && c.T != 12 {
			continue
		}
		printed, err := c.Bound(bounds.Printed)
		if err != nil {
			panic(err)
		}
		fmt.Printf("T = %d: at least %.4f G D, at most %.4f; printed bound %.4f\n", c.T, c.Lower, c.Upper, printed)
	}
	// Output:
	// T = 11: at least 0.4319 G D, at most 0.4319; printed bound 0.4359
	// T = 12: at least 0.4167 G D, at most 0.4167; printed bound 0.4166
}
