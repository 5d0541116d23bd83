package dataset

import (
	"errors"
	"io"
	"math"
	"slices"
	"strings"
	"sync"
	"testing"
)

// openSet opens a small set of known contents.
func openSet(t testing.TB, name string, o Options) *Set {
	t.Helper()
	set, err := Open(name, o)
	if err != nil {
		t.Fatal(err)
	}
	return set
}

var small = sync.OnceValues(func() (*Set, error) {
	return Open("textures", Options{TrainImages: 100, TestImages: 25, Size: 16})
})

func smallSet(t testing.TB) *Set {
	t.Helper()
	set, err := small()
	if err != nil {
		t.Fatal(err)
	}
	return set
}

// read takes n batches and copies them.
func read(t testing.TB, set *Set, o LoaderOptions, n int) []Batch {
	t.Helper()
	l, err := NewLoader(set, o)
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	var out []Batch
	for range n {
		b, err := l.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, Batch{Epoch: b.Epoch, Index: b.Index, N: b.N, X: slices.Clone(b.X), Labels: slices.Clone(b.Labels)})
		l.Release(b)
	}
	return out
}

func same(t *testing.T, got, want []Batch) {
	t.Helper()
	if len(got) != len(want) {
		t.Fatalf("%d batches, want %d", len(got), len(want))
	}
	for i := range want {
		g, w := &got[i], &want[i]
		if g.Epoch != w.Epoch || g.Index != w.Index || !slices.Equal(g.X, w.X) || !slices.Equal(g.Labels, w.Labels) {
			t.Fatalf("batch %d (epoch %d, index %d) differs", i, w.Epoch, w.Index)
		}
	}
}

func TestLoaderDoesNotDependOnWorkers(t *testing.T) {
	set := smallSet(t)
	o := LoaderOptions{Train: true, Batch: 8, Seed: 5, Augment: Augmentation{Pad: 3, Flip: true}, Workers: 1}
	want := read(t, set, o, 40)
	for _, workers := range []int{2, 3, 8} {
		o.Workers, o.Ahead = workers, workers+1
		same(t, read(t, set, o, 40), want)
	}
	o.Inline = true
	same(t, read(t, set, o, 40), want)
	same(t, read(t, set, LoaderOptions{Batch: 8, Inline: true}, 40), read(t, set, LoaderOptions{Batch: 8}, 40))
	o.Seed++
	if other := read(t, set, o, 1); slices.Equal(other[0].X, want[0].X) {
		t.Error("another seed gives the same batch")
	}
}

func TestLoaderResumesAnywhere(t *testing.T) {
	set := smallSet(t)
	o := LoaderOptions{Train: true, Batch: 8, Seed: 5, Augment: Augmentation{Pad: 3, Flip: true}}
	all := read(t, set, o, 36) // three epochs of 12
	for _, o.Inline = range []bool{false, true} {
		for _, skip := range []int{1, 11, 12, 13, 30} {
			o.Epoch, o.Index = skip/12, skip%12
			same(t, read(t, set, o, 36-skip), all[skip:])
		}
		o.Epoch, o.Index = 0, 12 // the end of an epoch is the start of the next
		same(t, read(t, set, o, 24), all[12:])
	}
}

func TestLoaderEpochsVisitDistinctImages(t *testing.T) {
	set := smallSet(t)
	for epoch := range 3 {
		order := Order(9, epoch, 100)
		sorted := slices.Sorted(slices.Values(order))
		if !slices.Equal(sorted, inOrder(100)) {
			t.Fatalf("epoch %d is no permutation", epoch)
		}
		if slices.Equal(order, inOrder(100)) || slices.Equal(order, Order(9, epoch+1, 100)) {
			t.Errorf("epoch %d is not shuffled of its own", epoch)
		}
	}
	batches := read(t, set, LoaderOptions{Train: true, Batch: 8, Seed: 9}, 12)
	for i, b := range batches {
		for k, label := range b.Labels {
			if want := set.Train.Label(int(Order(9, 0, 100)[i*8+k])); int(label) != want {
				t.Fatalf("batch %d, image %d: label %d, want %d", i, k, label, want)
			}
		}
	}
}

