package cluster

import (
	"fmt"
	"math"
	"slices"
	"strings"

	"tqn/nets"
	"tqn/nets/dataset"
)

// PaperColumn is one column of Table 1 as printed.
type PaperColumn struct {
	ID     string
	Net    string // name of nets
	Title  string // the paper's
	Data   string // the paper's
	Errors map[string]float64
}

// PaperColumns is Table 1 of the paper: top-1 test error in percent, by method.
func PaperColumns() []PaperColumn {
	row := func(adam, bc, bigSR, sr, r float64) map[string]float64 {
		return map[string]float64{"adam": adam, "bc": bc, "big-sr": bigSR, "sr": sr, "r": r}
	}
	return []PaperColumn{
		{"vgg9", "vgg9", "VGG-9", "cifar10", row(7.97, 10.36, 16.95, 23.33, 23.99)},
		{"vgg-bc", "vgg-bc", "VGG-BC", "cifar10", row(7.12, 8.21, 16.77, 20.56, 21.88)},
		{"resnet56", "resnet56", "ResNet-56", "cifar10", row(8.10, 8.83, 19.84, 26.49, 33.56)},
		{"wrn56-2", "wrn56-2", "WRN-56-2", "cifar10", row(6.62, 7.17, 16.04, 21.58, 27.90)},
		{"resnet56-c100", "resnet56", "ResNet-56", "cifar100", row(33.98, 35.34, 50.79, 58.06, 68.39)},
		{"resnet18", "resnet18", "ResNet-18", "imagenet", row(36.04, 52.11, 77.68, 88.86, 91.07)},
	}
}

// scale says at what size one column of a preset is run. A zero field means that the column is run there as in the paper.
type scale struct {
	data         string // what the column trains on
	width, depth float64
	train, test  int // numbers of images; 0 means all
	epochs       int
	batch, big   int // images in a step, big of Big SR-ADAM and batch of every other method
}

// preset is a size at which Table 1 is run.
type preset struct {
	Name  string
	About string
	Seeds int
	scale map[string]scale
}

// presets holds every number by which a preset differs from the paper. batch and big keep the paper's ratio of 8
// (4 where the paper has 512), and are small where there are few images, because
// Big SR's advantage shows only after enough updates (docs/scaling.md explains that).
var presets = []preset{
	{
		Name: "smoke", Seeds: 1,
		About: "a check that everything runs; its errors mean nothing",
		scale: map[string]scale{
			"vgg9":          {"embedded", 0.125, 1, 320, 200, 2, 16, 128},
			"vgg-bc":        {"embedded", 0.0625, 1, 320, 200, 2, 16, 128},
			"resnet56":      {"embedded", 0.5, 1. / 9, 320, 200, 2, 16, 128},
			"wrn56-2":       {"embedded", 0.25, 1. / 9, 320, 200, 2, 16, 64},
			"resnet56-c100": {"textures-100x32", 0.5, 1. / 9, 400, 200, 2, 16, 128},
			"resnet18":      {"textures-200x48", 0.125, 1, 400, 200, 2, 16, 64},
		},
	},
	{
		Name: "quick", Seeds: 1,
		About: "narrow nets on the built-in images, one seed",
		scale: map[string]scale{
			"vgg9":          {"embedded", 0.25, 1, 0, 0, 8, 16, 128},
			"vgg-bc":        {"embedded", 0.125, 1, 0, 0, 8, 16, 128},
			"resnet56":      {"embedded", 0.5, 1. / 9, 0, 0, 10, 8, 64},
			"wrn56-2":       {"embedded", 0.5, 1. / 9, 0, 0, 8, 8, 32},
			"resnet56-c100": {"textures-100x32", 0.5, 1. / 9, 0, 0, 10, 8, 64},
			"resnet18":      {"textures-50x48", 0.25, 1, 0, 0, 6, 32, 128},
		},
	},
	{
		Name: "laptop", Seeds: 3,
		About: "narrow nets on CIFAR-10, three seeds, a night",
		scale: map[string]scale{
			"vgg9":          {"cifar10", 0.25, 1, 0, 0, 8, 16, 128},
			"vgg-bc":        {"cifar10", 0.125, 1, 0, 0, 8, 16, 128},
			"resnet56":      {"cifar10", 0.5, 1. / 9, 0, 0, 8, 16, 128},
			"wrn56-2":       {"cifar10", 0.5, 1. / 9, 0, 0, 8, 16, 64},
			"resnet56-c100": {"cifar100", 0.5, 1. / 9, 0, 0, 8, 16, 128},
			"resnet18":      {"textures-200x48", 0.25, 1, 20000, 0, 10, 16, 64},
		},
	},
	{
		Name: "paper", Seeds: 1,
		About: "Section 6 and Appendix H as they are",
		scale: map[string]scale{
			"vgg9":          {data: "cifar10"},
			"vgg-bc":        {data: "cifar10"},
			"resnet56":      {data: "cifar10"},
			"wrn56-2":       {data: "cifar10"},
			"resnet56-c100": {data: "cifar100"},
			"resnet18":      {data: "imagenet"},
		},
	},
}

