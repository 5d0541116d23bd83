package dataset

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"image"
	stddraw "image/draw"
	_ "image/jpeg" // registers the format with image.Decode
	_ "image/png"
	"io"
	"math"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"

	"golang.org/x/image/draw"
	"golang.org/x/sync/errgroup"
	"golang.org/x/sync/semaphore"
)

// tree is a folder of pictures, one subfolder a class, decoded on demand. Pictures are
// taken as they are stored: EXIF's orientation is ignored, as torchvision's ImageFolder does.
type tree struct {
	root     string
	files    []treeFile
	crop     int // side of the square that Image gives
	warnings []string
}

type treeFile struct {
	name  string // CLASS/FILE
	size  int64
	label uint16
}

var (
	_ Split    = (*tree)(nil)
	_ pictures = (*tree)(nil)
	_ identity = (*tree)(nil)
)

// pictures is a split of pictures of any size.
type pictures interface {
	picture(i int) (*picture, error)
}

// picture is a decoded file.
type picture struct{ *image.RGBA }

// rgb writes the pixels without alpha.
func (p *picture) rgb(dst []uint8) {
	w, h := p.Rect.Dx(), p.Rect.Dy()
	for y := range h {
		row := p.Pix[y*p.Stride:][:4*w]
		for x := range w {
			copy(dst[3*(y*w+x):][:3], row[4*x:4*x+3])
		}
	}
}

func (t *tree) Len() int          { return len(t.files) }
func (t *tree) Label(i int) int   { return int(t.files[i].label) }
func (t *tree) path(i int) string { return filepath.Join(t.root, filepath.FromSlash(t.files[i].name)) }
func (t *tree) identify(write func(string, int64)) {
	for _, f := range t.files {
		write(f.name, f.size)
	}
}

// testScale is the ratio of the shorter side to the crop at test time: 256/224
// (He et al. 2016, Section 3.4).
const testScale = 256.0 / 224

// Image gives the test view: the shorter side scaled to 256/224 of the crop, and
// the central crop of that.
func (t *tree) Image(i int, dst []uint8) error {
	p, err := t.picture(i)
	if err != nil {
		return err
	}
	p.scaledCrop(dst, t.crop, testScale*float64(t.crop), 0.5, 0.5, false)
	return nil
}

// scaledCrop scales the shorter side to short pixels by Catmull-Rom
// interpolation and writes the crop x crop window that lies at the fractions
// fx, fy of the room there is, mirrored if asked.
func (p *picture) scaledCrop(dst []uint8, crop int, short, fx, fy float64, mirror bool) {
	w, h := float64(p.Rect.Dx()), float64(p.Rect.Dy())
	r := short / min(w, h)
	sw, sh := max(crop, int(math.Round(w*r))), max(crop, int(math.Round(h*r)))
	x0 := int(math.Round(fx * float64(sw-crop)))
	y0 := int(math.Round(fy * float64(sh-crop)))
	out := image.NewRGBA(image.Rect(0, 0, crop, crop))
	draw.CatmullRom.Scale(out, image.Rect(-x0, -y0, sw-x0, sh-y0), p.RGBA, p.Rect, draw.Src, nil)
	for y := range crop {
		for x := range crop {
			from := x
			if mirror {
				from = crop - 1 - x
			}
			copy(dst[3*(y*crop+x):][:3], out.Pix[y*out.Stride+4*from:][:3])
		}
	}
}

// maxFile bounds a picture's file.
const maxFile = 256 << 20

// atOnce bounds the pixels of one picture and those that are being decoded at any time, by all goroutines
// together, and so the memory that pictures take: a decoder's planes and coefficients, and
// the copy in RGBA, are less than 20 bytes a pixel (5 of a grey PNG), and of what has been decoded
// before no more than as many pixels are not collected yet, see [makeRoom]. So it is at most 4 GB, and 1 GB of grey PNGs.
const atOnce = 100_000_000

var decoding = semaphore.NewWeighted(atOnce)

// since is how many pixels have been decoded since the last collection that makeRoom made.
var since struct {
	sync.Mutex
	pixels int64
}

// makeRoom collects what has been decoded before, each time that it comes to atOnce pixels: the runtime by itself begins in time, but on a busy machine decoders can run ahead of it. Nothing
// begins to be decoded meanwhile.
func makeRoom(pixels int64) {
	since.Lock()
	defer since.Unlock()
	if since.pixels += pixels; since.pixels > atOnce {
		runtime.GC()
		since.pixels = pixels
	}
}

// maxPixels returns how many pixels a file of that size can honestly hold. A
// JPEG spends at least one bit on each 8x8 block (512 pixels a byte), and
// deflate in a PNG expands at most 1032 times.
func maxPixels(size int64) int64 { return min(1<<16+1032*size, atOnce) }

// checkHeader reads a picture's header. It refuses a picture that claims more pixels
// than a file of its size can hold.
func checkHeader(name string, r io.Reader, size int64) (image.Config, error) {
	c, _, err := image.DecodeConfig(r)
	if err != nil {
		return c, fileError(name, -1, "not a JPEG or PNG picture: %w", err)
	}
	if c.Width < 1 || c.Height < 1 || int64(c.Width)*int64(c.Height) > maxPixels(size) {
		return c, fileError(name, -1, "a picture of %dx%d pixels in %d bytes", c.Width, c.Height, size)
	}
	return c, nil
}

