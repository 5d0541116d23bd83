package referee

import (
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"

	"tqn/cluster"
	"tqn/evidence"
	"tqn/nets"
	"tqn/nets/network"
)

// Section6 judges every empirical sentence of Sections 6 and 6.1 and of Appendix H on the finished cells of a plan, and compares the
// errors of columns run as in the paper with the paper's. All intervals cover together with probability 1 - SectionError.
//
// # Errors
//
// Networks are compared on the same test images, by [evidence.ErrorDifference]. It speaks of these trained networks; another seed gives
// another network.
//
// # Shares of changed weights, and mean distances
//
// A share is counted in a run, to the last weight. What it says of the method is less sure: the weights of one filter move together
// (batch norm lets a filter change its sign as a whole without changing the network), so a share is taken as an average of as many
// independent values in [0, 1] as there are filters, weighted by their sizes ([evidence.Mean]). "No weight changed" needs no interval.
func Section6(plan *cluster.Plan, states []cluster.CellState) (sentences []Sentence, against []Against) {
	j := &judge{columns: trainedColumns(plan, states), tooSmall: plan.Preset == "smoke"}
	for range 2 { // the first round counts the intervals
		j.alpha = SectionError / float64(max(1, j.intervals))
		j.intervals, j.sentences, j.compared = 0, nil, map[[2]*Trained]evidence.Result{}
		j.results()
		j.exploration()
		j.inferences()
		j.bigBatch()
		j.appendix()
		j.table1()
		against = j.against()
	}
	return j.sentences, against
}

// comparable: the paper calls BC and ADAM comparable, and its own gaps are what it calls so.
func (j *judge) results() {
	j.say("bc-comparable", "Section 6", "The binary model trained by BC-ADAM has comparable performance to the full-precision model trained by ADAM.",
		"BC's error exceeds ADAM's by at most the gap that Table 1 prints in the same column", func(c TrainedColumn) []Finding {
			bc, adam := c.of("bc"), c.of("adam")
			if bc == nil || adam == nil {
				return notRun("%s", missing(map[string]*Trained{"BC-ADAM": bc, "ADAM": adam}))
			}
			f := j.lessError(bc, adam, "BC-ADAM", "ADAM")
			gap := c.PaperErrors["bc"] - c.PaperErrors["adam"]
			f.What = fmt.Sprintf("error of BC-ADAM %.2f %% - ADAM %.2f %%, at most %.2f points", bc.testError(), adam.testError(), gap)
			f.Verdict = inside(f.Lower, f.Upper, math.Inf(-1), gap)
			return []Finding{f}
		})
	j.say("sr-beats-r", "Section 6", "SR-ADAM outperforms R-ADAM, which verifies the effectiveness of Stochastic Rounding.",
		"the difference of the test errors is below 0", j.order("sr", "r"))
	j.say("bc-beats-sr", "Section 6", "There is a performance gap between SR-ADAM and BC-ADAM across all models and datasets.",
		"BC's test error is below SR's", j.order("bc", "sr"))
}

// order compares the errors of two methods of a column.
func (j *judge) order(better, worse string) func(TrainedColumn) []Finding {
	return func(c TrainedColumn) []Finding {
		a, b := c.of(better), c.of(worse)
		nameA, nameB := (&Trained{Method: better}).title(), (&Trained{Method: worse}).title()
		if a == nil || b == nil {
			return notRun("%s", missing(map[string]*Trained{nameA: a, nameB: b}))
		}
		return []Finding{j.lessError(a, b, nameA, nameB)}
	}
}

// inside is the verdict on "the number lies in [lo, hi]" from its interval.
func inside(lower, upper, lo, hi float64) Word {
	switch {
	case lower >= lo && upper <= hi:
		return Holds
	case lower > hi || upper < lo:
		return Violated
	}
	return Undecided
}

const (
	// bcMost is Section 6's bound on the weights that BC changes, in percent.
	bcMost = 20
	// srLeast and srMost are what "nearly 40 %" is taken to mean: not above it, and by five points at most below.
	srLeast, srMost = 35, 40
)

