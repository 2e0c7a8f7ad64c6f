package main

import (
	"encoding/json"
	"fmt"
	"html"
	"io"
	"net/http"
	"net/url"
	"os/exec"
	"regexp"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"golang.org/x/sync/errgroup"
	"pscemu.invalid/pscemu/internal/testkit"
)

// A list never ends without a word: that of the control API names where it goes
// on, exactly when it does; a page of the console says how much it shows, and
// links to the rest; a command prints all.

// plenty is how many of each the lists' world has at least: more than a page.
const plenty = 104

// listWorld is a world with more of everything than a page holds.
type listWorld struct {
	*server
	client      string // has certificates, some of them revoked
	holder      string // has many cards
	head, agent testkit.Card
	opposedCard string // has a certificate
}

// many calls fn for each n, some at once.
func many(t testing.TB, count int, fn func(n int) error) {
	t.Helper()
	var group errgroup.Group
	group.SetLimit(16)
	for n := range count {
		group.Go(func() error { return fn(n) })
	}
	if err := group.Wait(); err != nil {
		t.Fatal(err)
	}
}

// send is a call of the API that many may make at once.
func (s *server) send(method, path string, body, out any) error {
	raw, err := json.Marshal(body)
	if err != nil {
		return err
	}
	req, err := http.NewRequest(method, s.APIURL+path, strings.NewReader(string(raw)))
	if err != nil {
		return err
	}
	req.Header.Set("Authorization", "Bearer "+s.APIToken)
	req.Header.Set("Content-Type", "application/json")
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	answer, err := io.ReadAll(resp.Body)
	if err == nil && resp.StatusCode >= 400 {
		err = fmt.Errorf("%s %s: %s", method, path, answer)
	}
	if err == nil && out != nil {
		err = json.Unmarshal(answer, out)
	}
	return err
}

func newListWorld(t *testing.T) *listWorld {
	t.Helper()
	p := testkit.StartIn(t, t.TempDir(), "max-requests=1000", "journal-logins=100000")
	w := &listWorld{server: &server{Server: p}, client: "list-0007", holder: testkit.Nurse}
	many(t, plenty, func(n int) error {
		id := fmt.Sprintf("list-%04d", n)
		return w.send("POST", "/clients", map[string]any{
			"client_id":     id,
			"redirect_uris": []string{testkit.CallbackURL},
		}, nil)
	})
	w.people()
	w.certificates()
	w.desk()
	w.requests()
	return w
}

func (w *listWorld) people() {
	w.T.Helper()
	made := map[string]any{"count": 3 * plenty, "seed": 7, "means": []string{"ecps"}, "quiet": true}
	if err := w.send("POST", "/identities/generate", made, nil); err != nil {
		w.T.Fatal(err)
	}
	var gone struct {
		Items []struct {
			ID string `json:"national_id"`
		}
	}
	w.API("GET", "/identities?tag=generated&limit=1000", "", &gone)
	many(w.T, plenty, func(n int) error {
		return w.send("DELETE", "/identities/"+url.PathEscape(gone.Items[n].ID), nil, nil)
	})
	many(w.T, plenty, func(int) error {
		return w.send("POST", "/cards", map[string]string{"national_id": w.holder, "type": "CPS"}, nil)
	})
}

func (w *listWorld) certificates() {
	w.T.Helper()
	many(w.T, 2*plenty, func(n int) error {
		var made struct{ Serial string }
		err := w.send(
			"POST",
			"/certificates",
			map[string]string{"client_id": w.client, "profile": "AUTH_CLI", "key": "ecdsa"},
			&made,
		)
		if err == nil && n%2 == 0 {
			err = w.send("POST", "/certificates/"+made.Serial+"/revoke", nil, nil)
		}
		return err
	})
	w.opposedCard = w.CardOf(testkit.Doctor).Serial
	for _, use := range []string{"auth", "sign"} {
		w.API("GET", "/cards/"+w.opposedCard+"/certificate?use="+use, "", nil)
	}
}

