// Command bench compares package markov with QuantEcon, PyDTMC and numpy: time and,
// beside it, the worst relative error on nearly decoupled chains whose laws and
// gaps have closed forms.
//
//	go run ./markov/bench [-python /path/to/python3] [-n 2000] [-rounds 3]
//
// Where Python or a package is missing, one line says so and that part is skipped.
package main

import (
	"bufio"
	"cmp"
	_ "embed"
	"encoding/binary"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"time"

	"tqn/markov"
)

//go:embed peers.py
var script string

func main() {
	python := flag.String("python", cmp.Or(os.Getenv("TQN_PYTHON"), "python3"), "Python interpreter with the peers (default $TQN_PYTHON)")
	n := flag.Int("n", 2000, "states of the speed comparison")
	rounds := flag.Int("rounds", 3, "alternating rounds of the speed comparison")
	flag.Parse()
	if err := run(os.Stdout, *python, *n, *rounds); err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

type request struct {
	Peer string `json:"peer"`
	Task string `json:"task"`
	N    int    `json:"n"`
	File string `json:"file"`
}

type answer struct {
	Seconds float64   `json:"seconds"`
	Pi      []float64 `json:"pi"`
	Gap     float64   `json:"gap"`
	Error   string    `json:"error"`
}

// peers is the Python process.
type peers struct {
	in  io.WriteCloser
	out *bufio.Reader
	has map[string]string
	cmd *exec.Cmd
}

func start(python, dir string) (*peers, error) {
	file := filepath.Join(dir, "peers.py")
	if err := os.WriteFile(file, []byte(script), 0o644); err != nil {
		return nil, err
	}
	cmd := exec.Command(python, file)
	in, err := cmd.StdinPipe()
	if err != nil {
		return nil, err
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	p := &peers{in: in, out: bufio.NewReaderSize(out, 1<<20), cmd: cmd}
	return p, p.read(&p.has)
}

func (p *peers) read(v any) error {
	line, err := p.out.ReadBytes('\n')
	if err != nil {
		return err
	}
	if err := json.Unmarshal(line, v); err != nil {
		return fmt.Errorf("answer %.60q: %w", line, err)
	}
	return nil
}

func (p *peers) ask(r request) answer {
	line, _ := json.Marshal(r)
	if _, err := p.in.Write(append(line, '\n')); err != nil {
		return answer{Error: err.Error()}
	}
	var a answer
	if err := p.read(&a); err != nil {
		return answer{Error: err.Error()}
	}
	return a
}

// problem is a chain with its exact law and gap.
type problem struct {
	name string
	q    [][]float64
	pi   []float64 // nil: not compared
	gap  float64   // 0: not compared
}

// problems are nearly decoupled chains with closed forms.
func problems() []problem {
	var out []problem
	for _, e := range []float64{1e-8, 1e-12, 1e-17} {
		out = append(out, problem{
			name: fmt.Sprintf("P(e) of three states, e = %g", e),
			q:    [][]float64{{0, 0.3, e}, {0.3, 0, e}, {e, e, 0}},
			pi:   []float64{1. / 3, 1. / 3, 1. / 3}, gap: 3 * e,
		})
	}
	// A line with two wells: pi(x+1)/pi(x) = up/down, products of powers of two.
	const n = 40
	q := make([][]float64, n)
	pi := make([]float64, n)
	sum, w := 0.0, 1.0
	for x := range q {
		q[x] = make([]float64, n)
	}
	for x := range n - 1 {
		up, down := 0.25/8, 0.25
		if x >= n/2 {
			up, down = 0.25, 0.25/8
		}
		q[x][x+1], q[x+1][x] = up, down
		pi[x] = w
		sum += w
		w *= up / down
	}
	pi[n-1] = w
	sum += w
	for x := range pi {
		pi[x] /= sum
	}
	out = append(out, problem{name: "line of 40 with two wells, barrier 1e-18", q: q, pi: pi})
	// Two cliques of 10 whose states all cross with e/10 and 2e/10: lumps to two
	// states, pi = 2/30 and 1/30, gap 3e.
	const e = 1e-13
	q = make([][]float64, 20)
	pi = make([]float64, 20)
	for x := range q {
		q[x] = make([]float64, 20)
		for y := range q[x] {
			switch {
			case x/10 == y/10 && x != y:
				q[x][y] = 0.05
			case x/10 != y/10:
				q[x][y] = e / 10 * float64(x/10+1)
			}
		}
		pi[x] = float64(2-x/10) / 30
	}
	return append(out, problem{name: "two cliques of 10, e = 1e-13", q: q, pi: pi, gap: 3 * e})
}

func run(w io.Writer, python string, n, rounds int) error {
	dir, err := os.MkdirTemp("", "tqn-peers")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	p, err := start(python, dir)
	if err != nil {
		fmt.Fprintf(w, "peers skipped: %s did not start (%v); install Python 3 with quantecon, pydtmc and numpy, or set TQN_PYTHON\n", python, err)
		p = nil
	} else {
		defer func() { p.in.Close(); p.cmd.Wait() }()
		for _, name := range []string{"numpy", "QuantEcon", "PyDTMC"} {
			if v, ok := p.has[name]; ok {
				fmt.Fprintf(w, "%s %s\n", name, v)
			} else {
				fmt.Fprintf(w, "%s skipped: %s cannot import it\n", name, python)
			}
		}
	}
	if err := accuracy(w, p, dir); err != nil {
		return err
	}
	return speed(w, p, dir, n, rounds)
}

// offers reports whether the peers' process runs and could import a library.
func (p *peers) offers(name string) bool { return p != nil && p.has[name] != "" }

// accuracy prints for every solver the error of the stationary law and of the gap on chains whose answers are known.
func accuracy(w io.Writer, p *peers, dir string) error {
	libraryOf := map[string]string{"QuantEcon": "QuantEcon", "QuantEcon MarkovChain": "QuantEcon", "PyDTMC": "PyDTMC", "numpy": "numpy"}
	fmt.Fprintf(w, "\nworst relative error (stationary law: of any entry; gap)\n%-44s %-22s %10s %10s\n", "chain", "solver", "law", "gap")
	for _, pr := range problems() {
		c, err := markov.FromDense(pr.q, 1)
		if err != nil {
			return err
		}
		pi, err := c.Stationary()
		if err != nil {
			return err
		}
		gap, err := c.Gap()
		if err != nil {
			return err
		}
		row := func(solver string, law, gap string) {
			fmt.Fprintf(w, "%-44s %-22s %10s %10s\n", pr.name, solver, law, gap)
		}
		g := ""
		if pr.gap > 0 {
			g = fmt.Sprintf("%.1e", math.Abs(gap/pr.gap-1))
		}
		row("tqn", worst(pi, pr.pi), g)
		file, err := save(dir, pr.q)
		if err != nil {
			return err
		}
		for _, name := range []string{"QuantEcon", "QuantEcon MarkovChain", "PyDTMC", "numpy"} {
			if !p.offers(libraryOf[name]) {
				continue
			}
			law, g := "refused", ""
			if a := p.ask(request{name, "stationary", len(pr.q), file}); a.Error == "" {
				law = worst(a.Pi, pr.pi)
			}
			if pr.gap > 0 && (name == "numpy" || name == "PyDTMC") {
				g = "refused"
				if a := p.ask(request{name, "gap", len(pr.q), file}); a.Error == "" {
					g = fmt.Sprintf("%.1e", math.Abs(a.Gap/pr.gap-1))
				}
			}
			row(name, law, g)
		}
	}
	return nil
}

// speed prints the times of tqn and of QuantEcon, in turn, for the stationary law of a dense chain with n states.
func speed(w io.Writer, p *peers, dir string, n, rounds int) error {
	fmt.Fprintf(w, "\nstationary law of a dense chain with %d states, rounds alternate, seconds\n", n)
	q := random(n)
	c, err := markov.FromDense(q, 0.5/float64(n))
	if err != nil {
		return err
	}
	file, err := save(dir, q)
	if err != nil {
		return err
	}
	var ours, theirs []float64
	if p.offers("QuantEcon") { // Numba compiles on the first call
		three, err := save(dir, problems()[0].q)
		if err != nil {
			return err
		}
		p.ask(request{"QuantEcon", "stationary", 3, three})
	}
	difference := math.NaN()
	for range rounds {
		began := time.Now()
		pi, err := c.Stationary()
		if err != nil {
			return err
		}
		ours = append(ours, time.Since(began).Seconds())
		if p.offers("QuantEcon") {
			a := p.ask(request{"QuantEcon", "stationary", n, file})
			if a.Error != "" {
				return fmt.Errorf("QuantEcon: %s", a.Error)
			}
			theirs = append(theirs, a.Seconds)
			difference = 0
			for x := range pi {
				difference = max(difference, math.Abs(pi[x]/a.Pi[x]-1))
			}
		}
	}
	fmt.Fprintf(w, "tqn        %s  fastest %.3f (the dense matrix is built from the chain each time)\n", list(ours), slices.Min(ours))
	if len(theirs) > 0 {
		fmt.Fprintf(w, "QuantEcon  %s  fastest %.3f (gth_solve, Numba warmed up)\n", list(theirs), slices.Min(theirs))
		fmt.Fprintf(w, "ratio of the fastest: %.2f; largest relative difference of the laws %.1e\n", slices.Min(theirs)/slices.Min(ours), difference)
	}
	return nil
}

func list(s []float64) string {
	out := ""
	for _, v := range s {
		out += fmt.Sprintf("%.3f ", v)
	}
	return out
}

func worst(got, want []float64) string {
	if len(got) != len(want) {
		return "wrong size"
	}
	e := 0.0
	for i := range got {
		d := math.Abs(got[i]/want[i] - 1)
		if math.IsNaN(d) {
			return "NaN"
		}
		e = max(e, d)
	}
	return fmt.Sprintf("%.1e", e)
}

func save(dir string, q [][]float64) (string, error) {
	f, err := os.CreateTemp(dir, "chain")
	if err != nil {
		return "", err
	}
	b := bufio.NewWriter(f)
	for _, row := range q {
		if err := binary.Write(b, binary.LittleEndian, row); err != nil {
			return "", err
		}
	}
	if err := b.Flush(); err != nil {
		return "", err
	}
	return f.Name(), f.Close()
}

// random is a dense chain with rates over three orders of magnitude (SplitMix64).
func random(n int) [][]float64 {
	s := uint64(n)
	q := make([][]float64, n)
	for x := range q {
		q[x] = make([]float64, n)
		for y := range q[x] {
			s += 0x9e3779b97f4a7c15
			z := (s ^ s>>30) * 0xbf58476d1ce4e5b9
			z = (z ^ z>>27) * 0x94d049bb133111eb
			if x != y {
				q[x][y] = math.Pow(10, -3*float64((z^z>>31)>>11)*0x1p-53)
			}
		}
	}
	return q
}
