package dataset

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
)

// Set is one opened data set.
type Set struct {
	Name    string   // the name it was opened by
	Title   string   // for column heads: what it is, with its size where it is not the whole
	Classes []string // class names; a label is an index into it

	Height, Width, Channels int // of every image, after padding or cropping

	Train, Test Split

	// Checksum identifies the images and labels as delivered, in order: "sha256:"
	// and 64 hex digits. For an image tree it covers the relative path and the
	// size of each file instead of its pixels.
	Checksum string

	// Augment is the augmentation its literature trains with.
	Augment Augmentation

	Sources []string // the files read, for the manifest

	// Warnings say what is odd about an image tree, though it can be used: a class that
	// the test half lacks, files of other kinds, pictures that were left out.
	Warnings []string

	statsOnce sync.Once
	stats     Statistics
	statsErr  error
	fixed     *Statistics // not nil if the set's statistics are a convention and are not computed
}

// Split is the training or the test half of a set. Its methods may be called by
// many goroutines at once.
type Split interface {
	Len() int
	// Label returns the class of image i, in [0, len(Classes)).
	Label(i int) int
	// Image writes image i to dst, Height*Width*Channels bytes in HWC order. Only
	// splits that decode files on demand return errors.
	Image(i int, dst []uint8) error
}

// Statistics of the training images, in units of a byte value.
type Statistics struct {
	// Mean of every pixel and channel, HWC; one value per channel where
	// PerChannel is set.
	Mean []float32
	// Scale divides after the mean is subtracted: one value, or one per channel
	// where PerChannel is set.
	Scale      []float32
	PerChannel bool
	// ChannelMean and ChannelStd are over all training pixels of a channel.
	ChannelMean, ChannelStd []float64
}

// Options choose where a set is read from and how much of it is kept.
type Options struct {
	// Dir is the folder that holds the files, in any layout that the package's comment names. If it is empty, [Open] looks in
	// [DataDir], and for fashion-mnist then in the folder of Debian's package.
	Dir string

	// TrainImages and TestImages limit the two halves; 0 keeps all. The kept ones
	// are the first of each class in file order. Every class gets the same number; if
	// the division leaves a remainder, the classes of smallest index get one more each.
	TrainImages, TestImages int

	// Classes is the number of classes of textures, which come in any number; 0 stands for 10. Size is the side in pixels
	// of textures, where 0 stands for 32, and of imagenet, where it stands for 224.
	Classes, Size int

	// Seed is the seed that the textures are drawn from; other sets ignore it.
	Seed uint64

	// SkipCorrupt leaves out the pictures of an image tree that cannot be decoded, with a
	// warning that counts them. Every picture is then decoded when the set is opened.
	SkipCorrupt bool
}

// Names lists the sets [Open] knows.
func Names() []string {
	return []string{"cifar10", "cifar100", "imagenet", "fashion-mnist", "embedded", "textures"}
}

// ErrMissing is what an error wraps if the files of a set are not on this machine.
var ErrMissing = errors.New("not on this machine")

// Open reads and checks the set of that name.
func Open(name string, o Options) (*Set, error) {
	if o.TrainImages < 0 || o.TestImages < 0 || o.Classes < 0 || o.Size < 0 {
		return nil, fmt.Errorf("dataset: %s: negative number of images, classes or pixels in %+v", name, o)
	}
	var set *Set
	var err error
	switch name {
	case "cifar10":
		set, err = openCIFAR(cifar10, o)
	case "cifar100":
		set, err = openCIFAR(cifar100, o)
	case "imagenet":
		set, err = openTree(o)
	case "fashion-mnist":
		set, err = openFashion(o)
	case "embedded":
		set, err = openEmbedded()
	case "textures":
		set, err = openTextures(o)
	default:
		if strings.HasPrefix(name, "textures-") {
			if err = o.parseTextures(name); err == nil {
				set, err = openTextures(o)
			}
			break
		}
		return nil, fmt.Errorf("dataset: no set is called %q; there are %s", name, strings.Join(Names(), ", "))
	}
	if err != nil {
		return nil, fmt.Errorf("dataset: %s: %w", name, err)
	}
	set.Name = name
	if set.Train, err = limit(set.Train, len(set.Classes), o.TrainImages); err != nil {
		return nil, fmt.Errorf("dataset: %s: training images: %w", name, err)
	}
	if set.Test, err = limit(set.Test, len(set.Classes), o.TestImages); err != nil {
		return nil, fmt.Errorf("dataset: %s: test images: %w", name, err)
	}
	if set.Checksum, err = set.checksum(); err != nil {
		return nil, fmt.Errorf("dataset: %s: %w", name, err)
	}
	return set, nil
}

