package dataset

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"image/color"
	"math"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

// The tests of this file hold every refusal of the readers: each has a file that only this one check keeps out.

// Every pickle that no batch of images needs is refused, with the reason and the place.
func TestPicklesAreRefused(t *testing.T) {
	text := func(s string) string { return "X" + string(binary.LittleEndian.AppendUint32(nil, uint32(len(s)))) + s }
	encode := "c_codecs\nencode\n" + "h\x00" + text("latin1") + "\x86R0"
	dtype := "cnumpy\ndtype\n" + text("u1") + "K\x00K\x01\x87R"
	for name, c := range map[string]struct{ pickle, words string }{
		"too many values":                 {strings.Repeat("]", maxValues+1), "more than 1048576 values: "},
		"too many values are remembered":  {"]" + strings.Repeat("\x94", maxValues+1), "more than 1048576 values are remembered"},
		"the end of an empty stack":       {".", "the stack is empty"},
		"nothing to drop":                 {"0", "the stack is empty"},
		"a mark as the value":             {"(.", "a mark where a value is needed"},
		"a tuple without a mark":          {"Nt.", "no mark on the stack"},
		"an unknown protocol":             {"\x80\x06N.", "protocol 6"},
		"an unknown opcode":               {"\xff", "opcode 0xff"},
		"a long integer":                  {"\x8a\x09123456789.", "an integer of 9 bytes"},
		"letters for an integer":          {"I1x\n.", `integer "1x"`},
		"a line without an end":           {"I12", "a line without an end"},
		"an item beyond the file":         {"U\x05ab", "an item of 5 bytes, but only 2 are left"},
		"a text that is not UTF-8":        {"\x8c\x01\xff.", "not UTF-8"},
		"half an escape":                  {"V\\u12\n.", "an escape that is cut short"},
		"an escape beyond Unicode":        {"V\\U00110000\n.", `escape "\\U00110000"`},
		"letters for a place in the memo": {"]p1x\n.", `memo "1x"`},
		"a place that is not set":         {"h\x07.", "memo 7 is not set"},
		"a number as a module":            {"K\x01" + text("encode") + "\x93.", "a callable whose name is not a text"},
		"a number as a name":              {text("_codecs") + "K\x01\x93.", "a callable whose name is not a text"},
		"another callable":                {"cos\nsystem\n.", "the file asks to run os.system"},
		"appending to a number":           {"K\x01K\x02a.", "appending to a number"},
		"setting an item of a number":     {"K\x01K\x02K\x03s.", "setting items of a number"},
		"a key without a value":           {"}(K\x01u.", "a key without a value"},
		"calling a number":                {"K\x01)R.", "calling a number with a tuple"},
		"calling with a number":           {"cnumpy\nndarray\nK\x01R.", "with a number"},
		"a call that makes no array":      {"cnumpy\ndtype\n)R.", "numpy.dtype is called with arguments that make no array"},
		"a short text encoded often":      {text(strings.Repeat("x", 1000)) + "q\x000" + encode + encode + "N.", "more text is encoded than the file holds"},
		"a character beyond Latin-1":      {text("\u0100") + "q\x000" + encode + "N.", `character 'Ā' is not Latin-1`},
		"a number as a state":             {dtype + "K\x01b.", "a state that is a number"},
		"the state of a list":             {"])b.", "setting the state of a list"},
		"big-endian numbers":              {dtype + "(K\x03" + text(">") + "tb.", "big-endian"},
	} {
		_, err := unpickle("f", []byte(c.pickle))
		if err == nil {
			t.Errorf("%s: accepted", name)
			continue
		}
		t.Run(name, func(t *testing.T) { wantFileError(t, err, -1, c.words) })
	}
}

// pickledBatch is a batch as Python writes it: a dictionary of an array and of labels.
type pickledBatch struct {
	dtype, order string
	shape        []uint16
	data         []byte
	labels       string // opcodes
}

