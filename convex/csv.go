package convex

import (
	"bufio"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"unicode/utf8"
)

// Table is a numeric data set with one target column.
type Table struct {
	Target   string
	Columns  []string    // features, in the order of the file
	Features [][]float64 // one row per line
	Values   []float64   // the target

	features []*column
	target   *column
}

// Columns say what is made of the columns of a file.
type Columns struct {
	// Target is the name of the column to predict.
	Target string
	// Categorical columns hold names of categories. A feature with the levels
	// a < b < c (in the order of their bytes) becomes the columns "name=b" and
	// "name=c", which are 1 where the row has that level and 0 elsewhere: the first
	// level is the one that the others are compared with. A target must have two
	// levels, and becomes 0 and 1.
	Categorical []string
	// Drop are the columns to leave out.
	Drop []string
}

// Limits of a table. Reading takes memory in proportion to the file (a test measures
// at most 128 bytes allocated for each byte); the numbers of features and levels are limited
// because the constants of the regression take time d^3.
const (
	maxFeatures = 1000
	maxLevels   = 100
	maxLiteral  = 4096 // bytes of one number
	namedLines  = 10   // of the lines without a value, so many are named
)

// ReadTable reads numbers below a header line, separated by commas, or by semicolons
// or tabs if the header has one of these and no comma. name is the file's name in
// errors, which give line and column.
//
// It is an error if two columns have the same name, if a value is missing, if a column
// that is not categorical holds a text, or if a number is not one that float64 holds
// with all its digits: zero, or from 2.2e-308 to 1.8e308 in absolute value. A column
// without a name is called "column K", with K counted from 1.
func ReadTable(r io.Reader, name string, c Columns) (*Table, error) {
	in, err := csvReader(r, name)
	if err != nil {
		return nil, err
	}
	header, err := in.Read()
	if errors.Is(err, io.EOF) {
		return nil, fmt.Errorf("convex: %s: the file is empty: want a header line and rows of numbers", name)
	}
	if err != nil {
		return nil, fmt.Errorf("convex: %s: %w", name, err)
	}
	columns, err := c.columns(header, name)
	if err != nil {
		return nil, err
	}
	rows := 0
	for ; ; rows++ {
		fields, err := in.Read()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return nil, fmt.Errorf("convex: %s: %w", name, err)
		}
		line, _ := in.FieldPos(0)
		if len(fields) != len(columns) {
			return nil, fmt.Errorf("convex: %s:%d: %d fields, the header has %d", name, line, len(fields), len(columns))
		}
		for k, text := range fields {
			if err := columns[k].add(strings.TrimSpace(text), line); err != nil {
				return nil, fmt.Errorf("convex: %s:%d: column %d (%s) %w", name, line, k+1, columns[k].name, err)
			}
		}
	}
	if rows == 0 {
		return nil, fmt.Errorf("convex: %s: a header and no rows", name)
	}
	return newTable(columns, name, rows)
}

// csvReader skips a byte order mark and finds out what separates the fields.
func csvReader(r io.Reader, name string) (*csv.Reader, error) {
	b := bufio.NewReaderSize(r, 64<<10)
	start, _ := b.Peek(4 << 10) // a shorter file is no error here
	switch {
	case strings.HasPrefix(string(start), "\xff\xfe") || strings.HasPrefix(string(start), "\xfe\xff"):
		return nil, fmt.Errorf("convex: %s: the file is in UTF-16: save it as UTF-8", name)
	case strings.HasPrefix(string(start), "\xef\xbb\xbf"):
		start = start[3:]
		_, _ = b.Discard(3) // they have been seen
	case strings.HasPrefix(string(start), "\x1f\x8b"):
		return nil, fmt.Errorf("convex: %s: the file is compressed: unpack it first", name)
	}
	in := csv.NewReader(b)
	in.TrimLeadingSpace = true
	in.FieldsPerRecord = -1 // compared with the header's, with a better message
	in.ReuseRecord = true
	header, _, _ := strings.Cut(string(start), "\n")
	if !strings.Contains(header, ",") {
		switch {
		case strings.Contains(header, ";"):
			in.Comma = ';'
		case strings.Contains(header, "\t"):
			in.Comma, in.TrimLeadingSpace = '\t', false // a tab is a space: an empty first field must stay
		}
	}
	return in, nil
}

// columns makes the columns of a header and checks the names.
func (c Columns) columns(header []string, name string) ([]*column, error) {
	at := map[string]int{}
	names := make([]string, len(header))
	for i, text := range header {
		h := strings.TrimSpace(text)
		if !utf8.ValidString(h) {
			return nil, fmt.Errorf("convex: %s:1: the name of column %d, %q, is not UTF-8", name, i+1, h)
		}
		if h == "" {
			h = fmt.Sprintf("column %d", i+1)
		}
		if first, twice := at[h]; twice {
			return nil, fmt.Errorf("convex: %s:1: columns %d and %d are both called %q: give each a name of its own", name, first+1, i+1, h)
		}
		names[i], at[h] = h, i
	}
	columns := make([]*column, len(header))
	for i, h := range names {
		columns[i] = &column{name: h, dropped: slices.Contains(c.Drop, h)}
		if slices.Contains(c.Categorical, h) {
			columns[i].levels = map[string]int{}
		}
	}
	for _, asked := range slices.Concat([]string{c.Target}, c.Categorical, c.Drop) {
		if _, ok := at[asked]; !ok {
			return nil, fmt.Errorf("convex: %s:1: no column %q; the header has %s", name, asked, strings.Join(names, ", "))
		}
	}
	target := columns[at[c.Target]]
	if target.target = true; target.dropped {
		return nil, fmt.Errorf("convex: %s:1: the target %q is among the columns to drop", name, c.Target)
	}
	for _, asked := range c.Categorical {
		if slices.Contains(c.Drop, asked) {
			return nil, fmt.Errorf("convex: %s:1: column %q is both categorical and to be dropped", name, asked)
		}
	}
	return columns, nil
}

