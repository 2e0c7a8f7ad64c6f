package testkit

import (
	"encoding/json"
	"io"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"
)

// CardPEM is the certificate of a card, as PEM.
func (s *Server) CardPEM(serial string) []byte {
	s.T.Helper()
	req, _ := http.NewRequest(http.MethodGet, s.APIURL+"/cards/"+serial+"/certificate", nil)
	req.Header.Set("Authorization", "Bearer "+s.APIToken)
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		s.T.Fatal(err)
	}
	defer resp.Body.Close()
	b, _ := io.ReadAll(resp.Body)
	return b
}

// ClockNow is what the clock shows.
func (s *Server) ClockNow() time.Time {
	s.T.Helper()
	var at struct{ Now time.Time }
	s.API("GET", "/clock", "", &at)
	return at.Now
}

// Mails waits for a mail and an SMS of the person behind the given message.
func (s *Server) Mails(id, after string) (mail, sms Message) {
	s.T.Helper()
	for channel, m := range map[string]*Message{"mail": &mail, "sms": &sms} {
		q := url.Values{"national_id": {id}, "channel": {channel}, "after": {after}}
		if status := s.API("GET", "/outbox/wait?"+q.Encode(), "", m); status != 200 {
			s.T.Fatalf("no %s: %d", channel, status)
		}
	}
	return mail, sms
}

// LogoutToken is what a body of a back-channel logout says.
func LogoutToken(t testing.TB, body string) (token struct{ JTI, SID, Sub, Aud string }) {
	t.Helper()
	form, err := url.ParseQuery(body)
	if err != nil {
		t.Fatal(err)
	}
	_, payload := JWTParts(t, form.Get("logout_token"))
	if err := json.Unmarshal([]byte(payload), &token); err != nil {
		t.Fatal(err)
	}
	return token
}

// Holds tells what of these a page lacks.
func Holds(t testing.TB, page string, wanted ...string) {
	t.Helper()
	for _, want := range wanted {
		if !strings.Contains(page, want) {
			t.Errorf("no %s in\n%.2500s", want, page)
		}
	}
}
