package main

import (
	"bytes"
	"image"
	"image/png"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"tqn/referee"
	"tqn/runfolder"
)

// Each of these command lines is refused for one reason, by one check, in words of its own.
func TestCommandLinesAreRefused(t *testing.T) {
	dir := t.TempDir()
	two := filepath.Join(dir, "two.csv")
	if err := os.WriteFile(two, []byte("1,0\n0,1\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	for line, words := range map[string]string{
		"nope":                             `unknown command "nope"`,
		"table1 nope":                      `table1: there is no command "nope"; tqn table1 --help lists them`,
		"chain TWO TWO":                    "is one too many; a flag's value is written behind it",
		"licences x":                       `licences: argument "x" is one too many`,
		"data verify":                      "data verify: an argument is missing: tqn data verify NAME",
		"compare":                          "compare: an argument is missing",
		"table1 plan":                      "table1 plan: --out is missing",
		"table1 run":                       "table1 run: --out is missing",
		"train --net vgg9":                 "train: --out is missing",
		"toy":                              "toy: want --out DIR for the report, or --json",
		"toy --objective w*w":              "toy: want --out DIR for the report, or --json",
		"bench --peers --only vgg9,nope":   "--only nope: no such case",
		"bound theorem1 --t 1e17":          "want a whole number from 1 to 2^53",
		"bound theorem1 --t 1.5":           "want a whole number from 1 to 2^53",
		"bound theorem1 --t 0":             "want a whole number from 1 to 2^53",
		"chain TWO --plot DIR/x.png":       "--plot draws one stationary law, this chain has several",
		"chain TWO --plot DIR/x.gif":       "want a name that ends in .",
		"chain TWO --from-one":             "--from-one is for --format rates",
		"chain TWO --format rates":         "2 fields; want from,to,rate",
		"chain DIR":                        "is a folder; want a file",
		"data fetch embedded":              "embedded is built in: there is nothing to fetch",
		"data fetch imagenet":              "imagenet cannot be fetched",
		"verify --worst-cases w --seed 3":  "no other flag has an effect with it",
		"verify --errata e --seed 3":       "no other flag has an effect with it",
		"train --net vgg9 --out r --plan":  "want --dry-run too",
		"bench --net vgg9 --precision f16": "the CPU's products are f32 or bf16",
	} {
		line = strings.NewReplacer("TWO", two, "DIR", dir).Replace(line)
		if code, stdout, stderr := command(t, strings.Fields(line)...); code != exitUsage || stdout != "" || !strings.Contains(stderr, words) {
			t.Errorf("tqn %s: exit code %d, %.300q; want %q", line, code, stdout+stderr, words)
		}
	}
	if runtime.GOOS == "linux" {
		for line, words := range map[string]string{"chain /dev/zero": "is a device; want a file", "verify --data /dev/zero --target y": "/dev/zero is not a plain file"} {
			if code, _, stderr := command(t, strings.Fields(line)...); code != exitUsage || !strings.Contains(stderr, words) {
				t.Errorf("tqn %s: exit code %d, %.300q; want %q", line, code, stderr, words)
			}
		}
		t.Setenv("HOME", "")
		t.Setenv("XDG_CACHE_HOME", "")
		if code, _, stderr := command(t, "data", "fetch", "cifar10"); code != exitUsage || !strings.Contains(stderr, "the system names no cache folder: say where with --dir") {
			t.Errorf("data fetch without a home: exit code %d, %s", code, stderr)
		}
	}
}

// The study's folder holds the study's runs, and no others under their names.
func TestTheStudyTakesItsOwnRuns(t *testing.T) {
	dir := t.TempDir()
	name := referee.Study()[0].Name
	code, _, stderr := command(t, "train", "--net", "vgg9", "--width", "0.0625", "--depth", "0.5", "--data", "textures", "--classes", "3", "--size", "8", "--epochs", "1",
		"--batch", "8", "--train-images", "8", "--test-images", "8", "--out", filepath.Join(dir, name))
	if code != exitExpected {
		t.Fatal(stderr)
	}
	if code, _, stderr = command(t, "choices", "--collect", "--out", dir); code != exitUsage || !strings.Contains(stderr, name+" is another run than the study's") {
		t.Errorf("exit code %d, %s", code, stderr)
	}
}

// What verify finds odd about a set is a result that is not as expected.
func TestProblemsOfDataAreNotAsExpected(t *testing.T) {
	dir := t.TempDir()
	var picture bytes.Buffer
	if err := png.Encode(&picture, image.NewGray(image.Rect(0, 0, 8, 8))); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"train/a/1.png", "train/b/2.png", "val/a/3.png"} {
		if err := runfolder.WriteFile(filepath.Join(dir, filepath.FromSlash(name)), picture.Bytes()); err != nil {
			t.Fatal(err)
		}
	}
	code, stdout, stderr := command(t, "data", "verify", "imagenet", "--dir", dir)
	if code != exitUnexpected || !strings.Contains(stdout, "problem: ") || !strings.Contains(stderr, "not as expected: problems: 1") {
		t.Errorf("exit code %d, %s", code, stdout+stderr)
	}
}

// A set that can be read and is not the published one is not as expected either.
func TestOtherContentsAreNotAsExpected(t *testing.T) {
	dir := t.TempDir()
	for _, half := range []string{"train", "t10k"} {
		images := append([]byte{0, 0, 8, 3, 0, 0, 0, 1, 0, 0, 0, 28, 0, 0, 0, 28}, make([]byte, 28*28)...)
		for name, data := range map[string][]byte{half + "-images-idx3-ubyte": images, half + "-labels-idx1-ubyte": {0, 0, 8, 1, 0, 0, 0, 1, 3}} {
			if err := os.WriteFile(filepath.Join(dir, name), data, 0o644); err != nil {
				t.Fatal(err)
			}
		}
	}
	code, stdout, stderr := command(t, "data", "verify", "fashion-mnist", "--dir", dir)
	if code != exitUnexpected || !strings.Contains(stdout, "1 + 1 images") || !strings.Contains(stderr, "fashion-mnist is not as expected: it is not the published set") {
		t.Errorf("exit code %d, %s", code, stdout+stderr)
	}
}

// Where a cluster needs several arrays and refuses the second, the error says that the first is submitted.
func TestASecondArrayThatIsRefused(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("scripts of sh")
	}
	bin, dir := t.TempDir(), t.TempDir()
	for name, text := range map[string]string{
		"scontrol": "#!/bin/sh\necho 'MaxArraySize            = 3'\n",
		"sbatch":   "#!/bin/sh\ncat >/dev/null\n[ -e \"$0.once\" ] && exit 1\n: >\"$0.once\"\necho 17\n",
	} {
		if err := os.WriteFile(filepath.Join(bin, name), []byte(text), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	t.Setenv("PATH", bin+string(os.PathListSeparator)+os.Getenv("PATH"))
	if code, _, stderr := command(t, "table1", "plan", "--preset", "smoke", "--columns", "vgg9", "--out", dir); code != exitExpected {
		t.Fatal(stderr)
	}
	code, stdout, stderr := command(t, "table1", "run", "--out", dir, "--engine", "slurm")
	if code != exitUsage || stdout != "17\n" || !strings.Contains(stderr, "array 2 of 2 (the ones before are submitted): sbatch --parsable: exit status 1") {
		t.Errorf("exit code %d, %q, %s", code, stdout, stderr)
	}
}
