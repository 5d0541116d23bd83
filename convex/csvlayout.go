package convex

import (
	"bufio"
	"cmp"
	"encoding/csv"
	"fmt"
	"io"
	"strings"
)

// separators are what may stand between two fields, in the order in which they are preferred.
var separators = []rune{',', ';', '\t', '|', ' '}

// maxRecord bounds one line of a table, or the lines of a field in quotation marks: the reader holds one at a time.
const maxRecord = 1 << 20

// csvReader finds out how a file is written and returns a reader of its records, with the number of lines that it has passed over.
func csvReader(r io.Reader, name string) (in *csv.Reader, passed int, err error) {
	b := bufio.NewReaderSize(&recordLimit{r: r, name: name}, 64<<10)
	sample, err := b.Peek(64 << 10)
	whole := err != nil // a shorter file; whatever else is wrong, the next Read says again
	start := string(sample)
	switch {
	case strings.HasPrefix(start, "\xff\xfe") || strings.HasPrefix(start, "\xfe\xff"):
		return nil, 0, fmt.Errorf("convex: %s: the file is in UTF-16: save it as UTF-8", name)
	case strings.HasPrefix(start, "\x1f\x8b"):
		return nil, 0, fmt.Errorf("convex: %s: the file is compressed: unpack it first", name)
	case strings.Contains(start, "\r") && !strings.Contains(start, "\n"):
		return nil, 0, fmt.Errorf("convex: %s: its lines end in a carriage return alone: save it with line feeds", name)
	}
	pass := func(n int) {
		start = start[n:]
		_, _ = b.Discard(n) // they have been seen
	}
	if strings.HasPrefix(start, "\xef\xbb\xbf") {
		pass(3) // a byte order mark
	}
	separator := rune(0)
	if first, _, ended := strings.Cut(start, "\n"); ended {
		// Excel takes the separator from such a line.
		if s, ok := strings.CutPrefix(strings.TrimRight(first, "\r"), "sep="); ok && len(s) == 1 {
			separator, passed = rune(s[0]), 1
			pass(len(first) + 1)
		}
	}
	if separator == 0 {
		separator = separatorOf(recordsOf(start, whole))
	}
	in = csv.NewReader(b)
	in.Comma = separator
	in.TrimLeadingSpace = separator != '\t' // a tab is a space: an empty first field must stay
	in.FieldsPerRecord = -1                 // compared with the header's, with a better message
	in.ReuseRecord = true
	return in, passed, nil
}

// recordsOf splits the start of a file at its line ends, but for those in quotation marks, and leaves out empty lines and, unless the
// whole file is there or there is no other, the last record, which may be cut off.
func recordsOf(start string, whole bool) []string {
	const enough = 20
	var records []string
	from, quoted := 0, false
	for i := 0; i < len(start) && len(records) < enough; i++ {
		switch {
		case start[i] == '"':
			quoted = !quoted
		case start[i] == '\n' && !quoted:
			if record := strings.TrimRight(start[from:i], "\r"); strings.TrimSpace(record) != "" {
				records = append(records, record)
			}
			from = i + 1
		}
	}
	if rest := start[from:]; len(records) < enough && strings.TrimSpace(rest) != "" && (whole || len(records) == 0) {
		records = append(records, rest)
	}
	return records
}

// separatorOf is the separator by which the most records have as many fields as the header, which are two at least; of several the one
// that leaves the greatest part of the fields below the header numbers, then the one that makes the most fields, and then the first in
// separators. Blanks separate only where nothing else does.
func separatorOf(records []string) rune {
	type score struct {
		alike   int
		numbers float64
		fields  int
	}
	best, highest := ',', score{}
	for _, s := range separators {
		if len(records) == 0 || s == ' ' && highest.fields > 0 {
			break
		}
		c := score{fields: len(fieldsOf(records[0], s))}
		if c.fields < 2 {
			continue
		}
		all, numbers := 0, 0
		for _, r := range records[1:] {
			fields := fieldsOf(r, s)
			if len(fields) == c.fields {
				c.alike++
			}
			for _, f := range fields {
				all++
				if strings.Trim(f, "0123456789.,+-eE \"") == "" {
					numbers++
				}
			}
		}
		c.numbers = float64(numbers) / float64(max(1, all))
		if cmp.Or(cmp.Compare(c.alike, highest.alike), cmp.Compare(c.numbers, highest.numbers), cmp.Compare(c.fields, highest.fields)) > 0 {
			best, highest = s, c
		}
	}
	return best
}

