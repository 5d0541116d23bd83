//go:build !purego && !linux

package kernel

// tilePermission is false where we do not know how the system grants the tile registers.
func tilePermission() bool { return false }
