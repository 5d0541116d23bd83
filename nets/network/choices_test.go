package network

import (
	"math"
	"testing"

	"tqn/quantize"
)

// Every law has the mean, variance and support that its definition says, and the clip cuts it where bc clips.
func TestInitialLaws(t *testing.T) {
	m := mustModel(t, Spec{Net: "vgg9", Input: Shape{32, 32, 3}, Classes: 10, Width: 0.5})
	first, later := m.Params()[0], Param{}
	for _, p := range m.Params() {
		if p.Name == "conv_5.weight" { // fan-in 9*64, fan-out 9*128
			later = p
		}
	}
	if first.FanIn != 27 || first.fanOut() != 9*32 || later.FanIn != 9*64 || later.fanOut() != 9*128 {
		t.Fatalf("fans %d %d %d %d", first.FanIn, first.fanOut(), later.FanIn, later.fanOut())
	}
	uniform := func(a float64) (variance, most float64) { return a * a / 3, a }
	for init, law := range map[string]func(Param) (variance, most float64){
		"he":         func(p Param) (float64, float64) { return 2 / float64(p.FanIn), math.Inf(1) },
		"glorot":     func(p Param) (float64, float64) { return uniform(math.Sqrt(6 / float64(p.FanIn+p.fanOut()))) },
		"torch7":     func(p Param) (float64, float64) { return uniform(1 / math.Sqrt(float64(p.FanIn))) },
		"uniform":    func(Param) (float64, float64) { return uniform(1) },
		"rademacher": func(Param) (float64, float64) { return 1, 1 },
	} {
		for _, p := range []Param{first, later} {
			w := Start{Rule: quantize.Float, Init: init, Seed: 1}.Values(p)
			variance, most := law(p)
			mean, square := 0.0, 0.0
			for _, v := range w {
				mean += float64(v) / float64(len(w))
				square += float64(v) * float64(v) / float64(len(w))
				if math.Abs(float64(v)) > most*(1+1e-6) {
					t.Fatalf("%s %s: value %g outside +-%g", init, p.Name, v, most)
				}
			}
			// Six standard deviations of a mean and of a mean square of len(w) values (kurtosis at most 3).
			deviation := 6 * math.Sqrt(variance/float64(len(w)))
			if math.Abs(mean) > deviation || math.Abs(square-variance) > 6*variance*math.Sqrt(2/float64(len(w))) {
				t.Errorf("%s %s: mean %.3g, variance %.4g, want 0 and %.4g", init, p.Name, mean, square, variance)
			}
		}
	}
	largest := func(s Start) (most float32) {
		s.Rule, s.Init, s.Seed = quantize.BC, "he", 1
		for _, v := range s.Values(Param{Role: ConvWeight, Shape: []int{1, 1, 2, 5000}, FanIn: 2}) {
			most = max(most, v, -v)
		}
		return most
	}
	if a, b := largest(Start{}), largest(Start{Unclipped: true}); a != 1 || b < 2 {
		t.Errorf("largest weights of bc %g with the clip, %g without", a, b)
	}
	for _, rule := range []quantize.Rule{quantize.SR, quantize.R} {
		for _, v := range (Start{Rule: rule, Init: "he", Seed: 1}).Values(first) {
			if v != 1 && v != -1 {
				t.Fatalf("%v starts from %g", rule, v)
			}
		}
	}
}

// bc without its box, with BinaryConnect's step lengths and on a short batch takes the steps of the float64 reference; and none of them the
// default's.
func TestUnstatedStepsMatchReference(t *testing.T) {
	m := small(t)["vgg9"]
	weights := func(e Engine) []float32 {
		w := make([]float32, m.Params()[0].Len())
		e.Get("conv_1.weight", w)
		return w
	}
	step := func(h Hyper, images int) (cpu, reference []float32) {
		c, r := newCPU(t, m, h, 2, ""), NewReference(m, h)
		Start{Rule: quantize.BC, Init: "uniform", Seed: 3}.Set(r)
		copyState(c, r)
		x, labels := randomBatch(m, images, 4)
		for _, e := range []Engine{c, r} {
			if _, err := e.Step(x, labels, 0.25, 1); err != nil { // far enough to leave the box
				t.Fatal(err)
			}
		}
		return weights(c), weights(r)
	}
	apart := func(a, b []float32) (most float64) {
		for i := range a {
			most = max(most, math.Abs(float64(a[i]-b[i])))
		}
		return most
	}
	plain, _ := step(hyper(6, quantize.BC), 6)
	unclipped, scaled, partial := hyper(6, quantize.BC), hyper(6, quantize.BC), hyper(6, quantize.BC)
	unclipped.Unclipped, scaled.FanScale, partial.Partial = true, true, true
	for name, one := range map[string]struct {
		h      Hyper
		images int
	}{"unclipped": {unclipped, 6}, "scaled": {scaled, 6}, "short batch": {partial, 4}} {
		cpu, reference := step(one.h, one.images)
		if e := apart(cpu, reference); e > 1e-3 {
			t.Errorf("%s: %.3g from the reference", name, e)
		}
		if e := apart(cpu, plain); e < 0.01 {
			t.Errorf("%s: only %.3g from a step without it", name, e)
		}
	}
}

func TestShortcutsAreChosen(t *testing.T) {
	for _, c := range []struct {
		net, shortcut string
		same          string
	}{{"resnet56", "A", ""}, {"resnet18", "B", ""}, {"resnet56", "B", "no"}, {"resnet18", "A", "no"}, {"wrn56-2", "B", "no"}} {
		plain := mustModel(t, Spec{Net: c.net, Input: cifar, Classes: 10}).Counts()
		with := mustModel(t, Spec{Net: c.net, Input: cifar, Classes: 10, Shortcut: c.shortcut}).Counts()
		if (plain == with) != (c.same == "") {
			t.Errorf("%s with shortcut %s: %+v, without %+v", c.net, c.shortcut, with, plain)
		}
	}
}
