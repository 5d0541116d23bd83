// Package pjrt calls PJRT, the C interface of XLA's compilers and devices,
// without cgo: it loads a plug-in (a shared library such as the one in JAX's
// jax-cuda13-pjrt wheel) at run time, compiles StableHLO programs and runs them
// on the plug-in's device.
//
// # Ownership
//
// A [Plugin] stays loaded for the life of the process. A [Client] owns its
// devices. A [Buffer] or an [Executable] is owned by whoever got it and is
// destroyed once; a second Destroy does nothing, any other use afterwards panics.
// A program may take over the memory of an argument (donation): that buffer is then
// only good for Destroy. Errors of the plug-in are [*Error]; its events are awaited
// and freed inside the package. Nothing is freed by the garbage collector.
//
// # Finding a plug-in
//
// [Find] looks at a path given by the user, then at TQN_PJRT_PLUGIN, then into
// installed Python wheels: those of the interpreter that TQN_PYTHON names, of the active
// virtual environment, of the user and the system, and of the python3 and python on PATH.
//
// # What a plug-in logs and takes
//
// [Open] has XLA log errors only; TF_CPP_MIN_LOG_LEVEL=0 in the environment shows everything. XLA's CUDA
// plug-in takes three quarters of a card's memory at its start unless told otherwise: see [Memory].
//
// # The binary
//
// Loading a shared library needs the dynamic linker. Through
// github.com/ebitengine/purego, a Go program built with CGO_ENABLED=0 imports
// dlopen from libdl.so.2, so the binary is dynamically linked against the C
// library (libc, libdl, libpthread) although no C compiler was used: it does not start
// where there is no glibc (Alpine, an empty container). Built with -tags static, or
// for another system than linux or darwin on amd64 or arm64, this package is still
// there and every [Open] fails with a sentence saying so; that binary is static.
//
// # What has been seen to work
//
// All tests run on XLA's CPU plug-ins: xla-cpu-pjrt 0.0.1 (API 0.81) and
// lammps-jax-pjrt-cpu 0.11.2 (API 0.115), linux/amd64. On a GPU, nets have been trained on one
// NVIDIA H200 with JAX's CUDA plug-in (docs/results/table1-paper); where there is none, [Target] has its compiler
// compile for one. No program has been run on a TPU.
package pjrt
