package bounds_test

import (
	"fmt"

	"tqn/bounds"
)

// The floor of Theorem 4 for BinaryConnect with Q_d on one binary weight and a
// quadratic with mu = L = 1 (so L2 = 0): as printed, as derived, and sharp.
func ExampleTheorem4() {
	p := bounds.Unknown()
	p.Dim, p.T = 1, 100000
	p.Delta, p.Diameter, p.G, p.Mu, p.L, p.L2 = 2, 2, 2, 1, 1, 0
	for _, f := range []bounds.Form{bounds.Printed, bounds.Derived, bounds.Sharp} {
		v, err := bounds.Theorem4(f, bounds.Nearest, p)
		fmt.Println(f, v.Floor, err)
	}
	_, err := bounds.Theorem1(bounds.Printed, bounds.Nearest, p)
	fmt.Println(err)
	// Output:
	// printed 0 <nil>
	// derived 2 <nil>
	// sharp 1 <nil>
	// bounds: Theorem 1: it is about stochastic rounding, whose error has mean zero; with nearest rounding it says nothing
}
