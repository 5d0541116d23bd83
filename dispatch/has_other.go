//go:build !amd64 || purego

package dispatch

// Has reports whether an implementation runs here: without assembly only [Generic] does.
func Has(name string) bool { return name == Generic }
