package nets

import (
	"bufio"
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"tqn/nets/network"
	"tqn/nets/safetensors"
	"tqn/runfolder"
)

// A checkpoint is everything a run needs to go on as if it had never stopped. Layout, all numbers little-endian:
//
//	8 bytes   "tqnckpt1"
//	8 bytes   length of the header
//	header    JSON, see checkpointHeader
//	tensors   float32, in the header's order
//	signs     one bit a weight, in the header's order, each padded to whole bytes
//	32 bytes  SHA-256 of all before
type checkpoint struct {
	checkpointHeader
	path    string // where it was read; empty if it is new
	tensors map[string][]float32
	signs   map[string][]byte
}

type checkpointHeader struct {
	ConfigHash   string           `json:"config_hash"`
	DataChecksum string           `json:"data_checksum"`
	Kernel       string           `json:"kernel"`
	Epoch        int              `json:"epoch"` // from 0: the current one
	Index        int              `json:"index"` // batches done in it
	Step         uint64           `json:"step"`  // steps done
	Loss         network.Loss     `json:"loss"`  // of the current epoch so far
	Seconds      float64          `json:"seconds"`
	History      []Epoch          `json:"history"`
	Commits      []string         `json:"commits,omitempty"` // see [Manifest]
	Tensors      []network.Tensor `json:"tensors"`
	Signs        []signsHeader    `json:"signs"`
}

// signsHeader describes a packed vector of signs: bit i&7 of byte i>>3 is 1 where weight i is negative.
type signsHeader struct {
	Name string `json:"name"`
	Bits int    `json:"bits"`
}

const (
	minSigns            = 20 // the least bytes that an object of the header takes
	checkpointMagic     = "tqnckpt1"
	checkpointName      = "checkpoint"
	checkpointOlder     = "checkpoint.previous"
	maxCheckpointHeader = 64 << 20
)

// write writes the checkpoint's bytes.
func (c *checkpoint) write(w io.Writer) error {
	sum := sha256.New()
	buffered := bufio.NewWriterSize(io.MultiWriter(w, sum), 1<<20)
	header, err := json.Marshal(c.checkpointHeader)
	if err != nil {
		return err
	}
	buffered.WriteString(checkpointMagic)
	buffered.Write(binary.LittleEndian.AppendUint64(nil, uint64(len(header))))
	buffered.Write(header)
	for _, t := range c.Tensors {
		safetensors.WriteFloats(buffered, c.tensors[t.Name])
	}
	for _, s := range c.Signs {
		buffered.Write(c.signs[s.Name])
	}
	if err := buffered.Flush(); err != nil { // the first error of any write above
		return err
	}
	_, err = w.Write(sum.Sum(nil))
	return err
}

// parseCheckpoint decodes and checks a checkpoint. What it allocates is bounded by len(b).
func parseCheckpoint(b []byte) (*checkpoint, error) {
	const fixed = 16
	if len(b) < fixed+sha256.Size {
		return nil, fmt.Errorf("%d bytes are too few for a checkpoint", len(b))
	}
	if string(b[:8]) != checkpointMagic {
		return nil, fmt.Errorf("offset 0: %q is not %q", b[:8], checkpointMagic)
	}
	body := b[:len(b)-sha256.Size]
	if sum := sha256.Sum256(body); !bytes.Equal(sum[:], b[len(body):]) {
		return nil, errors.New("checksum does not match: the file is damaged or cut short")
	}
	n := binary.LittleEndian.Uint64(body[8:])
	if n > uint64(len(body)-fixed) || n > maxCheckpointHeader {
		return nil, fmt.Errorf("offset 8: header of %d bytes in a file of %d", n, len(b))
	}
	c := &checkpoint{tensors: map[string][]float32{}, signs: map[string][]byte{}}
	if err := runfolder.CheckObjects(body[fixed:fixed+n], minSigns); err != nil {
		return nil, fmt.Errorf("offset %d: header: %w", fixed, err)
	}
	if err := json.Unmarshal(body[fixed:fixed+n], &c.checkpointHeader); err != nil {
		return nil, fmt.Errorf("offset %d: header: %w", fixed, err)
	}
	if c.Epoch < 0 || c.Index < 0 {
		return nil, fmt.Errorf("offset %d: header: epoch %d, batch %d", fixed, c.Epoch, c.Index)
	}
	rest := body[fixed+n:]
	for _, t := range c.Tensors {
		size, err := safetensors.Size(t.Shape, 4, len(rest))
		if err != nil {
			return nil, fmt.Errorf("offset %d: tensor %q: %w", len(body)-len(rest), t.Name, err)
		}
		if c.tensors[t.Name] != nil {
			return nil, fmt.Errorf("offset %d: tensor %q appears twice", fixed, t.Name)
		}
		c.tensors[t.Name] = safetensors.Floats(rest[:size])
		rest = rest[size:]
	}
	for _, s := range c.Signs {
		size := s.Bits/8 + (s.Bits%8+7)/8
		if s.Bits < 0 || size > len(rest) {
			return nil, fmt.Errorf("offset %d: %d signs of %q in %d bytes", len(body)-len(rest), s.Bits, s.Name, len(rest))
		}
		c.signs[s.Name] = bytes.Clone(rest[:size])
		rest = rest[size:]
	}
	if len(rest) > 0 {
		return nil, fmt.Errorf("offset %d: %d bytes too many", len(body)-len(rest), len(rest))
	}
	return c, nil
}

