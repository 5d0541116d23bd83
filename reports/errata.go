package reports

import (
	"bytes"
	_ "embed"
	"fmt"
	"text/template"

	"tqn/referee"
	"tqn/runfolder"
)

//go:embed errata.md.tmpl
var errataTemplate string

// WriteErrata writes docs/errata.md, or wherever path says. See [Errata].
func WriteErrata(path string, numbers *referee.Errata) error {
	text, err := Errata(numbers)
	if err != nil {
		return err
	}
	return runfolder.WriteFile(path, text)
}

// Errata is the list of what the paper prints and what is true.
func Errata(numbers *referee.Errata) ([]byte, error) {
	t, err := template.New("errata").Funcs(template.FuncMap{
		"g":   func(x float64) string { return fmt.Sprintf("%.4g", x) },
		"six": func(x float64) string { return fmt.Sprintf("%.6g", x) },
		"div": func(a, b float64) float64 { return a / b },
		"mul": func(a, b float64) float64 { return a * b },
		"positive": func(x float64) string { // a probability that may underflow
			if x == 0 {
				return "below 1e-308"
			}
			return fmt.Sprintf("%.4g", x)
		},
	}).Parse(errataTemplate)
	if err != nil {
		return nil, err
	}
	var b bytes.Buffer
	if err := t.Execute(&b, numbers); err != nil {
		return nil, err
	}
	return b.Bytes(), nil
}
