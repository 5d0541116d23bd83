package dataset

import (
	"bufio"
	"context"
	"crypto/md5" // the checksums that the sets' authors publish; against damage, not against malice
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// RemoteFile is one file of a set at its official address.
type RemoteFile struct {
	Name string // the name that the file gets in the folder
	URL  string
	// MD5 is what the authors publish for the file. Plain is the SHA-256 of the
	// uncompressed contents, for files that are distributed compressed in more than
	// one way; either may be empty.
	MD5, Plain string
	// Size in bytes, 0 where it is not known: then maxDownload bounds what is written. The sizes below are no part of what the authors
	// publish: they are what programs that have downloaded these very addresses print in their logs (torchvision's, Keras's and
	// TensorFlow's progress, in public repositories, several for each file). The checksum decides; a size only ends a download that
	// cannot come right.
	Size int64
}

// remote lists what [Fetch] downloads: for CIFAR the archives, which [Open] reads
// as they are.
var remote = map[string][]RemoteFile{
	"cifar10": {{
		Name: "cifar-10-binary.tar.gz",
		URL:  "https://www.cs.toronto.edu/~kriz/cifar-10-binary.tar.gz",
		MD5:  "c32a1d4ab5d03f1284b67883e8d87530",
		Size: 170_052_171,
	}},
	"cifar100": {{
		Name: "cifar-100-python.tar.gz",
		URL:  "https://www.cs.toronto.edu/~kriz/cifar-100-python.tar.gz",
		MD5:  "eb9058c3a382ffc7106e4002c42a8d85",
		Size: 169_001_437,
	}},
	"fashion-mnist": {
		fashionFile("train-images-idx3-ubyte", "8d4fb7e6c68d591d4c3dfef9ec88bf0d", "c59f468a2f672dc815687fe0f83887768d799fd8a3f3276145d20f83aa44d888", 26_421_880),
		fashionFile("train-labels-idx1-ubyte", "25c81989df183df01b3e8a0aad5dffbe", "bad3541b69d912435c50bb6ba87bec294ff4f6a2e1246121d8633921760443d9", 29_515),
		fashionFile("t10k-images-idx3-ubyte", "bef4ecab320f06d8554ea6380940ec79", "5b4141f0afbad91edebe8549f8fcffe087ea10ca49f1dbef5c9a5cd8815ce37b", 4_422_102),
		fashionFile("t10k-labels-idx1-ubyte", "bb300cfdad3c16e7a12a480ee83cd310", "0402a96d92fd2663957122ceb108a494c5af83dab82d92729df917d7dec38c34", 5_148),
	},
}

// fashionFile names a file at the address in the README of
// github.com/zalandoresearch/fashion-mnist, with the MD5 given there. Debian
// compresses the same contents anew, so the contents have a checksum too.
func fashionFile(base, md5, plain string, size int64) RemoteFile {
	return RemoteFile{
		Name: base + ".gz",
		URL:  "http://fashion-mnist.s3-website.eu-central-1.amazonaws.com/" + base + ".gz",
		MD5:  md5, Plain: plain, Size: size,
	}
}

// unpackedMD5 are the checksums of files that users have unpacked.
var unpackedMD5 = map[string]map[string]string{
	"cifar10": {
		"data_batch_1.bin": "5dd7e06a14cb22eb9f671a540d1b7c25",
		"data_batch_2.bin": "5ea93a67294ea407fff1d09f752e9692",
		"data_batch_3.bin": "942cd6a4bcdd0dd3c604fbe906cb4421",
		"data_batch_4.bin": "ae636b3ba5c66a11e91e8cb52e771fcb",
		"data_batch_5.bin": "53f37980c15c3d472c316c40844f3f0d",
		"test_batch.bin":   "803d5f7f4d78ea53de84dbe85f74fb6d",
	},
	"cifar100": {
		"train.bin": "6172c7755cfe09b2fe270c85cebc1b15",
		"test.bin":  "4499cfba6c016c1be1438163640a0898",
	},
}

// Remote returns the official files of a set; none for sets that cannot be
// downloaded.
func Remote(name string) []RemoteFile { return remote[name] }

// ErrOffline is what an error wraps if no connection could be made.
var ErrOffline = errors.New("no connection")

// errChecksum is what an error wraps if a file is not the official one.
var errChecksum = errors.New("wrong checksum")

// Progress is called with the number of bytes of a file that have arrived and with their total, which is -1
// if the server does not say it.
type Progress func(file string, done, total int64)

// maxDownload bounds the bytes that a download writes to disk. The largest of the files has 170 MB.
const maxDownload = 1 << 30

// A download of which nothing has come for stallTime is broken off and continued,
// at most maxStalls times without a byte in between.
const (
	stallTime = time.Minute
	maxStalls = 3
)

var errStalled = errors.New("nothing came any more")

// Fetch downloads the files into dir, skipping those that are there and right. A
// download lies at NAME.part until its checksum is found right; an interrupted
// one is continued there at the next call.
func Fetch(ctx context.Context, client *http.Client, files []RemoteFile, dir string, progress Progress) error {
	return fetchAll(ctx, client, files, dir, progress, stallTime)
}

func fetchAll(ctx context.Context, client *http.Client, files []RemoteFile, dir string, progress Progress, stall time.Duration) error {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return fmt.Errorf("dataset: %w", err)
	}
	for _, f := range files {
		if err := fetch(ctx, client, f, dir, progress, stall); err != nil {
			return fmt.Errorf("dataset: %s: %w", f.Name, err)
		}
	}
	return nil
}

