package pages

import (
	"context"
	"crypto/x509"
	"fmt"
	"net/http"
	"net/url"

	"github.com/labstack/echo/v4"

	"pscemu.invalid/pscemu/cards/pki"
	"pscemu.invalid/pscemu/console/api"
	"pscemu.invalid/pscemu/console/shell"
	"pscemu.invalid/pscemu/internal/web"
	"pscemu.invalid/pscemu/provider/journal"
)

// Logins are the pages of the journal: the logins, live, and the story of one.
type Logins struct {
	View    *web.View
	API     *api.Logins
	Closing <-chan struct{} // streams end with it
}

// Register adds the routes.
func (h *Logins) Register(e *echo.Echo) {
	e.GET("/logins", h.list)
	e.GET("/logins/stream", h.stream)
	e.GET("/logins/:id", h.one)
}

func (h *Logins) list(c echo.Context) error {
	q := journal.QueryOf(c.QueryParams(), 0)
	rows, part, err := shell.Shown(c, shell.List{Path: "/logins",
		Filter: url.Values{"client": {q.Client}, "identity": {q.Identity}, "code": {q.Code}, "event": {string(q.Event)}},
		Count:  func(context.Context, int) (int, error) { return h.API.Journal.Fitting(q), nil }}, h.API.List(q))
	if err != nil {
		return err
	}
	return h.View.Show(c, http.StatusOK, "console/logins", map[string]any{"Title": "Connexions", "Logins": rows,
		"Part": part, "Query": q})
}

// stream tells the page of each new event.
func (h *Logins) stream(c echo.Context) error {
	if err := web.Hold(c); err != nil {
		return err
	}
	w := c.Response()
	w.Header().Set("Content-Type", "text/event-stream")
	w.WriteHeader(http.StatusOK)
	for {
		seq, changed := h.API.Journal.Last()
		if _, err := fmt.Fprintf(w, "data: %d\n\n", seq); err != nil {
			return nil // the page is gone
		}
		w.Flush()
		select {
		case <-changed:
		case <-shell.Context(c).Done():
			return nil
		case <-h.Closing:
			return nil
		}
	}
}

// step is an event as its page draws it.
type step struct {
	journal.Arrow
	Number      int
	Y, X1, X2   int
	Certificate string // described
	View        *journal.View
	Curl        string
	Advice      []journal.Advice
}

// The diagram's measures, in pixels.
const (
	laneWidth = 220
	laneStart = 110
	rowHeight = 44
	rowStart  = 70
)

// lane is somebody in the diagram.
type lane struct {
	Name string
	X    int
}

// one draws a login as a sequence of messages, and tells each of them.
func (h *Logins) one(c echo.Context) error {
	l, err := h.API.Find(web.Param(c, "id"))
	if err != nil {
		return err
	}
	steps, lanes := stepsOf(l), []lane{}
	for i, name := range journal.Lanes {
		lanes = append(lanes, lane{name, laneStart + i*laneWidth})
	}
	return h.View.Show(c, http.StatusOK, "console/login", map[string]any{
		"Title":  "Connexion " + l.ID,
		"Login":  l,
		"Steps":  steps,
		"Lanes":  lanes,
		"Width":  laneWidth * len(lanes),
		"Height": rowStart + len(steps)*rowHeight,
	})
}

// stepsOf lays the events of a login out.
func stepsOf(l *journal.Login) (out []step) {
	for i, a := range l.Arrows() {
		st := step{
			Arrow:  a,
			Number: i + 1,
			Y:      rowStart + i*rowHeight,
			X1:     laneStart + a.From*laneWidth,
			X2:     laneStart + a.To*laneWidth,
			Advice: a.Event.Advice(),
		}
		if x := a.Event.Exchange; x != nil && x.Status != 0 {
			v := x.View()
			st.View, st.Curl = &v, x.Curl()
			if cert, err := x509.ParseCertificate(x.Certificate); err == nil {
				st.Certificate = pki.Describe(cert)
			}
		}
		out = append(out, st)
	}
	return out
}