// desk has two structures: the head of the first acts for both, the agent
// administers both.
func (w *listWorld) desk() {
	w.T.Helper()
	d := testkit.Desk{Server: w.Server}
	w.head, w.agent = d.Vendor()
	second := testkit.SIRET(77)
	other := d.Must(d.Order("F101", "industriel", "", testkit.HeadOf.With(testkit.Fields{"siret": second})), "CDA")[0]
	d.Must(
		d.Order(
			"F502",
			"industriel",
			other.NationalID,
			testkit.Fields{"siret": second, "mandataires": w.head.NationalID, "action": "désigner"},
		),
	)
	d.Must(
		d.Order(
			"F413",
			"industriel",
			other.NationalID,
			testkit.Fields{"siret": second, "administrateurs": w.agent.NationalID, "types": "AUTH_CLI", "cgu": "oui"},
		),
	)
	many(w.T, plenty, func(n int) error {
		structure, by := testkit.VendorSIRET, w.head.NationalID
		if n%3 == 0 {
			structure, by = second, other.NationalID
		}
		var begun struct{ ID string }
		err := w.send("POST", "/orders", map[string]any{"form": "F301", "actor": "industriel", "by": by,
			"fields": testkit.StaffOf.With(testkit.Fields{"siret": structure})}, &begun)
		if err == nil {
			err = w.send("POST", "/orders/"+begun.ID+"/submit", nil, nil)
		}
		if err == nil {
			err = w.send(
				"POST",
				"/orders/certificates",
				map[string]any{"by": w.agent.NationalID, "structure": structure,
					"service": fmt.Sprintf("service-%d", n), "key": "ecdsa"},
				nil,
			)
		}
		return err
	})
	var own struct{ Items []testkit.Card }
	w.API("GET", "/cards?limit=1000&national_id="+w.holder, "", &own)
	var people []string
	for _, id := range []string{testkit.Doctor, testkit.Asked, testkit.Staff} {
		people = append(people, w.CardOf(id).Serial, id)
	}
	many(w.T, plenty+10, func(n int) error {
		serial, by := own.Items[n%plenty].Serial, w.holder
		if n%2 == 0 { // an outbox keeps few of one person's
			serial, by = people[n%3*2], people[n%3*2+1]
		}
		var begun struct{ ID string }
		err := w.send("POST", "/orders", map[string]any{"form": "F501", "actor": "etablissement", "by": by,
			"fields": testkit.Fields{"carte": serial, "incident": "perte du code"}}, &begun)
		if err == nil {
			err = w.send("POST", "/orders/"+begun.ID+"/submit", nil, nil)
		}
		return err
	})
}

// requests make deliveries and logins, and leave what waits for phones and cards.
func (w *listWorld) requests() {
	w.T.Helper()
	l := testkit.Listen(w.T, 0)
	w.RegisterDemo(`"backchannel_token_delivery_mode":"ping","backchannel_client_notification_endpoint":"` + l.URL + `"`)
	ask := func(channel string) error {
		form := url.Values{
			"client_id":                 {"demo"},
			"scope":                     {"openid scope_all"},
			"login_hint":                {testkit.Asked},
			"acr_values":                {"eidas1"},
			"channel":                   {channel},
			"client_notification_token": {"t"},
		}
		resp, err := w.HTTP(w.DemoCertificate()).PostForm(w.Issuer+"/protocol/openid-connect/ext/ciba/auth", form)
		if err == nil {
			resp.Body.Close()
			if resp.StatusCode != http.StatusOK {
				err = fmt.Errorf("CIBA: %s", resp.Status)
			}
		}
		return err
	}
	many(w.T, plenty, func(int) error { return ask("MOBILE") })
	var waiting struct{ Items []struct{ ID string } }
	w.API("GET", "/ecps/requests?limit=1000", "", &waiting)
	many(w.T, plenty, func(n int) error {
		return w.send("POST", "/ecps/requests/"+waiting.Items[n].ID+"/approve", nil, nil)
	})
	w.Delivered(plenty)
	many(w.T, plenty, func(int) error { return ask("MOBILE") })
	many(w.T, plenty, func(int) error { return ask("CARD") })
}

// listPage is a page of a list of the control API.
type listPage struct {
	Items []json.RawMessage
	Next  *string
	Limit int
}

