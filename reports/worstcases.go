package reports

import (
	"bytes"
	_ "embed"
	"fmt"
	"text/template"

	"tqn/bounds"
	"tqn/referee"
	"tqn/runfolder"
)

//go:embed worstcases.md.tmpl
var worstCasesTemplate string

// WriteWorstCases writes docs/worst-cases.md, or wherever path says. See [WorstCases].
func WriteWorstCases(path string, rows [][]referee.WorstCase, rounded []referee.RoundedWorstCase) error {
	text, err := WorstCases(rows, rounded)
	if err != nil {
		return err
	}
	return runfolder.WriteFile(path, text)
}

// worstRow is a table of the page: one theorem and one choice of its constants, over T.
type worstRow struct {
	Title    string
	Appendix bool
	Moving   bool
	Cases    []referee.WorstCase
}

// WorstCases is the page on worst cases. Tables over T come first, then what there is at a single T, as one table over c.
func WorstCases(rows [][]referee.WorstCase, rounded []referee.RoundedWorstCase) ([]byte, error) {
	data := struct {
		Rows    map[string][]worstRow // by theorem
		OverC   []referee.WorstCase   // Theorem 2 at T = 10
		First   []referee.WorstCase   // the smallest T at which a printed bound is exceeded, row by row
		Count   int
		Widest  float64                    // largest gap of a pair
		Rounded []referee.RoundedWorstCase // of SR
		Connect []referee.RoundedWorstCase // of BC
	}{Rows: map[string][]worstRow{}}
	for _, c := range rounded {
		if c.Rounding == "" {
			data.Rounded = append(data.Rounded, c)
		} else {
			data.Connect = append(data.Connect, c)
		}
	}
	for _, row := range rows {
		c := row[0]
		theorem, title := c.Row[:len("theorem1")], "F strongly convex"
		switch theorem {
		case "theorem2":
			title = fmt.Sprintf("c = %.4g D/G", c.K)
		case "theorem3":
			title = fmt.Sprintf("c = %.4g D/G, L = %.4g G/D", c.K, c.L)
		case "theorem4":
			title = fmt.Sprintf("L = %.4g mu", c.L)
		}
		if len(row) > 1 {
			data.Rows[theorem] = append(data.Rows[theorem], worstRow{title, theorem == "theorem2", theorem == "theorem2" || theorem == "theorem3", row})
		}
		printed, appendix := false, false
		for _, c := range row {
			data.Count++
			data.Widest = max(data.Widest, c.Upper-c.Lower)
			if theorem == "theorem2" && c.T == 10 {
				data.OverC = append(data.OverC, c)
			}
			if c.PrintedIsRefuted && !printed || c.AppendixIsRefuted && !appendix {
				data.First = append(data.First, c)
			}
			printed, appendix = printed || c.PrintedIsRefuted, appendix || c.AppendixIsRefuted
		}
	}
	t, err := template.New("worst cases").Funcs(template.FuncMap{
		"six":  func(x float64) string { return fmt.Sprintf("%.6f", x) },
		"low":  func(x float64) string { return fmt.Sprintf("%.7f", x-5e-8) }, // rounded down
		"high": func(x float64) string { return fmt.Sprintf("%.7f", x+5e-8) }, // rounded up
		"g":    func(x float64) string { return fmt.Sprintf("%.4g", x) },
		"name": func(c referee.WorstCase) string {
			return map[string]string{"theorem2": "Theorem 2", "theorem3": "Theorem 3"}[c.Row[:len("theorem1")]]
		},
		"seven": func(x float64) string { return fmt.Sprintf("%.7f", x) },
		"share": func(a, b float64) string { return fmt.Sprintf("%.4f", a/b) },
		"steps": func(c referee.RoundedWorstCase) string {
			if c.K == 0 {
				return "Theorem 1"
			}
			return fmt.Sprintf("Theorem 2, c = %.4g D/G", c.K)
		},
		"added": func(c referee.RoundedWorstCase) string {
			return fmt.Sprintf("%.2f", (c.Upper-c.Quiet)/(c.Derived-c.Decay))
		},
		"quantizer": func(c referee.RoundedWorstCase) string {
			if c.Rounding == bounds.Nearest {
				return "Q_d"
			}
			return "Q_s"
		},
		"floors": func(c referee.RoundedWorstCase) string { return fmt.Sprintf("%.2f", (c.Upper-c.Quiet)/c.Floor) },
		"mark": func(x float64, refuted bool) string {
			if refuted {
				return fmt.Sprintf("**%.6f**", x)
			}
			return fmt.Sprintf("%.6f", x)
		},
	}).Parse(worstCasesTemplate)
	if err != nil {
		return nil, err
	}
	var b bytes.Buffer
	if err := t.Execute(&b, data); err != nil {
		return nil, err
	}
	return b.Bytes(), nil
}
