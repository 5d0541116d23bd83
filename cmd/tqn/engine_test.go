package main

import (
	"fmt"
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
