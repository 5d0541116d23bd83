package main

import (
	"archive/tar"
	"bufio"
	"bytes"
	"compress/gzip"
	"context"
	"encoding/binary"
	"fmt"
	"image"
	"image/png"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"tqn/runfolder"
)

// measured runs this process's arguments as tqn in limited memory and says the largest amount that it had in use.
func measured(mib string) {
	most, err := strconv.ParseUint(mib, 10, 32)
	if err == nil {
		size := procStatus("VmSize:")<<10 + most<<20
		err = syscall.Setrlimit(syscall.RLIMIT_AS, &syscall.Rlimit{Cur: size, Max: size})
	}
	if err != nil {
		panic(err)
	}
	code := run(context.Background(), os.Args[1:], os.Stdout, os.Stderr)
	fmt.Fprintf(os.Stderr, "\npeak %d KiB\n", procStatus("VmHWM:"))
	os.Exit(code)
}

// procStatus is a number of KiB of /proc/self/status.
func procStatus(name string) uint64 {
	b, err := os.ReadFile("/proc/self/status")
	if err != nil {
		panic(err)
	}
	_, rest, _ := strings.Cut(string(b), name)
	n, err := strconv.ParseUint(strings.Fields(rest)[0], 10, 64)
	if err != nil {
		panic(err)
	}
	return n
}

// program is what tqn takes before it reads anything, and what its runtime keeps.
const program = 64 << 20

