// Package api is the control API: its operations with their types, and the
// OpenAPI document that is made of them. The pages of the console use what it
// exports.
package api

import (
	"net/http"
	"sync"

	"github.com/labstack/echo/v4"
)

// Base is where the control API lies on the console's listener.
const Base = "/api/v1"

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

	document documentOnce
}

// documentOnce keeps the document: it is made when it is first asked for.
type documentOnce struct {
	once sync.Once
	json []byte
}

// resource is a part of the control API.
type resource interface{ operations() []Operation }

// Operations are all operations, by resource.
func (a *API) Operations() (out []Operation) {
	for _, r := range []resource{
		a.People, &Codes{}, a.Phones, a.Outbox, a.Cards, a.Reader, a.Certificates, a.Orders, a.Clients, a.Logins,
		a.Refusals, a.Faults, a.Scenarios, a.Jobs, a.Clock, a.Settings, a.Keys, a.Deliveries, a.World, a.Spaces,
		a.Doctor, &meta{a},
	} {
		out = append(out, r.operations()...)
	}
	return out
}

// Register adds the control API's routes.
func (a *API) Register(e *echo.Echo) {
	for _, o := range a.Operations() {
		e.Add(o.Method, Base+o.Path, o.serve)
	}
}

// meta describes the control API itself.
type meta struct{ api *API }

func (m *meta) operations() []Operation {
	return of("openapi", Operation{
		Method:      http.MethodGet,
		Path:        "/openapi.json",
		ID:          "getOpenAPI",
		Summary:     "Get this document",
		Description: "The description of the control API; it needs no token.",
		status:      http.StatusOK,
		open:        true,
		content:     []Content{{http.StatusOK, echo.MIMEApplicationJSON, anything, "OpenAPI 3.1"}},
		binding:     &binding{},
		serve: func(c echo.Context) error {
			return c.JSONBlob(http.StatusOK, m.api.OpenAPI())
		},
	})
}
