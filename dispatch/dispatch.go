// Package dispatch says which instructions a process may use: those that the processor and the operating system can run,
// and of them those that the environment variable TQN_KERNEL allows. All assembly of this module asks it, so that one
// variable turns all of it off (TQN_KERNEL=generic) or down (TQN_KERNEL=avx2).
package dispatch

import (
	"fmt"
	"os"
	"slices"
	"strings"
)

// Variable is the name of the environment variable.
const Variable = "TQN_KERNEL"

// The names of implementations, from the one that runs everywhere to the widest. The last two are known to nets/kernel only;
// every other package takes AVX512 in their place.
const (
	Generic = "generic" // plain Go
	AVX2    = "avx2"    // with FMA
	AVX512  = "avx512"  // F, DQ, BW, VL
	AMX     = "amx"     // tiles of bfloat16
	Mixed   = "mixed"   // avx512 or amx, whichever is faster for a layer
)

var names = []string{Generic, AVX2, AVX512, AMX, Mixed}

// Requested is what the environment asks for; empty: the fastest.
func Requested() string { return os.Getenv(Variable) }

// Check returns an error if the environment asks for an implementation that does not exist or that this processor has not
// the vector instructions for. (Whether it has tiles, nets/kernel finds out: that needs the operating system's permission.)
func Check() error {
	name := Requested()
	if name == "" {
		return nil
	}
	rank := slices.Index(names, name)
	if rank < 0 {
		return fmt.Errorf("%s is %q; want one of %s", Variable, name, strings.Join(names, ", "))
	}
	if have := widest(""); rank > slices.Index(names, have) && (rank <= slices.Index(names, AVX512) || have != AVX512) {
		return fmt.Errorf("%s is %q; this machine runs nothing wider than %s", Variable, name, have)
	}
	return nil
}

// Vectors is the widest of [Generic], [AVX2] and [AVX512] that this machine runs and the environment allows. Where [Check]
// fails it is what there is of the instructions asked for, or Generic for a name that means nothing.
func Vectors() string { return widest(Requested()) }

func widest(requested string) string {
	most := slices.Index(names, AVX512)
	if requested != "" {
		most = min(most, max(0, slices.Index(names, requested)))
	}
	for ; most > 0; most-- {
		if Has(names[most]) {
			break
		}
	}
	return names[most]
}
