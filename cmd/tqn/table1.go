package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"tqn/cluster"
	"tqn/nets"
	"tqn/nets/dataset"
	"tqn/reports"
)

// table1Flags are shared by `tqn table1` and its parts.
type table1Flags struct {
	preset  string
	columns []string
	methods []string
	seeds   int
	seed    uint64
	figures bool

	unstated cluster.Unstated

	out     string
	formats []string // of the pictures
	dir     string   // of the data
	jobs    int
	threads int
	memory  int64 // MiB; 0: what is available

	kernelChange bool // cells go on with a kernel that rounds otherwise

	plan  string // a plan.json elsewhere
	index int

	engine    string // of table1 run: where the cells run
	step      *engineChoice
	print     bool
	name      string
	limit     string
	partition string
	cpus      int
	image     string
	claim     string
	mount     string
	program   string
}

func newTable1Command(e *env) *cobra.Command {
	f := &table1Flags{}
	c := &cobra.Command{
		Use:   "table1",
		Short: "plan, run and report Table 1",
		Long: `table1 trains every cell of Table 1 (a column, a method, a seed) and writes DIR/report.md with its figures. It resumes
what is in DIR. Presets:
  smoke   a minute: shows that everything runs
  quick   four to nine minutes on two cores, on built-in images (the default)
  laptop  a night on two cores: real CIFAR-10, three seeds
  paper   the paper's exact protocol; prints each column's estimated time first
First it says how long the cells will take on this machine, from a training step of every net.
--columns and --methods choose a part of the table, such as one net; the columns are
  vgg9 vgg-bc resnet56 wrn56-2 (CIFAR-10 in the paper), resnet56-c100 (CIFAR-100), resnet18 (ImageNet)
The report has Figures 4 to 7 from the table's runs; --figures adds the runs that Figure 5 (BC at the big batch, SR at batches
between), Figure 7 (BC with weight decay) and Appendix H.3 (BC at the learning rate 0.003 for 500 epochs in place of 160) need, in
columns resnet56 and vgg-bc or else the first.
plan, run, collect and status do the parts, on one machine or on a cluster (docs/cluster.md).`,
		Example: `  tqn table1 --preset smoke --out /tmp/smoke
  tqn table1 --columns vgg9 --figures --out vgg9
  tqn table1 --preset laptop --columns vgg9,resnet56 --dir ~/datasets --out table1
  tqn table1 --preset paper --columns vgg9 --dir ~/datasets --out table1 --engine pjrt --jobs 2
  tqn table1 plan --preset paper --out /shared/table1 && tqn table1 run --engine slurm --out /shared/table1`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if f.out == "" {
				f.out = "table1-" + f.preset
			}
			if err := reports.CheckFormats(f.formats); err != nil {
				return fmt.Errorf("--formats: %w", err)
			}
			if err := f.step.check(); err != nil {
				return err
			}
			started := time.Now()
			plan, err := e.table1Plan(f)
			if err != nil {
				return err
			}
			switch {
			case f.preset == "paper":
				err = e.table1Estimate(cmd.Context(), plan, f)
			case f.step.engine == "cpu": // elsewhere programs would have to be compiled first
				err = e.table1Announce(cmd.Context(), plan, f)
			}
			if err != nil {
				return err
			}
			runErr := e.table1Pool(cmd.Context(), plan, f)
			if runErr != nil && !cellsFailed(runErr) { // interrupted, or nothing could be run
				return runErr
			}
			if err := e.table1Collect(plan, f, time.Since(started), f.command()); err != nil {
				return err
			}
			return runErr
		},
	}
	f.planFlags(c)
	f.runFlags(c)
	f.step = engineFlags(c)
	f.step.streamsFlag(c, "cells that compute on a device at once,")
	c.Flags().StringVar(&f.out, "out", "", "folder of plan, cells and report (default table1-PRESET)")
	formatsFlag(c, &f.formats)
	c.AddCommand(newTable1PlanCommand(e), newTable1RunCommand(e), newTable1CollectCommand(e), newTable1StatusCommand(e))
	return c
}

func (f *table1Flags) planFlags(c *cobra.Command) {
	c.Flags().StringVar(&f.preset, "preset", "quick", "size: "+strings.Join(cluster.Presets(), ", "))
	c.Flags().StringSliceVar(&f.columns, "columns", nil, "only these columns, of "+strings.Join(columnIDs(), ", "))
	c.Flags().StringSliceVar(&f.methods, "methods", nil, "only these methods, of "+strings.Join(methodNames(), ", "))
	c.Flags().BoolVar(&f.figures, "figures", false, "also the runs that only Figures 5 and 7 and Appendix H.3 need: BC at the big batch, with weight decay 1e-5 and at the learning rate 0.003, SR at batches between")
	c.Flags().IntVar(&f.seeds, "seeds", 0, "runs of each method with seeds of their own; 0 is the preset's number")
	c.Flags().Uint64Var(&f.seed, "seed", 1, "the first seed")
	c.Flags().StringVar(&f.dir, "dir", "", "folder of the data sets' files, for columns that do not train on built-in images (default: where tqn data fetch puts them)")
	unstatedFlags(c, &f.unstated)
	presets := cobra.FixedCompletions(cluster.Presets(), cobra.ShellCompDirectiveNoFileComp)
	for flag, values := range map[string]cobra.CompletionFunc{
		"preset":  presets,
		"columns": cobra.FixedCompletions(columnIDs(), cobra.ShellCompDirectiveNoFileComp),
		"methods": cobra.FixedCompletions(methodNames(), cobra.ShellCompDirectiveNoFileComp),
	} {
		if err := c.RegisterFlagCompletionFunc(flag, values); err != nil {
			panic(err) // a flag declared above
		}
	}
}