func (w *listWorld) page(path string, q url.Values) (page listPage) {
	w.T.Helper()
	at, more, _ := strings.Cut(path, "?")
	all, err := url.ParseQuery(more)
	if err != nil {
		w.T.Fatal(err)
	}
	for name, values := range q {
		all[name] = values
	}
	if status := w.API("GET", at+"?"+all.Encode(), "", &page); status != http.StatusOK || page.Next == nil {
		w.T.Fatalf("%s?%s: %d, next %v", at, all.Encode(), status, page.Next)
	}
	return page
}

// follow reads a list to its end, and counts its pages.
func (w *listWorld) follow(path string, limit int, between func()) (rows []string, pages int) {
	w.T.Helper()
	q := url.Values{"limit": {fmt.Sprint(limit)}}
	for {
		page := w.page(path, q)
		pages++
		if len(page.Items) > limit || len(page.Items) < limit && *page.Next != "" || len(page.Items) == 0 {
			w.T.Fatalf("%s: a page of %d rows, limit %d, next %q", path, len(page.Items), limit, *page.Next)
		}
		for _, row := range page.Items {
			rows = append(rows, string(row))
		}
		if *page.Next == "" {
			return rows, pages
		}
		q.Set("after", *page.Next)
		if between != nil {
			between()
		}
	}
}

// long are the lists that may be long, with how many rows they have at least.
func (w *listWorld) long() map[string]int {
	at := url.QueryEscape
	return map[string]int{
		"/identities":                         2 * plenty,
		"/identities?tag=generated":           2 * plenty,
		"/identities?q=899":                   plenty,
		"/cards":                              plenty,
		"/cards?national_id=" + at(w.holder):  plenty,
		"/clients":                            plenty,
		"/certificates":                       3 * plenty,
		"/certificates?client_id=" + w.client: 2 * plenty,
		"/certificates?state=revoked":         plenty,
		"/certificates?state=valid":           2 * plenty,
		"/certificates?state=valid&client_id=" + w.client: plenty,
		"/certificates?card=" + w.opposedCard:             2,
		"/certificates?q=cn%3Dlist-":                      2 * plenty,
		"/certificates?state=revoked&q=list-0007":         plenty,
		"/orders": 2 * plenty,
		"/orders/fleet?by=" + at(w.head.NationalID):         plenty,
		"/orders/certificates?by=" + at(w.agent.NationalID): plenty,
		"/outbox":                             plenty,
		"/outbox?national_id=" + at(w.holder): 40,
		"/outbox?channel=mail":                plenty,
		"/deliveries":                         plenty,
		"/deliveries?client=demo":             plenty,
		"/ecps/requests":                      plenty,
		"/ecps/requests?all=true":             2 * plenty,
		"/ecps/requests?national_id=" + at(testkit.Asked):          plenty,
		"/ecps/requests?all=true&national_id=" + at(testkit.Asked): plenty,
		"/reader/requests": plenty,
		"/reader/requests?national_id=" + at(testkit.Asked): plenty,
		"/logins":                        3 * plenty,
		"/logins?client=demo":            3 * plenty,
		"/logins?event=ciba&client=demo": 3 * plenty,
	}
}

func TestListsNeverEndWithoutAWord(t *testing.T) {
	w := newListWorld(t)
	t.Run("every row once, whatever the limit", w.everyRowOnce)
	t.Run("a list of the API is long or complete", w.everyRoute)
	t.Run("limits and places that cannot be", w.refusals)
	t.Run("rows from the start are not lost while others come", w.whileOthersCome)
	t.Run("pages", w.consolePages)
	t.Run("what a page offers", w.offers)
	t.Run("command line", w.commands)
}

func (w *listWorld) everyRowOnce(t *testing.T) {
	for path, least := range w.long() {
		all, pages := w.follow(path, 1000, nil)
		if len(all) < least || pages != 1 {
			t.Errorf("%s: %d rows on %d pages, want %d at least", path, len(all), pages, least)
			continue
		}
		for _, limit := range []int{len(all) - 1, len(all), len(all) + 1, len(all)/2 + 1, 13} {
			got, pages := w.follow(path, limit, nil)
			if !slices.Equal(got, all) {
				t.Errorf("%s by %d: %d rows, want the %d of the whole list", path, limit, len(got), len(all))
			}
			if want := (len(all) + limit - 1) / limit; pages != want {
				t.Errorf("%s by %d: %d pages, want %d", path, limit, pages, want)
			}
		}
	}
	var left listPage
	w.API("GET", "/clients", "", &left)
	if len(left.Items) != 100 || left.Limit != 100 || *left.Next == "" {
		t.Errorf("without a limit: %d rows, limit %d", len(left.Items), left.Limit)
	}
}

