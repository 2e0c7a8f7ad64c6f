package cards_test

import (
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"pscemu.invalid/pscemu/internal/testkit"
)

// The webinar's kit: « CPS Médecin, CPS Médecin 8 activités, CPS Infirmier,
// CPE opposée, CPA ».
func TestTheKitDIntegrationHoldsItsFiveCards(t *testing.T) {
	t.Parallel()
	s := testkit.Start(t)
	var kit struct{ Items []testkit.Card }
	s.Must("POST", "/cards/kits/integration", nil, &kit)
	if len(kit.Items) != 5 {
		t.Fatalf("%+v", kit)
	}
	want := []struct {
		kind, state, profession string
		activities              int
	}{
		{"CPS", "active", "10", 1},
		{"CPS", "active", "10", 8},
		{"CPS", "active", "60", 1},
		{"CPE", "opposed", "", 1},
		{"CPA", "active", "", 1},
	}
	for n, w := range want {
		c := kit.Items[n]
		var person struct {
			Exercices []struct {
				CodeProfession string
				Activities     []any
			}
		}
		s.API("GET", "/identities/"+url.PathEscape(c.NationalID), "", &person)
		if c.Type != w.kind || c.State != w.state || person.Exercices[0].CodeProfession != w.profession ||
			len(person.Exercices[0].Activities) < w.activities {
			t.Errorf("card %d: %+v %+v", n+1, c, person)
		}
		browser, page, _ := s.AtCard()
		got := testkit.Present(s, browser, page, c.Serial, c.PIN)
		if w.state == "opposed" != strings.Contains(got, "card-opposed") ||
			w.state == "active" != strings.Contains(got, "code=") {
			t.Errorf("card %d logs in: %.300s", n+1, got)
		}
	}
	_, answer := s.Call("POST", "/cards/kits/integration", nil)
	again := string(answer)
	if strings.Contains(again, kit.Items[0].NationalID) {
		t.Error("a second kit has the first one's people")
	}
	for _, name := range []string{"hospital", "practice", "pharmacy", "lab", "ambulance", "vendor"} {
		var made struct{ Items []testkit.Card }
		if s.Must("POST", "/cards/kits/"+name, nil, &made); len(made.Items) < 3 {
			t.Errorf("%s: %+v", name, made)
		}
	}
	if got := s.CodeOf("POST", "/cards/kits/none", ""); got != "kit-unknown" {
		t.Errorf("an unknown kit: %s", got)
	}
}

func TestTheReaderTakesTheInsertedCardAloneAndNoticesThatItIsPulledOut(t *testing.T) {
	t.Parallel()
	s := testkit.Start(t)
	nurses, doctors := s.CardOf(testkit.Nurse).Serial, s.CardOf(testkit.Doctor).Serial
	s.Must("PUT", "/reader", map[string]string{"card": nurses}, nil)
	browser, page, text := s.AtCard()
	if !strings.Contains(text, nurses) || strings.Contains(text, doctors) {
		t.Error("the page shows other cards than the one in the reader")
	}
	if got := testkit.Present(s, browser, page, doctors, "1234"); !strings.Contains(got, "card-not-in-reader") {
		t.Errorf("another card: %.300s", got)
	}
	browser, page, _ = s.AtCard()
	s.Must("DELETE", "/reader", nil, nil)
	if got := testkit.Present(s, browser, page, nurses, "1234"); !strings.Contains(got, "card-pulled-out") {
		t.Errorf("pulled out amid the login: %.300s", got)
	}
	if got := testkit.Present(s, browser, page, nurses, "1234"); !strings.Contains(got, "code=") {
		t.Errorf("the next try, with any card again: %.300s", got)
	}
	browser, page, _ = s.AtCard()
	s.API("PUT", "/reader", `{"card":"`+nurses+`"}`, nil)
	testkit.Read(s, browser, page+"?tab=card")
	if got := testkit.Present(s, browser, page, nurses, "1234"); !strings.Contains(got, "code=") {
		t.Errorf("inserted: %.300s", got)
	}
	if got := s.CodeOf("PUT", "/reader", `{"card":"1"}`); got != "card-unknown" {
		t.Errorf("no such card: %s", got)
	}
}

func TestAttack14TheUnblockingCodeIsTriedThreeTimes(t *testing.T) {
	t.Parallel()
	s := testkit.Start(t)
	block := func() testkit.Card {
		t.Helper()
		var c testkit.Card
		s.API("POST", "/cards", `{"national_id":"`+testkit.Nurse+`","type":"CPS"}`, &c)
		for range 3 {
			browser, page, _ := s.AtCard()
			testkit.Present(s, browser, page, c.Serial, "0000")
		}
		return c
	}
	unblock := func(c testkit.Card, puk, pin string) string {
		return s.CodeOf("POST", "/cards/"+c.Serial+"/unblock", `{"puk":"`+puk+`","pin":"`+pin+`"}`)
	}
	c := block()
	if got := unblock(c, c.PUK, "12"); got != "pin-form" {
		t.Errorf("a short code porteur: %s", got)
	}
	if got := unblock(c, "00000000", "5678"); got != "puk-wrong" {
		t.Errorf("a wrong code: %s", got)
	}
	s.Must("POST", "/cards/"+c.Serial+"/unblock", map[string]string{"puk": c.PUK, "pin": "5678"}, nil)
	browser, page, _ := s.AtCard()
	if got := testkit.Present(s, browser, page, c.Serial, "5678"); !strings.Contains(got, "code=") {
		t.Errorf("with the new code: %.300s", got)
	}
	if got := unblock(c, c.PUK, "5678"); got != "card-not-blocked" {
		t.Errorf("a card that is not blocked: %s", got)
	}
	c = block()
	for range 3 {
		unblock(c, "00000000", "5678")
	}
	if got := unblock(c, c.PUK, "5678"); got != "card-dead" {
		t.Errorf("the right code after three wrong ones: %s", got)
	}
}

