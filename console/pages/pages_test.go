package pages_test

import (
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"testing"

	"pscemu.invalid/pscemu/internal/testkit"
)

// workshop is a console with a browser that opened it.
type workshop struct {
	*testkit.Server
	browser *http.Client
}

func open(t *testing.T, settings ...string) *workshop {
	t.Helper()
	s := testkit.Start(t, settings...)
	return &workshop{s, s.ConsoleBrowser()}
}

// get is a page with its status.
func (w *workshop) get(path string) (int, string) {
	w.T.Helper()
	resp, err := w.browser.Get(w.ConsoleURL + path)
	if err != nil {
		w.T.Fatal(err)
	}
	return resp.StatusCode, testkit.Text(w.T, resp)
}

// shown is a page that is shown.
func (w *workshop) shown(path string) string {
	w.T.Helper()
	status, page := w.get(path)
	if status != http.StatusOK {
		w.T.Fatalf("%s: %d %.600s", path, status, page)
	}
	return page
}

// post sends a form and returns where it leads, with the status and the page.
func (w *workshop) post(path string, form url.Values) (int, string, string) {
	w.T.Helper()
	resp, err := w.browser.PostForm(w.ConsoleURL+path, form)
	if err != nil {
		w.T.Fatal(err)
	}
	return resp.StatusCode, resp.Header.Get("Location"), testkit.Text(w.T, resp)
}

// done sends a form that leads on, and returns where.
func (w *workshop) done(path string, form url.Values) string {
	w.T.Helper()
	status, to, page := w.post(path, form)
	if status != http.StatusSeeOther {
		w.T.Fatalf("%s %v: %d %.900s", path, form, status, page)
	}
	return to
}

// holds tells what of these a page lacks.
func holds(t *testing.T, what, page string, wanted ...string) {
	t.Helper()
	for _, want := range wanted {
		if !strings.Contains(page, want) {
			t.Errorf("%s: no %s in\n%.2500s", what, want, page)
		}
	}
}

func TestEveryPageOfTheWorkshopIsShown(t *testing.T) {
	t.Parallel()
	w := open(t)
	id := url.PathEscape(testkit.Doctor)
	card := w.CardOf(testkit.Doctor)
	for path, want := range map[string]string{
		"/":                                    "door-login-hint",
		"/identities":                          testkit.Doctor,
		"/identities?q=zzzz":                   "Personne ne correspond.",
		"/identities/" + id:                    `data-testid="claims"`,
		"/identities/new":                      `data-testid="edit"`,
		"/identities/" + id + "/edit":          "readonly",
		"/cards":                               card.Serial,
		"/cards?national_id=" + testkit.Doctor: card.Serial,
		"/cards/" + card.Serial:                `data-testid="card-face"`,
		"/clients":                             ">demo<",
		"/clients/demo":                        `data-testid="bound-dn"`,
		"/certificates":                        `name="q"`,
		"/certificates?client_id=demo":         "AUTH_CLI",
		"/logins":                              `data-testid="logins"`,
		"/scenario":                            "name=\"scenario\"",
		"/doctor":                              "Diagnostic",
		"/why":                                 "/why/card-blocked",
		"/why/card-blocked":                    "card-blocked",
		"/reader":                              "Lecteur de cartes",
		"/deliveries":                          "Envois",
		"/fidelity":                            "Fidélité",
		"/outbox":                              "Courriels et SMS",
		"/sign":                                `name="pin"`,
	} {
		holds(t, path, w.shown(path), want, `data-testid="emulator-band"`, `<html lang="fr">`)
	}
	for path, want := range map[string]int{
		"/identities/899700009999": 404, "/cards/0": 404, "/clients/nobody": 404, "/logins/none": 404,
		"/why/no-such-code": 404, "/jobs/none": 404, "/identities/new?profession=00": 422, "/nowhere": 404,
	} {
		if status, page := w.get(path); status != want {
			t.Errorf("%s: %d %.300s", path, status, page)
		}
	}
}