// Every GET that answers items is among the lists that are followed here, or is
// complete by nature and says so.
func (w *listWorld) everyRoute(t *testing.T) {
	var api struct {
		Paths map[string]map[string]struct{ Parameters []struct{ Name string } }
	}
	w.API("GET", "/openapi.json", "", &api)
	if len(api.Paths) < 60 {
		t.Fatalf("%d paths", len(api.Paths))
	}
	known := map[string]bool{}
	for path := range w.long() {
		at, _, _ := strings.Cut(path, "?")
		known[at] = true
	}
	complete := 0
	for path, methods := range api.Paths {
		get, there := methods["get"]
		path = strings.ReplaceAll(path, "{table}", "G15")
		if !there || strings.Contains(path, "{") || strings.HasSuffix(path, "/wait") || path == "/backup" ||
			strings.HasSuffix(path, "/stream") || path == "/doctor" {
			continue
		}
		paged := slices.ContainsFunc(get.Parameters, func(p struct{ Name string }) bool { return p.Name == "limit" })
		if paged != known[path] {
			t.Errorf("%s: the API says that it has pages: %t; it is followed: %t", path, paged, known[path])
		}
		var raw json.RawMessage
		req, _ := http.NewRequest("GET", w.APIURL+path, nil)
		req.Header.Set("Authorization", "Bearer "+w.APIToken)
		resp, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		raw = json.RawMessage(testkit.Text(t, resp))
		var answer listPage
		if json.Unmarshal(raw, &answer) != nil || answer.Items == nil || paged {
			continue
		}
		complete++
		if answer.Next == nil || *answer.Next != "" {
			t.Errorf("%s is complete, and does not say so: %.80s", path, raw)
		}
	}
	if complete < 10 {
		t.Errorf("%d complete lists were looked at", complete)
	}
}

func (w *listWorld) refusals(t *testing.T) {
	for path := range w.long() {
		at, _, _ := strings.Cut(path, "?")
		for _, limit := range []string{"0", "-1", "x", "1.5", "%20"} {
			if got := w.CodeOf("GET", at+"?limit="+limit, ""); got != "limit-invalid" {
				t.Errorf("%s?limit=%s: %q", at, limit, got)
			}
		}
		if page := w.page(path, url.Values{"limit": {"100000"}}); page.Limit != 1000 {
			t.Errorf("%s: a limit of 100000 becomes %d", path, page.Limit)
		}
	}
	for path, want := range map[string]string{
		"/orders?after=nothing":  "after-invalid",
		"/orders/fleet?after=0":  "after-invalid",
		"/deliveries?after=x":    "after-invalid",
		"/ecps/requests?after=x": "after-invalid",
		"/ecps/requests?national_id=" + testkit.Asked + "&after=x": "after-invalid",
		"/orders/certificates?after=0":                             "certificate-unknown",
		"/certificates?state=lost":                                 "certificate-state-unknown",
		"/logins?after=x":                                          "seq-invalid",
		"/logins?after=1.x":                                        "after-invalid",
		"/logins?after=1.":                                         "after-invalid",
	} {
		if got := w.CodeOf("GET", path, ""); got != want {
			t.Errorf("%s: %q, want %s", path, got, want)
		}
	}
}

