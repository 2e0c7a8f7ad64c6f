package pages

import (
	"net/http"
	"net/url"
	"strings"

	"github.com/labstack/echo/v4"

	"pscemu.invalid/pscemu/cards/pki"
	"pscemu.invalid/pscemu/console/api"
	"pscemu.invalid/pscemu/console/shell"
	"pscemu.invalid/pscemu/internal/problem"
	"pscemu.invalid/pscemu/internal/web"
	"pscemu.invalid/pscemu/provider/clients"
)

// Clients are the pages of the clients and their certificates.
type Clients struct {
	View         *web.View
	API          *api.Clients
	Certificates *api.Certificates
	URL          string // of the console, without a slash at the end
	Token        string // address of the token endpoint, "" when it is not known
}

// Register adds the routes.
func (h *Clients) Register(e *echo.Echo) {
	e.GET("/clients", h.list)
	e.GET("/clients/:id", h.one)
	e.POST("/clients/:id/certificate", h.issue)
	e.POST("/clients/:id/bind", h.bind)
}

func (h *Clients) list(c echo.Context) error {
	page := shell.List{Path: "/clients", Count: h.API.Clients.Count}
	list, part, err := shell.Shown(c, page, h.API.List(shell.Context(c)))
	if err != nil {
		return err
	}
	data := map[string]any{"Title": "Clients", "Clients": list, "Part": part}
	return h.View.Show(c, http.StatusOK, "console/clients", data)
}

// one shows a registration, what it is bound to, its certificates, and
// how servers in many languages use them.
func (h *Clients) one(c echo.Context) error { return h.show(c, nil, "") }

// fewCertificates is how many of a client's certificates its page shows; the page
// of the certificates has the others.
const fewCertificates = 50

func (h *Clients) show(c echo.Context, refusal error, asked string) error {
	client, err := h.API.Clients.Get(shell.Context(c), web.Param(c, "id"))
	if err != nil {
		return err
	}
	list, next, err := h.Certificates.List(shell.Context(c), pki.Query{ClientID: client.ID})("", fewCertificates)
	if err != nil {
		return err
	}
	data := map[string]any{"Title": client.ID, "Client": client, "Certificates": list, "More": next != "",
		"API": h.URL + "/api/v1", "Asked": asked}
	if h.Token != "" {
		data["Token"] = h.Token
	}
	return h.View.Form(c, "console/client", data, refusal)
}

// bind binds a client to a subject that somebody typed; nothing is the
// subject of the certificates that the emulator makes for it. The page says
// first what the client is bound to, and asks.
func (h *Clients) bind(c echo.Context) error {
	id, subject := web.Param(c, "id"), strings.TrimSpace(c.FormValue("subject_dn"))
	_, err := h.API.Clients.Change(shell.Context(c), id, func(client *clients.Client) error {
		was := client.BoundTo()
		client.SubjectDN = subject
		if err := client.Validate(); err != nil {
			return err
		}
		if client.BoundTo() == was || c.FormValue("was") == was {
			return nil
		}
		return problem.ClientBound.With("id", id).With("was", was).With("bound", client.BoundTo())
	})
	if err != nil {
		return h.show(c, err, subject)
	}
	return web.Redirect(c, http.StatusSeeOther, "/clients/"+url.PathEscape(id))
}

// issue makes a certificate whose CN is the client_id.
func (h *Clients) issue(c echo.Context) error {
	id := web.Param(c, "id")
	if _, err := h.API.Clients.Get(shell.Context(c), id); err != nil {
		return err
	}
	r := pki.Request{Profile: pki.ProfileAuthCLI, Subject: clients.OwnSubject(id), ClientID: id}
	if _, err := h.Certificates.PKI.Issue(shell.Context(c), r); err != nil {
		return err
	}
	return web.Redirect(c, http.StatusSeeOther, "/clients/"+url.PathEscape(id))
}
