package main

import (
	"bytes"
	"fmt"
	"math"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// valid are command lines, one or more for each command, in which every flag of the command has an effect in one at least. FILE is a
// table, DIR an empty folder. A flag that is added to one of them says the rest.
var valid = map[string][]string{
	"":               {""},
	"bench":          {"--net vgg9", "--peers --only vgg9", "--peers --cells", "--net vgg9 --engine pjrt"},
	"bound":          {"theorem1"},
	"chain":          {"FILE", "FILE --format rates"},
	"choices":        {"--out DIR --collect", "--print", "--out DIR"},
	"compare":        {"DIR --out DIR", "DIR"},
	"data":           {""},
	"data fetch":     {"cifar10"},
	"data list":      {""},
	"data verify":    {"cifar10"},
	"eval":           {"DIR"},
	"licences":       {""},
	"man":            {"DIR"},
	"report":         {"DIR", "DIR --lesson DIR/lesson.md"},
	"table1":         {"--preset smoke --columns vgg9 --out DIR", "--preset smoke --out DIR --engine pjrt", "--columns vgg9 --out DIR", "--preset laptop --out DIR"},
	"table1 collect": {"--out DIR"},
	"table1 plan":    {"--preset smoke --columns vgg9 --out DIR --estimate", "--columns vgg9 --out DIR", "--preset laptop --out DIR"},
	"table1 run":     {"--out DIR", "--out DIR --engine slurm", "--out DIR --engine kubernetes", "--out DIR --engine pjrt", "--out DIR --index 0"},
	"table1 status":  {"--out DIR"},
	"toy":            {"--out DIR", "--json", "--out DIR --objective w*w"},
	"train":          {"--net vgg9 --out DIR", "--net vgg9 --dry-run", "--net vgg9 --out DIR --engine pjrt", "--config FILE --out DIR"},
	"verify":         {"--out DIR", "", "--out DIR --data FILE --target y", "--errata DIR/e.md", "--worst-cases DIR/w.md"},
}

// nonsense are values that no flag of a type takes, with the limits of the flag.
func nonsense(f *pflag.Flag, l limit, limited bool) []string {
	above := func(x float64) string { return fmt.Sprintf("%.0f", x*10+10) }
	switch f.Value.Type() {
	case "int", "int64":
		values := []string{"", "abc", "NaN", "Inf", "1.5", "1e9", "99999999999999999999", "0x", " "}
		if limited {
			values = append(values, fmt.Sprintf("%.0f", l.low-1), "-1000000000")
			if l.high < math.MaxInt64/20 {
				values = append(values, above(l.high))
			}
		}
		return values
	case "uint64":
		return []string{"", "abc", "NaN", "Inf", "-1", "1.5", "1e9", "18446744073709551616"}
	case "float64":
		values := []string{"", "abc", "NaN", "Inf", "-Inf", "1e400", "1,5"}
		if limited && l.low >= 0 {
			values = append(values, "-1", "-1e308")
		}
		if limited && l.low > 0 {
			values = append(values, "0")
		}
		if limited && l.high < 1e300 {
			values = append(values, "1e308", fmt.Sprint(l.high*1.5))
		}
		return values
	case "numbers", "intSlice":
		values := []string{"", ",", "1,", "1,,2", "abc", "1,abc", "NaN", "1,Inf", "1,1", "2,1e400"}
		if limited && l.low >= 0 {
			values = append(values, "-1", "0", "1,-1")
		}
		return values
	case "duration":
		return []string{"", "abc", "5", "-1s", "0s", "1ns", "1e9h", "NaN"}
	case "bool":
		return []string{"maybe", "2", "yes"}
	case "stringSlice", "stringArray":
		values := []string{""}
		if f.Value.Type() == "stringSlice" {
			values = append(values, "a,a", "a,,b", ",")
		}
		return values
	case "string":
		return []string{""}
	case "func", "boolfunc":
		return []string{"", "maybe", "2"}
	}
	return nil
}

// Every flag of every command refuses, by its name, what it cannot take, before anything is done: what is no number of its kind, not finite, out
// of range, empty, or twice in a list.
func TestEveryFlagRefusesNonsense(t *testing.T) {
	file, tried := good(t), 0
	var walk func(c *cobra.Command)
	walk = func(c *cobra.Command) {
		for _, sub := range c.Commands() {
			if sub.Name() != "completion" && sub.Name() != "help" {
				walk(sub)
			}
		}
		name := commandOf(c)
		lines, ok := valid[name]
		if !ok {
			t.Errorf("tqn %s: no valid line of it is known here", name)
			return
		}
		c.InheritedFlags() // declares those of the root
		c.Flags().VisitAll(func(f *pflag.Flag) {
			if f.Name == "help" {
				return
			}
			l, limited := limitOf(name, f.Name)
			values := nonsense(f, l, limited)
			if len(values) == 0 {
				t.Errorf("tqn %s --%s is a %s: no nonsense is known of it", name, f.Name, f.Value.Type())
			}
			for _, value := range values {
				line := strings.NewReplacer("FILE", file, "DIR", t.TempDir()).Replace(name + " " + lines[0])
				args := strings.Fields(line)
				if i := slices.Index(args, "--"+f.Name); i >= 0 {
					args = slices.Delete(args, i, min(i+2, len(args))) // with its value: a list would be added to
				}
				args = append(args, "--"+f.Name+"="+value)
				code, stdout, stderr := command(t, args...)
				tried++
				if code != exitUsage || stdout != "" || !strings.Contains(stderr, "--"+f.Name) || strings.Contains(stderr, "strconv") || strings.Contains(stderr, "Errorf") {
					t.Errorf("tqn %s: exit code %d, %.300q", strings.Join(args, " "), code, stdout+stderr)
				}
			}
		})
	}
	walk(newRootCommand(&env{stdout: &bytes.Buffer{}, stderr: &bytes.Buffer{}}))
	t.Logf("%d command lines are refused", tried)
}

// A flag that says nothing in its command line is refused, by its name, and so is a word that a flag does not know, and a size that no
// computer has.
func TestFlagsWithoutEffectAreRefused(t *testing.T) {
	for line, words := range map[string]string{
		"bench --net vgg9 --peers":                                                     "--net has no effect with --peers",
		"bench --peers --width 0.5":                                                    "--width has no effect with --peers",
		"bench --peers --layers":                                                       "--layers has no effect with --peers",
		"bench --net vgg9 --batch 1048576 --memory 2000":                               "of 2000 MiB: take smaller batches",
		"bench --net vgg-bc --width 16 --batch 1048576":                                "MiB of memory, of",
		"bench --net vgg9 --engine pjrt --memory 5":                                    "--memory has no effect with --engine pjrt",
		"train --net vgg9 --out DIR/new --memory 100":                                  "vgg9 with batches of 128 images needs about",
		"train --net resnet18 --data imagenet --size 4096 --out DIR":                   "MiB of memory, of",
		"bench --net vgg9 --cells":                                                     "--cells has no effect without --peers",
		"bench --net vgg9 --engine nope":                                               "--engine",
		"bench --net vgg9 --precision nope":                                            "--precision",
		"choices --print --collect":                                                    "--collect has no effect with --print",
		"choices --print --out DIR":                                                    "--out has no effect with --print",
		"choices --print --dir DIR":                                                    "--dir has no effect with --print",
		"choices --print --docs DIR":                                                   "--docs has no effect with --print",
		"choices --print --paper DIR":                                                  "--paper has no effect with --print",
		"choices --print --threads 1":                                                  "--threads has no effect with --print",
		"choices --collect --dir DIR":                                                  "--dir has no effect with --collect",
		"choices --collect --threads 2":                                                "--threads has no effect with --collect",
		"compare DIR --formats svg":                                                    "--formats has no effect without --out",
		"compare DIR --out DIR --formats gif":                                          "--formats",
		"data verify nope":                                                             `no set is called "nope"`,
		"eval DIR --weights nope --dir":                                                "--dir: a value is missing",
		"man DIR --json":                                                               "--json has no effect",
		"report DIR --lesson x.md --json":                                              "--json has no effect with --lesson",
		"report DIR --formats svg":                                                     "--formats",
		"table1 --preset nope --out DIR":                                               `no preset is called "nope"`,
		"table1 --columns nope --out DIR":                                              `no column is called "nope"`,
		"table1 --methods nope --out DIR":                                              `unknown method "nope"`,
		"table1 --preset smoke --out DIR --precision x":                                "--precision",
		"table1 --preset smoke --out DIR --engine slurm":                               "--engine",
		"table1 --preset smoke --memory 1 --out DIR --dir DIR":                         "--dir has no effect with --preset smoke, whose columns train on built-in images: embedded, textures-100x32, textures-200x48",
		"table1 plan --columns vgg9,resnet56 --out DIR --dir DIR/none":                 "--dir has no effect with --preset quick --columns vgg9,resnet56, whose columns",
		"table1 plan --preset laptop --columns resnet18 --out DIR --dir DIR":           "--dir has no effect with --preset laptop --columns resnet18, whose columns",
		"table1 plan --preset laptop --out DIR --dir DIR/none":                         "--dir DIR/none: no such folder",
		"table1 plan --preset laptop --columns resnet56-c100 --out DIR --dir DIR/none": "--dir DIR/none: no such folder",
		"table1 plan --preset laptop --columns resnet56-c100 --out DIR --dir FILE":     "FILE is not a folder",
		"table1 plan --preset smoke --threads 2 --out DIR":                             "--threads has no effect without --estimate",
		"table1 run --out DIR --index 0 --print":                                       "--print has no effect with --index",
		"table1 run --out DIR --index 0 --jobs 2":                                      "--jobs has no effect with --index",
		"table1 run --out DIR --index 0 --memory 20":                                   "--memory has no effect with --index",
		"table1 run --out DIR --index 0 --engine slurm":                                "--index has no effect with --engine slurm",
		"table1 run --out PLAN --engine nope":                                          `no engine is called "nope"; there are local, pjrt, slurm and kubernetes`,
		"table1 run --out PLAN --engine slurm --print --time nope":                     `time limit "nope"`,
		"table1 run --out PLAN --engine slurm --print --name Nope":                     "name",
		"toy --out DIR --box 1,2":                                                      "--box is about --objective",
		"toy --out DIR --objective w*w --seed 2":                                       "--seed is about simulations",
		"toy --out DIR --objective w*w --iterations 2":                                 "--iterations is about simulations",
		"toy --json --objective w*w --box 1":                                           "--box: 1 values",
		"toy --json --objective w*w --box 3,-3":                                        "lo < hi",
		"toy --json --objective w*w --delta 1e-9":                                      "want 2 to 2000",
		"toy --json --delta 1e-9":                                                      "want 2 to 2000",
		"toy --json --delta 0.005":                                                     "want 2 to 2000",
		"toy --json --alphas 1e-5":                                                     "alpha = 1e-05; want 1e-4 to 100",
		"toy --json --noise nope":                                                      "--noise",
		"train --net vgg9 --dry-run --engine nope":                                     "--engine",
		"train --net vgg9 --dry-run --precision tf32":                                  "--precision tf32",
		"train --net vgg9 --dry-run --method sr --init glorot":                         "--init has no effect with --method sr",
		"train --net vgg9 --dry-run --method sr --clip=false":                          "clip",
		"train --net vgg9 --dry-run --shortcut A":                                      "shortcut",
		"train --net vgg9 --dry-run --epochs 3 --drops 1,3":                            "--drops 3 has no effect: the run ends after 3 epochs",
		"train --net vgg9 --dry-run --data embedded --dir DIR":                         "--dir has no effect with --data embedded",
		"train --net vgg9 --dry-run --data textures --dir DIR":                         "--dir has no effect with --data textures",
		"train --net vgg9 --dry-run --data textures-10x32 --dir DIR/none":              "--dir has no effect with --data textures-10x32",
		"train --net vgg9 --dry-run --dir DIR":                                         "--dir has no effect with --data embedded",
		"train --net vgg9 --dry-run --data embedded --skip-corrupt":                    "--skip-corrupt has no effect with --data embedded",
		"train --net vgg9 --dry-run --data cifar10 --size 8":                           "size",
		"train --net vgg9 --dry-run --batch 100000":                                    "batch",
		"train --net vgg9 --dry-run --data textures --classes 60000":                   "classes",
		"train --net vgg9 --dry-run --data textures --size 4000":                       "a side of 8 to 1024",
		"train --net vgg9 --plan --out DIR":                                            "--plan",
		"verify --formats svg":                                                         "--formats has no effect without --out",
		"verify --decimal comma":                                                       "--decimal has no effect without --data",
		"verify --data FILE --target y --decimal nope":                                 "decimal mark",
		"verify --data FILE --target y --model nope":                                   "--model nope",
		"verify --data FILE --target y --delta 1e12":                                   "whole number",
		"verify --data FILE --target nope":                                             `no column "nope"`,
		"verify --data FILE":                                                           "--data wants --target",
		"verify --paper nope":                                                          "--paper nope",
		"verify --claim nope":                                                          "--claim nope",
		"verify --errata DIR/e.md --seed 3":                                            "--errata",
		"verify --worst-cases DIR/w.md --json":                                         "--json has no effect with --worst-cases",
	} {
		plan := t.TempDir()
		if strings.Contains(line, "PLAN") {
			if code, _, stderr := command(t, "table1", "plan", "--preset", "smoke", "--columns", "vgg9", "--out", plan); code != exitExpected {
				t.Fatal(stderr)
			}
		}
		dir := t.TempDir()
		fill := strings.NewReplacer("FILE", good(t), "DIR", dir, "PLAN", plan)
		line, words = fill.Replace(line), fill.Replace(words)
		if code, stdout, stderr := command(t, strings.Fields(line)...); code != exitUsage || stdout != "" || !strings.Contains(stderr, words) {
			t.Errorf("tqn %s: exit code %d, %.300q; want %q", line, code, stdout+stderr, words)
		}
		if left, err := os.ReadDir(dir); err != nil || len(left) > 0 {
			t.Errorf("tqn %s leaves %v (%v)", line, left, err)
		}
	}
	// A folder that lacks a set which has a stand-in has been looked into.
	if code, _, stderr := command(t, "table1", "plan", "--preset", "laptop", "--columns", "resnet56-c100", "--dir", t.TempDir(), "--out", t.TempDir()); code != exitExpected {
		t.Errorf("a folder without CIFAR-100: exit code %d, %s", code, stderr)
	}
}
