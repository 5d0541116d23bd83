package dataset

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// In all of the official files an image has cifarSide x cifarSide pixels in three planes, red, green and blue, one after
// the other (CHW), and so cifarPixels bytes.
const (
	cifarSide   = 32
	cifarPixels = 3 * cifarSide * cifarSide
)

// cifarLayout is how one of the two sets is published
// (https://www.cs.toronto.edu/~kriz/cifar.html).
type cifarLayout struct {
	name       string
	title      string
	classes    []string
	labelBytes int // bytes that stand before the pixels of a binary record; the last of them is the label
	labelKey   string

	binary, python cifarFiles
}

// cifarFiles names the folder, the archive and the files in it of one of the two forms in which a set is published.
type cifarFiles struct {
	folder, archive string
	train, test     []string
	trainImages     int // in each training file
	testImages      int // in the test file
}

var cifar10 = &cifarLayout{
	name:       "cifar10",
	title:      "CIFAR-10",
	classes:    strings.Fields("airplane automobile bird cat deer dog frog horse ship truck"),
	labelBytes: 1,
	labelKey:   "labels",
	binary: cifarFiles{
		folder: "cifar-10-batches-bin", archive: "cifar-10-binary.tar.gz",
		train:       []string{"data_batch_1.bin", "data_batch_2.bin", "data_batch_3.bin", "data_batch_4.bin", "data_batch_5.bin"},
		test:        []string{"test_batch.bin"},
		trainImages: 10000, testImages: 10000,
	},
	python: cifarFiles{
		folder: "cifar-10-batches-py", archive: "cifar-10-python.tar.gz",
		train:       []string{"data_batch_1", "data_batch_2", "data_batch_3", "data_batch_4", "data_batch_5"},
		test:        []string{"test_batch"},
		trainImages: 10000, testImages: 10000,
	},
}

// The fine labels of CIFAR-100, in the alphabetical order of the official
// fine_label_names.txt.
var cifar100 = &cifarLayout{
	name:  "cifar100",
	title: "CIFAR-100",
	classes: strings.Fields(`apple aquarium_fish baby bear beaver bed bee beetle bicycle bottle bowl boy bridge bus
		butterfly camel can castle caterpillar cattle chair chimpanzee clock cloud cockroach couch crab crocodile cup
		dinosaur dolphin elephant flatfish forest fox girl hamster house kangaroo keyboard lamp lawn_mower leopard lion
		lizard lobster man maple_tree motorcycle mountain mouse mushroom oak_tree orange orchid otter palm_tree pear
		pickup_truck pine_tree plain plate poppy porcupine possum rabbit raccoon ray road rocket rose sea seal shark
		shrew skunk skyscraper snail snake spider squirrel streetcar sunflower sweet_pepper table tank telephone
		television tiger tractor train trout tulip turtle wardrobe whale willow_tree wolf woman worm`),
	labelBytes: 2, // coarse, then fine
	labelKey:   "fine_labels",
	binary: cifarFiles{
		folder: "cifar-100-binary", archive: "cifar-100-binary.tar.gz",
		train: []string{"train.bin"}, test: []string{"test.bin"},
		trainImages: 50000, testImages: 10000,
	},
	python: cifarFiles{
		folder: "cifar-100-python", archive: "cifar-100-python.tar.gz",
		train: []string{"train"}, test: []string{"test"},
		trainImages: 50000, testImages: 10000,
	},
}

// openCIFAR looks in each folder for, in this order: the binary files, the
// python files (each in the folder itself, in its official subfolder, or in the
// official archive), and a tree of PNG files.
func openCIFAR(l *cifarLayout, o Options) (*Set, error) {
	dirs := searchDirs(l.name, o.Dir)
	for _, dir := range dirs {
		set, err := l.openIn(dir, o)
		if err == nil || !errors.Is(err, ErrMissing) {
			return set, err
		}
	}
	want := fmt.Sprintf("%s/%s, %s/%s, %s, %s or a train/CLASS/*.png tree",
		l.binary.folder, l.binary.train[0], l.python.folder, l.python.train[0], l.binary.archive, l.python.archive)
	return nil, missing(l.name, dirs, want)
}

