package reports

import (
	"fmt"

	xfont "golang.org/x/image/font"
	"golang.org/x/image/font/sfnt"
	"golang.org/x/image/math/fixed"
	"gonum.org/v1/plot/font"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/vgpdf"
)

// outlined is a PDF canvas that draws text as the outlines of its letters: gonum/plot 0.17 writes PDF text in the code page
// 1252, which has no Greek letters and no arrows, and in the regular face only.
type outlined struct {
	*vgpdf.Canvas
}

// FillString implements vg.Canvas.
func (c outlined) FillString(f font.Face, at vg.Point, text string) {
	if f.Font.Size == 0 {
		return
	}
	const unit = 1000 // of an em, in which the outlines are read
	ppem := fixed.I(unit)
	scale := f.Font.Size / (64 * unit)
	var buffer sfnt.Buffer
	x, previous := fixed.Int26_6(0), sfnt.GlyphIndex(0)
	for i, r := range text {
		glyph, err := f.Face.GlyphIndex(&buffer, r)
		if err != nil {
			panic(fmt.Sprintf("reports: the letter %q: %v", r, err))
		}
		if i > 0 {
			if k, err := f.Face.Kern(&buffer, previous, glyph, ppem, xfont.HintingNone); err == nil { // fonts may have none
				x += k
			}
		}
		outline, err := f.Face.LoadGlyph(&buffer, glyph, ppem, nil)
		if err != nil {
			panic(fmt.Sprintf("reports: the letter %q: %v", r, err))
		}
		if path := outlineOf(outline, at, x, scale); path != nil {
			c.Fill(path)
		}
		advance, err := f.Face.GlyphAdvance(&buffer, glyph, ppem, xfont.HintingNone)
		if err != nil {
			panic(fmt.Sprintf("reports: the letter %q: %v", r, err))
		}
		x, previous = x+advance, glyph
	}
}

// outlineOf is a glyph's outline, whose y axis points down, x to the right of a point on the base line.
func outlineOf(outline sfnt.Segments, at vg.Point, x fixed.Int26_6, scale vg.Length) vg.Path {
	point := func(p fixed.Point26_6) vg.Point {
		return vg.Point{X: at.X + vg.Length(p.X+x)*scale, Y: at.Y - vg.Length(p.Y)*scale}
	}
	var path vg.Path
	for _, s := range outline {
		switch s.Op {
		case sfnt.SegmentOpMoveTo:
			if path != nil {
				path.Close()
			}
			path.Move(point(s.Args[0]))
		case sfnt.SegmentOpLineTo:
			path.Line(point(s.Args[0]))
		case sfnt.SegmentOpQuadTo:
			path.QuadTo(point(s.Args[0]), point(s.Args[1]))
		case sfnt.SegmentOpCubeTo:
			path.CubeTo(point(s.Args[0]), point(s.Args[1]), point(s.Args[2]))
		}
	}
	if path != nil {
		path.Close()
	}
	return path
}
