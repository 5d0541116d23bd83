package referee

import (
	"fmt"
	"math"

	"tqn/nets"
	"tqn/nets/network"
)

// This file judges what Section 6 infers from its figures: not what was seen, but what it is said to show.

// NoiseFlips is the number of flips a step of a binary weight under SR with Adam, divided by the learning rate alpha, if gradients are
// noise, independent from step to step with mean 0: Adam's first moment has (1-beta1)/(1+beta1) of the second moment as its variance and is
// nearly normal, so that E|step| = alpha sqrt(2/pi (1-beta1)/(1+beta1)); half of the steps point to the weight's other value, at distance
// 2, and a weight flips with probability |step|/2.
func NoiseFlips() float64 {
	return math.Sqrt(2/math.Pi*(1-network.AdamBeta1)/(1+network.AdamBeta1)) / 4
}

// FewFlips: of fewer flips than this in an epoch nothing is concluded. Of independent flips 30 have a standard deviation of a fifth;
// FlipFactor is four of these.
const FewFlips = 30

// FlipFactor is how far from 1 a ratio of flips may be to be called in agreement: a factor of 2 either way. Between the epochs that are
// compared the learning rate falls by 10 or 100, and the steps of weights differ by as much.
const FlipFactor = 2

// flipsPerStep turns the share of signs that differ between the ends of n steps into a flip probability a step: if weights flip
// independently with probability p at each step, either way, the share is (1-(1-2p)^n)/2. It is NaN for a share of a half or more.
func flipsPerStep(share, n float64) float64 {
	if !(share < 0.5) || n < 1 {
		return math.NaN()
	}
	return -math.Expm1(math.Log1p(-2*share)/n) / 2
}

// FlipRate is flipsPerStep of an epoch's convolution weights over n steps, divided by the learning rate; NaN for fewer than 30 flips.
func FlipRate(e nets.Epoch, n float64) float64 {
	share, ok := e.OverConv(func(p nets.Probe) (float64, bool) { return p.Flips / 100, true })
	weights := 0
	for _, p := range e.Layers {
		if p.Role() == network.ConvWeight {
			weights += p.Weights
		}
	}
	if !ok || share*float64(weights) < FewFlips {
		return math.NaN()
	}
	return flipsPerStep(share, n) / e.Alpha
}

// flipRates are the [FlipRate] of the last epoch before the learning rate first drops and that of the last epoch; NaN where the rate
// does not drop, or where there is nothing to conclude from.
func flipRates(r *nets.Result) (early, late float64) {
	n := float64(r.Steps) / float64(len(r.Epochs))
	drops := r.Config.Drops
	if len(drops) == 0 || drops[0] < 1 || drops[0] >= len(r.Epochs) {
		return math.NaN(), math.NaN()
	}
	return FlipRate(r.Epochs[drops[0]-1], n), FlipRate(r.Epochs[len(r.Epochs)-1], n)
}

// AdamStep is a bound on Adam's steps, divided by the learning rate, whatever the gradients. With m^ and v^ the moments after n steps,
// Cauchy and Schwarz give
//
//	|m^|/sqrt(v^) <= (1-beta1)/sqrt(1-beta2) sqrt(sum_{i<n} (beta1^2/beta2)^i) sqrt(1-beta2^n)/(1-beta1^n),
//
// which is at most its limit for large n, (1-beta1)/sqrt((1-beta2)(1-beta1^2/beta2)).
func AdamStep() float64 {
	return (1 - network.AdamBeta1) / math.Sqrt((1-network.AdamBeta2)*(1-network.AdamBeta1*network.AdamBeta1/network.AdamBeta2))
}

// thresholdR is the step that R needs to change a weight of -1 or +1: half the distance between them.
const thresholdR = 1

// walkError is how far the share of [Walk] may be from that of Adam on noise, in percentage points: TestWalkAgainstSimulation sees 4.2,
// where a weight that starts at the wall is clipped.
const walkError = 5

// walkShare is the share that would change in a method's runs if nothing were learnt, see [Walk].
func walkShare(t *Trained) float64 {
	return overRuns(t, func(r *nets.Result) float64 {
		w, err := Walk(r.Config, r.Steps)
		if err != nil {
			panic("referee: walkShare: " + err.Error()) // the config of a finished run
		}
		return w
	})
}

