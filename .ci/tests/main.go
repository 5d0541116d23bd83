// Command tests reads the output of `go test -json` from standard input, prints one line a
// package and everything that failed, and writes the tests that were skipped, with their
// reasons, to a file. It fails where a test failed, a package did not build, or a
// test that must run (-require) was skipped or is not there.
package main

import (
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
)

// event is a line of test2json.
type event struct {
	Action, Package, ImportPath, Test, Output string
	Elapsed                                   float64
}

func main() {
	skips := flag.String("skips", "", "file to which the skipped tests are appended")
	required := flag.String("require", "", "comma-separated names of tests that must run")
	flag.Parse()
	if err := run(os.Stdin, os.Stdout, *skips, strings.FieldsFunc(*required, func(r rune) bool { return r == ',' })); err != nil {
		fmt.Fprintln(os.Stderr, "tests:", err)
		os.Exit(1)
	}
}

func run(in io.Reader, out io.Writer, skips string, required []string) error {
	output := map[string]*strings.Builder{} // of each test and package
	passed := map[string]bool{}
	var skipped []string
	var failed []string
	var count struct{ passed, failed, skipped int } // tests, with their subtests
	dec := json.NewDecoder(in)
	for {
		var e event
		if err := dec.Decode(&e); errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			return err
		}
		key := e.Package + e.ImportPath + " " + e.Test
		if output[key] == nil {
			output[key] = &strings.Builder{}
		}
		text := output[key]
		switch e.Action {
		case "output", "build-output":
			text.WriteString(e.Output)
		case "build-fail":
			failed = append(failed, key)
			fmt.Fprint(out, text)
		case "pass":
			if e.Test != "" {
				count.passed++
			}
			if passed[e.Test] = true; e.Test == "" {
				fmt.Fprintf(out, "ok  \t%s\t%.3fs\n", e.Package, e.Elapsed) // as go test has it
			}
		case "fail":
			failed = append(failed, key)
			fmt.Fprint(out, text)
			if e.Test != "" {
				count.failed++
			}
		case "skip":
			if e.Test != "" {
				count.skipped++
				skipped = append(skipped, fmt.Sprintf("%s %s: %s", e.Package, e.Test, reason(text.String())))
			}
		}
	}
	fmt.Fprintf(out, "%d passed, %d failed, %d skipped\n", count.passed, count.failed, count.skipped)
	if skips != "" {
		f, err := os.OpenFile(skips, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
		if err != nil {
			return err
		}
		defer f.Close()
		for _, s := range skipped {
			fmt.Fprintln(f, s)
		}
	}
	missing := slices.DeleteFunc(required, func(name string) bool { return passed[name] })
	switch {
	case len(failed) > 0:
		return fmt.Errorf("failed: %s", strings.Join(failed, ", "))
	case len(missing) > 0:
		return fmt.Errorf("this machine has what they need, and they did not run: %s", strings.Join(missing, ", "))
	}
	return nil
}

// reason is what a skipped test said: its output without the lines of the framework.
func reason(output string) string {
	var said []string
	for line := range strings.Lines(output) {
		line = strings.TrimSpace(line)
		if strings.HasPrefix(line, "=== ") || strings.HasPrefix(line, "--- ") || line == "" {
			continue
		}
		_, after, found := strings.Cut(line, ".go:")
		if _, text, ok := strings.Cut(after, ": "); found && ok {
			line = text
		}
		said = append(said, line)
	}
	return strings.Join(said, " ")
}