// standIn replaces a set that is not on this machine. Only sets that the presets
// above do not promise have one: a column head says what it was trained on.
var standIn = map[string]string{"cifar100": "textures-100x32"}

// Presets names the presets, smallest first.
func Presets() []string {
	var names []string
	for _, p := range presets {
		names = append(names, p.Name)
	}
	return names
}

// presetNamed finds a preset.
func presetNamed(name string) (preset, error) {
	for _, p := range presets {
		if p.Name == name {
			return p, nil
		}
	}
	return preset{}, fmt.Errorf("cluster: no preset is called %q; there are %s", name, strings.Join(Presets(), ", "))
}

// Choice narrows or changes a preset.
type Choice struct {
	Columns []string // IDs of the columns; an empty list means all
	Methods []string // an empty list means all
	Seeds   int      // runs of each method; 0 means the preset's number
	Seed    uint64   // seed of the first run, after which the others count up; 0 stands for 1
	Figures bool     // also the runs that Figures 5 and 7 need besides the table's: see [figureRuns]

	Unstated Unstated // what the paper does not say; zero fields are the defaults

	// Present reports whether a data set is on this machine. If it is nil, every set counts as present.
	Present func(name string) bool
}

// NewPlan makes the plan of a preset.
func NewPlan(preset string, c Choice) (*Plan, error) {
	p, err := presetNamed(preset)
	if err != nil {
		return nil, err
	}
	if c.Seeds < 0 || c.Seeds > 1000 {
		return nil, fmt.Errorf("cluster: %d seeds, want 1 to 1000", c.Seeds)
	}
	if c.Seeds == 0 {
		c.Seeds = p.Seeds
	}
	if c.Seed == 0 {
		c.Seed = 1
	}
	plan := &Plan{Version: planVersion, Preset: p.Name, About: p.About}
	var ids []string
	for _, column := range PaperColumns() {
		ids = append(ids, column.ID)
		if len(c.Columns) > 0 && !slices.Contains(c.Columns, column.ID) {
			continue
		}
		if err := plan.add(column, p.scale[column.ID], c); err != nil {
			return nil, err
		}
	}
	if c.Figures {
		if err := plan.addFigures(c); err != nil {
			return nil, err
		}
	}
	for _, id := range c.Columns {
		if !slices.Contains(ids, id) {
			return nil, fmt.Errorf("cluster: no column is called %q; there are %s", id, strings.Join(ids, ", "))
		}
	}
	for _, m := range c.Methods {
		if _, err := nets.MethodNamed(m); err != nil {
			return nil, err
		}
	}
	if err := c.Unstated.reach(plan.Cells); err != nil {
		return nil, err
	}
	plan.Hash = plan.hash()
	return plan, nil
}