func (b pickledBatch) bytes() []byte {
	text := func(s string) []byte { return slices.Concat([]byte{0x8c, byte(len(s))}, []byte(s)) }
	shape := []byte{}
	for _, n := range b.shape {
		shape = binary.LittleEndian.AppendUint16(append(shape, 'M'), n)
	}
	return slices.Concat([]byte("\x80\x04}("), text("data"), []byte("cnumpy.core.numeric\n_frombuffer\n(B"), binary.LittleEndian.AppendUint32(nil, uint32(len(b.data))), b.data,
		[]byte("cnumpy\ndtype\n"), text(b.dtype), []byte("\x85R("), shape, []byte("t"), text(b.order), []byte("tR"), text("labels"), []byte(b.labels+"u."))
}

// A batch whose array or labels are not those of so many images is refused.
func TestBatchesOfOtherShapesAreRefused(t *testing.T) {
	good := pickledBatch{"u1", "C", []uint16{4, cifarPixels}, tinyPlanes(), "](K\x06K\x09K\x09K\x04e"}
	m, err := tiny().parsePickle("f", good.bytes(), 4)
	if err != nil {
		t.Fatal(err)
	}
	checkTiny(t, m)
	for name, c := range map[string]struct {
		change func(*pickledBatch)
		words  string
	}{
		"signed pixels":            {func(b *pickledBatch) { b.dtype = "i1" }, `an array of "i1"`},
		"in Fortran's order":       {func(b *pickledBatch) { b.order = "F" }, "in C order"},
		"three dimensions":         {func(b *pickledBatch) { b.shape = []uint16{4, cifarPixels, 1} }, "shape [4 3072 1]"},
		"another number of images": {func(b *pickledBatch) { b.shape[0] = 5 }, "shape [5 3072]"},
		"a pixel more":             {func(b *pickledBatch) { b.shape[1]++ }, "shape [4 3073]"},
		"a byte too few":           {func(b *pickledBatch) { b.data = b.data[1:] }, "12287 bytes"},
		"a byte too many":          {func(b *pickledBatch) { b.data = append(b.data, 0) }, "12289 bytes"},
		"a label that is no number": {func(b *pickledBatch) { b.labels = "](K\x06K\x09K\x09Ne" },
			"want a list or an array of integers"},
		"no labels":          {func(b *pickledBatch) { b.labels = "N" }, `"labels" is a missing value`},
		"a label too few":    {func(b *pickledBatch) { b.labels = "](K\x06K\x09K\x09e" }, "3 labels for 4 images"},
		"a negative label":   {func(b *pickledBatch) { b.labels = "](K\x06J\xff\xff\xff\xffK\x09K\x04e" }, "label -1 of image 1"},
		"a label of no name": {func(b *pickledBatch) { b.labels = "](K\x06K\x0aK\x09K\x04e" }, "label 10 of image 1"},
	} {
		b := good
		b.shape, b.data = slices.Clone(good.shape), slices.Clone(good.data)
		c.change(&b)
		_, err := tiny().parsePickle("f", b.bytes(), 4)
		if err == nil {
			t.Errorf("%s: accepted", name)
			continue
		}
		t.Run(name, func(t *testing.T) { wantFileError(t, err, -1, c.words) })
	}
	_, err = tiny().parsePickle("f", []byte("]."), 4)
	wantFileError(t, err, -1, "the pickle is a list, want a dictionary")
	_, err = tiny().parsePickle("f", []byte("}."), 4)
	wantFileError(t, err, -1, `"data" is a missing value, want a numpy array`)
}

