package dataset

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"encoding/binary"
	"errors"
	"fmt"
	"image"
	"image/color"
	"image/jpeg"
	"image/png"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"
)

// tiny is the layout of CIFAR-10 with four images a file.
func tiny() *cifarLayout {
	l := *cifar10
	l.binary.trainImages, l.binary.testImages = 4, 4
	l.python.trainImages, l.python.testImages = 4, 4
	return &l
}

// tinyPlanes are the pixels of testdata/*.pickle: four images, plane by plane.
func tinyPlanes() []uint8 {
	d := make([]uint8, 4*cifarPixels)
	for i := range d {
		d[i] = uint8(i*7 + i/1024*31) // no two planes alike
	}
	return d
}

// tinyBinary is the same as a file of binary records.
func tinyBinary(labels ...uint8) []byte {
	var b bytes.Buffer
	for i, l := range labels {
		b.WriteByte(l)
		b.Write(tinyPlanes()[i*cifarPixels:][:cifarPixels])
	}
	return b.Bytes()
}

func write(t testing.TB, path string, data []byte) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, data, 0o644); err != nil {
		t.Fatal(err)
	}
}

func checkTiny(t *testing.T, m *memory) {
	t.Helper()
	planes := tinyPlanes()
	img := make([]uint8, cifarPixels)
	for i, label := range []int{6, 9, 9, 4} {
		if m.Label(i) != label {
			t.Errorf("image %d: label %d, want %d", i, m.Label(i), label)
		}
		if err := m.Image(i, img); err != nil {
			t.Fatal(err)
		}
		for y := range 32 {
			for x := range 32 {
				for c := range 3 {
					if got, want := img[(y*32+x)*3+c], planes[i*3072+c*1024+y*32+x]; got != want {
						t.Fatalf("image %d, pixel (%d,%d), channel %d: %d, want %d", i, y, x, c, got, want)
					}
				}
			}
		}
	}
}

func TestCIFARBinaryRecords(t *testing.T) {
	m, err := tiny().parseBinary("batch", tinyBinary(6, 9, 9, 4), 4)
	if err != nil {
		t.Fatal(err)
	}
	checkTiny(t, m)
}

// CIFAR-100's records start with the coarse label; the fine one counts.
func TestCIFAR100BinaryRecords(t *testing.T) {
	record := append([]byte{19, 99}, tinyPlanes()[:cifarPixels]...)
	m, err := cifar100.parseBinary("train.bin", record, 1)
	if err != nil || m.Label(0) != 99 || m.pixels[1] != tinyPlanes()[1024] {
		t.Fatalf("%v", err)
	}
	record[1] = 100
	_, err = cifar100.parseBinary("train.bin", record, 1)
	wantFileError(t, err, 1, "label 100 of image 0, want 0 to 99")
}

func TestCIFARPickles(t *testing.T) {
	for _, name := range []string{"python2-protocol2", "python3-protocol2", "python3-protocol4", "python3-protocol5"} {
		t.Run(name, func(t *testing.T) {
			data, err := os.ReadFile("testdata/" + name + ".pickle")
			if err != nil {
				t.Fatal(err)
			}
			m, err := tiny().parsePickle(name, data, 4)
			if err != nil {
				t.Fatal(err)
			}
			checkTiny(t, m)
		})
	}
	// At every protocol, and with labels as numpy keeps them.
	names, err := filepath.Glob("testdata/*.pickle")
	if err != nil || len(names) < 20 {
		t.Fatalf("%d pickles: %v", len(names), err)
	}
	for _, name := range names {
		if base := filepath.Base(name); !strings.HasPrefix(base, "python3-text-") && !strings.HasPrefix(base, "labels-") {
			continue
		}
		data, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		m, err := tiny().parsePickle(name, data, 4)
		if err != nil {
			t.Error(err)
			continue
		}
		checkTiny(t, m)
	}
	data, err := os.ReadFile("testdata/cifar100-protocol4.pickle")
	if err != nil {
		t.Fatal(err)
	}
	m, err := cifar100.parsePickle("cifar100", data, 4)
	if err != nil || m.Label(1) != 99 {
		t.Errorf("fine labels: %v", err)
	}
}

