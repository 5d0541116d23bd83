package cluster

import (
	"strings"
	"testing"
)

// Each choice reaches the cells that can have it and no other, and the plan's hash tells plans with and without it apart.
func TestUnstatedChoicesReachTheirCells(t *testing.T) {
	no := false
	plain, err := NewPlan("paper", Choice{Columns: []string{"vgg9", "resnet56"}})
	if err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		u       Unstated
		reaches func(Cell) bool
	}{
		"init":     {Unstated{Init: "rademacher"}, func(c Cell) bool { return c.Config.Method == "bc" }},
		"clip":     {Unstated{Clip: &no}, func(c Cell) bool { return c.Config.Method == "bc" }},
		"scale":    {Unstated{LearningRateScale: "binaryconnect"}, func(c Cell) bool { return c.Config.Method == "bc" }},
		"epsilon":  {Unstated{NormEpsilon: 1e-4}, func(Cell) bool { return true }},
		"momentum": {Unstated{NormMomentum: 0.2}, func(Cell) bool { return true }},
		"batch":    {Unstated{LastBatch: "keep"}, func(Cell) bool { return true }},
		"shortcut": {Unstated{Shortcut: "B"}, func(c Cell) bool { return c.Column == "resnet56" }},
		"default":  {Unstated{Init: "he", LastBatch: "drop"}, func(Cell) bool { return false }},
	} {
		p, err := NewPlan("paper", Choice{Columns: []string{"vgg9", "resnet56"}, Unstated: c.u})
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		for i, cell := range p.Cells {
			if changed := cell.ConfigHash != plain.Cells[i].ConfigHash; changed != c.reaches(cell) {
				t.Errorf("%s, cell %s: changed %v", name, cell.ID, changed)
			}
		}
		if (p.Hash == plain.Hash) != (name == "default") {
			t.Errorf("%s: hash %s, without it %s", name, p.Hash, plain.Hash)
		}
	}
	for want, c := range map[string]Choice{
		"init is xavier":       {Columns: []string{"vgg9"}, Unstated: Unstated{Init: "xavier"}},
		"no cell of a ResNet":  {Columns: []string{"vgg9", "vgg-bc"}, Unstated: Unstated{Shortcut: "C"}},
		"of which the plan":    {Methods: []string{"sr", "adam"}, Unstated: Unstated{Init: "he"}},
		"init, clip":           {Methods: []string{"sr"}, Unstated: Unstated{Clip: &no}},
		"learning rate's scal": {Methods: []string{"r"}, Unstated: Unstated{LearningRateScale: "none"}},
	} {
		if _, err := NewPlan("paper", c); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("error %v, want %q", err, want)
		}
	}
}
