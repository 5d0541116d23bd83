package pjrt

import (
	"fmt"
	"path/filepath"
	"strings"
)

// Memory says how much of a card's memory a CUDA plug-in may take. XLA's allocator takes three quarters of the
// whole card at its start unless told otherwise, whatever the run needs and whoever else uses the card; the zero
// Memory takes regions as the run needs them and stops at three quarters.
type Memory struct {
	// Fraction of the card's whole memory, in (0, 1], is the most that is taken; 0 means 0.75.
	Fraction float64
	// Preallocate takes the fraction at the start. Regions taken one by one are not joined, so a run that
	// nearly fills the card may need it.
	Preallocate bool
	// Clients in the process, each with an allocator of its own, share the fraction equally; 0 means 1.
	Clients int
}

// Options are the settings for [Plugin.NewClient]. Only a CUDA plug-in, which is known by its file's
// name, has them: for another one they are nil, and it is an error to ask it for anything but the zero Memory.
func (m Memory) Options(p *Plugin) (map[string]any, error) {
	if !(m.Fraction >= 0 && m.Fraction <= 1) {
		return nil, fmt.Errorf("pjrt: %v of a card's memory; want a fraction above 0 and at most 1, or 0 for 0.75", m.Fraction)
	}
	if !strings.Contains(filepath.Base(p.Path), "cuda") {
		if m.Fraction != 0 || m.Preallocate {
			return nil, fmt.Errorf("pjrt: the plug-in %s takes no limit of memory; only CUDA plug-ins, which have cuda in the file's name, do", p.Path)
		}
		return nil, nil
	}
	fraction := float32(0.75)
	if m.Fraction > 0 {
		fraction = float32(m.Fraction)
	}
	return map[string]any{"preallocate": m.Preallocate, "memory_fraction": fraction / float32(max(1, m.Clients))}, nil
}
