// Package static holds the embedded templates, styles, scripts and pictures.
package static

import (
	"bytes"
	"embed"
	"fmt"
	"html/template"
	"io/fs"
	"net/http"
	"net/url"
	"sync"
)

//go:embed templates/*.html
var templates embed.FS

//go:embed assets
var assets embed.FS

// Files serves the assets; they change only with the program.
func Files() http.Handler {
	sub, err := fs.Sub(assets, "assets")
	if err != nil {
		panic(err) // embedded
	}
	files := http.FileServerFS(sub)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Cache-Control", "max-age=300")
		files.ServeHTTP(w, r)
	})
}

// pages are parsed at first use, each with the layout around it.
var pages sync.Map

var functions = template.FuncMap{"path": url.PathEscape}

// Render makes a page from its template.
func Render(name string, data map[string]any) ([]byte, error) {
	t, err := load(name, "layout.html")
	if err != nil {
		return nil, err
	}
	var b bytes.Buffer
	if err := t.ExecuteTemplate(&b, "layout.html", data); err != nil {
		return nil, fmt.Errorf("page %s: %w", name, err)
	}
	return b.Bytes(), nil
}

// load parses a template once; layout goes around it unless it is "".
func load(name, layout string) (*template.Template, error) {
	if t, ok := pages.Load(name); ok {
		return t.(*template.Template), nil
	}
	files := []string{"templates/" + name + ".html"}
	if layout != "" {
		files = append([]string{"templates/" + layout}, files...)
	}
	t, err := template.New(name).Funcs(functions).ParseFS(templates, files...)
	if err != nil {
		return nil, err
	}
	pages.Store(name, t)
	return t, nil
}

// Fragment renders a template that stands alone, without the layout.
func Fragment(name string, data map[string]any) ([]byte, error) {
	t, err := load(name, "")
	if err != nil {
		return nil, err
	}
	var b bytes.Buffer
	err = t.ExecuteTemplate(&b, name+".html", data)
	return b.Bytes(), err
}