// Others insert all the time: what was there when a list began is on its pages,
// once.
func (w *listWorld) whileOthersCome(t *testing.T) {
	var n atomic.Int64
	add := map[string]func(n int64) error{
		"/clients": func(n int64) error {
			id := fmt.Sprintf("list-%04d-%d", n%plenty, n)
			return w.send(
				"POST",
				"/clients",
				map[string]any{"client_id": id, "redirect_uris": []string{testkit.CallbackURL}},
				nil,
			)
		},
		"/identities": func(n int64) error {
			return w.send(
				"POST",
				"/identities/generate",
				map[string]any{"count": 1, "seed": 11, "from": n, "means": []string{}},
				nil,
			)
		},
		"/cards": func(int64) error {
			return w.send("POST", "/cards", map[string]string{"national_id": testkit.Doctor, "type": "CPS"}, nil)
		},
		"/certificates?client_id=" + w.client: func(int64) error {
			return w.send("POST", "/certificates", map[string]string{"client_id": w.client, "key": "ecdsa"}, nil)
		},
		"/orders": func(n int64) error {
			f := testkit.HeadOf.With(testkit.Fields{"siret": testkit.SIRET(int(1000 + n))})
			return w.send("POST", "/orders", map[string]any{"form": "F101", "actor": "industriel", "fields": f}, nil)
		},
		"/logins?client=demo": func(int64) error {
			resp, err := w.Browser().Get(w.BaseURL + testkit.AuthorizePath + "&login_hint=auto:" + testkit.Doctor)
			if err == nil {
				resp.Body.Close()
			}
			return err
		},
	}
	for path, insert := range add {
		before, _ := w.follow(path, 1000, nil)
		stop, others := make(chan struct{}), sync.WaitGroup{}
		for range 3 {
			others.Go(func() {
				for {
					select {
					case <-stop:
						return
					default:
					}
					if err := insert(n.Add(1)); err != nil {
						t.Error(path, err)
						return
					}
				}
			})
		}
		come := n.Load()
		got, _ := w.follow(path, 11, nil)
		for n.Load() < come+3 { // on a slow machine too some come
			got, _ = w.follow(path, 11, nil)
		}
		close(stop)
		others.Wait()
		seen := map[string]int{}
		for _, row := range got {
			seen[row]++
		}
		for _, row := range before {
			if seen[row] != 1 {
				t.Errorf("%s: a row that was there is listed %d times: %.100s", path, seen[row], row)
			}
		}
	}
}

var listLink = regexp.MustCompile(`href="([^"]*)" data-testid="list-(next|first)"`)

// walked reads a page of the console and those that its links lead to, and
// returns what each says of its list.
func (w *listWorld) walked(
	t *testing.T,
	c *http.Client,
	path string,
	row *regexp.Regexp,
	part string,
) (said []string, rows int) {
	t.Helper()
	seen := map[string]bool{}
	for at := w.ConsoleURL + path; at != ""; {
		page := testkit.Read(w.server.Server, c, at)
		at = ""
		for _, m := range row.FindAllStringSubmatch(page, -1) {
			if seen[m[1]] {
				t.Errorf("%s shows %s twice", path, m[1])
			}
			seen[m[1]] = true
		}
		block := page[max(0, strings.Index(page, part)):]
		_, says, _ := strings.Cut(block, `data-testid="list-part">`)
		says, _, _ = strings.Cut(says, "</p>")
		for _, m := range listLink.FindAllStringSubmatch(says, -1) {
			if m[2] == "next" {
				at = w.ConsoleURL + html.UnescapeString(m[1])
			} else if got := testkit.Read(
				w.server.Server,
				c,
				w.ConsoleURL+html.UnescapeString(m[1]),
			); !strings.Contains(got, "list-next") {
				t.Errorf("%s: the way back leads to %.300s", path, got)
			}
		}
		says, _, _ = strings.Cut(says, " · ")
		if said = append(said, html.UnescapeString(says)); len(said) > 20 {
			t.Fatalf("%s has no end: %q", path, said)
		}
	}
	return said, len(seen)
}

