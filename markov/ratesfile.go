package markov

import (
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
)

// ratesReader collects the lines of RatesFormat.
type ratesReader struct {
	o      FileOptions
	first  bool // the next line is the first with a rate, or a heading
	headed bool // a heading has been read
	named  bool // states are names, not numbers
	labels []string
	index  map[string]int
	rates  []Rate
	n      int
	low    int // the smallest state that was named
}

func readRates(r io.Reader, o FileOptions) (File, error) {
	s := ratesReader{o: o, first: true, index: map[string]int{}, low: maxStates}
	if err := lines(r, s.line); err != nil {
		return File{}, err
	}
	switch base := s.base(); {
	case len(s.rates) == 0:
		return File{}, fmt.Errorf("no rates; want lines from,to,rate")
	case s.n > 2*len(s.rates)+1024:
		return File{}, fmt.Errorf("largest state %d but only %d rates; states are numbered from %d without gaps", s.n-1+base, len(s.rates), base)
	case s.low > 0 && base == 0 && !s.named:
		return File{}, fmt.Errorf("no line names state 0, the smallest is %d; states are numbered from 0, or from 1 with --from-one", s.low)
	}
	c, err := FromRates(s.n, s.rates, o.Alpha)
	return File{Chain: c, Labels: s.labels}, err
}

func (s *ratesReader) base() int {
	if s.o.FromOne {
		return 1
	}
	return 0
}

func (s *ratesReader) line(_ int, fields []string) error {
	if len(fields) != 3 {
		return fmt.Errorf("%d fields; want from,to,rate", len(fields))
	}
	_, err1 := strconv.Atoi(fields[0])
	_, err2 := strconv.Atoi(fields[1])
	if s.first {
		s.first = false
		if (err1 != nil || err2 != nil) && !isNumber(fields[2]) {
			s.first = true // a heading: the next line decides whether states have names
			return s.heading(err1, err2)
		}
		s.named = (err1 != nil || err2 != nil) && !looksNumeric(fields[0], err1) && !looksNumeric(fields[1], err2)
	}
	from, err := s.state("from", fields[0])
	if err != nil {
		return err
	}
	to, err := s.state("to", fields[1])
	if err != nil {
		return err
	}
	rate, err := number(fields[2])
	switch {
	case err != nil && isNumber(fields[2]):
		return fmt.Errorf("rate %w", err)
	case err != nil || !(rate >= 0) || rate > 1.7e308:
		return fmt.Errorf("rate is %q; want a finite number >= 0", fields[2])
	case from == to:
		return fmt.Errorf("state %s leads to itself; the diagonal follows from the other entries", fields[0])
	}
	s.n = max(s.n, from+1, to+1)
	s.low = min(s.low, from, to)
	s.rates = append(s.rates, Rate{from, to, rate})
	return nil
}

// heading accepts one line of words.
func (s *ratesReader) heading(err1, err2 error) error {
	if err1 == nil || err2 == nil {
		return fmt.Errorf("the third field is no rate; want from,to,rate")
	}
	if s.headed {
		return fmt.Errorf("a second line without a rate; want from,to,rate")
	}
	s.headed = true
	return nil
}

// looksNumeric reports whether a field that is no state was meant as a number.
func looksNumeric(field string, err error) bool { return err != nil && isNumber(field) }

// state returns the index of a state.
func (s *ratesReader) state(which, field string) (int, error) {
	if s.named {
		if field == "" {
			return 0, fmt.Errorf("%s is empty; want the name of a state", which)
		}
		x, ok := s.index[field]
		if !ok {
			x = len(s.labels)
			s.index[field] = x
			s.labels = append(s.labels, field)
		}
		return x, nil
	}
	x, err := strconv.Atoi(field)
	if err == nil && x >= maxStates || errors.Is(err, strconv.ErrRange) && !strings.HasPrefix(field, "-") {
		return 0, fmt.Errorf("%s is %q; want a state below %d: states are numbered from %d without gaps", which, field, maxStates, s.base())
	}
	if err != nil || x < s.base() {
		return 0, fmt.Errorf("%s is %q; want a state, %d or larger", which, field, s.base())
	}
	return x - s.base(), nil
}
