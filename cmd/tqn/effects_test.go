package main

import (
	"bytes"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// eachCommand calls f for every command that does something.
func eachCommand(f func(name string, c *cobra.Command)) {
	var walk func(c *cobra.Command)
	walk = func(c *cobra.Command) {
		c.InheritedFlags() // declares those of the root
		f(commandOf(c), c)
		for _, sub := range c.Commands() {
			if sub.Name() != "completion" && sub.Name() != "help" {
				walk(sub)
			}
		}
	}
	walk(newRootCommand(&env{stdout: &bytes.Buffer{}, stderr: &bytes.Buffer{}}))
}

// withoutEffectIn says of the command lines of [valid] which flags say nothing in them. A flag that is not named here is taken.
var withoutEffectIn = map[string]string{
	"bench --net vgg9":                               "cells devices memory-fraction only plugin preallocate rounds steps streams",
	"bench --net vgg9 --engine pjrt":                 "cells memory only rounds steps threads",
	"bench --peers --cells":                          "devices layers memory-fraction net plugin preallocate streams width",
	"bench --peers --only vgg9":                      "devices layers memory-fraction net plugin preallocate streams width",
	"choices --out DIR --collect":                    "dir threads",
	"choices --print":                                "collect dir docs out paper threads",
	"compare DIR":                                    "formats",
	"report DIR --lesson DIR/lesson.md":              "json",
	"table1 --columns vgg9 --out DIR":                "devices memory-fraction plugin preallocate streams",
	"table1 --preset smoke --columns vgg9 --out DIR": "devices memory-fraction plugin preallocate streams",
	"table1 --preset smoke --out DIR --engine pjrt":  "threads",
	"table1 --preset laptop --out DIR":               "devices memory-fraction plugin preallocate streams",
	"table1 run --out DIR":                           "claim cpus devices image memory-fraction mount name partition plugin preallocate program streams time",
	"table1 run --out DIR --engine kubernetes":       "devices index memory-fraction partition plugin preallocate streams time",
	"table1 run --out DIR --engine pjrt":             "claim cpus image mount name partition program threads time",
	"table1 run --out DIR --engine slurm":            "claim devices image index memory-fraction mount plugin preallocate streams",
	"table1 run --out DIR --index 0":                 "claim cpus devices image jobs memory memory-fraction mount name partition plugin preallocate print program streams time",
	"toy --json":                                     "formats",
	"train --config FILE --out DIR":                  "devices memory-fraction plugin preallocate",
	"train --net vgg9 --dry-run":                     "devices memory-fraction plugin preallocate",
	"train --net vgg9 --out DIR":                     "devices memory-fraction plugin preallocate",
	"train --net vgg9 --out DIR --engine pjrt":       "memory threads",
	"verify":                        "categorical decimal delta drop formats half model ridge t target",
	"verify --errata DIR/e.md":      "categorical decimal delta drop formats half json model ridge t target",
	"verify --out DIR":              "categorical decimal delta drop half model ridge t target",
	"verify --worst-cases DIR/w.md": "categorical decimal delta drop formats half json model ridge t target",
}

// Every flag of every command is either taken in a command line or refused as one that says nothing in it: as this list has it, and not only
// as the table has it that the command reads.
func TestFlagsHaveTheEffectsThatAreListed(t *testing.T) {
	refused := map[string]string{}
	eachCommand(func(name string, c *cobra.Command) {
		for _, line := range valid[name] {
			var flags []string
			c.Flags().VisitAll(func(f *pflag.Flag) {
				if strings.Contains(line, "--"+f.Name+" ") || strings.HasSuffix(line, "--"+f.Name) || f.Name == "help" {
					return
				}
				// A command of its own: flags keep their values.
				fresh, _, err := newRootCommand(&env{stdout: &bytes.Buffer{}, stderr: &bytes.Buffer{}}).Find(strings.Fields(name))
				if err != nil {
					t.Fatal(err)
				}
				if err := fresh.ParseFlags(append(strings.Fields(line), "--"+f.Name+"="+something(name, f))); err != nil {
					t.Fatalf("tqn %s %s --%s=%s: %v", name, line, f.Name, something(name, f), err)
				}
				switch err := checkFlags(fresh); {
				case err == nil:
				case strings.Contains(err.Error(), "--"+f.Name+" has no effect"):
					flags = append(flags, f.Name)
				case !strings.Contains(err.Error(), "has no effect"): // one that is there says nothing beside the new one
					t.Errorf("tqn %s %s --%s=%s: %v", name, line, f.Name, something(name, f), err)
				}
			})
			if len(flags) > 0 {
				refused[strings.TrimSpace(name+" "+line)] = strings.Join(flags, " ")
			}
		}
	})
	for _, line := range slices.Sorted(maps.Keys(refused)) {
		if refused[line] != withoutEffectIn[line] {
			t.Errorf("%q: %q,\nwant %q", line, refused[line], withoutEffectIn[line])
		}
	}
	for line := range withoutEffectIn {
		if refused[line] == "" {
			t.Errorf("tqn %s takes every flag, want %s refused", line, withoutEffectIn[line])
		}
	}
}

// something is a value that a flag takes.
func something(command string, f *pflag.Flag) string {
	switch f.Value.Type() {
	case "bool", "boolfunc", "func":
		return "true"
	case "duration":
		return "1m"
	case "string", "stringSlice", "stringArray":
		return "x"
	}
	if l, ok := limitOf(command, f.Name); ok && l.high < 1 {
		return "0.5"
	} else if ok && l.low > 1 {
		return plain(l.low)
	}
	return "1"
}

// unlimited are the flags that take every number of their kind: seeds and, of bound, the symbols, whose ranges are package bounds's.
var unlimited = strings.Fields(`seed bound.alpha bound.b bound.c bound.d bound.delta bound.diameter bound.epsilon bound.g bound.l bound.l2 bound.mass bound.mu
	bound.rate bound.sigma bound.t bound.tail`)

// Every flag that is a number has a range, or is listed above as one that has none.
func TestEveryNumberHasARange(t *testing.T) {
	eachCommand(func(name string, c *cobra.Command) {
		c.Flags().VisitAll(func(f *pflag.Flag) {
			switch f.Value.Type() {
			case "int", "int64", "uint64", "float64", "intSlice", "numbers", "duration":
			default:
				return
			}
			l, limited := limitOf(name, f.Name)
			free := slices.Contains(unlimited, f.Name) || slices.Contains(unlimited, name+"."+f.Name)
			if limited == free {
				t.Errorf("tqn %s --%s: range %t, listed as without one %t", name, f.Name, limited, free)
			}
			if limited && !(l.low < l.high) {
				t.Errorf("tqn %s --%s: range %+v", name, f.Name, l)
			}
		})
	})
}