// parseTextures reads the numbers of "textures-CLASSES" or
// "textures-CLASSESxSIDE", so that one word names the set in a config.
func (o *Options) parseTextures(name string) error {
	classes, side, sized := strings.Cut(strings.TrimPrefix(name, "textures-"), "x")
	var err error
	if o.Classes, err = strconv.Atoi(classes); err == nil && sized {
		o.Size, err = strconv.Atoi(side)
	}
	if err != nil {
		return fmt.Errorf("want textures, textures-CLASSES or textures-CLASSESxSIDE, such as textures-100x32")
	}
	return nil
}

// Pixels returns the bytes of one image, Height*Width*Channels.
func (s *Set) Pixels() int { return s.Height * s.Width * s.Channels }

// identity is a split whose pixels are too many to hash at every start. identify calls write with the name and the size of each of its files.
type identity interface {
	identify(write func(s string, n int64))
}

// checksum is the SHA-256 of the shape and of every label and image in order.
func (s *Set) checksum() (string, error) {
	h := sha256.New()
	fmt.Fprintf(h, "%d %d %d %d\n", s.Height, s.Width, s.Channels, len(s.Classes))
	img := make([]uint8, s.Pixels())
	for _, split := range []Split{s.Train, s.Test} {
		fmt.Fprintf(h, "%d\n", split.Len())
		if id, ok := split.(identity); ok {
			id.identify(func(name string, n int64) { fmt.Fprintf(h, "%q %d\n", name, n) })
			continue
		}
		var label [4]byte
		for i := range split.Len() {
			binary.LittleEndian.PutUint32(label[:], uint32(split.Label(i)))
			h.Write(label[:])
			if err := split.Image(i, img); err != nil {
				return "", err
			}
			h.Write(img)
		}
	}
	return "sha256:" + hex.EncodeToString(h.Sum(nil)), nil
}

// Statistics returns the normalisation of the set, computed at the first call.
func (s *Set) Statistics() (Statistics, error) {
	s.statsOnce.Do(func() {
		if s.fixed != nil {
			s.stats = *s.fixed
			return
		}
		s.stats, s.statsErr = s.measure()
	})
	return s.stats, s.statsErr
}

// measure computes the statistics in integers, so that they do not depend on
// the order of summation, and converts at the end.
func (s *Set) measure() (Statistics, error) {
	n, p, c := s.Train.Len(), s.Pixels(), s.Channels
	if n == 0 {
		return Statistics{}, errors.New("dataset: " + s.Name + ": no training images")
	}
	sum, square := make([]uint64, p), make([]uint64, p) // of each pixel
	img := make([]uint8, p)
	for i := range n {
		if err := s.Train.Image(i, img); err != nil {
			return Statistics{}, err
		}
		for j, v := range img {
			sum[j] += uint64(v)
			square[j] += uint64(v) * uint64(v)
		}
	}
	st := Statistics{Mean: make([]float32, p), Scale: []float32{1}, ChannelMean: make([]float64, c), ChannelStd: make([]float64, c)}
	channel, channelSquare := make([]uint64, c), make([]uint64, c)
	total, residual := 0.0, 0.0
	for j, v := range sum {
		mean := float64(v) / float64(n)
		st.Mean[j] = float32(mean)
		channel[j%c] += v
		channelSquare[j%c] += square[j]
		residual += mean * mean
	}
	for k := range c {
		m := float64(n) * float64(p/c)
		mean := float64(channel[k]) / m
		st.ChannelMean[k] = mean
		st.ChannelStd[k] = math.Sqrt(max(0, float64(channelSquare[k])/m-mean*mean))
		total += float64(channelSquare[k])
	}
	// E (v - mean_j)^2 over all pixels j, mean_j the mean of pixel j.
	if v := (total/float64(n) - residual) / float64(p); v > 0 {
		st.Scale[0] = float32(math.Sqrt(v))
	}
	return st, nil
}

// memory is a split held in memory.
type memory struct {
	pixels []uint8 // n*size
	labels []uint16
	size   int
}

var _ Split = (*memory)(nil)

func (m *memory) Len() int        { return len(m.labels) }
func (m *memory) Label(i int) int { return int(m.labels[i]) }
func (m *memory) Image(i int, dst []uint8) error {
	if len(dst) != m.size {
		panic(fmt.Sprintf("dataset: Image: %d bytes for an image of %d", len(dst), m.size))
	}
	copy(dst, m.pixels[i*m.size:(i+1)*m.size])
	return nil
}

