//go:build !unix

package dataset

// noFollow: this system has no such flag; openPart looks before it opens.
const noFollow = 0
