package main

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"pscemu.invalid/pscemu/identities/nomenclature"
	"pscemu.invalid/pscemu/internal/testkit"
)

func TestGeneratedPeopleLogInByPhoneAndByCard(t *testing.T) {
	s := boot(t)
	var made struct {
		Items []struct {
			ID    string `json:"national_id"`
			Means []string
		}
	}
	if err := json.Unmarshal(
		[]byte(
			s.cli("identities", "generate", "--count", "3", "--seed", "11", "--profession", "50", "--output", "json"),
		),
		&made,
	); err != nil ||
		len(made.Items) != 3 {
		t.Fatalf("%v %+v", err, made)
	}
	for _, means := range []string{"ecps", "card"} {
		if out := s.cli(
			"login",
			"--identity",
			made.Items[1].ID,
			"--means",
			means,
		); !strings.Contains(out, `"10^`) &&
			!strings.Contains(out, `"50^1.2.250.1.213.1.1.5.5"`) {
			t.Errorf("%s: %s", means, out)
		}
	}
}

// A UserInfo copied from production becomes a fictitious person.
func TestAPersonFromProductionBecomesFictitious(t *testing.T) {
	s := boot(t)
	actual := "81000000000" + nomenclature.LuhnKey("1000000000")
	info := `{"SubjectNameID":"` + actual + `","family_name":"DUPONT","given_name":"JEANNE",` +
		`"SubjectRefPro":{"codeCivilite":"MME","exercices":[{"codeProfession":"10","codeCategorieProfessionnelle":"C",` +
		`"codeCiviliteDexercice":"DR","nomDexercice":"DUPONT","prenomDexercice":"JEANNE","codeTypeSavoirFaire":"S",` +
		`"codeSavoirFaire":"SM54","activities":[]}]}}`
	file := filepath.Join(t.TempDir(), "userinfo.json")
	if err := os.WriteFile(file, []byte(info), 0o600); err != nil {
		t.Fatal(err)
	}
	if out, err := exec.Command(binary, "identities", "import", file, "--data", s.data).
		CombinedOutput(); err == nil || !strings.Contains(string(out), "national-id-real") ||
		!strings.Contains(string(out), "fictitious") {
		t.Errorf("%v %s", err, out)
	}
	if out := s.cli("identities", "import", file, "--fictitious"); !strings.Contains(out, "1 person imported") {
		t.Error(out)
	}
	if all := s.cli(
		"identities",
		"export",
	); strings.Contains(all, "DUPONT") || strings.Contains(all, actual[1:]) ||
		!strings.Contains(all, "fictitious in place") {
		t.Error("the real person is there")
	}
}

// Staff are made with the card that goes with them, and log in with it.
func TestStaffOfAHospitalAndOfAVendorLogInWithTheirCards(t *testing.T) {
	s := boot(t)
	for _, card := range []string{"CPE", "CDE", "CPA", "CDA"} {
		var made struct {
			Items []struct {
				ID string `json:"national_id"`
			}
		}
		if err := json.Unmarshal(
			[]byte(s.cli("identities", "generate", "--seed", "6", "--profession", card, "--output", "json")),
			&made,
		); err != nil {
			t.Fatal(err)
		}
		id := made.Items[0].ID
		if out := s.cli("cards", "list", "--identity", id); !strings.Contains(out, card) {
			t.Errorf("%s: %s", id, out)
		}
		if out := s.cli(
			"login",
			"--identity",
			id,
			"--means",
			"card",
		); !strings.Contains(out, `"CARD"`) ||
			!strings.Contains(out, id) {
			t.Errorf("%s: %s", id, out)
		}
	}
}

// Names that break careless software go through login, tokens and pages whole.
func TestTrapNamesSurviveEveryPage(t *testing.T) {
	s := boot(t)
	var made struct {
		Items []struct {
			ID     string `json:"national_id"`
			Family string `json:"family_name"`
		}
	}
	if err := json.Unmarshal(
		[]byte(
			s.cli(
				"identities",
				"generate",
				"--count",
				"30",
				"--seed",
				"4",
				"--traps",
				"--mix",
				"60=1",
				"--output",
				"json",
			),
		),
		&made,
	); err != nil {
		t.Fatal(err)
	}
	rp := testkit.NewRelyingParty(s.Server, s.DemoCertificate())
	for _, p := range made.Items {
		id, _ := rp.Tokens(p.ID, "").Extra("id_token").(string)
		_, payload := testkit.JWTParts(t, id)
		var claims struct{ Family_name string } //nolint:revive // the claim's name
		if err := json.Unmarshal([]byte(payload), &claims); err != nil || claims.Family_name != p.Family {
			t.Errorf("%q became %q", p.Family, claims.Family_name)
		}
		resp, err := http.Get(s.ConsoleURL + "/identities/" + p.ID)
		if err != nil {
			t.Fatal(err)
		}
		page, _ := io.ReadAll(resp.Body)
		resp.Body.Close()
		if resp.StatusCode != 200 || strings.Contains(string(page), "<b>GRAS") {
			t.Errorf("attack 24, %q: %s", p.Family, resp.Status)
		}
	}
}

