package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
)

// writable makes the folder of --out, with those above it, and finds out whether a
// file can be made in it. A command calls it before its work, whose result would
// otherwise be lost.
func writable(dir string) error {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return fmt.Errorf("--out %s cannot be made: %w", dir, err)
	}
	f, err := os.CreateTemp(dir, ".tqn-*")
	if err != nil {
		return fmt.Errorf("--out %s cannot be written: %w", dir, err)
	}
	name := f.Name()
	// Some file systems say only here that they are full.
	_, err = f.WriteString("tqn")
	if cerr := f.Close(); err == nil {
		err = cerr
	}
	if rerr := os.Remove(name); err == nil {
		err = rerr
	}
	if err != nil {
		return fmt.Errorf("--out %s cannot be written: %w", dir, err)
	}
	return nil
}

// missing lists the folders of a path that are not there, the innermost first.
func missing(dir string) []string {
	var all []string
	for d := filepath.Clean(dir); ; d = filepath.Dir(d) {
		if _, err := os.Lstat(d); !errors.Is(err, os.ErrNotExist) || d == filepath.Dir(d) {
			return all
		}
		all = append(all, d)
	}
}

// removeEmpty removes folders, the innermost first, up to the first that holds something.
func removeEmpty(dirs []string) {
	for _, d := range dirs {
		if os.Remove(d) != nil {
			return
		}
	}
}

// openPlain opens a plain file. A FIFO would keep the command waiting for a writer,
// and a device may never end.
func openPlain(name string) (*os.File, error) {
	info, err := os.Stat(name)
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() {
		return nil, fmt.Errorf("%s is not a plain file: copy what it holds to one", name)
	}
	return os.Open(name)
}
