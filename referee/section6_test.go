package referee

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"

	"tqn/cluster"
	"tqn/nets"
)

// trained is one method of a made-up table: what its last epoch shows.
type trained struct {
	method    string
	batch     int
	error     float64 // percent of 10,000 test images
	changed   float64 // percent of convolution signs at the end; on the way less
	most      float64 // percent, in the epoch before the last; 0: less than at the end
	window    float64 // percent a window
	distance  float64
	decay     float64
	rate      float64
	unclipped bool
	steps     uint64
	flips     [2]float64 // percent of convolution signs an epoch
}

// asPublished is a table in which every sentence that these runs can speak of comes out as the paper says.
func asPublished() []trained {
	return []trained{
		{method: "adam", error: 8},
		{method: "bc", error: 8.2, changed: 12, window: 1, distance: 0.3},
		{method: "big-sr", error: 16.8, changed: 20, window: 8, steps: 7800},
		{method: "sr", error: 22, changed: 38, window: 40, flips: [2]float64{13.4, 1.54}}, // 0.04 flips a step / learning rate
		{method: "r", error: 27, changed: 0},
		{method: "bc", batch: 1024, error: 12, changed: 2, window: 0.1, distance: 0.3},
		{method: "bc", error: 12, changed: 12, distance: 0.97, decay: cluster.WeightDecay},
	}
}

// table is the plan and the finished cells of one column run as in the paper, VGG-BC.
func table(t *testing.T, preset string, runs []trained) (*cluster.Plan, []cluster.CellState) {
	t.Helper()
	plan := &cluster.Plan{Preset: preset}
	for _, c := range cluster.PaperColumns() {
		if c.ID == "vgg-bc" {
			plan.Columns = append(plan.Columns, cluster.Column{ID: c.ID, Net: c.Net, Title: c.Title, PaperData: c.Data, Data: c.Data, PaperErrors: c.Errors})
		}
	}
	var states []cluster.CellState
	for i, one := range runs {
		unclipped := !one.unclipped
		config := nets.Config{Net: "vgg-bc", Method: one.method, Data: "cifar10", Seed: 1, Batch: one.batch, WeightDecay: one.decay, LearningRate: one.rate, Epochs: 2}
		if one.unclipped {
			config.Clip = &unclipped
		}
		config, err := config.Resolve()
		if err != nil {
			t.Fatal(err)
		}
		r := &nets.Result{Config: config, TestImages: 10000, TrainImages: 50000, TestError: one.error, Steps: 780}
		if one.steps > 0 {
			r.Steps = one.steps
		}
		for e := range 2 {
			share := float64(e+1) / 2
			epoch := nets.Epoch{Epoch: e + 1, Alpha: config.Alpha(e + 1), TestError: one.error}
			for k, n := range []int{27 * 128, 1152 * 128, 1152 * 256, 2304 * 256, 2304 * 512, 4608 * 512} {
				changed := share * one.changed
				if e == 0 && one.most > 0 {
					changed = one.most
				}
				epoch.Layers = append(epoch.Layers, nets.Probe{Layer: fmt.Sprintf("conv_%d", k+1), Weights: n, Changed: changed, Window: &one.window, Flips: one.flips[e], Distance: one.distance})
			}
			epoch.Layers = append(epoch.Layers, nets.Probe{Layer: "linear_1", Weights: 8192 * 1024, Changed: 49, Window: &one.window, Distance: 0.9}) // counts for nothing
			r.Epochs = append(r.Epochs, epoch)
		}
		s := cluster.CellState{Index: i, Column: "vgg-bc", Method: one.method, Seed: 1, State: cluster.Finished, Result: r}
		if one.batch != 0 || one.decay != 0 || one.rate != 0 {
			s.Variant = fmt.Sprintf("v%d", i)
		}
		states = append(states, s)
	}
	return plan, states
}

func judged6(t *testing.T, preset string, runs []trained) map[string]Sentence {
	t.Helper()
	sentences, _ := Section6(table(t, preset, runs))
	all := map[string]Sentence{}
	for _, s := range sentences {
		if _, twice := all[s.ID]; twice {
			t.Errorf("two sentences are called %s", s.ID)
		}
		if s.Quote == "" || s.Place == "" {
			t.Errorf("%s: no quotation or place", s.ID)
		}
		all[s.ID] = s
	}
	return all
}

// change returns asPublished with one run changed.
func change(i int, f func(*trained)) []trained {
	runs := asPublished()
	f(&runs[i])
	return runs
}

const (
	adam = iota
	bc
	bigSR
	sr
	r
	bcBig
	bcDecay
)

