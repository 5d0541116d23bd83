package markov

import (
	"fmt"
	"runtime"
	"runtime/debug"
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
		"0,99999999999999999999,1\n":    `markov: f:1: to is "99999999999999999999"; want a state below 1073741824: states are numbered from 0 without gaps`,
		"1073741824,0,1\n":              `markov: f:1: from is "1073741824"; want a state below 1073741824: states are numbered from 0 without gaps`,
		"0,-99999999999999999999,1\n":   `markov: f:1: to is "-99999999999999999999"; want a state, 0 or larger`,
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

// The same chain in every spelling: byte order mark, heading, labels, separators,
// quotes, decimal commas, counts, generator, states from one.
func TestReadFileSpellings(t *testing.T) {
	plain := FileOptions{Format: MatrixFormat, Alpha: 1}
	rates := FileOptions{Format: RatesFormat, Alpha: 1}
	one := rates
	one.FromOne = true
	names := "[sun rain]"
	for _, k := range []struct {
		text   string
		o      FileOptions
		labels string
	}{
		{"0.5,0.5\n0.25,0.75\n", plain, "[]"},
		{"\ufeff0.5,0.5\r\n0.25,0.75\r\n", plain, "[]"},
		{"0.5;0.5\n0.25;0.75\n", plain, "[]"},
		{"0,5;0,5\n0,25;0,75\n", plain, "[]"},
		{"0.5\t0.5\n0.25\t0.75\n", plain, "[]"},
		{"0.5  0.5\n 0.25 0.75\n", plain, "[]"},
		{"\ufeffsun,rain\n0.5,0.5\n0.25,0.75\n", plain, names},
		{",sun,rain\nsun,0.5,0.5\nrain,0.25,0.75\n", plain, names},
		{"\tsun\train\nsun\t0.5\t0.5\nrain\t0.25\t0.75\n", plain, names},
		{"state,sun,rain\nsun,0.5,0.5\nrain,0.25,0.75\n", plain, names},
		{"sun,0.5,0.5\nrain,0.25,0.75\n", plain, names},
		{",0,1\n0,0.5,0.5\n1,0.25,0.75\n", plain, "[0 1]"},                         // pandas: DataFrame.to_csv
		{",sun,rain\n0,0.5,0.5\n1,0.25,0.75\n", plain, names},                      // its rows numbered
		{"\"\",\"V1\",\"V2\"\n\"1\",0.5,0.5\n\"2\",0.25,0.75\n", plain, "[V1 V2]"}, // R: write.csv
		{"\"V1\" \"V2\"\n\"1\" 0.5 0.5\n\"2\" 0.25 0.75\n", plain, "[V1 V2]"},      // R: write.table
		{"1 2\n1 0.5 0.5\n2 0.25 0.75\n", plain, "[1 2]"},
		{"sun rain\nsun 0.5 0.5\nrain 0.25 0.75\n", plain, names},
		{"\"V1\",\"V2\"\n\"sun\",0.5,0.5\n\"rain\",0.25,0.75\n", plain, names},
		{"0.5,0.5,\r\n0.25,0.75,\r\n", plain, "[]"},
		{"sun;rain;\n0,5;0,5;\n0,25;0,75;\n", plain, names},
		{"0.5\t0.5\t\n0.25\t0.75\t\n", plain, "[]"},
		{"# a chain\n0.5,0.5 # first\n0.25,0.75\t# second\n", plain, "[]"},
		{"\"sun\",\"ra,in #2\"\n0.5,0.5\n0.25,0.75\n", plain, "[sun ra,in #2]"},
		{"0,1,0.5,\n1,0,0.25,\n", rates, "[]"},
		{"0;1;0,5\r\n1;0;0,25\r\n", rates, "[]"},
		{"\"sun\",\"rain\"\n\"0.5\",\"0.5\"\n0.25,0.75\n", plain, names},
		{"1,1\n2,6\n", FileOptions{Format: CountsFormat, Alpha: 1}, "[]"},
		{"-0.5,0.5\n0.25,-0.25\n", FileOptions{Format: GeneratorFormat, Alpha: 1}, "[]"},
		{"0.25,0.25\n1,3\n", FileOptions{Format: MatrixFormat, Alpha: 1, Normalise: true}, "[]"},
		{"0,1,0.5\n1,0,0.25\n", rates, "[]"},
		{"from;to;rate\n0;1;0.5\n1;0;0.25\n", rates, "[]"},
		{"1 2 0.5\n2 1 0.25\n", one, "[]"},
		{"\ufefffrom,to,rate\nsun,rain,0.5\nrain,sun,0.25\n", rates, names},
		{"sun\train\t0.5\nrain\tsun\t0.25\n", rates, names},
	} {
		f, err := ReadFile(strings.NewReader(k.text), "f", k.o)
		if err != nil {
			t.Errorf("%q: %v", k.text, err)
			continue
		}
		if got := fmt.Sprint(f.Labels); got != k.labels {
			t.Errorf("%q: labels %s, want %s", k.text, got, k.labels)
		}
		if a, b := f.Chain.Rate(0, 1), f.Chain.Rate(1, 0); a != 0.5 || b != 0.25 {
			t.Errorf("%q: rates %g and %g, want 0.5 and 0.25", k.text, a, b)
		}
	}
}

// What cannot be meant is refused with its line and what would be right.
func TestReadFileRefuses(t *testing.T) {
	plain, rates := FileOptions{Format: MatrixFormat, Alpha: 1}, FileOptions{Format: RatesFormat, Alpha: 1}
	gen, counts := FileOptions{Format: GeneratorFormat}, FileOptions{Format: CountsFormat, Alpha: 1}
	one := rates
	one.FromOne = true
	for _, k := range []struct {
		text string
		o    FileOptions
		want string
	}{
		{"1,1e-400\n0.5,0.5\n", plain, `f:1: row 0, column 1: "1e-400" is below the smallest float64`},
		{"0,1,1e-400\n1,0,0.5\n", rates, `f:1: rate "1e-400" is below`},
		{"0,1,1e-320\n1,0,0.5\n", rates, `f:1: rate "1e-320" is below`},
		{"0,1,0.5\n1,0,1e400\n", rates, `f:2: rate "1e400" is above the largest float64`},
		{"1,2,0.5\n2,1,0.25\n", rates, "no line names state 0, the smallest is 1; states are numbered from 0, or from 1 with --from-one"},
		{"0,1,0.5\n1,0,0.25\n", one, `f:1: from is "0"; want a state, 1 or larger`},
		{"a,b,0.5\nb,,0.25\n", rates, "f:2: to is empty"},
		{"a,b,x\na,b,x\n", rates, "f:2: a second line without a rate"},
		{"0.5,0.5\n0.3,0.69\n", plain, "--normalise"},
		{"-1,1\n1,-1\n", plain, "--format generator"},
		{"0.5,0.5\n-0.5,1.5\n", plain, "f:2: row 1, column 0 is -0.5"},
		{"3,1\n2,5\n", plain, "--format counts"},
		{"0,1,0.5\n1,0,0.5\n", plain, "--format rates"},
		{"0.5,0.5\r0.3,0.7\r", plain, "carriage returns alone"},
		{"-1,1\n1,-2\n", FileOptions{Format: GeneratorFormat}, "row 1 of the generator sums to -1"},
		{"1,0.5\n1,2\n", FileOptions{Format: CountsFormat, Alpha: 1}, "a count is a whole number"},
		{"1,1\n0,0\n", FileOptions{Format: CountsFormat, Alpha: 1}, "row 1 has no counts"},
		{"a,a\n0.5,0.5\n0.5,0.5\n", plain, `both called "a"`},
		{",a,b\na,0.5,0.5\nc,0.5,0.5\n", plain, `row 1 is called "c", column 1 "b"`},
		{"a,b,c\n0.5,0.5\n0.5,0.5\n", plain, ""}, // the corner and two names
		{"a,b,c,d\n0.5,0.5\n0.5,0.5\n", plain, "4 names for 2 columns"},
		{"\xff\xfe0\x00", plain, "UTF-16"},
		{"\xfe\xff\x000", plain, "UTF-16"},
		{"0.5,\x000.5\n0.3,0.7\n", plain, "not a text file"},
		{"NaN,1\n0.5,0.5\n", plain, "row 0, column 0 is NaN"},
		{"-1,1\nInf,-1\n", gen, "row 1, column 0 of the generator is +Inf"},
		{"-1,1\n1,-Inf\n", gen, "row 1, column 1 of the generator is -Inf"},
		{"-1,1\nNaN,-1\n", gen, "row 1, column 0 of the generator is NaN"},
		{"-1,1\n-1,1\n", gen, "row 1, column 0 of the generator is -1"},
		{"1,-1\n1,-1\n", gen, "row 0, column 0 of the generator is 1"},
		{"-1e308,1e308,1e308\n0,0,0\n0,0,0\n", gen, "row 0 of the generator sums to 1e+308"},
		{"-1e308,1e308,1e308,1e308\n", gen, "the entries of row 0 overflow"},
		{"1,-1\n1,2\n", counts, "row 0, column 1 is -1; a count"},
		{"1,NaN\n1,2\n", counts, "row 0, column 1 is NaN; a count"},
		{"1,Inf\n1,2\n", counts, "row 0, column 1 is +Inf; a count"},
		{"1e308,1e308\n1,2\n", counts, "the entries of row 0 overflow"},
		{"1,Inf\n1,2\n", FileOptions{Format: MatrixFormat, Alpha: 1, Normalise: true}, "row 0, column 1 is +Inf; a probability"},
		{"1,1\n0,0\n", FileOptions{Format: MatrixFormat, Alpha: 1, Normalise: true}, "row 1 sums to 0; --normalise needs a positive sum"},
		{"a,,c\n1,0,0\n0,1,0\n0,0,1\n", plain, "state 1 has an empty name"},
		{"from,to,rate\n", rates, "no rates; want lines from,to,rate"},
		{"", rates, "no rates; want lines from,to,rate"},
		{"0,1,Inf\n1,0,1\n", rates, `rate is "Inf"; want a finite number`},
		{"0,1,NaN\n1,0,1\n", rates, `rate is "NaN"; want a finite number`},
		{"0,1,-1\n1,0,1\n", rates, `rate is "-1"; want a finite number`},
		{"0,1,1.75e308\n1,0,1\n", rates, `rate is "1.75e308"; want a finite number`},
		{"0,0,1\n1,0,1\n", rates, "state 0 leads to itself"},
		{"0,b,rate\na,b,1\n", rates, "the third field is no rate"},
		{"a,0,rate\na,b,1\n", rates, "the third field is no rate"},
		{"0,2147483648,1\n1,0,1\n", rates, `to is "2147483648"; want a state`},
		{"\x89PNG\r\n", plain, "not a text file"},
		{"\"0.5,0.5\n", plain, "quote"},
		{strings.Repeat("1", maxLine+5), plain, "f:1: the line has more than 16 MiB"},
	} {
		_, err := ReadFile(strings.NewReader(k.text), "f", k.o)
		if k.want == "" && err != nil || k.want != "" && (err == nil || !strings.Contains(err.Error(), k.want)) {
			t.Errorf("%.40q: %v, want %q", k.text, err, k.want)
		}
	}
}

// Tiny, exact zeros and hexadecimal literals are numbers.
func TestNumbers(t *testing.T) {
	for s, want := range map[string]float64{"0": 0, "0.000e-999": 0, "-0": 0, "1e-300": 1e-300, "0x1p-1000": 0x1p-1000, "2.2250738585072014e-308": 0x1p-1022} {
		if v, err := number(s); err != nil || v != want {
			t.Errorf("%s: %g, %v", s, v, err)
		}
	}
	for _, s := range []string{"1e-400", "-1e-320", "0x1p-1060", "1e999", "NaNx", ""} {
		if v, err := number(s); err == nil {
			t.Errorf("%s: %g, want an error", s, v)
		}
	}
}

// Memory is linear in the file: at most 40 bytes a byte of it and 40 MiB, however many classes
// or columns it has.
func TestReaderMemory(t *testing.T) {
	if testing.Short() {
		t.Skip("reads megabytes")
	}
	var pairs, row strings.Builder
	for i := range 40_000 {
		fmt.Fprintf(&pairs, "%d,%d,1\n%d,%d,1\n", 2*i, 2*i+1, 2*i+1, 2*i)
	}
	row.WriteString("0.5" + strings.Repeat(",0", 400_000))
	for name, k := range map[string]struct {
		text string
		o    FileOptions
	}{
		"many classes": {pairs.String(), FileOptions{Format: RatesFormat, Alpha: 0.1}},
		"a long row":   {row.String(), FileOptions{Format: MatrixFormat, Alpha: 1}},
		"a far state":  {"0,1,1\n1,0,1\n0,1000000,1\n", FileOptions{Format: RatesFormat, Alpha: 0.1}},
	} {
		var before, after runtime.MemStats
		runtime.GC()
		runtime.ReadMemStats(&before)
		f, err := ReadFile(strings.NewReader(k.text), "f", k.o)
		if err == nil {
			_, err = f.Chain.Analyse(0.25)
			if err != nil {
				t.Errorf("%s: %v", name, err)
			}
		}
		runtime.ReadMemStats(&after)
		// What was allocated in all, collected or not, is an upper bound on what was held.
		if total, most := after.TotalAlloc-before.TotalAlloc, uint64(400*len(k.text)+80<<20); total > most {
			t.Errorf("%s: %d bytes allocated for a file of %d, want at most %d", name, total, len(k.text), most)
		}
		debug.FreeOSMemory()
	}
}
