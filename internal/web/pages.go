package web

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"html/template"
	"io/fs"
	"mime"
	"net/http"
	"path"
	"sync"

	"pscemu.invalid/pscemu/internal/problem"
)

// Pages renders the templates and serves the assets of one file system, which
// holds the folders templates, assets and messages.
type Pages struct {
	files    fs.FS
	parsed   sync.Map // a template by language and name, from its first use
	messages func() map[string]map[string]string
}

// NewPages reads nothing yet: each page is parsed at its first use.
func NewPages(files fs.FS) *Pages {
	p := &Pages{files: files}
	p.messages = sync.OnceValue(p.readMessages)
	return p
}

// readMessages reads messages/LANG.json of every language. The French ones say
// the words of the API.
func (p *Pages) readMessages() map[string]map[string]string {
	out := map[string]map[string]string{}
	for _, lang := range []string{French, English} {
		raw, err := fs.ReadFile(p.files, "messages/"+lang+".json")
		var said map[string]string
		if err == nil {
			err = json.Unmarshal(raw, &said)
		}
		if err != nil {
			panic(err) // embedded, checked by a test
		}
		out[lang] = said
	}
	return out
}

// Files serves the assets; they change only with the program.
func (p *Pages) Files() http.Handler {
	sub, err := fs.Sub(p.files, "assets")
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
func (p *Pages) File(name string) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		http.ServeFileFS(w, r, p.files, "assets/"+name)
	})
}

// Render makes a page from its template, named by folder and file without the
// ending, with the layout around it. Addresses in it begin with $.Root, which
// the request carries; Lang of the data is its language, French when absent.
func (p *Pages) Render(ctx context.Context, name string, data map[string]any) ([]byte, error) {
	data["Root"] = Root(ctx)
	lang, _ := data["Lang"].(string)
	if !Speaks(lang) {
		lang = French
		data["Lang"] = lang
	}
	return p.execute(name, "layout", lang, data)
}

// Fragment renders a template that stands alone, without the layout.
func (p *Pages) Fragment(ctx context.Context, name string, data map[string]any) ([]byte, error) {
	data["Root"] = Root(ctx)
	return p.execute(name, "", French, data)
}

// execute renders a template within a layout, or alone when that is "".
func (p *Pages) execute(name, layout, lang string, data map[string]any) ([]byte, error) {
	t, err := p.load(name, layout, lang)
	if err != nil {
		return nil, err
	}
	var b bytes.Buffer
	if err := t.Execute(&b, data); err != nil {
		return nil, fmt.Errorf("page %s: %w", name, err)
	}
	return b.Bytes(), nil
}

// said is a refusal as a page of a language says it, nil for none.
func said(refusal any, lang string) *problem.Error {
	if p, ok := refusal.(*problem.Error); ok && p != nil {
		return p.Page(lang)
	}
	return nil
}

// load parses a template once a language.
func (p *Pages) load(name, layout, lang string) (*template.Template, error) {
	if t, ok := p.parsed.Load(lang + name); ok {
		return t.(*template.Template), nil
	}
	files := []string{"templates/" + name + ".html"}
	if layout != "" {
		files = append([]string{"templates/" + layout + ".html"}, files...)
	}
	say := template.FuncMap{
		"t": func(said any) (string, error) {
			french, err := text(said)
			return p.Translate(lang, french), err
		},
		"said": func(refusal any) *problem.Error { return said(refusal, lang) },
	}
	t, err := template.New("").Funcs(functions).Funcs(say).ParseFS(p.files, files...)
	if err != nil {
		return nil, err
	}
	t = t.Lookup(path.Base(files[0]))
	p.parsed.Store(lang+name, t)
	return t, nil
}
