package reports

import (
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"runtime/debug"
	"strings"
	"time"
)

// Manifest says where a report's numbers come from. Empty fields are left out.
type Manifest struct {
	Command  string // the command line that makes this report
	Seed     uint64 // 0: nothing was sampled
	Preset   string
	Data     string // name and checksum of the data set
	Kernel   string // nets/kernel implementation that ran
	Engine   string // cpu, or the PJRT platform and its version
	WallTime time.Duration
	OfReport bool // the commit is what wrote the report; others may have made its numbers
}

// Markdown renders the manifest as a list.
func (m Manifest) Markdown() string {
	var b strings.Builder
	line := func(name, value string) {
		if value != "" {
			fmt.Fprintf(&b, "- %s: %s\n", name, value)
		}
	}
	if m.Command != "" {
		line("command", code(m.Command))
	}
	if m.Seed != 0 {
		line("seed", fmt.Sprint(m.Seed))
	}
	line("preset", m.Preset)
	line("data", m.Data)
	line("kernel", m.Kernel)
	line("engine", m.Engine)
	line("CPU", fmt.Sprintf("%s, %d cores, %s/%s", cpuModel(), runtime.NumCPU(), runtime.GOOS, runtime.GOARCH))
	line("Go", runtime.Version())
	if m.OfReport {
		line("commit of the program that wrote this page", Commit())
	} else {
		line("commit", Commit())
	}
	if m.WallTime > 0 {
		line("wall time", m.WallTime.Round(time.Second/10).String())
	}
	return b.String()
}

// code is a text as Markdown's code: between enough backquotes, so that it may hold some itself.
func code(s string) string {
	fence := "`"
	for strings.Contains(s, fence) {
		fence += "`"
	}
	if len(fence) > 1 {
		return fence + " " + s + " " + fence
	}
	return fence + s + fence
}

// Commit is the revision the Go toolchain recorded in the binary, with "(modified)"
// for an unclean tree. `go run` and `go test` record none: then it is that of the
// working folder if this is a checkout of tqn, and otherwise "unknown".
func Commit() string {
	revision, modified := "", ""
	if info, ok := debug.ReadBuildInfo(); ok {
		for _, s := range info.Settings {
			switch {
			case s.Key == "vcs.revision":
				revision = s.Value
			case s.Key == "vcs.modified" && s.Value == "true":
				modified = " (modified)"
			}
		}
	}
	if mod, err := os.ReadFile("go.mod"); revision == "" && err == nil && strings.HasPrefix(string(mod), "module tqn\n") {
		if out, err := exec.Command("git", "describe", "--always", "--abbrev=40", "--exclude=*", "--dirty= (modified)").Output(); err == nil {
			revision = strings.TrimSpace(string(out))
		}
	}
	if revision == "" {
		return "unknown"
	}
	return revision + modified
}

// CommitDate is the time of that revision, RFC 3339; empty where the binary has none and the working folder is no checkout.
func CommitDate() string {
	if info, ok := debug.ReadBuildInfo(); ok {
		for _, s := range info.Settings {
			if s.Key == "vcs.time" {
				return s.Value
			}
		}
	}
	if mod, err := os.ReadFile("go.mod"); err == nil && strings.HasPrefix(string(mod), "module tqn\n") {
		if out, err := exec.Command("git", "log", "-1", "--format=%cI").Output(); err == nil {
			return strings.TrimSpace(string(out))
		}
	}
	return ""
}

// cpuModel is the processor's name as the operating system gives it.
func cpuModel() string {
	text, err := os.ReadFile("/proc/cpuinfo")
	if err != nil {
		return runtime.GOARCH
	}
	for line := range strings.Lines(string(text)) {
		if name, value, ok := strings.Cut(line, ":"); ok && strings.TrimSpace(name) == "model name" {
			return strings.TrimSpace(value)
		}
	}
	return runtime.GOARCH
}