// subset is some of the images of another split.
type subset struct {
	Split
	index []int32
}

func (s *subset) Len() int                       { return len(s.index) }
func (s *subset) Label(i int) int                { return s.Split.Label(int(s.index[i])) }
func (s *subset) Image(i int, dst []uint8) error { return s.Split.Image(int(s.index[i]), dst) }

// subsetOfFiles is a subset of a split that decodes files.
type subsetOfFiles struct{ subset }

func (s *subsetOfFiles) picture(i int) (*picture, error) {
	return s.Split.(pictures).picture(int(s.index[i]))
}
func (s *subsetOfFiles) identify(write func(string, int64)) {
	tree := s.Split.(*tree)
	for _, i := range s.index {
		write(tree.files[i].name, tree.files[i].size)
	}
}

// limit keeps n images by the rule of [Options.TrainImages].
func limit(split Split, classes, n int) (Split, error) {
	if n == 0 || n == split.Len() {
		return split, nil
	}
	if n > split.Len() {
		return nil, fmt.Errorf("%d wanted, the set has %d", n, split.Len())
	}
	quota := make([]int, classes)
	for c := range quota {
		quota[c] = n / classes
		if c < n%classes {
			quota[c]++
		}
	}
	index := make([]int32, 0, n)
	for i := range split.Len() {
		if c := split.Label(i); quota[c] > 0 {
			quota[c]--
			index = append(index, int32(i))
		}
	}
	if len(index) < n {
		short := slices.IndexFunc(quota, func(q int) bool { return q > 0 })
		return nil, fmt.Errorf("%d wanted, balanced over %d classes, but class %d has too few", n, classes, short)
	}
	s := subset{split, index}
	if _, ok := split.(*tree); ok {
		return &subsetOfFiles{s}, nil
	}
	return &s, nil
}

// defaultDirs lists the folders [Open] looks into where no folder is given.
func defaultDirs(name string) []string {
	var dirs []string
	if d := DataDir(name); d != "" {
		dirs = append(dirs, d)
	}
	if name == "fashion-mnist" {
		dirs = append(dirs, "/usr/share/datasets/fashion-mnist") // Debian's dataset-fashion-mnist
	}
	return dirs
}

// DataDir is where [Fetch] puts a set unless told otherwise: tqn/NAME in the
// user's cache folder; "" where the system names none.
func DataDir(name string) string {
	cache, err := os.UserCacheDir()
	if err != nil {
		return ""
	}
	return filepath.Join(cache, "tqn", name)
}

// missing is the error that says in which folders the files were looked for and what would be right.
func missing(name string, dirs []string, want string) error {
	hint := ""
	if _, ok := remote[name]; ok {
		hint = fmt.Sprintf(" Fetch it with: tqn data fetch %s", name)
	}
	return fmt.Errorf("%w: found no %s in %s.%s", ErrMissing, want, strings.Join(dirs, " or "), hint)
}

// layouts are the folders below the one that is given in which other programs keep a set:
// Keras 3 (cifar-10-batches-py-target), torchvision (FashionMNIST/raw; its folders for CIFAR are the
// official ones), and Kaggle's ImageNet.
var layouts = map[string][]string{
	"cifar10":       {"cifar-10-batches-py-target"},
	"cifar100":      {"cifar-100-python-target"},
	"fashion-mnist": {"FashionMNIST/raw", "raw"},
	"imagenet":      {"ILSVRC/Data/CLS-LOC"},
}

// searchDirs is where to look: the given folder, or the default ones.
func searchDirs(name, dir string) []string {
	if dir != "" {
		dirs := []string{dir, filepath.Join(dir, name)}
		for _, sub := range layouts[name] {
			dirs = append(dirs, filepath.Join(dir, filepath.FromSlash(sub)))
		}
		return dirs
	}
	return defaultDirs(name)
}

// FileError is bad input at a place in a file.
type FileError struct {
	File   string
	Offset int64 // in bytes from the start, of the uncompressed data; -1 where it does not apply
	Err    error
}

func (e *FileError) Error() string {
	if e.Offset < 0 {
		return fmt.Sprintf("%s: %v", e.File, e.Err)
	}
	return fmt.Sprintf("%s: byte %d: %v", e.File, e.Offset, e.Err)
}
func (e *FileError) Unwrap() error { return e.Err }

func fileError(file string, offset int64, format string, args ...any) error {
	return &FileError{file, offset, fmt.Errorf(format, args...)}
}
