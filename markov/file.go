package markov

import (
	"bufio"
	"bytes"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"math"
	"strconv"
	"strings"
	"unicode/utf8"
)

// maxLine bounds one line of a file; 16 MiB holds a row of 600,000 numbers.
const maxLine = 16 << 20

// Format says how a file writes a chain.
type Format string

// The formats of chain files. In all of them blank lines and lines starting with #
// are skipped, a byte order mark too, and what follows a # after a blank; fields are separated by semicolons, tabs,
// commas or blanks, whichever the first line has; fields may be quoted.
const (
	// MatrixFormat is a row-stochastic matrix, one row a line. The entries off the
	// diagonal are the data, the diagonal is checked.
	MatrixFormat Format = "matrix"
	// RatesFormat is lines from,to,rate. States are numbers from 0, or names.
	RatesFormat Format = "rates"
	// GeneratorFormat is a matrix of rates whose diagonal is minus the rest of its row.
	GeneratorFormat Format = "generator"
	// CountsFormat is a matrix of transition counts; each row is divided by its sum.
	CountsFormat Format = "counts"
)

// Formats lists them as a command names them.
var Formats = []Format{MatrixFormat, RatesFormat, GeneratorFormat, CountsFormat}

// FileOptions says how to read a file.
type FileOptions struct {
	Format Format
	// Alpha of I + alpha*Q, or of I + alpha*(P - I) for a matrix of probabilities. For a
	// generator zero stands for the smaller of 1 and half of MaxAlpha.
	Alpha     float64
	FromOne   bool // RatesFormat: states are numbers from 1
	Normalise bool // MatrixFormat: divide each row by its sum, whatever it is
}

// File is a chain as a file gave it.
type File struct {
	Chain  *Chain
	Labels []string // names of the states, nil if they have none
	Notes  []string // what was done to the numbers
}

// ReadMatrix reads MatrixFormat: a row-stochastic matrix (alpha = 1). Errors name
// name, the line (from 1) or row (from 0) and, where a row does not sum to one, the sum.
func ReadMatrix(r io.Reader, name string) (*Chain, error) {
	f, err := ReadFile(r, name, FileOptions{Format: MatrixFormat, Alpha: 1})
	return f.Chain, err
}

// ReadRates reads RatesFormat: lines "from,to,rate" (a first line of words is a
// heading) and returns I + alpha*Q. The number of states is the largest state plus one.
func ReadRates(r io.Reader, name string, alpha float64) (*Chain, error) {
	f, err := ReadFile(r, name, FileOptions{Format: RatesFormat, Alpha: alpha})
	return f.Chain, err
}

// ReadFile reads a chain in any format. Memory is at most about 40 bytes for each
// byte of the file and 40 MiB (TestReaderMemory); a line may have 16 MiB.
func ReadFile(r io.Reader, name string, o FileOptions) (File, error) {
	var f File
	var err error
	switch o.Format {
	case RatesFormat:
		f, err = readRates(r, o)
	case MatrixFormat, GeneratorFormat, CountsFormat:
		f, err = readMatrix(r, o)
	default:
		return f, fmt.Errorf("markov: the format is %q; want matrix, rates, generator or counts", o.Format)
	}
	var at *lineError
	switch {
	case errors.As(err, &at):
		return f, fmt.Errorf("markov: %s:%d: %w", name, at.line, at.err)
	case err != nil:
		return f, fmt.Errorf("markov: %s: %s", name, strings.TrimPrefix(err.Error(), "markov: "))
	}
	return f, nil
}

// lineError is an error of one line.
type lineError struct {
	line int
	err  error
}

func (e *lineError) Error() string { return e.err.Error() }
func (e *lineError) Unwrap() error { return e.err }

