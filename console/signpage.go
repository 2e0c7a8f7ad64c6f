package console

import (
	"encoding/base64"
	"net/http"

	"github.com/labstack/echo/v4"

	"pscemu.invalid/pscemu/cards/pki"
)

// signPage is the demo of a signature: a text, a card, its code, and what
// whoever receives it finds.
func (s *Console) signPage(c echo.Context) error {
	data := map[string]any{"Title": "Signer avec une carte", "Text": c.FormValue("text"), "Card": c.FormValue("card")}
	if c.Request().Method != http.MethodPost {
		return s.page(c, http.StatusOK, "console/sign", data)
	}
	signed, err := s.Cards.Sign(ctx(c), c.FormValue("card"), c.FormValue("pin"), c.FormValue("text"))
	if err == nil {
		data["Signed"] = base64.StdEncoding.EncodeToString(signed.Signature)
		if c.FormValue("alter") != "" {
			signed.Text += " (modifié)"
		}
		var who *pki.CardIdentity
		if who, err = s.Cards.Verify(ctx(c), signed); err == nil {
			data["By"] = who
		}
	}
	return s.formPage(c, "console/sign", data, err)
}