// A file that is longer than its form allows is refused before it is read, and an archive must hold every file.
func TestCIFARFilesAreOfTheirSize(t *testing.T) {
	l := tiny()
	dir := t.TempDir()
	for _, base := range append(slices.Clone(l.binary.train), l.binary.test...) {
		write(t, filepath.Join(dir, base), tinyBinary(6, 9, 9, 4))
	}
	long := filepath.Join(dir, l.binary.train[2])
	if err := os.Truncate(long, 1<<40); err != nil { // a file with a hole: it takes no room
		t.Skip("this file system makes no file of 1 TiB: ", err)
	}
	_, err := l.openIn(dir, Options{})
	wantFileError(t, err, 12292, "1099511627776 bytes, at most 12292 are right")

	packed := map[string][]byte{}
	for _, base := range l.binary.train {
		packed[l.binary.folder+"/"+base] = tinyBinary(6, 9, 9, 4)
	}
	dir = t.TempDir()
	write(t, filepath.Join(dir, l.binary.archive), tarGz(t, packed))
	_, err = l.openIn(dir, Options{})
	wantFileError(t, err, -1, "the archive has no file test_batch.bin")
}

// A tree of pictures for CIFAR has that set's classes and sides.
func TestCIFARTreesAreOfTheirShape(t *testing.T) {
	tree := func() string {
		dir := t.TempDir()
		for i, class := range cifar10.classes {
			for _, half := range []string{"train", "test"} {
				write(t, filepath.Join(dir, half, class, "1.png"), pictureFile(t, 32, 32, color.RGBA{uint8(20 * i), 7, 9, 255}, false))
			}
		}
		return dir
	}
	dir := tree()
	for _, half := range []string{"train", "test"} {
		os.RemoveAll(filepath.Join(dir, half, "cat"))
	}
	if _, err := Open("cifar10", Options{Dir: dir}); err == nil || !strings.Contains(err.Error(), "9 class folders, CIFAR-10 has 10") {
		t.Errorf("nine classes: %v", err)
	}
	dir = tree()
	write(t, filepath.Join(dir, "train", "cat", "1.png"), pictureFile(t, 32, 31, color.Black, false))
	_, err := Open("cifar10", Options{Dir: dir})
	wantFileError(t, err, -1, "32x31, want 32x32")
}

// A tree has at least two classes, at most as many as a label can tell apart, and a test half.
func TestTreesOfTooFewOrTooManyClasses(t *testing.T) {
	picture := pictureFile(t, 9, 9, color.White, false)
	dir := t.TempDir()
	write(t, filepath.Join(dir, "train", "n01", "x.png"), picture)
	write(t, filepath.Join(dir, "val", "n01", "x.png"), picture)
	if _, err := Open("imagenet", Options{Dir: dir}); err == nil || !strings.Contains(err.Error(), "class folders: 1, want 2 to 65535") {
		t.Errorf("one class: %v", err)
	}
	write(t, filepath.Join(dir, "train", "n02", "x.png"), picture)
	if err := os.RemoveAll(filepath.Join(dir, "val", "n01")); err != nil {
		t.Fatal(err)
	}
	if _, err := Open("imagenet", Options{Dir: dir}); err == nil || !strings.Contains(err.Error(), "no class folders; sort the pictures into val/CLASS/") {
		t.Errorf("an empty test half: %v", err)
	}
	for n, refused := range map[int]bool{0: true, 1: true, 2: false, math.MaxUint16: false, math.MaxUint16 + 1: true} {
		if err := checkClasses("train", n); (err != nil) != refused {
			t.Errorf("%d classes: %v, refused: want %t", n, err, refused)
		}
	}
}

// A JPEG may claim a side of no pixels: it is no picture.
func TestPicturesHavePixels(t *testing.T) {
	for side, at := range map[string]int{"height": 5, "width": 7} {
		data := pictureFile(t, 16, 16, color.White, true)
		sof := bytes.Index(data, []byte{0xff, 0xc0})
		if sof < 0 {
			t.Fatal("no start of frame")
		}
		clear(data[sof+at : sof+at+2])
		if p, err := decodePicture("f", data); err == nil {
			t.Errorf("a %s of 0: %v", side, p.Rect)
		}
	}
}

