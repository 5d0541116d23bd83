package reports

import (
	"strings"
	"testing"

	"tqn/toy"
)

// A page draws the paper's conclusion only where the numbers do, and one learning rate is enough for a page.
func TestGreedyIsSaidOfGreedyLawsOnly(t *testing.T) {
	page := func(rows ...toy.Contrast) (string, string) {
		t.Helper()
		f := contrastFigure(rows, "best basin")
		if _, err := f.PNG(); err != nil {
			t.Fatal(err)
		}
		return f.Conclusion, ownMarkdown(toy.OwnResult{Objective: "w*w", Rows: rows, Entropy: 1}, Manifest{})
	}
	start := toy.Contrast{Alpha: 0.1, SREntropy: 2, BCEntropy: 2, SRGlobal: 0.5, BCGlobal: 0.5, SRExcess: 1, BCExcess: 1}
	greedy := toy.Contrast{Alpha: 0.01, SREntropy: 2, BCEntropy: 0.5, SRGlobal: 0.5, BCGlobal: 1, SRExcess: 1, BCExcess: 0.1}
	conclusion, markdown := page(start, greedy)
	if !strings.Contains(conclusion, "BC is greedy") || !strings.Contains(markdown, "(BC) becomes *greedy*") {
		t.Errorf("of a greedy BC: %q, %q", conclusion, markdown)
	}
	if !strings.Contains(markdown, "has not come near its limit") {
		t.Errorf("SR's entropy is 2 and its limit 1, which the page does not say: %q", markdown)
	}
	worse := greedy // as concentrated, at a worse place
	worse.BCExcess = 2
	for _, rows := range [][]toy.Contrast{{start}, {start, worse}} {
		conclusion, markdown := page(rows...)
		if strings.Contains(conclusion, "BC is greedy") || strings.Contains(markdown, "becomes *greedy*") {
			t.Errorf("of laws that are not: %q, %q", conclusion, markdown)
		}
	}
}
