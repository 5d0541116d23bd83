package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"time"

	"github.com/spf13/cobra"

	"tqn/cluster"
	"tqn/nets"
	"tqn/nets/bench"
	"tqn/nets/dataset"
	"tqn/nets/kernel"
	"tqn/nets/network"
	"tqn/referee"
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
  quick   under half an hour on two cores, on built-in images (the default)
  laptop  a night on two cores: real CIFAR-10, three seeds
  paper   the paper's exact protocol; prints the estimated time on this machine first
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
			if f.preset == "paper" {
				if err := e.table1Estimate(cmd.Context(), plan, f); err != nil {
					return err
				}
			}
			runErr := e.table1Pool(cmd.Context(), plan, f)
			if cmd.Context().Err() != nil {
				return runErr
			}
			if err := e.table1Collect(plan, f, time.Since(started), f.command()); err != nil {
				return err
			}
			if runErr != nil {
				return fmt.Errorf("%w: %w", errUnexpected, runErr)
			}
			return nil
		},
	}
	f.planFlags(c)
	f.runFlags(c)
	f.step = engineFlags(c)
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
	c.Flags().StringVar(&f.dir, "dir", "", "folder of the data sets' files (default: where tqn data fetch puts them)")
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
	c.Flags().IntVar(&f.jobs, "jobs", 0, "cells at once; 0 is one for each CPU, or for each device with --engine pjrt")
	c.Flags().IntVar(&f.threads, "threads", 0, "threads of each process; 0 shares the CPUs out")
	c.Flags().Int64Var(&f.memory, "memory", 0, "MiB that all cells together may use; 0 is 90 % of what is free, without limit with --engine pjrt")
}

func newTable1PlanCommand(e *env) *cobra.Command {
	f := &table1Flags{step: &engineChoice{engine: "cpu"}}
	var estimate bool
	c := &cobra.Command{
		Use:     "plan --out DIR",
		Short:   "write the immutable plan of a preset",
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
			fmt.Fprintf(e.stdout, "%s: preset %s, %d cells, hash %s\n", filepath.Join(f.out, "plan.json"), plan.Preset, len(plan.Cells), plan.Hash)
			if estimate || f.preset == "paper" {
				return e.table1Estimate(cmd.Context(), plan, f)
			}
			return nil
		},
	}
	f.planFlags(c)
	c.Flags().StringVar(&f.out, "out", "", "folder to plan in")
	c.Flags().IntVar(&f.threads, "threads", 0, "threads to estimate the time for; 0 is every CPU")
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
	plan, err := cluster.NewPlan(f.preset, cluster.Choice{
		Columns: f.columns, Methods: f.methods, Seeds: f.seeds, Seed: f.seed, Figures: f.figures, Unstated: f.unstated,
		Present: func(name string) bool {
			if _, err := dataset.ShapeOf(name, dataset.Options{}); err == nil && name != "cifar10" && name != "cifar100" && name != "imagenet" && name != "fashion-mnist" {
				return true // needs no files
			}
			// Damaged files are there: the run will say what is wrong with them.
			_, err := dataset.Open(name, dataset.Options{Dir: f.dir})
			return !errors.Is(err, dataset.ErrMissing)
		},
	})
	if err != nil {
		return nil, err
	}
	if err := writable(f.out); err != nil {
		return nil, err
	}
	return plan, plan.Save(f.out)
}

