package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"net/url"
	"os"
	"strconv"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"pscemu.invalid/pscemu/internal/testkit"
)

// crashes is how often the server is killed: CRASHES sets it (make crash).
func crashes(t *testing.T) int {
	t.Helper()
	if v := os.Getenv("CRASHES"); v != "" {
		n, err := strconv.Atoi(v)
		if err != nil {
			t.Fatal(err)
		}
		return n
	}
	if testing.Short() {
		return 3
	}
	return 12
}

// ledger is what the server has acknowledged, and must still hold after a kill.
type ledger struct {
	mu          sync.Mutex
	people      []string // made
	codes       []string // used
	refresh     []string // used
	activations []string // bodies of completed activations
	tries       []tries  // one a worker
	orders      []string // validated
	doubled     []string // validated twice
	checks      int
	wrong       int
}

// tries are wrong codes porteur that a card has answered to.
type tries struct {
	serial    string
	wrong     int
	unblocked bool // an unblocking was under way: it may have counted
}

func (l *ledger) note(to *[]string, v string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	*to = append(*to, v)
}

// TestAttack34NothingAcknowledgedIsLostWhenTheServerIsKilled kills the server at
// random moments under load, and looks after each restart whether people that
// were made are whole, and whether codes, refresh tokens and PIN tries count
// once for all.
func TestAttack34NothingAcknowledgedIsLostWhenTheServerIsKilled(t *testing.T) {
	data, kills := t.TempDir(), crashes(t)
	total := &ledger{}
	for n := range kills {
		s := bootIn(t, data, "--order-delay", "240h")
		cert := s.DemoCertificate()
		l := &ledger{tries: s.activeCards(4)}
		ctx, stop := context.WithCancel(context.Background())
		var work sync.WaitGroup
		for w := range 4 {
			work.Go(func() { l.load(ctx, s, n*10+w) })
		}
		for w := range l.tries {
			work.Go(func() { l.guess(ctx, s, &l.tries[w]) })
		}
		work.Go(func() { l.command(ctx, s, n) })
		time.Sleep(time.Duration(50+rand.IntN(400)) * time.Millisecond) // the random moment
		s.stop(syscall.SIGKILL)
		stop()
		work.Wait()
		s = bootIn(t, data, "--order-delay", "240h")
		for _, id := range l.people {
			var p struct {
				FamilyName string `json:"family_name"`
				GivenName  string `json:"given_name"`
			}
			if status := s.API(
				"GET",
				"/identities/"+id,
				"",
				&p,
			); status != 200 || p.FamilyName == "" ||
				p.GivenName != "P"+id {
				t.Errorf("kill %d: %s was acknowledged and is %d %+v", n, id, status, p)
			}
			l.checks++
		}
		for what, list := range map[string][]string{"code": l.codes, "refresh_token": l.refresh} {
			for _, used := range list {
				form := url.Values{
					"client_id":    {"demo"},
					"grant_type":   {"authorization_code"},
					"redirect_uri": {testkit.CallbackURL},
					what:           {used},
				}
				if what == "refresh_token" {
					form.Set("grant_type", "refresh_token")
				}
				if status, _, _ := s.Realm(cert, "POST", "/token", form, ""); status != 400 {
					t.Errorf("kill %d: a used %s answers %d", n, what, status)
				}
				l.checks++
			}
		}
		for _, body := range l.activations {
			if got := s.CodeOf("POST", "/ecps/activations", body); got != "ecps-activation-used" {
				t.Errorf("kill %d: an activation that was used answers %q", n, got)
			}
			l.checks++
		}
		l.commanded(t, s, n)
		for _, c := range l.tries {
			l.checks++
			var card struct {
				State     string
				WrongPINs int `json:"wrong_pins"`
			}
			s.API("GET", "/cards/"+c.serial, "", &card)
			if card.WrongPINs < c.wrong && !(c.unblocked && card.WrongPINs == 0 && card.State == "active") {
				t.Errorf(
					"kill %d: card %s answered %d wrong codes and counts %d (%s)",
					n,
					c.serial,
					c.wrong,
					card.WrongPINs,
					card.State,
				)
			}
			total.wrong += c.wrong
		}
		s.stop(os.Interrupt)
		total.activations, total.orders = append(total.activations, l.activations...), append(total.orders, l.orders...)
		total.people, total.codes, total.refresh = append(
			total.people,
			l.people...), append(
			total.codes,
			l.codes...), append(
			total.refresh,
			l.refresh...)
		total.checks += l.checks
	}
	t.Logf(
		"%d kills, %d checks: %d people, %d codes, %d refresh tokens, %d activations, %d orders, %d wrong codes porteur",
		kills,
		total.checks,
		len(total.people),
		len(total.codes),
		len(total.refresh),
		len(total.activations),
		len(total.orders),
		total.wrong,
	)
	if len(total.people) < kills || len(total.codes) < kills/2 || len(total.activations) < kills/2 ||
		len(total.orders) < kills/2 ||
		total.wrong == 0 {
		t.Error("hardly anything was under way when the server was killed")
	}
}

