package kernel

import "syscall"

// useHugePages asks for huge pages, before any of b is touched. A system that has none of them to give is none the worse.
func useHugePages(b []byte) { _ = syscall.Madvise(b, syscall.MADV_HUGEPAGE) }
