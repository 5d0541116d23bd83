package reports

import (
	"bytes"
	"fmt"
	"image/png"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
)

// demo is a figure with what goes wrong in figures: a log axis without a power of
// ten, zeros and NaN on it, and long legends.
func demo() *Figure {
	f := NewFigure(2)
	f.Title, f.Conclusion = "A bold title with α, Δ, χ² and →", "A conclusion with ε ≤ 1 − δ and \"quotes\""
	for i := range 4 {
		p := f.Panel("Gap against T", "iterations T", "E[F] - F*")
		Logarithmic(&p.X)
		Logarithmic(&p.Y)
		p.Line("derived bound of Theorem 4", Palette[0], []float64{1, 10, 100}, []float64{3, 2.5, 2.2})
		p.Line("measured", Palette[1], []float64{1, 10, 20, 50, 100}, []float64{3.4, 2.8, 0, math.NaN(), 2.6}, vg.Points(3), vg.Points(2))
		p.Points("float baseline", Palette[2], draw.CircleGlyph{}, []float64{1, 10, 100}, []float64{2.3, 2.6, float64(i + 3)})
	}
	return f
}

func TestFigureIsAReadablePNG(t *testing.T) {
	data, err := demo().PNG()
	if err != nil {
		t.Fatal(err)
	}
	img, err := png.Decode(bytes.NewReader(data))
	if err != nil {
		t.Fatal(err)
	}
	if b := img.Bounds(); b.Dx() > 900 || b.Dx() < 700 || b.Dy() < 500 {
		t.Errorf("figure is %v, want 700 to 900 pixels wide and at least 500 high", b)
	}
	again, err := demo().PNG()
	if err != nil || !bytes.Equal(data, again) {
		t.Errorf("the same figure has other bytes the second time (error %v)", err)
	}
}

// The same figure gives the same bytes in every format; an unknown format is refused by name.
func TestFormats(t *testing.T) {
	for _, format := range Formats {
		a, err := demo().Encode(format)
		b, err2 := demo().Encode(format)
		if err != nil || err2 != nil || !bytes.Equal(a, b) {
			t.Errorf("%s: two drawings differ, or %v, %v", format, err, err2)
		}
		if want := map[string]string{"png": "\x89PNG", "svg": "<?xml", "pdf": "%PDF"}[format]; !bytes.HasPrefix(a, []byte(want)) {
			t.Errorf("%s begins with %q", format, a[:8])
		}
	}
	if _, err := demo().Encode("bmp"); err == nil || !strings.Contains(err.Error(), `"bmp"`) {
		t.Errorf("bmp: %v", err)
	}
	dir := t.TempDir()
	if err := demo().Save(filepath.Join(dir, "a.png"), "svg", "png"); err != nil {
		t.Fatal(err)
	}
	if files, _ := os.ReadDir(dir); len(files) != 2 {
		t.Errorf("%v, want a.png and a.svg", files)
	}
}

// No page is wider than 900 pixels, however many panels stand in a row and however long their keys are.
func TestPagesAreAtMost900PixelsWide(t *testing.T) {
	for cols := 1; cols <= 5; cols++ {
		for _, name := range []string{"a", "a key of thirty characters, no less", strings.Repeat("long ", 12)} {
			f := NewFigure(cols)
			f.Title, f.Conclusion = strings.Repeat("title ", 40), strings.Repeat("words ", 60)
			for i := range cols {
				p := f.Panel("panel", "x", "y")
				p.Series(name+fmt.Sprint(i%2), Style{Palette[0], nil, draw.CircleGlyph{}}, []float64{1, 2}, []float64{1, 2})
			}
			l := f.layOut()
			if l.width > PageWidth || l.panel < narrowest {
				t.Errorf("%d panels, key %q: page %v, panel %v", cols, name, l.width, l.panel)
			}
		}
	}
}

// A grey print tells every pair of methods apart: no two styles have the same dashes or the same marker.
func TestMethodsDifferWithoutColour(t *testing.T) {
	all := slices.Clone(otherStyles)
	for _, s := range methodStyles {
		all = append(all, s)
	}
	for i := range all {
		for _, other := range all[i+1:] {
			if slices.Equal(all[i].Dashes, other.Dashes) && all[i].Shape == other.Shape {
				t.Errorf("two styles have dashes %v and marker %T", other.Dashes, other.Shape)
			}
		}
	}
}

func TestLogarithmicAxisAlwaysHasTwoLabels(t *testing.T) {
	for _, r := range [][2]float64{{2.2, 3.4}, {1, 1e12}, {1e-12, 1e-11}, {0.3, 40}, {1.5, 9}} {
		labels := 0
		for _, tick := range (logTicks{}).Ticks(r[0], r[1]) {
			if tick.Label != "" {
				labels++
			}
		}
		if labels < 2 {
			t.Errorf("axis from %g to %g: %d labels, want at least 2", r[0], r[1], labels)
		}
	}
}

func TestMarkdownTableKeepsFormulas(t *testing.T) {
	table := Table{Header: []string{"claim_name", "E|r|^2"}}
	table.Add("a|b\nc", 0.25)
	got := table.Markdown()
	for _, want := range []string{"claim_name", `E\|r\|^2`, `a\|b<br>c`, "0.25"} {
		if !strings.Contains(got, want) {
			t.Errorf("Markdown lacks %q:\n%s", want, got)
		}
	}
	if rows := strings.Count(got, "\n"); rows != 3 {
		t.Errorf("a table of one row has %d lines, want 3:\n%s", rows, got)
	}
	t.Log("\n" + table.Text())
}

func TestNumbersOfTicks(t *testing.T) {
	for v, want := range map[float64]string{0.01: "0.01", 500: "500", 1e-6: "1e-6", 2e4: "2e4", 1e12: "1e12", 1e-20: "1e-20"} {
		if got := number(v); got != want {
			t.Errorf("%g is labelled %q, want %q", v, got, want)
		}
	}
}

func TestEpochAxisHasWholeNumbers(t *testing.T) {
	for _, hi := range []float64{2, 4, 8, 30, 160} {
		labels := 0
		for _, tick := range (epochTicks{}).Ticks(1, hi) {
			if tick.Value != math.Trunc(tick.Value) {
				t.Errorf("1 to %g epochs: a tick at %g", hi, tick.Value)
			}
			if tick.Label != "" {
				labels++
			}
		}
		if labels < 2 || labels > 9 {
			t.Errorf("1 to %g epochs: %d labels, want 2 to 9", hi, labels)
		}
	}
}
