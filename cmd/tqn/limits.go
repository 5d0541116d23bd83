package main

import (
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// limit is the range of a number that a flag takes.
type limit struct{ low, high float64 }

// limits of the flags, by "COMMAND.FLAG" or by the flag's name on every command. A number
// beyond them would take memory or time without bound, or means nothing. What is
// allowed here may still be refused by the package that knows more, such as the size of a batch by the
// number of images. Flags that are not listed take any finite number.
var limits = map[string]limit{
	"threads":          {0, 4096},
	"jobs":             {0, 100_000},
	"memory":           {0, 1 << 40}, // MiB
	"cpus":             {1, 4096},
	"devices":          {1, 4096},
	"streams":          {1, 64},
	"memory-fraction":  {0, 1},
	"index":            {0, math.MaxInt32},
	"seeds":            {1, 1000}, // cluster.NewPlan's
	"epochs":           {0, 1_000_000},
	"drops":            {1, 1_000_000},
	"batch":            {0, 1 << 20},
	"bench.batch":      {1, 1 << 20},
	"train-images":     {0, 100_000_000},
	"test-images":      {0, 100_000_000},
	"width":            {0x1p-10, 64},
	"depth":            {0x1p-10, 64},
	"classes":          {0, math.MaxUint16},
	"size":             {0, 4096},
	"learning-rate":    {0, math.MaxFloat32},
	"weight-decay":     {0, math.MaxFloat32},
	"checkpoint-every": {float64(time.Millisecond), float64(365 * 24 * time.Hour)},
	"rounds":           {1, 10_000},
	"steps":            {1, 10_000},
	"iterations":       {1, math.MaxUint32},
	"norm-epsilon":     {0, 1},
	"norm-momentum":    {0, 1},
	"chain.alpha":      {0, math.MaxFloat64},
	"chain.eps":        {1e-300, 1},
	"toy.alphas":       {1e-300, 1e9},
	"toy.box":          {-1e9, 1e9},
	"toy.delta":        {1e-9, 1e9},
	"toy.noise":        {0, 1e9},
	"verify.t":         {1, 1_000_000_000},
	"verify.delta":     {1e-12, 1e12},
	"verify.ridge":     {0, 1e6},
	"verify.half":      {1e-12, 1e12},
}

// effects are the flags that say something only together with another one: command, flag, the
// other flag and the values that it must have (none: it must be given).
var effects = []struct {
	command, flag, with string
	values              []string
}{
	{"bench", "only", "peers", []string{"true"}},
	{"bench", "cells", "peers", []string{"true"}},
	{"bench", "rounds", "peers", []string{"true"}},
	{"bench", "steps", "peers", []string{"true"}},
	{"table1 run", "time", "engine", []string{"slurm"}},
	{"table1 run", "partition", "engine", []string{"slurm"}},
	{"table1 run", "image", "engine", []string{"kubernetes"}},
	{"table1 run", "claim", "engine", []string{"kubernetes"}},
	{"table1 run", "mount", "engine", []string{"kubernetes"}},
	{"table1 run", "name", "engine", []string{"slurm", "kubernetes"}},
	{"table1 run", "cpus", "engine", []string{"slurm", "kubernetes"}},
	{"table1 run", "program", "engine", []string{"slurm", "kubernetes"}},
	{"train", "memory", "engine", []string{"cpu"}},
	{"bench", "memory", "engine", []string{"cpu"}},
	{"train", "threads", "engine", []string{"cpu"}},
	{"bench", "threads", "engine", []string{"cpu"}},
	{"table1", "threads", "engine", []string{"cpu"}},
	{"table1 run", "threads", "engine", []string{"local", "slurm", "kubernetes"}},
	{"train", "plugin", "engine", []string{"pjrt"}},
	{"train", "devices", "engine", []string{"pjrt"}},
	{"train", "memory-fraction", "engine", []string{"pjrt"}},
	{"train", "preallocate", "engine", []string{"pjrt"}},
	{"bench", "plugin", "engine", []string{"pjrt"}},
	{"bench", "devices", "engine", []string{"pjrt"}},
	{"bench", "streams", "engine", []string{"pjrt"}},
	{"bench", "memory-fraction", "engine", []string{"pjrt"}},
	{"bench", "preallocate", "engine", []string{"pjrt"}},
	{"table1", "plugin", "engine", []string{"pjrt"}},
	{"table1", "devices", "engine", []string{"pjrt"}},
	{"table1", "streams", "engine", []string{"pjrt"}},
	{"table1", "memory-fraction", "engine", []string{"pjrt"}},
	{"table1", "preallocate", "engine", []string{"pjrt"}},
	{"table1 run", "plugin", "engine", []string{"pjrt"}},
	{"table1 run", "devices", "engine", []string{"pjrt"}},
	{"table1 run", "streams", "engine", []string{"pjrt"}},
	{"table1 run", "memory-fraction", "engine", []string{"pjrt"}},
	{"table1 run", "preallocate", "engine", []string{"pjrt"}},
	{"table1 run", "index", "engine", []string{"local", "pjrt"}},
	{"toy", "formats", "out", nil},
	{"compare", "formats", "out", nil},
	{"verify", "formats", "out", nil},
	{"verify", "target", "data", nil},
	{"verify", "categorical", "data", nil},
	{"verify", "drop", "data", nil},
	{"verify", "decimal", "data", nil},
	{"verify", "model", "data", nil},
	{"verify", "ridge", "data", nil},
	{"verify", "half", "data", nil},
	{"verify", "delta", "data", nil},
	{"verify", "t", "data", nil},
}

// exclusive are flags that say nothing beside another one that is given: command, flag, the other flag, and why.
var exclusive = []struct{ command, flag, with, why string }{
	{"bench", "net", "peers", "its cases have nets of their own; --only chooses among them"},
	{"bench", "width", "peers", "its cases have widths of their own; --only chooses among them"},
	{"bench", "layers", "peers", "it compares whole steps"},
	{"bench", "streams", "peers", "it compares one step at a time"},
	{"choices", "out", "print", "it prints what would be run"},
	{"choices", "dir", "print", "it prints what would be run"},
	{"choices", "paper", "print", "it prints what would be run"},
	{"choices", "docs", "print", "it prints what would be run"},
	{"choices", "threads", "print", "it prints what would be run"},
	{"choices", "collect", "print", "it prints what would be run"},
	{"choices", "dir", "collect", "it makes no run"},
	{"choices", "threads", "collect", "it makes no run"},
	{"table1 run", "jobs", "index", "one cell is run, in this process"},
	{"table1 run", "streams", "index", "one cell is run, in this process"},
	{"table1 run", "memory", "index", "one cell is run, in this process"},
	{"table1 run", "print", "index", "that cell is run"},
	{"report", "json", "lesson", "it writes a file"},
	{"verify", "json", "errata", "it writes a file"},
	{"verify", "json", "worst-cases", "it writes a file"},
}

// checkFlags refuses flags that are missing, numbers that are out of their flag's range, lists that repeat themselves and flags that
// have no effect in this command line.
func checkFlags(cmd *cobra.Command) (err error) {
	if err := checkRequired(cmd); err != nil {
		return err
	}
	command := commandOf(cmd)
	cmd.Flags().Visit(func(f *pflag.Flag) {
		if err == nil {
			err = checkFlag(command, f, entriesOf(f))
		}
		if err == nil {
			err = checkList(f, entriesOf(f))
		}
	})
	if err != nil {
		return err
	}
	if drops := cmd.Flags().Lookup("drops"); drops != nil && drops.Changed {
		d, err := cmd.Flags().GetIntSlice("drops")
		if err != nil {
			return err
		}
		if !slices.IsSorted(d) {
			return fmt.Errorf("--drops %v: want epochs in increasing order, each once", d)
		}
	}
	return checkEffects(command, cmd)
}

// checkEffects refuses flags that have no effect in this command line.
func checkEffects(command string, cmd *cobra.Command) error {
	for _, e := range effects {
		if e.command != command || !cmd.Flags().Changed(e.flag) {
			continue
		}
		other := cmd.Flags().Lookup(e.with)
		switch {
		case e.values == nil && !other.Changed, other.Value.Type() == "bool" && other.Value.String() == "false":
			return fmt.Errorf("--%s has no effect without --%s", e.flag, e.with)
		case e.values != nil && !slices.Contains(e.values, other.Value.String()):
			return fmt.Errorf("--%s has no effect with --%s %s: it is for %s", e.flag, e.with, other.Value, strings.Join(e.values, " and "))
		}
	}
	for _, e := range exclusive {
		if e.command == command && cmd.Flags().Changed(e.flag) && cmd.Flags().Changed(e.with) {
			return fmt.Errorf("--%s has no effect with --%s: %s", e.flag, e.with, e.why)
		}
	}
	return nil
}

// limitOf is the range of a flag's number. ok is false where none is listed: then any finite number is taken.
func limitOf(command, flag string) (l limit, ok bool) {
	if l, ok = limits[command+"."+flag]; !ok {
		l, ok = limits[flag]
	}
	return l, ok
}

// checkFlag refuses a number that is not finite or not within the flag's limits.
func checkFlag(command string, f *pflag.Flag, entries []string) error {
	l, ok := limitOf(command, f.Name)
	if !ok {
		l = limit{-math.MaxFloat64, math.MaxFloat64}
	}
	switch f.Value.Type() {
	case "int", "int64", "uint64", "float64", "duration":
		entries = []string{f.Value.String()}
	case "intSlice", "numbers":
	default:
		return nil
	}
	for _, text := range entries {
		v, err := strconv.ParseFloat(text, 64)
		if f.Value.Type() == "duration" {
			var d time.Duration
			d, err = time.ParseDuration(text)
			v = float64(d)
		}
		if err != nil || !(v >= l.low && v <= l.high) {
			return fmt.Errorf("--%s %s: want %s", f.Name, text, wanted(command, f))
		}
	}
	return nil
}

// plain writes a limit: whole numbers without an exponent while they are short.
func plain(x float64) string {
	if x == math.Trunc(x) && math.Abs(x) < 1e10 {
		return strconv.FormatFloat(x, 'f', -1, 64)
	}
	return strconv.FormatFloat(x, 'g', 3, 64)
}

// flagsGiven tells which flags were set.
func flagsGiven(cmd *cobra.Command) func(name string) bool {
	return func(name string) bool { return cmd.Flags().Changed(name) }
}
