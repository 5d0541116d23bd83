package reports

import (
	"bytes"
	"image/png"
	"math"
	"strings"
	"testing"

	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
)

// demo is a figure with what goes wrong in figures: a log axis without a power of
// ten, zeros and NaN on it, and long legends.
func demo() *Figure {
	f := NewFigure(2, 2)
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
	if b := img.Bounds(); b.Dx() < 1000 || b.Dy() < 600 {
		t.Errorf("figure is %v, want at least 1000 x 600 pixels", b)
	}
	again, err := demo().PNG()
	if err != nil || !bytes.Equal(data, again) {
		t.Errorf("the same figure has other bytes the second time (error %v)", err)
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