func newTable1RunCommand(e *env) *cobra.Command {
	f := &table1Flags{step: &engineChoice{engine: "cpu"}}
	c := &cobra.Command{
		Use:   "run --out DIR",
		Short: "run the cells of a plan: all here, one of them, or as a batch job",
		Long: `run without --index runs all unfinished cells as processes of this machine. With --index, or inside a Slurm job array
(SLURM_ARRAY_TASK_ID) or a Kubernetes Indexed Job (JOB_COMPLETION_INDEX), it runs that one cell. With --engine pjrt the
cells run in this process, --jobs at once, which take the plug-in's devices in turn and compile each program once. With --engine slurm or
--engine kubernetes it submits one job for all unfinished cells; --print shows what would be submitted instead.

Exit codes for one cell: 0 finished (now or before), 75 try again (another process holds the cell, the file system failed),
130 interrupted, the same command continues; 1 the cell fails whenever it is run; 2 wrong plan or command line.`,
		Example: `  tqn table1 run --out table1 --jobs 4
  tqn table1 run --out table1 --index 7
  tqn table1 run --out /shared/table1 --engine slurm --cpus 4 --time 12:00:00 --print
  tqn table1 run --out /work/table1 --engine kubernetes --image registry/tqn:1 --claim work --mount /work --plan table1/plan.json --print`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			plan, err := f.loadPlan()
			if err != nil {
				return err
			}
			switch f.engine {
			case "local":
			case "pjrt":
				f.step.engine = f.engine
			default:
				return e.table1Submit(cmd.Context(), plan, f)
			}
			index, one, err := cluster.IndexFrom(f.index, os.Getenv)
			if err != nil {
				return err
			}
			if one {
				return e.table1Cell(cmd.Context(), plan, index, f)
			}
			if f.print {
				for _, i := range cluster.Unfinished(cluster.Collect(f.out, plan)) {
					fmt.Fprintln(e.stdout, cluster.CommandLine(f.cellCommand("tqn", plan.Cells[i], 0)...))
				}
				return nil
			}
			if err := e.table1Pool(cmd.Context(), plan, f); err != nil {
				if cmd.Context().Err() != nil {
					return err
				}
				return fmt.Errorf("%w: %w", errUnexpected, err)
			}
			return nil
		},
	}
	f.runFlags(c)
	c.Flags().StringVar(&f.out, "out", "", "folder of the plan and its cells")
	c.Flags().StringVar(&f.plan, "plan", "", "plan.json to use if the folder has none")
	c.Flags().StringVar(&f.dir, "dir", "", "folder of the data sets' files")
	c.Flags().IntVar(&f.index, "index", -1, "run this cell only")
	c.Flags().StringVar(&f.engine, "engine", "local", "local, slurm or kubernetes; pjrt: local, on XLA devices through a PJRT plug-in")
	f.step.pluginFlags(c, "local", "slurm", "kubernetes", "pjrt")
	c.Flags().BoolVar(&f.print, "print", false, "print what would be run or submitted")
	c.Flags().StringVar(&f.name, "name", "tqn-table1", "batch job's name")
	c.Flags().IntVar(&f.cpus, "cpus", 2, "CPUs of each cell's batch task")
	c.Flags().StringVar(&f.limit, "time", "", "Slurm: time limit of a task, such as 12:00:00")
	c.Flags().StringVar(&f.partition, "partition", "", "Slurm: partition")
	c.Flags().StringVar(&f.image, "image", "", "Kubernetes: container image with tqn in it")
	c.Flags().StringVar(&f.claim, "claim", "", "Kubernetes: persistent volume claim for results and data")
	c.Flags().StringVar(&f.mount, "mount", "", "Kubernetes: where the claim is mounted; --out and --dir lie in it (default: --out)")
	c.Flags().StringVar(&f.program, "program", "", "absolute path of tqn where the cells run (default: this program; Kubernetes: /usr/local/bin/tqn)")
	markRequired(c, "out")
	return c
}

// loadPlan reads the folder's plan, or puts the one of --plan there.
func (f *table1Flags) loadPlan() (*cluster.Plan, error) {
	plan, err := cluster.LoadPlan(f.out)
	if f.plan == "" || (err != nil && !errors.Is(err, os.ErrNotExist)) {
		return plan, err
	}
	given, err := cluster.ReadPlan(f.plan)
	if err != nil {
		return nil, fmt.Errorf("--plan: %w", err)
	}
	if f.engine == "kubernetes" {
		return given, nil // the folder is inside the containers
	}
	return given, given.Save(f.out)
}

// table1Cell runs one cell in this process.
func (e *env) table1Cell(ctx context.Context, plan *cluster.Plan, index int, f *table1Flags) error {
	var bar *progress
	newEngine, err := f.step.factory()
	if err != nil {
		return err
	}
	where := nets.Where{DataDir: f.dir, Threads: f.threads, NewEngine: newEngine, Precision: f.step.products()}
	where.Warn = func(message string) { fmt.Fprintf(e.stderr, "tqn: warning: %s\n", message) }
	where.Progress = func(p nets.Progress) {
		e.saving.Store(true)
		if bar == nil {
			bar = e.newProgress(plan.Cells[index].ID, int64(p.Steps), int64(p.Resumed))
		}
		bar.set(int64(p.Step), fmt.Sprintf("(epoch %d/%d, loss %.3f, error %.1f%%)", p.Epoch, p.Epochs, p.Loss, p.Error))
	}
	code, err := cluster.RunCell(ctx, f.out, plan, index, nets.Train, where)
	if bar != nil {
		bar.finish()
	}
	if err != nil {
		return &exitError{code, err}
	}
	if e.json {
		return e.printJSON(cluster.Collect(f.out, plan)[index])
	}
	s := cluster.Collect(f.out, plan)[index]
	if s.TestError != nil {
		fmt.Fprintf(e.stdout, "%s: test error %.2f %%\n", s.ID, *s.TestError)
	}
	return nil
}

