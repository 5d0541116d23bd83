//go:build !amd64 || purego

package kernel

func available(i implementation) bool { return i == generic }

func newFastConv(*Workers, ConvShape) convAlgorithm { return nil }

func newFastLinear(*Workers, int, int, int) linearAlgorithm { return nil }
