package dataset

import (
	"bytes"
	"context"
	"crypto/md5"
	"encoding/hex"
	"errors"
	"fmt"
	"image"
	"image/png"
	"math"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

// mtime of what the test servers serve.
var mtime = time.Unix(1e9, 0)

const debianFashion = "/usr/share/datasets/fashion-mnist"

func TestEmbeddedIsBalancedAndOfficial(t *testing.T) {
	set := openSet(t, "embedded", Options{})
	if set.Checksum != official["embedded"] {
		t.Errorf("checksum %s, want %s", set.Checksum, official["embedded"])
	}
	for _, split := range []Split{set.Train, set.Test} {
		counts := make([]int, 10)
		for i := range split.Len() {
			counts[split.Label(i)]++
		}
		for c, n := range counts {
			if n != split.Len()/10 {
				t.Errorf("class %d has %d of %d images", c, n, split.Len())
			}
		}
	}
	img := make([]uint8, set.Pixels())
	for i := range 100 {
		if err := set.Train.Image(i, img); err != nil {
			t.Fatal(err)
		}
		for y := range 32 {
			for x := range 32 {
				if (y < 2 || y >= 30 || x < 2 || x >= 30) && img[y*32+x] != 0 {
					t.Fatalf("image %d has a border pixel of %d", i, img[y*32+x])
				}
			}
		}
	}
}

// A picture that is no mosaic of the set's images is refused.
func TestOtherMosaicsAreRefused(t *testing.T) {
	for want, img := range map[string]image.Image{
		"*image.NRGBA of":  image.NewNRGBA(image.Rect(0, 0, mosaicColumns*fashionSide, fashionSide)),
		"(0,0)-(2800,56),": image.NewGray(image.Rect(0, 0, mosaicColumns*fashionSide, 2*fashionSide)),
	} {
		var b bytes.Buffer
		if err := png.Encode(&b, img); err != nil {
			t.Fatal(err)
		}
		_, err := mosaic("a.png", b.Bytes(), mosaicColumns)
		wantFileError(t, err, -1, want)
	}
}

func TestEmbeddedSize(t *testing.T) {
	t.Logf("embedded: %d bytes of training images, %d of test images, %d of labels", len(embeddedTrain), len(embeddedTest), len(embeddedLabels))
	if n := len(embeddedTrain) + len(embeddedTest) + len(embeddedLabels); n > 6<<20 {
		t.Errorf("%d bytes are embedded, at most 6 MiB are meant", n)
	}
}

// TestEmbeddedIsWhatTheGeneratorMakes compares with the original files where
// Debian's dataset-fashion-mnist is installed.
func TestEmbeddedIsWhatTheGeneratorMakes(t *testing.T) {
	if testing.Short() {
		t.Skip("compresses 10 MB at the highest level")
	}
	if !isDir(debianFashion) {
		t.Skipf("%s is not there: install Debian's dataset-fashion-mnist to run this", debianFashion)
	}
	train, test, labels, err := Embed(debianFashion)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(labels, embeddedLabels) {
		t.Error("the labels differ")
	}
	for _, half := range []struct {
		name      string
		got, want []byte
		n         int
	}{{"train.png", train, embeddedTrain, EmbeddedTrain}, {"test.png", test, embeddedTest, EmbeddedTest}} {
		got, err := mosaic(half.name, half.got, half.n)
		if err != nil {
			t.Fatal(err)
		}
		want, err := mosaic(half.name, half.want, half.n)
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(got, want) {
			t.Errorf("%s: the pixels differ", half.name)
		}
		// The pixels are the contract; the compressor may change with Go.
		if strings.HasPrefix(runtime.Version(), "go1.26") && !bytes.Equal(half.got, half.want) {
			t.Errorf("%s: same pixels, other bytes", half.name)
		}
	}
}

func TestFashionFromDebian(t *testing.T) {
	if !isDir(debianFashion) {
		t.Skipf("%s is not there", debianFashion)
	}
	v, err := Verify("fashion-mnist", Options{Dir: debianFashion})
	if err != nil {
		t.Fatal(err)
	}
	if !v.Official || v.Train != 60000 || v.Test != 10000 || len(v.Problems) > 0 {
		t.Errorf("%+v", v)
	}
}

// TestRealCIFAR10 runs where the official files lie in TQN_CIFAR10's folder.
func TestRealCIFAR10(t *testing.T) {
	dir := os.Getenv("TQN_CIFAR10")
	if dir == "" {
		t.Skip("TQN_CIFAR10 names no folder with the official files")
	}
	v, err := Verify("cifar10", Options{Dir: dir})
	if err != nil {
		t.Fatal(err)
	}
	if !v.Official || len(v.Problems) > 0 {
		t.Errorf("%+v", v)
	}
	set := openSet(t, "cifar10", Options{Dir: dir})
	st, err := set.Statistics()
	if err != nil {
		t.Fatal(err)
	}
	// Channel statistics of the training set as everybody's code quotes them.
	for c, want := range [][2]float64{{125.307, 62.993}, {122.950, 62.089}, {113.865, 66.705}} {
		if math.Abs(st.ChannelMean[c]-want[0]) > 1e-3 || math.Abs(st.ChannelStd[c]-want[1]) > 1e-3 {
			t.Errorf("channel %d: mean %.3f, standard deviation %.3f, want %v", c, st.ChannelMean[c], st.ChannelStd[c], want)
		}
	}
}

func TestLimitKeepsTheFirstOfEachClass(t *testing.T) {
	full := openSet(t, "textures", Options{TrainImages: 50, Size: 8})
	kept, err := limit(full.Train, 10, 23)
	if err != nil {
		t.Fatal(err)
	}
	counts := make([]int, 10)
	for i := range kept.Len() {
		counts[kept.Label(i)]++
	}
	if got := fmt.Sprint(counts); got != "[3 3 3 2 2 2 2 2 2 2]" {
		t.Errorf("classes have %s images", got)
	}
	if _, err := limit(full.Train, 10, 51); err == nil {
		t.Error("51 of 50 images")
	}
	lopsided := &memory{labels: []uint16{0, 0, 0, 1}, size: 0}
	if _, err := limit(lopsided, 2, 3); err != nil {
		t.Errorf("2 + 1: %v", err)
	}
	if _, err := limit(&memory{labels: []uint16{0, 0, 0, 0}}, 2, 2); err == nil {
		t.Error("a class without images is balanced")
	}
}

func TestOpenRefuses(t *testing.T) {
	for _, c := range []struct {
		name  string
		o     Options
		words string
	}{
		{"mnist", Options{}, "there are cifar10"},
		{"embedded", Options{TrainImages: 10001}, "10001 wanted"},
		{"embedded", Options{TestImages: -1}, "negative"},
		{"textures", Options{Classes: 1}, "classes"},
		{"textures-10x", Options{}, "textures-CLASSESxSIDE"},
		{"textures-ten", Options{}, "textures-CLASSESxSIDE"},
		{"cifar10", Options{Dir: "/nonexistent"}, "tqn data fetch cifar10"},
		{"imagenet", Options{Dir: "/nonexistent"}, "image-net.org"},
	} {
		if _, err := Open(c.name, c.o); err == nil || !strings.Contains(err.Error(), c.words) {
			t.Errorf("%s %+v: error %v, want %q", c.name, c.o, err, c.words)
		}
	}
	if _, err := Open("cifar100", Options{Dir: "/nonexistent"}); !errors.Is(err, ErrMissing) {
		t.Errorf("error %v is not ErrMissing", err)
	}
}

func TestShapeOfIsTheShapeOpened(t *testing.T) {
	for _, one := range []struct {
		name string
		o    Options
	}{{"embedded", Options{}}, {"textures", Options{}}, {"textures-7x24", Options{}}, {"textures", Options{Classes: 3, Size: 8}}} {
		name := one.name
		set := openSet(t, name, one.o)
		shape, err := ShapeOf(name, one.o)
		want := Shape{set.Height, set.Width, set.Channels, len(set.Classes), set.Train.Len(), set.Test.Len()}
		if err != nil || shape != want {
			t.Errorf("%s: %+v (%v), want %+v", name, shape, err, want)
		}
	}
	if _, err := ShapeOf("mnist", Options{}); err == nil {
		t.Error("mnist has a shape")
	}
}

// TestTextures fixes the bytes, and shows that the set needs more than a linear
// function of pixels but is learnable: the class means are all alike, while the
// class's own waves, correlated with the image at any phase, tell it well.
func TestTextures(t *testing.T) {
	if testing.Short() {
		t.Skip("several seconds")
	}
	set := openSet(t, "textures-20x32", Options{TrainImages: 1000, TestImages: 100})
	if len(set.Classes) != 20 || set.Height != 32 {
		t.Fatalf("%d classes, side %d", len(set.Classes), set.Height)
	}
	const want = "sha256:0ef6fba84b54f102316c45912508fb47baef05fefffca8a696704455e1163cb1"
	if set.Checksum != want {
		t.Errorf("checksum %s, want %s", set.Checksum, want)
	}
	img := make([]uint8, set.Pixels())
	means := make([][]float64, 20)
	for c := range means {
		means[c] = make([]float64, set.Pixels())
	}
	for i := range set.Train.Len() {
		if err := set.Train.Image(i, img); err != nil {
			t.Fatal(err)
		}
		for j, v := range img {
			means[set.Train.Label(i)][j] += float64(v) / 50
		}
	}
	tex := set.Test.(*textures)
	nearest, matched := 0, 0
	for i := range set.Test.Len() {
		if err := set.Test.Image(i, img); err != nil {
			t.Fatal(err)
		}
		bestMean, bestWave := 0, 0
		closest, loudest := math.Inf(1), -1.0
		for c := range means {
			d := 0.0
			for j, v := range img {
				d += (float64(v) - means[c][j]) * (float64(v) - means[c][j])
			}
			if d < closest {
				closest, bestMean = d, c
			}
			if e := waveEnergy(tex, img, c); e > loudest {
				loudest, bestWave = e, c
			}
		}
		if bestMean == set.Test.Label(i) {
			nearest++
		}
		if bestWave == set.Test.Label(i) {
			matched++
		}
	}
	t.Logf("of 100 test images of 20 classes, nearest mean gets %d, matched waves %d", nearest, matched)
	if nearest > 20 || matched < 60 {
		t.Errorf("of 100 test images, nearest mean gets %d (want at most 20: chance is 5), matched waves %d (want at least 60)", nearest, matched)
	}
}

// TestTexturesAreKept compares the images that a set keeps with those that it would draw, and counts the bytes that it keeps.
func TestTexturesAreKept(t *testing.T) {
	set := openSet(t, "textures-3x9", Options{TrainImages: 10, TestImages: 7})
	for _, split := range []Split{set.Train, set.Test} {
		kept := split.(*textures)
		if len(kept.kept) != kept.n*set.Pixels() {
			t.Fatalf("%d bytes are kept of %d images of %d", len(kept.kept), kept.n, set.Pixels())
		}
		drawn := *kept
		drawn.kept = nil
		got, want := make([]uint8, set.Pixels()), make([]uint8, set.Pixels())
		for i := range kept.n {
			if err := errors.Join(kept.Image(i, got), drawn.Image(i, want)); err != nil || !bytes.Equal(got, want) {
				t.Errorf("image %d of %d: kept and drawn differ (%v)", i, kept.n, err)
			}
		}
	}
	for _, c := range []struct {
		train, test, pixels int
		want                int64
	}{
		{10, 7, 243, 17 * 243},
		{mostKept - 1, 1, 1, mostKept}, {mostKept, 1, 1, 0}, {0, mostKept + 1, 1, 0},
		{math.MaxInt, math.MaxInt, 3 << 20, 0},
	} {
		if got := TexturesKept(c.train, c.test, c.pixels); got != c.want {
			t.Errorf("%d and %d images of %d bytes: %d are kept, want %d", c.train, c.test, c.pixels, got, c.want)
		}
	}
}

// waveEnergy is the power of the class's waves in the image, colour by colour and
// at any phase, each relative to its own amplitude.
func waveEnergy(t *textures, img []uint8, class int) float64 {
	total := 0.0
	for _, w := range t.waves[class*wavesPerClass:][:wavesPerClass] {
		norm := 0.0
		for _, a := range w.colour {
			norm += float64(a) * float64(a)
		}
		best := 0.0
		for _, turnBy := range []float64{-1. / 48, 0, 1. / 48} {
			angle := 2 * math.Pi * (float64(w.direction)/turn + turnBy)
			f := 2 * math.Pi * float64(w.frequency) / 65536 / float64(t.side)
			re, im := 0.0, 0.0
			for p := range t.side * t.side {
				v := 0.0
				for ch, a := range w.colour {
					v += float64(a) * (float64(img[3*p+ch]) - 128)
				}
				phase := f * (math.Cos(angle)*float64(p%t.side) + math.Sin(angle)*float64(p/t.side))
				re += v * math.Cos(phase)
				im += v * math.Sin(phase)
			}
			best = math.Max(best, (re*re+im*im)/norm)
		}
		total += math.Sqrt(best)
	}
	return total
}

// server serves data at /file, with ranges; it stops a reply after cut bytes
// the first time round.
func server(t *testing.T, data []byte, cut int) (*httptest.Server, *atomic.Int64) {
	t.Helper()
	var sent atomic.Int64
	var calls atomic.Int64
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if calls.Add(1) == 1 && cut > 0 {
			w.Header().Set("Content-Length", fmt.Sprint(len(data)))
			sent.Add(int64(cut)) // before the client has the bytes and looks at the count
			w.Write(data[:cut])
			return // the connection breaks: fewer bytes than promised
		}
		cw := &countingWriter{ResponseWriter: w, n: &sent}
		http.ServeContent(cw, r, "file", mtime, bytes.NewReader(data))
	}))
	t.Cleanup(s.Close)
	return s, &sent
}