// load makes people and logs in until the server is gone, and notes what was
// acknowledged.
func (l *ledger) load(ctx context.Context, s *server, worker int) {
	client := s.HTTP(s.DemoCertificate())
	client.Timeout = 3 * time.Second
	for k := 0; ctx.Err() == nil; k++ {
		id := fmt.Sprintf("ANS%014d", worker*100000+k)
		body := fmt.Sprintf(
			`{"national_id":%q,"family_name":"CRASH","given_name":"P%s","email":"p@example.test","mobile":"+33600000000",`+
				`"exercices":[],"behaviour":"approve"}`,
			id,
			id,
		)
		if !l.acknowledged(s, "POST", "/identities", body) {
			return
		}
		l.note(&l.people, id)
		if !l.activate(s, id) {
			return
		}
		code, err := doorCode(client, s)
		if err != nil {
			return
		}
		tokens, err := exchangeAt(
			client,
			s,
			url.Values{"grant_type": {"authorization_code"}, "code": {code}, "redirect_uri": {testkit.CallbackURL}},
		)
		if err != nil {
			return
		}
		l.note(&l.codes, code)
		if _, err := exchangeAt(
			client,
			s,
			url.Values{"grant_type": {"refresh_token"}, "refresh_token": {tokens}},
		); err != nil {
			return
		}
		l.note(&l.refresh, tokens)
	}
}

// activate uses an activation's QR code and SMS code up; false when the server
// is gone.
func (l *ledger) activate(s *server, id string) bool {
	var a struct{ QR string }
	var sms struct{ Items []struct{ Code string } }
	if s.Attempt("POST", "/identities/"+id+"/ecps", `{"by":"contact"}`, &a) != 201 ||
		s.Attempt("GET", "/outbox?channel=sms&national_id="+id, "", &sms) != 200 ||
		len(sms.Items) != 1 {
		return false
	}
	body := fmt.Sprintf(`{"qr":%q,"sms":%q,"code":"2468"}`, a.QR, sms.Items[0].Code)
	if !l.acknowledged(s, "POST", "/ecps/activations", body) {
		return false
	}
	l.note(&l.activations, body)
	return true
}

// guess tries wrong codes porteur until the server is gone; a blocked card is
// unblocked.
func (l *ledger) guess(ctx context.Context, s *server, c *tries) {
	for ctx.Err() == nil {
		var p struct{ Code string }
		switch s.Attempt("POST", "/cards/"+c.serial+"/sign", `{"pin":"0000","text":"x"}`, &p); p.Code {
		case "pin-wrong":
			c.wrong++
		case "card-blocked":
			c.wrong, c.unblocked = 3, true
			if s.Attempt("POST", "/cards/"+c.serial+"/unblock", `{}`, nil) == 0 {
				return
			}
			c.wrong, c.unblocked = 0, false
		default:
			return
		}
	}
}

