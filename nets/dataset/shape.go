package dataset

// Shape is what is known of a set without its files: the size of its images and the number of images and classes.
type Shape struct {
	Height, Width, Channels int
	Classes                 int
	Train, Test             int // images in the whole set
}

// ShapeOf returns the shape of the set that [Open] would read with the same
// classes and size, without reading it: for plans that are made on one machine
// and run on another. For imagenet it is that of ILSVRC 2012. The numbers of
// images are those of the whole set.
func ShapeOf(name string, o Options) (Shape, error) {
	switch name {
	case "cifar10":
		return Shape{32, 32, 3, 10, 50000, 10000}, nil
	case "cifar100":
		return Shape{32, 32, 3, 100, 50000, 10000}, nil
	case "imagenet":
		side := 224
		if o.Size > 0 {
			side = o.Size
		}
		return Shape{side, side, 3, 1000, 1281167, 50000}, nil
	case "fashion-mnist":
		return Shape{32, 32, 1, 10, 60000, 10000}, nil
	case "embedded":
		return Shape{32, 32, 1, 10, EmbeddedTrain, EmbeddedTest}, nil
	}
	set, err := Open(name, Options{TrainImages: 1, TestImages: 1, Classes: o.Classes, Size: o.Size}) // textures, which have no files, or an error
	if err != nil {
		return Shape{}, err
	}
	return Shape{set.Height, set.Width, set.Channels, len(set.Classes), texturesTrain, texturesTest}, nil
}