// Every layout of the same images opens as the same set.
func TestCIFARLayoutsAgree(t *testing.T) {
	l := tiny()
	batch := tinyBinary(6, 9, 9, 4)
	python, err := os.ReadFile("testdata/python2-protocol2.pickle")
	if err != nil {
		t.Fatal(err)
	}
	dirs := map[string]string{}
	for form, f := range map[string]struct {
		files *cifarFiles
		data  []byte
	}{"binary": {&l.binary, batch}, "python": {&l.python, python}} {
		plain, nested, packed := t.TempDir(), t.TempDir(), t.TempDir()
		entries := map[string][]byte{f.files.folder + "/readme.html": []byte("<html>")}
		for _, base := range append(slices.Clone(f.files.train), f.files.test...) {
			write(t, filepath.Join(plain, base), f.data)
			write(t, filepath.Join(nested, f.files.folder, base), f.data)
			entries[f.files.folder+"/"+base] = f.data
		}
		write(t, filepath.Join(packed, f.files.archive), tarGz(t, entries))
		dirs[form+" plain"], dirs[form+" in its folder"], dirs[form+" packed"] = plain, nested, packed
	}
	var first string
	for form, dir := range dirs {
		set, err := l.openIn(dir, Options{})
		if err != nil {
			t.Errorf("%s: %v", form, err)
			continue
		}
		sum, err := set.checksum()
		if err != nil {
			t.Fatal(err)
		}
		if first == "" {
			first = sum
		}
		if sum != first || set.Train.Len() != 20 || set.Test.Len() != 4 {
			t.Errorf("%s: %d + %d images, checksum %s, want 20 + 4, %s", form, set.Train.Len(), set.Test.Len(), sum, first)
		}
	}
}

