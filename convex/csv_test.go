package convex

import (
	"fmt"
	"math"
	"runtime"
	"slices"
	"strings"
	"testing"

	"tqn/bounds"
	"tqn/evidence"
	"tqn/quantize"
)

const small = "x,y,class\n1,2,0\n2,1,1\n3,5,1\n4,3,0\n"

func TestTableFromCSV(t *testing.T) {
	table, err := ReadTable(strings.NewReader(small), "small.csv", Columns{Target: "y"})
	if err != nil {
		t.Fatal(err)
	}
	p, err := table.LeastSquares(0.1, 1)
	if err != nil {
		t.Fatal(err)
	}
	if p.Dim() != 2 || p.Terms() != 4 || strings.Join(table.Columns, ",") != "x,class" {
		t.Errorf("d = %d, m = %d, columns %v", p.Dim(), p.Terms(), table.Columns)
	}
	for k := range 2 {
		var mean, square float64
		for _, row := range p.a {
			mean += row[k] / 4
			square += row[k] * row[k] / 4
		}
		if math.Abs(mean) > 1e-15 || math.Abs(square-1) > 1e-14 {
			t.Errorf("column %d has mean %v and mean square %v", k, mean, square)
		}
	}
	table, err = ReadTable(strings.NewReader(small), "small.csv", Columns{Target: "class"})
	if err != nil {
		t.Fatal(err)
	}
	q, err := table.Logistic(0.1, 1)
	if err != nil {
		t.Fatal(err)
	}
	if q.Dim() != 3 || q.y[0] != -1 || q.y[1] != 1 {
		t.Errorf("d = %d, labels %v", q.Dim(), q.y)
	}
	for _, p := range []Problem{p, q} {
		if err := Probe(p, seed(t), 500); err != nil {
			t.Error(err)
		}
	}
}