// Files that expand, that hold nothing but small things, or that have no end, take the memory that the documentation of their parser says: in
// a process of its own, by the operating system's account, under the operating system's limit.
func TestParsersTakeTheMemoryThatTheySay(t *testing.T) {
	if testing.Short() {
		t.Skip("expands and decodes some gigabytes")
	}
	run := t.TempDir()
	if code, _, stderr := command(t, "train", "--net", "vgg9", "--width", "0.0625", "--depth", "0.5", "--data", "textures", "--classes", "3", "--size", "8", "--epochs", "1",
		"--batch", "8", "--train-images", "8", "--test-images", "8", "--out", run); code != exitExpected {
		t.Fatalf("exit code %d: %s", code, stderr)
	}
	const m = 1 << 20
	for _, c := range []struct {
		name  string
		file  string                   // below a folder of its own
		copy  string                   // a folder whose other files lie beside it
		write func(w *bufio.Writer)    // its contents
		args  string                   // DIR and FILE stand for the folder and the file
		says  string                   // in the error
		most  func(length int64) int64 // that the parser takes besides the program
	}{
		{"a table of short numbers", "t.csv", "", repeated("x,y\n", "1,2\n", 6*m, ""), "verify --data FILE --target y", "is constant", by(64*m, 32)},
		{"a table of one field", "t.csv", "", repeated("x,y\n\"", strings.Repeat("1", 100), 150*m, ""), "verify --data FILE --target y", "a record of more than", by(64*m, 0)},
		{"a table of one line", "t.csv", "", repeated("x,y\n", strings.Repeat("1,", 100), 150*m, ""), "verify --data FILE --target y", "a record of more than", by(64*m, 0)},
		{"a table of one heading", "t.csv", "", repeated("", "x,", m-100, "y\n1\n"), "verify --data FILE --target y", "at most 10000", by(64*m, 32)},
		{"an archive that expands", "cifar-10-binary.tar.gz", "", archive("notes.txt", 1<<30, 0), "data verify cifar10 --dir DIR", "files that do not belong to the set", by(16*m, 0)},
		{"an archive of a file that is too long", "cifar-10-binary.tar.gz", "", archive("data_batch_1.bin", 1<<30, 0), "data verify cifar10 --dir DIR", "at most 30730000 are right", by(16*m, 0)},
		{"an archive of a batch that is none", "cifar-10-binary.tar.gz", "", archive("data_batch_1.bin", 30730000, 0), "data verify cifar10 --dir DIR", "has no file data_batch_2.bin", by(200*m, 0)},
		{"an archive with zeros behind its end", "cifar-10-binary.tar.gz", "", archive("notes.txt", 1, 300*m), "data verify cifar10 --dir DIR", "after the archive's end", by(16*m, 0)},
		{"more images than a set has", "train-images-idx3-ubyte.gz", "", packedIDX(1<<30, m), "data verify fashion-mnist --dir DIR", "want 1 to 262144", by(16*m, 0)},
		{"as many images as a set may have", "train-images-idx3-ubyte.gz", "", packedIDX(1<<18, 784<<18), "data verify fashion-mnist --dir DIR", "train-labels-idx1-ubyte", by(650*m, 0)},
		{"a pickle of marks", "data_batch_1", "", repeated("", "(", 20*m, ""), "data verify cifar10 --dir DIR", "more than 1048576 values", by(256*m, 3)},
		{"a pickle of lists", "data_batch_1", "", repeated("", "]", 20*m, ""), "data verify cifar10 --dir DIR", "more than 1048576 values", by(256*m, 3)},
		{"a pickle that remembers", "data_batch_1", "", repeated("]", "\x94", 20*m, ""), "data verify cifar10 --dir DIR", "values are remembered", by(256*m, 3)},
		{"a pickle of one line", "data_batch_1", "", repeated("V", "x", 20*m, ""), "data verify cifar10 --dir DIR", "a line without an end", by(256*m, 3)},
		{"weights of many names", "weights.safetensors", run, header(`"%07x":1`, 400_000), "eval DIR --weights full", "more than 100000 members", by(64*m, 5)},
		{"weights of one shape", "weights.safetensors", run, repeated("", "", 0, headed(`{"a":{"dtype":"F32","shape":[`+strings.Repeat("1,", 4*m)+`1],"data_offsets":[0,4]}}`)), "eval DIR --weights full", "an entry of", by(64*m, 5)},
		{"weights without end", "weights.safetensors", run, nil, "eval DIR --weights full", "want at most", by(64*m, 0)},
		{"a checkpoint without end", "checkpoint", run, nil, "eval DIR", "want at most", by(64*m, 0)},
		{"a result of empty epochs", "result.json", run, repeated(`{"epochs":[`, "{},", 10*m, "{}]}"), "eval DIR --weights full", "objects in", by(64*m, 24)},
		{"a result of drops", "result.json", run, repeated(`{"config":{"drops":[`, "1,", 6*m, "1]}}"), "eval DIR --weights full", "result.json", by(64*m, 24)},
		{"metrics of empty lines", "metrics.jsonl", run, repeated("", "\n", 10*m, ""), "compare DIR", "metrics.jsonl", by(64*m, 2)},
		{"metrics of one line", "metrics.jsonl", run, repeated(`{"layers":[`, "{},", 10*m, "{}]}"), "compare DIR", "objects in", by(64*m, 24)},
		{"a plan of empty cells", "plan.json", "", repeated(`{"cells":[`, "{},", 15*m, "{}]}"), "table1 status --out DIR", "objects in", by(64*m, 24)},
		{"a configuration without end", "config.json", run, nil, "eval DIR", "want at most", by(64*m, 0)},
		{"pictures that expand, in parallel", "train/a/1.png", "", blank(3500, 3500), "data verify imagenet --dir DIR", "all readable", by(1250*1000*1000, 0)},
	} {
		t.Run(c.name, func(t *testing.T) {
			dir := t.TempDir()
			if c.copy != "" {
				if err := os.CopyFS(dir, os.DirFS(c.copy)); err != nil {
					t.Fatal(err)
				}
			}
			file := filepath.Join(dir, filepath.FromSlash(c.file))
			_ = os.Remove(file)
			size := int64(1 << 40) // of a file without end: it has a hole
			if c.write == nil {
				if err := os.WriteFile(file, nil, 0o644); err != nil {
					t.Fatal(err)
				}
				if err := os.Truncate(file, size); err != nil {
					t.Skip("this file system has no files of a terabyte:", err)
				}
			} else {
				var b bytes.Buffer
				w := bufio.NewWriter(&b)
				c.write(w)
				w.Flush()
				if size = int64(b.Len()); size == 0 {
					t.Fatal("an empty file")
				}
				if err := runfolder.WriteFile(file, b.Bytes()); err != nil {
					t.Fatal(err)
				}
				if strings.Contains(c.args, "imagenet") {
					for i := range 24 {
						for _, class := range []string{"train/a", "train/b", "val/a", "val/b"} {
							if i > 0 && class != "train/a" {
								continue
							}
							if err := os.MkdirAll(filepath.Join(dir, class), 0o755); err != nil {
								t.Fatal(err)
							}
							if err := os.Link(file, filepath.Join(dir, class, fmt.Sprintf("%d.png", i+2))); err != nil {
								t.Fatal(err)
							}
						}
					}
				}
			}
			most := program + c.most(size)
			cmd := process(strings.Fields(strings.NewReplacer("FILE", file, "DIR", dir).Replace(c.args))...)
			cmd.Env = append(cmd.Env, fmt.Sprintf("%s=%d", withMemory, 2*most>>20+512), "GOMAXPROCS=24")
			var text strings.Builder
			cmd.Stdout, cmd.Stderr = &text, &text
			started := time.Now()
			if err := cmd.Start(); err != nil {
				t.Fatal(err)
			}
			code := ended(t, cmd, time.Minute)
			said, peak, ok := strings.Cut(text.String(), "\npeak ")
			kib, err := strconv.ParseInt(strings.TrimSuffix(peak, " KiB\n"), 10, 64)
			if !ok || err != nil || code != exitUsage && code != exitExpected {
				t.Fatalf("exit code %d: %.2000s", code, text.String())
			}
			t.Logf("%d KiB of at most %d, %.1f s, a file of %d bytes: %.150s", kib, most>>10, time.Since(started).Seconds(), size, said)
			if kib > most>>10 {
				t.Errorf("%d KiB are taken, %d are documented", kib, most>>10)
			}
			if !strings.Contains(said, c.says) {
				t.Errorf("it says %.300q, want %q", said, c.says)
			}
		})
	}
}