func tarGz(t testing.TB, entries map[string][]byte) []byte {
	t.Helper()
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	w := tar.NewWriter(z)
	var names []string
	for name := range entries {
		names = append(names, name)
	}
	slices.Sort(names)
	for _, name := range names {
		if err := w.WriteHeader(&tar.Header{Name: name, Mode: 0o644, Size: int64(len(entries[name]))}); err != nil {
			t.Fatal(err)
		}
		if _, err := w.Write(entries[name]); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// wantFileError checks that the error names a file and, if at >= 0, that offset.
func wantFileError(t *testing.T, err error, at int64, words string) {
	t.Helper()
	var fe *FileError
	if !errors.As(err, &fe) {
		t.Errorf("error %v, want one that names a file", err)
		return
	}
	if fe.File == "" || (at >= 0 && fe.Offset != at) || !strings.Contains(err.Error(), words) {
		t.Errorf("error %q (offset %d), want offset %d and %q", err, fe.Offset, at, words)
	}
}

func TestCIFARRefusesBadFiles(t *testing.T) {
	l := tiny()
	good := tinyBinary(6, 9, 9, 4)
	_, err := l.parseBinary("f", good[:len(good)-1], 4)
	wantFileError(t, err, int64(len(good)-1), "want 12292")
	_, err = l.parseBinary("f", append(slices.Clone(good), 0), 4)
	wantFileError(t, err, int64(len(good)), "want 12292")
	_, err = l.parseBinary("f", nil, 4)
	wantFileError(t, err, 0, "0 bytes")
	_, err = l.parseBinary("f", tinyBinary(6, 9, 10, 4), 4)
	wantFileError(t, err, 2*3073, "label 10 of image 2")

	python, err := os.ReadFile("testdata/python2-protocol2.pickle")
	if err != nil {
		t.Fatal(err)
	}
	for cut := range len(python) {
		if cut > 400 && cut < len(python)-400 && cut%97 != 0 {
			continue
		}
		if _, err := l.parsePickle("f", python[:cut], 4); err == nil {
			t.Fatalf("a pickle cut at byte %d is accepted", cut)
		}
	}
	_, err = l.parsePickle("f", bytes.Replace(python, []byte("K\x06K\x09"), []byte("K\x06K\x0a"), 1), 4)
	wantFileError(t, err, -1, "label 10 of image 1")
	_, err = l.parsePickle("f", bytes.Replace(python, []byte("cnumpy\nndarray"), []byte("cposix\nsystemx"), 1), 4)
	wantFileError(t, err, -1, "asks to run posix.systemx")
	_, err = l.parsePickle("f", python, 5)
	wantFileError(t, err, -1, "(5, 3072)")

	// A whole folder: the error names the one bad file among good ones.
	dir := t.TempDir()
	for _, base := range append(slices.Clone(l.binary.train), l.binary.test...) {
		write(t, filepath.Join(dir, base), good)
	}
	write(t, filepath.Join(dir, "data_batch_4.bin"), good[:100])
	_, err = l.openIn(dir, Options{})
	wantFileError(t, err, 100, "data_batch_4.bin")
	if err := os.Remove(filepath.Join(dir, "data_batch_4.bin")); err != nil {
		t.Fatal(err)
	}
	if _, err = l.openIn(dir, Options{}); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("a missing batch: %v", err)
	}
}

func TestArchivesRefused(t *testing.T) {
	want := map[string]int64{"data": 100}
	header := func(h tar.Header) []byte {
		var b bytes.Buffer
		z := gzip.NewWriter(&b)
		w := tar.NewWriter(z)
		if err := w.WriteHeader(&h); err != nil {
			t.Fatal(err)
		}
		if h.Size > 0 && h.Typeflag == tar.TypeReg {
			if _, err := io.CopyN(w, zeros{}, h.Size); err != nil {
				t.Fatal(err)
			}
		}
		w.Flush()
		z.Close()
		return b.Bytes()
	}
	good := tarGz(t, map[string][]byte{"set/data": make([]byte, 100)})
	many := map[string][]byte{}
	for i := range maxEntries + 1 {
		many[fmt.Sprint(i)] = nil
	}
	bomb := int64(maxSkipped + 1)
	if testing.Short() {
		bomb = 0 // half a minute under the race detector
	}
	for name, c := range map[string]struct {
		data  []byte
		words string
	}{
		"path traversal":     {tarGz(t, map[string][]byte{"set/../../data": nil}), "leaves the archive"},
		"absolute path":      {header(tar.Header{Name: "/etc/data", Typeflag: tar.TypeReg}), "leaves the archive"},
		"symbolic link":      {header(tar.Header{Name: "set/data", Linkname: "/etc/passwd", Typeflag: tar.TypeSymlink}), "link"},
		"hard link":          {header(tar.Header{Name: "set/data", Linkname: "set/other", Typeflag: tar.TypeLink}), "link"},
		"device":             {header(tar.Header{Name: "set/data", Typeflag: tar.TypeChar}), "special"},
		"too large":          {tarGz(t, map[string][]byte{"set/data": make([]byte, 101)}), "at most 100"},
		"twice":              {tarGz(t, map[string][]byte{"a/data": nil, "b/data": nil}), "two entries"},
		"bomb":               {header(tar.Header{Name: "set/filler", Typeflag: tar.TypeReg, Size: bomb}), "do not belong"},
		"too many entries":   {tarGz(t, many), "entries"},
		"not gzip":           {[]byte("plain text"), "gzip"},
		"empty":              {nil, "gzip"},
		"cut short":          {good[:len(good)-20], ""},
		"flipped in the sum": {flip(good, len(good)-6), "checksum"},
		"a bomb behind":      {behind(good, bomb), "after the archive's end"},
	} {
		if bomb == 0 && strings.Contains(name, "bomb") {
			continue
		}
		files, err := readTarGz("a.tar.gz", bytes.NewReader(c.data), want)
		if err == nil {
			t.Errorf("%s: accepted, %d files", name, len(files))
			continue
		}
		wantFileError(t, err, -1, c.words)
	}
	files, err := readTarGz("a.tar.gz", bytes.NewReader(good), want)
	if err != nil || len(files["data"]) != 100 {
		t.Errorf("the good archive: %v", err)
	}
}

// behind is a compressed archive with as many zeros behind the entries' end.
func behind(archive []byte, n int64) []byte {
	var b bytes.Buffer
	plain, err := gzip.NewReader(bytes.NewReader(archive))
	if err != nil {
		panic(err)
	}
	z := gzip.NewWriter(&b)
	io.Copy(z, plain)
	io.CopyN(z, zeros{}, n)
	z.Close()
	return b.Bytes()
}

type zeros struct{}

func (zeros) Read(p []byte) (int, error) { clear(p); return len(p), nil }

func flip(b []byte, at int) []byte {
	b = slices.Clone(b)
	b[at] ^= 0x40
	return b
}

func idxBytes(data []byte, dims ...uint32) []byte {
	b := []byte{0, 0, 8, byte(len(dims))}
	for _, d := range dims {
		b = binary.BigEndian.AppendUint32(b, d)
	}
	return append(b, data...)
}

func TestIDXRefusesBadFiles(t *testing.T) {
	good := idxBytes(make([]byte, 12), 3, 2, 2)
	if _, err := readIDX("f", bytes.NewReader(good), 2, 2); err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		data []byte
		at   int64
	}{
		"empty":         {nil, 0},
		"header cut":    {good[:9], 9},
		"labels":        {idxBytes(nil, 3), 8}, // cut short for three dimensions
		"wrong type":    {append([]byte{0, 0, 13, 3}, good[4:]...), 0},
		"data cut":      {good[:20], 20},
		"data too long": {append(slices.Clone(good), 1), 28},
		"no images":     {idxBytes(nil, 0, 2, 2), 4},
		"other images":  {idxBytes(make([]byte, 18), 3, 2, 3), 12},
		"overflow":      {idxBytes(nil, 1<<31, 1<<31, 4), 4},
		"too many":      {idxBytes(make([]byte, 5), 1<<18+1, 2, 2), 4},
		"huge claim":    {idxBytes(make([]byte, 5), 1<<18, 2, 2), 21},
	} {
		_, err := readIDX("f", bytes.NewReader(c.data), 2, 2)
		if err == nil {
			t.Errorf("%s: accepted", name)
			continue
		}
		t.Run(name, func(t *testing.T) { wantFileError(t, err, c.at, "") })
	}
}

