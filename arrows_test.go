package tqn_test

import (
	"encoding/json"
	"os/exec"
	"slices"
	"strings"
	"testing"
)

// arrows is the import rule of docs/design.md: what each package may import of
// this module, tests aside. Changing it is a design decision, not a fix.
var arrows = map[string][]string{
	"quantize":         {},
	"evidence":         {},
	"bounds":           {"quantize", "evidence"},
	"markov":           {"quantize", "evidence", "bounds"},
	"convex":           {"quantize", "evidence", "bounds", "markov"},
	"toy":              {"quantize", "evidence", "bounds", "markov"},
	"nets/kernel":      {"quantize"},
	"nets/dataset":     {"quantize"},
	"nets/network":     {"quantize", "nets/kernel"},
	"nets/safetensors": {},
	"runfolder":        {},
	"nets":             {"quantize", "nets/kernel", "nets/dataset", "nets/network", "nets/safetensors", "runfolder"},
	"pjrt":             {},
	"nets/bench":       {"quantize", "nets", "nets/dataset", "nets/kernel", "nets/network"},
	"nets/xla":         {"quantize", "nets", "nets/dataset", "nets/kernel", "nets/network", "pjrt"},
	"cluster":          {"nets", "nets/dataset", "nets/network", "runfolder"},
	"referee":          {"quantize", "evidence", "bounds", "markov", "convex", "toy", "nets", "nets/network", "cluster"},
	"docs":             {},
	"reports":          {"*"},
	"cmd/tqn":          {"*"},
}

// onlyIn names the packages that alone may import an outside module.
var onlyIn = map[string]string{
	"gonum.org/v1/plot":                 "reports",
	"github.com/olekukonko/tablewriter": "reports",
	"github.com/yuin/goldmark":          "reports",
	"github.com/spf13/cobra":            "cmd/tqn",
	"github.com/schollz/progressbar/v3": "cmd/tqn",
	"github.com/ebitengine/purego":      "pjrt",
	"k8s.io/api":                        "cluster",
	"github.com/rogpeppe/go-internal":   "cmd/tqn",
	"github.com/leanovate/gopter":       "",
}

// badNames are package names that say nothing.
var badNames = []string{"util", "utils", "common", "helpers", "core", "types", "misc", "base"}

type goPackage struct {
	ImportPath, Name string
	Imports          []string
}

func modulePackages(t *testing.T) []goPackage {
	t.Helper()
	out, err := exec.Command("go", "list", "-json=ImportPath,Name,Imports", "./...").Output()
	if err != nil {
		t.Fatalf("go list: %v", err)
	}
	var packages []goPackage
	for dec := json.NewDecoder(strings.NewReader(string(out))); dec.More(); {
		var p goPackage
		if err := dec.Decode(&p); err != nil {
			t.Fatal(err)
		}
		packages = append(packages, p)
	}
	return packages
}

// badArrows lists the imports of p that the rule forbids.
func badArrows(p goPackage) (bad []string) {
	name := strings.TrimPrefix(p.ImportPath, "tqn/")
	allowed, listed := arrows[name]
	if !listed {
		// A command or driver beside its package may import everything.
		if p.Name == "main" {
			return nil
		}
		return []string{name + " has no row in the table of arrows"}
	}
	for _, imported := range p.Imports {
		if inside, ours := strings.CutPrefix(imported, "tqn/"); ours {
			if !slices.Contains(allowed, inside) && !slices.Contains(allowed, "*") {
				bad = append(bad, name+" imports "+inside)
			}
			continue
		}
		for module, owner := range onlyIn {
			if (imported == module || strings.HasPrefix(imported, module+"/")) && name != owner {
				bad = append(bad, name+" imports "+imported)
			}
		}
	}
	return bad
}

func TestArrowsPointOneWay(t *testing.T) {
	for _, p := range modulePackages(t) {
		if p.ImportPath == "tqn" {
			continue // the front door: tests only
		}
		for _, bad := range badArrows(p) {
			t.Errorf("%s: not in the table of arrows (docs/design.md)", bad)
		}
		if slices.Contains(badNames, p.Name) {
			t.Errorf("package %s is named %s, which says nothing", p.ImportPath, p.Name)
		}
	}
}

// The rule must be able to fail: markov and convex's forbidden arrows, gonum/plot
// outside reports, and a package without a row.
func TestArrowsCanFail(t *testing.T) {
	for _, planted := range []goPackage{
		{ImportPath: "tqn/markov", Imports: []string{"tqn/convex"}},
		{ImportPath: "tqn/nets", Imports: []string{"tqn/markov"}},
		{ImportPath: "tqn/toy", Imports: []string{"gonum.org/v1/plot/vg"}},
		{ImportPath: "tqn/nowhere"},
	} {
		if len(badArrows(planted)) == 0 {
			t.Errorf("%v passes", planted)
		}
	}
}