// belowWalk judges "fewer signs change than noise alone would change": only then does a share show that weights stay.
func (j *judge) belowWalk(t *Trained, name string) Finding {
	walk := 100 * walkShare(t)
	f := j.shareOf(t, "signs changed by "+name, changedLast)
	f.What += fmt.Sprintf(", noise alone %.2f %%", walk)
	switch {
	case f.Upper < walk-walkError:
		f.Verdict = Holds
	case f.Lower > walk+walkError:
		f.Verdict = Violated
	default:
		f.Verdict, f.Why = Undecided, "a share that noise alone may give shows neither"
	}
	return f
}

// inferences: what Section 6 says that its figures indicate.
func (j *judge) inferences() {
	j.say("bc-stays-near", "Section 6", "[BC never changes more than 20% of the weights,] indicating that it stays near a local minimizer and explores less.",
		"BC's share after the last epoch is below what a random walk of Adam's steps would change from the same start, at the same learning rates, in as many updates (docs/errata.md, 15)", func(c TrainedColumn) []Finding {
			bc := c.of("bc")
			if bc == nil {
				return notRun("no finished run of BC-ADAM")
			}
			return []Finding{j.belowWalk(bc, "BC-ADAM")}
		})
	j.say("big-sr-explores-less", "Section 6.1", "[The large batch methods change the weights less aggressively than the small batch methods,] indicating less exploration.",
		"Big SR's share after the last epoch is below what a random walk of Adam's steps would change in as many updates, which are fewer than SR's (docs/errata.md, 15)", func(c TrainedColumn) []Finding {
			big := c.of("big-sr")
			if big == nil {
				return notRun("no finished run of Big SR-ADAM")
			}
			return []Finding{j.belowWalk(big, "Big SR-ADAM")}
		})
	j.say("sr-not-greedy", "Section 6", "Section 5 [...] predicts that fully discrete methods like SR are unable to enter a greedy phase.",
		fmt.Sprintf("the signs that SR flips a step, divided by the learning rate, are in the last epoch between 1/%d and %d times what they were in the last epoch before the rate first dropped (Theorem 5: 1 in the limit of small rates)", FlipFactor, FlipFactor), func(c TrainedColumn) []Finding {
			sr := c.of("sr")
			if sr == nil {
				return notRun("no finished run of SR-ADAM")
			}
			ratio, drop := 0.0, 0.0
			for _, r := range sr.Runs {
				early, late := flipRates(r)
				ratio += late / early / float64(len(sr.Runs))
				drop = r.Epochs[0].Alpha / r.Epochs[len(r.Epochs)-1].Alpha
			}
			if math.IsNaN(ratio) {
				return notRun("too few flips, or too many to tell how many flipped back, or the learning rate does not drop")
			}
			f := Finding{What: fmt.Sprintf("flips a step / learning rate: %.2f times, while the rate falls %g times", ratio, drop), Value: ratio, Lower: ratio, Upper: ratio, Unit: "times", Exact: true, Verdict: Holds}
			if ratio > FlipFactor || ratio < 1./FlipFactor {
				f.Verdict = Violated
			}
			return []Finding{f}
		})
	j.say("light-tails", "Section 6", "[R-ADAM changes no weight;] when the tails of the stochastic gradient distribution are light, this method is ineffective.",
		"no convolution sign changes, and no gradient, of whatever tails, could change one: Adam's steps are bounded", func(c TrainedColumn) []Finding {
			r := c.of("r")
			if r == nil {
				return notRun("no finished run of R-ADAM")
			}
			step := AdamStep() * r.Runs[0].Config.LearningRate
			f := Finding{What: fmt.Sprintf("Adam's longest possible step %.3g, needed %d", step, thresholdR), Value: step, Lower: step, Upper: step, Exact: true, Verdict: Undecided}
			switch {
			case changedMost(r) > 0:
				f.Verdict = Violated
			case step < thresholdR:
				f.Verdict = Holds
				f.Why = "it is ineffective with heavy tails too: the reason is Adam, not the tails"
			}
			return []Finding{f}
		})
}