// add appends a column and its cells.
func (p *Plan) add(paper PaperColumn, s scale, c Choice) error {
	if c.Present != nil && !c.Present(s.data) {
		other, ok := standIn[s.data]
		if !ok || p.Preset == "paper" {
			return fmt.Errorf("cluster: column %s of preset %s: %w: %s; fetch it (tqn data fetch), name its folder with --dir, or leave the column out with --columns",
				paper.ID, p.Preset, dataset.ErrMissing, s.data)
		}
		s.data = other
	}
	if c.Seeds > 0 && c.Seed > math.MaxUint64-uint64(c.Seeds-1) {
		return fmt.Errorf("cluster: %d seeds from %d on would go beyond %d", c.Seeds, c.Seed, uint64(math.MaxUint64))
	}
	column := Column{ID: paper.ID, Net: paper.Net, Title: paper.Title, PaperData: paper.Data, Data: s.data, PaperErrors: paper.Errors}
	for _, method := range nets.Methods() {
		if len(c.Methods) > 0 && !slices.Contains(c.Methods, method.Name) {
			continue
		}
		for k := range c.Seeds {
			config := nets.Config{
				Net: paper.Net, Method: method.Name, Data: s.data,
				Width: s.width, Depth: s.depth,
				Epochs: s.epochs, Batch: s.batch,
				TrainImages: s.train, TestImages: s.test,
				Seed: c.Seed + uint64(k),
			}
			if method.Big {
				config.Batch = s.big
			}
			c.Unstated.apply(&config)
			if paper.Data == "imagenet" && s.epochs > 0 {
				// Resolve chooses ImageNet's drops, after 30 and 60 of 90 epochs, by the name of the set. A stand-in has another
				// name, so they are set here.
				config.Drops = []int{fraction(s.epochs, 30, 90), fraction(s.epochs, 60, 90)}
			}
			config, err := config.Resolve()
			if err != nil {
				return fmt.Errorf("cluster: column %s, method %s: %w", paper.ID, method.Name, err)
			}
			p.cell(fmt.Sprintf("%s.%s.%d", paper.ID, method.Name, config.Seed), "", paper.ID, config)
			column.Scaled = scaledDown(paper, config, column.Scaled)
		}
	}
	p.Columns = append(p.Columns, column)
	return nil
}

func (p *Plan) cell(id, variant, column string, config nets.Config) {
	p.Cells = append(p.Cells, Cell{Index: len(p.Cells), ID: id, Column: column, Variant: variant, Config: config, ConfigHash: config.Hash()})
}

func fraction(epochs, part, whole int) int {
	return int(math.Round(float64(epochs) * float64(part) / float64(whole)))
}

// scaledDown lists in words how a column's run differs from the paper's.
func scaledDown(paper PaperColumn, c nets.Config, have []string) []string {
	exact, err := nets.Config{Net: c.Net, Method: c.Method, Data: paper.Data}.Resolve()
	if err != nil {
		panic("cluster: scaledDown: " + err.Error()) // every paper column resolves: a test runs them all
	}
	add := func(format string, args ...any) {
		if s := fmt.Sprintf(format, args...); !slices.Contains(have, s) {
			have = append(have, s)
		}
	}
	if c.Data != paper.Data {
		add("data %s for %s", c.Data, paper.Data)
	}
	if c.Width != exact.Width {
		add("width x %.3g", c.Width)
	}
	if c.Depth != exact.Depth {
		add("depth x %.3g", c.Depth)
	}
	if c.TrainImages != 0 {
		add("%d training images", c.TrainImages)
	}
	if c.TestImages != 0 {
		add("%d test images", c.TestImages)
	}
	if c.Epochs != exact.Epochs {
		add("%d epochs for %d, drops after %v", c.Epochs, exact.Epochs, c.Drops)
	}
	if c.Batch != exact.Batch {
		name := "batch"
		if m, _ := nets.MethodNamed(c.Method); m.Big {
			name = "big batch"
		}
		add("%s %d for %d", name, c.Batch, exact.Batch)
	}
	return have
}
