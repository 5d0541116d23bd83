package main

import (
	"fmt"
	"io"
	"os"
	"sync"
	"time"

	"github.com/schollz/progressbar/v3"
	"golang.org/x/term"
)

// progress shows how far long work has come, on stderr only: a bar with the
// time left when stderr is a terminal, otherwise one line a minute. Its methods may be
// called from several goroutines.
type progress struct {
	mu      sync.Mutex
	bar     *progressbar.ProgressBar
	plain   io.Writer // where the line a minute goes; nil with a bar
	name    string
	note    string
	started time.Time
	printed time.Time
	done    int64
	first   int64 // done at the start: what a resumed run need not do
	total   int64
}

// lineEvery is the pause between lines when stderr is no terminal (docs/design.md).
const lineEvery = time.Minute

// newProgress starts showing total units of work called name, done of which are
// already there (a resumed run).
func (e *env) newProgress(name string, total, done int64) *progress {
	now := time.Now()
	p := &progress{name: name, total: total, done: done, first: done, started: now, printed: now}
	if f, ok := e.stderr.(*os.File); ok && term.IsTerminal(int(f.Fd())) {
		p.bar = progressbar.NewOptions64(total,
			progressbar.OptionSetWriter(e.stderr),
			progressbar.OptionSetDescription(name),
			progressbar.OptionSetWidth(20),
			progressbar.OptionThrottle(200*time.Millisecond),
			progressbar.OptionSetPredictTime(false), // it would count a resumed run's earlier part; left() does not
			progressbar.OptionSetElapsedTime(false),
			progressbar.OptionClearOnFinish(),
		)
		_ = p.bar.Set64(done)
		return p
	}
	p.plain = e.stderr
	return p
}

// set says that done units are finished, with a note such as the current loss.
func (p *progress) set(done int64, note string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.done, p.note = done, note
	now := time.Now()
	left := timeLeft(now.Sub(p.started), done-p.first, p.total-done)
	if p.bar != nil {
		p.bar.Describe(fmt.Sprintf("%s, %s left %s", p.name, left, note))
		_ = p.bar.Set64(done)
		return
	}
	if now.Sub(p.printed) < lineEvery {
		return
	}
	p.printed = now
	fmt.Fprintf(p.plain, "%s: %d %%, %s left %s\n", p.name, int64(100*float64(done)/float64(max(1, p.total))), left, note)
}

// timeLeft is what is left of the time at the pace so far.
func timeLeft(spent time.Duration, done, left int64) string {
	if done <= 0 {
		return "unknown"
	}
	seconds := spent.Seconds() * float64(left) / float64(done) // as integers the product overflows
	return time.Duration(seconds * float64(time.Second)).Round(time.Second).String()
}

// finish removes the bar.
func (p *progress) finish() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.bar != nil {
		_ = p.bar.Finish()
	}
}