func TestOneThingIsDoneToAPerson(t *testing.T) {
	t.Parallel()
	w := open(t)
	at := "/identities/" + url.PathEscape(testkit.Nurse)
	was := strings.Count(w.shown(at), "/api/v1/cards/")
	w.done(at+"/tag", url.Values{"tag": {"garde"}})
	holds(t, "the tag", w.shown("/identities?tag=garde"), testkit.Nurse)
	w.done(at+"/untag", url.Values{"tag": {"garde"}})
	holds(t, "without the tag", w.shown("/identities?tag=garde"), "Personne ne correspond.")
	w.done(at+"/behaviour", url.Values{"behaviour": {"refuse"}, "after": {"3s"}})
	holds(t, "the behaviour", w.shown(at), "refuse")
	w.done(at+"/ecps", nil)
	w.done(at+"/card", url.Values{"type": {"CPS"}})
	if now := strings.Count(w.shown(at), "/cards/"); now <= was {
		t.Errorf("%d cards on the page, %d before", now, was)
	}
	to := w.done(at+"/delete", nil)
	holds(t, "the deleted", w.shown(to), `data-testid="undo"`)
	if status, _ := w.get(at); status != http.StatusNotFound {
		t.Errorf("deleted: %d", status)
	}
	w.done(at+"/restore", nil)
	w.shown(at)
	for action, want := range map[string]int{"explode": 404, "behaviour": 400} {
		if status, _, page := w.post(at+"/"+action, url.Values{"behaviour": {"sing"}}); status != want {
			t.Errorf("%s: %d %.300s", action, status, page)
		}
	}
}

func TestOneThingIsDoneToManyAtOnce(t *testing.T) {
	t.Parallel()
	w := open(t)
	two := url.Values{"action": {"tag"}, "tag": {"ensemble"}, "id": {testkit.Nurse, testkit.Doctor}}
	if to := w.done("/identities/bulk", two); !strings.Contains(to, url.QueryEscape("2 sur 2")) {
		t.Errorf("both are tagged: %s", to)
	}
	found := url.Values{"action": {"untag"}, "tag": {"ensemble"}, "all": {"1"}, "with": {"ensemble"}}
	if to := w.done("/identities/bulk", found); !strings.Contains(to, url.QueryEscape("2 sur 2")) {
		t.Errorf("all whom the search finds: %s", to)
	}
	two.Set("action", "delete")
	two["id"] = append(two["id"], "899700009999")
	if to := w.done("/identities/bulk", two); !strings.Contains(to, url.QueryEscape("2 sur 3")) {
		t.Errorf("one is not there: %s", to)
	}
	for want, form := range map[int]url.Values{
		http.StatusBadRequest: {"action": {"tag"}, "tag": {"x"}},
		http.StatusNotFound:   {"action": {"delete"}, "id": {"899700009999"}},
	} {
		if status, _, page := w.post("/identities/bulk", form); status != want {
			t.Errorf("%v: %d %.300s", form, status, page)
		}
	}
}

func TestABulkActionOnVeryManyIsAJobThatAPageShows(t *testing.T) {
	t.Parallel()
	w := open(t)
	w.Must(
		"POST",
		"/identities/generate",
		map[string]any{"count": 600, "seed": 5, "means": []string{}, "quiet": true},
		nil,
	)
	to := w.done("/identities/bulk", url.Values{"action": {"tag"}, "tag": {"foule"}, "all": {"1"}})
	if !strings.HasPrefix(to, "/jobs/") {
		t.Fatalf("it leads to %s", to)
	}
	testkit.Eventually(t, "the job ends", func() bool { return strings.Contains(w.shown(to), "job-back") })
	if m := regexp.MustCompile(`job-result">(\d+) sur (\d+)<`).FindStringSubmatch(w.shown(to)); m == nil || m[1] != m[2] {
		t.Errorf("the job came to %v", m)
	}
	if back := w.done(to+"/cancel", nil); back != to {
		t.Errorf("an ended job is cancelled: %s", back)
	}
}

var field = regexp.MustCompile(`<(?:input|textarea|select)[^>]* name="([^"]+)"(?:[^>]* value="([^"]*)")?`)

// filled are the fields of the form on a page, selects aside.
func filled(page string) url.Values {
	form := url.Values{}
	_, page, _ = strings.Cut(page, "data-edit")
	for _, m := range field.FindAllStringSubmatch(page, -1) {
		form.Set(m[1], unescaped(m[2]))
	}
	for name := range form {
		if strings.Contains(name, ".code") || strings.HasSuffix(name, ".structure") {
			form.Del(name)
		}
	}
	form.Del("notes")
	form.Set("behaviour", "approve")
	return form
}

