package nets

import (
	"math"
	"testing"
)

func TestConfigDefaultsAreThePapers(t *testing.T) {
	for _, c := range []struct {
		net, method, data string
		epochs, batch     int
		drops             [2]int
	}{
		{"vgg9", "adam", "cifar10", 160, 128, [2]int{82, 122}},
		{"vgg9", "big-sr", "cifar10", 160, 1024, [2]int{82, 122}},
		{"wrn56-2", "big-sr", "cifar10", 160, 512, [2]int{82, 122}},
		{"resnet18", "big-sr", "imagenet", 90, 512, [2]int{30, 60}},
		{"resnet56", "sr", "cifar100", 160, 128, [2]int{82, 122}},
	} {
		r, err := Config{Net: c.net, Method: c.method, Data: c.data}.Resolve()
		if err != nil {
			t.Fatal(err)
		}
		if r.Epochs != c.epochs || r.Batch != c.batch || [2]int(r.Drops) != c.drops || r.LearningRate != 0.01 || r.WeightDecay != 0 {
			t.Errorf("%s %s on %s: %+v", c.net, c.method, c.data, r)
		}
		again, err := r.Resolve()
		if err != nil || again.Hash() != r.Hash() {
			t.Errorf("resolving twice changes %+v to %+v (%v)", r, again, err)
		}
	}
	r, _ := Config{Net: "vgg9", Method: "sr", Data: "embedded", Epochs: 20}.Resolve()
	if [2]int(r.Drops) != [2]int{10, 15} || r.Alpha(10) != 0.01 || r.Alpha(11) != 0.001 || math.Abs(r.Alpha(20)-0.0001) > 1e-18 {
		t.Errorf("20 epochs: drops %v, alphas %g %g %g", r.Drops, r.Alpha(10), r.Alpha(11), r.Alpha(20))
	}
}

// Where the proportions of a short run put both drops on one epoch, the rate falls once.
func TestDropsFallOnce(t *testing.T) {
	for epochs, want := range map[int][]float64{1: {0.01}, 2: {0.01, 0.001}, 3: {0.01, 0.01, 0.001}, 4: {0.01, 0.01, 0.001, 0.0001}} {
		c, err := Config{Net: "vgg9", Method: "sr", Data: "embedded", Epochs: epochs}.Resolve()
		if err != nil {
			t.Fatal(err)
		}
		for i, alpha := range want {
			if got := c.Alpha(i + 1); math.Abs(got/alpha-1) > 1e-12 {
				t.Errorf("%d epochs, drops %v: rate %g in epoch %d, want %g", epochs, c.Drops, got, i+1, alpha)
			}
		}
	}
	if c, err := (Config{Net: "resnet18", Method: "sr", Data: "imagenet", Epochs: 1}).Resolve(); err != nil || c.Alpha(1) != 0.01 {
		t.Errorf("one epoch of imagenet: drops %v (%v)", c.Drops, err)
	}
	old := `{"net":"vgg9","method":"sr","data":"embedded","epochs":3,"drops":[2,2]}`
	if c, err := ParseConfig([]byte(old)); err != nil || len(c.Drops) != 2 {
		t.Errorf("an older run's file: %v, %v", c.Drops, err)
	}
}
