package convex

import (
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"
)

// Table is a numeric data set with one target column.
type Table struct {
	Target   string
	Columns  []string    // features, in the order of the file
	Features [][]float64 // one row per line
	Values   []float64   // the target
	Warnings []string    // what may be wrong with the file and is no error

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
	// Decimal is the decimal mark of the numbers, "point" or "comma"; empty: the one that the file has. A file that has both, or in
	// which 1,234 may be one or the other, is an error.
	Decimal string
}

// Limits of a table. The numbers of features and levels are limited because the constants of the regression take time d^3.
const (
	maxFeatures = 1000
	maxColumns  = 10_000 // with those that are dropped
	maxLevels   = 100
	maxLiteral  = 4096 // bytes of one number
	namedLines  = 10   // of the lines without a value, so many are named
	namedFields = 5    // of a header's fields that are numbers, so many are named
)

// ReadTable reads numbers below a header line. name is the file's name in errors, which give line and column.
//
// Fields are separated by commas, semicolons, tabs, vertical bars or, where none of these separates, by blanks: by the one that gives
// the first lines as many fields as the header. A field may stand in quotation marks. Numbers have a decimal point or a decimal comma
// throughout. A byte order mark, Excel's line "sep=;", lines in which every field is empty, separators at the end of a line, and
// columns that have neither a name nor a value are passed over. A column without a name is called "column K", with K counted from 1.
//
// Names may be numbers. If all are, a warning says that the first row of a file without a header line would have been taken for one.
//
// It is an error if two columns have the same name, if a value is missing, if a column that is not categorical holds a text, or if a
// number is not one that float64 holds with all its digits: zero, or from 2.2e-308 to 1.8e308 in absolute value.
//
// Reading takes at most 64 MiB and 32 bytes for each byte of the file; a record has at most 1 MiB and 10,000 fields.
func ReadTable(r io.Reader, name string, c Columns) (*Table, error) {
	switch c.Decimal {
	case "", "point", "comma":
	default:
		return nil, fmt.Errorf("convex: decimal mark %q: want point or comma", c.Decimal)
	}
	in, passed, err := csvReader(r, name)
	if err != nil {
		return nil, err
	}
	header, err := in.Read()
	if errors.Is(err, io.EOF) {
		return nil, fmt.Errorf("convex: %s: the file is empty: want a header line and rows of numbers", name)
	}
	if err != nil {
		return nil, unreadable(name, passed, err)
	}
	columns, err := c.columns(header, name)
	if err != nil {
		return nil, err
	}
	var warnings []string
	if numbers := numbersOf(header); len(numbers) > 0 {
		if len(numbers) > namedFields {
			numbers = append(numbers[:namedFields], "...")
		}
		warnings = append(warnings, fmt.Sprintf("%s:1: the names of the columns are numbers (%s): if the file has no header line, its first row is missing from the data; put a line with names above it",
			name, strings.Join(numbers, ", ")))
	}
	marks := &decimals{mark: c.Decimal}
	rows := 0
	for {
		fields, err := in.Read()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return nil, unreadable(name, passed, err)
		}
		line, _ := in.FieldPos(0)
		line += passed
		if !slices.ContainsFunc(fields, func(text string) bool { return strings.TrimSpace(text) != "" }) {
			continue
		}
		if fields, err = fitted(fields, columns); err != nil {
			return nil, fmt.Errorf("convex: %s:%d: %w", name, line, err)
		}
		for k, text := range fields {
			if err := columns[k].add(strings.TrimSpace(text), line, marks); err != nil {
				return nil, fmt.Errorf("convex: %s:%d: column %d (%s) %w", name, line, k+1, columns[k].name, err)
			}
		}
		rows++
	}
	if err := marks.check(); err != nil {
		return nil, fmt.Errorf("convex: %s: %w", name, err)
	}
	if rows == 0 {
		return nil, fmt.Errorf("convex: %s: a header and no rows", name)
	}
	t, err := newTable(columns, name, rows)
	if err != nil {
		return nil, err
	}
	t.Warnings = warnings
	return t, nil
}

// numbersOf are the fields of a header that are numbers, if no field is anything else but empty or a missing value. Such a header may be a row
// of a file that has none.
func numbersOf(header []string) (numbers []string) {
	for _, text := range header {
		text = strings.TrimSpace(text)
		if isMissing(text) {
			continue
		}
		_, err := strconv.ParseFloat(strings.Replace(text, ",", ".", 1), 64)
		if err != nil && !errors.Is(err, strconv.ErrRange) || !strings.ContainsAny(text, "0123456789") { // inf is a name
			return nil
		}
		numbers = append(numbers, fmt.Sprintf("%.40s", text))
	}
	return numbers
}

// unreadable names the file and the line of what encoding/csv, or the limit of a record, refuses.
func unreadable(name string, passed int, err error) error {
	var at *csv.ParseError
	if errors.As(err, &at) {
		return fmt.Errorf("convex: %s:%d: at character %d: %w", name, at.Line+passed, at.Column, at.Err)
	}
	if strings.HasPrefix(err.Error(), "convex: ") {
		return err
	}
	return fmt.Errorf("convex: %s: %w", name, err)
}

// fitted takes empty fields off the end of a row that has too many, and adds those of columns without a name to one that has too few.
func fitted(fields []string, columns []*column) ([]string, error) {
	n := len(fields)
	for len(fields) > len(columns) && strings.TrimSpace(fields[len(fields)-1]) == "" {
		fields = fields[:len(fields)-1]
	}
	for len(fields) < len(columns) && columns[len(fields)].nameless {
		fields = append(fields, "")
	}
	if len(fields) != len(columns) {
		return nil, fmt.Errorf("%d fields, the header has %d", n, len(columns))
	}
	return fields, nil
}

// columns makes the columns of a header and checks the names.
func (c Columns) columns(header []string, name string) ([]*column, error) {
	if len(header) > maxColumns {
		return nil, fmt.Errorf("convex: %s:1: %d columns, at most %d can be had", name, len(header), maxColumns)
	}
	hint := ""
	if len(numbersOf(header)) > 0 {
		hint = ": these are numbers; is the header line missing?"
	}
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
			return nil, fmt.Errorf("convex: %s:1: columns %d and %d are both called %q: give each a name of its own%s", name, first+1, i+1, h, hint)
		}
		names[i], at[h] = h, i
	}
	columns := make([]*column, len(header))
	for i, h := range names {
		columns[i] = &column{name: h, nameless: strings.TrimSpace(header[i]) == "", dropped: slices.Contains(c.Drop, h)}
		if slices.Contains(c.Categorical, h) {
			columns[i].levels = map[string]int{}
		}
	}
	for _, asked := range slices.Concat([]string{c.Target}, c.Categorical, c.Drop) {
		if _, ok := at[asked]; !ok {
			return nil, fmt.Errorf("convex: %s:1: no column %q; the header has %s%s", name, asked, strings.Join(names, ", "), hint)
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
		if c.dropped || c.nameless && c.without == rows {
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
