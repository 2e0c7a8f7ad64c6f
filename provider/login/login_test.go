package login_test

import (
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"pscemu.invalid/pscemu/internal/clock"
	"pscemu.invalid/pscemu/internal/problem"
	"pscemu.invalid/pscemu/internal/store"
	"pscemu.invalid/pscemu/provider/login"
)

// world is the logins of one emulator, in memory, on a clock that tests move.
type world struct {
	t *testing.T
	*login.Logins
	clock *clock.Adjustable
	out   []string // logins that had to make room
}

func newWorld(t *testing.T, most int) *world {
	t.Helper()
	c := &clock.Adjustable{}
	kept := store.NewMemory(c)
	t.Cleanup(func() { _ = kept.Close() })
	w := &world{t: t, clock: c}
	w.Logins = &login.Logins{Cookies: login.Cookies{Instance: "x"}, Store: kept, Clock: c, Max: most}
	w.Dropped = func(id string) { w.out = append(w.out, id) }
	return w
}

// browser keeps cookies, as a browser does.
type browser map[string]*http.Cookie

func (b browser) request() *http.Request {
	r := httptest.NewRequest(http.MethodGet, "https://localhost/login", nil)
	for _, c := range b {
		r.AddCookie(c)
	}
	return r
}

func (b browser) keep(w *httptest.ResponseRecorder) {
	for _, c := range w.Result().Cookies() {
		if c.MaxAge < 0 {
			delete(b, c.Name)
			continue
		}
		b[c.Name] = c
	}
}

// begin starts a login in a browser.
func (w *world) begin(b browser, p login.Pending) *login.Pending {
	w.t.Helper()
	rec := httptest.NewRecorder()
	begun, err := w.New(rec, b.request(), p)
	if err != nil {
		w.t.Fatal(err)
	}
	b.keep(rec)
	return begun
}

// refused tells whether an error is this refusal.
func refused(err error, code problem.Code) bool { return problem.Is(err, code) }

