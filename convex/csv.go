package convex

import (
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"math"
	"slices"
	"strconv"
	"strings"
)

// Table is a numeric data set with one target column.
type Table struct {
	Target   string
	Columns  []string    // features, in the order of the file
	Features [][]float64 // one row per line
	Values   []float64   // the target
}

// ReadTable reads comma-separated numbers with a header line; target names one of
// its columns. name is the file's name in errors, which give line and column.
func ReadTable(r io.Reader, name, target string) (*Table, error) {
	in := csv.NewReader(r)
	in.TrimLeadingSpace = true
	in.FieldsPerRecord = -1 // checked below, with a better message
	header, err := in.Read()
	if errors.Is(err, io.EOF) {
		return nil, fmt.Errorf("convex: %s: the file is empty: want a header line and rows of numbers", name)
	}
	if err != nil {
		return nil, fmt.Errorf("convex: %s: %w", name, err)
	}
	for i := range header {
		header[i] = strings.TrimSpace(header[i])
	}
	at := slices.Index(header, target)
	if at < 0 {
		return nil, fmt.Errorf("convex: %s:1: no column %q; the header has %s", name, target, strings.Join(header, ", "))
	}
	if len(header) < 2 {
		return nil, fmt.Errorf("convex: %s:1: only the target column %q: want at least one feature", name, target)
	}
	t := &Table{Target: target, Columns: slices.Delete(slices.Clone(header), at, at+1)}
	for {
		fields, err := in.Read()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return nil, fmt.Errorf("convex: %s: %w", name, err)
		}
		line, _ := in.FieldPos(0)
		if len(fields) != len(header) {
			return nil, fmt.Errorf("convex: %s:%d: %d fields, the header has %d", name, line, len(fields), len(header))
		}
		row := make([]float64, 0, len(fields)-1)
		for k, text := range fields {
			v, err := strconv.ParseFloat(strings.TrimSpace(text), 64)
			if err != nil || math.IsNaN(v) || math.IsInf(v, 0) {
				return nil, fmt.Errorf("convex: %s:%d: column %d (%s) is %q: want a finite number", name, line, k+1, header[k], text)
			}
			if k == at {
				t.Values = append(t.Values, v)
			} else {
				row = append(row, v)
			}
		}
		t.Features = append(t.Features, row)
	}
	if len(t.Features) == 0 {
		return nil, fmt.Errorf("convex: %s: a header and no rows", name)
	}
	return t, nil
}

// Standardised returns the features moved to mean 0 and scaled to mean square 1.
// A constant column is an error: it has no scale.
func (t *Table) Standardised() ([][]float64, error) {
	rows := make([][]float64, len(t.Features))
	for i := range rows {
		rows[i] = slices.Clone(t.Features[i])
	}
	for k := range t.Columns {
		column := func(i int) *float64 { return &rows[i][k] }
		if !standardise(len(rows), column) {
			return nil, fmt.Errorf("convex: column %q is constant: leave it out", t.Columns[k])
		}
	}
	return rows, nil
}

func standardise(n int, at func(i int) *float64) bool {
	var mean, square float64
	for i := range n {
		mean += *at(i) / float64(n)
	}
	for i := range n {
		*at(i) -= mean
		square += *at(i) * *at(i) / float64(n)
	}
	if square <= 1e-24*mean*mean || square == 0 {
		return false
	}
	for i := range n {
		*at(i) /= math.Sqrt(square)
	}
	return true
}

// LeastSquares is the regression of the standardised target on the standardised
// features over [-half, half]^d.
func (t *Table) LeastSquares(ridge, half float64) (*LeastSquares, error) {
	a, err := t.Standardised()
	if err != nil {
		return nil, err
	}
	b := slices.Clone(t.Values)
	if !standardise(len(b), func(i int) *float64 { return &b[i] }) {
		return nil, fmt.Errorf("convex: target %q is constant", t.Target)
	}
	return NewLeastSquares("least squares on "+t.Target, a, b, ridge, -half, half)
}

// Logistic is the classification of a two-valued target (the larger value is +1)
// by the standardised features and an intercept over [-half, half]^(d+1).
func (t *Table) Logistic(ridge, half float64) (*Logistic, error) {
	classes := slices.Compact(slices.Sorted(slices.Values(t.Values)))
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