func TestBadCSVNamesFileLineAndColumn(t *testing.T) {
	for want, text := range map[string]string{
		"f.csv: the file is empty":                                  "",
		"f.csv: a header and no rows":                               "x,y\n",
		`f.csv:1: no column "y"; the header has x, z`:               "x,z\n1,2\n",
		"f.csv:1: only the target":                                  "y\n1\n",
		"f.csv:3: 1 fields, the header has 2":                       "x,y\n1,2\n3\n",
		`f.csv:3: column 1 (x) is "three": want a finit`:            "x,y\n1,2\nthree,4\n",
		`f.csv: column 2 (y) has no value in line 2:`:               "x,y\n1,NaN\n",
		`f.csv: column 1 (x) has no value in line 2:`:               "x,y\n,1\n",
		`column 1 (x) has no value in lines 2, 4, 5: w`:             "x,y\nNA,1\n2,2\n?,3\nn/a,4\n5,5\n",
		`6, 7, 8, 9, 10, 11 and 90 more: want a finite`:             "x,y\n" + strings.Repeat(",1\n", 100),
		`f.csv:1: columns 1 and 3 are both called "y"`:              "y,x,y\n1,2,3\n",
		`f.csv:1: columns 2 and 3 are both called "x"`:              "y, x ,x\n1,2,3\n",
		`f.csv:2: column 1 (x) is 1e400, which is beyon`:            "x,y\n1e400,1\n",
		`f.csv:3: column 1 (x) is 1e-400, which lies be`:            "x,y\n1,1\n1e-400,1\n",
		`f.csv:2: column 1 (x) is -3e-320, which lies b`:            "x,y\n-3e-320,1\n",
		`f.csv:2: column 1 (x) is 0x1p-1080, which lies`:            "x,y\n0x1p-1080,1\n",
		`f.csv:2: column 1 (x) is "inf": want a finite `:            "x,y\ninf,1\n",
		`f.csv:2: column 1 (x) is "yes": want a finite `:            "x,y\nyes,1\n",
		`give --categorical; to leave it out, --drop`:               "x,y\nyes,1\n",
		`column 1 (x) is "1,5,2": want a finite number without sep`: "x;y\n1,5,2;1\n",
		`column 1 (x) is "1.234,5": want a finite number without s`: "x\ty\n1.234,5\t1\n",
		`f.csv: there are numbers with a comma ("1,5" in line 2, column x) and numbers with a point ("2.5" in line 3, column y)`: "x;y\n1,5;2\n1;2.5\n",
		`f.csv: "1,234" in line 3, column x may have a decimal comma or a separator of thousands`:                                "x;y\n999;1\n1,234;2\n",
		`column 1 (x) is "a,b": want a finite number. If the column names`:                                                       "x;y\n\"a,b\";1\n",
		`f.csv: its lines end in a carriage return alone`:                                                                        "x,y\r1,2\r",
		`f.csv:2: 3 fields, the header has 2`:                                                                                    "x,y\n1,2,3\n",
		`f.csv:5: column 1 (x) is "?!"`:                                                                                          "sep=;\nx;y\n1;2\n;;\n?!;1\n",
		`f.csv:3: at character `:                                                                                                 "x,y\n1,2\n1\"2,3\n",
		`f.csv:3: a record of more than 1048576 bytes; is a quotation mark not closed?`:                                          "x,y\n1,2\n\"" + strings.Repeat("1\n", 600_000),
		`f.csv:1: 20001 columns, at most 10000 can be had`:                                                                       "y" + numbered(20000) + "\n1\n",
		`f.csv: the file is in UTF-16`:                                                                                           "\xff\xfex\x00",
		`f.csv: the file is in UTF-16: save`:                                                                                     "\xfe\xff\x00x",
		`f.csv:1: the name of column 2, "caf\xe9", is not UTF-8`:                                                                 "y,caf\xe9\n1,2\n",
		`f.csv: the file is compressed`:                                                                                          "\x1f\x8b\x08",
		`has 5000 characters: want a number`:                                                                                     "x,y\n" + strings.Repeat("1", 5000) + ",1\n",
		`f.csv:1: 1001 features, at most 1000`:                                                                                   "y" + numbered(1001) + "\n" + strings.Repeat("1,", 1001) + "1\n",
	} {
		_, err := ReadTable(strings.NewReader(text), "f.csv", Columns{Target: "y"})
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: got %v, want %q", text, err, want)
		}
	}
	table, err := ReadTable(strings.NewReader("x,z,y\n1,7,1\n2,7,2\n3,7,3\n"), "f.csv", Columns{Target: "y"})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := table.LeastSquares(0.1, 1); err == nil || !strings.Contains(err.Error(), `column "z" is constant`) {
		t.Errorf("a constant column: %v", err)
	}
	if _, err := table.Logistic(0.1, 1); err == nil || !strings.Contains(err.Error(), "3 values") {
		t.Errorf("three classes: %v", err)
	}
	for _, c := range []struct{ ridge, half float64 }{{-1, 1}, {1e7, 1}, {math.NaN(), 1}, {0.1, 1e13}, {0.1, 1e-13}, {0.1, 0}, {0.1, -1}, {0.1, math.NaN()}} {
		if _, err := table.LeastSquares(c.ridge, c.half); err == nil || !strings.Contains(err.Error(), "want 0 to 1e6") && !strings.Contains(err.Error(), "want 1e-12 to 1e12") {
			t.Errorf("ridge %g, half width %g: %v", c.ridge, c.half, err)
		}
	}
}

// numbered is a header's ",x1,x2,...,xn".
func numbered(n int) string {
	var b strings.Builder
	for i := range n {
		fmt.Fprintf(&b, ",x%d", i+1)
	}
	return b.String()
}

// standardisedOf reads one column x beside a target and standardises it.
func standardisedOf(t *testing.T, literals ...string) ([]float64, error) {
	t.Helper()
	text := "x,y\n"
	for i, l := range literals {
		text += fmt.Sprintf("%s,%d\n", l, i)
	}
	table, err := ReadTable(strings.NewReader(text), "f.csv", Columns{Target: "y"})
	if err != nil {
		t.Fatal(err)
	}
	rows, err := table.Standardised()
	var v []float64
	for _, r := range rows {
		v = append(v, r[0])
	}
	return v, err
}

