package kernel

import (
	"fmt"
	"math"
)

// CrossEntropy is the softmax cross entropy of n images' logits (n,classes):
//
//	loss_i = log sum_k exp(logits[i,k]) - logits[i,label_i]
//
// It returns the sum of the losses and the number of images for which a class
// other than the label has a larger logit, or a lower-numbered class the same. If dlogits is not nil it
// becomes the gradient of the mean loss, (softmax - onehot)/n.
func CrossEntropy(dlogits, logits []float32, labels []int32, classes int) (sum float64, wrong int) {
	n := len(labels)
	checkLen("CrossEntropy: logits", len(logits), n*classes)
	if dlogits != nil {
		checkLen("CrossEntropy: dlogits", len(dlogits), len(logits))
	}
	for i, label := range labels {
		if label < 0 || int(label) >= classes {
			panic(fmt.Sprintf("kernel: CrossEntropy: label %d of image %d: want 0 to %d", label, i, classes-1))
		}
		row := logits[i*classes:][:classes]
		best := 0
		for k, v := range row {
			if v > row[best] {
				best = k
			}
		}
		if best != int(label) {
			wrong++
		}
		top := float64(row[best])
		var z float64
		for _, v := range row {
			z += math.Exp(float64(v) - top)
		}
		sum += math.Log(z) - (float64(row[label]) - top)
		if dlogits != nil {
			for k, v := range row {
				g := math.Exp(float64(v)-top) / z
				if k == int(label) {
					g--
				}
				dlogits[i*classes+k] = float32(g / float64(n))
			}
		}
	}
	return sum, wrong
}
