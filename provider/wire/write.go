package wire

import (
	"strings"

	"github.com/labstack/echo/v4"

	"pscemu.invalid/pscemu/internal/web"
)

// Writer answers clients of the back channel with errors.
type Writer struct {
	Strict func() bool // Keycloak's text alone
	// Why sets the header that names the page which explains a refusal.
	Why func(c echo.Context, refusal error) string
}

// Refuse answers with a row of the table. reason, unless nil, is why.
func (w *Writer) Refuse(c echo.Context, a Answer, reason error) error {
	web.NoStore(c)
	if reason != nil {
		w.Why(c, reason)
	} else {
		w.Why(c, a.Problem())
	}
	return JSON(c, a.Status, a.Error, w.Said(a, reason))
}

// Said is the answer's text alone under strict, else with our reason behind it.
func (w *Writer) Said(a Answer, reason error) string {
	text := a.Text
	if reason != nil && !w.Strict() {
		text = strings.TrimPrefix(text+": "+reason.Error(), ": ")
	}
	return text
}

// JSON writes an error as RFC 6749 §5.2 has it; the text may be empty.
func JSON(c echo.Context, status int, code, text string) error {
	return c.JSON(status, struct {
		Error       string `json:"error"`
		Description string `json:"error_description"`
	}{Text(code), Text(text)})
}

// Challenge is a WWW-Authenticate header (RFC 6750 §3).
func Challenge(code, text string) string {
	if code == "" {
		return `Bearer realm="esante-wallet"`
	}
	return `Bearer realm="esante-wallet", error="` + Text(code) + `", error_description="` + Text(text) + `"`
}
