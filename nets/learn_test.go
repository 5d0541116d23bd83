package nets

import (
	"testing"

	"tqn/nets/network"
)

// overfit trains on 60 images without augmentation and returns the last epoch and the most changed convolution's percentage.
func overfit(t *testing.T, net, method string, alpha float64) (Epoch, float64) {
	t.Helper()
	c := tiny(t)
	c.Net, c.Method, c.Width, c.Depth, c.Augment, c.LearningRate = net, method, 0.125, 0.34, "none", alpha
	if net == "resnet56" {
		c.Width, c.Depth = 0.5, 0.12
	}
	c.Epochs, c.Batch, c.TrainImages, c.TestImages, c.Drops = 40, 20, 60, 30, []int{20, 30}
	r := train(t, c, Where{Dir: t.TempDir()})
	last, conv := r.Epochs[len(r.Epochs)-1], 0.0
	for _, p := range last.Layers {
		if p.Role() == network.ConvWeight {
			conv = max(conv, p.Changed)
		}
	}
	t.Logf("%-8s %-6s training loss %.3f -> %.3f, error %.0f -> %.0f %%, most changed convolution %.1f %%",
		net, method, r.Epochs[0].TrainLoss, last.TrainLoss, r.Epochs[0].TrainError, last.TrainError, conv)
	return last, conv
}

// TestMethodsLearn: 60 images of 3 classes are learnt by heart by every method; R learns with its linear layers and batch
// norms alone, its convolutions stay where they started (Section 6: "the weights of the conv layers were not changed at
// all by R-ADAM").
func TestMethodsLearn(t *testing.T) {
	if testing.Short() {
		t.Skip("trains for some seconds")
	}
	for _, c := range []struct{ net, method string }{
		{"vgg9", "adam"}, {"vgg9", "bc"}, {"vgg9", "sr"}, {"vgg9", "r"}, {"resnet56", "bc"}, {"resnet56", "sr"},
	} {
		last, conv := overfit(t, c.net, c.method, 0.01)
		if last.TrainError > 10 { // chance is 67
			t.Errorf("%s %s does not learn 60 images: error %.0f %%", c.net, c.method, last.TrainError)
		}
		if (c.method == "r") != (conv == 0) {
			t.Errorf("%s %s: %.1f %% of a convolution's signs changed", c.net, c.method, conv)
		}
	}
}

// Planted defect: an optimiser whose steps are a millionth of what they should be does not pass for learning.
func TestLearningTestSeesAStuckOptimiser(t *testing.T) {
	if testing.Short() {
		t.Skip("trains for some seconds")
	}
	if last, _ := overfit(t, "vgg9", "sr", 1e-8); last.TrainError <= 10 {
		t.Errorf("learnt without steps: error %.0f %%", last.TrainError)
	}
}
