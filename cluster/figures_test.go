package cluster

import (
	"context"
	"fmt"
	"io"
	"slices"
	"strings"
	"testing"
)

// The runs that only figures need come after the table's cells, which they leave as they are.
func TestFigureCells(t *testing.T) {
	for _, c := range []struct {
		preset string
		choice Choice
		want   []string // ID, batch and weight decay
	}{
		{"paper", Choice{}, []string{"resnet56.bc-b1024.1 1024 0", "resnet56.sr-b256.1 256 0", "resnet56.sr-b512.1 512 0", "vgg-bc.bc-wd1e-5.1 128 1e-05", "vgg-bc.bc-slow.1 128 0"}},
		{"quick", Choice{Columns: []string{"vgg9"}}, []string{"vgg9.bc-b128.1 128 0", "vgg9.sr-b32.1 32 0", "vgg9.sr-b64.1 64 0", "vgg9.bc-wd1e-5.1 16 1e-05", "vgg9.bc-slow.1 16 0"}},
		{"quick", Choice{Columns: []string{"vgg9"}, Methods: []string{"bc"}}, []string{"vgg9.bc-b128.1 128 0", "vgg9.bc-wd1e-5.1 16 1e-05", "vgg9.bc-slow.1 16 0"}},
		{"quick", Choice{Columns: []string{"wrn56-2"}}, []string{"wrn56-2.bc-b32.1 32 0", "wrn56-2.sr-b16.1 16 0", "wrn56-2.bc-wd1e-5.1 8 1e-05", "wrn56-2.bc-slow.1 8 0"}}, // ratio 4: the second SR is Big SR
		{"quick", Choice{Columns: []string{"vgg-bc"}, Seeds: 2, Methods: []string{"adam"}}, nil},
		{"quick", Choice{Columns: []string{"vgg-bc"}, Seeds: 2, Methods: []string{"sr"}}, []string{"vgg-bc.sr-b32.1 32 0", "vgg-bc.sr-b32.2 32 0", "vgg-bc.sr-b64.1 64 0", "vgg-bc.sr-b64.2 64 0"}},
	} {
		table, err := NewPlan(c.preset, c.choice)
		if err != nil {
			t.Fatal(err)
		}
		c.choice.Figures = true
		p, err := NewPlan(c.preset, c.choice)
		if err != nil {
			t.Fatal(err)
		}
		n := len(table.Cells)
		if !slices.EqualFunc(p.Cells[:n], table.Cells, func(a, b Cell) bool {
			return a.ID == b.ID && a.ConfigHash == b.ConfigHash && a.Variant == ""
		}) {
			t.Errorf("%s %+v: the table's cells have changed", c.preset, c.choice)
		}
		for i, column := range table.Columns {
			if !slices.Equal(column.Scaled, p.Columns[i].Scaled) {
				t.Errorf("%s %+v: scaled %q, without figures %q", c.preset, c.choice, p.Columns[i].Scaled, column.Scaled)
			}
		}
		for _, cell := range p.Cells[n:] {
			if like := p.Cells[1].Config; c.preset == "paper" && cell.Variant == "slow" && (cell.Config.Epochs != 500 || !slices.Equal(cell.Config.Drops, []int{256, 381}) || cell.Config.LearningRate != 0.003 || like.LearningRate != 0.01) {
				t.Errorf("Appendix H.3's 500 epochs at 0.003: %+v", cell.Config)
			}
		}
		var got []string
		for _, cell := range p.Cells[n:] {
			got = append(got, strings.Join([]string{cell.ID, fmt.Sprint(cell.Config.Batch), fmt.Sprint(cell.Config.WeightDecay)}, " "))
			if cell.Variant == "" || !strings.Contains(cell.ID, "-"+cell.Variant+".") {
				t.Errorf("cell %s is variant %q", cell.ID, cell.Variant)
			}
		}
		if !slices.Equal(got, c.want) {
			t.Errorf("%s %+v: %q, want %q", c.preset, c.choice, got, c.want)
		}
		dir := t.TempDir()
		if err := p.Save(dir); err != nil {
			t.Fatal(err)
		}
		if read, err := LoadPlan(dir); err != nil || read.Hash != p.Hash || len(read.Cells) != len(p.Cells) {
			t.Errorf("%s %+v: read again: %v", c.preset, c.choice, err)
		}
	}
}

// The cells of Table 1 run before those that only figures need, however costly these are.
func TestTheTableRunsBeforeFigures(t *testing.T) {
	plan, err := NewPlan("smoke", Choice{Figures: true, Seeds: 1})
	if err != nil {
		t.Fatal(err)
	}
	var order []Cell
	pool := Pool{Jobs: 1, InProcess: func(_ context.Context, c Cell, _ io.Writer) (int, error) {
		order = append(order, c)
		return ExitDone, nil
	}}
	_ = pool.Run(context.Background(), t.TempDir(), plan.Cells) // the cells write nothing
	extras, before := 0, false
	for _, c := range order {
		if c.Variant != "" {
			extras++
		} else if extras > 0 {
			before = true
		}
	}
	if extras == 0 || extras == len(order) || before {
		t.Errorf("%d of %d cells are for figures; one of the table came after one of them: %v", extras, len(order), before)
	}
}
