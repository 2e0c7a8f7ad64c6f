// Package phone shows the phones on which people approve their logins.
package phone

import (
	"encoding/json"
	"net/http"
	"net/url"
	"strings"

	"github.com/labstack/echo/v4"

	"pscemu.invalid/pscemu/console/api"
	"pscemu.invalid/pscemu/console/shell"
	"pscemu.invalid/pscemu/identities"
	"pscemu.invalid/pscemu/identities/ecps"
	"pscemu.invalid/pscemu/internal/problem"
	"pscemu.invalid/pscemu/internal/web"
)

// Phones are the pages of the phones that hold an e-CPS: made for their screen,
// installable, live.
type Phones struct {
	View    *web.View
	ECPS    *ecps.Phones
	People  *identities.People
	Closing <-chan struct{} // streams end with it
}

// Register adds the routes.
func (h *Phones) Register(e *echo.Echo) {
	e.GET("/phone", h.home)
	e.GET("/phone/activate", h.activate)
	e.GET("/phone/side", h.side)
	e.GET("/phone/stream", h.stream)
	e.GET("/phone/state", h.state)
	e.GET("/phone/sw.js", h.worker)
	e.GET("/phone/:id", h.one)
	e.POST("/phone/activate", h.complete)
	e.POST("/phone/:id/remove", h.remove)
	e.POST("/phone/:id/:request", h.answer)
}

// worker is the pages' service worker, for all of /phone.
func (h *Phones) worker(c echo.Context) error {
	c.Response().Header().Set("Service-Worker-Allowed", web.Path(shell.Context(c), "/phone"))
	h.View.Pages.File("phone-worker.js").ServeHTTP(c.Response(), c.Request())
	return nil
}

// home lists the phones that this browser holds, opens another's, and
// reads QR codes.
func (h *Phones) home(c echo.Context) error {
	if id := strings.TrimSpace(c.QueryParam("id")); id != "" {
		return web.Redirect(c, http.StatusSeeOther, "/phone/"+url.PathEscape(id))
	}
	return h.View.Show(c, http.StatusOK, "phone/home", map[string]any{"Title": "e-CPS"})
}

// activate asks for the e-CPS code, and the SMS code when there is one.
func (h *Phones) activate(c echo.Context) error { return h.showActivate(c, nil) }

func (h *Phones) showActivate(c echo.Context, refusal error) error {
	qr := c.FormValue("qr")
	data := map[string]any{"Title": "Activer une e-CPS", "QR": qr}
	a, err := h.ECPS.Scanned(shell.Context(c), qr)
	if refusal == nil && qr != "" {
		refusal = err
	}
	if err == nil {
		person, err := h.People.Get(shell.Context(c), a.NationalID)
		if err != nil {
			return err
		}
		data["Person"], data["SMS"] = person, a.By == ecps.ByContact
	}
	return h.View.Form(c, "phone/activate", data, refusal)
}

// complete takes the form, with the public key that the page's
// script made; without a script the console holds the phone.
func (h *Phones) complete(c echo.Context) error {
	code := c.FormValue("code")
	var err error
	if code != c.FormValue("again") {
		err = problem.ECPSCodesDiffer.Of()
	}
	var d *ecps.Device
	if err == nil {
		d, err = h.ECPS.Complete(
			shell.Context(c),
			ecps.Completion{QR: c.FormValue("qr"), SMS: c.FormValue("sms"), Code: code, Key: c.FormValue("key")},
		)
	}
	if wantsJSON := strings.Contains(c.Request().Header.Get("Accept"), "application/json"); wantsJSON {
		if err != nil { // the page's script shows it
			return problem.From(err).Page(h.View.Lang(c))
		}
		return c.JSON(http.StatusCreated, map[string]string{"device": d.ID, "national_id": d.NationalID})
	}
	if err != nil {
		return h.showActivate(c, err)
	}
	return web.Redirect(c, http.StatusSeeOther, "/phone/"+url.PathEscape(d.NationalID))
}

// screen is what one phone shows.
type screen struct {
	Person           *identities.Identity
	Device           *ecps.Device
	Pending, History []ecps.Request
	Path, Seen       string
	Problem          *problem.Error
}

