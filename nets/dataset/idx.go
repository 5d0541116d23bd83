package dataset

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
)

// idxArray is an IDX file of unsigned bytes, the format of MNIST: two zero
// bytes, the type (0x08), the number of dimensions, each dimension as a
// big-endian uint32, then the values, last dimension fastest.
type idxArray struct {
	dims []int
	data []uint8
}

// maxItems bounds the first dimension of an IDX file, the number of its images: EMNIST's digits are 240,000, and no set that can be read
// here as Fashion-MNIST is larger.
const maxItems = 1 << 18

// readIDX reads an array of that many dimensions, of at most maxItems items, each of exactly the shape of the dimensions after the
// first. The data must end where the dimensions say. name is for errors. It takes at most three times the memory of the data that
// are really there, whatever the header claims, so with images of 28x28 at most 650 MiB.
func readIDX(name string, r io.Reader, item ...int) (*idxArray, error) {
	dims := 1 + len(item)
	head := make([]byte, 4+4*dims)
	if n, err := io.ReadFull(r, head); err != nil {
		return nil, fileError(name, int64(n), "the IDX header of %d bytes is cut short: %w", len(head), noEOF(err))
	}
	if head[0] != 0 || head[1] != 0 || head[2] != 8 || int(head[3]) != dims {
		return nil, fileError(name, 0, "header % x is not an IDX file of bytes in %d dimensions, which starts 00 00 08 %02x", head[:4], dims, dims)
	}
	a := &idxArray{dims: make([]int, dims)}
	size := int64(1)
	for i := range dims {
		d := int64(binary.BigEndian.Uint32(head[4+4*i:]))
		switch {
		case i == 0 && (d == 0 || d > maxItems):
			return nil, fileError(name, 4, "%d items, want 1 to %d", d, maxItems)
		case i > 0 && d != int64(item[i-1]):
			return nil, fileError(name, int64(4+4*i), "dimension %d has the size %d, want %d", i, d, item[i-1])
		}
		size *= d
		a.dims[i] = int(d)
	}
	// The buffer grows with the data that is really there, whatever the header claims.
	var buf bytes.Buffer
	n, err := io.Copy(&buf, io.LimitReader(r, size+1))
	at := int64(len(head)) + n
	switch {
	case err != nil:
		return nil, fileError(name, at, "%w", noEOF(err))
	case n < size:
		return nil, fileError(name, at, "cut short: the header promises %d values, there are %d", size, n)
	case n > size:
		return nil, fileError(name, at-1, "data after the %d values the header promises", size)
	}
	a.data = buf.Bytes()
	return a, nil
}

// noEOF says in words that a file ends too early, where the io package says EOF; other errors it returns as they are.
func noEOF(err error) error {
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return errors.New("the file ends here")
	}
	return err
}

// readIDXFile opens dir/base or dir/base.gz.
func readIDXFile(dir, base string, item ...int) (*idxArray, string, error) {
	path := filepath.Join(dir, base)
	f, err := openPlain(path)
	if errors.Is(err, os.ErrNotExist) {
		path += ".gz"
		f, err = openPlain(path)
	}
	if err != nil {
		return nil, path, err
	}
	defer f.Close()
	r := bufio.NewReader(f)
	if magic, _ := r.Peek(2); len(magic) == 2 && magic[0] == 0x1f && magic[1] == 0x8b {
		z, err := newGunzip(r)
		if err != nil {
			return nil, path, fileError(path, 0, "%w", err)
		}
		a, err := readIDX(path, z, item...)
		return a, path, err
	}
	a, err := readIDX(path, r, item...)
	return a, path, err
}

// fashionClasses are the class names of Fashion-MNIST (Xiao, Rasul, Vollgraf,
// "Fashion-MNIST: a Novel Image Dataset for Benchmarking Machine Learning
// Algorithms", 2017, Table 2).
var fashionClasses = []string{"T-shirt/top", "Trouser", "Pullover", "Dress", "Coat", "Sandal", "Shirt", "Sneaker", "Bag", "Ankle boot"}

// An image of fashionSide x fashionSide pixels gets a border of fashionPad zeros on each side, so that it has the 32x32 pixels that the paper's
// networks take.
const (
	fashionSide = 28
	fashionPad  = 2
	paddedSide  = fashionSide + 2*fashionPad
)

// readFashion reads one half, images and labels.
func readFashion(dir, prefix string) (images *idxArray, labels *idxArray, paths []string, err error) {
	images, p1, err := readIDXFile(dir, prefix+"-images-idx3-ubyte", fashionSide, fashionSide)
	if err != nil {
		return nil, nil, nil, err
	}
	labels, p2, err := readIDXFile(dir, prefix+"-labels-idx1-ubyte")
	if err != nil {
		return nil, nil, nil, err
	}
	if images.dims[0] != labels.dims[0] {
		return nil, nil, nil, fileError(p2, 4, "%d labels for the %d images of %s", labels.dims[0], images.dims[0], p1)
	}
	for i, l := range labels.data {
		if int(l) >= len(fashionClasses) {
			return nil, nil, nil, fileError(p2, int64(8+i), "label %d, want 0 to 9", l)
		}
	}
	return images, labels, []string{p1, p2}, nil
}

func openFashion(o Options) (*Set, error) {
	dirs := searchDirs("fashion-mnist", o.Dir)
	for _, dir := range dirs {
		if !exists(filepath.Join(dir, "train-images-idx3-ubyte")) && !exists(filepath.Join(dir, "train-images-idx3-ubyte.gz")) {
			continue
		}
		set := &Set{Title: "Fashion-MNIST", Classes: fashionClasses, Height: paddedSide, Width: paddedSide, Channels: 1, Augment: fashionAugment}
		var halves [2]*memory
		for i, prefix := range []string{"train", "t10k"} {
			images, labels, paths, err := readFashion(dir, prefix)
			if err != nil {
				return nil, err
			}
			set.Sources = append(set.Sources, paths...)
			halves[i] = padded(images.data, labels.data)
		}
		set.Train, set.Test = halves[0], halves[1]
		return set, nil
	}
	return nil, missing("fashion-mnist", dirs, "train-images-idx3-ubyte(.gz)")
}

// padded lays 28x28 images into 32x32 with a border of zeros.
func padded(images, labels []uint8) *memory {
	n := len(labels)
	if len(images) != n*fashionSide*fashionSide {
		panic(fmt.Sprintf("dataset: padded: %d bytes for %d images", len(images), n))
	}
	m := &memory{pixels: make([]uint8, n*paddedSide*paddedSide), labels: make([]uint16, n), size: paddedSide * paddedSide}
	for i := range n {
		m.labels[i] = uint16(labels[i])
		for y := range fashionSide {
			src := images[(i*fashionSide+y)*fashionSide:][:fashionSide]
			copy(m.pixels[i*m.size+(y+fashionPad)*paddedSide+fashionPad:], src)
		}
	}
	return m
}

func exists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}
