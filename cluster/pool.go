package cluster

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"time"
)

// Pool runs cells as processes of this machine, or as goroutines of this process.
type Pool struct {
	// Jobs is the largest number of cells that run at once. It is at least 1.
	Jobs int
	// Memory is what all of them together may use, in bytes; 0 means no limit. A cell
	// starts only when its estimate fits beside those that run; one that would not
	// fit alone is never started.
	Memory int64
	// Attempts is how often a cell is run at most if it ends with ExitRetry or is killed by a signal.
	// The value 0 stands for 3.
	Attempts int
	// Pause is the time before a cell is run again, in which another process that holds its folder may finish. The value 0 stands for 5 seconds.
	Pause time.Duration
	// Grace is how long an interrupted process may take to write its checkpoint
	// before the pool kills it. The value 0 stands for a minute.
	Grace time.Duration
	// Command returns the process that runs a cell. The process must end with one of the exit codes
	// of this package.
	Command func(Cell) *exec.Cmd
	// Last returns, if it is not nil, the process for a cell behind which none waits: it may use the processors that the others leave when they end. Otherwise such a cell's process is Command's, too.
	Last func(Cell) *exec.Cmd
	// InProcess, if it is not nil, is called to run a cell in this process instead of Command's, and returns what [RunCell] does. Its
	// messages go to log, which is the cell's log.txt.
	InProcess func(ctx context.Context, c Cell, log io.Writer) (code int, err error)
	// The pool calls Started when a cell starts and Ended when it ends. Either may be nil. Calls never
	// overlap.
	Started func(Cell)
	Ended   func(c Cell, code int)
}

// errTooLarge is the reason why a cell is never started: alone it would need more than the pool's memory.
var errTooLarge = errors.New("needs more memory than there is")

// ErrTemporary is in the error of [Pool.Run] where each cell that did not finish failed in a way that the same call may overcome later: another
// process holds its folder, the file system failed, or someone else than ctx interrupted it.
var ErrTemporary = errors.New("cluster: what failed may succeed later")

// Run runs the cells, the table's own before those of figures and the costliest first, and returns when all have ended. The
// error joins those of the cells that did not finish, and is [ErrTemporary] if all of them may finish later. When ctx ends, processes
// get SIGTERM, write their checkpoints, and Run returns ctx's error.
func (p *Pool) Run(ctx context.Context, dir string, cells []Cell) error {
	if p.Jobs < 1 {
		return fmt.Errorf("cluster: %d jobs, want at least 1", p.Jobs)
	}
	attempts := p.Attempts
	if attempts == 0 {
		attempts = 3
	}
	type job struct {
		cell Cell
		cost Cost
		runs int
	}
	var queue []job
	var failed []error
	lasting := 0 // of those that failed, so many would again
	for _, c := range cells {
		cost, err := c.Cost()
		if err != nil {
			return err
		}
		if p.Memory > 0 && cost.Bytes > p.Memory {
			lasting++
			failed = append(failed, fmt.Errorf("cluster: cell %s %w: about %d MiB of %d; run it on a larger machine (--index %d) or with smaller batches",
				c.ID, errTooLarge, cost.Bytes>>20, p.Memory>>20, c.Index))
			continue
		}
		queue = append(queue, job{cell: c, cost: cost})
	}
	// The table's own cells before those that only figures need, so that a run which is stopped early has a table; among
	// each, the costliest first, so that the last to end is a short one.
	extra := func(c Cell) int {
		if c.Variant != "" {
			return 1
		}
		return 0
	}
	slices.SortStableFunc(queue, func(a, b job) int {
		return cmp.Or(extra(a.cell)-extra(b.cell), cmp.Compare(b.cost.MultAdds, a.cost.MultAdds))
	})
	type end struct {
		job       job
		code      int
		err       error
		again     bool
		temporary bool // another call may succeed
	}
	ended := make(chan end)
	running, used := 0, int64(0)
	for len(queue) > 0 || running > 0 {
		// Take the first cell of the queue whose estimate fits into the memory that is left.
		for running < p.Jobs && ctx.Err() == nil {
			i := slices.IndexFunc(queue, func(j job) bool { return p.Memory == 0 || used+j.cost.Bytes <= p.Memory })
			if i < 0 {
				break
			}
			j := queue[i]
			queue = slices.Delete(queue, i, i+1)
			j.runs++
			running++
			used += j.cost.Bytes
			if p.Started != nil {
				p.Started(j.cell)
			}
			command := p.Command
			if len(queue) == 0 && p.Last != nil {
				command = p.Last
			}
			go func() {
				code, err := p.runOne(ctx, dir, j.cell, command)
				hopeful := retryable(code) && !j.cell.otherKernel(dir, code)
				again := j.runs < attempts && hopeful
				if again {
					pause := p.Pause
					if pause == 0 {
						pause = 5 * time.Second
					}
					select {
					case <-time.After(pause):
					case <-ctx.Done():
					}
				}
				// A cell that a signal has killed each time is not said to be: where it needs more memory than there is, it is killed when the pool is called again, too.
				ended <- end{j, code, err, again, hopeful && code >= 0}
			}()
		}
		if running == 0 {
			break // interrupted
		}
		e := <-ended
		running--
		used -= e.job.cost.Bytes
		if p.Ended != nil {
			p.Ended(e.job.cell, e.code)
		}
		switch {
		case e.code == ExitDone:
		case ctx.Err() != nil:
		case e.again:
			queue = append(queue, e.job)
		default:
			if !e.temporary {
				lasting++
			}
			failed = append(failed, fmt.Errorf("cluster: cell %s: %w (its log is %s)", e.job.cell.ID, e.err, filepath.Join(e.job.cell.Dir(dir), "log.txt")))
		}
	}
	if ctx.Err() != nil {
		return fmt.Errorf("cluster: interrupted: %w", ctx.Err())
	}
	if len(failed) > 0 && lasting == 0 {
		return fmt.Errorf("%w: %w", ErrTemporary, errors.Join(failed...))
	}
	return errors.Join(failed...)
}

