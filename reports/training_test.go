package reports

import (
	"slices"
	"strings"
	"testing"

	"tqn/nets"
)

func someRuns() []nets.Run {
	window := 3.0
	run := func(method string, batch int, seed uint64) nets.Run {
		return nets.Run{Dir: "runs/" + method, Config: nets.Config{Net: "vgg9", Method: method, Data: "embedded", Width: 1, Epochs: 4, Batch: batch, Seed: seed, ChangeEvery: 2},
			Epochs: []nets.Epoch{
				{Epoch: 1, TrainError: 50, TestError: 40, Layers: []nets.Probe{{Layer: "conv_1", Weights: 10, Changed: 10}, {Layer: "conv_2", Weights: 30, Changed: 50}, {Layer: "linear_1", Weights: 1000, Changed: 99}}},
				{Epoch: 2, TrainError: 20, TestError: 45, Layers: []nets.Probe{{Layer: "conv_1", Weights: 10, Changed: 20, Window: &window}, {Layer: "conv_2", Weights: 30, Changed: 60, Window: &window}, {Layer: "linear_1", Weights: 1000, Changed: 99, Window: &window}}},
			}}
	}
	return []nets.Run{run("bc", 128, 1), run("big-sr", 1024, 1)}
}

func TestRunLabelsTellRunsApart(t *testing.T) {
	runs := someRuns()
	if got := runLabels(runs); !slices.Equal(got, []string{"BC-ADAM 128", "SR-ADAM 1024"}) {
		t.Errorf("%q", got)
	}
	runs[1].Config.Seed = 7
	if got := runLabels(runs); !slices.Equal(got, []string{"BC-ADAM 128, seed 1", "SR-ADAM 1024, seed 7"}) {
		t.Errorf("%q", got)
	}
}

// The share of changed convolution signs weighs layers by their weights and leaves linear layers out: (10*10 + 30*50)/40.
func TestConvShare(t *testing.T) {
	e := someRuns()[0].Epochs
	if v, ok := e[0].OverConv(func(l nets.Probe) (float64, bool) { return l.Changed, true }); !ok || v != 40 {
		t.Errorf("%g, %v", v, ok)
	}
	if _, ok := e[0].OverConv(nets.Probe.InWindow); ok {
		t.Error("an epoch without the probe has a value")
	}
	if v, ok := e[1].OverConv(nets.Probe.InWindow); !ok || v != 3 {
		t.Errorf("%g, %v", v, ok)
	}
}

func TestCompareTable(t *testing.T) {
	runs := append(someRuns(), nets.Run{Dir: "runs/new", Config: nets.Config{Net: "vgg9", Method: "r", Epochs: 4}})
	rows := CompareTable(runs).Rows
	if got := strings.Join(rows[0], " "); got != "runs/bc vgg9 BC-ADAM embedded 128 2/4 1 45.00 20.00 40.00 50.0 0" {
		t.Errorf("%q", got)
	}
	if rows[2][5] != "0/4" || rows[2][7] != "" {
		t.Errorf("%q", rows[2])
	}
}

// Figures of runs that have just begun, and of one run alone, are drawn.
func TestTrainingFiguresOfUnfinishedRuns(t *testing.T) {
	runs := append(someRuns(), nets.Run{Dir: "runs/new", Config: nets.Config{Net: "vgg9", Method: "r", Epochs: 4}})
	for name, f := range map[string]*Figure{
		"convergence": ConvergenceFigure(runs),
		"changes":     WeightChangeFigure(runs),
		"batch":       BatchSizeFigure(runs),
		"distance":    DistanceFigure(runs[:1]),
	} {
		if png, err := f.PNG(); err != nil || len(png) < 1000 {
			t.Errorf("%s: %d bytes, %v", name, len(png), err)
		}
	}
}
