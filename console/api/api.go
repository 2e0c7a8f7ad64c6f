package api

import (
	"context"
	"net/http"

	"github.com/labstack/echo/v4"
	"pscemu.invalid/pscemu/internal/web"
)

// route is one operation of the control API; the table is also what the
// OpenAPI document is made of.
type route struct {
	Method, Path, Summary string
	Handle                func(echo.Context) (any, error)
}

func (r route) serve(c echo.Context) error {
	out, err := r.Handle(c)
	if err != nil {
		return err
	}
	switch v := out.(type) {
	case nil:
		return c.NoContent(http.StatusNoContent)
	case sent:
		return nil
	case file:
		attachment(c, v.name, v.kind)
		return c.Blob(http.StatusOK, v.kind, v.data)
	}
	status := http.StatusOK
	if r.Method == http.MethodPost {
		status = http.StatusCreated
	}
	return c.JSON(status, out)
}

// sent is the answer of an operation that wrote its response itself.
type sent struct{}

type file struct {
	name, kind string
	data       []byte
}

// items is a list that is complete by nature: its Next is "". One that may be
// long is listed.
type items struct {
	Items any    `json:"items"`
	Next  string `json:"next"`
}

func ctx(c echo.Context) context.Context { return c.Request().Context() }

// API is the control API: its resources, each with the few services it needs.
type API struct {
	URL     string // of the console
	Version string

	People       *People
	Phones       *Phones
	Reader       *Reader
	Outbox       *Outbox
	Cards        *Cards
	Certificates *Certificates
	Orders       *Orders
	Clients      *Clients
	Logins       *Logins
	Refusals     *Refusals
	Faults       *Faults
	Deliveries   *Deliveries
	Clock        *Clock
	Settings     *Settings
	Keys         *Keys
	World        *World
	Spaces       *SpaceList
	Scenarios    *Scenarios
	Jobs         *Jobs
	Doctor       *Doctor
}

// resource is a part of the control API.
type resource interface{ routes() []route }

func (a *API) routes() (out []route) {
	for _, r := range []resource{
		a.Orders, a.Logins, a.Faults, a.Refusals, a.World, a.Spaces, a.Scenarios, a.Doctor, a.Clients,
		a.Jobs, a.People, &Codes{}, a.Phones, a.Outbox, a.Reader, a.Cards, a.Certificates, a.Clock, a.Settings,
		a.Keys, a.Deliveries,
	} {
		out = append(out, r.routes()...)
	}
	return out
}

// Register adds the control API's routes.
func (a *API) Register(e *echo.Echo) {
	for _, r := range a.routes() {
		e.Add(r.Method, "/api/v1"+r.Path, r.serve)
	}
	e.GET("/api/v1/ecps/requests/stream", a.Phones.stream)
	e.GET("/api/v1/openapi.json", func(c echo.Context) error { return c.JSON(http.StatusOK, a.OpenAPI()) })
}

// param is a path segment, unescaped: ids may hold a slash.
func param(c echo.Context, name string) string { return web.Param(c, name) }
