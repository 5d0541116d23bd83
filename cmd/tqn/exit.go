package main

import (
	"context"
	"errors"
	"io"
	"syscall"

	"tqn/cluster"
	"tqn/nets/dataset"
	"tqn/nets/network"
	"tqn/runfolder"
)

// Exit codes, stable (docs/design.md). Those of one cell of a table are [tqn/cluster]'s,
// which uses the same numbers.
const (
	exitExpected    = 0   // everything came out as expected
	exitUnexpected  = 1   // a verdict or a result is not as expected, a number of a training is not finite
	exitUsage       = 2   // wrong usage or bad input
	exitOutput      = 74  // EX_IOERR of sysexits.h: the system failed to write standard output or a file, or to read one
	exitRetry       = 75  // EX_TEMPFAIL: another process holds the run folder, its file system failed, no connection, or a table's cells failed for these reasons alone; the same command may succeed later
	exitInterrupted = 130 // SIGINT, SIGTERM or SIGHUP; a resumable command resumes
)

// errUnexpected is wrapped by a command whose verdicts or results are not as
// expected: the command did its work, and its exit code says so.
var errUnexpected = errors.New("not as expected")

// exitError carries an exit code of its own, where a caller must tell kinds of
// failure apart (a batch engine: retry or give up).
type exitError struct {
	code int
	err  error
}

func (e *exitError) Error() string { return e.err.Error() }
func (e *exitError) Unwrap() error { return e.err }

// exitCode classifies the error with which a command ended.
func exitCode(ctx context.Context, err error) int {
	var exit *exitError
	var number *network.NonFiniteError
	switch {
	case err == nil:
		return exitExpected
	case ctx.Err() != nil:
		return exitInterrupted
	case errors.As(err, &exit):
		return exit.code
	case errors.Is(err, errUnexpected), errors.As(err, &number):
		return exitUnexpected
	case errors.Is(err, runfolder.ErrLocked), errors.Is(err, runfolder.ErrStorage), errors.Is(err, dataset.ErrOffline), errors.Is(err, cluster.ErrTemporary):
		return exitRetry
	case isDeviceFailure(err):
		return exitOutput
	}
	return exitUsage
}

// isDeviceFailure reports whether the system refused to read or write because of the
// state of a device, which no other argument would change.
func isDeviceFailure(err error) bool {
	for _, e := range []syscall.Errno{syscall.ENOSPC, syscall.EDQUOT, syscall.EIO, syscall.EROFS, syscall.EFBIG, syscall.ESTALE,
		syscall.EPIPE, syscall.EMFILE, syscall.ENFILE, syscall.ENOMEM} {
		if errors.Is(err, e) {
			return true
		}
	}
	return false
}

// checkedWriter is standard output. It keeps the first error of a write, so that a
// command that prints without looking at errors still fails where its result was lost.
type checkedWriter struct {
	w   io.Writer
	err error
}

func (c *checkedWriter) Write(p []byte) (int, error) {
	if c.err != nil {
		return 0, c.err
	}
	n, err := c.w.Write(p)
	c.err = err
	return n, err
}
