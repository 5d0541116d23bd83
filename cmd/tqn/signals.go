package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"os/signal"
	"sync/atomic"
	"syscall"
	"time"
)

// endGrace is how long a command that has nothing to save may take to end by itself
// after the first signal: long enough to remove a temporary file.
const endGrace = time.Second

// onePress is how long after the first signal another counts as the same one: timeout(1) sends its signal to the process and
// to the group that the process is in, and a terminal may do the same through a wrapper.
const onePress = 250 * time.Millisecond

// interruptible returns a context that ends with the first SIGINT, SIGTERM or SIGHUP.
//
// A command that has something to save (a training run its checkpoint, a table the
// checkpoints of its cells) says so in saving and then ends when that is done. Every other
// command is ended endGrace later with exit code 130, whatever it is doing: it may be
// computing, or waiting for a FIFO to be opened or for standard input. The second signal, later than onePress, ends
// every command at once. A signal that was ignored when the program started, as nohup does
// with SIGHUP and a shell script with SIGINT of what it runs in the background, stays ignored.
func interruptible(parent context.Context, saving *atomic.Bool, stderr io.Writer, exit func(code int)) (ctx context.Context, stop func()) {
	ctx, cancel := context.WithCancel(parent)
	arrived := make(chan os.Signal, 2)
	for _, s := range []os.Signal{os.Interrupt, syscall.SIGTERM, syscall.SIGHUP} {
		if !signal.Ignored(s) {
			signal.Notify(arrived, s)
		}
	}
	done := make(chan struct{})
	go func() {
		select {
		case <-arrived:
		case <-done:
			return
		}
		first := time.Now()
		cancel()
		grace := time.NewTicker(endGrace)
		defer grace.Stop()
		for {
			select {
			case <-done:
				return
			case <-arrived:
				if time.Since(first) < onePress {
					continue
				}
				fmt.Fprintln(stderr, "tqn: interrupted twice: ended without saving")
				exit(exitInterrupted)
			case <-grace.C:
				if !saving.Load() {
					fmt.Fprintln(stderr, "tqn: interrupted")
					exit(exitInterrupted)
				}
			}
		}
	}()
	return ctx, func() {
		signal.Stop(arrived)
		close(done)
		cancel()
	}
}
