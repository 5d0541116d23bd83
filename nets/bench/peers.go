package bench

import (
	"bufio"
	_ "embed"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

//go:embed torch_peer.py
var torchPeer []byte

// ErrNoPeer is wrapped where PyTorch cannot be started.
var ErrNoPeer = errors.New("PyTorch is not available")

// PeerCase is a network both sides run, by the name the peer script has for it.
type PeerCase struct {
	Name         string
	Net          string
	Width, Depth float64
	Batch        int // 0: that of the options
}

// PeerCases are the networks compared at batch 128.
func PeerCases() []PeerCase {
	return []PeerCase{
		{Name: "vgg9", Net: "vgg9", Width: 1},
		{Name: "vgg9-quarter", Net: "vgg9", Width: 0.25},
		{Name: "vgg-bc", Net: "vgg-bc", Width: 1},
		{Name: "resnet56", Net: "resnet56", Width: 1},
		{Name: "wrn56-2", Net: "wrn56-2", Width: 1},
	}
}

// PeerCells are the steps that the presets quick and laptop really take on CIFAR's images: narrow and shallow nets, small batches.
func PeerCells() []PeerCase {
	var cells []PeerCase
	for _, c := range []PeerCase{
		{Name: "vgg9-quarter", Net: "vgg9", Width: 0.25, Depth: 1},
		{Name: "vgg-bc-eighth", Net: "vgg-bc", Width: 0.125, Depth: 1},
		{Name: "resnet8-half", Net: "resnet56", Width: 0.5, Depth: 1. / 9},
		{Name: "wrn8-half", Net: "wrn56-2", Width: 0.5, Depth: 1. / 9},
	} {
		for _, c.Batch = range []int{8, 16, 64} {
			cells = append(cells, c)
		}
	}
	return cells
}

// PeerReport compares one network's training step. A round times PyTorch in its modes and us, in turn; the ratio of a
// round is PyTorch's best mode's median step over our median step.
type PeerReport struct {
	Case            string    `json:"case"`
	Batch           int       `json:"batch"`
	Threads         int       `json:"threads"`
	Method          string    `json:"method"` // of ours; PyTorch trains float weights
	Kernel          string    `json:"kernel"`
	Peer            string    `json:"peer"`   // with its version
	Layout          string    `json:"layout"` // with +compiled or +reduce-overhead behind it where torch.compile ran: the mode that was best in most rounds
	ImagesPerSecond float64   `json:"images_per_second"`
	PeerPerSecond   float64   `json:"peer_images_per_second"`
	Ratio           float64   `json:"ratio"` // median over rounds; above 1 we are faster
	Lowest          float64   `json:"lowest_ratio"`
	Highest         float64   `json:"highest_ratio"`
	Rounds          []float64 `json:"rounds"`
	PeerRSSBytes    int64     `json:"peer_peak_rss_bytes"`
	// What the first call takes longer than those behind it, where both sides compile.
	Compile     float64 `json:"compile_seconds,omitempty"`
	PeerCompile float64 `json:"peer_compile_seconds,omitempty"`
}

// PeerDevice is where PyTorch runs, and how: the zero value is the CPU without a compiler.
type PeerDevice struct {
	Platform  string // of the PJRT plug-in, "" for the CPU's engine
	Precision string // of products: f32, the default, tf32 or bf16
}

// modes are the ways in which PyTorch runs, of which the best counts. At float32 on a CPU torch.compile has not been faster.
func (d PeerDevice) modes() []string {
	switch {
	case d.Platform != "":
		return []string{"channels_last+compiled", "channels_last+reduce-overhead"}
	case d.Precision == "bf16":
		return []string{"channels_last", "channels_last+compiled"}
	}
	return []string{"channels_last", "contiguous"}
}

// arguments are torch_peer.py's last two.
func (d PeerDevice) arguments() ([]string, error) {
	precision := d.Precision
	if precision == "" {
		precision = "f32"
	}
	device := map[string]string{"": "cpu", "cpu": "cpu", "cuda": "cuda", "rocm": "cuda"}[d.Platform] // PyTorch calls both cuda
	if device == "" {
		return nil, fmt.Errorf("bench: %w: not for platform %s", ErrNoPeer, d.Platform)
	}
	return []string{device, precision}, nil
}

// peer is a running torch_peer.py.
type peer struct {
	cmd        *exec.Cmd
	in         io.WriteCloser
	out        *bufio.Reader
	version    string
	device     string
	parameters map[string]int // by net
	rss        int64
	dir        string
}

// interpreter is the Python that TQN_PYTHON names, or python3.
func interpreter() string {
	if p := os.Getenv("TQN_PYTHON"); p != "" {
		return p
	}
	return "python3"
}

func startPeer(name string, batch, threads int, on PeerDevice) (*peer, error) {
	arguments, err := on.arguments()
	if err != nil {
		return nil, err
	}
	dir, err := os.MkdirTemp("", "tqn-peer-")
	if err != nil {
		return nil, fmt.Errorf("bench: %w", err)
	}
	script := filepath.Join(dir, "torch_peer.py")
	if err := os.WriteFile(script, torchPeer, 0o644); err != nil {
		os.RemoveAll(dir)
		return nil, fmt.Errorf("bench: %w", err)
	}
	p := &peer{cmd: exec.Command(interpreter(), append([]string{script, name, fmt.Sprint(batch), fmt.Sprint(threads)}, arguments...)...), dir: dir}
	var stderr strings.Builder
	p.cmd.Stderr = &stderr
	if p.in, err = p.cmd.StdinPipe(); err != nil {
		os.RemoveAll(dir)
		return nil, fmt.Errorf("bench: %w", err)
	}
	out, err := p.cmd.StdoutPipe()
	if err == nil {
		err = p.cmd.Start()
	}
	if err != nil {
		os.RemoveAll(dir)
		return nil, fmt.Errorf("bench: %w: %s: %v (TQN_PYTHON chooses the interpreter)", ErrNoPeer, interpreter(), err)
	}
	p.out = bufio.NewReader(out)
	var ready struct {
		Version    string
		Device     string
		Parameters map[string]int
	}
	if err := p.receive(&ready); err != nil {
		p.close()
		lines := strings.Split(strings.TrimSpace(stderr.String()), "\n")
		return nil, fmt.Errorf("bench: %w: %s: %s (TQN_PYTHON chooses the interpreter)", ErrNoPeer, interpreter(), lines[len(lines)-1])
	}
	p.version, p.device, p.parameters = ready.Version, ready.Device, ready.Parameters
	return p, nil
}

func (p *peer) receive(v any) error {
	line, err := p.out.ReadBytes('\n')
	if err != nil {
		return err
	}
	return json.Unmarshal(line, v)
}

// time asks for n times of a step, each the mean of so many. Without times and without error the mode does not run there.
func (p *peer) time(mode string, steps, n int) ([]time.Duration, error) {
	if _, err := fmt.Fprintf(p.in, "%s %d %d\n", mode, steps, n); err != nil {
		return nil, fmt.Errorf("bench: PyTorch: %w", err)
	}
	var answer struct {
		Seconds []float64
		Error   string
		RSS     int64 `json:"peak_rss_bytes"`
	}
	err := p.receive(&answer)
	if err == nil && answer.Error != "" && strings.Contains(mode, "+") {
		return nil, nil
	}
	if err != nil || len(answer.Seconds) != n {
		return nil, fmt.Errorf("bench: PyTorch answered %d of %d steps: %v%s", len(answer.Seconds), n, err, answer.Error)
	}
	p.rss = answer.RSS
	var times []time.Duration
	for _, s := range answer.Seconds {
		times = append(times, time.Duration(s*float64(time.Second)))
	}
	return times, nil
}

func (p *peer) close() {
	p.in.Close() // ends the script
	p.cmd.Wait()
	os.RemoveAll(p.dir)
}

// Peers compares one case over rounds, each of steps timed steps a side (after one to warm up).
func Peers(c PeerCase, o Options, rounds, steps int) (PeerReport, error) {
	o.Net, o.Width, o.Depth = c.Net, c.Width, c.Depth
	if c.Batch > 0 {
		o.Batch = c.Batch
	}
	ours, err := New(o)
	if err != nil {
		return PeerReport{}, err
	}
	defer ours.Close()
	p, err := startPeer(c.Name, o.Batch, ours.Threads, o.Peer)
	if err != nil {
		return PeerReport{}, err
	}
	defer p.close()
	r := PeerReport{Case: c.Name, Batch: o.Batch, Threads: ours.Threads, Method: o.Method, Kernel: ours.Kernel, Peer: "PyTorch " + p.version}
	modes, each := o.Peer.modes(), 1
	if o.Peer.Platform != "" {
		r.Peer += ", torch.compile, " + p.device
		each = blockSteps
	}
	if o.Peer.Precision != "" {
		r.Peer += ", " + o.Peer.Precision
	}
	var we, they []time.Duration
	wins := map[string]int{}
	for round := range rounds {
		best, layout := time.Duration(0), ""
		for _, l := range modes {
			times, err := p.time(l, each, steps+1) // the first pays for a change of layout
			if err != nil {
				return r, err
			}
			if times == nil {
				continue
			}
			m := median(times[1:])
			if layout == "" || m < best {
				best, layout = m, l
			}
			if round == 0 && o.Peer.Platform != "" && l == layout {
				r.PeerCompile = compileSeconds(times[0], m)
			}
		}
		if layout == "" {
			return r, fmt.Errorf("bench: PyTorch runs in none of %s", strings.Join(modes, ", "))
		}
		wins[layout]++
		// OpenMP's threads spin for a while after their last work (0.2 s by Intel's default): not on our time.
		time.Sleep(300 * time.Millisecond)
		times, err := ours.Time(steps + 1)
		if err != nil {
			return r, err
		}
		m := median(times[1:])
		if round == 0 && o.Peer.Platform != "" {
			r.Compile = compileSeconds(times[0], m)
		}
		we, they = append(we, m), append(they, best)
		r.Rounds = append(r.Rounds, best.Seconds()/m.Seconds())
	}
	for _, mode := range modes {
		if r.Layout == "" || wins[mode] > wins[r.Layout] {
			r.Layout = mode
		}
	}
	sorted := slices.Sorted(slices.Values(r.Rounds))
	r.Lowest, r.Ratio, r.Highest = sorted[0], sorted[len(sorted)/2], sorted[len(sorted)-1]
	r.ImagesPerSecond, r.PeerPerSecond = ours.ImagesPerSecond(median(we)), ours.ImagesPerSecond(median(they))
	r.PeerRSSBytes = p.rss
	return r, nil
}
