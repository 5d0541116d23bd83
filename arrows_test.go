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

	"cmd/tqn/licences":          {},
	"cmd/tqn/licences/generate": {"cmd/tqn/licences"},
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

// subjects are the packages that run experiments and that package reports may import, for
// the results and formulas in them.
var subjects = []string{"toy", "referee"}

// lookups can fail and compute nothing.
var lookups = []string{"referee.Find"}

// experimentsOf lists the exported functions of a package that may fail or be cancelled,
// as whatever simulates, solves or searches can and as a formula cannot.
func experimentsOf(t *testing.T, pkg string) []string {
	t.Helper()
	var names []string
	for _, file := range parsed(t, pkg) {
		for _, d := range file.Decls {
			f, ok := d.(*ast.FuncDecl)
			if !ok || f.Recv != nil || !f.Name.IsExported() {
				continue
			}
			ast.Inspect(f.Type, func(n ast.Node) bool {
				switch n := n.(type) {
				case *ast.Ident:
					if n.Name == "error" {
						names = append(names, pkg+"."+f.Name.Name)
					}
				case *ast.SelectorExpr:
					if n.Sel.Name == "Context" {
						names = append(names, pkg+"."+f.Name.Name)
					}
				}
				return true
			})
		}
	}
	return slices.DeleteFunc(names, func(n string) bool { return slices.Contains(lookups, n) })
}

// parsed are the files of a package, tests aside.
func parsed(t *testing.T, pkg string) []*ast.File {
	t.Helper()
	names, err := filepath.Glob(pkg + "/*.go")
	if err != nil || len(names) == 0 {
		t.Fatalf("package %s: no files: %v", pkg, err)
	}
	var files []*ast.File
	for _, name := range names {
		if strings.HasSuffix(name, "_test.go") {
			continue
		}
		file, err := parser.ParseFile(token.NewFileSet(), name, nil, parser.SkipObjectResolution)
		if err != nil {
			t.Fatal(err)
		}
		files = append(files, file)
	}
	return files
}

// used lists what a file uses of the subjects, and the measurements and pictures of a
// referee's result that it calls.
func used(file *ast.File) (names []string) {
	local := map[string]string{}
	for _, i := range file.Imports {
		path := strings.TrimPrefix(strings.Trim(i.Path.Value, `"`), "tqn/")
		if !slices.Contains(subjects, path) {
			continue
		}
		local[path] = path
		if i.Name != nil {
			delete(local, path)
			local[i.Name.Name] = path
		}
	}
	ast.Inspect(file, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.SelectorExpr:
			if x, ok := n.X.(*ast.Ident); ok && local[x.Name] != "" {
				names = append(names, local[x.Name]+"."+n.Sel.Name)
			}
		case *ast.CallExpr:
			if s, ok := n.Fun.(*ast.SelectorExpr); ok && (s.Sel.Name == "Plan" || s.Sel.Name == "Figure") {
				names = append(names, "Result."+s.Sel.Name)
			}
		}
		return true
	})
	return names
}

// Reports print what was found out: they call no experiment.
func TestReportsRunNothing(t *testing.T) {
	experiments := []string{"Result.Plan", "Result.Figure"}
	for _, pkg := range subjects {
		experiments = append(experiments, experimentsOf(t, pkg)...)
	}
	called := func(file *ast.File) (bad []string) {
		for _, name := range used(file) {
			if slices.Contains(experiments, name) {
				bad = append(bad, name)
			}
		}
		return bad
	}
	for _, file := range parsed(t, "reports") {
		for _, bad := range called(file) {
			t.Errorf("package reports calls %s, which can fail or be cancelled: an experiment", bad)
		}
	}
	planted, err := parser.ParseFile(token.NewFileSet(), "planted.go", `package reports
import ("tqn/toy"; judge "tqn/referee")
func f(r judge.Result) { toy.Run(toy.Default); judge.Run(nil, judge.Options{}); judge.NewErrata(nil); r.Figure(1); toy.Objective(1) }
`, parser.SkipObjectResolution)
	if err != nil {
		t.Fatal(err)
	}
	if bad := called(planted); len(bad) != 4 {
		t.Errorf("of four planted experiments these are seen: %v", bad)
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