func TestFashionRefusesBadLabelsAndCounts(t *testing.T) {
	images := idxBytes(make([]byte, 3*784), 3, 28, 28)
	for name, c := range map[string]struct {
		images, labels []byte
		words          string
	}{
		"label 10":    {images, idxBytes([]byte{0, 10, 1}, 3), "byte 9: label 10"},
		"two labels":  {images, idxBytes([]byte{0, 1}, 2), "2 labels for the 3 images"},
		"other shape": {idxBytes(make([]byte, 3*100), 3, 10, 10), idxBytes([]byte{0, 1, 2}, 3), "dimension 1 has the size 10, want 28"},
	} {
		dir := t.TempDir()
		for _, half := range []string{"train", "t10k"} {
			write(t, filepath.Join(dir, half+"-images-idx3-ubyte"), c.images)
			write(t, filepath.Join(dir, half+"-labels-idx1-ubyte"), c.labels)
		}
		_, err := Open("fashion-mnist", Options{Dir: dir})
		if err == nil || !strings.Contains(err.Error(), c.words) {
			t.Errorf("%s: error %v, want %q", name, err, c.words)
		}
	}
}

// A claim of many bytes in a file of few must not be believed.
func TestNoAllocationBeyondTheFile(t *testing.T) {
	l := tiny()
	header := idxBytes(nil, 1<<18, 28, 28) // claims 206 MB
	pickle := []byte{0x80, 2, 'B', 0xff, 0xff, 0xff, 0x7f, '.'}
	giant := pngHeader(60000, 60000)
	before := allocated()
	if _, err := readIDX("f", bytes.NewReader(header), 28, 28); err == nil {
		t.Error("IDX accepted")
	}
	if _, err := l.parsePickle("f", pickle, 4); err == nil {
		t.Error("pickle accepted")
	}
	if _, err := decodePicture("f", giant); err == nil || !strings.Contains(err.Error(), "60000x60000 pixels") {
		t.Errorf("PNG: %v", err)
	}
	if used := allocated() - before; used > 1<<20 {
		t.Errorf("%d bytes allocated for files of %d bytes", used, len(header)+len(pickle)+len(giant))
	}
}

// Files that expand, or that hold nothing but small values, take bounded memory.
func TestBombsTakeBoundedMemory(t *testing.T) {
	if testing.Short() {
		t.Skip("several seconds: it expands 200 MB")
	}
	var zipped bytes.Buffer
	z := gzip.NewWriter(&zipped)
	z.Write(idxBytes(nil, 100, 28, 28))
	io.CopyN(z, zeros{}, 200<<20) // a header of 78,400 values, then 200 MB
	z.Close()
	many := map[string][]byte{}
	for name, piece := range map[string]string{"marks": "(", "empty lists": "]", "empty tuples": ")", "tuples of marks": "(t", "memo": "]\x94"} {
		many[name] = bytes.Repeat([]byte(piece), 30<<20/len(piece))
	}
	many["one value remembered often"] = append([]byte("]"), bytes.Repeat([]byte("\x94"), 30<<20)...)
	many["a line"] = append([]byte("c"), bytes.Repeat([]byte("x"), 30<<20)...)
	for name, data := range many {
		before := allocated()
		if _, err := unpickle("f", data); err == nil {
			t.Errorf("%s: accepted", name)
		}
		if used := allocated() - before; used > 256*maxValues {
			t.Errorf("%s: %d MiB allocated for a pickle of 30 MiB", name, used>>20)
		}
	}
	before := allocated()
	r, err := newGunzip(&zipped)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := readIDX("f", r, 28, 28); err == nil {
		t.Error("data after the end is accepted")
	}
	if used := allocated() - before; used > 4<<20 {
		t.Errorf("%d MiB allocated for a file that expands to 200 MiB where 78 kB are right", used>>20)
	}
}

// Decoders that run in parallel share a number of pixels: one waits while the others have them.
func TestDecodersInParallelTakeTurns(t *testing.T) {
	data := pictureFile(t, 100, 50, color.White, false)
	if !decoding.TryAcquire(atOnce - 4999) {
		t.Fatal("pixels are in use")
	}
	done := make(chan error, 1)
	go func() { _, err := decodePicture("f", data); done <- err }()
	select {
	case <-done:
		decoding.Release(atOnce - 4999)
		t.Fatal("a picture of 5000 pixels was decoded where 4999 were left")
	case <-time.After(100 * time.Millisecond):
	}
	decoding.Release(atOnce - 4999)
	if err := <-done; err != nil {
		t.Error(err)
	}
	if !decoding.TryAcquire(atOnce) {
		t.Error("a decoder gave nothing back")
	} else {
		decoding.Release(atOnce)
	}
}

