//go:build !amd64 || purego

package kernel

func available(i implementation) bool { return i == generic }

func roundsToHalves(implementation) bool { return false }

func newFastConv(*Workers, ConvShape) convAlgorithm { return nil }

func newFastLinear(*Workers, int, int, int) linearAlgorithm { return nil }

func vectorPixels(_, _ []float32, _ Grid, _ bool) bool { return false }

func peakLoop(_ implementation, n int) float64 { return peakGeneric(n) }
