package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// writable makes the folder of a flag such as --out, with those above it, and finds out whether a
// file can be made in it. A command calls it before its work, whose result would
// otherwise be lost.
func writable(flag, dir string) error {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		if to, lerr := os.Readlink(dir); lerr == nil {
			return fmt.Errorf("%s %s is a link to %s, where no folder is: make that folder, or take another", flag, dir, to)
		}
		return fmt.Errorf("%s %s cannot be made: %w", flag, dir, err)
	}
	f, err := os.CreateTemp(dir, ".tqn-*")
	if err != nil {
		return fmt.Errorf("%s %s cannot be written: %w", flag, dir, err)
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
		return fmt.Errorf("%s %s cannot be written: %w", flag, dir, err)
	}
	entries, err := os.ReadDir(dir)
	if err != nil {
		return fmt.Errorf("%s %s cannot be read: %w", flag, dir, err)
	}
	for _, e := range entries {
		if e.IsDir() && (slices.Contains(writtenEndings, strings.ToLower(filepath.Ext(e.Name()))) || slices.Contains(writtenNames, e.Name())) {
			return fmt.Errorf("%s %s: %s is a folder, where a file of that name may have to be written: give it another name, or take another folder", flag, dir, e.Name())
		}
	}
	return nil
}

// writtenEndings and writtenNames tell the files that reports consist of. (A folder may end in .csv: [verifyOptions.folder] names one so.)
var (
	writtenEndings = []string{".md", ".png", ".svg", ".pdf", ".html", ".tex"}
	writtenNames   = []string{"plan.json", "steps.json", "choices.json"}
)

// writableFile is [writable] for the one file that a flag such as --plot names. It leaves no folder behind.
func writableFile(flag, path string) error {
	if info, err := os.Stat(path); err == nil && info.IsDir() {
		return fmt.Errorf("%s %s is a folder: want the name of a file", flag, path)
	}
	made := missing(filepath.Dir(path))
	defer removeEmpty(made)
	return writable(flag, filepath.Dir(path))
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

// counted is a number of things in words: 1 cell, 5 cells.
func counted[N int | uint64](n N, thing string) string {
	switch {
	case n == 1:
	case strings.HasSuffix(thing, "s"):
		thing += "es"
	default:
		thing += "s"
	}
	return fmt.Sprint(n, " ", thing)
}
