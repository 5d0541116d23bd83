package network

import (
	"time"

	"tqn/nets/kernel"
)

// LayerTime is the time of one operation of a training step: of a layer and, for convolutions, of each of its three products.
type LayerTime struct {
	Layer    string        `json:"layer"`    // "weights" for packing, "loss", "update" for Adam and the rule
	Part     string        `json:"part"`     // forward, backward, input gradient, weight gradient
	In       Shape         `json:"in"`       // of one image
	Out      Shape         `json:"out"`      //
	MultAdds int           `json:"multadds"` // of the batch, direct algorithm
	Time     time.Duration `json:"nanoseconds"`
}

// Profile takes one training step and times its operations. The times add up to the step's, but for the clock's own.
func (c *CPU) Profile(x []float32, labels []int32, alpha float64, step uint64) []LayerTime {
	var times []LayerTime
	timed := func(l Layer, part string, multAdds int, f func()) {
		t := time.Now()
		f()
		times = append(times, LayerTime{l.Name, part, l.In, l.Out, multAdds * len(labels), time.Since(t)})
	}
	c.input, c.n = x, len(labels)
	timed(Layer{Name: "weights"}, "pack", 0, c.pack)
	c.stale = false
	for _, op := range c.ops {
		l, multAdds := describe(op)
		timed(l, "forward", multAdds, func() { op.forward(true) })
	}
	timed(Layer{Name: "loss"}, "forward", 0, func() {
		n := len(labels) * c.model.Classes
		kernel.CrossEntropy(c.grad[:n], c.logits[:n], labels, c.model.Classes)
	})
	for i := len(c.ops) - 1; i >= 0; i-- {
		l, multAdds := describe(c.ops[i])
		switch op := c.ops[i].(type) {
		case *convOp:
			if op.norm != nil { // both gradients, and the batch norm's, in one pass
				products := 2
				if op.x.None() {
					products = 1
				}
				timed(l, "backward", products*multAdds, op.backward)
				continue
			}
			timed(l, "weight gradient", multAdds, op.gradWeights)
			if !op.x.None() {
				timed(l, "input gradient", multAdds, op.gradInput)
			}
		case *linearOp:
			timed(l, "backward", 2*multAdds, op.backward)
		default:
			timed(l, "backward", 0, c.ops[i].backward)
		}
	}
	timed(Layer{Name: "weights"}, "check and update", 0, func() {
		for i := range c.tensors {
			c.workers.Finite(c.tensors[i].grad)
		}
		c.update(alpha, step)
	})
	return times
}

// describe is an operation's layer and its multiply-adds for an image.
func describe(op operation) (Layer, int) {
	switch op := op.(type) {
	case *convOp:
		return op.l, op.l.MultAdds()
	case *linearOp:
		return op.l, op.l.MultAdds()
	case *normOp:
		return op.l, 0
	case *maxPoolOp:
		return op.l, 0
	case *avgPoolOp:
		return op.l, 0
	case *subsampleOp:
		return op.l, 0
	case *joinOp:
		return op.l, 0
	}
	return Layer{Name: "shortcut"}, 0
}
