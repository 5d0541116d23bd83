package dataset

import (
	"bytes"
	_ "embed"
	"fmt"
	"image"
	"image/png"
)

// The embedded set: the first 1,000 training images and the first 200 test
// images of each of the ten classes of Fashion-MNIST, in file order, 28x28
// pixels each, laid in rows of 100 into one grey PNG a half; and the labels, one
// byte an image. Copyright 2017 Zalando SE, MIT licence: embedded/LICENSE.
//
// Bytes of 10,000 + 2,000 images: deflated pixels 5,227,146; deflated differences to
// the left neighbour 5,243,463, to the upper 5,097,975, to Paeth's predictor
// 4,916,322; bzip2 4,816,328 (zlib and bzip2 at level 9); PNG as generated here, which
// chooses a predictor a row, 4,884,016. bzip2 is 1.4 % smaller, but Go cannot write it
// and nobody can look at it.
//
//go:generate go run ./embedded -from /usr/share/datasets/fashion-mnist -to embedded
var (
	//go:embed embedded/train.png
	embeddedTrain []byte
	//go:embed embedded/test.png
	embeddedTest []byte
	//go:embed embedded/labels.bin
	embeddedLabels []byte
)

// Size of the embedded halves and of the mosaic.
const (
	EmbeddedTrain = 10000
	EmbeddedTest  = 2000
	mosaicColumns = 100
)

func openEmbedded() (*Set, error) {
	set := &Set{
		Title:   "Fashion-MNIST (10,000 training images)",
		Classes: fashionClasses, Height: paddedSide, Width: paddedSide, Channels: 1,
		Augment: fashionAugment,
		Sources: []string{"embedded"},
	}
	train, err := mosaic("embedded/train.png", embeddedTrain, EmbeddedTrain)
	if err != nil {
		return nil, err
	}
	test, err := mosaic("embedded/test.png", embeddedTest, EmbeddedTest)
	if err != nil {
		return nil, err
	}
	set.Train = padded(train, embeddedLabels[:EmbeddedTrain])
	set.Test = padded(test, embeddedLabels[EmbeddedTrain:])
	return set, nil
}

// mosaic takes n images of 28x28 out of a grey PNG of 100 columns of them.
func mosaic(name string, data []byte, n int) ([]uint8, error) {
	img, err := png.Decode(bytes.NewReader(data))
	if err != nil {
		return nil, fileError(name, -1, "%w", err)
	}
	g, ok := img.(*image.Gray)
	if want := image.Rect(0, 0, mosaicColumns*fashionSide, n/mosaicColumns*fashionSide); !ok || g.Rect != want {
		return nil, fileError(name, -1, "a %T of %v, want 8-bit grey of %v", img, img.Bounds(), want)
	}
	out := make([]uint8, n*fashionSide*fashionSide)
	for i := range n {
		for y := range fashionSide {
			copy(out[(i*fashionSide+y)*fashionSide:][:fashionSide], g.Pix[g.PixOffset(i%mosaicColumns*fashionSide, i/mosaicColumns*fashionSide+y):])
		}
	}
	return out, nil
}

// Embed makes the three embedded files from the folder of the original ones.
func Embed(dir string) (train, test, labels []byte, err error) {
	var out [2][]byte
	for k, half := range []struct {
		prefix string
		n      int
	}{{"train", EmbeddedTrain}, {"t10k", EmbeddedTest}} {
		images, tags, _, err := readFashion(dir, half.prefix)
		if err != nil {
			return nil, nil, nil, fmt.Errorf("dataset: %w", err)
		}
		split := &memory{labels: make([]uint16, len(tags.data))}
		for i, l := range tags.data {
			split.labels[i] = uint16(l)
		}
		kept, err := limit(split, len(fashionClasses), half.n)
		if err != nil {
			return nil, nil, nil, fmt.Errorf("dataset: %w", err)
		}
		img := image.NewGray(image.Rect(0, 0, mosaicColumns*fashionSide, half.n/mosaicColumns*fashionSide))
		for i, from := range kept.(*subset).index {
			for y := range fashionSide {
				copy(img.Pix[img.PixOffset(i%mosaicColumns*fashionSide, i/mosaicColumns*fashionSide+y):], images.data[(int(from)*fashionSide+y)*fashionSide:][:fashionSide])
			}
			labels = append(labels, tags.data[from])
		}
		var buf bytes.Buffer
		enc := png.Encoder{CompressionLevel: png.BestCompression}
		if err := enc.Encode(&buf, img); err != nil {
			return nil, nil, nil, fmt.Errorf("dataset: %w", err)
		}
		out[k] = buf.Bytes()
	}
	return out[0], out[1], labels, nil
}