type countingWriter struct {
	http.ResponseWriter
	n *atomic.Int64
}

func (c *countingWriter) Write(p []byte) (int, error) {
	n, err := c.ResponseWriter.Write(p)
	c.n.Add(int64(n))
	return n, err
}

func remoteFile(url string, data []byte) []RemoteFile {
	sum := md5.Sum(data)
	return []RemoteFile{{Name: "set.tar.gz", URL: url + "/file", MD5: hex.EncodeToString(sum[:])}}
}

func TestFetchResumesAndVerifies(t *testing.T) {
	data := bytes.Repeat([]byte("0123456789abcdef"), 1<<14)
	s, sent := server(t, data, 100000)
	dir := t.TempDir()
	final := filepath.Join(dir, "set.tar.gz")
	files := remoteFile(s.URL, data)
	ctx := context.Background()
	// The first reply breaks off; the process is stopped before it asks again.
	ctx2, stop := context.WithCancel(ctx)
	if err := Fetch(ctx2, s.Client(), files, dir, func(string, int64, int64) { stop() }); err == nil || !strings.Contains(err.Error(), "run it again") {
		t.Fatalf("a broken connection: %v", err)
	}
	if exists(final) {
		t.Fatal("a partial file lies under the final name")
	}
	if info, err := os.Stat(final + ".part"); err != nil || info.Size() == 0 {
		t.Fatalf("nothing is kept: %v", err)
	}
	sent.Store(0)
	if info, err := os.Stat(final + ".part"); err == nil {
		sent.Store(info.Size())
	}
	var last int64
	if err := Fetch(ctx, s.Client(), files, dir, func(_ string, done, total int64) {
		if total != int64(len(data)) || done < last {
			t.Errorf("progress %d of %d after %d", done, total, last)
		}
		last = done
	}); err != nil {
		t.Fatal(err)
	}
	if last != int64(len(data)) {
		t.Errorf("progress ends at %d of %d", last, len(data))
	}
	if got, err := os.ReadFile(final); err != nil || !bytes.Equal(got, data) {
		t.Errorf("wrong contents (%v)", err)
	}
	if n := sent.Load(); n != int64(len(data)) {
		t.Errorf("%d bytes were sent in all for a file of %d: not resumed", n, len(data))
	}
	if exists(final + ".part") {
		t.Error("the part file stays")
	}
	s.Close() // what is there is not fetched again
	if err := Fetch(ctx, s.Client(), files, dir, nil); err != nil {
		t.Errorf("a finished file: %v", err)
	}
}