func TestPeopleTravelAsJSONYAMLAndCSV(t *testing.T) {
	s, other := boot(t), boot(t)
	s.Must("POST", "/identities/generate", map[string]any{"count": 40, "seed": 2}, nil)
	for _, format := range []string{"annuaire", "userinfo", "fhir"} {
		if out := s.cli("identities", "export", "--format", format); !strings.Contains(out, "DOC9001117") {
			t.Errorf("%s: %.200s", format, out)
		}
	}
	for _, format := range []string{"json", "yaml", "csv"} {
		file := filepath.Join(t.TempDir(), "people."+format)
		out := s.cli("identities", "export", "--format", format)
		if err := os.WriteFile(file, []byte(out), 0o600); err != nil {
			t.Fatal(err)
		}
		if got := other.cli("identities", "import", file); !strings.Contains(got, "73 people imported") {
			t.Errorf("%s: %s", format, got)
		}
		if back := other.cli("identities", "export", "--format", format); back != out {
			t.Errorf("%s: the round trip lost something", format)
		}
	}
}

func TestCodesAreSearchedWithoutAServer(t *testing.T) {
	out, err := exec.Command(binary, "codes", "g15", "sage").Output()
	if err != nil || !strings.Contains(string(out), "Sage-Femme") || strings.Contains(string(out), "Médecin") {
		t.Errorf("%v %s", err, out)
	}
	if err := exec.Command(binary, "codes", "NONE").Run(); err == nil || err.(*exec.ExitError).ExitCode() != exitUsage {
		t.Errorf("unknown table: %v", err)
	}
}

// Each magic identity does what its row says; strict makes plain people of them.
func TestEveryMagicIdentityHasItsOutcome(t *testing.T) {
	s := boot(t)
	type row struct {
		ID   string `json:"national_id"`
		Name string
	}
	var table struct{ Items []row }
	if err := json.Unmarshal([]byte(s.cli("identities", "magic", "--output", "json")), &table); err != nil {
		t.Fatal(err)
	}
	rp := testkit.NewRelyingParty(s.Server, s.DemoCertificate())
	userinfo := func(id string, patience time.Duration) string {
		tok := rp.Tokens(id, "")
		req, _ := http.NewRequest(http.MethodGet, s.Issuer+"/protocol/openid-connect/userinfo", nil)
		req.Header.Set("Authorization", "Bearer "+tok.AccessToken)
		c := s.HTTP(nil)
		c.Timeout = patience
		resp, err := c.Do(req)
		if err != nil {
			return "no answer"
		}
		defer resp.Body.Close()
		b, _ := io.ReadAll(resp.Body)
		_, access := testkit.JWTParts(t, tok.AccessToken)
		return resp.Status + " " + string(b) + access
	}
	refused := func(means string) func(string) string {
		return func(id string) string { return rp.Login(id + means).Encode() }
	}
	whole := func(id string) string { return userinfo(id, 20*time.Second) }
	for name, c := range map[string]struct {
		observe   func(string) string
		has, lack string
	}{
		"approved":             {whole, "200 OK", ""},
		"refused":              {refused(""), "error=access_denied", "code="},
		"time-out":             {refused(""), "nobody+answers", "code="},
		"phone-unreachable":    {refused(""), "could+not+be+reached", "code="},
		"pin-blocked":          {refused(";means=card"), "card+is+blocked", "code="},
		"card-opposed":         {refused(";means=card"), "card+is+opposed", "code="},
		"card-expired":         {refused(";means=card"), "expir", "code="},
		"no-activity":          {whole, `"activities":[]`, ""},
		"16-activities":        {whole, "HOPITAL MAGIQUE 16", "HOPITAL MAGIQUE 17"},
		"two-professions":      {whole, `"codeProfession":"21"`, ""},
		"long-names":           {whole, strings.Repeat("MAGIQUE-", 9) + "LONGUE", ""},
		"acr-missing":          {whole, "200 OK", `"acr"`},
		"eidas2":               {whole, `"acr":"eidas2"`, ""},
		"subjectrefpro-absent": {whole, "200 OK", "SubjectRefPro"},
		"claim-wrong-type":     {whole, `"SubjectRole":"10^`, ""},
		"userinfo-500":         {whole, "500 Internal Server Error", "SubjectNameID"},
		"userinfo-slow":        {func(id string) string { return userinfo(id, time.Second) }, "no answer", ""},
		"token-503": {func(id string) string {
			status, a := s.Post("token", url.Values{
				"grant_type":   {"authorization_code"},
				"client_id":    {"demo"},
				"code":         {rp.Login(id).Get("code")},
				"redirect_uri": {testkit.CallbackURL},
			})
			return fmt.Sprint(status, a)
		}, "503 map[error:temporarily_unavailable", ""},
	} {
		i := slices.IndexFunc(table.Items, func(r row) bool { return r.Name == name })
		if i < 0 {
			t.Errorf("no magic identity %s", name)
			continue
		}
		if got := c.observe(
			table.Items[i].ID,
		); !strings.Contains(got, c.has) ||
			c.lack != "" && strings.Contains(got, c.lack) {
			t.Errorf("%s: %s", name, got)
		}
	}
	if len(table.Items) != 18 {
		t.Errorf("%d magic identities, 18 are tested", len(table.Items))
	}
	s.API("PATCH", "/doors", `{"quirks":false}`, nil)
	if got := whole("899700000146"); !strings.Contains(got, "SubjectRefPro") {
		t.Errorf("with the door closed: %s", got)
	}
}

