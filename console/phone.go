package console

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/labstack/echo/v4"

	"pscemu.invalid/pscemu/console/api"
	"pscemu.invalid/pscemu/console/shell"
	"pscemu.invalid/pscemu/identities"
	"pscemu.invalid/pscemu/identities/ecps"
	"pscemu.invalid/pscemu/identities/outbox"
	"pscemu.invalid/pscemu/internal/problem"
	"pscemu.invalid/pscemu/internal/web"
)

// phoneRoutes are the phone's pages: made for its screen, installable, live.
func (s *Console) phoneRoutes(e *echo.Echo) {
	e.GET("/phone", s.phoneHome)
	e.GET("/phone/activate", s.activatePage)
	e.GET("/phone/side", s.sidePage)
	e.GET("/phone/stream", s.phoneStream)
	e.GET("/phone/state", s.phoneState)
	e.GET("/phone/sw.js", s.worker)
	e.GET("/phone/:id", s.phonePage)
	e.POST("/phone/activate", s.completeActivation)
	e.POST("/phone/:id/remove", s.removePhone)
	e.POST("/phone/:id/:request", s.phoneAnswer)
	e.GET("/outbox", s.outboxPage)
}

// worker is the pages' service worker, for all of /phone.
func (s *Console) worker(c echo.Context) error {
	c.Response().Header().Set("Service-Worker-Allowed", web.Path(ctx(c), "/phone"))
	s.Pages.File("phone-worker.js").ServeHTTP(c.Response(), c.Request())
	return nil
}

// phoneHome lists the phones that this browser holds, opens another's, and
// reads QR codes.
func (s *Console) phoneHome(c echo.Context) error {
	if id := strings.TrimSpace(c.QueryParam("id")); id != "" {
		return web.Redirect(c, http.StatusSeeOther, "/phone/"+url.PathEscape(id))
	}
	return s.views.Bare.Show(c, http.StatusOK, "phone/home", map[string]any{"Title": "e-CPS"})
}

// activatePage asks for the e-CPS code, and the SMS code when there is one.
func (s *Console) activatePage(c echo.Context) error { return s.showActivate(c, nil) }

func (s *Console) showActivate(c echo.Context, refusal error) error {
	qr := c.FormValue("qr")
	data := map[string]any{"Title": "Activer une e-CPS", "QR": qr}
	a, err := s.ECPS.Scanned(ctx(c), qr)
	if refusal == nil && qr != "" {
		refusal = err
	}
	if err == nil {
		person, err := s.People.Get(ctx(c), a.NationalID)
		if err != nil {
			return err
		}
		data["Person"], data["SMS"] = person, a.By == ecps.ByContact
	}
	return s.views.Bare.Form(c, "phone/activate", data, refusal)
}

// completeActivation takes the form, with the public key that the page's
// script made; without a script the console holds the phone.
func (s *Console) completeActivation(c echo.Context) error {
	code := c.FormValue("code")
	var err error
	if code != c.FormValue("again") {
		err = problem.ECPSCodesDiffer.Of()
	}
	var d *ecps.Device
	if err == nil {
		d, err = s.ECPS.Complete(
			ctx(c),
			ecps.Completion{QR: c.FormValue("qr"), SMS: c.FormValue("sms"), Code: code, Key: c.FormValue("key")},
		)
	}
	if wantsJSON := strings.Contains(c.Request().Header.Get("Accept"), "application/json"); wantsJSON {
		if err != nil {
			return err
		}
		return c.JSON(http.StatusCreated, map[string]string{"device": d.ID, "national_id": d.NationalID})
	}
	if err != nil {
		return s.showActivate(c, err)
	}
	return web.Redirect(c, http.StatusSeeOther, "/phone/"+url.PathEscape(d.NationalID))
}

// phoneView is what one phone shows.
type phoneView struct {
	Person           *identities.Identity
	Device           *ecps.Device
	Pending, History []ecps.Request
	Path, Seen       string
	Problem          *problem.Error
}

func (s *Console) phoneView(c echo.Context, id string) (*phoneView, error) {
	person, err := s.People.Get(ctx(c), id)
	if err != nil {
		return nil, err
	}
	device, err := s.ECPS.Device(ctx(c), id)
	if err != nil {
		return nil, err
	}
	all, _, err := s.ECPS.Requests(ctx(c), ecps.Filter{NationalID: id, Means: identities.MeansECPS})
	if err != nil {
		return nil, err
	}
	v := &phoneView{Person: person, Device: device, Path: "/phone/" + url.PathEscape(id), Seen: seen(all)}
	for _, r := range all {
		if r.State == ecps.Pending {
			v.Pending = append(v.Pending, r)
		} else {
			v.History = append([]ecps.Request{r}, v.History...)
		}
	}
	return v, nil
}

// seen names the requests that wait.
func seen(rs []ecps.Request) (out string) {
	for _, r := range rs {
		if r.State == ecps.Pending {
			out += r.ID + " "
		}
	}
	return out
}

// phonePage is the person's phone: its requests, live.
func (s *Console) phonePage(c echo.Context) error { return s.phone(c, nil) }

func (s *Console) phone(c echo.Context, refusal error) error {
	v, err := s.phoneView(c, param(c, "id"))
	if err != nil {
		return err
	}
	status := http.StatusOK
	if refusal != nil {
		status, v.Problem = http.StatusUnprocessableEntity, problem.From(refusal)
	}
	return s.views.Bare.Show(
		c,
		status,
		"phone/phone",
		map[string]any{"Title": "Téléphone de " + v.Person.Name(), "Phones": []*phoneView{v}},
	)
}