// exploration: Figure 4 and the paragraph about it.
func (j *judge) exploration() {
	const quoteSR = "SR-ADAM explores aggressively; it changes more weights in the conv layers than both R-ADAM and BC-ADAM,"
	for _, other := range []string{"r", "bc"} {
		j.say("sr-changes-more-than-"+other, "Section 6", quoteSR, "the share of convolution signs that differ from the start, after the last epoch, is larger under SR",
			func(c TrainedColumn) []Finding {
				a, b := c.of(other), c.of("sr")
				name := (&Trained{Method: other}).title()
				if a == nil || b == nil {
					return notRun("%s", missing(map[string]*Trained{name: a, "SR-ADAM": b}))
				}
				return []Finding{j.lessShare(a, b, name, "SR-ADAM", changedLast)}
			})
	}
	j.say("sr-nearly-40", "Section 6", "and keeps changing weights until nearly 40% of the weights differ from their starting values",
		fmt.Sprintf("SR's share after the last epoch lies between %d and %d %%", srLeast, srMost), func(c TrainedColumn) []Finding {
			sr := c.of("sr")
			if sr == nil {
				return notRun("no finished run of SR-ADAM")
			}
			f := j.shareOf(sr, "signs changed by SR-ADAM", changedLast)
			f.Verdict = inside(f.Lower, f.Upper, srLeast, srMost)
			return []Finding{f}
		})
	j.say("random-is-50", "Section 6", "(in a binary model, randomly re-assigning weights would result in 50% change)",
		"the expected share of fair signs that differ from given ones is 1/2: arithmetic", func(c TrainedColumn) []Finding {
			return []Finding{{What: "expected share of signs drawn anew: 50 %", Value: 50, Lower: 50, Upper: 50, Exact: true, Verdict: Holds}}
		})
	j.say("bc-at-most-20", "Section 6", "The BC method never changes more than 20% of the weights (Fig 4(b)),",
		fmt.Sprintf("BC's share is at most %d %% after every epoch", bcMost), func(c TrainedColumn) []Finding {
			bc := c.of("bc")
			if bc == nil {
				return notRun("no finished run of BC-ADAM")
			}
			f := j.shareOf(bc, "signs changed by BC-ADAM, at most", changedMost)
			f.Verdict = inside(f.Lower, f.Upper, 0, bcMost)
			f.Why = "BC starts from " + bc.Runs[0].Config.Init + ", which the paper does not state: docs/choices.md"
			return []Finding{f}
		})
	j.say("r-changes-none", "Section 6", "the weights of the conv layers were not changed at all by R-ADAM",
		"no convolution sign differs from the start after any epoch, in any run", func(c TrainedColumn) []Finding {
			r := c.of("r")
			if r == nil {
				return notRun("no finished run of R-ADAM")
			}
			most := 100 * changedMost(r)
			f := Finding{What: fmt.Sprintf("signs changed by R-ADAM, at most %.4g %%", most), Value: most, Lower: most, Upper: most, Unit: "percent", Exact: true, Verdict: Holds}
			if most > 0 {
				f.Verdict = Violated
			}
			return []Finding{f}
		})
}