// A standardised column does not change when all its values are multiplied by a power of ten or
// moved by a constant.
func TestStandardisedColumnsDoNotDependOnUnits(t *testing.T) {
	want := []float64{-math.Sqrt2, -1 / math.Sqrt2, 0, 1 / math.Sqrt2, math.Sqrt2} // of 0, 1, 2, 3, 4
	for name, literals := range map[string][]string{
		"as they are":            {"0", "1", "2", "3", "4"},
		"times 1e200":            {"0", "1e200", "2e200", "3e200", "4e200"},
		"times -1e154":           {"4e154", "3e154", "2e154", "1e154", "0"},
		"the largest":            {"-1.6e308", "-0.8e308", "0", "0.8e308", "1.6e308"},
		"the smallest":           {"1e-307", "2e-307", "3e-307", "4e-307", "5e-307"},
		"times 1e-200":           {"0e-999", "1e-200", "2e-200", "3e-200", "4e-200"},
		"microseconds":           {"1700000000000000", "1700000000000010", "1700000000000020", "1700000000000030", "1700000000000040"},
		"nanoseconds since then": {"9007199254740988", "9007199254740989", "9007199254740990", "9007199254740991", "9007199254740992"},
		"seconds with decimals":  {"1700000000.00", "1700000000.25", "1700000000.50", "1700000000.75", "1700000001.00"},
		"exact beyond 2^53":      {"1e22", "10000000000000002097152", "10000000000000004194304", "10000000000000006291456", "10000000000000008388608"},
		"in hexadecimal":         {"0x0p0", "0x1p-3", "0x1p-2", "0x3p-3", "0x1p-1"},
	} {
		if strings.HasPrefix(name, "times -") {
			slices.Reverse(literals)
		}
		v, err := standardisedOf(t, literals...)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		for i := range v {
			if math.Abs(v[i]-want[i]) > 1e-15 { // the literals are rounded too
				t.Errorf("%s: value %d is %v, want %v", name, i, v[i], want[i])
			}
		}
	}
}

// What float64 cannot tell apart is not called constant, and what is constant is not called too close.
func TestConstantAndTooCloseAreToldApart(t *testing.T) {
	for name, c := range map[string]struct {
		literals []string
		want     string
	}{
		"constant":                {[]string{"7", "7", "7"}, "is constant"},
		"constant, not a float64": {[]string{"0.1", "0.10", "1e-1"}, "is constant"},
		"zeros":                   {[]string{"0", "-0", "0e9"}, "is constant"},
		"equal as float64":        {[]string{"1e16", "10000000000000000.5", "1e16"}, "too close together"},
		"a spacing below one ulp": {[]string{"1.00000000000000001", "1.00000000000000002", "1"}, "too close together"},
		"a spacing of a few ulps": {[]string{"1700000000.0000001", "1700000000.0000006", "1700000000.0000009"}, "too close together"},
		"all but one exact":       {[]string{"1700000000000000", "1700000000000001", "1700000000000001.3"}, "too close together"},
	} {
		if _, err := standardisedOf(t, c.literals...); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, want %q", name, err, c.want)
		}
	}
	table, err := ReadTable(strings.NewReader("x,y\n1,1e16\n2,10000000000000000.5\n3,1e16\n"), "f.csv", Columns{Target: "y"})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := table.LeastSquares(0.1, 1); err == nil || !strings.Contains(err.Error(), `target "y" has values that lie too close together`) {
		t.Errorf("a target: %v", err)
	}
	if _, err := table.Logistic(0.1, 1); err == nil || !strings.Contains(err.Error(), `target "y" has values that lie too close together`) {
		t.Errorf("a target of two classes: %v", err)
	}
}