func allocated() uint64 {
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.TotalAlloc
}

// pngHeader is a PNG cut after a header that claims that size.
func pngHeader(w, h uint32) []byte {
	var b bytes.Buffer
	if err := png.Encode(&b, image.NewGray(image.Rect(0, 0, 1, 1))); err != nil {
		panic(err)
	}
	data := b.Bytes()[:33]
	binary.BigEndian.PutUint32(data[16:], w)
	binary.BigEndian.PutUint32(data[20:], h)
	binary.BigEndian.PutUint32(data[29:], crc(data[12:29]))
	return data
}

// crc is PNG's CRC-32 (IEEE), bit by bit.
func crc(data []byte) uint32 {
	c := ^uint32(0)
	for _, b := range data {
		c ^= uint32(b)
		for range 8 {
			c = c>>1 ^ 0xedb88320*(c&1)
		}
	}
	return ^c
}

func pictureFile(t testing.TB, w, h int, c color.Color, asJPEG bool) []byte {
	t.Helper()
	img := image.NewRGBA(image.Rect(0, 0, w, h))
	for y := range h {
		for x := range w {
			img.Set(x, y, c)
		}
	}
	var b bytes.Buffer
	var err error
	if asJPEG {
		err = jpeg.Encode(&b, img, &jpeg.Options{Quality: 95})
	} else {
		err = png.Encode(&b, img)
	}
	if err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func TestCIFARPictureTree(t *testing.T) {
	dir := t.TempDir()
	for i, class := range cifar10.classes {
		for _, half := range []string{"train", "test"} {
			write(t, filepath.Join(dir, half, class, "1.png"), pictureFile(t, 32, 32, color.RGBA{uint8(20 * i), 7, 9, 255}, false))
		}
	}
	set, err := Open("cifar10", Options{Dir: dir})
	if err != nil {
		t.Fatal(err)
	}
	img := make([]uint8, set.Pixels())
	for i := range set.Train.Len() {
		if err := set.Train.Image(i, img); err != nil {
			t.Fatal(err)
		}
		// The colour carries the official label, whatever the folders' order.
		if want := uint8(20 * set.Train.Label(i)); img[0] != want || img[1] != 7 || img[2] != 9 {
			t.Errorf("image %d: pixel %v, want %d 7 9", i, img[:3], want)
		}
	}
	write(t, filepath.Join(dir, "train", "cat", "2.png"), pictureFile(t, 31, 32, color.Black, false))
	_, err = Open("cifar10", Options{Dir: dir})
	wantFileError(t, err, -1, "31x32, want 32x32")
	write(t, filepath.Join(dir, "train", "cat", "2.png"), []byte("not a picture"))
	_, err = Open("cifar10", Options{Dir: dir})
	wantFileError(t, err, -1, "2.png")
	os.RemoveAll(filepath.Join(dir, "train", "cat"))
	if _, err = Open("cifar10", Options{Dir: dir}); err == nil {
		t.Error("nine classes are accepted")
	}
}

func imagenetTree(t testing.TB) string {
	dir := t.TempDir()
	for i, class := range []string{"n01", "n02", "n03"} {
		c := color.RGBA{uint8(100 * i), 50, 200, 255}
		write(t, filepath.Join(dir, "train", class, "a.JPEG"), pictureFile(t, 60, 40, c, true))
		write(t, filepath.Join(dir, "train", class, "b.JPEG"), pictureFile(t, 30, 90, c, true))
		write(t, filepath.Join(dir, "train", class, "c.png"), pictureFile(t, 64, 64, c, false))
		write(t, filepath.Join(dir, "val", class, "d.JPEG"), pictureFile(t, 50, 50, c, true))
	}
	return dir
}

func TestImageNetTree(t *testing.T) {
	dir := imagenetTree(t)
	set := openSet(t, "imagenet", Options{Dir: dir, Size: 32})
	if set.Train.Len() != 9 || set.Test.Len() != 3 || len(set.Classes) != 3 || set.Height != 32 {
		t.Fatalf("%d + %d images of %d classes, %d pixels", set.Train.Len(), set.Test.Len(), len(set.Classes), set.Height)
	}
	st, err := set.Statistics()
	if err != nil {
		t.Fatal(err)
	}
	for _, train := range []bool{true, false} {
		for _, b := range read(t, set, LoaderOptions{Train: train, Batch: 3, Seed: 1, Augment: set.Augment, Workers: 3}, 3) {
			for k, label := range b.Labels {
				red := b.X[k*set.Pixels()+3*500]*st.Scale[0] + st.Mean[0]
				if d := red - float32(100*label); d < -4 || d > 4 {
					t.Errorf("label %d has red %g", label, red)
				}
			}
		}
	}
	o := LoaderOptions{Train: true, Batch: 3, Seed: 1, Augment: set.Augment, Workers: 1}
	want := read(t, set, o, 6)
	o.Workers = 4
	same(t, read(t, set, o, 6), want)

	if half := openSet(t, "imagenet", Options{Dir: dir, Size: 32, TrainImages: 6}); half.Train.Len() != 6 {
		t.Errorf("%d images of 6", half.Train.Len())
	} else if got := read(t, half, LoaderOptions{Train: true, Batch: 6, Seed: 1, Augment: half.Augment}, 1); len(got) != 1 {
		t.Error("no batch of a limited tree")
	}
}

// What macOS, Windows and file servers leave beside pictures is no picture, and no class.
func TestImageNetTreeSkipsWhatIsNoPicture(t *testing.T) {
	dir := imagenetTree(t)
	want := openSet(t, "imagenet", Options{Dir: dir, Size: 32}).Checksum
	for _, name := range []string{"train/n01/._a.JPEG", "val/n02/._d.JPEG", "train/__MACOSX/n01/._a.JPEG", "val/__MACOSX/._n01", "train/.ipynb_checkpoints/x.png", "train/n01/Thumbs.db",
		"train/n01/.DS_Store", "train/._n01", "train/n02/desktop.ini", "train/@eaDir/n01/a.jpg", "val/$RECYCLE.BIN/desktop.ini", "train/System Volume Information/x",
		"val/lost+found/1.jpg", "train/#recycle/a.jpg"} {
		write(t, filepath.Join(dir, filepath.FromSlash(name)), []byte("\x00\x05\x16\x07 resource fork"))
	}
	set := openSet(t, "imagenet", Options{Dir: dir, Size: 32})
	if set.Checksum != want || len(set.Warnings) > 0 {
		t.Errorf("another set: %d + %d images, %d classes, warnings %q", set.Train.Len(), set.Test.Len(), len(set.Classes), set.Warnings)
	}
	// Pictures of other kinds are not passed over in silence.
	write(t, filepath.Join(dir, "train", "n01", "e.webp"), []byte("RIFF"))
	if set := openSet(t, "imagenet", Options{Dir: dir, Size: 32}); len(set.Warnings) != 1 || !strings.Contains(set.Warnings[0], "e.webp is the first") {
		t.Errorf("warnings %q", set.Warnings)
	}
}

// A class that the test half lacks is reported, and other names of that half are found.
func TestImageNetTreeReportsMissingClasses(t *testing.T) {
	dir := imagenetTree(t)
	if err := os.RemoveAll(filepath.Join(dir, "val", "n02")); err != nil {
		t.Fatal(err)
	}
	v, err := Verify("imagenet", Options{Dir: dir})
	if err != nil || len(v.Problems) != 1 || !strings.Contains(v.Problems[0], "has no folder n02: 1 of the 3 classes of "+filepath.Join(dir, "train")+" is not tested") {
		t.Errorf("problems %q, %v", v.Problems, err)
	}
	for _, name := range []string{"validation", "valid", "test"} {
		dir := imagenetTree(t)
		if err := os.Rename(filepath.Join(dir, "val"), filepath.Join(dir, name)); err != nil {
			t.Fatal(err)
		}
		if set := openSet(t, "imagenet", Options{Dir: dir, Size: 32}); set.Test.Len() != 3 {
			t.Errorf("%s: %d test images", name, set.Test.Len())
		}
	}
}

// With SkipCorrupt the set is what it would be without the corrupt pictures.
func TestCorruptPicturesAreLeftOut(t *testing.T) {
	dir := imagenetTree(t)
	want := openSet(t, "imagenet", Options{Dir: dir, Size: 32}).Checksum
	damaged := pictureFile(t, 60, 40, color.White, true)
	write(t, filepath.Join(dir, "train", "n02", "aa.JPEG"), damaged[:len(damaged)-len(damaged)/8])
	write(t, filepath.Join(dir, "train", "n03", "zero.png"), nil)
	write(t, filepath.Join(dir, "val", "n01", "text.jpg"), []byte("<html>not found</html>"))
	if _, err := Open("imagenet", Options{Dir: dir}); err == nil {
		t.Error("without the option they are accepted")
	}
	set := openSet(t, "imagenet", Options{Dir: dir, Size: 32, SkipCorrupt: true})
	if set.Checksum != want || len(set.Warnings) != 2 || !strings.Contains(set.Warnings[0], "2 of 11 pictures are corrupt") || !strings.Contains(set.Warnings[1], "1 of 4 pictures are corrupt") {
		t.Errorf("%d + %d images, warnings %q", set.Train.Len(), set.Test.Len(), set.Warnings)
	}
	for _, name := range []string{"a.JPEG", "b.JPEG", "c.png"} {
		write(t, filepath.Join(dir, "train", "n01", name), damaged[:50])
	}
	if _, err := Open("imagenet", Options{Dir: dir, SkipCorrupt: true}); err == nil || !strings.Contains(err.Error(), "every picture is corrupt") {
		t.Errorf("a class of which nothing is left: %v", err)
	}
}

// EXIF's orientation is ignored: the pixels are those that are stored.
func TestEXIFOrientationIsIgnored(t *testing.T) {
	plain := pictureFile(t, 8, 4, color.RGBA{9, 99, 199, 255}, true)
	exif := append([]byte("Exif\x00\x00MM\x00*\x00\x00\x00\x08\x00\x01"), 1, 0x12, 0, 3, 0, 0, 0, 1, 0, 6, 0, 0, 0, 0, 0, 0) // orientation 6: turned by 90 degrees
	segment := append([]byte{0xff, 0xe1, 0, byte(len(exif) + 2)}, exif...)
	turned := slices.Concat(plain[:2], segment, plain[2:])
	p, err := decodePicture("f", turned)
	if err != nil || p.Rect.Dx() != 8 || p.Rect.Dy() != 4 {
		t.Errorf("%v, %v", p.Rect, err)
	}
}

// Programs lay the sets out in folders of their own.
func TestLayoutsOfOtherPrograms(t *testing.T) {
	for name, subs := range layouts {
		for _, sub := range subs {
			dir := t.TempDir()
			below := filepath.Join(dir, filepath.FromSlash(sub))
			switch name {
			case "imagenet":
				if err := os.CopyFS(below, os.DirFS(imagenetTree(t))); err != nil {
					t.Fatal(err)
				}
			case "fashion-mnist":
				for _, half := range []string{"train", "t10k"} {
					write(t, filepath.Join(below, half+"-images-idx3-ubyte"), idxBytes(make([]byte, 784), 1, 28, 28))
					write(t, filepath.Join(below, half+"-labels-idx1-ubyte"), idxBytes([]byte{3}, 1))
				}
			default: // found, though cut short
				write(t, filepath.Join(below, map[string]string{"cifar10": "cifar-10-batches-py/data_batch_1", "cifar100": "cifar-100-python/train"}[name]), []byte("x"))
				_, err := Open(name, Options{Dir: dir})
				wantFileError(t, err, -1, sub)
				continue
			}
			if _, err := Open(name, Options{Dir: dir}); err != nil {
				t.Errorf("%s in %s: %v", name, sub, err)
			}
		}
	}
}

// A data file that is a FIFO would never be opened; it is refused at once.
func TestDataFilesArePlainFiles(t *testing.T) {
	if _, err := os.Stat("/dev/zero"); err != nil {
		t.Skip("this system has no /dev/zero")
	}
	for name, set := range map[string]string{"train-images-idx3-ubyte": "fashion-mnist", "cifar-10-binary.tar.gz": "cifar10", "data_batch_1.bin": "cifar10", "data_batch_1": "cifar10",
		"cifar-100-binary.tar.gz": "cifar100", "train/n01/x.png": "imagenet"} {
		dir := imagenetTree(t)
		if set != "imagenet" {
			dir = t.TempDir()
		}
		if err := os.Symlink("/dev/zero", filepath.Join(dir, filepath.FromSlash(name))); err != nil {
			t.Skip("this system makes no links")
		}
		_, err := Open(set, Options{Dir: dir})
		wantFileError(t, err, -1, "not a plain file")
	}
}

// As gzip does, zeros and further members after the compressed data are taken, and nothing else.
func TestPaddingAfterGzip(t *testing.T) {
	packed := func(data []byte) []byte {
		var b bytes.Buffer
		z := gzip.NewWriter(&b)
		z.Write(data)
		z.Close()
		return b.Bytes()
	}
	whole := idxBytes([]byte{1, 2, 3}, 3)
	for name, c := range map[string]struct {
		data  []byte
		words string
	}{
		"as it is":             {packed(whole), ""},
		"zeros":                {append(packed(whole), make([]byte, 10000)...), ""},
		"two members":          {slices.Concat(packed(whole[:5]), packed(whole[5:])), ""},
		"zeros between":        {slices.Concat(packed(whole[:5]), make([]byte, 512), packed(whole[5:]), []byte{0}), ""},
		"garbage":              {append(packed(whole), "garbage"...), "neither compressed data nor zeros"},
		"half of gzip's mark":  {append(packed(whole), 0x1f, 0x8a), "neither compressed data nor zeros"},
		"the other half":       {append(packed(whole), 0x1e, 0x8b), "neither compressed data nor zeros"},
		"zeros, then garbage":  {append(packed(whole), 0, 0, 7), "neither compressed data nor zeros"},
		"half a second member": {append(packed(whole), packed(whole)[:8]...), "the file ends here"},
		"cut short":            {packed(whole)[:len(packed(whole))-3], "the file ends here"},
	} {
		dir := t.TempDir()
		write(t, filepath.Join(dir, "x.gz"), c.data)
		a, _, err := readIDXFile(dir, "x")
		switch {
		case c.words == "" && (err != nil || !bytes.Equal(a.data, []byte{1, 2, 3})):
			t.Errorf("%s: %v", name, err)
		case c.words != "" && (err == nil || !strings.Contains(err.Error(), c.words)):
			t.Errorf("%s: %v, want %q", name, err, c.words)
		}
	}
	good := tarGz(t, map[string][]byte{"set/data": make([]byte, 100)})
	if _, err := readTarGz("f", bytes.NewReader(append(good, make([]byte, 9000)...)), map[string]int64{"data": 100}); err != nil {
		t.Errorf("an archive with padding: %v", err)
	}
}

func TestImageNetTreeRefuses(t *testing.T) {
	dir := imagenetTree(t)
	// A whole header, damaged pixels: Open may accept it, Verify must not.
	damaged := pictureFile(t, 60, 40, color.White, true)
	damaged = damaged[:len(damaged)-len(damaged)/8]
	write(t, filepath.Join(dir, "train", "n02", "broken.JPEG"), damaged)
	if _, err := Verify("imagenet", Options{Dir: dir}); err == nil || !strings.Contains(err.Error(), "broken.JPEG") {
		t.Errorf("a damaged picture: %v", err)
	}
	write(t, filepath.Join(dir, "train", "n02", "broken.JPEG"), []byte{0xff, 0xd8})
	if _, err := Open("imagenet", Options{Dir: dir}); err == nil || !strings.Contains(err.Error(), "broken.JPEG") {
		t.Errorf("a picture without header: %v", err)
	}
	os.Remove(filepath.Join(dir, "train", "n02", "broken.JPEG"))
	write(t, filepath.Join(dir, "val", "n04", "x.JPEG"), pictureFile(t, 9, 9, color.White, true))
	if _, err := Open("imagenet", Options{Dir: dir}); err == nil || !strings.Contains(err.Error(), "n04") {
		t.Errorf("a class only val has: %v", err)
	}
	os.RemoveAll(filepath.Join(dir, "val"))
	if _, err := Open("imagenet", Options{Dir: dir}); err == nil || !strings.Contains(err.Error(), "val") {
		t.Errorf("no val folder: %v", err)
	}
}

// The central crop of the test view, on a picture whose halves differ.
func TestScaledCropMirrorsAndCentres(t *testing.T) {
	img := image.NewRGBA(image.Rect(0, 0, 80, 40))
	for y := range 40 {
		for x := range 80 {
			img.Set(x, y, color.RGBA{uint8(3 * x), uint8(6 * y), 0, 255})
		}
	}
	a, b := make([]uint8, 3*32*32), make([]uint8, 3*32*32)
	p := &picture{img}
	p.scaledCrop(a, 32, 40, 0.5, 0.5, false) // no scaling: columns 24 to 55, rows 4 to 35
	p.scaledCrop(b, 32, 40, 0.5, 0.5, true)
	for y := range 32 {
		for x := range 32 {
			if got, want := a[3*(y*32+x)], uint8(3*(x+24)); got != want {
				t.Fatalf("red at (%d,%d) is %d, want %d", y, x, got, want)
			}
			if got, want := a[3*(y*32+x)+1], uint8(6*(y+4)); got != want {
				t.Fatalf("green at (%d,%d) is %d, want %d", y, x, got, want)
			}
			if a[3*(y*32+x)] != b[3*(y*32+31-x)] {
				t.Fatal("not mirrored")
			}
		}
	}
}

// Pictures wait where those that are being decoded have all the pixels that may be decoded at once.
func TestPicturesAreDecodedAFewAtATime(t *testing.T) {
	var b bytes.Buffer
	if err := png.Encode(&b, image.NewGray(image.Rect(0, 0, 8, 8))); err != nil {
		t.Fatal(err)
	}
	if err := decoding.Acquire(t.Context(), atOnce); err != nil {
		t.Fatal(err)
	}
	decoded := make(chan error, 1)
	go func() {
		_, err := decodePicture("a.png", b.Bytes())
		decoded <- err
	}()
	select {
	case <-decoded:
		decoding.Release(atOnce)
		t.Fatal("a picture was decoded while others had all the pixels")
	case <-time.After(50 * time.Millisecond): // it takes some ten microseconds
	}
	decoding.Release(atOnce)
	if err := <-decoded; err != nil {
		t.Error(err)
	}
	if !decoding.TryAcquire(atOnce) {
		t.Error("a decoded picture keeps its pixels")
	} else {
		decoding.Release(atOnce)
	}
}