// sidePage shows several phones in one window.
func (s *Console) sidePage(c echo.Context) error {
	var all []*phoneView
	for _, id := range c.QueryParams()["id"] {
		v, err := s.phoneView(c, id)
		if err != nil {
			return err
		}
		all = append(all, v)
	}
	return s.views.Bare.Show(c, http.StatusOK, "phone/phone", map[string]any{"Title": "Téléphones", "Phones": all})
}

// waitingOn says, by person, which requests wait.
func (s *Console) waitingOn(c echo.Context, ids []string) (map[string]string, error) {
	out := map[string]string{}
	for _, id := range ids {
		rs, _, err := s.ECPS.Requests(ctx(c), ecps.Filter{NationalID: id, Means: identities.MeansECPS, PendingOnly: true})
		if err != nil {
			return nil, err
		}
		out[id] = seen(rs)
	}
	return out, nil
}

// phoneStream tells the page of every change, as server-sent events.
func (s *Console) phoneStream(c echo.Context) error {
	ids := c.QueryParams()["id"]
	return api.Events(c, s.ECPS, s.Closing, func() (any, error) { return s.waitingOn(c, ids) })
}

// events sends what now says whenever a request changes, and differs.
func (s *Console) events(c echo.Context, now func() (any, error)) error {
	if err := web.Hold(c); err != nil {
		return err
	}
	w := c.Response()
	w.Header().Set("Content-Type", "text/event-stream")
	w.WriteHeader(http.StatusOK)
	changed, last := s.ECPS.Watch(ctx(c)), ""
	for {
		v, err := now()
		if err != nil {
			return err
		}
		data, err := json.Marshal(v)
		if err != nil {
			return err
		}
		if string(data) != last {
			last = string(data)
			if _, err := fmt.Fprintf(w, "data: %s\n\n", data); err != nil {
				return nil // the page is gone
			}
			w.Flush()
		}
		if !api.Changes(changed, s.Closing) {
			return nil
		}
	}
}

// changes waits for the next change; false when the request or the server ends.
func (s *Console) changes(changed <-chan string) bool {
	select {
	case _, open := <-changed:
		return open
	case <-s.Closing:
		return false
	}
}

// phoneState is the stream's stand-in where there is none: a long poll that
// answers when other requests wait than those seen.
func (s *Console) phoneState(c echo.Context) error {
	if err := web.Hold(c); err != nil {
		return err
	}
	ids := c.QueryParams()["id"]
	changed := s.ECPS.Watch(ctx(c))
	for {
		now, err := s.waitingOn(c, ids)
		if err != nil {
			return err
		}
		if raw, _ := json.Marshal(now); string(raw) != c.QueryParam("seen") || !api.Changes(changed, s.Closing) {
			return c.JSON(http.StatusOK, now)
		}
	}
}

// phoneAnswer is the person's thumb: code and number, or a refusal, signed by
// the phone's key.
func (s *Console) phoneAnswer(c echo.Context) error {
	r, err := s.ECPS.Request(ctx(c), param(c, "request"))
	if err == nil && r.NationalID != param(c, "id") {
		err = problem.ECPSOtherPerson.Of()
	}
	if err != nil {
		return err
	}
	if c.FormValue("answer") == "refuse" {
		_, err = s.ECPS.Refuse(ctx(c), r.ID, c.FormValue("signature"))
	} else {
		_, err = s.ECPS.Approve(
			ctx(c),
			r.ID,
			ecps.Response{
				Code:      c.FormValue("code"),
				Number:    c.FormValue("number"),
				Signature: c.FormValue("signature"),
			},
		)
	}
	if err != nil {
		return s.phone(c, err)
	}
	return web.Redirect(c, http.StatusSeeOther, "/phone/"+url.PathEscape(r.NationalID))
}

func (s *Console) removePhone(c echo.Context) error {
	if err := s.ECPS.Remove(ctx(c), param(c, "id"), c.FormValue("why")); err != nil {
		return err
	}
	return web.Redirect(c, http.StatusSeeOther, "/phone")
}

// mailView is a message with the QR code it holds.
type mailView struct {
	outbox.Message
	Image any
}

// outboxPage shows the mails and SMS, the newest first.
func (s *Console) outboxPage(c echo.Context) error {
	id := c.QueryParam("national_id")
	list, part, err := shell.Shown(c, shell.List{Path: "/outbox", Filter: url.Values{"national_id": {id}},
		Count: func(ctx context.Context, most int) (int, error) { return s.Outbox.Count(ctx, id, most) }},
		s.newestMails(ctx(c), id))
	if err != nil {
		return err
	}
	rows := make([]mailView, len(list))
	for n, m := range list {
		rows[n] = mailView{Message: m}
	}
	for n := range rows[:min(len(rows), 20)] { // older ones have their link
		if rows[n].Link != "" {
			if rows[n].Image, err = web.QR(rows[n].Link); err != nil {
				return err
			}
		}
	}
	return s.views.Whole.Show(c, http.StatusOK, "console/outbox", map[string]any{
		"Title": "Courriels et SMS", "Messages": rows, "Part": part})
}

// newestMails are everybody's, by pages, or a person's, of whom few are kept.
func (s *Console) newestMails(c context.Context, id string) api.Lister[outbox.Message] {
	if id == "" {
		return func(after string, limit int) ([]outbox.Message, string, error) {
			return s.Outbox.Latest(c, after, limit)
		}
	}
	return func(string, int) ([]outbox.Message, string, error) {
		list, err := s.Outbox.List(c, outbox.Filter{NationalID: id}, outbox.MaxOf)
		slices.Reverse(list)
		return list, "", err
	}
}