func TestCategoricalAndDroppedColumns(t *testing.T) {
	const people = "\xef\xbb\xbfid;smoker;age;city;y\nA-1;no;31;Rome;1\nB-2;yes;44;Bonn;2\nC-3;yes;52;Oslo;4\nD-4;no;29;Bonn;3\n"
	table, err := ReadTable(strings.NewReader(people), "p.csv", Columns{Target: "y", Categorical: []string{"smoker", "city"}, Drop: []string{"id"}})
	if err != nil {
		t.Fatal(err)
	}
	if got := strings.Join(table.Columns, " "); got != "smoker=yes age city=Oslo city=Rome" {
		t.Errorf("columns %s", got)
	}
	if want := [][]float64{{0, 31, 0, 1}, {1, 44, 0, 0}, {1, 52, 1, 0}, {0, 29, 0, 0}}; !slices.EqualFunc(table.Features, want, slices.Equal) {
		t.Errorf("features %v, want %v", table.Features, want)
	}
	table, err = ReadTable(strings.NewReader(people), "p.csv", Columns{Target: "smoker", Categorical: []string{"smoker"}, Drop: []string{"id", "city"}})
	if err != nil {
		t.Fatal(err)
	}
	p, err := table.Logistic(0.1, 1)
	if err != nil || p.Name() != "logistic on smoker=yes" || !slices.Equal(p.y, []float64{-1, 1, 1, -1}) {
		t.Errorf("a categorical target: %v, %v", p, err)
	}
	many := "x,y\n"
	for i := range maxLevels + 1 {
		many += fmt.Sprintf("level%d,%d\n", i, i)
	}
	for want, c := range map[string]struct {
		text string
		of   Columns
	}{
		`p.csv:1: no column "town"`:                        {people, Columns{Target: "y", Drop: []string{"town"}}},
		`p.csv:1: no column "sex"`:                         {people, Columns{Target: "y", Categorical: []string{"sex"}}},
		`the target "y" is among the columns to drop`:      {people, Columns{Target: "y", Drop: []string{"y"}}},
		`column "city" is both categorical and to be drop`: {people, Columns{Target: "y", Drop: []string{"city"}, Categorical: []string{"city"}}},
		`target "city" has 3 levels: a categorical target`: {people, Columns{Target: "city", Categorical: []string{"city", "smoker"}, Drop: []string{"id"}}},
		`column 1 (x) has more than 100 levels`:            {many, Columns{Target: "y", Categorical: []string{"x"}}},
		`column 2 (smoker) has no value in line 2`:         {strings.Replace(people, "no;31", ";31", 1), Columns{Target: "y", Categorical: []string{"smoker", "city"}, Drop: []string{"id"}}},
		`want at least one feature`:                        {"x,y\n1,2\n", Columns{Target: "y", Drop: []string{"x"}}},
	} {
		if _, err := ReadTable(strings.NewReader(c.text), "p.csv", c.of); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, want %q", err, want)
		}
	}
	one, err := ReadTable(strings.NewReader("x,y\nonly,1\nonly,2\n"), "p.csv", Columns{Target: "y", Categorical: []string{"x"}})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := one.LeastSquares(0.1, 1); err == nil || !strings.Contains(err.Error(), `column "x" is constant`) {
		t.Errorf("one level: %v", err)
	}
}