func TestFetchBeginsAnewAfterAWrongPart(t *testing.T) {
	data := bytes.Repeat([]byte("abc"), 50000)
	s, _ := server(t, data, 0)
	dir := t.TempDir()
	write(t, filepath.Join(dir, "set.tar.gz.part"), []byte("something else"))
	if err := Fetch(context.Background(), s.Client(), remoteFile(s.URL, data), dir, nil); err != nil {
		t.Fatal(err)
	}
	// A part that is too long already.
	dir = t.TempDir()
	write(t, filepath.Join(dir, "set.tar.gz.part"), bytes.Repeat([]byte("x"), len(data)+5))
	if err := Fetch(context.Background(), s.Client(), remoteFile(s.URL, data), dir, nil); err != nil {
		t.Fatal(err)
	}
}

// A server that falls silent, or breaks off, is asked again for the rest.
func TestFetchContinuesAStalledDownload(t *testing.T) {
	data := bytes.Repeat([]byte("0123456789abcdef"), 1<<12)
	for name, silent := range map[string]bool{"silent": true, "broken off": false} {
		t.Run(name, func(t *testing.T) {
			var calls atomic.Int64
			end := make(chan struct{})
			s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				if calls.Add(1) > 2 {
					http.ServeContent(w, r, "file", mtime, bytes.NewReader(data))
					return
				}
				from := 0
				fmt.Sscanf(r.Header.Get("Range"), "bytes=%d-", &from)
				w.Header().Set("Content-Length", fmt.Sprint(len(data)-from))
				if from > 0 {
					w.Header().Set("Content-Range", fmt.Sprintf("bytes %d-%d/%d", from, len(data)-1, len(data)))
					w.WriteHeader(http.StatusPartialContent)
				}
				w.Write(data[from : from+20000])
				w.(http.Flusher).Flush()
				if silent {
					select {
					case <-r.Context().Done():
					case <-end:
					}
				}
			}))
			defer s.Close()
			defer close(end)
			dir := t.TempDir()
			if err := fetchAll(context.Background(), s.Client(), remoteFile(s.URL, data), dir, nil, 200*time.Millisecond); err != nil {
				t.Fatal(err)
			}
			if got, err := os.ReadFile(filepath.Join(dir, "set.tar.gz")); err != nil || !bytes.Equal(got, data) || calls.Load() != 3 {
				t.Errorf("%d calls, %v", calls.Load(), err)
			}
		})
	}
	// One that never sends a byte is given up.
	end := make(chan struct{})
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		select {
		case <-r.Context().Done():
		case <-end:
		}
	}))
	defer s.Close()
	defer close(end)
	if err := fetchAll(context.Background(), s.Client(), remoteFile(s.URL, data), t.TempDir(), nil, 50*time.Millisecond); !errors.Is(err, ErrOffline) || !strings.Contains(err.Error(), "nothing came any more for 50ms") {
		t.Errorf("a silent server: %v", err)
	}
}