// picture decodes file i.
func (t *tree) picture(i int) (*picture, error) {
	path := t.path(i)
	data, err := readFile(path, maxFile)
	if err != nil {
		return nil, err
	}
	return decodePicture(path, data)
}

func decodePicture(name string, data []byte) (*picture, error) {
	c, err := checkHeader(name, bytes.NewReader(data), int64(len(data)))
	if err != nil {
		return nil, err
	}
	pixels := int64(c.Width) * int64(c.Height)
	if err := decoding.Acquire(context.Background(), pixels); err != nil {
		return nil, err
	}
	defer decoding.Release(pixels)
	makeRoom(pixels)
	r := &counter{r: bytes.NewReader(data)}
	img, _, err := image.Decode(r)
	if err != nil {
		return nil, fileError(name, r.n, "%w", noEOF(err))
	}
	b := img.Bounds()
	out := image.NewRGBA(image.Rect(0, 0, b.Dx(), b.Dy()))
	// The picture is laid over opaque black, because the transparent parts of a PNG have no colour of their own.
	stddraw.Draw(out, out.Rect, image.Black, image.Point{}, stddraw.Src)
	stddraw.Draw(out, out.Rect, img, b.Min, stddraw.Over)
	return &picture{out}, nil
}

// parallel runs f(0) to f(n-1) on all processors. It returns the error of a call that failed first, after which
// it starts no more calls.
func parallel(n int, f func(i int) error) error {
	g, ctx := errgroup.WithContext(context.Background())
	workers := runtime.GOMAXPROCS(0)
	for w := range workers {
		g.Go(func() error {
			for i := w; i < n && ctx.Err() == nil; i += workers {
				if err := f(i); err != nil {
					return err
				}
			}
			return nil
		})
	}
	return g.Wait()
}

// testFolders are the names that the folder of the test half may have: ImageNet's is val, Keras and others have the rest.
var testFolders = []string{"val", "validation", "valid", "test"}

// scanTree lists dir/train/CLASS/* and dir/val/CLASS/* (or another of testFolders). The
// classes are the folders of train in alphabetical order.
func scanTree(dir string, skipCorrupt bool) (train, test *tree, classes []string, err error) {
	trainRoot := filepath.Join(dir, "train")
	i := slices.IndexFunc(testFolders, func(name string) bool { return isDir(filepath.Join(dir, name)) })
	if i < 0 {
		return nil, nil, nil, fmt.Errorf("%s: there is a folder train, but neither val nor test beside it", dir)
	}
	testRoot := filepath.Join(dir, testFolders[i])
	if classes, err = folders(trainRoot); err != nil {
		return nil, nil, nil, err
	}
	if err := checkClasses(trainRoot, len(classes)); err != nil {
		return nil, nil, nil, err
	}
	tests, err := folders(testRoot)
	if err != nil {
		return nil, nil, nil, err
	}
	for _, c := range tests {
		if !slices.Contains(classes, c) {
			return nil, nil, nil, fmt.Errorf("%s: a class that train has not", filepath.Join(testRoot, c))
		}
	}
	if len(tests) == 0 {
		return nil, nil, nil, fmt.Errorf("%s: no class folders; sort the pictures into %s/CLASS/ as in train", testRoot, filepath.Base(testRoot))
	}
	if train, err = listTree(trainRoot, classes, classes, skipCorrupt); err != nil {
		return nil, nil, nil, err
	}
	if test, err = listTree(testRoot, classes, tests, skipCorrupt); err != nil {
		return nil, nil, nil, err
	}
	if lacking := len(classes) - len(tests); lacking > 0 {
		first := slices.IndexFunc(classes, func(c string) bool { return !slices.Contains(tests, c) })
		verb := "are"
		if lacking == 1 {
			verb = "is"
		}
		test.warnings = append(test.warnings, fmt.Sprintf("%s has no folder %s: %d of the %d classes of %s %s not tested", testRoot, classes[first], lacking, len(classes), trainRoot, verb))
	}
	return train, test, classes, nil
}

// checkClasses refuses a tree of one class, in which there is nothing to learn, and one of more classes than a label can tell apart.
func checkClasses(root string, n int) error {
	if n < 2 || n > math.MaxUint16 {
		return fmt.Errorf("%s: class folders: %d, want 2 to %d; pictures lie in train/CLASS/", root, n, math.MaxUint16)
	}
	return nil
}

// systemFolders are those that operating systems and file servers put beside the user's own, in lower case: macOS's resource forks,
// thumbnails (Synology, QNAP), bins for what was deleted, and what a check of a disk has found.
var systemFolders = []string{"__macosx", "@eadir", "@recycle", "#recycle", "$recycle.bin", "system volume information", "lost+found"}

