package main

import (
	"context"
	"fmt"
	"path/filepath"
	"slices"
	"strings"

	"tqn/markov"
	"tqn/reports"
	"tqn/runfolder"
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
	decay, decayErr := c.Decay(ctx, a.Stationary, 1e-6)
	if ctx.Err() != nil {
		return ctx.Err()
	}
	if decayErr != nil {
		decay = nil // too many states: only the law is drawn
	}
	var steps, distances []float64
	for _, d := range decay {
		steps, distances = append(steps, float64(d.Steps)), append(distances, d.Distance)
	}
	f := reports.ChainFigure(a.Labels, a.Stationary, steps, distances)
	data, err := f.Encode(format)
	if err != nil {
		return err
	}
	if err := runfolder.WriteFile(name, data); err != nil {
		return fmt.Errorf("chain: --plot: %w", err)
	}
	return nil
}
