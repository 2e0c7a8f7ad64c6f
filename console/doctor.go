package console

import (
	"context"
	"net/http"
	"strings"
	"time"

	"github.com/labstack/echo/v4"

	"pscemu.invalid/pscemu/console/shell"
	"pscemu.invalid/pscemu/internal/web"
	"pscemu.invalid/pscemu/lab/doctor"
)

func (s *Console) doctorRoutes() []route {
	return []route{
		{
			"GET",
			"/doctor",
			"What may keep a first login from working: host names, trust, clock, redirect URIs, certificates; ?app=URL looks at an application too",
			func(c echo.Context) (any, error) {
				return items{s.examine(c), ""}, nil
			},
		},
	}
}

// examine looks from the server's side.
func (s *Console) examine(c echo.Context) []doctor.Finding {
	limited, stop := context.WithTimeout(ctx(c), 20*time.Second)
	defer stop()
	p := &doctor.Patient{App: strings.TrimSpace(c.QueryParam("app")), Clock: s.Clock.State(), Clients: s.Clients}
	if s.Demo != nil {
		p.Issuer, p.Roots = s.Demo.Issuer, s.Demo.Roots
		p.Base = strings.TrimSuffix(s.Demo.AuthorizeURL, "/auth")
		_, certificate := s.Demo.Keys()
		p.Certificates = append(p.Certificates, doctor.Pair{Name: s.Demo.ClientID, Certificate: certificate})
	}
	return doctor.Examine(limited, p)
}

func (s *Console) doctorPage(c echo.Context) error {
	if c.QueryParam("app") != "" && shell.OriginOf(c.Request()) != shell.FromOwn { // nobody's link calls anything
		return web.Redirect(c, http.StatusSeeOther, "/doctor")
	}
	return s.page(
		c,
		http.StatusOK,
		"console/doctor",
		map[string]any{"Title": "Diagnostic", "Findings": s.examine(c), "App": c.QueryParam("app")},
	)
}