// by is a bound: so many bytes, and so many for each byte of the file.
func by(fixed, each int64) func(int64) int64 {
	return func(length int64) int64 { return fixed + each*length }
}

// repeated writes a text of that length between two others.
func repeated(before, piece string, length int, after string) func(*bufio.Writer) {
	return func(w *bufio.Writer) {
		w.WriteString(before)
		for n := 0; n < length; n += len(piece) {
			w.WriteString(piece)
		}
		w.WriteString(after)
	}
}

// headed is a file of safetensors with that header and no data.
func headed(header string) string {
	return string(binary.LittleEndian.AppendUint64(nil, uint64(len(header)))) + header
}

// header writes a file of safetensors whose header has n members.
func header(member string, n int) func(*bufio.Writer) {
	return func(w *bufio.Writer) {
		var b strings.Builder
		for i := range n {
			b.WriteString(map[bool]string{true: "{", false: ","}[i == 0])
			fmt.Fprintf(&b, member, i)
		}
		w.WriteString(headed(b.String() + "}"))
	}
}

// archive writes a .tar.gz with one file of zeros, of which no more than a batch of CIFAR is there, and with zeros behind its end.
func archive(name string, size, behind int64) func(*bufio.Writer) {
	return func(w *bufio.Writer) {
		z, _ := gzip.NewWriterLevel(w, gzip.BestSpeed) // which is a level
		a := tar.NewWriter(z)
		if err := a.WriteHeader(&tar.Header{Name: name, Mode: 0o644, Size: size, Typeflag: tar.TypeReg}); err != nil {
			panic(err)
		}
		if _, err := io.CopyN(a, zeros{}, min(size, 30730000)); err != nil {
			panic(err)
		}
		_ = a.Close() // an error where not all is there
		if _, err := io.CopyN(z, zeros{}, behind); err != nil {
			panic(err)
		}
		z.Close()
	}
}

// packedIDX writes a compressed IDX file that claims n images of 28x28 and holds so many bytes of them.
func packedIDX(n, bytes int64) func(*bufio.Writer) {
	return func(w *bufio.Writer) {
		z, _ := gzip.NewWriterLevel(w, gzip.BestSpeed) // which is a level
		z.Write([]byte{0, 0, 8, 3})
		for _, d := range []int64{n, 28, 28} {
			z.Write(binary.BigEndian.AppendUint32(nil, uint32(d)))
		}
		if _, err := io.CopyN(z, zeros{}, bytes); err != nil {
			panic(err)
		}
		z.Close()
	}
}

// blank writes a picture of nothing.
func blank(width, height int) func(*bufio.Writer) {
	return func(w *bufio.Writer) {
		if err := png.Encode(w, image.NewGray(image.Rect(0, 0, width, height))); err != nil {
			panic(err)
		}
	}
}

type zeros struct{}

func (zeros) Read(p []byte) (int, error) { clear(p); return len(p), nil }
