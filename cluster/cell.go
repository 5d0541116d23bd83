package cluster

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"

	"tqn/nets"
	"tqn/runfolder"
)

// `tqn table1 run --index` ends with one of these exit codes. A batch engine reads from it whether to start the cell again.
const (
	ExitDone        = 0
	ExitPermanent   = 1   // the cell fails whenever it is run: numbers that are not finite, damaged data
	ExitUsage       = 2   // the plan or the command line is wrong
	ExitRetry       = 75  // EX_TEMPFAIL of sysexits.h: another process holds the cell, or the file system failed
	ExitInterrupted = 130 // stopped by a signal; the same command continues
)

// Failure is what a cell's failure.json says. The file exists only while the cell's last attempt is one that failed: [RunCell] writes it
// after a failure and removes it when the cell finishes.
type Failure struct {
	Permanent bool   `json:"permanent"`
	Attempts  int    `json:"attempts"`
	Error     string `json:"error"`
	// OtherKernel says that another kernel than this machine's began the cell ([nets.ErrOtherKernel]): another machine may go on with it.
	OtherKernel bool `json:"other_kernel,omitempty"`
}

// Train carries out one training run. It is [nets.Train], or a function of a test that fails in the way that the test needs.
type Train func(context.Context, nets.Config, nets.Where) (nets.Result, error)

// RunCell runs one cell, unless it is finished. It returns the exit code by which
// engines tell apart what to repeat, and the error behind it.
func RunCell(ctx context.Context, dir string, plan *Plan, index int, train Train, where nets.Where) (code int, err error) {
	if index < 0 || index >= len(plan.Cells) {
		return ExitUsage, fmt.Errorf("cluster: index %d: the plan has cells 0 to %d", index, len(plan.Cells)-1)
	}
	cell := plan.Cells[index]
	where.Dir = cell.Dir(dir)
	switch _, err := cell.result(dir); {
	case err == nil:
		return ExitDone, nil
	case errors.Is(err, runfolder.ErrStorage):
		return ExitRetry, err
	case !errors.Is(err, os.ErrNotExist):
		return ExitPermanent, err
	}
	if err := os.MkdirAll(where.Dir, 0o755); err != nil {
		return ExitRetry, fmt.Errorf("cluster: %w", err)
	}
	failure := filepath.Join(where.Dir, "failure.json")
	result, err := train(ctx, cell.Config, where)
	switch {
	case err == nil:
		if result.ConfigHash != cell.ConfigHash {
			return ExitPermanent, fmt.Errorf("cluster: cell %s: %s holds the result of another config", cell.ID, where.Dir)
		}
		os.Remove(failure)
		return ExitDone, nil
	case errors.Is(err, runfolder.ErrLocked):
		return ExitRetry, fmt.Errorf("cluster: cell %s: %w", cell.ID, err) // the other process speaks for the cell
	case ctx.Err() != nil:
		return ExitInterrupted, fmt.Errorf("cluster: cell %s: %w", cell.ID, err)
	}
	err = fmt.Errorf("cluster: cell %s: %w", cell.ID, err)
	code = ExitPermanent
	if nets.Retryable(err) {
		code = ExitRetry
	}
	f := Failure{Permanent: code == ExitPermanent, Attempts: 1, Error: err.Error(), OtherKernel: errors.Is(err, nets.ErrOtherKernel)}
	if old, rerr := cell.failure(dir); rerr == nil {
		f.Attempts = min(old.Attempts+1, maxAttempts)
	}
	b, merr := json.Marshal(f)
	if merr != nil {
		panic("cluster: RunCell: " + merr.Error())
	}
	if werr := runfolder.WriteFile(failure, append(b, '\n')); werr != nil {
		err = errors.Join(err, werr) // a full disk cannot be told on the disk
	}
	return code, err
}

// result reads a finished cell's result.json. It is os.ErrNotExist where the cell
// is not finished, and runfolder.ErrStorage where the file cannot be read.
func (c Cell) result(dir string) (nets.Result, error) {
	r, err := nets.ReadResult(c.Dir(dir))
	if err != nil {
		return r, fmt.Errorf("cluster: cell %s: %w", c.ID, err)
	}
	if r.ConfigHash != c.ConfigHash {
		return r, fmt.Errorf("cluster: cell %s: %s holds the result of another config (hash %.12q, want %.12s)", c.ID, c.Dir(dir), r.ConfigHash, c.ConfigHash)
	}
	return r, nil
}

func (c Cell) failure(dir string) (Failure, error) {
	var f Failure
	path := filepath.Join(c.Dir(dir), "failure.json")
	b, err := runfolder.ReadFile(path, maxFailure)
	if err != nil {
		return f, fmt.Errorf("cluster: %w", err)
	}
	if f, err = parseFailure(b); err != nil {
		return f, fmt.Errorf("cluster: %s: %w", path, err)
	}
	return f, nil
}

// maxFailure bounds the bytes of failure.json, and maxAttempts the number of attempts in it: [RunCell] adds one to that number, which must
// not overflow.
const (
	maxFailure  = 1 << 20
	maxAttempts = 1_000_000_000
)