func columnIDs() (ids []string) {
	for _, c := range cluster.PaperColumns() {
		ids = append(ids, c.ID)
	}
	return ids
}

func methodNames() (names []string) {
	for _, m := range nets.Methods() {
		names = append(names, m.Name)
	}
	return names
}

func (f *table1Flags) runFlags(c *cobra.Command) {
	c.Flags().IntVar(&f.jobs, "jobs", 0, "cells at once; 0 is one for each CPU, or for each device and stream with --engine pjrt")
	c.Flags().IntVar(&f.threads, "threads", 0, "threads of each process; 0 shares the CPUs out, and gives all to the last cell")
	c.Flags().BoolVar(&f.kernelChange, "kernel-change", false, "cells that were begun with a kernel whose sums round otherwise, as on another machine, go on with this one's; their results name both")
	c.Flags().Int64Var(&f.memory, "memory", 0, "MiB that all cells together may use; 0 is 90 % of what is free, without limit with --engine pjrt")
}

func newTable1PlanCommand(e *env) *cobra.Command {
	f := &table1Flags{step: &engineChoice{engine: "cpu"}}
	var estimate bool
	c := &cobra.Command{
		Use:   "plan --out DIR",
		Short: "write the immutable plan of a preset",
		Long: `plan writes DIR/plan.json: every cell of the table with its whole configuration, under a hash. tqn table1 run carries
the cells out, here or on a cluster, and collect reports them. A plan is never changed: other settings need another
folder. --estimate says how long the cells will take on this machine.`,
		Example: "  tqn table1 plan --preset paper --columns vgg9 --seeds 3 --dir ~/datasets --out table1",
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if flagsGiven(cmd)("threads") && !estimate && f.preset != "paper" {
				return errors.New("--threads has no effect without --estimate")
			}
			plan, err := e.table1Plan(f)
			if err != nil {
				return err
			}
			if e.json {
				return e.printJSON(plan)
			}
			fmt.Fprintf(e.stdout, "%s: preset %s, %s, hash %s\n", filepath.Join(f.out, "plan.json"), plan.Preset, counted(len(plan.Cells), "cell"), plan.Hash)
			if estimate || f.preset == "paper" {
				return e.table1Estimate(cmd.Context(), plan, f)
			}
			return nil
		},
	}
	f.planFlags(c)
	c.Flags().StringVar(&f.out, "out", "", "folder to plan in")
	c.Flags().IntVar(&f.threads, "threads", 0, "threads of each cell to estimate the time for; 0 shares the CPUs out among as many cells")
	c.Flags().BoolVar(&estimate, "estimate", false, "measure a training step of every net and estimate the time")
	markRequired(c, "out")
	return c
}

// command is the line that plans and runs the same again, but for --out.
func (f *table1Flags) command() string {
	words := []string{"tqn", "table1", "--preset", f.preset}
	if len(f.columns) > 0 {
		words = append(words, "--columns", strings.Join(f.columns, ","))
	}
	if len(f.methods) > 0 {
		words = append(words, "--methods", strings.Join(f.methods, ","))
	}
	if f.seeds > 0 {
		words = append(words, "--seeds", fmt.Sprint(f.seeds))
	}
	if f.seed != 1 {
		words = append(words, "--seed", fmt.Sprint(f.seed))
	}
	if f.figures {
		words = append(words, "--figures")
	}
	if f.dir != "" {
		words = append(words, "--dir", f.dir)
	}
	return cluster.CommandLine(words...) + unstatedCommand(f.unstated)
}

func markRequired(c *cobra.Command, flag string) {
	if err := c.MarkFlagRequired(flag); err != nil {
		panic(err) // a flag declared before
	}
}

// table1Plan makes the preset's plan and saves it, or finds the same one.
func (e *env) table1Plan(f *table1Flags) (*cluster.Plan, error) {
	files := false // a column's data is read from files
	plan, err := cluster.NewPlan(f.preset, cluster.Choice{
		Columns: f.columns, Methods: f.methods, Seeds: f.seeds, Seed: f.seed, Figures: f.figures, Unstated: f.unstated,
		Present: func(name string) bool {
			if _, err := dataset.ShapeOf(name, dataset.Options{}); err == nil && name != "cifar10" && name != "cifar100" && name != "imagenet" && name != "fashion-mnist" {
				return true // needs no files
			}
			files = true
			// Damaged files are there: the run will say what is wrong with them.
			_, err := dataset.Open(name, dataset.Options{Dir: f.dir})
			return !errors.Is(err, dataset.ErrMissing)
		},
	})
	if f.dir != "" && files {
		// A set that is not found may have a stand-in, which a wrong name must not call for.
		if info, serr := os.Stat(f.dir); errors.Is(serr, os.ErrNotExist) {
			return nil, fmt.Errorf("--dir %s: no such folder", f.dir)
		} else if serr == nil && !info.IsDir() {
			return nil, fmt.Errorf("--dir %s is not a folder", f.dir)
		}
	}
	if err != nil {
		return nil, err
	}
	if f.dir != "" && !files {
		return nil, dirWithoutEffect(f, plan)
	}
	if err := writable("--out", f.out); err != nil {
		return nil, err
	}
	return plan, plan.Save(f.out)
}

// dirWithoutEffect is the error that refuses --dir for a plan that reads no files.
func dirWithoutEffect(f *table1Flags, plan *cluster.Plan) error {
	with := "--preset " + f.preset
	if len(f.columns) > 0 {
		with += " --columns " + strings.Join(f.columns, ",")
	}
	var data []string
	for _, c := range plan.Columns {
		if !slices.Contains(data, c.Data) {
			data = append(data, c.Data)
		}
	}
	return fmt.Errorf("--dir has no effect with %s, whose columns train on built-in images: %s", with, strings.Join(data, ", "))
}
