package cluster

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path/filepath"
	"regexp"
	"strings"

	"tqn/nets"
	"tqn/runfolder"
)

// planVersion is raised whenever a field of [Plan] changes its meaning, so that no program misreads the plan of another version.
const planVersion = 1

// maxPlan bounds the bytes of plan.json, in which a cell takes less than 1 KiB. minObject is less than the shortest JSON object in it, the
// errors of a column, takes: it bounds the number of objects, and so the memory of the decoder.
const (
	maxPlan   = 16 << 20
	minObject = 20
)

// Plan lists the cells of a table. It never changes once it is written.
type Plan struct {
	Version int      `json:"version"`
	Preset  string   `json:"preset"`
	About   string   `json:"about"`
	Columns []Column `json:"columns"`
	Cells   []Cell   `json:"cells"`
	Hash    string   `json:"hash"` // SHA-256, in hex, of this document with an empty hash
}

// Column is a column of the table.
type Column struct {
	ID          string             `json:"id"`
	Net         string             `json:"net"`
	Title       string             `json:"title"`      // the paper's name of the net
	PaperData   string             `json:"paper_data"` // what the paper trains on
	Data        string             `json:"data"`       // what this table trains on
	PaperErrors map[string]float64 `json:"paper_errors"`
	Scaled      []string           `json:"scaled"` // how the runs differ from the paper's, in words
}

// Cell is one run.
type Cell struct {
	Index      int         `json:"index"`
	ID         string      `json:"id"` // name of its folder
	Column     string      `json:"column"`
	Variant    string      `json:"variant,omitempty"` // of the method, for a figure; empty: a cell of Table 1
	Config     nets.Config `json:"config"`            // resolved
	ConfigHash string      `json:"config_hash"`
}

// errPlan is what an error wraps if a plan is damaged, or if a folder holds another plan than the one that is asked for.
var errPlan = errors.New("wrong plan")

// hash is the hash of the plan's contents.
func (p *Plan) hash() string {
	q := *p
	q.Hash = ""
	b, err := json.Marshal(q)
	if err != nil {
		panic("cluster: Plan.hash: " + err.Error()) // plain data always marshals
	}
	sum := sha256.Sum256(b)
	return hex.EncodeToString(sum[:])
}

// cellID is what the ID of a cell looks like. It has no slash and no dots in a row, so that the cell's folder lies in cells/, and only characters
// that Slurm and Kubernetes take in names.
var cellID = regexp.MustCompile(`^[a-z0-9][a-z0-9-]*\.[a-z0-9-]+\.[0-9]+$`)

// ParsePlan decodes and checks a plan.json; name is for errors. It takes at most 64 MiB and 24 bytes for each byte of b.
func ParsePlan(name string, b []byte) (*Plan, error) {
	bad := func(format string, args ...any) error {
		return fmt.Errorf("cluster: %s: %w: %w", name, errPlan, fmt.Errorf(format, args...))
	}
	if err := runfolder.CheckObjects(b, minObject); err != nil {
		return nil, bad("%w", err)
	}
	dec := json.NewDecoder(bytes.NewReader(b))
	dec.DisallowUnknownFields()
	var p Plan
	if err := dec.Decode(&p); err != nil {
		return nil, bad("byte %d: %w", dec.InputOffset(), err)
	}
	if _, err := dec.Token(); !errors.Is(err, io.EOF) {
		return nil, bad("byte %d: data after the plan", dec.InputOffset())
	}
	if p.Version != planVersion {
		return nil, bad("version %d, this program reads version %d", p.Version, planVersion)
	}
	columns := map[string]bool{}
	for _, c := range p.Columns {
		columns[c.ID] = true
	}
	ids := map[string]bool{}
	for i, c := range p.Cells {
		switch {
		case c.Index != i:
			return nil, bad("cell %d has index %d", i, c.Index)
		case !cellID.MatchString(c.ID) || len(c.ID) > 100:
			return nil, bad("cell %d has id %.60q, want column.method.seed", i, c.ID)
		case ids[c.ID]:
			return nil, bad("two cells have id %s", c.ID)
		case !columns[c.Column]:
			return nil, bad("cell %s is of column %.60q, which is not listed", c.ID, c.Column)
		case c.ConfigHash != c.Config.Hash():
			return nil, bad("cell %s: its config is not the one that was hashed", c.ID)
		}
		if resolved, err := c.Config.Resolve(); err != nil {
			return nil, bad("cell %s: %w", c.ID, err)
		} else if resolved.Hash() != c.ConfigHash {
			return nil, bad("cell %s: its config is not complete", c.ID)
		}
		ids[c.ID] = true
	}
	if p.Hash != p.hash() {
		return nil, bad("the contents do not match their hash: a plan is not edited, it is made anew in another folder")
	}
	return &p, nil
}

// LoadPlan reads DIR/plan.json. Where there is none its error wraps [fs.ErrNotExist] and names the command that makes one.
func LoadPlan(dir string) (*Plan, error) {
	plan, err := ReadPlan(filepath.Join(dir, "plan.json"))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("%w; tqn table1 plan --out DIR makes a plan", err)
	}
	return plan, err
}

// ReadPlan reads a plan from a file of any name. What is no regular file is refused before it is opened.
func ReadPlan(path string) (*Plan, error) {
	b, err := runfolder.ReadFile(path, maxPlan)
	if err != nil {
		return nil, fmt.Errorf("cluster: %w", err)
	}
	return ParsePlan(path, b)
}

// Save writes DIR/plan.json, or finds the same plan there. Another plan is an
// error: its results would be mixed up with this one's.
func (p *Plan) Save(dir string) error {
	old, err := LoadPlan(dir)
	switch {
	case err == nil && old.Hash == p.Hash:
		return nil
	case err == nil:
		return fmt.Errorf("cluster: %s: %w: the plan in this folder is another one: %s; use another folder, or the flags that it was made with",
			dir, errPlan, old.differences(p))
	case !errors.Is(err, fs.ErrNotExist):
		return err
	}
	b, err := json.MarshalIndent(p, "", " ")
	if err != nil {
		return fmt.Errorf("cluster: %w", err)
	}
	return runfolder.WriteFile(filepath.Join(dir, "plan.json"), append(b, '\n'))
}

// differences says in which preset, cells and settings another plan differs, at most a handful of them.
func (p *Plan) differences(other *Plan) string {
	const most = 5
	var out []string
	say := func(format string, args ...any) { out = append(out, fmt.Sprintf(format, args...)) }
	if p.Preset != other.Preset {
		say("the preset is %s there, %s here", p.Preset, other.Preset)
	}
	here := map[string]Cell{}
	for _, c := range other.Cells {
		here[c.ID] = c
	}
	for _, c := range p.Cells {
		d, ok := here[c.ID]
		delete(here, c.ID)
		switch {
		case !ok:
			say("cell %s is there alone", c.ID)
		case c.Config.Differences(d.Config) != "":
			say("cell %s: %s", c.ID, c.Config.Differences(d.Config))
		}
	}
	for _, c := range other.Cells {
		if _, ok := here[c.ID]; ok {
			say("cell %s is here alone", c.ID)
		}
	}
	if len(out) == 0 {
		say("its columns or its text differ, hash %.12s there, %.12s here", p.Hash, other.Hash)
	}
	if n := len(out); n > most {
		out = append(out[:most], fmt.Sprintf("and %d more", n-most))
	}
	return strings.Join(out, "; ")
}

// Dir is the folder of a cell.
func (c Cell) Dir(dir string) string { return filepath.Join(dir, "cells", c.ID) }
