package reports_test

import (
	"fmt"

	"tqn/reports"
)

// A table as Markdown: bars and asterisks of formulas stay what they are.
func ExampleTable_Markdown() {
	t := reports.Table{Header: []string{"quantity", "value"}}
	t.Add("E|r|^2", 0.25)
	t.Add("F(w) - F*", 1e-3)
	fmt.Print(t.Markdown())
	// Output:
	// | quantity   | value |
	// |:-----------|:------|
	// | E\|r\|^2   | 0.25  |
	// | F(w) - F\* | 0.001 |
}
