package cluster

import (
	"fmt"
	"slices"

	"tqn/nets"
)

// WeightDecay is the weight decay that Figure 7 compares with none (Appendix H.4).
const WeightDecay = 1e-5

// figureRun is a run that a figure shows and Table 1 does not.
type figureRun struct {
	column string // the column of Table 1 whose net the paper's figure shows
	method string
	// batch is the batch size, given the column's small and big one.
	batch func(small, big int) int
	decay float64
	slow  bool // train at the rate [SlowRate] for 500/160 times as many epochs
}

// SlowRate is the learning rate of the original BinaryConnect, which takes 500 epochs where the paper takes 160 (Appendix H.3).
const SlowRate = 0.003

// figureRuns are the runs that the paper describes besides those of Table 1. Figure 5 (ResNet-56) also shows BC at the big batch. Section
// 6.1 says that SR was also tried at batches of 256 and 512, between 128 and 1024; the runs here keep these ratios to the small batch.
// Figure 7 (VGG-BC) shows BC with weight decay. Appendix H.3 compares two learning rates of BC, without a figure.
var figureRuns = []figureRun{
	{"resnet56", "bc", func(_, big int) int { return big }, 0, false},
	{"resnet56", "sr", func(small, _ int) int { return 2 * small }, 0, false},
	{"resnet56", "sr", func(small, _ int) int { return 4 * small }, 0, false},
	{"vgg-bc", "bc", func(small, _ int) int { return small }, WeightDecay, false},
	{"vgg-bc", "bc", func(small, _ int) int { return small }, 0, true},
}

// addFigures appends the cells of figureRuns, in the column of the paper's figure or, if that is not planned, in the first
// one. They come after the table's cells, whose indices they do not change.
func (p *Plan) addFigures(c Choice) error {
	table := p.Cells
	for _, f := range figureRuns {
		if len(c.Methods) > 0 && !slices.Contains(c.Methods, f.method) || len(p.Columns) == 0 {
			continue
		}
		column := p.Columns[0].ID
		if slices.ContainsFunc(p.Columns, func(c Column) bool { return c.ID == f.column }) {
			column = f.column
		}
		for _, like := range table {
			if like.Column != column || like.Config.Method != f.method {
				continue
			}
			config := like.Config // it is resolved, and all that is not changed below stays as in the table
			big, err := bigBatch(table, config, column)
			if err != nil {
				return err
			}
			config.Batch, config.WeightDecay = f.batch(config.Batch, big), f.decay
			variant := fmt.Sprintf("b%d", config.Batch)
			if f.decay > 0 {
				variant = "wd1e-5" // WeightDecay, as cellID allows it
			}
			if f.slow {
				variant = "slow"
				config.LearningRate, config.ChangeEvery = SlowRate, 0
				config.Epochs = fraction(config.Epochs, 500, 160)
				config.Drops = slices.Clone(config.Drops)
				for i := range config.Drops {
					config.Drops[i] = fraction(config.Drops[i], 500, 160)
				}
			}
			config, err = config.Resolve()
			if err != nil {
				return fmt.Errorf("cluster: column %s, figures: %w", column, err)
			}
			if f.method == "sr" && config.Batch >= big {
				continue // where the ratio of the batches is 4, SR at the larger of the two is the Big SR of the table
			}
			p.cell(fmt.Sprintf("%s.%s-%s.%d", column, f.method, variant, config.Seed), variant, column, config)
		}
	}
	return nil
}

// bigBatch is the batch of a column's Big SR or, where the plan leaves it out, the paper's ratio of the net times the small one.
func bigBatch(table []Cell, small nets.Config, column string) (int, error) {
	for _, c := range table {
		if c.Column == column && c.Config.Method == "big-sr" {
			return c.Config.Batch, nil
		}
	}
	var batch [2]int
	for i, method := range []string{"sr", "big-sr"} {
		c, err := nets.Config{Net: small.Net, Method: method, Data: "cifar10"}.Resolve()
		if err != nil {
			return 0, fmt.Errorf("cluster: %w", err)
		}
		batch[i] = c.Batch
	}
	return batch[1] / batch[0] * small.Batch, nil
}
