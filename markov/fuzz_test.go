package markov

import (
	"math"
	"strings"
	"testing"
)

// FuzzReadMatrix: no input panics; an accepted chain satisfies every invariant.
func FuzzReadMatrix(f *testing.F) {
	for _, s := range []string{
		"0.5,0.5\n0.25,0.75\n", "1\n", "1,0\n0,1\n", "0,1\n1,0\n", "0.5,0.5\n0.3,0.6\n", "NaN,1\n0,1\n",
		"1,0,0\n0,0,1\n0,1,0\n", "1e-300,1\n1,1e-300\n", "0.33333333,0.33333333,0.33333334\n1,0,0\n0,1,0\n",
		"1e-17,1,0\n0.5,0,0.5\n0,1e-320,1\n", "# x\n\n0.5 , 0.5\r\n1,0", "1,\n", "0x1p-1,0.5\n.5,.5\n", "Inf,0\n0,1\n",
	} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		c, err := ReadMatrix(strings.NewReader(text), "fuzz")
		if err != nil {
			if !strings.HasPrefix(err.Error(), "markov: fuzz") {
				t.Fatalf("error %q does not name the file", err)
			}
			return
		}
		if c.n > 30 {
			return
		}
		invariants(t, c)
	})
}

// FuzzReadRates is FuzzReadMatrix for the other format.
func FuzzReadRates(f *testing.F) {
	for _, s := range []string{
		"0,1,1\n1,0,1\n", "from,to,rate\n0,1,1e-300\n1,0,1e-300\n", "0,1,1e308\n1,0,1\n", "0,1,0\n", "0,1,0.5\n0,1,0.25\n1,2,1\n2,0,1e-200\n",
		"0,1,1e-320\n1,0,1\n", "0,1,-1\n", "0,0,1\n", "0,1\n", "3,1,0.1\n",
	} {
		f.Add(s, 1.0)
		f.Add(s, 1e-12)
	}
	f.Fuzz(func(t *testing.T, text string, alpha float64) {
		c, err := ReadRates(strings.NewReader(text), "fuzz", alpha)
		if err != nil {
			if !strings.HasPrefix(err.Error(), "markov: ") {
				t.Fatalf("error %q does not name its package", err)
			}
			return
		}
		if c.n > 30 {
			return
		}
		invariants(t, c)
	})
}

// FuzzHostileChain builds chains from bytes: each byte is the exponent of a rate,
// from 1e-300 to 1, or no rate.
func FuzzHostileChain(f *testing.F) {
	f.Add(uint8(3), []byte{255, 1, 1, 255, 1, 1})
	f.Add(uint8(2), []byte{1, 255})
	f.Add(uint8(4), []byte{0, 0, 0, 9, 9, 9, 0, 200, 3, 0, 0, 255})
	f.Add(uint8(5), []byte{255, 0, 0, 0, 0, 255, 0, 0, 0, 0, 255, 0, 0, 0, 0, 255, 255, 0, 0, 0})
	f.Add(uint8(3), []byte{7, 0, 0, 100, 100, 0})
	f.Fuzz(func(t *testing.T, n uint8, exponents []byte) {
		states := 2 + int(n%6)
		var rates []Rate
		for i, e := range exponents {
			x, y := i/(states-1), i%(states-1)
			if x >= states {
				break
			}
			if y >= x {
				y++
			}
			if e > 0 {
				rates = append(rates, Rate{x, y, math.Pow(10, (float64(e)-255)*300/254)})
			}
		}
		c, err := FromRates(states, rates, 0.1)
		if err != nil {
			t.Fatal(err)
		}
		invariants(t, c)
	})
}

// invariants: laws are laws, live on their class and are stationary; numbers that
// exist are not NaN; missing ones are errors, not nonsense.
func invariants(t *testing.T, c *Chain) {
	t.Helper()
	laws, err := c.StationaryLaws()
	if err != nil {
		return // an underflow, said so
	}
	if len(laws) == 0 {
		t.Fatal("a finite chain has a closed class")
	}
	for _, l := range laws {
		sum := 0.0
		inside := map[int]bool{}
		for _, x := range l.Class.States {
			inside[x] = true
		}
		for x, p := range l.Law {
			if !(p >= 0 && p <= 1+1e-12) || p > 0 && !inside[x] {
				t.Fatalf("law %v on class %v", l.Law, l.Class)
			}
			sum += p
		}
		if math.Abs(sum-1) > 1e-12 {
			t.Fatalf("law sums to %g", sum)
		}
	}
	a, err := c.Analyse(0.25)
	if err != nil {
		return
	}
	for name, v := range map[string]*float64{"gap": a.Gap, "relaxation": a.RelaxationTime, "kemeny": a.Kemeny, "scaled": a.MixingTimeScaled} {
		if v != nil && (math.IsNaN(*v) || *v < 0) {
			t.Fatalf("%s = %g", name, *v)
		}
	}
	if a.Gap != nil && *a.Gap > 1+1e-9 {
		t.Fatalf("gap %g above one", *a.Gap)
	}
	if a.MixingTime != nil && (len(laws) > 1 || a.Mixing.Distance > 0.25) {
		t.Fatalf("mixing time %d with %d laws, distance %g", *a.MixingTime, len(laws), a.Mixing.Distance)
	}
}

// FuzzReadFile is FuzzReadMatrix for all formats, labels and separators.
func FuzzReadFile(f *testing.F) {
	for k, s := range []string{
		"a,b\n0.5,0.5\n0.25,0.75\n", "from;to;rate\nx;y;0,5\ny;x;1\n", "-1 1\n2 -2\n", "3\t1\n0\t2\n", "\ufeff,a,b\na,1,0\nb,0.5,0.5\n",
		"\"a\",\"b\"\n1,0\n0,1\n", "1,2,0.5\n2,1,1e-300\n", "a,b,0.5\nb,c,0.5\nc,a,1e-17\n",
	} {
		for format := range Formats {
			f.Add(s, uint8(format), k%2 == 0, k%3 == 0)
		}
	}
	f.Fuzz(func(t *testing.T, text string, format uint8, fromOne, normalise bool) {
		o := FileOptions{Format: Formats[int(format)%len(Formats)], Alpha: 0.25, FromOne: fromOne, Normalise: normalise}
		file, err := ReadFile(strings.NewReader(text), "fuzz", o)
		if err != nil {
			if !strings.HasPrefix(err.Error(), "markov: fuzz") {
				t.Fatalf("error %q does not name the file", err)
			}
			return
		}
		if file.Labels != nil && len(file.Labels) != file.Chain.n {
			t.Fatalf("%d labels for %d states", len(file.Labels), file.Chain.n)
		}
		if file.Chain.n <= 30 {
			invariants(t, file.Chain)
		}
	})
}
