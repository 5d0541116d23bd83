// Package dataset reads the image sets the networks train on and feeds them to
// the training step in an order, and with an augmentation, that are functions
// of (seed, epoch, index) alone.
//
// # Sets
//
//	name           classes  pixels   source
//	cifar10             10  32x32x3  binary or python files (pickle protocols 0 to 5), folder or .tar.gz, or a folder tree of PNG
//	cifar100           100  32x32x3  the same
//	imagenet           any  224x224x3  folder tree of JPEG: train/<class>/*, val/<class>/*
//	fashion-mnist       10  32x32x1  IDX files, compressed by gzip or not; 28x28 padded by 2 zero pixels
//	embedded            10  32x32x1  10,000 + 2,000 images of Fashion-MNIST inside the binary
//	textures            10  32x32x3  procedural, a function of (seed, index);
//	textures-CxS         C  SxSx3    the same with C classes and a side of S pixels
//
// Images are rows of pixels from the top, each pixel its channels in order
// (height, width, channel: HWC), one byte per channel value.
//
// Every file is checked when a set is opened: the length against what the
// format promises, every label against the number of classes, every picture
// header against the expected size. The error names the file and the offset.
// Only the compressed pixel data of an image tree is decoded later, on demand;
// [Verify] decodes that too, and so does Options.SkipCorrupt, which leaves out
// what cannot be decoded. Pictures are taken as they are stored: EXIF's orientation is ignored,
// as torchvision's ImageFolder does. Files and folders that macOS, Windows and file servers leave beside
// pictures (._*, __MACOSX, @eaDir, .DS_Store, Thumbs.db) are skipped.
//
// Memory: a binary file takes four times its promised size, whatever it expands to, and an IDX
// file three times the data that are there, of at most 2^18 images; a pickle three times its
// length and 256 MiB; the decoders of pictures, all together, less than 20 bytes for each of
// 10^8 pixels, and as much again that is not collected yet. A test of the command holds these
// figures against what the operating system counts. Data files must be
// plain files.
//
// # Loading
//
// A [Loader] fills batches in parallel and ahead of the consumer. In training
// the images of an epoch are shuffled, augmented and cut into batches, and the
// images left over after the last whole batch are dropped for that epoch (each
// epoch drops others). In testing they come in order, not augmented, and the
// last batch is as short as it must be. Values are
//
//	x = (byte - mean of this pixel and channel over the training images) / s
//
// with one s, the standard deviation of byte - mean over all training pixels,
// so that x is of unit scale; image trees use ImageNet's channel means and
// standard deviations instead. Padding is zero after this normalisation, as in
// He et al., "Deep Residual Learning for Image Recognition" (CVPR 2016),
// Section 4.2, which the paper follows (Section 6).
package dataset
