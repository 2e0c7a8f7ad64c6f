package check

import (
	"context"
	"fmt"
	"net/url"
	"time"

	"pscemu.invalid/pscemu/internal/api"
)

// afterwards are what follows a login: refreshes and the logout.
var afterwards = []scenario{
	{
		Finding{
			ID:       "expired-token-unused",
			Title:    "an access token is not used after its end",
			Source:   "RFC 6750 §3.1",
			Severity: "low",
			Fix:      "refresh before expires_in, or ask UserInfo once at the login",
		},
		expiredTokenUnused,
	},
	{
		Finding{
			ID:       "refresh-rotates",
			Title:    "each refresh uses the refresh token of the answer before",
			Source:   "RFC 9700 §4.14.2",
			Severity: "high",
			Fix:      "store the refresh_token of every answer",
		},
		refreshRotates,
	},
	{
		Finding{
			ID:       "logout-closes",
			Title:    "the logout ends the application's session",
			Source:   "OWASP session management",
			Severity: "high",
			Fix:      "end the local session first",
		},
		logoutCloses,
	},
	{
		Finding{
			ID:       "logout-at-psc",
			Title:    "the logout also ends the session at PSC",
			Source:   "OIDC RP-Initiated Logout §2; PSC: logout mandatory",
			Severity: "high",
			Fix:      "send the browser to end_session_endpoint",
		},
		logoutAtPSC,
	},
	{
		Finding{
			ID:       "logout-hint",
			Title:    "the logout carries the id_token_hint",
			Source:   "OIDC RP-Initiated Logout §2; PSC: without it the person is asked",
			Severity: "medium",
			Fix:      "keep the id_token for the logout",
		},
		logoutHint,
	},
}

// short is how long access tokens live while refreshes are looked at. The
// application's own clock must pass it, so the check waits in earnest.
const short = 2 * time.Second

// age logs in with short tokens and opens the application's page again after
// their end, twice.
func (r *run) age(ctx context.Context) (*story, error) {
	if r.aged != nil {
		return r.aged, nil
	}
	back, err := r.shorten(ctx)
	if err != nil {
		return nil, err
	}
	defer back()
	p, err := r.pass(ctx)
	if err != nil {
		return nil, err
	}
	defer p.browser.Close()
	for range 2 {
		select {
		case <-time.After(short + 200*time.Millisecond):
		case <-ctx.Done():
			return nil, ctx.Err()
		}
		if _, err := p.browser.Open(ctx, r.pageOf(p)); err != nil {
			return nil, err
		}
	}
	r.aged, err = r.storyOf(ctx, p)
	return r.aged, err
}

// shorten makes access tokens live a short time; back undoes it.
func (r *run) shorten(ctx context.Context) (back func(), err error) {
	const name = "access-token-lifetime"
	set := func(ctx context.Context, value string) error {
		return api.Refused(r.API.PatchSettingsWithResponse(ctx, api.PatchSettingsJSONRequestBody{name: value}))
	}
	before, err := r.API.ListSettingsWithResponse(ctx)
	if err := api.Refused(before, err); err != nil {
		return nil, err
	}
	for _, setting := range before.JSON200.Items {
		if setting.Name == name {
			back = func() { _ = set(context.Background(), setting.Value) }
		}
	}
	return back, set(ctx, short.String())
}

// pageOf is the application's page for who is logged in.
func (r *run) pageOf(p *passage) string {
	switch {
	case r.Page != "":
		return r.Page
	case r.LoggedIn.Kind == "status":
		return r.LoggedIn.Value
	}
	u, err := url.Parse(p.page.URL)
	if err != nil || u.Query().Has("code") { // never the callback again
		return r.Start
	}
	return p.page.URL
}

func expiredTokenUnused(ctx context.Context, r *run, _ scenario) outcome {
	if r.good == nil {
		return notApplicable("no good login to look at")
	}
	s, err := r.age(ctx)
	if err != nil {
		return unjudged(err)
	}
	return judged(
		!s.refused("token-invalid"),
		fmt.Sprintf(
			"after the end of the token: %d UserInfo calls, %d refreshes",
			s.count("userinfo"),
			s.count("refresh"),
		),
	).in(s)
}

func refreshRotates(ctx context.Context, r *run, _ scenario) outcome {
	if r.good == nil {
		return notApplicable("no good login to look at")
	}
	s, err := r.age(ctx)
	if err != nil {
		return unjudged(err)
	}
	if s.count("refresh") == 0 && !s.refused("refresh-reused") {
		return notApplicable("the application does not refresh").in(s)
	}
	return judged(
		!s.refused("refresh-reused") && !s.refused("refresh-invalid"),
		fmt.Sprintf("%d refreshes", s.count("refresh")),
	).in(s)
}

// leave logs in and out again.
func (r *run) leave(ctx context.Context) (s *story, still bool, err error) {
	p, err := r.pass(ctx)
	if err != nil {
		return nil, false, err
	}
	defer p.browser.Close()
	at, err := p.browser.Open(ctx, r.Logout)
	if err != nil {
		return nil, false, err
	}
	if r.Page == "" && r.LoggedIn.Kind != "status" {
		if at, err = p.browser.Open(ctx, r.pageOf(p)); err != nil {
			return nil, false, err
		}
	}
	if still, err = r.isOpen(ctx, p.browser, at); err != nil {
		return nil, false, err
	}
	s, err = r.storyOf(ctx, p)
	return s, still, err
}

// leaving is a scenario of the logout.
func leaving(ctx context.Context, r *run, judge func(s *story, still bool) outcome) outcome {
	if r.good == nil || r.Logout == "" {
		return notApplicable("no logout URL was given (--logout)")
	}
	s, still, err := r.leave(ctx)
	if err != nil {
		return unjudged(err)
	}
	return judge(s, still).in(s)
}

func logoutCloses(ctx context.Context, r *run, _ scenario) outcome {
	return leaving(ctx, r, func(_ *story, still bool) outcome {
		if still {
			return failed("the session is still open")
		}
		return passed("the session has ended")
	})
}

func logoutAtPSC(ctx context.Context, r *run, _ scenario) outcome {
	return leaving(ctx, r, func(s *story, _ bool) outcome {
		return judged(
			s.count("logout")+s.count("revoke") > 0,
			fmt.Sprintf("%d logouts and %d revocations at PSC", s.count("logout"), s.count("revoke")),
		)
	})
}

func logoutHint(ctx context.Context, r *run, _ scenario) outcome {
	return leaving(ctx, r, func(s *story, _ bool) outcome {
		for _, e := range s.Events {
			if e.Kind == "logout" && e.Code == "" {
				return judged(e.Detail["client_id"] != "", "the logout named the client by its id_token_hint")
			}
		}
		return notApplicable("no logout at PSC")
	})
}