// What spreadsheets and data frames write around the numbers.
func TestWhatProgramsWriteAroundTheNumbers(t *testing.T) {
	for name, text := range map[string]string{
		"byte order mark":                            "\xef\xbb\xbfy,x\n1,2\n3,5\n",
		"quoted with a mark":                         "\xef\xbb\xbf\"y\",\"x\"\n\"1\",\"2\"\n3,5\n",
		"carriage returns":                           "y,x\r\n1,2\r\n3,5\r\n",
		"semicolons":                                 "y;x\n1;2\n3;5\n",
		"tabs":                                       "y\tx\n1\t2\n3\t5\n",
		"blanks, empty lines":                        "y , x\n\n 1 , 2\n3,5\n\n",
		"vertical bars":                              "y|x\n1|2\n3|5\n",
		"a table of vertical bars":                   "| y | x |\n| 1 | 2 |\n| 3 | 5 |\n",
		"blanks alone":                               "y x\n1 2\n3 5\n",
		"columns set in blanks":                      "  y     x\n  1     2  \n  3     5\n",
		"a line for Excel":                           "sep=;\r\ny;x\r\n1;2\r\n3;5\r\n",
		"separators at the ends":                     "y;x;\n1;2;\n3;5;\n",
		"separators at the ends of rows":             "y,x\n1,2,\n3,5,,,\n",
		"separators at the end of the header":        "y,x,,\n1,2\n3,5\n",
		"rows that a spreadsheet has left empty":     "y;x\n1;2\n;\n3;5\n;\n;\n",
		"a column that a spreadsheet has left empty": "y;;x\n1;;2\n3;;5\n",
		"decimal commas that decide":                 "y;x\n1,0;2,0\n3,0;5,0\n",
		"decimal commas in quotation marks":          "\"y\",\"x\"\n\"1,0\",\"2,0\"\n\"3,0\",\"5,0\"\n",
		"decimal commas between tabs":                "y\tx\n1,00\t2\n3\t5,0\n",
	} {
		table, err := ReadTable(strings.NewReader(text), "f.csv", Columns{Target: "y"})
		if err != nil {
			t.Errorf("%s: %v", name, err)
		} else if !slices.Equal(table.Values, []float64{1, 3}) || table.Columns[0] != "x" || table.Features[1][0] != 5 {
			t.Errorf("%s: %+v", name, table)
		}
	}
	// A heading in quotation marks holds whatever it likes.
	for _, c := range []struct{ text, column string }{
		{"y;\"rooms, light; dark\"\n1;2\n3;5\n", "rooms, light; dark"},
		{"y;rooms (1,2)\n1;2\n3;5\n", "rooms (1,2)"},
		{"\"y\",\"rooms; \"\"light\"\"\nand dark\"\n1,2\n3,5\n", "rooms; \"light\"\nand dark"},
		{"y;a,b\n1;2,5\n3;5,5\n", "a,b"},
		{"y\tsize in m, of wood\n1\t2\n3\t5\n", "size in m, of wood"},
		{"y,median value\n1,2\n3,5\n", "median value"},
		{"y;\"" + strings.Repeat("long, ", 20_000) + "\"\n1;2\n3;5\n", strings.TrimSpace(strings.Repeat("long, ", 20_000))},
	} {
		table, err := ReadTable(strings.NewReader(c.text), "f.csv", Columns{Target: "y"})
		if err != nil || !slices.Equal(table.Columns, []string{c.column}) || !slices.Equal(table.Values, []float64{1, 3}) {
			t.Errorf("%.60q: %v, %v", c.text, table, err)
		}
	}
	// What a comma means.
	for _, c := range []struct {
		text, mark string
		want       float64 // of x; NaN: refused
	}{
		{"y;x\n1;1,234\n2;1,5\n", "", 1.234},
		{"y;x\n1;1,234\n2;1,5\n", "point", math.NaN()},
		{"y;x\n1;1,234\n2;2\n", "", math.NaN()},
		{"y;x\n1;1,234\n2;2\n", "comma", 1.234},
		{"y;x\n1;0,234\n2;2\n", "", 0.234},
		{"y;x\n1;1234,567\n2;2\n", "", 1234.567},
		{"y;x\n1;-1,234e2\n2;2\n", "", -123.4},
		{"y;x\n1;1.234\n2;2\n", "comma", math.NaN()},
		{"y;x\n1;1.234\n2;2\n", "point", 1.234},
		{"y;x\n1;1,234\n2;2\n", "dot", math.NaN()},
	} {
		table, err := ReadTable(strings.NewReader(c.text), "f.csv", Columns{Target: "y", Decimal: c.mark})
		if math.IsNaN(c.want) != (err != nil) || err == nil && table.Features[0][0] != c.want {
			t.Errorf("%q with decimal mark %q: %v, %v; want %g", c.text, c.mark, table, err, c.want)
		}
	}
	if _, err := ReadTable(strings.NewReader("y,x\n1,caf\xe9\n2,b\n"), "f.csv", Columns{Target: "y", Categorical: []string{"x"}}); err == nil || !strings.Contains(err.Error(), "not UTF-8") {
		t.Errorf("a category in Latin-1: %v", err)
	}
	// A data frame's index has no name.
	table, err := ReadTable(strings.NewReader(",x,y\n0,2,1\n1,5,3\n"), "f.csv", Columns{Target: "y", Drop: []string{"column 1"}})
	if err != nil || !slices.Equal(table.Columns, []string{"x"}) {
		t.Errorf("a column without a name: %v", err)
	}
}

// Names of columns may be numbers, such as those that a data frame gives to columns without names, but a file without a header line looks the
// same: a warning says so, and so do the errors that such a file makes likely.
func TestNamesThatAreNumbers(t *testing.T) {
	for _, c := range []struct {
		text, target string
		warned       bool
	}{
		{"1.5,2,3\n2.5,1,7\n3,5,4\n", "1.5", true},
		{"1.5 2 3\n2.5 1 7\n3 5 4\n", "2", true},
		{"1,5;2;-3e2\n2,5;1;7\n3,5;5;4\n", "1,5", true},
		{"0,1,2\n2.5,1,7\n3,5,4\n", "2", true},
		{",0,1\n0,1,7\n1,5,4\n", "1", true},
		{"1.5,NA,3\n2.5,1,7\n3,5,4\n", "3", true},
		{"1.5,2,price\n2.5,1,7\n3,5,4\n", "price", false},
		{"1.5,2,price\n2.5,1,7\n3,5,4\n", "1.5", false},
		{"x1,x2,3rd\n2.5,1,7\n3,5,4\n", "x1", false},
		{"nan,inf,none\n2.5,1,7\n3,5,4\n", "inf", false},
		{small, "y", false},
	} {
		table, err := ReadTable(strings.NewReader(c.text), "f.csv", Columns{Target: c.target})
		if err != nil {
			t.Errorf("%q: %v", c.text, err)
			continue
		}
		if warned := len(table.Warnings) == 1 && strings.Contains(table.Warnings[0], "f.csv:1: the names of the columns are numbers") &&
			strings.Contains(table.Warnings[0], "if the file has no header line"); warned != c.warned || !warned && len(table.Warnings) > 0 {
			t.Errorf("%q: warnings %q, want one: %t", c.text, table.Warnings, c.warned)
		}
	}
	for text, want := range map[string]string{
		"1.5,2,3\n2.5,1,7\n": `f.csv:1: no column "y"; the header has 1.5, 2, 3: these are numbers; is the header line missing?`,
		"1.5,1,1\n2.5,1,7\n": `f.csv:1: columns 2 and 3 are both called "1": give each a name of its own: these are numbers; is the header line missing?`,
	} {
		if _, err := ReadTable(strings.NewReader(text), "f.csv", Columns{Target: "y"}); err == nil || !strings.HasSuffix(err.Error(), want) {
			t.Errorf("%q: %v, want %q", text, err, want)
		}
	}
	if _, err := ReadTable(strings.NewReader("x,2\n1,2\n"), "f.csv", Columns{Target: "y"}); err == nil || strings.Contains(err.Error(), "missing") {
		t.Errorf("a header: %v", err)
	}
}

