package dataset

// Augmentation says how a training image is varied before the network sees it. The zero value varies
// nothing.
type Augmentation struct {
	// Pad zero pixels are added on each side, after normalisation, and a window of
	// the original size is cut out at random, where all (2*Pad+1)^2 positions are equally
	// likely. With 0 the image is not shifted. Pad is at most the image's side.
	Pad int `json:"pad"`
	// Flip mirrors left and right with probability 1/2.
	Flip bool `json:"flip"`
	// MinScale and MaxScale are for image trees: the shorter side is scaled to a
	// length uniform between these multiples of the crop, then the crop is cut out
	// at random. If both are 0, the multiple is 256/224, as in the test view.
	MinScale float64 `json:"min_scale,omitempty"`
	MaxScale float64 `json:"max_scale,omitempty"`
}

var (
	// He et al. 2016, Section 4.2: "4 pixels are padded on each side, and a 32x32
	// crop is randomly sampled from the padded image or its horizontal flip."
	cifarAugment = Augmentation{Pad: 4, Flip: true}
	// He et al. 2016, Section 3.4: shorter side in [256, 480], a 224x224 crop "from
	// an image or its horizontal flip".
	imagenetAugment = Augmentation{Flip: true, MinScale: 256.0 / 224, MaxScale: 480.0 / 224}
	// Fashion-MNIST's pictures are centred, and the 32x32 frame already leaves two
	// pixels of border, so that a shift of 2 loses nothing. Mirrored clothes are
	// clothes; shoes all point left, and a net that must know both directions has
	// the harder task.
	fashionAugment = Augmentation{Pad: 2, Flip: true}
	// Textures have no frame and no preferred side; a shift changes the phase, which
	// is random already.
	texturesAugment = Augmentation{Pad: 4, Flip: false}
)
