package markov

import (
	"fmt"
	"strings"
	"testing"
)

func TestReadErrorsNameTheirPlace(t *testing.T) {
	for text, want := range map[string]string{
		"0.5,0.5\n0.3,0.6\n":         "markov: f:2: row 1 sums to 0.9, not to 1",
		"0.5,0.5\n":                  "markov: f: 1 rows of 2 entries; want a square matrix",
		"# c\n\n0.5,0.5\n1\n":        "markov: f:4: row 1 has 1 entries, row 0 has 2",
		"0.5,x\n0,1\n":               `markov: f:1: row 0, column 1: "x" is not a number`,
		"1.5,-0.5\n0,1\n":            "markov: f:1: row 0, column 0 is 1.5; a probability lies in [0, 1]",
		"NaN,0.5\n0,1\n":             "markov: f:1: row 0, column 0 is NaN; a probability lies in [0, 1]",
		"":                           "markov: f: no rows; want a square matrix of probabilities",
		"0.5,0.500001\n0.5,0.5\n":    "markov: f:1: row 0 sums to 1.000001, not to 1; --normalise divides each row by its sum",
		"0.5,0.5\n0.25,0.25,0.5\n":   "markov: f:2: row 1 has 3 entries, row 0 has 2",
		"0.5,0.5\r\n0.2,0.2999999\n": "markov: f:2: row 1 sums to 0.4999999, not to 1",
	} {
		if _, err := ReadMatrix(strings.NewReader(text), "f"); err == nil || err.Error() != want {
			t.Errorf("%q: %v, want %q", text, err, want)
		}
	}
	for text, want := range map[string]string{
		"from,to,rate\n0,1,1\n1,0,-2\n": `markov: f:3: rate is "-2"; want a finite number >= 0`,
		"0,1,1\n1,0\n":                  "markov: f:2: 2 fields; want from,to,rate",
		"0,1,NaN\n":                     `markov: f:1: rate is "NaN"; want a finite number >= 0`,
		"0,0,1\n":                       "markov: f:1: state 0 leads to itself; the diagonal follows from the other entries",
		"-1,0,1\n":                      `markov: f:1: from is "-1"; want a state, 0 or larger`,
		"0,1,0.7\n0,1,0.7\n":            "markov: f: alpha = 1 times the rates of row 0 sum to 1.3999999999999999, more than 1; alpha may be at most 0.7142857142857143",
		"0,900000,1\n":                  "markov: f: largest state 900000 but only 1 rates; states are numbered from 0 without gaps",
	} {
		if _, err := ReadRates(strings.NewReader(text), "f", 1); err == nil || err.Error() != want {
			t.Errorf("%q: %v, want %q", text, err, want)
		}
	}
}

func ExampleReadRates() {
	file := `from,to,rate
0,1,0.3
1,0,0.3
0,2,1e-17
1,2,1e-17
2,0,1e-17
2,1,1e-17
`
	c, err := ReadRates(strings.NewReader(file), "chain.csv", 1)
	if err != nil {
		fmt.Println(err)
		return
	}
	pi, _ := c.Stationary()
	fmt.Printf("%.16f\n", pi)
	// Output: [0.3333333333333333 0.3333333333333333 0.3333333333333333]
}
