package provider

import (
	"context"
	"encoding/json"
	"net/http"
	"time"

	"github.com/labstack/echo/v4"

	"pscemu.invalid/pscemu/config"
	"pscemu.invalid/pscemu/identities"
	"pscemu.invalid/pscemu/internal/problem"
	"pscemu.invalid/pscemu/provider/clients"
	"pscemu.invalid/pscemu/provider/oidc"
	"pscemu.invalid/pscemu/provider/wire"
)

// infoWriter writes what UserInfo says of a person.
type infoWriter struct {
	settings *config.Live
	clients  *clients.Registry
	oidc     *oidc.Provider
	faults   *answerFaults
	refusals *wire.Writer
}

// send writes UserInfo as JSON, or signed where the policy says so.
func (h *infoWriter) send(c echo.Context, person *identities.Identity, session *oidc.Session) error {
	ctx := c.Request().Context()
	client, err := h.client(ctx, session.ClientID)
	if err != nil {
		return err
	}
	policy, info := h.settings.Policies(client.Policies, nil), person.UserInfo(session.AuthMode)
	if policy.DoorPersonFaults {
		if info = person.Faulty(info); person.Has(identities.FaultUserInfoFails) {
			return h.refusals.Refuse(c, wire.Of("quirk-userinfo"), nil)
		}
		if person.Has(identities.FaultUserInfoSlow) && !late(c) {
			return nil
		}
	}
	claims, err := json.Marshal(info)
	if err != nil {
		return err
	}
	if h.faults.active() {
		if claims, err = h.faults.info(ctx, claims, session); err != nil {
			return err
		}
	}
	return h.write(c, claims, asked(session, person), policy.UserInfoFormat, session)
}

// client is the session's; one that was removed meanwhile has nothing but its
// id: its token lives on.
func (h *infoWriter) client(ctx context.Context, id string) (*clients.Client, error) {
	client, err := h.clients.Get(ctx, id)
	if problem.Is(err, problem.ClientUnknown) {
		return &clients.Client{ID: id}, nil
	}
	return client, err
}

// asked are the claims that the request named.
func asked(session *oidc.Session, person *identities.Identity) wire.Params {
	extra := wire.Params{}
	if session.Wants("name") {
		extra.Add("name", person.Name())
	}
	if session.Wants("email") {
		extra.Add("email", person.Email)
	}
	return extra
}

func (h *infoWriter) write(
	c echo.Context,
	claims []byte,
	extra wire.Params,
	format string,
	session *oidc.Session,
) error {
	if format != "jwt" {
		return c.JSONBlob(http.StatusOK, extended(claims, extra))
	}
	extra.Add("iss", session.Issuer)
	extra.Add("aud", session.ClientID)
	signed, err := h.oidc.SignJWT("JWT", json.RawMessage(extended(claims, extra)))
	if err != nil {
		return err
	}
	return c.Blob(http.StatusOK, "application/jwt", []byte(signed))
}

// extended adds members behind those of a JSON object.
func extended(object []byte, extra wire.Params) []byte {
	if len(extra) == 0 {
		return object
	}
	more, _ := extra.MarshalJSON() // strings only: cannot fail
	return append(append(object[:len(object)-1:len(object)-1], ','), more[1:]...)
}

// slowness is how late UserInfo answers about a person who has that fault.
const slowness = 8 * time.Second

// late waits, and tells whether the client still does.
func late(c echo.Context) bool {
	select {
	case <-time.After(slowness):
		return true
	case <-c.Request().Context().Done():
		return false
	}
}