func TestALoginBelongsToTheBrowserThatBeganIt(t *testing.T) {
	w := newWorld(t, 10)
	own, other := browser{}, browser{}
	first := w.begin(own, login.Pending{ClientID: "demo", Form: url.Values{"state": {"s"}}})
	w.begin(other, login.Pending{ClientID: "demo"})
	got, err := w.Get(own.request(), first.ID)
	if err != nil || got.ClientID != "demo" || got.Form.Get("state") != "s" {
		t.Errorf("its own browser: %+v %v", got, err)
	}
	for name, b := range map[string]browser{"another browser": other, "one without a cookie": {}} {
		if _, err := w.Get(b.request(), first.ID); !refused(err, problem.LoginOtherBrowser) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if second := w.begin(own, login.Pending{}); second.Browser != first.Browser || second.ID == first.ID {
		t.Errorf("a browser keeps its cookie and has a login for each request: %+v", second)
	}
}

func TestALoginEndsOnceAndIsUnknownAfter(t *testing.T) {
	w := newWorld(t, 10)
	own := browser{}
	p := w.begin(own, login.Pending{ClientID: "demo"})
	if w.Open() != 1 {
		t.Errorf("%d are open", w.Open())
	}
	if err := w.End(t.Context(), p.ID); err != nil {
		t.Fatal(err)
	}
	if err := w.End(t.Context(), p.ID); !refused(err, problem.LoginUnknown) {
		t.Errorf("the second end: %v", err)
	}
	if _, err := w.Get(own.request(), p.ID); !refused(err, problem.LoginUnknown) || w.Open() != 0 {
		t.Errorf("after the end: %v, %d open", err, w.Open())
	}
}

func TestALoginIsOverAfterItsLifetimeAndEachStepBeginsItAnew(t *testing.T) {
	w := newWorld(t, 10)
	own := browser{}
	p := w.begin(own, login.Pending{})
	w.clock.Advance(login.Lifetime - time.Minute)
	if _, err := w.Change(t.Context(), p.ID, func(p *login.Pending) error { p.Request = "r"; return nil }); err != nil {
		t.Fatal(err)
	}
	w.clock.Advance(login.Lifetime - time.Minute)
	if got, err := w.Get(own.request(), p.ID); err != nil || got.Request != "r" {
		t.Errorf("before its end: %+v %v", got, err)
	}
	w.clock.Advance(2 * time.Minute)
	if _, err := w.Get(own.request(), p.ID); !refused(err, problem.LoginUnknown) {
		t.Errorf("after its end: %v", err)
	}
}

func TestAChangeThatFailsChangesNothing(t *testing.T) {
	w := newWorld(t, 10)
	own := browser{}
	p := w.begin(own, login.Pending{ClientID: "before"})
	broken := errors.New("no")
	_, err := w.Change(t.Context(), p.ID, func(p *login.Pending) error { p.ClientID = "after"; return broken })
	if !errors.Is(err, broken) {
		t.Errorf("%v", err)
	}
	if got, err := w.Get(own.request(), p.ID); err != nil || got.ClientID != "before" {
		t.Errorf("%+v %v", got, err)
	}
}

func TestWhenAllAreOpenTheOneLeftAloneForLongestGoes(t *testing.T) {
	w := newWorld(t, 3)
	own := browser{}
	var all []*login.Pending
	for n := range 3 {
		all = append(all, w.begin(own, login.Pending{ClientID: fmt.Sprint(n)}))
	}
	w.begin(own, login.Pending{})
	if len(w.out) != 1 || w.out[0] != all[0].ID || w.Open() != 3 {
		t.Errorf("%v had to go, the first is %s; %d are open", w.out, all[0].ID, w.Open())
	}
	if _, err := w.Get(own.request(), all[0].ID); !refused(err, problem.LoginDropped) {
		t.Errorf("its browser hears why: %v", err)
	}
}

// Who only asks for pages never pushes out those who use them.
func TestALoginThatSomebodyUsesStaysBeforeThoseThatNobodyCameBackTo(t *testing.T) {
	w := newWorld(t, 4)
	own, flood := browser{}, browser{}
	used := w.begin(own, login.Pending{})
	if _, err := w.Change(t.Context(), used.ID, func(*login.Pending) error { return nil }); err != nil {
		t.Fatal(err)
	}
	for range 20 {
		w.begin(flood, login.Pending{})
	}
	if _, err := w.Get(own.request(), used.ID); err != nil {
		t.Errorf("the one in use: %v", err)
	}
	if w.Open() > 4 {
		t.Errorf("%d are open", w.Open())
	}
}

func TestLoginsThatAreOverMakeRoomUnheard(t *testing.T) {
	w := newWorld(t, 2)
	own := browser{}
	w.begin(own, login.Pending{})
	w.begin(own, login.Pending{})
	w.clock.Advance(login.Lifetime + time.Minute)
	w.begin(own, login.Pending{})
	if len(w.out) != 0 {
		t.Errorf("%v had to go, though their time was over", w.out)
	}
}

func TestLargeLoginsAreBoundedByTheirBytes(t *testing.T) {
	w := newWorld(t, 1000) // 2 MiB for all
	own := browser{}
	for range 6 {
		w.begin(own, login.Pending{Form: url.Values{"state": {strings.Repeat("s", 500_000)}}})
	}
	if w.Open() > 4 || len(w.out) < 2 {
		t.Errorf("%d are open, %d had to go", w.Open(), len(w.out))
	}
}

func TestATicketToTheCardServesOnceForItsBrowser(t *testing.T) {
	w := newWorld(t, 10)
	own := browser{}
	p := w.begin(own, login.Pending{})
	out, err := w.ToCard(t.Context(), p.ID)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := w.AtCard(own.request(), p.ID, out); err != nil {
		t.Errorf("its browser: %v", err)
	}
	if _, err := w.AtCard(browser{}.request(), p.ID, out); !refused(err, problem.LoginOtherBrowser) {
		t.Errorf("another browser: %v", err)
	}
	if _, err := w.AtCard(own.request(), p.ID, "guess"); !refused(err, problem.CardTicketWrong) {
		t.Errorf("another ticket: %v", err)
	}
	if _, err := w.AtCard(own.request(), "nothing", out); !refused(err, problem.LoginUnknown) {
		t.Errorf("another login: %v", err)
	}
	back, err := w.Presented(t.Context(), p.ID, out, "899700366240")
	if err != nil || back == out {
		t.Fatalf("the ticket back: %q %v", back, err)
	}
	if _, err := w.Presented(t.Context(), p.ID, out, "another"); !refused(err, problem.CardTicketWrong) {
		t.Errorf("a ticket serves once: %v", err)
	}
	if holder, err := w.Returned(t.Context(), p.ID, back); err != nil || holder != "899700366240" {
		t.Errorf("whom the card proved: %q %v", holder, err)
	}
	if _, err := w.Returned(t.Context(), p.ID, back); !refused(err, problem.CardTicketWrong) {
		t.Errorf("a ticket back serves once: %v", err)
	}
}

func TestANewTicketForgetsWhatAnEarlierOneLedTo(t *testing.T) {
	w := newWorld(t, 10)
	own := browser{}
	p := w.begin(own, login.Pending{})
	first, _ := w.ToCard(t.Context(), p.ID)
	back, err := w.Presented(t.Context(), p.ID, first, "899700366240")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := w.ToCard(t.Context(), p.ID); err != nil {
		t.Fatal(err)
	}
	if _, err := w.Returned(t.Context(), p.ID, back); !refused(err, problem.CardTicketWrong) {
		t.Errorf("%v", err)
	}
}

func TestTicketsLiveShortly(t *testing.T) {
	w := newWorld(t, 10)
	own := browser{}
	p := w.begin(own, login.Pending{})
	out, _ := w.ToCard(t.Context(), p.ID)
	w.clock.Advance(5 * time.Minute)
	if _, err := w.AtCard(own.request(), p.ID, out); !refused(err, problem.CardTicketWrong) {
		t.Errorf("five minutes on: %v", err)
	}
	out, _ = w.ToCard(t.Context(), p.ID)
	back, err := w.Presented(t.Context(), p.ID, out, "899700366240")
	if err != nil {
		t.Fatal(err)
	}
	w.clock.Advance(time.Minute)
	if _, err := w.Returned(t.Context(), p.ID, back); !refused(err, problem.CardTicketWrong) {
		t.Errorf("a minute on: %v", err)
	}
}

func TestAPageOfThePortalBelongsToOneBrowser(t *testing.T) {
	w := newWorld(t, 10)
	own := browser{}
	p := w.begin(own, login.Pending{})
	err := w.Store.Update(t.Context(), func(tx store.Tx) error {
		return w.BindIn(tx, "page", p.Browser, time.Minute)
	})
	if err != nil {
		t.Fatal(err)
	}
	if err := w.Bound(own.request(), "page"); err != nil {
		t.Errorf("its browser: %v", err)
	}
	for name, page := range map[string]string{"another browser": "page", "an unknown page": "nothing"} {
		if err := w.Bound(browser{}.request(), page); !refused(err, problem.PageOtherBrowser) {
			t.Errorf("%s: %v", name, err)
		}
	}
	w.clock.Advance(2 * time.Minute)
	if err := w.Bound(own.request(), "page"); !refused(err, problem.PageOtherBrowser) {
		t.Errorf("after its time: %v", err)
	}
}

func TestABrowserKeepsTheIDTheLanguageAndTheSession(t *testing.T) {
	w := newWorld(t, 10)
	own := browser{}
	rec := httptest.NewRecorder()
	w.Remember(rec, "1234/é;x")
	w.SetLanguage(rec, "en")
	w.SetSession(rec, "sid", "secret.with.dots")
	own.keep(rec)
	for _, c := range own {
		if !strings.HasPrefix(c.Name, "__Host-pscemu-") || !c.Secure || !c.HttpOnly || c.Path != "/" {
			t.Errorf("the cookie %+v", c)
		}
	}
	r := own.request()
	sid, secret := w.Session(r)
	if w.Remembered(r) != "1234/é;x" || w.Language(r) != "en" || sid != "sid" || secret != "secret.with.dots" {
		t.Errorf("%q %q %q %q", w.Remembered(r), w.Language(r), sid, secret)
	}
	rec = httptest.NewRecorder()
	w.Remember(rec, "")
	w.ClearSession(rec)
	own.keep(rec)
	r = own.request()
	if sid, secret := w.Session(r); w.Remembered(r) != "" || sid+secret != "" {
		t.Errorf("they were taken away: %q %q %q", w.Remembered(r), sid, secret)
	}
	if elsewhere := (login.Cookies{Instance: "y"}); elsewhere.Language(r) != "" {
		t.Error("another emulator on this host reads the cookie")
	}
}

func TestTheAddressOfALoginHoldsItsIDEscaped(t *testing.T) {
	if got := login.Path("a/b", "/card"); got != "/login/a%2Fb/card" {
		t.Error(got)
	}
}
