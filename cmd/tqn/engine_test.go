package main

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"tqn/pjrt"
)

// --devices takes no more devices than the plug-in has, and no fewer than one.
func TestDevicesOfThePlugin(t *testing.T) {
	for share := range 6 {
		c := &engineChoice{engine: "pjrt", precision: "f32", share: share, client: func() (*pjrt.Client, error) {
			return &pjrt.Client{Plugin: &pjrt.Plugin{Path: "plugin.so"}, Devices: make([]pjrt.Device, 4)}, nil
		}}
		_, err := c.factory()
		if share >= 1 && share <= 4 {
			if err != nil {
				t.Errorf("--devices %d of 4: %v", share, err)
			}
		} else if err == nil || !strings.Contains(err.Error(), fmt.Sprintf("--devices %d; the plug-in plugin.so has 1 to 4", share)) {
			t.Errorf("--devices %d of 4: %v", share, err)
		}
	}
}

// TestPlaces: runs take the place with the fewest runs, all devices of the first client before those of the next, and a run that has ended is not counted, however often it says so.
func TestPlaces(t *testing.T) {
	clients := []*pjrt.Client{{Devices: make([]pjrt.Device, 5)}, {Devices: make([]pjrt.Device, 5)}}
	p := newPlaces(clients, 2)
	if len(p.all) != 4 {
		t.Fatalf("%d places for 5 devices in groups of 2 and 2 clients", len(p.all))
	}
	var leaves []func()
	for i := range 8 {
		to, leave := p.take()
		if leaves = append(leaves, leave); to != p.all[i%4] || len(to.devices) != 2 || to.client != clients[i%4/2] {
			t.Errorf("run %d has place %d", i, slices.Index(p.all, to))
		}
	}
	leaves[6]()
	leaves[6]()
	if to, _ := p.take(); to != p.all[2] {
		t.Errorf("the place that was left is not taken, but %d", slices.Index(p.all, to))
	}
	if to, _ := p.take(); to != p.all[0] {
		t.Errorf("a place that was left twice over is taken again: %d", slices.Index(p.all, to))
	}
}

// TestUnhindered: a time is estimated as if each device ran one cell at a time, and CPUs as many as are asked for.
func TestUnhindered(t *testing.T) {
	c := &engineChoice{engine: "pjrt", share: 1, streams: 3, client: func() (*pjrt.Client, error) { return &pjrt.Client{Devices: make([]pjrt.Device, 2)}, nil }}
	cpu := &engineChoice{engine: "cpu"}
	if got := [...]int{c.unhindered(1), c.unhindered(6), cpu.unhindered(6)}; got != [...]int{1, 2, 6} {
		t.Errorf("%v, want 1, 2, 6", got)
	}
}
