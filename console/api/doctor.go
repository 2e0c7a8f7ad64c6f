package api

import (
	"context"
	"strings"
)

// Doctor finds what may keep a first login from working.
type Doctor struct {
	// Examine looks at everything, and at an application when app is not empty.
	Examine func(ctx context.Context, app string) []Finding
}

// Finding is one thing that was looked at.
type Finding struct {
	What string `json:"what"`
	// Grade is good, warning or bad.
	Grade  string `json:"grade"`
	Found  string `json:"found"`
	Remedy string `json:"remedy,omitempty"`
}

type examine struct {
	// App is the address of an application, which is looked at too.
	App string `query:"app"`
}

func (s *Doctor) examine(c context.Context, in *examine) (*List[Finding], error) {
	return all(s.Examine(c, strings.TrimSpace(in.App))), nil
}

func (s *Doctor) operations() []Operation {
	return of("doctor",
		operation("GET", "/doctor", "examine", "Find what may keep a first login from working", s.examine,
			says("Host names, trust, clock, redirect URIs, certificates.")),
	)
}