func (h *Phones) look(c echo.Context, id string) (*screen, error) {
	person, err := h.People.Get(shell.Context(c), id)
	if err != nil {
		return nil, err
	}
	device, err := h.ECPS.Device(shell.Context(c), id)
	if err != nil {
		return nil, err
	}
	all, _, err := h.ECPS.Requests(shell.Context(c), ecps.Filter{NationalID: id, Means: identities.MeansECPS})
	if err != nil {
		return nil, err
	}
	v := &screen{Person: person, Device: device, Path: "/phone/" + url.PathEscape(id), Seen: seen(all)}
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

// one is the person's phone: its requests, live.
func (h *Phones) one(c echo.Context) error { return h.show(c, nil) }

func (h *Phones) show(c echo.Context, refusal error) error {
	v, err := h.look(c, web.Param(c, "id"))
	if err != nil {
		return err
	}
	status := http.StatusOK
	if refusal != nil {
		status, v.Problem = http.StatusUnprocessableEntity, problem.From(refusal)
	}
	data := map[string]any{"Title": "Téléphone de " + v.Person.Name(), "Phones": []*screen{v}}
	return h.View.Show(c, status, "phone/phone", data)
}

// side shows several phones in one window.
func (h *Phones) side(c echo.Context) error {
	var all []*screen
	for _, id := range c.QueryParams()["id"] {
		v, err := h.look(c, id)
		if err != nil {
			return err
		}
		all = append(all, v)
	}
	return h.View.Show(c, http.StatusOK, "phone/phone", map[string]any{"Title": "Téléphones", "Phones": all})
}

// waitingOn says, by person, which requests wait.
func (h *Phones) waitingOn(c echo.Context, ids []string) (map[string]string, error) {
	out := map[string]string{}
	for _, id := range ids {
		rs, _, err := h.ECPS.Requests(
			shell.Context(c),
			ecps.Filter{NationalID: id, Means: identities.MeansECPS, PendingOnly: true},
		)
		if err != nil {
			return nil, err
		}
		out[id] = seen(rs)
	}
	return out, nil
}

// stream tells the page of every change, as server-sent events.
func (h *Phones) stream(c echo.Context) error {
	ids := c.QueryParams()["id"]
	return api.Events(c, h.ECPS, h.Closing, func() (any, error) { return h.waitingOn(c, ids) })
}

// state is the stream's stand-in where there is none: a long poll that
// answers when other requests wait than those seen.
func (h *Phones) state(c echo.Context) error {
	if err := web.Hold(c); err != nil {
		return err
	}
	ids := c.QueryParams()["id"]
	changed := h.ECPS.Watch(shell.Context(c))
	for {
		now, err := h.waitingOn(c, ids)
		if err != nil {
			return err
		}
		if raw, _ := json.Marshal(now); string(raw) != c.QueryParam("seen") || !api.Goes(changed, h.Closing) {
			return c.JSON(http.StatusOK, now)
		}
	}
}

// answer is the person's thumb: code and number, or a refusal, signed by
// the phone's key.
func (h *Phones) answer(c echo.Context) error {
	r, err := h.ECPS.Request(shell.Context(c), web.Param(c, "request"))
	if err == nil && r.NationalID != web.Param(c, "id") {
		err = problem.ECPSOtherPerson.Of()
	}
	if err != nil {
		return err
	}
	if c.FormValue("answer") == "refuse" {
		_, err = h.ECPS.Refuse(shell.Context(c), r.ID, c.FormValue("signature"))
	} else {
		_, err = h.ECPS.Approve(
			shell.Context(c),
			r.ID,
			ecps.Response{
				Code:      c.FormValue("code"),
				Number:    c.FormValue("number"),
				Signature: c.FormValue("signature"),
			},
		)
	}
	if err != nil {
		return h.show(c, err)
	}
	return web.Redirect(c, http.StatusSeeOther, "/phone/"+url.PathEscape(r.NationalID))
}

func (h *Phones) remove(c echo.Context) error {
	if err := h.ECPS.Remove(shell.Context(c), web.Param(c, "id"), c.FormValue("why")); err != nil {
		return err
	}
	return web.Redirect(c, http.StatusSeeOther, "/phone")
}
