package tqn_test

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// The module's path has no dot, so another module imports it by a replace line: the recipe of docs/tutorial.md, run.
func TestAnotherModuleImportsThePackages(t *testing.T) {
	if testing.Short() {
		t.Skip("builds a module of its own")
	}
	here, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	sums, err := os.ReadFile("go.sum")
	if err != nil {
		t.Fatal(err)
	}
	for name, text := range map[string]string{
		"go.mod": fmt.Sprintf("module mine\n\ngo 1.26.0\n\nrequire tqn v0.0.0\n\nreplace tqn => %s\n", here),
		"go.sum": string(sums),
		"main.go": `package main

import (
	"fmt"

	"tqn/quantize"
)

func main() {
	g, err := quantize.NewGrid(0.5, -1, 1)
	fmt.Println(g.Nearest(0.3), err)
}
`,
	} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	cmd := exec.Command("go", "run", "-mod=mod", ".")
	cmd.Dir = dir
	out, err := cmd.CombinedOutput()
	if err != nil || strings.TrimSpace(string(out)) != "0.5 <nil>" {
		t.Errorf("%s%v", out, err)
	}
}