// TestOrderIsUniform counts where image 0 lands in many epochs: exact mean and
// variance of a uniform position, five standard errors.
func TestOrderIsUniform(t *testing.T) {
	const n, epochs = 7, 20000
	counts := [n]int{}
	for e := range epochs {
		counts[slices.Index(Order(3, e, n), 0)]++
	}
	for i, c := range counts {
		p := 1.0 / n
		if z := (float64(c) - epochs*p) / math.Sqrt(epochs*p*(1-p)); math.Abs(z) > 5 {
			t.Errorf("position %d: %d of %d, %.1f standard errors off", i, c, epochs, z)
		}
	}
}

func TestTestPassKeepsTheShortLastBatch(t *testing.T) {
	set := smallSet(t)
	batches := read(t, set, LoaderOptions{Batch: 8, Augment: Augmentation{Pad: 3, Flip: true}}, 100)
	var n []int
	images := 0
	for _, b := range batches {
		n = append(n, b.N)
		for k := range b.N {
			if int(b.Labels[k]) != set.Test.Label(images) {
				t.Fatalf("image %d out of order", images)
			}
			images++
		}
	}
	if !slices.Equal(n, []int{8, 8, 8, 1}) {
		t.Errorf("batches of %v, want 8, 8, 8, 1", n)
	}
}

// TestAugmentationAgainstDefinition recomputes every value of some batches from
// the definition: normalise, pad with zeros, cut out, mirror.
func TestAugmentationAgainstDefinition(t *testing.T) {
	colour := smallSet(t)
	t.Run("colour", func(t *testing.T) { checkAugmentation(t, colour) })
	// The same bytes as images of one channel, three times as wide.
	grey := &Set{Name: "grey", Classes: colour.Classes, Height: colour.Height, Width: 3 * colour.Width, Channels: 1, Train: colour.Train, Test: colour.Test}
	t.Run("grey", func(t *testing.T) { checkAugmentation(t, grey) })
}

func checkAugmentation(t *testing.T, set *Set) {
	st, err := set.Statistics()
	if err != nil {
		t.Fatal(err)
	}
	const pad, batch, seed = 3, 10, 77
	got := read(t, set, LoaderOptions{Train: true, Batch: batch, Seed: seed, Augment: Augmentation{Pad: pad, Flip: true}}, 10)
	img := make([]uint8, set.Pixels())
	shifts := map[[3]int]bool{}
	for index, b := range got {
		for k := range b.N {
			i := int(Order(seed, 0, 100)[index*batch+k])
			if err := set.Train.Image(i, img); err != nil {
				t.Fatal(err)
			}
			// Every shift and mirroring that could have been drawn; one must fit.
			found := 0
			for dy := -pad; dy <= pad; dy++ {
				for dx := -pad; dx <= pad; dx++ {
					for mirror := range 2 {
						if fits(b.X[k*set.Pixels():], img, st, set, dy, dx, mirror == 1) {
							found++
							shifts[[3]int{dy, dx, mirror}] = true
						}
					}
				}
			}
			if found != 1 {
				t.Fatalf("image %d: %d windows of the padded image fit, want 1", i, found)
			}
		}
	}
	if len(shifts) < 50 { // of 98; 100 draws leave 63 distinct in the mean
		t.Errorf("only %d different windows in 100 draws", len(shifts))
	}
}

// TestAugmentationChangesWithTheEpoch: an image met again is shifted anew.
func TestAugmentationChangesWithTheEpoch(t *testing.T) {
	set := smallSet(t)
	batches := read(t, set, LoaderOptions{Train: true, Batch: 100, Seed: 3, Augment: Augmentation{Pad: 3, Flip: true}}, 2)
	at := func(epoch, image int) []float32 {
		k := slices.Index(Order(3, epoch, 100), int32(image))
		return batches[epoch].X[k*set.Pixels():][:set.Pixels()]
	}
	same := 0
	for i := range 100 {
		if slices.Equal(at(0, i), at(1, i)) {
			same++
		}
	}
	if same > 10 { // 98 windows: one image in the mean
		t.Errorf("%d of 100 images are augmented alike in two epochs", same)
	}
}