// newTable turns columns into rows.
func newTable(columns []*column, name string, rows int) (*Table, error) {
	t := &Table{}
	for k, c := range columns {
		if c.dropped {
			continue
		}
		if err := c.complete(); err != nil {
			return nil, fmt.Errorf("convex: %s: column %d (%s) %w", name, k+1, c.name, err)
		}
		if !c.target {
			t.features = append(t.features, c.encoded()...)
			continue
		}
		if c.levels != nil && len(c.levels) != 2 {
			return nil, fmt.Errorf("convex: %s: target %q has %d levels: a categorical target must have two", name, c.name, len(c.levels))
		}
		t.target = c
		if c.levels != nil {
			t.target = c.encoded()[0]
		}
		t.Target, t.Values = t.target.name, t.target.values
	}
	switch d := len(t.features); {
	case d == 0:
		return nil, fmt.Errorf("convex: %s:1: only the target column %q: want at least one feature", name, t.Target)
	case d > maxFeatures:
		return nil, fmt.Errorf("convex: %s:1: %d features, at most %d can be had", name, d, maxFeatures)
	}
	for _, c := range t.features {
		t.Columns = append(t.Columns, c.name)
	}
	all := make([]float64, rows*len(t.features))
	t.Features = make([][]float64, rows)
	for i := range t.Features {
		t.Features[i], all = all[:len(t.features):len(t.features)], all[len(t.features):]
		for k, c := range t.features {
			t.Features[i][k] = c.values[i]
		}
	}
	return t, nil
}

// Standardised returns the features moved to mean 0 and scaled to mean square 1.
// It is an error if a column is constant, which has no scale, or if its values lie
// too close together for float64.
func (t *Table) Standardised() ([][]float64, error) {
	rows := make([][]float64, len(t.Features))
	for i := range rows {
		rows[i] = slices.Clone(t.Features[i])
	}
	for k, c := range t.features {
		v, err := c.standardised()
		if err != nil {
			return nil, fmt.Errorf("convex: column %q %w: leave it out (--drop)", c.name, err)
		}
		for i := range rows {
			rows[i][k] = v[i]
		}
	}
	return rows, nil
}

// LeastSquares is the regression of the standardised target on the standardised
// features over [-half, half]^d.
func (t *Table) LeastSquares(ridge, half float64) (*LeastSquares, error) {
	if err := inRange(ridge, half); err != nil {
		return nil, err
	}
	a, err := t.Standardised()
	if err != nil {
		return nil, err
	}
	b, err := t.target.standardised()
	if err != nil {
		return nil, fmt.Errorf("convex: target %q %w", t.Target, err)
	}
	return NewLeastSquares("least squares on "+t.Target, a, b, ridge, -half, half)
}

// inRange refuses a box or a ridge out of proportion to standardised data, for which all
// differences of F that the theorems speak of drown in its rounding errors or its
// constants overflow. Towards the ends of the range some verdicts are undecided for that reason, and say so.
func inRange(ridge, half float64) error {
	if !(half >= 1e-12 && half <= 1e12) {
		return fmt.Errorf("convex: half width %g of W: want 1e-12 to 1e12", half)
	}
	if !(ridge >= 0 && ridge <= 1e6) {
		return fmt.Errorf("convex: ridge %g: want 0 to 1e6", ridge)
	}
	return nil
}

// Logistic is the classification of a two-valued target (the larger value is +1)
// by the standardised features and an intercept over [-half, half]^(d+1).
func (t *Table) Logistic(ridge, half float64) (*Logistic, error) {
	if err := inRange(ridge, half); err != nil {
		return nil, err
	}
	if _, err := t.target.standardised(); err != nil {
		return nil, fmt.Errorf("convex: target %q %w", t.Target, err)
	}
	classes := t.Classes()
	if len(classes) != 2 {
		return nil, fmt.Errorf("convex: target %q takes %d values: logistic regression wants two", t.Target, len(classes))
	}
	a, err := t.Standardised()
	if err != nil {
		return nil, err
	}
	y := make([]float64, len(a))
	for i := range a {
		a[i] = append(a[i], 1)
		y[i] = -1
		if t.Values[i] == classes[1] {
			y[i] = 1
		}
	}
	return NewLogistic("logistic on "+t.Target, a, y, ridge, -half, half)
}

// Classes are the values that the target takes, in increasing order.
func (t *Table) Classes() []float64 {
	return slices.Compact(slices.Sorted(slices.Values(t.Values)))
}
