package sessions

import (
	"net/http"
	"regexp"
	"slices"
	"strings"

	"github.com/labstack/echo/v4"

	"pscemu.invalid/pscemu/internal/web"
	"pscemu.invalid/pscemu/provider/clients"
)

// plainOrigin keeps a registered address from adding directives to a policy.
var plainOrigin = regexp.MustCompile(`^https?://[A-Za-z0-9.:\[\]-]+$`)

// Leave sends a browser on that was logged out, through these frames of the
// clients that registered for them; "" shows that the session has ended.
func Leave(c echo.Context, pages *web.View, frames []string, target string) error {
	switch {
	case len(frames) > 0:
		c.Response().Header().Set("Content-Security-Policy", web.CSP+"; frame-src "+strings.Join(origins(frames), " "))
		return pages.Show(c, http.StatusOK, "provider/leaving",
			map[string]any{"Title": "Déconnexion", "Frames": frames, "Target": target})
	case target == "":
		return pages.Show(c, http.StatusOK, "message", map[string]any{
			"Title": "Vous êtes déconnecté",
			"Text":  "Votre session Pro Santé Connect est terminée.",
			"Kind":  "info",
		})
	case c.Request().Method == http.MethodPost:
		return web.Leave(c, http.StatusSeeOther, target)
	}
	return web.Leave(c, http.StatusFound, target)
}

func origins(frames []string) (out []string) {
	for _, f := range frames {
		if origin := clients.Origin(f); plainOrigin.MatchString(origin) {
			out = append(out, origin)
		}
	}
	slices.Sort(out)
	return slices.Compact(out)
}
