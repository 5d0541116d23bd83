// Command types checks the types of every package, with its tests, for other platforms than this one, each given as GOOS/GOARCH. It reads the dependencies' source
// and compiles nothing: go vet, which runs for this platform, would compile all of them for each.
package main

import (
	"fmt"
	"os"
	"strings"

	"golang.org/x/tools/go/packages"
)

func main() {
	failed := false
	for _, platform := range os.Args[1:] {
		count, err := check(platform, "./...")
		if err != nil {
			failed = true
			fmt.Fprintf(os.Stderr, "types: %s: %v\n", platform, err)
		} else {
			fmt.Printf("%s: %d packages\n", platform, count)
		}
	}
	if failed {
		os.Exit(1)
	}
}

// check returns the number of packages that it has checked, or what is wrong with the first few.
func check(platform, pattern string) (count int, err error) {
	system, processor, ok := strings.Cut(platform, "/")
	if !ok {
		return 0, fmt.Errorf("want GOOS/GOARCH")
	}
	all, err := packages.Load(&packages.Config{
		Mode:  packages.NeedName | packages.NeedFiles | packages.NeedImports | packages.NeedDeps | packages.NeedTypes | packages.NeedSyntax | packages.NeedTypesSizes,
		Env:   append(os.Environ(), "GOOS="+system, "GOARCH="+processor, "CGO_ENABLED=0"),
		Tests: true,
	}, pattern)
	if err != nil {
		return 0, err
	}
	var wrong []string
	packages.Visit(all, nil, func(p *packages.Package) {
		for _, e := range p.Errors {
			wrong = append(wrong, e.Error())
		}
	})
	switch {
	case len(wrong) > 0:
		return 0, fmt.Errorf("%d errors:\n%s", len(wrong), strings.Join(wrong[:min(len(wrong), 20)], "\n"))
	case len(all) == 0:
		return 0, fmt.Errorf("no packages match %s", pattern)
	}
	return len(all), nil
}
