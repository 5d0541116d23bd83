package cluster

import (
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
	if c.Method != "bc" {
		u.Init, u.Clip, u.LearningRateScale = "", nil, ""
	}
	if strings.HasPrefix(c.Net, "vgg") {
		u.Shortcut = ""
	}
	u.Set(c)
}