// cellCommand is the command line that runs one cell.
func (f *table1Flags) cellCommand(program string, c cluster.Cell, threads int) []string {
	args := []string{program, "table1", "run", "--out", f.out, "--index", fmt.Sprint(c.Index)}
	if threads > 0 {
		args = append(args, "--threads", fmt.Sprint(threads))
	}
	if f.dir != "" {
		args = append(args, "--dir", f.dir)
	}
	if f.step.products() != kernel.F32 {
		args = append(args, "--precision", f.step.precision)
	}
	return args
}

// table1Pool runs the unfinished cells as processes and shows how far they are.
func (e *env) table1Pool(ctx context.Context, plan *cluster.Plan, f *table1Flags) error {
	self, err := os.Executable()
	if err != nil {
		return err
	}
	newEngine, err := f.step.factory()
	if err != nil {
		return err
	}
	jobs, threads := f.jobs, f.threads
	if jobs == 0 {
		jobs = f.step.groups()
	}
	if jobs == 0 {
		jobs = runtime.GOMAXPROCS(0)
	}
	if threads == 0 {
		threads = max(1, runtime.GOMAXPROCS(0)/jobs)
	}
	memory := f.memory << 20
	if memory == 0 && newEngine == nil {
		if n, ok := cluster.AvailableMemory(); ok {
			memory = n / 10 * 9
		}
	}
	states := cluster.Collect(f.out, plan)
	var cells []cluster.Cell
	for _, i := range cluster.Unfinished(states) {
		cells = append(cells, plan.Cells[i])
	}
	if len(cells) == 0 {
		return nil
	}
	weights := make([]int64, len(plan.Cells)) // of an epoch, in millions of multiply-adds
	total := int64(0)
	for i, c := range plan.Cells {
		cost, err := c.Cost()
		if err != nil {
			return err
		}
		weights[i] = max(1, cost.MultAdds/1e6/int64(c.Config.Epochs))
		total += weights[i] * int64(c.Config.Epochs)
	}
	done := func(states []cluster.CellState) (n int64) {
		for i, s := range states {
			n += weights[i] * int64(s.Epoch)
		}
		return n
	}
	bar := e.newProgress("table1 "+plan.Preset, total, done(states))
	defer bar.finish()
	var mu sync.Mutex
	running := map[string]bool{}
	finished := len(plan.Cells) - len(cells)
	pool := cluster.Pool{
		Jobs: jobs, Memory: memory,
		Command: func(c cluster.Cell) *exec.Cmd {
			args := f.cellCommand(self, c, threads)
			return exec.Command(args[0], args[1:]...)
		},
		Started: func(c cluster.Cell) {
			mu.Lock()
			defer mu.Unlock()
			running[c.ID] = true
		},
		Ended: func(c cluster.Cell, code int) {
			mu.Lock()
			defer mu.Unlock()
			delete(running, c.ID)
			if code == cluster.ExitDone {
				finished++
			}
		},
	}
	if newEngine != nil { // a process for each would load the plug-in, and take its devices, again
		pool.InProcess = func(ctx context.Context, c cluster.Cell, log io.Writer) (int, error) {
			return cluster.RunCell(ctx, f.out, plan, c.Index, nets.Train, nets.Where{DataDir: f.dir, NewEngine: newEngine,
				Warn: func(message string) { fmt.Fprintf(log, "tqn: warning: %s\n", message) }})
		}
	}
	stop := make(chan struct{})
	var watch sync.WaitGroup
	watch.Go(func() {
		tick := time.NewTicker(2 * time.Second)
		defer tick.Stop()
		for {
			select {
			case <-stop:
				return
			case <-tick.C:
			}
			states := cluster.Collect(f.out, plan)
			n := done(states)
			mu.Lock()
			var names []string
			for _, s := range states {
				if running[s.ID] {
					names = append(names, fmt.Sprintf("%s at epoch %d of %d", s.ID, s.Epoch+1, plan.Cells[s.Index].Config.Epochs))
				}
			}
			note := fmt.Sprintf("(%d of %d cells finished", finished, len(plan.Cells))
			mu.Unlock()
			bar.set(n, note+"; "+strings.Join(names, ", ")+")")
		}
	})
	e.saving.Store(true) // the cells' checkpoints
	err = pool.Run(ctx, f.out, cells)
	e.saving.Store(false)
	close(stop)
	watch.Wait()
	return err
}