func TestAFolderOfIdentityFilesIsLoadedWatchedAndReadOnly(t *testing.T) {
	dir := t.TempDir()
	write := func(name, text string) {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write(
		"people.yaml",
		"- national_id: \"899700366240\"\n  family_name: DOC0036624\n  given_name: KIT\n  behaviour: approve\n",
	)
	s := boot(t, "--identities", dir)
	if out := s.cli("login", "--identity", "899700366240"); !strings.Contains(out, "DOC0036624") {
		t.Errorf("by phone: %s", out)
	}
	if out := s.cli("login", "--identity", "899700366240", "--means", "card"); !strings.Contains(out, "CARD") {
		t.Errorf("by card: %s", out)
	}
	var p struct{ Code, Received string }
	if s.API(
		"DELETE",
		"/identities/899700366240",
		"",
		&p,
	); p.Code != "identity-from-file" ||
		p.Received != "people.yaml" {
		t.Errorf("deleted: %+v", p)
	}
	if s.API(
		"PUT",
		"/identities/899700366240",
		`{"national_id":"899700366240","family_name":"A","given_name":"B"}`,
		&p,
	); p.Code != "identity-from-file" {
		t.Errorf("changed: %+v", p)
	}
	s.API(
		"POST",
		"/identities",
		`{"national_id":"899700237045","family_name":"A","given_name":"B","source":"forged.yaml"}`,
		nil,
	)
	if status := s.API("DELETE", "/identities/899700237045", "", nil); status != 204 {
		t.Errorf("a person who only claims to come from a file: %d", status)
	}
	until := func(what string, there func() bool) {
		t.Helper()
		for deadline := time.Now().Add(20 * time.Second); !there(); {
			if time.Now().After(deadline) {
				t.Fatalf("%s was not noticed", what)
			}
		}
	}
	write("people.yaml", "- national_id: \"899700366240\"\n  family_name: ANOTHER\n  given_name: KIT\n")
	write("more.json", `[{"national_id":"899700245220","family_name":"DOC0024522","given_name":"KIT"}]`)
	until("the change", func() bool { return s.API("GET", "/identities/899700245220", "", nil) == 200 })
	if out := s.cli("identities", "show", "899700366240"); !strings.Contains(out, "ANOTHER") {
		t.Errorf("the changed name: %s", out)
	}
	write("more.json", `[{"national_id":"8997002`) // half written: the people stay
	if err := os.Remove(filepath.Join(dir, "people.yaml")); err != nil {
		t.Fatal(err)
	}
	write("more.json", `[]`)
	until("the removal", func() bool { return s.API("GET", "/identities/899700245220", "", nil) == 404 })
	if s.API("GET", "/identities/"+testkit.Nurse, "", nil) != 200 {
		t.Error("a persona was removed")
	}
	write("more.json", `{`)
	if out, err := exec.Command(
		binary,
		"serve",
		"--data",
		t.TempDir(),
		"--identities",
		dir,
		"--listen",
		"127.0.0.1:0",
		"--card-listen",
		"127.0.0.1:0",
		"--console-listen",
		"127.0.0.1:0",
	).
		CombinedOutput(); err == nil ||
		!strings.Contains(string(out), "more.json") {
		t.Errorf("a broken file at start: %v %s", err, out)
	}
}
