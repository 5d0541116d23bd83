package main

import (
	"context"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"gonum.org/v1/plot/vg/draw"

	"tqn/markov"
	"tqn/reports"
)

// plotFormat returns the format that a picture's name asks for.
func plotFormat(name string) (string, error) {
	format := strings.TrimPrefix(strings.ToLower(filepath.Ext(name)), ".")
	if !slices.Contains(reports.Formats, format) {
		return "", fmt.Errorf("chain: --plot %s: want a name that ends in .%s", name, strings.Join(reports.Formats, ", ."))
	}
	return format, nil
}

// plotChain draws the stationary law and the distance from it by steps.
func plotChain(ctx context.Context, c *markov.Chain, a markov.Analysis, name string) error {
	if a.Stationary == nil {
		return fmt.Errorf("chain: --plot draws one stationary law, this chain has several")
	}
	format, err := plotFormat(name)
	if err != nil {
		return err
	}
	f := reports.NewFigure(2)
	p := f.Panel("Stationary law", "state", "probability")
	states := make([]float64, a.States)
	for x := range states {
		states[x] = float64(x)
	}
	if a.States <= 100 {
		p.Points("", reports.Palette[0], draw.CircleGlyph{}, states, a.Stationary)
	} else {
		p.Line("", reports.Palette[0], states, a.Stationary)
	}
	p.Y.Min = 0
	decay, err := c.Decay(ctx, a.Stationary, 1e-6)
	if err == nil {
		q := f.Panel("Distance from it, worst start", "steps (powers of 10)", "total variation (powers of 10)")
		var xs, ys []float64
		for _, d := range decay {
			if d.Distance > 0 {
				xs, ys = append(xs, math.Log10(float64(d.Steps))), append(ys, math.Log10(d.Distance))
			}
		}
		q.Line("", reports.Palette[0], xs, ys)
		q.Points("", reports.Palette[0], draw.CircleGlyph{}, xs, ys)
	} else if ctx.Err() != nil {
		return ctx.Err()
	}
	data, err := f.Encode(format)
	if err != nil {
		return err
	}
	if err := os.WriteFile(name, data, 0o644); err != nil {
		return fmt.Errorf("chain: --plot: %w", err)
	}
	return nil
}