// bigBatch: Section 6.1 and Figure 5.
func (j *judge) bigBatch() {
	neighbours := func(judge func(small, big *Trained, nameSmall, nameBig string) Finding, methods ...string) func(TrainedColumn) []Finding {
		return func(c TrainedColumn) []Finding {
			runs := c.byBatch(methods...)
			if len(runs) < 2 {
				return notRun("no finished runs of %s at two batch sizes", (&Trained{Method: methods[0]}).title())
			}
			var all []Finding
			for i, big := range runs[1:] {
				small := runs[i]
				all = append(all, judge(small, big, batchName(small), batchName(big)))
			}
			if len(runs) > 2 { // neighbours may be too close where the ends are not
				small, big := runs[0], runs[len(runs)-1]
				all = append(all, judge(small, big, batchName(small), batchName(big)))
			}
			return all
		}
	}
	j.say("sr-larger-batch-better", "Section 6.1", "we tried different batch sizes for SR including 128, 256, 512 and 1024, and found that the larger the batch size, the better the performance of SR.",
		"from each batch size to the next larger one that was run, and from the smallest to the largest, SR's test error falls", neighbours(func(small, big *Trained, a, b string) Finding { return j.lessError(big, small, b, a) }, "sr", "big-sr"))
	j.say("sr-batch-essential", "Section 6.1", "However, a large batch size is essential for the SR method to perform well.",
		"SR's test error is smaller at the largest batch that was run than at the smallest", func(c TrainedColumn) []Finding {
			runs := c.byBatch("sr", "big-sr")
			if len(runs) < 2 {
				return notRun("no finished runs of SR-ADAM at two batch sizes")
			}
			small, big := runs[0], runs[len(runs)-1]
			return []Finding{j.lessError(big, small, batchName(big), batchName(small))}
		})
	j.say("bc-small-batch-best", "Section 6.1", "We find that the BC method, like classical SGD, performs best with a small batch size.",
		"BC's test error is smaller at the smaller batch", neighbours(func(small, big *Trained, a, b string) Finding { return j.lessError(small, big, a, b) }, "bc"))
	j.say("big-sr-consistently", "Section 6.1", "big batch training improved performance over SR-ADAM consistently.",
		"Big SR's test error is below SR's, in every column", j.order("big-sr", "sr"))
	for _, rule := range [][]string{{"sr", "big-sr"}, {"bc"}} {
		j.say("big-batch-changes-less-"+rule[0], "Section 6.1", "the large batch methods change the weights less aggressively than the small batch methods, indicating less exploration.",
			"the share of convolution signs that differ from the start, after the last epoch, is smaller at the larger batch ("+(&Trained{Method: rule[0]}).title()+")",
			neighbours(func(small, big *Trained, a, b string) Finding { return j.lessShare(big, small, b, a, changedLast) }, rule...))
	}
	j.say("big-batch-changes-less-often", "Section 6.1", "It is clear that small-batch SR changes weights much more frequently than using a big batch.",
		"the share of convolution signs that change in a window of epochs (five of 160), the mean over all windows, is smaller at the larger batch",
		neighbours(func(small, big *Trained, a, b string) Finding { return j.lessShare(big, small, b, a, windowMean) }, "sr", "big-sr"))
}

func batchName(t *Trained) string {
	c := t.Runs[0].Config
	return fmt.Sprintf("%s, batch %d", strings.TrimPrefix(t.title(), "Big "), c.Batch)
}

// closeTo1 is from where on a mean distance is said to approach 1.
const closeTo1 = 0.9