// Headers that differ in one byte from an IDX file's are none.
func TestIDXHeaders(t *testing.T) {
	good := idxBytes(make([]byte, 12), 3, 2, 2)
	for at, words := range []string{"header 01 00 08 03", "header 00 01 08 03", "header 00 00 09 03", "header 00 00 08 02"} {
		bad := slices.Clone(good)
		bad[at] ^= 1
		_, err := readIDX("f", bytes.NewReader(bad), 2, 2)
		wantFileError(t, err, 0, words)
	}
	_, err := readIDX("f", bytes.NewReader(nil), 2, 2)
	wantFileError(t, err, 0, "the file ends here")
	_, err = readIDX("f", bytes.NewReader(good[:7]), 2, 2)
	wantFileError(t, err, 7, "the file ends here")
}

// No part of the options may be negative, and textures have limits of their own.
func TestOptionsHaveLimits(t *testing.T) {
	for _, c := range []struct {
		name  string
		o     Options
		words string
	}{
		{"embedded", Options{TrainImages: -1}, "negative"},
		{"embedded", Options{TestImages: -1}, "negative"},
		{"embedded", Options{Classes: -1}, "negative"},
		{"embedded", Options{Size: -1}, "negative"},
		{"embedded", Options{TrainImages: 10001}, "10001 wanted, the set has 10000"},
		{"textures-1x32", Options{}, "1 classes of 32x32"},
		{"textures-10001x32", Options{}, "10001 classes of 32x32"},
		{"textures-10x7", Options{}, "10 classes of 7x7"},
		{"textures-10x1025", Options{}, "10 classes of 1025x1025"},
	} {
		if _, err := Open(c.name, c.o); err == nil || !strings.Contains(err.Error(), c.words) {
			t.Errorf("%s %+v: error %v, want %q", c.name, c.o, err, c.words)
		}
	}
}

// What only a programmer can do wrong panics, with the name of the function.
func TestWrongLengthsPanic(t *testing.T) {
	textures := openSet(t, "textures", Options{TrainImages: 10, TestImages: 10})
	for name, f := range map[string]func(){
		"an image in memory": func() { _ = openSet(t, "embedded", Options{}).Train.Image(0, make([]uint8, 5)) },
		"a texture":          func() { _ = textures.Train.Image(0, make([]uint8, 5)) },
		"padding":            func() { padded(make([]uint8, 783), make([]uint8, 1)) },
	} {
		func() {
			defer func() {
				if r := recover(); r == nil || !strings.HasPrefix(fmt.Sprint(r), "dataset: ") {
					t.Errorf("%s: %v", name, r)
				}
			}()
			f()
		}()
	}
	empty := &Set{Name: "empty", Height: 1, Width: 1, Channels: 1, Train: &memory{size: 1}, Test: &memory{size: 1}}
	if _, err := empty.Statistics(); err == nil || !strings.Contains(err.Error(), "no training images") {
		t.Errorf("a set without images: %v", err)
	}
}

// A server that does not exist is a missing connection, one that the client refuses is not.
func TestFetchTellsOfflineFromOtherErrors(t *testing.T) {
	unknown := &net.DNSError{Err: "no such host", Name: "server", IsNotFound: true}
	for name, c := range map[string]struct {
		err     error
		offline bool
	}{"an unknown host": {unknown, true}, "a refused connection": {&net.OpError{Op: "dial", Err: errors.New("refused")}, true}, "a wrong certificate": {errors.New("x509"), false}} {
		client := &http.Client{Transport: roundTrip(func(*http.Request) (*http.Response, error) { return nil, c.err })}
		err := fetchAll(context.Background(), client, remoteFile("http://server", nil), t.TempDir(), nil, time.Minute)
		if err == nil || errors.Is(err, ErrOffline) != c.offline {
			t.Errorf("%s: %v, offline: want %t", name, err, c.offline)
		}
	}
}