// Reading takes memory in proportion to the file: at most 128 bytes allocated for each byte.
func TestReadTableTakesMemoryByTheFile(t *testing.T) {
	for name, text := range map[string]string{
		"short fields":        "x,y\n" + strings.Repeat("1,2\n", 100_000),
		"many columns":        "y" + numbered(900) + "\n" + strings.Repeat(strings.Repeat("7,", 900)+"7\n", 100),
		"a line without end":  "x,y\n" + strings.Repeat("1,", 500_000),
		"a quote without end": "x,y\n\"" + strings.Repeat("1\n", 500_000),
		"one long header":     strings.Repeat("x", 1_000_000),
	} {
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		_, _ = ReadTable(strings.NewReader(text), "f.csv", Columns{Target: "y"})
		runtime.ReadMemStats(&after)
		if per := float64(after.TotalAlloc-before.TotalAlloc) / float64(len(text)); per > 128 {
			t.Errorf("%s: %.0f bytes allocated for each byte of the file", name, per)
		}
	}
}

// FuzzReadTable: no input panics, an error names the file, and an accepted table makes
// problems whose values are finite.
func FuzzReadTable(f *testing.F) {
	for _, s := range []string{small, "", "y\n1\n", "x,y\n1,NaN\n", "x,y\n1,2\n3\n", "x,y\n1e308,1\n-1e308,0\n", "x,y\n5,1\n5,0\n", "\"x\n,y\n1,2\n", "x,y\n0x1p-1074,1\n0,0\n", "y,y\n1,2\n",
		"x,y\n1e154,1e154\n-1e154,2e154\n", "x,y\n1e-300,1\n2e-300,2\n", "x,y\n1700000000000000,1\n1700000000000010,2\n1700000000000010.3,3\n"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		table, err := ReadTable(strings.NewReader(text), "fuzz.csv", Columns{Target: "y"})
		if err != nil {
			if !strings.Contains(err.Error(), "fuzz.csv") {
				t.Fatalf("error %q does not name the file", err)
			}
			return
		}
		check := func(p Problem) {
			if v := p.Value(make([]float64, p.Dim())); math.IsNaN(v) || math.IsInf(v, 0) {
				t.Fatalf("%s: F(0) = %v", p.Name(), v)
			}
			if p.Dim() > 3 || p.Terms() > 20 {
				return
			}
			// Whatever was accepted can be run and judged: a bound that is not finite panics.
			in, err := NewInstance(p, 0.5, p.Minimiser(), Strong(p.Constants().Mu), 3)
			if err != nil {
				t.Logf("%s: %v", p.Name(), err)
				return
			}
			v, err := bounds.Theorem4(bounds.Derived, bounds.Nearest, in.Parameters(in.T))
			if err != nil {
				t.Logf("%s: %v", p.Name(), err)
				return
			}
			gap := NewRunner(in, quantize.BC).Run(quantize.NewNoise(1), 0, nil).Average
			evidence.Exact(gap, Roundoff(in, gap)).AtMost(v.Total())
		}
		if p, err := table.LeastSquares(0.1, 1); err == nil {
			check(p)
		}
		if p, err := table.Logistic(0.1, 1); err == nil {
			check(p)
		}
	})
}