// folders returns the names of the class folders in dir. It leaves out hidden folders and those of systemFolders.
func folders(dir string) ([]string, error) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, err
	}
	var names []string
	for _, e := range entries {
		if !strings.HasPrefix(e.Name(), ".") && !slices.Contains(systemFolders, strings.ToLower(e.Name())) && isDir(filepath.Join(dir, e.Name())) {
			names = append(names, e.Name())
		}
	}
	return names, nil // sorted by os.ReadDir
}

// listTree lists the pictures of those class folders and checks every header, or, to leave out
// the corrupt ones, decodes every picture.
func listTree(root string, classes, present []string, skipCorrupt bool) (*tree, error) {
	t := &tree{root: root}
	others, another := 0, ""
	for _, class := range present {
		dir := filepath.Join(root, class)
		entries, err := os.ReadDir(dir)
		if err != nil {
			return nil, err
		}
		label := uint16(slices.Index(classes, class))
		before := len(t.files)
		for _, e := range entries {
			switch name := e.Name(); strings.ToLower(filepath.Ext(name)) {
			case ".jpg", ".jpeg", ".png":
				if !strings.HasPrefix(name, "._") { // AppleDouble: a resource fork under the picture's name
					t.files = append(t.files, treeFile{name: class + "/" + name, label: label})
				}
			case ".db", ".ini", ".ds_store", ".txt", ".xml", ".csv", ".json": // thumbnails and notes
			default:
				if !strings.HasPrefix(name, ".") {
					if others++; others == 1 {
						another = filepath.Join(dir, name)
					}
				}
			}
		}
		if len(t.files) == before {
			return nil, fmt.Errorf("%s: no .jpg, .jpeg or .png file", dir)
		}
	}
	if others > 0 {
		t.warnings = append(t.warnings, fmt.Sprintf("%d files are neither .jpg, .jpeg nor .png and are left out: %s is the first", others, another))
	}
	if !skipCorrupt {
		return t, parallel(len(t.files), t.header)
	}
	return t, t.dropCorrupt(classes)
}

// header checks the header of picture i and notes its file's size.
func (t *tree) header(i int) error {
	f, err := openPlain(t.path(i))
	if err != nil {
		return err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return err
	}
	t.files[i].size = info.Size()
	_, err = checkHeader(t.path(i), f, info.Size())
	return err
}

// dropCorrupt decodes every picture and leaves out those that cannot be. A folder that cannot be
// read is an error all the same, and so is a class of which nothing is left.
func (t *tree) dropCorrupt(classes []string) error {
	corrupt := make([]error, len(t.files))
	err := parallel(len(t.files), func(i int) error {
		err := t.header(i)
		if err == nil {
			_, err = t.picture(i)
		}
		var bad *FileError
		if errors.As(err, &bad) {
			corrupt[i], err = bad, nil
		}
		return err
	})
	if err != nil {
		return err
	}
	var kept []treeFile
	var first error
	left := make([]int, len(classes))
	for i, f := range t.files {
		if corrupt[i] == nil {
			kept = append(kept, f)
			left[f.label]++
		} else if first == nil {
			first = corrupt[i]
		}
	}
	for _, f := range t.files {
		if left[f.label] == 0 {
			return fmt.Errorf("%s: every picture is corrupt: %w", filepath.Join(t.root, classes[f.label]), first)
		}
	}
	if n := len(t.files) - len(kept); n > 0 {
		t.warnings = append(t.warnings, fmt.Sprintf("%s: %d of %d pictures are corrupt and left out: %v is the first", t.root, n, len(t.files), first))
	}
	t.files = kept
	return nil
}

// ImageNet's statistics as every implementation since fb.resnet.torch (Torch7,
// datasets/imagenet.lua) uses them, here in units of a byte value.
var imagenetStatistics = Statistics{
	PerChannel:  true,
	Mean:        []float32{0.485 * 255, 0.456 * 255, 0.406 * 255},
	Scale:       []float32{0.229 * 255, 0.224 * 255, 0.225 * 255},
	ChannelMean: []float64{0.485 * 255, 0.456 * 255, 0.406 * 255},
	ChannelStd:  []float64{0.229 * 255, 0.224 * 255, 0.225 * 255},
}

func openTree(o Options) (*Set, error) {
	dirs := searchDirs("imagenet", o.Dir)
	crop := o.Size
	if crop == 0 {
		crop = 224
	}
	for _, dir := range dirs {
		if !isDir(filepath.Join(dir, "train")) {
			continue
		}
		train, test, classes, err := scanTree(dir, o.SkipCorrupt)
		if err != nil {
			return nil, err
		}
		train.crop, test.crop = crop, crop
		set := &Set{Title: "ImageNet", Classes: classes, Height: crop, Width: crop, Channels: 3, Train: train, Test: test, Augment: imagenetAugment, fixed: &imagenetStatistics}
		if len(classes) != 1000 {
			set.Title = fmt.Sprintf("ImageNet-style tree of %d classes", len(classes))
		}
		set.Sources = []string{train.root, test.root}
		set.Warnings = slices.Concat(train.warnings, test.warnings)
		return set, nil
	}
	return nil, missing("imagenet", dirs, "train/CLASS/*.JPEG; ImageNet is had on request from image-net.org, then --dir names the folder that holds train and val")
}
