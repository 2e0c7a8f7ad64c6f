package provider

import (
	"context"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/labstack/echo/v4"

	"pscemu.invalid/pscemu/identities"
	"pscemu.invalid/pscemu/internal/clock"
	"pscemu.invalid/pscemu/provider/journal"
	"pscemu.invalid/pscemu/provider/oidc"
	"pscemu.invalid/pscemu/provider/sessions"
)

// silent goes on with the session that a browser has, without a page.
type silent struct {
	browsers *sessions.Browsers
	people   *identities.People
	oidc     *oidc.Provider
	clock    clock.Clock
	journal  *journal.Journal
}

// session is the browser's, where the request allows it; else nil. It becomes a
// login of its own in the journal.
func (s *silent) session(c echo.Context, a *asking) *oidc.Authentication {
	ctx := c.Request().Context()
	b := s.browsers.Of(c)
	if b == nil || !s.fits(ctx, b, a.form) {
		return nil
	}
	person, err := s.people.Read(ctx, b.NationalID)
	if err != nil {
		return nil
	}
	id := journal.NewID()
	s.journal.Add(ctx, id, journal.KindAuthorize, detail(a), nil)
	return &oidc.Authentication{LoginID: id, Person: person, AuthMode: b.AuthMode, Time: b.AuthTime, SID: b.SID}
}

func (s *silent) fits(ctx context.Context, b *oidc.Browser, form url.Values) bool {
	return !strings.Contains(" "+form.Get("prompt")+" ", " login ") &&
		!tooOld(b, form.Get("max_age"), s.clock.Now()) &&
		!s.otherSubject(ctx, b, form)
}

func tooOld(b *oidc.Browser, maxAge string, now time.Time) bool {
	if maxAge == "" {
		return false
	}
	n, _ := strconv.Atoi(maxAge)                                          // judged before
	return now.Sub(b.AuthTime) > time.Duration(min(n, 1<<31))*time.Second // no product overflows
}

// otherSubject tells whether an id_token_hint names somebody else, or nobody.
func (s *silent) otherSubject(ctx context.Context, b *oidc.Browser, form url.Values) bool {
	token := form.Get("id_token_hint")
	if token == "" {
		return false
	}
	hint, err := s.oidc.IDTokenHint(ctx, token)
	return err != nil || hint.Sub != identities.Sub(b.NationalID)
}
