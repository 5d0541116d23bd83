package reports

import (
	"errors"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"tqn/cluster"
	"tqn/nets"
	"tqn/referee"
)

// behaviour is what a synthetic run does: its test error in percent, the flip probability of a weight in a step at a
// learning rate, the share of signs changed at the end in percent, and the distance |wb - wr|.
type behaviour struct {
	error    float64
	flip     func(alpha float64) float64
	changed  float64
	distance float64
}

// inProportion is what theory says of SR.
func inProportion(c float64) func(float64) float64 {
	return func(alpha float64) float64 { return c * alpha }
}

// asPublished behaves as the paper and the theory say, by method or method-variant of VGG-9 at preset quick (batches 16 and 128).
func asPublished() map[string]behaviour {
	return map[string]behaviour{
		"adam": {8, inProportion(0.2), 12, 0.5}, "r": {40, inProportion(0), 0, 0},
		"bc": {10, inProportion(0.1), 15, 0.5}, "bc-b128": {14, inProportion(0.1), 9, 0.6}, "bc-wd1e-5": {13, inProportion(0.1), 15, 0.9},
		"sr": {30, inProportion(0.05), 40, 0}, "sr-b32": {27, inProportion(0.04), 35, 0}, "sr-b64": {24, inProportion(0.03), 25, 0}, "big-sr": {20, inProportion(0.02), 15, 0},
	}
}

// synthetic is the report of VGG-9 with runs that behave so; others are missing. Every checkpoint predicts the flips that
// proportionality says.
func synthetic(t *testing.T, behave map[string]behaviour) *Table1 {
	t.Helper()
	plan, err := cluster.NewPlan("quick", cluster.Choice{Columns: []string{"vgg9"}, Figures: true})
	if err != nil {
		t.Fatal(err)
	}
	states := cluster.Collect(t.TempDir(), plan)
	steps := map[string]stepRow{}
	theory := asPublished()
	for i := range states {
		s := &states[i]
		key := s.Method
		if s.Variant != "" {
			key += "-" + s.Variant
		}
		b, ok := behave[key]
		if !ok {
			continue
		}
		config := plan.Cells[i].Config
		each := 10000 / config.Batch
		r := &nets.Result{Config: config, TestImages: 10000, TrainImages: 10000, TestError: b.error, Steps: uint64(each * config.Epochs), Kernel: "generic"}
		for epoch := 1; epoch <= config.Epochs; epoch++ {
			alpha, done := config.Alpha(epoch), float64(epoch)/float64(config.Epochs)
			share := 50 * (1 - math.Pow(1-2*b.flip(alpha), float64(each)))
			changed, window := b.changed*math.Sqrt(done), share
			r.Epochs = append(r.Epochs, nets.Epoch{Epoch: epoch, Alpha: alpha, TrainError: b.error / done, TestError: b.error / math.Sqrt(done),
				Layers: []nets.Probe{
					{Layer: "conv_1", Weights: 300000, Changed: changed, Window: &window, Flips: share, Distance: b.distance * done},
					{Layer: "conv_2", Weights: 700000, Changed: changed, Window: &window, Flips: share, Distance: b.distance * done},
					{Layer: "linear_1", Weights: 9000000, Changed: 90, Window: &window, Flips: 49, Distance: 3},
				}})
		}
		last := config.Alpha(config.Epochs)
		steps[s.ID] = stepRow{step: nets.LastStep{Alpha: last, Size: 2 * theory[key].flip(last), Flip: theory[key].flip(last), Weights: 1000000}}
		s.State, s.Result, s.TestError, s.Why = cluster.Finished, r, &r.TestError, ""
	}
	table := NewTable1(plan, states, Manifest{Command: "tqn table1", Preset: "quick"})
	if table.Laws, err = referee.Laws(); err != nil {
		t.Fatal(err)
	}
	table.Sentences, table.Against = referee.Section6(plan, states)
	table.steps = steps
	return table
}

func contains(t *testing.T, text string, want ...string) {
	t.Helper()
	for _, w := range want {
		if !strings.Contains(text, w) {
			t.Errorf("the report lacks %q", w)
		}
	}
}

// containsCells asks for a row of a table with these texts in cells of its own, in this order, the last as a whole cell.
func containsCells(t *testing.T, text string, want ...string) {
	t.Helper()
	for _, line := range strings.Split(text, "\n") {
		cells := strings.Split(strings.Trim(line, "| "), " | ")
		k := 0
		for _, cell := range cells {
			if k < len(want) && (k < len(want)-1 && strings.Contains(cell, want[k]) || strings.TrimSpace(cell) == want[k]) {
				k++
			}
		}
		if k == len(want) {
			return
		}
	}
	t.Errorf("the report lacks a row with %q", want)
}

