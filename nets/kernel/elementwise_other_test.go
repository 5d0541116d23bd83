//go:build !amd64 || purego

package kernel

func controlWord() uint32 { return 0 }
