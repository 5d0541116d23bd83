package markov

import "testing"

// Every record comes out as expected, for several seeds; the controls are the
// planted defects.
func TestVerify(t *testing.T) {
	for seed := range uint64(5) {
		records, err := Verify(seed)
		if err != nil {
			t.Fatal(err)
		}
		controls := 0
		for _, r := range records {
			if r.Expected == "violated" {
				controls++
			}
			if !r.AsExpected() || r.Verdict == "undecided" {
				t.Errorf("seed %d: %s (%s): measured %g, bound %g: %s, expected %s", seed, r.Claim, r.Instance, r.Measured, r.Bound, r.Verdict, r.Expected)
			}
		}
		if controls != 4 {
			t.Errorf("seed %d: %d negative controls, want 4", seed, controls)
		}
	}
}
