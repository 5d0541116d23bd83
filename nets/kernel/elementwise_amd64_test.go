//go:build !purego

package kernel

func controlWord() uint32 { return mxcsr() &^ 0x3f } // without the exceptions seen so far
