package markov

import (
	"fmt"
	"io"
	"math"
	"slices"
	"strconv"
	"strings"
)

// matrixReader collects the rows of a matrix. Zeros are not kept.
type matrixReader struct {
	o       FileOptions
	first   []string // the first line, until the second shows whether it is a heading
	at      int      // its number
	header  []string // column labels, nil if there are none
	names   []string // row labels
	named   bool     // rows begin with a label
	columns int
	rows    int
	ptr     []int
	col     []int32
	val     []float64
	hold    []float64
	worst   float64 // largest |row sum - 1|
}

func readMatrix(r io.Reader, o FileOptions) (File, error) {
	m := matrixReader{o: o, ptr: []int{0}}
	if err := lines(r, m.line); err != nil {
		return File{}, err
	}
	if m.first != nil { // there was one line only
		if err := m.numbers(m.first); err != nil {
			return File{}, &lineError{m.at, err}
		}
	}
	switch {
	case m.rows == 0:
		return File{}, fmt.Errorf("no rows; want a square matrix of %s", m.kind())
	case m.rows != m.columns:
		return File{}, fmt.Errorf("%d rows of %d entries; want a square matrix", m.rows, m.columns)
	}
	labels, err := m.labels()
	if err != nil {
		return File{}, err
	}
	c, err := m.chain()
	if err != nil {
		return File{}, err
	}
	f := File{Chain: c, Labels: labels}
	if o.Normalise && o.Format == MatrixFormat {
		f.Notes = append(f.Notes, fmt.Sprintf("each row was divided by its sum; the sums differ from 1 by at most %.2g", m.worst))
	}
	return f, nil
}

func (m *matrixReader) kind() string {
	switch m.o.Format {
	case GeneratorFormat:
		return "rates"
	case CountsFormat:
		return "counts"
	}
	return "probabilities"
}

// line takes a heading or a row. A first line of whole numbers is a heading if it has one
// field less than the second: R writes the names of the columns so.
func (m *matrixReader) line(line int, fields []string) error {
	switch {
	case m.rows == 0 && m.header == nil && m.first == nil:
		if isHeading(fields) {
			m.header = fields
		} else {
			m.first, m.at = fields, line
		}
		return nil
	case m.first != nil:
		first := m.first
		m.first = nil
		if len(fields) == len(first)+1 && whole(first) {
			m.header = first
			break
		}
		if err := m.numbers(first); err != nil {
			return &lineError{m.at, err}
		}
	}
	return m.numbers(fields)
}

// numbers takes a row. Its first field is a label if it is no number, if the heading
// has an empty corner, or if the row has one field more than the heading.
func (m *matrixReader) numbers(fields []string) error {
	if m.rows == 0 {
		corner := len(m.header) > 0 && (len(fields) == len(m.header) && m.header[0] == "" || len(fields) == len(m.header)+1)
		m.named = len(fields) > 1 && (corner || !isNumber(fields[0]) && isNumber(fields[1]))
	}
	if m.named {
		m.names = append(m.names, fields[0])
		fields = fields[1:]
	}
	if m.rows == 0 {
		m.columns = len(fields)
	} else if len(fields) != m.columns {
		return fmt.Errorf("row %d has %d entries, row 0 has %d", m.rows, len(fields), m.columns)
	}
	row := make([]float64, 0, 64)
	for y, f := range fields {
		v, err := number(f)
		if err != nil {
			return fmt.Errorf("row %d, column %d: %w", m.rows, y, err)
		}
		row = append(row, v)
	}
	return m.row(row)
}

// whole reports whether all fields are whole numbers.
func whole(fields []string) bool {
	for _, f := range fields {
		if _, err := strconv.Atoi(f); err != nil {
			return false
		}
	}
	return true
}

// isHeading reports whether a first line names the columns: its corner is empty, or
// none of its fields is a number.
func isHeading(fields []string) bool {
	if len(fields) < 2 {
		return false
	}
	if fields[0] == "" {
		return true
	}
	for _, f := range fields {
		if isNumber(f) {
			return false
		}
	}
	return true
}