func (l *cifarLayout) openIn(dir string, o Options) (*Set, error) {
	for _, form := range []struct {
		files *cifarFiles
		parse func(name string, data []byte, images int) (*memory, error)
		limit func(images int) int64
	}{
		{&l.binary, l.parseBinary, func(n int) int64 { return int64(n) * int64(l.labelBytes+cifarPixels) }},
		// A python file holds labels and file names besides the pixels, which take far less than 1 KiB an image. Below protocol 3 Python 3
		// writes a byte as a text, in up to two bytes, and at protocol 0 in up to six (\u0000).
		{&l.python, l.parsePickle, func(n int) int64 { return int64(n) * (6*cifarPixels + 1024) }},
	} {
		open, err := form.files.find(dir, form.limit)
		if err != nil {
			return nil, err
		}
		if open == nil {
			continue
		}
		set := l.newSet()
		for i, half := range [][]string{form.files.train, form.files.test} {
			images := form.files.trainImages
			if i == 1 {
				images = form.files.testImages
			}
			var parts []*memory
			for _, base := range half {
				path, data, err := open(base, form.limit(images))
				if err != nil {
					return nil, err
				}
				m, err := form.parse(path, data, images)
				if err != nil {
					return nil, err
				}
				parts = append(parts, m)
				set.Sources = append(set.Sources, path)
			}
			if i == 0 {
				set.Train = joined(parts)
			} else {
				set.Test = joined(parts)
			}
		}
		return set, nil
	}
	if isDir(filepath.Join(dir, "train")) {
		return l.openPictures(dir, o.SkipCorrupt)
	}
	return nil, ErrMissing
}

func (l *cifarLayout) newSet() *Set {
	return &Set{Title: l.title, Classes: l.classes, Height: cifarSide, Width: cifarSide, Channels: 3, Augment: cifarAugment}
}

// opener returns the contents of one of a set's files and its full name.
type opener func(base string, limit int64) (path string, data []byte, err error)

// find returns a function that opens the files under dir, or nil if they are not there.
func (f *cifarFiles) find(dir string, limit func(images int) int64) (opener, error) {
	for _, d := range []string{dir, filepath.Join(dir, f.folder)} {
		// CIFAR-100's file is called train, and so is a folder of a tree of pictures: a folder is not the file.
		if info, err := os.Stat(filepath.Join(d, f.train[0])); err == nil && !info.IsDir() {
			return func(base string, limit int64) (string, []byte, error) {
				path := filepath.Join(d, base)
				data, err := readFile(path, limit)
				return path, data, err
			}, nil
		}
	}
	archive := filepath.Join(dir, f.archive)
	if !exists(archive) {
		return nil, nil
	}
	want := map[string]int64{}
	for _, base := range f.train {
		want[base] = limit(f.trainImages)
	}
	for _, base := range f.test {
		want[base] = limit(f.testImages)
	}
	files, err := readArchive(archive, want)
	if err != nil {
		return nil, err
	}
	return func(base string, _ int64) (string, []byte, error) {
		path := archive + ":" + base
		data, ok := files[base]
		if !ok {
			return path, nil, fileError(archive, -1, "the archive has no file %s", base)
		}
		delete(files, base) // so that its memory is free as soon as the caller has parsed it
		return path, data, nil
	}, nil
}

// readFile reads a file whose length must not exceed limit.
func readFile(path string, limit int64) ([]byte, error) {
	f, err := openPlain(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return nil, err
	}
	if info.Size() > limit {
		return nil, fileError(path, limit, "the file has %d bytes, at most %d are right", info.Size(), limit)
	}
	data := make([]byte, info.Size())
	if n, err := io.ReadFull(f, data); err != nil {
		return nil, fileError(path, int64(n), "%w", noEOF(err))
	}
	return data, nil
}

// parseBinary reads records of labelBytes labels and 3072 pixels. The file must
// hold exactly that many images.
func (l *cifarLayout) parseBinary(name string, data []byte, images int) (*memory, error) {
	record := l.labelBytes + cifarPixels
	if want := images * record; len(data) != want {
		return nil, fileError(name, int64(min(len(data), want)), "the file has %d bytes, want %d (%d images of %d bytes)", len(data), want, images, record)
	}
	m := &memory{pixels: make([]uint8, images*cifarPixels), labels: make([]uint16, images), size: cifarPixels}
	for i := range images {
		at := i * record
		label := data[at+l.labelBytes-1]
		if int(label) >= len(l.classes) {
			return nil, fileError(name, int64(at+l.labelBytes-1), "label %d of image %d, want 0 to %d", label, i, len(l.classes)-1)
		}
		m.labels[i] = uint16(label)
		interleave(m.pixels[i*cifarPixels:][:cifarPixels], data[at+l.labelBytes:])
	}
	return m, nil
}

// interleave turns planes (CHW) into pixels (HWC): dst[3p+c] = src[1024c+p].
func interleave(dst, src []uint8) {
	const plane = cifarSide * cifarSide
	r, g, b := src[:plane], src[plane:2*plane], src[2*plane:3*plane]
	for p := range plane {
		dst[3*p], dst[3*p+1], dst[3*p+2] = r[p], g[p], b[p]
	}
}

