package pages

import (
	"encoding/base64"
	"net/http"

	"github.com/labstack/echo/v4"

	"pscemu.invalid/pscemu/cards/pki"
	"pscemu.invalid/pscemu/console/shell"
)

// sign is the demo of a signature: a text, a card, its code, and what
// whoever receives it finds.
func (h *Cards) sign(c echo.Context) error {
	data := map[string]any{"Title": "Signer avec une carte", "Text": c.FormValue("text"), "Card": c.FormValue("card")}
	if c.Request().Method != http.MethodPost {
		return h.View.Show(c, http.StatusOK, "console/sign", data)
	}
	signed, err := h.API.Cards.Sign(shell.Context(c), c.FormValue("card"), c.FormValue("pin"), c.FormValue("text"))
	if err == nil {
		data["Signed"] = base64.StdEncoding.EncodeToString(signed.Signature)
		if c.FormValue("alter") != "" {
			signed.Text += " (modifié)"
		}
		var who *pki.CardIdentity
		if who, err = h.API.Cards.Verify(shell.Context(c), signed); err == nil {
			data["By"] = who
		}
	}
	return h.View.Form(c, "console/sign", data, err)
}
