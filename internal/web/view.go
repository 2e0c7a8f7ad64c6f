package web

import (
	"net/http"

	"github.com/labstack/echo/v4"

	"pscemu.invalid/pscemu/internal/problem"
)

// View shows the pages of a room: in the reader's language, with what every
// page of the room says, and refusals explained.
type View struct {
	Pages  *Pages
	Strict func() bool                 // the test doors are shut, and refusals say what PSC says
	Lang   func(c echo.Context) string // the language of whoever reads
	// Prepare, unless nil, sets the headers of a page before it is shown, and
	// adds to its data.
	Prepare func(c echo.Context, status int, name string, data map[string]any)
	// Why is the address of the page that explains a refusal, "" for none.
	Why func(c echo.Context, refusal error) string
}

// Show renders a page, named as Pages.Render wants it.
func (v *View) Show(c echo.Context, status int, name string, data map[string]any) error {
	data["Strict"], data["Lang"] = v.Strict(), v.Lang(c)
	if v.Prepare != nil {
		v.Prepare(c, status, name, data)
	}
	body, err := v.Pages.Render(c.Request().Context(), name, data)
	if err != nil {
		return err
	}
	return c.HTMLBlob(status, body)
}

// Form shows a form, again with what was refused.
func (v *View) Form(c echo.Context, name string, data map[string]any, refusal error) error {
	status := http.StatusOK
	if refusal != nil {
		status, data["Problem"] = http.StatusUnprocessableEntity, v.Explained(c, refusal)
	}
	return v.Show(c, status, name, data)
}

// Refuse explains a refusal to whoever sits before the browser. text is what
// PSC says, "" for the refusal's own reason, and all that is said under strict.
func (v *View) Refuse(c echo.Context, status int, text string, refusal error) error {
	data := map[string]any{"Title": "Nous sommes désolés", "Text": text, "Kind": "error"}
	if text == "" {
		data["Text"] = problem.From(refusal).Page(v.Lang(c)).Reason
	} else if !v.Pages.Says(text) {
		data["TextLang"] = English // the protocol's own words
	}
	if refusal != nil && !v.Strict() {
		data["Problem"] = v.Explained(c, refusal)
	}
	return v.Show(c, status, "message", data)
}

// Explained is a refusal with the address of the page that explains it.
func (v *View) Explained(c echo.Context, refusal error) *problem.Error {
	return problem.From(refusal).Linked(v.Why(c, refusal))
}

// Say is a French text in the reader's language.
func (v *View) Say(c echo.Context, text string) string { return v.Pages.Translate(v.Lang(c), text) }