// parsePickle reads a python batch: a dictionary with "data", an array of uint8
// of shape (images, 3072), and a list of labels.
func (l *cifarLayout) parsePickle(name string, data []byte, images int) (*memory, error) {
	top, err := unpickle(name, data)
	if err != nil {
		return nil, err
	}
	d, ok := top.(*pickleDict)
	if !ok {
		return nil, fileError(name, -1, "the pickle is a %s, want a dictionary", pickleKind(top))
	}
	a, ok := d.get("data").(*pickleArray)
	if !ok {
		return nil, fileError(name, -1, "the dictionary's \"data\" is a %s, want a numpy array", pickleKind(d.get("data")))
	}
	if a.dtype != "u1" || a.fortran || len(a.shape) != 2 || a.shape[0] != int64(images) || a.shape[1] != cifarPixels || len(a.data) != images*cifarPixels {
		return nil, fileError(name, -1, "\"data\" is an array of %q, shape %v, %d bytes; want uint8 (%d, %d) in C order", a.dtype, a.shape, len(a.data), images, cifarPixels)
	}
	labels, ok := pickleNumbers(d.get(l.labelKey))
	if !ok {
		return nil, fileError(name, -1, "the dictionary's %q is a %s, want a list or an array of integers", l.labelKey, pickleKind(d.get(l.labelKey)))
	}
	if len(labels) != images {
		return nil, fileError(name, -1, "%d labels for %d images", len(labels), images)
	}
	m := &memory{pixels: make([]uint8, images*cifarPixels), labels: make([]uint16, images), size: cifarPixels}
	for i, label := range labels {
		if label < 0 || label >= int64(len(l.classes)) {
			return nil, fileError(name, -1, "label %d of image %d, want an integer from 0 to %d", label, i, len(l.classes)-1)
		}
		m.labels[i] = uint16(label)
		interleave(m.pixels[i*cifarPixels:][:cifarPixels], a.data[i*cifarPixels:])
	}
	return m, nil
}

// joined concatenates halves read from several files.
func joined(parts []*memory) *memory {
	if len(parts) == 1 {
		return parts[0]
	}
	m := &memory{size: parts[0].size}
	n := 0
	for _, p := range parts {
		n += len(p.labels)
	}
	m.pixels = make([]uint8, 0, n*m.size)
	m.labels = make([]uint16, 0, n)
	for _, p := range parts {
		m.pixels = append(m.pixels, p.pixels...)
		m.labels = append(m.labels, p.labels...)
		p.pixels = nil
	}
	return m
}

// openPictures reads train/CLASS/*.png and test/CLASS/*.png of 32x32 into
// memory. There must be a folder for each class of the set; they need not have the classes' names.
func (l *cifarLayout) openPictures(dir string, skipCorrupt bool) (*Set, error) {
	train, test, classes, err := scanTree(dir, skipCorrupt)
	if err != nil {
		return nil, err
	}
	if len(classes) != len(l.classes) {
		return nil, fmt.Errorf("%s: %d class folders, %s has %d", filepath.Join(dir, "train"), len(classes), l.title, len(l.classes))
	}
	set := l.newSet()
	// If all folders have the official names, the labels are the official ones, whatever the order of the folders.
	official := map[string]int{}
	for i, c := range l.classes {
		official[c] = i
	}
	relabel := make([]uint16, len(classes))
	named := true
	for i, c := range classes {
		j, ok := official[c]
		named = named && ok
		relabel[i] = uint16(j)
	}
	if !named {
		set.Classes = classes
		for i := range relabel {
			relabel[i] = uint16(i)
		}
	}
	var halves [2]*memory
	for k, t := range []*tree{train, test} {
		m := &memory{pixels: make([]uint8, len(t.files)*cifarPixels), labels: make([]uint16, len(t.files)), size: cifarPixels}
		err := parallel(len(t.files), func(i int) error {
			p, err := t.picture(i)
			if err != nil {
				return err
			}
			if p.Rect.Dx() != cifarSide || p.Rect.Dy() != cifarSide {
				return fileError(t.path(i), -1, "a picture of %dx%d, want 32x32", p.Rect.Dx(), p.Rect.Dy())
			}
			m.labels[i] = relabel[t.files[i].label]
			p.rgb(m.pixels[i*cifarPixels:][:cifarPixels])
			return nil
		})
		if err != nil {
			return nil, err
		}
		halves[k] = m
	}
	set.Train, set.Test = halves[0], halves[1]
	set.Sources = []string{train.root, test.root}
	set.Warnings = slices.Concat(train.warnings, test.warnings)
	return set, nil
}

func isDir(path string) bool {
	info, err := os.Stat(path)
	return err == nil && info.IsDir()
}
