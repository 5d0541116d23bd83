package reports

import (
	"bytes"
	"cmp"
	_ "embed"
	"encoding/base64"
	"errors"
	"fmt"
	"html"
	"html/template"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"github.com/yuin/goldmark"
	"github.com/yuin/goldmark/ast"
	"github.com/yuin/goldmark/extension"
	"github.com/yuin/goldmark/parser"
	"github.com/yuin/goldmark/renderer"
	"github.com/yuin/goldmark/text"
	"github.com/yuin/goldmark/util"

	"tqn/runfolder"
)

//go:embed index.html.tmpl
var indexTemplate string

// ErrNoReports is returned for a folder without a report.
var ErrNoReports = errors.New("no report in this folder: want a *.md that tqn wrote, such as report.md, verify.md or toy.md")

// Page is a report on the page that [WriteIndex] makes.
type Page struct {
	ID    string // its anchor
	Title string // its first heading
	File  string // relative to the folder, with slashes
	Group string // the folder below the page's that it is the first report of, such as "toy"; else empty
	Body  template.HTML
}

// WriteIndex writes dir/index.html, one self-contained page over every report in dir and the folders below it: the lesson
// first, then the pages with their pictures (SVG where there is one beside the PNG) and tables that can be sorted and
// filtered. It needs no network. The lesson is Markdown whose pictures lie in the file system that comes with it.
func WriteIndex(dir, lesson string, pictures fs.FS) error {
	files, err := reportFiles(dir)
	if err != nil {
		return fmt.Errorf("reports: %w", err)
	}
	if len(files) == 0 {
		return fmt.Errorf("reports: %s: %w", dir, ErrNoReports)
	}
	ids := map[string]string{}
	for _, f := range files {
		ids[f] = "page-" + slug(strings.TrimSuffix(f, ".md"))
	}
	var pages []Page
	if lesson != "" {
		p, err := newPage(pictures, "lesson.md", []byte(lesson), map[string]string{"lesson.md": "page-the-lesson"})
		if err != nil {
			return err
		}
		pages = append(pages, p)
	}
	for _, f := range files {
		source, err := os.ReadFile(filepath.Join(dir, filepath.FromSlash(f)))
		if err != nil {
			return fmt.Errorf("reports: %w", err)
		}
		p, err := newPage(os.DirFS(dir), f, source, ids)
		if err != nil {
			return err
		}
		if folder := path.Dir(f); folder != "." && (len(pages) == 0 || path.Dir(pages[len(pages)-1].File) != folder) {
			p.Group = folder
		}
		pages = append(pages, p)
	}
	t, err := template.New("index").Parse(indexTemplate)
	if err != nil {
		panic("reports: index.html.tmpl: " + err.Error())
	}
	var b bytes.Buffer
	if err := t.Execute(&b, pages); err != nil {
		return fmt.Errorf("reports: index.html: %w", err)
	}
	return runfolder.WriteFile(filepath.Join(dir, "index.html"), b.Bytes())
}

// AllTables lists the tables of every report in dir and the folders below it; Report is the file with its folder.
func AllTables(dir string) ([]NamedTable, error) {
	files, err := reportFiles(dir)
	if err != nil {
		return nil, fmt.Errorf("reports: %w", err)
	}
	if len(files) == 0 {
		return nil, fmt.Errorf("reports: %s: %w", dir, ErrNoReports)
	}
	all := []NamedTable{}
	for _, f := range files {
		source, err := os.ReadFile(filepath.Join(dir, filepath.FromSlash(f)))
		if err != nil {
			return nil, fmt.Errorf("reports: %w", err)
		}
		all = append(all, tablesOf(f, source)...)
	}
	return all, nil
}

// reportFiles lists the Markdown files in dir, its folders and theirs, with slashes: a README.md first, then folder by folder,
// in each the summary that leads to its other pages (verify.md) first, then in the order of their names; hidden folders and the cells of a table are passed over, links are not followed.
func reportFiles(dir string) ([]string, error) {
	if info, err := os.Stat(dir); err != nil {
		return nil, err
	} else if !info.IsDir() {
		return nil, fmt.Errorf("%s is a file: want the folder of a report", dir)
	}
	var files []string
	err := filepath.WalkDir(dir, func(p string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		rel, err := filepath.Rel(dir, p)
		if err != nil {
			return err
		}
		rel = filepath.ToSlash(rel)
		if d.IsDir() {
			if rel != "." && (strings.HasPrefix(d.Name(), ".") || d.Name() == "cells" || strings.Count(rel, "/") >= 3) {
				return filepath.SkipDir
			}
			return nil
		}
		if d.Type().IsRegular() && strings.HasSuffix(rel, ".md") {
			files = append(files, rel)
		}
		return nil
	})
	summary := func(file string) int {
		if path.Base(file) == VerificationFile {
			return 0
		}
		return 1
	}
	slices.SortFunc(files, func(a, b string) int {
		if x, y := path.Base(a) == "README.md", path.Base(b) == "README.md"; x != y {
			if x {
				return -1
			}
			return 1
		}
		return cmp.Or(strings.Compare(path.Dir(a), path.Dir(b)), summary(a)-summary(b), strings.Compare(a, b))
	})
	return files, err
}