func fetch(ctx context.Context, client *http.Client, f RemoteFile, dir string, progress Progress, stall time.Duration) error {
	path := filepath.Join(dir, f.Name)
	if exists(path) {
		err := f.check(path)
		if err == nil {
			return nil
		}
		if !errors.Is(err, errChecksum) {
			return err
		}
		return fmt.Errorf("%w; it was not fetched by this command: move it away first", err)
	}
	part := path + ".part"
	// A second attempt follows only if the first one continued a part that was there: the part may have been wrong, and the file is begun anew.
	for attempt := 0; ; attempt++ {
		resumed, err := downloadPatiently(ctx, client, f, part, progress, stall)
		if err != nil {
			return err
		}
		err = f.check(part)
		if err == nil {
			break
		}
		if rm := os.Remove(part); rm != nil {
			return rm
		}
		if !resumed || attempt > 0 {
			return fmt.Errorf("what %s sends is not the published file: %w", f.URL, err)
		}
	}
	if err := os.Rename(part, path); err != nil {
		return err
	}
	return syncDir(dir)
}

// downloadPatiently continues a download that stalls or breaks off.
func downloadPatiently(ctx context.Context, client *http.Client, f RemoteFile, part string, progress Progress, stall time.Duration) (resumed bool, err error) {
	before := int64(-1)
	for stalls := 0; ; stalls++ {
		resumed, err = download(ctx, client, f, part, progress, stall)
		if !errors.Is(err, errStalled) && !errors.Is(err, io.ErrUnexpectedEOF) || ctx.Err() != nil {
			return resumed, err
		}
		have := int64(0)
		if info, serr := os.Stat(part); serr == nil {
			have = info.Size()
		}
		if have > before {
			before, stalls = have, 0
		}
		if stalls >= maxStalls {
			return resumed, fmt.Errorf("%w: %w", ErrOffline, err)
		}
	}
}

// openPart opens what there is of a download. A link is refused: what it leads to would
// be overwritten. A file longer than the published one is removed.
func openPart(part string, limit int64) (*os.File, error) {
	switch info, err := os.Lstat(part); {
	case errors.Is(err, os.ErrNotExist):
	case err != nil:
		return nil, err
	case !info.Mode().IsRegular():
		return nil, fmt.Errorf("%s is a link or no plain file: remove it", part)
	case info.Size() > limit:
		if err := os.Remove(part); err != nil {
			return nil, err
		}
	}
	return os.OpenFile(part, os.O_CREATE|os.O_RDWR|noFollow, 0o644)
}

// limit is the number of bytes that may be written.
func (f RemoteFile) limit() int64 {
	if f.Size > 0 {
		return f.Size
	}
	return maxDownload
}

