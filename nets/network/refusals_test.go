package network

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"

	"tqn/nets/kernel"
	"tqn/quantize"
)

// bothEngines are the CPU engine and the reference, for batches of three.
func bothEngines(t *testing.T, m Model) map[string]Engine {
	engines := map[string]Engine{"CPU": newCPU(t, m, hyper(3, quantize.Float), 1, "generic"), "Reference": NewReference(m, hyper(3, quantize.Float))}
	for _, e := range engines {
		Initialise(e, quantize.Float, 1)
	}
	return engines
}

// Tensors that an engine does not have, and tensors of another length, are the caller's mistake.
func TestUnknownTensorsPanic(t *testing.T) {
	for name, e := range bothEngines(t, small(t)["vgg9"]) {
		for what, f := range map[string]func(){
			"Get of an unknown name": func() { e.Get("conv_9.weight", nil) },
			"Set of an unknown name": func() { e.Set("conv_9.weight", nil) },
			"Get of another length":  func() { e.Get("conv_1.weight", make([]float32, 1)) },
			"Set of another length":  func() { e.Set("conv_1.weight", make([]float32, 1)) },
		} {
			wantPanic(t, name+": "+what, "_", f)
		}
	}
}

// A CPU engine takes batches of its own size: whole ones to train on, unless partial ones were agreed on.
func TestOtherBatchesPanic(t *testing.T) {
	m := small(t)["vgg9"]
	c := bothEngines(t, m)["CPU"].(*CPU)
	x, labels := randomBatch(m, 4, 1)
	batch := func(n int) ([]float32, []int32) { return x[:n*m.Input.Len()], labels[:n] }
	step := func(n int) func() {
		return func() { x, labels := batch(n); c.Step(x, labels, 0.01, 1) }
	}
	wantPanic(t, "a step of 2 of 3 images", "2 labels for batches of 3", step(2))
	wantPanic(t, "a step of 4 images", "4 labels for batches of 3", step(4))
	wantPanic(t, "pixels of 4 images", "for 3 images", func() { c.Step(x, labels[:3], 0.01, 1) })
	wantPanic(t, "an evaluation of no image", "0 labels", func() { c.Evaluate(nil, nil) })
	wantPanic(t, "an evaluation of 4 images", "4 labels", func() { x, labels := batch(4); c.Evaluate(x, labels) })
	c.hyper.Partial = true
	step(2)()
	wantPanic(t, "a partial step of 1 image", "1 labels", step(1))
	if _, err := NewCPU(m, hyper(0, quantize.Float), c.workers); err == nil {
		t.Error("batches of 0 images are accepted")
	}
}

func wantPanic(t *testing.T, what, want string, f func()) {
	t.Helper()
	defer func() {
		if r := recover(); r == nil || !strings.Contains(fmt.Sprint(r), "network: ") || !strings.Contains(fmt.Sprint(r), want) {
			t.Errorf("%s: %v, want a panic with %q", what, r, want)
		}
	}()
	f()
}

// A loss that is NaN or infinite is an error of the step and of the evaluation.
func TestLossesThatAreNotFiniteAreNamed(t *testing.T) {
	m := small(t)["vgg9"]
	x, labels := randomBatch(m, 3, 1)
	for i := range labels {
		labels[i] = 0
	}
	last := m.Layers[len(m.Layers)-1].Name
	for name, e := range bothEngines(t, m) {
		for _, bias := range []float32{float32(math.NaN()), float32(math.Inf(-1))} {
			e.Set(last+".bias", []float32{bias, 0, 0, 0, 0}) // the right class: its loss is NaN or +Inf
			_, trained := e.Step(x, labels, 0.01, 7)
			_, tested := e.Evaluate(x, labels)
			for doing, err := range map[string]error{"a step": trained, "an evaluation": tested} {
				var n *NonFiniteError
				if !errors.As(err, &n) || n.What != "loss" {
					t.Errorf("%s: %s with a bias of %g: %v", name, doing, bias, err)
				}
			}
		}
	}
}

