package provider

import (
	"strings"

	"github.com/labstack/echo/v4"

	"pscemu.invalid/pscemu/internal/problem"
	"pscemu.invalid/pscemu/internal/web"
	"pscemu.invalid/pscemu/provider/journal"
)

// dropped tells the story of a login that had to make room, when it is still
// kept. The request that pushed it out is not its own.
func (s *Server) dropped(id string) {
	reason := problem.LoginDropped.Case("journal").With("logins", s.config.Limits.MaxLogins)
	s.journal.AddKept(id, journal.KindDropped, reason)
}

// pageBody is the largest body of an endpoint that anybody may post to: an
// authorize request (mostParameters, percent-encoded), a form of a page.
const pageBody = 64 << 10

// forAnybody tells the endpoints where no client shows who it is.
func forAnybody(path string) bool {
	return !strings.HasPrefix(path, RealmPath+"/") || path == RealmPath+"/protocol/openid-connect/auth"
}

func (s *Server) bodyLimit(next echo.HandlerFunc) echo.HandlerFunc {
	return func(c echo.Context) error {
		setting, most := "max-body", s.config.Limits.Body()
		if forAnybody(c.Path()) {
			setting, most = "max-body, which pages take no more than 64 KiB of", min(most, pageBody)
		}
		return web.BoundBody(c, setting, most, next)
	}
}
