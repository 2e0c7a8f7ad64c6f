package rp

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"net/url"
	"time"
)

// Request is a login without a browser that was begun (CIBA Core §7.3).
type Request struct {
	ID       string
	Interval time.Duration // to wait between two polls
	login    Login
}

// Ask begins a login without a browser: the person's phone is asked.
func (c *Client) Ask(ctx context.Context, l *Login, person, binding string) (*Request, error) {
	m, err := c.Metadata(ctx)
	if err != nil {
		return nil, err
	}
	if m.Backchannel == "" {
		return nil, errors.New("the discovery document names no backchannel_authentication_endpoint")
	}
	form := url.Values{"scope": {l.Scope}, "login_hint": {person}, "binding_message": {binding}}
	for _, level := range l.ACR {
		form.Add("acr_values", level)
	}
	for name, values := range l.Extra {
		form[name] = values
	}
	body, err := c.post(ctx, "ciba", m.Backchannel, form)
	if err != nil {
		return nil, err
	}
	var asked struct {
		ID       string      `json:"auth_req_id"`
		Interval json.Number `json:"interval"`
	}
	if err := json.Unmarshal(body, &asked); err != nil || asked.ID == "" {
		return nil, &Refusal{At: "ciba", Status: http.StatusOK, Body: cut(string(body))}
	}
	seconds, _ := asked.Interval.Float64()
	kept := *l
	kept.Nonce = "" // such a login has none
	return &Request{asked.ID, time.Duration(max(seconds, 1) * float64(time.Second)), kept}, nil
}

// Poll asks whether the person has approved: a Refusal with the code
// authorization_pending says not yet.
func (c *Client) Poll(ctx context.Context, r *Request) (*Session, error) {
	m, err := c.Metadata(ctx)
	if err != nil {
		return nil, err
	}
	in := &Session{login: r.login}
	form := url.Values{"grant_type": {"urn:openid:params:grant-type:ciba"}, "auth_req_id": {r.ID}}
	return in, c.redeem(ctx, m, in, form)
}
