// Package web is what every page and endpoint shares about addresses. A world
// may be shown below a path, the root, that its pages and endpoints do not
// choose: the request carries it, and whoever writes an address of this world
// asks for it. Paths in the program, in routes and in metrics have no root.
package web

import (
	"context"
	"net/http"

	"github.com/labstack/echo/v4"
)

type rootKey struct{}

// Under serves a handler below a root. It takes the root off the path of a
// request, which carries it from there on. Roots within roots add up.
func Under(root string, h http.Handler) http.Handler {
	return http.StripPrefix(root, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "" {
			r.URL.Path = "/" // StripPrefix made the URL a copy
		}
		h.ServeHTTP(w, r.WithContext(context.WithValue(r.Context(), rootKey{}, Root(r.Context())+root)))
	}))
}

// Root is the path that all addresses of this world begin with, "" for none.
func Root(ctx context.Context) string {
	root, _ := ctx.Value(rootKey{}).(string)
	return root
}

// Path is where a path of this world lies on its host.
func Path(ctx context.Context, path string) string { return Root(ctx) + path }

// Redirect sends the browser to a path of this world.
func Redirect(c echo.Context, status int, path string) error {
	return c.Redirect(status, Path(c.Request().Context(), path))
}

// Leave sends the browser to a whole URL: another origin of this world, or an
// application.
func Leave(c echo.Context, status int, url string) error { return c.Redirect(status, url) }
