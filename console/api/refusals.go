package api

import (
	"context"

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

type explainRefusal struct {
	// Code of the refusal.
	Code string `path:"code"`
	// Login is the id of a login: the answer then holds what came in it.
	Login string `query:"login"`
}

func (s *Refusals) list(context.Context, *None) (*List[problem.Why], error) {
	return all(problem.Catalogue(web.English)), nil
}

func (s *Refusals) explain(_ context.Context, in *explainRefusal) (*Explanation, error) {
	return s.Explain(in.Code, in.Login, web.English)
}

func (s *Refusals) operations() []Operation {
	return of("refusals",
		operation("GET", "/why", "listRefusals", "List every refusal code, what it means and what to do", s.list),
		operation("GET", "/why/:code", "explainRefusal", "Explain a refusal code", s.explain,
			refuses(problem.CodeNotOurs), example(Example{Path: map[string]string{"code": "pin-wrong"}})),
	)
}
