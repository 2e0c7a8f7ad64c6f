package pages_test

import (
	"bufio"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"pscemu.invalid/pscemu/internal/testkit"
)

func TestTheStoryOfALoginIsDrawn(t *testing.T) {
	t.Parallel()
	w := open(t)
	if _, page, _ := w.AtPhone("not an id"); page == "" {
		t.Fatal("no login")
	}
	var all struct{ Items []struct{ ID string } }
	w.API("GET", "/logins", "", &all)
	id := all.Items[0].ID
	page := w.shown("/logins/" + id)
	holds(t, "the login", page, `data-testid="sequence"`, "Connexion", "/api/v1/logins/"+id)
	holds(t, "the list", w.shown("/logins"), "/logins/"+id)
	holds(t, "another client's", w.shown("/logins?client=nobody"), "Aucune connexion")
	var one struct {
		Events []struct{ Code, Reason string }
	}
	w.API("GET", "/logins/"+id, "", &one)
	for _, e := range one.Events {
		if e.Code == "" {
			continue
		}
		holds(t, "the refusal", page, e.Code, "Pourquoi ?")
		holds(t, "what came", w.shown("/why/"+url.PathEscape(e.Code)+"?login="+id), e.Code, id)
		return
	}
	t.Errorf("the journal tells no refusal: %+v", one)
}

func TestThePageOfLoginsHearsOfEachEvent(t *testing.T) {
	t.Parallel()
	w := open(t)
	resp, err := w.browser.Get(w.ConsoleURL + "/logins/stream")
	if err != nil || resp.Header.Get("Content-Type") != "text/event-stream" {
		t.Fatalf("%v %v", err, resp)
	}
	defer resp.Body.Close()
	lines := bufio.NewScanner(resp.Body)
	next := func() string {
		for lines.Scan() {
			if seq, ok := strings.CutPrefix(lines.Text(), "data: "); ok {
				return seq
			}
		}
		t.Fatal("the stream ended")
		return ""
	}
	before := next()
	w.LoginPage()
	if after := next(); after == before {
		t.Errorf("the event is still %s", after)
	}
}

func TestWhatCameInALoginIsShownToWhoOpenedTheConsole(t *testing.T) {
	t.Parallel()
	w := open(t, "console-access=link")
	resp, text := testkit.Visit{Method: "GET", At: w.ConsoleURL + "/why/card-blocked?login=abc",
		Header: map[string]string{"Accept": "text/html"}}.Send(t)
	if resp.StatusCode != http.StatusOK || strings.Contains(text, "?login=abc\" data-event") {
		t.Errorf("%d %.600s", resp.StatusCode, text)
	}
}

func TestALoginWaitsForACardAtTheReader(t *testing.T) {
	t.Parallel()
	w := open(t)
	card := w.CardOf(testkit.Asked)
	begin := func() string {
		status, begun := w.Backchannel(url.Values{"channel": {"CARD"}})
		if status != http.StatusOK {
			t.Fatalf("CIBA: %d %v", status, begun)
		}
		waiting := w.Waiting("/reader/requests")
		return waiting[len(waiting)-1].ID
	}
	id := begin()
	holds(t, "the reader", w.shown("/reader"), card.Serial, id)
	wrong := url.Values{"card": {card.Serial}, "pin": {"0000"}}
	if _, _, page := w.post("/reader/"+id, wrong); !strings.Contains(page, `data-testid="error"`) {
		t.Errorf("a wrong code:\n%.900s", page)
	}
	w.done("/reader/"+id, url.Values{"serial": {" " + card.Serial + " "}, "pin": {card.PIN}})
	w.done("/reader/"+begin(), url.Values{"answer": {"refuse"}})
	if left := w.Waiting("/reader/requests"); len(left) != 0 {
		t.Errorf("still waiting: %+v", left)
	}
}

func TestMessagesAreShownTheNewestFirst(t *testing.T) {
	t.Parallel()
	w := open(t)
	w.Must("POST", "/identities/"+url.PathEscape(testkit.Nurse)+"/ecps", map[string]string{"by": "contact"}, nil)
	for _, path := range []string{"/outbox", "/outbox?national_id=" + testkit.Nurse} {
		page := w.shown(path)
		holds(t, path, page, testkit.Nurse, "data:image/png;base64,")
	}
	holds(t, "another person's", w.shown("/outbox?national_id="+testkit.Doctor), "0 en tout")
}
