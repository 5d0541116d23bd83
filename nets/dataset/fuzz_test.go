package dataset

import (
	"bytes"
	"context"
	"image/color"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

// Each target checks: no panic, an error that names the file, and no more
// allocation than a bound set by the input's size.

// within runs f and fails if it allocates more than factor*size plus slack. The
// counter is the whole process's, so the fuzz targets run one input at a time in
// each worker process.
func within(t *testing.T, size, factor int, f func()) {
	t.Helper()
	const slack = 8 << 20 // of the runtime, the decoders' tables and the fuzzing engine
	before := allocated()
	f()
	if used := allocated() - before; used > uint64(slack+factor*size) {
		t.Fatalf("%d bytes allocated for an input of %d", used, size)
	}
}

func FuzzIDX(f *testing.F) {
	f.Add(idxBytes(make([]byte, 12), 3, 2, 2))
	f.Add(idxBytes(make([]byte, 3), 1<<18, 28, 28))
	f.Add(idxBytes([]byte{1, 2, 3}, 3))
	f.Fuzz(func(t *testing.T, data []byte) {
		within(t, len(data), 8, func() {
			for _, item := range [][]int{nil, {2}, {2, 2}} {
				dims := 1 + len(item)
				a, err := readIDX("f", bytes.NewReader(data), item...)
				if err != nil {
					wantFileError(t, err, -1, "f")
					continue
				}
				n := 1
				for _, d := range a.dims {
					n *= d
				}
				if n != len(a.data) || 4+4*dims+n != len(data) {
					t.Errorf("%v with %d values of %d bytes", a.dims, len(a.data), len(data))
				}
			}
		})
	})
}

// The file is made from its labels, so that inputs are short: the fuzzing engine takes minutes to
// shorten one of 12 KiB.
func FuzzCIFARBinary(f *testing.F) {
	f.Add([]byte{6, 9, 9, 4}, uint8(4), int16(0))
	f.Add([]byte{10}, uint8(1), int16(0))
	f.Add([]byte{}, uint8(0), int16(0))
	f.Add([]byte{1, 2}, uint8(2), int16(-1))
	f.Add([]byte{1, 2}, uint8(3), int16(3073))
	f.Fuzz(func(t *testing.T, labels []byte, images uint8, longer int16) {
		for _, l := range []*cifarLayout{cifar10, cifar100} {
			var data []byte
			for i, label := range labels[:min(len(labels), 16)] {
				data = append(data, bytes.Repeat([]byte{label}, l.labelBytes)...)
				data = append(data, bytes.Repeat([]byte{byte(i)}, cifarPixels)...)
			}
			if longer < 0 {
				data = data[:max(0, len(data)+int(longer))]
			} else {
				data = append(data, make([]byte, longer)...)
			}
			within(t, len(data), 4, func() {
				m, err := l.parseBinary("f", data, int(images))
				if err != nil {
					wantFileError(t, err, -1, "f")
					return
				}
				if m.Len() != int(images) || m.Len()*(l.labelBytes+cifarPixels) != len(data) {
					t.Errorf("%d images in %d bytes, %d wanted", m.Len(), len(data), images)
				}
				for i := range min(m.Len(), 16, len(labels)) {
					if longer == 0 && (m.Label(i) != int(labels[i]) || m.pixels[i*cifarPixels] != byte(i)) {
						t.Errorf("image %d has label %d, want %d", i, m.Label(i), labels[i])
					}
				}
			})
		}
	})
}

// Trees of any names and contents: no panic, and an error or a set whose images can all be counted.
func FuzzPictureTree(f *testing.F) {
	png := pictureFile(f, 3, 2, color.White, false)
	f.Add("train/a/1.png\ntrain/b/2.png\nval/a/3.png\nval/b/4.png", png)
	f.Add("train/a/1.png\ntrain/b/._2.png\nval/a/3.png", png)
	f.Add("train/a/1.png/x\ntrain/b/2.jpg\ntest/c/3.png", png[:40])
	f.Add("train/__MACOSX/1.png\ntrain/a/1.JPEG\nvalidation/a/2.png", []byte{0xff, 0xd8})
	f.Fuzz(func(t *testing.T, names string, data []byte) {
		dir := t.TempDir()
		for i, name := range strings.Split(names, "\n") {
			if i == 12 {
				break
			}
			path := filepath.Join(dir, filepath.FromSlash(filepath.Clean("/"+name)))
			if os.MkdirAll(filepath.Dir(path), 0o755) == nil {
				_ = os.WriteFile(path, data, 0o644) // some names cannot be made
			}
		}
		for _, skip := range []bool{false, true} {
			set, err := Open("imagenet", Options{Dir: dir, Size: 8, SkipCorrupt: skip})
			if err != nil {
				continue
			}
			if len(set.Classes) < 2 || set.Train.Len() < len(set.Classes) || set.Test.Len() == 0 {
				t.Errorf("%d classes, %d + %d images", len(set.Classes), set.Train.Len(), set.Test.Len())
			}
			img := make([]uint8, set.Pixels())
			for i := range set.Train.Len() {
				if err := set.Train.Image(i, img); err != nil && skip {
					t.Errorf("a corrupt picture is left: %v", err)
				}
			}
		}
	})
}

// roundTrip answers requests in this process.
type roundTrip func(*http.Request) (*http.Response, error)

func (r roundTrip) RoundTrip(q *http.Request) (*http.Response, error) { return r(q) }

// Whatever a server answers: the final name is only ever that of the published file, and a
// part is never longer than it.
func FuzzRangedAnswers(f *testing.F) {
	published := []byte("the published file, 34 bytes long.")
	f.Add(200, "", published, 0)
	f.Add(206, "bytes 10-33/34", published[10:], 10)
	f.Add(206, "bytes 0-33/34", published, 10)
	f.Add(206, "bytes 10-33/34", published[11:], 10)
	f.Add(416, "bytes */34", []byte{}, 34)
	f.Add(200, "", append(slices.Clone(published), "and more"...), 0)
	f.Add(206, "bytes 99-", []byte("x"), 40)
	f.Fuzz(func(t *testing.T, status int, contentRange string, body []byte, have int) {
		dir := t.TempDir()
		final := filepath.Join(dir, "set.tar.gz")
		files := remoteFile("http://server", published)
		files[0].Size = int64(len(published))
		if have > 0 && have < 100 {
			part := append(slices.Clone(published), make([]byte, 100)...)[:have]
			if err := os.WriteFile(final+".part", part, 0o644); err != nil {
				t.Fatal(err)
			}
		}
		client := &http.Client{Transport: roundTrip(func(q *http.Request) (*http.Response, error) {
			return &http.Response{StatusCode: status, Status: "status", Header: http.Header{"Content-Range": {contentRange}}, ContentLength: int64(len(body)),
				Body: io.NopCloser(bytes.NewReader(body)), Request: q, Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1}, nil
		})}
		err := fetchAll(context.Background(), client, files, dir, nil, time.Minute)
		got, rerr := os.ReadFile(final)
		switch {
		case err == nil && !bytes.Equal(got, published):
			t.Errorf("the file has %q (%v)", got, rerr)
		case err != nil && rerr == nil:
			t.Errorf("an error (%v) and a file of %d bytes", err, len(got))
		}
		if info, err := os.Stat(final + ".part"); err == nil && info.Size() > int64(len(published)) {
			t.Errorf("a part of %d bytes stays", info.Size())
		}
	})
}

func FuzzPickle(f *testing.F) {
	names, err := filepath.Glob("testdata/mini-*.pickle") // whole batches only slow the mutator down
	if err != nil || len(names) == 0 {
		f.Fatalf("no seeds: %v", err)
	}
	for _, name := range names {
		data, err := os.ReadFile(name)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(data)
	}
	f.Add([]byte("\x80\x02}q\x01(U\x04data]q\x02h\x02au."))         // a list that holds itself
	f.Add([]byte("\x80\x02(((((((ttttttt."))                        // nested tuples
	f.Add([]byte("\x80\x04\x8c\x05posix\x8c\x06system\x93N\x85R.")) // a call
	f.Fuzz(func(t *testing.T, data []byte) {
		within(t, len(data), 200, func() {
			if _, err := unpickle("f", data); err != nil {
				wantFileError(t, err, -1, "f")
			}
			if _, err := tiny().parsePickle("f", data, 4); err != nil {
				wantFileError(t, err, -1, "f")
			}
		})
	})
}

func FuzzArchive(f *testing.F) {
	f.Add(tarGz(f, map[string][]byte{"set/data": make([]byte, 100)}))
	f.Add(tarGz(f, map[string][]byte{"../data": nil}))
	f.Add([]byte("\x1f\x8b"))
	f.Fuzz(func(t *testing.T, data []byte) {
		// Deflate expands at most 1032 times, but only wanted entries of at most 100
		// bytes are kept.
		within(t, len(data), 64, func() {
			files, err := readTarGz("f", bytes.NewReader(data), map[string]int64{"data": 100})
			if err != nil {
				wantFileError(t, err, -1, "f")
			}
			for name, b := range files {
				if name != "data" || len(b) > 100 {
					t.Errorf("file %s of %d bytes", name, len(b))
				}
			}
		})
	})
}

func FuzzPicture(f *testing.F) {
	f.Add(pictureFile(f, 9, 5, color.White, true))
	f.Add(pictureFile(f, 9, 5, color.RGBA{1, 2, 3, 255}, false))
	f.Add(pngHeader(60000, 60000))
	f.Add([]byte{0xff, 0xd8, 0xff})
	f.Fuzz(func(t *testing.T, data []byte) {
		// maxPixels bounds width*height by 1032 a byte; a decoder and the RGBA copy
		// take at most 4 channels * (2 + 1) bytes of each.
		within(t, 1<<16+1032*len(data), 16, func() {
			p, err := decodePicture("f", data)
			if err != nil {
				wantFileError(t, err, -1, "f")
			} else if p.Rect.Dx() < 1 || p.Rect.Dy() < 1 {
				t.Errorf("picture of %v", p.Rect)
			}
		})
	})
}