// A .part file follows no link and does not stay where it is longer than the published file.
func TestPartFilesAreHarmless(t *testing.T) {
	data := bytes.Repeat([]byte("abc"), 5000)
	s, _ := server(t, append(slices.Clone(data), "too much"...), 0)
	files := remoteFile(s.URL, data)
	files[0].Size = int64(len(data))
	dir := t.TempDir()
	part := filepath.Join(dir, "set.tar.gz.part")
	if err := Fetch(context.Background(), s.Client(), files, dir, nil); err == nil || !strings.Contains(err.Error(), "sends more than the 15000 bytes") || exists(part) {
		t.Errorf("a server that sends too much: %v; the part file stays: %v", err, exists(part))
	}
	good, _ := server(t, data, 0)
	files[0].URL = good.URL + "/file"
	write(t, part, bytes.Repeat([]byte("x"), len(data)+1))
	if err := Fetch(context.Background(), good.Client(), files, dir, nil); err != nil {
		t.Errorf("a part that is too long: %v", err)
	}
	dir = t.TempDir()
	mine := filepath.Join(t.TempDir(), "mine")
	write(t, mine, []byte("mine"))
	if err := os.Symlink(mine, filepath.Join(dir, "set.tar.gz.part")); err != nil {
		t.Skip("this system makes no links")
	}
	err := Fetch(context.Background(), good.Client(), files, dir, nil)
	if got, _ := os.ReadFile(mine); err == nil || !strings.Contains(err.Error(), "is a link") || string(got) != "mine" {
		t.Errorf("a link: %v; the file that it leads to holds %.10q", err, got)
	}
}

