package api

import (
	"github.com/labstack/echo/v4"
	"pscemu.invalid/pscemu/internal/problem"
	"pscemu.invalid/pscemu/internal/web"
	"pscemu.invalid/pscemu/provider/journal"
	"pscemu.invalid/pscemu/provider/wire"
)

// Refusals explains the codes of refusals.
type Refusals struct{ Journal *journal.Journal }

// Explanation is a code with what PSC would answer, and what came in one login.
type Explanation struct {
	problem.Why
	Answer *wire.Answer   `json:"psc_answer,omitempty"`
	Login  string         `json:"login,omitempty"`
	Event  *journal.Event `json:"event,omitempty"`
}

// Explain says what a code means, in a language, and what came in a login.
func (s *Refusals) Explain(code, loginID, lang string) (*Explanation, error) {
	w, ok := problem.WhyOf(code, lang)
	if !ok {
		return nil, problem.CodeNotOurs.With("nearest", problem.Nearest(code, problem.Codes())).Got(code)
	}
	out := &Explanation{Why: w, Login: loginID}
	key := w.PSC
	if key == "" {
		key = code
	}
	out.Answer = wire.Find(key)
	if l := s.Journal.Get(loginID); l != nil {
		for i := range l.Events {
			if l.Events[i].Code == code {
				out.Event = &l.Events[i]
			}
		}
	}
	return out, nil
}

func (s *Refusals) routes() []route {
	return []route{
		{
			"GET",
			"/why",
			"Every refusal code, what it means and what to do",
			func(echo.Context) (any, error) { return items{problem.Catalogue(web.English), ""}, nil },
		},
		{
			"GET",
			"/why/:code",
			"One code; ?login= adds what came",
			func(c echo.Context) (any, error) {
				return s.Explain(param(c, "code"), c.QueryParam("login"), web.English)
			},
		},
	}
}
