// Package api is the one client of the control API. What it can do is made from
// the OpenAPI document (client.gen.go); this file opens it, and tells a refusal.
package api

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"

	"pscemu.invalid/pscemu/internal/problem"
)

// Open makes a client of the control API at a URL, which ends in /api/v1. agent
// says who asks, "" for nobody in particular.
func Open(url, token, agent string, over *http.Client) (*ClientWithResponses, error) {
	if over == nil {
		over = http.DefaultClient
	}
	return NewClientWithResponses(strings.TrimSuffix(url, "/"), WithHTTPClient(over),
		WithRequestEditorFn(func(_ context.Context, r *http.Request) error {
			if token != "" {
				r.Header.Set("Authorization", "Bearer "+token)
			}
			if agent != "" {
				r.Header.Set("User-Agent", agent)
			}
			return nil
		}))
}

// Send calls any address of the control API, which ends in path, with a body in
// JSON, nil for none: for what a program learns only as it runs.
func Send(ctx context.Context, c *ClientWithResponses, method, path string, body []byte) ([]byte, error) {
	inner, ok := c.ClientInterface.(*Client)
	if !ok {
		return nil, fmt.Errorf("%T cannot send", c.ClientInterface)
	}
	r, err := http.NewRequestWithContext(ctx, method, strings.TrimSuffix(inner.Server, "/")+path, bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	r.Header.Set("Content-Type", "application/json")
	for _, edit := range inner.RequestEditors {
		if err := edit(ctx, r); err != nil {
			return nil, err
		}
	}
	resp, err := inner.Client.Do(r)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	answer, err := io.ReadAll(resp.Body)
	if err != nil {
		return nil, err
	}
	return answer, ErrorOf(resp.StatusCode, answer)
}

// Answer is what every answer of the client has.
type Answer interface {
	StatusCode() int
	GetBody() []byte
}

// Refused is the refusal that an answer holds, nil when the operation was done.
func Refused(answer Answer, err error) error {
	if err != nil {
		return err
	}
	return ErrorOf(answer.StatusCode(), answer.GetBody())
}

// ErrorOf is the refusal that a status and a body tell, nil below 400.
func ErrorOf(status int, body []byte) error {
	if status < http.StatusBadRequest {
		return nil
	}
	refused := &problem.Error{}
	if json.Unmarshal(body, refused) != nil || refused.Code == "" {
		return fmt.Errorf("the control API answered %d: %.300s", status, body)
	}
	refused.Kind = kindOf(status)
	return refused
}

// kindOf is the kind of refusal that an HTTP status stands for.
func kindOf(status int) problem.Kind {
	for k := problem.Invalid; k <= problem.TooSlow; k++ {
		if k.Status() == status {
			return k
		}
	}
	return problem.Internal
}