// fits reports whether the checkpoint is of this run and model.
func (c *checkpoint) fits(config Config, checksum string, m network.Model) error {
	switch {
	case c.ConfigHash != config.Hash():
		return errors.New("it belongs to a run with another configuration")
	case c.DataChecksum != checksum:
		return fmt.Errorf("it was trained on other data (%s, now %s)", c.DataChecksum, checksum)
	}
	for _, t := range network.StateTensors(m) {
		if len(c.tensors[t.Name]) != t.Len() {
			return fmt.Errorf("tensor %q has %d values, the model wants %d", t.Name, len(c.tensors[t.Name]), t.Len())
		}
	}
	return nil
}

// saveCheckpoint makes c the newest checkpoint, and the newest so far the older one if it is whole: a damaged one never takes
// the place of a good one. Whatever fails, and wherever a crash comes, a whole checkpoint that was there before is still
// there under one of the two names.
func saveCheckpoint(files runfolder.FileSystem, dir string, c *checkpoint) error {
	newest, older := filepath.Join(dir, checkpointName), filepath.Join(dir, checkpointOlder)
	whole, err := wholeCheckpoint(newest)
	if err != nil {
		return err // what cannot be read may be whole, and is not overwritten
	}
	temporary, err := runfolder.WriteTemporary(files, newest, c.write)
	if err != nil {
		return err
	}
	if whole {
		if err := files.Rename(newest, older); err != nil {
			files.Remove(temporary)
			return runfolder.StorageError(err)
		}
	}
	if err := files.Rename(temporary, newest); err != nil {
		files.Remove(temporary)
		return runfolder.StorageError(err)
	}
	if err := files.SyncDir(dir); err != nil {
		return runfolder.StorageError(err)
	}
	return nil
}

// wholeCheckpoint reports whether a file is there whose checksum is right. The error says why it could not be read.
func wholeCheckpoint(path string) (bool, error) {
	info, err := os.Stat(path) // before it is opened: opening a FIFO waits for its writer
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	if err != nil {
		return false, runfolder.StorageError(err)
	}
	if !info.Mode().IsRegular() {
		return false, fmt.Errorf("nets: checkpoint: %s is no plain file (%v)", path, info.Mode())
	}
	f, err := os.Open(path)
	if err != nil {
		return false, runfolder.StorageError(err)
	}
	defer f.Close()
	sum, last := sha256.New(), make([]byte, sha256.Size)
	if info.Size() < int64(len(last)) {
		return false, nil
	}
	if _, err := io.CopyN(sum, f, info.Size()-int64(len(last))); err != nil {
		return false, runfolder.StorageError(err)
	}
	if _, err := io.ReadFull(f, last); err != nil {
		return false, runfolder.StorageError(err)
	}
	return bytes.Equal(sum.Sum(nil), last), nil
}

// largestCheckpoint bounds the bytes of a model's checkpoint: its tensors, some vectors of signs, of a bit a weight each, and the header.
func largestCheckpoint(m network.Model) int64 {
	n := int64(maxCheckpointHeader)
	for _, t := range network.StateTensors(m) {
		n += 2 * 4 * int64(t.Len())
	}
	return n
}

// damagedError says that a checkpoint was read and is not whole.
type damagedError struct{ err error }

func (e *damagedError) Error() string { return e.err.Error() }
func (e *damagedError) Unwrap() error { return e.err }

// readCheckpoint reads one file. Its error is a *damagedError if the file was read and is not a whole checkpoint,
// fs.ErrNotExist if there is none, and else says why it could not be read.
func readCheckpoint(path string, limit int64) (*checkpoint, error) {
	b, err := runfolder.ReadFile(path, limit)
	if err != nil {
		return nil, fmt.Errorf("nets: checkpoint: %w", err)
	}
	c, err := parseCheckpoint(b)
	if err != nil {
		return nil, &damagedError{err}
	}
	c.path = path
	return c, nil
}

// loadCheckpoint returns the newest whole checkpoint, or nil if the folder has none. Damaged ones are counted, reported to warn and
// left where they are. One that cannot be read is an error, and so is a whole one that does not fit: going on would
// overwrite it. So is one of more than limit bytes, which is not read.
func loadCheckpoint(dir string, limit int64, fits func(*checkpoint) error, warn func(string)) (c *checkpoint, damaged int, err error) {
	for _, name := range []string{checkpointName, checkpointOlder} {
		path := filepath.Join(dir, name)
		c, err := readCheckpoint(path, limit)
		var damage *damagedError
		switch {
		case errors.Is(err, fs.ErrNotExist):
			continue
		case errors.As(err, &damage):
			damaged++
			warn(fmt.Sprintf("%s cannot be used: %v", path, err))
			continue
		case err != nil:
			return nil, damaged, err
		}
		if err := fits(c); err != nil {
			return nil, damaged, fmt.Errorf("nets: %s: %w", path, err)
		}
		return c, damaged, nil
	}
	return nil, damaged, nil
}
