package convex

import (
	"math"
	"strings"
	"testing"
)

const small = "x,y,class\n1,2,0\n2,1,1\n3,5,1\n4,3,0\n"

func TestTableFromCSV(t *testing.T) {
	table, err := ReadTable(strings.NewReader(small), "small.csv", "y")
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
	table, err = ReadTable(strings.NewReader(small), "small.csv", "class")
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
		"f.csv: the file is empty":                       "",
		"f.csv: a header and no rows":                    "x,y\n",
		`f.csv:1: no column "y"; the header has x, z`:    "x,z\n1,2\n",
		"f.csv:1: only the target":                       "y\n1\n",
		"f.csv:3: 1 fields, the header has 2":            "x,y\n1,2\n3\n",
		`f.csv:3: column 1 (x) is "three": want a finit`: "x,y\n1,2\nthree,4\n",
		`f.csv:2: column 2 (y) is "NaN"`:                 "x,y\n1,NaN\n",
		`f.csv:2: column 1 (x) is "": want`:              "x,y\n,1\n",
	} {
		_, err := ReadTable(strings.NewReader(text), "f.csv", "y")
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: got %v, want %q", text, err, want)
		}
	}
	table, err := ReadTable(strings.NewReader("x,z,y\n1,7,1\n2,7,2\n3,7,3\n"), "f.csv", "y")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := table.LeastSquares(0.1, 1); err == nil || !strings.Contains(err.Error(), `column "z" is constant`) {
		t.Errorf("a constant column: %v", err)
	}
	if _, err := table.Logistic(0.1, 1); err == nil || !strings.Contains(err.Error(), "3 values") {
		t.Errorf("three classes: %v", err)
	}
}

// FuzzReadTable: no input panics, an error names the file, and an accepted table makes
// problems whose values are finite.
func FuzzReadTable(f *testing.F) {
	for _, s := range []string{small, "", "y\n1\n", "x,y\n1,NaN\n", "x,y\n1,2\n3\n", "x,y\n1e308,1\n-1e308,0\n", "x,y\n5,1\n5,0\n", "\"x\n,y\n1,2\n", "x,y\n0x1p-1074,1\n0,0\n", "y,y\n1,2\n"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		table, err := ReadTable(strings.NewReader(text), "fuzz.csv", "y")
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
		}
		if p, err := table.LeastSquares(0.1, 1); err == nil {
			check(p)
		}
		if p, err := table.Logistic(0.1, 1); err == nil {
			check(p)
		}
	})
}
