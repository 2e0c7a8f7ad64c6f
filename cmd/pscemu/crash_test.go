package main

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"net/url"
	"os"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
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
	return 12
}

// ledger is what the server has acknowledged, and must still hold after a kill.
type ledger struct {
	mu      sync.Mutex
	people  []string // made
	codes   []string // used
	refresh []string // used
	checks  int
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
		s := bootIn(t, data)
		cert := s.demoCertificate()
		l := &ledger{}
		ctx, stop := context.WithCancel(context.Background())
		var work sync.WaitGroup
		for w := range 4 {
			work.Go(func() { l.load(ctx, s, n*10+w) })
		}
		time.Sleep(time.Duration(50+rand.IntN(400)) * time.Millisecond) // the random moment
		s.stop(syscall.SIGKILL)
		stop()
		work.Wait()
		s = bootIn(t, data)
		for _, id := range l.people {
			var p struct {
				FamilyName string `json:"family_name"`
				GivenName  string `json:"given_name"`
			}
			if status := s.api("GET", "/identities/"+id, "", &p); status != 200 || p.FamilyName == "" || p.GivenName != "P"+id {
				t.Errorf("kill %d: %s was acknowledged and is %d %+v", n, id, status, p)
			}
			l.checks++
		}
		for what, list := range map[string][]string{"code": l.codes, "refresh_token": l.refresh} {
			for _, used := range list {
				form := url.Values{"client_id": {"demo"}, "grant_type": {"authorization_code"}, "redirect_uri": {callbackURL}, what: {used}}
				if what == "refresh_token" {
					form.Set("grant_type", "refresh_token")
				}
				if status, _, _ := s.call(cert, "POST", "/token", form, ""); status != 400 {
					t.Errorf("kill %d: a used %s answers %d", n, what, status)
				}
				l.checks++
			}
		}
		s.stop(os.Interrupt)
		total.people, total.codes, total.refresh = append(total.people, l.people...), append(total.codes, l.codes...), append(total.refresh, l.refresh...)
		total.checks += l.checks
	}
	t.Logf("%d kills, %d checks: %d people, %d codes, %d refresh tokens", kills, total.checks, len(total.people), len(total.codes), len(total.refresh))
	if len(total.people) < kills || len(total.codes) < kills/2 {
		t.Error("hardly anything was under way when the server was killed")
	}
}

// load makes people and logs in until the server is gone, and notes what was
// acknowledged.
func (l *ledger) load(ctx context.Context, s *server, worker int) {
	client := s.http(s.demoCertificate())
	client.Timeout = 3 * time.Second
	for k := 0; ctx.Err() == nil; k++ {
		id := fmt.Sprintf("ANS%014d", worker*100000+k)
		body := fmt.Sprintf(`{"national_id":%q,"family_name":"CRASH","given_name":"P%s","exercices":[],"behaviour":"approve"}`, id, id)
		if !l.acknowledged(s, "POST", "/identities", body) {
			return
		}
		l.note(&l.people, id)
		code, err := doorCode(client, s)
		if err != nil {
			return
		}
		tokens, err := exchangeAt(client, s, url.Values{"grant_type": {"authorization_code"}, "code": {code}, "redirect_uri": {callbackURL}})
		if err != nil {
			return
		}
		l.note(&l.codes, code)
		if _, err := exchangeAt(client, s, url.Values{"grant_type": {"refresh_token"}, "refresh_token": {tokens}}); err != nil {
			return
		}
		l.note(&l.refresh, tokens)
	}
}

func (l *ledger) acknowledged(s *server, method, path, body string) bool {
	req, err := http.NewRequest(method, s.APIURL+path, strings.NewReader(body))
	if err != nil {
		return false
	}
	req.Header.Set("Authorization", "Bearer "+s.APIToken)
	req.Header.Set("Content-Type", "application/json")
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return false
	}
	resp.Body.Close()
	return resp.StatusCode < 300
}

func doorCode(c *http.Client, s *server) (string, error) {
	resp, err := c.Get(s.BaseURL + "/auth?response_type=code&client_id=demo&scope=openid&login_hint=auto:" + doctor + "&redirect_uri=" + url.QueryEscape(callbackURL))
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
	if err := decode(resp.Body, &t); err != nil || t.RefreshToken == "" {
		return "", errors.Join(err, errors.New(resp.Status))
	}
	return t.RefreshToken, nil
}
