package web

import (
	"encoding/json"
	"net/http"

	"github.com/labstack/echo/v4"

	"pscemu.invalid/pscemu/internal/problem"
)

// CSP is the Content-Security-Policy of our pages: what they load is their own,
// and no other page frames them.
const CSP = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; " +
	"manifest-src 'self'; base-uri 'none'; frame-ancestors 'none'"

// Headers sets these headers on every answer; a handler may overrule them.
func Headers(set map[string]string) echo.MiddlewareFunc {
	return func(next echo.HandlerFunc) echo.HandlerFunc {
		return func(c echo.Context) error {
			for name, value := range set {
				c.Response().Header().Set(name, value)
			}
			return next(c)
		}
	}
}

// NoStore keeps an answer that holds secrets out of caches (RFC 6749 §5.1).
func NoStore(c echo.Context) {
	c.Response().Header().Set("Cache-Control", "no-store")
	c.Response().Header().Set("Pragma", "no-cache")
}

// WriteProblem answers a program with problem details (RFC 9457).
func WriteProblem(w http.ResponseWriter, status int, p *problem.Error) {
	w.Header().Set("Content-Type", "application/problem+json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(struct {
		Type   string `json:"type"`
		Title  string `json:"title"`
		Status int    `json:"status"`
		Detail string `json:"detail"`
		*problem.Error
	}{"about:blank", p.Reason, status, p.Error(), p})
}