// download writes the file to part. It continues at the end of what is there if the server can send the rest.
func download(ctx context.Context, client *http.Client, f RemoteFile, part string, progress Progress, stall time.Duration) (resumed bool, err error) {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	watch := time.AfterFunc(stall, func() { cancel(errStalled) })
	defer watch.Stop()
	defer func() {
		if err != nil && errors.Is(context.Cause(ctx), errStalled) {
			err = fmt.Errorf("%w for %s: %w", errStalled, stall, err)
		}
	}()
	out, err := openPart(part, f.limit())
	if err != nil {
		return false, err
	}
	defer func() {
		if cerr := out.Close(); err == nil {
			err = cerr
		}
	}()
	have, err := out.Seek(0, io.SeekEnd)
	if err != nil {
		return false, err
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, f.URL, nil)
	if err != nil {
		return false, err
	}
	if have > 0 {
		req.Header.Set("Range", fmt.Sprintf("bytes=%d-", have))
	}
	// Without this header the transport would ask for gzip and unpack a file whose checksum is that of the packed one.
	req.Header.Set("Accept-Encoding", "identity")
	resp, err := client.Do(req)
	if err != nil {
		var dns *net.DNSError
		var op *net.OpError
		if errors.As(err, &dns) || errors.As(err, &op) {
			return false, fmt.Errorf("%w to %s; fetch %s on a connected machine and name its folder with --dir (%v)", ErrOffline, req.URL.Host, f.Name, err)
		}
		return false, err
	}
	defer resp.Body.Close()
	switch {
	case resp.StatusCode == http.StatusPartialContent && have > 0 && strings.HasPrefix(resp.Header.Get("Content-Range"), fmt.Sprintf("bytes %d-", have)):
		resumed = true
	case resp.StatusCode == http.StatusRequestedRangeNotSatisfiable:
		return true, nil // the server says that nothing follows; the checksum tells whether that is so
	case resp.StatusCode == http.StatusOK:
		have = 0
		if err := out.Truncate(0); err != nil {
			return false, err
		}
		if _, err := out.Seek(0, io.SeekStart); err != nil {
			return false, err
		}
	default:
		return false, fmt.Errorf("%s answers %s", f.URL, resp.Status)
	}
	total := int64(-1)
	if resp.ContentLength >= 0 {
		total = have + resp.ContentLength
	}
	w := &meter{w: out, file: f.Name, done: have, total: total, progress: progress, alive: func() { watch.Reset(stall) }}
	n, err := io.Copy(w, io.LimitReader(resp.Body, f.limit()-have+1))
	if err != nil {
		return resumed, fmt.Errorf("after %d bytes: %w; run it again to go on from there", have+n, err)
	}
	if have+n > f.limit() {
		if err := os.Remove(part); err != nil {
			return resumed, err
		}
		return resumed, fmt.Errorf("%s sends more than the %d bytes of the published file", f.URL, f.limit())
	}
	return resumed, out.Sync()
}

// meter tells the progress at most ten times a second, and at the end.
type meter struct {
	w           io.Writer
	file        string
	done, total int64
	progress    Progress
	last        time.Time
	alive       func() // called for every piece that comes
}

func (m *meter) Write(p []byte) (int, error) {
	m.alive()
	n, err := m.w.Write(p)
	m.done += int64(n)
	if now := time.Now(); m.progress != nil && (m.done == m.total || now.Sub(m.last) > time.Second/10) {
		m.last = now
		m.progress(m.file, m.done, m.total)
	}
	return n, err
}

// check compares a local file with what was published.
func (f RemoteFile) check(path string) error {
	sum, err := fileHash(path, md5.New())
	if err != nil {
		return err
	}
	if f.MD5 != "" && sum == f.MD5 {
		return nil
	}
	if f.Plain != "" {
		plain, err := plainHash(path)
		if err == nil && plain == f.Plain {
			return nil
		}
	}
	return fmt.Errorf("%s: %w: MD5 %s, published is %s", path, errChecksum, sum, f.MD5)
}

func fileHash(path string, h hash.Hash) (string, error) {
	f, err := openPlain(path)
	if err != nil {
		return "", err
	}
	defer f.Close()
	if _, err := io.Copy(h, f); err != nil {
		return "", err
	}
	return hex.EncodeToString(h.Sum(nil)), nil
}

