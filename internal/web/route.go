package web

import (
	"cmp"
	"reflect"
	"slices"
	"strings"

	"github.com/labstack/echo/v4"
)

// Handler answers some addresses of a listener.
type Handler interface {
	// Register adds what the handler answers to a listener's routes.
	Register(e *echo.Echo)
}

// Route is one address that the emulator answers.
type Route struct {
	Method   string `json:"method"`
	Path     string `json:"path"` // a segment that begins with a colon is any value
	Listener string `json:"listener"`
	Room     string `json:"room"`    // the package that answers
	Handler  string `json:"handler"` // its type
}

// Mount registers handlers at a listener and returns their routes, by path.
func Mount(e *echo.Echo, listener string, handlers ...Handler) (out []Route) {
	seen := map[string]bool{}
	for _, r := range e.Routes() {
		seen[r.Method+" "+r.Path] = true
	}
	for _, h := range handlers {
		h.Register(e)
		room, name := whose(h)
		for _, r := range e.Routes() {
			if method := r.Method + " " + r.Path; !seen[method] && r.Method != echo.RouteNotFound {
				seen[method] = true
				out = append(out, Route{r.Method, cmp.Or(r.Path, "/"), listener, room, name})
			}
		}
	}
	slices.SortFunc(out, func(a, b Route) int {
		return cmp.Or(cmp.Compare(a.Path, b.Path), cmp.Compare(a.Method, b.Method))
	})
	return out
}

// whose names the room and the type of a handler.
func whose(h Handler) (room, name string) {
	t := reflect.TypeOf(h)
	if t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	module := strings.TrimSuffix(reflect.TypeFor[View]().PkgPath(), "internal/web")
	return strings.TrimPrefix(t.PkgPath(), module), t.Name()
}
