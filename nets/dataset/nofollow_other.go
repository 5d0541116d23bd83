//go:build !unix

package dataset

// noFollow is 0 because this system has no flag that keeps a link from being followed; openPart looks at the file before it opens it.
const noFollow = 0
