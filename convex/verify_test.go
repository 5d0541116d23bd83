package convex

import (
	"context"
	"math"
	"reflect"
	"strings"
	"testing"

	"tqn/evidence"
)

// verified runs the claims with the given names and fails on every record that
// contradicts its expectation.
func verified(t *testing.T, claims ...string) []evidence.Record {
	t.Helper()
	records, err := Verify(context.Background(), Options{Seed: seed(t), Claims: claims})
	if err != nil {
		t.Fatal(err)
	}
	controls := 0
	for _, r := range records {
		if !r.AsExpected() {
			t.Errorf("%s, %s form, %s rounding, %s: %.4g in [%.4g, %.4g], bound %.4g: %s, expected %s",
				r.Claim, r.Form, r.Rounding, r.Instance, r.Measured, r.Lower, r.Upper, r.Bound, r.Verdict, r.Expected)
		}
		if strings.HasPrefix(r.Instance, "control: ") && r.Verdict == "violated" {
			controls++
		}
	}
	if controls == 0 {
		t.Errorf("%v: no negative control was seen to fail", claims)
	}
	return records
}

func TestLemma1HoldsAtEveryGridPoint(t *testing.T) { verified(t, "lemma1") }

func TestTheorem1HoldsForStochasticRounding(t *testing.T) {
	if testing.Short() {
		t.Skip("several seconds")
	}
	verified(t, "theorem1")
}

func TestTheorem2IsFalseAsPrintedForLongSteps(t *testing.T) {
	if testing.Short() {
		t.Skip("several seconds")
	}
	violated := map[string]bool{}
	for _, r := range verified(t, "theorem2") {
		if r.Verdict == "violated" && !strings.HasPrefix(r.Instance, "control: ") {
			violated[r.Claim+" "+r.Form] = true
		}
	}
	want := map[string]bool{"theorem2 printed": true, "theorem2 appendix": true, "theorem2.averaged printed": true, "theorem2.averaged appendix": true, "theorem2.step-sum printed": true}
	if !reflect.DeepEqual(violated, want) {
		t.Errorf("violated: %v, want %v", violated, want)
	}
}

func TestTheorem3HoldsForBothRoundings(t *testing.T) { verified(t, "theorem3") }

func TestTheorem4AndCorollary1AreFalseAsPrinted(t *testing.T) {
	if testing.Short() {
		t.Skip("several seconds")
	}
	violated := map[string]bool{}
	for _, r := range verified(t, "theorem4", "corollary1") {
		if r.Verdict == "violated" && !strings.HasPrefix(r.Instance, "control: ") {
			violated[r.Claim+" "+r.Form+" "+r.Rounding] = true
		}
	}
	want := map[string]bool{"theorem4 printed nearest": true, "theorem4 printed stochastic": true, "corollary1 printed nearest": true}
	if !reflect.DeepEqual(violated, want) {
		t.Errorf("violated: %v, want %v", violated, want)
	}
}

// The same seed gives the same records for any number of workers; --claim changes
// only the shares of the budget.
func TestRecordsAreAFunctionOfTheSeed(t *testing.T) {
	run := func(workers int, claims ...string) []evidence.Record {
		r, err := Verify(context.Background(), Options{Seed: seed(t), Claims: claims, Workers: workers})
		if err != nil {
			t.Fatal(err)
		}
		return r
	}
	one, three := run(1, "corollary1"), run(3, "corollary1")
	if !reflect.DeepEqual(one, three) {
		t.Error("one worker and three give different records")
	}
}

func TestClaimsNameTheirProofLines(t *testing.T) {
	have := strings.Join(Claims(), " ")
	for _, want := range []string{"lemma1", "lemma1.first", "theorem1", "theorem1.one-step", "theorem1.telescoped", "theorem1.jensen", "theorem2", "theorem2.step-sum", "theorem3", "theorem4", "corollary1"} {
		if !strings.Contains(have, want) {
			t.Errorf("no claim %q among %s", want, have)
		}
	}
}

func TestAUsersProblemIsProbedBeforeItIsJudged(t *testing.T) {
	p := leastSquares(t, 8, 2)
	records, err := Verify(context.Background(), Options{Seed: seed(t), Problem: p, T: 300})
	if err != nil {
		t.Fatal(err)
	}
	seen := map[string]bool{}
	for _, r := range records {
		seen[r.Claim] = true
		if !r.AsExpected() {
			t.Errorf("%s %s: %s, expected %s", r.Claim, r.Instance, r.Verdict, r.Expected)
		}
	}
	for _, c := range []string{"theorem1", "theorem2", "theorem3", "theorem4", "corollary1"} {
		if !seen[c] {
			t.Errorf("%s was not verified", c)
		}
	}
	w := wrong{Problem: p, constants: p.Constants(), minimiser: p.Minimiser()}
	w.constants.G /= 2
	if _, err := Verify(context.Background(), Options{Seed: seed(t), Problem: w, T: 300}); err == nil || !strings.Contains(err.Error(), "G =") {
		t.Errorf("half of G was accepted: %v", err)
	}
}

// An instance on which Theorem 2's floor is attained up to 3 per cent.
func TestTheorem2sFloorIsAttained(t *testing.T) {
	p := Tight(1, 1, 1, 0)
	in := instance(t, p, 1, Root(1), 10_000)
	got, err := AverageLaw(in)
	if err != nil {
		t.Fatal(err)
	}
	if floor := in.Grid.Delta * p.Constants().G / 2; math.Abs(got/floor-1) > 0.03 {
		t.Errorf("E F(wbar) - F* = %v, floor %v", got, floor)
	}
}