func (w *listWorld) consolePages(t *testing.T) {
	atDesk, administers := w.DeskBrowser(w.head), w.DeskBrowser(w.agent)
	for path, p := range map[string]struct {
		list string // of the API that has the same rows
		row  string
		part string // what comes before it on a page of several lists
		as   *http.Client
		said []string // of the last page, else "4 sur 104"
	}{
		"/identities": {list: "/identities", row: `name="id" value="([^"]+)" aria-label`},
		"/identities?tag=generated": {
			list: "/identities?tag=generated",
			row:  `name="id" value="([^"]+)" aria-label`,
			said: []string{"affichés, d’autres suivent", "affichés, fin de la liste"},
		},
		"/cards":                         {list: "/cards", row: `/cards/(\d+)">`},
		"/cards?national_id=" + w.holder: {list: "/cards?national_id=" + w.holder, row: `/cards/(\d+)">`},
		"/clients":                       {list: "/clients", row: `<h2><a href="/clients/([^"]+)"`},
		"/certificates":                  {list: "/certificates", row: `<small>([0-9a-f]+)</small>`},
		"/certificates?client_id=" + w.client: {
			list: "/certificates?client_id=" + w.client,
			row:  `<small>([0-9a-f]+)</small>`,
		},
		"/certificates?state=revoked": {list: "/certificates?state=revoked", row: `<small>([0-9a-f]+)</small>`},
		"/certificates?q=list-0007&state=valid": {
			list: "/certificates?q=list-0007&state=valid",
			row:  `<small>([0-9a-f]+)</small>`,
			said: []string{"affichés, d’autres suivent", "affichés, fin de la liste"},
		},
		"/orders":                 {list: "/orders", row: `<a href="/orders/([A-Z0-9]+)">`},
		"/orders?actor=liberal":   {list: "/orders", row: `<a href="/orders/([A-Z0-9]+)">`},
		"/outbox":                 {list: "/outbox", row: `data-testid="message-mail" id="([^"]+)"`},
		"/deliveries":             {list: "/deliveries", row: `(no row has a name)`},
		"/deliveries?client=demo": {list: "/deliveries?client=demo", row: `(no row has a name)`},
		"/logins":                 {list: "/logins", row: `<a href="/logins/([^"]+)">`},
		"/logins?client=demo":     {list: "/logins?client=demo", row: `<a href="/logins/([^"]+)">`},
		"/reader":                 {list: "/reader/requests", row: `action="/reader/([^"]+)"`},
		"/desk": {
			list: "/orders/fleet?by=" + url.QueryEscape(w.head.NationalID),
			row:  `data-testid="fleet-card">\s*<td>\s*<a href="/cards/(\d+)"`,
			part: `data-testid="fleet-part"`,
			as:   atDesk,
		},
		"/desk?": {
			list: "/orders/certificates?by=" + url.QueryEscape(w.agent.NationalID),
			row:  `/certificates/([0-9a-f]+)/p12`,
			part: `data-testid="certificates-part"`,
			as:   administers,
		},
	} {
		if p.as == nil {
			p.as = w.ConsoleBrowser()
		}
		all, _ := w.follow(p.list, 1000, nil)
		said, rows := w.walked(t, p.as, path, regexp.MustCompile(p.row), p.part)
		if rows != len(all) && !strings.HasPrefix(path, "/deliveries") {
			t.Errorf("%s: %d rows on its pages, want %d", path, rows, len(all))
		}
		pages := (len(all) + 99) / 100
		for n, got := range said {
			shown := min(100, len(all)-100*n)
			want := fmt.Sprintf("%d sur %d", shown, len(all))
			if len(all) > 1000 { // counted no further
				want = fmt.Sprintf("%d sur plus de 1 000", shown)
			}
			if len(p.said) > 0 {
				want = fmt.Sprintf("%d %s", shown, p.said[min(1, n/(pages-1))])
			}
			if got != want {
				t.Errorf("%s, page %d: %q, want %q", path, n+1, got, want)
			}
		}
		if len(said) != pages || pages < 2 {
			t.Errorf("%s: %d pages, want %d", path, len(said), pages)
		}
	}
	// A short list is said to be whole.
	if page := testkit.Read(
		w.server.Server,
		w.ConsoleBrowser(),
		w.ConsoleURL+"/certificates?card="+w.opposedCard,
	); !strings.Contains(
		page,
		">2 en tout<",
	) {
		t.Errorf("a short list: %.500s", page)
	}
}

