//go:build unix

package main

import (
	"bytes"
	"image"
	"image/png"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"tqn/runfolder"
)

// What is no plain file is refused wherever a file is read, at once and by its name: a FIFO would wait for a writer, a device may never end. Only
// tqn chain takes a named pipe, as shells hand them over.
func TestOnlyPlainFilesAreRead(t *testing.T) {
	if testing.Short() {
		t.Skip("some forty processes")
	}
	// A run and a plan, whose files are replaced one by one.
	var picture bytes.Buffer
	if err := png.Encode(&picture, image.NewGray(image.Rect(0, 0, 1, 1))); err != nil {
		t.Fatal(err)
	}
	run := t.TempDir()
	if code, _, stderr := command(t, "train", "--net", "vgg9", "--width", "0.0625", "--depth", "0.5", "--data", "textures", "--classes", "3", "--size", "8", "--epochs", "1",
		"--batch", "8", "--train-images", "8", "--test-images", "8", "--out", run); code != exitExpected {
		t.Fatalf("exit code %d: %s", code, stderr)
	}
	plan := t.TempDir()
	if code, _, stderr := command(t, "table1", "plan", "--preset", "smoke", "--columns", "vgg9", "--out", plan); code != exitExpected {
		t.Fatalf("exit code %d: %s", code, stderr)
	}
	kinds := map[string]func(path string) error{
		"FIFO":   func(path string) error { return syscall.Mkfifo(path, 0o600) },
		"device": func(path string) error { return os.Symlink("/dev/zero", path) },
		"folder": func(path string) error { return os.Mkdir(path, 0o755) },
	}
	for _, c := range []struct {
		file string // that is none, below a folder of its own
		copy string // the folder whose other files lie beside it
		args string // DIR stands for that folder, FILE for the file
		says string // of a command that succeeds nevertheless, what it prints
	}{
		{"t.csv", "", "verify --data FILE --target y", ""},
		{"verify.md", "", "verify --data GOOD --target y --t 3 --out DIR", "All 5 results hold"},
		{"c.json", "", "train --config FILE --dry-run", ""},
		{"config.json", run, "eval DIR", ""},
		{"checkpoint", run, "eval DIR", ""},
		{"weights.safetensors", run, "eval DIR --weights full", ""},
		{"result.json", run, "eval DIR --weights full", ""},
		{"metrics.jsonl", run, "compare DIR", ""},
		{"result.json", run, "train --config DIR/config.json --out DIR", ""},
		{"other.json", plan, "table1 run --out DIR --plan FILE --print", ""},
		{"plan.json", "", "table1 run --out DIR", ""},
		{"plan.json", "", "table1 status --out DIR", ""},
		{"plan.json", "", "choices --collect --out DIR --paper DIR", ""},
		{"cells/vgg9.adam.1/result.json", plan, "table1 status --out DIR", "want a plain file"},
		{"cells/vgg9.adam.1/metrics.jsonl", plan, "table1 status --out DIR", "5 waiting"},
		{"cells/vgg9.adam.1/lock", plan, "table1 status --out DIR", "5 waiting"},
		{"train/a/1.png", "", "data verify imagenet --dir DIR", ""},
		{"train-images-idx3-ubyte", "", "data verify fashion-mnist --dir DIR", ""},
		{"data_batch_1.bin", "", "data verify cifar10 --dir DIR", ""},
		{"cifar-10-binary.tar.gz", "", "data verify cifar10 --dir DIR", ""},
		{"cifar-10-binary.tar.gz", "", "data fetch cifar10 --dir DIR", ""},
		{"cifar-10-binary.tar.gz.part", "", "data fetch cifar10 --dir DIR", ""},
	} {
		for kind, make := range kinds {
			t.Run(c.args+" "+c.file+" "+kind, func(t *testing.T) {
				t.Parallel()
				dir := t.TempDir()
				file := filepath.Join(dir, filepath.FromSlash(c.file))
				if c.copy != "" {
					if err := os.CopyFS(dir, os.DirFS(c.copy)); err != nil {
						t.Fatal(err)
					}
				}
				_ = os.Remove(file)
				if strings.Contains(c.args, "imagenet") {
					for _, class := range []string{"val/a", "val/b", "train/a", "train/b"} {
						if err := runfolder.WriteFile(filepath.Join(dir, class, "2.png"), picture.Bytes()); err != nil {
							t.Fatal(err)
						}
					}
				}
				if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
					t.Fatal(err)
				}
				if err := make(file); err != nil {
					t.Fatal(err)
				}
				line := strings.NewReplacer("FILE", file, "DIR", dir, "GOOD", good(t)).Replace(c.args)
				cmd := process(strings.Fields(line)...)
				var text strings.Builder
				cmd.Stdout, cmd.Stderr = &text, &text
				if err := cmd.Start(); err != nil {
					t.Fatal(err)
				}
				switch code := ended(t, cmd, time.Minute); {
				case code < 0:
					t.Errorf("%s does not end", line)
				case c.says != "" && code == exitExpected && strings.Contains(text.String(), c.says):
				case c.says == "" && code == exitUsage && strings.Contains(text.String(), file) && strings.Contains(text.String(), "plain file"):
				case kind == "folder" && code != exitExpected: // told in other words, such as that nothing is there
				default:
					t.Errorf("%s: exit code %d: %s", line, code, text.String())
				}
			})
		}
	}
}