func fits(x []float32, img []uint8, st Statistics, set *Set, dy, dx int, mirror bool) bool {
	h, w, c := set.Height, set.Width, set.Channels
	for y := range h {
		for xx := range w {
			u := xx
			if mirror {
				u = w - 1 - xx
			}
			v, u := y+dy, u+dx
			for ch := range c {
				want := 0.0
				if v >= 0 && v < h && u >= 0 && u < w {
					at := (v*w+u)*c + ch
					want = (float64(img[at]) - float64(st.Mean[at])) / float64(st.Scale[0])
				}
				if math.Abs(float64(x[(y*w+xx)*c+ch])-want) > 1e-5 {
					return false
				}
			}
		}
	}
	return true
}

func TestNormalisedTrainingSetHasUnitScale(t *testing.T) {
	set := smallSet(t)
	sum := make([]float64, set.Pixels())
	square := 0.0
	for _, b := range read(t, set, LoaderOptions{OnTrain: true, Batch: 100}, 1) {
		for i, v := range b.X {
			sum[i%set.Pixels()] += float64(v)
			square += float64(v) * float64(v)
		}
	}
	for i, s := range sum {
		if math.Abs(s/100) > 1e-5 {
			t.Fatalf("pixel %d has mean %g", i, s/100)
		}
	}
	if v := square / float64(100*set.Pixels()); math.Abs(v-1) > 1e-4 {
		t.Errorf("mean square %g, want 1", v)
	}
}

func TestLoaderRefuses(t *testing.T) {
	set := smallSet(t)
	for name, o := range map[string]LoaderOptions{
		"no batch":       {Train: true},
		"huge batch":     {Train: true, Batch: 101},
		"negative pad":   {Train: true, Batch: 8, Augment: Augmentation{Pad: -1}},
		"huge pad":       {Train: true, Batch: 8, Augment: Augmentation{Pad: 17}},
		"scale below 1":  {Train: true, Batch: 8, Augment: Augmentation{MinScale: 0.5, MaxScale: 1}},
		"past the epoch": {Train: true, Batch: 8, Index: 13},
		"before epoch 0": {Train: true, Batch: 8, Epoch: -1},
		"before batch 0": {Train: true, Batch: 8, Index: -1},
	} {
		if l, err := NewLoader(set, o); err == nil {
			l.Close()
			t.Errorf("%s: accepted", name)
		}
	}
}

func TestLoaderClosesWhileWorking(t *testing.T) {
	set := smallSet(t)
	for range 50 {
		l, err := NewLoader(set, LoaderOptions{Train: true, Batch: 10, Workers: 4})
		if err != nil {
			t.Fatal(err)
		}
		l.Close()
		l.Close()
	}
}

type failing struct{ Split }

func (failing) Image(i int, _ []uint8) error { return errors.New("disk on fire") }

func TestLoaderReportsUnreadableImages(t *testing.T) {
	base := smallSet(t)
	set := &Set{Name: "failing", Classes: base.Classes, Height: 16, Width: 16, Channels: 3, Train: failing{base.Train}, Test: base.Test, fixed: &imagenetStatistics}
	for _, inline := range []bool{false, true} {
		l, err := NewLoader(set, LoaderOptions{Train: true, Batch: 10, Inline: inline})
		if err != nil {
			t.Fatal(err)
		}
		defer l.Close()
		if _, err := l.Next(); err == nil || !strings.Contains(err.Error(), "dataset: failing: image ") || !strings.Contains(err.Error(), "disk on fire") {
			t.Errorf("error %v, want the set, the image and the reason", err)
		}
	}
}

func BenchmarkLoader(b *testing.B) {
	for _, name := range []string{"embedded", "textures"} {
		b.Run("set="+name, func(b *testing.B) {
			set := openSet(b, name, Options{})
			l, err := NewLoader(set, LoaderOptions{Train: true, Batch: 128, Augment: set.Augment})
			if err != nil {
				b.Fatal(err)
			}
			defer l.Close()
			for b.Loop() {
				batch, err := l.Next()
				if err != nil {
					b.Fatal(err)
				}
				l.Release(batch)
			}
			b.ReportMetric(128*float64(b.N)/b.Elapsed().Seconds(), "images/s")
		})
	}
}
