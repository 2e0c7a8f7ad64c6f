package rp

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"
)

// Tokens are the token endpoint's answer.
type Tokens struct {
	Access  string `json:"access_token"`
	Refresh string `json:"refresh_token"`
	ID      string `json:"id_token"`
	Type    string `json:"token_type"`
	Seconds int    `json:"expires_in"`
	// Raw is the answer as it came.
	Raw json.RawMessage `json:"-"`
	// Until is when the access token ends; zero when the provider did not say.
	Until time.Time `json:"-"`
}

// Session is somebody who is logged in, once all checks passed.
type Session struct {
	Tokens   Tokens
	Claims   Claims          // of the id token
	UserInfo json.RawMessage // as it came; empty where the provider has none
	Checks   Checks
	login    Login
}

// Fresh tells whether the access token can still be used for that long.
func (s *Session) Fresh(now time.Time, more time.Duration) bool {
	return s.Tokens.Until.IsZero() || s.Tokens.Until.Sub(now) > more
}

// Verify verifies the id token of tokens that came otherwise than by Finish,
// against the login in which they were asked for.
func (c *Client) Verify(ctx context.Context, l *Login, t Tokens) (*Session, error) {
	if _, err := c.Metadata(ctx); err != nil {
		return &Session{}, err
	}
	in := &Session{Tokens: t, login: *l}
	return in, c.idToken(ctx, in, l)
}

// redeem turns a grant into a session: tokens, id token, UserInfo.
func (c *Client) redeem(ctx context.Context, m *Metadata, in *Session, form url.Values) error {
	if err := c.exchange(ctx, m, in, form); err != nil {
		return err
	}
	if in.login.openID() {
		if err := c.idToken(ctx, in, &in.login); err != nil {
			return err
		}
	}
	if m.UserInfo == "" {
		return nil
	}
	return c.userInfo(ctx, m, in)
}

// exchange asks the token endpoint, and verifies the answer's form.
func (c *Client) exchange(ctx context.Context, m *Metadata, in *Session, form url.Values) error {
	held := c.ledger()
	defer func() { in.Checks = append(in.Checks, held.checks...) }()
	body, err := c.post(ctx, "token", m.Token, form)
	if err != nil {
		held.hold(TokenAnswer, "RFC 6749 §5.1", false, err.Error(), "200 with tokens in JSON")
		return err
	}
	t := Tokens{Raw: body}
	if err := json.Unmarshal(body, &t); err != nil {
		held.hold(TokenAnswer, "RFC 6749 §5.1", false, string(body), "200 with tokens in JSON")
		return &Refusal{At: "token", Status: http.StatusOK, Body: cut(string(body))}
	}
	complete := t.Access != "" && (t.ID != "" || in.Tokens.ID != "" || !in.login.openID())
	held.hold(TokenAnswer, "RFC 6749 §5.1; OIDC Core §3.1.3.3", complete, members(body), "access_token and id_token")
	if t.Type != "" { // PSC always sends it; one that is missing harms nobody
		held.hold(TokenType, "RFC 6749 §7.1", strings.EqualFold(t.Type, "Bearer"), t.Type, "Bearer")
	}
	if t.Seconds > 0 {
		t.Until = c.Now().Add(time.Duration(t.Seconds) * time.Second)
	}
	in.Tokens = t
	return held.err()
}

// members are the names of an answer, not its secrets.
func members(body []byte) string {
	var all map[string]json.RawMessage
	_ = json.Unmarshal(body, &all)
	var names []string
	for _, name := range []string{"access_token", "id_token", "refresh_token", "token_type", "expires_in"} {
		if _, ok := all[name]; ok {
			names = append(names, name)
		}
	}
	return strings.Join(names, ", ")
}

// Refresh takes new tokens. What it returns holds the session's UserInfo and
// claims; the id token, when there is a new one, must be of the same person and
// the same authentication (OIDC Core §12.2).
func (c *Client) Refresh(ctx context.Context, s *Session) (*Session, error) {
	m, err := c.Metadata(ctx)
	if err != nil {
		return nil, err
	}
	next := &Session{Tokens: s.Tokens, Claims: s.Claims, UserInfo: s.UserInfo, login: s.login}
	form := url.Values{"grant_type": {"refresh_token"}, "refresh_token": {s.Tokens.Refresh}}
	if err := c.exchange(ctx, m, next, form); err != nil {
		return next, err
	}
	if next.Tokens.Refresh == "" {
		next.Tokens.Refresh = s.Tokens.Refresh
	}
	if next.Tokens.ID == "" {
		next.Tokens.ID = s.Tokens.ID
		return next, nil
	}
	return next, c.refreshed(ctx, next, s)
}

// refreshed verifies a new id token against the one before.
func (c *Client) refreshed(ctx context.Context, next, before *Session) error {
	again := next.login
	again.Nonce, again.MaxAge = "", 0 // a refresh repeats neither
	if err := c.idToken(ctx, next, &again); err != nil {
		return err
	}
	held := c.ledger()
	const source = "OIDC Core §12.2"
	held.hold(RefreshSubject, source, next.Claims.Text("sub") == before.Claims.Text("sub"),
		next.Claims.Text("sub"), before.Claims.Text("sub"))
	if was := before.Claims["auth_time"]; was != nil && next.Claims["auth_time"] != nil {
		held.hold(RefreshAuthTime, source, was == next.Claims["auth_time"],
			fmt.Sprint(next.Claims["auth_time"]), fmt.Sprint(was))
	}
	next.Checks = append(next.Checks, held.checks...)
	return held.err()
}

// maxAnswer bounds what is read of an answer.
const maxAnswer = 1 << 20

// post calls an endpoint as this client, and returns the body of a 200.
func (c *Client) post(ctx context.Context, what, at string, form url.Values) ([]byte, error) {
	secret := c.secret()
	basic := c.SecretIn == InHeader && secret != ""
	if !basic {
		form.Set("client_id", c.ClientID)
		if secret != "" {
			form.Set("client_secret", secret)
		}
	}
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, at, strings.NewReader(form.Encode()))
	if err != nil {
		return nil, err
	}
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	if basic {
		r.SetBasicAuth(url.QueryEscape(c.ClientID), url.QueryEscape(secret)) // RFC 6749 §2.3.1
	}
	return c.call(what, r)
}

// call returns the body of a 200, a Refusal for anything else.
func (c *Client) call(what string, r *http.Request) ([]byte, error) {
	r.Header.Set("Accept", "application/json")
	resp, err := c.HTTP.Do(r)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", what, err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(io.LimitReader(resp.Body, maxAnswer))
	if err != nil {
		return nil, fmt.Errorf("%s: %w", what, err)
	}
	if resp.StatusCode == http.StatusOK {
		return body, nil
	}
	var said struct {
		Code string `json:"error"`
		Text string `json:"error_description"`
	}
	_ = json.Unmarshal(body, &said)
	return nil, &Refusal{what, resp.StatusCode, said.Code, said.Text, cut(string(body))}
}
