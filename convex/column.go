package convex

import (
	"errors"
	"fmt"
	"maps"
	"math"
	"math/big"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"gonum.org/v1/gonum/stat"
)

// column is one column of a table while it is read.
type column struct {
	name            string
	target, dropped bool
	nameless        bool // the header has no name for it
	values          []float64
	missing         []int          // the first lines that have no value
	without         int            // how many have none
	levels          map[string]int // of a categorical column, with their order of appearance; nil: numbers

	first     string  // the first literal
	low, high float64 // smallest and largest value
	differs   bool    // two literals are different numbers, even if float64 cannot tell
	inexact   bool    // a literal is not a float64, in a column that may be too narrow for that
}

// isMissing reports whether a text is one of the usual ways to write "no value".
func isMissing(text string) bool {
	switch strings.ToLower(text) {
	case "", "na", "n/a", "nan", "null", "none", "?", "-", ".", "#n/a":
		return true
	}
	return false
}

// add takes the next row's field. The error says what is wrong with it.
func (c *column) add(text string, line int, marks *decimals) error {
	switch {
	case c.dropped:
		return nil
	case isMissing(text):
		if c.without++; len(c.missing) < namedLines {
			c.missing = append(c.missing, line)
		}
		return nil
	case c.levels != nil:
		level, known := c.levels[text]
		if !known {
			if !utf8.ValidString(text) {
				return fmt.Errorf("is %.40q, which is not UTF-8: save the file as UTF-8", text)
			}
			if level = len(c.levels); level == maxLevels {
				return fmt.Errorf("has more than %d levels: that is no category", maxLevels)
			}
			c.levels[strings.Clone(text)] = level
		}
		c.values = append(c.values, float64(level))
		return nil
	}
	number, err := marks.pointed(text, func() string { return fmt.Sprintf("line %d, column %s", line, c.name) })
	if err != nil {
		return err
	}
	v, err := parse(number, text)
	if err != nil {
		return err
	}
	c.observe(number, v)
	c.values = append(c.values, v)
	return nil
}

// parse reads a number that float64 holds with all its digits. written is how the file has it, with its decimal mark.
func parse(text, written string) (float64, error) {
	if len(text) > maxLiteral {
		return 0, fmt.Errorf("has %d characters: want a number of at most %d", len(text), maxLiteral)
	}
	v, err := strconv.ParseFloat(text, 64)
	switch {
	case errors.Is(err, strconv.ErrRange):
		return 0, fmt.Errorf("is %.40s, which is beyond the largest float64, 1.8e308: scale the column", written)
	case err != nil:
		return 0, fmt.Errorf("is %.40q: want a finite number. If the column names categories, give --categorical; to leave it out, --drop", written)
	case math.IsInf(v, 0): // NaN counts as missing
		return 0, fmt.Errorf("is %.40q: want a finite number", written)
	case math.Abs(v) < 0x1p-1022 && !(v == 0 && isZero(text)):
		return 0, fmt.Errorf("is %.40s, which lies below 2.2e-308, where float64 loses digits: scale the column", written)
	}
	return v, nil
}

// isZero reports whether all digits of a number's literal, without its exponent, are 0.
func isZero(text string) bool {
	text = strings.ToLower(strings.TrimLeft(text, "+-"))
	digits, exponent := "123456789", "e"
	if hex, ok := strings.CutPrefix(text, "0x"); ok {
		text, digits, exponent = hex, "123456789abcdef", "p"
	}
	mantissa, _, _ := strings.Cut(text, exponent)
	return !strings.ContainsAny(mantissa, digits)
}

// narrow is the part of the largest absolute value that the range of a column must
// exceed for the rounding of its literals, at most 2^-53 each, never to matter: n
// values of that range have a standard deviation of at least range/sqrt(2n).
const narrow = 0x1p-10