func TestReportOfRunsAsPublished(t *testing.T) {
	table := synthetic(t, asPublished())
	text := table.Markdown()
	contains(t, text,
		"| vgg9   | 0.00 % | 15.00 % | 15.00 %     | 40.00 % |",
		"error of SR-ADAM, batch 128 20.00 % < SR-ADAM, batch 64 24.00 %", "error of BC-ADAM, batch 16 10.00 % < BC-ADAM, batch 128 14.00 %",
		"| 0.9000                            | 0.5000  |",
	)
	containsCells(t, text, "flips a step stay in proportion to alpha", "of 4 ratios 1 is the farthest from 1", "agrees")
	containsCells(t, text, "a smaller error", "batch 128: 15.00 % of signs, error 20.00 %; batch 16: 40.00 %, 30.00 %; with 0.125 times as many updates", "agrees")
	containsCells(t, text, "(plain SGD, exact: 0.389 times as many)", "0.4 times as many", "agrees")
	containsCells(t, text, "a weight flips with probability", "of 4 ratios 1 is the farthest from 1", "agrees")
	for _, no := range []string{"violated |", "does not agree", "too few flips, or", "missing:", "No finished run", "Panels (a)"} {
		if strings.Contains(text, no) {
			t.Errorf("the report says %q", no)
		}
	}
	// The runs for figures are no rows of the table, and no evidence for its order.
	if got := table.columns[0].methods["bc"]; len(got.runs) != 1 || got.mean != 10 {
		t.Errorf("BC has %d runs, mean %g: the run with weight decay is not of the table", len(got.runs), got.mean)
	}
	dir := t.TempDir()
	for name, f := range table.columns[0].figures() {
		if err := f.Save(filepath.Join(dir, name)); err != nil {
			t.Error(err)
		}
	}
	if err := table.saveFlips(dir); err != nil {
		t.Error(err)
	}
	for _, name := range []string{"vgg9-figure4.png", "vgg9-figure5.png", "vgg9-figure6.png", "vgg9-figure7.png", "flips.png"} {
		if _, err := os.Stat(filepath.Join(dir, name)); err != nil {
			t.Error(err)
		}
	}
}

// Each planted departure from the paper or the theory is said.
func TestReportSaysWhatDisagrees(t *testing.T) {
	for _, c := range []struct {
		name   string
		change func(map[string]behaviour)
		want   string // in one line; what follows > comes later in it
	}{
		{"SR's flips a step do not fall with alpha", func(b map[string]behaviour) {
			b["sr"] = behaviour{30, func(float64) float64 { return 0.0005 }, 40, 0}
		}, "in proportion to alpha >100 is the farthest from 1 >| **does not agree**"},
		{"the same in the first section", func(b map[string]behaviour) {
			b["sr"] = behaviour{30, func(float64) float64 { return 0.0005 }, 40, 0}
		}, "| SR-ADAM, 16 >| **not level**"},
		{"and in its sentence", func(b map[string]behaviour) {
			b["sr"] = behaviour{30, func(float64) float64 { return 0.0005 }, 40, 0}
		}, "Under SR the line is level, as Theorem 5 says, in 3 of the 4 runs that can be judged"},
		{"and beside Section 6's sentence", func(b map[string]behaviour) {
			b["sr"] = behaviour{30, func(float64) float64 { return 0.0005 }, 40, 0}
		}, "flips a step / learning rate: 100.00 times, while the rate falls 100 times>| violated"},
		{"flips fall faster than alpha", func(b map[string]behaviour) {
			b["big-sr"] = behaviour{20, func(alpha float64) float64 { return 2 * math.Pow(alpha, 1.5) }, 25, 0}
		}, "in proportion to alpha >0.1 is the farthest from 1 >| **does not agree**"},
		{"three times the flips that the step predicts", func(b map[string]behaviour) {
			b["sr"] = behaviour{30, inProportion(0.15), 40, 0}
		}, "a weight flips with probability>3 is the farthest from 1 >| **does not agree**"},
		{"the big batch changes more", func(b map[string]behaviour) { b["big-sr"] = behaviour{20, inProportion(0.02), 75, 0} },
			"a smaller error>| **does not agree**"},
		{"the big batch is worse", func(b map[string]behaviour) { b["big-sr"] = behaviour{50, inProportion(0.02), 15, 0} },
			"a smaller error>| fewer signs; **the error is not smaller**"},
		{"the big batch flips more a step", func(b map[string]behaviour) { b["big-sr"] = behaviour{20, inProportion(0.1), 25, 0} },
			"exact: 0.389 times as many>2 times as many>| **does not agree**"},
		{"R moves", func(b map[string]behaviour) { b["r"] = behaviour{40, inProportion(0.1), 1, 0} },
			"signs changed by R-ADAM, at most 1 %>| violated"},
		{"BC changes more than SR", func(b map[string]behaviour) { b["bc"] = behaviour{10, inProportion(0.1), 75, 0.5} },
			"BC-ADAM 75.00 % < SR-ADAM 40.00 %>| violated"},
		{"BC is better with the big batch", func(b map[string]behaviour) { b["bc-b128"] = behaviour{5, inProportion(0.1), 9, 0.6} },
			"error of BC-ADAM, batch 16 10.00 % < BC-ADAM, batch 128 5.00 %>| violated"},
		{"weight decay brings wr nearer to wb", func(b map[string]behaviour) { b["bc-wd1e-5"] = behaviour{13, inProportion(0.1), 15, 0.3} },
			"without weight decay 50.00 % < with 1e-5 30.00 %>| violated"},
		{"a handful of flips", func(b map[string]behaviour) {
			for _, k := range []string{"sr", "sr-b32", "sr-b64", "big-sr"} {
				b[k] = behaviour{30, inProportion(1e-6), 1, 0}
			}
		}, "in proportion to alpha >too few flips>| undecided"},
	} {
		b := asPublished()
		c.change(b)
		if !slices.ContainsFunc(strings.Split(synthetic(t, b).Markdown(), "\n"), func(line string) bool {
			found := true
			for _, part := range strings.Split(c.want, ">") {
				if found {
					_, line, found = strings.Cut(line, part)
				}
			}
			return found
		}) {
			t.Errorf("%s: the report lacks a line with %q", c.name, c.want)
		}
	}
}