// row checks a row and keeps what is not zero off the diagonal.
func (m *matrixReader) row(row []float64) error {
	x := m.rows
	m.rows++
	sum, off, size := 0.0, 0.0, 0.0
	for y, v := range row {
		if err := m.entry(x, y, v); err != nil {
			return err
		}
		sum += v
		size = max(size, math.Abs(v))
		if y != x {
			off += v
		}
	}
	if math.IsInf(sum, 0) {
		return fmt.Errorf("the entries of row %d overflow", x)
	}
	scale := 1.0
	switch m.o.Format {
	case GeneratorFormat:
		if math.Abs(sum) > RowSumTolerance*size {
			return fmt.Errorf("row %d of the generator sums to %.10g, not to 0", x, sum)
		}
	case CountsFormat:
		if !(sum > 0) {
			return fmt.Errorf("row %d has no counts: where the chain goes from there is unknown", x)
		}
		scale = 1 / sum
	default:
		m.worst = max(m.worst, math.Abs(sum-1))
		switch {
		case m.o.Normalise && !(sum > 0):
			return fmt.Errorf("row %d sums to %g; --normalise needs a positive sum", x, sum)
		case m.o.Normalise:
			scale = 1 / sum
		case math.Abs(sum-1) <= RowSumTolerance && off > 1: // entries rounded upwards: scale them back rather than refuse
			scale = 1 / off
		}
	}
	for y, v := range row {
		if y != x && v != 0 {
			m.col, m.val = append(m.col, int32(y)), append(m.val, v*scale)
		}
	}
	if x < len(row) {
		m.hold = append(m.hold, row[x]*scale)
	}
	m.ptr = append(m.ptr, len(m.col))
	if m.o.Format == MatrixFormat && !m.o.Normalise && math.Abs(sum-1) > RowSumTolerance {
		hint := ""
		switch {
		case math.Abs(sum-1) < 0.02:
			hint = "; --normalise divides each row by its sum"
		case len(row) == 3 && row[0] == math.Trunc(row[0]) && row[1] == math.Trunc(row[1]):
			hint = "; are these lines from,to,rate? (--format rates)"
		}
		return fmt.Errorf("row %d sums to %.10g, not to 1%s", x, sum, hint)
	}
	return nil
}

// entry checks one number.
func (m *matrixReader) entry(x, y int, v float64) error {
	switch m.o.Format {
	case GeneratorFormat:
		if math.IsNaN(v) || math.IsInf(v, 0) || x != y && v < 0 || x == y && v > 0 {
			return fmt.Errorf("row %d, column %d of the generator is %g; rates off the diagonal are >= 0, the diagonal is <= 0", x, y, v)
		}
	case CountsFormat:
		if !(v >= 0) || math.IsInf(v, 1) || v != math.Trunc(v) {
			return fmt.Errorf("row %d, column %d is %g; a count is a whole number >= 0", x, y, v)
		}
	default:
		if !(v >= 0) || v > 1+RowSumTolerance && !m.o.Normalise || math.IsInf(v, 1) {
			hint := ""
			switch {
			case x == y && v < 0:
				hint = "; is this a generator? (--format generator)"
			case v > 1 && v == math.Trunc(v) && !math.IsInf(v, 1):
				hint = "; are these counts? (--format counts)"
			}
			return fmt.Errorf("row %d, column %d is %g; a probability lies in [0, 1]%s", x, y, v, hint)
		}
	}
	return nil
}

func (m *matrixReader) chain() (*Chain, error) {
	alpha := m.o.Alpha
	if m.o.Format != GeneratorFormat {
		c, err := fromCSR(m.rows, m.ptr, m.col, m.val, 1)
		if err != nil {
			return nil, err
		}
		if alpha != 1 {
			return c.WithAlpha(alpha)
		}
		c.hold = m.hold
		return c, nil
	}
	if len(m.val) == 0 && alpha == 0 {
		alpha = 1
	}
	return fromCSR(m.rows, m.ptr, m.col, m.val, alpha)
}

// labels returns the names of the states, which rows and columns must agree on.
func (m *matrixReader) labels() ([]string, error) {
	header := m.header
	if m.header != nil {
		switch len(m.header) {
		case m.columns:
		case m.columns + 1:
			header = m.header[1:]
		default:
			return nil, fmt.Errorf("the heading has %d names for %d columns", len(m.header), m.columns)
		}
	}
	switch {
	case header != nil && numbered(m.names): // what a spreadsheet or a data frame numbers its rows with
	case header != nil && len(m.names) == len(header) && numberedBy(header, "V", "X"):
		header = m.names
	case header != nil && m.names != nil && !slices.Equal(header, m.names):
		for x := range header {
			if header[x] != m.names[x] {
				return nil, fmt.Errorf("row %d is called %q, column %d %q; rows and columns are the same states in the same order", x, m.names[x], x, header[x])
			}
		}
	case header == nil:
		header = m.names
	}
	seen := make(map[string]int, len(header))
	for x, l := range header {
		if y, twice := seen[l]; twice {
			return nil, fmt.Errorf("states %d and %d are both called %q", y, x, l)
		}
		if strings.TrimSpace(l) == "" {
			return nil, fmt.Errorf("state %d has an empty name", x)
		}
		seen[l] = x
	}
	return header, nil
}

// numbered reports whether names are the numbers from 0 or from 1.
func numbered(names []string) bool { return numberedBy(names, "") }

// numberedBy is numbered for names that all begin with one of the given prefixes.
func numberedBy(names []string, prefixes ...string) bool {
	for _, p := range prefixes {
		for _, base := range []int{0, 1} {
			all := len(names) > 0
			for i, n := range names {
				all = all && n == p+strconv.Itoa(i+base)
			}
			if all {
				return true
			}
		}
	}
	return false
}