// observe keeps what is needed to tell a constant column from one whose values
// differ by less than float64 shows. Literals are compared exactly, but only while
// the column is so narrow that it may matter: a range that has become wide enough
// stays so, up to a factor of two.
func (c *column) observe(text string, v float64) {
	if len(c.values) == 0 {
		c.first, c.low, c.high = strings.Clone(text), v, v
	}
	c.low, c.high = min(c.low, v), max(c.high, v)
	if c.low != c.high {
		c.differs = true
	} else if text != c.first && !c.differs {
		a, _ := new(big.Rat).SetString(text)
		b, _ := new(big.Rat).SetString(c.first)
		c.differs = a == nil || b == nil || a.Cmp(b) != 0
	}
	if !c.inexact && (text != c.first || len(c.values) == 0) && c.high/2-c.low/2 <= narrow/2*max(c.high, -c.low) {
		c.inexact = !isExact(text, v)
	}
}

// isExact reports whether v is exactly the number that was written.
func isExact(text string, v float64) bool {
	if len(text) <= 15 && strings.Trim(text, "0123456789") == "" {
		return true
	}
	r, ok := new(big.Rat).SetString(text)
	return ok && r.Cmp(new(big.Rat).SetFloat64(v)) == 0
}

// complete is an error if values are missing.
func (c *column) complete() error {
	if c.without == 0 {
		return nil
	}
	lines, s := make([]string, len(c.missing)), ""
	for i, l := range c.missing {
		lines[i] = strconv.Itoa(l)
	}
	if c.without > 1 {
		s = "s"
	}
	more := ""
	if k := c.without - len(lines); k > 0 {
		more = fmt.Sprintf(" and %d more", k)
	}
	return fmt.Errorf("has no value in line%s %s%s: want a finite number or a category in each row. Fill in what is missing, remove the rows, or leave the column out (--drop)",
		s, strings.Join(lines, ", "), more)
}

// encoded are the columns of 0 and 1 that stand for a categorical one: itself
// for numbers.
func (c *column) encoded() []*column {
	if c.levels == nil {
		return []*column{c}
	}
	names := slices.Sorted(maps.Keys(c.levels))
	var out []*column
	for _, name := range names[1:] {
		k := &column{name: c.name + "=" + name, target: c.target, differs: true, high: 1, values: make([]float64, len(c.values))}
		for i, v := range c.values {
			if int(v) == c.levels[name] {
				k.values[i] = 1
			}
		}
		out = append(out, k)
	}
	if out == nil { // one level: it will be refused as constant
		return []*column{{name: c.name, target: c.target, values: make([]float64, len(c.values))}}
	}
	return out
}

// worstRounding is the part of its standard deviation by which reading a column
// may have moved its values.
const worstRounding = 0x1p-20

// standardised returns the values moved to mean 0 and scaled to mean square 1.
//
// The mean square would overflow from 1e154 on, underflow below 1e-154 and cancel where
// the values are large and close together. So the values are divided by a power
// of two, which is exact, the first is subtracted from all, which is exact where they are
// close together (Sterbenz), and the differences are divided by a power of two again; the
// mean and the variance of numbers of absolute value at most 1 are left to gonum/stat, whose
// two passes correct each other.
func (c *column) standardised() ([]float64, error) {
	if !c.differs {
		return nil, errors.New("is constant")
	}
	v := slices.Clone(c.values)
	scale := toUnit(v)
	for i, first := 0, v[0]; i < len(v); i++ {
		v[i] -= first
	}
	spread := toUnit(v)
	mean, sd := stat.PopMeanStdDev(v, nil)
	// Half a unit in the last place of the largest value, in the unit of v.
	rounding := math.Ldexp(1, -53-spread)
	if c.inexact && !(rounding <= worstRounding*sd) {
		return nil, fmt.Errorf("has values that lie too close together for float64: they are read with an error of up to %.2g, their standard deviation is %.2g; subtract a constant from the column, in the file",
			math.Ldexp(rounding, spread+scale), math.Ldexp(sd, spread+scale))
	}
	for i := range v {
		v[i] = (v[i] - mean) / sd
	}
	return v, nil
}

// toUnit multiplies v by the power of two 2^-e that brings its largest absolute
// value into [1/2, 1), and returns e. All zeros stay.
func toUnit(v []float64) (e int) {
	var largest float64
	for _, x := range v {
		largest = max(largest, math.Abs(x))
	}
	if _, e = math.Frexp(largest); e == 0 {
		return 0
	}
	for i := range v {
		v[i] = math.Ldexp(v[i], -e)
	}
	return e
}
