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
	Tensors      []network.Tensor `json:"tensors"`
	Signs        []signsHeader    `json:"signs"`
}

// signsHeader describes a packed vector of signs: bit i&7 of byte i>>3 is 1 where weight i is negative.
type signsHeader struct {
	Name string `json:"name"`
	Bits int    `json:"bits"`
}

const (
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

// saveCheckpoint makes c the newest checkpoint and the newest so far the older one. A crash at any point leaves at least
// one whole checkpoint under one of the two names, if there was one before.
func saveCheckpoint(files runfolder.FileSystem, dir string, c *checkpoint) error {
	newest, older := filepath.Join(dir, checkpointName), filepath.Join(dir, checkpointOlder)
	temporary, err := runfolder.WriteTemporary(files, newest, c.write)
	if err != nil {
		return err
	}
	if _, err := os.Stat(newest); err == nil {
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

// loadCheckpoint returns the newest whole checkpoint, or nil if the folder has none. Damaged ones are reported to warn and
// left where they are. A whole one that does not fit is an error: going on would overwrite another run.
func loadCheckpoint(dir string, fits func(*checkpoint) error, warn func(string)) (*checkpoint, error) {
	damaged := 0
	for _, name := range []string{checkpointName, checkpointOlder} {
		path := filepath.Join(dir, name)
		b, err := os.ReadFile(path)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		var c *checkpoint
		if err == nil {
			c, err = parseCheckpoint(b)
		}
		if err != nil {
			damaged++
			warn(fmt.Sprintf("%s cannot be used: %v", path, err))
			continue
		}
		if err := fits(c); err != nil {
			return nil, fmt.Errorf("nets: %s: %w", path, err)
		}
		if damaged > 0 {
			warn(fmt.Sprintf("going on from %s: epoch %d, batch %d", path, c.Epoch+1, c.Index))
		}
		return c, nil
	}
	if damaged > 0 {
		warn("no checkpoint can be used: starting from the beginning")
	}
	return nil, nil
}