// command orders cards and has each order validated four times at once until
// the server is gone, and notes what was acknowledged.
func (l *ledger) command(ctx context.Context, s *server, kill int) {
	for k := 0; ctx.Err() == nil; k++ {
		head := map[string]any{
			"form":  "F101",
			"actor": "etablissement",
			"fields": map[string]string{
				"siret":        testkit.SIRET(kill*1000%90000 + k),
				"nom":          "DIRECTEUR",
				"prenom":       "P",
				"denomination": "CABINET FICTIF",
				"contrat":      "oui",
			},
		}
		body, _ := json.Marshal(head)
		var o struct{ ID string }
		if s.Attempt("POST", "/orders", string(body), &o) != 201 ||
			s.Attempt("POST", "/orders/"+o.ID+"/submit", "", nil) != 201 {
			return
		}
		var accepted atomic.Int32
		var work sync.WaitGroup
		for range 4 {
			work.Go(func() {
				if l.acknowledged(s, "POST", "/orders/"+o.ID+"/validate", "") {
					accepted.Add(1)
				}
			})
		}
		work.Wait()
		if accepted.Load() > 0 {
			l.note(&l.orders, o.ID)
		}
		if accepted.Load() > 1 {
			l.note(&l.doubled, o.ID)
		}
	}
}

// commanded looks whether each order that was acknowledged is there with its
// one card, and at the whole store.
func (l *ledger) commanded(t *testing.T, s *server, kill int) {
	t.Helper()
	for _, id := range l.doubled {
		t.Errorf("kill %d: the order %s was accepted twice", kill, id)
	}
	for _, id := range l.orders {
		var o struct {
			State string
			Cards []string
		}
		if s.API("GET", "/orders/"+id, "", &o); len(o.Cards) != 1 {
			t.Errorf("kill %d: the order %s was accepted and is %s with %d cards", kill, id, o.State, len(o.Cards))
		}
		l.checks++
	}
	if kill%10 == 0 {
		var state json.RawMessage
		s.API("GET", "/state", "", &state)
		testkit.CheckWholeStore(t, state)
		l.checks++
	}
}

// activeCards are some cards that can be presented.
func (s *server) activeCards(n int) (out []tries) {
	s.T.Helper()
	var list struct {
		Items []struct {
			Serial, State string
			WrongPINs     int `json:"wrong_pins"`
		}
	}
	s.API("GET", "/cards?limit=200", "", &list)
	for _, c := range list.Items {
		if c.State == "active" && len(out) < n {
			out = append(out, tries{serial: c.Serial, wrong: c.WrongPINs})
		}
	}
	return out
}

func (l *ledger) acknowledged(s *server, method, path, body string) bool {
	status := s.Attempt(method, path, body, nil)
	return status > 0 && status < 300
}

func doorCode(c *http.Client, s *server) (string, error) {
	resp, err := c.Get(
		s.BaseURL + "/auth?response_type=code&" +
			"client_id=demo&scope=openid&login_hint=auto:" + testkit.Doctor + "&redirect_uri=" + url.QueryEscape(
			testkit.CallbackURL,
		),
	)
	if err != nil {
		return "", err
	}
	resp.Body.Close()
	back, err := resp.Location()
	if err != nil {
		return "", err
	}
	return back.Query().Get("code"), nil
}

// exchangeAt returns the refresh token of a token call that was acknowledged.
func exchangeAt(c *http.Client, s *server, form url.Values) (string, error) {
	form.Set("client_id", "demo")
	resp, err := c.PostForm(s.Issuer+"/protocol/openid-connect/token", form)
	if err != nil {
		return "", err
	}
	defer resp.Body.Close()
	var t struct {
		RefreshToken string `json:"refresh_token"`
	}
	if err := testkit.Decode(resp.Body, &t); err != nil || t.RefreshToken == "" {
		return "", errors.Join(err, errors.New(resp.Status))
	}
	return t.RefreshToken, nil
}
