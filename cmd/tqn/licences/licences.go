// Package licences holds the notices of everything that the program tqn contains: the
// modules that are linked into it, Go's runtime and standard library, and the
// images that it embeds.
package licences

import (
	"bytes"
	_ "embed" // for the notice
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
)

// Notice is the generated text that ships with the program.
//
//go:generate go run ./generate
//go:embed notice.txt
var Notice string

// module is what `go list` says of a module.
type module struct {
	Path, Version, Dir string
	Main               bool
}

// Generate makes the notice from the module cache. root is the folder of tqn's own module.
func Generate(root string) (string, error) {
	modules, goroot, err := linked(root)
	if err != nil {
		return "", fmt.Errorf("licences: %w", err)
	}
	var b strings.Builder
	b.WriteString("The program tqn contains the following works of others.\n")
	part := func(title string, files ...string) error {
		if len(files) == 0 {
			return fmt.Errorf("licences: %s has no licence file", title)
		}
		fmt.Fprintf(&b, "\n%s\n%s\n", strings.Repeat("=", 80), title)
		for _, f := range files {
			text, err := os.ReadFile(f)
			if err != nil {
				return fmt.Errorf("licences: %w", err)
			}
			fmt.Fprintf(&b, "\n%s\n", strings.TrimSpace(strings.ReplaceAll(string(text), "\r\n", "\n")))
		}
		return nil
	}
	if err := part("Go's runtime and standard library (https://go.dev)", filepath.Join(goroot, "LICENSE")); err != nil {
		return "", err
	}
	if err := part("Fashion-MNIST (https://github.com/zalandoresearch/fashion-mnist): 12,000 images", filepath.Join(root, "nets", "dataset", "embedded", "LICENSE")); err != nil {
		return "", err
	}
	for _, m := range modules {
		files, err := notices(m.Dir)
		if err != nil {
			return "", fmt.Errorf("licences: %w", err)
		}
		if err := part(m.Path+" "+m.Version, files...); err != nil {
			return "", err
		}
	}
	return b.String(), nil
}

// linked lists the modules that packages of the program come from, on the platforms that it is built for.
func linked(root string) (modules []module, goroot string, err error) {
	seen := map[string]module{}
	for _, target := range []string{"linux/amd64", "linux/arm64", "darwin/arm64", "windows/amd64"} {
		cmd := exec.Command("go", "list", "-deps", "-json=Module", "./cmd/tqn")
		system, processor, _ := strings.Cut(target, "/")
		cmd.Dir, cmd.Env = root, append(os.Environ(), "CGO_ENABLED=0", "GOOS="+system, "GOARCH="+processor)
		out, err := cmd.Output()
		if err != nil {
			return nil, "", fmt.Errorf("go list for %s: %w", target, err)
		}
		dec := json.NewDecoder(bytes.NewReader(out))
		for {
			var p struct{ Module *module }
			if err := dec.Decode(&p); errors.Is(err, io.EOF) {
				break
			} else if err != nil {
				return nil, "", err
			}
			if p.Module != nil && !p.Module.Main {
				seen[p.Module.Path] = *p.Module
			}
		}
	}
	for _, m := range seen {
		modules = append(modules, m)
	}
	slices.SortFunc(modules, func(a, b module) int { return strings.Compare(a.Path, b.Path) })
	cmd := exec.Command("go", "env", "GOROOT")
	cmd.Dir = root
	out, err := cmd.Output()
	return modules, strings.TrimSpace(string(out)), err
}

// notices are a module's files of licences and notices, at its top.
func notices(dir string) (files []string, err error) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, err
	}
	for _, e := range entries {
		name := strings.ToUpper(e.Name())
		for _, prefix := range []string{"LICENSE", "LICENCE", "COPYING", "NOTICE", "COPYRIGHT", "UNLICENSE", "PATENTS"} {
			if e.Type().IsRegular() && strings.HasPrefix(name, prefix) && !strings.HasSuffix(name, ".GO") {
				files = append(files, filepath.Join(dir, e.Name()))
				break
			}
		}
	}
	return files, nil
}