// plainHash is the SHA-256 of a file's contents after gzip.
func plainHash(path string) (string, error) {
	f, err := openPlain(path)
	if err != nil {
		return "", err
	}
	defer f.Close()
	r := bufio.NewReader(f)
	h := sha256.New()
	var src io.Reader = r
	if magic, _ := r.Peek(2); len(magic) == 2 && magic[0] == 0x1f && magic[1] == 0x8b {
		if src, err = newGunzip(r); err != nil {
			return "", err
		}
	}
	if _, err := io.Copy(h, io.LimitReader(src, maxDownload)); err != nil {
		return "", err
	}
	return hex.EncodeToString(h.Sum(nil)), nil
}

func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	defer d.Close()
	// Some file systems cannot sync a folder; the rename is done all the same.
	_ = d.Sync()
	return nil
}

// Verification says how a set on this machine compares with the official one.
type Verification struct {
	Name     string   `json:"name"`
	Sources  []string `json:"sources"`
	Train    int      `json:"train_images"`
	Test     int      `json:"test_images"`
	Classes  int      `json:"classes"`
	Checksum string   `json:"checksum"`
	// Official: the contents are the published ones. It is false also where
	// nothing is published to compare with (Known false).
	Official bool     `json:"official"`
	Known    bool     `json:"known"`
	Problems []string `json:"problems,omitempty"`
}

// official are the checksums of whole sets as [Set.Checksum] computes them, from
// files whose own checksums are the published ones: whatever archive or form a
// set comes in, its contents are compared with these.
var official = map[string]string{
	"cifar10":       "sha256:159852c798fa3e6591d8d5b4ad78f7849329a1df6e56eda294d17051c262e348",
	"fashion-mnist": "sha256:025916aa32eb5a00d4b6f829d902c504baff400cc8c294c74504b21a76361e62",
	"embedded":      "sha256:0f7ffd047707e7fbc9addb534f2fb562a056ba46e00f61f6eb81e67028a63f2b",
}

// Verify opens the set, decodes every image, and compares with what is published.
func Verify(name string, o Options) (*Verification, error) {
	o.TrainImages, o.TestImages = 0, 0
	set, err := Open(name, o)
	if err != nil {
		return nil, err
	}
	v := &Verification{Name: name, Problems: slices.Clone(set.Warnings), Sources: set.Sources, Train: set.Train.Len(), Test: set.Test.Len(), Classes: len(set.Classes), Checksum: set.Checksum}
	if want, ok := official[name]; ok {
		v.Known = true
		if v.Official = set.Checksum == want; !v.Official {
			v.Problems = append(v.Problems, fmt.Sprintf("contents are %s, published are %s", set.Checksum, want))
		}
	}
	known := map[string]RemoteFile{}
	for _, f := range remote[name] {
		known[f.Name] = f
	}
	for base, sum := range unpackedMD5[name] {
		known[base] = RemoteFile{Name: base, MD5: sum}
	}
	checked := map[string]bool{}
	for _, source := range set.Sources {
		path, _, _ := strings.Cut(source, ".tar.gz:")
		if path != source {
			path += ".tar.gz"
		}
		f, ok := known[filepath.Base(path)]
		if !ok || checked[path] {
			continue
		}
		checked[path] = true
		if err := f.check(path); errors.Is(err, errChecksum) {
			v.Problems = append(v.Problems, err.Error())
		} else if err != nil {
			return nil, fmt.Errorf("dataset: %w", err)
		}
	}
	if !v.Known && len(checked) > 0 {
		v.Known, v.Official = true, len(v.Problems) == len(set.Warnings)
	}
	// Open has decoded the sets that are held in memory. An image tree is decoded only here.
	for _, split := range []Split{set.Train, set.Test} {
		t, ok := split.(*tree)
		if !ok {
			continue
		}
		err := parallel(t.Len(), func(i int) error { _, err := t.picture(i); return err })
		if err != nil {
			return nil, fmt.Errorf("dataset: %s: %w", name, err)
		}
	}
	return v, nil
}