func TestFetchRefusesWrongContents(t *testing.T) {
	wrong := []byte("not the data set")
	s, sent := server(t, wrong, 0)
	dir := t.TempDir()
	err := Fetch(context.Background(), s.Client(), remoteFile(s.URL, []byte("the data set")), dir, nil)
	if !errors.Is(err, errChecksum) || sent.Load() != int64(len(wrong)) {
		t.Errorf("error %v after %d bytes: a whole file is asked for once", err, sent.Load())
	}
	// A server that always says that all is there is asked twice.
	calls := 0
	lying := &http.Client{Transport: roundTrip(func(q *http.Request) (*http.Response, error) {
		calls++
		return &http.Response{StatusCode: http.StatusRequestedRangeNotSatisfiable, Body: http.NoBody, Request: q}, nil
	})}
	if err := Fetch(context.Background(), lying, remoteFile("http://server", []byte("x")), dir, nil); !errors.Is(err, errChecksum) || calls != 2 {
		t.Errorf("error %v after %d calls, want 2", err, calls)
	}
	left, _ := os.ReadDir(dir)
	if len(left) != 0 {
		t.Errorf("files stay: %v", left)
	}
	write(t, filepath.Join(dir, "set.tar.gz"), []byte("mine"))
	if err := Fetch(context.Background(), s.Client(), remoteFile(s.URL, []byte("x")), dir, nil); !errors.Is(err, errChecksum) || !strings.Contains(err.Error(), "move it away first") {
		t.Errorf("a file of the user's own: %v", err)
	}
	if got, _ := os.ReadFile(filepath.Join(dir, "set.tar.gz")); string(got) != "mine" {
		t.Error("the user's file was touched")
	}
}