// lines calls f for each line that is not blank or a comment, with its fields.
func lines(r io.Reader, f func(line int, fields []string) error) error {
	s := bufio.NewScanner(r)
	s.Buffer(make([]byte, 64<<10), maxLine)
	line := 0
	separator := rune(0)
	for s.Scan() {
		line++
		b := s.Bytes()
		if line == 1 {
			if bytes.HasPrefix(b, []byte{0xff, 0xfe}) || bytes.HasPrefix(b, []byte{0xfe, 0xff}) {
				return &lineError{line, fmt.Errorf("the file is UTF-16; save it as UTF-8")}
			}
			b = bytes.TrimPrefix(b, []byte("\ufeff"))
		}
		if !utf8.Valid(b) || bytes.IndexByte(b, 0) >= 0 {
			return &lineError{line, fmt.Errorf("not a text file: the line is not UTF-8")}
		}
		text := strings.TrimSpace(withoutComment(string(b)))
		if text == "" {
			continue
		}
		if strings.ContainsRune(text, '\r') {
			return &lineError{line, fmt.Errorf("lines end in carriage returns alone; save the file with line feeds")}
		}
		if separator == 0 {
			separator = separatorOf(text)
		}
		// A row label may be empty, so leading separators other than blanks count.
		if separator == '\t' {
			text = strings.Trim(withoutComment(string(b)), " \r\n")
		}
		fields, err := split(text, separator)
		if err == nil {
			err = f(line, fields)
		}
		var at *lineError // of a line before this one
		switch {
		case errors.As(err, &at):
			return err
		case err != nil:
			return &lineError{line, err}
		}
	}
	if err := s.Err(); errors.Is(err, bufio.ErrTooLong) {
		return &lineError{line + 1, fmt.Errorf("the line has more than %d MiB", maxLine>>20)}
	} else if err != nil {
		return &lineError{line + 1, err}
	}
	return nil
}

// withoutComment cuts a line at a # outside quotes that begins it or follows a blank.
func withoutComment(text string) string {
	quoted := false
	for i := range len(text) {
		switch {
		case text[i] == '"':
			quoted = !quoted
		case text[i] == '#' && !quoted && (i == 0 || text[i-1] == ' ' || text[i-1] == '\t'):
			return text[:i]
		}
	}
	return text
}

// separatorOf looks for a separator outside quotes, the least ambiguous first.
func separatorOf(text string) rune {
	bare := text
	for {
		i := strings.IndexByte(bare, '"')
		if i < 0 {
			break
		}
		j := strings.IndexByte(bare[i+1:], '"')
		if j < 0 {
			break
		}
		bare = bare[:i] + bare[i+j+2:]
	}
	for _, s := range ";\t," {
		if strings.ContainsRune(bare, s) {
			return s
		}
	}
	return ' '
}

// split returns the fields of a line, without quotes and surrounding blanks. A separator
// at the end of a line ends its last field.
func split(text string, separator rune) ([]string, error) {
	var fields []string
	switch {
	case strings.Contains(text, `"`):
		c := csv.NewReader(strings.NewReader(text))
		c.Comma, c.TrimLeadingSpace = separator, true
		var err error
		if fields, err = c.Read(); err != nil {
			return nil, fmt.Errorf("a quote is not closed, or stands inside a field")
		}
	case separator == ' ':
		fields = strings.Fields(text)
	default:
		fields = strings.Split(text, string(separator))
	}
	for i := range fields {
		fields[i] = strings.TrimSpace(fields[i])
		if separator == ';' && strings.Count(fields[i], ",") == 1 && !strings.Contains(fields[i], ".") {
			// With semicolons between the fields, a comma is a decimal comma.
			if v := strings.Replace(fields[i], ",", ".", 1); isNumber(v) {
				fields[i] = v
			}
		}
	}
	if last := len(fields) - 1; last > 0 && fields[last] == "" {
		fields = fields[:last]
	}
	return fields, nil
}

func isNumber(s string) bool {
	_, err := strconv.ParseFloat(s, 64)
	return err == nil || errors.Is(err, strconv.ErrRange)
}

// smallestNormal is the smallest float64 with all its digits.
const smallestNormal = 0x1p-1022

// number parses a literal that a float64 can hold: one that would become infinite,
// zero or lose digits is an error.
func number(s string) (float64, error) {
	v, err := strconv.ParseFloat(s, 64)
	switch {
	case errors.Is(err, strconv.ErrRange):
		return 0, fmt.Errorf("%q is above the largest float64, 1.8e308", s)
	case err != nil:
		return 0, fmt.Errorf("%q is not a number", s)
	case math.Abs(v) < smallestNormal && strings.ContainsAny(mantissa(s), "123456789abcdefABCDEF"):
		return 0, fmt.Errorf("%q is below the smallest float64 with all digits, 2.2e-308", s)
	}
	return v, nil
}

// mantissa returns a literal without prefix and exponent.
func mantissa(s string) string {
	s = strings.ToLower(strings.TrimLeft(s, "+-"))
	if hex, ok := strings.CutPrefix(s, "0x"); ok {
		m, _, _ := strings.Cut(hex, "p")
		return m
	}
	m, _, _ := strings.Cut(s, "e")
	return m
}
