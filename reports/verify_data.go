package reports

import (
	"fmt"
	"strings"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"

	"tqn/bounds"
	"tqn/referee"
)

// dataFigure shows how far below its bounds each result stays on a user's problem: the largest measured/bound of every form,
// a line for every result and rounding; nil for the built-in problems and without a ratio that can be drawn.
func (v Verification) dataFigure() *Figure {
	if v.Data == "" {
		return nil
	}
	f := NewFigure(1)
	problem, _, _ := strings.Cut(v.Data, " (")
	f.Title = "How far each result stays below its bounds: " + problem
	p := f.Panel("", "largest measured/bound", "")
	Logarithmic(&p.X)
	looks := []struct {
		form  bounds.Form
		style Style
	}{
		{bounds.Printed, Style{Palette[6], nil, draw.CircleGlyph{}}},
		{bounds.Derived, Style{Palette[4], nil, draw.BoxGlyph{}}},
		{bounds.Sharp, Style{Palette[5], nil, draw.PyramidGlyph{}}},
	}
	var names []string
	points := make([][2][]float64, len(looks))
	largest, where := 0.0, ""
	for _, result := range v.Paper.Results {
		for _, r := range result.Statement.Roundings {
			records := referee.Under(referee.Of(v.Records, result.Statement.Name), r)
			row, drawn := float64(len(names)), false
			for k, look := range looks {
				most := 0.0
				for _, record := range records {
					if record.Claim == result.Statement.Name && record.Form == string(look.form) && !referee.IsControl(record) {
						most = max(most, record.Ratio)
					}
				}
				if most > 0 {
					points[k][0], points[k][1], drawn = append(points[k][0], most), append(points[k][1], -row), true
					if most > largest {
						largest, where = most, fmt.Sprintf("%s (%s, %s)", result.Statement.Title, look.form, quantizer(r))
					}
				}
			}
			if drawn {
				names = append(names, fmt.Sprintf("%s, %s", result.Statement.Title, quantizer(r)))
			}
		}
	}
	if len(names) == 0 {
		return nil
	}
	f.Conclusion = fmt.Sprintf("The closest to its bound is %s with %.3g of it.", where, largest)
	var ticks plot.ConstantTicks
	for i, name := range names {
		ticks = append(ticks, plot.Tick{Value: -float64(i), Label: name})
	}
	for k, look := range looks {
		p.Points(string(look.form), look.style.Colour, look.style.Shape, points[k][0], points[k][1])
	}
	p.Mark("the bound", 1)
	p.Y.Tick.Marker = ticks
	p.Y.Min, p.Y.Max = -float64(len(names))+0.5, 0.5
	p.X.Min, p.X.Max = p.X.Min/2, max(2, p.X.Max)
	f.Height = 2.4*vg.Centimeter + vg.Length(len(names))*0.65*vg.Centimeter
	return f
}

// dataPicture is the name of the picture of a user's problem.
const dataPicture = "bounds.png"
