package api

import (
	"context"
	"strings"

	"github.com/labstack/echo/v4"
)

// Doctor finds what may keep a first login from working.
type Doctor struct {
	// Examine looks at everything, and at an application when app is not empty.
	Examine func(ctx context.Context, app string) []Finding
}

// Finding is one thing that was looked at.
type Finding struct {
	What   string `json:"what"`
	Grade  string `json:"grade"` // good, warning or bad
	Found  string `json:"found"`
	Remedy string `json:"remedy,omitempty"`
}

func (s *Doctor) routes() []route {
	return []route{
		{
			"GET",
			"/doctor",
			"What may keep a first login from working: host names, trust, clock, redirect URIs, certificates; ?app=URL looks at an application too",
			func(c echo.Context) (any, error) {
				return items{s.Examine(ctx(c), strings.TrimSpace(c.QueryParam("app"))), ""}, nil
			},
		},
	}
}
