package reports

import (
	"fmt"
	"strings"

	"github.com/olekukonko/tablewriter"
	"github.com/olekukonko/tablewriter/renderer"
	"github.com/olekukonko/tablewriter/tw"
)

// table is a header and rows of equal length. Cells are plain text or inline
// Markdown; Markdown escapes what would break the table itself.
type Table struct {
	Header []string
	Rows   [][]string
}

// Add appends a row, formatting each cell with fmt.Sprint (floats with %.4g).
func (t *Table) Add(cells ...any) {
	if len(cells) != len(t.Header) {
		panic(fmt.Sprintf("reports: Table.Add: %d cells for %d columns", len(cells), len(t.Header)))
	}
	row := make([]string, len(cells))
	for i, c := range cells {
		switch c := c.(type) {
		case float64:
			row[i] = fmt.Sprintf("%.4g", c)
		default:
			row[i] = fmt.Sprint(c)
		}
	}
	t.Rows = append(t.Rows, row)
}

// Markdown renders a GitHub table. The renderer of tablewriter 1.1.5 escapes nothing, so the cells are escaped here.
func (t *Table) Markdown() string {
	return t.render(renderer.NewMarkdown(), escapeCell)
}

// Text renders a table for a terminal.
func (t *Table) Text() string {
	return t.render(renderer.NewBlueprint(tw.Rendition{
		Borders:  tw.BorderNone,
		Settings: tw.Settings{Separators: tw.Separators{BetweenColumns: tw.Off, BetweenRows: tw.Off}},
	}), strings.NewReplacer("\r\n", " ", "\n", " ").Replace)
}

func (t *Table) render(r tw.Renderer, clean func(string) string) string {
	var b strings.Builder
	// Automatic header formatting turns underscores into spaces and letters into
	// capitals, which ruins formulas; wrapping would break Markdown rows.
	w := tablewriter.NewTable(&b,
		tablewriter.WithRenderer(r),
		tablewriter.WithHeaderAutoFormat(tw.Off),
		tablewriter.WithHeaderAutoWrap(tw.WrapNone),
		tablewriter.WithRowAutoWrap(tw.WrapNone),
		tablewriter.WithHeaderAlignment(tw.AlignLeft),
		tablewriter.WithRowAlignment(tw.AlignLeft),
	)
	cells := func(row []string) []string {
		out := make([]string, len(row))
		for i, c := range row {
			out[i] = clean(c)
		}
		return out
	}
	w.Header(cells(t.Header))
	for _, row := range t.Rows {
		if err := w.Append(cells(row)); err != nil {
			panic("reports: Table: " + err.Error())
		}
	}
	if err := w.Render(); err != nil {
		panic("reports: Table: " + err.Error())
	}
	return b.String()
}