// What the checkpoints say of the last steps outlives them; what is said of another run is not believed.
func TestStepsOutliveCheckpoints(t *testing.T) {
	table, dir := synthetic(t, asPublished()), t.TempDir()
	for id, row := range table.steps {
		for _, s := range table.States {
			if s.ID == id {
				row.step.Steps = s.Result.Steps
				table.steps[id] = row
			}
		}
	}
	if err := table.saveSteps(dir); err != nil {
		t.Fatal(err)
	}
	want := table.steps["vgg9.sr.1"].step
	read := func() {
		t.Helper()
		if err := table.readSteps(dir); err != nil {
			t.Fatal(err)
		}
	}
	read()
	if got := table.steps["vgg9.sr.1"]; got.err != nil || got.step != want {
		t.Errorf("%+v, want %+v", got, want)
	}
	for i := range table.States {
		if table.States[i].ID == "vgg9.sr.1" {
			other := *table.States[i].Result
			other.Steps++
			table.States[i].Result = &other
		}
	}
	read()
	if got := table.steps["vgg9.sr.1"]; got.err == nil {
		t.Errorf("a run of another length has the step of the first: %+v", got.step)
	}
	if err := table.saveSteps(dir); err != nil {
		t.Fatal(err)
	}
	if read(); table.kept["vgg9.sr.1"] != want {
		t.Errorf("the file has lost what it said of a cell that is not to be had now: %+v", table.kept)
	}
	path := filepath.Join(dir, stepsFile)
	if err := os.WriteFile(path, []byte("{"), 0o644); err != nil {
		t.Fatal(err)
	}
	if err := table.Write(dir); err == nil || !strings.Contains(err.Error(), path+": unexpected end of JSON input: mend it") {
		t.Errorf("a damaged file: %v", err)
	}
}

// What is missing is a line of the report and no figure.
func TestReportSaysWhatIsMissing(t *testing.T) {
	b := asPublished()
	for _, k := range []string{"bc-b128", "bc-wd1e-5", "sr"} {
		delete(b, k)
	}
	table := synthetic(t, b)
	table.steps["vgg9.big-sr.1"] = stepRow{err: errors.New("damaged")}
	text := table.Markdown()
	contains(t, text, "Panels (a) and (b) are missing", "No finished run of BC at two batch sizes in: vgg9.", "- missing: vgg9.big-sr.1: damaged.",
		"vgg9.sr.1")
	containsCells(t, text, "a weight flips with probability", "(not to be judged in 1 of 3 runs)", "agrees where decided")
	none := synthetic(t, nil)
	if f := none.columns[0].figures(); len(f) != 0 || none.flipsFigure() != nil {
		t.Errorf("%d figures without a run", len(f))
	}
	contains(t, none.Markdown(), "vgg9: no run of SR is finished", "not all finished in: vgg9")
}
