// Package static holds the embedded templates, styles, scripts and pictures.
package static

import (
	"bytes"
	"context"
	"embed"
	"fmt"
	"html/template"
	"io/fs"
	"mime"
	"net/http"
	"net/url"
	"reflect"
	"sync"

	"pscemu.invalid/pscemu/internal/web"
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
	_ = mime.AddExtensionType(".webmanifest", "application/manifest+json") // well formed
	files := http.FileServerFS(sub)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Cache-Control", "max-age=300")
		files.ServeHTTP(w, r)
	})
}

// File serves one of the assets under another address.
func File(name string) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { http.ServeFileFS(w, r, assets, "assets/"+name) })
}

// pages are parsed at first use, each with the layout around it.
var pages sync.Map

var functions = template.FuncMap{"path": url.PathEscape, "select": selectOf, "optional": optional, "cascade": cascade, "groups": groups}

// Select is what the template "select" draws: choices, which are structs with
// Code and Label, and a value that may be none of them.
type Select struct {
	Name, Value, Hook       string
	Choices, More           any
	None, Cascade, Unlisted bool
}

func selectOf(name, value string, choices any) Select {
	return Select{Name: name, Value: value, Choices: choices, Unlisted: !listed(value, choices)}
}

// optional may also be left empty.
func optional(name, value string, choices any) Select {
	s := selectOf(name, value, choices)
	s.None, s.Unlisted = true, s.Unlisted && value != ""
	return s
}

// cascade has other choices follow it.
func cascade(name, value string, choices any, hook string) Select {
	s := optional(name, value, choices)
	s.Cascade, s.Hook = true, hook
	return s
}

// groups shows the usual choices before the others.
func groups(name, value string, usual, others any, hook string) Select {
	s := cascade(name, value, usual, hook)
	s.More, s.Unlisted = others, s.Unlisted && !listed(value, others)
	return s
}

func listed(value string, choices any) bool {
	list := reflect.ValueOf(choices)
	for n := range list.Len() {
		if list.Index(n).FieldByName("Code").String() == value {
			return true
		}
	}
	return false
}

// Render makes a page from its template. Addresses in it begin with $.Root, which
// the request carries.
func Render(ctx context.Context, name string, data map[string]any) ([]byte, error) {
	data["Root"] = web.Root(ctx)
	lang, _ := data["Lang"].(string)
	if !Speaks(lang) {
		lang = French
		data["Lang"] = lang
	}
	t, err := load(name, "layout.html", lang)
	if err != nil {
		return nil, err
	}
	var b bytes.Buffer
	if err := t.ExecuteTemplate(&b, "layout.html", data); err != nil {
		return nil, fmt.Errorf("page %s: %w", name, err)
	}
	return b.Bytes(), nil
}

// load parses a template once a language; layout goes around it unless it is "".
func load(name, layout, lang string) (*template.Template, error) {
	if t, ok := pages.Load(lang + name); ok {
		return t.(*template.Template), nil
	}
	files := []string{"templates/" + name + ".html"}
	if layout != "" {
		files = append([]string{"templates/" + layout}, files...)
	}
	say := template.FuncMap{"t": func(text string) string { return Translate(lang, text) }}
	t, err := template.New(name).Funcs(functions).Funcs(say).ParseFS(templates, files...)
	if err != nil {
		return nil, err
	}
	pages.Store(lang+name, t)
	return t, nil
}

// Fragment renders a template that stands alone, without the layout.
func Fragment(ctx context.Context, name string, data map[string]any) ([]byte, error) {
	data["Root"] = web.Root(ctx)
	t, err := load(name, "", French)
	if err != nil {
		return nil, err
	}
	var b bytes.Buffer
	err = t.ExecuteTemplate(&b, name+".html", data)
	return b.Bytes(), err
}
