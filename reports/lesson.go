package reports

import (
	"bytes"
	_ "embed"
	"fmt"
	"image/color"
	"io/fs"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"text/template"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/plotter"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"

	"tqn/runfolder"
)

//go:embed lesson.md.tmpl
var lessonTemplate string

// lesson are the numbers of the lesson, read from the committed reports.
type lesson struct {
	First, Last struct{ Alpha, Right string } // of Figure 1
	Big, Small  struct{ Alpha, BC, SR string }
	Batch       struct{ Size, Entropy string }
	Here, Paper map[string]string // test errors in percent by method; "" where there is none
	Changed     string            // share of convolution signs that BC changed
	ChangedSR   string
	Count       int // statements that are false as printed
	Results     int // results that they belong to
	All         int // results of the paper
	False       string
}

// WriteLesson writes the lesson page to path and its picture, lesson.png, beside it. docs is the folder that holds errata.md
// and results/: every number is read from a report there, so that the page says what the reports say.
func WriteLesson(path string, docs fs.FS, formats ...string) error {
	page, picture, err := Lesson(docs)
	if err != nil {
		return err
	}
	if err := picture.Save(filepath.Join(filepath.Dir(path), "lesson.png"), formats...); err != nil {
		return err
	}
	return runfolder.WriteFile(path, []byte(page))
}

// Lesson is the lesson page and its picture.
func Lesson(docs fs.FS) (string, *Figure, error) {
	l, err := readLesson(docs)
	if err != nil {
		return "", nil, fmt.Errorf("reports: lesson: %w", err)
	}
	t, err := template.New("lesson").Parse(lessonTemplate)
	if err != nil {
		panic("reports: lesson.md.tmpl: " + err.Error())
	}
	var b bytes.Buffer
	if err := t.Execute(&b, l); err != nil {
		return "", nil, fmt.Errorf("reports: lesson: %w", err)
	}
	picture, err := l.bars()
	if err != nil {
		return "", nil, fmt.Errorf("reports: lesson: %w", err)
	}
	return b.String(), picture, nil
}

// findTable is the first table of a report under a heading that begins so.
func findTable(docs fs.FS, report, heading string) (NamedTable, error) {
	source, err := fs.ReadFile(docs, report)
	if err != nil {
		return NamedTable{}, err
	}
	for _, t := range tablesOf(report, source) {
		if strings.HasPrefix(t.Heading, heading) && len(t.Rows) > 0 {
			return t, nil
		}
	}
	return NamedTable{}, fmt.Errorf("%s: no table under a heading %q", report, heading)
}

// column is a column of a table by its head.
func (t NamedTable) column(head string) ([]string, error) {
	for k, h := range t.Header {
		if h == head {
			var cells []string
			for _, row := range t.Rows {
				cells = append(cells, row[k])
			}
			return cells, nil
		}
	}
	return nil, fmt.Errorf("%s, %q: no column %q among %q", t.Report, t.Heading, head, t.Header)
}

// ends are the first and the last cells of several columns.
func (t NamedTable) ends(heads ...string) (first, last []string, err error) {
	for _, h := range heads {
		c, err := t.column(h)
		if err != nil {
			return nil, nil, err
		}
		first, last = append(first, c[0]), append(last, c[len(c)-1])
	}
	return first, last, nil
}

func readLesson(docs fs.FS) (l lesson, err error) {
	const toyPage, paperPage = "results/toy/toy.md", "results/table1-paper/report.md"
	ends := func(report, heading string, heads ...string) (first, last []string) {
		if err != nil {
			return make([]string, len(heads)), make([]string, len(heads))
		}
		var t NamedTable
		if t, err = findTable(docs, report, heading); err == nil {
			first, last, err = t.ends(heads...)
		}
		if err != nil {
			return make([]string, len(heads)), make([]string, len(heads))
		}
		return first, last
	}
	a, b := ends(toyPage, "Figure 1", "α", "P(right given a move)")
	l.First.Alpha, l.First.Right, l.Last.Alpha, l.Last.Right = a[0], a[1], b[0], b[1]
	a, b = ends(toyPage, "On the same axes", "α", "BC entropy", "SR entropy")
	l.Big.Alpha, l.Big.BC, l.Big.SR, l.Small.Alpha, l.Small.BC, l.Small.SR = a[0], a[1], a[2], b[0], b[1], b[2]
	_, b = ends(toyPage, "Section 6.1", "batch", "entropy")
	l.Batch.Size, l.Batch.Entropy = b[0], b[1]
	if err != nil {
		return l, err
	}
	table, err := findTable(docs, paperPage, "Table 1")
	if err != nil {
		return l, err
	}
	l.Here, l.Paper = map[string]string{}, map[string]string{}
	for _, row := range table.Rows {
		method := strings.ReplaceAll(strings.TrimSuffix(row[0], "-ADAM"), "Big SR", "BigSR")
		here, paper, found := strings.Cut(row[1], "; paper ")
		if !found {
			return l, fmt.Errorf("%s: Table 1, %s: %q; want \"OURS; paper THEIRS\"", paperPage, row[0], row[1])
		}
		here, _, _ = strings.Cut(here, " ") // a spread over seeds may follow
		if _, notNumber := strconv.ParseFloat(here, 64); notNumber != nil {
			here = ""
		}
		l.Here[method], l.Paper[method] = here, paper
	}
	changes, err := findTable(docs, paperPage, "Weight changes by layer")
	if err != nil {
		return l, err
	}
	bc, err := changes.column("BC-ADAM")
	if err != nil {
		return l, err
	}
	sr, err := changes.column("SR-ADAM")
	if err != nil {
		return l, err
	}
	l.Changed, l.ChangedSR = bc[0], sr[0]
	return l, l.readErrata(docs)
}

