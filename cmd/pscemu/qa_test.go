package main

import (
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"pscemu.invalid/pscemu/internal/testkit"
	medic "pscemu.invalid/pscemu/lab/doctor"
)

const situation = `
name: a hard day
about: the phone refuses, the card is blocked, tokens are poisoned
clock: {offset: 36h}
settings: {acr: eidas2}
generate: [{count: 2, seed: 7, profession: "60"}]
people:
  - {national_id: "899790022349", behaviour: {action: refuse}}
  - national_id: ANS20260101000001
    family_name: SCENARIO
    given_name: CLEMENCE
    behaviour: {action: approve}
    ecps: "4321"
    cards: [{type: CPE, state: blocked}]
faults: [{kind: nonce-wrong, times: 1}]
`

func TestAScenarioIsLoadedSavedAndReplayed(t *testing.T) {
	s := boot(t)
	file := filepath.Join(t.TempDir(), "situation.yaml")
	if err := os.WriteFile(file, []byte(situation), 0o600); err != nil {
		t.Fatal(err)
	}
	s.cli("scenario", "load", file)
	present := func(s *server) string {
		var v any
		s.API("GET", "/scenarios/current?format=json", "", &v)
		return testkit.Encoded(t, v)
	}
	was := present(s)
	for _, want := range []string{
		`"offset":"36h0m0s"`,
		`"acr":"eidas2"`,
		`"kind":"nonce-wrong"`,
		`"ecps":"4321"`,
		`"state":"blocked"`,
		"CLEMENCE",
		`"national_id":"899790022349"`,
	} {
		if !strings.Contains(was, want) {
			t.Errorf("the situation lacks %s: %s", want, was)
		}
	}
	saved := filepath.Join(t.TempDir(), "saved.yaml")
	s.cli("scenario", "save", saved)
	// Replayed on a fresh emulator, and on this one again.
	other := s.space("replay")
	other.cli("scenario", "load", saved)
	s.cli("scenario", "load", "--reset", saved)
	for name, at := range map[string]*server{"a fresh emulator": other, "the same again": s} {
		if is := present(at); is != was {
			t.Errorf("%s:\n%s\nwant\n%s", name, is, was)
		}
	}
	if q := testkit.NewRelyingParty(
		other.Server,
		other.DemoCertificate(),
	).Login(testkit.Nurse); q.Get("error") != "access_denied" {
		t.Errorf("the nurse's phone: %v", q)
	}
	for name, c := range map[string]struct{ body, want string }{
		"an unknown part":   {`peoples: []`, "scenario-unreadable"},
		"no YAML":           {"a: [", "scenario-unreadable"},
		"an unknown fault":  {`faults: [{kind: gremlin}]`, "fault-unknown"},
		"an unknown person": {`people: [{national_id: "899700000000", behaviour: {action: refuse}}]`, "identity-unknown"},
		"a wrong setting":   {`settings: {acr: "a b"}`, "setting-invalid"},
		"a state of none":   {`people: [{national_id: "899790022349", cards: [{type: CPS, state: lost}]}]`, "card-state"},
	} {
		if got := s.CodeOf("POST", "/scenarios", c.body); got != c.want {
			t.Errorf("%s: %s, want %s", name, got, c.want)
		}
	}
}

