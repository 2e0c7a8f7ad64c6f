package access

import (
	"context"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"runtime"
	"strconv"
	"testing"
	"time"
)

func nobody() string { return "" }

func TestASessionEndsWhenItIsIdleAndAfterAWeek(t *testing.T) {
	at := time.Unix(1_800_000_000, 0)
	s := newSessions(func() time.Time { return at })
	idle, busy := s.begin(""), s.begin("")
	for began := at; at.Sub(began) < sessionLife; at = at.Add(time.Hour) {
		if !s.holds(busy, nobody) {
			t.Fatalf("ended after %s of use", at.Sub(began))
		}
		if at.Sub(began) > sessionIdle && s.holds(idle, nobody) {
			t.Fatal("an idle one goes on")
		}
	}
	if at = at.Add(time.Second); s.holds(busy, nobody) {
		t.Error("it goes on after a week")
	}
	if s.holds("", nobody) || s.holds("x", nobody) || len(s.all) != 0 {
		t.Errorf("%d are kept", len(s.all))
	}
}

func TestSessionsAreBoundedAndTheIdlestGoesFirst(t *testing.T) {
	at := time.Unix(1_800_000_000, 0)
	s := newSessions(func() time.Time { return at })
	first := s.begin("")
	second := s.begin("")
	for range maxSessions {
		at = at.Add(time.Millisecond)
		if !s.holds(first, nobody) {
			t.Fatal("the one in use went")
		}
		s.begin("")
	}
	if len(s.all) != maxSessions || s.holds(second, nobody) {
		t.Errorf("%d are kept, the idlest among them", len(s.all))
	}
}

func TestASessionIsOfTheUserWhoOpenedIt(t *testing.T) {
	s := newSessions(time.Now)
	value := s.begin("1000")
	for user, want := range map[string]bool{"1000": true, "1001": false, "0": false, "": false} {
		if got := s.holds(value, func() string { return user }); got != want {
			t.Errorf("user %q: %v", user, got)
		}
	}
}

func TestTheSystemTellsWhoseAConnectionIs(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("this system does not tell")
	}
	var seen string
	server := httptest.NewUnstartedServer(
		http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { seen = peer(r.Context()) }),
	)
	server.Config.ConnContext = ConnContext
	server.Start()
	defer server.Close()
	for _, network := range []string{"tcp4", "tcp"} {
		client := &http.Client{
			Transport: &http.Transport{DialContext: func(ctx context.Context, _, at string) (net.Conn, error) {
				return (&net.Dialer{}).DialContext(ctx, network, at)
			}, DisableKeepAlives: true},
		}
		resp, err := client.Get(server.URL)
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		if want := strconv.Itoa(os.Getuid()); seen != want {
			t.Errorf("%s: it is user %q's, not %q's", network, seen, want)
		}
	}
}

func TestWrongTokensAreCountedAndGivenBack(t *testing.T) {
	at := time.Unix(1_800_000_000, 0)
	s := newSessions(func() time.Time { return at })
	no, yes := func() bool { return false }, func() bool { return true }
	for range maxTries {
		if ok, wait := s.try(no); ok || wait != 0 {
			t.Fatal(ok, wait)
		}
	}
	if ok, wait := s.try(yes); ok || wait <= 0 || wait > tryAgain {
		t.Errorf("the eleventh: %v, wait %s", ok, wait)
	}
	at = at.Add(tryAgain)
	if ok, _ := s.try(yes); !ok {
		t.Error("after a while the right one is refused")
	}
	if ok, wait := s.try(no); ok || wait != 0 {
		t.Error(ok, wait)
	}
	if _, wait := s.try(yes); wait == 0 {
		t.Error("one was given back, two were taken")
	}
}

func TestWhereTheConsoleGoesOnTo(t *testing.T) {
	for to, want := range map[string]string{
		"": "", "/": "", "/identities?q=a": "identities?q=a", "//evil.example": "", "https://evil.example/": "",
		`/\evil.example`: "", "/a\nb": "", "identities": "", "/why/x?login=Y": "why/x?login=Y",
	} {
		if got := ownPath(to); got != want {
			t.Errorf("%q leads to %q", to, got)
		}
	}
}
