package reports

import (
	"bytes"
	"encoding/csv"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"unicode"

	"github.com/yuin/goldmark"
	"github.com/yuin/goldmark/ast"
	"github.com/yuin/goldmark/extension"
	tables "github.com/yuin/goldmark/extension/ast"
	"github.com/yuin/goldmark/parser"
	"github.com/yuin/goldmark/text"

	"tqn/runfolder"
)

// markdown reads what the reports write: GitHub's tables, and headings with an identifier each.
var markdown = goldmark.New(
	goldmark.WithExtensions(extension.Table),
	goldmark.WithParserOptions(parser.WithAutoHeadingID()),
)

// NamedTable is a table of a report, as it stands on the page but without markup.
type NamedTable struct {
	Report  string     `json:"report"`  // the file, such as "report.md"
	Heading string     `json:"heading"` // the heading above the table
	Name    string     `json:"name"`    // unique in its report: the heading in file-name letters, with a number from the second on
	Header  []string   `json:"header"`
	Rows    [][]string `json:"rows"`
}

// tablesOf lists the tables of a Markdown text in their order.
func tablesOf(report string, source []byte) []NamedTable {
	doc := markdown.Parser().Parse(text.NewReader(source))
	heading := ""
	count := map[string]int{}
	var all []NamedTable
	_ = ast.Walk(doc, func(n ast.Node, entering bool) (ast.WalkStatus, error) { // the walker below never fails
		if !entering {
			return ast.WalkContinue, nil
		}
		switch n := n.(type) {
		case *ast.Heading:
			heading = plain(n, source)
		case *tables.Table:
			t := NamedTable{Report: report, Heading: heading, Name: slug(heading)}
			count[t.Name]++
			if k := count[t.Name]; k > 1 {
				t.Name = fmt.Sprintf("%s-%d", t.Name, k)
			}
			for row := n.FirstChild(); row != nil; row = row.NextSibling() {
				var cells []string
				for c := row.FirstChild(); c != nil; c = c.NextSibling() {
					cells = append(cells, plain(c, source))
				}
				if row.Kind() == tables.KindTableHeader {
					t.Header = cells
				} else {
					t.Rows = append(t.Rows, cells)
				}
			}
			all = append(all, t)
			return ast.WalkSkipChildren, nil
		}
		return ast.WalkContinue, nil
	})
	return all
}

// plain is a node's text without markup; a <br> is a blank.
func plain(n ast.Node, source []byte) string {
	var b strings.Builder
	_ = ast.Walk(n, func(n ast.Node, entering bool) (ast.WalkStatus, error) {
		if !entering {
			return ast.WalkContinue, nil
		}
		switch n := n.(type) {
		case *ast.Text:
			b.Write(unescape(n.Segment.Value(source)))
			if n.SoftLineBreak() || n.HardLineBreak() {
				b.WriteByte(' ')
			}
		case *ast.String:
			b.Write(n.Value)
		case *ast.RawHTML:
			b.WriteByte(' ')
		}
		return ast.WalkContinue, nil
	})
	return strings.TrimSpace(b.String())
}

// unescape takes the backslashes of Markdown's escapes away.
func unescape(s []byte) []byte {
	out := make([]byte, 0, len(s))
	for i := 0; i < len(s); i++ {
		if s[i] == '\\' && i+1 < len(s) && unicode.IsPunct(rune(s[i+1])) || s[i] == '\\' && i+1 < len(s) && s[i+1] == '|' {
			i++
		}
		out = append(out, s[i])
	}
	return bytes.ReplaceAll(out, []byte("&#126;"), []byte("~"))
}

// slug is a heading in letters that every file system takes.
func slug(s string) string {
	var b strings.Builder
	for _, r := range strings.ToLower(s) {
		switch {
		case r >= 'a' && r <= 'z' || r >= '0' && r <= '9':
			b.WriteRune(r)
		case b.Len() > 0 && !strings.HasSuffix(b.String(), "-"):
			b.WriteByte('-')
		}
	}
	name := strings.Trim(b.String(), "-")
	if len(name) > 60 {
		name = strings.Trim(name[:60], "-")
	}
	if name == "" {
		return "table"
	}
	return name
}