// A carte de service names no person: its certificate holds a pseudonym, and it
// neither logs in nor activates an e-CPS.
func TestACarteDeServiceNamesNobody(t *testing.T) {
	t.Parallel()
	s := testkit.Start(t)
	var c testkit.Card
	if s.API(
		"POST",
		"/cards",
		`{"service":"HOPITAL FICTIF","structure":"0B0172805"}`,
		&c,
	); c.Type != "CPE" ||
		!strings.HasPrefix(c.NationalID, "30B0172805/") {
		t.Fatalf("%+v", c)
	}
	pem := filepath.Join(t.TempDir(), "c.pem")
	if err := os.WriteFile(pem, s.CardPEM(c.Serial), 0o600); err != nil {
		t.Fatal(err)
	}
	out, _ := exec.Command(
		"openssl",
		"x509",
		"-in",
		pem,
		"-noout",
		"-subject",
		"-nameopt",
		"sep_comma_plus_space,sname,utf8",
	).
		CombinedOutput()
	if !strings.Contains(string(out), "title=Carte de service santé ou social, pseudonym=EMPLOYE") ||
		!strings.Contains(string(out), "CN="+c.NationalID) {
		t.Errorf("%s", out)
	}
	browser, page, _ := s.AtCard()
	if got := testkit.Present(s, browser, page, c.Serial, "1234"); !strings.Contains(got, "card-not-nominative") {
		t.Errorf("attack 14: %.300s", got)
	}
	if got := s.CodeOf("POST", "/cards", `{"service":"X","structure":"123"}`); got != "structure-number" {
		t.Error(got)
	}
}

func TestARenewedCardTakesTheOldOnesPlace(t *testing.T) {
	t.Parallel()
	s := testkit.Start(t)
	old := s.CardOf(testkit.Nurse)
	var renewed testkit.Card
	s.Must("POST", "/cards/"+old.Serial+"/renew", nil, &renewed)
	if renewed.Serial == old.Serial || renewed.PIN != old.PIN {
		t.Fatalf("%+v", renewed)
	}
	for serial, want := range map[string]string{old.Serial: "card-opposed", renewed.Serial: "code="} {
		browser, page, _ := s.AtCard()
		if got := testkit.Present(s, browser, page, serial, "1234"); !strings.Contains(got, want) {
			t.Errorf("%s: %.300s", want, got)
		}
	}
	if got := s.CodeOf("POST", "/cards/"+old.Serial+"/renew", ""); got != "card-not-renewable" {
		t.Error(got)
	}
}

// « Ces cartes vont vous permettre de réaliser des tests en production »: a card
// of one environment is refused in the other, by the reader and the browser.
func TestAProductionCardServesProductionOnly(t *testing.T) {
	t.Parallel()
	s := testkit.Start(t)
	var c testkit.Card
	s.API("POST", "/cards", `{"national_id":"`+testkit.Nurse+`","type":"CPS","production":true}`, &c)
	try := func(serial string) string {
		browser, page, _ := s.AtCard()
		return testkit.Present(s, browser, page, serial, "1234")
	}
	if got := try(c.Serial); !strings.Contains(got, "card-other-environment") {
		t.Errorf("in the sandbox: %.300s", got)
	}
	s.API("PATCH", "/settings", `{"cards-accepted":"production"}`, nil)
	if got := try(c.Serial); !strings.Contains(got, "code=") {
		t.Errorf("in production: %.300s", got)
	}
	if got := try(s.CardOf(testkit.Doctor).Serial); !strings.Contains(got, "card-other-environment") {
		t.Errorf("a test card in production: %.300s", got)
	}
	pem := filepath.Join(t.TempDir(), "c.pem")
	if err := os.WriteFile(pem, s.CardPEM(c.Serial), 0o600); err != nil {
		t.Fatal(err)
	}
	if out, _ := exec.Command("openssl", "x509", "-in", pem, "-noout", "-text").
		CombinedOutput(); !strings.Contains(
		string(out),
		"1.2.250.1.71.1.2.5",
	) {
		t.Errorf("%s", out)
	}
	// « Non les CPF des auxiliaires médicaux n'existent pas. »
	if got := s.CodeOf(
		"POST",
		"/cards",
		`{"national_id":"`+testkit.Nurse+`","type":"CPF"}`,
	); got != "card-cpf-not-student" {
		t.Errorf("a nurse's CPF: %s", got)
	}
}

func TestIndividualTestCardsOfAnyProfession(t *testing.T) {
	t.Parallel()
	s := testkit.Start(t)
	for _, who := range []string{"28", "93", "CDA"} {
		var made struct{ Items []testkit.Card }
		if s.Must("POST", "/cards/test", map[string]any{"profession": who, "count": 2}, &made); len(made.Items) != 2 {
			t.Errorf("%s: %+v", who, made)
		}
	}
	if got := s.CodeOf("POST", "/cards/test", `{"profession":"x"}`); got != "profession-unknown" {
		t.Error(got)
	}
	if got := s.CodeOf("POST", "/cards/test", `{"profession":"10","count":0}`); got != "count-invalid" {
		t.Error(got)
	}
}
