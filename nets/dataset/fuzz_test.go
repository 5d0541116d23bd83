package dataset

import (
	"bytes"
	"image/color"
	"os"
	"path/filepath"
	"testing"
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
	f.Add(idxBytes(make([]byte, 3), 1<<20, 28, 28))
	f.Add(idxBytes([]byte{1, 2, 3}, 3))
	f.Fuzz(func(t *testing.T, data []byte) {
		within(t, len(data), 8, func() {
			for dims := 1; dims <= 3; dims++ {
				a, err := readIDX("f", bytes.NewReader(data), dims)
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

func FuzzCIFARBinary(f *testing.F) {
	f.Add(tinyBinary(6, 9, 9, 4), uint8(4))
	f.Add(tinyBinary(10), uint8(1))
	f.Add([]byte{}, uint8(0))
	f.Fuzz(func(t *testing.T, data []byte, images uint8) {
		within(t, len(data), 4, func() {
			for _, l := range []*cifarLayout{cifar10, cifar100} {
				m, err := l.parseBinary("f", data, int(images))
				if err != nil {
					wantFileError(t, err, -1, "f")
				} else if m.Len()*(l.labelBytes+cifarPixels) != len(data) {
					t.Errorf("%d images in %d bytes", m.Len(), len(data))
				}
			}
		})
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
