package dataset

import (
	"archive/tar"
	"bufio"
	"bytes"
	"compress/gzip"
	"errors"
	"io"
	"os"
	"path"
	"strings"
)

// maxEntries and maxSkipped bound the archives that are read. The official ones hold fewer than 20 entries, and
// besides the batches only a few small text files.
const (
	maxEntries = 1000
	maxSkipped = 256 << 20 // bytes of all entries that do not belong to the set; they are read and not kept
)

// readArchive returns the files of a .tar.gz whose base names are in want, which
// gives the largest size that is right. Nothing is written to disk. It takes at most 16 MiB and
// four bytes for each byte of the wanted files that is there, however far the rest expands. An entry
// that is a link or a device, or whose path leaves the archive, condemns the
// whole archive, as does a wanted file that appears twice.
func readArchive(name string, want map[string]int64) (map[string][]byte, error) {
	f, err := openPlain(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return readTarGz(name, f, want)
}

func readTarGz(name string, r io.Reader, want map[string]int64) (map[string][]byte, error) {
	compressed := &counter{r: r}
	z, err := newGunzip(compressed)
	if err != nil {
		return nil, fileError(name, compressed.n, "not a gzip file: %w", noEOF(err))
	}
	plain := &counter{r: z}
	t := tar.NewReader(plain)
	files := map[string][]byte{}
	skipped := int64(0)
	for entries := 0; ; entries++ {
		h, err := t.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return nil, fileError(name, plain.n, "%w", noEOF(err))
		}
		if entries >= maxEntries {
			return nil, fileError(name, plain.n, "more than %d entries", maxEntries)
		}
		if h.Typeflag == tar.TypeXGlobalHeader {
			continue
		}
		if !local(h.Name) {
			return nil, fileError(name, plain.n, "entry %q leaves the archive's folder", h.Name)
		}
		if h.Typeflag == tar.TypeDir {
			continue
		}
		if h.Typeflag != tar.TypeReg {
			return nil, fileError(name, plain.n, "entry %q is a link or a special file (type %q)", h.Name, h.Typeflag)
		}
		base := path.Base(h.Name)
		limit, wanted := want[base]
		if !wanted {
			if skipped += h.Size; skipped > maxSkipped {
				return nil, fileError(name, plain.n, "more than %d bytes in files that do not belong to the set, up to %q", maxSkipped, h.Name)
			}
			continue
		}
		if _, twice := files[base]; twice {
			return nil, fileError(name, plain.n, "two entries are called %s", base)
		}
		if h.Size > limit {
			return nil, fileError(name, plain.n, "entry %q has %d bytes, at most %d are right", h.Name, h.Size, limit)
		}
		// The buffer grows with the bytes that come, whatever the header claims.
		var buf bytes.Buffer
		if _, err := io.Copy(&buf, t); err != nil {
			return nil, fileError(name, plain.n, "entry %q: %w", h.Name, noEOF(err))
		}
		files[base] = buf.Bytes()
	}
	// Read the padding to its end: only there does gzip compare its checksum.
	if n, err := io.Copy(io.Discard, io.LimitReader(plain, maxSkipped)); err != nil {
		return nil, fileError(name, plain.n, "%w", noEOF(err))
	} else if n == maxSkipped {
		return nil, fileError(name, plain.n, "more than %d bytes after the archive's end", maxSkipped)
	}
	return files, nil
}

// gunzip reads gzip members one after the other, and the zeros with which tapes and
// some tools pad the last one, as the program gzip does. Anything else after a
// member is an error.
type gunzip struct {
	r *bufio.Reader
	z *gzip.Reader
}

func newGunzip(r io.Reader) (*gunzip, error) {
	g := &gunzip{r: bufio.NewReader(r)}
	var err error
	if g.z, err = gzip.NewReader(g.r); err != nil {
		return nil, err
	}
	g.z.Multistream(false)
	return g, nil
}

func (g *gunzip) Read(p []byte) (int, error) {
	for {
		n, err := g.z.Read(p)
		if !errors.Is(err, io.EOF) {
			return n, err
		}
		if n > 0 {
			return n, nil // the next call looks at what follows this member
		}
		for {
			b, err := g.r.ReadByte()
			if err != nil {
				return 0, err // io.EOF: the end
			}
			if b != 0 {
				break
			}
		}
		if err := g.r.UnreadByte(); err != nil {
			return 0, err
		}
		if magic, err := g.r.Peek(2); err != nil || magic[0] != 0x1f || magic[1] != 0x8b {
			return 0, errors.New("after the end of the compressed data there is something that is neither compressed data nor zeros")
		}
		if err := g.z.Reset(g.r); err != nil {
			return 0, err
		}
		g.z.Multistream(false)
	}
}

// openPlain opens a plain file. A FIFO would keep the program waiting for a writer,
// and a device may never end.
func openPlain(name string) (*os.File, error) {
	info, err := os.Stat(name)
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() {
		return nil, fileError(name, -1, "not a plain file")
	}
	return os.Open(name)
}

// local reports whether an entry's path stays below the folder it is unpacked in.
func local(name string) bool {
	if name == "" || strings.HasPrefix(name, "/") || strings.Contains(name, "\\") || strings.Contains(name, "\x00") {
		return false
	}
	for _, part := range strings.Split(name, "/") {
		if part == ".." {
			return false
		}
	}
	return true
}

// counter counts the bytes read.
type counter struct {
	r io.Reader
	n int64
}

func (c *counter) Read(p []byte) (int, error) {
	n, err := c.r.Read(p)
	c.n += int64(n)
	return n, err
}