// Gradients of the reference that overflow are named though its loss is finite.
func TestGradientsThatOverflowAreNamed(t *testing.T) {
	m := small(t)["vgg9"]
	x, labels := randomBatch(m, 3, 1)
	r := NewReference(m, hyper(3, quantize.Float))
	Initialise(r, quantize.Float, 1)
	// The last layer's inputs are of order 1e-300 and its weights +-1.7e308 for the classes 0 and 1, so that the loss is of order 1e8;
	// but the inputs' gradient is 3.4e308 for each image that is taken for class 0.
	for i := range r.state["bn_5.gamma"] {
		r.state["bn_5.gamma"][i] = 1e-300
	}
	w := r.state["linear_2.weight"]
	for i := range w {
		switch i % m.Classes {
		case 0:
			w[i] = 1.7e308
		case 1:
			w[i] = -1.7e308
		default:
			w[i] = 0
		}
	}
	for i := range labels {
		labels[i] = 1
	}
	var n *NonFiniteError
	if _, err := r.Step(x, labels, 0.01, 7); !errors.As(err, &n) || n.What != "gradient" {
		t.Errorf("%v, want a gradient that is not finite", err)
	}
}

// What no net can be built of is refused, with the field that is wrong.
func TestSpecsThatAreRefused(t *testing.T) {
	for want, s := range map[string]Spec{
		"input 0x8x3":           {Net: "vgg9", Input: Shape{0, 8, 3}, Classes: 10},
		"input 8x0x3":           {Net: "vgg9", Input: Shape{8, 0, 3}, Classes: 10},
		"not 8x30x3":            {Net: "vgg9", Input: Shape{8, 30, 3}, Classes: 10},
		`shortcut "C"`:          {Net: "resnet56", Input: cifar, Classes: 10, Shortcut: "C"},
		"vgg9 has no shortcuts": {Net: "vgg9", Input: cifar, Classes: 10, Shortcut: "A"},
	} {
		if _, err := NewModel(s); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("error %v does not say %q", err, want)
		}
	}
}

// Layers in an order that the CPU engine does not fuse are refused by name, not computed wrongly.
func TestLayersInOtherOrdersAreRefused(t *testing.T) {
	ws, err := kernel.NewWorkers(1, "generic")
	if err != nil {
		t.Fatal(err)
	}
	defer ws.Close()
	find := func(layers []Layer, k Kind) int {
		return slices.IndexFunc(layers, func(l Layer) bool { return l.Kind == k })
	}
	for _, c := range []struct {
		net, want string
		change    func(layers []Layer, block *Layer) []Layer
	}{
		{"vgg9", "want an odd kernel", func(layers []Layer, _ *Layer) []Layer { layers[0].Kernel = 2; return layers }},
		{"vgg9", "want an odd kernel", func(layers []Layer, _ *Layer) []Layer { layers[0].Pad = 0; return layers }},
		{"vgg9", "want a convolution or linear layer before it", func(layers []Layer, _ *Layer) []Layer { return layers[1:] }},
		{"vgg9", "want a convolution or linear layer before it", func(layers []Layer, _ *Layer) []Layer { return slices.Insert(layers, 2, layers[1]) }},
		{"vgg9", "cannot stand here", func(layers []Layer, _ *Layer) []Layer { return layers[find(layers, ReLU):] }},
		{"resnet56", "pooling inside a residual block", func(layers []Layer, block *Layer) []Layer {
			block.Body = slices.Insert(slices.Clone(block.Body), 0, layers[find(layers, GlobalAvgPool)])
			return layers
		}},
		{"resnet56", "want a body that ends in a batch norm", func(layers []Layer, block *Layer) []Layer { return []Layer{*block} }},
		{"resnet56", "want a body that ends in a batch norm", func(layers []Layer, block *Layer) []Layer {
			block.Body = append([]Layer{*block}, block.Body...)
			return layers
		}},
		{"resnet56", "want a body that ends in a batch norm", func(layers []Layer, block *Layer) []Layer { block.Body = block.Body[:1]; return layers }},
		{"resnet56", "want a body that ends in a batch norm", func(layers []Layer, block *Layer) []Layer {
			block.Body = block.Body[:len(block.Body)-1]
			return layers
		}},
	} {
		m := small(t)[c.net]
		m.Layers = slices.Clone(m.Layers)
		var block *Layer
		if i := find(m.Layers, Residual); i >= 0 {
			block = &m.Layers[i]
		}
		m.Layers = c.change(m.Layers, block)
		if _, err := PlanCPU(m, 2, ws, 1e-5); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: error %v does not say %q", c.net, err, c.want)
		}
	}
}
