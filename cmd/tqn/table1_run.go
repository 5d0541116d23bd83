package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"sync"
	"time"

	"github.com/spf13/cobra"

	"tqn/cluster"
	"tqn/nets"
	"tqn/nets/kernel"
	"tqn/reports"
)

func newTable1RunCommand(e *env) *cobra.Command {
	f := &table1Flags{step: &engineChoice{engine: "cpu"}}
	c := &cobra.Command{
		Use:   "run --out DIR",
		Short: "run the cells of a plan: all here, one of them, or as a batch job",
		Long: `run without --index runs all unfinished cells as processes of this machine. With --index, or inside a Slurm job array
(SLURM_ARRAY_TASK_ID) or a Kubernetes Indexed Job (JOB_COMPLETION_INDEX), it runs that one cell. With --engine pjrt the
cells run in this process, --jobs at once, which take the plug-in's devices, or --streams on each, in turn and compile each program once. With --engine slurm or
--engine kubernetes it submits one job for all unfinished cells; --print shows what would be submitted instead.

With --json, a run of all cells here prints what status --json does, a run of one cell that cell, and --print an array of texts: the
command lines, scripts or manifest.

Exit codes for one cell: 0 finished (now or before), 75 try again (another process holds the cell, the file system failed),
130 interrupted, the same command continues; 1 the cell fails whenever it is run; 2 wrong plan or command line. For all cells
here: 0 all are finished, 75 each of the others may finish when the same command is run again, 1 one at least will not.`,
		Example: `  tqn table1 run --out table1 --jobs 4
  tqn table1 run --out table1 --index 7
  tqn table1 run --out /shared/table1 --engine slurm --cpus 4 --time 12:00:00 --print
  tqn table1 run --out /volume/table1 --engine kubernetes --image registry/tqn:1 --claim table1 --mount /volume --plan table1/plan.json --print`,
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
				lines := []string{}
				for _, i := range cluster.Unfinished(cluster.Collect(f.out, plan)) {
					lines = append(lines, cluster.CommandLine(f.cellCommand("tqn", plan.Cells[i], 0)...)+"\n")
				}
				return e.printTexts(lines)
			}
			runErr := e.table1Pool(cmd.Context(), plan, f)
			if runErr != nil && !cellsFailed(runErr) { // interrupted, or nothing could be run
				return runErr
			}
			if err := e.table1States(plan, cluster.Collect(f.out, plan), false); err != nil {
				return err
			}
			return runErr
		},
	}
	f.runFlags(c)
	c.Flags().StringVar(&f.out, "out", "", "folder of the plan and its cells")
	c.Flags().StringVar(&f.plan, "plan", "", "plan.json to use if the folder has none")
	c.Flags().StringVar(&f.dir, "dir", "", "folder of the data sets' files")
	c.Flags().IntVar(&f.index, "index", -1, "run this cell only")
	c.Flags().StringVar(&f.engine, "engine", "local", "local, slurm or kubernetes; pjrt: local, on XLA devices through a PJRT plug-in")
	f.step.pluginFlags(c, "local", "slurm", "kubernetes", "pjrt")
	f.step.streamsFlag(c, "cells that compute on a device at once,")
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
	where := nets.Where{Commit: reports.Commit(), DataDir: f.dir, Threads: f.threads, NewEngine: newEngine, Precision: f.step.products(), KernelChange: f.kernelChange}
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
	return append(args, f.passedOn()...)
}

// passedOn are the flags that every cell gets, wherever it runs.
func (f *table1Flags) passedOn() (args []string) {
	if f.step.products() != kernel.F32 {
		args = append(args, "--precision", f.step.precision)
	}
	if f.kernelChange {
		args = append(args, "--kernel-change")
	}
	return args
}

// table1Pool runs the unfinished cells, as processes or on devices in this process, and shows how far they are.
func (e *env) table1Pool(ctx context.Context, plan *cluster.Plan, f *table1Flags) error {
	pool, err := f.pool(plan)
	if err != nil {
		return err
	}
	states := cluster.Collect(f.out, plan)
	var cells []cluster.Cell
	for _, i := range cluster.Unfinished(states) {
		cells = append(cells, plan.Cells[i])
	}
	if len(cells) == 0 {
		return nil
	}
	stop, err := e.watchPool(plan, f.out, states, pool)
	if err != nil {
		return err
	}
	e.saving.Store(true) // the cells' checkpoints
	err = pool.Run(ctx, f.out, cells)
	e.saving.Store(false)
	stop()
	if ctx.Err() != nil {
		return errors.New("the cells have saved what they did; the same command continues")
	}
	if err != nil && !errors.Is(err, cluster.ErrTemporary) {
		return fmt.Errorf("%w: %w", errUnexpected, err)
	}
	return err
}

