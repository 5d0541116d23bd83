package reports

import (
	"image/color"
	"slices"
	"strings"

	"golang.org/x/image/font"
	"gonum.org/v1/plot"
	"gonum.org/v1/plot/text"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
	"gonum.org/v1/plot/vg/vgimg"
)

// layout says where a figure's parts stand on its page.
type layout struct {
	figure        *Figure
	cols          int
	panel         vg.Length   // a panel's width without its keys
	keys          []vg.Length // width of the keys beside each column; zero where they stand below
	strip         [][]key     // the lines of keys below all panels, where the panels share them
	head          [][]string  // lines of the title and of the conclusion
	width, height vg.Length
}

const (
	headLine  = 5.2 * vg.Millimeter
	stripLine = 5.2 * vg.Millimeter
	margin    = 2 * vg.Millimeter
)

// layOut takes the largest number of columns at which every panel has a readable width.
func (f *Figure) layOut() *layout {
	l := &layout{figure: f, width: PageWidth}
	probe := draw.New(vgimg.NewWith(vgimg.UseWH(100*vg.Centimeter, 100*vg.Centimeter), vgimg.UseDPI(4)))
	size := func(keys []key) vg.Length { return legendOf(keys).Rectangle(probe).Size().X }
	shared := f.sharedKeys()
	for l.cols = max(1, min(f.Cols, len(f.panels))); ; l.cols-- {
		l.keys = make([]vg.Length, l.cols)
		room := PageWidth
		for i, p := range f.panels {
			if shared == nil && len(p.keys) > 0 {
				l.keys[i%l.cols] = max(l.keys[i%l.cols], size(p.keys)+4*vg.Millimeter)
			}
		}
		for _, k := range l.keys {
			room -= k
		}
		l.panel = min(room/vg.Length(l.cols), widest)
		if l.panel >= narrowest || l.cols == 1 {
			break
		}
	}
	if l.cols == 1 { // a page is as wide as what stands on it
		l.width = min(PageWidth, l.panel+l.keys[0])
	}
	var line []key
	used := vg.Length(0)
	for _, k := range shared {
		w := size([]key{k}) + 5*vg.Millimeter
		if line != nil && used+w > l.width-2*margin {
			l.strip, line, used = append(l.strip, line), nil, 0
		}
		line, used = append(line, k), used+w
	}
	if line != nil {
		l.strip = append(l.strip, line)
	}
	for _, s := range []struct {
		text  string
		style text.Style
	}{{f.Title, titleStyle()}, {f.Conclusion, conclusionStyle()}} {
		l.head = append(l.head, wrap(s.text, s.style, l.width-4*margin))
	}
	rows := (len(f.panels) + l.cols - 1) / l.cols
	l.height = f.Height*vg.Length(rows) + stripLine*vg.Length(len(l.strip))
	if n := len(l.head[0]) + len(l.head[1]); n > 0 {
		l.height += headLine*vg.Length(n) + margin
	}
	if l.strip != nil {
		l.height += margin
	}
	return l
}

// sharedKeys are the keys of a figure with several panels of which one has the keys of all others too, or, with KeysBelow,
// every key once; nil otherwise.
func (f *Figure) sharedKeys() []key {
	if len(f.panels) < 2 {
		return nil
	}
	var most, all []key
	has := func(keys []key, name string) bool {
		return slices.ContainsFunc(keys, func(k key) bool { return k.name == name })
	}
	for _, p := range f.panels {
		if len(p.keys) > len(most) {
			most = p.keys
		}
		for _, k := range p.keys {
			if !has(all, k.name) {
				all = append(all, k)
			}
		}
	}
	if f.KeysBelow || len(all) == len(most) {
		return all
	}
	return nil
}

func titleStyle() text.Style {
	s := text.Style{Color: color.Black, Font: plot.DefaultFont, XAlign: text.XLeft, YAlign: text.YTop, Handler: plot.DefaultTextHandler}
	s.Font.Size, s.Font.Weight = 12, font.WeightBold
	return s
}

func conclusionStyle() text.Style {
	s := titleStyle()
	s.Font.Size, s.Font.Weight = 11, font.WeightNormal
	return s
}

// wrap cuts a text into lines of at most the given width; a percent sign stays with its number.
func wrap(s string, style text.Style, width vg.Length) []string {
	var lines []string
	line := ""
	for _, word := range strings.Fields(s) {
		longer := strings.TrimSpace(line + " " + word)
		if line != "" && !strings.HasPrefix(word, "%") && style.Width(longer) > width {
			lines, line = append(lines, line), word
			continue
		}
		line = longer
	}
	if line != "" {
		lines = append(lines, line)
	}
	return lines
}

// draw draws the figure on a page of the layout's size.
func (l *layout) draw(page draw.Canvas) {
	top := page.Max.Y
	if len(l.head[0])+len(l.head[1]) > 0 {
		top -= margin
		for i, style := range []text.Style{titleStyle(), conclusionStyle()} {
			for _, line := range l.head[i] {
				page.FillText(style, vg.Point{X: page.Min.X + 2*margin, Y: top}, line)
				top -= headLine
			}
		}
	}
	left := page.Min.X
	for col := range l.cols {
		for i := col; i < len(l.figure.panels); i += l.cols {
			p := l.figure.panels[i]
			upper := top - vg.Length(i/l.cols)*l.figure.Height
			cell := draw.Canvas{Canvas: page.Canvas, Rectangle: vg.Rectangle{
				Min: vg.Point{X: left, Y: upper - l.figure.Height}, Max: vg.Point{X: left + l.panel + l.keys[col], Y: upper}}}
			// A title is centred above the data, to the right of the labels of the vertical axis.
			p.Title.Text = strings.Join(wrap(strings.ReplaceAll(p.Title.Text, "\n", " "), p.Title.TextStyle, l.panel-20*vg.Millimeter), "\n")
			p.spread()
			p.Draw(draw.Crop(cell, margin, -l.keys[col]-2*margin, 1.5*margin, -1.5*margin))
			if l.strip == nil {
				legendOf(p.keys).Draw(draw.Crop(cell, l.panel-1*vg.Millimeter, 0, 1.5*margin, -10*vg.Millimeter))
			}
		}
		left += l.panel + l.keys[col]
	}
	bottom := page.Min.Y + margin + stripLine*vg.Length(len(l.strip))
	for i, line := range l.strip {
		x := page.Min.X + 2*margin
		for _, k := range line {
			legend := legendOf([]key{k})
			w := legend.Rectangle(page).Size().X
			y := bottom - stripLine*vg.Length(i)
			legend.Draw(draw.Canvas{Canvas: page.Canvas, Rectangle: vg.Rectangle{Min: vg.Point{X: x, Y: y - stripLine}, Max: vg.Point{X: x + w, Y: y}}})
			x += w + 5*vg.Millimeter
		}
	}
}
