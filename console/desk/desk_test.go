package desk_test

import (
	"net/http"
	"net/url"
	"strings"
	"testing"

	"pscemu.invalid/pscemu/internal/testkit"
)

// counter is the desk with a browser before it.
type counter struct {
	*testkit.Server
	browser *http.Client
}

func (c counter) get(path string) (int, string) {
	c.T.Helper()
	resp, err := c.browser.Get(c.ConsoleURL + path)
	if err != nil {
		c.T.Fatal(err)
	}
	return resp.StatusCode, testkit.Text(c.T, resp)
}

func (c counter) post(path string, form url.Values) (int, string, string) {
	c.T.Helper()
	resp, err := c.browser.PostForm(c.ConsoleURL+path, form)
	if err != nil {
		c.T.Fatal(err)
	}
	return resp.StatusCode, resp.Header.Get("Location"), testkit.Text(c.T, resp)
}

// done sends a form that leads on, and returns where.
func (c counter) done(path string, form url.Values) string {
	c.T.Helper()
	status, to, page := c.post(path, form)
	if status != http.StatusSeeOther {
		c.T.Fatalf("%s %v: %d %.900s", path, form, status, page)
	}
	return to
}

// refused sends a form that is refused with this code on its page.
func (c counter) refused(path string, form url.Values, code string) string {
	c.T.Helper()
	status, _, page := c.post(path, form)
	if status != http.StatusUnprocessableEntity || !strings.Contains(page, code) {
		c.T.Errorf("%s %v: %d, no %s in\n%.2500s", path, form, status, code, page)
	}
	return page
}

func TestAnOrderIsFilledInAndLivesOnThePages(t *testing.T) {
	t.Parallel()
	s := testkit.Start(t)
	c := counter{s, s.ConsoleBrowser()}
	_, page := c.get("/orders?actor=etablissement")
	testkit.Holds(t, page, `data-testid="form-F101"`, "0 en tout")
	_, page = c.get("/orders/new?form=F101&actor=etablissement")
	testkit.Holds(t, page, "F101", `name="field.finess"`)
	form := url.Values{"form": {"F101"}, "actor": {"etablissement"}, "channel": {"paper"}}
	for name, value := range testkit.HeadOf {
		form.Set("field."+name, value)
	}
	page = c.refused("/orders/new", form, "order-")
	testkit.Holds(t, page, "STRUCTURE FICTIVE")
	card := s.CardOf(testkit.Nurse)
	form = url.Values{"form": {"F501"}, "actor": {"etablissement"}, "by": {testkit.Nurse},
		"field.carte": {card.Serial}, "field.incident": {"perte"}}
	at := c.done("/orders/new", form)
	if status, page := c.get(at); status != http.StatusOK || !strings.Contains(page, "F501") {
		t.Errorf("the order: %d %.900s", status, page)
	}
	_, page = c.get("/orders")
	testkit.Holds(t, page, at)
	for action, want := range map[string]int{"explode": http.StatusNotFound, "submit": http.StatusConflict} {
		if status, _, page := c.post(at+"/"+action, nil); status != want {
			t.Errorf("%s: %d %.600s", action, status, page)
		}
	}
	for path, want := range map[string]int{
		"/orders/none": 404, "/orders?actor=nobody": 400, "/orders/new?form=F999": 400,
	} {
		if status, page := c.get(path); status != want {
			t.Errorf("%s: %d %.300s", path, status, page)
		}
	}
}

func TestOnlyACardOpensTheSpaceOfItsHolder(t *testing.T) {
	t.Parallel()
	s := testkit.Start(t)
	c := counter{s, s.ConsoleBrowser()}
	_, page := c.get("/desk")
	testkit.Holds(t, page, "/desk/start")
	if to := c.done("/desk/order", url.Values{"form": {"F501"}}); to != "/desk" {
		t.Errorf("nobody's order leads to %s", to)
	}
	if status, page := c.get("/desk/callback?state=x"); status != http.StatusForbidden {
		t.Errorf("a callback of no login: %d %.600s", status, page)
	}
	resp, err := c.browser.Get(s.ConsoleURL + "/desk/start")
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	var performed struct {
		RedirectTo string `json:"redirect_to"`
	}
	s.Must("POST", "/logins", map[string]string{"authorize_url": resp.Header.Get("Location"), "identity": testkit.Nurse,
		"means": "ecps"}, &performed)
	if resp, err = c.browser.Get(performed.RedirectTo); err != nil {
		t.Fatal(err)
	}
	if page := testkit.Text(
		t,
		resp,
	); resp.StatusCode != http.StatusForbidden ||
		!strings.Contains(page, "desk-wants-card") {
		t.Errorf("by e-CPS: %d %.900s", resp.StatusCode, page)
	}
}

func TestAHolderReportsTheirCardAndLeaves(t *testing.T) {
	t.Parallel()
	s := testkit.Start(t)
	card := s.CardOf(testkit.Nurse)
	c := counter{s, s.DeskBrowser(card)}
	_, page := c.get("/desk")
	testkit.Holds(t, page, `data-testid="desk-by">`+testkit.Nurse, card.Serial, `data-testid="tom-refused"`)
	c.refused("/desk/order", url.Values{"form": {"F301"}, "service": {"TOM"}}, "service-refused")
	if status, _, _ := c.post("/desk/order", url.Values{"form": {"F999"}}); status != http.StatusBadRequest {
		t.Errorf("an unknown form: %d", status)
	}
	c.refused("/desk/take-back", url.Values{"card": {card.Serial}}, "problem")
	to := c.done("/desk/order", url.Values{"form": {"F501"}, "carte": {card.Serial}, "incident": {"perte"}})
	if !strings.HasPrefix(to, "/orders/") {
		t.Errorf("the order leads to %s", to)
	}
	c.done("/desk/leave", nil)
	if _, page = c.get("/desk"); strings.Contains(page, "desk-by") {
		t.Error("they are still there")
	}
}

func TestAnAdministratorOrdersBindsAndRevokesACertificateAtTheDesk(t *testing.T) {
	t.Parallel()
	s := testkit.Start(t)
	_, agent := testkit.Desk{Server: s}.Vendor()
	c := counter{s, s.DeskBrowser(agent)}
	_, page := c.get("/desk")
	testkit.Holds(t, page, testkit.VendorSIRET)
	order := url.Values{"structure": {testkit.VendorSIRET}, "profile": {"AUTH_CLI"}, "service": {"dossier"}}
	c.done("/desk/certificate", order)
	var list struct{ Items []struct{ Serial string } }
	s.API("GET", "/orders/certificates?by="+url.QueryEscape(agent.NationalID), "", &list)
	if len(list.Items) != 1 {
		t.Fatalf("the certificates: %+v", list)
	}
	serial := list.Items[0].Serial
	_, page = c.get("/desk")
	testkit.Holds(t, page, serial)
	s.AddClient("vendor", "https://app.example/cb")
	s.Issued("vendor")
	bind := url.Values{"serial": {serial}, "client": {"vendor"}}
	testkit.Holds(t, c.refused("/desk/bind", bind, "client-bound"), `data-testid="bind-anyway"`)
	bind.Set("replace", "true")
	if to := c.done("/desk/bind", bind); to != "/clients/vendor" {
		t.Errorf("the binding leads to %s", to)
	}
	c.refused("/desk/certificate", url.Values{"structure": {"00000000000000"}, "profile": {"AUTH_CLI"}}, "problem")
	c.done("/desk/revoke", url.Values{"serial": {serial}})
	c.refused("/desk/revoke", url.Values{"serial": {"0"}}, "problem")
}