// parseFailure decodes a failure.json.
func parseFailure(b []byte) (Failure, error) {
	var f Failure
	if err := json.Unmarshal(b, &f); err != nil {
		return Failure{}, err
	}
	if f.Attempts < 1 || f.Attempts > maxAttempts || f.Error == "" {
		return Failure{}, fmt.Errorf("%d attempts that failed with error %.80q; want 1 to %d and an error", f.Attempts, f.Error, maxAttempts)
	}
	return f, nil
}

// IndexFrom returns the cell's index from the flag (negative: not given) or from
// the engine that started the process: a Slurm job array sets SLURM_ARRAY_TASK_ID, and a
// Kubernetes Indexed Job sets JOB_COMPLETION_INDEX. found is false where neither flag nor engine gives an index.
func IndexFrom(flag int, getenv func(string) string) (index int, found bool, err error) {
	if flag >= 0 {
		return flag, true, nil
	}
	for _, name := range []string{"SLURM_ARRAY_TASK_ID", "JOB_COMPLETION_INDEX"} {
		s := getenv(name)
		if s == "" {
			continue
		}
		index, err = strconv.Atoi(s)
		if err != nil || index < 0 {
			return 0, false, fmt.Errorf("cluster: %s is %q, want a cell's index", name, s)
		}
		return index, true, nil
	}
	return 0, false, nil
}

// State says how far a cell is, as its files tell it.
type State string

const (
	Waiting  State = "waiting"  // nothing is there
	Begun    State = "begun"    // interrupted or running, which [MarkRunning] tells apart
	Failed   State = "failed"   // the last attempt failed and will fail again
	Retrying State = "retrying" // the last attempt failed; another may succeed
	Finished State = "finished"

	Running     State = "running"     // a process holds the cell's lock; only [MarkRunning] says so
	Interrupted State = "interrupted" // begun, and no process is seen at work; only [MarkRunning] says so
)

// CellState is what is known of one cell.
type CellState struct {
	Index     int      `json:"index"`
	ID        string   `json:"id"`
	Column    string   `json:"column"`
	Method    string   `json:"method"`
	Variant   string   `json:"variant,omitempty"` // of the method, for a figure; empty: a cell of Table 1
	Seed      uint64   `json:"seed"`
	State     State    `json:"state"`
	Epoch     int      `json:"epoch"` // epochs done
	Epochs    int      `json:"epochs"`
	TestError *float64 `json:"test_error,omitempty"` // percent; finished cells only
	Why       string   `json:"why,omitempty"`        // of a cell that is not finished

	Result *nets.Result `json:"-"`
}

// Collect reads the state of every cell. If the files of one cell are damaged, that cell alone
// is reported as failed; the others are read as usual.
func Collect(dir string, plan *Plan) []CellState {
	states := make([]CellState, len(plan.Cells))
	for i, c := range plan.Cells {
		states[i] = c.state(dir)
	}
	return states
}

func (c Cell) state(dir string) CellState {
	s := CellState{Index: c.Index, ID: c.ID, Column: c.Column, Method: c.Config.Method, Variant: c.Variant, Seed: c.Config.Seed, Epochs: c.Config.Epochs, State: Waiting}
	r, err := c.result(dir)
	if err == nil {
		s.State, s.Epoch, s.Result, s.TestError = Finished, c.Config.Epochs, &r, &r.TestError
		return s
	}
	if errors.Is(err, runfolder.ErrStorage) {
		s.State, s.Why = Retrying, err.Error() // it may be finished: who cannot read cannot say
		return s
	}
	if !errors.Is(err, os.ErrNotExist) {
		s.State, s.Why = Failed, err.Error()
		return s
	}
	// metrics.jsonl has one line for each epoch that is done. Only lines that end are counted: a crash may have cut the last one short.
	if b, err := runfolder.ReadFile(filepath.Join(c.Dir(dir), "metrics.jsonl"), runfolder.MaxText); err == nil {
		s.Epoch = bytes.Count(b, []byte("\n"))
	}
	switch f, err := c.failure(dir); {
	case err == nil && f.Permanent:
		s.State, s.Why = Failed, f.Error
	case err == nil:
		s.State, s.Why = Retrying, fmt.Sprintf("%s (attempt %d)", f.Error, f.Attempts)
	case exists(filepath.Join(c.Dir(dir), "config.json")):
		s.State, s.Why = Begun, fmt.Sprintf("%d of %d epochs done", s.Epoch, s.Epochs)
	default:
		s.Why = "not begun"
	}
	return s
}

// MarkRunning tells running cells from interrupted ones: it sets the state of
// those whose lock a process holds to [Running]. It is not part of [Collect],
// because to look at a lock is to take it for a moment, and a cell started in that moment
// would have to be started again: call it when a person asks, not in a loop. A process on
// another machine is seen only where the file system shares its locks.
func MarkRunning(dir string, plan *Plan, states []CellState) {
	for i := range states {
		s := &states[i]
		if s.State == Finished {
			continue
		}
		if holder, held := runfolder.Holder(plan.Cells[s.Index].Dir(dir)); held {
			s.State, s.Why = Running, fmt.Sprintf("%s, %d of %d epochs done", holder, s.Epoch, s.Epochs)
		} else if s.State == Begun {
			s.State = Interrupted
		}
	}
}

func exists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}

// Unfinished lists the indices of cells that are still to run.
func Unfinished(states []CellState) []int {
	var left []int
	for _, s := range states {
		if s.State != Finished {
			left = append(left, s.Index)
		}
	}
	return left
}
