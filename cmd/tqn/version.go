package main

import (
	"fmt"
	"runtime"
	"runtime/debug"

	"tqn/reports"
)

// versionReport is what `tqn --version --json` prints.
type versionReport struct {
	Version string `json:"version"` // the module's, "(devel)" for a build from a checkout
	Commit  string `json:"commit"`  // with "(modified)" for an unclean tree, "unknown" outside a checkout
	Date    string `json:"date"`    // of the commit, RFC 3339; empty where the toolchain recorded none
	Go      string `json:"go"`
	System  string `json:"system"` // operating system and architecture, such as linux/amd64
}

// version is what the Go toolchain recorded of the build.
func version() versionReport {
	v := versionReport{Version: "unknown", Commit: reports.Commit(), Date: reports.CommitDate(), Go: runtime.Version(), System: runtime.GOOS + "/" + runtime.GOARCH}
	if info, ok := debug.ReadBuildInfo(); ok {
		v.Version = info.Main.Version
	}
	return v
}

func (v versionReport) String() string {
	date := v.Date
	if date == "" {
		date = "date unknown"
	}
	return fmt.Sprintf("tqn %s, commit %s, %s, %s %s", v.Version, v.Commit, date, v.Go, v.System)
}
