package network

import (
	"math"
	"strings"
	"testing"
)

func mustModel(t testing.TB, s Spec) Model {
	t.Helper()
	m, err := NewModel(s)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

var cifar = Shape{32, 32, 3}

// TestParameterCounts compares our counts, frozen to the last weight, with the millions that Appendix H.1 prints.
func TestParameterCounts(t *testing.T) {
	for _, c := range []struct {
		net          string
		input        Shape
		classes      int
		conv, linear int
		paperConv    float64 // million
		paperLinear  float64 // million
		convLayers   int
	}{
		{"vgg9", cifar, 10, 1734336, 1051136, 1.7, 1.1, 7},
		{"vgg-bc", cifar, 10, 4574592, 9447424, 4.6, 9.4, 6},
		{"resnet56", cifar, 10, 848304, 640, 0.84, 0.0006, 55}, // 0.848: the paper cuts the third digit
		{"wrn56-2", cifar, 10, 3387312, 1280, 3.4, 0.001, 55},
		{"resnet18", Shape{224, 224, 3}, 1000, 11166912, 512000, 11.2, 0.5, 17 + 3},
	} {
		m := mustModel(t, Spec{Net: c.net, Input: c.input, Classes: c.classes})
		got := m.Counts()
		if got.Conv != c.conv || got.Linear != c.linear {
			t.Errorf("%s: %d conv and %d linear weights, want %d and %d", c.net, got.Conv, got.Linear, c.conv, c.linear)
		}
		if got.Binarised != c.convLayers {
			t.Errorf("%s: %d convolution layers, want %d", c.net, got.Binarised, c.convLayers)
		}
		t.Logf("%-9s conv %d (paper %g million), linear %d (paper %g million)", c.net, got.Conv, c.paperConv, got.Linear, c.paperLinear)
		for _, n := range []struct {
			ours  int
			paper float64
		}{{got.Conv, c.paperConv}, {got.Linear, c.paperLinear}} {
			if !printsAs(float64(n.ours)/1e6, n.paper) {
				t.Errorf("%s: %d weights do not print as the paper's %g million", c.net, n.ours, n.paper)
			}
		}
	}
}

// printsAs reports whether x, rounded or cut to the digits of printed, is printed.
func printsAs(x, printed float64) bool {
	unit := 1.0
	for math.Abs(printed/unit-math.Round(printed/unit)) > 1e-9 {
		unit /= 10
	}
	return math.Abs(math.Round(x/unit)*unit-printed) < unit/2 || math.Abs(math.Floor(x/unit)*unit-printed) < unit/2
}

func TestPrintsAs(t *testing.T) {
	if !printsAs(0.848, 0.84) || !printsAs(1.05, 1.1) || printsAs(10.99, 11.2) || printsAs(0.86, 0.84) {
		t.Fatal("printsAs is wrong")
	}
}

// Without projections ResNet-18 has 10.99 million convolution weights, which is not the paper's 11.2: the reason for option B.
func TestResNet18NeedsProjections(t *testing.T) {
	m := mustModel(t, Spec{Net: "resnet18", Input: Shape{224, 224, 3}, Classes: 1000})
	main := 0
	for _, p := range m.Params() {
		if p.Role == ConvWeight && p.Shape[0] > 1 {
			main += p.Len()
		}
	}
	if main != 10994880 || printsAs(float64(main)/1e6, 11.2) {
		t.Fatalf("%d weights outside projections", main)
	}
	t.Logf("resnet18  conv without projections %d", main)
}

// Every layer's input is the output before it, and every model ends in its classes.
func TestShapesConnect(t *testing.T) {
	for _, net := range Nets() {
		for _, in := range []Shape{{32, 32, 1}, {64, 64, 3}} {
			for _, depth := range []float64{0.2, 1} {
				m := mustModel(t, Spec{Net: net, Input: in, Classes: 7, Width: 0.25, Depth: depth})
				if out := checkChain(t, m.Layers, m.Input); out != (Shape{1, 1, 7}) {
					t.Errorf("%s ends in %v", net, out)
				}
			}
		}
	}
}

func checkChain(t *testing.T, layers []Layer, at Shape) Shape {
	t.Helper()
	for _, l := range layers {
		if l.In != at {
			t.Errorf("%s: input %v after output %v", l.Name, l.In, at)
		}
		if l.Kind == Residual {
			if a, b := checkChain(t, l.Body, at), checkChain(t, l.Shortcut, at); a != b || a != l.Out {
				t.Errorf("%s: branches end in %v and %v, sum is %v", l.Name, a, b, l.Out)
			}
		}
		at = l.Out
	}
	return at
}

func TestParameterNamesAreUnique(t *testing.T) {
	for _, net := range Nets() {
		seen := map[string]bool{}
		for i, p := range mustModel(t, Spec{Net: net, Input: cifar, Classes: 10}).Params() {
			if seen[p.Name] || p.Index != i {
				t.Errorf("%s: parameter %q index %d at %d", net, p.Name, p.Index, i)
			}
			seen[p.Name] = true
			if RoleOf(p.Name) != p.Role {
				t.Errorf("%s: the name %s says %q, want %q", net, p.Name, RoleOf(p.Name), p.Role)
			}
		}
	}
}

func TestNamesWithoutARole(t *testing.T) {
	for _, name := range []string{"", "conv_1", "conv_1.gamma", "conv_1.weight.m", "convolution_1.weight", "relu_1.weight"} {
		if r := RoleOf(name); r != "" {
			t.Errorf("%q is said to be %q", name, r)
		}
	}
}

func TestSpecErrorsNameTheField(t *testing.T) {
	good := Spec{Net: "vgg9", Input: cifar, Classes: 10}
	for want, change := range map[string]func(*Spec){
		"unknown net":    func(s *Spec) { s.Net = "vgg10" },
		"classes":        func(s *Spec) { s.Classes = 1 },
		"divisible by 8": func(s *Spec) { s.Input.H = 30 },
		"width":          func(s *Spec) { s.Width = math.NaN() },
		"depth":          func(s *Spec) { s.Depth = -1 },
		"input":          func(s *Spec) { s.Input.C = 0 },
	} {
		s := good
		change(&s)
		if _, err := NewModel(s); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("error %v does not say %q", err, want)
		}
	}
}