// table1Submit submits the unfinished cells to a batch engine, or prints the job.
func (e *env) table1Submit(ctx context.Context, plan *cluster.Plan, f *table1Flags) error {
	s := cluster.Submission{Name: f.name, Jobs: f.jobs, CPUs: f.cpus, Limit: f.limit, Partition: f.partition, Image: f.image, Claim: f.claim, Mount: f.mount}
	if f.threads > 0 {
		s.Args = append(s.Args, "--threads", fmt.Sprint(f.threads))
	}
	if f.dir != "" {
		dir := f.dir
		if f.engine == "slurm" { // a job may start elsewhere
			abs, err := filepath.Abs(dir)
			if err != nil {
				return err
			}
			dir = abs
		}
		s.Args = append(s.Args, "--dir", dir)
	}
	if f.step.products() != kernel.F32 {
		s.Args = append(s.Args, "--precision", f.step.precision)
	}
	var err error
	if s.Dir, err = filepath.Abs(f.out); err != nil {
		return err
	}
	if f.engine == "kubernetes" {
		for i := range plan.Cells {
			s.Indices = append(s.Indices, i) // the volume tells the containers which are finished
		}
	} else {
		s.Indices = cluster.Unfinished(cluster.Collect(f.out, plan))
	}
	s.Memory = f.memory << 20
	for _, i := range s.Indices {
		cost, err := plan.Cells[i].Cost()
		if err != nil {
			return err
		}
		if f.memory == 0 {
			s.Memory = max(s.Memory, cost.Bytes)
		}
	}
	switch f.engine {
	case "slurm":
		if s.Program = f.program; s.Program == "" {
			if s.Program, err = os.Executable(); err != nil {
				return err
			}
		}
		scripts, err := cluster.SlurmScripts(s, cluster.MaxArraySize(ctx))
		if err != nil {
			return err
		}
		return e.submitArrays(ctx, scripts, f.print)
	case "kubernetes":
		if s.Program = f.program; s.Program == "" {
			s.Program = "/usr/local/bin/tqn"
		}
		b, err := json.Marshal(plan)
		if err != nil {
			return err
		}
		text, err := cluster.KubernetesManifest(s, b)
		if err != nil {
			return err
		}
		if f.print {
			_, err := fmt.Fprint(e.stdout, text)
			return err
		}
		return e.feed(ctx, text, "kubectl", "apply", "-f", "-")
	}
	return fmt.Errorf("no engine is called %q; there are local, pjrt, slurm and kubernetes", f.engine)
}