// retryable reports whether a cell that ended with this code is run again: after a temporary
// failure, output that could not be written (EX_IOERR), an interruption, or death by a signal (-1), as
// when the kernel runs out of memory.
func retryable(code int) bool {
	return code == ExitRetry || code == exitOutput || code == ExitInterrupted || code < 0
}

// otherKernel reports whether a cell has ended because another kernel began it, which no further attempt on this machine changes.
func (c Cell) otherKernel(dir string, code int) bool {
	f, err := c.failure(dir)
	return code == ExitRetry && err == nil && f.OtherKernel
}

// exitOutput is EX_IOERR of sysexits.h, by which tqn says that it could not print.
const exitOutput = 74

// runOne runs a cell and waits for it. What it prints is appended to
// log.txt in the cell's folder.
func (p *Pool) runOne(ctx context.Context, dir string, c Cell, command func(Cell) *exec.Cmd) (code int, err error) {
	if err := os.MkdirAll(c.Dir(dir), 0o755); err != nil {
		return ExitRetry, err
	}
	log, err := os.OpenFile(filepath.Join(c.Dir(dir), "log.txt"), os.O_CREATE|os.O_APPEND|os.O_RDWR, 0o644)
	if err != nil {
		return ExitRetry, err
	}
	defer log.Close()
	begin, err := log.Seek(0, io.SeekEnd)
	if err != nil {
		return ExitRetry, err
	}
	if p.InProcess != nil {
		if code, err = p.InProcess(ctx, c, log); err != nil {
			fmt.Fprintln(log, err)
		}
		return code, err
	}
	cmd := command(c)
	cmd.Stdout, cmd.Stderr = log, log
	cmd.SysProcAttr = childAttributes()
	if err := cmd.Start(); err != nil {
		return ExitUsage, err
	}
	grace := p.Grace
	if grace == 0 {
		grace = time.Minute
	}
	done := make(chan struct{})
	var watch sync.WaitGroup
	watch.Go(func() {
		select {
		case <-done:
			return
		case <-ctx.Done():
		}
		_ = cmd.Process.Signal(syscall.SIGTERM)
		select {
		case <-done:
		case <-time.After(grace):
			_ = cmd.Process.Kill()
		}
	})
	err = cmd.Wait()
	close(done)
	watch.Wait()
	if err == nil {
		return ExitDone, nil
	}
	var exit *exec.ExitError
	if errors.As(err, &exit) {
		if said := lastError(log, begin); said != "" {
			err = fmt.Errorf("%w: %s", err, strings.TrimPrefix(said, "cluster: cell "+c.ID+": "))
		}
		return exit.ExitCode(), err // -1 when a signal ended it
	}
	return ExitRetry, err
}

// lastError is the error that a cell's process has printed at last, in what of its log lies behind begin; empty if its last line is none.
func lastError(log io.ReadSeeker, begin int64) string {
	end, err := log.Seek(0, io.SeekEnd)
	if err != nil {
		return ""
	}
	if _, err := log.Seek(max(begin, end-maxLine), io.SeekStart); err != nil {
		return ""
	}
	b, err := io.ReadAll(io.LimitReader(log, maxLine))
	if err != nil {
		return ""
	}
	lines := strings.Split(strings.TrimSpace(string(b)), "\n")
	said, ok := strings.CutPrefix(lines[len(lines)-1], "tqn: ")
	if !ok {
		return ""
	}
	return said
}

// maxLine is the most bytes of a log that are looked through for its last line.
const maxLine = 4096