// As published, every sentence holds that was run; and for each there is a table, with one number planted, in which it is violated.
func TestSentencesAndTheirOpposites(t *testing.T) {
	published := judged6(t, "paper", asPublished())
	opposites := map[string][]trained{
		"bc-comparable":                change(bc, func(x *trained) { x.error = 14 }),
		"sr-beats-r":                   change(r, func(x *trained) { x.error = 19 }),
		"bc-beats-sr":                  change(bc, func(x *trained) { x.error = 25 }),
		"sr-changes-more-than-r":       change(r, func(x *trained) { x.changed = 49 }),
		"sr-changes-more-than-bc":      change(sr, func(x *trained) { x.changed = 2 }),
		"sr-nearly-40":                 change(sr, func(x *trained) { x.changed = 49.75 }),
		"bc-at-most-20":                change(bc, func(x *trained) { x.changed = 49 }),
		"r-changes-none":               change(r, func(x *trained) { x.changed = 1e-4 }),
		"light-tails":                  change(r, func(x *trained) { x.changed = 1e-4 }),
		"bc-stays-near":                change(bc, func(x *trained) { x.changed = 90 }),
		"big-sr-explores-less":         change(bigSR, func(x *trained) { x.changed = 90 }),
		"sr-not-greedy":                change(sr, func(x *trained) { x.flips[1] = 0.154 }), // a tenth: as if flips fell with the square of the rate
		"sr-batch-essential":           change(bigSR, func(x *trained) { x.error = 30 }),
		"sr-larger-batch-better":       change(bigSR, func(x *trained) { x.error = 30 }),
		"bc-small-batch-best":          change(bcBig, func(x *trained) { x.error = 5 }),
		"big-sr-consistently":          change(bigSR, func(x *trained) { x.error = 30 }),
		"big-batch-changes-less-sr":    change(bigSR, func(x *trained) { x.changed = 49 }),
		"big-batch-changes-less-bc":    change(bcBig, func(x *trained) { x.changed = 30 }),
		"big-batch-changes-less-often": change(bigSR, func(x *trained) { x.window = 60 }),
		"decay-worse":                  change(bcDecay, func(x *trained) { x.error = 6 }),
		"decay-distance":               change(bcDecay, func(x *trained) { x.distance = 0.1 }),
		"decay-towards-1":              change(bcDecay, func(x *trained) { x.distance = 0.5 }),
	}
	for _, pair := range pairs() {
		a, b := pair[0].Name, pair[1].Name
		opposites["table1."+a+"<"+b] = change(slices.IndexFunc(asPublished(), func(x trained) bool { return x.method == a }), func(x *trained) { x.error = 60 })
	}
	// What these runs cannot speak of, or what arithmetic settles.
	others := map[string]Word{"random-is-50": Holds, "sr-cannot-decay": Holds, "adam-beats-sgd": NotRun, "linear-layers": NotRun, "small-gradients": Holds, "parameters": Holds, "large-rate-as-good": NotRun}
	// These hold by so little in the paper that one run of this size cannot show it.
	close := map[string]bool{"sr-nearly-40": true, "big-batch-changes-less-bc": true, "table1.adam<bc": true, "bc-comparable": true}
	for id, s := range published {
		if want, ok := others[id]; ok {
			if s.Verdict() != want {
				t.Errorf("%s: %s, want %s", id, s.Verdict(), want)
			}
			continue
		}
		opposite, ok := opposites[id]
		if !ok {
			t.Errorf("%s has no planted opposite", id)
			continue
		}
		if v := s.Verdict(); v != Holds && !(close[id] && v == Undecided) {
			t.Errorf("%s: %s in a table as published: %+v", id, v, s.Findings)
		}
		if f := judged6(t, "paper", opposite)[id]; f.Verdict() != Violated {
			t.Errorf("%s: %s in the planted opposite: %+v", id, f.Verdict(), f.Findings)
		}
		delete(opposites, id)
	}
	for id := range opposites {
		t.Errorf("%s is not judged", id)
	}
}

// Numbers that chance could have put in this order, in either, decide nothing.
func TestCoinsDecideNothing(t *testing.T) {
	runs := asPublished()
	runs[bc].changed, runs[sr].changed = 49.49, 49.75
	runs[sr].error, runs[r].error = 22.14, 23.88
	s := judged6(t, "paper", runs)
	for _, id := range []string{"sr-changes-more-than-bc", "sr-beats-r", "table1.sr<r"} {
		if v := s[id].Verdict(); v != Undecided {
			t.Errorf("%s: %s, want undecided: %+v", id, v, s[id].Findings)
		}
	}
	runs[bc].changed, runs[sr].changed = 49.75, 49.49
	if v := judged6(t, "paper", runs)["sr-changes-more-than-bc"].Verdict(); v != Undecided {
		t.Errorf("the other way round: %s", v)
	}
}

// "Never more than 20 %" is about every epoch, not the last.
func TestNeverMeansEveryEpoch(t *testing.T) {
	runs := change(bc, func(x *trained) { x.most = 45 })
	if v := judged6(t, "paper", runs)["bc-at-most-20"].Verdict(); v != Violated {
		t.Errorf("45 %% on the way and 12 %% at the end: %s", v)
	}
}

// Without the clip |wb - wr| has no bound, and nothing is concluded from a mean above 1.
func TestUnclippedDistances(t *testing.T) {
	runs := change(bcDecay, func(x *trained) { x.distance, x.unclipped = 1.8, true })
	s := judged6(t, "paper", runs)
	for _, id := range []string{"decay-distance", "decay-towards-1"} {
		if v := s[id].Verdict(); v != Undecided || !strings.Contains(fmt.Sprint(s[id].Findings), "no bound") {
			t.Errorf("%s: %s: %+v", id, v, s[id].Findings)
		}
		if _, err := json.Marshal(s[id]); err != nil { // infinite ends of an interval
			t.Error(err)
		}
	}
}