// newPage renders one report. pages are the anchors of all reports by file, to which links lead.
func newPage(files fs.FS, file string, source []byte, pages map[string]string) (Page, error) {
	id := pages[file]
	p := Page{ID: id, File: file, Title: file}
	w := pageRenderer{files: files, folder: path.Dir(file), id: id, pages: pages}
	md := goldmark.New(
		goldmark.WithExtensions(extension.Table),
		goldmark.WithParserOptions(parser.WithAutoHeadingID()),
		goldmark.WithRendererOptions(renderer.WithNodeRenderers(util.Prioritized(&w, 1))),
	)
	doc := md.Parser().Parse(text.NewReader(source), parser.WithContext(parser.NewContext(parser.WithIDs(&prefixedIDs{prefix: id + "-", taken: map[string]bool{}}))))
	for n := doc.FirstChild(); n != nil; n = n.NextSibling() {
		if h, ok := n.(*ast.Heading); ok && h.Level == 1 {
			p.Title = plain(h, source)
			break
		}
	}
	var b bytes.Buffer
	if err := md.Renderer().Render(&b, source, doc); err != nil {
		return p, fmt.Errorf("reports: %s: %w", file, err)
	}
	if w.err != nil {
		return p, fmt.Errorf("reports: %s: %w", file, w.err)
	}
	p.Body = template.HTML(b.String()) // goldmark escapes text; raw HTML is escaped by pageRenderer
	return p, nil
}

// prefixedIDs are the identifiers of a page's headings, unique on the whole index.
type prefixedIDs struct {
	prefix string
	taken  map[string]bool
}

// Generate implements parser.IDs. The identifier behind the prefix is GitHub's, so that links within a report lead there.
func (p *prefixedIDs) Generate(value []byte, _ ast.NodeKind) []byte {
	id := p.prefix + githubID(string(value))
	for n := 1; p.taken[id]; n++ {
		id = fmt.Sprintf("%s%s-%d", p.prefix, githubID(string(value)), n)
	}
	p.taken[id] = true
	return []byte(id)
}

// Put implements parser.IDs.
func (p *prefixedIDs) Put(value []byte) { p.taken[string(value)] = true }

// githubID is the anchor that GitHub gives a heading: lower case, blanks as hyphens, other signs left out.
func githubID(s string) string {
	var b strings.Builder
	for _, r := range strings.ToLower(s) {
		switch {
		case r == ' ' || r == '-':
			b.WriteByte('-')
		case r == '_' || r >= '0' && r <= '9' || r >= 'a' && r <= 'z' || r > 127:
			b.WriteRune(r)
		}
	}
	return b.String()
}

// pageRenderer puts pictures into the page, lets links between reports lead to their anchors, and shows raw HTML as text.
type pageRenderer struct {
	files  fs.FS
	folder string
	id     string
	pages  map[string]string
	err    error
}

// RegisterFuncs implements renderer.NodeRenderer.
func (w *pageRenderer) RegisterFuncs(r renderer.NodeRendererFuncRegisterer) {
	r.Register(ast.KindImage, w.image)
	r.Register(ast.KindLink, w.link)
	r.Register(ast.KindRawHTML, w.raw)
	r.Register(ast.KindHTMLBlock, w.block)
}

func (w *pageRenderer) image(b util.BufWriter, source []byte, n ast.Node, entering bool) (ast.WalkStatus, error) {
	if !entering {
		return ast.WalkSkipChildren, nil
	}
	name := path.Join(w.folder, string(n.(*ast.Image).Destination))
	uri := func(file, kind string) (string, error) {
		data, err := fs.ReadFile(w.files, file)
		return "data:" + kind + ";base64," + base64.StdEncoding.EncodeToString(data), err
	}
	src, err := uri(strings.TrimSuffix(name, path.Ext(name))+".svg", "image/svg+xml")
	if err != nil {
		src, err = uri(name, "image/png")
	}
	if err != nil { // a report without one of its pictures is still read
		fmt.Fprintf(b, "<p class=\"missing\">The picture %s is not there.</p>", html.EscapeString(name))
		return ast.WalkSkipChildren, nil
	}
	fmt.Fprintf(b, "<img alt=\"%s\" src=\"%s\">", html.EscapeString(plain(n, source)), src)
	return ast.WalkSkipChildren, nil
}

func (w *pageRenderer) link(b util.BufWriter, _ []byte, n ast.Node, entering bool) (ast.WalkStatus, error) {
	to := string(n.(*ast.Link).Destination)
	file, anchor, _ := strings.Cut(to, "#")
	target := w.pages[path.Join(w.folder, file)]
	switch {
	case file == "" && anchor != "":
		target = w.id + "-" + anchor
	case target != "" && anchor != "":
		target += "-" + anchor
	}
	tag := "span" // a file outside the page: its name is shown, there is nothing to lead to
	if target != "" || strings.HasPrefix(to, "https://") {
		tag = "a"
	}
	if !entering {
		fmt.Fprintf(b, "</%s>", tag)
		return ast.WalkContinue, nil
	}
	switch {
	case target != "":
		fmt.Fprintf(b, "<a href=\"#%s\">", html.EscapeString(target))
	case tag == "a":
		fmt.Fprintf(b, "<a href=\"%s\">", html.EscapeString(to))
	default:
		fmt.Fprintf(b, "<span title=\"%s\">", html.EscapeString(to))
	}
	return ast.WalkContinue, nil
}

func (w *pageRenderer) raw(b util.BufWriter, source []byte, n ast.Node, entering bool) (ast.WalkStatus, error) {
	if entering {
		text := string(n.(*ast.RawHTML).Segments.Value(source))
		if text == "<br>" { // a line break in a table's cell
			_, w.err = b.WriteString(text)
		} else {
			_, w.err = b.WriteString(html.EscapeString(text))
		}
	}
	return ast.WalkSkipChildren, nil
}

func (w *pageRenderer) block(b util.BufWriter, source []byte, n ast.Node, entering bool) (ast.WalkStatus, error) {
	if entering {
		_, w.err = b.WriteString("<pre>" + html.EscapeString(string(n.Lines().Value(source))) + "</pre>")
	}
	return ast.WalkSkipChildren, nil
}