// A link shows the scenario; the page's button enters it.
func TestAScenarioTravelsAsALink(t *testing.T) {
	s := boot(t)
	file := filepath.Join(t.TempDir(), "situation.yaml")
	if err := os.WriteFile(file, []byte("faults: [{kind: cut, endpoint: token}]\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	link := strings.TrimSpace(s.cli("scenario", "link", file))
	c := s.Browser()
	resp, err := c.Get(link)
	if err != nil {
		t.Fatal(err)
	}
	if page := testkit.Text(t, resp); !strings.Contains(page, "kind: cut") {
		t.Fatalf("%s: %s", link, page)
	}
	resp, err = c.PostForm(
		s.ConsoleURL+"/scenario",
		url.Values{"scenario": {"faults: [{kind: cut, endpoint: token}]"}, "reset": {"1"}},
	)
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	var faults struct{ Items []any }
	if s.API("GET", "/faults", "", &faults); len(faults.Items) != 1 {
		t.Errorf("%d faults", len(faults.Items))
	}
}

func (s *server) diagnosis(app string) map[string]medic.Finding {
	s.T.Helper()
	var list struct{ Items []medic.Finding }
	s.API("GET", "/doctor?app="+url.QueryEscape(app), "", &list)
	out := map[string]medic.Finding{}
	for _, f := range list.Items {
		if old, ok := out[f.What]; !ok || old.Grade == medic.Good {
			out[f.What] = f
		}
	}
	return out
}

func TestTheDoctorFindsWhatKeepsALoginFromWorking(t *testing.T) {
	s := boot(t)
	well := s.diagnosis(s.application() + "/login")
	for what, f := range well {
		if f.Grade == medic.Bad || f.Grade == medic.Warning && what != "trust" && what != "host name" {
			t.Errorf("a good application: %s: %s", what, f.Found)
		}
	}
	if well["trust"].Grade != medic.Warning || !strings.Contains(well["trust"].Remedy, "NODE_EXTRA_CA_CERTS") {
		t.Errorf("trust: %+v", well["trust"])
	}
	s.AddClient("near", "https://app.example/callback")
	send := func(to string) string {
		app := httptest.NewServer(http.RedirectHandler(to, http.StatusFound))
		t.Cleanup(app.Close)
		return app.URL
	}
	for name, c := range map[string]struct {
		app, what string
		grade     medic.Grade
		says      string
	}{
		"a slash too many": {
			send(s.BaseURL + "/auth?client_id=near&redirect_uri=" + url.QueryEscape("https://app.example/callback/")),
			"redirect_uri",
			medic.Bad,
			"a trailing slash",
		},
		"another provider": {
			send("https://other.example/auth?client_id=near&redirect_uri=x"),
			"authorize URL",
			medic.Bad,
			"is not this emulator's",
		},
		"an unknown client": {
			send(s.BaseURL + "/auth?client_id=nobody&redirect_uri=x"),
			"client_id",
			medic.Bad,
			"not registered",
		},
		"no cookie": {
			send(s.BaseURL + "/auth?client_id=near&redirect_uri=https://app.example/callback"),
			"cookies",
			medic.Warning,
			"cookie",
		},
		"no state": {
			send(s.BaseURL + "/auth?client_id=near&redirect_uri=https://app.example/callback"),
			"state",
			medic.Warning,
			"not sent",
		},
		"no application": {"http://127.0.0.1:1/", "application", medic.Bad, "refused"},
		"no login":       {send("/nowhere"), "application", medic.Bad, "redirects"},
	} {
		f := s.diagnosis(c.app)[c.what]
		if f.Grade != c.grade || !strings.Contains(f.Found, c.says) || f.Remedy == "" {
			t.Errorf("%s: %+v", name, f)
		}
	}
	s.API("PUT", "/clock", `{"offset":"-2h"}`, nil)
	if f := s.diagnosis("")["clock"]; f.Grade != medic.Warning || !strings.Contains(f.Found, "off by -2h") {
		t.Errorf("the clock: %+v", f)
	}
	s.API("PUT", "/clock", `{"offset":"90000h"}`, nil)
	if f := s.diagnosis("")["client certificate"]; f.Grade != medic.Bad {
		t.Errorf("an expired certificate: %+v", f)
	}
	out, err := exec.Command(binary, "doctor", "--data", s.data).CombinedOutput()
	if err == nil || !strings.Contains(string(out), "→ pscemu certificates issue") {
		t.Errorf("the command: %v %s", err, out)
	}
}