// A difference that is not seen is not shown to be absent; one that is seen refutes "as good".
func TestLearningRates(t *testing.T) {
	for error, want := range map[float64]Word{8.3: Undecided, 20: Violated} {
		runs := append(asPublished(), trained{method: "bc", error: error, changed: 12, rate: 0.003})
		if v := judged6(t, "paper", runs)["large-rate-as-good"].Verdict(); v != want {
			t.Errorf("%g %%: %s, want %s", error, v, want)
		}
	}
}

func TestSmokeIsTooSmallToJudge(t *testing.T) {
	for id, s := range judged6(t, "smoke", asPublished()) {
		if v := s.Verdict(); v != TooSmall && v != NotRun {
			t.Errorf("%s: %s", id, v)
		}
	}
}

// The paper's errors are compared both ways, and a better one has its own word.
func TestAgainstThePaper(t *testing.T) {
	runs := asPublished()
	runs[adam].error, runs[bc].error, runs[r].error = 7.2, 6, 25
	_, against := Section6(table(t, "paper", runs))
	words := map[string]string{}
	for _, a := range against {
		words[a.Method] = a.Word
		if (a.Word == "agrees") != (a.Reason == "") {
			t.Errorf("%s: %s because of %q", a.Method, a.Word, a.Reason)
		}
	}
	for method, want := range map[string]string{"adam": "agrees", "bc": "better than the paper", "r": "worse than the paper"} {
		if words[method] != want {
			t.Errorf("%s: %q, want %q", method, words[method], want)
		}
	}
	plan, states := table(t, "paper", runs)
	plan.Columns[0].Scaled = []string{"width x 0.25"}
	if _, against := Section6(plan, states); len(against) != 0 {
		t.Errorf("a scaled column is compared with the paper's numbers: %+v", against)
	}
}

// One report spends one error probability, shared over its intervals: the more is compared, the wider each.
func TestSectionErrorIsShared(t *testing.T) {
	width := func(runs []trained) float64 {
		f := judged6(t, "paper", runs)["table1.adam<bc"].Findings[0]
		return f.Upper - f.Lower
	}
	if few, many := width(asPublished()[:2]), width(asPublished()); !(few < many) {
		t.Errorf("width %g with two methods, %g with all", few, many)
	}
}

// A share that noise alone would give does not show that BC stays anywhere, nor that a large batch explores less.
func TestAShareThatNoiseGivesShowsNothing(t *testing.T) {
	config, err := nets.Config{Net: "vgg-bc", Method: "bc", Data: "cifar10", Epochs: 2}.Resolve()
	if err != nil {
		t.Fatal(err)
	}
	walk, err := Walk(config, 780)
	if err != nil {
		t.Fatal(err)
	}
	s := judged6(t, "paper", change(bc, func(x *trained) { x.changed = 100 * walk }))["bc-stays-near"]
	if v := s.Verdict(); v != Undecided {
		t.Errorf("%s: %+v", v, s.Findings)
	}
}

// Another net than Appendix H.1's has another number of weights, and a learning rate at which Adam could change R's weights would leave
// the reason open.
func TestSettledByArithmeticCanFail(t *testing.T) {
	plan, states := table(t, "paper", asPublished())
	plan.Columns[0].Net = "vgg9"
	sentences, _ := Section6(plan, states)
	for _, s := range sentences {
		if s.ID == "parameters" && s.Verdict() != Violated {
			t.Errorf("VGG-9 in VGG-BC's column: %s: %+v", s.Verdict(), s.Findings)
		}
	}
	plan, states = table(t, "paper", change(r, func(x *trained) { x.rate = 0.2 }))
	states[r].Variant = "" // the table's own R
	sentences, _ = Section6(plan, states)
	for _, s := range sentences {
		if s.ID == "light-tails" && s.Verdict() != Undecided {
			t.Errorf("Adam's steps may be longer than 1: %s: %+v", s.Verdict(), s.Findings)
		}
	}
	c := TrainedColumn{}
	for _, p := range cluster.PaperColumns() {
		c.Column = cluster.Column{ID: p.ID, Net: p.Net, PaperData: p.Data}
		if f, ok := parameters(c); ok == (p.Data == "cifar100") || ok && f.Verdict != Holds {
			t.Errorf("%s: %v, %+v", p.ID, ok, f)
		}
	}
}

// Flips that cannot be told apart, or an unchanged learning rate, decide nothing.
func TestFlipsThatDecideNothing(t *testing.T) {
	for _, flips := range [][2]float64{{0, 0}, {60, 1.54}, {13.4, 0}} {
		if v := judged6(t, "paper", change(sr, func(x *trained) { x.flips = flips }))["sr-not-greedy"].Verdict(); v != NotRun {
			t.Errorf("%v: %s", flips, v)
		}
	}
}