// submitArrays submits the scripts one by one, or prints them: one as it is, for sbatch,
// several as a script for sh that submits them all.
func (e *env) submitArrays(ctx context.Context, scripts []string, print bool) error {
	for k, script := range scripts {
		var err error
		switch {
		case print && len(scripts) == 1:
			_, err = fmt.Fprint(e.stdout, script)
		case print:
			_, err = fmt.Fprintf(e.stdout, "# array %d of %d, because of the cluster's MaxArraySize\nsbatch --parsable <<'END_OF_ARRAY'\n%sEND_OF_ARRAY\n", k+1, len(scripts), script)
		default:
			if err = e.feed(ctx, script, "sbatch", "--parsable"); err != nil && k > 0 {
				err = fmt.Errorf("array %d of %d (the ones before are submitted): %w", k+1, len(scripts), err)
			}
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// feed runs a program with that text on its standard input.
func (e *env) feed(ctx context.Context, text string, command ...string) error {
	cmd := exec.CommandContext(ctx, command[0], command[1:]...)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = strings.NewReader(text), e.stdout, e.stderr
	if err := cmd.Run(); err != nil {
		return fmt.Errorf("%s: %w", strings.Join(command, " "), err)
	}
	return nil
}

func newTable1CollectCommand(e *env) *cobra.Command {
	f := &table1Flags{}
	c := &cobra.Command{
		Use:     "collect --out DIR",
		Short:   "report what the cells' files say, however many are finished",
		Example: "  tqn table1 collect --out table1",
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			plan, err := cluster.LoadPlan(f.out)
			if err != nil {
				return err
			}
			if err := reports.CheckFormats(f.formats); err != nil {
				return fmt.Errorf("--formats: %w", err)
			}
			if err := writable(f.out); err != nil {
				return err
			}
			return e.table1Collect(plan, f, 0, "tqn table1 collect")
		},
	}
	formatsFlag(c, &f.formats)
	c.Flags().StringVar(&f.out, "out", "", "folder of the plan and its cells")
	markRequired(c, "out")
	return c
}

// table1JSON is what table1 and its parts print with --json.
type table1JSON struct {
	Preset string              `json:"preset"`
	Hash   string              `json:"plan_hash"`
	Cells  []cluster.CellState `json:"cells"`
	Claims []table1ClaimJSON   `json:"ordering"`

	Sentences []referee.Sentence `json:"sentences,omitempty"` // every empirical sentence of the paper, with its findings
	Against   []referee.Against  `json:"against,omitempty"`   // errors beside the paper's

	Tables []reports.NamedTable `json:"tables,omitempty"` // every table of the report, Figures 4 to 7's too
}

// table1ClaimJSON is one comparison of the ordering claim; errors in percent.
type table1ClaimJSON struct {
	Column     string  `json:"column"`
	Better     string  `json:"better"`
	Worse      string  `json:"worse"`
	Difference float64 `json:"difference"`
	Lower      float64 `json:"lower"`
	Upper      float64 `json:"upper"`
	Verdict    string  `json:"verdict"`
}

// table1Document is the JSON of a table's cells, with what package referee says of them.
func table1Document(plan *cluster.Plan, states []cluster.CellState, sentences []referee.Sentence, against []referee.Against) table1JSON {
	doc := table1JSON{Sentences: sentences, Against: against, Preset: plan.Preset, Hash: plan.Hash, Cells: states, Claims: []table1ClaimJSON{}}
	for _, s := range sentences {
		pair, ok := strings.CutPrefix(s.ID, "table1.")
		if !ok {
			continue
		}
		better, worse, _ := strings.Cut(pair, "<")
		for _, f := range s.Findings {
			doc.Claims = append(doc.Claims, table1ClaimJSON{f.Column, better, worse, f.Value, f.Lower, f.Upper, string(f.Verdict)})
		}
	}
	return doc
}

// table1Collect writes the report and prints its table.
func (e *env) table1Collect(plan *cluster.Plan, f *table1Flags, wall time.Duration, command string) error {
	states := cluster.Collect(f.out, plan)
	e.warnUnsealed(resultsOf(states))
	t := reports.NewTable1(plan, states, reports.Manifest{
		Command: command + " " + cluster.CommandLine("--out", f.out), Seed: firstSeed(plan), Preset: plan.Preset, WallTime: wall,
	})
	var err error
	if t.Laws, err = referee.Laws(); err != nil {
		return err
	}
	t.Sentences, t.Against = referee.Section6(plan, states)
	t.Formats = f.formats
	if err := t.Write(f.out); err != nil {
		return err
	}
	if e.json {
		doc := table1Document(plan, states, t.Sentences, t.Against)
		doc.Tables = t.Tables()
		return e.printJSON(doc)
	}
	fmt.Fprint(e.stdout, t.Summary().Text())
	fmt.Fprintln(e.stdout, t.Meaning())
	if left := len(cluster.Unfinished(states)); left > 0 {
		fmt.Fprintf(e.stdout, "%d of %d cells are missing; the report says why\n", left, len(states))
	}
	fmt.Fprintln(e.stdout, "report:", filepath.Join(f.out, "report.md"))
	return nil
}

// resultsOf are the results of cells, nil where a cell has none.
func resultsOf(states []cluster.CellState) (results []*nets.Result) {
	for _, s := range states {
		results = append(results, s.Result)
	}
	return results
}

func firstSeed(plan *cluster.Plan) uint64 {
	if len(plan.Cells) == 0 {
		return 0
	}
	return plan.Cells[0].Config.Seed
}

func newTable1StatusCommand(e *env) *cobra.Command {
	f := &table1Flags{}
	c := &cobra.Command{
		Use:     "status --out DIR",
		Short:   "show how far every cell is, and which are running now",
		Example: "  tqn table1 status --out table1",
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			plan, err := cluster.LoadPlan(f.out)
			if err != nil {
				return err
			}
			states := cluster.Collect(f.out, plan)
			cluster.MarkRunning(f.out, plan, states)
			if e.json {
				sentences, against := referee.Section6(plan, states)
				return e.printJSON(table1Document(plan, states, sentences, against))
			}
			table := reports.Table{Header: []string{"index", "cell", "state", "epoch", "test error", "why"}}
			counts := map[cluster.State]int{}
			for _, s := range states {
				counts[s.State]++
				testError := ""
				if s.TestError != nil {
					testError = fmt.Sprintf("%.2f %%", *s.TestError)
				}
				table.Add(s.Index, s.ID, string(s.State), fmt.Sprintf("%d/%d", s.Epoch, s.Epochs), testError, s.Why)
			}
			fmt.Fprint(e.stdout, table.Text())
			fmt.Fprintf(e.stdout, "%d cells: %d finished, %d running, %d interrupted, %d waiting, %d to retry, %d failed\n", len(states),
				counts[cluster.Finished], counts[cluster.Running], counts[cluster.Interrupted], counts[cluster.Waiting], counts[cluster.Retrying], counts[cluster.Failed])
			return nil
		},
	}
	c.Flags().StringVar(&f.out, "out", "", "folder of the plan and its cells")
	markRequired(c, "out")
	return c
}

// table1Estimate measures a training step of every net of the plan and prints how
// long the cells will take on this machine.
func (e *env) table1Estimate(ctx context.Context, plan *cluster.Plan, f *table1Flags) error {
	newEngine, err := f.step.factory()
	if err != nil {
		return err
	}
	table := reports.Table{Header: []string{"column", "images/s", "cells", "memory", "estimated time"}}
	all := time.Duration(0)
	for _, column := range plan.Columns {
		var cells []cluster.Cell
		for _, c := range plan.Cells {
			if c.Column == column.ID {
				cells = append(cells, c)
			}
		}
		if len(cells) == 0 {
			continue
		}
		speed, err := stepSpeed(ctx, cells[0].Config, f.threads, f.step.products(), newEngine)
		if err != nil {
			return err
		}
		took, memory := time.Duration(0), int64(0)
		for _, c := range cells {
			cost, err := c.Cost()
			if err != nil {
				return err
			}
			took += time.Duration(float64(cost.Images) / speed * float64(time.Second))
			memory = max(memory, cost.Bytes)
		}
		all += took
		table.Add(column.ID, speed, len(cells), fmt.Sprintf("%d MiB", memory>>20), took.Round(time.Second).String())
	}
	w := e.stdout
	if e.json {
		w = e.stderr
	}
	fmt.Fprint(w, table.Text())
	fmt.Fprintf(w, "estimated time on this machine (--engine %s), one cell after another: %s (%.1f days), without evaluation\n", f.step.engine, all.Round(time.Minute), all.Hours()/24)
	return nil
}

// stepSpeed is the images a second of a training step at batch 16, or at the cell's own on an accelerator: the faster of
// two measurements after one to warm up.
func stepSpeed(ctx context.Context, c nets.Config, threads int, precision kernel.Precision, newEngine func(network.Model, network.Hyper) (network.Engine, error)) (float64, error) {
	shape, err := c.Shape()
	if err != nil {
		return 0, err
	}
	o := bench.Options{Net: c.Net, Method: c.Method, Batch: c.Batch, Threads: threads, Width: c.Width, Depth: c.Depth, Precision: precision,
		Input: network.Shape{H: shape.Height, W: shape.Width, C: shape.Channels}, Classes: shape.Classes, NewEngine: newEngine}
	if newEngine == nil {
		o.Batch = min(16, c.Batch)
	}
	s, err := bench.New(o)
	if err != nil {
		return 0, err
	}
	defer s.Close()
	best := time.Duration(1<<63 - 1)
	for i := range 3 {
		if ctx.Err() != nil {
			return 0, ctx.Err()
		}
		took, err := s.Time(1)
		if err != nil {
			return 0, err
		}
		if i > 0 {
			best = min(best, took[0])
		}
	}
	return s.ImagesPerSecond(best), nil
}