// What else a page shows of something long says so, and takes what it does not
// offer.
func (w *listWorld) offers(t *testing.T) {
	for path, hooks := range map[string][]string{
		"/identities":                  {"more-gone"},
		"/identities/" + testkit.Nurse: {"all-cards"},
		"/clients/" + w.client:         {"all-certificates"},
	} {
		page := testkit.Read(w.server.Server, w.ConsoleBrowser(), w.ConsoleURL+path)
		for _, hook := range hooks {
			if !strings.Contains(page, `data-testid="`+hook+`"`) {
				t.Errorf("%s has no %s", path, hook)
			}
		}
	}
	desk := testkit.Read(w.server.Server, w.DeskBrowser(w.agent), w.ConsoleURL+"/desk")
	if strings.Contains(desk, `<select name="client"`) || !strings.Contains(desk, `<input name="client"`) {
		t.Error("the desk offers some of many clients")
	}
	// The login page's tabs.
	w.API("DELETE", "/reader", "", nil)
	browser, login, tab := w.AtCard()
	if !strings.Contains(tab, `data-testid="more-choices"`) {
		t.Error("the card tab says nothing of the cards it leaves out")
	}
	var own struct{ Items []testkit.Card }
	w.API("GET", "/cards?limit=1000&national_id="+w.holder, "", &own)
	last := own.Items[len(own.Items)-1].Serial
	if found := testkit.Read(
		w.server.Server,
		browser,
		login+"?tab=card&q="+last,
	); !strings.Contains(found, last) ||
		strings.Contains(found, "more-choices") {
		t.Errorf("the card %s is not found by its number", last)
	}
	if people := testkit.Read(
		w.server.Server,
		browser,
		login+"?tab=test",
	); !strings.Contains(people, `data-testid="more-choices"`) {
		t.Error("the test tab says nothing of the people it leaves out")
	}
	if one := testkit.Read(
		w.server.Server,
		browser,
		login+"?tab=test&q="+testkit.Nurse,
	); !strings.Contains(one, testkit.Nurse) ||
		strings.Contains(one, "more-choices") {
		t.Error("a person is not found by their whole number")
	}
}

// commands run on this world by its address: it has no process of its own.
func (w *listWorld) commands(t *testing.T) {
	have, _ := w.follow("/clients", 1000, nil)
	all := max(1500, len(have))
	many(t, all-len(have), func(n int) error {
		id := fmt.Sprintf("more-%04d", n)
		return w.send("POST", "/clients", map[string]any{
			"client_id":     id,
			"redirect_uris": []string{testkit.CallbackURL},
		}, nil)
	})
	run := func(args ...string) (out, said string) {
		t.Helper()
		var told, spoke strings.Builder
		cmd := exec.Command(binary, append(args, "--server", w.ConsoleURL, "--token", w.APIToken)...)
		cmd.Stdout, cmd.Stderr = &told, &spoke
		if err := cmd.Run(); err != nil {
			t.Fatalf("pscemu %v: %v %s", args, err, spoke.String())
		}
		return told.String(), spoke.String()
	}
	out, said := run("clients", "list", "--output", "json")
	var list struct {
		Items []struct {
			ID string `json:"client_id"`
		}
	}
	if err := json.Unmarshal([]byte(out), &list); err != nil || said != "" {
		t.Fatalf("%v, standard error %q", err, said)
	}
	seen := map[string]bool{}
	for _, c := range list.Items {
		seen[c.ID] = true
	}
	if len(list.Items) != all || len(seen) != all {
		t.Errorf("%d clients are listed, %d different", len(list.Items), len(seen))
	}
	if out, said := run("clients", "list"); strings.Count(out, "\n") != all+1 || said != "" {
		t.Errorf("as a table: %d lines, %q", strings.Count(out, "\n"), said)
	}
	if out, said := run(
		"clients",
		"list",
		"--limit",
		"1200",
	); strings.Count(out, "\n") != 1201 ||
		!strings.Contains(said, "more follow") {
		t.Errorf("with a limit: %d lines, %q", strings.Count(out, "\n"), said)
	}
	if out, said := run(
		"clients",
		"list",
		"--limit",
		fmt.Sprint(all),
		"--output",
		"json",
	); json.Unmarshal([]byte(out), &list) != nil ||
		said != "" {
		t.Errorf("with a limit that takes in all: %q", said)
	}
	if out, _ := run(
		"certificates",
		"list",
		"--search",
		"nothing like it",
		"--output",
		"json",
	); json.Unmarshal([]byte(out), &list) != nil ||
		len(list.Items) != 0 {
		t.Errorf("nothing: %s", out)
	}
}
