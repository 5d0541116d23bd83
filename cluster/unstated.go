package cluster

import (
	"fmt"
	"slices"
	"strings"

	"tqn/nets"
)

// Unstated are choices that Section 6 and Appendix H do not make, for all cells of a plan; the zero value of a field is its default in
// [nets.Config], where each is documented. docs/choices.md says what the paper's sentences leave of them.
type Unstated struct {
	Init              string
	Clip              *bool
	LearningRateScale string
	NormEpsilon       float64
	NormMomentum      float64
	Shortcut          string
	LastBatch         string
}

// Set sets all of them in a config.
func (u Unstated) Set(c *nets.Config) {
	c.Init, c.Clip, c.LearningRateScale = u.Init, u.Clip, u.LearningRateScale
	c.NormEpsilon, c.NormMomentum = u.NormEpsilon, u.NormMomentum
	c.Shortcut, c.LastBatch = u.Shortcut, u.LastBatch
}

// apply sets those that a cell can have: the start, the box and the scale are BC's alone (ADAM keeps its own start, so that the table's
// first row does not change with BC's), shortcuts are ResNets'.
func (u Unstated) apply(c *nets.Config) {
	if !ofBC(*c) {
		u.Init, u.Clip, u.LearningRateScale = "", nil, ""
	}
	if !hasShortcuts(*c) {
		u.Shortcut = ""
	}
	u.Set(c)
}

func ofBC(c nets.Config) bool         { return c.Method == "bc" }
func hasShortcuts(c nets.Config) bool { return !strings.HasPrefix(c.Net, "vgg") }

// reach refuses a choice that no cell can have: it would say nothing, and nobody would have looked whether it is one.
func (u Unstated) reach(cells []Cell) error {
	some := func(has func(nets.Config) bool) bool {
		return slices.ContainsFunc(cells, func(c Cell) bool { return has(c.Config) })
	}
	if given := u.Init != "" || u.Clip != nil || u.LearningRateScale != ""; given && !some(ofBC) {
		return fmt.Errorf("cluster: init, clip and the learning rate's scale are those of bc, of which the plan has no cell: leave them out, or add the method")
	}
	if u.Shortcut != "" && !some(hasShortcuts) {
		return fmt.Errorf("cluster: shortcut is %q, and the plan has no cell of a ResNet: leave it out, or add such a column", u.Shortcut)
	}
	return nil
}
