package tqn_test

import (
	"encoding/json"
	"go/ast"
	"go/parser"
	"go/token"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// arrows is the import rule of docs/design.md: what each package may import of
// this module, tests aside. Changing it is a design decision, not a fix.
var arrows = map[string][]string{
	"dispatch":         {},
	"quantize":         {},
	"evidence":         {},
	"bounds":           {"quantize", "evidence"},
	"markov":           {"quantize", "evidence", "bounds", "dispatch"},
	"convex":           {"quantize", "evidence", "bounds"},
	"toy":              {"quantize", "evidence", "bounds", "markov", "dispatch"},
	"nets/kernel":      {"quantize", "dispatch"},
	"nets/dataset":     {"quantize"},
	"nets/network":     {"quantize", "nets/kernel"},
	"nets/safetensors": {},
	"runfolder":        {},
	"nets":             {"quantize", "nets/kernel", "nets/dataset", "nets/network", "nets/safetensors", "runfolder", "dispatch"},
	"pjrt":             {},
	"nets/bench":       {"quantize", "nets", "nets/dataset", "nets/kernel", "nets/network"},
	"nets/xla":         {"quantize", "nets", "nets/dataset", "nets/kernel", "nets/network", "pjrt"},
	"cluster":          {"nets", "nets/dataset", "nets/network", "runfolder"},
	"worst":            {"evidence", "bounds"},
	"referee":          {"quantize", "evidence", "bounds", "markov", "convex", "worst", "toy", "nets", "nets/network", "cluster"},
	"docs":             {},
	"reports":          {"evidence", "bounds", "referee", "toy", "nets", "nets/dataset", "nets/network", "cluster", "runfolder"},
	"cmd/tqn":          {"*"},
}

// onlyIn names the packages that alone may import an outside module.
var onlyIn = map[string]string{
	"gonum.org/v1/plot":                 "reports",
	"github.com/olekukonko/tablewriter": "reports",
	"github.com/yuin/goldmark":          "reports",
	"github.com/expr-lang/expr":         "toy",
	"github.com/spf13/cobra":            "cmd/tqn",
	"github.com/schollz/progressbar/v3": "cmd/tqn",
	"github.com/ebitengine/purego":      "pjrt",
	"k8s.io/api":                        "cluster",
	"github.com/rogpeppe/go-internal":   "cmd/tqn",
	"github.com/leanovate/gopter":       "",
}

// plain is what package reports may use of a package that can also run an experiment:
// results, formulas and names, nothing that simulates or solves.
var plain = map[string][]string{
	"toy": {"Result", "Figure2Row", "Default", "Start", "SensitivityAlpha", "Figure3Eps", "Objective", "Basin"},
	"referee": {"Verification", "Paper", "Result", "Claim", "Figure", "Panel", "Series", "Role", "QuantizedWeights", "Law", "Errata", "WorstCase",
		"Sentence", "Finding", "Against", "Word", "Holds", "Violated", "Undecided", "NotRun", "TooSmall", "SectionError",
		"StudyRun", "StudyResult", "StudyEpoch",
		"Of", "Under", "Unexpected", "IsControl",
		"SR", "SRMean", "SGD", "BCStochastic", "BCNearest", "ReadStochastic", "ReadNearest",
		"PrintedBound", "AppendixBound", "DerivedBound", "DerivedNearest", "SharpBound", "WorstRole"},
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

// Every arrow of the table passes and every one that is not in it is refused.
func TestEveryArrow(t *testing.T) {
	for from, allowed := range arrows {
		for to := range arrows {
			refused := len(badArrows(goPackage{ImportPath: "tqn/" + from, Imports: []string{"tqn/" + to}})) > 0
			if want := !slices.Contains(allowed, to) && !slices.Contains(allowed, "*"); refused != want {
				t.Errorf("an import of %s by %s: refused = %v, want %v", to, from, refused, want)
			}
		}
	}
}

// experiments lists what a file of package reports uses beyond the plain results.
func experiments(file *ast.File) (bad []string) {
	names := map[string]string{} // local name of a package
	for _, i := range file.Imports {
		path := strings.TrimPrefix(strings.Trim(i.Path.Value, `"`), "tqn/")
		if _, watched := plain[path]; watched {
			names[path] = path
			if i.Name != nil {
				delete(names, path)
				names[i.Name.Name] = path
			}
		}
	}
	ast.Inspect(file, func(n ast.Node) bool {
		s, ok := n.(*ast.SelectorExpr)
		if !ok {
			return true
		}
		if x, ok := s.X.(*ast.Ident); ok && names[x.Name] != "" && !slices.Contains(plain[names[x.Name]], s.Sel.Name) {
			bad = append(bad, names[x.Name]+"."+s.Sel.Name)
		}
		return true
	})
	return bad
}

// Reports print what was found out: they call no experiment.
func TestReportsRunNothing(t *testing.T) {
	files, err := filepath.Glob("reports/*.go")
	if err != nil || len(files) == 0 {
		t.Fatalf("no files: %v", err)
	}
	set := token.NewFileSet()
	for _, name := range files {
		if strings.HasSuffix(name, "_test.go") {
			continue
		}
		file, err := parser.ParseFile(set, name, nil, parser.SkipObjectResolution)
		if err != nil {
			t.Fatal(err)
		}
		for _, bad := range experiments(file) {
			t.Errorf("%s uses %s", name, bad)
		}
	}
	planted, err := parser.ParseFile(set, "planted.go", `package reports
import ("tqn/toy"; judge "tqn/referee")
var _, _ = toy.Run, judge.Run
`, parser.SkipObjectResolution)
	if err != nil {
		t.Fatal(err)
	}
	if bad := experiments(planted); len(bad) != 2 {
		t.Errorf("of two planted experiments %v are seen", bad)
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