func TestFetchOffline(t *testing.T) {
	s, _ := server(t, nil, 0)
	url := s.URL
	s.Close()
	err := Fetch(context.Background(), http.DefaultClient, remoteFile(url, nil), t.TempDir(), nil)
	if !errors.Is(err, ErrOffline) || !strings.Contains(err.Error(), "--dir") {
		t.Errorf("error %v, want one that says there is no connection and what to do", err)
	}
	gone := httptest.NewServer(http.NotFoundHandler())
	defer gone.Close()
	if err := Fetch(context.Background(), gone.Client(), remoteFile(gone.URL, nil), t.TempDir(), nil); err == nil || !strings.Contains(err.Error(), "404") {
		t.Errorf("error %v, want the status", err)
	}
}

func TestVerifySeesChangedFiles(t *testing.T) {
	if testing.Short() {
		t.Skip("writes and hashes 180 MB")
	}
	set := t.TempDir()
	for _, base := range []string{"data_batch_1.bin", "data_batch_2.bin", "data_batch_3.bin", "data_batch_4.bin", "data_batch_5.bin", "test_batch.bin"} {
		write(t, filepath.Join(set, base), make([]byte, 10000*3073))
	}
	v, err := Verify("cifar10", Options{Dir: set})
	if err != nil {
		t.Fatal(err)
	}
	if v.Official || len(v.Problems) != 7 { // six files and the whole
		t.Errorf("%+v", v)
	}
}