func unescaped(text string) string {
	return strings.NewReplacer("&#34;", `"`, "&#39;", "'", "&lt;", "<", "&gt;", ">", "&#43;", "+", "&amp;", "&").
		Replace(text)
}

func TestThePersonFormGrowsShrinksPreviewsAndSaves(t *testing.T) {
	t.Parallel()
	w := open(t)
	form := filled(w.shown("/identities/new?profession=60"))
	form.Set("family_name", "PAGE")
	form.Set("civility", "MME")
	send := func(action string) string {
		t.Helper()
		form.Set("action", action)
		status, _, page := w.post("/identities/new", form)
		if status != http.StatusOK {
			t.Fatalf("%s: %d %.900s", action, status, page)
		}
		return page
	}
	count := func(page, hook string) int { return strings.Count(page, `data-testid="`+hook+`"`) }
	had := count(send("refresh"), "edit-activity")
	page := send("add-e0")
	if got := count(page, "edit-activity"); got != had+1 {
		t.Errorf("%d activities, %d before", got, had)
	}
	form.Set("base", filled(page).Get("base"))
	form.Set("add_profession", "10")
	page = send("add-exercise")
	if got := count(page, "edit-exercise"); got != 2 {
		t.Errorf("%d exercises", got)
	}
	form.Set("base", filled(page).Get("base"))
	page = send("remove-e1")
	form.Set("base", filled(page).Get("base"))
	page = send("remove-e0.a1")
	if count(page, "edit-exercise") != 1 || count(page, "edit-activity") != had {
		t.Errorf("they are not taken away:\n%.900s", page)
	}
	holds(t, "the preview", send("preview"), `"claims":`, "PAGE")
	form.Set("base", filled(page).Get("base"))
	form.Set("action", "save")
	holds(t, "the person", w.shown(w.done("/identities/new", form)), "PAGE")
	for _, broken := range []string{"remove-e7", "remove-e0.a99", "remove-e0.x", "add-e-1"} {
		form.Set("action", broken)
		if status, _, page := w.post("/identities/new", form); status != http.StatusUnprocessableEntity {
			t.Errorf("%s: %d %.300s", broken, status, page)
		}
	}
	form.Set("action", "save")
	form.Set("base", "{")
	if status, _, _ := w.post("/identities/new", form); status != http.StatusUnprocessableEntity {
		t.Errorf("a broken base: %d", status)
	}
}

func TestAPersonWhoIsThereIsChangedByTheForm(t *testing.T) {
	t.Parallel()
	w := open(t)
	at := "/identities/" + url.PathEscape(testkit.Doctor)
	form := filled(w.shown(at + "/edit"))
	form.Set("tags", "urgences nuit")
	form.Set("action", "save")
	if to := w.done(at+"/edit", form); to != at {
		t.Errorf("it leads to %s", to)
	}
	holds(t, "the tags", w.shown("/identities?tag=nuit"), testkit.Doctor)
	form.Set("email", "no address")
	if status, _, page := w.post(at+"/edit", form); status != http.StatusUnprocessableEntity ||
		!strings.Contains(page, "no address") {
		t.Errorf("a wrong address: %d %.600s", status, page)
	}
}

func TestACardIsInsertedPulledBlockedAndOpposed(t *testing.T) {
	t.Parallel()
	w := open(t)
	card := w.CardOf(testkit.Nurse)
	at := "/cards/" + card.Serial
	w.done(at+"/insert", nil)
	holds(t, "in the reader", w.shown(at), `data-testid="card-pull"`)
	w.done(at+"/pull", nil)
	holds(t, "out of it", w.shown(at), `data-testid="card-insert"`)
	for range 3 {
		w.post("/sign", url.Values{"card": {card.Serial}, "pin": {"0000"}, "text": {"x"}})
	}
	holds(t, "blocked", w.shown(at), `data-testid="card-unblock"`)
	w.done(at+"/unblock", nil)
	w.done(at+"/oppose", url.Values{"reason": {"vol"}})
	holds(t, "opposed", w.shown(at), "opposed", "vol")
	if status, _, _ := w.post(at+"/explode", nil); status != http.StatusNotFound {
		t.Errorf("an unknown action: %d", status)
	}
	to := w.done("/cards/kit", url.Values{"kit": {"integration"}})
	if page := w.shown(to); strings.Count(page, `name="id"`) < 5 {
		t.Errorf("the kit's people at %s", to)
	}
	if status, _, _ := w.post("/cards/kit", url.Values{"kit": {"none"}}); status != http.StatusBadRequest {
		t.Errorf("an unknown kit: %d", status)
	}
}