// fieldsOf splits a record. Whatever stands in quotation marks separates nothing, a run of blanks is one separator, and separators at
// the end make no field.
func fieldsOf(record string, separator rune) (fields []string) {
	record = strings.TrimRight(record, " \t\r")
	if separator == ' ' {
		record = strings.TrimLeft(record, " ")
	}
	record = strings.TrimRight(record, string(separator))
	from, quoted := 0, false
	for i, c := range record {
		switch {
		case c == '"':
			quoted = !quoted
		case c == separator && !quoted:
			if separator != ' ' || i > from {
				fields = append(fields, record[from:i])
			}
			from = i + 1
		}
	}
	return append(fields, record[from:])
}

// recordLimit passes a file on until a record is longer than maxRecord.
type recordLimit struct {
	r      io.Reader
	name   string
	line   int // complete lines so far
	length int // of the record so far
	quoted bool
	start  int // the line on which the record begins, from 0
}

func (l *recordLimit) Read(p []byte) (int, error) {
	n, err := l.r.Read(p)
	for _, c := range p[:n] {
		switch l.length++; {
		case c == '"':
			l.quoted = !l.quoted
		case c == '\n':
			if l.line++; !l.quoted {
				l.length, l.start = 0, l.line
			}
		}
		if l.length > maxRecord {
			return 0, fmt.Errorf("convex: %s:%d: a record of more than %d bytes; is a quotation mark not closed?", l.name, l.start+1, maxRecord)
		}
	}
	return n, err
}

// decimals finds out whether a file writes decimal points or decimal commas.
type decimals struct {
	mark         string // what the user says: point, comma or nothing
	point, comma string // the first number of each kind, with its place
	grouped      string // the first number that could also be one with a separator of thousands, with its place
	certain      bool   // a number with a comma cannot be one with a separator of thousands
}

// pointed is a number's text with a decimal point. The error says what is wrong with the text.
func (d *decimals) pointed(text string, at func() string) (string, error) {
	commas := strings.Count(text, ",")
	if commas == 0 {
		if d.point == "" && strings.Contains(text, ".") {
			d.point = fmt.Sprintf("%.40q in %s", text, at())
		}
		return text, nil
	}
	switch {
	case strings.Trim(text, "0123456789.,+-eE") != "":
		return text, nil // a text, which is refused as one
	case commas > 1 || strings.Contains(text, "."):
		return "", fmt.Errorf("is %.40q: want a finite number without separators of thousands", text)
	case d.mark == "point":
		return "", fmt.Errorf("is %.40q: want a finite number with a decimal point, as --decimal says", text)
	}
	if d.comma == "" {
		d.comma = fmt.Sprintf("%.40q in %s", text, at())
	}
	if !d.certain {
		if d.certain = !thousands(text); !d.certain && d.grouped == "" {
			d.grouped = fmt.Sprintf("%.40q in %s", text, at())
		}
	}
	return strings.Replace(text, ",", ".", 1), nil
}

// thousands reports whether a number with one comma may be a whole number of thousands, such as 1,234.
func thousands(text string) bool {
	before, after, _ := strings.Cut(strings.TrimLeft(text, "+-"), ",")
	return len(after) == 3 && len(before) >= 1 && len(before) <= 3 && before[0] != '0' && strings.Trim(before+after, "0123456789") == ""
}

// check is an error if what has been read has no one decimal mark.
func (d *decimals) check() error {
	switch {
	case d.comma != "" && d.point != "":
		return fmt.Errorf("there are numbers with a comma (%s) and numbers with a point (%s): want one decimal mark, and no separators of thousands", d.comma, d.point)
	case d.point != "" && d.mark == "comma":
		return fmt.Errorf("there are numbers with a point (%s), and --decimal says comma", d.point)
	case d.grouped != "" && !d.certain && d.mark == "":
		return fmt.Errorf("%s may have a decimal comma or a separator of thousands, and no other number tells: say --decimal comma, or remove the separators", d.grouped)
	}
	return nil
}
