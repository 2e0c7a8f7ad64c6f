package console

import (
	"net/http"
	"net/url"
	"strings"

	"github.com/labstack/echo/v4"

	"pscemu.invalid/pscemu/cards/pki"
	"pscemu.invalid/pscemu/internal/problem"
	"pscemu.invalid/pscemu/internal/store"
	"pscemu.invalid/pscemu/internal/web"
	"pscemu.invalid/pscemu/provider/clients"
)

// deskBind binds a client to a certificate of the perimeter. A client that is
// bound already is bound anew only after the page has said to what, and asked.
func (s *Console) deskBind(c echo.Context, by string) error {
	serial, client := c.FormValue("serial"), c.FormValue("client")
	_, err := s.api.Clients.Bind(ctx(c), client, c.FormValue("replace") != "", func(tx store.Tx) (*pki.Certificate, error) {
		return s.Orders.CertificateForIn(tx, by, serial)
	})
	if err != nil {
		var ask map[string]string
		if problem.Is(err, problem.ClientBound) {
			ask = map[string]string{"Serial": serial, "Client": client}
		}
		return s.showDesk(c, err, ask)
	}
	return web.Redirect(c, http.StatusSeeOther, "/clients/"+url.PathEscape(client))
}

// clientPage shows a registration, what it is bound to, its certificates, and
// how servers in many languages use them.
func (s *Console) clientPage(c echo.Context) error { return s.showClient(c, nil, "") }

// fewCertificates is how many of a client's certificates its page shows; the page
// of the certificates has the others.
const fewCertificates = 50

func (s *Console) showClient(c echo.Context, refusal error, asked string) error {
	client, err := s.Clients.Get(ctx(c), web.Param(c, "id"))
	if err != nil {
		return err
	}
	list, next, err := s.api.Certificates.List(ctx(c), pki.Query{ClientID: client.ID})("", fewCertificates)
	if err != nil {
		return err
	}
	data := map[string]any{"Title": client.ID, "Client": client, "Certificates": list, "More": next != "",
		"API": s.URL + "/api/v1", "Asked": asked}
	if s.Demo != nil {
		data["Token"] = s.Demo.Issuer + "/protocol/openid-connect/token"
	}
	return s.formPage(c, "console/client", data, refusal)
}

// bindSubject binds a client to a subject that somebody typed; nothing is the
// subject of the certificates that the emulator makes for it. The page says
// first what the client is bound to, and asks.
func (s *Console) bindSubject(c echo.Context) error {
	id, subject := web.Param(c, "id"), strings.TrimSpace(c.FormValue("subject_dn"))
	_, err := s.Clients.Change(ctx(c), id, func(client *clients.Client) error {
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
		return s.showClient(c, err, subject)
	}
	return web.Redirect(c, http.StatusSeeOther, "/clients/"+url.PathEscape(id))
}

// issueForClient makes a certificate whose CN is the client_id.
func (s *Console) issueForClient(c echo.Context) error {
	id := web.Param(c, "id")
	if _, err := s.Clients.Get(ctx(c), id); err != nil {
		return err
	}
	if _, err := s.PKI.Issue(
		ctx(c),
		pki.Order{Profile: "AUTH_CLI", Subject: clients.OwnSubject(id), ClientID: id},
	); err != nil {
		return err
	}
	return web.Redirect(c, http.StatusSeeOther, "/clients/"+url.PathEscape(id))
}
