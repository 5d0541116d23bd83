package markov

import (
	"context"
	"strings"
	"testing"
)

// Probabilities below the smallest normal float64 are not covered by the relative
// bound, and an analysis says so: here pi = (1, 1e-200, 1e-400) and (1e-600, 1) in size.
func TestAnalysisTellsRareStates(t *testing.T) {
	for text, rare := range map[string]int{
		"0,1,1e-200\n1,0,1\n1,2,1e-200\n2,1,1\n":     1,
		"0,1,1e-160\n1,0,0.1\n1,2,1e-160\n2,1,0.1\n": 1, // 1e-318 has six digits
		"0,1,1\n1,0,1e-150\n1,2,1\n2,1,1e-150\n":     0, // 1e-300
	} {
		a := must(must(ReadRates(strings.NewReader(text), "f", 0.5)).Analyse(0.25))
		if told := strings.Contains(strings.Join(a.Notes, "\n"), "does not cover probabilities below 2.2e-308: 1 in number"); told != (rare > 0) {
			t.Errorf("%q: law %v, notes %q", text, a.Stationary, a.Notes)
		}
	}
}

// A cycle of states that are too rare to compare flows is not called reversible, nor
// is a birth-death chain called irreversible for it.
func TestReversibleOfRareStates(t *testing.T) {
	for text, want := range map[string]string{
		"0,1,1e-200\n1,0,1\n1,2,1e-200\n2,1,1\n":                                   "unknown",
		"0,1,1e-200\n1,0,0.1\n1,2,0.2\n2,3,0.2\n3,1,0.2\n":                         "false",
		"0,1,1e-150\n1,0,0.1\n1,2,1e-160\n2,1,0.1\n":                               "unknown",
		"0,1,1e-150\n1,0,0.1\n1,2,1e-100\n2,1,0.1\n":                               "true",
		"0,1,1e-250\n1,0,1e-250\n1,2,1e-250\n2,1,1e-250\n2,0,1e-250\n0,2,1e-251\n": "false",
	} {
		a := must(must(ReadRates(strings.NewReader(text), "f", 0.5)).Analyse(0.25))
		got := "unknown"
		if a.Reversible != nil {
			got = map[bool]string{true: "true", false: "false"}[*a.Reversible]
		}
		if got != want {
			t.Errorf("%q: reversible %s, want %s", text, got, want)
		}
	}
}

// A law by elimination whose worst-case bound is above 1e-8 is corrected from where
// it stands, not thrown away: without its own start no iteration need come near.
func TestEliminationIsCorrectedWhateverItsBound(t *testing.T) {
	c, want := cycles(3000, 6, 3, 1e-13, 3, 11)
	law, err := c.polish(context.Background(), CertifiedLaw{Law: must(c.direct(context.Background())).Law, ErrorBound: 2 * CertifiedError, Method: "sparse GTH"})
	if err != nil || law.ErrorBound > 1e-10 || difference(law.Law, want) > 1e-10 || law.Method != "sparse GTH, corrected" {
		t.Errorf("bound %.2g, error %.2g, %s, %v", law.ErrorBound, difference(law.Law, want), law.Method, err)
	}
}