func TestASignatureIsVerifiedAndAnAlteredTextIsNot(t *testing.T) {
	t.Parallel()
	w := open(t)
	card := w.CardOf(testkit.Nurse)
	form := url.Values{"card": {card.Serial}, "pin": {card.PIN}, "text": {"ordonnance"}}
	if status, _, page := w.post("/sign", form); status != http.StatusOK || !strings.Contains(page, testkit.Nurse) {
		t.Errorf("signed: %d %.900s", status, page)
	}
	form.Set("alter", "1")
	if status, _, page := w.post("/sign", form); status != http.StatusUnprocessableEntity ||
		!strings.Contains(page, `data-testid="error"`) {
		t.Errorf("altered: %d %.900s", status, page)
	}
}

func TestAClientIsBoundToAnotherSubjectOnlyAfterAsking(t *testing.T) {
	t.Parallel()
	w := open(t)
	w.AddClient("vendor", "https://app.example/cb")
	w.done("/clients/vendor/certificate", nil)
	page := w.shown("/clients/vendor")
	holds(t, "the certificate", page, `data-testid="client-certificate-row"`, "/protocol/openid-connect/token")
	was := unescaped(regexp.MustCompile(`data-testid="bound-dn">([^<]+)<`).FindStringSubmatch(page)[1])
	form := url.Values{"subject_dn": {"CN=autre,O=STRUCTURE FICTIVE,C=FR"}}
	status, _, page := w.post("/clients/vendor/bind", form)
	if status != http.StatusUnprocessableEntity {
		t.Fatalf("it does not ask: %d", status)
	}
	holds(t, "it asks", page, `data-testid="bind-anyway"`, "client-bound")
	form.Set("was", was)
	w.done("/clients/vendor/bind", form)
	holds(t, "bound", w.shown("/clients/vendor"), "CN=autre")
	serial := regexp.MustCompile(`/certificates/([0-9A-Fa-f]+)/chain`).FindStringSubmatch(w.shown("/clients/vendor"))[1]
	w.done("/certificates/"+serial+"/revoke", nil)
	holds(t, "revoked", w.shown("/certificates?client_id=vendor&state=revoked"), serial)
	for _, path := range []string{"/clients/nobody/bind", "/clients/nobody/certificate", "/certificates/0/revoke"} {
		if status, _, _ := w.post(path, nil); status != http.StatusNotFound {
			t.Errorf("%s: %d", path, status)
		}
	}
}

func TestAScenarioIsLoadedFromAPageAndItsLink(t *testing.T) {
	t.Parallel()
	w := open(t)
	text := "name: essai\nsettings: {acr: eidas2}\n" +
		"people:\n  - national_id: \"" + testkit.Nurse + "\"\n    behaviour: {action: refuse}\n"
	if to := w.done("/scenario", url.Values{"scenario": {text}}); !strings.HasPrefix(to, "/scenario") {
		t.Errorf("it leads to %s", to)
	}
	page := w.shown("/scenario")
	holds(t, "the situation", page, "eidas2", testkit.Nurse, "refuse")
	link := regexp.MustCompile(`/scenario\?load=([\w-]+)`).FindStringSubmatch(page)
	if link == nil {
		t.Fatalf("no link in\n%.2000s", page)
	}
	holds(t, "the link", w.shown("/scenario?load="+link[1]), "eidas2")
	if status, page := w.get("/scenario?load=%25"); status != http.StatusUnprocessableEntity {
		t.Errorf("a broken link: %d %.300s", status, page)
	}
	if status, _, page := w.post(
		"/scenario",
		url.Values{"scenario": {"people: 1"}},
	); status != http.StatusUnprocessableEntity ||
		!strings.Contains(page, "people: 1") {
		t.Errorf("a broken scenario: %d %.300s", status, page)
	}
	if status, page := w.get("/scenario.yaml"); status != http.StatusOK || !strings.Contains(page, "acr: eidas2") {
		t.Errorf("the file: %d %.300s", status, page)
	}
}