// appendix: H.1, H.3 and H.4.
func (j *judge) appendix() {
	never := func(why string) func(TrainedColumn) []Finding {
		return func(TrainedColumn) []Finding { return notRun("%s", why) }
	}
	j.say("adam-beats-sgd", "Section 6", "We use Adam as our baseline optimizer as we found it to frequently give better results than well-tuned SGD",
		"", never("this program trains with Adam alone"))
	j.say("parameters", "Appendix H.1", "The number of params of Conv/FC layers for CNNs in Table 1 are (in millions): VGG-9: 1.7/1.1, VGG-BC: 4.6/9.4, ResNet-56: 0.84/0.0006, WRN-56-2: 3.4/0.001, ResNet-18: 11.2/0.5.",
		"the net as it is built here, at full width, has these numbers of weights, rounded or cut to the digits printed", func(c TrainedColumn) []Finding {
			f, ok := parameters(c)
			if !ok {
				return nil
			}
			return []Finding{f}
		})
	j.say("linear-layers", "Appendix H.1", "Binarizing linear layers causes some performance drop without much computational speedup.",
		"", never("this program binarises convolutions alone"))
	j.say("small-gradients", "Appendix H.3", "large binary weights will generate small gradients when batch normalization is used",
		"batch norm makes the loss a function of a filter's direction alone, so that its gradient at a filter c times as long is 1/c times as long: arithmetic",
		func(TrainedColumn) []Finding {
			return []Finding{{What: "gradient at a filter c times as long: 1/c times as long", Exact: true, Verdict: Holds,
				Why: "that a large learning rate is therefore necessary does not follow: Adam divides a gradient by its size"}}
		})
	j.say("large-rate-as-good", "Appendix H.3", "We experiment with a larger learning rate (0.01) and find it converges to the same performance within 160 epochs, comparing with 500 epochs in the original paper.",
		"BC's test errors at the learning rate 0.01 and, in 500/160 as many epochs, at 0.003 cannot be told apart", func(c TrainedColumn) []Finding {
			bc, slow := c.of("bc"), c.find(func(t Trained) bool { return t.Method == "bc" && t.Runs[0].Config.LearningRate == cluster.SlowRate })
			if bc == nil || slow == nil {
				return notRun("no finished runs of BC-ADAM at both learning rates")
			}
			f := j.lessError(bc, slow, "BC-ADAM at 0.01", "at 0.003")
			f.What = strings.Replace(f.What, "<", "and", 1)
			f.Verdict = Undecided // that no difference is seen does not show that there is none
			if f.Lower > 0 || f.Upper < 0 {
				f.Verdict = Violated
			}
			return []Finding{f}
		})
	decay := func(judge func(with, without *Trained) Finding) func(TrainedColumn) []Finding {
		return func(c TrainedColumn) []Finding {
			bc, with := c.of("bc"), c.find(func(t Trained) bool { return t.Method == "bc" && t.Runs[0].Config.WeightDecay == cluster.WeightDecay })
			if bc == nil || with == nil {
				return notRun("no finished runs of BC-ADAM with and without weight decay")
			}
			return []Finding{judge(with, bc)}
		}
	}
	j.say("decay-worse", "Appendix H.4", "BC-ADAM with 1e-5 weight decay yields worse performance compared to zero weight decay.",
		"BC's test error is smaller without weight decay", decay(func(with, without *Trained) Finding {
			return j.lessError(without, with, "BC-ADAM without weight decay", "with 1e-5")
		}))
	j.say("decay-distance", "Appendix H.4", "Applying weight decay in BC-ADAM will shrink wr to 0, as well as increase the distance between wb and wr.",
		"the mean of |wb - wr| over the convolution weights, after the last epoch, is larger with weight decay", decay(func(with, without *Trained) Finding {
			return j.lessShare(without, with, "without weight decay", "with 1e-5", distanceLast)
		}))
	j.say("decay-towards-1", "Appendix H.4", "With 1e-5 weight decay, the average weight difference between wb and wr approaches 1, which indicates wr is close to zero.",
		fmt.Sprintf("with weight decay the mean of |wb - wr| is at least %g after the last epoch", closeTo1), decay(func(with, _ *Trained) Finding {
			f := j.shareOf(with, "mean |wb - wr| with 1e-5", distanceLast)
			f.Value, f.Lower, f.Upper, f.Unit = f.Value/100, f.Lower/100, f.Upper/100, ""
			f.What = fmt.Sprintf("mean |wb - wr| with 1e-5: %.3f", f.Value)
			f.Verdict = inside(f.Lower, f.Upper, closeTo1, math.Inf(1))
			return f
		}))
	j.say("sr-cannot-decay", "Appendix H.4", "Weight decay cannot \"decay\" the weight of SR as the norm of wb is the same for all binarized networks.",
		"every binary weight is -1 or +1, whose square is 1: arithmetic", func(TrainedColumn) []Finding {
			return []Finding{{What: "mean |wb - wr| of SR: 0", Exact: true, Verdict: Holds}}
		})
}

// printedParameters are Appendix H.1's numbers of convolution and of linear weights, in millions, by net.
var printedParameters = map[string][2]string{
	"vgg9": {"1.7", "1.1"}, "vgg-bc": {"4.6", "9.4"}, "resnet56": {"0.84", "0.0006"}, "wrn56-2": {"3.4", "0.001"}, "resnet18": {"11.2", "0.5"},
}

// parameters compares the net of a column of Table 1, at full width, with Appendix H.1.
func parameters(c TrainedColumn) (Finding, bool) {
	i := slices.IndexFunc(cluster.PaperColumns(), func(p cluster.PaperColumn) bool { return p.ID == c.ID })
	if i < 0 || c.PaperData == "cifar100" { // the numbers printed are ResNet-56's with ten classes
		return Finding{}, false
	}
	paper := cluster.PaperColumns()[i]
	classes := map[string]int{"cifar10": 10, "imagenet": 1000}[paper.Data]
	config, err := nets.Config{Net: c.Net, Method: "adam", Data: paper.Data}.Resolve()
	if err != nil {
		panic("referee: parameters: " + err.Error()) // the net of a plan
	}
	side := 32
	if paper.Data == "imagenet" {
		side = 224
	}
	model, err := network.NewModel(config.Spec(network.Shape{H: side, W: side, C: 3}, classes))
	if err != nil {
		panic("referee: parameters: " + err.Error()) // the paper's own size
	}
	counts := model.Counts()
	counted := [2]float64{float64(counts.Conv) / 1e6, float64(counts.Linear) / 1e6}
	printed := printedParameters[paper.Net]
	f := Finding{What: fmt.Sprintf("%.6g/%.3g million, printed %s/%s", counted[0], counted[1], printed[0], printed[1]), Exact: true, Verdict: Holds}
	for k, text := range printed {
		value, err := strconv.ParseFloat(text, 64)
		if err != nil {
			panic("referee: parameters: " + err.Error()) // printedParameters
		}
		_, digits, _ := strings.Cut(text, ".")
		if unit := math.Pow(10, -float64(len(digits))); math.Abs(value-counted[k]) >= unit {
			f.Verdict = Violated
		}
	}
	return f, true
}

