// Package guide shows the guides on the console, in French or in English.
package guide

import (
	"html/template"
	"io/fs"
	"net/http"
	"strings"

	"github.com/labstack/echo/v4"

	"pscemu.invalid/pscemu/internal/web"
)

// Path is where the guides begin.
const Path = "/guide"

// first is the file that names the others.
const first = "README"

// Handler shows the guides of one file system, which holds guide/LANGUAGE.
type Handler struct {
	files fs.FS
	page  Page
	lang  Language
}

// Page answers with a page of the console, from a template and its data.
type Page func(c echo.Context, status int, template string, data map[string]any) error

// Language is the language that the reader wants.
type Language func(c echo.Context) string

// New makes the handler.
func New(files fs.FS, page Page, lang Language) *Handler {
	return &Handler{files: files, page: page, lang: lang}
}

// Register adds the routes.
func (h *Handler) Register(e *echo.Echo) {
	e.GET(Path, h.index)
	e.GET(Path+"/:name", h.show)
}

// index is the first page, which names the others.
func (h *Handler) index(c echo.Context) error { return h.answer(c, first) }

// show is one guide.
func (h *Handler) show(c echo.Context) error { return h.answer(c, c.Param("name")) }

func (h *Handler) answer(c echo.Context, name string) error {
	g := document{files: h.files, root: web.Root(c.Request().Context()), lang: h.lang(c), name: name}
	if !g.exists(g.path()) {
		return echo.ErrNotFound
	}
	title, body, err := g.render()
	if err != nil {
		return err
	}
	return h.page(c, http.StatusOK, "guide/guide", map[string]any{
		"Title": title,
		"Lang":  g.lang,
		"Body":  template.HTML(body), // our own text: goldmark leaves HTML within it out
		"Index": name == first,
	})
}

// document is one guide on its way to a page.
type document struct {
	files            fs.FS
	root, lang, name string
}

// path is its file.
func (d document) path() string { return "guide/" + d.lang + "/" + d.name + ".md" }

// exists tells whether there is such a file.
func (d document) exists(path string) bool {
	if !fs.ValidPath(path) || strings.Contains(d.name, "/") {
		return false
	}
	info, err := fs.Stat(d.files, path)
	return err == nil && !info.IsDir()
}
