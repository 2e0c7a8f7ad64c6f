package rp

import (
	"context"
	"errors"
	"net/url"
)

// LogoutURL is where to send the browser to end the session at the provider
// (OIDC RP-Initiated Logout §2). state comes back to the address afterwards.
func (c *Client) LogoutURL(ctx context.Context, s *Session, afterwards, state string) (string, error) {
	m, err := c.Metadata(ctx)
	if err != nil {
		return "", err
	}
	if m.EndSession == "" {
		return "", errors.New("discovery: no end_session_endpoint")
	}
	q := url.Values{"id_token_hint": {s.Tokens.ID}, "client_id": {c.ClientID}}
	if afterwards != "" {
		q.Set("post_logout_redirect_uri", afterwards)
	}
	if state != "" {
		q.Set("state", state)
	}
	return m.EndSession + "?" + q.Encode(), nil
}

// LoggedOut verifies the way back from a logout.
func (c *Client) LoggedOut(sent string, got url.Values) Checks {
	held := c.ledger()
	held.hold(LogoutState, "OIDC RP-Initiated Logout §3", sent != "" && same(got.Get("state"), sent),
		got.Get("state"), "the state of the logout that was begun here")
	return held.checks
}

// LogoutToken is one that the provider sent to the client's server: the
// sessions of this person, or this session, have ended.
type LogoutToken struct {
	ID, Subject, SID string
	Checks           Checks
}

// logoutEvent names what a logout token says.
const logoutEvent = "http://schemas.openid.net/event/backchannel-logout"

// VerifyLogout verifies a logout token (OIDC Back-Channel Logout §2.6). The
// caller remembers its ID, so that it serves once. The token holds the checks
// also beside an error.
func (c *Client) VerifyLogout(ctx context.Context, raw string) (*LogoutToken, error) {
	if _, err := c.Metadata(ctx); err != nil {
		return &LogoutToken{}, err
	}
	held := c.ledger()
	t, ok := c.signed(ctx, held, raw)
	if !ok {
		return &LogoutToken{Checks: held.checks}, held.err()
	}
	c.recipients(held, t.claims)
	c.times(held, t.claims)
	out := &LogoutToken{ID: t.claims.Text("jti"), Subject: t.claims.Text("sub"), SID: t.claims.Text("sid")}
	c.ending(held, t.claims, out)
	out.Checks = held.checks
	return out, held.err()
}

// recipients verifies who a logout token is from and for; it may be for other
// clients too, and about no person.
func (c *Client) recipients(held *ledger, claims Claims) {
	const source = "OIDC Back-Channel Logout §2.6 (3)"
	held.hold(IDTokenIssuer, source, claims.Text("iss") == c.Issuer, claims.Text("iss"), c.Issuer)
	there := false
	for _, aud := range claims.audience() {
		there = there || aud == c.ClientID
	}
	held.hold(IDTokenAudience, source, there, text(claims["aud"]), c.ClientID)
}

// ending verifies that the token is a logout's, and names what has ended.
func (c *Client) ending(held *ledger, claims Claims, out *LogoutToken) {
	held.hold(LogoutSession, "OIDC Back-Channel Logout §2.6 (4)", out.Subject != "" || out.SID != "",
		out.Subject+out.SID, "sub, sid or both")
	events, _ := claims["events"].(map[string]any)
	_, is := events[logoutEvent].(map[string]any)
	held.hold(LogoutEvent, "OIDC Back-Channel Logout §2.6 (5)", is, text(claims["events"]), logoutEvent)
	nonce, there := claims["nonce"]
	held.hold(LogoutNoNonce, "OIDC Back-Channel Logout §2.6 (6)", !there, text(nonce), "no nonce")
	held.hold(LogoutID, "OIDC Back-Channel Logout §2.4", out.ID != "", out.ID, "a jti")
}