// A number of a run, as a fraction: the mean over the runs.
type number func(*Trained) float64

func overRuns(t *Trained, of func(*nets.Result) float64) float64 {
	sum := 0.0
	for _, r := range t.Runs {
		sum += of(r) / float64(len(t.Runs))
	}
	return sum
}

func changed(e nets.Epoch) float64 {
	v, _ := e.OverConv(func(l nets.Probe) (float64, bool) { return l.Changed / 100, true })
	return v
}

func changedLast(t *Trained) float64 {
	return overRuns(t, func(r *nets.Result) float64 { return changed(r.Epochs[len(r.Epochs)-1]) })
}

func changedMost(t *Trained) float64 {
	return overRuns(t, func(r *nets.Result) float64 {
		most := 0.0
		for _, e := range r.Epochs {
			most = max(most, changed(e))
		}
		return most
	})
}

func windowMean(t *Trained) float64 {
	return overRuns(t, func(r *nets.Result) float64 {
		sum, n := 0.0, 0
		for _, e := range r.Epochs {
			if v, ok := e.OverConv(nets.Probe.InWindow); ok {
				sum, n = sum+v/100, n+1
			}
		}
		return sum / float64(max(1, n))
	})
}

func distanceLast(t *Trained) float64 {
	return overRuns(t, func(r *nets.Result) float64 {
		v, _ := r.Epochs[len(r.Epochs)-1].OverConv(func(l nets.Probe) (float64, bool) { return l.Distance, true })
		return v
	})
}

// filters is the number of independent values that a share over all convolution weights is worth: with W weights in all and w in a
// filter, W^2/sum w^2, for every run.
func filters(t *Trained) float64 {
	model, err := network.NewModel(t.Runs[0].Config.Spec(network.Shape{H: 32, W: 32, C: 3}, 10)) // only the first layer's filters depend on the images
	if err != nil {
		panic("referee: filters: " + err.Error()) // the config of a finished run
	}
	all, squares := 0.0, 0.0
	for _, p := range model.Params() {
		if w := float64(p.Len()); p.Role == network.ConvWeight {
			all += w
			squares += w * w / float64(p.Shape[len(p.Shape)-1])
		}
	}
	return float64(len(t.Runs)) * all * all / max(1, squares)
}

// unbounded says why a mean distance has no interval.
const unbounded = "without the clip |wb - wr| has no bound, so one run gives no interval"

// shareOf is the finding on one number, without a verdict.
func (j *judge) shareOf(t *Trained, name string, of number) Finding {
	v := of(t)
	f := Finding{What: fmt.Sprintf("%s: %.2f %%", name, 100*v), Value: 100 * v, Unit: "percent"}
	if v > 1 {
		f.Lower, f.Upper, f.Why = math.Inf(-1), math.Inf(1), unbounded
		return f
	}
	r := evidence.Mean(v, filters(t), j.share())
	f.Lower, f.Upper = 100*r.Lower, 100*r.Upper
	return f
}

// lessShare judges "the number of a is smaller than b's".
func (j *judge) lessShare(a, b *Trained, nameA, nameB string, of number) Finding {
	x, y := of(a), of(b)
	f := Finding{What: fmt.Sprintf("%s %.2f %% < %s %.2f %%", nameA, 100*x, nameB, 100*y), Value: 100 * (x - y), Unit: "percentage points"}
	if max(x, y) > 1 {
		f.Verdict, f.Why = Undecided, unbounded
		return f
	}
	d := evidence.MeanDifference(x, filters(a), y, filters(b), j.share())
	f.Lower, f.Upper, f.Verdict = 100*d.Lower, 100*d.Upper, wordOf(d.AtMost(0))
	if f.Verdict == Undecided {
		f.Why = "filters that change by chance could differ as much"
	}
	return f
}
