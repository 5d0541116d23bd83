package reports

import (
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/yuin/goldmark"
	"github.com/yuin/goldmark/ast"
	"github.com/yuin/goldmark/extension"
	"github.com/yuin/goldmark/parser"
	"github.com/yuin/goldmark/text"
)

// links are the destinations of a page's links and pictures, anchors the names of its headings, as GitHub gives them.
func links(page []byte) (links []string, anchors map[string]bool) {
	md := goldmark.New(goldmark.WithExtensions(extension.Table), goldmark.WithParserOptions(parser.WithAutoHeadingID()))
	anchors = map[string]bool{}
	ids := parser.WithContext(parser.NewContext(parser.WithIDs(&prefixedIDs{taken: map[string]bool{}})))
	ast.Walk(md.Parser().Parse(text.NewReader(page), ids), func(n ast.Node, entering bool) (ast.WalkStatus, error) {
		if !entering {
			return ast.WalkContinue, nil
		}
		switch n := n.(type) {
		case *ast.Link:
			links = append(links, string(n.Destination))
		case *ast.Image:
			links = append(links, string(n.Destination))
		case *ast.Heading:
			if id, ok := n.AttributeString("id"); ok {
				anchors[string(id.([]byte))] = true
			}
		}
		return ast.WalkContinue, nil
	})
	return links, anchors
}

// dead are the links of the page at path that lead to no file and no heading. Links to other hosts are left alone.
func dead(path string) ([]string, error) {
	page, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	to, _ := links(page)
	var out []string
	for _, link := range to {
		u, err := url.Parse(link)
		if err != nil {
			out = append(out, link)
			continue
		}
		if u.Scheme != "" {
			continue
		}
		target := path
		if u.Path != "" {
			target = filepath.Join(filepath.Dir(path), filepath.FromSlash(u.Path))
		}
		if _, err := os.Stat(target); err != nil {
			out = append(out, link)
			continue
		}
		if u.Fragment == "" {
			continue
		}
		there, err := os.ReadFile(target)
		if err != nil {
			return nil, err
		}
		if _, anchors := links(there); !anchors[u.Fragment] {
			out = append(out, link)
		}
	}
	return out, nil
}

// TestLinks: every link of every page that is kept leads to a file that is there, and to a heading that the file has.
func TestLinks(t *testing.T) {
	pages := 0
	err := filepath.WalkDir("..", func(path string, d os.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() && (d.Name() == ".git" || d.Name() == "testdata") {
			return filepath.SkipDir
		}
		if filepath.Ext(path) != ".md" || !d.Type().IsRegular() {
			return nil
		}
		pages++
		broken, err := dead(path)
		for _, link := range broken {
			t.Errorf("%s: nothing at %s", path, link)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	if pages < 20 {
		t.Errorf("only %d pages were read", pages)
	}
	// Planted: a picture, a file and a heading that are not there.
	dir := t.TempDir()
	page := filepath.Join(dir, "page.md")
	text := "# One heading\n[here](#one-heading) ![no](no.png) [no](none.md) [no](page.md#two-headings) [far](https://example.org/x)\n"
	if err := os.WriteFile(page, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	broken, err := dead(page)
	if got := strings.Join(broken, " "); err != nil || got != "no.png none.md page.md#two-headings" {
		t.Errorf("planted dead links: found %q, %v", got, err)
	}
}
