package markov

import (
	"bufio"
	"fmt"
	"io"
	"strconv"
	"strings"
)

// maxLine bounds one line of a file; 16 MiB holds a row of 600,000 numbers.
const maxLine = 16 << 20

// ReadMatrix reads a row-stochastic matrix, one row a line, entries separated
// by commas. Blank lines and lines starting with # are skipped. Errors name
// name, the line (from 1), the row (from 0) and, where a row does not sum to
// one, the sum.
func ReadMatrix(r io.Reader, name string) (*Chain, error) {
	var rows [][]float64
	err := lines(r, name, func(line int, fields []string) error {
		if len(rows) > 0 && len(fields) != len(rows[0]) {
			return fmt.Errorf("row %d has %d entries, row 0 has %d", len(rows), len(fields), len(rows[0]))
		}
		row := make([]float64, len(fields))
		for y, f := range fields {
			v, err := strconv.ParseFloat(f, 64)
			if err != nil {
				return fmt.Errorf("row %d, column %d: %q is not a number", len(rows), y, f)
			}
			row[y] = v
		}
		rows = append(rows, row)
		return nil
	})
	if err != nil {
		return nil, err
	}
	if len(rows) == 0 {
		return nil, fmt.Errorf("markov: %s: no rows; want a square matrix of probabilities", name)
	}
	if len(rows) != len(rows[0]) {
		return nil, fmt.Errorf("markov: %s: %d rows of %d entries; want a square matrix", name, len(rows), len(rows[0]))
	}
	c, err := FromMatrix(rows)
	if err != nil {
		return nil, fmt.Errorf("markov: %s: %s", name, strings.TrimPrefix(err.Error(), "markov: "))
	}
	return c, nil
}

// ReadRates reads lines "from,to,rate" with states from 0 (a first line of
// words is a heading) and returns I + alpha*Q. The number of states is the
// largest state plus one.
func ReadRates(r io.Reader, name string, alpha float64) (*Chain, error) {
	var rates []Rate
	n := 0
	first := true
	err := lines(r, name, func(line int, fields []string) error {
		if len(fields) != 3 {
			return fmt.Errorf("%d fields; want from,to,rate", len(fields))
		}
		from, err1 := strconv.Atoi(fields[0])
		to, err2 := strconv.Atoi(fields[1])
		rate, err3 := strconv.ParseFloat(fields[2], 64)
		heading := first && err1 != nil && err2 != nil && err3 != nil
		first = false
		switch {
		case heading:
			return nil
		case err1 != nil || from < 0 || from >= maxStates:
			return fmt.Errorf("from is %q; want a state, 0 or larger", fields[0])
		case err2 != nil || to < 0 || to >= maxStates:
			return fmt.Errorf("to is %q; want a state, 0 or larger", fields[1])
		case err3 != nil || !(rate >= 0) || rate > 1.7e308:
			return fmt.Errorf("rate is %q; want a finite number >= 0", fields[2])
		case from == to:
			return fmt.Errorf("state %d leads to itself; the diagonal follows from the other entries", from)
		}
		n = max(n, from+1, to+1)
		rates = append(rates, Rate{from, to, rate})
		return nil
	})
	if err != nil {
		return nil, err
	}
	if n == 0 {
		return nil, fmt.Errorf("markov: %s: no rates; want lines from,to,rate", name)
	}
	if n > 64*(len(rates)+16) {
		return nil, fmt.Errorf("markov: %s: largest state %d but only %d rates; states are numbered from 0 without gaps", name, n-1, len(rates))
	}
	c, err := FromRates(n, rates, alpha)
	if err != nil {
		return nil, fmt.Errorf("markov: %s: %s", name, strings.TrimPrefix(err.Error(), "markov: "))
	}
	return c, nil
}

func lines(r io.Reader, name string, f func(line int, fields []string) error) error {
	s := bufio.NewScanner(r)
	s.Buffer(make([]byte, 64<<10), maxLine)
	line := 0
	for s.Scan() {
		line++
		text := strings.TrimSpace(s.Text())
		if text == "" || text[0] == '#' {
			continue
		}
		fields := strings.Split(text, ",")
		for i := range fields {
			fields[i] = strings.TrimSpace(fields[i])
		}
		if err := f(line, fields); err != nil {
			return fmt.Errorf("markov: %s:%d: %w", name, line, err)
		}
	}
	if err := s.Err(); err != nil {
		return fmt.Errorf("markov: %s:%d: %w", name, line+1, err)
	}
	return nil
}