// writePage writes a report's page, and every table on it as CSV: page "report.md" with a table under the heading "Table 1"
// gives report-tables/table-1.csv.
func writePage(dir, page, source string) error {
	folder := filepath.Join(dir, strings.TrimSuffix(page, ".md")+"-tables")
	if err := os.RemoveAll(folder); err != nil { // tables of an earlier page under headings that are gone
		return fmt.Errorf("reports: %w", err)
	}
	for i, t := range tablesOf(page, []byte(source)) {
		if i == 0 {
			if err := os.MkdirAll(folder, 0o755); err != nil {
				return fmt.Errorf("reports: %w", err)
			}
		}
		var b bytes.Buffer
		w := csv.NewWriter(&b)
		if err := w.WriteAll(append([][]string{t.Header}, t.Rows...)); err != nil {
			return fmt.Errorf("reports: %s: %w", t.Name, err)
		}
		if err := runfolder.WriteFile(filepath.Join(folder, t.Name+".csv"), b.Bytes()); err != nil {
			return err
		}
	}
	return runfolder.WriteFile(filepath.Join(dir, page), []byte(source))
}

// escapeCell keeps a cell's text as it is on every renderer of Markdown: bars and line breaks would end the cell, a pair of
// single asterisks or of tildes would turn formulas such as F* into emphasis. Bold (two asterisks) and code remain markup.
func escapeCell(s string) string {
	var b strings.Builder
	code := false
	for i := 0; i < len(s); i++ {
		switch c := s[i]; {
		case c == '`':
			code = !code
			b.WriteByte(c)
		case c == '|':
			b.WriteString(`\|`)
		case c == '\r' && i+1 < len(s) && s[i+1] == '\n':
		case c == '\n':
			b.WriteString("<br>")
		case code:
			b.WriteByte(c)
		case c == '*' && i+1 < len(s) && s[i+1] == '*':
			b.WriteString("**")
			i++
		case c == '*':
			b.WriteString(`\*`)
		case c == '~':
			b.WriteString("&#126;")
		default:
			b.WriteByte(c)
		}
	}
	return b.String()
}

// escapeLaTeX writes text for LaTeX, with the Greek letters and signs of the reports as commands.
var escapeLaTeX = strings.NewReplacer(
	`\`, `\textbackslash{}`, "&", `\&`, "%", `\%`, "$", `\$`, "#", `\#`, "_", `\_`, "{", `\{`, "}", `\}`, "~", `\textasciitilde{}`, "^", `\textasciicircum{}`,
	"<", "$<$", ">", "$>$", "|", "$|$", "α", `$\alpha$`, "Δ", `$\Delta$`, "ε", `$\varepsilon$`, "χ", `$\chi$`, "²", "$^2$", "±", `$\pm$`, "−", "$-$", "×", `$\times$`, "→", `$\to$`, "≥", `$\ge$`, "≤", `$\le$`,
	"\r\n", " ", "\n", " ", "**", "",
).Replace

// latex renders the table for a document that uses the package booktabs.
func (t *Table) latex(caption, label string) string {
	var b strings.Builder
	fmt.Fprintf(&b, "\\begin{table}\n\\centering\n\\caption{%s}\n\\label{%s}\n\\begin{tabular}{l%s}\n\\toprule\n", escapeLaTeX(caption), label, strings.Repeat("r", len(t.Header)-1))
	line := func(cells []string) {
		out := make([]string, len(cells))
		for i, c := range cells {
			out[i] = escapeLaTeX(c)
		}
		fmt.Fprintf(&b, "%s \\\\\n", strings.Join(out, " & "))
	}
	line(t.Header)
	b.WriteString("\\midrule\n")
	for _, row := range t.Rows {
		line(row)
	}
	b.WriteString("\\bottomrule\n\\end{tabular}\n\\end{table}\n")
	return b.String()
}