// readErrata counts what is false as printed.
func (l *lesson) readErrata(docs fs.FS) error {
	table, err := findTable(docs, "errata.md", "What the paper prints")
	if err != nil {
		return err
	}
	statements, err := table.column("statement")
	if err != nil {
		return err
	}
	printed, err := table.column("as printed")
	if err != nil {
		return err
	}
	var names []string
	wrong := map[string]bool{} // by result: "Theorem 4, Q_d" is one of Theorem 4's statements
	for i, p := range printed {
		result, _, _ := strings.Cut(statements[i], ",")
		isFalse := slices.Contains(strings.Fields(p), "false") // "true for short steps, false for long ones" is false as printed
		wrong[result] = wrong[result] || isFalse
		if isFalse {
			names = append(names, statements[i])
		}
	}
	l.Count, l.False, l.All = len(names), strings.Join(names, "; "), len(wrong)
	for _, is := range wrong {
		if is {
			l.Results++
		}
	}
	return nil
}

// bars draws the test errors here beside the paper's.
func (l lesson) bars() (*Figure, error) {
	f := NewFigure(1)
	f.Title = "VGG-9 on CIFAR-10 at the paper's protocol: test error in percent"
	p := f.Panel("", "", "test error, %")
	methods := []string{"ADAM", "BC", "BigSR", "SR", "R"}
	const wide = 0.36
	var here, paper [2][]float64
	var missing []string
	for i, m := range methods {
		if v, err := strconv.ParseFloat(l.Here[m], 64); err == nil {
			here[0], here[1] = append(here[0], float64(i)-wide/2), append(here[1], v)
		} else {
			missing = append(missing, m)
		}
		v, err := strconv.ParseFloat(l.Paper[m], 64)
		if err != nil {
			return nil, fmt.Errorf("Table 1, %s: the paper's error %q is no number", m, l.Paper[m])
		}
		paper[0], paper[1] = append(paper[0], float64(i)+wide/2), append(paper[1], v)
	}
	f.Conclusion = fmt.Sprintf("Real weights kept in the background (BC) cost little; rounding them away (SR, R) costs much: BC %s, SR %s, R %s against %s for real weights.", l.Here["BC"], l.Here["SR"], l.Here["R"], l.Here["ADAM"])
	if missing != nil {
		f.Conclusion += " Not run here: " + strings.ReplaceAll(strings.Join(missing, ", "), "BigSR", "Big SR") + "."
	}
	p.bars("here", color.Gray{90}, here[0], here[1], wide)
	p.bars("paper", color.Gray{190}, paper[0], paper[1], wide)
	var labels plotter.XYLabels
	for _, side := range [][2][]float64{here, paper} {
		for i := range side[0] {
			labels.XYs = append(labels.XYs, plotter.XY{X: side[0][i], Y: side[1][i]})
			labels.Labels = append(labels.Labels, fmt.Sprintf("%.2f", side[1][i]))
		}
	}
	numbers, err := plotter.NewLabels(labels)
	if err != nil {
		return nil, err
	}
	for i := range numbers.TextStyle {
		numbers.TextStyle[i].Font.Size, numbers.TextStyle[i].XAlign = 9, draw.XCenter
	}
	numbers.Offset = vg.Point{Y: 1 * vg.Millimeter}
	p.Add(numbers)
	var ticks plot.ConstantTicks
	for i, name := range []string{"real weights (ADAM)", "BC", "SR, big batch", "SR", "R"} {
		ticks = append(ticks, plot.Tick{Value: float64(i), Label: name})
	}
	p.X.Tick.Marker = ticks
	p.X.Min, p.X.Max, p.Y.Min, p.Y.Max = -0.6, float64(len(methods))-0.4, 0, 27
	return f, nil
}