// cellsFailed reports whether this error of table1Pool says that cells were run and some failed: what there is is then reported all the same.
func cellsFailed(err error) bool {
	return errors.Is(err, errUnexpected) || errors.Is(err, cluster.ErrTemporary)
}

// share is how many cells run at once, and with how many threads each; 0 threads are a device's.
func (f *table1Flags) share() (jobs, threads int, err error) {
	if _, err := f.step.factory(); err != nil { // which says what is wrong with the devices
		return 0, 0, err
	}
	jobs, threads = f.jobs, f.threads
	devices := f.step.groups()
	if jobs == 0 {
		jobs = f.step.places()
	}
	if jobs == 0 {
		jobs = runtime.GOMAXPROCS(0)
	}
	if threads == 0 && devices == 0 {
		threads = max(1, runtime.GOMAXPROCS(0)/jobs)
	}
	return jobs, threads, nil
}

// pool is how the flags say that cells are run: how many at once, with which threads and memory, in processes or in this one.
func (f *table1Flags) pool(plan *cluster.Plan) (*cluster.Pool, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	newEngine, err := f.step.factory()
	if err != nil {
		return nil, err
	}
	jobs, threads, err := f.share()
	if err != nil {
		return nil, err
	}
	memory := f.memory << 20
	if memory == 0 && newEngine == nil {
		if n, ok := cluster.AvailableMemory(); ok {
			memory = n / 10 * 9
		}
	}
	with := func(threads int) func(cluster.Cell) *exec.Cmd {
		return func(c cluster.Cell) *exec.Cmd {
			args := f.cellCommand(self, c, threads)
			return exec.Command(args[0], args[1:]...)
		}
	}
	pool := &cluster.Pool{Jobs: jobs, Memory: memory, Command: with(threads)}
	if f.threads == 0 { // the CPUs are shared out: the last cell takes over those of the cells that end before it
		pool.Last = with(runtime.GOMAXPROCS(0))
	}
	if newEngine != nil { // a process for each would load the plug-in, and take its devices, again
		pool.InProcess = func(ctx context.Context, c cluster.Cell, log io.Writer) (int, error) {
			return cluster.RunCell(ctx, f.out, plan, c.Index, nets.Train, nets.Where{Commit: reports.Commit(), DataDir: f.dir, NewEngine: newEngine, KernelChange: f.kernelChange,
				Warn: func(message string) { fmt.Fprintf(log, "tqn: warning: %s\n", message) }})
		}
	}
	return pool, nil
}

// watchPool shows how far the cells of a pool are, by their files, until stop is called.
func (e *env) watchPool(plan *cluster.Plan, dir string, states []cluster.CellState, pool *cluster.Pool) (stop func(), err error) {
	weights := make([]int64, len(plan.Cells)) // of an epoch, in millions of multiply-adds
	total := int64(0)
	for i, c := range plan.Cells {
		cost, err := c.Cost()
		if err != nil {
			return nil, err
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
	var mu sync.Mutex
	running := map[string]bool{}
	finished := len(plan.Cells) - len(cluster.Unfinished(states))
	pool.Started = func(c cluster.Cell) {
		mu.Lock()
		defer mu.Unlock()
		running[c.ID] = true
	}
	pool.Ended = func(c cluster.Cell, code int) {
		mu.Lock()
		defer mu.Unlock()
		delete(running, c.ID)
		if code == cluster.ExitDone {
			finished++
		}
	}
	ended := make(chan struct{})
	var watch sync.WaitGroup
	watch.Go(func() {
		tick := time.NewTicker(2 * time.Second)
		defer tick.Stop()
		for {
			select {
			case <-ended:
				return
			case <-tick.C:
			}
			states := cluster.Collect(dir, plan)
			mu.Lock()
			var names []string
			for _, s := range states {
				if running[s.ID] {
					names = append(names, fmt.Sprintf("%s at epoch %d of %d", s.ID, s.Epoch+1, plan.Cells[s.Index].Config.Epochs))
				}
			}
			note := fmt.Sprintf("(%d of %d cells finished", finished, len(plan.Cells))
			mu.Unlock()
			bar.set(done(states), note+"; "+strings.Join(names, ", ")+")")
		}
	})
	return func() {
		close(ended)
		watch.Wait()
		bar.finish()
	}, nil
}
