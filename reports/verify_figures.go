package reports

import (
	"image/color"

	"gonum.org/v1/plot/vg/draw"

	"tqn/referee"
)

// roleStyles say how the series of package referee look. BC is BC with Q_d, as in the other pictures; lines of bounds have
// no markers, so that they are told from measurements.
var roleStyles = map[referee.Role]Style{
	referee.SR:             methodStyles["sr"],
	referee.SRMean:         {Palette[5], dashes(4, 4), draw.RingGlyph{}},
	referee.SGD:            {color.Gray{20}, nil, draw.PlusGlyph{}},
	referee.SGDMean:        {color.Gray{20}, dashes(2, 3), draw.CrossGlyph{}},
	referee.BCNearest:      methodStyles["bc"],
	referee.ReadNearest:    {Palette[0], dashes(3, 3), draw.RingGlyph{}},
	referee.BCStochastic:   {Palette[4], dashes(9, 2, 2, 2), draw.PyramidGlyph{}},
	referee.ReadStochastic: {Palette[4], dashes(2, 2), draw.TriangleGlyph{}},
	referee.PrintedBound:   {Colour: color.RGBA{150, 0, 30, 255}},
	referee.AppendixBound:  {Colour: color.RGBA{150, 0, 30, 255}, Dashes: dashes(3, 3)},
	referee.DerivedBound:   {Colour: Palette[2], Dashes: dashes(6, 3)}, // drawn over it: both show where they agree
	referee.DerivedNearest: {Colour: color.RGBA{0, 90, 60, 255}, Dashes: dashes(10, 3, 2, 3)},
	referee.SharpBound:     {Colour: Palette[3], Dashes: dashes(1.5, 2.5)},
	referee.MovingBound:    {Colour: Palette[5], Dashes: dashes(9, 2, 1.5, 2, 1.5, 2)},
	referee.LimitValue:     {Colour: color.Gray{110}, Dashes: dashes(1.5, 2.5)},
	referee.WorstRole:      {Colour: color.Gray{60}, Shape: draw.BoxGlyph{}},
}

// drawn is a figure of package referee.
func drawn(f referee.Figure) *Figure {
	g := NewFigure(max(1, f.Columns))
	g.Title, g.Conclusion = f.Title, f.Conclusion
	for _, panel := range f.Panels {
		p := g.Panel(panel.Title, panel.X, panel.Y)
		if panel.LogX {
			Logarithmic(&p.X)
		}
		if panel.LogY {
			Logarithmic(&p.Y)
		}
		for _, s := range panel.Series {
			style := roleStyles[s.Role]
			switch k := p.sameLine(s.X, s.Y); {
			case s.Points:
				p.Points(s.Name, style.Colour, style.Shape, s.X, s.Y)
			case k != nil && s.Bound(): // one line would hide the other
				k.name += " = " + s.Name
			case style.Shape == nil:
				p.Line(s.Name, style.Colour, s.X, s.Y, style.Dashes...)
			default:
				p.Series(s.Name, style, s.X, s.Y)
			}
		}
		if panel.Range != [2]float64{} {
			p.Y.Min, p.Y.Max = panel.Range[0], panel.Range[1]
		}
	}
	return g
}
